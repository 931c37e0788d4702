//! What a run was made of: `metrics.json` carries it beside the numbers, and a calibrator is bound to it.

use serde::{Deserialize, Serialize};

use crate::stats::metrics::report::Report;
use crate::stats::saved::Binding;

/// Something with a name and the hash of what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name, as the user gave it.
    pub name: String,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Where it came from.
    pub name: String,
    /// Rows that were classified.
    pub rows: usize,
    /// Rows that were left out because something was wrong with them.
    pub left_out: usize,
    /// Rows whose text repeats an earlier row's.
    pub repeated: usize,
}

/// What a run was made of and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The model.
    pub model: Named,
    /// The adapter, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Named>,
    /// The task.
    pub task: Named,
    /// The data.
    pub data: DataFacts,
    /// The calibrator that made the confidences, by its file's name, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrator: Option<String>,
    /// What the task's bias correction found, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
    /// Where the model ran, e.g. `CPU AVX2`.
    pub backend: String,
    /// Seconds of classifying, without loading.
    pub seconds: f64,
    /// The program's version.
    pub version: String,
}

impl RunFacts {
    /// What a calibrator fitted on this run's predictions belongs to.
    pub fn binding(&self) -> Binding {
        Binding {
            model_sha256: Some(self.model.sha256.clone()),
            adapter_sha256: self.adapter.as_ref().map(|adapter| adapter.sha256.clone()),
            task_sha256: Some(self.task.sha256.clone()),
        }
    }
}

/// `metrics.json` of a run: what `candor metrics` prints, and what the run was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The metrics.
    #[serde(flatten)]
    pub report: Report,
    /// The run.
    pub run: RunFacts,
}
