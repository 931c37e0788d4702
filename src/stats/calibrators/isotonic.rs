//! Isotonic regression, plain and centered: the best non-decreasing curve, without any assumed shape.
//!
//! Plain: linear between the corners of the pooled-adjacent-violators fit, constant outside them. Centered (Oron &
//! Flournoy 2017): each pool becomes one point at its mean score, linear between points, so the curve rises strictly
//! where plain isotonic regression has flat stretches; pools at exactly 0 or 1 stay flat, as nothing lies beyond them.
//!
//! A million rows are sorted as integers: a score in `[0, 1]` has the order of its bits, and the outcome rides in the
//! lowest bit, so no index array is needed.

use serde::{Deserialize, Serialize};

use super::{Fitted, refuse};
use crate::error::Result;
use crate::stats::pava::pool;
use crate::stats::rows::Rows;

/// A non-decreasing curve through knots, linear between them and constant outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Knot scores, strictly increasing.
    pub scores: Vec<f64>,
    /// Values at the knots, non-decreasing, in `[0, 1]`.
    pub values: Vec<f64>,
}

/// Distinct scores in increasing order, with how many rows each has and how many of them are right.
pub(super) struct Distinct {
    pub scores: Vec<f64>,
    pub weights: Vec<f64>,
    pub right: Vec<f64>,
}

impl Distinct {
    pub fn of(rows: &Rows) -> Self {
        // Adding zero turns -0 into 0; the sign bit is then free to be shifted out.
        let key = |(&score, &right): (&f64, &bool)| ((score + 0.0).to_bits() << 1) | u64::from(right);
        let mut keys: Vec<u64> = rows.scores().iter().zip(rows.correct()).map(key).collect();
        keys.sort_unstable();
        let mut distinct = Self {
            scores: Vec::with_capacity(keys.len()),
            weights: Vec::with_capacity(keys.len()),
            right: Vec::with_capacity(keys.len()),
        };
        let mut previous = None;
        for key in keys {
            if previous != Some(key >> 1) {
                previous = Some(key >> 1);
                distinct.scores.push(f64::from_bits(key >> 1));
                distinct.weights.push(0.0);
                distinct.right.push(0.0);
            }
            let last = distinct.scores.len() - 1;
            distinct.weights[last] += 1.0;
            distinct.right[last] += (key & 1) as f64;
        }
        distinct
    }

    fn means(&self) -> Vec<f64> {
        self.right.iter().zip(&self.weights).map(|(right, weight)| right / weight).collect()
    }
}

impl Isotonic {
    /// Plain isotonic regression.
    pub fn fit(rows: &Rows) -> Fitted<Self> {
        let distinct = Distinct::of(rows);
        let mut curve = Self { scores: Vec::new(), values: Vec::new() };
        for pool in pool(&distinct.means(), &distinct.weights) {
            curve.push(distinct.scores[pool.start], pool.value);
            if pool.end - pool.start > 1 {
                curve.push(distinct.scores[pool.end - 1], pool.value);
            }
        }
        curve.annotated("isotonic regression")
    }

    /// Centered isotonic regression.
    pub fn fit_centered(rows: &Rows) -> Fitted<Self> {
        let distinct = Distinct::of(rows);
        let mut curve = Self { scores: Vec::new(), values: Vec::new() };
        for pool in pool(&distinct.means(), &distinct.weights) {
            let members = pool.start..pool.end;
            let (low, high) = (distinct.scores[pool.start], distinct.scores[pool.end - 1]);
            if (pool.value <= 0.0 || pool.value >= 1.0) && high > low {
                curve.push(low, pool.value);
                curve.push(high, pool.value);
            } else {
                let weighted = distinct.scores[members.clone()].iter().zip(&distinct.weights[members]);
                let centre = weighted.map(|(score, weight)| score * weight).sum::<f64>() / pool.weight;
                curve.push(centre.clamp(low, high), pool.value);
            }
        }
        curve.annotated("centered isotonic regression")
    }

    fn push(&mut self, score: f64, value: f64) {
        self.scores.push(score);
        self.values.push(value.clamp(0.0, 1.0));
    }

    fn annotated(self, name: &str) -> Fitted<Self> {
        let flat = self.values.first() == self.values.last();
        let value = self.values[0];
        let mut fitted = Fitted::clean(self);
        fitted.note_if(flat, || {
            format!(
                "{name} found no rising trend on these rows: every score becomes {:.1}%, their accuracy",
                100.0 * value
            )
        });
        fitted
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|knot| *knot <= score);
        if after == 0 {
            return self.values[0];
        }
        let (x0, y0) = (self.scores[after - 1], self.values[after - 1]);
        match self.scores.get(after) {
            // Clamped because rounding may step over the upper end by one unit in the last place.
            Some(x1) => {
                let y1 = self.values[after];
                (y0 + (y1 - y0) * ((score - x0) / (x1 - x0))).clamp(y0, y1)
            }
            None => y0,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.scores.is_empty() || self.scores.len() != self.values.len() {
            return refuse("scores", "and values must be lists of the same length, one or more");
        }
        check_in_unit("scores", &self.scores)?;
        check_in_unit("values", &self.values)?;
        if !self.scores.is_sorted_by(|a, b| a < b) {
            return refuse("scores", "must be strictly increasing");
        }
        if !self.values.is_sorted() {
            return refuse("values", "must not decrease");
        }
        Ok(())
    }

    pub(super) fn describe(&self, centered: bool) -> String {
        let name = if centered { "Centered isotonic regression" } else { "Isotonic regression" };
        let levels = 1 + self.values.windows(2).filter(|pair| pair[0] < pair[1]).count();
        format!("{name}: a rising curve with {levels} levels, found without assuming a shape")
    }
}

/// Refuses values outside `[0, 1]`.
pub(super) fn check_in_unit(field: &str, values: &[f64]) -> Result<()> {
    if values.iter().all(|v| (0.0..=1.0).contains(v)) {
        Ok(())
    } else {
        refuse(field, "must be numbers between 0 and 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(f64, bool)]) -> Rows {
        Rows::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect()).unwrap()
    }

    #[test]
    fn ties_are_pooled_and_ends_clipped() {
        let rows = rows(&[(0.5, true), (0.2, false), (0.5, false), (0.9, true), (-0.0, false), (0.0, true)]);
        let fit = Isotonic::fit(&rows);
        assert_eq!(fit.model.scores, [0.0, 0.2, 0.5, 0.9]);
        assert_eq!(fit.model.values, [1.0 / 3.0, 1.0 / 3.0, 0.5, 1.0]);
        for (score, value) in [(0.0, 1.0 / 3.0), (0.1, 1.0 / 3.0), (0.5, 0.5), (0.7, 0.75), (1.0, 1.0)] {
            assert!((fit.model.apply(score) - value).abs() < 1e-12, "{score}");
        }
    }

    /// The example's pools are {0.1}, {0.2, 0.3, 0.4}, {0.8}: the middle one has mean 2/3 and centre 0.3.
    #[test]
    fn centered_puts_one_point_a_pool() {
        let rows = rows(&[(0.1, false), (0.2, true), (0.3, true), (0.4, false), (0.8, true), (0.1, true)]);
        let fit = Isotonic::fit_centered(&rows);
        assert_eq!(fit.model.scores.len(), 3);
        assert!((fit.model.scores[1] - 0.3).abs() < 1e-12 && (fit.model.values[1] - 2.0 / 3.0).abs() < 1e-12);
        assert!(fit.model.apply(0.5) > 2.0 / 3.0 && fit.model.apply(0.25) < 2.0 / 3.0);
    }

    #[test]
    fn centered_keeps_certainty_flat() {
        let rows = rows(&[(0.1, false), (0.2, false), (0.5, true), (0.5, false), (0.8, true), (0.9, true)]);
        let fit = Isotonic::fit_centered(&rows).model;
        assert_eq!(fit.scores, [0.1, 0.2, 0.5, 0.8, 0.9]);
        assert_eq!(fit.values, [0.0, 0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn no_trend_is_said() {
        let fit = Isotonic::fit(&rows(&[(0.1, true), (0.9, false)]));
        assert_eq!(fit.model.apply(0.3), 0.5);
        assert!(fit.notes[0].contains("no rising trend"));
    }
}
