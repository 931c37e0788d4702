//! Runs side by side, and probes: what the page asks for and what comes back.
//!
//! Both are asked for in names of kept files, not in rows: the worker reads what it needs from the device, so that the
//! page neither holds the scores of every run nor spends a frame on handing them over.

use serde::{Deserialize, Serialize};

use crate::chart::Report;
use crate::stats::metrics::criterion::Criterion;
use crate::stats::saved::Binding;
use crate::task::Task;

/// What becomes of the model's last hidden states, which a probe reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vectors {
    /// They are dropped.
    #[default]
    Drop,
    /// They are kept on the device in files of this stem, where they come for nothing: not from a graphics device.
    Keep(String),
    /// They are kept in files of this stem, if need be computed once more by the processor.
    Compute(String),
    /// They come back with the results.
    Return,
}

/// The files of a project that say what its rows are and what is right in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFiles {
    /// Its rows, and what their labels mean.
    pub data: String,
    /// What a person decided.
    pub judgements: String,
}

/// A run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// What it is called.
    pub name: String,
    /// What it was made of, in words.
    pub made_of: String,
    /// The file of its scores.
    pub scores: String,
    /// The task it was scored with.
    pub task: Task,
}

/// Compare these runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareRequest {
    /// The report's title.
    pub title: String,
    /// The project.
    pub project: ProjectFiles,
    /// Two runs or more.
    pub runs: Vec<ComparedRun>,
    /// What they are ranked by.
    pub by: Criterion,
    /// The confidence from which on rows count as automated.
    pub threshold: f64,
    /// The accuracy that automated rows must have where a promise is looked for.
    pub accuracy: f64,
    /// How sure that must be.
    pub assurance: f64,
}

/// Runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// For people: the report that `candor compare` writes.
    pub report: Report,
    /// For programs: what `candor compare --json` prints.
    pub json: String,
}

/// Train a probe on the rows of a project whose label is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// The project.
    pub project: ProjectFiles,
    /// The stem of the files that hold the vectors.
    pub vectors: String,
    /// The task: its labels are the probe's.
    pub task: Task,
    /// What made the vectors.
    pub bound_to: Binding,
    /// The file that the probe is written to.
    pub probe: String,
    /// The file that its answers are written to: of rows it was trained on, those of a probe that has not seen them.
    pub scores: String,
}

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Rows whose label is known.
    pub rows: usize,
    /// Places of the different texts among these that have no vector yet: nothing is trained before they are read.
    pub missing: Vec<usize>,
    /// The probe as it was written, once it is trained.
    pub probe: Option<String>,
}
