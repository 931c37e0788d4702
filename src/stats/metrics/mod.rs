//! Metrics: how right, how well ranked and how well calibrated a set of confidences is.
//!
//! Every binary metric is a function of a [`View`]: a [`Sample`] (scores sorted once, with outcomes) together with how
//! often each row counts. The rows as they are count once; a bootstrap resample is the same rows with other counts, so
//! a value and its interval come from one implementation and a resample costs a pass, not a sort. A metric that does
//! not exist for a view (an AUC with one class) is `None`.
//!
//! - [`binary`]: Brier, log loss, ROC AUC, AURC, Spiegelhalter's z
//! - [`binned`]: calibration error over bins, and its debiased forms
//! - [`smece`]: smooth calibration error, [`smooth_curve`]: its diagram; [`corp`]: miscalibration, discrimination, uncertainty
//! - [`classification`], [`multiclass`], [`ordinal`]: predicted against true labels
//! - [`null`], [`baselines`], [`paired`]: what the numbers must be compared with; [`criterion`]: what runs are ranked by
//! - [`glossary`]: every metric in plain words, with formula and source
//! - [`report`]: all of it, with intervals and warnings, as the JSON of `candor metrics`

pub mod baselines;
pub mod binary;
pub mod binned;
pub mod classification;
pub mod corp;
pub mod corp_curve;
pub mod criterion;
pub mod evaluation;
pub mod glossary;
pub mod multiclass;
pub mod null;
pub mod ordinal;
pub mod paired;
pub mod report;
mod sample;
pub mod smece;
pub mod smooth_curve;
mod warnings;

pub use sample::{Sample, View};
