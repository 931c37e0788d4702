//! Whether the runs' confidence may be believed: as it is, calibrated, and one beside the other.

use super::cell;
use crate::chart::{BeforeAfter, Cell, Chart, ConfidenceHistogram, Heading, MeasurePair, Section, Table, format};
use crate::error::Result;
use crate::evaluate::compare::Compared;
use crate::evaluate::pictures;
use crate::stats::cross_fit::Quality;
use crate::stats::metrics::evaluation::Row;
use crate::stats::metrics::report::{self as metrics, Report};
use crate::stats::resampling::Resampling;

/// Stripes of the reliability diagrams.
const STRIPES: usize = 20;

/// The rows in stripes of 5%, for a diagram.
fn stripes(scores: &[f64], correct: &[bool]) -> Result<Report> {
    let rows: Vec<Row> = (scores.iter().zip(correct))
        .map(|(confidence, correct)| Row { confidence: *confidence, correct: *correct, ..Row::default() })
        .collect();
    // Only the dots and the values are drawn, no interval of the whole.
    let resampling = Resampling { resamples: 0, ..Resampling::default() };
    metrics::report(&rows, &metrics::Options { bins: STRIPES, resampling, null_simulations: 0, ..Default::default() })
}

/// Reliability pairs, confidence by outcome, and the calibration errors side by side.
pub(super) fn section(compared: &Compared) -> Result<Section> {
    let mut figures = Vec::new();
    let mut drawn = Vec::new();
    for side in &compared.runs {
        let (scores, correct) = &side.outcomes;
        drawn.push(stripes(scores, correct)?);
        let own = drawn.last();
        let Some((calibration, own)) = side.calibration.as_ref().filter(|found| !found.values.is_empty()).zip(own)
        else {
            continue;
        };
        let after = stripes(&calibration.values, correct)?;
        let title = format!("{}: as it is, and after {}", side.name, calibration.method.title());
        figures.push(beside(title, ["as it is", "calibrated, on rows it was not fitted on"], own, &after));
    }
    if let ([first, .., last], [best, .., worst]) = (&drawn[..], &compared.runs[..]) {
        let title = format!("{} beside {}, as they are", worst.name, best.name);
        figures.insert(0, beside(title, [worst.name.as_str(), best.name.as_str()], last, first));
    }
    figures.extend(compared.runs.iter().map(|side| {
        let (scores, correct) = &side.outcomes;
        let heading = Heading::titled(format!("{}: its confidence, right and wrong", side.name));
        Chart::ConfidenceHistogram(ConfidenceHistogram { heading, bins: pictures::histogram(scores, correct) })
    }));
    Ok(Section {
        title: "May their confidence be believed?".into(),
        paragraphs: vec![
            "On the diagonal, confidence is honest; below it, the run is too sure of itself. Calibrated numbers are \
             cross-fitted: each row is judged by a calibrator that has not seen it."
                .into(),
        ],
        figures,
        tables: vec![calibrations(compared)],
        ..Section::default()
    })
}

fn beside(title: String, names: [&str; 2], first: &Report, second: &Report) -> Chart {
    let value = |report: &Report, name: &str| report.metrics.get(name).and_then(|estimate| estimate.value);
    let measures = [("ece", "ECE, 20 stripes"), ("brier", "Brier score")].map(|(name, title)| {
        let shown = |report| match name {
            "brier" => value(report, name).map_or_else(|| "–".to_owned(), |value| format::number(value, 4)),
            _ => pictures::percent(value(report, name)),
        };
        MeasurePair {
            name: title.to_owned(),
            before: shown(first),
            after: shown(second),
            better: (value(first, name).zip(value(second, name)))
                .filter(|(before, after)| before != after)
                .map(|(before, after)| after < before),
        }
    });
    let diagram =
        |report: &Report, name: &str| pictures::reliability(&report.reliability, Heading::titled(name), Vec::new());
    Chart::BeforeAfter(BeforeAfter {
        heading: Heading::titled(title),
        before: diagram(first, names[0]),
        after: diagram(second, names[1]),
        measures: measures.to_vec(),
    })
}

/// Calibration of every run, as it is and calibrated: also what the command line prints.
pub fn calibrations(compared: &Compared) -> Table {
    let header = [
        "run",
        "ECE#",
        "a calibrated model#",
        "calibrated by",
        "ECE, calibrated#",
        "Brier#",
        "Brier, calibrated#",
        "log loss#",
        "log loss, calibrated#",
    ];
    let mut table = Table::new("Calibration side by side (calibrated: cross-fitted)", &header);
    for side in &compared.runs {
        let own = |name: &str| cell(side.report.metrics.get(name), name == "ece");
        let fitted = |part: fn(&Quality) -> f64, share: bool| {
            let value = side.calibration.as_ref().and_then(|found| found.cross_fitted.as_ref()).map(part);
            value.map_or(Cell::Empty, |value| if share { Cell::percent(value) } else { Cell::number(value, 4) })
        };
        table.push(vec![
            Cell::text(side.name.as_str()),
            own("ece"),
            side.report.ece_null.as_ref().map_or(Cell::Empty, |null| Cell::percent(null.mean)),
            Cell::text(side.calibration.as_ref().map_or("–", |found| found.method.title())),
            fitted(|quality| quality.ece, true),
            own("brier"),
            fitted(|quality| quality.brier, false),
            own("log_loss"),
            fitted(|quality| quality.log_loss, false),
        ]);
    }
    table
}
