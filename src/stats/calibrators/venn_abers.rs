//! Venn–Abers predictors (Vovk, Petej & Fedorova 2014, 2015): isotonic regression that also says how sure it is.
//!
//! The row to be judged is added to the calibration rows once as wrong and once as right; the two isotonic fits at its
//! score are p₀ and p₁, one of which is perfectly calibrated whatever the distribution, and p = p₁ / (1 − p₀ + p₁) is
//! the single probability that loses least (log loss). All p₀ and p₁ come from two passes over a convex hull, so a fit
//! takes O(n log n) and an answer O(log n).
//!
//! The scorer (the language model) has not seen the calibration rows, so all of them may calibrate: that is the
//! inductive predictor. The cross predictor splits them, keeps one inductive predictor a fold and joins them by
//! geometric means; where one fold's pools happen to be lopsided, the others correct it.

use serde::{Deserialize, Serialize};

use super::isotonic::{Distinct, check_in_unit};
use super::{Fitted, refuse};
use crate::error::Result;
use crate::numeric::{exp, ln};
use crate::stats::folds::Folds;
use crate::stats::rows::Rows;

/// An inductive Venn–Abers predictor: p₀ and p₁ as step functions of the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VennAbers {
    /// p₀ is `low_values[i]` from `low_scores[i]` up to the next; below the first it is 0.
    pub low_scores: Vec<f64>,
    /// Values of p₀, increasing.
    pub low_values: Vec<f64>,
    /// p₁ is `high_values[i]` up to and including `high_scores[i]`; above the last it is 1.
    pub high_scores: Vec<f64>,
    /// Values of p₁, increasing.
    pub high_values: Vec<f64>,
}

/// A cross Venn–Abers predictor: one inductive predictor a fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossVennAbers {
    /// The folds' predictors.
    pub folds: Vec<VennAbers>,
}

/// A probability with its Venn–Abers interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probability {
    /// p₀: what the fit says if the row is wrong.
    pub low: f64,
    /// The single probability between them.
    pub value: f64,
    /// p₁: what the fit says if the row is right.
    pub high: f64,
}

impl Probability {
    fn of(low: f64, high: f64) -> Self {
        // high ≥ low and high > 0 (the added row is right), so the denominator is at least `high`.
        Self { low, value: (high / (1.0 - low + high)).clamp(low, high), high }
    }
}

impl VennAbers {
    /// Fits both step functions.
    pub fn fit(rows: &Rows) -> Fitted<Self> {
        let Distinct { scores, weights, right } = Distinct::of(rows);
        let high = fits_with_one_more_right(&weights, &right);
        // A wrong row added is a right row added in the mirror, where order and outcomes are reversed.
        let mirrored_weights: Vec<f64> = weights.iter().rev().copied().collect();
        let mirrored_right: Vec<f64> = weights.iter().zip(&right).rev().map(|(w, r)| w - r).collect();
        let mirrored = fits_with_one_more_right(&mirrored_weights, &mirrored_right);
        let low: Vec<f64> = mirrored.iter().rev().map(|value| 1.0 - value).collect();
        let mut model = Self { low_scores: vec![], low_values: vec![], high_scores: vec![], high_values: vec![] };
        for i in 0..scores.len() {
            if model.low_values.last().is_none_or(|last| *last < low[i]) {
                model.low_scores.push(scores[i]);
                model.low_values.push(low[i].clamp(0.0, 1.0));
            }
            match model.high_values.last() {
                Some(last) if *last >= high[i] => {
                    let end = model.high_scores.len() - 1;
                    model.high_scores[end] = scores[i];
                }
                _ => {
                    model.high_scores.push(scores[i]);
                    model.high_values.push(high[i].clamp(0.0, 1.0));
                }
            }
        }
        let width = Probability::of(low[low.len() / 2], high[high.len() / 2]);
        let mut fitted = Fitted::clean(model);
        fitted.note_if(width.high - width.low > 0.3, || {
            "Venn–Abers intervals are wide on these rows: there are too few of them, or too few of one outcome".into()
        });
        fitted
    }

    /// Probability and interval of a score.
    pub fn apply(&self, score: f64) -> Probability {
        let below = self.low_scores.partition_point(|s| *s <= score);
        let low = below.checked_sub(1).map_or(0.0, |index| self.low_values[index]);
        let at = self.high_scores.partition_point(|s| *s < score);
        let high = self.high_values.get(at).copied().unwrap_or(1.0);
        Probability::of(low, high)
    }

    pub(super) fn check(&self) -> Result<()> {
        for (field, scores, values) in
            [("low_scores", &self.low_scores, &self.low_values), ("high_scores", &self.high_scores, &self.high_values)]
        {
            if scores.is_empty() || scores.len() != values.len() {
                return refuse(field, "must be as many as its values, one or more");
            }
            check_in_unit(field, scores)?;
            check_in_unit(field, values)?;
            if !scores.is_sorted_by(|a, b| a < b) || !values.is_sorted_by(|a, b| a < b) {
                return refuse(field, "and its values must be strictly increasing");
            }
        }
        // p₀ and p₁ change only at their steps: it is enough to compare them there.
        let crossing = self.low_scores.iter().chain(&self.high_scores).any(|&score| {
            let below = self.low_scores.partition_point(|s| *s <= score);
            let low = below.checked_sub(1).map_or(0.0, |index| self.low_values[index]);
            let high = self.high_values.get(self.high_scores.partition_point(|s| *s < score)).copied().unwrap_or(1.0);
            low > high || high <= 0.0
        });
        if crossing { refuse("low_values", "must not exceed high_values") } else { Ok(()) }
    }
}

/// For each distinct score, the isotonic fit at it when one more right row has that score (Vovk et al. 2015,
/// algorithms 1 and 2). The fit is the slope of the greatest convex minorant of the cumulative sums; the stack holds
/// its corners to the right of the current score, and moving to the next score shifts one point.
fn fits_with_one_more_right(weights: &[f64], right: &[f64]) -> Vec<f64> {
    type Point = (f64, f64);
    let cross = |o: Point, a: Point, b: Point| (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0);
    let mut points: Vec<Point> = Vec::with_capacity(weights.len() + 1);
    points.push((0.0, 0.0));
    let (mut x, mut y) = (0.0, 0.0);
    for (weight, right) in weights.iter().zip(right) {
        x += weight;
        y += right;
        points.push((x, y));
    }
    // Corners from (-1, -1) on; all coordinates are whole numbers, so turns are exact.
    let mut corners: Vec<Point> = vec![(-1.0, -1.0)];
    for &point in &points {
        while corners.len() > 1 && cross(corners[corners.len() - 2], corners[corners.len() - 1], point) <= 0.0 {
            corners.pop();
        }
        corners.push(point);
    }
    corners.reverse();
    let mut fits = Vec::with_capacity(weights.len());
    for i in 1..points.len() {
        let (top, next) = (corners[corners.len() - 1], corners[corners.len() - 2]);
        fits.push((next.1 - top.1) / (next.0 - top.0));
        // From the next score on, this one's point belongs to the part before the added row.
        let shifted = (points[i].0 - 1.0, points[i].1 - 1.0);
        if cross(top, next, shifted) >= 0.0 {
            continue;
        }
        corners.pop();
        while corners.len() > 1 && cross(shifted, corners[corners.len() - 1], corners[corners.len() - 2]) <= 0.0 {
            corners.pop();
        }
        corners.push(shifted);
    }
    fits
}

impl CrossVennAbers {
    /// Fits one inductive predictor on each of `folds` parts of the rows (duplicates stay in one part).
    ///
    /// # Errors
    /// Fewer folds than two, or fewer distinct rows than folds.
    pub fn fit(rows: &Rows, folds: usize, seed: u64) -> Result<Fitted<Self>> {
        let parts = Folds::stratified(rows, folds, seed)?;
        let fits: Vec<_> = (0..parts.count()).map(|fold| VennAbers::fit(&rows.select(&parts.test(fold)))).collect();
        let mut fitted = Fitted::clean(Self { folds: fits.iter().map(|fit| fit.model.clone()).collect() });
        fitted.note_if(fits.iter().any(|fit| !fit.notes.is_empty()), || {
            "Venn–Abers intervals are wide in some folds: there are few rows in each".into()
        });
        Ok(fitted)
    }

    /// Probability and interval of a score: geometric means over folds, of p₁ and of 1 − p₀.
    pub fn apply(&self, score: f64) -> Probability {
        let count = self.folds.len() as f64;
        let (mut log_right, mut log_wrong) = (0.0, 0.0);
        for fold in &self.folds {
            let part = fold.apply(score);
            log_right += ln(part.high);
            log_wrong += ln(1.0 - part.low);
        }
        let high = exp(log_right / count).clamp(0.0, 1.0);
        let low = (1.0 - exp(log_wrong / count)).clamp(0.0, high);
        Probability::of(low, high)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.folds.is_empty() {
            return refuse("folds", "must hold at least one predictor");
        }
        self.folds.iter().try_for_each(VennAbers::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: isotonic regression on the rows with the probe added.
    fn by_definition(rows: &[(f64, bool)], probe: f64, outcome: bool) -> f64 {
        let mut all: Vec<(f64, bool)> = rows.to_vec();
        all.push((probe, outcome));
        let rows = Rows::new(all.iter().map(|r| r.0).collect(), all.iter().map(|r| r.1).collect()).unwrap();
        super::super::isotonic::Isotonic::fit(&rows).model.apply(probe)
    }

    proptest! {
        #[test]
        fn is_two_isotonic_fits(rows in prop::collection::vec((0_u8..12, any::<bool>()), 1..40), probe in 0_u8..26) {
            let rows: Vec<(f64, bool)> = rows.iter().map(|r| (f64::from(r.0) / 12.0, r.1)).collect();
            // Half of the probes fall between the scores.
            let probe = (f64::from(probe) / 24.0).min(1.0);
            let sample = Rows::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect()).unwrap();
            let model = VennAbers::fit(&sample).model;
            model.check().unwrap();
            let got = model.apply(probe);
            prop_assert!((got.low - by_definition(&rows, probe, false)).abs() < 1e-12, "p0 {got:?}");
            prop_assert!((got.high - by_definition(&rows, probe, true)).abs() < 1e-12, "p1 {got:?}");
            prop_assert!(got.low <= got.value && got.value <= got.high);
        }
    }

    #[test]
    fn one_fold_of_a_cross_predictor_is_inductive() {
        let rows = Rows::new(vec![0.1, 0.4, 0.6, 0.9], vec![false, true, false, true]).unwrap();
        let inductive = VennAbers::fit(&rows).model;
        let cross = CrossVennAbers { folds: vec![inductive.clone(), inductive.clone()] };
        for score in [0.0, 0.4, 0.5, 1.0] {
            let (a, b) = (inductive.apply(score), cross.apply(score));
            assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12, "{a:?} {b:?}");
        }
    }
}
