//! What any model must beat: always the most frequent label, the labels' shares, and classical learners on counted words
//! or parsed fields. Native only.
//!
//! The learners are `smartcore`'s; here is how texts become numbers ([`words`], [`fields`]) and how a learner's output
//! becomes probabilities. A baseline is fitted on rows with labels and answers other rows as [`Prediction`]s, so that
//! everything downstream (metrics, comparison, report) treats it like a model's run.
//!
//! Where a learner gives no probabilities of its own, one regression a label on "is it this label?" (1 or 0) does: the
//! mean over a forest's leaves is then an estimate of the probability (Malley et al. 2012), and the lasso's fitted value,
//! held inside `[0.001, 0.999]`, the linear probability model's. Both are normalised over the labels. With no more rows than
//! columns the lasso sees the columns that go best with the outcome, fewer than it has rows.

pub mod fields;
mod learners;
pub mod words;

use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::protocol::Prediction;

/// A baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Always the most frequent label, with certainty.
    Majority,
    /// The labels' shares, whatever the text.
    Prior,
    /// Logistic regression on weighted word counts.
    TfidfLogistic,
    /// A random forest on the fields of `Field: value` lines.
    RandomForest,
    /// L1-regularized linear regression on the same fields.
    Lasso,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Majority, Self::Prior, Self::TfidfLogistic, Self::RandomForest, Self::Lasso];

    /// The name in sweep files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Prior => "prior",
            Self::TfidfLogistic => "tfidf_logistic",
            Self::RandomForest => "random_forest",
            Self::Lasso => "lasso",
        }
    }
}

/// Fits a baseline on `train` and answers `test`, in its order. `labels` are the task's, and so the predictions'.
///
/// # Errors
/// No labelled training rows; one label only, where something has to be learned; rows without `Field: value` lines for
/// a baseline that reads them; numbers that a learner cannot be fitted on.
pub fn predict(
    baseline: Baseline,
    train: &[Example],
    test: &[Example],
    labels: &[String],
    seed: u64,
) -> Result<Vec<Prediction>> {
    let train: Vec<(&Example, usize)> = (train.iter())
        .filter_map(|row| Some((row, labels.iter().position(|label| Some(label) == row.label.as_ref())?)))
        .collect();
    let mut counts = vec![0_usize; labels.len()];
    train.iter().for_each(|(_, label)| counts[*label] += 1);
    if train.is_empty() {
        return Err(Error::input("there are no training rows with the task's labels")
            .help("give the baselines labelled rows: train = \"FILE\" in the sweep"));
    }
    let learns = !matches!(baseline, Baseline::Majority | Baseline::Prior);
    if learns && counts.iter().filter(|count| **count > 0).count() < 2 {
        return Err(Error::input("all training rows have one label, so nothing can be learned from them")
            .help("give rows of at least two labels"));
    }
    let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / train.len() as f64).collect();
    let truths: Vec<usize> = train.iter().map(|(_, label)| *label).collect();
    let texts: Vec<&str> = train.iter().map(|(row, _)| row.text.as_str()).collect();
    let asked: Vec<&str> = test.iter().map(|row| row.text.as_str()).collect();
    let probabilities: Vec<Vec<f64>> = match baseline {
        Baseline::Majority => {
            let most = crate::stats::rows::first_largest(&shares);
            vec![(0..labels.len()).map(|label| f64::from(u8::from(label == most))).collect(); test.len()]
        }
        Baseline::Prior => vec![shares; test.len()],
        Baseline::TfidfLogistic => {
            let vocabulary = words::Vocabulary::fit(&texts)?;
            let [known, asked] = [&texts, &asked].map(|texts| vocabulary.vectors(texts));
            learners::logistic(&known, &truths, &asked, labels.len())?
        }
        Baseline::RandomForest | Baseline::Lasso => {
            let columns = fields::Columns::fit(&texts)?;
            let [known, asked] = [&texts, &asked].map(|texts| columns.vectors(texts));
            match baseline {
                Baseline::Lasso => learners::lasso(&known, &truths, &asked, labels.len(), seed)?,
                _ => learners::forest(&known, &truths, &asked, labels.len(), seed)?,
            }
        }
    };
    Ok(test.iter().zip(&probabilities).map(|(row, shares)| Prediction::from_shares(row, labels, shares)).collect())
}

#[cfg(test)]
mod tests;
