//! `candor probe`: a logistic regression on the model's last hidden state, into a run folder.
//!
//! Without test rows it is judged on the rows it learns from, each by a probe that has not seen it. The folder holds what
//! a run of `candor eval` holds, so it is compared like one, and `probe.json`.

use std::path::PathBuf;

use super::classify::{load, read_task};
use super::eval::{free, known_labels};
use super::output::Output;
use super::statistics::promise::Promise;
use super::statistics::{metrics, write_file};
use super::{adapter, backend, input, progress, run_folder, store};
use crate::classify::{Classifier, PreparedTask, quietly};
use crate::dataset::{Example, duplicates};
use crate::engine::{Cancel, Control};
use crate::error::{Error, Result};
use crate::evaluate::probe::{Fitted, fit, predict};
use crate::evaluate::{DataFacts, Named, RunFacts};
use crate::platform;
use crate::protocol::Prediction;
use crate::stats::saved::Binding;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long, default_value = "smollm2-135m")]
    model: String,
    /// A task file, or the name of a built-in task: what the model is asked before its state is read.
    #[arg(long)]
    task: String,
    /// A fine-tuned adapter of the model: its folder, or a GGUF file.
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Labelled rows to learn from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled rows to judge it on; without them it is judged on those it learns from, cross-fitted.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Parts that the rows are divided into, to choose the penalty and to judge.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=50))]
    folds: u32,
    /// Longest prompt in tokens; longer texts are cut. The model's context by default.
    #[arg(long, value_name = "TOKENS")]
    limit_tokens: Option<usize>,
    #[command(flatten)]
    reading: input::Arguments,
    #[command(flatten)]
    backend: backend::Arguments,
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
/// A model, task or data set that cannot be read; rows of one label only; a folder that holds a run already or cannot be
/// written to.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    free(&arguments.out, arguments.overwrite)?;
    let task = read_task(&arguments.task)?;
    let rows = |path: &PathBuf| {
        // A limit draws from the rows that are judged.
        let limited = arguments.test.as_ref().is_none_or(|test| test == path);
        let reading = if limited { arguments.reading.clone() } else { arguments.reading.clone().without_limit() };
        known_labels(input::read(path, &reading, true)?, &task, path, arguments.reading.strict())
    };
    let mut train = rows(&arguments.train)?;
    let test = arguments.test.as_ref().map(rows).transpose()?;
    if let Some(test) = &test {
        let all = train.examples.len();
        train.examples = duplicates::without(train.examples, &test.examples);
        if train.examples.len() < all {
            let seen = all - train.examples.len();
            eprintln!("note: {seen} of {all} rows to learn from have a text that is judged, and are left out");
        }
    }
    let opened = arguments.adapter.as_ref().map(|path| adapter::open(path, &arguments.model)).transpose()?;
    let shown = arguments.adapter.as_ref().map(|path| path.display().to_string());
    let adapter = shown.zip(opened.as_ref()).map(|(name, it)| Named { name, sha256: it.sha256() });
    let model = Named { name: arguments.model.clone(), sha256: store::model_sha256(&arguments.model)? };
    let mut classifier = load(&arguments.model, arguments.backend.choice()?)?;
    classifier.set_adapter(opened)?;
    let prepared = pollster::block_on(quietly(async |control| classifier.prepare(&task, control).await))?;

    let started = platform::now();
    let limit = arguments.limit_tokens.unwrap_or(usize::MAX);
    let vectors = |rows: &[Example]| vectors_of(&classifier, &prepared, rows, limit);
    let labels: Vec<String> = task.labels.iter().map(|label| label.name.clone()).collect();
    let named = Named { name: task.name.clone(), sha256: task.sha256() };
    let bound_to = Binding {
        model_sha256: Some(model.sha256.clone()),
        adapter_sha256: adapter.as_ref().map(|adapter| adapter.sha256.clone()),
        task_sha256: Some(named.sha256.clone()),
    };
    let at_train = |error: Error| error.at_file(arguments.train.display().to_string());
    let seed = arguments.reading.seed();
    let known = vectors(&train.examples)?;
    let Fitted { file, shares } =
        fit(&train.examples, &known, &labels, arguments.folds as usize, seed, bound_to).map_err(at_train)?;
    let (judged, judged_name, predictions): (_, _, Vec<Prediction>) = match (&test, &arguments.test) {
        (Some(test), Some(path)) => (test, path, predict(&file, &test.examples, &vectors(&test.examples)?)?),
        _ => {
            let rows = train.examples.iter().zip(&shares);
            (
                &train,
                &arguments.train,
                rows.map(|(row, shares)| Prediction::from_shares(row, &labels, shares)).collect(),
            )
        }
    };
    run_folder::write_predictions(&arguments.out, &predictions)?;
    let text = serde_json::to_string(&file).map_err(|error| Error::internal(error.to_string()))?;
    write_file(&arguments.out.join("probe.json"), &(text + "\n"))?;
    let info = classifier.model_info();
    let facts = RunFacts {
        model,
        adapter,
        task: named,
        data: DataFacts {
            name: judged_name.display().to_string(),
            rows: judged.examples.len(),
            left_out: judged.left_out,
            repeated: duplicates::find(&judged.examples).repeated,
        },
        calibrator: None,
        bias: None,
        backend: format!("{}; probe fitted on {} rows, penalty {}", info.backend, file.rows, file.probe.penalty),
        seconds: platform::now() - started,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let whole = run_folder::finish(&arguments.out, facts, Some(&task), &arguments.metrics, &arguments.promise)?;
    eprintln!(
        "wrote {}: probe.json, predictions.jsonl, metrics.json, report.html ({} rows{})",
        arguments.out.display(),
        judged.examples.len(),
        if test.is_none() { ", cross-fitted" } else { "" }
    );
    let mut output = Output::standard();
    match json {
        true => output.json(&whole)?,
        false => metrics::print(&mut output, &whole.report)?,
    }
    output.flush()
}

fn vectors_of(classifier: &Classifier, task: &PreparedTask, rows: &[Example], limit: usize) -> Result<Vec<f32>> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let bar = progress::bar("read", progress::Unit::Rows);
    let mut report = |done, total| progress::set(&bar, done, total);
    let mut control = Control::new(Cancel::default(), &mut report);
    let vectors = pollster::block_on(classifier.vectors(task, &texts, limit, &mut control));
    bar.finish_and_clear();
    vectors
}
