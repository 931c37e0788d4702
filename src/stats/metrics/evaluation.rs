//! Every metric of one set of rows as a vector, for the rows counted any number of times: what is resampled.

use indexmap::IndexMap;

use super::binned::{Binning, CalibrationError, calibration_error};
use super::classification::Classes;
use super::multiclass::{Multiclass, mean_ece};
use super::null::simulate_calibrated;
use super::ordinal::Ordinal;
use super::smece::{Resampler, smece};
use super::{Sample, View, binary, corp};
use crate::error::{Error, Result};
use crate::stats::resampling::Method;

/// Metrics of confidence against correctness, in the order of the report.
const BINARY: [&str; 17] = [
    "accuracy",
    "mean_confidence",
    "brier",
    "log_loss",
    "ece",
    "ece_debiased",
    "ece_equal_mass",
    "mce",
    "rms_calibration_error",
    "debiased_l2_squared",
    "smece",
    "corp_mcb",
    "corp_dsc",
    "corp_unc",
    "roc_auc",
    "aurc",
    "spiegelhalter_z",
];

/// Metrics of predicted against true labels.
const CLASSIFICATION: [&str; 6] = ["macro_f1", "weighted_f1", "balanced_accuracy", "balance_gap", "mcc", "kappa"];

/// Metrics of whole probability vectors.
const MULTICLASS: [&str; 3] = ["brier_multiclass", "log_loss_multiclass", "classwise_ece"];

/// Metrics of labels on a scale.
const ORDINAL: [&str; 4] = ["mse", "mae", "spearman", "quadratic_kappa"];

/// The names of all metrics, in the order of the report.
pub fn names() -> impl Iterator<Item = &'static str> {
    BINARY.into_iter().chain(CLASSIFICATION).chain(MULTICLASS).chain(ORDINAL)
}

/// Errors that a calibrated model has too, by chance: judged against a simulation of one.
pub const AGAINST_NULL: [&str; 7] =
    ["ece", "ece_debiased", "ece_equal_mass", "mce", "rms_calibration_error", "smece", "corp_mcb"];

/// How the interval of a metric is read off its resamples.
pub fn interval_method(name: &str) -> Method {
    // The parts of the CORP decomposition and the debiased square are raised by resampling like the errors are.
    if AGAINST_NULL.contains(&name) || ["corp_dsc", "debiased_l2_squared"].contains(&name) {
        Method::Pivotal
    } else {
        Method::Bca
    }
}

/// Above this many probabilities, classwise ECE is not resampled (it would take longer than everything else together).
const MOST_PROBABILITIES_RESAMPLED: usize = 200_000;

/// One row of what is judged.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Confidence in the prediction, in `[0, 1]`.
    pub confidence: f64,
    /// Whether the prediction is right.
    pub correct: bool,
    /// The true label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The predicted label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A subgroup of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The text, for counting duplicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Probability of each label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<IndexMap<String, f64>>,
}

/// Rows made ready: sorted by confidence once, labels as indices.
pub struct Evaluation {
    /// Confidence against correctness.
    pub sample: Sample,
    /// Labels, where every row has both; in the sample's order.
    pub classes: Option<Classes>,
    binning: Binning,
    equal_mass: Binning,
    multiclass: Option<Vectors>,
    ordinal: Option<Ordinal>,
    smooth: Resampler,
}

/// Probability vectors in the sample's order.
struct Vectors {
    briers: Vec<f64>,
    log_losses: Vec<f64>,
    /// Per class, its one-against-rest sample, whose order maps to the rows.
    against_rest: Vec<Sample>,
}

impl Vectors {
    fn new(multiclass: &Multiclass) -> Result<Self> {
        let rows = 0..multiclass.len();
        Ok(Self {
            briers: rows.clone().map(|row| multiclass.brier_of(row)).collect(),
            log_losses: rows.map(|row| multiclass.log_loss_of(row)).collect(),
            against_rest: multiclass.all_against_rest()?,
        })
    }

    fn classwise_ece(&self, counts: &[u32], binning: Binning) -> f64 {
        let reordered: Vec<Vec<u32>> = self
            .against_rest
            .iter()
            .map(|sample| sample.order().iter().map(|&row| counts[row as usize]).collect())
            .collect();
        mean_ece(self.against_rest.iter().zip(&reordered).map(|(sample, counts)| sample.counted(counts)), binning)
    }
}

fn counted_mean(values: &[f64], counts: &[u32]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, &count) in values.iter().zip(counts) {
        sum += f64::from(count) * value;
        total += f64::from(count);
    }
    sum / total
}

impl Evaluation {
    /// Prepares rows. `labels` gives the classes' order, `values` the place of each label on a scale (ordinal tasks).
    ///
    /// # Errors
    /// No rows, a confidence outside `[0, 1]`, probability vectors that are none.
    pub fn new(rows: &[Row], bins: usize, labels: &[String], values: &IndexMap<String, f64>) -> Result<Self> {
        let scores: Vec<f64> = rows.iter().map(|row| row.confidence).collect();
        let correct: Vec<bool> = rows.iter().map(|row| row.correct).collect();
        let sample = Sample::new(&scores, &correct)?;
        let sorted: Vec<&Row> = sample.order().iter().map(|&row| &rows[row as usize]).collect();
        let pairs: Option<Vec<(&str, &str)>> =
            sorted.iter().map(|row| Some((row.expected.as_deref()?, row.label.as_deref()?))).collect();
        let classes = pairs.map(|pairs| Classes::new(pairs, labels)).transpose()?;
        let multiclass = classes.as_ref().map(|c| vectors(&sorted, c)).transpose()?.flatten();
        let ordinal = classes.as_ref().and_then(|c| scale(c, values)).transpose()?;
        let smooth = Resampler::new(sample.view());
        Ok(Self {
            sample,
            classes,
            binning: Binning::EqualWidth(bins),
            equal_mass: Binning::EqualMass(bins),
            multiclass: multiclass.as_ref().map(Vectors::new).transpose()?,
            ordinal,
            smooth,
        })
    }

    /// How many numbers [`Self::compute`] gives: the metrics in the order of [`names`], then each class's F1.
    pub fn columns(&self) -> usize {
        names().count() + self.classes.as_ref().map_or(0, |classes| classes.names().len())
    }

    /// The bins of equal width.
    pub fn binning(&self) -> Binning {
        self.binning
    }

    /// The metrics of all rows as they are.
    pub fn exact(&self) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.columns()];
        self.fill(self.sample.view(), smece(self.sample.view()), true, &mut out);
        out
    }

    /// The metrics of the rows counted `counts` times (in the sample's order); NaN where one does not exist. smECE is
    /// that of the faster grid for resamples, and classwise ECE is left out of large tables.
    pub fn compute(&self, counts: &[u32], out: &mut [f64]) {
        let view = self.sample.counted(counts);
        let classes = self.classes.as_ref().map_or(0, |classes| classes.names().len());
        let classwise = counts.len() * classes <= MOST_PROBABILITIES_RESAMPLED;
        self.fill(view, self.smooth.smece(view), classwise, out);
    }

    /// What [`AGAINST_NULL`] is for a perfectly calibrated model on these scores: each one's simulated values,
    /// ascending.
    pub fn null(&self, simulations: usize, seed: u64) -> Vec<Vec<f64>> {
        simulate_calibrated(&self.sample, AGAINST_NULL.len(), simulations, seed, |view, out| {
            let error = calibration_error(view, self.binning);
            out.copy_from_slice(&[
                error.ece,
                error.ece_debiased,
                calibration_error(view, self.equal_mass).ece,
                error.mce,
                error.rms,
                self.smooth.smece(view),
                corp::corp(view).mcb,
            ]);
        })
    }

    fn fill(&self, view: View, smooth: f64, classwise: bool, out: &mut [f64]) {
        let counts = view.counts();
        let CalibrationError { ece, mce, rms, debiased_l2_squared, ece_debiased } =
            calibration_error(view, self.binning);
        let corp::Corp { mcb, dsc, unc } = corp::corp(view);
        let undefined = f64::NAN;
        let mut values = vec![
            binary::accuracy(view),
            binary::mean_score(view),
            binary::brier(view),
            binary::log_loss(view),
            ece,
            ece_debiased,
            calibration_error(view, self.equal_mass).ece,
            mce,
            rms,
            debiased_l2_squared,
            smooth,
            mcb,
            dsc,
            unc,
            binary::roc_auc(view).unwrap_or(undefined),
            binary::aurc(view),
            binary::spiegelhalter_z(view).unwrap_or(undefined),
        ];
        let tally = self.classes.as_ref().map(|classes| classes.tally(counts));
        match &tally {
            Some(tally) => values.extend([
                tally.macro_f1(),
                tally.weighted_f1(),
                tally.balanced_accuracy(),
                // Of two classes both have the same gap; of more, it is a number of each class.
                if tally.classes() == 2 { tally.balance_gap(0) } else { undefined },
                tally.mcc(),
                tally.kappa().unwrap_or(undefined),
            ]),
            None => values.extend([undefined; CLASSIFICATION.len()]),
        }
        match &self.multiclass {
            Some(vectors) => values.extend([
                counted_mean(&vectors.briers, counts),
                counted_mean(&vectors.log_losses, counts),
                if classwise { vectors.classwise_ece(counts, self.binning) } else { undefined },
            ]),
            None => values.extend([undefined; MULTICLASS.len()]),
        }
        match &self.ordinal {
            Some(ordinal) => values.extend([
                ordinal.mse(counts),
                ordinal.mae(counts),
                ordinal.spearman(counts).unwrap_or(undefined),
                ordinal.quadratic_kappa(counts).unwrap_or(undefined),
            ]),
            None => values.extend([undefined; ORDINAL.len()]),
        }
        if let Some(tally) = &tally {
            values.extend((0..tally.classes()).map(|class| tally.f1(class)));
        }
        out.copy_from_slice(&values);
    }
}

/// The rows' probability vectors, where every row has one over the same labels.
fn vectors(rows: &[&Row], classes: &Classes) -> Result<Option<Multiclass>> {
    let Some(tables) = rows.iter().map(|row| row.probabilities.as_ref()).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let names = classes.names();
    let mut flat = Vec::with_capacity(rows.len() * names.len());
    for table in &tables {
        if let Some(stranger) = table.keys().find(|name| !names.contains(name)) {
            return Err(Error::input(format!(
                "the probabilities name a label {stranger:?} that the task does not have"
            ))
            .help(format!("the labels are {}", names.join(", "))));
        }
        flat.extend(names.iter().map(|name| table.get(name).copied().unwrap_or(0.0)));
    }
    Multiclass::new(flat, classes.pairs().iter().map(|pair| pair.0).collect(), names.len()).map(Some)
}

/// The rows' labels as values, where every class has one.
fn scale(classes: &Classes, values: &IndexMap<String, f64>) -> Option<Result<Ordinal>> {
    let places: Vec<f64> = classes.names().iter().map(|name| values.get(name).copied()).collect::<Option<_>>()?;
    let (truth, predicted) = classes.pairs().iter().map(|&(t, p)| (places[t as usize], places[p as usize])).unzip();
    Some(Ordinal::new(truth, predicted))
}
