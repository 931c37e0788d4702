//! Runs side by side on the rows that all of them have: which is best, by how much, and whether that can be known.
//!
//! Runs are ranked by one criterion, named beforehand. Every two are compared row by row (exact McNemar test for
//! accuracy, paired bootstrap for everything else), and the p-values of all pairs are corrected together (Holm), since
//! the pair that looks best was chosen by looking. A winner is named only if it is ahead of *every* other run by that
//! standard; otherwise the answer is that these rows do not tell. Calibration is judged beside it, cross-fitted, because
//! two runs of one accuracy can differ in how many rows they may automate.
//!
//! Which rows are the same is decided in [`matching`]; [`report`] draws what was found.

pub mod matching;
pub mod report;

use serde::{Deserialize, Serialize};

use self::matching::Matched;
use super::RunFacts;
use super::rows::{confidence_rows, evaluation_rows};
use crate::dataset::predictions::Predictions;
use crate::error::{Error, Result};
use crate::stats::calibrators::Method;
use crate::stats::comparison;
use crate::stats::cross_fit::{CrossFitOptions, Quality, out_of_fold};
use crate::stats::guarantee::{Guarantee, guaranteed_threshold};
pub use crate::stats::metrics::criterion::Criterion;
use crate::stats::metrics::paired::{Difference, Pair, compare_all, holm};
use crate::stats::metrics::report::{self as metrics, Report};
use crate::stats::quality_intervals::QualityIntervals;
use crate::stats::selection::{Selection, ThresholdRow};

/// Below this corrected p-value a difference is called real.
pub const SIGNIFICANT: f64 = 0.05;

/// A run to compare.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub predictions: Predictions,
    /// What it was made of, where known.
    pub facts: Option<RunFacts>,
}

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What runs are ranked by.
    pub by: Criterion,
    /// The confidence from which on rows count as automated.
    pub threshold: f64,
    /// The accuracy that automated rows must have where a promise is looked for.
    pub accuracy: f64,
    /// How sure that must be.
    pub assurance: f64,
    /// Bins, resamples, seed and level; labels and values of the task, where known.
    pub metrics: metrics::Options,
}

/// How a run's confidence can be calibrated, judged on rows that the calibrator was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The method with the least cross-fitted log loss.
    pub method: Method,
    /// Cross-fitted.
    pub cross_fitted: Option<Quality>,
    /// 95% intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<QualityIntervals>,
    /// Rows from the threshold on, by calibrated confidence.
    pub automated: Option<ThresholdRow>,
    /// Calibrated confidence a row, out of fold: for the picture.
    #[serde(skip)]
    pub values: Vec<f64>,
}

/// A run's part of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// How many rows it has, shared or not.
    pub rows: usize,
    /// Every metric on the shared rows.
    pub report: Report,
    /// Rows from the threshold on, by its own confidence.
    pub automated: ThresholdRow,
    /// What can be promised about automating.
    pub promise: Guarantee,
    /// Its calibration; `None` where nothing can be fitted.
    pub calibration: Option<Calibration>,
    /// What it was made of, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunFacts>,
    /// Confidence and outcome of the shared rows: for the pictures.
    #[serde(skip)]
    pub outcomes: (Vec<f64>, Vec<bool>),
}

/// Two runs, with the p-values of all pairs corrected together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedPair {
    /// The better run's name, by rank.
    pub better: String,
    /// The other's.
    pub worse: String,
    /// Places, tests and differences (`second` minus `first`; `first` is the better).
    #[serde(flatten)]
    pub pair: Pair,
    /// The test of the criterion, uncorrected: McNemar's for accuracy, the paired bootstrap's otherwise.
    pub p_value: Option<f64>,
    /// The same, corrected for all pairs (Holm).
    pub p_holm: Option<f64>,
}

/// Who is best, if that can be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The run that is ahead of every other; `None` where these rows do not tell.
    pub winner: Option<String>,
    /// How far the first is ahead of the second (positive is better), with its interval and uncorrected p-value.
    pub margin: Option<Difference>,
    /// In a sentence.
    pub sentence: String,
}

/// Runs side by side: what `candor compare --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Rows that all runs have.
    pub n: usize,
    /// How rows were matched.
    pub matched_by: String,
    /// What runs are ranked by.
    pub by: Criterion,
    /// The confidence from which on rows count as automated.
    pub threshold: f64,
    /// The runs, best first.
    pub runs: Vec<Side>,
    /// Every two of them.
    pub pairs: Vec<ComparedPair>,
    /// Who is best.
    pub verdict: Verdict,
    /// What a reader should know first.
    pub warnings: Vec<String>,
}

/// Compares runs on the rows that all of them have.
///
/// # Errors
/// Fewer than two runs; no shared rows; rows that cannot be judged; a criterion that these rows do not have.
pub fn compare(runs: &[Run], settings: &Settings) -> Result<Compared> {
    if runs.len() < 2 {
        return Err(Error::usage("a comparison needs at least two runs").help("name two or more run folders"));
    }
    let Matched { rows, by, mut warnings } = matching::shared_rows(runs)?;
    let shared: Vec<Predictions> = (runs.iter().zip(&rows))
        .map(|(run, rows)| Predictions {
            rows: rows.iter().map(|&row| run.predictions.rows[row].clone()).collect(),
            ..Predictions::default()
        })
        .collect();
    let n = shared[0].rows.len();
    let mut options = settings.metrics.clone();
    if options.labels.is_empty() {
        options.labels = all_labels(&shared);
    }
    let sides: Vec<Side> = (runs.iter().zip(&shared))
        .map(|(run, rows)| side(run, rows, &options, settings).map_err(|error| error.at_file(&run.name)))
        .collect::<Result<_>>()?;
    let order = ranked(&sides, settings.by)?;
    let evaluated: Vec<_> = order.iter().map(|&place| evaluation_rows(&shared[place])).collect();
    let slices: Vec<_> = evaluated.iter().map(Vec::as_slice).collect();
    let pairs = compare_all(&slices, &options)?;
    let mut sides: Vec<Option<Side>> = sides.into_iter().map(Some).collect();
    let runs: Vec<Side> = order.iter().filter_map(|&place| sides[place].take()).collect();
    let pairs = corrected(&runs, pairs, settings.by);
    let verdict = verdict(&runs, &pairs, settings.by, n);
    if let Some(first) = runs.first() {
        warnings.extend(first.report.warnings.iter().filter(|warning| about_rows(warning)).cloned());
    }
    Ok(Compared { n, matched_by: by, by: settings.by, threshold: settings.threshold, runs, pairs, verdict, warnings })
}

/// Whether a warning is about the rows, which all runs share, rather than about one run's numbers.
fn about_rows(warning: &str) -> bool {
    warning.contains("rows repeat") || warning.starts_with("Only ") || warning.starts_with("Below ")
}

/// The labels of all runs, in the order of the first that has them.
fn all_labels(runs: &[Predictions]) -> Vec<String> {
    let mut labels: indexmap::IndexSet<String> = indexmap::IndexSet::new();
    runs.iter().for_each(|run| labels.extend(run.classes()));
    labels.into_iter().collect()
}

fn side(run: &Run, shared: &Predictions, options: &metrics::Options, settings: &Settings) -> Result<Side> {
    let report = metrics::report(&evaluation_rows(shared), options)?;
    let (scores, correct) = shared.outcomes();
    let selection = Selection::new(&scores, &correct)?;
    Ok(Side {
        name: run.name.clone(),
        rows: run.predictions.rows.len(),
        automated: selection.at(settings.threshold, options.resampling.level),
        promise: guaranteed_threshold(&selection, settings.accuracy, settings.assurance)?,
        calibration: calibration(shared, &correct, options, settings),
        report,
        run: run.facts.clone(),
        outcomes: (scores, correct),
    })
}

/// The best calibrator on rows it was not fitted on; `None` where there are too few rows, or of one kind only.
fn calibration(
    shared: &Predictions,
    correct: &[bool],
    options: &metrics::Options,
    settings: &Settings,
) -> Option<Calibration> {
    let rows = confidence_rows(shared).ok()?;
    let fit = CrossFitOptions { seed: options.resampling.seed, bins: options.bins, ..CrossFitOptions::default() };
    let table = comparison::compare(&rows, &Method::AUTO, None, &fit).ok()?;
    let line = table.methods.iter().find(|line| line.method == table.chosen)?;
    let once = CrossFitOptions { repeats: Some(1), ..fit };
    let values = out_of_fold(&rows, table.chosen, &once).ok().and_then(|out| out.repeats.into_iter().next());
    let values = values.unwrap_or_default();
    let selection = Selection::new(&values, correct).ok();
    Some(Calibration {
        method: table.chosen,
        cross_fitted: line.cross_fitted,
        intervals: line.intervals,
        automated: selection.map(|selection| selection.at(settings.threshold, options.resampling.level)),
        values,
    })
}

/// A side's value of the criterion.
fn value(side: &Side, by: Criterion) -> Option<f64> {
    side.report.metrics.get(by.metric()).and_then(|estimate| estimate.value)
}

/// Places of the runs, best first; of equals, the one named first.
fn ranked(sides: &[Side], by: Criterion) -> Result<Vec<usize>> {
    let values: Vec<f64> = (sides.iter())
        .map(|side| {
            value(side, by).ok_or_else(|| {
                Error::input(format!("the {} of this run cannot be computed", by.title()))
                    .at_file(&side.name)
                    .in_field("--by")
                    .help("choose another criterion, or predictions that carry labels and their probabilities")
            })
        })
        .collect::<Result<_>>()?;
    let mut order: Vec<usize> = (0..sides.len()).collect();
    order.sort_by(|&a, &b| by.gain(values[b], values[a]).total_cmp(&0.0).then(a.cmp(&b)));
    Ok(order)
}

fn corrected(runs: &[Side], pairs: Vec<Pair>, by: Criterion) -> Vec<ComparedPair> {
    let p_value = |pair: &Pair| match by {
        Criterion::Accuracy => Some(pair.comparison.mcnemar.p_value),
        _ => pair.comparison.differences.get(by.metric()).and_then(|difference| difference.p_value),
    };
    let p_values: Vec<Option<f64>> = pairs.iter().map(p_value).collect();
    let known: Vec<f64> = p_values.iter().flatten().copied().collect();
    let mut holm = holm(&known).into_iter();
    (pairs.into_iter().zip(p_values))
        .map(|(pair, p_value)| ComparedPair {
            better: runs[pair.first].name.clone(),
            worse: runs[pair.second].name.clone(),
            p_holm: p_value.and_then(|_| holm.next()),
            p_value,
            pair,
        })
        .collect()
}

fn verdict(runs: &[Side], pairs: &[ComparedPair], by: Criterion, n: usize) -> Verdict {
    let of_first: Vec<&ComparedPair> = pairs.iter().filter(|pair| pair.pair.first == 0).collect();
    let unclear: Vec<&str> = (of_first.iter())
        .filter(|pair| pair.p_holm.is_none_or(|p| p >= SIGNIFICANT))
        .map(|pair| pair.worse.as_str())
        .collect();
    let Some(next) = of_first.first() else {
        return Verdict { winner: None, margin: None, sentence: "There is nothing to compare with.".to_owned() };
    };
    let margin = report::margin(next, by);
    let ahead = match margin.as_ref() {
        Some(margin) if margin.estimate.value == Some(0.0) => format!("level with \"{}\"", next.worse),
        Some(margin) => format!("ahead of \"{}\" by {}", next.worse, report::difference(margin, by)),
        None => format!("ahead of \"{}\" by an unknown margin", next.worse),
    };
    let first = &runs[0].name;
    let p = report::p_value(next.p_holm);
    let pairs_named = crate::chart::format::counted(pairs.len() as u64, "pair", "pairs");
    let (winner, sentence) = if unclear.is_empty() {
        let sentence = format!(
            "\"{first}\" wins by {} on {} rows: {} is {ahead} (p {p}, corrected for {pairs_named}).",
            by.title(),
            crate::chart::format::count(n as u64),
            report::shown_value(value(&runs[0], by), by),
        );
        (Some(first.clone()), sentence)
    } else {
        let others: Vec<String> = unclear.iter().map(|name| format!("\"{name}\"")).collect();
        let sentence = format!(
            "No clear winner by {} at n = {}: \"{first}\" is {ahead} (p {p}, corrected for {pairs_named}); it cannot be \
             told apart from {}.",
            by.title(),
            crate::chart::format::count(n as u64),
            others.join(", ")
        );
        (None, sentence)
    };
    Verdict { winner, margin, sentence }
}

/// A difference seen from the other side.
fn turned(difference: &Difference) -> Difference {
    let estimate = difference.estimate;
    let minus = |value: Option<f64>| value.map(|value| if value == 0.0 { 0.0 } else { -value });
    Difference {
        estimate: metrics::Estimate {
            value: minus(estimate.value),
            low: minus(estimate.high),
            high: minus(estimate.low),
        },
        p_value: difference.p_value,
    }
}

#[cfg(test)]
mod tests;
