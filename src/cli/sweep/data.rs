//! The rows of a sweep: those that runs are judged on, those that are learned from, those that choose among epochs.
//!
//! Where one file holds them all, it is divided once, by a seeded draw that keeps the labels' shares and repeated texts on
//! one side, and the parts are written into the sweep's folder: every run reads the same files.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::file::{File, Reading};
use super::names::hash_of;
use crate::cli::input;
use crate::cli::statistics::write_file;
use crate::dataset::{Example, duplicates, split};
use crate::error::{Error, Result};

/// The files of a sweep's rows.
#[derive(Debug, Clone)]
pub struct Data {
    /// What runs are judged on.
    pub judged: PathBuf,
    /// What is learned from.
    pub train: Option<PathBuf>,
    /// What chooses among epochs, beside a tenth of `train`.
    pub valid: Option<PathBuf>,
    /// How the judged rows are read.
    pub reading: Reading,
    /// How the rows to learn from are read.
    pub train_reading: Reading,
    /// Hashes of the files.
    pub sources: Sources,
}

/// Hashes of the data.
#[derive(Debug, Clone, Serialize)]
pub struct Sources {
    data: String,
    train: Option<String>,
    valid: Option<String>,
}

/// Finds a sweep's rows, dividing them if that is asked for.
///
/// # Errors
/// Rows that cannot be read; fewer of them than are to be set aside.
pub fn find(file: &File, out: &Path) -> Result<Data> {
    let data = file.data.clone().ok_or_else(|| Error::usage("there are no rows to judge runs on"))?;
    // What is written here is in one format, whatever it was read from.
    let plain = Reading { limit: file.reading.limit, seed: file.reading.seed, ..Reading::default() };
    let (judged, reading, train, train_reading) = match (file.test, &file.train) {
        (Some(rows), _) => {
            let (judged, train) = divide(&data, rows, &file.reading, out)?;
            (judged, plain.clone(), Some(train), plain)
        }
        (None, Some(train)) => match without_judged(train, &data, &file.reading, out)? {
            Some(rest) => (data, file.reading.clone(), Some(rest), plain),
            None => (data, file.reading.clone(), Some(train.clone()), file.reading.clone()),
        },
        (None, None) => (data, file.reading.clone(), None, plain),
    };
    let hashed = |path: &Option<PathBuf>, field| path.as_deref().map(|path| hash_of(path, field)).transpose();
    let sources = Sources {
        data: hash_of(&judged, "data")?,
        train: hashed(&train, "train")?,
        valid: hashed(&file.valid, "valid")?,
    };
    Ok(Data { judged, train, valid: file.valid.clone(), reading, train_reading, sources })
}

/// Writes the rows to be judged and those to learn from; gives their files.
fn divide(data: &Path, test: usize, reading: &Reading, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let rows = input::read(data, &reading.arguments(None), true)?.examples;
    if test == 0 || test >= rows.len() {
        return Err(Error::usage(format!("{test} of {} rows cannot be set aside", rows.len()))
            .in_field("test")
            .help("leave rows on both sides"));
    }
    let parts = split::split(&rows, test as f64 / rows.len() as f64, reading.seed)?;
    let write = |name: &str, places: &[usize]| write_rows(out, name, places.iter().map(|place| &rows[*place]));
    Ok((write("test.jsonl", &parts.held_out)?, write("train.jsonl", &parts.fitted)?))
}

/// If some rows to learn from have a text that is judged: a file of the others.
fn without_judged(train: &Path, judged: &Path, reading: &Reading, out: &Path) -> Result<Option<PathBuf>> {
    let read = |path: &Path| input::read(path, &reading.arguments(None), true);
    let rows = read(train)?.examples;
    let all = rows.len();
    let rest = duplicates::without(rows, &read(judged)?.examples);
    if rest.len() == all {
        return Ok(None);
    }
    eprintln!("note: {} of {all} rows to learn from have a text that is judged, and are left out", all - rest.len());
    write_rows(out, "train.jsonl", rest.iter()).map(Some)
}

fn write_rows<'a>(out: &Path, name: &str, rows: impl Iterator<Item = &'a Example>) -> Result<PathBuf> {
    let folder = out.join("data");
    std::fs::create_dir_all(&folder).map_err(|error| Error::from(error).at_file(folder.display().to_string()))?;
    let line = |row: &Example| {
        let mut line = serde_json::json!({ "id": row.id, "text": row.text, "label": row.label });
        if let Some(group) = &row.group {
            line["group"] = group.as_str().into();
        }
        line.to_string() + "\n"
    };
    let path = folder.join(name);
    write_file(&path, &rows.map(line).collect::<String>()).map(|()| path)
}
