//! Can the confidence be calibrated? As the model gives it, with label bias taken out, and every method on rows it was
//! not fitted on; and a picture before and after.

use super::{number, pictures, stripes};
use crate::chart::{BeforeAfter, Cell, Chart, Heading, MeasurePair, Section, Table};
use crate::dataset::predictions::Predictions;
use crate::error::Result;
use crate::stats::bias_effect::{BiasEffect, Reading};
use crate::stats::calibrators::Method;
use crate::stats::comparison::{AUTOMATED_FROM, Automated, Comparison, compare};
use crate::stats::cross_fit::{CrossFitOptions, Quality, out_of_fold};
use crate::stats::deviation::Deviation;
use crate::stats::metrics::report::Report;
use crate::stats::quality_intervals::QualityIntervals;
use crate::stats::rows::Rows;

/// The section; `bias` says what a correction of label bias changes, where that is known.
///
/// # Errors
/// Rows that no calibrator can be fitted on.
pub(super) fn section(
    predictions: &Predictions,
    rows: &Rows,
    bias: Option<&BiasEffect>,
    before: &Report,
    seed: u64,
) -> Result<Section> {
    let options = CrossFitOptions { seed, ..CrossFitOptions::default() };
    let comparison = compare(rows, &Method::AUTO, None, &options)?;
    let mut tables = vec![side_by_side(&comparison, rows, bias, seed), in_sample_table(&comparison)];
    let mut figures = Vec::new();
    if let Ok(out) = out_of_fold(rows, comparison.chosen, &CrossFitOptions { repeats: Some(1), ..options })
        && let Some(values) = out.repeats.first()
    {
        let after = stripes(values, rows.correct(), seed)?;
        figures.push(before_after(comparison.chosen, before, &after));
        tables.insert(0, before_after_table(before, &after));
    }
    let leaning = bias.map(|effect| {
        let classes = predictions.classes();
        let names: Vec<&str> = classes.iter().map(String::as_str).collect();
        format!(
            "{} As the model gives it, {} of the rows are right; with the labels' average taken out, {}.",
            effect.bias.summary(&names),
            pictures::percent(Some(effect.raw.accuracy())),
            pictures::percent(Some(effect.corrected.accuracy()))
        )
    });
    Ok(Section {
        title: "Can it be calibrated?".into(),
        paragraphs: (leaning.into_iter())
            .chain([format!(
                "{} folds × {} repeats: each row is judged by calibrators that were not fitted on it. In-sample numbers \
                 flatter, and stand here only to show by how much.",
                comparison.folds, comparison.repeats
            )])
            .chain([format!("Chosen: {}. {}.", comparison.chosen.title(), comparison.why)])
            .collect(),
        warnings: comparison.warnings.clone(),
        figures,
        tables,
    })
}

/// What is compared before and after: the metric's name and its title.
const COMPARED: [(&str, &str); 3] = [("ece", "ECE"), ("smece", "smECE"), ("brier", "Brier score")];

fn before_after(method: Method, before: &Report, after: &Report) -> Chart {
    let named = |title: &str| Heading::titled(title);
    let measures = COMPARED.map(|(name, title)| {
        let value = |report: &Report| report.metrics.get(name).and_then(|estimate| estimate.value);
        let shown = |report| if name == "brier" { number(value(report)) } else { pictures::percent(value(report)) };
        MeasurePair {
            name: title.to_owned(),
            before: shown(before),
            after: shown(after),
            better: value(before).zip(value(after)).map(|(before, after)| after < before),
        }
    });
    Chart::BeforeAfter(BeforeAfter {
        heading: Heading::titled(format!("Before and after {}, on rows it was not fitted on", method.title())),
        before: pictures::reliability(&before.reliability, named("Before"), Vec::new()),
        after: pictures::reliability(&after.reliability, named("After"), Vec::new()),
        measures: measures.to_vec(),
    })
}

fn before_after_table(before: &Report, after: &Report) -> Table {
    let header = ["measure", "before#", "95% interval#", "after#", "95% interval#", "n#"];
    let mut table = Table::new("Before and after, on rows it was not fitted on", &header);
    for (name, title) in COMPARED {
        let cells = |report: &Report| {
            let estimate = report.metrics.get(name).copied().unwrap_or_default();
            let interval = match (estimate.low, estimate.high) {
                (Some(low), Some(high)) => format!("{}–{}", number(Some(low)), number(Some(high))),
                _ => "–".to_owned(),
            };
            [estimate.value.map_or(Cell::Empty, |value| Cell::number(value, 4)), Cell::text(interval)]
        };
        let mut row = vec![Cell::text(title)];
        row.extend(cells(before));
        row.extend(cells(after));
        row.push(Cell::count(after.n as u64));
        table.push(row);
    }
    table
}

/// Every method on rows it was not fitted on, beside the model's own answers with and without label bias, and beside
/// what no model at all would score.
pub fn side_by_side(comparison: &Comparison, rows: &Rows, bias: Option<&BiasEffect>, seed: u64) -> Table {
    let header = [
        "method",
        "accuracy#",
        "Brier#",
        "log loss#",
        "ECE#",
        "ECE if calibrated#",
        "smECE#",
        "from 95% on#",
        "right#",
        "n#",
    ];
    let mut table = Table::new("Side by side, on rows nothing was fitted on (cross-fitted)", &header);
    let n = Cell::count(comparison.n as u64);
    let own = Cell::percent(rows.right() as f64 / rows.len() as f64);
    if let Some(effect) = bias {
        // Where the predictions are the model's own answers, that line stands among the methods already.
        if effect.raw.correct != rows.correct() {
            table.push(reading_line("as the model gives it", &effect.raw, comparison.bins, seed));
        }
        table.push(reading_line("label bias taken out, no calibration", &effect.corrected, comparison.bins, seed));
    }
    for line in &comparison.methods {
        let chosen = if line.method == comparison.chosen { " (chosen)" } else { "" };
        let mut row = vec![Cell::text(format!("{}{chosen}", line.method.title())), own.clone()];
        row.extend(cells(line.cross_fitted, line.intervals));
        row.extend(deviation(line.deviation));
        row.extend(automated(line.automated));
        row.push(n.clone());
        table.push(row);
    }
    let mut row = vec![Cell::text("no model at all: the base rate"), Cell::Empty];
    row.extend(cells(comparison.baselines.prior, None));
    row.extend(deviation(None));
    row.extend(automated(None));
    row.push(n);
    table.push(row);
    table
}

/// The line of one way to read the model's answers.
fn reading_line(name: &str, reading: &Reading, bins: usize, seed: u64) -> Vec<Cell> {
    let mut row = vec![Cell::text(name), Cell::percent(reading.accuracy())];
    row.extend(cells(Some(Quality::of(&reading.confidence, &reading.correct, bins)), None));
    row.extend(deviation(Deviation::of(&reading.confidence, &reading.correct, bins, seed).ok()));
    let sure: Vec<bool> = (reading.confidence.iter().zip(&reading.correct))
        .filter(|(confidence, _)| **confidence >= AUTOMATED_FROM)
        .map(|(_, right)| *right)
        .collect();
    let right = sure.iter().filter(|right| **right).count() as f64;
    row.push(Cell::number(sure.len() as f64, 0));
    row.push(if sure.is_empty() { Cell::Empty } else { Cell::percent(right / sure.len() as f64) });
    row.push(Cell::count(reading.correct.len() as u64));
    row
}

fn deviation(found: Option<Deviation>) -> [Cell; 2] {
    let null = found.and_then(|found| found.ece_null);
    [
        null.map_or(Cell::Empty, |null| Cell::shown(null.mean, format!("{:.4}, up to {:.4}", null.mean, null.p95))),
        found.map_or(Cell::Empty, |found| Cell::number(found.smece, 4)),
    ]
}

/// The same in-sample, with that word on every number.
fn in_sample_table(comparison: &Comparison) -> Table {
    let header = [
        "method",
        "in-sample Brier#",
        "in-sample log loss#",
        "in-sample ECE#",
        "in-sample rows from 95% on#",
        "in-sample right of these#",
        "n#",
    ];
    let mut table = Table::new("In-sample: the same on the rows they were fitted on, which flatters", &header);
    for line in &comparison.methods {
        let mut row = vec![Cell::text(line.method.title())];
        row.extend(cells(Some(line.in_sample), None));
        row.extend(automated(Some(line.automated_in_sample)));
        row.push(Cell::count(comparison.n as u64));
        table.push(row);
    }
    table
}

fn automated(found: Option<Automated>) -> [Cell; 2] {
    [
        found.map_or(Cell::Empty, |found| Cell::number(found.n, 0)),
        found.and_then(|found| found.accuracy).map_or(Cell::Empty, Cell::percent),
    ]
}

fn cells(quality: Option<Quality>, intervals: Option<QualityIntervals>) -> [Cell; 3] {
    let cell = |part: fn(&Quality) -> f64, ends: fn(&QualityIntervals) -> [f64; 2]| {
        let Some(value) = quality.as_ref().map(part) else { return Cell::Empty };
        match intervals.as_ref().map(ends) {
            Some([low, high]) => Cell::shown(value, format!("{value:.4} ({low:.3}–{high:.3})")),
            None => Cell::number(value, 4),
        }
    };
    [cell(|q| q.brier, |i| i.brier), cell(|q| q.log_loss, |i| i.log_loss), cell(|q| q.ece, |i| i.ece)]
}
