//! Tensors: where each one lies, and how to get at its bytes.
//!
//! [`GgufFile::open`] turns the header's directory into [`TensorInfo`]s and proves, before anything is allocated for
//! a tensor, that each one's bytes lie inside the file and belong to no other. After that a read can only fail
//! because the storage does.

use std::io::{Read, Seek, SeekFrom};

use indexmap::IndexMap;

use super::header::{DirectoryEntry, Header};
use super::metadata::Metadata;
use super::quantized::QuantizedType;
use crate::error::{Error, Result};

/// One tensor: `rows()` rows of `columns()` elements, stored one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// Extent of each dimension, innermost first: a matrix of `rows × columns` is `[columns, rows]`.
    pub shape: Vec<usize>,
    /// Element type.
    pub kind: QuantizedType,
    /// Where the data begins, in bytes from the file's start.
    pub offset: u64,
    /// Length of the data in bytes.
    pub bytes: usize,
}

impl TensorInfo {
    /// Elements of a row: the innermost extent.
    pub fn columns(&self) -> usize {
        self.shape[0]
    }

    /// Rows: the product of all other extents.
    pub fn rows(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// All elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.bytes / self.rows()
    }

    fn new(entry: DirectoryEntry, data_start: u64, file_bytes: u64) -> Result<Self> {
        let kind = QuantizedType::from_ggml_id(entry.type_id)?;
        let rows: usize = entry.shape[1..].iter().product();
        let overflow = || Error::format(format!("the tensor's shape {:?} is too large", entry.shape));
        let bytes = kind.row_bytes(entry.shape[0])?.checked_mul(rows).ok_or_else(overflow)?;
        let data_bytes = file_bytes - data_start;
        match entry.offset.checked_add(bytes as u64) {
            Some(end) if end <= data_bytes => {}
            _ => {
                return Err(Error::format(format!(
                    "the tensor needs {bytes} bytes at offset {}, but the data section has {data_bytes}",
                    entry.offset
                ))
                .help("the file is cut short or damaged; fetch it again"));
            }
        }
        Ok(Self { name: entry.name, shape: entry.shape, kind, offset: data_start + entry.offset, bytes })
    }
}

/// An open GGUF file.
#[derive(Debug)]
pub struct GgufFile<R> {
    /// Format version: 2 or 3.
    pub version: u32,
    /// The key–value pairs.
    pub metadata: Metadata,
    /// The tensors by name, in file order.
    pub tensors: IndexMap<String, TensorInfo>,
    /// Bytes of the whole file.
    pub file_bytes: u64,
    reader: R,
}

impl<R: Read + Seek> GgufFile<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// If the file is not a little-endian GGUF 2 or 3 file, if its header contradicts the format, itself or the
    /// file's length, or if a tensor has a type that is not supported.
    pub fn open(mut reader: R) -> Result<Self> {
        let Header { version, metadata, tensors: entries, data_start, file_bytes, .. } = Header::read(&mut reader)?;
        let mut tensors = IndexMap::new();
        for entry in entries {
            let name = entry.name.clone();
            let info = TensorInfo::new(entry, data_start, file_bytes).map_err(|error| error.in_field(&name))?;
            tensors.insert(name, info);
        }
        refuse_overlaps(&tensors)?;
        Ok(Self { version, metadata, tensors, file_bytes, reader })
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors.get(name).ok_or_else(|| {
            Error::format("this tensor is missing")
                .in_field(name)
                .help("the file is incomplete, or of an architecture that is laid out differently")
        })
    }

    /// A tensor's bytes, as stored.
    ///
    /// # Errors
    /// If there is no such tensor, or reading fails; so for the methods below.
    pub fn read_tensor(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.tensor(name)?.bytes];
        self.read_tensor_into(name, &mut bytes)?;
        Ok(bytes)
    }

    /// A tensor's bytes, as stored, into memory of exactly its length.
    pub fn read_tensor_into(&mut self, name: &str, out: &mut [u8]) -> Result<()> {
        let info = self.tensor(name)?;
        if out.len() != info.bytes {
            return Err(
                Error::internal(format!("the tensor has {} bytes, not {}", info.bytes, out.len())).in_field(name)
            );
        }
        let offset = info.offset;
        self.read_at(offset, out).map_err(|error| error.in_field(name))
    }

    /// The bytes of `rows` rows from `first_row` on; `out` is resized to fit and overwritten.
    pub fn read_tensor_rows(&mut self, name: &str, first_row: usize, rows: usize, out: &mut Vec<u8>) -> Result<()> {
        let info = self.tensor(name)?;
        if first_row.checked_add(rows).is_none_or(|end| end > info.rows()) {
            return Err(Error::internal(format!(
                "rows {first_row} + {rows} are outside the tensor's {} rows",
                info.rows()
            ))
            .in_field(name));
        }
        let row_bytes = info.row_bytes();
        let offset = info.offset + (first_row * row_bytes) as u64;
        out.resize(rows * row_bytes, 0);
        self.read_at(offset, out).map_err(|error| error.in_field(name))
    }

    /// The reader back, standing anywhere.
    pub fn into_inner(self) -> R {
        self.reader
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.reader.seek(SeekFrom::Start(offset))?;
        self.reader.read_exact(out)?;
        Ok(())
    }
}

/// Two tensors that share bytes would be read without complaint and be wrong.
fn refuse_overlaps(tensors: &IndexMap<String, TensorInfo>) -> Result<()> {
    let mut by_offset: Vec<&TensorInfo> = tensors.values().collect();
    by_offset.sort_by_key(|info| info.offset);
    for pair in by_offset.windows(2) {
        if pair[0].offset + pair[0].bytes as u64 > pair[1].offset {
            return Err(Error::format(format!(
                "the tensor begins at byte {}, inside \"{}\", which ends at byte {}",
                pair[1].offset,
                pair[0].name,
                pair[0].offset + pair[0].bytes as u64
            ))
            .in_field(&pair[1].name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A version 3 file with one F32 tensor of 3 rows of 2, valued 0 to 5.
    fn sample() -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(b"t");
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend((0..6).flat_map(|v| (v as f32).to_le_bytes()));
        bytes
    }

    fn values(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
    }

    #[test]
    fn tensors_are_read_whole_and_by_rows() {
        let mut file = GgufFile::open(Cursor::new(sample())).unwrap();
        let info = file.tensor("t").unwrap();
        assert_eq!((info.columns(), info.rows(), info.elements(), info.row_bytes(), info.bytes), (2, 3, 6, 8, 24));
        assert_eq!(values(&file.read_tensor("t").unwrap()), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut rows = vec![9; 100];
        file.read_tensor_rows("t", 1, 2, &mut rows).unwrap();
        assert_eq!(values(&rows), [2.0, 3.0, 4.0, 5.0]);
        file.read_tensor_rows("t", 3, 0, &mut rows).unwrap();
        assert!(rows.is_empty());
        assert!(file.read_tensor_rows("t", 2, 2, &mut rows).is_err());
        assert!(file.read_tensor_rows("t", usize::MAX, 2, &mut rows).is_err());
        assert!(file.read_tensor_into("t", &mut [0; 23]).is_err());
        assert_eq!(file.read_tensor("u").unwrap_err().field.as_deref(), Some("u"));
    }

    #[test]
    fn version_2_is_the_same_layout() {
        let mut bytes = sample();
        bytes[4] = 2;
        assert_eq!(GgufFile::open(Cursor::new(bytes)).unwrap().version, 2);
    }
}
