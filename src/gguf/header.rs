//! The header: magic, version, metadata, and the directory of tensors.
//!
//! Everything a header says is checked here, once, against the format and the file's length: after [`Header::read`],
//! shapes multiply without overflow, names are unique, and offsets are aligned. Types are kept as ggml's ids, so that
//! a file with a type unknown to this project can still be described; whether a tensor's bytes are there depends on
//! its type and is checked in `tensor`.

use std::collections::HashSet;
use std::io::{Read, Seek};

use super::metadata::Metadata;
use super::source::Source;
use super::value::Value;
use crate::error::{Error, Result};

/// The most metadata pairs, and the most tensors.
const MOST_ENTRIES: u64 = 1 << 16;
/// The longest key the specification allows.
const LONGEST_KEY: u64 = 65_535;
/// The longest tensor name accepted (ggml stops at 63 bytes).
const LONGEST_TENSOR_NAME: u64 = 1024;
/// The most dimensions of a tensor.
const MOST_DIMENSIONS: u32 = 4;
/// Alignment of the data section and of every tensor in it, unless the file says otherwise.
pub(super) const DEFAULT_ALIGNMENT: u32 = 32;
/// The largest alignment accepted.
const LARGEST_ALIGNMENT: u32 = 1 << 20;

/// What a header says, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Format version: 2 or 3.
    pub version: u32,
    /// The key–value pairs.
    pub metadata: Metadata,
    /// The tensors, in file order.
    pub tensors: Vec<DirectoryEntry>,
    /// Alignment in bytes.
    pub alignment: u64,
    /// Where the data section starts, in bytes from the file's start; at most the file's length.
    pub data_start: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// A tensor as the directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// Extent of each dimension, innermost first: a matrix of `rows × columns` is `[columns, rows]`.
    pub shape: Vec<usize>,
    /// ggml's id of the element type.
    pub type_id: u32,
    /// Offset in bytes from the data section's start.
    pub offset: u64,
}

impl DirectoryEntry {
    /// The count of elements, which is known to fit.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|extent| *extent as u64).product()
    }
}

impl Header {
    /// Reads and checks a file's header; `reader` may stand anywhere.
    ///
    /// # Errors
    /// If the file is not GGUF 2 or 3, or its header contradicts the format, itself or the file's length. No more
    /// memory is taken than about twice the bytes that the header really has.
    pub fn read<R: Read + Seek>(reader: R) -> Result<Self> {
        let mut source = Source::new(reader)?;
        let version = version(&mut source)?;
        let tensor_count = source.u64("the count of tensors")?;
        let pair_count = source.u64("the count of metadata pairs")?;
        let metadata = metadata(&mut source, pair_count)?;
        let alignment = alignment(&metadata)?;
        let tensors = directory(&mut source, tensor_count, alignment)?;
        let data_start = source.position().next_multiple_of(alignment);
        if data_start > source.length() && !tensors.is_empty() {
            return Err(Error::format(format!(
                "the data section should start at byte {data_start}, but the file has {} bytes",
                source.length()
            ))
            .help("the file is cut short; fetch it again"));
        }
        let data_start = data_start.min(source.length());
        Ok(Self { version, metadata, tensors, alignment, data_start, file_bytes: source.length() })
    }
}

fn version<R: Read + Seek>(source: &mut Source<R>) -> Result<u32> {
    let mut start = Vec::new();
    source.append(source.left().min(8) as usize, &mut start, "the start of the file")?;
    if !start.starts_with(b"GGUF") {
        return Err(not_gguf(&start, source.length()));
    }
    let Some(version) = start.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) else {
        return Err(Error::format("the file ends within its version number").help("fetch it again"));
    };
    match u32::from_le_bytes(version) {
        supported @ 2..=3 => Ok(supported),
        swapped if (1..=0xffff).contains(&swapped.swap_bytes()) => {
            Err(Error::unsupported(format!("this is a big-endian GGUF {} file", swapped.swap_bytes()))
                .help("convert it to little-endian; every public model is"))
        }
        other => Err(Error::unsupported(format!("GGUF version {other} is not supported; versions 2 and 3 are"))
            .help("convert the model again with a current tool")),
    }
}

/// Says what the file seems to be instead.
fn not_gguf(start: &[u8], length: u64) -> Error {
    let guesses: [(&[u8], &str, &str); 6] = [
        (b"version ", "a Git LFS pointer", "fetch the file it points to, e.g. with `git lfs pull`"),
        (b"<", "a web page", "the download link led to a page; use the file's direct link"),
        (b"PK\x03\x04", "a ZIP archive (PyTorch weights?)", "convert the model to GGUF"),
        (b"tjgg", "a file of GGUF's predecessor", "convert the model to GGUF"),
        (b"lmgg", "a file of GGUF's predecessor", "convert the model to GGUF"),
        (b"FUGG", "a byte-swapped GGUF file", "convert it to little-endian"),
    ];
    if length == 0 {
        return Error::format("the file is empty").help("fetch it again");
    }
    if let Some((_, what, help)) = guesses.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return Error::format(format!("not a GGUF file: it looks like {what}")).help(*help);
    }
    let shown: String = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    Error::format(format!("not a GGUF file: it starts with {shown} instead of 47 47 55 46 (\"GGUF\")"))
        .help("choose a .gguf file")
}

/// Refuses a count of entries that is beyond reason or cannot be there at `smallest` bytes each.
fn entries<R: Read + Seek>(source: &Source<R>, count: u64, smallest: u64, what: &str) -> Result<usize> {
    if count > MOST_ENTRIES {
        return Err(Error::format(format!("the header claims {count} {what}; at most {MOST_ENTRIES} are accepted"))
            .help("the file is damaged; fetch it again"));
    }
    source.need(count * smallest, &format!("a list of {count} {what}"))?;
    Ok(count as usize)
}

fn metadata<R: Read + Seek>(source: &mut Source<R>, count: u64) -> Result<Metadata> {
    // A pair is at least a key's length, a type and one byte.
    let count = entries(source, count, 8 + 4 + 1, "metadata pairs")?;
    let mut metadata = Metadata::default();
    for index in 0..count {
        let key = source
            .short_string(LONGEST_KEY, "a metadata key")
            .map_err(|error| Error { message: format!("metadata pair {index}: {}", error.message), ..error })?;
        if key.is_empty() {
            return Err(Error::format(format!("metadata pair {index} has an empty key")));
        }
        let value = Value::read(source).map_err(|error| error.in_field(&key))?;
        if metadata.contains(&key) {
            return Err(Error::format("this metadata key stands in the file twice").in_field(key));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    check_alignment(metadata.optional("general.alignment", Metadata::u32)?.unwrap_or(DEFAULT_ALIGNMENT))
}

/// Refuses what is not a power of two in a sensible range.
pub(super) fn check_alignment(alignment: u32) -> Result<u64> {
    if alignment < 8 || !alignment.is_power_of_two() || alignment > LARGEST_ALIGNMENT {
        return Err(Error::format(format!(
            "the alignment is {alignment}; it must be a power of two from 8 to {LARGEST_ALIGNMENT}"
        ))
        .in_field("general.alignment"));
    }
    Ok(u64::from(alignment))
}

fn directory<R: Read + Seek>(source: &mut Source<R>, count: u64, alignment: u64) -> Result<Vec<DirectoryEntry>> {
    // An entry is at least a name's length, a count of dimensions, one extent, a type and an offset.
    let count = entries(source, count, 8 + 4 + 8 + 4 + 8, "tensors")?;
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for index in 0..count {
        let name = source
            .short_string(LONGEST_TENSOR_NAME, "a tensor's name")
            .map_err(|error| Error { message: format!("tensor {index}: {}", error.message), ..error })?;
        if name.is_empty() {
            return Err(Error::format(format!("tensor {index} has an empty name")));
        }
        let entry = directory_entry(source, name.clone(), alignment).map_err(|error| error.in_field(&name))?;
        if !names.insert(name) {
            return Err(Error::format("this tensor stands in the file twice").in_field(entry.name));
        }
        tensors.push(entry);
    }
    Ok(tensors)
}

fn directory_entry<R: Read + Seek>(source: &mut Source<R>, name: String, alignment: u64) -> Result<DirectoryEntry> {
    let dimensions = source.u32("a tensor's count of dimensions")?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(Error::format(format!(
            "the tensor has {dimensions} dimensions; 1 to {MOST_DIMENSIONS} are allowed"
        )));
    }
    let mut extents = Vec::new();
    for _ in 0..dimensions {
        extents.push(source.u64("a tensor's shape")?);
    }
    let type_id = source.u32("a tensor's type")?;
    let offset = source.u64("a tensor's offset")?;
    if extents.contains(&0) {
        return Err(Error::format(format!("the tensor's shape {extents:?} has a zero")));
    }
    // Every element takes at least a bit or so; a shape with more elements than the file has bits is a lie whatever
    // the type, and below that bound nothing overflows.
    let elements = extents.iter().try_fold(1_u64, |product, extent| product.checked_mul(*extent));
    let shape: Option<Vec<usize>> = extents.iter().map(|extent| usize::try_from(*extent).ok()).collect();
    let (Some(shape), Some(true)) = (shape, elements.map(|count| count <= source.length().saturating_mul(8))) else {
        return Err(Error::format(format!(
            "the tensor's shape {extents:?} has more elements than a file of {} bytes can hold",
            source.length()
        ))
        .help("the file is cut short or damaged; fetch it again"));
    };
    if !offset.is_multiple_of(alignment) {
        return Err(Error::format(format!("the tensor's offset {offset} is not a multiple of {alignment}")));
    }
    Ok(DirectoryEntry { name, shape, type_id, offset })
}
