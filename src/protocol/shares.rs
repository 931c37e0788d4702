//! Predictions of classifiers that know nothing but each label's probability: probes and baselines.

use super::{LabelProbability, Prediction};
use crate::dataset::Example;

/// A share is held to at least this before its logarithm is taken.
const LEAST: f64 = 1e-12;

impl Prediction {
    /// A row's prediction from its labels' shares: one or more, adding up to one, in the labels' order.
    pub fn from_shares(row: &Example, labels: &[String], shares: &[f64]) -> Self {
        let winner = crate::stats::rows::first_largest(shares);
        let scored = labels.iter().zip(shares).map(|(name, share)| {
            (name.clone(), LabelProbability { logprob: share.clamp(LEAST, 1.0).ln(), share: *share })
        });
        let label = labels[winner].clone();
        Self {
            id: row.id.clone(),
            text: row.text.clone(),
            group: row.group.clone(),
            expected: row.label.clone(),
            correct: row.label.as_ref().map(|expected| *expected == label),
            label,
            labels: scored.collect(),
            total_probability: shares[winner],
            share: shares[winner],
            other_mass: 0.0,
            confidence: shares[winner],
            interval: None,
            set: None,
            verbalized: None,
            calibrator_forced: None,
        }
    }
}
