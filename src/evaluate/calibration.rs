//! A calibrator from labelled predictions: methods compared on rows they were not fitted on, one chosen and fitted on
//! all rows, and the file that says what it belongs to.
//!
//! The command line and the browser's worker both come through here with the same defaults, so the same predictions
//! give the same `calibrator.json`, byte for byte.

use super::rows::{calibration_rows, label_shares, usual_input};
use crate::dataset::predictions::Predictions;
use crate::error::{Error, Result};
use crate::stats::calibrated::Sets;
use crate::stats::calibrators::{Calibrator, Method};
use crate::stats::comparison::{Comparison, compare};
use crate::stats::conformal::Score;
use crate::stats::cross_fit::CrossFitOptions;
use crate::stats::rows::Rows;
use crate::stats::saved::{Binding, CalibratorFile, FittedOn, Input};

/// The kinds of conformal sets that are judged side by side.
pub const SET_KINDS: [Score; 3] = [Score::Lac, Score::Aps, Score::RAPS];

/// What is wanted of a calibrator.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The method; `None` for the one with the least cross-fitted log loss.
    pub method: Option<Method>,
    /// What it takes; `None` for what `confidence` is in the predictions, or for all labels where the method takes them.
    pub input: Option<Input>,
    /// The kind of conformal sets that the file carries.
    pub sets: Score,
    /// How often a set must hold the true label.
    pub coverage: f64,
    /// How methods are judged.
    pub cross_fit: CrossFitOptions,
}

impl Default for Wish {
    fn default() -> Self {
        Self { method: None, input: None, sets: Score::Lac, coverage: 0.9, cross_fit: CrossFitOptions::default() }
    }
}

/// A fitted calibrator with what was looked at on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The methods side by side, and why this one was chosen.
    pub comparison: Comparison,
    /// All kinds of sets, in the order of [`SET_KINDS`]; none where the predictions do not carry all labels.
    pub sets: Vec<Sets>,
    /// The calibrator.
    pub file: CalibratorFile,
}

/// Compares, chooses and fits.
///
/// # Errors
/// A method or an input that these predictions do not allow; a coverage outside (0, 1).
pub fn calibrate(predictions: &Predictions, wish: &Wish, bound_to: Binding) -> Result<Fitted> {
    let takes_labels = wish.method.is_some_and(Method::takes_labels);
    let usual = || if takes_labels { Input::LabelLogprobs } else { usual_input(predictions) };
    let input = wish.input.unwrap_or_else(usual);
    let rows = calibration_rows(predictions, input)?;
    let options = &wish.cross_fit;
    let comparison = compare(&rows, &candidates(input, &rows), wish.method, options)?;
    let sets = sets(predictions, &rows, wish)?;
    let fitted = Calibrator::fit(comparison.chosen, &rows, &options.fit)?;
    let quality = comparison.methods.iter().find(|line| line.method == comparison.chosen);
    let fitted_on = FittedOn { n: rows.len(), folds: comparison.folds, sha256: rows.sha256() };
    let cross_fitted = quality.and_then(|line| line.cross_fitted);
    let mut file = CalibratorFile::new(fitted.model, input, fitted_on, bound_to, cross_fitted, fitted.notes)?;
    if rows.labels().is_some() {
        let chosen = SET_KINDS.iter().position(|kind| *kind == wish.sets).and_then(|place| sets.get(place)).cloned();
        file = file.with_labels(predictions.classes(), chosen)?;
    }
    Ok(Fitted { comparison, sets, file })
}

/// All kinds of sets; none where the predictions do not carry all labels.
fn sets(predictions: &Predictions, rows: &Rows, wish: &Wish) -> Result<Vec<Sets>> {
    if !(wish.coverage > 0.0 && wish.coverage < 1.0) {
        let message = format!("a coverage of {} is not between 0 and 1", wish.coverage);
        return Err(Error::usage(message).in_field("--coverage"));
    }
    let (Some(_), Some(shares)) = (rows.labels(), label_shares(predictions)) else { return Ok(Vec::new()) };
    let fit = |kind| Sets::fit(kind, wish.coverage, &shares, rows, wish.cross_fit.folds, wish.cross_fit.seed);
    SET_KINDS.into_iter().map(fit).collect()
}

/// The methods that are compared: those for one score, or those for all labels.
fn candidates(input: Input, rows: &Rows) -> Vec<Method> {
    if input == Input::LabelLogprobs && rows.labels().is_some() {
        return vec![Method::None, Method::LabelTemperature, Method::Vector, Method::Dirichlet];
    }
    Method::AUTO.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::predictions;

    /// Predictions over two labels, right in proportion to their confidence.
    fn sample(rows: usize) -> Predictions {
        let line = |row: usize| {
            let confidence = 0.5 + 0.49 * (row % 50) as f64 / 50.0;
            let right = (row * 7919) % 100 < (confidence * 80.0) as usize;
            let expected = if right { "a" } else { "b" };
            format!(
                "{{\"text\": \"{row}\", \"expected\": \"{expected}\", \"label\": \"a\", \"confidence\": {confidence}, \
                 \"total_probability\": {confidence}, \"share\": {confidence}, \"labels\": {{\"a\": {{\"logprob\": {}}}, \
                 \"b\": {{\"logprob\": {}}}}}}}\n",
                confidence.ln(),
                (1.0 - confidence).ln()
            )
        };
        let text: String = (0..rows).map(line).collect();
        predictions::read("p.jsonl", text.as_bytes(), predictions::Options::default()).unwrap()
    }

    #[test]
    fn the_file_says_what_it_was_made_of() {
        let predictions = sample(200);
        let bound_to = Binding { model_sha256: Some("a".repeat(64)), ..Binding::default() };
        let found = calibrate(&predictions, &Wish::default(), bound_to.clone()).unwrap();
        assert_eq!(found.file.calibrator.method(), found.comparison.chosen);
        assert_eq!((found.file.fitted_on.n, &found.file.bound_to), (200, &bound_to));
        assert_eq!(found.file.labels, ["a", "b"]);
        assert_eq!(found.file.sets.as_ref(), found.sets.first(), "the smallest sets, where nobody says");
        let wish = Wish { method: Some(Method::VennAbers), sets: Score::Aps, ..Wish::default() };
        let found = calibrate(&predictions, &wish, bound_to).unwrap();
        assert_eq!((found.file.calibrator.method(), found.file.sets.as_ref()), (Method::VennAbers, found.sets.get(1)));
    }

    #[test]
    fn a_method_for_all_labels_takes_all_labels() {
        let wish = Wish { method: Some(Method::Vector), ..Wish::default() };
        let found = calibrate(&sample(80), &wish, Binding::default()).unwrap();
        assert_eq!(found.file.input, Input::LabelLogprobs);
        assert!(calibrate(&sample(80), &Wish { coverage: 1.0, ..wish }, Binding::default()).is_err());
    }
}
