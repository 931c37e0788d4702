//! Predictions as the statistics take them: rows for metrics, rows for calibrators, and the metrics of a whole file.
//!
//! The command line and the browser's worker both come through here, so that the same predictions give the same numbers.

use crate::dataset::predictions::Predictions;
use crate::error::{Error, Result};
use crate::numeric::exp;
use crate::stats::bias_effect::{BiasEffect, bias_effect};
use crate::stats::cross_fit::CrossFitOptions;
use crate::stats::folds::{Folds, text_key};
use crate::stats::metrics::evaluation;
use crate::stats::metrics::report::{Options, Report, report};
use crate::stats::rows::{LabelRows, Rows, log_share};
use crate::stats::saved::Input;
use crate::task::Task;

/// Seed of everything random in the numbers, where nobody says: a run's numbers and those of `candor metrics` on its
/// predictions are then the same.
pub const SEED: u64 = 42;

/// Rows as the metrics take them.
pub fn evaluation_rows(predictions: &Predictions) -> Vec<evaluation::Row> {
    (predictions.rows.iter())
        .map(|row| evaluation::Row {
            confidence: row.confidence,
            correct: row.correct.unwrap_or(false),
            expected: row.expected.clone(),
            label: row.label.clone(),
            group: row.group.clone(),
            text: row.text.clone(),
            probabilities: row
                .labels
                .as_ref()
                .and_then(|labels| labels.iter().map(|(name, score)| Some((name.clone(), score.share?))).collect()),
        })
        .collect()
}

/// Which of a file's numbers calibrators take where nobody says: what its `confidence` is.
pub fn usual_input(predictions: &Predictions) -> Input {
    let is_share = predictions.rows.iter().all(|row| row.share == Some(row.confidence));
    let is_total = predictions.rows.iter().all(|row| row.total_probability == Some(row.confidence));
    if is_share && !is_total { Input::Share } else { Input::TotalProbability }
}

/// Rows as calibrators take them, by the input asked for.
///
/// # Errors
/// An input that the file does not carry.
pub fn calibration_rows(predictions: &Predictions, input: Input) -> Result<Rows> {
    let missing = |what: &str| {
        Error::input(format!("the predictions carry no {what}"))
            .help("use --input total-probability, or predictions that `candor classify` made")
    };
    let correct = predictions.rows.iter().map(|row| row.correct.unwrap_or(false)).collect();
    let scores: Option<Vec<f64>> = match input {
        Input::Share => predictions.rows.iter().map(|row| row.share).collect(),
        Input::TotalProbability | Input::LabelLogprobs => {
            Some(predictions.rows.iter().map(|row| row.total_probability.unwrap_or(row.confidence)).collect())
        }
    };
    let mut rows = Rows::new(scores.ok_or_else(|| missing("share"))?, correct)?;
    if let Some(labels) = label_rows(predictions)? {
        rows = rows.with_labels(labels)?;
    } else if input == Input::LabelLogprobs {
        return Err(missing("log-probabilities of all labels"));
    }
    let keys: Option<Vec<u64>> = predictions.rows.iter().map(|row| row.text.as_deref().map(text_key)).collect();
    match keys {
        Some(keys) => rows.with_keys(keys),
        None => Ok(rows),
    }
}

/// Rows as calibrators take them, what is calibrated being the file's own confidence, whatever that is: a probability of
/// the model, its word for how sure it is, or the result of another calibrator.
///
/// # Errors
/// A confidence that is none.
pub fn confidence_rows(predictions: &Predictions) -> Result<Rows> {
    let rows = &predictions.rows;
    let is_total = rows.iter().all(|row| row.total_probability.is_none_or(|total| total == row.confidence));
    if is_total || usual_input(predictions) == Input::Share {
        return calibration_rows(predictions, usual_input(predictions));
    }
    let scores = rows.iter().map(|row| row.confidence).collect();
    let with_scores = Rows::new(scores, rows.iter().map(|row| row.correct.unwrap_or(false)).collect())?;
    let keys: Option<Vec<u64>> = rows.iter().map(|row| row.text.as_deref().map(text_key)).collect();
    match keys {
        Some(keys) => with_scores.with_keys(keys),
        None => Ok(with_scores),
    }
}

/// Each row's label log-probabilities with its true and its predicted label, where every row has them.
fn label_rows(predictions: &Predictions) -> Result<Option<LabelRows>> {
    let classes = predictions.classes();
    let place = |name: &String| classes.iter().position(|class| class == name);
    let (mut logprobs, mut expected, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
    for row in &predictions.rows {
        let (Some(labels), Some(truth)) = (&row.labels, &row.expected) else { return Ok(None) };
        let values: Option<Vec<f64>> = classes.iter().map(|name| labels.get(name)?.logprob).collect();
        let (Some(values), Some(truth)) = (values, place(truth)) else { return Ok(None) };
        predicted.extend(row.label.as_ref().and_then(place));
        logprobs.extend(values);
        expected.push(truth);
    }
    if classes.len() < 2 {
        return Ok(None);
    }
    let rows = LabelRows::new(&logprobs, classes.len(), expected)?;
    if predicted.len() == rows.len() { rows.with_predicted(predicted).map(Some) } else { Ok(Some(rows)) }
}

/// Each row's label shares in the order of the file's classes, where every row has them: its own, or else those that
/// its log-probabilities give.
pub fn label_shares(predictions: &Predictions) -> Option<Vec<Vec<f64>>> {
    let classes = predictions.classes();
    (predictions.rows.iter())
        .map(|row| {
            let scores: Option<Vec<_>> = classes.iter().map(|name| row.labels.as_ref()?.get(name).copied()).collect();
            let scores = scores?;
            let own: Option<Vec<f64>> = scores.iter().map(|score| score.share).collect();
            own.or_else(|| {
                let logprobs: Option<Vec<f64>> = scores.iter().map(|score| score.logprob).collect();
                log_share(&logprobs?).ok().map(|shares| shares.iter().map(|share| exp(*share).min(1.0)).collect())
            })
        })
        .collect()
}

/// What a correction of label bias changes on these rows; `None` where not every row has all log-probabilities and a
/// true label, or where the rows cannot be split. `rows` are the same predictions as calibrators take them.
pub fn label_bias(predictions: &Predictions, rows: &Rows, seed: u64) -> Option<BiasEffect> {
    let classes = predictions.classes();
    let labels = rows.labels()?;
    let logprobs: Option<Vec<Vec<f64>>> = (predictions.rows.iter())
        .map(|row| classes.iter().map(|name| row.labels.as_ref()?.get(name)?.logprob).collect())
        .collect();
    let expected: Vec<usize> = (0..labels.len()).map(|row| labels.expected(row)).collect();
    let folds = Folds::stratified(rows, CrossFitOptions::default().folds, seed).ok()?;
    bias_effect(&logprobs?, &expected, &folds).ok()
}

/// Every metric of predictions. A task gives the order of the labels, and their values where they are a scale.
///
/// # Errors
/// Predictions whose probabilities are none, or whose labels are not the task's.
pub fn measure(predictions: &Predictions, mut options: Options, task: Option<&Task>) -> Result<Report> {
    if predictions.rows.iter().all(|row| row.labels.is_some()) {
        options.labels = predictions.classes();
    }
    if let Some(task) = task {
        let names: Vec<String> = task.labels.iter().map(|label| label.name.clone()).collect();
        if let Some(stranger) = predictions.classes().into_iter().find(|class| !names.contains(class)) {
            return Err(Error::input(format!("the predictions have a label {stranger:?} that the task does not have"))
                .in_field("--task")
                .help(format!("the task \"{}\" has the labels {}", task.name, names.join(", "))));
        }
        options.values = task.labels.iter().filter_map(|label| Some((label.name.clone(), label.value?))).collect();
        options.labels = names;
    }
    report(&evaluation_rows(predictions), &options)
}
