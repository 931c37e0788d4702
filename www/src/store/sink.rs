//! Where a download's bytes go: into a file while there is room, otherwise into memory that the browser holds; every
//! byte passes the hash.

use std::fmt::Write as _;

use candor::error::{Error, Kind, Result};
use js_sys::{Array, Uint8Array};
use sha2::{Digest, Sha256};
use web_sys::Blob;

use super::blob::BlobReader;
use super::opfs::{Folder, Writer, joined};
use super::record::Record;

/// Bytes and their hash.
#[derive(Debug)]
pub struct Sink {
    place: Place,
    hash: Sha256,
    bytes: u64,
    chunk: Vec<u8>,
    full_after: Option<u64>,
    /// What identified the version of the file that is being continued.
    pub continues: Option<String>,
}

#[derive(Debug)]
enum Place {
    File { folder: Folder, name: String, writer: Writer },
    Held { parts: Array, reason: String },
}

impl Sink {
    /// A sink that keeps nothing, for this reason.
    pub fn held(reason: &str) -> Self {
        Self::new(Place::Held { parts: Array::new(), reason: reason.to_owned() }, None)
    }

    /// A sink into a file, which it continues: call [`Self::hash_again`] first with what is there.
    pub async fn file(folder: &Folder, name: &str, full_after: Option<u64>) -> Result<Self> {
        let writer = folder.writer(name).await?;
        Ok(Self::new(Place::File { folder: folder.clone(), name: name.to_owned(), writer }, full_after))
    }

    fn new(place: Place, full_after: Option<u64>) -> Self {
        Self { place, hash: Sha256::new(), bytes: 0, chunk: Vec::new(), full_after, continues: None }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts bytes that the file holds already.
    pub fn hash_again(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Begins anew.
    pub fn restart(&mut self) -> Result<()> {
        match &mut self.place {
            Place::File { writer, .. } => writer.truncate(0)?,
            Place::Held { parts, .. } => *parts = Array::new(),
        }
        self.hash = Sha256::new();
        self.bytes = 0;
        Ok(())
    }

    /// Takes a chunk. A full disk is no error: what is there moves to memory.
    pub async fn push(&mut self, chunk: &Uint8Array) -> Result<()> {
        if self.bytes == 0 {
            check_magic(chunk)?;
        }
        if let Place::File { writer, .. } = &self.place {
            let full = self.full_after.is_some_and(|limit| self.bytes + u64::from(chunk.length()) > limit);
            let written = match full {
                true => Err(Error::new(Kind::Resource, "no storage left")),
                false => writer.write_at(self.bytes, chunk),
            };
            match written {
                Err(error) if error.kind == Kind::Resource => self.move_to_memory(&error.message).await?,
                other => other?,
            }
        }
        if let Place::Held { parts, .. } = &self.place {
            parts.push(chunk);
        }
        self.chunk.resize(chunk.length() as usize, 0);
        chunk.copy_to(&mut self.chunk);
        self.hash.update(&self.chunk);
        self.bytes += u64::from(chunk.length());
        Ok(())
    }

    async fn move_to_memory(&mut self, reason: &str) -> Result<()> {
        let held = Place::Held { parts: Array::new(), reason: reason.to_owned() };
        let Place::File { folder, name, writer } = std::mem::replace(&mut self.place, held) else { return Ok(()) };
        drop(writer);
        let Place::Held { parts, .. } = &self.place else { return Ok(()) };
        if let Some(file) = folder.snapshot(&name).await? {
            BlobReader::new(file.into())?.for_each_slice(self.bytes, |slice| {
                parts.push(slice);
            })?;
        }
        Record::remove(&folder, &name).await
    }

    /// The end: the hash, and the bytes themselves where they were not kept, with the reason.
    pub fn finish(self) -> Result<(String, Option<(Blob, String)>)> {
        let hash = hex(&self.hash.finalize());
        match self.place {
            Place::File { writer, .. } => {
                writer.flush()?;
                Ok((hash, None))
            }
            Place::Held { parts, reason } => Ok((hash, Some((joined(&parts)?, reason)))),
        }
    }
}

/// A web page in a model's place, or any other file, is known by its first bytes.
fn check_magic(chunk: &Uint8Array) -> Result<()> {
    let mut first = [0; 4];
    if chunk.length() < 4 {
        return Ok(());
    }
    chunk.subarray(0, 4).copy_to(&mut first);
    match &first == b"GGUF" {
        true => Ok(()),
        false => Err(Error::format(format!("this is no GGUF file: it begins with \"{}\"", first.escape_ascii()))
            .help("take the .gguf file itself, not the page that shows it")),
    }
}

/// Bytes as lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
