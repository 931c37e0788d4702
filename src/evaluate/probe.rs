//! A probe as a classifier: fitted on the vectors of labelled rows, it answers other rows as predictions.
//!
//! The probe's arithmetic is `stats::probe`'s; here are labels by name, what the probe belongs to, and the file that keeps
//! it. A probe reads one model's (and adapter's) state after one task's prompt, so it is bound to all three.

use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::numeric::exp;
use crate::protocol::Prediction;
use crate::protocol::probe::ProbeFile;
use crate::stats::folds::text_key;
use crate::stats::probe::{CrossFitted, Labelled, cross_fit};
use crate::stats::saved::Binding;

/// A fitted probe, and what probes say of each row that they were not fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The probe on all rows.
    pub file: ProbeFile,
    /// Per row, out of fold: each label's share.
    pub shares: Vec<Vec<f64>>,
}

/// Fits a probe on labelled rows and their vectors (rows × width), with its penalty chosen by rows that it has not seen;
/// rows with the same text stay on one side.
///
/// # Errors
/// A row whose label is none of `labels`; fewer than two labels among the rows; too few rows for the folds.
pub fn fit(
    rows: &[Example],
    vectors: &[f32],
    labels: &[String],
    folds: usize,
    seed: u64,
    bound_to: Binding,
) -> Result<Fitted> {
    if rows.is_empty() {
        return Err(Error::input("there are no labelled rows to learn from"));
    }
    let place = |row: &Example| {
        let known = labels.iter().position(|label| Some(label) == row.label.as_ref());
        known.ok_or_else(|| {
            let label = row.label.as_deref().unwrap_or_default();
            Error::input(format!("the label {label:?} is none of {}", labels.join(", "))).at_line(row.line)
        })
    };
    let truth: Vec<usize> = rows.iter().map(place).collect::<Result<_>>()?;
    let width = vectors.len() / rows.len().max(1);
    let data = Labelled { vectors, width, truth: &truth, classes: labels.len() };
    let keys = rows.iter().map(|row| text_key(&row.text)).collect();
    let CrossFitted { log_shares, probe } = cross_fit(&data, Some(keys), folds, seed)?;
    let shares = log_shares.chunks(labels.len()).map(|row| row.iter().map(|share| exp(*share)).collect()).collect();
    let file = ProbeFile::new(labels.to_vec(), probe, rows.len(), folds, bound_to);
    Ok(Fitted { file, shares })
}

/// Each row's prediction from its vector (rows × width).
///
/// # Errors
/// Vectors of another model.
pub fn predict(file: &ProbeFile, rows: &[Example], vectors: &[f32]) -> Result<Vec<Prediction>> {
    let width = vectors.len() / rows.len().max(1);
    rows.iter().zip(vectors.chunks(width.max(1))).map(|(row, vector)| file.predict(row, vector)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_answers_with_its_labels() {
        let names = ["a", "b"].map(str::to_owned);
        let row = |at: usize| Example {
            id: at.to_string(),
            text: format!("text {}", at / 2),
            label: Some(names[at / 2 % 2].clone()),
            group: None,
            line: at as u64 + 1,
        };
        let rows: Vec<Example> = (0..60).map(row).collect();
        let vectors: Vec<f32> =
            (0..60).flat_map(|at| [(at / 2 % 2) as f32 + 0.1 * (at as f32).sin(), (at as f32).cos()]).collect();
        let fitted = fit(&rows, &vectors, &names, 5, 1, Binding::default()).unwrap();
        let answers = predict(&fitted.file, &rows, &vectors).unwrap();
        assert!(answers.iter().all(|answer| answer.correct == Some(true) && answer.labels.len() == 2));
        assert!(
            (fitted.shares.iter().zip(&rows))
                .all(|(shares, row)| (shares[1] > 0.5) == (row.label.as_deref() == Some("b")))
        );
        let text = serde_json::to_string(&fitted.file).unwrap();
        assert_eq!(serde_json::from_str::<ProbeFile>(&text).unwrap(), fitted.file);
        let stranger = fit(&rows, &vectors, &["a".to_owned(), "c".to_owned()], 5, 1, Binding::default()).unwrap_err();
        assert!(stranger.line == Some(3) && stranger.message.contains("\"b\""), "{stranger}");
    }
}
