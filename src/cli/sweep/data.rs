//! The rows of a sweep: those that runs are judged on, those that are learned from, those that choose among epochs.
//!
//! Where one file holds them all, it is divided once, by a seeded draw that keeps the labels' shares and repeated texts on
//! one side. Rows to learn from and to choose by lose those whose text is judged. What was so made is written into the
//! sweep's folder, in one format: every run reads the same files.

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
    /// How the rows to learn from and to choose by are read.
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
/// Rows that cannot be read; fewer of them than are to be set aside; no row left to learn from or to choose by.
pub fn find(file: &File, out: &Path) -> Result<Data> {
    let data = file.data.clone().ok_or_else(|| Error::usage("there are no rows to judge runs on"))?;
    // What is written here is in one format, whatever it was read from.
    let plain = Reading { limit: file.reading.limit, seed: file.reading.seed, ..Reading::default() };
    let (judged, reading, divided) = match file.test {
        Some(rows) => {
            let (judged, train) = divide(&data, rows, &file.reading, out)?;
            (judged, plain.clone(), Some(train))
        }
        None => (data, file.reading.clone(), None),
    };
    let judged_rows = match file.train.is_some() || file.valid.is_some() {
        true => rows_of(&judged, &reading)?,
        false => Vec::new(),
    };
    let apart = |path: &Option<PathBuf>, field| {
        path.as_deref().map(|path| without_judged(path, field, &judged_rows, &file.reading, out)).transpose()
    };
    let train = divided.map_or_else(|| apart(&file.train, "train"), |train| Ok(Some(train)))?;
    let valid = apart(&file.valid, "valid")?;
    let hashed = |path: &Option<PathBuf>, field| path.as_deref().map(|path| hash_of(path, field)).transpose();
    let sources =
        Sources { data: hash_of(&judged, "data")?, train: hashed(&train, "train")?, valid: hashed(&valid, "valid")? };
    Ok(Data { judged, train, valid, reading, train_reading: plain, sources })
}

/// Writes the rows to be judged and those to learn from; gives their files.
fn divide(data: &Path, test: usize, reading: &Reading, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let rows = rows_of(data, reading)?;
    if test == 0 || test >= rows.len() {
        return Err(Error::usage(format!("{test} of {} rows cannot be set aside", rows.len()))
            .in_field("test")
            .help("leave rows on both sides"));
    }
    let parts = split::split(&rows, test as f64 / rows.len() as f64, reading.seed)?;
    let write = |name: &str, places: &[usize]| write_rows(out, name, places.iter().map(|place| &rows[*place]));
    Ok((write("test.jsonl", &parts.held_out)?, write("train.jsonl", &parts.fitted)?))
}

/// Writes the rows of a file whose text is not judged; gives the written file.
fn without_judged(path: &Path, field: &str, judged: &[Example], reading: &Reading, out: &Path) -> Result<PathBuf> {
    let rows = rows_of(path, reading)?;
    let all = rows.len();
    let rest = duplicates::without(rows, judged);
    if rest.is_empty() {
        return Err(Error::input(format!("each of the {all} rows has a text that is judged, so none is left"))
            .at_file(path.display().to_string())
            .in_field(field)
            .help("give rows of their own, or leave them out"));
    }
    if rest.len() < all {
        let what = if field == "valid" { "choose an epoch by" } else { "learn from" };
        eprintln!("note: {} of {all} rows to {what} have a text that is judged, and are left out", all - rest.len());
    }
    write_rows(out, &format!("{field}.jsonl"), rest.iter())
}

fn rows_of(path: &Path, reading: &Reading) -> Result<Vec<Example>> {
    Ok(input::read(path, &reading.arguments(None), true)?.examples)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the rows of a sweep whose files hold these texts; what `valid` is read by is not how plain rows are read.
    fn find_among(judged: &[&str], train: &[&str], valid: &[&str]) -> Result<Vec<Vec<String>>> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, texts: &[&str]| {
            let lines: String = texts.iter().map(|text| format!("{text},yes\n")).collect();
            let path = folder.path().join(name);
            std::fs::write(&path, format!("body,answer\n{lines}")).unwrap();
            path.display().to_string()
        };
        let [judged, train, valid] =
            [("data.csv", judged), ("train.csv", train), ("valid.csv", valid)].map(|(name, texts)| write(name, texts));
        let text = format!(
            "data = {judged:?}\ntrain = {train:?}\nvalid = {valid:?}\n\
             [reading]\ntext_field = \"body\"\nlabel_field = \"answer\"\n"
        );
        let file: File = toml::from_str(&text).unwrap();
        let data = find(&file, folder.path())?;
        let texts = |(path, reading): (&Path, &Reading)| -> Result<Vec<String>> {
            Ok(rows_of(path, reading)?.into_iter().map(|row| row.text).collect())
        };
        let learned = [&data.train, &data.valid].map(|path| (path.as_deref().unwrap(), &data.train_reading));
        [(data.judged.as_path(), &data.reading)].into_iter().chain(learned).map(texts).collect()
    }

    #[test]
    fn validation_rows_were_judged_too_and_read_by_the_wrong_names() {
        for (judged, train, valid, left) in [
            (&["a", "b"][..], &["c", "d"][..], &["e"][..], [&["c", "d"][..], &["e"]]),
            (&["a", "b"], &["a", "d"], &["e"], [&["d"], &["e"]]),
            (&["a", "b"], &["c", "d"], &["b", "e"], [&["c", "d"], &["e"]]),
        ] {
            assert_eq!(find_among(judged, train, valid).unwrap(), [judged, left[0], left[1]], "{train:?} {valid:?}");
        }
        for (train, valid, field) in [(&["a"][..], &["e"][..], "train"), (&["c"], &["a", "b"], "valid")] {
            let error = find_among(&["a", "b"], train, valid).unwrap_err();
            assert!(error.field.as_deref() == Some(field) && error.help.is_some(), "{error}");
        }
    }
}
