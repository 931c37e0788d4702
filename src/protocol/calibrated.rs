//! A calibrator applied to a prediction: the one thing that command line, worker and page all do with one.

use super::Prediction;
use crate::error::Result;
use crate::stats::calibrated::{Applier, Scored};

/// Replaces the confidence by what the calibrator makes of it, and adds the interval and the set of labels where the
/// calibrator has them. The predicted label stays.
///
/// # Errors
/// A calibrator that takes a number that the prediction does not have.
pub fn calibrate(calibrator: &Applier<'_>, prediction: &mut Prediction) -> Result<()> {
    let logprobs: Vec<f64> = prediction.labels.values().map(|label| label.logprob).collect();
    let shares: Vec<f64> = prediction.labels.values().map(|label| label.share).collect();
    let found = calibrator.apply(&Scored {
        label: prediction.labels.get_index_of(&prediction.label),
        total_probability: prediction.total_probability.clamp(0.0, 1.0),
        share: Some(prediction.share.clamp(0.0, 1.0)),
        logprobs: &logprobs,
        shares: &shares,
    })?;
    let name = |label: usize| prediction.labels.get_index(label).map(|(name, _)| name.clone());
    prediction.set = found.set.map(|set| set.into_iter().filter_map(name).collect());
    prediction.confidence = found.confidence;
    prediction.interval = found.interval;
    Ok(())
}
