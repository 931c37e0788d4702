//! A buffered, bounded view of a header's bytes.
//!
//! Every length in a header is a claim. This is where claims meet the file: nothing is read, and nothing is allocated,
//! beyond the bytes that are really left, and vectors grow with what was read rather than with what was promised.

use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};

use crate::error::{Error, Result};

/// Bytes that are read from the file at a time while the header is parsed.
const BUFFER: usize = 64 * 1024;
/// The longest single string (a chat template is some 20 KB).
const LONGEST_STRING: u64 = 4 << 20;
/// The most array elements in one header (the largest vocabularies need 1.5 million).
const MOST_ELEMENTS: u64 = 1 << 22;

/// A little-endian reader that knows where it is and how much is left.
pub(super) struct Source<R: Read + Seek> {
    reader: BufReader<R>,
    position: u64,
    length: u64,
    elements: u64,
}

impl<R: Read + Seek> Source<R> {
    /// Measures the file and goes to its start.
    pub fn new(mut reader: R) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        Ok(Self { reader: BufReader::with_capacity(BUFFER, reader), position: 0, length, elements: 0 })
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the whole file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes left.
    pub fn left(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }

    /// Refuses a claim of `bytes` more bytes if they are not there.
    pub fn need(&self, bytes: u64, what: &str) -> Result<()> {
        if bytes > self.left() {
            return Err(Error::format(format!(
                "{what} at byte {} needs {bytes} bytes, but the file ends after {} more",
                self.position,
                self.left()
            ))
            .help("the file is cut short or damaged; fetch it again"));
        }
        Ok(())
    }

    /// Refuses an array whose `count` elements, of at least `smallest` bytes each, cannot be there.
    pub fn claim_elements(&mut self, count: u64, smallest: u64) -> Result<usize> {
        self.need(count.saturating_mul(smallest), &format!("an array of {count} elements"))?;
        self.elements += count;
        if self.elements > MOST_ELEMENTS {
            return Err(Error::format(format!(
                "an array of {count} elements ends at {} array elements in this header; at most {MOST_ELEMENTS} are \
                 accepted",
                self.elements
            ))
            .help("no model needs that many; the file is damaged"));
        }
        usize::try_from(count)
            .map_err(|_| Error::format(format!("an array of {count} elements does not fit in memory")))
    }

    /// Appends exactly `count` bytes to `out`, which grows with what arrives.
    pub fn append(&mut self, count: usize, out: &mut Vec<u8>, what: &str) -> Result<()> {
        self.need(count as u64, what)?;
        let mut left = count;
        while left > 0 {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                return Err(Error::format(format!("the file ended while {what} at byte {} was read", self.position)));
            }
            let taken = chunk.len().min(left);
            out.extend_from_slice(&chunk[..taken]);
            self.reader.consume(taken);
            self.position += taken as u64;
            left -= taken;
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.need(N as u64, what)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// An unsigned 32-bit number.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(what)?))
    }

    /// An unsigned 64-bit number.
    pub fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(what)?))
    }

    /// A string's length, checked against the file and against `longest`.
    fn string_length(&mut self, longest: u64, what: &str) -> Result<usize> {
        let length = self.u64("a string's length")?;
        if length > longest {
            return Err(Error::format(format!(
                "{what} at byte {} says that it is {length} bytes long; at most {longest} are accepted",
                self.position
            ))
            .help("the file is damaged; fetch it again"));
        }
        self.need(length, what)?;
        Ok(length as usize)
    }

    /// A string of at most `longest` bytes.
    pub fn short_string(&mut self, longest: u64, what: &str) -> Result<String> {
        let length = self.string_length(longest, what)?;
        let start = self.position;
        let mut bytes = Vec::new();
        self.append(length, &mut bytes, what)?;
        String::from_utf8(bytes).map_err(|error| not_utf8(what, start + error.utf8_error().valid_up_to() as u64))
    }

    /// A metadata string.
    pub fn string(&mut self, what: &str) -> Result<String> {
        self.short_string(LONGEST_STRING, what)
    }

    /// Appends a metadata string to `out`, which stays UTF-8.
    pub fn append_string(&mut self, out: &mut Vec<u8>, what: &str) -> Result<()> {
        let length = self.string_length(LONGEST_STRING, what)?;
        let (start, before) = (self.position, out.len());
        self.append(length, out, what)?;
        match std::str::from_utf8(&out[before..]) {
            Ok(_) => Ok(()),
            Err(error) => Err(not_utf8(what, start + error.valid_up_to() as u64)),
        }
    }
}

fn not_utf8(what: &str, position: u64) -> Error {
    Error::format(format!("{what} is not UTF-8 at byte {position}")).help("the file is damaged; fetch it again")
}
