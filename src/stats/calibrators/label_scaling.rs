//! Vector scaling (Guo et al. 2017) and Dirichlet calibration with ODIR (Kull et al. 2019): calibration of a whole
//! distribution over labels.
//!
//! Both are multinomial regressions on the label log-shares x, started at the identity. Vector scaling gives each label
//! a weight and an intercept; Dirichlet calibration a full matrix, whose off-diagonal entries and intercepts are
//! penalized (ODIR) by a strength chosen on held-out rows. A wide prior (standard deviation 10 around "change nothing")
//! on what is not penalized keeps every fit finite: labels that never occur and separable rows are ordinary input here.
//!
//! They may change which label is the most likely one; the methods that map a single score cannot.

use serde::{Deserialize, Serialize};

use super::{Fitted, refuse};
use crate::error::{Error, Result};
use crate::numeric::{exp, log_sum_exp};
use crate::platform::map_indices;
use crate::stats::folds::Folds;
use crate::stats::optimize::{Stopping, lbfgs};
use crate::stats::rows::{LabelRows, Rows};

/// A weight and an intercept a label: `softmax(weight ⊙ x + intercept)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// Weight of each label's log-share.
    pub weights: Vec<f64>,
    /// Intercept of each label.
    pub intercepts: Vec<f64>,
}

/// A matrix and intercepts: `softmax(weights · x + intercepts)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dirichlet {
    /// One row of weights a label.
    pub weights: Vec<Vec<f64>>,
    /// Intercept of each label.
    pub intercepts: Vec<f64>,
    /// Strength of the off-diagonal and intercept regularization (λ = μ).
    pub regularization: f64,
}

/// Variance of the prior around "change nothing".
const PRIOR_VARIANCE: f64 = 100.0;
/// Strengths tried for ODIR, strongest first.
const STRENGTHS: [f64; 6] = [100.0, 10.0, 1.0, 0.1, 0.01, 0.001];
/// When a fit ends: the gradient is that of the mean loss.
const STOPPING: Stopping = Stopping { gradient: 1e-7, decrease: 1e-13, iterations: 500 };
/// Rows of one partial sum.
const CHUNK: usize = 512;

/// Mean negative log-likelihood of `softmax(scores(row))` and its gradient, which `push` collects into a flat vector.
fn likelihood(
    rows: &LabelRows,
    gradient: &mut [f64],
    scores: impl Fn(&[f64], &mut [f64]) + Sync + Send,
    push: impl Fn(&[f64], &[f64], &mut [f64]) + Sync + Send,
) -> f64 {
    let (n, classes, size) = (rows.len(), rows.classes(), gradient.len());
    let parts = map_indices(n.div_ceil(CHUNK), |chunk| {
        let (mut loss, mut part, mut z) = (0.0, vec![0.0; size], vec![0.0; classes]);
        for row in chunk * CHUNK..n.min((chunk + 1) * CHUNK) {
            let x = rows.log_shares(row);
            scores(x, &mut z);
            let total = log_sum_exp(&z);
            loss += total - z[rows.expected(row)];
            z.iter_mut().for_each(|z| *z = exp(*z - total));
            z[rows.expected(row)] -= 1.0;
            push(x, &z, &mut part);
        }
        (loss, part)
    });
    let scale = 1.0 / n as f64;
    gradient.fill(0.0);
    let mut loss = 0.0;
    for (part_loss, part) in &parts {
        loss += part_loss;
        gradient.iter_mut().zip(part).for_each(|(g, p)| *g += scale * p);
    }
    scale * loss
}

/// Adds `strength / 2 · (value − centre)²` to the loss and its derivative to the gradient.
fn pull(value: f64, centre: f64, strength: f64, gradient: &mut f64) -> f64 {
    *gradient += strength * (value - centre);
    0.5 * strength * (value - centre) * (value - centre)
}

fn normalized(mut z: Vec<f64>) -> Vec<f64> {
    let total = log_sum_exp(&z);
    z.iter_mut().for_each(|z| *z -= total);
    z
}

/// What a user should know about labels that the rows never have.
fn missing_labels(rows: &LabelRows) -> Option<String> {
    let mut seen = vec![false; rows.classes()];
    (0..rows.len()).for_each(|row| seen[rows.expected(row)] = true);
    let missing = seen.iter().filter(|seen| !**seen).count();
    (missing > 0).then(|| {
        format!("{missing} of {} labels never occur among the rows; their probability can only shrink", seen.len())
    })
}

impl Vector {
    /// Fits weights and intercepts.
    pub fn fit(rows: &LabelRows) -> Fitted<Self> {
        let classes = rows.classes();
        let prior = 1.0 / (PRIOR_VARIANCE * rows.len() as f64);
        let mut start = vec![1.0; classes];
        start.resize(2 * classes, 0.0);
        let minimum = lbfgs(start, STOPPING, |theta, gradient| {
            let (weights, intercepts) = theta.split_at(classes);
            let mut loss = likelihood(
                rows,
                gradient,
                |x, z| (0..classes).for_each(|k| z[k] = weights[k] * x[k] + intercepts[k]),
                |x, residual, part| {
                    for k in 0..classes {
                        part[k] += residual[k] * x[k];
                        part[classes + k] += residual[k];
                    }
                },
            );
            for k in 0..classes {
                loss += pull(weights[k], 1.0, prior, &mut gradient[k]);
                loss += pull(intercepts[k], 0.0, prior, &mut gradient[classes + k]);
            }
            loss
        });
        let (weights, intercepts) = minimum.point.split_at(classes);
        let mut fitted = Fitted::clean(Self { weights: weights.to_vec(), intercepts: intercepts.to_vec() });
        fitted.notes.extend(missing_labels(rows));
        fitted.note_if(!minimum.converged, || "vector scaling stopped before it converged".into());
        let falls = weights.iter().filter(|w| **w < 0.0).count();
        fitted.note_if(falls > 0, || {
            format!("{falls} labels have a negative weight: there, a higher probability goes with fewer right answers")
        });
        fitted
    }

    /// Calibrated log-shares.
    pub fn apply(&self, log_shares: &[f64]) -> Vec<f64> {
        let terms = log_shares.iter().zip(&self.weights).zip(&self.intercepts);
        normalized(terms.map(|((x, w), b)| w * x + b).collect())
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.weights.len() < 2 || self.weights.len() != self.intercepts.len() {
            return refuse("weights", "and intercepts must be as many as labels, two or more");
        }
        check_finite("weights", self.weights.iter().chain(&self.intercepts))
    }
}

fn check_finite<'a>(field: &str, mut values: impl Iterator<Item = &'a f64>) -> Result<()> {
    // The bound keeps products with log-shares (at least -745) finite.
    if values.all(|v| v.abs() <= 1e100) { Ok(()) } else { refuse(field, "must be finite numbers of ordinary size") }
}

impl Dirichlet {
    /// Fits matrix and intercepts; the regularization is `strength`, or the best of a few on held-out rows.
    ///
    /// # Errors
    /// Rows without label probabilities; a strength that is not a finite number, 0 or more.
    pub fn fit(sample: &Rows, strength: Option<f64>, seed: u64) -> Result<Fitted<Self>> {
        let rows = sample.labels().ok_or_else(|| Error::internal("Dirichlet calibration needs label rows"))?;
        let strength = match strength {
            Some(strength) if strength.is_finite() && strength >= 0.0 => strength,
            Some(strength) => {
                return Err(Error::usage(format!("a regularization of {strength} makes no sense"))
                    .in_field("regularization")
                    .help("use a number of 0 or more, or leave it out"));
            }
            None => choose_strength(sample, rows, seed)?,
        };
        let (theta, converged) = fit_odir(rows, strength, identity(rows.classes()));
        let mut fitted = Fitted::clean(Self::of(&theta, rows.classes(), strength));
        fitted.notes.extend(missing_labels(rows));
        fitted.note_if(!converged, || "Dirichlet calibration stopped before it converged".into());
        let parameters = rows.classes() * (rows.classes() + 1);
        fitted.note_if(parameters > rows.len(), || {
            format!(
                "Dirichlet calibration has {parameters} parameters for {} rows; it leans on its regularization",
                rows.len()
            )
        });
        Ok(fitted)
    }

    fn of(theta: &[f64], classes: usize, regularization: f64) -> Self {
        let (weights, intercepts) = theta.split_at(classes * classes);
        Self {
            weights: weights.chunks_exact(classes).map(<[f64]>::to_vec).collect(),
            intercepts: intercepts.to_vec(),
            regularization,
        }
    }

    /// Calibrated log-shares.
    pub fn apply(&self, log_shares: &[f64]) -> Vec<f64> {
        let row = |weights: &Vec<f64>| weights.iter().zip(log_shares).map(|(w, x)| w * x).sum::<f64>();
        normalized(self.weights.iter().zip(&self.intercepts).map(|(weights, b)| row(weights) + b).collect())
    }

    pub(super) fn check(&self) -> Result<()> {
        let classes = self.intercepts.len();
        if classes < 2 || self.weights.len() != classes || self.weights.iter().any(|row| row.len() != classes) {
            return refuse("weights", "must be a square matrix with a row for each of two or more intercepts");
        }
        check_finite("weights", self.weights.iter().flatten().chain(&self.intercepts))
    }
}

fn identity(classes: usize) -> Vec<f64> {
    let mut theta = vec![0.0; classes * (classes + 1)];
    (0..classes).for_each(|k| theta[k * classes + k] = 1.0);
    theta
}

fn fit_odir(rows: &LabelRows, strength: f64, start: Vec<f64>) -> (Vec<f64>, bool) {
    let classes = rows.classes();
    let prior = 1.0 / (PRIOR_VARIANCE * rows.len() as f64);
    let off_diagonal = 2.0 * strength / (classes * (classes - 1)) as f64 + prior;
    let intercept = 2.0 * strength / classes as f64 + prior;
    let minimum = lbfgs(start, STOPPING, |theta, gradient| {
        let mut loss = likelihood(
            rows,
            gradient,
            |x, z| {
                for (k, weights) in theta[..classes * classes].chunks_exact(classes).enumerate() {
                    z[k] = theta[classes * classes + k] + weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
                }
            },
            |x, residual, part| {
                for (k, row) in part[..classes * classes].chunks_exact_mut(classes).enumerate() {
                    row.iter_mut().zip(x).for_each(|(g, x)| *g += residual[k] * x);
                }
                part[classes * classes..].iter_mut().zip(residual).for_each(|(g, r)| *g += r);
            },
        );
        for k in 0..classes {
            for j in 0..classes {
                let (centre, strength) = if j == k { (1.0, prior) } else { (0.0, off_diagonal) };
                let at = k * classes + j;
                loss += pull(theta[at], centre, strength, &mut gradient[at]);
            }
            let at = classes * classes + k;
            loss += pull(theta[at], 0.0, intercept, &mut gradient[at]);
        }
        loss
    });
    (minimum.point, minimum.converged)
}

/// The strength with the least held-out log loss: three folds with few labels, one with many (a matrix of hundreds of
/// entries takes its time). Each fit starts where the next stronger one ended.
fn choose_strength(sample: &Rows, rows: &LabelRows, seed: u64) -> Result<f64> {
    // Too few distinct rows to hold any out: lean on the prior.
    let Ok(folds) = Folds::stratified(sample, 3, seed) else {
        return Ok(STRENGTHS[0]);
    };
    let used = if rows.classes() <= 10 { folds.count() } else { 1 };
    let mut losses = [0.0; STRENGTHS.len()];
    for fold in 0..used {
        let (train, test) = (rows.select(&folds.train(fold)), rows.select(&folds.test(fold)));
        let mut theta = identity(rows.classes());
        for (index, &strength) in STRENGTHS.iter().enumerate() {
            theta = fit_odir(&train, strength, theta).0;
            let model = Dirichlet::of(&theta, rows.classes(), strength);
            let loss = |row| -model.apply(test.log_shares(row))[test.expected(row)];
            losses[index] += (0..test.len()).map(loss).sum::<f64>();
            // Weaker ones overfit more: with many labels the rest is not worth its minutes.
            if used == 1 && index > 0 && losses[index] > losses[index - 1] {
                losses[index + 1..].fill(f64::INFINITY);
                break;
            }
        }
    }
    let best = (0..STRENGTHS.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0);
    Ok(STRENGTHS[best])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    /// Rows whose true log-shares are `weights · x + intercepts`, so that the fit should find them again.
    fn sample(n: usize, weights: &[[f64; 3]; 3], intercepts: [f64; 3], seed: u64) -> LabelRows {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let (mut logprobs, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let raw: Vec<f64> = (0..3).map(|_| 4.0 * random.random::<f64>()).collect();
            let x = normalized(raw);
            let z: Vec<f64> =
                (0..3).map(|k| intercepts[k] + (0..3).map(|j| weights[k][j] * x[j]).sum::<f64>()).collect();
            let p = normalized(z);
            let mut u = random.random::<f64>();
            let label = p.iter().position(|p| {
                u -= p.exp();
                u < 0.0
            });
            expected.push(label.unwrap_or(2));
            logprobs.extend(x);
        }
        LabelRows::new(&logprobs, 3, expected).unwrap()
    }

    #[test]
    fn recovers_the_distribution_that_made_the_rows() {
        let diagonal = [[0.5, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 1.4]];
        let rows = sample(20_000, &diagonal, [0.3, -0.3, 0.0], 1);
        let fit = Vector::fit(&rows).model;
        let full = Dirichlet::fit(&Rows::from_labels(rows.clone()).unwrap(), None, 1).unwrap().model;
        let truth = Vector { weights: vec![0.5, 0.9, 1.4], intercepts: vec![0.3, -0.3, 0.0] };
        let loss = |apply: &dyn Fn(&[f64]) -> Vec<f64>| {
            let row = |row| -apply(rows.log_shares(row))[rows.expected(row)];
            (0..rows.len()).map(row).sum::<f64>() / rows.len() as f64
        };
        let truth_loss = loss(&|x| truth.apply(x));
        for (name, apply) in
            [("vector", &(|x: &[f64]| fit.apply(x)) as &dyn Fn(&[f64]) -> Vec<f64>), ("dirichlet", &|x| full.apply(x))]
        {
            assert!(loss(apply) < truth_loss + 1e-5, "{name}: {} {truth_loss}", loss(apply));
            let off = |row| {
                let x = rows.log_shares(row);
                apply(x).iter().zip(truth.apply(x)).map(|(a, b)| (a.exp() - b.exp()).abs()).fold(0.0, f64::max)
            };
            let mean = (0..200).map(off).sum::<f64>() / 200.0;
            assert!(mean < 0.015, "{name} is off by {mean}");
        }
    }

    #[test]
    fn dirichlet_sees_what_vector_scaling_cannot() {
        // Labels 0 and 1 are swapped half of the time.
        let mixing = [[0.2, 0.8, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]];
        let rows = sample(6_000, &mixing, [0.0; 3], 2);
        let loss = |apply: &dyn Fn(&[f64]) -> Vec<f64>| {
            (0..rows.len()).map(|row| -apply(rows.log_shares(row))[rows.expected(row)]).sum::<f64>()
        };
        let sample = Rows::from_labels(rows.clone()).unwrap();
        let (vector, full) = (Vector::fit(&rows).model, Dirichlet::fit(&sample, Some(0.001), 0).unwrap().model);
        assert!(loss(&|x| full.apply(x)) < loss(&|x| vector.apply(x)) - 50.0);
    }

    #[test]
    fn separable_rows_and_missing_labels_stay_finite() {
        let logprobs: Vec<f64> = (0..30).flat_map(|i| [f64::from(i % 2), f64::from((i + 1) % 2), -3.0]).collect();
        let rows = LabelRows::new(&logprobs, 3, (0..30).map(|i| (i + 1) % 2).collect()).unwrap();
        let fit = Vector::fit(&rows);
        fit.model.check().unwrap();
        assert!(fit.notes.iter().any(|n| n.contains("1 of 3 labels never occur")), "{:?}", fit.notes);
        let fit = Dirichlet::fit(&Rows::from_labels(rows.clone()).unwrap(), None, 0).unwrap();
        fit.model.check().unwrap();
        assert!(fit.model.apply(rows.log_shares(0)).iter().all(|v| v.is_finite()));
    }
}
