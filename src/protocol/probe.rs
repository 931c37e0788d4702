//! A probe that was trained on labelled rows, as it is kept: one file for the page and the command line.

use serde::{Deserialize, Serialize};

use super::Prediction;
use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::stats::probe::Probe;
use crate::stats::saved::Binding;

/// The format's name and version.
const FORMAT: &str = "candor-probe-1";

/// A probe with everything needed to use it again: `probe.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeFile {
    /// `candor-probe-1`.
    format: String,
    /// The labels, in the order of the probe's coefficients.
    pub labels: Vec<String>,
    /// The numbers.
    pub probe: Probe,
    /// Rows it was trained on.
    pub rows: usize,
    /// Folds of its cross-fitting.
    pub folds: usize,
    /// The model, adapter and task whose vectors it reads.
    pub bound_to: Binding,
}

impl ProbeFile {
    /// A probe to be kept.
    pub fn new(labels: Vec<String>, probe: Probe, rows: usize, folds: usize, bound_to: Binding) -> Self {
        Self { format: FORMAT.to_owned(), labels, probe, rows, folds, bound_to }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// A text that is no probe of this version.
    pub fn read(text: &str) -> Result<Self> {
        let file: Self = serde_json::from_str(text)
            .map_err(|error| Error::format(format!("this is no probe: {error}")).help("train it again"))?;
        match file.format.as_str() {
            FORMAT => Ok(file),
            other => Err(Error::unsupported(format!("the probe's format is \"{other}\"")).help("train it again")),
        }
    }

    /// What it says of a row, from the model's last hidden state after the prompt.
    ///
    /// # Errors
    /// A vector of another model.
    pub fn predict(&self, row: &Example, vector: &[f32]) -> Result<Prediction> {
        Ok(Prediction::from_log_shares(row, &self.labels, &self.probe.log_shares(vector)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::probe::Labelled;

    fn file() -> ProbeFile {
        let vectors = [0.0, 1.0, 0.1, 0.9, 1.0, 0.0, 0.8, 0.1];
        let data = Labelled { vectors: &vectors, width: 2, truth: &[0, 0, 1, 1], classes: 2 };
        let probe = Probe::fit(&data, &[0, 1, 2, 3], 1.0).unwrap();
        ProbeFile::new(vec!["no".to_owned(), "yes".to_owned()], probe, 4, 2, Binding::default())
    }

    #[test]
    fn an_answer_is_a_prediction_over_its_labels() {
        let row = Example { id: "7".into(), text: "t".into(), label: Some("yes".into()), group: None, line: 1 };
        let answer = file().predict(&row, &[0.9, 0.0]).unwrap();
        assert!(answer.label == "yes" && answer.correct == Some(true) && answer.id == "7");
        let shares: f64 = answer.labels.values().map(|label| label.share).sum();
        assert!((shares - 1.0).abs() < 1e-12 && answer.share > 0.5 && answer.confidence == answer.share);
        assert!(file().predict(&row, &[0.9]).is_err(), "a vector of another model");
    }

    #[test]
    fn what_is_kept_comes_back_and_nothing_else() {
        let text = serde_json::to_string(&file()).unwrap();
        assert_eq!(ProbeFile::read(&text), Ok(file()));
        for text in ["", "{}", &text.replace("probe-1", "probe-9")] {
            assert!(ProbeFile::read(text).is_err(), "{text}");
        }
    }
}
