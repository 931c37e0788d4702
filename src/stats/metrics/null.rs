//! What chance alone gives: statistics of a perfectly calibrated model on these scores.
//!
//! Outcomes are drawn with the scores as their probabilities, again and again. An observed calibration error means
//! something where it lies above what these simulations show.

use serde::{Deserialize, Serialize};

use super::{Sample, View};
use crate::numeric::sum;
use crate::platform::map_indices;
use crate::stats::resampling::{quantile, stream};

/// The distribution of a statistic if every score were true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Null {
    /// Mean.
    pub mean: f64,
    /// 95th percentile.
    pub p95: f64,
}

impl Null {
    /// From simulated values in ascending order; `None` of none.
    pub fn of(ascending: &[f64]) -> Option<Self> {
        let mean = sum(ascending.iter().copied()) / ascending.len() as f64;
        (!ascending.is_empty()).then(|| Self { mean, p95: quantile(ascending, 0.95) })
    }
}

/// Simulates a perfectly calibrated model on the sample's scores: for each of `statistics` numbers that
/// `compute(view, out)` gives, the values of all simulations in ascending order.
pub fn simulate_calibrated(
    sample: &Sample,
    statistics: usize,
    simulations: usize,
    seed: u64,
    compute: impl Fn(View, &mut [f64]) + Sync + Send,
) -> Vec<Vec<f64>> {
    let rows = map_indices(simulations, |index| {
        let mut out = vec![f64::NAN; statistics];
        compute(sample.simulate(&mut stream(seed, index as u64)).view(), &mut out);
        out
    });
    let column = |statistic: usize| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[statistic]).filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    (0..statistics).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::super::binned::{Binning, calibration_error};
    use super::*;

    fn ece_null(scores: &[f64], simulations: usize) -> Option<Null> {
        let sample = Sample::new(scores, &vec![true; scores.len()]).unwrap();
        let ece = |view: View, out: &mut [f64]| out[0] = calibration_error(view, Binning::EqualWidth(15)).ece;
        Null::of(&simulate_calibrated(&sample, 1, simulations, 7, ece)[0])
    }

    #[test]
    fn null_is_where_calibrated_outcomes_fall() {
        // One bin, score ½, n rows: |rate − ½| is a folded normal of deviation ½ / √n.
        let n = 2000;
        let null = ece_null(&vec![0.5; n], 4000).unwrap();
        let deviation = 0.5 / (n as f64).sqrt();
        assert!((null.mean / (deviation * (2.0 / std::f64::consts::PI).sqrt()) - 1.0).abs() < 0.05, "{null:?}");
        assert!((null.p95 / (1.96 * deviation) - 1.0).abs() < 0.06, "{null:?}");
        assert_eq!(ece_null(&[1.0, 0.0], 50), Some(Null { mean: 0.0, p95: 0.0 }));
        assert_eq!(ece_null(&[0.5], 0), None);
    }
}
