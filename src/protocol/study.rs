//! What the page asks of the worker that keeps data and does statistics: no model is loaded for these.
//!
//! The page never holds a whole file: the worker reads it and hands over rows in pieces, so that nothing freezes. What
//! the page shows of a finished run is computed there too, from the same `predictions.jsonl` that can be taken home:
//! page and command line read the same bytes, so their numbers agree.

use serde::{Deserialize, Serialize};

use super::comparison::{CompareRequest, ComparisonReport, ProbeReport, ProbeRequest};
use crate::chart::{Report, Table};
use crate::dataset::{Example, Layout, Options};
use crate::error::Error;
use crate::stats::calibrators::Method;
use crate::stats::costs::Costs;
use crate::stats::saved::Binding;

/// A file that the person picked or dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name, with the folder where one was dropped.
    pub name: String,
    /// `blob:` URL made from it.
    pub url: String,
}

/// What a person wants of automated rows, and what they cost. It changes what may be automated, and no other number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The accuracy that automated rows must have.
    pub accuracy: f64,
    /// How sure that must be.
    pub assurance: f64,
    /// Prices and volume.
    pub costs: Costs,
    /// Whether the prices are an example because nobody gave any.
    pub example_costs: bool,
    /// The currency; may be empty.
    pub currency: String,
}

/// What the page may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyRequest {
    /// Read a data set. Answered with `Rows`, several times, and then `Read`.
    Read {
        /// One file of any format, or the text files of a folder.
        files: Vec<DataFile>,
        /// How to read them.
        options: Options,
        /// The most rows to hand over; of more, a sample that keeps the labels' proportions.
        limit: usize,
    },
    /// Say what predictions with known outcomes show: metrics, calibrators, thresholds, pictures. Answered with
    /// `Examined`.
    Examine {
        /// What the predictions are called.
        name: String,
        /// `predictions.jsonl`.
        predictions: String,
        /// What is wanted of automated rows, and what they cost; `None` where nobody has said.
        wish: Option<Wish>,
    },
    /// Compare calibrators on predictions with known outcomes, and fit one. Answered with `Calibrated`.
    Calibrate {
        /// `predictions.jsonl`.
        predictions: String,
        /// The method; `None` for the one that does best on rows it was not fitted on.
        method: Option<Method>,
        /// What the predictions were made with.
        bound_to: Binding,
    },
    /// Compare runs of a project on the rows that all of them have. Answered with `Compared`.
    Compare(Box<CompareRequest>),
    /// Train a probe on what a run has computed; progress comes while it does. Answered with `Probed`.
    Probe(Box<ProbeRequest>),
    /// Keep a text under a name, for the next visit. Answered with `Kept`.
    Keep {
        /// The name.
        name: String,
        /// The text.
        text: String,
    },
    /// Keep a text behind what is kept under the name already. Answered with `Kept`.
    Append {
        /// The name.
        name: String,
        /// The text.
        text: String,
    },
    /// Give back what was kept. Answered with `Text`.
    Recall {
        /// The name.
        name: String,
    },
    /// Remove what was kept under these names. Answered with `Kept`.
    Remove {
        /// The names; what is not there is gone already.
        names: Vec<String>,
    },
    /// Remove everything that was kept under a name that begins so. Answered with `Kept`.
    RemoveAll {
        /// The beginning.
        beginning: String,
    },
    /// Say what is kept. Answered with `Usage`.
    Usage,
    /// Remove everything that was kept. Answered with `Kept`.
    EraseAll,
}

/// What the worker answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyReply {
    /// Some of the rows, in order; more to come.
    Rows(Vec<Example>),
    /// All rows were handed over.
    Read {
        /// What was found in the data.
        report: Box<ReadReport>,
        /// Per row, the number of its text; texts are numbered in order of first appearance.
        text_of: Vec<usize>,
    },
    /// What the predictions show.
    Examined(Box<Examination>),
    /// A calibrator was fitted.
    Calibrated(Box<CalibrationReport>),
    /// Runs were compared.
    Compared(Box<ComparisonReport>),
    /// A probe was trained, or cannot be yet.
    Probed(Box<ProbeReport>),
    /// It is done.
    Kept,
    /// What is kept: names with their size in bytes.
    Usage(Vec<(String, u64)>),
    /// What was kept under the name, if anything.
    Text(Option<String>),
}

/// What predictions show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// For people: sections, pictures, tables.
    pub report: Report,
    /// For programs: what `candor metrics --json` prints of the same predictions.
    pub metrics: String,
}

/// A fitted calibrator, and what was looked at on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// `calibrator.json`, byte for byte what `candor calibrate` writes of the same predictions.
    pub file: String,
    /// The methods side by side, on rows they were not fitted on.
    pub table: Table,
    /// Why this one was chosen, in a sentence.
    pub why: String,
    /// What should be known before it is relied on, as sentences.
    pub warnings: Vec<String>,
}

/// What was found in a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadReport {
    /// Which columns or keys there are, and what each was taken for.
    pub layout: Layout,
    /// Good rows in the data.
    pub rows: usize,
    /// Rows that were handed over: fewer where the data has more than the limit.
    pub handed_over: usize,
    /// Labels with their number of rows, in order of first appearance.
    pub labels: Vec<(String, usize)>,
    /// What is wrong with the rows that were left out, the first thousand.
    pub problems: Vec<Error>,
    /// How many were left out.
    pub left_out: usize,
    /// What was guessed or passed over, as sentences.
    pub notes: Vec<String>,
    /// What should be known before anything runs: repeats, a single label, few rows.
    pub warnings: Vec<String>,
}
