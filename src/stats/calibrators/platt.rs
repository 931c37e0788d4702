//! Platt scaling: a straight line through the log-odds, with Platt's smoothed targets, fitted by Newton's method
//! (Platt 1999; Lin, Lin & Weng 2007). On the logit of the score it is calibration by logistic regression.

use serde::{Deserialize, Serialize};

use super::{Fitted, clipped_logit, refuse};
use crate::error::Result;
use crate::numeric::{ln, logistic};
use crate::stats::optimize::{Targets, logistic_regression};
use crate::stats::rows::Rows;

/// `logistic(slope · logit(score) + intercept)`. In Platt's letters A = −slope and B = −intercept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// Slope on the log-odds; 1 with intercept 0 changes nothing.
    pub slope: f64,
    /// Intercept on the log-odds.
    pub intercept: f64,
}

impl Platt {
    /// Fits slope and intercept. Smoothed targets keep both finite on any data.
    pub fn fit(rows: &Rows) -> Fitted<Self> {
        let scores = rows.scores();
        let mut logits = vec![0.0; scores.len()];
        crate::platform::for_each_chunk(&mut logits, 16_384, |chunk, part| {
            for (offset, logit) in part.iter_mut().enumerate() {
                *logit = clipped_logit(scores[chunk * 16_384 + offset]);
            }
        });
        let right = rows.right() as f64;
        let wrong = rows.len() as f64 - right;
        let start = [0.0, ln((right + 1.0) / (wrong + 1.0))];
        let fit = logistic_regression(rows.correct(), |i| [logits[i], 1.0], Targets::smoothed(rows.correct()), start);
        let [slope, intercept] = fit.coefficients;
        let mut fitted = Fitted::clean(Self { slope, intercept });
        fitted.note_if(!fit.converged, || "Platt scaling stopped before it converged".into());
        fitted.note_if(slope < 0.0 && !super::constant(scores), || {
            "confidence runs the wrong way on these rows: the fitted curve falls as the score rises".into()
        });
        fitted
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        logistic(self.slope * clipped_logit(score) + self.intercept)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.slope.is_finite() && self.intercept.is_finite() {
            Ok(())
        } else {
            refuse("slope", "and intercept must be finite numbers")
        }
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "Platt scaling: a straight line on the log-odds with slope {:.4} and intercept {:.4}",
            self.slope, self.intercept
        )
    }
}
