//! Temperature scaling (Guo et al. 2017): one number divides the log-odds, or the label log-probabilities.
//!
//! The negative log-likelihood is convex in β = 1/T, so the root of its derivative is bracketed and found, whatever its
//! size. Two kinds of data have no finite optimum, and both are said, never stopped at silently: when every answer
//! is on the right side, ever sharper is ever better (T → 0), and the fit falls back to targets drawn in by one
//! pseudo-mistake; when confidence runs the wrong way, ever flatter is ever better (T → ∞), and β is 0.

use serde::{Deserialize, Serialize};

use super::{Fitted, clipped_logit, refuse};
use crate::error::Result;
use crate::numeric::{exp, log_sum_exp, logistic, sum};
use crate::stats::optimize::Targets;
use crate::stats::rows::{LabelRows, Rows};

/// A fitted temperature, for scores or for label log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// T; `None` when it is infinite (β = 0).
    pub temperature: Option<f64>,
    /// β = 1/T, by which log-odds are multiplied.
    pub inverse_temperature: f64,
    /// Where the likelihood has no finite optimum: what T wants to become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbounded: Option<Unbounded>,
}

/// The limit an optimum without bound runs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unbounded {
    /// T → 0: the data are separable.
    Zero,
    /// T → ∞: confidence carries no information, or the wrong one.
    Infinity,
}

impl Temperature {
    fn at(inverse_temperature: f64, unbounded: Option<Unbounded>) -> Self {
        let temperature = crate::numeric::finite(1.0 / inverse_temperature);
        Self { temperature, inverse_temperature, unbounded }
    }

    /// Fits T on scores: `logistic(logit(score) / T)` is the probability of being right.
    pub fn fit(rows: &Rows) -> Fitted<Self> {
        let logits: Vec<f64> = rows.scores().iter().map(|&score| clipped_logit(score)).collect();
        let slope = |targets: Targets| {
            let (logits, correct) = (&logits, rows.correct());
            move |beta: f64| {
                sum(logits.iter().zip(correct).map(|(&f, &right)| {
                    f * (logistic(beta * f) - if right { targets.positive } else { targets.negative })
                }))
            }
        };
        let separable = logits.iter().zip(rows.correct()).all(|(&f, &right)| if right { f >= 0.0 } else { f <= 0.0 });
        solve(separable, slope(Targets::HARD), slope(Targets::smoothed(rows.correct())), "50%")
    }

    /// Fits T on label log-probabilities: `softmax(logprobs / T)`.
    pub fn fit_labels(rows: &LabelRows) -> Fitted<Self> {
        let classes = rows.classes() as f64;
        // One pseudo-mistake among n + 2 rows, spread over the other labels.
        let miss = 1.0 / (rows.len() as f64 + 2.0);
        let slope = |miss: f64| {
            move |beta: f64| {
                sum((0..rows.len()).map(|row| {
                    let z = rows.log_shares(row);
                    let scaled: Vec<f64> = z.iter().map(|z| beta * z).collect();
                    let total = log_sum_exp(&scaled);
                    let own = z[rows.expected(row)];
                    let mean: f64 = scaled.iter().zip(z).map(|(s, z)| exp(s - total) * (z - own)).sum();
                    let others: f64 = z.iter().map(|z| z - own).sum();
                    mean - miss * others / (classes - 1.0)
                }))
            }
        };
        let separable = (0..rows.len()).all(|row| {
            let z = rows.log_shares(row);
            z.iter().all(|value| *value <= z[rows.expected(row)])
        });
        solve(separable, slope(0.0), slope(miss), "the same for every label")
    }

    /// The calibrated probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        logistic(self.inverse_temperature * clipped_logit(score))
    }

    /// The calibrated log-shares of label log-shares.
    pub fn apply_labels(&self, log_shares: &[f64]) -> Vec<f64> {
        log_shares.iter().map(|z| self.inverse_temperature * z).collect()
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(self.inverse_temperature.is_finite() && self.inverse_temperature >= 0.0) {
            return refuse("inverse_temperature", "must be a finite number, 0 or more");
        }
        let consistent = match self.temperature {
            None => !(1.0 / self.inverse_temperature).is_finite(),
            Some(t) => (t * self.inverse_temperature - 1.0).abs() < 1e-9,
        };
        if consistent { Ok(()) } else { refuse("temperature", "must be 1 / inverse_temperature") }
    }

    pub(super) fn describe(&self) -> String {
        match (self.temperature, self.inverse_temperature) {
            (None, _) => "Temperature scaling with an infinite temperature: every confidence becomes the same".into(),
            (Some(t), _) if t > 1.0 => {
                format!("Temperature scaling with T = {t:.4}: all log-odds are divided by T, which softens confidence")
            }
            (Some(t), _) => {
                format!("Temperature scaling with T = {t:.4}: all log-odds are divided by T, which sharpens confidence")
            }
        }
    }
}

/// The β at which the derivative of the negative log-likelihood vanishes, or what stands in for it.
fn solve(
    separable: bool,
    slope: impl Fn(f64) -> f64,
    smoothed_slope: impl Fn(f64) -> f64,
    flat: &str,
) -> Fitted<Temperature> {
    if slope(0.0) >= 0.0 {
        let note = format!(
            "temperature is unbounded (T → ∞): higher confidence does not go with more right answers here, so the best \
             a temperature can do is to flatten every confidence to {flat}"
        );
        return Fitted::with_note(Temperature::at(0.0, Some(Unbounded::Infinity)), note);
    }
    if separable {
        let beta = root(&smoothed_slope).unwrap_or(1.0);
        let note = format!(
            "temperature is unbounded (T → 0): every answer is on the right side of its confidence, so sharper is always \
             better on these rows; T = {:.4} was fitted with one pseudo-mistake instead",
            1.0 / beta
        );
        return Fitted::with_note(Temperature::at(beta, Some(Unbounded::Zero)), note);
    }
    match root(&slope) {
        Some(beta) => Fitted::clean(Temperature::at(beta, None)),
        None => Fitted::with_note(
            Temperature::at(1.0, None),
            "temperature could not be fitted within the range of numbers; confidence is left as it is".into(),
        ),
    }
}

/// The positive root of an increasing function that is negative at 0: doubled until bracketed, then halved in log β.
fn root(slope: &impl Fn(f64) -> f64) -> Option<f64> {
    let (mut low, mut high) = (1.0_f64, 1.0_f64);
    while slope(high) < 0.0 {
        high *= 2.0;
        if !high.is_finite() {
            return None;
        }
    }
    while slope(low) > 0.0 {
        low *= 0.5;
        if low == 0.0 {
            return None;
        }
    }
    // Illinois false position in β, kept inside a bracket that also halves: few evaluations, certain to end.
    let (mut f_low, mut f_high) = (slope(low), slope(high));
    if f_low == 0.0 {
        return Some(low);
    }
    for step in 0..200 {
        if high - low <= 4.0 * f64::EPSILON * high {
            break;
        }
        let secant = (low * f_high - high * f_low) / (f_high - f_low);
        let middle = if step % 3 == 2 || !(secant > low && secant < high) { (low * high).sqrt() } else { secant };
        if middle <= low || middle >= high {
            break;
        }
        let f = slope(middle);
        if f == 0.0 {
            return Some(middle);
        }
        if f < 0.0 {
            (low, f_low) = (middle, f);
            f_high *= 0.5;
        } else {
            (high, f_high) = (middle, f);
            f_low *= 0.5;
        }
    }
    Some(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_a_known_temperature() {
        // Scores whose outcome rates are exactly logistic(logit / 2).
        let (mut scores, mut correct) = (Vec::new(), Vec::new());
        for score in [0.6_f64, 0.8, 0.95, 0.99] {
            let rate = logistic(clipped_logit(score) / 2.0);
            for i in 0..100_000 {
                scores.push(score);
                correct.push((f64::from(i) + 0.5) / 100_000.0 < rate);
            }
        }
        let fit = Temperature::fit(&Rows::new(scores, correct).unwrap());
        assert!((fit.model.temperature.unwrap() - 2.0).abs() < 1e-3, "{:?}", fit.model);
        assert!(fit.notes.is_empty());
    }

    #[test]
    fn unbounded_fits_say_so() {
        let separable = Rows::new(vec![0.2, 0.7, 0.9], vec![false, true, true]).unwrap();
        let fit = Temperature::fit(&separable);
        assert_eq!(fit.model.unbounded, Some(Unbounded::Zero));
        assert!(fit.model.temperature.unwrap() > 0.0 && fit.notes[0].contains("unbounded"));
        let reversed = Rows::new(vec![0.2, 0.7, 0.9], vec![true, false, false]).unwrap();
        let fit = Temperature::fit(&reversed);
        assert_eq!((fit.model.unbounded, fit.model.temperature), (Some(Unbounded::Infinity), None));
        assert_eq!(fit.model.apply(0.99), 0.5);
        // One row barely on the wrong side: a finite optimum, however extreme.
        let nearly = Rows::new(vec![0.2, 0.7, 0.9, 0.5 - 1e-7], vec![false, true, true, true]).unwrap();
        let fit = Temperature::fit(&nearly);
        assert_eq!(fit.model.unbounded, None);
        assert!(fit.model.inverse_temperature > 10.0, "{:?}", fit.model);
    }
}
