//! What a calibrator makes of single predictions, and why.
//!
//! A calibrated confidence answers "how often are answers like this one right?". It may fall below one half while the
//! prediction stays, because a calibrator chooses no label; that needs words, or it looks like a mistake.

use candor::error::{Error, Result};
use candor::protocol::{Prediction, calibrated};
use candor::stats::calibrated::Applier;
use candor::stats::calibrators::Method;
use candor::stats::saved::{Binding, CalibratorFile, Input};
use serde::{Deserialize, Serialize};

use crate::state::format::{count, percent};

/// A calibrator that was fitted here or loaded from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct InUse {
    /// What it is.
    pub file: CalibratorFile,
    /// `calibrator.json`, byte for byte.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a calibrator came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Fitted on this project's rows, by this choice: no method for the one that does best. New labels fit it anew.
    Fitted(Option<Method>),
    /// Loaded from a file of this name.
    Loaded(String),
}

/// A prediction before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The predicted label, which stays.
    pub label: String,
    /// How many labels there are.
    pub labels: usize,
    /// Whether label bias is taken out of the number that the calibrator takes.
    pub corrected: bool,
    /// The model's own number, the one that the calibrator takes.
    pub raw: f64,
    /// How often answers like this one are right.
    pub confidence: f64,
    /// The Venn–Abers interval, for the methods that have one.
    pub interval: Option<[f64; 2]>,
    /// The labels that cannot be ruled out, with the coverage of such sets.
    pub set: Option<(Vec<String>, f64)>,
}

impl InUse {
    /// Reads `calibrator.json`.
    ///
    /// # Errors
    /// A text that is no calibrator.
    pub fn read(text: String, origin: Origin) -> Result<Self> {
        Ok(Self { file: CalibratorFile::from_json(&text)?, text, origin })
    }

    /// Whether it belongs to this model, adapter and task; the error says why not.
    ///
    /// # Errors
    /// It was fitted for another one.
    pub fn belongs(&self, here: &Binding) -> Result<()> {
        self.file.check_binding(here, false).map(|_| ()).map_err(|error| Error {
            help: Some("fit a calibrator on labelled rows of this model and task".to_owned()),
            field: None,
            ..error
        })
    }

    /// Whether it leaves every confidence as the model gives it: "no calibration" was asked for, or did best.
    pub fn is_raw(&self) -> bool {
        self.file.calibrator.method() == Method::None
    }

    /// Made ready for predictions over the same labels as this one; nothing where they are not the calibrator's.
    pub fn over(&self, example: &Prediction) -> Option<Eye<'_>> {
        let labels: Vec<String> = example.labels.keys().cloned().collect();
        let applier = Applier::new(&self.file, &labels).ok()?;
        Some(Eye { file: &self.file, labels, applier })
    }

    /// A prediction before and after; nothing where its labels are not the calibrator's.
    pub fn see(&self, prediction: &Prediction) -> Option<Seen> {
        self.over(prediction)?.see(prediction)
    }

    /// What it makes of scores from 50% up; nothing for one that takes all labels.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        if self.file.input == Input::LabelLogprobs {
            return Vec::new();
        }
        [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
            .into_iter()
            .filter_map(|score| Some((score, self.file.calibrator.apply(score).ok()?)))
            .collect()
    }

    /// What it is, in a sentence.
    pub fn summary(&self) -> String {
        let FittedOnWords { rows, method } = FittedOnWords::of(&self.file);
        if self.is_raw() {
            return match &self.origin {
                Origin::Fitted(_) => {
                    format!("No calibration: the model's own confidence, judged on {rows} of this project")
                }
                Origin::Loaded(name) => format!("No calibration, from {name}, judged on {rows}"),
            };
        }
        match &self.origin {
            Origin::Fitted(_) => format!("{method}, fitted on {rows} of this project"),
            Origin::Loaded(name) => format!("{method} from {name}, fitted on {rows}"),
        }
    }
}

/// A calibrator made ready once for many predictions.
#[derive(Debug)]
pub struct Eye<'a> {
    file: &'a CalibratorFile,
    labels: Vec<String>,
    applier: Applier<'a>,
}

impl Eye<'_> {
    /// A prediction before and after; nothing where its labels are other ones.
    pub fn see(&self, prediction: &Prediction) -> Option<Seen> {
        if !prediction.labels.keys().eq(&self.labels) {
            return None;
        }
        let mut after = prediction.clone();
        calibrated::calibrate(&self.applier, &mut after).ok()?;
        let coverage = self.file.sets.as_ref().map(|sets| sets.predictor.coverage);
        Some(Seen {
            label: prediction.label.clone(),
            labels: self.labels.len(),
            // Shares are what answers are read by once label bias is taken out.
            corrected: self.file.input == Input::Share,
            raw: match self.file.input {
                Input::TotalProbability => prediction.total_probability,
                Input::Share | Input::LabelLogprobs => prediction.share,
            },
            confidence: after.confidence,
            interval: after.interval,
            set: after.set.zip(coverage),
        })
    }
}

struct FittedOnWords {
    rows: String,
    method: String,
}

impl FittedOnWords {
    fn of(file: &CalibratorFile) -> Self {
        let title = file.calibrator.method().title();
        let mut characters = title.chars();
        let method = characters.next().map_or_else(String::new, |c| c.to_uppercase().chain(characters).collect());
        Self { rows: crate::state::format::counted(file.fitted_on.n as u64, "row"), method }
    }
}

impl Seen {
    /// The interval of the calibrated confidence, in brackets.
    pub fn interval_words(&self) -> Option<String> {
        self.interval.map(|[low, high]| format!("[{}, {}]", percent(low), percent(high)))
    }

    /// What the change means, and why the prediction stays.
    pub fn explanation(&self) -> String {
        let Self { label, labels, corrected, raw, confidence, .. } = self;
        let (before, after) = (percent(*raw), percent(*confidence));
        if *confidence < 0.5 {
            let why = match (*labels, corrected) {
                (2, false) => {
                    "With two labels the other one is right more often here: the model leans towards one of them. Take \
                     its label bias out first, then fit again."
                }
                (2, true) => {
                    "With two labels the other one is right more often here; so near to one half, that may also be the \
                     chance of few rows."
                }
                _ => "Each of the other labels may still be less likely.",
            };
            return format!(
                "Of answers like this one, {after} are right, fewer than half. The prediction stays {label}: a calibrator \
                 says how often an answer is right, and chooses no other. {why}"
            );
        }
        match confidence - raw {
            change if change < -0.05 => {
                format!(
                    "The model says {before}; of answers like this one, {after} are right: it is too sure of itself."
                )
            }
            change if change > 0.05 => {
                format!("The model says {before}; of answers like this one, {after} are right: it could be surer.")
            }
            _ => {
                format!("The model says {before}, and of answers like this one {after} are right: about what it says.")
            }
        }
    }
}

/// What so few rows mean for a calibrator; nothing where they are enough for every method.
pub fn about_size(rows: usize) -> Option<String> {
    let n = count(rows as u64);
    match rows {
        0..50 => Some(format!(
            "{n} labelled rows are very few. A calibrator can be fitted, but its numbers mean little before about 50."
        )),
        50..200 => Some(format!(
            "{n} labelled rows are enough for a first curve with one to three parameters (temperature, Platt, beta). \
             Its quality is known only roughly: look at the intervals."
        )),
        200..500 => Some(format!(
            "{n} labelled rows are enough for curves with few parameters. Methods that assume no shape (isotonic, \
             binning, Venn–Abers) tend to follow noise before about 500."
        )),
        _ => None,
    }
}

/// Which of these texts show best what a calibrator does: from the least to the most confident, and the one that falls
/// furthest below one half, if any does.
pub fn telling(seen: &[(usize, Seen)]) -> Vec<usize> {
    const SHOWN: usize = 5;
    let mut order: Vec<usize> = (0..seen.len()).collect();
    order.sort_by(|&a, &b| seen[a].1.raw.total_cmp(&seen[b].1.raw));
    let mut chosen: Vec<usize> = Vec::new();
    if let Some(last) = order.len().checked_sub(1) {
        chosen.extend((0..SHOWN).map(|step| order[last * step / (SHOWN - 1)]));
    }
    let fallen = (0..seen.len()).filter(|&at| seen[at].1.confidence < 0.5);
    chosen.extend(fallen.max_by(|&a, &b| {
        let fall = |at: usize| seen[at].1.raw - seen[at].1.confidence;
        fall(a).total_cmp(&fall(b))
    }));
    chosen.sort_by(|&a, &b| seen[a].1.raw.total_cmp(&seen[b].1.raw).then(a.cmp(&b)));
    chosen.dedup();
    chosen.into_iter().map(|at| seen[at].0).collect()
}

#[cfg(test)]
mod tests {
    use candor::stats::calibrators::{Calibrator, FitOptions};
    use candor::stats::rows::Rows;
    use candor::stats::saved::FittedOn;

    use super::*;
    use crate::state::fixture::classification;

    /// A calibrator for a model that is far too sure of itself.
    fn sobering(method: Method) -> InUse {
        let scores: Vec<f64> = (0..200).map(|row| 0.5 + 0.0025 * f64::from(row)).collect();
        let correct: Vec<bool> = (0..200).map(|row| row % 5 < 2).collect();
        let rows = Rows::new(scores, correct).expect("rows");
        let fitted = Calibrator::fit(method, &rows, &FitOptions::default()).expect("a fit");
        let fitted_on = FittedOn { n: 200, folds: 5, sha256: rows.sha256() };
        let bound_to = Binding { model_sha256: Some("a".repeat(64)), ..Binding::default() };
        let file = CalibratorFile::new(fitted.model, Input::TotalProbability, fitted_on, bound_to, None, Vec::new());
        let text = file.and_then(|file| file.to_json()).expect("a file");
        InUse::read(text, Origin::Fitted(None)).expect("a calibrator")
    }

    #[test]
    fn a_confidence_below_one_half_keeps_its_prediction_and_says_why() {
        let prediction = classification().prediction;
        let calibrator = sobering(Method::Platt);
        let seen = calibrator.see(&prediction).expect("the same labels");
        let eye = calibrator.over(&prediction).expect("a calibrator of any labels");
        assert_eq!(eye.see(&prediction).as_ref(), Some(&seen));
        let mut other = prediction.clone();
        other.labels.swap_remove_index(0);
        assert_eq!(eye.see(&other), None, "other labels");
        assert_eq!((seen.label.as_str(), seen.raw), ("negative", 0.6));
        assert!((0.35..0.45).contains(&seen.confidence), "{seen:?}");
        let words = seen.explanation();
        assert!(words.contains("stays negative") && words.contains("two labels"), "{words}");
        let taken_out = Seen { corrected: true, ..seen.clone() }.explanation();
        assert!(!taken_out.contains("Take its label bias out") && taken_out.contains("other one"), "{taken_out}");
        let many = Seen { labels: 5, ..seen.clone() };
        assert!(many.explanation().contains("less likely"));
        assert!(Seen { confidence: 0.52, ..seen.clone() }.explanation().contains("too sure"));
        assert!(Seen { confidence: 0.7, ..seen.clone() }.explanation().contains("surer"));
        assert!(Seen { confidence: 0.61, ..seen }.explanation().contains("about what it says"));
    }

    #[test]
    fn intervals_come_with_the_methods_that_have_them() {
        let prediction = classification().prediction;
        assert_eq!(sobering(Method::Platt).see(&prediction).and_then(|seen| seen.interval_words()), None);
        let seen = sobering(Method::VennAbers).see(&prediction).expect("the same labels");
        let words = seen.interval_words().expect("an interval");
        assert!(words.starts_with('[') && words.ends_with("%]"), "{words}");
        let curve = sobering(Method::Platt).curve();
        assert!(curve.len() == 7 && curve.iter().all(|(before, after)| after < before));
    }

    #[test]
    fn no_calibration_is_not_called_a_calibration() {
        let none = sobering(Method::None);
        let seen = none.see(&classification().prediction).expect("the same labels");
        assert!(none.is_raw() && seen.confidence == seen.raw, "{seen:?}");
        assert!(
            none.summary().starts_with("No calibration: the model's own confidence, judged on"),
            "{}",
            none.summary()
        );
        assert!(!sobering(Method::Platt).is_raw());
    }

    #[test]
    fn another_model_is_refused_with_the_reason() {
        let calibrator = sobering(Method::Platt);
        assert!(calibrator.belongs(&Binding::default()).is_ok(), "nothing is known against it");
        let other = Binding { model_sha256: Some("b".repeat(64)), ..Binding::default() };
        let error = calibrator.belongs(&other).expect_err("another model").to_string();
        assert!(
            error.contains("fitted for the model aaaaaaaaaaaa") && error.contains("this model and task"),
            "{error}"
        );
        assert!(InUse::read("{}".to_owned(), Origin::Loaded("x.json".to_owned())).is_err());
    }

    #[test]
    fn few_rows_are_said_to_be_few() {
        for (rows, words) in [(12, "very few"), (50, "first curve"), (199, "first curve"), (200, "follow noise")] {
            assert!(about_size(rows).is_some_and(|said| said.contains(words)), "{rows}");
        }
        assert_eq!(about_size(500), None);
    }

    #[test]
    fn telling_texts_span_the_range_and_show_a_fall() {
        let of = |raw: f64, confidence: f64| Seen {
            label: "x".to_owned(),
            labels: 2,
            corrected: false,
            raw,
            confidence,
            interval: None,
            set: None,
        };
        let seen: Vec<(usize, Seen)> =
            (0..100).map(|text| (text, of(text as f64 / 100.0, if text == 61 { 0.2 } else { 0.8 }))).collect();
        assert_eq!(telling(&seen), [0, 24, 49, 61, 74, 99]);
        assert_eq!(telling(&seen[..1]), [0]);
        assert!(telling(&[]).is_empty());
    }
}
