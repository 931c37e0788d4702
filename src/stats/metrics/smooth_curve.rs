//! The smooth reliability curve (Błasiok & Nakkiran 2023): accuracy as a function of confidence, without bins.
//!
//! Outcomes and rows are smoothed by the reflected kernel of [`super::smece`], at the bandwidth that equals the smooth
//! calibration error; their quotient is the accuracy near a confidence. The band is where the curve of resampled rows
//! lies, point by point, at that same bandwidth: it says how far the curve may be off, while the band of the CORP curve
//! says where the curve of a calibrated model would lie.

use serde::{Deserialize, Serialize};

use super::smece::{Kernel, places, shared, with_bandwidth};
use super::{Sample, View};
use crate::error::Result;
use crate::platform::map_indices;
use crate::stats::resampling::{Resampling, draw_counts, quantile, stream};

/// Cells of the grid: fine enough that a point's place is never seen to jump.
const CELLS: usize = 1000;

/// Every how many cells the curve has a point.
const STEP: usize = 10;

/// Points with less than this share of the densest point's rows say nothing and are left out.
const SPARSEST: f64 = 1e-3;

/// A point of the smooth curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SmoothPoint {
    /// The confidence.
    pub confidence: f64,
    /// The smoothed accuracy there, in `[0, 1]`.
    pub accuracy: f64,
    /// Lower end of the band; the accuracy itself without resamples.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Smoothed density of rows there, in rows a unit of confidence.
    pub density: f64,
}

/// The smooth reliability curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmoothCurve {
    /// The smooth calibration error, which the curve belongs to.
    pub smece: f64,
    /// The kernel's bandwidth.
    pub bandwidth: f64,
    /// Points by rising confidence, from the lowest to the highest score.
    pub points: Vec<SmoothPoint>,
}

/// The curve of rows, with a band that holds `resampling.level` of the resamples at each point.
///
/// # Errors
/// No rows, slices of different lengths, a score outside `[0, 1]`.
pub fn smooth_curve(scores: &[f64], correct: &[bool], resampling: Resampling) -> Result<SmoothCurve> {
    let sample = Sample::new(scores, correct)?;
    let (smece, bandwidth) = with_bandwidth(sample.view());
    let kernel = Kernel::new(CELLS, bandwidth, 5.5);
    let places = places(sample.view(), CELLS);
    let smoothed = |view: View| -> Vec<(f64, f64)> {
        let (outcomes, rows) = (shared(view, &places, CELLS, |_, y| y), shared(view, &places, CELLS, |_, _| 1.0));
        let (outcomes, rows) = (kernel.smoother(&outcomes), kernel.smoother(&rows));
        (0..=CELLS).step_by(STEP).map(|cell| (outcomes.value(cell), rows.value(cell))).collect()
    };
    let exact = smoothed(sample.view());
    let resampled: Vec<Vec<(f64, f64)>> = map_indices(resampling.resamples, |index| {
        let mut counts = vec![0; sample.len()];
        draw_counts(&mut stream(resampling.seed, index as u64 + 1), &mut counts);
        smoothed(sample.counted(&counts))
    });
    let densest = exact.iter().map(|(_, rows)| *rows).fold(0.0, f64::max);
    let ends = (sample.scores()[0], sample.scores()[sample.len() - 1]);
    let weights = kernel.total() / CELLS as f64;
    let mut points = Vec::new();
    for (index, &(right, rows)) in exact.iter().enumerate() {
        let confidence = (index * STEP) as f64 / CELLS as f64;
        let within =
            ends.0 - STEP as f64 / CELLS as f64 <= confidence && confidence <= ends.1 + STEP as f64 / CELLS as f64;
        if !within || rows < SPARSEST * densest {
            continue;
        }
        let accuracy = (right / rows).clamp(0.0, 1.0);
        let mut drawn: Vec<f64> = (resampled.iter().map(|curve| curve[index]))
            .filter(|(_, rows)| *rows > 0.0)
            .map(|(right, rows)| (right / rows).clamp(0.0, 1.0))
            .collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - resampling.level) / 2.0;
        let end = |level: f64| if drawn.is_empty() { accuracy } else { quantile(&drawn, level) };
        points.push(SmoothPoint {
            confidence,
            accuracy,
            low: end(tail),
            high: end(1.0 - tail),
            density: rows / weights,
        });
    }
    Ok(SmoothCurve { smece, bandwidth, points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RESAMPLING: Resampling = Resampling { resamples: 60, seed: 1, level: 0.95 };

    /// Accuracy near `t` by the definition: kernel sums over rows and their mirror images, the kernel cut at ±½.
    fn by_definition(rows: &[(f64, bool)], bandwidth: f64, t: f64) -> f64 {
        let (mut right, mut all) = (0.0, 0.0);
        for &(p, y) in rows {
            for image in [p, -p, 2.0 - p] {
                let distance: f64 = t - image;
                let weight = if distance.abs() <= 0.5 { (-0.5 * (distance / bandwidth).powi(2)).exp() } else { 0.0 };
                right += weight * f64::from(u8::from(y));
                all += weight;
            }
        }
        right / all
    }

    #[test]
    fn follows_the_truth_and_its_band_narrows_with_rows() {
        use rand::RngExt;
        let curve = |rows: u64| {
            let mut random = stream(5, rows);
            let (scores, correct): (Vec<f64>, Vec<bool>) = (0..rows)
                .map(|_| {
                    let score = 0.5 + 0.5 * random.random::<f64>();
                    (score, random.random::<f64>() < 0.5 + 0.6 * (score - 0.5))
                })
                .unzip();
            smooth_curve(&scores, &correct, RESAMPLING).unwrap()
        };
        let (few, many) = (curve(300), curve(20_000));
        for point in many.points.iter().filter(|point| (0.6..=0.9).contains(&point.confidence)) {
            let truth = 0.5 + 0.6 * (point.confidence - 0.5);
            assert!((point.accuracy - truth).abs() < 0.06, "{point:?}");
            assert!(point.low <= point.accuracy && point.accuracy <= point.high, "{point:?}");
        }
        let width =
            |curve: &SmoothCurve| curve.points.iter().map(|p| p.high - p.low).sum::<f64>() / curve.points.len() as f64;
        assert!(width(&many) < width(&few) / 2.0, "{} {}", width(&many), width(&few));
        // The rows' density integrates to their number.
        let rows: f64 = many.points.iter().map(|point| point.density * STEP as f64 / CELLS as f64).sum();
        assert!((rows - 20_000.0).abs() < 1500.0, "{rows}");
        assert!(many.points.first().is_some_and(|p| p.confidence > 0.45));
    }

    #[test]
    fn one_row_and_equal_scores_are_a_curve_too() {
        for (scores, correct) in
            [(vec![0.7], vec![true]), (vec![1.0; 9], vec![false; 9]), (vec![0.0; 3], vec![true; 3])]
        {
            let curve = smooth_curve(&scores, &correct, RESAMPLING).unwrap();
            assert!(!curve.points.is_empty() && curve.points.iter().all(|p| p.low <= p.high && p.density > 0.0));
        }
        assert!(smooth_curve(&[], &[], RESAMPLING).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn is_the_kernels_quotient(rows in prop::collection::vec((0.02_f64..0.98, any::<bool>()), 1..50)) {
            let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
            let curve = smooth_curve(&scores, &correct, Resampling { resamples: 0, ..RESAMPLING }).unwrap();
            for point in &curve.points {
                prop_assert!((0.0..=1.0).contains(&point.accuracy));
                // Where the cut runs close to a row or few rows are near, the grid decides.
                let near_cut = rows.iter().any(|r| {
                    [r.0, -r.0, 2.0 - r.0].iter().any(|image| ((point.confidence - image).abs() - 0.5).abs() < 2e-3)
                });
                let near_a_row = rows.iter().any(|r| (r.0 - point.confidence).abs() < 3.0 * curve.bandwidth);
                if curve.bandwidth > 0.02 && near_a_row && !near_cut {
                    let plain = by_definition(&rows, curve.bandwidth, point.confidence);
                    prop_assert!((plain - point.accuracy).abs() < 0.02, "{} {:?}", plain, point);
                }
            }
        }
    }
}
