//! `candor classify`: texts to predictions.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use super::input::{self, Rows};
use super::output::{Output, one_line, percent};
use super::scoring::{self, BATCH_TEXTS, BIAS_TEXTS};
use super::{backend, progress, questions, store};
use crate::classify::{Classifier, quietly};
use crate::dataset::Example;
use crate::engine::{Cancel, Choice, Control};
use crate::error::{Error, Result};
use crate::protocol::{Classification, Prediction};
use crate::task::{BUILT_IN, Task};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: scoring::Arguments,
    /// Texts to classify; a single `-` reads JSON lines from standard input as they come.
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,
    /// A data set: CSV, TSV, JSON lines (plain or chat), a text file, or a folder of text files.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    reading: input::Arguments,
    /// Write predictions as JSON lines to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    /// Where results go, and whether as JSON.
    fn output(&self, json: bool) -> Result<(Output, bool)> {
        match &self.out {
            Some(path) => Ok((Output::file(path)?, true)),
            None => Ok((Output::standard(), json || self.texts == ["-"])),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A model, adapter, task, calibrator or input that cannot be read; an adapter or calibrator that belongs elsewhere; output that cannot be
/// written.
pub fn run(arguments: Arguments, json: bool) -> Result<()> {
    let mut rows = input::rows(&arguments.texts, arguments.input.as_deref(), &arguments.reading)?;
    if let Some(set) = questions::read(&arguments.scoring.task)? {
        arguments.scoring.check_for_questions()?;
        let mut classifier = load(&arguments.scoring.model, arguments.scoring.backend.choice()?)?;
        classifier.set_adapter(arguments.scoring.open_adapter()?)?;
        let (mut output, json) = arguments.output(json)?;
        let options = arguments.scoring.options();
        return questions::classify(&set, &classifier, &mut rows, &options, &mut output, json);
    }
    let task = read_task(&arguments.scoring.task)?;
    let adapter = arguments.scoring.open_adapter()?;
    let calibrator = arguments.scoring.open_calibrator(&task, adapter.as_ref())?;
    let finish = arguments.scoring.finish(calibrator.as_ref(), &task)?;
    let mut classifier = load(&arguments.scoring.model, arguments.scoring.backend.choice()?)?;
    classifier.set_adapter(adapter)?;
    let report = pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await))?;
    report.warnings.iter().for_each(|warning| eprintln!("note: {warning}"));

    if let Rows::Known { examples, .. } = &rows {
        let texts: Vec<&str> = examples.iter().take(BIAS_TEXTS).map(|row| row.text.as_str()).collect();
        let found = pollster::block_on(quietly(async |control| classifier.fit_batch_bias(&texts, control).await))?;
        found.iter().for_each(|summary| eprintln!("note: {summary}"));
    }

    let options = arguments.scoring.options();
    let how_sure = arguments.scoring.how_sure(&task, &classifier)?;
    let (mut output, json) = arguments.output(json)?;
    let bar = progress::bar("classified", progress::Unit::Rows);
    let single = rows.total() == Some(1);
    let mut done = 0;
    while let Some(batch) = rows.next_batch(BATCH_TEXTS)? {
        let texts: Vec<&str> = batch.iter().map(|row| row.text.as_str()).collect();
        let mut quiet = |_, _| {};
        let mut control = Control::new(Cancel::default(), &mut quiet);
        let mut results = pollster::block_on(classifier.classify_batch(&texts, &options, &mut control))?;
        if let Some(question) = &how_sure {
            pollster::block_on(question.ask(&classifier, &mut results, &options, &mut control))?;
        }
        for (row, result) in batch.iter().zip(results) {
            say_warnings(row, &result, rows.is_stream());
            let result = finish.row(row, result)?;
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
/// A model that is not there or cannot be loaded; a graphics device that was asked for and is not to be had.
pub fn load(name: &str, choice: Choice) -> Result<Classifier> {
    let path = store::resolve(name)?;
    let named = |error: Error| error.at_file(path.display().to_string());
    let reader = BufReader::with_capacity(1 << 20, File::open(&path).map_err(|e| named(e.into()))?);
    let bar = progress::bar("loading", progress::Unit::Bytes);
    let mut report = |done, total| progress::set(&bar, done, total);
    let mut control = Control::new(Cancel::default(), &mut report);
    let loaded = pollster::block_on(Classifier::load_on(choice, reader, name, &mut control)).map_err(named);
    bar.finish_and_clear();
    let classifier = loaded?;
    backend::check(choice, &classifier)?;
    Ok(classifier)
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

/// Says on standard error what a user should know of a row.
pub fn say_warnings(row: &Example, result: &Classification, stream: bool) {
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
    output.line(&format!("{}  {}", prediction.label, confidence(prediction)))?;
    if let Some(set) = &prediction.set {
        output.line(&format!("cannot be ruled out: {}", set.join(", ")))?;
    }
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

/// The confidence with its interval, and a mark where it comes from a calibrator that does not belong here.
fn confidence(prediction: &Prediction) -> String {
    let interval = match prediction.interval {
        Some([low, high]) => format!(" [{}, {}]", percent(low, 1), percent(high, 1)),
        None => String::new(),
    };
    let mark = if prediction.calibrator_forced.is_some() { " (forced calibrator)" } else { "" };
    format!("{}{interval}{mark}", percent(prediction.confidence, 1))
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
        confidence(prediction),
        one_line(&prediction.text, 80)
    ))
}
