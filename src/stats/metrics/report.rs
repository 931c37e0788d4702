//! All metrics of a set of rows, with intervals, null value, baselines and warnings: the JSON of `candor metrics`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::baselines::{Baselines, majority, prior};
use super::binned::{Binning, bins, calibration_error};
use super::classification::{Classes, ConfusionMatrix, Tally};
pub use super::evaluation::Row;
use super::evaluation::{AGAINST_NULL, Evaluation, interval_method, names};
use super::null::Null;
use super::warnings::warnings;
use super::{Sample, View, binary};
use crate::error::Result;
use crate::numeric::finite;
use crate::stats::hygiene::{Duplicates, duplicates};
use crate::stats::intervals::{Interval, clopper_pearson};
use crate::stats::resampling::{Method, Replicates, Resampling, bootstrap, quantile};

/// Below this many rows a bootstrap says nothing: it can only repeat what few rows it has.
pub(super) const FEWEST_FOR_BOOTSTRAP: usize = 10;

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
            null_simulations: 1000,
            labels: Vec::new(),
            values: IndexMap::new(),
        }
    }
}

/// Rows up to which every resample and simulation of the default is affordable.
const MANY_ROWS: usize = 50_000;

impl Options {
    /// The default for so many rows: of very many, intervals are so narrow that fewer resamples do, and simulations of
    /// a calibrated model so much alike that fewer tell what all would.
    pub fn for_rows(rows: usize) -> Self {
        let mut options = Self::default();
        let fewer = |usual: usize, least: usize| (usual * MANY_ROWS / rows.max(MANY_ROWS)).max(least);
        options.resampling.resamples = fewer(options.resampling.resamples, 200);
        options.null_simulations = fewer(options.null_simulations, 100);
        options
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
    /// The same for every metric that a calibrated model has by chance too.
    pub nulls: IndexMap<String, Option<Null>>,
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
    pub mean_confidence: Estimate,
    /// Its Brier score.
    pub brier: Estimate,
    /// Its expected calibration error, which in a small group is mostly chance.
    pub ece: Estimate,
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
    let nulls: IndexMap<&str, Vec<f64>> =
        AGAINST_NULL.into_iter().zip(evaluation.null(options.null_simulations, options.resampling.seed)).collect();
    let mut metrics = IndexMap::new();
    for (column, name) in names().enumerate() {
        let method = interval_method(name);
        let interval = replicates.as_ref().and_then(|r| r.interval(column, level, method));
        let interval = interval.map(|i| bounded(name, exact[column], i, nulls.get(name), level));
        metrics.insert(name.to_string(), Estimate::new(exact[column], interval));
    }
    let (right, total) = (view.positives(), view.total());
    metrics.insert("accuracy".to_string(), Estimate::proportion(right, total, level));

    let classes = evaluation.classes.as_ref();
    let tally = classes.map(Classes::tally_all);
    let first_f1 = names().count();
    let per_class = classes.zip(tally.as_ref()).map_or_else(Vec::new, |(classes, tally)| {
        let interval = |class: usize| replicates.as_ref()?.interval(first_f1 + class, level, Method::Bca);
        let f1 = |class: usize| Estimate::new(tally.f1(class), interval(class));
        (0..tally.classes())
            .map(|class| class_report(&classes.names()[class], tally, class, f1(class), level))
            .collect()
    });
    let texts: Option<Vec<(&str, Option<&str>)>> =
        rows.iter().map(|row| Some((row.text.as_deref()?, row.expected.as_deref()))).collect();
    let duplicates = texts.map(duplicates);
    let binning = evaluation.binning();
    let nulls: IndexMap<String, Option<Null>> =
        nulls.iter().map(|(name, simulated)| (name.to_string(), Null::of(simulated))).collect();
    let mut warnings = warnings(sample, tally.as_ref(), duplicates.as_ref());
    if rows.len() > MANY_ROWS && options.resampling.resamples < Resampling::default().resamples {
        warnings.push(format!(
            "With so many rows the intervals rest on {} resamples, and what a calibrated model would show on {} \
             simulations: their ends are a little rough.",
            options.resampling.resamples, options.null_simulations
        ));
    }
    Ok(Report {
        n: rows.len(),
        classes: classes.map(|c| c.names().len()),
        level,
        bins: options.bins,
        metrics,
        ece_null: nulls["ece"],
        nulls,
        baselines: Baselines {
            majority: classes.zip(tally.as_ref()).and_then(|(c, t)| majority(t, c.names(), level)),
            prior: prior(right, total, tally.as_ref()),
        },
        per_class,
        confusion: classes.map(Classes::confusion),
        groups: groups(rows, binning, options.resampling, level)?,
        reliability: reliability(sample, binning, level),
        warnings,
        duplicates,
    })
}

/// Keeps a bootstrap interval in the range of its metric. The bootstrap knows nothing of the end of that range: an error
/// of 0 is possible wherever a calibrated model often shows as much as was seen.
fn bounded(name: &str, value: f64, interval: Interval, null: Option<&Vec<f64>>, level: f64) -> Interval {
    let Interval { mut low, high } = interval;
    if null.is_some_and(|simulated| value <= quantile(simulated, (1.0 + level) / 2.0)) {
        low = 0.0;
    }
    let is_at_least_0 = interval_method(name) == Method::Pivotal && name != "debiased_l2_squared";
    if is_at_least_0 {
        Interval { low: low.max(0.0), high: if name.starts_with("corp") { high } else { high.min(1.0) } }
    } else {
        Interval { low, high }
    }
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

fn groups(rows: &[Row], binning: Binning, resampling: Resampling, level: f64) -> Result<Vec<GroupReport>> {
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
        let measure =
            |view: View<'_>| [binary::mean_score(view), binary::brier(view), calibration_error(view, binning).ece];
        let resampled = (rows.len() >= FEWEST_FOR_BOOTSTRAP && resampling.resamples > 0).then(|| {
            bootstrap(rows.len(), 3, resampling, |counts, out| out.copy_from_slice(&measure(sample.counted(counts))))
        });
        let estimate = |column: usize, name: &str| {
            let interval = resampled.as_ref().and_then(|r| r.interval(column, level, interval_method(name)));
            let interval = interval.map(|Interval { low, high }| Interval { low: low.max(0.0), high: high.min(1.0) });
            Estimate::new(measure(view)[column], interval)
        };
        Ok(GroupReport {
            group: name.map(String::from),
            n: rows.len(),
            accuracy: Estimate::proportion(view.positives(), view.total(), level),
            mean_confidence: estimate(0, "mean_confidence"),
            brier: estimate(1, "brier"),
            ece: estimate(2, "ece"),
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

#[cfg(test)]
mod tests;
