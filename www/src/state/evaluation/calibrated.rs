//! Predictions to take home with what a calibrator makes of them: its confidence in the place of the model's own, with
//! the interval and the set of labels where it has them, as the command line writes them when it is given the calibrator.

use std::fmt::Write;
use std::ops::Range;

use candor::error::Result;
use candor::protocol::calibrated::calibrate;
use candor::stats::calibrated::Applier;
use candor::stats::saved::CalibratorFile;

use super::material::Material;
use super::scores::{Scores, Truth};

/// A part of `predictions.jsonl`: of these rows the scored ones, or only those that are known to be right or wrong, in
/// the data's order.
///
/// # Errors
/// A calibrator of other labels.
pub fn lines(
    rows: Range<usize>,
    (scores, material, truth): (&Scores, &Material, Truth<'_>),
    calibrator: &CalibratorFile,
    only_known: bool,
) -> Result<String> {
    let mut lines = String::new();
    for row in rows {
        if only_known && scores.outcome(row, material, truth).is_none() {
            continue;
        }
        let Some(mut prediction) = scores.row(row, material, truth) else { continue };
        let names: Vec<String> = prediction.labels.keys().cloned().collect();
        let names: Vec<&String> = names.iter().collect();
        calibrate(&Applier::new(calibrator, &names)?, &mut prediction)?;
        if let Ok(line) = serde_json::to_string(&prediction) {
            let _ = writeln!(lines, "{line}");
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use candor::protocol::Prediction;
    use candor::stats::calibrators::{Calibrator, FitOptions, Method};
    use candor::stats::rows::Rows;
    use candor::stats::saved::{Binding, FittedOn, Input};

    use super::super::judgements::Judgements;
    use super::super::material::tests::material;
    use super::super::scores::Scored;
    use super::*;
    use crate::state::fixture::classification;

    #[test]
    fn the_calibrated_file_has_the_calibrated_confidence_and_the_plain_one_has_not() {
        let scores: Vec<f64> = (0..200).map(|row| 0.5 + 0.0025 * f64::from(row)).collect();
        let rows = Rows::new(scores, (0..200).map(|row| row % 5 < 2).collect()).expect("rows");
        let fitted = Calibrator::fit(Method::VennAbers, &rows, &FitOptions::default()).expect("a fit");
        let fitted_on = FittedOn { n: 200, folds: 5, sha256: rows.sha256() };
        let input = Input::TotalProbability;
        let file = CalibratorFile::new(fitted.model, input, fitted_on, Binding::default(), None, Vec::new());
        let file = file.expect("a calibrator");

        let (material, labels) = material(&[("a", "pos"), ("b", "neutral"), ("c", "neg")]);
        let mut scores = Scores::new(3);
        (0..3).for_each(|text| scores.put(text, Scored::new(classification())));
        let judged = Judgements::default();
        let of = (&scores, &material, Truth { labels: &labels, judged: &judged });
        let plain = scores.predictions(0..3, &material, of.2, true);
        let calibrated = lines(0..3, of, &file, true).expect("the same labels");
        let read = |lines: &str| -> Vec<Prediction> {
            lines.lines().map(|line| serde_json::from_str(line).expect("a prediction")).collect()
        };
        let (before, after) = (read(&plain), read(&calibrated));
        assert_eq!((before.len(), after.len()), (2, 2), "rows that do not count are left out of both");
        for (before, after) in before.iter().zip(&after) {
            let [low, high] = after.interval.expect("an interval");
            assert!(low <= after.confidence && after.confidence <= high && after.confidence < before.confidence);
            let undone = Prediction { confidence: before.confidence, interval: None, ..after.clone() };
            assert_eq!(&undone, before, "nothing else has changed");
        }
        assert_eq!(lines(0..3, of, &file, false).expect("the same labels").lines().count(), 3);
    }
}
