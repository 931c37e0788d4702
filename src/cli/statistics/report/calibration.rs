//! Can the confidence be calibrated? Every method on rows it was not fitted on, and a picture before and after.

use super::{pictures, stripes};
use crate::chart::{BeforeAfter, Cell, Chart, Heading, MeasurePair, Section, Table};
use crate::error::Result;
use crate::stats::calibrators::Method;
use crate::stats::comparison::{Comparison, compare};
use crate::stats::cross_fit::{CrossFitOptions, Quality, out_of_fold};
use crate::stats::metrics::report::Report;
use crate::stats::quality_intervals::QualityIntervals;
use crate::stats::rows::Rows;

/// The section.
///
/// # Errors
/// Rows that no calibrator can be fitted on.
pub(super) fn section(rows: &Rows, before: &Report, seed: u64) -> Result<Section> {
    let options = CrossFitOptions { seed, ..CrossFitOptions::default() };
    let comparison = compare(rows, &Method::AUTO, None, &options)?;
    let mut figures = Vec::new();
    if let Ok(out) = out_of_fold(rows, comparison.chosen, &CrossFitOptions { repeats: Some(1), ..options })
        && let Some(values) = out.repeats.first()
    {
        let after = stripes(values, rows.correct(), seed)?;
        let named = |title: &str| Heading::titled(title);
        let pair = |name: &str, title: &str| {
            let estimate = |report: &Report| report.metrics.get(name).copied().unwrap_or_default();
            let value = |report: &Report| estimate(report).value;
            let shown = |report: &Report| pictures::estimate(&estimate(report));
            MeasurePair {
                name: title.to_owned(),
                before: shown(before),
                after: shown(&after),
                better: value(before).zip(value(&after)).map(|(before, after)| after < before),
            }
        };
        figures.push(Chart::BeforeAfter(BeforeAfter {
            heading: Heading::titled(format!(
                "Before and after {}, on rows it was not fitted on",
                comparison.chosen.title()
            )),
            before: pictures::reliability(&before.reliability, named("Before"), Vec::new()),
            after: pictures::reliability(&after.reliability, named("After"), Vec::new()),
            measures: vec![pair("ece", "ECE"), pair("mce", "Largest gap (MCE)"), pair("smece", "smECE")],
        }));
    }
    Ok(Section {
        title: "Can it be calibrated?".into(),
        paragraphs: vec![
            format!(
                "{} folds × {} repeats: each row is judged by calibrators that were not fitted on it. In-sample numbers \
                 flatter, and stand here only to show by how much.",
                comparison.folds, comparison.repeats
            ),
            format!("Chosen: {}. {}", comparison.chosen.title(), comparison.why),
        ],
        warnings: comparison.warnings.clone(),
        figures,
        tables: vec![method_table(&comparison)],
    })
}

fn method_table(comparison: &Comparison) -> Table {
    let header =
        ["method", "Brier#", "log loss#", "ECE#", "in-sample Brier#", "in-sample log loss#", "in-sample ECE#", "n#"];
    let mut table = Table::new("Calibrators, cross-fitted", &header);
    let n = || Cell::count(comparison.n as u64);
    for line in &comparison.methods {
        let chosen = if line.method == comparison.chosen { " (chosen)" } else { "" };
        let mut row = vec![Cell::text(format!("{}{chosen}", line.method.title()))];
        row.extend(cells(line.cross_fitted, line.intervals));
        let automated = line.automated;
        row.push(automated.map_or(Cell::Empty, |found| Cell::number(found.n, 0)));
        row.push(automated.and_then(|found| found.accuracy).map_or(Cell::Empty, Cell::percent));
        row.extend(cells(Some(line.in_sample), None));
        row.push(n());
        table.push(row);
    }
    let mut row = vec![Cell::text("No model at all: the base rate")];
    row.extend(cells(comparison.baselines.prior, None));
    row.extend([Cell::Empty, Cell::Empty]);
    row.extend(cells(None, None));
    row.push(n());
    table.push(row);
    table
}

fn cells(quality: Option<Quality>, intervals: Option<QualityIntervals>) -> [Cell; 3] {
    let cell = |part: fn(&Quality) -> f64, ends: fn(&QualityIntervals) -> [f64; 2]| {
        let Some(value) = quality.as_ref().map(part) else { return Cell::Empty };
        match intervals.as_ref().map(ends) {
            Some([low, high]) => Cell::shown(value, format!("{value:.4} ({low:.4}–{high:.4})")),
            None => Cell::number(value, 4),
        }
    };
    [cell(|q| q.brier, |i| i.brier), cell(|q| q.log_loss, |i| i.log_loss), cell(|q| q.ece, |i| i.ece)]
}
