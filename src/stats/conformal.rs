//! Conformal sets: the labels that cannot be ruled out, with a coverage that holds at any sample size.
//!
//! Split conformal prediction: every calibration row gets a score of how badly its true label fits, and the
//! `⌈(n + 1) · coverage⌉`-th smallest is the bar (none, when there are too few rows: then every label stays in). If new
//! rows are like the calibration rows, a set holds the true label with at least that probability, on average over rows.
//!
//! [`Score::Lac`] (Sadinle et al. 2019) gives the smallest sets, [`Score::Aps`] (Romano et al. 2020) sets that adapt to
//! hard rows, [`Score::Raps`] (Angelopoulos et al. 2021) the same with a price on long tails. No randomization: the same
//! row always gets the same set, at the cost of covering slightly more than asked. The most likely label is always in.

use serde::{Deserialize, Serialize};

use super::folds::Folds;
use super::intervals::clopper_pearson;
use super::rows::first_largest;
use crate::error::{Error, Result};

/// How badly a label fits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// One minus the label's share.
    Lac,
    /// The share of all labels up to and including it, most likely first.
    Aps,
    /// As `Aps`, plus `penalty` for each rank beyond `free`.
    Raps {
        /// Added for each rank beyond the free ones.
        penalty: f64,
        /// Ranks that cost nothing.
        free: usize,
    },
}

impl Score {
    /// `Raps` with the penalty 0.01 beyond the fifth label, as its authors suggest to start with.
    pub const RAPS: Self = Self::Raps { penalty: 0.01, free: 5 };

    /// The scores of all labels.
    fn all(self, shares: &[f64]) -> Vec<f64> {
        if let Self::Lac = self {
            return shares.iter().map(|share| 1.0 - share).collect();
        }
        let mut scores = vec![0.0; shares.len()];
        let mut total = 0.0;
        for (rank, label) in most_likely_first(shares).into_iter().enumerate() {
            total += shares[label];
            scores[label] = match self {
                Self::Raps { penalty, free } => total + penalty * (rank + 1).saturating_sub(free) as f64,
                _ => total,
            };
        }
        scores
    }
}

/// Labels by falling share, equal ones in their order.
fn most_likely_first(shares: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
    order
}

/// The bar of conformal prediction: the `⌈(n + 1) · coverage⌉`-th smallest score, `None` when that is more than n.
/// With the scores of [`Score::Lac`] this is the usual q̂.
pub fn least_ambiguous_threshold(scores: &[f64], coverage: f64) -> Option<f64> {
    // A whole number must not become the next one by rounding.
    let rank = ((scores.len() + 1) as f64 * coverage - 1e-9).ceil().max(1.0);
    if rank > scores.len() as f64 {
        return None;
    }
    let mut scores = scores.to_vec();
    let (_, value, _) = scores.select_nth_unstable_by(rank as usize - 1, f64::total_cmp);
    Some(*value)
}

/// A fitted conformal predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// How fit is scored.
    pub score: Score,
    /// The coverage asked for.
    pub coverage: f64,
    /// The bar; `None` when there were too few rows, so that every label stays in.
    pub threshold: Option<f64>,
    /// Rows it was fitted on.
    pub n: usize,
}

impl Conformal {
    /// Fits the bar on label shares (one list a row) and true labels.
    ///
    /// # Errors
    /// A coverage outside (0, 1), no rows, lengths or labels that do not fit, shares that are not in `[0, 1]`.
    pub fn fit(score: Score, coverage: f64, shares: &[Vec<f64>], expected: &[usize]) -> Result<Self> {
        if !(coverage > 0.0 && coverage < 1.0) {
            return Err(Error::usage(format!("a coverage of {coverage} is not between 0 and 1")).in_field("coverage"));
        }
        let scores = true_label_scores(score, shares, expected)?;
        let threshold = least_ambiguous_threshold(&scores, coverage);
        Ok(Self { score, coverage, threshold, n: scores.len() })
    }

    /// The labels that stay in, most likely first; never empty.
    pub fn set(&self, shares: &[f64]) -> Vec<usize> {
        let scores = self.score.all(shares);
        let order = most_likely_first(shares);
        let Some(threshold) = self.threshold else { return order };
        let top = first_largest(shares);
        // A sum of shares in another order may differ in its last digits.
        order.into_iter().filter(|&label| label == top || scores[label] <= threshold + 1e-12).collect()
    }

    /// How the sets do on labelled rows that were not fitted on.
    ///
    /// # Errors
    /// As [`Conformal::fit`].
    pub fn evaluate(&self, shares: &[Vec<f64>], expected: &[usize]) -> Result<SetQuality> {
        true_label_scores(self.score, shares, expected)?;
        let sets: Vec<Vec<usize>> = shares.iter().map(|shares| self.set(shares)).collect();
        Ok(SetQuality::of(&sets, expected))
    }
}

/// How sets of this kind do on labelled rows when each fold's bar is that of the other folds' rows.
///
/// # Errors
/// As [`Conformal::fit`].
pub fn cross_validated(
    score: Score,
    coverage: f64,
    shares: &[Vec<f64>],
    expected: &[usize],
    folds: &Folds,
) -> Result<SetQuality> {
    let mut sets = vec![Vec::new(); shares.len()];
    for fold in 0..folds.count() {
        let train = folds.train(fold);
        let (rows, truth): (Vec<Vec<f64>>, Vec<usize>) =
            train.iter().map(|&row| (shares[row].clone(), expected[row])).unzip();
        let fitted = Conformal::fit(score, coverage, &rows, &truth)?;
        folds.test(fold).into_iter().for_each(|row| sets[row] = fitted.set(&shares[row]));
    }
    Ok(SetQuality::of(&sets, expected))
}

/// How conformal sets do on labelled rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SetQuality {
    /// Rows.
    pub n: usize,
    /// Share of rows whose set holds the true label.
    pub coverage: f64,
    /// Lower end of its 95% Clopper–Pearson interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Labels in a set, on average.
    pub mean_size: f64,
    /// Share of rows with one label only.
    pub single: f64,
}

impl SetQuality {
    /// Of sets (at least one) and the true label of each.
    fn of(sets: &[Vec<usize>], expected: &[usize]) -> Self {
        let covered = sets.iter().zip(expected).filter(|(set, label)| set.contains(label)).count();
        let n = sets.len() as f64;
        let interval = clopper_pearson(covered as u64, sets.len() as u64, 0.95);
        Self {
            n: sets.len(),
            coverage: covered as f64 / n,
            low: interval.low,
            high: interval.high,
            mean_size: sets.iter().map(Vec::len).sum::<usize>() as f64 / n,
            single: sets.iter().filter(|set| set.len() == 1).count() as f64 / n,
        }
    }
}

fn true_label_scores(score: Score, shares: &[Vec<f64>], expected: &[usize]) -> Result<Vec<f64>> {
    if shares.is_empty() || shares.len() != expected.len() {
        return Err(Error::input(format!("{} rows of shares and {} true labels", shares.len(), expected.len()))
            .help("give at least one row, each with its true label"));
    }
    let rows = shares.iter().zip(expected).enumerate();
    rows.map(|(row, (shares, &label))| {
        if label >= shares.len() || shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(Error::input(format!("row {}: label {label} or a share is out of range", row + 1)));
        }
        Ok(score.all(shares)[label])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn the_bar_is_an_order_statistic() {
        let scores: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        for (coverage, bar) in [(0.9, Some(9.0)), (0.8, Some(8.0)), (0.05, Some(1.0)), (0.95, None)] {
            assert_eq!(least_ambiguous_threshold(&scores, coverage), bar, "{coverage}");
        }
        assert_eq!(least_ambiguous_threshold(&[], 0.5), None);
    }

    #[test]
    fn scores_follow_their_definitions() {
        let shares = [0.2, 0.5, 0.3];
        assert_eq!(Score::Lac.all(&shares), [0.8, 0.5, 0.7]);
        assert_eq!(Score::Aps.all(&shares), [1.0, 0.5, 0.8]);
        let raps = Score::Raps { penalty: 0.1, free: 1 }.all(&shares);
        assert!((raps[0] - 1.2).abs() < 1e-12 && (raps[1] - 0.5).abs() < 1e-12 && (raps[2] - 0.9).abs() < 1e-12);
    }

    #[test]
    fn sets_are_ordered_never_empty_and_full_without_rows() {
        let model = Conformal { score: Score::Lac, coverage: 0.9, threshold: Some(0.1), n: 50 };
        assert_eq!(model.set(&[0.2, 0.5, 0.3]), [1]);
        let model = Conformal { threshold: None, ..model };
        assert_eq!(model.set(&[0.2, 0.5, 0.3]), [1, 2, 0]);
        let few = Conformal::fit(Score::Lac, 0.95, &[vec![0.4, 0.6]], &[1]).unwrap();
        assert_eq!((few.threshold, few.set(&[0.9, 0.1])), (None, vec![0, 1]));
        for (coverage, shares, expected) in
            [(1.0, vec![vec![1.0]], vec![0]), (0.5, vec![], vec![]), (0.5, vec![vec![1.0]], vec![1])]
        {
            assert!(Conformal::fit(Score::Aps, coverage, &shares, &expected).is_err());
        }
    }

    /// Coverage on average over many calibration sets, with wrong shares: the promise does not need right ones.
    #[test]
    fn covers_what_it_promises() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut draw = |n: usize| {
            let rows = (0..n).map(|_| {
                let weights: Vec<f64> = (0..6).map(|_| random.random::<f64>().powi(3) + 0.01).collect();
                let total: f64 = weights.iter().sum();
                let mut u = random.random::<f64>() * total;
                let label = weights.iter().position(|w| {
                    u -= w;
                    u < 0.0
                });
                // Overconfident: squared and normalized.
                let squares: f64 = weights.iter().map(|w| w * w).sum();
                (weights.iter().map(|w| w * w / squares).collect::<Vec<_>>(), label.unwrap_or(5))
            });
            rows.unzip::<_, _, Vec<_>, Vec<_>>()
        };
        for score in [Score::Lac, Score::Aps, Score::RAPS] {
            let (mut covered, mut rows) = (0.0, 0.0);
            for _ in 0..200 {
                let (shares, expected) = draw(60);
                let model = Conformal::fit(score, 0.9, &shares, &expected).unwrap();
                let (shares, expected) = draw(100);
                let quality = model.evaluate(&shares, &expected).unwrap();
                covered += quality.coverage * 100.0;
                rows += 100.0;
            }
            let coverage = covered / rows;
            assert!((0.89..0.97).contains(&coverage), "{score:?}: {coverage}");
        }
    }
}
