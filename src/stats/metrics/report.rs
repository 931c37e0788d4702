//! All metrics of a set of rows, with intervals, null value, baselines and warnings: the JSON of `candor metrics`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::baselines::{Baselines, majority, prior};
use super::binned::{Binning, Null, bins, calibrated_null, calibration_error};
use super::classification::{Classes, ConfusionMatrix, Tally};
pub use super::evaluation::Row;
use super::evaluation::{Evaluation, names};
use super::{Sample, binary};
use crate::error::Result;
use crate::numeric::finite;
use crate::stats::hygiene::{Duplicates, duplicates};
use crate::stats::intervals::{Interval, clopper_pearson};
use crate::stats::resampling::{Method, Replicates, Resampling, bootstrap};

/// Below this many rows a bootstrap says nothing: it can only repeat what few rows it has.
const FEWEST_FOR_BOOTSTRAP: usize = 10;

/// Above this many classes the classes' F1 have no interval (the table would be larger than the data).
const MOST_CLASSES_RESAMPLED: usize = 200;

/// A number with its interval; `null` where it does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on the rows.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
}

impl Estimate {
    pub(super) fn new(value: f64, interval: Option<Interval>) -> Self {
        let value = finite(value);
        let interval = value.and(interval);
        Self { value, low: interval.and_then(|i| finite(i.low)), high: interval.and_then(|i| finite(i.high)) }
    }

    /// A proportion with its exact (Clopper–Pearson) interval; `null` of no trials.
    pub fn proportion(successes: u64, trials: u64, level: f64) -> Self {
        if trials == 0 {
            return Self::default();
        }
        Self::new(successes as f64 / trials as f64, Some(clopper_pearson(successes, trials, level)))
    }
}

/// How to report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Bins of the calibration errors.
    pub bins: usize,
    /// Resamples, seed and level of the intervals.
    pub resampling: Resampling,
    /// Simulations of a calibrated model.
    pub null_simulations: usize,
    /// The labels in their order; those in the data that it lacks come after them.
    pub labels: Vec<String>,
    /// Each label's place on a scale, for ordinal tasks.
    pub values: IndexMap<String, f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bins: 15,
            resampling: Resampling::default(),
            null_simulations: 2000,
            labels: Vec::new(),
            values: IndexMap::new(),
        }
    }
}

/// What `candor metrics` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Rows.
    pub n: usize,
    /// Number of classes; `null` where the rows carry no labels.
    pub classes: Option<usize>,
    /// Level of all intervals.
    pub level: f64,
    /// Bins of the calibration errors.
    pub bins: usize,
    /// Every metric by name; one that does not exist for these rows has `null` inside.
    pub metrics: IndexMap<String, Estimate>,
    /// The ECE that a perfectly calibrated model would show at these scores.
    pub ece_null: Option<Null>,
    /// What no model at all would score.
    pub baselines: Baselines,
    /// Per class, where the rows carry labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_class: Vec<ClassReport>,
    /// True classes against predicted ones, where the rows carry labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<ConfusionMatrix>,
    /// Per subgroup, where the rows carry groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupReport>,
    /// The bins of equal width that hold rows.
    pub reliability: Vec<ReliabilityBin>,
    /// Duplicates, where the rows carry texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Duplicates>,
    /// What a reader should know before believing the numbers.
    pub warnings: Vec<String>,
}

/// One class's part of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// The class.
    pub label: String,
    /// Rows that truly are of the class.
    pub support: u64,
    /// Rows predicted as the class.
    pub predicted: u64,
    /// Of the rows predicted as it, the share that is it; 0 of none.
    pub precision: Estimate,
    /// Of its rows, the share predicted as it; 0 of none.
    pub recall: Estimate,
    /// Harmonic mean of the two.
    pub f1: Estimate,
    /// Of the other rows, the share not predicted as it.
    pub specificity: Estimate,
    /// |recall − specificity|.
    pub balance_gap: f64,
}

/// One subgroup's part of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The group; `null` for the rows without one.
    pub group: Option<String>,
    /// Its rows.
    pub n: usize,
    /// Its accuracy.
    pub accuracy: Estimate,
    /// Its mean confidence.
    pub mean_confidence: f64,
    /// Its Brier score.
    pub brier: f64,
    /// Its expected calibration error, which in a small group is mostly chance.
    pub ece: f64,
}

/// A dot of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower edge of the bin, not in it.
    pub low: f64,
    /// Upper edge of the bin, in it.
    pub high: f64,
    /// Rows in the bin.
    pub n: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right, with the exact interval.
    pub accuracy: Estimate,
}

/// Reports on rows.
///
/// # Errors
/// No rows, a confidence outside `[0, 1]`, probability vectors that are none.
pub fn report(rows: &[Row], options: &Options) -> Result<Report> {
    let evaluation = Evaluation::new(rows, options.bins, &options.labels, &options.values)?;
    let level = options.resampling.level;
    let (sample, view) = (&evaluation.sample, evaluation.sample.view());
    let exact = evaluation.exact();
    let replicates = resample(&evaluation, options.resampling);
    let interval = |column: usize| replicates.as_ref()?.interval(column, level, Method::Bca);
    let mut metrics: IndexMap<String, Estimate> = names()
        .enumerate()
        .map(|(column, name)| (name.to_string(), Estimate::new(exact[column], interval(column))))
        .collect();
    let (right, total) = (view.positives(), view.total());
    metrics.insert("accuracy".to_string(), Estimate::proportion(right, total, level));

    let classes = evaluation.classes.as_ref();
    let tally = classes.map(Classes::tally_all);
    let first_f1 = names().count();
    let per_class = classes.zip(tally.as_ref()).map_or_else(Vec::new, |(classes, tally)| {
        let f1 = |class: usize| Estimate::new(tally.f1(class), interval(first_f1 + class));
        (0..tally.classes())
            .map(|class| class_report(&classes.names()[class], tally, class, f1(class), level))
            .collect()
    });
    let texts: Option<Vec<(&str, Option<&str>)>> =
        rows.iter().map(|row| Some((row.text.as_deref()?, row.expected.as_deref()))).collect();
    let duplicates = texts.map(duplicates);
    let binning = evaluation.binning();
    Ok(Report {
        n: rows.len(),
        classes: classes.map(|c| c.names().len()),
        level,
        bins: options.bins,
        metrics,
        ece_null: calibrated_null(view, binning, options.null_simulations, options.resampling.seed),
        baselines: Baselines {
            majority: classes.zip(tally.as_ref()).and_then(|(c, t)| majority(t, c.names(), level)),
            prior: prior(right, total, tally.as_ref()),
        },
        per_class,
        confusion: classes.map(Classes::confusion),
        groups: groups(rows, binning, level)?,
        reliability: reliability(sample, binning, level),
        warnings: warnings(sample, tally.as_ref(), duplicates.as_ref()),
        duplicates,
    })
}

fn resample(evaluation: &Evaluation, resampling: Resampling) -> Option<Replicates> {
    if evaluation.sample.len() < FEWEST_FOR_BOOTSTRAP || resampling.resamples == 0 {
        return None;
    }
    let many_classes = evaluation.classes.as_ref().is_some_and(|c| c.names().len() > MOST_CLASSES_RESAMPLED);
    let all = evaluation.columns();
    let columns = if many_classes { names().count() } else { all };
    Some(bootstrap(evaluation.sample.len(), columns, resampling, |counts, out| {
        let mut values = vec![f64::NAN; all];
        evaluation.compute(counts, &mut values);
        out.copy_from_slice(&values[..columns]);
    }))
}

fn class_report(label: &str, tally: &Tally, class: usize, f1: Estimate, level: f64) -> ClassReport {
    let (negatives, rejected) = tally.negatives(class);
    let rate = |successes: u64, trials: u64| {
        // A rate of nothing is 0 by convention, but has no interval.
        if trials == 0 { Estimate::new(0.0, None) } else { Estimate::proportion(successes, trials, level) }
    };
    ClassReport {
        label: label.to_string(),
        support: tally.truth[class],
        predicted: tally.predicted[class],
        precision: rate(tally.right[class], tally.predicted[class]),
        recall: rate(tally.right[class], tally.truth[class]),
        f1,
        specificity: rate(rejected, negatives),
        balance_gap: tally.balance_gap(class),
    }
}

fn groups(rows: &[Row], binning: Binning, level: f64) -> Result<Vec<GroupReport>> {
    let mut members: IndexMap<Option<&str>, Vec<&Row>> = IndexMap::new();
    for row in rows {
        members.entry(row.group.as_deref()).or_default().push(row);
    }
    if members.keys().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let group = |(name, rows): (Option<&str>, Vec<&Row>)| {
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().map(|row| (row.confidence, row.correct)).unzip();
        let sample = Sample::new(&scores, &correct)?;
        let view = sample.view();
        Ok(GroupReport {
            group: name.map(String::from),
            n: rows.len(),
            accuracy: Estimate::proportion(view.positives(), view.total(), level),
            mean_confidence: binary::mean_score(view),
            brier: binary::brier(view),
            ece: calibration_error(view, binning).ece,
        })
    };
    members.into_iter().map(group).collect()
}

fn reliability(sample: &Sample, binning: Binning, level: f64) -> Vec<ReliabilityBin> {
    let dot = |bin: &super::binned::Bin| {
        Some(ReliabilityBin {
            low: bin.low,
            high: bin.high,
            n: bin.count,
            confidence: bin.mean_score()?,
            accuracy: Estimate::proportion(bin.positives, bin.count, level),
        })
    };
    bins(sample.view(), binning).iter().filter_map(dot).collect()
}

/// What a reader should know before believing the numbers, in plain words.
fn warnings(sample: &Sample, tally: Option<&Tally>, duplicates: Option<&Duplicates>) -> Vec<String> {
    let (view, n) = (sample.view(), sample.len());
    let mut warnings = Vec::new();
    match n {
        0..50 => warnings.push(format!(
            "Only {n} rows: every number here may be far off. Below 50 rows no calibrator should be fitted."
        )),
        50..200 => warnings.push(format!(
            "Only {n} rows: intervals are wide, and only calibrators with one or two parameters are safe below 200."
        )),
        200..500 => warnings.push(format!(
            "{n} rows: enough for an accuracy and a simple calibrator; isotonic calibration needs 500 to 1,000."
        )),
        _ => {}
    }
    if n < FEWEST_FOR_BOOTSTRAP {
        warnings.push(format!("Below {FEWEST_FOR_BOOTSTRAP} rows only proportions have an interval."));
    }
    let right = view.positives();
    if right == n as u64 || right == 0 {
        let all = if right == 0 { "wrong" } else { "right" };
        warnings.push(format!(
            "Every row is {all}: ranking (ROC AUC) does not exist, no calibrator can be fitted, and only the exact \
             interval of the accuracy allows for errors that were not seen."
        ));
    }
    if sample.scores()[0] == sample.scores()[n - 1] && n > 1 {
        warnings.push(format!(
            "Every row has the same confidence, {}: it cannot tell right from wrong.",
            sample.scores()[0]
        ));
    }
    if sample.scores()[0] <= 0.0 || sample.scores()[n - 1] >= 1.0 {
        warnings.push(
            "Some confidences are exactly 0 or 1: one such row that is wrong dominates the log loss, and \
             Spiegelhalter's z does not exist."
                .to_string(),
        );
    }
    if let Some(tally) = tally
        && tally.truth.iter().filter(|&&rows| rows > 0).count() == 1
    {
        warnings.push("All rows have the same true label: nothing is known about the other classes.".to_string());
    }
    if let Some(duplicates) = duplicates
        && duplicates.repeated > 0
    {
        warnings.push(format!(
            "{} of {} rows repeat the text of another row: the intervals treat them as independent and are too narrow.",
            duplicates.repeated, duplicates.rows
        ));
        if duplicates.conflicting > 0 {
            warnings.push(format!("{} texts stand there with more than one true label.", duplicates.conflicting));
        }
    }
    warnings
}
