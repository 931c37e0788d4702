//! The CORP reliability curve with its consistency band (Dimitriadis, Gneiting & Jordan 2021).
//!
//! The curve is the isotonic fit of outcomes on scores. The band is where that curve would lie nine times in ten (or
//! at whatever level) if the scores were calibrated: outcomes are drawn from the scores themselves, fitted again, and
//! the fits' quantiles taken score by score. A curve outside the band is more than chance.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::platform::map_indices;
use crate::stats::pava::isotonic;
use crate::stats::resampling::stream;

/// Scores at which the band is given; more would not be seen.
const MOST_POINTS: usize = 200;

/// A point of the curve with its band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorpPoint {
    /// The score.
    pub confidence: f64,
    /// The isotonic fit there.
    pub accuracy: f64,
    /// Lower end of the consistency band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The curve at the scores' quantiles (at most 200 of them), ascending. The band holds the fits of `level` of
/// `simulations` calibrated samples.
///
/// # Errors
/// No rows, slices of different lengths, a score that is not finite.
pub fn corp_curve(
    scores: &[f64],
    correct: &[bool],
    simulations: usize,
    level: f64,
    seed: u64,
) -> Result<Vec<CorpPoint>> {
    let outcomes: Vec<f64> = correct.iter().map(|right| f64::from(u8::from(*right))).collect();
    let fit = isotonic(scores, &outcomes, None)?;
    let mut points = scores.to_vec();
    points.sort_unstable_by(f64::total_cmp);
    let last = points.len() - 1;
    let count = points.len().min(MOST_POINTS);
    let mut points: Vec<f64> = (0..count).map(|i| points[i * last / count.max(2).saturating_sub(1).max(1)]).collect();
    points.dedup();
    let fits: Vec<Vec<f64>> = map_indices(simulations, |index| {
        let mut random = stream(seed, index as u64);
        let drawn: Vec<f64> = scores.iter().map(|score| f64::from(u8::from(random.random::<f64>() < *score))).collect();
        match isotonic(scores, &drawn, None) {
            Ok(fit) => points.iter().map(|point| fit.predict(*point)).collect(),
            // The first fit had the same scores, so this one cannot be refused.
            Err(_) => points.clone(),
        }
    });
    let quantile = |sorted: &[f64], q: f64| match sorted.len() {
        0 => 0.0,
        n => sorted[((q * (n - 1) as f64).round() as usize).min(n - 1)],
    };
    Ok((points.iter().enumerate())
        .map(|(at, &confidence)| {
            let mut values: Vec<f64> = fits.iter().map(|fit| fit[at]).collect();
            values.sort_unstable_by(f64::total_cmp);
            let tail = (1.0 - level) / 2.0;
            CorpPoint {
                confidence,
                accuracy: fit.predict(confidence),
                low: quantile(&values, tail),
                high: quantile(&values, 1.0 - tail),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores spread over the unit interval; right with the probability that `truth` gives.
    fn sample(rows: usize, truth: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let mut random = stream(7, 0);
        (0..rows)
            .map(|_| {
                let score: f64 = random.random();
                (score, random.random::<f64>() < truth(score))
            })
            .unzip()
    }

    #[test]
    fn a_calibrated_curve_mostly_lies_in_its_band_and_an_overconfident_one_does_not() {
        let inside = |truth: fn(f64) -> f64| {
            let (scores, correct) = sample(1000, truth);
            let curve = corp_curve(&scores, &correct, 200, 0.9, 1).unwrap();
            assert!(curve.windows(2).all(|pair| pair[0].confidence < pair[1].confidence));
            assert!(curve.windows(2).all(|pair| pair[0].accuracy <= pair[1].accuracy));
            assert!(curve.iter().all(|p| 0.0 <= p.low && p.low <= p.high && p.high <= 1.0));
            curve.iter().filter(|p| p.low <= p.accuracy && p.accuracy <= p.high).count() as f64 / curve.len() as f64
        };
        assert!(inside(|score| score) > 0.75);
        assert!(inside(|score| score * score) < 0.5);
    }

    #[test]
    fn one_row_and_equal_scores_are_a_curve_too() {
        assert_eq!(corp_curve(&[0.5], &[true], 20, 0.9, 1).unwrap().len(), 1);
        assert_eq!(corp_curve(&[0.5; 9], &[true; 9], 20, 0.9, 1).unwrap().len(), 1);
        assert!(corp_curve(&[], &[], 20, 0.9, 1).is_err());
    }
}
