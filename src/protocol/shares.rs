//! Predictions of classifiers that know nothing but each label's probability: probes and baselines.

use super::{LabelProbability, Prediction};
use crate::dataset::Example;
use crate::numeric::{exp, ln};

/// A share is held to at least this before its logarithm is taken.
const LEAST: f64 = 1e-12;

impl Prediction {
    /// A row's prediction from its labels' shares: one or more, adding up to one, in the labels' order.
    pub fn from_shares(row: &Example, labels: &[String], shares: &[f64]) -> Self {
        let log_shares: Vec<f64> = shares.iter().map(|share| ln(share.clamp(LEAST, 1.0))).collect();
        Self::of(row, labels, shares, &log_shares)
    }

    /// The same from the shares' natural logarithms.
    pub fn from_log_shares(row: &Example, labels: &[String], log_shares: &[f64]) -> Self {
        let shares: Vec<f64> = log_shares.iter().map(|share| exp(*share)).collect();
        Self::of(row, labels, &shares, log_shares)
    }

    fn of(row: &Example, labels: &[String], shares: &[f64], log_shares: &[f64]) -> Self {
        let winner = crate::stats::rows::first_largest(shares);
        let scored = labels.iter().zip(shares).zip(log_shares);
        let scored = scored.map(|((name, &share), &logprob)| (name.clone(), LabelProbability { logprob, share }));
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
