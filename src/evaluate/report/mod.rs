//! The self-contained report of a predictions file: what is known, how sure, and what to do with it.
//!
//! One question a section, in the order in which people ask: may the confidence be believed, can it be calibrated, what
//! can be automated, what would more labels buy, and all the numbers for whoever checks.

mod calibration;
mod decision;
mod numbers;

pub use calibration::side_by_side;

use super::pictures;
use super::rows::{calibration_rows, label_bias, usual_input};
use crate::chart::{self, Chart, Heading, Highlight, Measure, Section};
use crate::dataset::predictions::Predictions;
use crate::error::Result;
use crate::protocol::Wish;
use crate::stats::bias_effect::BiasEffect;
use crate::stats::costs::Costs;
use crate::stats::intervals::Interval;
use crate::stats::metrics::evaluation;
use crate::stats::metrics::report::{self, Report};
use crate::stats::sample_size::{SampleSizeOptions, USUAL_SIZES, USUAL_THRESHOLDS as SIZE_THRESHOLDS, sample_sizes};
use crate::stats::selection::Selection;

/// Stripes of the reliability diagrams.
const STRIPES: usize = 20;

/// Prices where nobody gives any: counted in reviews, an error ten times as dear.
pub const EXAMPLE_REVIEW: f64 = 1.0;
/// What an automated error costs where nobody says, in reviews.
pub const EXAMPLE_ERROR: f64 = 10.0;
/// Rows a day where nobody says.
pub const USUAL_VOLUME: f64 = 1000.0;

/// What a report looks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    /// The accuracy that automated rows must have.
    pub accuracy: f64,
    /// How sure that must be.
    pub assurance: f64,
    /// Prices and volume.
    pub costs: Costs,
    /// Whether the prices are an example because nobody gave any.
    pub example_costs: bool,
    /// The currency; may be empty.
    pub currency: String,
}

impl Settings {
    /// What is looked for where nobody says: 95% accurate with 90% assurance; costs counted in reviews, an error ten
    /// times as dear.
    pub fn usual(seed: u64) -> Self {
        let costs = Costs { review_cost: EXAMPLE_REVIEW, error_cost: EXAMPLE_ERROR, volume: USUAL_VOLUME };
        Self { seed, accuracy: 0.95, assurance: 0.9, costs, example_costs: true, currency: String::new() }
    }

    /// What a person looks for.
    pub fn wished(seed: u64, wish: Wish) -> Self {
        let Wish { accuracy, assurance, costs, example_costs, currency } = wish;
        Self { seed, accuracy, assurance, costs, example_costs, currency }
    }
}

/// The report of predictions; `facts` say how they were made. Command line and page show the same one.
///
/// # Errors
/// Rows that no calibrator can be fitted on; an accuracy or assurance out of range.
pub fn report_of(
    predictions: &Predictions,
    computed: &Report,
    name: &str,
    facts: Vec<(String, String)>,
    settings: &Settings,
) -> Result<chart::Report> {
    let seed = settings.seed;
    let (scores, correct) = predictions.outcomes();
    let rows = calibration_rows(predictions, usual_input(predictions))?;
    let selection = Selection::new(&scores, &correct)?;
    let stripes = stripes(&scores, &correct, seed)?;
    let mut sections = vec![trust(computed, &stripes, &scores, &correct, seed)?];
    let bias = label_bias(predictions, &rows, seed);
    sections.push(calibration::section(predictions, &rows, bias.as_ref(), &stripes, seed)?);
    sections.push(decision::section(&selection, computed, settings)?);
    let options = SampleSizeOptions { seed, ..SampleSizeOptions::default() };
    if let Ok(table) = sample_sizes(&rows, &USUAL_SIZES, &SIZE_THRESHOLDS, &options) {
        sections.push(Section {
            title: "What would more labels buy?".into(),
            paragraphs: vec![format!(
                "Of each size {} random draws: {} is fitted on each and judged on rows it has not seen. Bars hold 90% of \
                 the draws.",
                table.draws,
                table.method.title()
            )],
            warnings: table.warnings.clone(),
            figures: vec![pictures::sample_size(&table)],
            ..Section::default()
        });
    }
    sections.push(numbers::section(computed));
    let mut all_facts = vec![("predictions".to_owned(), name.to_owned())];
    all_facts.extend(facts);
    all_facts.push(("made by".into(), format!("candor {}", env!("CARGO_PKG_VERSION"))));
    all_facts.push(("seed".into(), seed.to_string()));
    Ok(chart::Report {
        title: format!("{name}: confidence, examined"),
        paragraphs: vec![format!(
            "{} with their outcomes. Intervals hold {:.0}%.",
            chart::format::counted(computed.n as u64, "prediction", "predictions"),
            computed.level * 100.0
        )],
        warnings: computed.warnings.clone(),
        highlights: highlights(computed, bias.as_ref()),
        sections,
        facts: all_facts,
        footer: String::new(),
    })
}

/// Answers anew what can be automated, in a report of the same predictions: nothing else in it depends on the settings.
///
/// # Errors
/// An accuracy or assurance out of range; costs that are none.
pub fn decide_anew(
    report: &mut chart::Report,
    predictions: &Predictions,
    computed: &Report,
    settings: &Settings,
) -> Result<()> {
    let (scores, correct) = predictions.outcomes();
    let section = decision::section(&Selection::new(&scores, &correct)?, computed, settings)?;
    if let Some(older) = report.sections.iter_mut().find(|older| older.title == section.title) {
        *older = section;
    }
    Ok(())
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
    let usual = report::Options::for_rows(rows.len());
    let null_simulations = usual.null_simulations.min(500);
    let mut options = report::Options { bins: STRIPES, null_simulations, ..usual };
    options.resampling.resamples = options.resampling.resamples.min(200);
    options.resampling.seed = seed;
    report::report(&rows, &options)
}

fn highlights(computed: &Report, bias: Option<&BiasEffect>) -> Vec<Highlight> {
    let n = format!("n = {}", chart::format::count(computed.n as u64));
    let estimate = |name: &str| computed.metrics.get(name).copied().unwrap_or_default();
    let beside = |name: &str, shown: fn(Option<f64>) -> String, more: String| {
        let estimate = estimate(name);
        let interval = match (estimate.low, estimate.high) {
            (Some(low), Some(high)) => format!("{}–{}, {n}", shown(Some(low)), shown(Some(high))),
            _ => n.clone(),
        };
        if more.is_empty() { interval } else { format!("{interval}; {more}") }
    };
    let null = computed.ece_null.as_ref().map_or_else(String::new, |null| {
        format!(
            "a calibrated model: {}, up to {}",
            pictures::percent(Some(null.mean)),
            pictures::percent(Some(null.p95))
        )
    });
    let prior = &computed.baselines.prior;
    let majority = computed.baselines.majority.as_ref().map_or_else(String::new, |majority| {
        format!("always \"{}\": {}", majority.label, pictures::percent(majority.accuracy.value))
    });
    let base = |value: f64| format!("knowing only the base rate: {}", number(Some(value)));
    let highlight = |title: &str, name: &str, shown: fn(Option<f64>) -> String, more: String| Highlight {
        name: title.to_owned(),
        value: shown(estimate(name).value),
        beside: beside(name, shown, more),
    };
    let mut all = vec![highlight("Accuracy", "accuracy", pictures::percent, majority)];
    all.extend(bias.map(|effect| {
        let Interval { low, high } = effect.corrected.interval();
        let interval = format!("{}–{}, {n}", pictures::percent(Some(low)), pictures::percent(Some(high)));
        let raw = pictures::percent(Some(effect.raw.accuracy()));
        Highlight {
            name: "Accuracy with label bias taken out".into(),
            value: pictures::percent(Some(effect.corrected.accuracy())),
            beside: format!("{interval}; as the model gives it: {raw}"),
        }
    }));
    all.extend([
        highlight("Calibration error (ECE)", "ece", pictures::percent, null),
        highlight("Brier score", "brier", number, base(prior.brier)),
        highlight("Log loss", "log_loss", number, base(prior.log_loss)),
    ]);
    all
}

/// `0.1930`, or `–` where there is no number.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| chart::format::number(value, 4))
}

/// The named metric with its interval.
fn measure(computed: &Report, name: &str, title: &str) -> Measure {
    let estimate = computed.metrics.get(name).copied().unwrap_or_default();
    let note = match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("95%: {}–{}", number(Some(low)), number(Some(high))),
        _ => String::new(),
    };
    Measure { name: title.to_owned(), value: number(estimate.value), note }
}

fn trust(computed: &Report, stripes: &Report, scores: &[f64], correct: &[bool], seed: u64) -> Result<Section> {
    let null = stripes.ece_null.as_ref().map_or_else(String::new, |null| {
        format!("a calibrated model would show {} here", pictures::percent(Some(null.mean)))
    });
    let ece = pictures::measure(stripes, "ece", "ECE, 20 stripes", null);
    let corp = ["corp_mcb", "corp_dsc", "corp_unc"]
        .map(|name| measure(computed, name, &name.trim_start_matches("corp_").to_uppercase()));
    let smooth_null = computed.nulls.get("smece").copied().flatten().map_or_else(String::new, |null| {
        format!("a calibrated model would show {} here", pictures::percent(Some(null.mean)))
    });
    let smece = pictures::measure(computed, "smece", "smECE", smooth_null);
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
            pictures::smooth(scores, correct, smece, seed)?,
            pictures::confidence_histogram(scores, correct),
        ],
        ..Section::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::predictions::{self, Options as Reading};
    use crate::evaluate::rows::{SEED, measure};

    fn predictions() -> Predictions {
        let lines: String = (0..120)
            .map(|row| {
                let (confidence, correct) = (0.5 + f64::from(row) / 250.0, row >= 40 || row % 2 == 0);
                format!("{{\"confidence\": {confidence}, \"correct\": {correct}}}\n")
            })
            .collect();
        predictions::read("p.jsonl", lines.as_bytes(), Reading::default()).expect("rows")
    }

    #[test]
    fn prices_that_come_later_give_the_report_that_prices_at_once_give() {
        let predictions = predictions();
        let computed = measure(&predictions, report::Options::for_rows(120), None).expect("numbers");
        let of = |settings: &Settings| report_of(&predictions, &computed, "p", Vec::new(), settings).expect("a report");
        let usual = Settings::usual(SEED);
        let costs = Costs { review_cost: 2.0, error_cost: 30.0, volume: 500.0 };
        let wish = Wish { accuracy: 0.8, assurance: 0.8, costs, example_costs: false, currency: "EUR".into() };
        let wished = Settings::wished(SEED, wish);
        let mut later = of(&usual);
        decide_anew(&mut later, &predictions, &computed, &wished).expect("settings");
        assert_eq!(later, of(&wished));
        let words = later.to_html();
        assert!(words.contains("A review costs 2.00 EUR") && words.contains("500 texts"), "the person's prices");
        decide_anew(&mut later, &predictions, &computed, &usual).expect("settings");
        assert_eq!(later, of(&usual));
    }
}
