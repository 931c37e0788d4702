//! `candor classify`: texts to predictions.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use super::input::{self, Rows};
use super::output::{Output, one_line, percent};
use super::{progress, store};
use crate::classify::{Classifier, Options, quietly};
use crate::dataset::Example;
use crate::engine::{Cancel, Control};
use crate::error::{Error, Result};
use crate::protocol::{Classification, Prediction};
use crate::task::{BUILT_IN, Task};

/// Texts that are computed together: enough to fill the kernels, few enough that results come steadily.
const BATCH_TEXTS: usize = 32;
/// Rows from which batch correction estimates the label bias; the estimate is steady long before.
const BIAS_TEXTS: usize = 512;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long)]
    model: String,
    /// A task file, or the name of a built-in task.
    #[arg(long)]
    task: String,
    /// Texts to classify; a single `-` reads JSON lines from standard input as they come.
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,
    #[command(flatten)]
    input: input::Arguments,
    /// Which number `confidence` is: the winner's probability over the whole vocabulary, or among the labels.
    #[arg(long, value_enum, default_value_t = Confidence::TotalProbability)]
    confidence: Confidence,
    /// Where the model runs.
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto)]
    backend: BackendChoice,
    /// Longest prompt in tokens; longer texts are cut. The model's context by default.
    #[arg(long, value_name = "TOKENS")]
    limit_tokens: Option<usize>,
    /// Write predictions as JSON lines to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `confidence` is taken from.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Confidence {
    TotalProbability,
    Share,
}

/// Where the model runs.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BackendChoice {
    /// The fastest that is exact here.
    Auto,
    /// The processor.
    Cpu,
}

/// Runs the command.
///
/// # Errors
/// A model, task or input that cannot be read; output that cannot be written.
pub fn run(arguments: Arguments, json: bool) -> Result<()> {
    // Every backend choice of this build is the processor; the flag is read so that scripts can pin it.
    let (BackendChoice::Auto | BackendChoice::Cpu) = arguments.backend;
    let mut rows = input::rows(&arguments.texts, &arguments.input)?;
    let task = read_task(&arguments.task)?;
    let mut classifier = load(&arguments.model)?;
    let report = pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await))?;
    report.warnings.iter().for_each(|warning| eprintln!("note: {warning}"));

    if let Rows::Known { examples, .. } = &rows {
        let texts: Vec<&str> = examples.iter().take(BIAS_TEXTS).map(|row| row.text.as_str()).collect();
        let found = pollster::block_on(quietly(async |control| classifier.fit_batch_bias(&texts, control).await))?;
        found.iter().for_each(|summary| eprintln!("note: {summary}"));
    }

    let options = Options { top: 0, limit_tokens: arguments.limit_tokens.unwrap_or(usize::MAX) };
    let (mut output, json) = match &arguments.out {
        Some(path) => (Output::file(path)?, true),
        None => (Output::standard(), json || arguments.texts == ["-"]),
    };
    let bar = progress::bar("classified", progress::Unit::Rows);
    let single = rows.total() == Some(1);
    let mut done = 0;
    while let Some(batch) = rows.next_batch(BATCH_TEXTS)? {
        let texts: Vec<&str> = batch.iter().map(|row| row.text.as_str()).collect();
        let mut quiet = |_, _| {};
        let mut control = Control::new(Cancel::default(), &mut quiet);
        let results = pollster::block_on(classifier.classify_batch(&texts, &options, &mut control))?;
        for (row, result) in batch.iter().zip(results) {
            say_warnings(row, &result, rows.is_stream());
            let result = complete(row, result, arguments.confidence);
            match (json, single) {
                (true, _) => output.json(&result.prediction)?,
                (false, true) => print_one(&mut output, &result)?,
                (false, false) => print_row(&mut output, &result.prediction)?,
            }
        }
        output.flush()?;
        done += batch.len() as u64;
        progress::set(&bar, done, rows.total());
    }
    bar.finish_and_clear();
    output.flush()
}

/// Loads a model by manifest name or path, with a bar on a terminal.
///
/// # Errors
/// A model that is not there or cannot be loaded.
pub fn load(name: &str) -> Result<Classifier> {
    let path = store::resolve(name)?;
    let named = |error: Error| error.at_file(path.display().to_string());
    let reader = BufReader::with_capacity(1 << 20, File::open(&path).map_err(|e| named(e.into()))?);
    let bar = progress::bar("loading", progress::Unit::Bytes);
    let mut report = |done, total| progress::set(&bar, done, total);
    let mut control = Control::new(Cancel::default(), &mut report);
    let loaded = pollster::block_on(Classifier::load(reader, name, &mut control)).map_err(named);
    bar.finish_and_clear();
    loaded
}

/// Reads a task file, or a built-in task by name.
///
/// # Errors
/// A file that cannot be read or is no task.
pub fn read_task(name: &str) -> Result<Task> {
    let path = PathBuf::from(name);
    if !path.exists()
        && let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)
    {
        return Task::from_toml(text);
    }
    let named = |error: Error| error.at_file(name);
    let bytes = std::fs::read(&path).map_err(|error| {
        named(error.into()).help("give a task file, or one of the built-in tasks: sentiment, sentiment-yes-no, topic")
    })?;
    Task::from_toml(bytes).map_err(named)
}

/// Adds what the row knows.
fn complete(row: &Example, mut result: Classification, confidence: Confidence) -> Classification {
    let prediction = &mut result.prediction;
    prediction.id.clone_from(&row.id);
    prediction.group.clone_from(&row.group);
    prediction.expected.clone_from(&row.label);
    prediction.correct = row.label.as_ref().map(|expected| *expected == prediction.label);
    if confidence == Confidence::Share {
        prediction.confidence = prediction.share;
    }
    result
}

fn say_warnings(row: &Example, result: &Classification, stream: bool) {
    let place = if stream { format!("line {}", row.line) } else { format!("row {}", row.id) };
    if let Some(cut) = &result.truncated {
        eprintln!(
            "note: {place}: the text was cut after {} of {} characters to fit {} tokens",
            cut.kept_characters, cut.total_characters, cut.limit_tokens
        );
    }
    result.warnings.iter().for_each(|warning| eprintln!("note: {place}: {warning}"));
}

fn print_one(output: &mut Output, result: &Classification) -> Result<()> {
    let prediction = &result.prediction;
    output.line(&format!("{}  {}", prediction.label, percent(prediction.confidence, 1)))?;
    output.line("")?;
    let rows: Vec<Vec<String>> = (result.labels.iter())
        .flat_map(|label| {
            let total = vec![
                label.name.clone(),
                String::new(),
                percent(label.probability, 2),
                percent(label.share, 1),
                format!("{:.4}", label.logprob),
            ];
            let tokens = label.tokens.iter().map(|token| {
                vec![
                    String::new(),
                    format!("\"{}\"", one_line(&token.text, 30)),
                    percent(token.probability, 2),
                    String::new(),
                    format!("{:.4}", token.logprob),
                ]
            });
            std::iter::once(total).chain(tokens).collect::<Vec<_>>()
        })
        .collect();
    output.table(&["label", "token", "probability", "among labels", "log-prob"], &rows)?;
    output.line(&format!(
        "on no label: {}; {} tokens computed, {} reused, {:.0} ms",
        percent(prediction.other_mass, 1),
        result.tokens_computed,
        result.tokens_reused,
        result.seconds * 1000.0
    ))
}

fn print_row(output: &mut Output, prediction: &Prediction) -> Result<()> {
    let mark = match prediction.correct {
        Some(true) => " ✓",
        Some(false) => " ✗",
        None => "",
    };
    output.line(&format!(
        "{:>6}  {:<16} {:>6}{mark}  {}",
        prediction.id,
        one_line(&prediction.label, 16),
        percent(prediction.confidence, 1),
        one_line(&prediction.text, 80)
    ))
}
