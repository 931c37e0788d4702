//! Automation by threshold: how many rows have at least a confidence, and how many of those are right.
//!
//! [`Selection`] sorts the rows once; each question is then two look-ups, so a slider over ten thousand rows can ask at
//! every frame. Intervals are Clopper–Pearson and hold for a threshold named in advance; for one that was looked for in
//! the same rows, see [`super::guarantee`].

use serde::{Deserialize, Serialize};

use super::intervals::clopper_pearson;
use super::rows::check_scores;
use crate::error::{Error, Result};

/// Rows sorted by falling score with running counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    scores: Vec<f64>,
    /// `right[k]`: how many of the first `k` rows are right.
    right: Vec<usize>,
}

/// What a threshold selects: a row of `candor decide`'s table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdRow {
    /// Rows with a score of at least this are automated.
    pub threshold: f64,
    /// How many rows.
    pub n: usize,
    /// Their share of all rows.
    pub share: f64,
    /// How many of them are right.
    pub correct: usize,
    /// The share of them that is right; `None` of no rows.
    pub accuracy: Option<f64>,
    /// Lower end of the accuracy's Clopper–Pearson interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What reviewing the others costs a day, where a review cost is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_cost: Option<f64>,
}

impl Selection {
    /// Sorts scores in `[0, 1]` with their outcomes.
    ///
    /// # Errors
    /// No rows, different lengths, a score outside `[0, 1]`.
    pub fn new(scores: &[f64], correct: &[bool]) -> Result<Self> {
        check_scores(scores)?;
        if scores.is_empty() || scores.len() != correct.len() {
            return Err(Error::input(format!("{} scores and {} outcomes", scores.len(), correct.len()))
                .help("give at least one labelled row"));
        }
        // As in the isotonic fit: the bits of a score in [0, 1] sort as the score, the outcome rides below them.
        let key = |(&score, &right): (&f64, &bool)| ((score + 0.0).to_bits() << 1) | u64::from(right);
        let mut keys: Vec<u64> = scores.iter().zip(correct).map(key).collect();
        keys.sort_unstable();
        let mut right = Vec::with_capacity(keys.len() + 1);
        right.push(0);
        for key in keys.iter().rev() {
            right.push(right[right.len() - 1] + (key & 1) as usize);
        }
        Ok(Self { scores: keys.iter().rev().map(|key| f64::from_bits(key >> 1)).collect(), right })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are no rows (never, once made).
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Scores, highest first.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// How many rows have at least `threshold`, and how many of those are right.
    pub fn counts(&self, threshold: f64) -> (usize, usize) {
        let n = self.scores.partition_point(|score| *score >= threshold);
        (n, self.right[n])
    }

    /// How many of the `n` highest rows are right.
    pub fn right_of_top(&self, n: usize) -> usize {
        self.right[n.min(self.len())]
    }

    /// The numbers of rows that some threshold can select: ends of runs of equal scores, growing.
    pub fn cuts(&self) -> impl Iterator<Item = usize> + '_ {
        (1..=self.len()).filter(|&n| n == self.len() || self.scores[n - 1] > self.scores[n])
    }

    /// What `threshold` selects, with an interval at `level` (0.95 for 95%).
    pub fn at(&self, threshold: f64, level: f64) -> ThresholdRow {
        let (n, correct) = self.counts(threshold);
        let interval = (n > 0).then(|| clopper_pearson(correct as u64, n as u64, level));
        ThresholdRow {
            threshold,
            n,
            share: n as f64 / self.len() as f64,
            correct,
            accuracy: (n > 0).then(|| correct as f64 / n as f64),
            low: interval.map(|i| i.low),
            high: interval.map(|i| i.high),
            review_cost: None,
        }
    }

    /// The threshold table; `daily_review_cost` is what reviewing every row of a day would cost.
    pub fn table(&self, thresholds: &[f64], level: f64, daily_review_cost: Option<f64>) -> Vec<ThresholdRow> {
        let row = |&threshold: &f64| {
            let row = self.at(threshold, level);
            ThresholdRow { review_cost: daily_review_cost.map(|cost| cost * (1.0 - row.share)), ..row }
        };
        thresholds.iter().map(row).collect()
    }
}

/// The thresholds of a table where none are asked for: 50% to 95% in steps of five, then 97%, 99% and 99.9%.
pub const USUAL_THRESHOLDS: [f64; 13] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99, 0.999];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_by_hand() {
        let selection = Selection::new(&[0.9, 0.5, 0.9, 0.7], &[true, false, false, true]).unwrap();
        let table = selection.table(&[0.0, 0.7, 0.9, 0.91], 0.95, Some(8.0));
        let seen: Vec<_> = table.iter().map(|r| (r.n, r.correct, r.share, r.review_cost.unwrap())).collect();
        assert_eq!(seen, [(4, 2, 1.0, 0.0), (3, 2, 0.75, 2.0), (2, 1, 0.5, 4.0), (0, 0, 0.0, 8.0)]);
        assert_eq!((table[3].accuracy, table[3].low), (None, None));
        assert!(table[2].low.unwrap() < 0.5 && table[2].high.unwrap() > 0.5);
        assert_eq!(selection.cuts().collect::<Vec<_>>(), [2, 3, 4]);
        assert!(Selection::new(&[], &[]).is_err() && Selection::new(&[2.0], &[true]).is_err());
    }

    proptest! {
        #[test]
        fn counts_are_counts(rows in prop::collection::vec((0_u8..=10, any::<bool>()), 1..60), at in 0_u8..=11) {
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 10.0).collect();
            let correct: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let threshold = f64::from(at) / 10.0;
            let (n, right) = Selection::new(&scores, &correct).unwrap().counts(threshold);
            prop_assert_eq!(n, scores.iter().filter(|s| **s >= threshold).count());
            prop_assert_eq!(right, rows.iter().filter(|r| f64::from(r.0) / 10.0 >= threshold && r.1).count());
        }
    }
}
