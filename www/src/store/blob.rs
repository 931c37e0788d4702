//! `Read + Seek` over a `Blob`: a kept file's snapshot, or bytes that the browser holds for us.
//!
//! `FileReaderSync` exists in workers only and reads slices without a promise, which is what lets one synchronous
//! reader serve a native file, a test's bytes and a browser. It is slower than an access handle
//! ([`super::reader`]), but takes no lock.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

use js_sys::Uint8Array;
use web_sys::{Blob, FileReaderSync};

use super::reader::target;

/// Bytes of one slice: large enough that the browser's overhead a call disappears, small enough that the copy that
/// passes through JavaScript's memory does not matter.
const SLICE: usize = 1 << 20;

/// A reader of a `Blob`.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
    length: u64,
    position: u64,
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl BlobReader {
    /// A reader at the blob's start.
    ///
    /// # Errors
    /// Outside a worker.
    pub fn new(blob: Blob) -> Result<Self> {
        let reader = FileReaderSync::new().map_err(|_| Error::from(ErrorKind::Unsupported))?;
        Ok(Self { length: blob.size() as u64, blob, reader, position: 0, ahead: Vec::new(), ahead_at: 0 })
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Calls `on` with the first `bytes` bytes, slice by slice.
    pub fn for_each_slice(&self, bytes: u64, mut on: impl FnMut(&Uint8Array)) -> Result<()> {
        let mut start = 0;
        while start < bytes.min(self.length) {
            let slice = self.slice(start, bytes.min(start + SLICE as u64))?;
            start += u64::from(slice.length()).max(1);
            on(&slice);
        }
        Ok(())
    }

    fn slice(&self, start: u64, end: u64) -> Result<Uint8Array> {
        self.blob
            .slice_with_f64_and_f64(start as f64, end as f64)
            .and_then(|slice| self.reader.read_as_array_buffer(&slice))
            .map(|buffer| Uint8Array::new(&buffer))
            .map_err(|thrown| {
                let error = super::exception("the model's file could not be read", &thrown);
                Error::other(error.message)
            })
    }

    fn ahead(&self) -> &[u8] {
        let start = self.position.checked_sub(self.ahead_at).unwrap_or(u64::MAX);
        usize::try_from(start).ok().and_then(|start| self.ahead.get(start..)).unwrap_or_default()
    }
}

impl Read for BlobReader {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() || self.position >= self.length {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            let end = self.length.min(self.position + SLICE as u64);
            let bytes = self.slice(self.position, end)?;
            let count = bytes.length() as usize;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if out.len() >= count {
                bytes.copy_to(&mut out[..count]);
                self.position += count as u64;
                return Ok(count);
            }
            self.ahead.resize(count, 0);
            bytes.copy_to(&mut self.ahead);
            self.ahead_at = self.position;
        }
        let ahead = self.ahead();
        let count = ahead.len().min(out.len());
        out[..count].copy_from_slice(&ahead[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position = target(to, self.position, self.length)?;
        Ok(self.position)
    }
}
