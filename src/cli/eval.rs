//! `candor eval`: a labelled data set through a model and a task, into a run folder.
//!
//! The folder holds `predictions.jsonl` (a row each, input order), `metrics.json` (every metric with its interval, and
//! what the run was made of) and `report.html`. Predictions are written as they come, under another name until all are
//! there, so that a folder never holds half a run under a whole run's names; the same call again goes on with them.

use std::path::{Path, PathBuf};

use super::classify::{load, read_task};
use super::output::Output;
use super::scoring::{self, BATCH_TEXTS, BIAS_TEXTS};
use super::statistics::promise::Promise;
use super::statistics::{self, metrics, write_file};
use super::unfinished::{Unfinished, made_of};
use super::{input, progress, store};
use crate::classify::{Classifier, quietly};
use crate::dataset::Dataset;
use crate::engine::{Cancel, Control};
use crate::error::{Error, Result};
use crate::evaluate::report::report_of;
use crate::evaluate::{DataFacts, Finish, Named, Repeats, RunFacts, RunMetrics};
use crate::platform;
use crate::task::Task;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: scoring::Arguments,
    /// The labelled data: CSV, TSV, JSON lines (plain or chat), or a folder of text files.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    reading: input::Arguments,
    /// The run's folder; made where it is not there.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Replace the run that is in the folder.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    metrics: metrics::Settings,
    #[command(flatten)]
    promise: Promise,
}

/// Runs the command.
///
/// # Errors
/// A model, task, calibrator or data set that cannot be read; labels that the task does not have; a folder that holds
/// a run already or cannot be written to.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let predictions_path = free(&arguments.out, arguments.overwrite)?;
    let task = read_task(&arguments.scoring.task)?;
    let adapter = arguments.scoring.open_adapter()?;
    let calibrator = arguments.scoring.open_calibrator(&task, adapter.as_ref())?;
    let finish = arguments.scoring.finish(calibrator.as_ref(), &task)?;
    let data = known_labels(input::read(&arguments.data, &arguments.reading, true)?, &task, arguments)?;
    let model = Named { name: arguments.scoring.model.clone(), sha256: store::model_sha256(&arguments.scoring.model)? };
    let shown_adapter = arguments.scoring.adapter.as_ref().map(|path| path.display().to_string());
    let adapter_facts = shown_adapter.zip(adapter.as_ref()).map(|(name, it)| Named { name, sha256: it.sha256() });
    let mut classifier = load(&arguments.scoring.model, arguments.scoring.backend.choice()?)?;
    classifier.set_adapter(adapter)?;
    let prepared = pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await))?;
    prepared.warnings.iter().for_each(|warning| eprintln!("note: {warning}"));
    let texts: Vec<&str> = data.examples.iter().take(BIAS_TEXTS).map(|row| row.text.as_str()).collect();
    let bias = pollster::block_on(quietly(async |control| classifier.fit_batch_bias(&texts, control).await))?;
    bias.iter().for_each(|summary| eprintln!("note: {summary}"));

    let ids: Vec<&str> = data.examples.iter().map(|row| row.id.as_str()).collect();
    let mut parts = parts_of_run(&model, adapter_facts.as_ref(), &task, &data, arguments)?;
    // Backends differ in the last digits: a run is of one.
    parts.push(classifier.model_info().backend);
    let key = made_of(parts.iter().map(String::as_str));
    let unfinished = Unfinished::open(&arguments.out, &key, &ids)?;
    if unfinished.rows > 0 {
        eprintln!("note: {} of {} rows were predicted before; going on with the others", unfinished.rows, ids.len());
    }
    let started = platform::now();
    let repeated = classify(&classifier, &data, &finish, arguments, &unfinished)?;
    let seconds = platform::now() - started;
    let computed_rows = data.examples.len() - unfinished.rows;
    unfinished.finish(&predictions_path)?;

    let predictions = statistics::read(&predictions_path)?;
    let computed = metrics::compute(&predictions, &arguments.metrics, metrics::SEED, Some(&task))?;
    let facts = RunFacts {
        model,
        adapter: adapter_facts,
        task: Named { name: task.name.clone(), sha256: task.sha256() },
        data: DataFacts {
            name: arguments.data.display().to_string(),
            rows: data.examples.len(),
            left_out: data.left_out,
            repeated,
        },
        calibrator: arguments.scoring.calibrator.as_ref().map(|path| path.display().to_string()),
        bias,
        backend: classifier.model_info().backend,
        seconds,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let settings = arguments.promise.settings(metrics::SEED)?;
    let report = report_of(&predictions, &computed, &report_name(&facts), report_facts(&facts), &settings)?;
    write_file(&arguments.out.join("report.html"), &report.to_html())?;
    let whole = RunMetrics { report: computed, run: facts };
    let text = serde_json::to_string_pretty(&whole).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&arguments.out.join("metrics.json"), &(text + "\n"))?;
    let rate = computed_rows as f64 / seconds.max(1e-9);
    eprintln!(
        "wrote {}: predictions.jsonl, metrics.json, report.html ({} rows, {rate:.1} rows/s)",
        arguments.out.display(),
        data.examples.len()
    );
    let mut output = Output::standard();
    if json {
        output.json(&whole)?;
    } else {
        metrics::print(&mut output, &whole.report)?;
    }
    output.flush()
}

/// Everything that changes a prediction.
fn parts_of_run(
    model: &Named,
    adapter: Option<&Named>,
    task: &Task,
    data: &Dataset,
    arguments: &Arguments,
) -> Result<Vec<String>> {
    let adapter = adapter.map_or_else(String::new, |adapter| adapter.sha256.clone());
    let mut parts = vec![model.sha256.clone(), adapter, task.sha256(), arguments.scoring.choices()?];
    for row in &data.examples {
        parts.push(row.id.clone());
        parts.push(row.text.clone());
        parts.push(row.label.clone().unwrap_or_default());
        parts.push(row.group.clone().unwrap_or_default());
    }
    Ok(parts)
}

/// The place of the run's predictions, if nothing stands there that should be kept.
fn free(folder: &Path, overwrite: bool) -> Result<PathBuf> {
    let path = folder.join("predictions.jsonl");
    if path.exists() && !overwrite {
        return Err(Error::usage("there is a run in this folder already")
            .at_file(folder.display().to_string())
            .in_field("--out")
            .help("give another folder, or --overwrite to replace it"));
    }
    Ok(path)
}

/// The rows whose label the task has; the others are told and left out.
fn known_labels(mut data: Dataset, task: &Task, arguments: &Arguments) -> Result<Dataset> {
    let names: Vec<&str> = task.labels.iter().map(|label| label.name.as_str()).collect();
    let shown = arguments.data.display().to_string();
    let mut unknown: indexmap::IndexMap<String, (usize, u64)> = indexmap::IndexMap::new();
    data.examples.retain(|row| match &row.label {
        Some(label) if names.contains(&label.as_str()) => true,
        label => {
            unknown.entry(label.clone().unwrap_or_default()).or_insert((0, row.line)).0 += 1;
            false
        }
    });
    let help = format!("the task \"{}\" has the labels {}", task.name, names.join(", "));
    let mut problems = unknown.iter().map(|(label, (rows, line))| {
        let rows = crate::chart::format::counted(*rows as u64, "row has", "rows have");
        Error::input(format!("{rows} the label {label:?}, which the task does not have (first in line {line})"))
            .at_file(&shown)
            .help(help.clone())
    });
    if arguments.reading.strict() || data.examples.is_empty() {
        let none = || Error::input("there are no labelled rows").at_file(&shown).help(help.clone());
        if let Some(problem) = problems.next().or_else(|| data.examples.is_empty().then(none)) {
            return Err(problem);
        }
    }
    problems.for_each(|problem| eprintln!("left out: {problem}"));
    data.left_out += unknown.values().map(|(rows, _)| rows).sum::<usize>();
    Ok(data)
}

/// Writes a prediction a row; returns how many rows repeat an earlier one's text.
fn classify(
    classifier: &Classifier,
    data: &Dataset,
    finish: &Finish<'_>,
    arguments: &Arguments,
    unfinished: &Unfinished,
) -> Result<usize> {
    let options = arguments.scoring.options();
    let mut output = unfinished.output()?;
    let mut repeats = Repeats::of(&data.examples);
    let bar = progress::bar("classified", progress::Unit::Rows);
    let mut done = unfinished.rows as u64;
    for batch in data.examples[unfinished.rows..].chunks(BATCH_TEXTS) {
        let mut quiet = |_, _| {};
        let mut control = Control::new(Cancel::default(), &mut quiet);
        let results = pollster::block_on(repeats.classify(classifier, batch, &options, &mut control))?;
        for (row, result) in batch.iter().zip(results) {
            super::classify::say_warnings(row, &result, false);
            output.json(&finish.row(row, result)?.prediction)?;
        }
        // What a kill finds on disk are whole batches.
        output.flush()?;
        done += batch.len() as u64;
        progress::set(&bar, done, Some(data.examples.len() as u64));
    }
    bar.finish_and_clear();
    output.flush()?;
    Ok(repeats.rows())
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
