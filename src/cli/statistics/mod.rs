//! The commands that do statistics on a predictions file: `metrics`, `calibrate`, `apply`, `decide`, `samples`.
//!
//! Each reads rows, calls the statistics floor, and prints its answer as a table or as JSON. What the numbers mean is
//! decided there; here is only which file, which flags, which columns.

pub mod apply;
pub mod calibrate;
pub mod decide;
pub mod metrics;
pub mod pictures;
pub mod report;
pub mod samples;

use std::path::Path;

use crate::dataset::predictions::{self, Predictions};
use crate::error::{Error, Result};
use crate::stats::calibrators::{Calibrator, Method};
use crate::stats::folds::text_key;
use crate::stats::metrics::evaluation;
use crate::stats::rows::{LabelRows, Rows};
use crate::stats::saved::{CalibratorFile, Input};

/// Reads a predictions file whose rows all say whether they are right; notes are told on standard error.
///
/// # Errors
/// A file that cannot be read or holds a bad row, with its line and column.
pub fn read(path: &Path) -> Result<Predictions> {
    read_with(path, predictions::Options::default())
}

fn read_with(path: &Path, options: predictions::Options) -> Result<Predictions> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Error::from(error).at_file(&shown))?;
    let read = predictions::read(&shown, &bytes, options)?;
    read.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(read)
}

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

/// Each row's label log-probabilities with its true label, where every row has both.
fn label_rows(predictions: &Predictions) -> Result<Option<LabelRows>> {
    let classes = predictions.classes();
    let mut logprobs = Vec::new();
    let mut expected = Vec::new();
    for row in &predictions.rows {
        let (Some(labels), Some(truth)) = (&row.labels, &row.expected) else { return Ok(None) };
        let values: Option<Vec<f64>> = classes.iter().map(|name| labels.get(name)?.logprob).collect();
        let (Some(values), Some(truth)) = (values, classes.iter().position(|name| name == truth)) else {
            return Ok(None);
        };
        logprobs.extend(values);
        expected.push(truth);
    }
    if classes.len() < 2 { Ok(None) } else { LabelRows::new(&logprobs, classes.len(), expected).map(Some) }
}

/// Reads a calibrator file.
///
/// # Errors
/// A file that cannot be read or is no calibrator.
pub fn read_calibrator(path: &Path) -> Result<CalibratorFile> {
    let named = |error: Error| error.at_file(path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
    CalibratorFile::from_json(&text).map_err(named)
}

/// Writes a file whole: a crash leaves the old one or the new one, never a half.
///
/// # Errors
/// A place that cannot be written to.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    let named = |error: std::io::Error| Error::from(error).at_file(path.display().to_string());
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    std::fs::write(&partial, text).map_err(named)?;
    std::fs::rename(&partial, path).map_err(named)
}

/// What a calibrator makes of each row's score.
///
/// # Errors
/// A calibrator that does not fit the rows.
pub fn calibrated(calibrator: &Calibrator, rows: &Rows) -> Result<Vec<f64>> {
    (0..rows.len()).map(|row| calibrator.apply_row(rows, row)).collect()
}

/// Parses a method's name, or `None` for `auto`.
///
/// # Errors
/// A name that is no method.
pub fn parse_method(name: &str) -> Result<Option<Method>> {
    if name.eq_ignore_ascii_case("auto") { Ok(None) } else { name.parse().map(Some) }
}

/// `0.722 [0.693, 0.750]`, or `–` where there is no number.
pub fn shown(value: Option<f64>, low: Option<f64>, high: Option<f64>) -> [String; 2] {
    let number = |value: f64| format!("{value:.4}");
    let interval = match (low, high) {
        (Some(low), Some(high)) => format!("[{}, {}]", number(low), number(high)),
        _ => String::new(),
    };
    [value.map_or_else(|| "–".to_owned(), number), interval]
}
