//! Logistic regression with a few coefficients, by Newton's method.
//!
//! Made for the edges that calibration meets all the time: constant features (the answer stays as near to the start as
//! it can), separable data (iteration ends and says so, nothing overflows), a million rows (partial sums over fixed
//! chunks, so the result has the same bits on any number of threads).

use crate::numeric::{exp, ln};
use crate::platform::map_indices;

/// Rows that one task of a parallel sum takes; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 16_384;

/// What the two outcomes count as in a logistic regression: 0 and 1, or values drawn towards the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// The target of a row whose outcome is false.
    pub negative: f64,
    /// The target of a row whose outcome is true.
    pub positive: f64,
}

impl Targets {
    /// Plain maximum likelihood.
    pub const HARD: Self = Self { negative: 0.0, positive: 1.0 };

    /// Platt's targets `1 / (N₋ + 2)` and `(N₊ + 1) / (N₊ + 2)`, which keep the optimum finite on separable data.
    pub fn smoothed(outcomes: &[bool]) -> Self {
        let positives = outcomes.iter().filter(|&&outcome| outcome).count() as f64;
        let negatives = outcomes.len() as f64 - positives;
        Self { negative: 1.0 / (negatives + 2.0), positive: (positives + 1.0) / (positives + 2.0) }
    }
}

/// A fitted logistic regression.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticFit<const D: usize> {
    /// Coefficients, one a feature.
    pub coefficients: [f64; D],
    /// Whether the optimum was reached.
    pub converged: bool,
    /// Whether every row lies on the right side: with hard targets the likelihood then has no finite maximum.
    pub separated: bool,
}

/// Loss, gradient and Hessian over some rows, and the least margin of a row.
#[derive(Clone, Copy)]
struct Moments<const D: usize> {
    loss: f64,
    gradient: [f64; D],
    hessian: [[f64; D]; D],
    least_margin: f64,
}

impl<const D: usize> Moments<D> {
    const ZERO: Self = Self { loss: 0.0, gradient: [0.0; D], hessian: [[0.0; D]; D], least_margin: f64::INFINITY };

    /// The largest component of the gradient.
    fn steepest(&self) -> f64 {
        self.gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()))
    }

    fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        for i in 0..D {
            self.gradient[i] += other.gradient[i];
            for j in 0..D {
                self.hessian[i][j] += other.hessian[i][j];
            }
        }
        self.least_margin = self.least_margin.min(other.least_margin);
    }
}

/// Logistic regression of `outcomes` on `rows` features by damped Newton steps (Lin, Lin & Weng 2007).
///
/// `feature(row)` gives the D features of a row (put a 1 among them for an intercept). Where the features are linearly
/// dependent on these rows, the step of least norm is taken, so the answer stays as near to `start` as it can be.
pub fn logistic_regression<const D: usize>(
    outcomes: &[bool],
    feature: impl Fn(usize) -> [f64; D] + Sync + Send,
    targets: Targets,
    start: [f64; D],
) -> LogisticFit<D> {
    if outcomes.len() < MANY_ROWS {
        return descend(outcomes, &feature, targets, start);
    }
    // Of very many rows, some say almost where the optimum is; all of them then need only a step or two.
    let some: Vec<bool> = outcomes.iter().copied().step_by(STRIDE).collect();
    let near = descend(&some, &|row| feature(row * STRIDE), targets, start);
    let start = if near.converged && !near.separated { near.coefficients } else { start };
    descend(outcomes, &feature, targets, start)
}

/// Rows from which a fit on some of them comes first.
const MANY_ROWS: usize = 100_000;
/// Of how many rows one is taken for that.
const STRIDE: usize = 32;

/// Newton's descent from a start.
fn descend<const D: usize>(
    outcomes: &[bool],
    feature: &(impl Fn(usize) -> [f64; D] + Sync + Send),
    targets: Targets,
    start: [f64; D],
) -> LogisticFit<D> {
    let rows = outcomes.len();
    let evaluate = |theta: &[f64; D]| all_moments(outcomes, feature, targets, theta);
    let mut theta = start;
    let mut here = evaluate(&theta);
    let mut converged = false;
    for _ in 0..100 {
        if here.steepest() <= 1e-13 * rows as f64 {
            converged = true;
            break;
        }
        let step = solve_positive(&here.hessian, &here.gradient);
        let slope: f64 = step.iter().zip(&here.gradient).map(|(s, g)| s * g).sum();
        let mut scale = 1.0;
        let accepted = loop {
            let mut next = theta;
            for i in 0..D {
                next[i] -= scale * step[i];
            }
            let there = evaluate(&next);
            // Near the optimum the loss no longer shows a gain that the gradient still does.
            let polished = slope <= 1e-9 * here.loss.abs() && there.steepest() < here.steepest();
            if there.loss <= here.loss - 1e-4 * scale * slope || polished {
                break Some((next, there));
            }
            scale *= 0.5;
            if scale < 1e-9 {
                break None;
            }
        };
        // No step lowers the loss: the optimum is reached as nearly as rounding allows.
        let Some((next, there)) = accepted else {
            converged = true;
            break;
        };
        (theta, here) = (next, there);
    }
    LogisticFit { coefficients: theta, converged, separated: rows > 0 && here.least_margin > 0.0 }
}

/// The loss of a logistic regression (negative log-likelihood, summed over rows) and its gradient at `theta`.
pub fn logistic_loss<const D: usize>(
    outcomes: &[bool],
    feature: &(impl Fn(usize) -> [f64; D] + Sync + Send),
    targets: Targets,
    theta: &[f64; D],
) -> (f64, [f64; D]) {
    let all = all_moments(outcomes, feature, targets, theta);
    (all.loss, all.gradient)
}

/// Whether `theta` puts every row on the right side.
pub fn separates<const D: usize>(
    outcomes: &[bool],
    feature: &(impl Fn(usize) -> [f64; D] + Sync + Send),
    theta: &[f64; D],
) -> bool {
    !outcomes.is_empty() && all_moments(outcomes, feature, Targets::HARD, theta).least_margin > 0.0
}

fn all_moments<const D: usize>(
    outcomes: &[bool],
    feature: &(impl Fn(usize) -> [f64; D] + Sync + Send),
    targets: Targets,
    theta: &[f64; D],
) -> Moments<D> {
    let rows = outcomes.len();
    let partial = map_indices(rows.div_ceil(CHUNK), |chunk| {
        let from = chunk * CHUNK;
        moments(from..rows.min(from + CHUNK), outcomes, feature, targets, theta)
    });
    let mut total = Moments::ZERO;
    partial.iter().for_each(|part| total.add(part));
    total
}

fn moments<const D: usize>(
    rows: std::ops::Range<usize>,
    outcomes: &[bool],
    feature: &impl Fn(usize) -> [f64; D],
    targets: Targets,
    theta: &[f64; D],
) -> Moments<D> {
    let mut sum = Moments::ZERO;
    // ln(1 + e) is summed as the logarithm of a product: factors are at most 2, so 512 of them cannot overflow.
    let mut product = 1.0_f64;
    for (position, row) in rows.enumerate() {
        let x = feature(row);
        let z: f64 = x.iter().zip(theta).map(|(x, t)| x * t).sum();
        let target = if outcomes[row] { targets.positive } else { targets.negative };
        sum.least_margin = sum.least_margin.min(if outcomes[row] { z } else { -z });
        let e = exp(-z.abs());
        let inverse = 1.0 / (1.0 + e);
        let p = if z >= 0.0 { inverse } else { e * inverse };
        let curvature = e * inverse * inverse;
        sum.loss += z.max(0.0) - target * z;
        product *= 1.0 + e;
        if position % 512 == 511 {
            sum.loss += ln(product);
            product = 1.0;
        }
        for i in 0..D {
            sum.gradient[i] += (p - target) * x[i];
            for j in 0..=i {
                sum.hessian[i][j] += curvature * x[i] * x[j];
            }
        }
    }
    sum.loss += ln(product);
    for i in 0..D {
        for j in i + 1..D {
            sum.hessian[i][j] = sum.hessian[j][i];
        }
    }
    sum
}

/// Solves `matrix · x = right` for a positive semidefinite matrix; where it is singular, a vanishing ridge makes the
/// solution the one of least norm.
fn solve_positive<const D: usize>(matrix: &[[f64; D]; D], right: &[f64; D]) -> [f64; D] {
    let trace: f64 = (0..D).map(|i| matrix[i][i]).sum();
    // Small enough not to slow Newton's steps, large enough that rounding does not steer them where the matrix is
    // singular. A Hessian that has vanished (every probability 0 or 1) leaves steepest descent.
    let mut ridge = if trace > 0.0 { 1e-10 * trace } else { 1.0 };
    loop {
        if let Some(solution) = cholesky_solve(matrix, right, ridge) {
            return solution;
        }
        ridge *= 100.0;
    }
}

fn cholesky_solve<const D: usize>(matrix: &[[f64; D]; D], right: &[f64; D], ridge: f64) -> Option<[f64; D]> {
    let mut lower = [[0.0; D]; D];
    for i in 0..D {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            if i == j {
                let pivot = matrix[i][i] + ridge - dot;
                // A ridge that has grown beyond everything always passes, so that the search for one ends.
                if (pivot.is_nan() || pivot <= 0.25 * ridge) && ridge.is_finite() {
                    return None;
                }
                lower[i][i] = pivot.sqrt();
            } else {
                lower[i][j] = (matrix[i][j] - dot) / lower[j][j];
            }
        }
    }
    let mut x = *right;
    for i in 0..D {
        let dot: f64 = (0..i).map(|k| lower[i][k] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[i][i];
    }
    for i in (0..D).rev() {
        let dot: f64 = (i + 1..D).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_optimum_of_a_small_regression() {
        // Two groups, two parameters: the fitted probabilities are the groups' rates.
        let outcomes: Vec<bool> = (0..40).map(|i| if i < 20 { i < 5 } else { i < 36 }).collect();
        let fit = logistic_regression(&outcomes, |i| [f64::from(u8::from(i >= 20)), 1.0], Targets::HARD, [0.0, 0.0]);
        assert!(fit.converged && !fit.separated);
        assert!((crate::numeric::logistic(fit.coefficients[1]) - 0.25).abs() < 1e-12);
        assert!((crate::numeric::logistic(fit.coefficients[0] + fit.coefficients[1]) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn very_many_rows_have_the_same_optimum() {
        let feature = |i: usize| [(i * 7919 % 1000) as f64 / 250.0 - 2.0, 1.0];
        let outcomes: Vec<bool> =
            (0..MANY_ROWS).map(|i| (i * 104_729 % 997) as f64 / 997.0 < 0.3 + 0.1 * feature(i)[0]).collect();
        let quick = logistic_regression(&outcomes, feature, Targets::HARD, [0.0; 2]);
        let plain = descend(&outcomes, &feature, Targets::HARD, [0.0; 2]);
        assert!(quick.converged && !quick.separated);
        for (a, b) in quick.coefficients.iter().zip(plain.coefficients) {
            assert!((a - b).abs() < 1e-9, "{quick:?} {plain:?}");
        }
        // Every 32nd row is all right, the rest is not: a start from there must not lead astray.
        let trap: Vec<bool> = (0..MANY_ROWS).map(|i| i % STRIDE == 0 || i % 3 == 0).collect();
        let fit = logistic_regression(&trap, |_| [1.0], Targets::HARD, [0.0]);
        let rate = trap.iter().filter(|right| **right).count() as f64 / MANY_ROWS as f64;
        assert!((crate::numeric::logistic(fit.coefficients[0]) - rate).abs() < 1e-9, "{fit:?}");
    }

    #[test]
    fn separable_constant_and_empty_data_stay_finite() {
        let separated: Vec<bool> = (0..10).map(|i| i >= 5).collect();
        let fit = logistic_regression(&separated, |i| [i as f64, 1.0], Targets::HARD, [0.0; 2]);
        assert!(fit.separated && fit.coefficients.iter().all(|c| c.is_finite()), "{fit:?}");
        // A constant feature 2 beside the intercept 1: the least-norm answer lies along (2, 1).
        let outcomes: Vec<bool> = (0..10).map(|i| i < 7).collect();
        let fit = logistic_regression(&outcomes, |_| [2.0, 1.0], Targets::HARD, [0.0; 2]);
        assert!((fit.coefficients[0] - 2.0 * fit.coefficients[1]).abs() < 1e-6, "{fit:?}");
        let z = 2.0 * fit.coefficients[0] + fit.coefficients[1];
        assert!((crate::numeric::logistic(z) - 0.7).abs() < 1e-9);
        let fit = logistic_regression(&[], |_| [1.0], Targets::HARD, [0.0]);
        assert_eq!(fit.coefficients, [0.0]);
    }

    proptest! {
        /// At the optimum of an unpenalized regression with intercept, the fitted probabilities sum to the targets.
        #[test]
        fn fitted_probabilities_balance(rows in prop::collection::vec((-4.0_f64..4.0, any::<bool>()), 3..60)) {
            let outcomes: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let targets = Targets::smoothed(&outcomes);
            let fit = logistic_regression(&outcomes, |i| [rows[i].0, 1.0], targets, [0.0; 2]);
            let [slope, intercept] = fit.coefficients;
            let fitted: f64 = rows.iter().map(|r| crate::numeric::logistic(slope * r.0 + intercept)).sum();
            let wanted: f64 = outcomes.iter().map(|&o| if o { targets.positive } else { targets.negative }).sum();
            prop_assert!((fitted - wanted).abs() < 1e-6, "{fitted} {wanted}");
        }
    }
}
