//! A run's folder: `predictions.jsonl`, and made from it `metrics.json` and `report.html`.

use std::path::Path;

use super::output::Output;
use super::statistics::promise::Promise;
use super::statistics::{self, metrics, write_file};
use crate::error::{Error, Result};
use crate::evaluate::report::report_of;
use crate::evaluate::{Named, RunFacts, RunMetrics};
use crate::protocol::Prediction;
use crate::task::Task;

/// Writes predictions whole, as `predictions.jsonl`.
///
/// # Errors
/// A folder that cannot be written to.
pub fn write_predictions(folder: &Path, predictions: &[Prediction]) -> Result<()> {
    let at = |path: &Path, error: std::io::Error| Error::from(error).at_file(path.display().to_string());
    std::fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    let partial = folder.join("predictions.jsonl.part");
    let mut output = Output::file(&partial)?;
    predictions.iter().try_for_each(|prediction| output.json(prediction))?;
    output.flush()?;
    let whole = folder.join("predictions.jsonl");
    std::fs::rename(&partial, &whole).map_err(|error| at(&whole, error))
}

/// Makes the report and, last of all, the metrics of the predictions in a folder. A task gives the order of the labels,
/// and their values where they are a scale.
///
/// # Errors
/// Predictions that cannot be judged; a folder that cannot be written to.
pub fn finish(
    folder: &Path,
    facts: RunFacts,
    task: Option<&Task>,
    metrics_settings: &metrics::Settings,
    promise: &Promise,
) -> Result<RunMetrics> {
    let predictions = statistics::read(&folder.join("predictions.jsonl"))?;
    let computed = metrics::compute(&predictions, metrics_settings, metrics::SEED, task)?;
    let settings = promise.settings(metrics::SEED)?;
    let report = report_of(&predictions, &computed, &report_name(&facts), report_facts(&facts), &settings)?;
    write_file(&folder.join("report.html"), &report.to_html())?;
    let whole = RunMetrics { report: computed, run: facts };
    let text = serde_json::to_string_pretty(&whole).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&folder.join("metrics.json"), &(text + "\n"))?;
    Ok(whole)
}

fn report_name(facts: &RunFacts) -> String {
    let tuned = if facts.adapter.is_some() { " with an adapter" } else { "" };
    format!("{}{tuned} on {}", facts.model.name, facts.task.name)
}

/// How the run was made, for the end of the report.
fn report_facts(facts: &RunFacts) -> Vec<(String, String)> {
    let data = &facts.data;
    let mut all = vec![
        ("model".to_owned(), format!("{} (SHA-256 {})", facts.model.name, facts.model.sha256)),
        ("task".to_owned(), format!("{} (SHA-256 {})", facts.task.name, facts.task.sha256)),
        (
            "data".to_owned(),
            format!(
                "{}: {}, {} left out, {} repeat an earlier text",
                data.name,
                crate::chart::format::counted(data.rows as u64, "row", "rows"),
                data.left_out,
                data.repeated
            ),
        ),
        ("backend".to_owned(), facts.backend.clone()),
        ("time".to_owned(), format!("{:.1} s", facts.seconds)),
    ];
    let adapter = |adapter: &Named| ("adapter".to_owned(), format!("{} (SHA-256 {})", adapter.name, adapter.sha256));
    all.extend(facts.adapter.iter().map(adapter));
    all.extend(facts.calibrator.iter().map(|calibrator| ("calibrator".to_owned(), calibrator.clone())));
    all.extend(facts.bias.iter().map(|bias| ("label bias".to_owned(), bias.clone())));
    all
}
