//! A data set run through a classifier: rows become predictions that know what was expected of them.
//!
//! Above the classifier, which knows texts, and below the command line and the worker, which know files and messages.
//! A text that repeats is computed once ([`Repeats`]); what a row knows and what a calibrator says is written onto its
//! prediction in one place ([`Finish`]), so that `classify` and `eval` cannot differ. [`RunFacts`] say of a run what a
//! calibrator must be bound to. What a run shows is in [`report`], which draws [`pictures`] of what [`rows`] give the
//! statistics; what is fitted on it is in [`calibration`].

pub mod calibration;
pub mod compare;
pub mod pictures;
pub mod probe;
pub mod questions;
pub mod report;
pub mod rows;
mod run;

use std::collections::HashMap;

pub use self::run::{DataFacts, Named, RunFacts, RunMetrics};
use crate::classify::{Classifier, Options};
use crate::dataset::Example;
use crate::engine::Control;
use crate::error::{Error, Result};
use crate::protocol::{self, Classification, Verbalized};
use crate::stats::calibrated::Applier;

/// What `confidence` is taken from where nothing is calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confidence {
    /// The winner's probability over the whole vocabulary.
    #[default]
    TotalProbability,
    /// Its probability among the labels.
    Share,
    /// The number the model is expected to say when it is asked how sure it is.
    Verbalized,
    /// The number it most likely says.
    VerbalizedMode,
}

/// What a classified row still lacks.
#[derive(Debug, Clone, Default)]
pub struct Finish<'a> {
    /// Which number is the confidence.
    pub confidence: Confidence,
    /// A calibrator made ready for the task's labels.
    pub calibrator: Option<Applier<'a>>,
    /// Why the calibrator does not belong here, where it was forced.
    pub forced: Option<String>,
}

impl Finish<'_> {
    /// Adds what the row knows and what the calibrator says.
    ///
    /// # Errors
    /// A calibrator that takes a number that predictions do not have.
    pub fn row(&self, row: &Example, mut result: Classification) -> Result<Classification> {
        let prediction = &mut result.prediction;
        prediction.id.clone_from(&row.id);
        prediction.group.clone_from(&row.group);
        prediction.expected.clone_from(&row.label);
        prediction.correct = row.label.as_ref().map(|expected| *expected == prediction.label);
        prediction.confidence = match self.confidence {
            Confidence::TotalProbability => prediction.total_probability,
            Confidence::Share => prediction.share,
            Confidence::Verbalized => said(prediction.verbalized)?.expected,
            Confidence::VerbalizedMode => said(prediction.verbalized)?.mode,
        };
        let Some(calibrator) = &self.calibrator else { return Ok(result) };
        protocol::calibrated::calibrate(calibrator, prediction)?;
        prediction.calibrator_forced.clone_from(&self.forced);
        Ok(result)
    }
}

fn said(verbalized: Option<Verbalized>) -> Result<Verbalized> {
    verbalized.ok_or_else(|| Error::internal("the model was not asked how sure it is"))
}

/// Texts that occur more than once, and what was computed of them.
#[derive(Debug, Default)]
pub struct Repeats<'a> {
    counts: HashMap<&'a str, usize>,
    known: HashMap<&'a str, Classification>,
}

impl<'a> Repeats<'a> {
    /// Counts the texts of all rows that will come.
    pub fn of(examples: &'a [Example]) -> Self {
        let mut counts = HashMap::new();
        examples.iter().for_each(|row| *counts.entry(row.text.as_str()).or_insert(0) += 1);
        Self { counts, known: HashMap::new() }
    }

    /// Rows whose text is that of an earlier row.
    pub fn rows(&self) -> usize {
        self.counts.values().map(|count| count - 1).sum()
    }

    /// Classifies a batch of these rows, in order; a text that was computed before is not computed again.
    ///
    /// # Errors
    /// As [`Classifier::classify_batch`].
    pub async fn classify(
        &mut self,
        classifier: &Classifier,
        batch: &'a [Example],
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        let mut fresh: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for row in batch {
            let text = row.text.as_str();
            if !self.known.contains_key(text) && !places.contains_key(text) {
                places.insert(text, fresh.len());
                fresh.push(text);
            }
        }
        let computed =
            if fresh.is_empty() { Vec::new() } else { classifier.classify_batch(&fresh, options, control).await? };
        let results = batch.iter().map(|row| {
            let text = row.text.as_str();
            let found = places.get(text).and_then(|place| computed.get(*place)).or_else(|| self.known.get(text));
            found.cloned().ok_or_else(|| Error::internal("a text of the batch was not classified"))
        });
        let results: Result<Vec<Classification>> = results.collect();
        for row in batch {
            let text = row.text.as_str();
            if self.counts.get(text).is_some_and(|count| *count > 1)
                && let Some(result) = places.get(text).and_then(|place| computed.get(*place))
            {
                self.known.insert(text, result.clone());
            }
        }
        results
    }
}
