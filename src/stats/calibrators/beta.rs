//! Beta calibration (Kull, Silva Filho & Flach 2017): the curves that appear when scores follow beta distributions.
//!
//! `logit(calibrated) = a·ln(s) − b·ln(1 − s) + c`; `abm` fits all three, `am` ties a = b, `ab` fixes the middle
//! (0.5 stays 0.5). It is a logistic regression on two features; as in the authors' package, a coefficient that comes
//! out negative in `abm` is dropped and the rest is fitted again, first a, else b.
//!
//! The package leaves the regression to L-BFGS with a loose stopping rule. Its answers far outside the scores at hand
//! depend on that (by up to a percent where a plain Newton iteration would go on to the optimum), so the rule is kept:
//! the same rows give the same curve here and there. The unconstrained fit is iterated to its optimum.

use serde::{Deserialize, Serialize};

use super::{Fitted, SCORE_CLIP, refuse};
use crate::error::Result;
use crate::numeric::{ln, ln_1p, logistic};
use crate::stats::optimize::{LogisticFit, Stopping, Targets, lbfgs, logistic_loss, logistic_regression, separates};
use crate::stats::rows::Rows;

/// A fitted beta curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beta {
    /// Weight of ln(score).
    pub a: f64,
    /// Weight of −ln(1 − score).
    pub b: f64,
    /// Intercept on the log-odds.
    pub c: f64,
}

/// ln(s) and −ln(1 − s) of the clipped score.
fn features(score: f64) -> [f64; 2] {
    let s = score.clamp(SCORE_CLIP, 1.0 - SCORE_CLIP);
    [ln(s), -ln_1p(-s)]
}

impl Beta {
    /// Fits a, b and c.
    pub fn fit_abm(rows: &Rows) -> Fitted<Self> {
        let x: Vec<[f64; 2]> = rows.scores().iter().map(|&score| features(score)).collect();
        let both = regress(rows, true, |i| [x[i][0], x[i][1], 1.0]);
        let [a, b, c] = both.coefficients;
        let (model, separated, dropped) = if a < 0.0 {
            let fit = regress(rows, true, |i| [x[i][1], 1.0]);
            (Self { a: 0.0, b: fit.coefficients[0], c: fit.coefficients[1] }, fit.separated, true)
        } else if b < 0.0 {
            let fit = regress(rows, true, |i| [x[i][0], 1.0]);
            (Self { a: fit.coefficients[0], b: 0.0, c: fit.coefficients[1] }, fit.separated, true)
        } else {
            (Self { a, b, c }, both.separated, false)
        };
        let mut fitted = model.annotated(rows, separated, both.converged);
        fitted.note_if(dropped, || {
            let which = if model.a == 0.0 { "a" } else { "b" };
            format!("beta calibration: the coefficient {which} came out negative and was dropped")
        });
        fitted
    }

    /// Fits a, b and c and keeps them whatever their signs: a plain logistic regression, whose curve may fall.
    pub fn fit_unconstrained(rows: &Rows) -> Fitted<Self> {
        let x: Vec<[f64; 2]> = rows.scores().iter().map(|&score| features(score)).collect();
        let fit = logistic_regression(rows.correct(), |i| [x[i][0], x[i][1], 1.0], Targets::HARD, [0.0; 3]);
        let [a, b, c] = fit.coefficients;
        Self { a, b, c }.annotated(rows, fit.separated, fit.converged)
    }

    /// Fits a = b and c: logistic calibration of the log-odds without smoothed targets.
    pub fn fit_am(rows: &Rows) -> Fitted<Self> {
        let x: Vec<f64> = rows.scores().iter().map(|&score| super::clipped_logit(score)).collect();
        let fit = regress(rows, true, |i| [x[i], 1.0]);
        let [a, c] = fit.coefficients;
        Self { a, b: a, c }.annotated(rows, fit.separated, fit.converged)
    }

    /// Fits a and b with 0.5 kept at 0.5.
    pub fn fit_ab(rows: &Rows) -> Fitted<Self> {
        let x: Vec<[f64; 2]> = rows.scores().iter().map(|&score| features(score)).collect();
        let half = std::f64::consts::LN_2;
        let fit = regress(rows, false, |i| [x[i][0] + half, x[i][1] - half]);
        let [a, b] = fit.coefficients;
        Self { a, b, c: (a - b) * half }.annotated(rows, fit.separated, fit.converged)
    }

    fn annotated(self, rows: &Rows, separated: bool, converged: bool) -> Fitted<Self> {
        let mut fitted = Fitted::clean(self);
        fitted.note_if(separated, || {
            "the curve separates right from wrong on these rows: beta calibration has no finite optimum there and is \
             nearly a step; take its certainty as an artefact of few or easy rows"
                .into()
        });
        fitted.note_if(!separated && !converged, || "beta calibration stopped before it converged".into());
        let falls = (self.a < 0.0 || self.b < 0.0) && !super::constant(rows.scores());
        fitted.note_if(falls, || {
            "confidence runs the wrong way on a part of these rows: the fitted curve is not increasing".into()
        });
        fitted
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        let [x, y] = features(score);
        logistic(self.a * x + self.b * y + self.c)
    }

    pub(super) fn check(&self) -> Result<()> {
        if [self.a, self.b, self.c].iter().all(|v| v.is_finite()) {
            Ok(())
        } else {
            refuse("a", "b and c must be finite numbers")
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("Beta calibration with a = {:.4}, b = {:.4}, c = {:.4}", self.a, self.b, self.c)
    }
}

/// The stopping rule of the package's regression, on the mean loss.
const STOPPING: Stopping = Stopping { gradient: 1e-4, decrease: 64.0 * f64::EPSILON, iterations: 100 };
/// Its penalty on squared weights, times the number of rows; the intercept is free.
const PENALTY: f64 = 1e-11;

/// Logistic regression of the outcomes on D features; the last one is an intercept if `intercept` says so.
fn regress<const D: usize>(
    rows: &Rows,
    intercept: bool,
    feature: impl Fn(usize) -> [f64; D] + Sync + Send,
) -> LogisticFit<D> {
    let (n, weights) = (rows.len() as f64, if intercept { D - 1 } else { D });
    let minimum = lbfgs(vec![0.0; D], STOPPING, |theta, gradient| {
        let theta = std::array::from_fn(|i| theta[i]);
        let (loss, slope) = logistic_loss(rows.correct(), &feature, Targets::HARD, &theta);
        for i in 0..D {
            let penalty = if i < weights { PENALTY * theta[i] } else { 0.0 };
            gradient[i] = (slope[i] + penalty) / n;
        }
        let squares: f64 = theta[..weights].iter().map(|t| t * t).sum();
        (loss + 0.5 * PENALTY * squares) / n
    });
    let coefficients = std::array::from_fn(|i| minimum.point[i]);
    let separated = separates(rows.correct(), &feature, &coefficients);
    LogisticFit { coefficients, converged: minimum.converged, separated }
}
