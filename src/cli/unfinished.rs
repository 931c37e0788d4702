//! A run that was killed goes on where it was.
//!
//! Predictions are written as they come, into `predictions.jsonl.part`; beside it stands what they are made of, as one
//! hash of model, task, data and every choice that changes a prediction. A run whose hash is the same keeps the whole
//! lines that are there and computes the rest; any other begins anew. A line that was cut off costs one row.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::output::Output;
use crate::error::{Error, Result};
use crate::protocol::Prediction;

/// The part of a run that is on disk.
#[derive(Debug)]
pub struct Unfinished {
    part: PathBuf,
    of: PathBuf,
    /// Rows that are predicted already.
    pub rows: usize,
}

impl Unfinished {
    /// Finds what an earlier run with the same `made_of` left in `folder`, at most one line for each of `ids`; anything
    /// else that is there is begun anew.
    ///
    /// # Errors
    /// A folder that cannot be made, read or written to.
    pub fn open(folder: &Path, made_of: &str, ids: &[&str]) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        let (part, of) = (folder.join("predictions.jsonl.part"), folder.join("predictions.jsonl.part.sha256"));
        let known = fs::read_to_string(&of).is_ok_and(|known| known.trim() == made_of);
        let (rows, bytes) = if known { whole_lines(&part, ids)? } else { (0, 0) };
        if rows == 0 {
            fs::write(&part, "").map_err(|error| at(&part, error))?;
            fs::write(&of, format!("{made_of}\n")).map_err(|error| at(&of, error))?;
        } else {
            let file = OpenOptions::new().write(true).open(&part).map_err(|error| at(&part, error))?;
            file.set_len(bytes).map_err(|error| at(&part, error))?;
        }
        Ok(Self { part, of, rows })
    }

    /// Where the other rows go.
    ///
    /// # Errors
    /// A file that cannot be written to.
    pub fn output(&self) -> Result<Output> {
        Output::behind(&self.part)
    }

    /// All rows are there: they get their name.
    ///
    /// # Errors
    /// A file that cannot be named so.
    pub fn finish(self, path: &Path) -> Result<()> {
        fs::rename(&self.part, path).map_err(|error| at(path, error))?;
        match fs::remove_file(&self.of) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(at(&self.of, error)),
            _ => Ok(()),
        }
    }
}

/// One hash of everything that a run's predictions depend on.
pub fn made_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length before each part: no two lists of parts read the same.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many predictions of the first of these rows a file holds one after the other, and how many bytes they take.
fn whole_lines(path: &Path, ids: &[&str]) -> Result<(usize, u64)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(at(path, error)),
    };
    let mut reader = BufReader::new(file);
    let (mut rows, mut bytes) = (0, 0);
    let mut line = Vec::new();
    for id in ids {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|error| at(path, error))?;
        let is_row = |prediction: Prediction| prediction.id == **id;
        if line.last() != Some(&b'\n') || !serde_json::from_slice(&line).is_ok_and(is_row) {
            break;
        }
        rows += 1;
        bytes += read as u64;
    }
    Ok((rows, bytes))
}

fn at(path: &Path, error: std::io::Error) -> Error {
    Error::from(error).at_file(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"text\":\"t\",\"label\":\"a\",\"labels\":{{}},\"total_probability\":0.5,\"share\":0.5,\
             \"other_mass\":0.1,\"confidence\":0.5}}\n"
        )
    }

    #[test]
    fn whole_lines_are_kept_and_what_was_cut_off_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, ids) = (folder.path().join("predictions.jsonl.part"), ["1", "2", "3"]);
        assert_eq!(Unfinished::open(folder.path(), "x", &ids).unwrap().rows, 0);
        for (content, rows) in [
            (line("1") + &line("2"), 2),
            (line("1") + &line("2")[..20], 1),
            (line("1") + "\n" + &line("2"), 1),
            (line("2") + &line("1"), 0),
            (line("1") + &line("2") + &line("3") + &line("4"), 3),
        ] {
            fs::write(&path, &content).unwrap();
            assert_eq!(Unfinished::open(folder.path(), "x", &ids).unwrap().rows, rows, "{content}");
            let kept = fs::read_to_string(&path).unwrap();
            assert_eq!(kept.lines().count(), rows, "{kept}");
        }
        let found = Unfinished::open(folder.path(), "x", &ids).unwrap();
        found.output().unwrap().line("more").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4, "what comes is written behind");
        assert_eq!(Unfinished::open(folder.path(), "y", &ids).unwrap().rows, 0, "made of something else");
        let whole = folder.path().join("predictions.jsonl");
        Unfinished::open(folder.path(), "y", &ids).unwrap().finish(&whole).unwrap();
        assert!(whole.exists() && !path.exists());
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(made_of(["ab", "c"]), made_of(["a", "bc"]));
        assert_eq!(made_of(["a"]).len(), 64);
    }
}
