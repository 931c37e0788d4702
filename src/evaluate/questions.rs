//! Several ordinal questions about each text: scores with their whole distribution, and how far off they are.
//!
//! A score is read off the probabilities of the scale's labels: the expected value, and the mode for whoever needs one of
//! the labels. Nothing is generated, so an answer cannot be malformed.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::classify::{Classifier, Options, PreparedTask};
use crate::engine::Control;
use crate::error::{Error, Result};
use crate::protocol::{Classification, Prediction};
use crate::stats::metrics::report::Estimate;
use crate::stats::resampling::{Method, Resampling, bootstrap};
use crate::task::questions::QuestionSet;

/// A question's answer about a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The mean of the scale's values, weighted by their probabilities among the labels.
    pub expected: f64,
    /// The value of the likeliest label.
    pub mode: f64,
    /// Probability of each label among the labels.
    pub probabilities: IndexMap<String, f64>,
    /// Probability on no label.
    pub other_mass: f64,
}

/// All answers about a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The row's id.
    pub id: String,
    /// The text.
    pub text: String,
    /// Per question, in the file's order.
    pub scores: IndexMap<String, Score>,
}

/// How far off a question's answers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionQuality {
    /// Rows with a known answer.
    pub n: usize,
    /// Mean squared error of the expected value.
    pub mse: Estimate,
    /// Mean squared error of the mode.
    pub mse_of_mode: Estimate,
    /// Mean absolute error of the expected value.
    pub mae: Estimate,
    /// What always stating the mean of the true values would have as mean squared error.
    pub mse_of_mean: f64,
}

/// Questions made ready for a model.
pub struct Prepared {
    set: QuestionSet,
    tasks: Vec<PreparedTask>,
}

impl Prepared {
    /// Makes questions ready.
    ///
    /// # Errors
    /// As [`Classifier::prepare`].
    pub async fn new(set: QuestionSet, classifier: &Classifier, control: &mut Control<'_>) -> Result<Self> {
        let mut tasks = Vec::with_capacity(set.questions.len());
        for question in &set.questions {
            tasks.push(classifier.prepare(&set.task_of(question), control).await?);
        }
        Ok(Self { set, tasks })
    }

    /// Each question's classification of a text, in the file's order.
    ///
    /// # Errors
    /// As [`Classifier::classify`].
    pub async fn classify(
        &self,
        classifier: &Classifier,
        text: &str,
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        let tasks: Vec<&PreparedTask> = self.tasks.iter().collect();
        classifier.classify_once(&tasks, text, options, control).await
    }

    /// The classifications of a text as scores.
    ///
    /// # Errors
    /// Classifications of other tasks.
    pub fn scores(&self, id: &str, text: &str, results: &[Classification]) -> Result<Scores> {
        let scores = self.set.questions.iter().zip(results);
        let scores = scores.map(|(question, result)| Ok((question.name.clone(), self.score(&result.prediction)?)));
        Ok(Scores { id: id.to_owned(), text: text.to_owned(), scores: scores.collect::<Result<_>>()? })
    }

    fn score(&self, prediction: &Prediction) -> Result<Score> {
        let value = |name: &str| {
            let label = self.set.task.label(name).and_then(|label| label.value);
            label.ok_or_else(|| Error::internal(format!("the label {name:?} has no value")))
        };
        let mut expected = 0.0;
        for (name, label) in &prediction.labels {
            expected += value(name)? * label.share;
        }
        let probabilities = prediction.labels.iter().map(|(name, label)| (name.clone(), label.share)).collect();
        Ok(Score { expected, mode: value(&prediction.label)?, probabilities, other_mass: prediction.other_mass })
    }
}

/// How far off answers are: per row the expected value, the mode, and the true value.
pub fn quality(rows: &[(f64, f64, f64)], resampling: Resampling) -> QuestionQuality {
    let n = rows.len();
    let mean = rows.iter().map(|(_, _, truth)| truth).sum::<f64>() / n.max(1) as f64;
    let errors = |(expected, mode, truth): &(f64, f64, f64)| {
        [(expected - truth).powi(2), (mode - truth).powi(2), (expected - truth).abs()]
    };
    let replicates = bootstrap(n, 3, resampling, |counts, out| {
        let total = counts.iter().map(|count| f64::from(*count)).sum::<f64>();
        out.fill(0.0);
        for (row, count) in rows.iter().zip(counts) {
            out.iter_mut().zip(errors(row)).for_each(|(sum, error)| *sum += error * f64::from(*count) / total);
        }
    });
    let estimate = |column: usize| {
        let interval = replicates.interval(column, resampling.level, Method::Bca);
        let value = replicates.value(column);
        Estimate { value, low: interval.map(|found| found.low), high: interval.map(|found| found.high) }
    };
    let variance = rows.iter().map(|(_, _, truth)| (truth - mean).powi(2)).sum::<f64>() / n.max(1) as f64;
    QuestionQuality { n, mse: estimate(0), mse_of_mode: estimate(1), mae: estimate(2), mse_of_mean: variance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_of_expected_value_and_mode() {
        let rows: Vec<(f64, f64, f64)> = (0..50).map(|i| (5.0, 4.0, f64::from(i % 2) * 2.0 + 4.0)).collect();
        let found = quality(&rows, Resampling { resamples: 200, ..Resampling::default() });
        assert_eq!(found.n, 50);
        for (value, want) in [
            (found.mse.value, 1.0),
            (found.mae.value, 1.0),
            (Some(found.mse_of_mean), 1.0),
            (found.mse_of_mode.value, 2.0),
        ] {
            assert!((value.unwrap() - want).abs() < 1e-12, "{value:?}, not {want}");
        }
        assert!(found.mse_of_mode.low.unwrap() < 2.0 && found.mse_of_mode.high.unwrap() > 2.0);
    }
}
