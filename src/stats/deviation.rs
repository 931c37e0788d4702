//! How far probabilities are from what happened, without bins, and what chance alone gives at this number of rows.
//!
//! A calibration error is never zero: beside it stands what a perfectly calibrated model would show on the same
//! probabilities, or a small number would look like a fault and a large one like bad luck.

use serde::{Deserialize, Serialize};

use super::metrics::binned::{Binning, calibration_error};
use super::metrics::null::{Null, simulate_calibrated};
use super::metrics::smece::smece;
use super::metrics::{Sample, View};
use crate::error::Result;

/// Rows that simulations may look at: of very many rows, all simulations are alike.
const MOST_LOOKS: usize = 400_000;
/// Simulations where they are cheap, and at least.
const SIMULATIONS: (usize, usize) = (200, 20);

/// The smooth calibration error, and the binned one's chance level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Smooth calibration error.
    pub smece: f64,
    /// The expected calibration error that a perfectly calibrated model would show here.
    pub ece_null: Option<Null>,
}

impl Deviation {
    /// Of `probabilities` in `[0, 1]` against what happened; the error's null is over `bins` equal-width bins.
    ///
    /// # Errors
    /// No rows, lists of different length, a probability outside its range.
    pub fn of(probabilities: &[f64], outcomes: &[bool], bins: usize, seed: u64) -> Result<Self> {
        let sample = Sample::new(probabilities, outcomes)?;
        let simulations = (MOST_LOOKS / sample.len().max(1)).clamp(SIMULATIONS.1, SIMULATIONS.0);
        let ece = |view: View, out: &mut [f64]| out[0] = calibration_error(view, Binning::EqualWidth(bins)).ece;
        let null = simulate_calibrated(&sample, 1, simulations, seed, ece);
        Ok(Self { smece: smece(sample.view()), ece_null: null.first().and_then(|values| Null::of(values)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_calibrated_stays_within_chance_and_what_is_not_does_not() {
        let honest: Vec<bool> = (0..1000).map(|row| row % 10 < 7).collect();
        let scores = vec![0.7; 1000];
        let calibrated = Deviation::of(&scores, &honest, 15, 3).unwrap();
        let null = calibrated.ece_null.unwrap();
        assert!(calibrated.smece < 0.01 && null.mean > 0.005 && null.p95 < 0.04, "{calibrated:?}");
        let sure = Deviation::of(&vec![0.95; 1000], &honest, 15, 3).unwrap();
        assert!(sure.smece > 0.15, "{sure:?}");
        assert!(Deviation::of(&[], &[], 15, 3).is_err() && Deviation::of(&[2.0], &[true], 15, 3).is_err());
    }
}
