//! `candor calibrate`: calibrators side by side, cross-fitted, and one fitted on all rows.

use std::path::PathBuf;

use super::{parse_method, read, run_binding, write_file};
use crate::cli::output::{Output, percent};
use crate::error::{Error, Result};
use crate::evaluate::calibration::{Fitted, Wish, calibrate};
use crate::stats::calibrated::Sets;
use crate::stats::comparison::{Automated, Comparison};
use crate::stats::conformal::Score;
use crate::stats::cross_fit::{CrossFitOptions, Quality};
use crate::stats::quality_intervals::QualityIntervals;
use crate::stats::saved::{Binding, Input};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Labelled predictions, or a run folder.
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
    /// The sets of labels that cannot be ruled out (where the predictions carry all labels): lac gives the smallest, aps
    /// sets that adapt to hard rows, raps the same with a price on long tails.
    #[arg(long, value_enum, default_value_t = SetChoice::Lac)]
    sets: SetChoice,
    /// How often a set must hold the true label.
    #[arg(long, default_value_t = 0.9)]
    coverage: f64,
    /// Write the calibrator here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Kinds of conformal sets.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SetChoice {
    Lac,
    Aps,
    Raps,
}

impl SetChoice {
    fn score(self) -> Score {
        match self {
            Self::Lac => Score::Lac,
            Self::Aps => Score::Aps,
            Self::Raps => Score::RAPS,
        }
    }
}

/// What is printed: the comparison, and the sets where the predictions carry all labels.
#[derive(serde::Serialize)]
struct Report {
    #[serde(flatten)]
    comparison: Comparison,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sets: Vec<Sets>,
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
    let input = arguments.input.map(|input| match input {
        InputChoice::TotalProbability => Input::TotalProbability,
        InputChoice::Share => Input::Share,
        InputChoice::LabelLogprobs => Input::LabelLogprobs,
    });
    let wish = Wish {
        method: wanted,
        input,
        sets: arguments.sets.score(),
        coverage: arguments.coverage,
        cross_fit: CrossFitOptions {
            folds: arguments.folds as usize,
            repeats: arguments.repeats.map(|repeats| repeats as usize),
            bins: arguments.bins as usize,
            seed: arguments.seed,
            ..CrossFitOptions::default()
        },
    };
    let bound_to = binding(arguments)?;
    if let Some(path) = &arguments.out
        && (bound_to.model_sha256.is_none() || bound_to.task_sha256.is_none())
    {
        eprintln!(
            "warning: {} does not say which model and task it belongs to, so its use elsewhere cannot be refused: give \
             --model and --task, or a run folder of `candor eval`",
            path.display()
        );
    }
    let Fitted { comparison, sets, file } = calibrate(&predictions, &wish, bound_to).map_err(named)?;
    if let Some(path) = &arguments.out {
        write_file(path, &file.to_json()?)?;
        eprintln!("wrote {}: {}", path.display(), file.calibrator.summary());
    }
    let mut output = Output::standard();
    if json {
        output.json(&Report { comparison, sets })?;
    } else {
        print(&mut output, &comparison)?;
        print_sets(&mut output, &sets)?;
    }
    output.flush()
}

fn print_sets(output: &mut Output, sets: &[Sets]) -> Result<()> {
    let Some(first) = sets.first() else { return Ok(()) };
    output.line("")?;
    output.line(&format!(
        "Sets of labels that hold the true one in {} of cases, judged on rows they were not fitted on:",
        percent(first.predictor.coverage, 1)
    ))?;
    let rows: Vec<Vec<String>> = (sets.iter())
        .map(|set| {
            let name = match set.predictor.score {
                Score::Lac => "LAC",
                Score::Aps => "APS",
                Score::Raps { .. } => "RAPS",
            };
            let mut row = vec![name.to_owned()];
            row.extend(match &set.cross_fitted {
                Some(quality) => vec![
                    percent(quality.coverage, 1),
                    format!("[{}, {}]", percent(quality.low, 1), percent(quality.high, 1)),
                    format!("{:.2}", quality.mean_size),
                    percent(quality.single, 1),
                ],
                None => vec!["–".to_owned(); 4],
            });
            row.push(set.predictor.n.to_string());
            row
        })
        .collect();
    output.table(&["sets", "coverage", "95% interval", "labels a set", "one label only", "n"], &rows)
}

/// What the calibrator belongs to: what the flags say, or else what the run folder knows.
fn binding(arguments: &Arguments) -> Result<Binding> {
    let task = arguments.task.as_deref().map(crate::cli::classify::read_task).transpose()?;
    let run = run_binding(&arguments.predictions).unwrap_or_default();
    let model_sha256 = arguments.model.as_deref().map(crate::cli::store::model_sha256).transpose()?;
    let task_sha256 = task.map(|task| task.sha256());
    for (flag, given, known) in
        [("--model", &model_sha256, &run.model_sha256), ("--task", &task_sha256, &run.task_sha256)]
    {
        if let (Some(given), Some(known)) = (given, known)
            && given != known
        {
            return Err(Error::usage("these predictions were made with another one, as metrics.json beside them says")
                .in_field(flag)
                .help("leave the flag out, or give what the predictions were made with"));
        }
    }
    Ok(Binding {
        model_sha256: model_sha256.or(run.model_sha256),
        adapter_sha256: run.adapter_sha256,
        task_sha256: task_sha256.or(run.task_sha256),
    })
}

fn print(output: &mut Output, comparison: &Comparison) -> Result<()> {
    output.line(&format!(
        "{} rows, {} folds × {} repeats, {} bins; in-sample numbers flatter and are only here to show by how much",
        comparison.n, comparison.folds, comparison.repeats, comparison.bins
    ))?;
    output.line("")?;
    let cells = |quality: Option<Quality>, intervals: Option<QualityIntervals>, automated: Option<Automated>| {
        let number = |value: fn(&Quality) -> f64, ends: fn(&QualityIntervals) -> [f64; 2]| {
            let ends = intervals.as_ref().map(ends);
            let interval = ends.map_or_else(String::new, |[low, high]| format!(" [{low:.4}, {high:.4}]"));
            quality.as_ref().map_or_else(|| "–".to_owned(), |quality| format!("{:.4}{interval}", value(quality)))
        };
        let automated = automated.map_or_else(
            || "–".to_owned(),
            |found| format!("{:.0}, {}", found.n, found.accuracy.map_or_else(|| "–".into(), |share| percent(share, 1))),
        );
        [
            number(|q| q.brier, |i| i.brier),
            number(|q| q.log_loss, |i| i.log_loss),
            number(|q| q.ece, |i| i.ece),
            automated,
        ]
    };
    let mut rows: Vec<Vec<String>> = (comparison.methods.iter())
        .map(|line| {
            let mark = if line.method == comparison.chosen { " *" } else { "" };
            let mut row = vec![format!("{}{mark}", line.method.name())];
            row.extend(cells(line.cross_fitted, line.intervals, line.automated));
            row.extend(cells(Some(line.in_sample), None, Some(line.automated_in_sample)));
            row
        })
        .collect();
    let mut prior = vec!["(baseline: prior)".to_owned()];
    prior.extend(cells(comparison.baselines.prior, None, None));
    prior.extend(vec!["–".to_owned(); 4]);
    rows.push(prior);
    let header = [
        "method",
        "Brier",
        "log loss",
        "ECE",
        "from 95% on: rows, right",
        "in-sample Brier",
        "in-sample log loss",
        "in-sample ECE",
        "in-sample from 95% on",
    ];
    output.table(&header, &rows)?;
    output.line("")?;
    output.line(&format!("chosen: {} – {}", comparison.chosen.name(), comparison.why))?;
    for line in &comparison.methods {
        line.notes.iter().try_for_each(|note| output.line(&format!("note: {}: {note}", line.method.name())))?;
    }
    comparison.warnings.iter().try_for_each(|warning| output.line(&format!("warning: {warning}")))
}
