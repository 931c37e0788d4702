//! A probe: multinomial logistic regression on a model's last hidden state.
//!
//! The vectors were computed for classifying anyway, so a probe is trained in seconds, without touching the model. It has
//! as many coefficients as vectors have numbers, so it is always regularized (L2, on standardized features), and it is
//! always judged on rows it was not fitted on: [`cross_fit`] gives out-of-fold shares, with the penalty chosen inside each
//! fold's training rows only.

use serde::{Deserialize, Serialize};

use super::folds::Folds;
use super::optimize::{Stopping, lbfgs};
use super::rows::{LabelRows, Rows};
use crate::error::{Error, Result};
use crate::numeric::{exp, ln, log_sum_exp};
use crate::platform::map_indices;

/// Penalties to choose from, as the L2 weight on standardized coefficients, for the mean loss of a row times the rows.
pub const PENALTIES: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
/// Rows that one task of a parallel sum takes; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 256;

/// Vectors, one a row, with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// Rows × width.
    pub vectors: &'a [f32],
    /// Numbers a row.
    pub width: usize,
    /// Each row's label.
    pub truth: &'a [usize],
    /// How many labels there are.
    pub classes: usize,
}

impl Labelled<'_> {
    fn check(&self) -> Result<()> {
        if self.width == 0 || self.classes < 2 || self.vectors.len() != self.truth.len() * self.width {
            return Err(Error::input(format!(
                "{} numbers are not {} rows of {} with at least two labels",
                self.vectors.len(),
                self.truth.len(),
                self.width
            )));
        }
        if self.truth.iter().any(|label| *label >= self.classes) || self.vectors.iter().any(|x| !x.is_finite()) {
            return Err(Error::input("a row has a label that does not exist, or a number that is none"));
        }
        let mut seen = vec![false; self.classes];
        self.truth.iter().for_each(|label| seen[*label] = true);
        match seen.iter().filter(|seen| **seen).count() {
            0 | 1 => Err(Error::input("a probe needs rows of at least two labels").help("label more rows")),
            _ => Ok(()),
        }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.width..][..self.width]
    }
}

/// A fitted probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    width: usize,
    /// Classes × (width + 1), on the vectors as they are; the last of each class is its intercept.
    coefficients: Vec<f64>,
    /// The penalty it was fitted with.
    pub penalty: f64,
    /// Whether the optimum was reached.
    pub converged: bool,
}

impl Probe {
    /// Fits a probe on some of the rows.
    ///
    /// # Errors
    /// Rows that do not belong together; fewer than two labels among them.
    pub fn fit(data: &Labelled<'_>, rows: &[usize], penalty: f64) -> Result<Self> {
        data.check()?;
        if rows.is_empty() {
            return Err(Error::input("there are no rows to fit a probe on"));
        }
        let (width, classes, count) = (data.width, data.classes, rows.len() as f64);
        let mut mean = vec![0.0; width];
        let mut square = vec![0.0; width];
        for row in rows {
            for (at, x) in data.row(*row).iter().enumerate() {
                mean[at] += f64::from(*x) / count;
            }
        }
        for row in rows {
            for (at, x) in data.row(*row).iter().enumerate() {
                square[at] += (f64::from(*x) - mean[at]).powi(2) / count;
            }
        }
        // A feature that never changes says nothing: its inverse spread is 0.
        let inverse: Vec<f64> = square.iter().map(|s| if *s > 1e-20 { 1.0 / s.sqrt() } else { 0.0 }).collect();
        let features: Vec<f32> = (rows.iter())
            .flat_map(|row| data.row(*row).iter().enumerate())
            .map(|(at, x)| ((f64::from(*x) - mean[at]) * inverse[at]) as f32)
            .collect();
        let truth: Vec<usize> = rows.iter().map(|row| data.truth[*row]).collect();
        let stopping = Stopping { gradient: 1e-5 * count.max(1.0), decrease: 1e-9, iterations: 300 };
        let minimum = lbfgs(vec![0.0; classes * (width + 1)], stopping, |point, gradient| {
            objective(&features, &truth, (width, classes), penalty, point, gradient)
        });
        let mut coefficients = minimum.point;
        for class in coefficients.chunks_exact_mut(width + 1) {
            let (weights, intercept) = class.split_at_mut(width);
            for (at, weight) in weights.iter_mut().enumerate() {
                *weight *= inverse[at];
                intercept[0] -= *weight * mean[at];
            }
        }
        Ok(Self { width, coefficients, penalty, converged: minimum.converged })
    }

    /// The logarithm of each label's share for a vector.
    ///
    /// # Errors
    /// A vector of another length.
    pub fn log_shares(&self, vector: &[f32]) -> Result<Vec<f64>> {
        if vector.len() != self.width {
            return Err(Error::input(format!("the probe takes {} numbers, not {}", self.width, vector.len())));
        }
        let scores: Vec<f64> = (self.coefficients.chunks_exact(self.width + 1))
            .map(|class| class.iter().zip(vector).map(|(c, x)| c * f64::from(*x)).sum::<f64>() + class[self.width])
            .collect();
        let total = log_sum_exp(&scores);
        Ok(scores.iter().map(|score| score - total).collect())
    }
}

/// Sum of the rows' losses plus `penalty / 2` times the squared coefficients, intercepts left out.
fn objective(
    features: &[f32],
    truth: &[usize],
    (width, classes): (usize, usize),
    penalty: f64,
    point: &[f64],
    gradient: &mut [f64],
) -> f64 {
    let parts = map_indices(truth.len().div_ceil(CHUNK), |chunk| {
        let rows = chunk * CHUNK..((chunk + 1) * CHUNK).min(truth.len());
        let mut part = vec![0.0; point.len()];
        let mut loss = 0.0;
        let mut scores = vec![0.0; classes];
        for row in rows {
            let x = &features[row * width..][..width];
            for (score, class) in scores.iter_mut().zip(point.chunks_exact(width + 1)) {
                let mut sums = [0.0_f64; 8];
                for (at, (c, x)) in class.iter().zip(x).enumerate() {
                    sums[at % 8] += c * f64::from(*x);
                }
                *score = sums.iter().sum::<f64>() + class[width];
            }
            let total = log_sum_exp(&scores);
            loss += total - scores[truth[row]];
            for (class, (score, out)) in scores.iter().zip(part.chunks_exact_mut(width + 1)).enumerate() {
                let wrong = exp(score - total) - f64::from(u8::from(class == truth[row]));
                out.iter_mut().zip(x).for_each(|(out, x)| *out += wrong * f64::from(*x));
                out[width] += wrong;
            }
        }
        (loss, part)
    });
    let mut value = 0.0;
    gradient.fill(0.0);
    for (loss, part) in parts {
        value += loss;
        gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    for (class, sums) in point.chunks_exact(width + 1).zip(gradient.chunks_exact_mut(width + 1)) {
        for (c, sum) in class[..width].iter().zip(sums) {
            value += 0.5 * penalty * c * c;
            *sum += penalty * c;
        }
    }
    value
}

/// A probe on all rows, and what probes say of rows they were not fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossFitted {
    /// Rows × classes, logarithms of out-of-fold shares.
    pub log_shares: Vec<f64>,
    /// The probe fitted on all rows, for new ones.
    pub probe: Probe,
}

/// Cross-fits probes; rows with the same key (the same text) stay in one fold.
///
/// # Errors
/// Rows that do not belong together, too few of them, or of fewer than two labels.
pub fn cross_fit(data: &Labelled<'_>, keys: Option<Vec<u64>>, folds: usize, seed: u64) -> Result<CrossFitted> {
    cross_fit_watched(data, keys, folds, seed, &mut |_, _| {})
}

/// [`cross_fit`], telling `progress` how many of how many probes are chosen and fitted.
///
/// # Errors
/// As [`cross_fit`].
pub fn cross_fit_watched(
    data: &Labelled<'_>,
    keys: Option<Vec<u64>>,
    folds: usize,
    seed: u64,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<CrossFitted> {
    data.check()?;
    let folds = folds_of(data, keys, folds, seed)?;
    let whole = Some(folds.count() as u64 + 1);
    let mut log_shares = vec![0.0; data.truth.len() * data.classes];
    for fold in 0..folds.count() {
        progress(fold as u64, whole);
        let train = folds.train(fold);
        let penalty = choose_penalty(data, &train, &folds)?;
        let probe = Probe::fit(data, &train, penalty)?;
        for row in folds.test(fold) {
            log_shares[row * data.classes..][..data.classes].copy_from_slice(&probe.log_shares(data.row(row))?);
        }
    }
    progress(folds.count() as u64, whole);
    let all: Vec<usize> = (0..data.truth.len()).collect();
    let penalty = choose_penalty(data, &all, &folds)?;
    Ok(CrossFitted { log_shares, probe: Probe::fit(data, &all, penalty)? })
}

fn folds_of(data: &Labelled<'_>, keys: Option<Vec<u64>>, folds: usize, seed: u64) -> Result<Folds> {
    let uniform = vec![-ln(data.classes as f64); data.vectors.len() / data.width * data.classes];
    let mut rows = Rows::from_labels(LabelRows::new(&uniform, data.classes, data.truth.to_vec())?)?;
    if let Some(keys) = keys {
        rows = rows.with_keys(keys)?;
    }
    Folds::stratified(&rows, folds, seed)
}

/// The penalty with the least log loss on one fold of `rows`, fitted on the others.
fn choose_penalty(data: &Labelled<'_>, rows: &[usize], folds: &Folds) -> Result<f64> {
    // One whole fold among these rows, so that texts that repeat do not stand on both sides.
    let held_fold = rows.first().map_or(0, |row| folds.of_row()[*row]);
    let (held, fitted): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| folds.of_row()[**row] == held_fold);
    if fitted.is_empty() || held.is_empty() {
        return Ok(PENALTIES[PENALTIES.len() / 2]);
    }
    let mut best = (f64::INFINITY, PENALTIES[0]);
    for penalty in PENALTIES {
        let probe = Probe::fit(data, &fitted, penalty)?;
        let losses: Result<Vec<f64>> =
            held.iter().map(|row| Ok(-probe.log_shares(data.row(*row))?[data.truth[*row]])).collect();
        let loss = losses?.iter().sum::<f64>();
        if loss < best.0 {
            best = (loss, penalty);
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Three clusters around corners, with noise.
    fn clusters(rows: usize, width: usize, noise: f32) -> (Vec<f32>, Vec<usize>) {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let truth: Vec<usize> = (0..rows).map(|row| row % 3).collect();
        let vectors = truth.iter().flat_map(|label| (0..width).map(move |at| (at, *label))).map(|(at, label)| {
            let centre = if at % 3 == label { 3.0 } else { 1.0 };
            centre + noise * random.random_range(-1.0..1.0)
        });
        (vectors.collect(), truth)
    }

    #[test]
    fn it_finds_what_is_there_and_nothing_where_nothing_is() {
        let (vectors, mut truth) = clusters(300, 12, 4.0);
        let data = Labelled { vectors: &vectors, width: 12, truth: &truth, classes: 3 };
        let loss = |found: &CrossFitted, truth: &[usize]| {
            let rows = found.log_shares.chunks(3).zip(truth);
            rows.map(|(shares, label)| -shares[*label]).sum::<f64>() / truth.len() as f64
        };
        let found = cross_fit(&data, None, 5, 1).unwrap();
        assert!(loss(&found, &truth) < 0.6, "{}", loss(&found, &truth));
        assert_eq!(found, cross_fit(&data, None, 5, 1).unwrap());
        let json = serde_json::to_string(&found.probe).unwrap();
        assert_eq!(serde_json::from_str::<Probe>(&json).unwrap(), found.probe);

        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        truth.iter_mut().for_each(|label| *label = random.random_range(0..3));
        let shuffled = Labelled { vectors: &vectors, width: 12, truth: &truth, classes: 3 };
        let nothing = cross_fit(&shuffled, None, 5, 1).unwrap();
        assert!((loss(&nothing, &truth) - 3.0_f64.ln()).abs() < 0.06, "{}", loss(&nothing, &truth));
    }

    #[test]
    fn the_fit_is_where_the_gradient_vanishes_on_any_scale() {
        let (mut vectors, truth) = clusters(90, 6, 3.0);
        // One feature in huge units, one that never changes.
        vectors.chunks_mut(6).for_each(|row| (row[1], row[4]) = (row[1] * 1e6, 7.0));
        let data = Labelled { vectors: &vectors, width: 6, truth: &truth, classes: 3 };
        let rows: Vec<usize> = (0..90).collect();
        let probe = Probe::fit(&data, &rows, 1.0).unwrap();
        assert!(probe.converged);
        let right = rows.iter().filter(|row| {
            let shares = probe.log_shares(data.row(**row)).unwrap();
            (0..3).all(|label| shares[label] <= shares[truth[**row]])
        });
        assert!(right.count() > 70);
        // Intercepts are free, so in each class the mean share is the rate.
        for label in 0..3 {
            let mean =
                rows.iter().map(|row| probe.log_shares(data.row(*row)).unwrap()[label].exp()).sum::<f64>() / 90.0;
            assert!((mean - 1.0 / 3.0).abs() < 1e-3, "{mean}");
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let data = |truth| Labelled { vectors: &[0.0, 1.0, 2.0], width: 1, truth, classes: 2 };
        assert!(Probe::fit(&data(&[0, 0, 0]), &[0, 1, 2], 1.0).is_err());
        assert!(Probe::fit(&data(&[0, 1]), &[0, 1], 1.0).is_err());
        assert!(Probe::fit(&data(&[0, 1, 2]), &[0, 1, 2], 1.0).is_err());
        let probe = Probe::fit(&data(&[0, 1, 1]), &[0, 1, 2], 1.0).unwrap();
        assert!(probe.log_shares(&[0.0, 1.0]).is_err());
    }
}
