//! Statistics: how right the confidences are, how sure we are of that, and what may be decided from it.
//!
//! Pure mathematics on slices of scores and outcomes: no IO, no engine, no clock, no global state; the same bits on
//! every run, thread count and (but for the last digits of `exp` and `ln`) platform. Three ideas hold everywhere:
//!
//! - A score is a number in `[0, 1]`, an outcome a `bool`; anything else is refused with the row's number.
//! - A number that does not exist (an AUC with one class, a z-score on scores of 0 and 1) is `None`, never NaN.
//! - A point estimate is not an answer: [`metrics`] come with an interval ([`intervals`] where the distribution is
//!   known exactly, [`resampling`] elsewhere), beside their null value and the baselines.

pub mod bias;
pub mod bias_effect;
pub mod calibrated;
pub mod calibrators;
pub mod comparison;
pub mod conformal;
pub mod costs;
pub mod cross_fit;
pub mod deviation;
pub mod folds;
pub mod guarantee;
pub mod hygiene;
pub mod intervals;
pub mod metrics;
pub mod optimize;
pub mod pava;
pub mod probe;
pub mod quality_intervals;
pub mod resampling;
pub mod rows;
pub mod sample_size;
pub mod saved;
pub mod selection;
pub mod special;
