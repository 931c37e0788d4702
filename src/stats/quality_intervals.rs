//! How far cross-fitted quality may be off: intervals of Brier score, log loss and calibration error over rows.
//!
//! Rows are resampled, calibrators are not fitted again: the intervals say what other rows would have shown of these
//! calibrators, averaged over the repeats. One set of resamples serves all methods, so differences between them are
//! steadier than two intervals side by side suggest.

use serde::{Deserialize, Serialize};

use super::cross_fit::{OutOfFold, held_off_certainty};
use super::intervals::Interval;
use super::resampling::{Method, Resampling, bootstrap};
use crate::numeric::{ln, ln_1p};

/// Work that may be spent on resampling, in rows looked at.
const MOST_LOOKS: usize = 200_000_000;
/// Resamples where they are cheap, and at least.
const RESAMPLES: (usize, usize) = (500, 40);
/// Numbers a method has.
const PARTS: usize = 3;

/// Intervals of a [`super::cross_fit::Quality`], `[low, high]` each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityIntervals {
    /// Of the Brier score.
    pub brier: [f64; 2],
    /// Of the log loss.
    pub log_loss: [f64; 2],
    /// Of the expected calibration error.
    pub ece: [f64; 2],
}

/// One method's out-of-fold predictions, made ready to be counted.
struct Prepared {
    briers: Vec<f64>,
    log_losses: Vec<f64>,
    /// Per repeat and row: the bin, and confidence minus outcome.
    gaps: Vec<Vec<(u32, f64)>>,
}

impl Prepared {
    fn new(out: &OutOfFold, outcomes: &[bool], bins: usize) -> Self {
        let repeats = out.repeats.len().max(1) as f64;
        let edges: Vec<f64> = (1..bins).map(|edge| edge as f64 / bins as f64).collect();
        let mut prepared =
            Self { briers: vec![0.0; outcomes.len()], log_losses: vec![0.0; outcomes.len()], gaps: Vec::new() };
        for repeat in &out.repeats {
            let mut gaps = Vec::with_capacity(outcomes.len());
            for (row, (&p, &right)) in repeat.iter().zip(outcomes).enumerate() {
                let p = held_off_certainty(p);
                let gap = p - f64::from(u8::from(right));
                prepared.briers[row] += gap * gap / repeats;
                prepared.log_losses[row] += if right { -ln(p) } else { -ln_1p(-p) } / repeats;
                gaps.push((edges.partition_point(|edge| *edge < p) as u32, gap));
            }
            prepared.gaps.push(gaps);
        }
        prepared
    }

    /// Brier score, log loss and calibration error of the rows counted `counts` times.
    fn quality(&self, counts: &[u32], bins: usize) -> [f64; PARTS] {
        let n = counts.iter().map(|&count| f64::from(count)).sum::<f64>();
        let mean = |losses: &[f64]| losses.iter().zip(counts).map(|(loss, &c)| loss * f64::from(c)).sum::<f64>() / n;
        let mut error = 0.0;
        for gaps in &self.gaps {
            let mut sums = vec![0.0; bins.max(1)];
            gaps.iter().zip(counts).for_each(|((bin, gap), &count)| sums[*bin as usize] += gap * f64::from(count));
            error += sums.iter().map(|sum: &f64| sum.abs()).sum::<f64>() / n;
        }
        [mean(&self.briers), mean(&self.log_losses), error / self.gaps.len().max(1) as f64]
    }
}

/// The 95% intervals of each method's quality; `None` for a method without predictions, and for all of them where
/// there are too few rows to resample.
pub fn quality_intervals(
    methods: &[Option<OutOfFold>],
    outcomes: &[bool],
    bins: usize,
    seed: u64,
) -> Vec<Option<QualityIntervals>> {
    /// Fewer rows can only repeat themselves.
    const FEWEST: usize = 10;
    let prepared: Vec<Option<Prepared>> =
        methods.iter().map(|out| out.as_ref().map(|out| Prepared::new(out, outcomes, bins))).collect();
    let looks: usize = prepared.iter().flatten().map(|method| (method.gaps.len() + 2) * outcomes.len()).sum();
    if outcomes.len() < FEWEST || looks == 0 {
        return vec![None; methods.len()];
    }
    let resamples = (MOST_LOOKS / looks).clamp(RESAMPLES.1, RESAMPLES.0);
    let resampling = Resampling { resamples, seed, level: 0.95 };
    let replicates = bootstrap(outcomes.len(), PARTS * methods.len(), resampling, |counts, out| {
        for (method, out) in prepared.iter().zip(out.chunks_exact_mut(PARTS)) {
            if let Some(method) = method {
                out.copy_from_slice(&method.quality(counts, bins));
            }
        }
    });
    let ends = |Interval { low, high }: Interval| [low.max(0.0), high];
    let interval = |index: usize| {
        let part = |part: usize, method| replicates.interval(index * PARTS + part, resampling.level, method).map(ends);
        Some(QualityIntervals {
            brier: part(0, Method::Bca)?,
            log_loss: part(1, Method::Bca)?,
            ece: part(2, Method::Pivotal)?,
        })
    };
    (0..methods.len()).map(|index| prepared[index].as_ref().and_then(|_| interval(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_their_value_and_narrow_with_rows() {
        let of = |n: usize| {
            let scores: Vec<f64> = (0..n).map(|i| 0.5 + 0.5 * (i * 37 % n) as f64 / n as f64).collect();
            let outcomes: Vec<bool> = (0..n).map(|i| i * 7919 % 100 < 70).collect();
            let out = OutOfFold { repeats: vec![scores.clone(), scores], folds: 5 };
            let quality = out.quality(&outcomes, 10).unwrap();
            let found = quality_intervals(&[None, Some(out)], &outcomes, 10, 1);
            assert_eq!(found[0], None);
            let found = found[1].unwrap();
            for (value, [low, high]) in
                [(quality.brier, found.brier), (quality.log_loss, found.log_loss), (quality.ece, found.ece)]
            {
                assert!(low <= value && value <= high, "{value} {low} {high}");
            }
            found.brier[1] - found.brier[0]
        };
        let (few, many) = (of(100), of(2000));
        assert!(many < few / 2.0, "{many} {few}");
    }

    #[test]
    fn too_few_rows_have_none() {
        let out = OutOfFold { repeats: vec![vec![0.5; 9]], folds: 3 };
        assert_eq!(quality_intervals(&[Some(out)], &[true; 9], 10, 1), [None]);
        assert_eq!(quality_intervals(&[None], &[true; 90], 10, 1), [None]);
    }
}
