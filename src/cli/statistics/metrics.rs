//! `candor metrics`: every metric of a predictions file, with its interval.

use std::path::PathBuf;

use super::{evaluation_rows, read, report, shown, write_file};
use crate::cli::output::Output;
use crate::error::Result;
use crate::stats::metrics::report::{Options, Report, report as compute};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Predictions: JSON lines or a table with `confidence` and `correct` (or `expected` and `label`).
    predictions: PathBuf,
    /// Equal-width bins of the calibration errors.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bins: u32,
    /// Bootstrap resamples of the intervals.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    resamples: u32,
    /// Seed of everything random.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Write a self-contained report (HTML) with pictures, calibrators and thresholds.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Predictions that cannot be read; output that cannot be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let predictions = read(&arguments.predictions)?;
    let mut options = Options { bins: arguments.bins as usize, ..Options::default() };
    options.resampling.resamples = arguments.resamples as usize;
    options.resampling.seed = arguments.seed;
    if predictions.rows.iter().all(|row| row.labels.is_some()) {
        options.labels = predictions.classes();
    }
    let computed = compute(&evaluation_rows(&predictions), &options)?;
    if let Some(path) = &arguments.report {
        let name = arguments.predictions.file_name().map(|name| name.to_string_lossy().into_owned());
        let html = report::html(&predictions, &computed, &name.unwrap_or_default(), arguments.seed)?;
        write_file(path, &html)?;
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

fn print(output: &mut Output, report: &Report) -> Result<()> {
    let classes = report.classes.map(|classes| format!(", {classes} labels")).unwrap_or_default();
    output.line(&format!("{} rows{classes}; intervals at {:.0}%", report.n, report.level * 100.0))?;
    output.line("")?;
    let rows: Vec<Vec<String>> = (report.metrics.iter())
        .map(|(name, estimate)| {
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
