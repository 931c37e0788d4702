//! Cross-fitting: every calibrator is judged on rows it was not fitted on, and `auto` chooses by that.
//!
//! Rows are split into folds (duplicates together), each fold's rows are predicted by a fit on the others, and the whole
//! is repeated with other splits, because one split's luck is as large as the differences between methods. In-sample
//! numbers stand beside the cross-fitted ones only to show how far they flatter; their field has that name everywhere.
//!
//! Probabilities are held to `[1e-6, 1 − 1e-6]` before they are judged here. A curve that says exactly 0 or 1 after a
//! few hundred rows does not know that to fifteen digits, and with log loss's own clip at 1e-15 one such row would
//! weigh as much as a thousand others: the choice of a method would rest on the clip.

use serde::{Deserialize, Serialize};

use super::calibrators::{Calibrator, FitOptions, Method};
use super::folds::{Folds, duplicates};
use super::rows::Rows;
use crate::error::Result;
use crate::numeric::{ln, ln_1p, sum};
use crate::platform::map_indices;

/// How to cross-fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossFitOptions {
    /// Folds; fewer are used where there are fewer distinct rows.
    pub folds: usize,
    /// Repeats with other splits; by default 20 for up to 1,000 rows, fewer for more.
    pub repeats: Option<usize>,
    /// Equal-width bins of the calibration error.
    pub bins: usize,
    /// Seed of the splits.
    pub seed: u64,
    /// Choices of the single methods.
    pub fit: FitOptions,
}

impl Default for CrossFitOptions {
    fn default() -> Self {
        Self { folds: 5, repeats: None, bins: 15, seed: 0, fit: FitOptions::default() }
    }
}

/// How good probabilities are, on average over rows. Lower is better for all three.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Brier score: mean squared difference of probability and outcome.
    pub brier: f64,
    /// Log loss, probabilities clipped to 1e-15.
    pub log_loss: f64,
    /// Expected calibration error over equal-width, right-closed bins.
    pub ece: f64,
}

impl Quality {
    /// Judges `probabilities` by `outcomes` (as many, at least one), the calibration error over `bins` bins.
    pub fn of(probabilities: &[f64], outcomes: &[bool], bins: usize) -> Self {
        let n = probabilities.len() as f64;
        let rows = || probabilities.iter().zip(outcomes);
        let brier = sum(rows().map(|(p, &right)| (p - f64::from(u8::from(right))).powi(2))) / n;
        let loss = |(p, &right): (&f64, &bool)| {
            let p = p.clamp(1e-15, 1.0 - 1e-15);
            if right { -ln(p) } else { -ln_1p(-p) }
        };
        let log_loss = sum(rows().map(loss)) / n;
        // The sum of |confidence − accuracy| weighted by count is the sum of |Σ (p − y)| over bins.
        let edges: Vec<f64> = (1..bins).map(|edge| edge as f64 / bins as f64).collect();
        let mut gaps = vec![0.0; bins.max(1)];
        for (p, &right) in rows() {
            gaps[edges.partition_point(|edge| edge < p)] += p - f64::from(u8::from(right));
        }
        Self { brier, log_loss, ece: gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / n }
    }

    pub(super) fn mean(all: &[Self]) -> Option<Self> {
        let n = all.len() as f64;
        let mean = |part: fn(&Self) -> f64| all.iter().map(part).sum::<f64>() / n;
        (!all.is_empty()).then(|| Self {
            brier: mean(|q| q.brier),
            log_loss: mean(|q| q.log_loss),
            ece: mean(|q| q.ece),
        })
    }
}

/// Calibrated probabilities are judged as if nothing were more certain than this.
const CERTAINTY: f64 = 1e-6;

/// Out-of-fold probabilities: one list a repeat, in row order.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// Probabilities by repeat and row.
    pub repeats: Vec<Vec<f64>>,
    /// How many folds each repeat had.
    pub folds: usize,
}

impl OutOfFold {
    /// Quality, averaged over repeats.
    pub fn quality(&self, outcomes: &[bool], bins: usize) -> Option<Quality> {
        let all: Vec<Quality> = self.repeats.iter().map(|p| judge(p, outcomes, bins)).collect();
        Quality::mean(&all)
    }

    /// How many rows have at least `threshold`, on average over repeats, and how many of those are right.
    pub fn above(&self, threshold: f64, outcomes: &[bool]) -> (f64, f64) {
        let (mut rows, mut right) = (0_usize, 0_usize);
        for repeat in &self.repeats {
            for (p, &outcome) in repeat.iter().zip(outcomes) {
                rows += usize::from(*p >= threshold);
                right += usize::from(*p >= threshold && outcome);
            }
        }
        let repeats = self.repeats.len().max(1) as f64;
        (rows as f64 / repeats, right as f64 / repeats)
    }
}

/// Out-of-fold probabilities of one method.
///
/// # Errors
/// Fewer than two distinct rows, or a method that cannot be fitted on these rows.
pub fn out_of_fold(rows: &Rows, method: Method, options: &CrossFitOptions) -> Result<OutOfFold> {
    let repeats = options.repeats.unwrap_or_else(|| default_repeats(rows, &[method]));
    let (folds, mut predicted) = cross_fit(rows, &[method], options, repeats)?;
    let repeats = predicted.remove(0)?;
    Ok(OutOfFold { repeats, folds })
}

/// Twenty repeats while they are cheap: at most 20,000 predictions a method, and two where matrices are fitted.
pub(super) fn default_repeats(rows: &Rows, methods: &[Method]) -> usize {
    let most = if methods.iter().any(|method| method.takes_labels()) { 2 } else { 20 };
    (20_000 / rows.len()).clamp(1, most)
}

/// Folds used, and for each method its predictions by repeat and row, or why it has none.
pub(super) type Crossed = (usize, Vec<Result<Vec<Vec<f64>>>>);

/// A seed of its own for each repeat.
fn repeat_seed(options: &CrossFitOptions, repeat: usize) -> u64 {
    options.seed.wrapping_mul(1_000_003).wrapping_add(repeat as u64)
}

pub(super) fn splits(rows: &Rows, options: &CrossFitOptions, repeats: usize) -> Result<Vec<Folds>> {
    let distinct = rows.keys().map_or(rows.len(), |keys| keys.len() - duplicates(keys));
    let folds = options.folds.min(distinct);
    (0..repeats).map(|repeat| Folds::stratified(rows, folds, repeat_seed(options, repeat))).collect()
}

pub(super) fn cross_fit(rows: &Rows, methods: &[Method], options: &CrossFitOptions, repeats: usize) -> Result<Crossed> {
    let splits = splits(rows, options, repeats)?;
    let folds = splits[0].count();
    // One task a fold of a repeat: all methods share its training rows.
    let parts = map_indices(repeats * folds, |task| {
        let (split, fold) = (&splits[task / folds], task % folds);
        let (train, test) = (rows.select(&split.train(fold)), split.test(fold));
        let fit = FitOptions { seed: repeat_seed(options, task), ..options.fit };
        let predictions = methods.iter().map(|&method| {
            let fitted = Calibrator::fit(method, &train, &fit)?;
            predict(&fitted.model, rows, &test)
        });
        let predictions: Vec<Result<Vec<f64>>> = predictions.collect();
        (test, predictions)
    });
    let mut all: Vec<Result<Vec<Vec<f64>>>> = vec![Ok(vec![vec![0.0; rows.len()]; repeats]); methods.len()];
    for (task, (test, predictions)) in parts.into_iter().enumerate() {
        for (method, prediction) in all.iter_mut().zip(predictions) {
            match (method.as_mut(), prediction) {
                (Ok(repeats), Ok(values)) => {
                    test.iter().zip(values).for_each(|(&row, value)| repeats[task / folds][row] = value);
                }
                (Ok(_), Err(error)) => *method = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    Ok((folds, all))
}

pub(super) fn predict(model: &Calibrator, rows: &Rows, which: &[usize]) -> Result<Vec<f64>> {
    which.iter().map(|&row| model.apply_row(rows, row)).collect()
}

/// [`Quality::of`] probabilities held off certainty.
pub(super) fn judge(probabilities: &[f64], outcomes: &[bool], bins: usize) -> Quality {
    let held: Vec<f64> = probabilities.iter().map(|p| held_off_certainty(*p)).collect();
    Quality::of(&held, outcomes, bins)
}

/// A calibrated probability as it is judged: nothing is more certain than one in a million.
pub(super) fn held_off_certainty(p: f64) -> f64 {
    p.clamp(CERTAINTY, 1.0 - CERTAINTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_do_not_leak() {
        // Random outcomes, every row four times: a leak would let isotonic regression look clairvoyant.
        let base: Vec<(f64, bool)> =
            (0..100).map(|i| (0.5 + f64::from(i) / 250.0, (i as u32).wrapping_mul(2_654_435_761) >> 31 == 1)).collect();
        let rows: Vec<(f64, bool)> = base.iter().cycle().take(400).copied().collect();
        let rows = Rows::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect()).unwrap();
        let options = CrossFitOptions { repeats: Some(5), ..CrossFitOptions::default() };
        let leaking = out_of_fold(&rows, Method::HistogramBinning, &options).unwrap();
        let keyed = rows.clone().with_keys((0..400).map(|i| i % 100).collect()).unwrap();
        let honest = out_of_fold(&keyed, Method::HistogramBinning, &options).unwrap();
        let loss = |o: &OutOfFold| o.quality(rows.correct(), 10).unwrap().log_loss;
        assert!(loss(&honest) > loss(&leaking), "{} {}", loss(&honest), loss(&leaking));
    }

    #[test]
    fn quality_by_hand() {
        let quality = Quality::of(&[0.2, 0.2, 0.9, 1.0], &[false, true, true, true], 5);
        assert!((quality.brier - (0.04 + 0.64 + 0.01) / 4.0).abs() < 1e-15);
        assert!((quality.log_loss - -(0.8_f64.ln() + 0.2_f64.ln() + 0.9_f64.ln()) / 4.0).abs() < 1e-12);
        // 0.2 is the right end of the first of five bins: gaps |0.4 − 1| and |1.9 − 2|.
        assert!((quality.ece - 0.175).abs() < 1e-12, "{quality:?}");
    }
}
