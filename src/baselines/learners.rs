//! smartcore's learners on rows of numbers, as probabilities of labels.

use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::lasso::{Lasso, LassoParameters};
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use crate::error::{Error, Result};
use crate::numeric::log_sum_exp;
use crate::platform::map_indices;

/// Trees of a forest.
const TREES: usize = 300;
/// Rows of a leaf: a mean over fewer is no probability.
const LEAF_ROWS: usize = 3;
/// Strengths of the lasso that are tried, as parts of the strength from which on nothing is left.
const STRENGTHS: [f64; 8] = [0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.007, 0.003];
/// Folds by which the strength is chosen.
const FOLDS: usize = 5;
/// A linear probability is held this far from 0 and 1.
const MARGIN: f64 = 1e-3;

/// The learner's message as an error.
fn failed(failed: Failed) -> Error {
    Error::input(format!("the learner cannot be fitted on these rows: {failed}"))
}

fn matrix(rows: &[Vec<f64>]) -> Result<DenseMatrix<f64>> {
    DenseMatrix::from_2d_vec(&rows.to_vec()).map_err(failed)
}

/// Multinomial logistic regression, L2-regularized with a strength of 1 (scikit-learn's `C = 1`). A label without
/// training rows has probability 0.
///
/// # Errors
/// Rows that it cannot be fitted on.
pub fn logistic(known: &[Vec<f64>], truths: &[usize], asked: &[Vec<f64>], labels: usize) -> Result<Vec<Vec<f64>>> {
    let classes: Vec<u32> = truths.iter().map(|label| *label as u32).collect();
    let parameters = LogisticRegressionParameters::default().with_alpha(1.0);
    let model = LogisticRegression::fit(&matrix(known)?, &classes, parameters).map_err(failed)?;
    let (coefficients, intercept, fitted) = (model.coefficients(), model.intercept(), model.classes());
    let score = |row: &[f64], class: usize| {
        let products = row.iter().enumerate().map(|(place, value)| value * coefficients.get((class, place)));
        products.sum::<f64>() + intercept.get((class, 0))
    };
    let vector = |row: &Vec<f64>| {
        // Of two classes it keeps one set of weights: the second's.
        let scores: Vec<f64> = match fitted.len() {
            2 => vec![0.0, score(row, 0)],
            classes => (0..classes).map(|class| score(row, class)).collect(),
        };
        let total = log_sum_exp(&scores);
        let mut probabilities = vec![0.0; labels];
        fitted.iter().zip(scores).for_each(|(label, score)| probabilities[*label as usize] = (score - total).exp());
        probabilities
    };
    Ok(asked.iter().map(vector).collect())
}

/// A forest of regression trees a label.
///
/// # Errors
/// Rows that it cannot be fitted on.
pub fn forest(
    known: &[Vec<f64>],
    truths: &[usize],
    asked: &[Vec<f64>],
    labels: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>> {
    let [known, asked] = [matrix(known)?, matrix(asked)?];
    let width = known.shape().1;
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_min_samples_leaf(LEAF_ROWS)
        .with_m((width as f64).sqrt().ceil() as usize)
        .with_seed(seed);
    one_a_label(labels, truths, |is| {
        let model = RandomForestRegressor::fit(&known, is, parameters.clone()).map_err(failed)?;
        model.predict(&asked).map_err(failed)
    })
}

/// The lasso a label, its strength chosen by cross-validation. Where rows are no more than columns, each fit sees only the
/// columns that go with its outcome best, one fewer than it has rows (sure independence screening, Fan and Lv 2008): the
/// learner takes no more, and a fold's columns are chosen without its held-out rows.
///
/// # Errors
/// Rows that it cannot be fitted on.
pub fn lasso(
    known: &[Vec<f64>],
    truths: &[usize],
    asked: &[Vec<f64>],
    labels: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>> {
    let folds = folds(known.len(), seed);
    one_a_label(labels, truths, |is| {
        let strongest = strength_of_nothing(known, is);
        let errors = map_indices(STRENGTHS.len(), |place| error_of(known, is, &folds, strongest * STRENGTHS[place]));
        let errors: Vec<f64> = errors.into_iter().collect::<Result<_>>()?;
        let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b])).unwrap_or(0);
        fitted_lasso(known, is, strongest * STRENGTHS[best], asked)
    })
}

/// A regression on "is it this label?" for each label; of two labels, the second's is what the first leaves.
fn one_a_label(labels: usize, truths: &[usize], fit: impl Fn(&Vec<f64>) -> Result<Vec<f64>>) -> Result<Vec<Vec<f64>>> {
    let fitted = if labels == 2 { 1 } else { labels };
    let mut columns = Vec::with_capacity(labels);
    for label in 0..fitted {
        let is: Vec<f64> = truths.iter().map(|truth| f64::from(u8::from(*truth == label))).collect();
        let column = match is.iter().all(|value| *value == is[0]) {
            true => Vec::new(),
            false => fit(&is)?,
        };
        columns.push(column);
    }
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| {
        // A label without training rows has no column, and no probability.
        let held = |column: &Vec<f64>| if column.is_empty() { 0.0 } else { column[row].clamp(MARGIN, 1.0 - MARGIN) };
        let mut values: Vec<f64> = columns.iter().map(held).collect();
        if labels == 2 {
            values.push(1.0 - values[0]);
        }
        let total: f64 = values.iter().sum();
        values.iter().map(|value| value / total).collect()
    };
    Ok((0..rows).map(row).collect())
}

/// How far a column goes with the outcome: their covariance without its sign, the column scaled like all others.
fn association(rows: &[Vec<f64>], outcome: &[f64], place: usize) -> f64 {
    let n = rows.len() as f64;
    let mean = outcome.iter().sum::<f64>() / n;
    let values = || rows.iter().map(|row| row[place]);
    let centre = values().sum::<f64>() / n;
    let spread = (values().map(|value| (value - centre).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
    let covariance = values().zip(outcome).map(|(value, y)| (value - centre) * (y - mean)).sum::<f64>();
    (covariance / spread / n).abs()
}

/// The least strength that leaves no column.
fn strength_of_nothing(rows: &[Vec<f64>], outcome: &[f64]) -> f64 {
    (0..rows[0].len()).map(|place| association(rows, outcome, place)).fold(1e-9, f64::max)
}

/// The `most` columns that go with the outcome best, in their own order; of equals the first.
fn screened(mut columns: Vec<usize>, rows: &[Vec<f64>], outcome: &[f64], most: usize) -> Vec<usize> {
    let strengths: Vec<f64> = (0..rows[0].len()).map(|place| association(rows, outcome, place)).collect();
    columns.sort_by(|&a, &b| strengths[b].total_cmp(&strengths[a]).then(a.cmp(&b)));
    columns.truncate(most);
    columns.sort_unstable();
    columns
}

fn fitted_lasso(rows: &[Vec<f64>], outcome: &[f64], strength: f64, asked: &[Vec<f64>]) -> Result<Vec<f64>> {
    // A column that never changes within these rows cannot be scaled; it says nothing either.
    let varies = |place: &usize| rows.iter().any(|row| row[*place] != rows[0][*place]);
    let mut kept: Vec<usize> = (0..rows[0].len()).filter(varies).collect();
    if kept.len() >= rows.len() {
        kept = screened(kept, rows, outcome, rows.len() - 1);
    }
    let select = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        rows.iter().map(|row| kept.iter().map(|place| row[*place]).collect()).collect()
    };
    // Nor is there anything to learn where the outcome never changes, as may be in a fold of few rows.
    if kept.is_empty() || outcome.iter().all(|value| *value == outcome[0]) {
        return Ok(vec![outcome.iter().sum::<f64>() / outcome.len() as f64; asked.len()]);
    }
    let parameters = LassoParameters::default().with_alpha(strength).with_normalize(true);
    let model = Lasso::fit(&matrix(&select(rows))?, &outcome.to_vec(), parameters).map_err(failed)?;
    model.predict(&matrix(&select(asked))?).map_err(failed)
}

/// Mean squared error on rows that were not fitted on.
fn error_of(rows: &[Vec<f64>], outcome: &[f64], folds: &[usize], strength: f64) -> Result<f64> {
    let mut error = 0.0;
    for fold in 0..FOLDS {
        let part =
            |inside: bool| -> Vec<usize> { (0..rows.len()).filter(|&row| (folds[row] == fold) == inside).collect() };
        let (fitted, held_out) = (part(false), part(true));
        // Of fewer rows than folds, some folds hold none.
        if held_out.is_empty() {
            continue;
        }
        let rows_of = |places: &[usize]| places.iter().map(|&row| rows[row].clone()).collect::<Vec<_>>();
        let outcomes: Vec<f64> = fitted.iter().map(|&row| outcome[row]).collect();
        let predicted = fitted_lasso(&rows_of(&fitted), &outcomes, strength, &rows_of(&held_out))?;
        error += held_out.iter().zip(predicted).map(|(&row, value)| (value - outcome[row]).powi(2)).sum::<f64>();
    }
    Ok(error / rows.len() as f64)
}

/// A fold for each row, at random.
fn folds(rows: usize, seed: u64) -> Vec<usize> {
    use rand::SeedableRng;
    use rand::seq::SliceRandom;
    let mut folds: Vec<usize> = (0..rows).map(|row| row % FOLDS).collect();
    folds.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
    folds
}
