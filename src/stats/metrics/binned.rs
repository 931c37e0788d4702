//! Calibration error over bins: ECE, MCE, RMS, and their debiased forms.
//!
//! Bins are right-closed, `(a, b]`, and 0 falls in the first. A binned error is a plug-in estimate and is biased
//! upwards: in a bin of m rows even a perfect model misses its mean by about 1/√m. So ECE never stands alone here: the
//! debiased value estimates that bias, and [`super::null`] shows the size that chance alone gives at these scores.

use serde::{Deserialize, Serialize};

use super::View;
use crate::numeric::exp;

/// How scores are cut into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// This many bins of equal width on `[0, 1]`.
    EqualWidth(usize),
    /// About this many bins with equally many rows. An edge is the score at rank ⌈j n / k⌉, so rows with equal scores
    /// share a bin and heavy ties make fewer bins.
    EqualMass(usize),
}

/// What fell into one bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower edge, not in the bin (but 0 is in the first).
    pub low: f64,
    /// Upper edge, in the bin.
    pub high: f64,
    /// Rows counted.
    pub count: u64,
    /// Of these, rows whose outcome is 1.
    pub positives: u64,
    /// Sum of their scores.
    pub score_sum: f64,
}

impl Bin {
    /// Mean score; `None` in an empty bin.
    pub fn mean_score(&self) -> Option<f64> {
        (self.count > 0).then(|| self.score_sum / self.count as f64)
    }

    /// Share of positives; `None` in an empty bin.
    pub fn rate(&self) -> Option<f64> {
        (self.count > 0).then(|| self.positives as f64 / self.count as f64)
    }
}

/// The view's rows by bin, in ascending order. Equal-width bins are all there, the empty ones too.
pub fn bins(view: View, binning: Binning) -> Vec<Bin> {
    ranges(view, binning)
        .into_iter()
        .map(|(low, high, range)| {
            let (mut count, mut positives, mut score_sum) = (0_u64, 0.0, 0.0);
            for ((&c, &p), &y) in
                view.counts()[range.clone()].iter().zip(&view.scores()[range.clone()]).zip(&view.outcomes()[range])
            {
                let weight = f64::from(c);
                count += u64::from(c);
                positives += weight * y;
                score_sum += weight * p;
            }
            Bin { low, high, count, positives: positives as u64, score_sum }
        })
        .collect()
}

/// Each bin's edges and the run of sorted rows in it.
fn ranges(view: View, binning: Binning) -> Vec<(f64, f64, std::ops::Range<usize>)> {
    let scores = view.scores();
    match binning {
        Binning::EqualWidth(bins) => {
            let bins = bins.max(1);
            let edge = |bin: usize| bin as f64 / bins as f64;
            let mut start = 0;
            (0..bins)
                .map(|bin| {
                    let end = if bin + 1 == bins {
                        scores.len()
                    } else {
                        start + scores[start..].partition_point(|&score| score <= edge(bin + 1))
                    };
                    let range = start..end;
                    start = end;
                    (edge(bin), edge(bin + 1), range)
                })
                .collect()
        }
        Binning::EqualMass(bins) => {
            let (bins, total) = (bins.max(1) as u64, view.total());
            let mut cut = Vec::new();
            let (mut seen, mut start, mut next, mut low) = (0_u64, 0, 1_u64, 0.0);
            for tie in view.ties() {
                seen += tie.clone().map(|row| u64::from(view.counts()[row])).sum::<u64>();
                if seen * bins >= next * total {
                    let high = scores[tie.start];
                    cut.push((low, high, start..tie.end));
                    (low, start, next) = (high, tie.end, seen * bins / total + 1);
                }
                if next > bins {
                    break;
                }
            }
            cut
        }
    }
}

/// Calibration errors over one set of bins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationError {
    /// Expected calibration error: the mean over rows of their bin's |mean score − rate|.
    pub ece: f64,
    /// Maximum calibration error: the largest |mean score − rate| of a bin.
    pub mce: f64,
    /// Root of the mean over rows of their bin's squared gap.
    pub rms: f64,
    /// Squared calibration error less each bin's estimated noise `rate (1 − rate) / (m − 1)` (Kumar 2019); may be
    /// negative, when there is less error than chance would give.
    pub debiased_l2_squared: f64,
    /// ECE less its estimated bias, at least 0: each bin's gap is compared with the mean of |gap + noise| for normal
    /// noise of variance `rate (1 − rate) / m` (Kumar 2019, in closed form instead of by simulation).
    pub ece_debiased: f64,
}

/// Calibration errors of a view.
pub fn calibration_error(view: View, binning: Binning) -> CalibrationError {
    error_of_bins(&bins(view, binning))
}

/// Calibration errors of bins.
pub fn error_of_bins(bins: &[Bin]) -> CalibrationError {
    let total: u64 = bins.iter().map(|bin| bin.count).sum();
    let mut errors = CalibrationError { ece: 0.0, mce: 0.0, rms: 0.0, debiased_l2_squared: 0.0, ece_debiased: 0.0 };
    let mut inflated = 0.0;
    for bin in bins {
        let (Some(score), Some(rate)) = (bin.mean_score(), bin.rate()) else { continue };
        let (gap, count) = ((score - rate).abs(), bin.count as f64);
        let share = count / total as f64;
        errors.ece += share * gap;
        errors.mce = errors.mce.max(gap);
        errors.rms += share * gap * gap;
        if bin.count > 1 {
            errors.debiased_l2_squared += share * (gap * gap - rate * (1.0 - rate) / (count - 1.0));
        }
        inflated += share * folded_normal_mean(gap, (rate * (1.0 - rate) / count).sqrt());
    }
    errors.rms = errors.rms.sqrt();
    errors.ece_debiased = (2.0 * errors.ece - inflated).max(0.0);
    errors
}

/// The mean of `|X|` for `X` normal with this mean and standard deviation.
fn folded_normal_mean(mean: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return mean.abs();
    }
    let z = mean / (deviation * std::f64::consts::SQRT_2);
    deviation * (2.0 / std::f64::consts::PI).sqrt() * exp(-z * z) + mean * libm::erf(z)
}

#[cfg(test)]
mod tests {
    use super::super::Sample;
    use super::*;
    use proptest::prelude::*;

    fn sample(rows: &[(f64, u8)]) -> Sample {
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().map(|&(p, y)| (p, y == 1)).unzip();
        Sample::new(&scores, &correct).unwrap()
    }

    #[test]
    fn edges_belong_to_the_bin_below() {
        for bins_wanted in [5, 10, 15, 20, 30] {
            for tenth in 0..=10_usize {
                let score = tenth as f64 / 10.0;
                let found = bins(sample(&[(score, 1)]).view(), Binning::EqualWidth(bins_wanted));
                let place = found.iter().position(|bin| bin.count == 1).unwrap();
                // The bin whose upper edge is the first at or above the score, in whole numbers: ⌈score · bins⌉ − 1.
                let expected = (tenth * bins_wanted).div_ceil(10).saturating_sub(1);
                assert_eq!(place, expected, "{score} in {bins_wanted} bins");
            }
        }
    }

    #[test]
    fn equal_mass_keeps_ties_together() {
        let s = sample(&[(0.1, 0), (0.2, 0), (0.2, 1), (0.2, 1), (0.7, 1), (0.9, 1)]);
        let counts: Vec<u64> = bins(s.view(), Binning::EqualMass(3)).iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [4, 2]);
        let counts: Vec<u64> = bins(s.view(), Binning::EqualMass(2)).iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [4, 2]);
        assert_eq!(bins(s.view(), Binning::EqualMass(100)).len(), 4);
    }

    #[test]
    fn folded_normal_mean_at_its_ends() {
        assert_eq!(folded_normal_mean(0.3, 0.0), 0.3);
        assert!((folded_normal_mean(0.0, 1.0) - 0.797_884_560_802_865_4).abs() < 1e-15);
        assert!((folded_normal_mean(10.0, 1.0) - 10.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_bin(rows in prop::collection::vec((0.0_f64..=1.0, 0_u8..2), 1..80), k in 1_usize..25) {
            let s = sample(&rows);
            for binning in [Binning::EqualWidth(k), Binning::EqualMass(k)] {
                let found = bins(s.view(), binning);
                prop_assert!(found.len() <= k);
                prop_assert_eq!(found.iter().map(|bin| bin.count).sum::<u64>(), rows.len() as u64);
                let e = error_of_bins(&found);
                prop_assert!(e.ece <= e.rms + 1e-12 && e.rms <= e.mce + 1e-12 && e.mce <= 1.0);
                prop_assert!((0.0..=e.ece).contains(&e.ece_debiased));
                prop_assert!(e.debiased_l2_squared <= e.rms * e.rms + 1e-12);
            }
        }

        /// Brier's own decomposition bounds the binned error: RMS² ≤ Brier score, for any bins.
        #[test]
        fn squared_error_is_below_brier(rows in prop::collection::vec((0.0_f64..=1.0, 0_u8..2), 1..80), k in 1_usize..25) {
            let s = sample(&rows);
            let e = calibration_error(s.view(), Binning::EqualWidth(k));
            prop_assert!(e.rms * e.rms <= super::super::binary::brier(s.view()) + 1e-12);
        }
    }
}
