//! What a correction of label bias changes: the same answers read as the model gives them, and with the labels' own
//! average taken out, on rows that average was not taken from.
//!
//! A correction may change the predicted label, which no calibrator does, so accuracy stands beside the calibration
//! numbers. The average of batch correction (Zhou et al. 2023) needs no true labels, but it does need rows: judged on
//! the rows it was taken from it would flatter, if only a little, so it is taken from the other folds.

use serde::{Deserialize, Serialize};

use super::bias::{BiasMethod, Corrected, LabelBias};
use super::folds::Folds;
use super::intervals::{Interval, clopper_pearson};
use super::rows::first_largest;
use crate::error::{Error, Result};
use crate::numeric::exp;

/// One way to read the model's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Per row, whether the label that this reading predicts is the true one.
    pub correct: Vec<bool>,
    /// Per row, the predicted label's probability.
    pub confidence: Vec<f64>,
}

impl Reading {
    /// The share of right rows.
    pub fn accuracy(&self) -> f64 {
        self.right() as f64 / self.correct.len().max(1) as f64
    }

    /// The 95% Clopper–Pearson interval of [`Reading::accuracy`].
    pub fn interval(&self) -> Interval {
        clopper_pearson(self.right() as u64, self.correct.len() as u64, 0.95)
    }

    fn right(&self) -> usize {
        self.correct.iter().filter(|right| **right).count()
    }
}

/// The same rows, read in both ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BiasEffect {
    /// As the model gives it: the likeliest label, with its probability over the whole vocabulary.
    pub raw: Reading,
    /// With the labels' average over other rows taken out; the confidence is the corrected share.
    pub corrected: Reading,
    /// What all rows together say of the model's inclination.
    pub bias: LabelBias,
}

/// Reads rows in both ways: `logprobs` holds each row's label log-probabilities over the whole vocabulary, `expected`
/// the place of its true label.
///
/// # Errors
/// Lists of different length, log-probabilities that are none.
pub fn bias_effect(logprobs: &[Vec<f64>], expected: &[usize], folds: &Folds) -> Result<BiasEffect> {
    if logprobs.len() != expected.len() || folds.of_row().len() != expected.len() {
        return Err(Error::internal("rows, labels and folds of different number"));
    }
    let winners: Vec<usize> = logprobs.iter().map(|row| first_largest(row)).collect();
    let raw = Reading {
        correct: winners.iter().zip(expected).map(|(winner, expected)| winner == expected).collect(),
        confidence: logprobs.iter().zip(&winners).map(|(row, &winner)| exp(row[winner]).min(1.0)).collect(),
    };
    let mut corrected = Reading { correct: vec![false; expected.len()], confidence: vec![0.0; expected.len()] };
    for fold in 0..folds.count() {
        let others: Vec<Vec<f64>> = folds.train(fold).into_iter().map(|row| logprobs[row].clone()).collect();
        let bias = LabelBias::estimate(BiasMethod::Batch, &others)?;
        for row in folds.test(fold) {
            let Corrected { label, shares } = bias.correct(&logprobs[row])?;
            corrected.correct[row] = label == expected[row];
            corrected.confidence[row] = shares[label].clamp(0.0, 1.0);
        }
    }
    Ok(BiasEffect { raw, corrected, bias: LabelBias::estimate(BiasMethod::Batch, logprobs)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rows::Rows;

    /// A model that knows the answer but says the second label far too readily.
    fn leaning(rows: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
        let expected: Vec<usize> = (0..rows).map(|row| row % 2).collect();
        let logprobs = expected
            .iter()
            .enumerate()
            .map(|(row, &truth)| {
                let evidence = (0.4 + 0.1 * (row % 5) as f64) * if truth == 0 { 1.0 } else { -1.0 };
                let odds: f64 = evidence - 1.5;
                let first = 0.8 / (1.0 + (-odds).exp());
                vec![first.ln(), (0.8 - first).ln()]
            })
            .collect();
        (logprobs, expected)
    }

    #[test]
    fn a_leaning_that_hides_the_answer_is_taken_out() {
        let (logprobs, expected) = leaning(60);
        let rows = Rows::new(vec![0.5; 60], vec![true; 60]).unwrap();
        let folds = Folds::stratified(&rows, 5, 1).unwrap();
        let effect = bias_effect(&logprobs, &expected, &folds).unwrap();
        assert_eq!(effect.raw.accuracy(), 0.5, "it says the second label to all");
        assert_eq!(effect.corrected.accuracy(), 1.0);
        assert!(effect.corrected.interval().low > effect.raw.interval().high);
        assert!(effect.bias.log_prior[1] > effect.bias.log_prior[0]);
        // Confidence is over the whole vocabulary before, among the labels after.
        assert!(effect.raw.confidence.iter().all(|value| *value <= 0.8));
        assert!(effect.corrected.confidence.iter().all(|value| (0.5..=1.0).contains(value)));
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let (logprobs, expected) = leaning(10);
        let rows = Rows::new(vec![0.5; 9], vec![true; 9]).unwrap();
        let folds = Folds::stratified(&rows, 3, 1).unwrap();
        assert!(bias_effect(&logprobs, &expected, &folds).is_err());
        assert!(bias_effect(&logprobs[..9], &expected, &folds).is_err());
    }
}
