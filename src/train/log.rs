//! `metrics.jsonl`: how a fine-tune went, a line for every few steps and one for every epoch.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkpoint::write_whole;
use super::validation::Validation;
use crate::error::{Error, Result};

/// File name in the adapter's folder.
pub const FILE: &str = "metrics.jsonl";

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// Some steps, averaged.
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Steps done.
        step: usize,
        /// Mean loss of the rows since the last line.
        loss: f64,
        /// Learning rate.
        rate: f64,
        /// Length of the gradient, before clipping.
        gradient: f64,
    },
    /// An epoch is done, or (epoch 0) training is about to begin.
    Validation {
        /// The epoch.
        epoch: usize,
        /// Steps done.
        step: usize,
        /// Mean loss of the epoch's rows while they were trained on.
        train_loss: Option<f64>,
        /// Seconds since the start.
        seconds: f64,
        /// Whether it is the best so far.
        best: bool,
        /// The validation rows' numbers.
        #[serde(flatten)]
        validation: Validation,
    },
}

/// The file, open at its end.
pub struct Log {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Log {
    /// Opens the file in a folder, keeping its first `lines` lines.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(folder: &Path, lines: usize) -> Result<Self> {
        let path = folder.join(FILE);
        let at = |error: std::io::Error| Error::from(error).at_file(path.display().to_string());
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => text.split_inclusive('\n').take(lines).collect::<String>(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(error)),
        };
        // Whole or as it was: a full disk must not take the lines that are there.
        write_whole(&path, kept.as_bytes())?;
        let file = File::options().append(true).open(&path).map_err(at)?;
        let lines = kept.lines().count();
        Ok(Self { path, file, lines })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record).map_err(|error| Error::internal(error.to_string()))?;
        writeln!(self.file, "{line}").map_err(|error| Error::from(error).at_file(self.path.display().to_string()))?;
        self.lines += 1;
        Ok(())
    }

    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.lines
    }
}

/// Reads the file in a folder.
///
/// # Errors
/// If it cannot be read; a line that is none of its lines.
pub fn read(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(FILE);
    let named = |error: Error| error.at_file(path.display().to_string());
    let text = std::fs::read_to_string(&path).map_err(|error| named(error.into()))?;
    (text.lines().enumerate())
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| named(Error::format(error.to_string()).at_line(at as u64 + 1)))
        })
        .collect()
}
