//! Writing results: JSON lines and aligned tables, to standard output or a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};

/// The message that marks a reader that went away (`candor … | head`): not a failure.
const BROKEN_PIPE: &str = "the reader of standard output went away";

/// Where results go.
pub struct Output(Box<dyn Write>);

impl Output {
    /// Standard output.
    pub fn standard() -> Self {
        Self(Box::new(BufWriter::new(std::io::stdout())))
    }

    /// A file, replaced if it is there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn file(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::from(e).at_file(path.display().to_string()))?;
        Ok(Self(Box::new(BufWriter::new(file))))
    }

    /// A file that is there, written on behind.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn behind(path: &Path) -> Result<Self> {
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(|e| Error::from(e).at_file(path.display().to_string()))?;
        Ok(Self(Box::new(BufWriter::new(file))))
    }

    /// A line of text.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.0, "{line}").map_err(write_error)
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(value).map_err(|e| Error::internal(e.to_string()))?;
        self.line(&line)
    }

    /// Everything written so far reaches its reader.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(write_error)
    }

    /// A table: right-aligned where every cell of a column is a number, left-aligned elsewhere.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([header[column].chars().count()]).max().unwrap_or(0)
        };
        let is_number =
            |cell: &str| !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || " .,%+-–[]e".contains(c));
        let numeric = |column: usize| rows.iter().all(|row| is_number(&row[column]));
        let shape: Vec<(usize, bool)> = (0..header.len()).map(|column| (width(column), numeric(column))).collect();
        let render = |cells: Vec<&str>| {
            let cells = cells.iter().zip(&shape).map(|(cell, (width, right))| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.line(&render(header.to_vec()))?;
        rows.iter().try_for_each(|row| self.line(&render(row.iter().map(String::as_str).collect())))
    }
}

fn write_error(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::internal(BROKEN_PIPE),
        _ => Error::from(error).in_field("output"),
    }
}

/// Whether an error only says that nobody reads on.
pub fn is_broken_pipe(error: &Error) -> bool {
    error.message == BROKEN_PIPE
}

/// A token or text made visible on one line: control characters escaped, cut at `most` characters.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if line.chars().count() > most {
        line = line.chars().take(most.saturating_sub(1)).chain(['…']).collect();
    }
    line
}

/// A probability as a percentage with `digits` decimals.
pub fn percent(probability: f64, digits: usize) -> String {
    format!("{:.digits$}%", probability * 100.0)
}
