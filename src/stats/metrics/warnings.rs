//! What a reader should know before believing the numbers, in plain words.

use super::Sample;
use super::classification::Tally;
use super::report::FEWEST_FOR_BOOTSTRAP;
use crate::stats::hygiene::Duplicates;

/// The warnings for these rows.
pub(super) fn warnings(sample: &Sample, tally: Option<&Tally>, duplicates: Option<&Duplicates>) -> Vec<String> {
    let (view, n) = (sample.view(), sample.len());
    let mut warnings = Vec::new();
    match n {
        0..50 => warnings.push(format!(
            "Only {}: every number here may be far off. Below 50 rows no calibrator should be fitted.",
            if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
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
