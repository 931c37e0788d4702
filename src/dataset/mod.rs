//! Rows of text, with or without labels, out of the files people have.
//!
//! Readers take bytes or anything that reads; opening files and walking folders is the caller's. What a reader finds
//! wrong with a row becomes a problem with its line (and column and field where that can be said), and the other rows
//! are kept; with [`Options::strict`] the first problem is the error. What a reader had to guess is said in a note.
//!
//! | module | reads |
//! |---|---|
//! | [`sniff`] | which format a file is in, and whether that agrees with its name |
//! | [`csv`] | CSV and TSV with a header |
//! | [`jsonl`] | one JSON object a line, or one list of them: `{"text", "label"}` or chat messages; also as a stream |
//! | [`text`] | `NAME.txt` files, one example a line |
//! | [`predictions`] | rows that were scored already, for everything that does statistics |
//! | [`duplicates`], [`split`] | texts that repeat; seeded samples and splits that respect them |
//!
//! It knows nothing of tasks: whether a label is one of the task's is for those who bring both together.

pub mod csv;
pub mod duplicates;
mod encoding;
mod fields;
mod json_list;
pub mod jsonl;
mod layout;
pub mod lines;
pub mod predictions;
pub mod sniff;
pub mod split;
pub mod table;
pub mod text;

use serde::{Deserialize, Serialize};

pub use self::fields::Naming;
pub use self::layout::Layout;
use crate::error::{Error, Result};

/// Problems that are kept one by one; of further ones only the number is.
pub const PROBLEMS_KEPT: usize = 1000;

/// One row of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The data's own id, or the row's number counted from 1.
    pub id: String,
    /// The text, as it stands in the data.
    pub text: String,
    /// The label, without surrounding space; `None` where the row has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A subgroup of the data (a file stem, a category).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The line of its file where the row begins, counted from 1.
    pub line: u64,
}

/// The rows of one or several files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The good rows, in the order of the data.
    pub examples: Vec<Example>,
    /// What is wrong with the others, the first [`PROBLEMS_KEPT`].
    pub problems: Vec<Error>,
    /// How many rows were left out.
    pub left_out: usize,
    /// What was guessed or passed over, as sentences.
    pub notes: Vec<String>,
    /// Which columns or keys there are and what each was taken for; empty for plain text.
    pub layout: Layout,
}

/// How to read a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The column or key of the text; guessed when absent.
    pub text_field: Option<String>,
    /// The column or key of the label; guessed when absent.
    pub label_field: Option<String>,
    /// The column or key of the subgroup; guessed when absent.
    pub group_field: Option<String>,
    /// The column or key of the id; guessed when absent.
    pub id_field: Option<String>,
    /// No field is the label, whatever its name says.
    pub no_label: bool,
    /// Labels that say that a row has none, as in `?` or `TODO`.
    pub unlabelled: Vec<String>,
    /// The byte between the fields of a table; found out when absent.
    pub delimiter: Option<u8>,
    /// A table's first line is a row: its columns have no names.
    pub no_header: bool,
    /// How text files' names become labels; guessed when absent.
    pub label_from: Option<LabelFrom>,
    /// A row without a label is a problem.
    pub need_labels: bool,
    /// The first problem is the error.
    pub strict: bool,
    /// How a person names fields here.
    pub naming: Naming,
}

/// How a text file's name becomes its rows' label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelFrom {
    /// `positive.txt` → `positive`.
    Stem,
    /// `weak_positive.txt` → `positive`, with the stem as group.
    StemSuffix,
    /// `positive/17.txt` → `positive`; for who reads folders in folders.
    Folder,
}

impl std::str::FromStr for LabelFrom {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "stem" => Ok(Self::Stem),
            "stem-suffix" => Ok(Self::StemSuffix),
            _ => Err(Error::usage(format!("{word:?} is no way to name labels")).help("write stem or stem-suffix")),
        }
    }
}

impl Dataset {
    /// The labels that occur, with their counts, in order of first appearance.
    pub fn label_counts(&self) -> Vec<(&str, usize)> {
        let mut counts = indexmap::IndexMap::new();
        for label in self.examples.iter().filter_map(|example| example.label.as_deref()) {
            *counts.entry(label).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Takes in a row or its problem.
    fn take(&mut self, row: Result<Example>, options: &Options) -> Result<()> {
        let is_none = |label: &String| options.unlabelled.contains(label);
        let row = row.map(|example| Example { label: example.label.filter(|label| !is_none(label)), ..example });
        match row {
            Ok(example) if options.need_labels && example.label.is_none() => {
                let wrong = Error::input("the row has no label").at_line(example.line);
                self.take(Err(wrong.help("label it, or leave it out")), options)
            }
            Ok(example) if example.text.trim().is_empty() => {
                let wrong = Error::input("the text is empty").at_line(example.line);
                self.take(Err(wrong.help("leave the row out")), options)
            }
            Ok(example) => {
                self.examples.push(example);
                Ok(())
            }
            Err(problem) if options.strict => Err(problem),
            Err(problem) => {
                self.left_out += 1;
                if self.problems.len() < PROBLEMS_KEPT {
                    self.problems.push(problem);
                }
                Ok(())
            }
        }
    }

    /// The data set, unless nothing could be read.
    fn finished(mut self) -> Result<Self> {
        if !self.examples.is_empty() {
            let unlabelled = self.examples.iter().filter(|example| example.label.is_none()).count();
            if unlabelled > 0 && unlabelled < self.examples.len() {
                self.notes.push(format!("{unlabelled} of {} rows have no label", self.examples.len()));
            }
            return Ok(self);
        }
        Err(self.problems.into_iter().next().unwrap_or_else(|| {
            Error::input("there are no rows in it").help("a data set needs at least one row with a text")
        }))
    }
}

/// Reads one file of any format, found out from its name and content.
///
/// # Errors
/// `Kind::Format` or `Kind::Input` where the file is not what its name says, has no text field, or holds no good row;
/// with [`Options::strict`], for the first bad row. The error names the file.
pub fn read(name: &str, bytes: &[u8], options: &Options) -> Result<Dataset> {
    let dataset = sniff::sniff(name, bytes).and_then(|format| {
        encoding::check([bytes])?;
        match format {
            sniff::Format::Csv | sniff::Format::Tsv => csv::read(bytes, format == sniff::Format::Tsv, options),
            sniff::Format::Jsonl => jsonl::read(bytes, options),
            sniff::Format::JsonList => jsonl::read_list(bytes, options),
            sniff::Format::Text => text::read_file(name, bytes, options),
        }
    });
    in_file(name, dataset)
}

/// Reads the `.txt` files of a folder as one data set, in the order of their names; where there are none but one table,
/// reads that.
///
/// # Errors
/// As [`read`]; also where none of the files is a text file.
pub fn read_folder(files: &[(String, Vec<u8>)], options: &Options) -> Result<Dataset> {
    if let Some((name, bytes)) = text::only_table(files) {
        let mut dataset = read(name, bytes, options)?;
        dataset.notes.push(format!("of {} files, {name} is the one that was read", files.len()));
        return Ok(dataset);
    }
    text::read_folder(files, options)
}

/// Names the file in the error or in the problems.
fn in_file(name: &str, dataset: Result<Dataset>) -> Result<Dataset> {
    match dataset {
        Ok(mut dataset) => {
            for problem in &mut dataset.problems {
                problem.file.get_or_insert_with(|| name.to_owned());
            }
            Ok(dataset)
        }
        Err(error) => Err(error.at_file(name)),
    }
}
