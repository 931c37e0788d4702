//! `candor metrics`: every metric of a predictions file, with its interval.

use std::path::PathBuf;

use super::promise::Promise;
use super::{read, shown, write_file};
use crate::chart::format::counted;
use crate::cli::output::Output;
use crate::dataset::predictions::Predictions;
use crate::error::Result;
use crate::evaluate::report::report_of;
pub use crate::evaluate::rows::SEED;
use crate::evaluate::rows::measure;
use crate::stats::metrics::evaluation::names;
use crate::stats::metrics::report::{Options, Report};
use crate::stats::resampling::Resampling;
use crate::task::Task;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Predictions: JSON lines or a table with `confidence` and `correct` (or `expected` and `label`), or a run folder.
    predictions: PathBuf,
    #[command(flatten)]
    settings: Settings,
    /// Seed of everything random.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// The task file the predictions were made with: its order of labels, and their values where they are a scale.
    #[arg(long, value_name = "FILE")]
    task: Option<String>,
    /// Write a self-contained report (HTML) with pictures, calibrators and thresholds.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    promise: Promise,
}

/// Flags of everything that computes metrics.
#[derive(clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Equal-width bins of the calibration errors.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bins: u32,
    /// Bootstrap resamples of the intervals; by default 2,000, fewer for very many rows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    resamples: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bins: 15, resamples: None }
    }
}

impl Settings {
    /// A resampling with as many resamples as were asked for.
    pub fn resampling(&self, usual: Resampling) -> Resampling {
        Resampling { resamples: self.resamples.map_or(usual.resamples, |resamples| resamples as usize), ..usual }
    }
}

/// Runs the command.
///
/// # Errors
/// Predictions that cannot be read; output that cannot be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let predictions = read(&arguments.predictions)?;
    let task = arguments.task.as_deref().map(crate::cli::classify::read_task).transpose()?;
    let computed = compute(&predictions, &arguments.settings, arguments.seed, task.as_ref())
        .map_err(|error| error.at_file(arguments.predictions.display().to_string()))?;
    if let Some(path) = &arguments.report {
        let name = arguments.predictions.file_name().map(|name| name.to_string_lossy().into_owned());
        let settings = arguments.promise.settings(arguments.seed)?;
        let report = report_of(&predictions, &computed, &name.unwrap_or_default(), Vec::new(), &settings)?;
        write_file(path, &report.to_html())?;
        eprintln!("wrote {}", path.display());
    }
    let mut output = Output::standard();
    if json {
        output.json(&computed)?;
    } else {
        print(&mut output, &computed)?;
    }
    output.flush()
}

/// Every metric of predictions. A task gives the order of the labels, and their values where they are a scale.
///
/// # Errors
/// Predictions whose probabilities are none, or whose labels are not the task's.
pub fn compute(predictions: &Predictions, settings: &Settings, seed: u64, task: Option<&Task>) -> Result<Report> {
    let mut options = Options { bins: settings.bins as usize, ..Options::for_rows(predictions.rows.len()) };
    options.resampling = Resampling { seed, ..settings.resampling(options.resampling) };
    measure(predictions, options, task)
}

/// Prints a report as tables.
///
/// # Errors
/// Output that cannot be written.
pub fn print(output: &mut Output, report: &Report) -> Result<()> {
    let classes = report.classes.map(|classes| format!(", {}", counted(classes as u64, "label", "labels")));
    let rows = counted(report.n as u64, "row", "rows");
    output.line(&format!("{rows}{}; intervals at {:.0}%", classes.unwrap_or_default(), report.level * 100.0))?;
    output.line("")?;
    // Metrics that need what these rows do not carry (a scale, all probabilities) are not listed as missing.
    let confidence_alone = names().position(|name| name == "macro_f1").unwrap_or_default();
    let rows: Vec<Vec<String>> = (report.metrics.iter().enumerate())
        .filter(|(index, (_, estimate))| *index < confidence_alone || estimate.value.is_some())
        .map(|(_, (name, estimate))| {
            let [value, interval] = shown(estimate.value, estimate.low, estimate.high);
            vec![name.clone(), value, interval]
        })
        .collect();
    output.table(&["metric", "value", "interval"], &rows)?;
    if let Some(null) = &report.ece_null {
        output.line("")?;
        output.line(&format!(
            "A perfectly calibrated model would show an ECE of {:.4} on average here, and up to {:.4} in 95 of 100 samples.",
            null.mean, null.p95
        ))?;
    }
    if !report.per_class.is_empty() {
        output.line("")?;
        let rows: Vec<Vec<String>> = (report.per_class.iter())
            .map(|class| {
                let cell = |estimate: &crate::stats::metrics::report::Estimate| {
                    shown(estimate.value, estimate.low, estimate.high).join(" ")
                };
                vec![
                    class.label.clone(),
                    class.support.to_string(),
                    cell(&class.precision),
                    cell(&class.recall),
                    cell(&class.f1),
                ]
            })
            .collect();
        output.table(&["label", "n", "precision", "recall", "F1"], &rows)?;
    }
    baselines(output, report)?;
    report.warnings.iter().try_for_each(|warning| output.line(&format!("warning: {warning}")))
}

fn baselines(output: &mut Output, report: &Report) -> Result<()> {
    output.line("")?;
    if let Some(majority) = &report.baselines.majority {
        output.line(&format!(
            "baseline, always \"{}\": accuracy {}",
            majority.label,
            shown(majority.accuracy.value, majority.accuracy.low, majority.accuracy.high).join(" ")
        ))?;
    }
    let prior = &report.baselines.prior;
    output.line(&format!(
        "baseline, always the mean accuracy as confidence: Brier {:.4}, log loss {:.4}",
        prior.brier, prior.log_loss
    ))
}
