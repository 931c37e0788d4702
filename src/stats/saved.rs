//! `calibrator.json`: a calibrator with what it was fitted on and which model, adapter and task it belongs to.
//!
//! A calibrator is only true for the scores it was fitted on: another model or another prompt has another curve. So it
//! is bound, and applying it elsewhere is refused unless forced, and then marked. The file may come from anywhere;
//! [`CalibratorFile::from_json`] trusts nothing in it.

use serde::{Deserialize, Serialize};

use super::calibrated::Sets;
use super::calibrators::{Calibrator, Method};
use super::cross_fit::Quality;
use crate::error::{Error, Kind, Result};

/// The format that this version writes and reads.
pub const FORMAT: &str = "candor-calibrator/1";

/// A file larger than this holds no calibrator (a million knots take about forty megabytes).
pub const LARGEST_FILE: usize = 64 << 20;

/// What a calibrator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The predicted label's probability over the whole vocabulary.
    TotalProbability,
    /// The predicted label's probability among the labels.
    Share,
    /// The log-probabilities of all labels.
    LabelLogprobs,
}

/// What a calibrator was fitted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FittedOn {
    /// Rows.
    pub n: usize,
    /// Folds of the cross-fitted metrics.
    pub folds: usize,
    /// SHA-256 of the rows (see [`super::rows::Rows::sha256`]), lower-case hex.
    pub sha256: String,
}

/// Which model, adapter and task it belongs to, by SHA-256 in lower-case hex; what is unknown is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Binding {
    /// The model file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
    /// The adapter, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_sha256: Option<String>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_sha256: Option<String>,
}

/// A saved calibrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratorFile {
    /// [`FORMAT`].
    pub format: String,
    /// The calibrator: `method` and `parameters`.
    #[serde(flatten)]
    pub calibrator: Calibrator,
    /// What it takes.
    pub input: Input,
    /// What it was fitted on.
    pub fitted_on: FittedOn,
    /// What it belongs to.
    #[serde(default)]
    pub bound_to: Binding,
    /// How it did on rows it was not fitted on; `None` where the rows could not be split.
    #[serde(default)]
    pub cross_fitted: Option<Quality>,
    /// The labels it was fitted for, in the order of its parameters; empty where it knows only one score a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Conformal sets over these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sets: Option<Sets>,
    /// What a user should know about the fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Whether a calibrator is used where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Model, adapter and task are the ones it was fitted for, as far as the file says.
    Same,
    /// They are not, but the user insisted: the reasons to show with every number.
    Forced(Vec<String>),
}

impl CalibratorFile {
    /// A new file.
    ///
    /// # Errors
    /// A calibrator for all labels with an input of one score, or the reverse.
    pub fn new(
        calibrator: Calibrator,
        input: Input,
        fitted_on: FittedOn,
        bound_to: Binding,
        cross_fitted: Option<Quality>,
        notes: Vec<String>,
    ) -> Result<Self> {
        let format = FORMAT.into();
        let (labels, sets) = (Vec::new(), None);
        let file = Self { format, calibrator, input, fitted_on, bound_to, cross_fitted, labels, sets, notes };
        file.check().map(|()| file)
    }

    /// The same file with the labels it was fitted for and conformal sets over them.
    ///
    /// # Errors
    /// Labels that occur twice or are not as many as the calibrator's; sets that no fit gives.
    pub fn with_labels(self, labels: Vec<String>, sets: Option<Sets>) -> Result<Self> {
        let file = Self { labels, sets, ..self };
        file.check().map(|()| file)
    }

    /// Reads a file that may come from anywhere.
    ///
    /// # Errors
    /// Not JSON, another format or version, a field missing or of another type (with line and column), parameters that
    /// no fit can have.
    pub fn from_json(text: &str) -> Result<Self> {
        let again = "the file is damaged or was changed by hand; fit the calibrator again";
        if text.len() > LARGEST_FILE {
            return Err(Error::format(format!("{} bytes are too many for a calibrator", text.len())).help(again));
        }
        /// The one field that says whether the rest can be understood.
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
        }
        let at = |error: serde_json::Error| {
            let mut wrapped = Error::format(format!("this is no calibrator: {error}")).help(again);
            if error.line() > 0 {
                wrapped = wrapped.at_line(error.line() as u64).at_column(error.column() as u64);
            }
            wrapped
        };
        let head: Head = serde_json::from_str(text).map_err(at)?;
        match head.format.as_deref() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(Error::unsupported(format!("the calibrator's format is \"{other}\""))
                    .in_field("format")
                    .help(format!("this version reads \"{FORMAT}\"")));
            }
            None => {
                return Err(Error::format("this is JSON, but no calibrator: it has no \"format\"")
                    .in_field("format")
                    .help("give a file that \"candor calibrate --out\" wrote"));
            }
        }
        let file: Self = serde_json::from_str(text).map_err(at)?;
        file.check().map(|()| file)
    }

    /// The file's text, indented, with a final newline.
    ///
    /// # Errors
    /// A number that is not finite, which no fit gives.
    pub fn to_json(&self) -> Result<String> {
        self.check()?;
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::internal(e.to_string()))?;
        Ok(text + "\n")
    }

    fn check(&self) -> Result<()> {
        self.calibrator.check()?;
        let takes_labels = self.calibrator.method().takes_labels();
        let mixed = match self.input {
            Input::LabelLogprobs => !takes_labels && self.calibrator.method() != Method::None,
            Input::TotalProbability | Input::Share => takes_labels,
        };
        if mixed {
            let method = self.calibrator.method().title();
            return Err(Error::format(format!("{method} does not fit the calibrator's input")).in_field("input"));
        }
        let repeated = (1..self.labels.len()).find(|&at| self.labels[..at].contains(&self.labels[at]));
        if let Some(at) = repeated {
            return Err(Error::format(format!("the label {:?} stands there twice", self.labels[at])).in_field("labels"));
        }
        let wanted = self.calibrator.classes().filter(|_| !self.labels.is_empty());
        if wanted.is_some_and(|classes| classes != self.labels.len()) {
            return Err(Error::format("the labels are not as many as the parameters").in_field("labels"));
        }
        if let Some(sets) = &self.sets {
            sets.check()?;
            if self.labels.len() < 2 {
                return Err(Error::format("sets need two labels or more").in_field("labels"));
            }
        }
        if let Some(q) = &self.cross_fitted
            && [q.brier, q.log_loss, q.ece].iter().any(|v| !(v.is_finite() && *v >= 0.0))
        {
            return Err(Error::format("metrics must be finite numbers, 0 or more").in_field("cross_fitted"));
        }
        let hashes = [
            ("fitted_on.sha256", Some(&self.fitted_on.sha256)),
            ("bound_to.model_sha256", self.bound_to.model_sha256.as_ref()),
            ("bound_to.adapter_sha256", self.bound_to.adapter_sha256.as_ref()),
            ("bound_to.task_sha256", self.bound_to.task_sha256.as_ref()),
        ];
        for (field, hash) in hashes {
            let bad =
                |hash: &&String| hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if hash.is_some_and(|hash| bad(&hash)) {
                return Err(Error::format("a SHA-256 has 64 lower-case hexadecimal digits").in_field(field));
            }
        }
        Ok(())
    }

    /// Whether the calibrator may be used with `here`.
    ///
    /// A hash that either side does not know is not compared, but a missing adapter is known: a calibrator fitted
    /// without one does not fit a model with one.
    ///
    /// # Errors
    /// It belongs to another model, adapter or task, and `force` is not set.
    pub fn check_binding(&self, here: &Binding, force: bool) -> Result<Bound> {
        let reasons = self.differences(here);
        if reasons.is_empty() {
            return Ok(Bound::Same);
        }
        if force {
            return Ok(Bound::Forced(reasons));
        }
        Err(Error::new(Kind::Input, format!("the calibrator does not belong here: {}", reasons.join("; ")))
            .in_field("bound_to")
            .help(
                "fit a new calibrator on labelled predictions of this model and task, or force it and take the \
                   confidence with care",
            ))
    }

    fn differences(&self, here: &Binding) -> Vec<String> {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let mut reasons = Vec::new();
        for (what, fitted, now) in [
            ("model", &self.bound_to.model_sha256, &here.model_sha256),
            ("task", &self.bound_to.task_sha256, &here.task_sha256),
        ] {
            if let (Some(fitted), Some(now)) = (fitted, now)
                && fitted != now
            {
                reasons.push(format!("it was fitted for the {what} {}…, this is {}…", short(fitted), short(now)));
            }
        }
        // Whether an adapter is in use is only known where the model is.
        let known = self.bound_to.model_sha256.is_some() && here.model_sha256.is_some();
        match (&self.bound_to.adapter_sha256, &here.adapter_sha256) {
            (Some(fitted), Some(now)) if fitted != now => {
                reasons.push(format!("it was fitted for the adapter {}…, this is {}…", short(fitted), short(now)));
            }
            (Some(fitted), None) if known => {
                reasons.push(format!("it was fitted with the adapter {}…, here is none", short(fitted)));
            }
            (None, Some(now)) if known => {
                reasons.push(format!("it was fitted without an adapter, here is {}…", short(now)));
            }
            _ => {}
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::calibrators::FitOptions;
    use crate::stats::rows::{LabelRows, Rows};

    fn file(method: Method) -> CalibratorFile {
        let logprobs: Vec<f64> = (0..90).flat_map(|i| [-0.1 * f64::from(i % 9), -0.3, -0.7]).collect();
        let labels = LabelRows::new(&logprobs, 3, (0..90).map(|i| i * 7 % 3).collect()).unwrap();
        let rows = Rows::from_labels(labels).unwrap();
        let fitted = Calibrator::fit(method, &rows, &FitOptions::default()).unwrap();
        let input = if method.takes_labels() { Input::LabelLogprobs } else { Input::Share };
        let fitted_on = FittedOn { n: 90, folds: 5, sha256: rows.sha256() };
        let bound_to =
            Binding { model_sha256: Some("a".repeat(64)), adapter_sha256: None, task_sha256: Some("b".repeat(64)) };
        let quality = Some(Quality { brier: 0.2, log_loss: 0.6, ece: 0.1 });
        CalibratorFile::new(fitted.model, input, fitted_on, bound_to, quality, fitted.notes).unwrap()
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        for method in Method::ALL {
            let file = file(method);
            let text = file.to_json().unwrap();
            assert_eq!(CalibratorFile::from_json(&text).unwrap(), file, "{text}");
        }
        let text = file(Method::Platt).to_json().unwrap();
        for name in
            ["\"format\"", "\"method\": \"platt\"", "\"parameters\"", "\"input\"", "\"fitted_on\"", "\"bound_to\""]
        {
            assert!(text.contains(name), "{name} in {text}");
        }
    }

    #[test]
    fn damaged_files_are_refused_with_the_place() {
        let saved = |method| file(method).to_json().unwrap();
        let parameters = |method: &str, json: &str| {
            format!(
                r#"{{"format": "{FORMAT}", "method": "{method}", "parameters": {json}, "input": "share",
                "fitted_on": {{"n": 1, "folds": 5, "sha256": "{}"}}, "bound_to": {{}}}}"#,
                "0".repeat(64)
            )
        };
        for (text, says) in [
            (String::new(), "no calibrator"),
            ("[1]".into(), "no calibrator"),
            ("{}".into(), "format"),
            (saved(Method::Platt).replace("calibrator/1", "calibrator/2"), "candor-calibrator/2"),
            (saved(Method::Platt).replace("\"platt\"", "\"plat\""), "plat"),
            (saved(Method::Platt).replace("\"slope\"", "\"slop\""), "slope"),
            (saved(Method::Platt).replace("\"share\"", "\"label_logprobs\""), "input"),
            (saved(Method::Platt).replace(&"a".repeat(64), "a"), "model_sha256"),
            (parameters("platt", r#"{"slope": 1e999, "intercept": 0}"#), "line 1"),
            (parameters("platt", r#"{"slope": null, "intercept": 0}"#), "no calibrator"),
            (parameters("isotonic", r#"{"scores": [0.2, 0.1], "values": [0, 1]}"#), "strictly increasing"),
            (parameters("isotonic", r#"{"scores": [0.1, 0.2], "values": [1, 0]}"#), "must not decrease"),
            (parameters("isotonic", r#"{"scores": [0.1], "values": [0, 1]}"#), "same length"),
            (parameters("isotonic", r#"{"scores": [], "values": []}"#), "one or more"),
            (parameters("isotonic", r#"{"scores": [0.1], "values": [2]}"#), "between 0 and 1"),
            (parameters("temperature", r#"{"temperature": 2, "inverse_temperature": 3}"#), "1 / inverse"),
            (parameters("temperature", r#"{"temperature": 2, "inverse_temperature": -0.5}"#), "0 or more"),
            (parameters("histogram_binning", r#"{"edges": [0.5], "values": [0.5]}"#), "end at 1"),
            (parameters("cross_venn_abers", r#"{"folds": []}"#), "at least one"),
            (
                parameters(
                    "venn_abers",
                    r#"{"low_scores": [0.1], "low_values": [0.9], "high_scores": [0.5], "high_values": [0.4]}"#,
                ),
                "must not exceed",
            ),
            (parameters("vector", r#"{"weights": [1], "intercepts": [0]}"#), "two or more"),
            (
                parameters("dirichlet", r#"{"weights": [[1, 0], [0]], "intercepts": [0, 0], "regularization": 1}"#),
                "square",
            ),
        ] {
            let error = CalibratorFile::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{says:?} not in {error:?}");
        }
        let good = parameters("isotonic", r#"{"scores": [0.1, 0.2], "values": [0, 1]}"#);
        assert!(CalibratorFile::from_json(&good).is_ok());
    }

    #[test]
    fn binding_is_checked_refused_or_forced() {
        let file = file(Method::Platt);
        let own = file.bound_to.clone();
        let other = Some("c".repeat(64));
        assert_eq!(file.check_binding(&own, false).unwrap(), Bound::Same);
        assert_eq!(file.check_binding(&Binding::default(), false).unwrap(), Bound::Same);
        for (here, says) in [
            (Binding { model_sha256: other.clone(), ..own.clone() }, "model aaaaaaaaaaaa…, this is cccccccccccc…"),
            (Binding { task_sha256: other.clone(), ..own.clone() }, "task"),
            (Binding { adapter_sha256: other.clone(), ..own.clone() }, "without an adapter"),
        ] {
            let error = file.check_binding(&here, false).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            let Bound::Forced(reasons) = file.check_binding(&here, true).unwrap() else { panic!("not marked") };
            assert_eq!(reasons.len(), 1);
        }
        let mut adapted = file.clone();
        adapted.bound_to.adapter_sha256 = other;
        assert!(adapted.check_binding(&own, false).unwrap_err().to_string().contains("here is none"));
    }
}
