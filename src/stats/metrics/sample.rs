//! Scores with outcomes, sorted once, and views of them in which rows count any number of times.

use std::sync::{Arc, OnceLock};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::numeric::{ln, ln_1p};
use crate::stats::pava::ascending_order;

/// Scores in `[0, 1]` with outcomes, in ascending order of score; equal scores keep their input order.
#[derive(Debug, Clone)]
pub struct Sample {
    sorted: Arc<Sorted>,
    outcomes: Vec<f64>,
    log_losses: OnceLock<Vec<f64>>,
}

/// What does not depend on the outcomes.
#[derive(Debug)]
struct Sorted {
    scores: Vec<f64>,
    order: Vec<u32>,
    tie_ends: Vec<u32>,
    ones: Vec<u32>,
}

impl Sample {
    /// Sorts `scores` with their outcomes (whether the prediction was correct, or the event happened).
    ///
    /// # Errors
    /// No rows, slices of different lengths, a score outside `[0, 1]`.
    pub fn new(scores: &[f64], correct: &[bool]) -> Result<Self> {
        if scores.is_empty() {
            return Err(
                Error::input("there are no rows").help("give at least one row with a confidence and an outcome")
            );
        }
        if scores.len() != correct.len() {
            return Err(Error::internal(format!("{} scores, {} outcomes", scores.len(), correct.len())));
        }
        if let Some(row) = scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
            return Err(Error::input(format!("row {}: {} is not between 0 and 1", row + 1, scores[row]))
                .in_field("confidence")
                .help("a confidence is a probability; divide percentages by 100"));
        }
        let order = ascending_order(scores)?;
        let sorted: Vec<f64> = order.iter().map(|&row| scores[row as usize]).collect();
        let outcomes: Vec<f64> = order.iter().map(|&row| f64::from(u8::from(correct[row as usize]))).collect();
        let mut tie_ends: Vec<u32> =
            (1..sorted.len()).filter(|&i| sorted[i] != sorted[i - 1]).map(|i| i as u32).collect();
        tie_ends.push(sorted.len() as u32);
        let sorted = Sorted { ones: vec![1; sorted.len()], scores: sorted, order, tie_ends };
        Ok(Self { sorted: Arc::new(sorted), outcomes, log_losses: OnceLock::new() })
    }

    /// The same scores with outcomes drawn as if every score were true: a perfectly calibrated model's rows.
    pub fn simulate(&self, random: &mut ChaCha8Rng) -> Self {
        // A 32-bit draw below the score's share of 2^32 is a success; a score of 1 is above every draw.
        let draw = |p: &f64| f64::from(u8::from(u64::from(random.next_u32()) < (p * 4_294_967_296.0) as u64));
        let outcomes = self.sorted.scores.iter().map(draw).collect();
        Self { sorted: Arc::clone(&self.sorted), outcomes, log_losses: OnceLock::new() }
    }

    /// Number of rows, at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.sorted.scores.len()
    }

    /// The scores, ascending.
    pub fn scores(&self) -> &[f64] {
        &self.sorted.scores
    }

    /// The outcomes (0 or 1) in the order of the scores.
    pub fn outcomes(&self) -> &[f64] {
        &self.outcomes
    }

    /// For each place in the sorted order, the input row that stands there.
    pub fn order(&self) -> &[u32] {
        &self.sorted.order
    }

    /// The rows as they are: each counts once.
    pub fn view(&self) -> View<'_> {
        View { sample: self, counts: &self.sorted.ones }
    }

    /// The rows counted `counts` times each, in sorted order.
    ///
    /// # Panics
    /// When there are not as many counts as rows: a fault of the caller.
    pub fn counted<'a>(&'a self, counts: &'a [u32]) -> View<'a> {
        assert_eq!(counts.len(), self.len(), "a count for every row");
        View { sample: self, counts }
    }
}

/// The negative log-likelihood of an outcome, the score clipped to `[1e-15, 1 − 1e-15]`.
fn log_loss_of(score: f64, outcome: f64) -> f64 {
    let p = score.clamp(1e-15, 1.0 - 1e-15);
    if outcome == 1.0 { -ln(p) } else { -ln_1p(-p) }
}

/// A [`Sample`] of which each row counts a number of times.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    sample: &'a Sample,
    counts: &'a [u32],
}

impl<'a> View<'a> {
    /// The sample behind the view.
    pub fn sample(&self) -> &'a Sample {
        self.sample
    }

    /// How often each row counts, in sorted order.
    pub fn counts(&self) -> &'a [u32] {
        self.counts
    }

    /// Scores, ascending.
    pub fn scores(&self) -> &'a [f64] {
        &self.sample.sorted.scores
    }

    /// Outcomes (0 or 1) in the order of the scores.
    pub fn outcomes(&self) -> &'a [f64] {
        &self.sample.outcomes
    }

    /// The rows counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// The rows counted whose outcome is 1.
    pub fn positives(&self) -> u64 {
        self.sum(|_, y| y) as u64
    }

    /// The counted sum of `term(score, outcome)`.
    pub fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        let (counts, scores, outcomes) = (self.counts, self.scores(), self.outcomes());
        eight_sums(counts.len(), |row| f64::from(counts[row]) * term(scores[row], outcomes[row]))
    }

    /// The counted mean of the log loss.
    pub(super) fn mean_log_loss(&self) -> f64 {
        let losses = self.sample.log_losses.get_or_init(|| {
            let rows = self.scores().iter().zip(self.outcomes());
            rows.map(|(&p, &y)| log_loss_of(p, y)).collect()
        });
        let (counts, losses) = (self.counts, &losses[..self.counts.len()]);
        eight_sums(counts.len(), |row| f64::from(counts[row]) * losses[row]) / self.total() as f64
    }

    /// Runs of rows with equal scores, in ascending order, as ranges of the sorted order.
    pub fn ties(&self) -> impl DoubleEndedIterator<Item = std::ops::Range<usize>> + 'a {
        let ends = &self.sample.sorted.tie_ends;
        (0..ends.len()).map(move |i| (if i == 0 { 0 } else { ends[i - 1] as usize })..ends[i] as usize)
    }
}

/// The sum of `term(0..count)` in eight running sums: independent, so that they can be vectorized, and always the same
/// ones, so that the result is the same everywhere.
fn eight_sums(count: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let whole = count - count % 8;
    for start in (0..whole).step_by(8) {
        for lane in 0..8 {
            sums[lane] += term(start + lane);
        }
    }
    for row in whole..count {
        sums[row - whole] += term(row);
    }
    ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_with_ties_in_input_order() {
        let sample = Sample::new(&[0.5, 0.1, 0.5, 1.0], &[true, false, false, true]).unwrap();
        assert_eq!(sample.order(), [1, 0, 2, 3]);
        assert_eq!(sample.outcomes(), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(sample.view().ties().collect::<Vec<_>>(), [0..1, 1..3, 3..4]);
        assert_eq!(sample.counted(&[2, 0, 1, 3]).positives(), 3);
        assert_eq!(sample.counted(&[2, 0, 1, 3]).total(), 6);
    }

    #[test]
    fn refuses_bad_rows_with_their_number() {
        assert!(Sample::new(&[], &[]).is_err());
        for bad in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
            let error = Sample::new(&[0.5, bad], &[true, true]).unwrap_err();
            assert!(error.to_string().contains("row 2"), "{error}");
        }
    }
}
