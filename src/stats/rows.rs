//! The rows that calibrators are fitted on and judged by: a score and an outcome each, and, where the model's label
//! probabilities are kept, the whole distribution over labels.
//!
//! Everything is checked once, when the rows are made; what takes [`Rows`] may rely on it.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::numeric::{exp, log_sum_exp};

/// Labelled rows: scores in `[0, 1]` with outcomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    scores: Vec<f64>,
    correct: Vec<bool>,
    keys: Option<Vec<u64>>,
    labels: Option<LabelRows>,
}

/// The model's log-probabilities over labels, with the true and the predicted label of each row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelRows {
    classes: usize,
    log_shares: Vec<f64>,
    expected: Vec<usize>,
    predicted: Vec<usize>,
}

/// Shares below this count as this: a label of probability 0 has no logarithm.
const LEAST_LOG_SHARE: f64 = -745.0;

impl LabelRows {
    /// Rows of `classes` label log-probabilities (row after row; they need not sum to one), with the index of each
    /// row's true label. The predicted label is the most likely one, the first of equals.
    ///
    /// # Errors
    /// Fewer than two labels, lengths that do not fit, a true label out of range, NaN or +∞, no label possible at all.
    pub fn new(log_probabilities: &[f64], classes: usize, expected: Vec<usize>) -> Result<Self> {
        if classes < 2 {
            return Err(
                Error::input(format!("{classes} label is too few to calibrate")).help("give two labels or more")
            );
        }
        if log_probabilities.len() != classes * expected.len() {
            return Err(Error::internal(format!(
                "{} log-probabilities do not fit {} rows of {classes} labels",
                log_probabilities.len(),
                expected.len()
            )));
        }
        let mut log_shares = Vec::with_capacity(log_probabilities.len());
        let mut predicted = Vec::with_capacity(expected.len());
        for (row, (values, &label)) in log_probabilities.chunks_exact(classes).zip(&expected).enumerate() {
            if label >= classes {
                return Err(Error::input(format!("row {}: label {label} of {classes} does not exist", row + 1)));
            }
            log_shares.extend(log_share(values).map_err(|e| Error::input(format!("row {}: {}", row + 1, e.message)))?);
            predicted.push(first_largest(values));
        }
        Ok(Self { classes, log_shares, expected, predicted })
    }

    /// The same rows with other predicted labels: where label bias was corrected, the prediction is not the label with
    /// the largest log-probability.
    ///
    /// # Errors
    /// Not as many, or a label that does not exist.
    pub fn with_predicted(self, predicted: Vec<usize>) -> Result<Self> {
        if predicted.len() != self.len() || predicted.iter().any(|&label| label >= self.classes) {
            return Err(Error::internal("the predicted labels do not fit the rows"));
        }
        Ok(Self { predicted, ..self })
    }

    /// How many labels.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// A row's log-probabilities among the labels: `classes` numbers whose exponentials sum to one.
    pub fn log_shares(&self, row: usize) -> &[f64] {
        &self.log_shares[row * self.classes..(row + 1) * self.classes]
    }

    /// A row's true label.
    pub fn expected(&self, row: usize) -> usize {
        self.expected[row]
    }

    /// A row's predicted label, which calibration does not change.
    pub fn predicted(&self, row: usize) -> usize {
        self.predicted[row]
    }

    /// The given rows, in the given order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            classes: self.classes,
            log_shares: rows.iter().flat_map(|&row| self.log_shares(row).iter().copied()).collect(),
            expected: rows.iter().map(|&row| self.expected[row]).collect(),
            predicted: rows.iter().map(|&row| self.predicted[row]).collect(),
        }
    }
}

/// Log-probabilities among the labels only; a label of probability zero gets the logarithm of the smallest number.
///
/// # Errors
/// NaN or +∞ among the values, or every label impossible.
pub fn log_share(log_probabilities: &[f64]) -> Result<Vec<f64>> {
    if let Some(position) = log_probabilities.iter().position(|v| v.is_nan() || *v == f64::INFINITY) {
        return Err(Error::input(format!(
            "log-probability {} of label {} is not a number",
            log_probabilities[position],
            position + 1
        )));
    }
    let total = log_sum_exp(log_probabilities);
    if total == f64::NEG_INFINITY {
        return Err(Error::input("no label has any probability"));
    }
    Ok(log_probabilities.iter().map(|v| (v - total).max(LEAST_LOG_SHARE)).collect())
}

/// The index of the largest value, the first of equals.
pub fn first_largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

impl Rows {
    /// Rows of scores in `[0, 1]` (confidence in the predicted label) and whether the prediction was right.
    ///
    /// # Errors
    /// No rows, different lengths, or a score outside `[0, 1]` (named by its row, counted from 1).
    pub fn new(scores: Vec<f64>, correct: Vec<bool>) -> Result<Self> {
        check_scores(&scores)?;
        if scores.len() != correct.len() {
            return Err(Error::internal(format!("{} scores but {} outcomes", scores.len(), correct.len())));
        }
        if scores.is_empty() {
            return Err(Error::input("there are no labelled rows").help("give rows with a confidence and a true label"));
        }
        Ok(Self { scores, correct, keys: None, labels: None })
    }

    /// Rows whose score is the predicted label's share and whose outcome is whether that label is the true one.
    ///
    /// # Errors
    /// No rows.
    pub fn from_labels(labels: LabelRows) -> Result<Self> {
        let scores = (0..labels.len()).map(|row| exp(labels.log_shares(row)[labels.predicted(row)]).min(1.0)).collect();
        let correct = (0..labels.len()).map(|row| labels.predicted(row) == labels.expected(row)).collect();
        Self::new(scores, correct)?.with_labels(labels)
    }

    /// The same rows with their label probabilities.
    ///
    /// # Errors
    /// Not as many.
    pub fn with_labels(mut self, labels: LabelRows) -> Result<Self> {
        if labels.len() != self.len() {
            return Err(Error::internal(format!("{} label rows for {} rows", labels.len(), self.len())));
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// The same rows with a key each; rows of equal key (see [`super::folds::text_key`]) are duplicates and stay in
    /// one fold.
    ///
    /// # Errors
    /// Not as many.
    pub fn with_keys(mut self, keys: Vec<u64>) -> Result<Self> {
        if keys.len() != self.len() {
            return Err(Error::internal(format!("{} keys for {} rows", keys.len(), self.len())));
        }
        self.keys = Some(keys);
        Ok(self)
    }

    /// How many rows; at least one.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are no rows (never, once made).
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Scores in `[0, 1]`.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Whether each row's prediction was right.
    pub fn correct(&self) -> &[bool] {
        &self.correct
    }

    /// The rows' keys, where given.
    pub fn keys(&self) -> Option<&[u64]> {
        self.keys.as_deref()
    }

    /// Label probabilities, where given.
    pub fn labels(&self) -> Option<&LabelRows> {
        self.labels.as_ref()
    }

    /// How many rows are right.
    pub fn right(&self) -> usize {
        self.correct.iter().filter(|&&c| c).count()
    }

    /// The given rows, in the given order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            scores: rows.iter().map(|&row| self.scores[row]).collect(),
            correct: rows.iter().map(|&row| self.correct[row]).collect(),
            keys: self.keys.as_ref().map(|keys| rows.iter().map(|&row| keys[row]).collect()),
            labels: self.labels.as_ref().map(|labels| labels.select(rows)),
        }
    }

    /// SHA-256 (lower-case hex) of the rows as a bag of (score, outcome, true label, label probabilities): the same
    /// rows in another order have the same hash, so a calibrator can say whether it has seen them.
    pub fn sha256(&self) -> String {
        let mut rows: Vec<Vec<u8>> = (0..self.len())
            .map(|row| {
                let mut bytes = (self.scores[row] + 0.0).to_bits().to_le_bytes().to_vec();
                bytes.push(u8::from(self.correct[row]));
                if let Some(labels) = &self.labels {
                    bytes.extend((labels.expected(row) as u64).to_le_bytes());
                    labels.log_shares(row).iter().for_each(|v| bytes.extend((v + 0.0).to_bits().to_le_bytes()));
                }
                bytes
            })
            .collect();
        rows.sort_unstable();
        let mut hasher = Sha256::new();
        rows.iter().for_each(|row| hasher.update(row));
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Refuses a score that is not in `[0, 1]`, by its row.
pub fn check_scores(scores: &[f64]) -> Result<()> {
    match scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
        Some(row) => Err(Error::input(format!("row {}: the score {} is not between 0 and 1", row + 1, scores[row]))
            .in_field("confidence")
            .help("give probabilities, not percentages or logits")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rows_that_are_none() {
        for (scores, correct, says) in [
            (vec![], vec![], "no labelled rows"),
            (vec![0.5, 1.5], vec![true, true], "row 2: the score 1.5"),
            (vec![f64::NAN], vec![true], "row 1"),
            (vec![0.5], vec![], "1 scores but 0 outcomes"),
        ] {
            let error = Rows::new(scores, correct).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(LabelRows::new(&[0.0, f64::NAN], 2, vec![0]).is_err());
        assert!(LabelRows::new(&[f64::NEG_INFINITY; 2], 2, vec![0]).is_err());
        assert!(LabelRows::new(&[0.0, 0.0], 2, vec![2]).is_err());
    }

    #[test]
    fn label_rows_are_normalized_and_give_scores() {
        let labels = LabelRows::new(&[-1.0, -1.0, f64::NEG_INFINITY, -3.0], 2, vec![1, 1]).unwrap();
        assert!((labels.log_shares(0)[0] - 0.5_f64.ln()).abs() < 1e-15);
        let rows = Rows::from_labels(labels).unwrap();
        assert_eq!(rows.correct(), [false, true]);
        assert_eq!(rows.scores(), [0.5, 1.0]);
        assert!(rows.labels().unwrap().log_shares(1).iter().all(|v| v.is_finite()));
    }

    #[test]
    fn the_hash_is_of_the_bag() {
        let rows = Rows::new(vec![0.1, 0.2, 0.2], vec![true, false, true]).unwrap();
        assert_eq!(rows.sha256(), rows.select(&[2, 0, 1]).sha256());
        assert_ne!(rows.sha256(), rows.select(&[0, 1, 1]).sha256());
    }
}
