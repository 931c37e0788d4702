//! A prediction seen through a saved calibrator: its calibrated confidence, the interval of that, and the labels that
//! cannot be ruled out.
//!
//! The command line, the worker and the page all come through here, so a row looks the same wherever it is calibrated.
//! The predicted label is never changed: a calibrated confidence below one half says that the prediction is more often
//! wrong than right, not that another label is likelier to be right.

use serde::{Deserialize, Serialize};

use super::conformal::{Conformal, Score, SetQuality, cross_validated};
use super::folds::Folds;
use super::rows::{LabelRows, Rows};
use super::saved::{CalibratorFile, Input};
use crate::error::{Error, Result};
use crate::numeric::exp;

/// A conformal predictor with how it does on rows it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sets {
    /// What it was fitted to be.
    #[serde(flatten)]
    pub predictor: Conformal,
    /// Coverage and size on rows it was not fitted on; `None` where the rows could not be split.
    #[serde(default)]
    pub cross_fitted: Option<SetQuality>,
}

impl Sets {
    /// Fits sets on each row's label shares, and judges them on the folds they were not fitted on.
    ///
    /// # Errors
    /// A coverage outside (0, 1), or shares that do not fit the rows.
    pub fn fit(score: Score, coverage: f64, shares: &[Vec<f64>], rows: &Rows, folds: usize, seed: u64) -> Result<Self> {
        let labels = rows.labels().ok_or_else(|| Error::internal("conformal sets need the rows' true labels"))?;
        let expected: Vec<usize> = (0..labels.len()).map(|row| labels.expected(row)).collect();
        let predictor = Conformal::fit(score, coverage, shares, &expected)?;
        let folds = Folds::stratified(rows, folds, seed);
        let cross_fitted = match folds {
            Ok(folds) => Some(cross_validated(score, coverage, shares, &expected, &folds)?),
            Err(_) => None,
        };
        Ok(Self { predictor, cross_fitted })
    }

    /// Refuses what no fit gives.
    ///
    /// # Errors
    /// A coverage outside (0, 1), a bar or a penalty that is not a finite number.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::format(what).in_field("sets"));
        if !(self.predictor.coverage > 0.0 && self.predictor.coverage < 1.0) {
            return wrong("the coverage of the sets is not between 0 and 1");
        }
        if self.predictor.threshold.is_some_and(|bar| !bar.is_finite()) {
            return wrong("the bar of the sets is not a finite number");
        }
        match self.predictor.score {
            Score::Raps { penalty, .. } if !(penalty.is_finite() && penalty >= 0.0) => {
                wrong("the penalty of the sets is not a number of 0 or more")
            }
            _ => Ok(()),
        }
    }
}

/// What a calibrator reads of a prediction. Labels are in the order that the [`Applier`] was made for.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The predicted label's place.
    pub label: Option<usize>,
    /// Its probability over the whole vocabulary, or whatever the confidence of a foreign file is.
    pub total_probability: f64,
    /// Its probability among the labels.
    pub share: Option<f64>,
    /// Log-probability of each label; empty where they are not known.
    pub logprobs: &'a [f64],
    /// Share of each label; empty where they are not known.
    pub shares: &'a [f64],
}

/// What a calibrator makes of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// How often such predictions are right.
    pub confidence: f64,
    /// The Venn–Abers interval of that, for the methods that have one.
    pub interval: Option<[f64; 2]>,
    /// The places of the labels that stay in, most likely first, where the calibrator has sets.
    pub set: Option<Vec<usize>>,
}

/// A saved calibrator made ready for predictions over certain labels.
#[derive(Debug, Clone)]
pub struct Applier<'a> {
    file: &'a CalibratorFile,
    /// For each label of the calibrator, its place among the predictions' labels.
    order: Vec<usize>,
}

impl<'a> Applier<'a> {
    /// Makes a calibrator ready for predictions over `labels`; none where the predictions carry no labels.
    ///
    /// # Errors
    /// The calibrator was fitted for other labels, or needs labels where there are none.
    pub fn new(file: &'a CalibratorFile, labels: &[impl AsRef<str>]) -> Result<Self> {
        let needs_labels = file.input == Input::LabelLogprobs;
        if file.labels.is_empty() || (labels.is_empty() && !needs_labels) {
            return Ok(Self { file, order: Vec::new() });
        }
        let place = |wanted: &String| labels.iter().position(|label| label.as_ref() == wanted);
        let order: Option<Vec<usize>> = file.labels.iter().map(place).collect();
        match order {
            Some(order) if order.len() == labels.len() => Ok(Self { file, order }),
            _ => {
                let here: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
                let here = if here.is_empty() { "none".to_owned() } else { here.join(", ") };
                Err(Error::input(format!(
                    "the calibrator was fitted for the labels {}; here are {here}",
                    file.labels.join(", ")
                ))
                .in_field("labels")
                .help("use it with the task it was fitted for, or fit a new one"))
            }
        }
    }

    /// What the calibrator makes of one prediction.
    ///
    /// # Errors
    /// A score outside `[0, 1]`, or one that the calibrator takes and the prediction lacks.
    pub fn apply(&self, row: &Scored) -> Result<Calibrated> {
        let lacks = |what: &str| {
            Error::input(format!("the calibrator takes {what}, which the predictions lack"))
                .help("use predictions that `candor classify` made, or a calibrator for total_probability")
        };
        let calibrator = &self.file.calibrator;
        let (confidence, interval) = match self.file.input {
            Input::LabelLogprobs => {
                let label = row.label.ok_or_else(|| lacks("the predicted label"))?;
                if row.logprobs.is_empty() {
                    return Err(lacks("the log-probabilities of all labels"));
                }
                let shares = calibrator.apply_labels(&self.ordered(row.logprobs))?;
                let own = if self.order.is_empty() {
                    Some(label)
                } else {
                    self.order.iter().position(|place| *place == label)
                };
                let value = own.and_then(|place| shares.get(place).copied());
                (value.ok_or_else(|| Error::internal("the predicted label is none of the labels"))?, None)
            }
            Input::TotalProbability => {
                (calibrator.apply(row.total_probability)?, calibrator.interval(row.total_probability))
            }
            Input::Share => {
                let share = row.share.ok_or_else(|| lacks("the share among the labels"))?;
                (calibrator.apply(share)?, calibrator.interval(share))
            }
        };
        let set = match &self.file.sets {
            Some(sets) if !row.shares.is_empty() && !self.order.is_empty() => {
                let set = sets.predictor.set(&self.ordered(row.shares));
                Some(set.into_iter().map(|label| self.order[label]).collect())
            }
            _ => None,
        };
        Ok(Calibrated { confidence, interval: interval.map(|interval| [interval.low, interval.high]), set })
    }

    /// Values of the predictions' labels in the calibrator's order.
    fn ordered(&self, values: &[f64]) -> Vec<f64> {
        if self.order.is_empty() {
            return values.to_vec();
        }
        self.order.iter().map(|&place| values.get(place).copied().unwrap_or(f64::NEG_INFINITY)).collect()
    }
}

/// Each row's label shares, as conformal sets are fitted on them where a file does not say its own.
pub fn shares_of(labels: &LabelRows) -> Vec<Vec<f64>> {
    (0..labels.len()).map(|row| labels.log_shares(row).iter().map(|v| exp(*v).min(1.0)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::calibrators::{Calibrator, FitOptions, Method};
    use crate::stats::saved::{Binding, FittedOn};

    fn rows() -> Rows {
        let logprobs: Vec<f64> = (0..120)
            .flat_map(|i| [-0.1 * f64::from(i % 9), -0.3 - 0.2 * f64::from(i % 4), -0.7 + 0.1 * f64::from(i % 5)])
            .collect();
        Rows::from_labels(LabelRows::new(&logprobs, 3, (0..120).map(|i| i * 7 % 3).collect()).unwrap()).unwrap()
    }

    fn file(method: Method, input: Input) -> CalibratorFile {
        let rows = rows();
        let fitted = Calibrator::fit(method, &rows, &FitOptions::default()).unwrap();
        let fitted_on = FittedOn { n: rows.len(), folds: 5, sha256: rows.sha256() };
        let shares = shares_of(rows.labels().unwrap());
        let sets = Sets::fit(Score::Lac, 0.8, &shares, &rows, 5, 1).unwrap();
        CalibratorFile::new(fitted.model, input, fitted_on, Binding::default(), None, fitted.notes)
            .unwrap()
            .with_labels(["a", "b", "c"].map(String::from).to_vec(), Some(sets))
            .unwrap()
    }

    fn scored<'a>(label: usize, logprobs: &'a [f64], shares: &'a [f64]) -> Scored<'a> {
        Scored { label: Some(label), total_probability: 0.4, share: Some(0.6), logprobs, shares }
    }

    #[test]
    fn the_input_decides_which_number_is_calibrated() {
        let (logprobs, shares) = ([-0.2, -0.5, -0.9], [0.45, 0.33, 0.22]);
        let row = scored(0, &logprobs, &shares);
        for (method, input, score) in
            [(Method::Platt, Input::TotalProbability, 0.4), (Method::VennAbers, Input::Share, 0.6)]
        {
            let file = file(method, input);
            let found = Applier::new(&file, &["a", "b", "c"]).unwrap().apply(&row).unwrap();
            assert_eq!(found.confidence, file.calibrator.apply(score).unwrap());
            assert_eq!(found.interval.is_some(), method == Method::VennAbers);
            if let Some([low, high]) = found.interval {
                assert!(low <= found.confidence && found.confidence <= high);
            }
            assert_eq!(found.set.as_ref().and_then(|set| set.first()), Some(&0));
        }
    }

    #[test]
    fn labels_in_another_order_are_the_same_labels() {
        let file = file(Method::Vector, Input::LabelLogprobs);
        let (logprobs, shares) = ([-0.2, -0.5, -0.9], [0.45, 0.33, 0.22]);
        let here = Applier::new(&file, &["a", "b", "c"]).unwrap().apply(&scored(0, &logprobs, &shares)).unwrap();
        let (logprobs, shares) = ([-0.9, -0.2, -0.5], [0.22, 0.45, 0.33]);
        let there = Applier::new(&file, &["c", "a", "b"]).unwrap().apply(&scored(1, &logprobs, &shares)).unwrap();
        assert_eq!(here.confidence, there.confidence);
        let named = |set: Option<Vec<usize>>, names: [&'static str; 3]| {
            set.unwrap().into_iter().map(|label| names[label]).collect::<Vec<_>>()
        };
        assert_eq!(named(here.set, ["a", "b", "c"]), named(there.set, ["c", "a", "b"]));
    }

    #[test]
    fn other_labels_and_missing_numbers_are_refused() {
        let labels = file(Method::Vector, Input::LabelLogprobs);
        for here in [vec!["a", "b"], vec!["a", "b", "d"], vec!["a", "b", "c", "d"], vec![]] {
            let error = Applier::new(&labels, &here).unwrap_err().to_string();
            assert!(error.contains("a, b, c"), "{error}");
        }
        let share = file(Method::Platt, Input::Share);
        let applier = Applier::new(&share, &[] as &[&str]).unwrap();
        let bare = Scored { label: None, total_probability: 0.5, share: None, logprobs: &[], shares: &[] };
        assert!(applier.apply(&bare).unwrap_err().to_string().contains("share"));
        assert_eq!(applier.apply(&Scored { share: Some(0.5), ..bare }).unwrap().set, None);
        assert!(applier.apply(&Scored { share: Some(1.5), ..bare }).is_err());
        let applier = Applier::new(&labels, &["a", "b", "c"]).unwrap();
        assert!(applier.apply(&bare).is_err());
    }

    #[test]
    fn sets_are_judged_on_rows_they_were_not_fitted_on() {
        let sets = file(Method::Platt, Input::Share).sets.unwrap();
        let quality = sets.cross_fitted.unwrap();
        assert_eq!(quality.n, 120);
        assert!((0.7..=1.0).contains(&quality.coverage) && quality.low < quality.coverage, "{quality:?}");
    }
}
