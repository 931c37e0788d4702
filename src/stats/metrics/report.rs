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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(rows: &[(f64, bool)]) -> Vec<Row> {
        rows.iter().map(|&(confidence, correct)| Row { confidence, correct, ..Row::default() }).collect()
    }

    #[test]
    fn every_number_of_a_group_has_its_interval() {
        let mut rows = rows(&[(0.9, true), (0.6, false), (0.8, true), (0.7, true)].repeat(15));
        rows.iter_mut().enumerate().for_each(|(at, row)| row.group = Some(if at < 30 { "a" } else { "b" }.to_owned()));
        rows.push(Row { confidence: 0.5, correct: true, group: Some("alone".to_owned()), ..Row::default() });
        let report = report(&rows, &Options::default()).unwrap();
        assert_eq!(report.groups.iter().map(|group| group.n).collect::<Vec<_>>(), [30, 30, 1]);
        for group in &report.groups {
            for estimate in [group.mean_confidence, group.brier, group.ece] {
                let value = estimate.value.unwrap();
                match (estimate.low, estimate.high) {
                    (Some(low), Some(high)) => assert!(0.0 <= low && low <= value && value <= high && high <= 1.0),
                    none => assert_eq!((none, group.n), ((None, None), 1), "one row says nothing of its spread"),
                }
            }
        }
    }

    fn quick() -> Options {
        let resampling = Resampling { resamples: 100, ..Resampling::default() };
        Options { resampling, null_simulations: 50, ..Options::default() }
    }

    /// Rows, which metrics must be absent, and a piece of a warning that must be there.
    #[test]
    fn edge_cases_are_answered_and_said() {
        for (what, given, absent, warning) in [
            ("one row", vec![(0.8, true)], vec!["roc_auc"], "Only 1 row:"),
            ("all scores 0", vec![(0.0, false); 60], vec!["roc_auc", "spiegelhalter_z"], "exactly 0 or 1"),
            ("all scores 1", [(1.0, true), (1.0, false)].repeat(30), vec!["spiegelhalter_z"], "same confidence"),
            (
                "all right",
                (0..60).map(|i| (0.5 + f64::from(i) / 200.0, true)).collect(),
                vec!["roc_auc"],
                "Every row is right",
            ),
            (
                "all wrong",
                (0..60).map(|i| (0.5 + f64::from(i) / 200.0, false)).collect(),
                vec!["roc_auc"],
                "Every row is wrong",
            ),
            ("constant ½", [(0.5, true), (0.5, false)].repeat(150), vec!["spiegelhalter_z"], "same confidence, 0.5"),
            ("tiny", vec![(0.9, true), (0.6, false), (0.7, true)], vec![], "Below 10 rows"),
        ] {
            let report = report(&rows(&given), &quick()).unwrap();
            for (name, estimate) in &report.metrics {
                let binary = estimate.value.is_some() || absent.contains(&name.as_str());
                let needs_labels = names().skip(17).any(|other| other == name);
                assert!(binary || needs_labels, "{what}: {name} is absent");
                assert!(!absent.contains(&name.as_str()) || estimate.value.is_none(), "{what}: {name} is there");
            }
            assert!(report.warnings.iter().any(|w| w.contains(warning)), "{what}: {:?}", report.warnings);
            assert_eq!(report.reliability.iter().map(|bin| bin.n).sum::<u64>(), given.len() as u64);
        }
        assert!(report(&[], &quick()).is_err());
        assert!(report(&rows(&[(1.2, true)]), &quick()).is_err());
    }

    #[test]
    fn few_rows_have_exact_intervals_only() {
        let report = report(&rows(&[(0.9, true), (0.6, false), (0.7, true)]), &quick()).unwrap();
        assert!(report.metrics["accuracy"].low.is_some());
        assert_eq!(report.metrics["brier"].low, None);
    }

    #[test]
    fn labels_groups_texts_and_vectors_fill_their_parts() {
        let row = |i: usize| {
            let (truth, label) = (["1", "2", "3"][i % 3], ["1", "2", "3"][i * 7 % 5 % 3]);
            let other = (1.0 - 0.6) / 2.0;
            let probability = |name: &str| (name.to_string(), if name == label { 0.6 } else { other });
            Row {
                confidence: 0.6,
                correct: truth == label,
                expected: Some(truth.into()),
                label: Some(label.into()),
                group: Some(["x", "y"][i % 2].into()),
                text: Some(format!("text {}", i % 40)),
                probabilities: Some(["1", "2", "3"].iter().map(|n| probability(n)).collect()),
            }
        };
        let rows: Vec<Row> = (0..60).map(row).collect();
        let names = ["1", "2", "3"].map(String::from);
        let values = names.iter().cloned().zip([1.0, 2.0, 3.0]).collect();
        let report = report(&rows, &Options { labels: names.to_vec(), values, ..quick() }).unwrap();
        assert_eq!((report.classes, report.per_class.len(), report.groups.len()), (Some(3), 3, 2));
        for (name, estimate) in &report.metrics {
            // One confidence for all rows ranks nothing but ties; a gap exists for two classes only.
            assert!(estimate.value.is_some() || name == "balance_gap", "{name}");
            assert!(estimate.low.is_some() || name == "balance_gap", "{name}");
        }
        assert_eq!(report.duplicates.as_ref().unwrap().repeated, 20);
        assert!(report.warnings.iter().any(|w| w.contains("20 of 60 rows repeat")));
        assert_eq!(report.confusion.as_ref().unwrap().counts.iter().flatten().sum::<u64>(), 60);
        assert_eq!(report.baselines.majority.as_ref().unwrap().accuracy.value, Some(20.0 / 60.0));
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);

        let mut stranger = rows;
        stranger[0].probabilities.as_mut().unwrap().insert("4".into(), 0.0);
        assert!(super::report(&stranger, &quick()).unwrap_err().to_string().contains("\"4\""));
    }

    #[test]
    fn very_many_rows_take_fewer_resamples() {
        let sizes = |rows| {
            let options = Options::for_rows(rows);
            (options.resampling.resamples, options.null_simulations)
        };
        assert_eq!(
            [sizes(0), sizes(10_000), sizes(100_000), sizes(10_000_000)],
            [(2000, 1000), (2000, 1000), (1000, 500), (200, 100)]
        );
    }

    #[test]
    fn contract_names_stand() {
        let json = serde_json::to_value(report(&rows(&[(0.9, true), (0.6, false)]), &quick()).unwrap()).unwrap();
        for key in ["n", "classes", "metrics", "ece_null", "baselines", "warnings"] {
            assert!(json.get(key).is_some(), "{key}");
        }
        for metric in [
            "accuracy",
            "macro_f1",
            "brier",
            "log_loss",
            "ece",
            "ece_debiased",
            "mce",
            "smece",
            "aurc",
            "roc_auc",
            "spiegelhalter_z",
            "corp_mcb",
            "corp_dsc",
            "corp_unc",
        ] {
            for key in ["value", "low", "high"] {
                assert!(json["metrics"][metric].get(key).is_some(), "{metric}.{key}");
            }
        }
        assert!(json["metrics"]["macro_f1"]["value"].is_null());
        assert!(json["ece_null"]["mean"].is_number() && json["ece_null"]["p95"].is_number());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// No number is ever infinite or NaN (serde_json would write `null` for it), whatever the rows; intervals of
        /// errors contain their value; the order of rows changes nothing but AURC among ties.
        #[test]
        fn finite_bounded_and_blind_to_order(
            given in prop::collection::vec((prop_oneof![Just(0.0), Just(1.0), Just(0.5), 0.0_f64..=1.0], any::<bool>()), 1..60),
        ) {
            let before = report(&rows(&given), &quick()).unwrap();
            let reversed: Vec<(f64, bool)> = given.iter().rev().copied().collect();
            let after = report(&rows(&reversed), &quick()).unwrap();
            for (name, estimate) in &before.metrics {
                for number in [estimate.value, estimate.low, estimate.high].into_iter().flatten() {
                    prop_assert!(number.is_finite(), "{}", name);
                }
                if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
                    prop_assert!(low <= high, "{} {:?}", name, estimate);
                }
                if interval_method(name) == Method::Pivotal
                    && let (Some(value), Some(low), Some(high)) = (estimate.value, estimate.low, estimate.high)
                {
                    prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{} {:?}", name, estimate);
                }
                match (estimate.value, after.metrics[name].value) {
                    (Some(a), Some(b)) => prop_assert!(name == "aurc" || (a - b).abs() < 1e-9 * (1.0 + a.abs()), "{}", name),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }
}
