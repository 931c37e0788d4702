//! What no model at all would score: the majority class, and the base rate as everybody's confidence.
//!
//! Both are read off the same rows they are judged on, which flatters them slightly; a model that does not clearly
//! beat them is useless all the same.

use serde::{Deserialize, Serialize};

use super::classification::Tally;
use super::report::Estimate;
use crate::numeric::ln;

/// The two baselines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Always the most frequent class; `None` where the true labels are not known.
    pub majority: Option<Majority>,
    /// Every row gets the overall accuracy as its confidence.
    pub prior: Prior,
}

/// Always predicting the most frequent class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Majority {
    /// That class.
    pub label: String,
    /// Its share of the rows, with the exact interval.
    pub accuracy: Estimate,
    /// Macro F1: the class's own F1 over the number of classes.
    pub macro_f1: f64,
    /// Weighted F1.
    pub weighted_f1: f64,
}

/// Giving every row the base rate as its confidence: perfectly calibrated, and knowing nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// The base rate: the share of rows that are right.
    pub confidence: f64,
    /// Its Brier score, `p (1 − p)`.
    pub brier: f64,
    /// Its log loss, the entropy of the base rate.
    pub log_loss: f64,
    /// With true labels: the share of rows right when a class is drawn at random by its frequency.
    pub accuracy: Option<f64>,
    /// With true labels: the Brier score over all classes of the class frequencies as probabilities.
    pub brier_multiclass: Option<f64>,
    /// With true labels: the log loss of the class frequencies as probabilities.
    pub log_loss_multiclass: Option<f64>,
}

/// The majority baseline of these classes, named by `names`, with the accuracy's interval at `level`.
pub fn majority(tally: &Tally, names: &[String], level: f64) -> Option<Majority> {
    // The first of equals, so that the answer does not depend on anything but the order of the labels.
    let class =
        (0..tally.classes()).reduce(|best, class| if tally.truth[class] > tally.truth[best] { class } else { best })?;
    let count = tally.truth[class];
    let f1 = 2.0 * count as f64 / (tally.total + count) as f64;
    Some(Majority {
        label: names.get(class)?.clone(),
        accuracy: Estimate::proportion(count, tally.total, level),
        macro_f1: f1 / tally.classes() as f64,
        weighted_f1: f1 * count as f64 / tally.total as f64,
    })
}

/// The base-rate baseline for `right` of `total` rows, with the class frequencies of `tally` where known.
pub fn prior(right: u64, total: u64, tally: Option<&Tally>) -> Prior {
    let p = right as f64 / total as f64;
    let entropy = |p: f64| if p > 0.0 { -p * ln(p) } else { 0.0 };
    let shares: Option<Vec<f64>> = tally.map(|t| t.truth.iter().map(|&n| n as f64 / t.total as f64).collect());
    let sum = |term: fn(f64) -> f64| shares.as_ref().map(|shares| shares.iter().map(|&share| term(share)).sum::<f64>());
    let agreement = sum(|share| share * share);
    Prior {
        confidence: p,
        brier: p * (1.0 - p),
        log_loss: entropy(p) + entropy(1.0 - p),
        accuracy: agreement,
        brier_multiclass: agreement.map(|a| 1.0 - a),
        log_loss_multiclass: sum(|share| if share > 0.0 { -share * ln(share) } else { 0.0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::classification::Classes;
    use super::super::{Sample, binary};
    use super::*;

    #[test]
    fn baselines_are_the_metrics_of_such_predictions() {
        let truth = ["b", "a", "b", "c", "b", "a"];
        let classes = Classes::new(truth.iter().map(|&t| (t, "b")), &[]).unwrap();
        let tally = classes.tally_all();
        let majority = majority(&tally, classes.names(), 0.95).unwrap();
        assert_eq!(majority.label, "b");
        assert_eq!(majority.accuracy.value, Some(tally.accuracy()));
        assert!((majority.macro_f1 - tally.macro_f1()).abs() < 1e-15);
        assert!((majority.weighted_f1 - tally.weighted_f1()).abs() < 1e-15);

        let correct = [true, false, true, true];
        let sample = Sample::new(&[0.75; 4], &correct).unwrap();
        let prior = prior(3, 4, Some(&tally));
        assert!((prior.brier - binary::brier(sample.view())).abs() < 1e-15);
        assert!((prior.log_loss - binary::log_loss(sample.view())).abs() < 1e-15);
        let expected = (9.0 + 4.0 + 1.0) / 36.0;
        assert!((prior.accuracy.unwrap() - expected).abs() < 1e-15);
        assert!((prior.brier_multiclass.unwrap() - (1.0 - expected)).abs() < 1e-15);
    }

    #[test]
    fn one_outcome_only() {
        let prior = prior(4, 4, None);
        assert_eq!((prior.brier, prior.log_loss, prior.accuracy), (0.0, 0.0, None));
    }
}
