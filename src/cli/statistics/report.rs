//! The self-contained report of a predictions file: what is known, how sure, and what to do with it.

use super::{calibration_rows, pictures, usual_input};
use crate::chart::{self, BeforeAfter, Cell, Chart, Heading, Highlight, MeasurePair, Section, Table};
use crate::dataset::predictions::Predictions;
use crate::error::Result;
use crate::stats::calibrators::Method;
use crate::stats::comparison::{Comparison, compare};
use crate::stats::cross_fit::{CrossFitOptions, out_of_fold};
use crate::stats::guarantee::guaranteed_threshold;
use crate::stats::metrics::evaluation;
use crate::stats::metrics::report::{self, Report};
use crate::stats::rows::Rows;
use crate::stats::sample_size::{SampleSizeOptions, USUAL_SIZES, USUAL_THRESHOLDS as SIZE_THRESHOLDS, sample_sizes};
use crate::stats::selection::{Selection, USUAL_THRESHOLDS};

/// The promise that the report looks for.
const WANTED_ACCURACY: f64 = 0.95;
const ASSURANCE: f64 = 0.9;
/// Stripes of the reliability diagrams.
const STRIPES: usize = 20;

/// The report as one HTML file.
///
/// # Errors
/// Rows that no calibrator can be fitted on.
pub fn html(predictions: &Predictions, computed: &Report, name: &str, seed: u64) -> Result<String> {
    let (scores, correct) = predictions.outcomes();
    let rows = calibration_rows(predictions, usual_input(predictions))?;
    let selection = Selection::new(&scores, &correct)?;
    let stripes = stripes(&scores, &correct, seed)?;
    let mut sections = vec![trust(computed, &stripes, &scores, &correct, seed)?];
    sections.push(calibration(&rows, &stripes, seed)?);
    sections.push(decision(&selection)?);
    let options = SampleSizeOptions { seed, ..SampleSizeOptions::default() };
    if let Ok(table) = sample_sizes(&rows, &USUAL_SIZES, &SIZE_THRESHOLDS, &options) {
        sections.push(Section {
            title: "What would more labels buy?".into(),
            paragraphs: vec![format!(
                "{} fitted on {} random draws a size and judged on the other rows.",
                table.method.title(),
                table.draws
            )],
            warnings: table.warnings.clone(),
            figures: vec![pictures::sample_size(&table)],
            ..Section::default()
        });
    }
    sections.push(details(computed));
    let report = chart::Report {
        title: format!("{name}: confidence, examined"),
        paragraphs: vec![format!(
            "{} predictions with their outcomes. Every interval holds {:.0}%.",
            chart::format::count(computed.n as u64),
            computed.level * 100.0
        )],
        warnings: computed.warnings.clone(),
        highlights: highlights(computed),
        sections,
        facts: vec![
            ("predictions".into(), name.to_owned()),
            ("made by".into(), format!("candor {}", env!("CARGO_PKG_VERSION"))),
            ("seed".into(), seed.to_string()),
        ],
        footer: String::new(),
    };
    Ok(report.to_html())
}

/// The same rows in stripes of 5%, for the diagrams.
fn stripes(scores: &[f64], correct: &[bool], seed: u64) -> Result<Report> {
    let rows: Vec<evaluation::Row> = (scores.iter().zip(correct))
        .map(|(confidence, correct)| evaluation::Row {
            confidence: *confidence,
            correct: *correct,
            ..evaluation::Row::default()
        })
        .collect();
    let mut options = report::Options { bins: STRIPES, null_simulations: 500, ..report::Options::default() };
    options.resampling.resamples = 200;
    options.resampling.seed = seed;
    report::report(&rows, &options)
}

fn highlights(computed: &Report) -> Vec<Highlight> {
    let n = format!("n = {}", chart::format::count(computed.n as u64));
    let interval = |name: &str| match computed.metrics.get(name) {
        Some(e) => match (e.low, e.high) {
            (Some(low), Some(high)) => {
                format!("{}–{}, {n}", pictures::percent(Some(low)), pictures::percent(Some(high)))
            }
            _ => n.clone(),
        },
        None => n.clone(),
    };
    let value = |name: &str| pictures::percent(computed.metrics.get(name).and_then(|e| e.value));
    let null = computed.ece_null.as_ref().map(|null| {
        format!(
            "a calibrated model: {}, up to {}",
            pictures::percent(Some(null.mean)),
            pictures::percent(Some(null.p95))
        )
    });
    let mut ece = interval("ece");
    if let Some(null) = null {
        ece = format!("{ece}; {null}");
    }
    let number = |name: &str| {
        computed.metrics.get(name).and_then(|e| e.value).map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
    };
    let prior = &computed.baselines.prior;
    vec![
        Highlight { name: "Accuracy".into(), value: value("accuracy"), beside: interval("accuracy") },
        Highlight { name: "Calibration error (ECE)".into(), value: value("ece"), beside: ece },
        Highlight {
            name: "Brier score".into(),
            value: number("brier"),
            beside: format!("knowing only the base rate: {:.4}", prior.brier),
        },
        Highlight {
            name: "Log loss".into(),
            value: number("log_loss"),
            beside: format!("knowing only the base rate: {:.4}", prior.log_loss),
        },
    ]
}

fn trust(computed: &Report, stripes: &Report, scores: &[f64], correct: &[bool], seed: u64) -> Result<Section> {
    let null = stripes.ece_null.as_ref().map_or_else(String::new, |null| {
        format!("a calibrated model would show {} here", pictures::percent(Some(null.mean)))
    });
    let ece = pictures::measure(stripes, "ece", "ECE, 20 stripes", null);
    let corp = ["corp_mcb", "corp_dsc", "corp_unc"].map(|name| chart::Measure {
        name: name.trim_start_matches("corp_").to_uppercase(),
        value: computed.metrics.get(name).and_then(|e| e.value).map_or_else(|| "–".into(), |v| format!("{v:.4}")),
        note: String::new(),
    });
    let diagram = pictures::reliability(&stripes.reliability, Heading::default(), vec![ece]);
    Ok(Section {
        title: "May the confidence be believed?".into(),
        paragraphs: vec![
            "Each dot gathers the predictions of one stripe of confidence. On the diagonal, confidence is honest; below \
             it, the model is too sure of itself."
                .into(),
        ],
        figures: vec![
            Chart::Reliability(diagram),
            pictures::corp(scores, correct, corp.to_vec(), seed)?,
            pictures::confidence_histogram(scores, correct),
        ],
        ..Section::default()
    })
}

fn calibration(rows: &Rows, before: &Report, seed: u64) -> Result<Section> {
    let options = CrossFitOptions { seed, ..CrossFitOptions::default() };
    let comparison = compare(rows, &Method::AUTO, None, &options)?;
    let mut figures = Vec::new();
    if let Ok(out) = out_of_fold(rows, comparison.chosen, &CrossFitOptions { repeats: Some(1), ..options })
        && let Some(values) = out.repeats.first()
    {
        let after = stripes(values, rows.correct(), seed)?;
        let named = |title: &str| Heading::titled(title);
        let pair = |name: &str, title: &str| {
            let value = |report: &Report| report.metrics.get(name).and_then(|e| e.value);
            MeasurePair {
                name: title.to_owned(),
                before: pictures::percent(value(before)),
                after: pictures::percent(value(&after)),
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
            measures: vec![pair("ece", "ECE"), pair("mce", "Largest gap (MCE)")],
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
    let header = ["method", "Brier", "log loss", "ECE", "in-sample Brier", "in-sample log loss", "in-sample ECE", "n"];
    let mut table = Table::new("Calibrators, cross-fitted", &header);
    let number = |value: Option<f64>| match value {
        Some(value) => Cell::number(value, 4),
        None => Cell::text("–"),
    };
    for line in &comparison.methods {
        let (crossed, inside) = (line.cross_fitted, line.in_sample);
        table.push(vec![
            Cell::text(line.method.title()),
            number(crossed.map(|q| q.brier)),
            number(crossed.map(|q| q.log_loss)),
            number(crossed.map(|q| q.ece)),
            Cell::number(inside.brier, 4),
            Cell::number(inside.log_loss, 4),
            Cell::number(inside.ece, 4),
            Cell::count(comparison.n as u64),
        ]);
    }
    table
}

fn decision(selection: &Selection) -> Result<Section> {
    let guarantee = guaranteed_threshold(selection, WANTED_ACCURACY, ASSURANCE)?;
    let mut table = Table::new("Thresholds", &["threshold", "rows", "share", "right", "accuracy", "95% interval"]);
    for row in selection.table(&USUAL_THRESHOLDS, 0.95, None) {
        let share = |value: Option<f64>| value.map_or_else(|| Cell::text("–"), Cell::percent);
        table.push(vec![
            Cell::number(row.threshold, 3),
            Cell::count(row.n as u64),
            Cell::percent(row.share),
            Cell::count(row.correct as u64),
            share(row.accuracy),
            Cell::text(format!("{}–{}", pictures::percent(row.low), pictures::percent(row.high))),
        ]);
    }
    Ok(Section {
        title: "What can be automated?".into(),
        paragraphs: vec![guarantee.summary()],
        figures: vec![pictures::accuracy_volume(selection, &guarantee), pictures::risk_coverage(selection, Vec::new())],
        tables: vec![table],
        ..Section::default()
    })
}

fn details(computed: &Report) -> Section {
    let mut metrics = Table::new("Every metric", &["metric", "value", "low", "high", "n"]);
    for (name, estimate) in &computed.metrics {
        let number = |value: Option<f64>| value.map_or_else(|| Cell::text("–"), |value| Cell::number(value, 4));
        metrics.push(vec![
            Cell::text(name.as_str()),
            number(estimate.value),
            number(estimate.low),
            number(estimate.high),
            Cell::count(computed.n as u64),
        ]);
    }
    let mut tables = vec![metrics];
    if !computed.per_class.is_empty() {
        let mut table = Table::new("By label", &["label", "n", "precision", "recall", "F1", "specificity"]);
        for class in &computed.per_class {
            let cell = |estimate| Cell::text(pictures::estimate(estimate));
            table.push(vec![
                Cell::text(class.label.as_str()),
                Cell::count(class.support),
                cell(&class.precision),
                cell(&class.recall),
                cell(&class.f1),
                cell(&class.specificity),
            ]);
        }
        tables.push(table);
    }
    let paragraphs = match &computed.baselines.majority {
        Some(majority) => vec![format!(
            "Always answering \"{}\" would be right {} of the time.",
            majority.label,
            pictures::estimate(&majority.accuracy)
        )],
        None => Vec::new(),
    };
    Section {
        title: "All numbers".into(),
        paragraphs,
        figures: pictures::confusion(computed).into_iter().collect(),
        tables,
        ..Section::default()
    }
}
