//! Histogram binning with equal-mass bins, and the scaling-binning calibrator (Kumar, Liang & Ma 2019).
//!
//! Histogram binning answers with the accuracy of the score's bin. Scaling-binning first fits Platt's line, then
//! answers with the mean of the line's values in the bin: nearly as sure as the line, yet with a calibration error that
//! can be measured, because it takes few values. Bins are right-closed; their edges lie midway between neighbours.

use serde::{Deserialize, Serialize};

use super::isotonic::check_in_unit;
use super::platt::Platt;
use super::{Fitted, refuse};
use crate::error::Result;
use crate::stats::rows::Rows;

/// Right-closed bins of the score with a value each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistogramBinning {
    /// Upper edges of the bins, strictly increasing, the last one 1.
    pub edges: Vec<f64>,
    /// The value of each bin.
    pub values: Vec<f64>,
}

/// Platt's line followed by bins of its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingBinning {
    /// The line that scales.
    pub scaling: Platt,
    /// Bins of the scaled values; each has their mean as its value.
    pub binning: HistogramBinning,
}

/// How many bins so few rows can feed: twenty rows a bin, at most fifteen bins.
pub fn default_bins(rows: usize) -> usize {
    (rows / 20).clamp(1, 15)
}

/// Upper edges of at most `bins` right-closed bins of equal mass: as many rows in each as ties allow.
fn equal_mass_edges(scores: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let bins = bins.clamp(1, sorted.len());
    let mut edges: Vec<f64> = Vec::with_capacity(bins);
    for bin in 1..bins {
        let cut = bin * sorted.len() / bins;
        let edge = 0.5 * (sorted[cut - 1] + sorted[cut]);
        if edge < 1.0 && edges.last().is_none_or(|last| *last < edge) {
            edges.push(edge);
        }
    }
    edges.push(1.0);
    edges
}

impl HistogramBinning {
    /// Fits at most `bins` bins of equal mass.
    pub fn fit(rows: &Rows, bins: usize) -> Fitted<Self> {
        let outcomes: Vec<f64> = rows.correct().iter().map(|&right| f64::from(u8::from(right))).collect();
        let model = Self::of(rows.scores(), &outcomes, bins);
        let falls = !model.values.is_sorted();
        let got = model.edges.len();
        let mut fitted = Fitted::clean(model);
        fitted.note_if(got < bins, || format!("histogram binning: ties leave {got} of the {bins} bins asked for"));
        fitted.note_if(falls, || {
            "histogram binning: the bins' accuracies do not always rise with the score, so the order of rows changes"
                .into()
        });
        fitted
    }

    fn of(scores: &[f64], targets: &[f64], bins: usize) -> Self {
        let edges = equal_mass_edges(scores, bins);
        let mut sums = vec![(0.0, 0.0); edges.len()];
        for (score, target) in scores.iter().zip(targets) {
            let bin = edges.partition_point(|edge| edge < score).min(edges.len() - 1);
            sums[bin].0 += target;
            sums[bin].1 += 1.0;
        }
        // A bin can only be empty when rounding put an edge on its lower neighbour; it then joins the one below.
        let mut model = Self { edges: Vec::new(), values: Vec::new() };
        for (edge, (sum, count)) in edges.into_iter().zip(sums) {
            if count > 0.0 {
                model.edges.push(edge);
                model.values.push((sum / count).clamp(0.0, 1.0));
            } else if let Some(last) = model.edges.last_mut() {
                *last = edge;
            }
        }
        model
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        self.values[self.edges.partition_point(|edge| *edge < score).min(self.values.len() - 1)]
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.edges.is_empty() || self.edges.len() != self.values.len() {
            return refuse("edges", "and values must be lists of the same length, one or more");
        }
        check_in_unit("edges", &self.edges)?;
        check_in_unit("values", &self.values)?;
        if !self.edges.is_sorted_by(|a, b| a < b) || self.edges[self.edges.len() - 1] != 1.0 {
            return refuse("edges", "must be strictly increasing and end at 1");
        }
        Ok(())
    }

    pub(super) fn describe(&self) -> String {
        format!("Histogram binning: the accuracy of the score's bin, {} bins of equal mass", self.edges.len())
    }
}

impl ScalingBinning {
    /// Fits Platt's line, then at most `bins` bins of its values.
    pub fn fit(rows: &Rows, bins: usize) -> Fitted<Self> {
        let line = Platt::fit(rows);
        let scaled: Vec<f64> = rows.scores().iter().map(|&score| line.model.apply(score)).collect();
        let binning = HistogramBinning::of(&scaled, &scaled, bins);
        let got = binning.edges.len();
        let mut fitted = Fitted { model: Self { scaling: line.model, binning }, notes: line.notes };
        fitted.note_if(got < bins, || format!("scaling-binning: ties leave {got} of the {bins} bins asked for"));
        fitted
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        self.binning.apply(self.scaling.apply(score))
    }

    pub(super) fn check(&self) -> Result<()> {
        self.scaling.check()?;
        self.binning.check()
    }

    pub(super) fn describe(&self) -> String {
        format!("Scaling-binning: Platt's line, then its mean in each of {} bins", self.binning.edges.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_mass_bins_are_right_closed_midway_and_respect_ties() {
        for (scores, bins, edges) in [
            (vec![0.1, 0.2, 0.3, 0.4], 2, vec![0.25, 1.0]),
            (vec![0.1, 0.2, 0.3, 0.4], 1, vec![1.0]),
            (vec![0.1, 0.2, 0.3, 0.4], 9, vec![0.15, 0.25, 0.35, 1.0]),
            (vec![0.5, 0.5, 0.5, 0.9], 2, vec![0.5, 1.0]),
            (vec![1.0, 1.0, 1.0], 3, vec![1.0]),
            (vec![0.0, 0.0, 1.0], 3, vec![0.0, 0.5, 1.0]),
        ] {
            let got = equal_mass_edges(&scores, bins);
            assert!(got.len() == edges.len() && got.iter().zip(&edges).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
        }
    }

    #[test]
    fn bins_answer_with_their_accuracy() {
        let rows = Rows::new(vec![0.1, 0.2, 0.3, 0.4], vec![false, true, true, true]).unwrap();
        let fit = HistogramBinning::fit(&rows, 2).model;
        assert_eq!((fit.apply(0.0), fit.apply(0.25), fit.apply(0.26), fit.apply(1.0)), (0.5, 0.5, 1.0, 1.0));
    }

    #[test]
    fn scaling_binning_keeps_the_mean_of_the_line() {
        let scores: Vec<f64> = (0..200).map(|i| f64::from(i) / 200.0).collect();
        let correct: Vec<bool> = (0..200).map(|i| i * 7 % 200 < i).collect();
        let rows = Rows::new(scores.clone(), correct).unwrap();
        let fit = ScalingBinning::fit(&rows, 10).model;
        let mean = |f: &dyn Fn(f64) -> f64| scores.iter().map(|&s| f(s)).sum::<f64>() / 200.0;
        assert!((mean(&|s| fit.apply(s)) - mean(&|s| fit.scaling.apply(s))).abs() < 1e-12);
        assert_eq!(fit.binning.values.len(), 10);
    }
}
