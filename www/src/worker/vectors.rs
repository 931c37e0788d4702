//! The model's last hidden states of the texts that were read, kept for training probes.
//!
//! Written by whichever worker computes, straight to the device: the page never sees them. Two workers cannot write one
//! file, so each writes one of its own, `STEM.RANDOM.bin`; a reader takes them all. A file is a head of sixteen bytes
//! ([`MAGIC`], the width as a 32-bit number, four zeros), then a record for each text: its key (32 characters) and its
//! numbers (32-bit floats, little-endian). A file is written by one worker of one visit only, so a record that a crash has
//! cut can only be the last.

use std::collections::HashMap;

use candor::error::{Error, Result};
use candor::protocol::Classification;
use js_sys::Uint8Array;

use super::Desk;
use crate::state::evaluation::scores::text_key;
use crate::store::opfs::Folder;

/// What a file begins with.
const MAGIC: &[u8; 8] = b"CANDVEC1";
/// Bytes before the first record.
const HEAD: usize = 16;
/// Characters of a text's key.
const KEY: usize = 32;

impl Desk {
    /// Keeps the vectors of texts that were classified, as far as there are any.
    ///
    /// # Errors
    /// No storage, or none left.
    pub(super) async fn keep_vectors(&self, stem: &str, texts: &[&str], results: &[Classification]) -> Result<()> {
        let width = results.first().map_or(0, |result| result.vector.len());
        if width == 0 {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(texts.len() * (KEY + 4 * width));
        for (text, result) in texts.iter().zip(results).filter(|(_, result)| result.vector.len() == width) {
            bytes.extend_from_slice(text_key(text).as_bytes());
            bytes.extend(result.vector.iter().flat_map(|number| number.to_le_bytes()));
        }
        let name = self
            .vector_files
            .borrow_mut()
            .entry(stem.to_owned())
            .or_insert_with(|| format!("{stem}.{:x}.bin", (js_sys::Math::random() * 9e15) as u64))
            .clone();
        let writer = self.study_folder().await?.writer(&name).await?;
        let mut size = writer.size()?;
        if size == 0 {
            writer.write_at(0, &Uint8Array::from(head(width).as_slice()))?;
            size = HEAD as u64;
        }
        writer.write_at(size, &Uint8Array::from(bytes.as_slice()))?;
        writer.flush()
    }
}

fn head(width: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend((width as u32).to_le_bytes());
    head.resize(HEAD, 0);
    head
}

/// Vectors that were kept, all of one width.
#[derive(Debug, Default)]
pub struct Kept {
    width: usize,
    numbers: Vec<f32>,
    places: HashMap<String, usize>,
}

impl Kept {
    /// Reads all files of a stem.
    ///
    /// # Errors
    /// Files that cannot be read. One that is none of these is passed over.
    pub async fn read(folder: &Folder, stem: &str) -> Result<Self> {
        let beginning = format!("{stem}.");
        let mut kept = Self::default();
        for (name, _) in folder.list().await? {
            if name.starts_with(&beginning)
                && name.ends_with(".bin")
                && let Some(bytes) = folder.bytes(&name).await?
            {
                kept.take(&bytes).map_err(|error| error.at_file(name))?;
            }
        }
        Ok(kept)
    }

    /// Takes a file's records; of a text that comes twice, the first counts.
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((head, records)) = bytes.split_at_checked(HEAD).filter(|(head, _)| head.starts_with(MAGIC)) else {
            return Ok(());
        };
        let width = head[MAGIC.len()..][..4].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if width == 0 || (self.width != 0 && width != self.width) {
            return Err(Error::format("vectors of another width").help("erase what is kept, and run again"));
        }
        self.width = width;
        for record in records.chunks_exact(KEY + 4 * width) {
            let (key, numbers) = record.split_at(KEY);
            let Ok(key) = std::str::from_utf8(key) else { continue };
            if !self.places.contains_key(key) {
                self.places.insert(key.to_owned(), self.places.len());
                self.numbers.extend(numbers.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)));
            }
        }
        Ok(())
    }

    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The vector of a text.
    pub fn of(&self, text: &str) -> Option<&[f32]> {
        let place = self.places.get(&text_key(text))?;
        self.numbers.get(place * self.width..(place + 1) * self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, numbers: [f32; 2]) -> Vec<u8> {
        let mut bytes = text_key(text).into_bytes();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    #[test]
    fn what_several_workers_wrote_is_read_and_a_cut_record_costs_one_text() {
        let mut kept = Kept::default();
        let first = [head(2), record("a", [1.0, 2.0]), record("b", [3.0, 4.0])].concat();
        kept.take(&first[..first.len() - 3]).expect("vectors");
        kept.take(&[head(2), record("c", [5.0, -6.5]), record("a", [9.0, 9.0])].concat()).expect("vectors");
        assert_eq!((kept.of("a"), kept.of("b"), kept.of(" c ")), (Some(&[1.0, 2.0][..]), None, Some(&[5.0, -6.5][..])));
        assert!(kept.take(&[head(3), record("d", [0.0, 0.0])].concat()).is_err(), "another width");
        assert!(kept.take(b"something else").is_ok() && kept.take(b"").is_ok());
        assert_eq!((kept.width(), kept.places.len()), (2, 2));
    }
}
