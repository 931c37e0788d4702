//! The commands that do statistics on a predictions file: `metrics`, `calibrate`, `apply`, `decide`, `samples`.
//!
//! Each reads rows, calls the statistics floor, and prints its answer as a table or as JSON. What the numbers mean is
//! decided there; here is only which file, which flags, which columns.

pub mod apply;
pub mod calibrate;
pub mod decide;
pub mod metrics;
pub mod promise;
pub mod samples;

use std::path::{Path, PathBuf};

use crate::dataset::predictions::{self, Predictions};
use crate::error::{Error, Result};
use crate::evaluate::RunFacts;
use crate::evaluate::rows::{calibration_rows, label_shares, usual_input};
use crate::stats::calibrated::{Applier, Calibrated, Scored};
use crate::stats::calibrators::Method;
use crate::stats::saved::{Binding, CalibratorFile};

/// Reads a predictions file whose rows all say whether they are right; notes are told on standard error.
///
/// # Errors
/// A file that cannot be read or holds a bad row, with its line and column.
pub fn read(path: &Path) -> Result<Predictions> {
    read_with(path, predictions::Options::default())
}

fn read_with(path: &Path, options: predictions::Options) -> Result<Predictions> {
    let path = predictions_file(path);
    let shown = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|error| Error::from(error).at_file(&shown))?;
    let read = predictions::read(&shown, &bytes, options)?;
    read.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(read)
}

/// The predictions of a run folder, or the file itself.
pub fn predictions_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("predictions.jsonl") } else { path.to_path_buf() }
}

/// What the predictions of a run folder belong to, by the `metrics.json` beside them; `None` where there is none.
pub fn run_binding(path: &Path) -> Option<Binding> {
    run_facts(path).map(|facts| facts.binding())
}

/// What the run was made of, by the `metrics.json` beside its predictions; `None` where there is none.
pub fn run_facts(path: &Path) -> Option<RunFacts> {
    /// The one part of the file that matters here.
    #[derive(serde::Deserialize)]
    struct Run {
        run: RunFacts,
    }
    let metrics = predictions_file(path).with_file_name("metrics.json");
    let text = std::fs::read_to_string(&metrics).ok()?;
    // A file of that name that `candor metrics --json` wrote knows no run.
    serde_json::from_str::<Run>(&text).ok().map(|run| run.run)
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

/// What a calibrator makes of each row.
///
/// # Errors
/// A calibrator for other labels, or for a number that the rows lack; the row is named.
pub fn calibrated(file: &CalibratorFile, predictions: &Predictions) -> Result<Vec<Calibrated>> {
    let scored = predictions.rows.first().is_some_and(|row| row.labels.is_some());
    let classes = if scored { predictions.classes() } else { Vec::new() };
    let applier = Applier::new(file, &classes)?;
    let shares = label_shares(predictions).filter(|_| scored);
    (predictions.rows.iter().enumerate())
        .map(|(index, row)| {
            let labels = row.labels.as_ref();
            let logprobs: Option<Vec<f64>> = classes.iter().map(|name| labels?.get(name)?.logprob).collect();
            let row_scored = Scored {
                label: row.label.as_ref().and_then(|label| classes.iter().position(|class| class == label)),
                total_probability: row.total_probability.unwrap_or(row.confidence),
                share: row.share,
                logprobs: logprobs.as_deref().unwrap_or_default(),
                shares: shares.as_ref().map_or(&[], |shares| &shares[index]),
            };
            applier.apply(&row_scored).map_err(|error| error.at_line(row.line))
        })
        .collect()
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
