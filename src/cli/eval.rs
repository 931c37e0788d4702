//! `candor eval`: a labelled data set through a model and a task, into a run folder.
//!
//! The folder holds `predictions.jsonl` (a row each, input order), `metrics.json` (every metric with its interval, and
//! what the run was made of) and `report.html`. Predictions are written as they come, under another name until all are
//! there, so that a folder never holds half a run under a whole run's names; the same call again goes on with them.

use std::path::{Path, PathBuf};

use super::classify::{load, read_task};
use super::output::Output;
use super::scoring::{self, BATCH_TEXTS, BIAS_TEXTS};
use super::statistics::metrics;
use super::statistics::promise::Promise;
use super::unfinished::{Unfinished, made_of};
use super::{input, progress, questions, run_folder, store};
use crate::classify::{Classifier, HowSure, quietly};
use crate::dataset::Dataset;
use crate::engine::{Cancel, Control};
use crate::error::{Error, Result};
use crate::evaluate::{DataFacts, Finish, Named, Repeats, RunFacts};
use crate::platform;
use crate::task::Task;
use crate::task::questions::QuestionSet;

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
    if let Some(set) = questions::read(&arguments.scoring.task)? {
        return ask(arguments, &set, json);
    }
    let task = read_task(&arguments.scoring.task)?;
    let adapter = arguments.scoring.open_adapter()?;
    let calibrator = arguments.scoring.open_calibrator(&task, adapter.as_ref())?;
    let finish = arguments.scoring.finish(calibrator.as_ref(), &task)?;
    let data = input::read(&arguments.data, &arguments.reading, true)?;
    let data = known_labels(data, &task, &arguments.data, arguments.reading.strict())?;
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
    let how_sure = arguments.scoring.how_sure(&task, &classifier)?;
    let repeated = classify(&classifier, &data, &finish, how_sure.as_ref(), arguments, &unfinished)?;
    let seconds = platform::now() - started;
    let computed_rows = data.examples.len() - unfinished.rows;
    unfinished.finish(&predictions_path)?;

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
    let whole = run_folder::finish(&arguments.out, facts, Some(&task), &arguments.metrics, &arguments.promise)?;
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

/// The same with a file of several questions.
fn ask(arguments: &Arguments, set: &QuestionSet, json: bool) -> Result<()> {
    let scoring = &arguments.scoring;
    scoring.check_for_questions()?;
    let data = input::read(&arguments.data, &arguments.reading, true)?;
    let data = known_labels(data, &set.task, &arguments.data, arguments.reading.strict())?;
    let model = Named { name: scoring.model.clone(), sha256: store::model_sha256(&scoring.model)? };
    let adapter = scoring.open_adapter()?;
    let name = scoring.adapter.as_ref().map(|path| path.display().to_string());
    let adapter_facts = name.zip(adapter.as_ref()).map(|(name, it)| Named { name, sha256: it.sha256() });
    let mut classifier = load(&scoring.model, scoring.backend.choice()?)?;
    classifier.set_adapter(adapter)?;
    let facts = RunFacts {
        model,
        adapter: adapter_facts,
        task: Named { name: set.task.name.clone(), sha256: set.sha256() },
        data: DataFacts {
            name: arguments.data.display().to_string(),
            rows: data.examples.len(),
            left_out: data.left_out,
            repeated: 0,
        },
        calibrator: None,
        bias: None,
        backend: classifier.model_info().backend,
        seconds: 0.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let flags = (&arguments.metrics, &arguments.promise);
    questions::eval(set, &classifier, &data, &scoring.options(), &arguments.out, facts, flags, json)
}

/// The place of the run's predictions, if nothing stands there that should be kept.
///
/// # Errors
/// A run that nobody asked to replace.
pub fn free(folder: &Path, overwrite: bool) -> Result<PathBuf> {
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
///
/// # Errors
/// No row left; with `strict`, a label that the task does not have.
pub fn known_labels(mut data: Dataset, task: &Task, file: &Path, strict: bool) -> Result<Dataset> {
    let names: Vec<&str> = task.labels.iter().map(|label| label.name.as_str()).collect();
    let shown = file.display().to_string();
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
    if strict || data.examples.is_empty() {
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
    how_sure: Option<&HowSure>,
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
        let mut results = pollster::block_on(repeats.classify(classifier, batch, &options, &mut control))?;
        if let Some(question) = how_sure {
            pollster::block_on(question.ask(classifier, &mut results, &options, &mut control))?;
        }
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
