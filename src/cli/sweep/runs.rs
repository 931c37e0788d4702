//! One planned run: a model's through `candor eval`, a calibrated one from another run, a baseline's.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Planned, What};
use crate::baselines::{self, Baseline};
use crate::cli::eval::known_labels;
use crate::cli::statistics::promise::Promise;
use crate::cli::statistics::{self, metrics, write_file};
use crate::cli::{input, run_folder};
use crate::dataset::duplicates;
use crate::error::{Error, Result};
use crate::evaluate::rows::confidence_rows;
use crate::evaluate::{DataFacts, Named, RunFacts};
use crate::platform;
use crate::stats::calibrators::Method;
use crate::stats::cross_fit::{CrossFitOptions, out_of_fold};
use crate::task::Task;

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
    same && ["predictions.jsonl", "metrics.json"].iter().all(|name| planned.folder.join(name).is_file())
}

/// Does a run; gives what to say of it.
///
/// # Errors
/// Whatever stopped it.
pub fn run(plan: &Plan, planned: &Planned) -> Result<String> {
    let started = platform::now();
    match &planned.what {
        What::Model { .. } => model(plan, planned)?,
        What::Calibrated { base, method } => calibrated(plan, planned, base, *method)?,
        What::Baseline(baseline) => fitted(plan, planned, *baseline)?,
    }
    let mark = Mark { name: planned.name.clone(), hash: planned.hash.clone() };
    let text = serde_json::to_string(&mark).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&planned.folder.join(MARK), &(text + "\n"))?;
    Ok(format!("done in {:.1} s", platform::now() - started))
}

/// `candor eval` in a process of its own.
fn model(plan: &Plan, planned: &Planned) -> Result<()> {
    let What::Model { model, adapter, task, confidence } = &planned.what else { return Ok(()) };
    let program = std::env::current_exe().map_err(Error::from)?;
    let mut command = Command::new(program);
    command.args(["eval", "--overwrite", "--json", "--model", model, "--confidence", confidence]);
    command.arg("--task").arg(task).arg("--data").arg(&plan.data).arg("--out").arg(&planned.folder);
    if let Some(adapter) = adapter {
        command.arg("--adapter").arg(adapter);
    }
    let reading = &plan.reading;
    let label_from = reading.label_from.map(|from| serde_json::json!(from).as_str().unwrap_or_default().to_owned());
    for (flag, value) in [
        ("--text-field", reading.text_field.clone()),
        ("--label-field", reading.label_field.clone()),
        ("--label-from", label_from),
        ("--limit", reading.limit.map(|limit| limit.to_string())),
        ("--seed", Some(reading.seed.to_string())),
    ] {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
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
    let options = CrossFitOptions { repeats: Some(1), seed: plan.reading.seed, ..CrossFitOptions::default() };
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
    let train_path = plan.train.as_deref().ok_or_else(|| Error::usage("there are no training rows"))?;
    let data = input::read(&plan.data, &plan.reading.arguments(plan.reading.limit), true)?;
    let data = known_labels(data, &plan.task, &plan.data, false)?;
    let train = input::read(train_path, &plan.reading.arguments(None), true)?;
    let seen = duplicates::across(&data.examples, &train.examples);
    let mut row = 0;
    let mut rows = train.examples;
    rows.retain(|_| {
        row += 1;
        seen.binary_search(&(row - 1)).is_err()
    });
    if !seen.is_empty() {
        eprintln!("    note: {} training rows have a text that is judged, and were left out", seen.len());
    }
    let labels: Vec<String> = plan.task.labels.iter().map(|label| label.name.clone()).collect();
    let started = platform::now();
    let found = baselines::predict(baseline, &rows, &data.examples, &labels, plan.reading.seed)?;
    let seconds = platform::now() - started;
    run_folder::write_predictions(&planned.folder, &found)?;
    let facts = RunFacts {
        model: Named { name: planned.name.clone(), sha256: planned.hash.clone() },
        adapter: None,
        task: Named { name: plan.task.name.clone(), sha256: plan.task.sha256() },
        data: DataFacts {
            name: plan.data.display().to_string(),
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
