//! `candor calibrate`: calibrators side by side, cross-fitted, and one fitted on all rows.

use std::path::PathBuf;

use super::{calibration_rows, parse_method, read, usual_input, write_file};
use crate::cli::output::Output;
use crate::error::{Error, Result};
use crate::stats::calibrators::{Calibrator, Method};
use crate::stats::comparison::{Comparison, compare};
use crate::stats::cross_fit::{CrossFitOptions, Quality};
use crate::stats::saved::{Binding, CalibratorFile, FittedOn, Input};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Labelled predictions.
    predictions: PathBuf,
    /// The method to save: auto, temperature, platt, isotonic, beta, … ; a wrong name lists them all.
    #[arg(long, default_value = "auto")]
    method: String,
    /// What the calibrator takes; by default, what `confidence` is in the file.
    #[arg(long, value_enum)]
    input: Option<InputChoice>,
    /// Folds of the cross-fitting.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1000))]
    folds: u32,
    /// Repeats with other folds; by default 20, fewer for many rows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: Option<u32>,
    /// Equal-width bins of the calibration error.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bins: u32,
    /// Seed of the folds.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The task file the predictions were made with: the calibrator is then refused on another task.
    #[arg(long, value_name = "FILE")]
    task: Option<String>,
    /// The model the predictions were made with: the calibrator is then refused on another model.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Write the calibrator here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a calibrator takes.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum InputChoice {
    TotalProbability,
    Share,
    LabelLogprobs,
}

/// Runs the command.
///
/// # Errors
/// A method that does not exist or cannot be fitted; predictions that cannot be read; output that cannot be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let wanted = parse_method(&arguments.method)?;
    let predictions = read(&arguments.predictions)?;
    let named = |error: Error| error.at_file(arguments.predictions.display().to_string());
    let input = match arguments.input {
        Some(InputChoice::TotalProbability) => Input::TotalProbability,
        Some(InputChoice::Share) => Input::Share,
        Some(InputChoice::LabelLogprobs) => Input::LabelLogprobs,
        None if wanted.is_some_and(Method::takes_labels) => Input::LabelLogprobs,
        None => usual_input(&predictions),
    };
    let rows = calibration_rows(&predictions, input).map_err(named)?;
    let options = CrossFitOptions {
        folds: arguments.folds as usize,
        repeats: arguments.repeats.map(|repeats| repeats as usize),
        bins: arguments.bins as usize,
        seed: arguments.seed,
        ..CrossFitOptions::default()
    };
    let comparison = compare(&rows, &candidates(input, &rows), wanted, &options).map_err(named)?;
    if let Some(path) = &arguments.out {
        let fitted = Calibrator::fit(comparison.chosen, &rows, &options.fit).map_err(named)?;
        let quality = comparison.methods.iter().find(|line| line.method == comparison.chosen);
        let fitted_on = FittedOn { n: rows.len(), folds: comparison.folds, sha256: rows.sha256() };
        let cross_fitted = quality.and_then(|line| line.cross_fitted);
        let file =
            CalibratorFile::new(fitted.model, input, fitted_on, binding(arguments)?, cross_fitted, fitted.notes)?;
        write_file(path, &file.to_json()?)?;
        eprintln!("wrote {}: {}", path.display(), file.calibrator.summary());
    }
    let mut output = Output::standard();
    if json {
        output.json(&comparison)?;
    } else {
        print(&mut output, &comparison)?;
    }
    output.flush()
}

/// The methods that are compared: those for one score, or those for all labels.
fn candidates(input: Input, rows: &crate::stats::rows::Rows) -> Vec<Method> {
    if input == Input::LabelLogprobs && rows.labels().is_some() {
        return vec![Method::None, Method::LabelTemperature, Method::Vector, Method::Dirichlet];
    }
    Method::AUTO.to_vec()
}

fn binding(arguments: &Arguments) -> Result<Binding> {
    let task = arguments.task.as_deref().map(crate::cli::classify::read_task).transpose()?;
    let model = arguments.model.as_deref().map(crate::cli::store::resolve).transpose()?;
    Ok(Binding {
        model_sha256: model.map(|path| crate::cli::store::sha256_of(&path)).transpose()?,
        adapter_sha256: None,
        task_sha256: task.map(|task| task.sha256()),
    })
}

fn print(output: &mut Output, comparison: &Comparison) -> Result<()> {
    output.line(&format!(
        "{} rows, {} folds × {} repeats, {} bins; in-sample numbers flatter and are only here to show by how much",
        comparison.n, comparison.folds, comparison.repeats, comparison.bins
    ))?;
    output.line("")?;
    let cells = |quality: Option<Quality>| {
        let number = |value: fn(&Quality) -> f64| {
            quality.as_ref().map_or_else(|| "–".to_owned(), |quality| format!("{:.4}", value(quality)))
        };
        [number(|q| q.brier), number(|q| q.log_loss), number(|q| q.ece)]
    };
    let row = |name: &str, cross_fitted: Option<Quality>, in_sample: Option<Quality>| {
        let mut row = vec![name.to_owned()];
        row.extend(cells(cross_fitted));
        row.extend(cells(in_sample));
        row
    };
    let mut rows: Vec<Vec<String>> = (comparison.methods.iter())
        .map(|line| {
            let mark = if line.method == comparison.chosen { " *" } else { "" };
            row(&format!("{}{mark}", line.method.name()), line.cross_fitted, Some(line.in_sample))
        })
        .collect();
    rows.push(row("(baseline: prior)", comparison.baselines.prior, None));
    let header = ["method", "Brier", "log loss", "ECE", "in-sample Brier", "in-sample log loss", "in-sample ECE"];
    output.table(&header, &rows)?;
    output.line("")?;
    output.line(&format!("chosen: {} – {}", comparison.chosen.name(), comparison.why))?;
    for line in &comparison.methods {
        line.notes.iter().try_for_each(|note| output.line(&format!("note: {}: {note}", line.method.name())))?;
    }
    comparison.warnings.iter().try_for_each(|warning| output.line(&format!("warning: {warning}")))
}
