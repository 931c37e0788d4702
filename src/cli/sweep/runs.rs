//! One planned run: a fine-tune, a model's through `candor eval` or `candor probe`, a calibrated one from another run, a
//! baseline's.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::file::{CONFIDENCES, Reading};
use super::plan::{Plan, Planned, What};
use crate::baselines::{self, Baseline};
use crate::cli::eval::known_labels;
use crate::cli::statistics::promise::Promise;
use crate::cli::statistics::{self, metrics, write_file};
use crate::cli::{input, run_folder};
use crate::dataset::duplicates;
use crate::engine::adapter::peft;
use crate::error::{Error, Result};
use crate::evaluate::rows::confidence_rows;
use crate::evaluate::{DataFacts, Named, RunFacts};
use crate::platform;
use crate::stats::calibrators::Method;
use crate::stats::cross_fit::{CrossFitOptions, out_of_fold};
use crate::task::Task;
use crate::train::Settings;

/// What stands beside a finished run.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// The run's name in the sweep.
    name: String,
    /// The hash of everything it depends on.
    hash: String,
}

/// The mark's file.
const MARK: &str = "sweep.json";

/// Whether the run is there already, made of the same things.
pub fn is_finished(planned: &Planned) -> bool {
    let text = std::fs::read_to_string(planned.folder.join(MARK)).unwrap_or_default();
    let same = serde_json::from_str::<Mark>(&text).is_ok_and(|mark| mark.hash == planned.hash);
    let files = match planned.is_compared() {
        true => ["predictions.jsonl", "metrics.json"],
        false => [peft::CONFIG_FILE, peft::WEIGHTS_FILE],
    };
    same && files.iter().all(|name| planned.folder.join(name).is_file())
}

/// Does a run; gives what to say of it.
///
/// # Errors
/// Whatever stopped it; a run that it is made from and that is not finished.
pub fn run(plan: &Plan, planned: &Planned) -> Result<String> {
    let started = platform::now();
    has_what_it_needs(plan, planned)?;
    match &planned.what {
        What::Finetune { model, task, settings, limit_tokens } => {
            finetune(plan, planned, (model, task), settings, *limit_tokens)?;
        }
        What::Model { model, adapter, task, confidence } => {
            let mut command = asking("eval", planned, (model, task), adapter.as_deref())?;
            command.arg("--data").arg(&plan.data.judged);
            // The usual one is not said: where several questions are asked there is no choice.
            if confidence != CONFIDENCES[0] {
                command.args(["--confidence", confidence]);
            }
            judged_rows(&mut command, plan);
            follow(command)?;
        }
        What::Probe { model, adapter, task } => {
            let mut command = asking("probe", planned, (model, task), adapter.as_deref())?;
            command.arg("--train").arg(train_of(plan)?).arg("--test").arg(&plan.data.judged);
            judged_rows(&mut command, plan);
            follow(command)?;
        }
        What::Calibrated { base, method } => calibrated(plan, planned, base, *method)?,
        What::Baseline(baseline) => fitted(plan, planned, *baseline)?,
    }
    let mark = Mark { name: planned.name.clone(), hash: planned.hash.clone() };
    let text = serde_json::to_string(&mark).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&planned.folder.join(MARK), &(text + "\n"))?;
    Ok(format!("done in {:.1} s", platform::now() - started))
}

/// Refuses a run whose ingredients are not all made: half a fine-tune has an adapter too, and a result that came of it
/// would be taken for the whole one's.
fn has_what_it_needs(plan: &Plan, planned: &Planned) -> Result<()> {
    match planned.needs.map(|place| &plan.runs[place]).filter(|needed| !is_finished(needed)) {
        Some(needed) => {
            let what = if needed.is_compared() { "the run that it is made from" } else { "its fine-tune" };
            Err(Error::input(format!("{what} failed: \"{}\"", needed.name)).help("its own reason stands above"))
        }
        None => Ok(()),
    }
}

/// `candor eval` or `candor probe`, so far.
fn asking(what: &str, planned: &Planned, (model, task): (&str, &Path), adapter: Option<&Path>) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(Error::from)?);
    command.args([what, "--overwrite", "--json", "--model", model]).arg("--task").arg(task);
    command.arg("--out").arg(&planned.folder);
    if let Some(adapter) = adapter {
        command.arg("--adapter").arg(adapter);
    }
    Ok(command)
}

/// How the judged rows are read, and how many of them.
fn judged_rows(command: &mut Command, plan: &Plan) {
    command.args(plan.data.reading.words());
    if let Some(limit) = plan.data.reading.limit {
        command.args(["--limit", &limit.to_string()]);
    }
}

fn train_of(plan: &Plan) -> Result<&Path> {
    plan.data.train.as_deref().ok_or_else(|| Error::usage("there are no training rows"))
}

/// `candor finetune`; one that was stopped goes on.
fn finetune(
    plan: &Plan,
    planned: &Planned,
    (model, task): (&str, &Path),
    settings: &Settings,
    limit_tokens: Option<usize>,
) -> Result<()> {
    std::fs::create_dir_all(&planned.folder).map_err(|error| super::at(&planned.folder, error))?;
    let settings_file = planned.folder.join("settings.toml");
    let text = toml::to_string(settings).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&settings_file, &text)?;
    let mut command = Command::new(std::env::current_exe().map_err(Error::from)?);
    command.args(["finetune", "--resume", "--json", "--model", model]).arg("--task").arg(task);
    command.arg("--settings").arg(settings_file).arg("--out").arg(&planned.folder);
    // A seed that is given goes before that of the settings, so theirs is given.
    let reading = Reading { seed: settings.seed, ..plan.data.train_reading.clone() };
    command.arg("--train").arg(train_of(plan)?).args(reading.words());
    if let Some(limit) = limit_tokens {
        command.args(["--limit-tokens", &limit.to_string()]);
    }
    if let Some(valid) = &plan.data.valid {
        command.arg("--valid").arg(valid);
    }
    follow(command)
}

/// Runs a command in a process of its own, repeating what it says.
fn follow(mut command: Command) -> Result<()> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(Error::from)?;
    let mut said: Vec<String> = Vec::new();
    if let Some(stream) = child.stderr.take() {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            eprintln!("    {line}");
            said.push(line);
        }
    }
    let status = child.wait().map_err(Error::from)?;
    if status.success() {
        return Ok(());
    }
    let at = said.iter().position(|line| line.starts_with("error:")).unwrap_or(said.len().saturating_sub(3));
    let why = said[at..].join("\n").trim_start_matches("error: ").to_owned();
    Err(Error::input(if why.is_empty() { format!("it ended with {status}") } else { why }))
}

/// Another run with its confidence calibrated: each row by a calibrator that was not fitted on it.
fn calibrated(plan: &Plan, planned: &Planned, base: &Path, method: Method) -> Result<()> {
    let missing = || Error::input("the run that is to be calibrated is not there").help("see why it failed");
    let facts = statistics::run_facts(base).ok_or_else(missing)?;
    let predictions = statistics::read(base)?;
    let rows = confidence_rows(&predictions)?;
    let options = CrossFitOptions { repeats: Some(1), seed: plan.data.reading.seed, ..CrossFitOptions::default() };
    let found = out_of_fold(&rows, method, &options)?;
    let values = found.repeats.first().ok_or_else(|| Error::internal("a cross-fit without repeats"))?;
    let path = statistics::predictions_file(base);
    let text =
        std::fs::read_to_string(&path).map_err(|error| Error::from(error).at_file(path.display().to_string()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut written = String::new();
    for (line, value) in lines.zip(values) {
        let mut row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).map_err(|error| Error::internal(error.to_string()))?;
        row.insert("confidence".to_owned(), serde_json::json!(value));
        written.push_str(&serde_json::Value::Object(row).to_string());
        written.push('\n');
    }
    std::fs::create_dir_all(&planned.folder).map_err(|error| super::at(&planned.folder, error))?;
    write_file(&planned.folder.join("predictions.jsonl"), &written)?;
    let facts = RunFacts { calibrator: Some(format!("{}, cross-fitted on these rows", method.title())), ..facts };
    // Its labels are those of its own prompt's task, which need not be the first one's.
    finish(planned, facts, None)
}

fn fitted(plan: &Plan, planned: &Planned, baseline: Baseline) -> Result<()> {
    let (judged, reading) = (&plan.data.judged, &plan.data.reading);
    let data = input::read(judged, &reading.arguments(reading.limit), true)?;
    let data = known_labels(data, &plan.task, judged, false)?;
    let rows = input::read(train_of(plan)?, &plan.data.train_reading.arguments(None), true)?.examples;
    let labels: Vec<String> = plan.task.labels.iter().map(|label| label.name.clone()).collect();
    let started = platform::now();
    let found = baselines::predict(baseline, &rows, &data.examples, &labels, reading.seed)?;
    let seconds = platform::now() - started;
    run_folder::write_predictions(&planned.folder, &found)?;
    let facts = RunFacts {
        model: Named { name: planned.name.clone(), sha256: planned.hash.clone() },
        adapter: None,
        task: Named { name: plan.task.name.clone(), sha256: plan.task.sha256() },
        data: DataFacts {
            name: judged.display().to_string(),
            rows: data.examples.len(),
            left_out: data.left_out,
            repeated: duplicates::find(&data.examples).repeated,
        },
        calibrator: None,
        bias: None,
        backend: format!("smartcore, fitted on {} rows", rows.len()),
        seconds,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    finish(planned, facts, Some(&plan.task))
}

fn finish(planned: &Planned, facts: RunFacts, task: Option<&Task>) -> Result<()> {
    let (settings, promise) = (metrics::Settings::default(), Promise::default());
    run_folder::finish(&planned.folder, facts, task, &settings, &promise).map(drop)
}
