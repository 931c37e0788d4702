//! `candor decide`: what can be automated at which accuracy, and what a threshold costs.

use std::path::PathBuf;

use serde::Serialize;

use super::{calibration_rows, read, read_calibrator, run_binding, usual_input};
use crate::cli::output::{Output, percent};
use crate::error::Result;
use crate::stats::costs::{BestCost, Costs, REVIEW_ALL, best_threshold};
use crate::stats::guarantee::{Guaranteed, guaranteed_threshold};
use crate::stats::saved::Bound;
use crate::stats::selection::{Selection, ThresholdRow, USUAL_THRESHOLDS};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Labelled predictions.
    predictions: PathBuf,
    /// Calibrate confidence first. It should have been fitted on other rows.
    #[arg(long, value_name = "FILE")]
    calibrator: Option<PathBuf>,
    /// Use a calibrator of another model or task all the same; the answer is then marked.
    #[arg(long, requires = "calibrator")]
    force: bool,
    /// The accuracy that automated rows must have.
    #[arg(long, default_value_t = 0.95)]
    accuracy: f64,
    /// How sure that must be.
    #[arg(long, default_value_t = 0.9)]
    assurance: f64,
    /// Thresholds of the table, separated by commas.
    #[arg(long, value_delimiter = ',')]
    thresholds: Vec<f64>,
    /// What it costs to have a person review a row.
    #[arg(long, requires = "error_cost")]
    review_cost: Option<f64>,
    /// What an automated error costs.
    #[arg(long, requires = "review_cost")]
    error_cost: Option<f64>,
    /// Rows a day.
    #[arg(long, default_value_t = 1.0)]
    volume: f64,
}

#[derive(Serialize)]
struct Report {
    n: usize,
    thresholds: Vec<ThresholdRow>,
    accuracy: f64,
    assurance: f64,
    guaranteed: Option<Guaranteed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed_rows: Option<usize>,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_cost: Option<BestCost>,
    warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// Predictions or a calibrator that cannot be read; an accuracy, assurance, cost or threshold out of range.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let predictions = read(&arguments.predictions)?;
    let mut warnings = Vec::new();
    let (scores, correct) = match &arguments.calibrator {
        None => predictions.outcomes(),
        Some(path) => {
            let file = read_calibrator(path)?;
            let here = run_binding(&arguments.predictions).unwrap_or_default();
            match file
                .check_binding(&here, arguments.force)
                .map_err(|error| error.at_file(path.display().to_string()))?
            {
                Bound::Same => {}
                Bound::Forced(reasons) => {
                    warnings.push(format!("the calibrator does not belong here: {}", reasons.join("; ")));
                }
            }
            let rows = calibration_rows(&predictions, file.input)?;
            if rows.sha256() == file.fitted_on.sha256 {
                warnings.push(
                    format!(
                        "in-sample {}: the calibrator was fitted on these very rows; decide on rows it has not seen, or \
                         without it (a calibrator that keeps the order of scores does not change what can be automated)",
                        file.calibrator.method().name().replace('_', " ")
                    ),
                );
            } else if file.input != usual_input(&predictions) {
                warnings.push("the calibrator takes another number than the file's confidence".to_owned());
            }
            let values = super::calibrated(&file, &predictions)?;
            (values.into_iter().map(|value| value.confidence).collect(), rows.correct().to_vec())
        }
    };
    let selection = Selection::new(&scores, &correct)?;
    let guarantee = guaranteed_threshold(&selection, arguments.accuracy, arguments.assurance)?;
    let costs = arguments.review_cost.zip(arguments.error_cost).map(|(review_cost, error_cost)| Costs {
        review_cost,
        error_cost,
        volume: arguments.volume,
    });
    if let Some(costs) = &costs {
        costs.check()?;
    }
    let thresholds =
        if arguments.thresholds.is_empty() { USUAL_THRESHOLDS.to_vec() } else { arguments.thresholds.clone() };
    if let Some(wrong) = thresholds.iter().find(|threshold| !(0.0..=1.0).contains(*threshold)) {
        return Err(crate::Error::usage(format!("the threshold {wrong} is not between 0 and 1")).in_field("thresholds"));
    }
    let report = Report {
        n: selection.len(),
        thresholds: selection.table(&thresholds, 0.95, costs.map(|costs| costs.review_all())),
        accuracy: arguments.accuracy,
        assurance: arguments.assurance,
        needed_rows: guarantee.needed_rows,
        summary: guarantee.summary(),
        guaranteed: guarantee.guaranteed,
        best_cost: costs.map(|costs| best_threshold(&selection, &costs)).transpose()?,
        warnings,
    };
    let mut output = Output::standard();
    if json {
        output.json(&report)?;
    } else {
        print(&mut output, &report)?;
    }
    output.flush()
}

fn print(output: &mut Output, report: &Report) -> Result<()> {
    let rows: Vec<Vec<String>> = (report.thresholds.iter())
        .map(|row| {
            let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| percent(value, 1));
            vec![
                format!("{}", row.threshold),
                row.n.to_string(),
                percent(row.share, 1),
                row.correct.to_string(),
                share(row.accuracy),
                format!("[{}, {}]", share(row.low), share(row.high)),
                row.review_cost.map_or_else(String::new, |cost| format!("{cost:.2}")),
            ]
        })
        .collect();
    let header = ["threshold", "rows", "share", "right", "accuracy", "95% interval", "review cost a day"];
    output.table(&header, &rows)?;
    output.line("")?;
    output.line(&report.summary)?;
    if let Some(cost) = &report.best_cost {
        let from = if cost.best.threshold >= REVIEW_ALL {
            "automate nothing".to_owned()
        } else {
            format!("automate from a confidence of {:.4} on", cost.best.threshold)
        };
        output.line(&format!(
            "Cheapest: {from}, {:.2} a day [{:.2}, {:.2}]; reviewing everything costs {:.2}, automating everything {:.2}.",
            cost.best.cost, cost.low, cost.high, cost.review_all, cost.automate_all
        ))?;
    }
    report.warnings.iter().try_for_each(|warning| output.line(&format!("warning: {warning}")))
}
