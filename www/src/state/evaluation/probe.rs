//! A probe that was trained on a project's rows, as it is kept, and what it answers.

use candor::error::{Error, Result};
use candor::protocol::{LabelProbability, Prediction};
use candor::stats::probe::Probe;
use candor::stats::saved::Binding;
use serde::{Deserialize, Serialize};

/// The format of a kept probe.
pub const FORMAT: &str = "candor-probe/1";

/// A probe with what it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedProbe {
    /// [`FORMAT`].
    pub format: String,
    /// Its labels, in the order of its classes.
    pub labels: Vec<String>,
    /// The numbers.
    pub probe: Probe,
    /// Rows it was trained on.
    pub rows: usize,
    /// Folds of its cross-fitting.
    pub folds: usize,
    /// What made the vectors that it reads.
    pub bound_to: Binding,
}

impl SavedProbe {
    /// Reads what was kept.
    ///
    /// # Errors
    /// A text that is no probe of this version.
    pub fn read(text: &str) -> Result<Self> {
        let saved: Self = serde_json::from_str(text)
            .map_err(|error| Error::format(format!("this is no probe: {error}")).help("train it again"))?;
        match saved.format.as_str() {
            FORMAT => Ok(saved),
            other => Err(Error::unsupported(format!("the probe's format is \"{other}\"")).help("train it again")),
        }
    }

    /// What it says of a text, from the model's last hidden state.
    ///
    /// # Errors
    /// A vector of another model.
    pub fn answer(&self, text: &str, vector: &[f32]) -> Result<Prediction> {
        let log_shares = self.probe.log_shares(vector)?;
        Ok(prediction(&self.labels, &log_shares, text))
    }
}

/// A prediction from the logarithms of a probe's shares. A probe knows nothing but the labels: nothing is on no label.
pub fn prediction(labels: &[String], log_shares: &[f64], text: &str) -> Prediction {
    let scores = || labels.iter().zip(log_shares);
    let best = scores().max_by(|a, b| a.1.total_cmp(b.1));
    let (label, share) = best.map_or((String::new(), 0.0), |(label, share)| (label.clone(), share.exp()));
    Prediction {
        id: String::new(),
        text: text.to_owned(),
        group: None,
        expected: None,
        label,
        labels: scores()
            .map(|(label, &logprob)| (label.clone(), LabelProbability { logprob, share: logprob.exp() }))
            .collect(),
        total_probability: share,
        share,
        other_mass: 0.0,
        confidence: share,
        interval: None,
        set: None,
        verbalized: None,
        calibrator_forced: None,
        correct: None,
    }
}

#[cfg(test)]
mod tests {
    use candor::stats::probe::Labelled;

    use super::*;

    fn saved() -> SavedProbe {
        let vectors = [0.0, 1.0, 0.1, 0.9, 1.0, 0.0, 0.8, 0.1];
        let data = Labelled { vectors: &vectors, width: 2, truth: &[0, 0, 1, 1], classes: 2 };
        SavedProbe {
            format: FORMAT.to_owned(),
            labels: vec!["no".to_owned(), "yes".to_owned()],
            probe: Probe::fit(&data, &[0, 1, 2, 3], 1.0).expect("two labels"),
            rows: 4,
            folds: 2,
            bound_to: Binding::default(),
        }
    }

    #[test]
    fn an_answer_is_a_prediction_over_its_labels() {
        let answer = saved().answer("t", &[0.9, 0.0]).expect("two numbers");
        assert_eq!(answer.label, "yes");
        let shares: f64 = answer.labels.values().map(|label| label.share).sum();
        assert!((shares - 1.0).abs() < 1e-12 && answer.share > 0.5 && answer.confidence == answer.share);
        assert!(saved().answer("t", &[0.9]).is_err(), "a vector of another model");
    }

    #[test]
    fn what_is_kept_comes_back_and_nothing_else() {
        let text = serde_json::to_string(&saved()).expect("json");
        assert_eq!(SavedProbe::read(&text), Ok(saved()));
        for text in ["", "{}", &text.replace("probe/1", "probe/9")] {
            assert!(SavedProbe::read(text).is_err(), "{text}");
        }
    }
}
