//! What is scored is examined by the second worker: the same report that the command line writes.

use std::sync::Arc;

use candor::error::{Error, Result};
use candor::protocol::{StudyReply, StudyRequest};
use leptos::prelude::*;

use super::{Examining, Study};
use crate::state::evaluation::scores::Scores;

impl Study {
    /// What is scored is examined when nothing more comes and somebody looks, and again when a label is understood
    /// differently or a person has given more.
    pub(super) fn examine_when_looked_at(self) {
        Effect::new(move |_| {
            self.labels.track();
            self.judged.track();
            self.scored_with.track();
            let rests = !self.is_running();
            let scored = self.scores.with(Scores::done);
            if rests && self.looked_at.get() {
                untrack(move || self.examine(scored));
            }
        });
    }

    /// Has the scored rows examined, unless these very rows were.
    fn examine(self, scored: usize) {
        let known = self.material.get_untracked().filter(|_| scored > 0).map(|material| {
            let predictions =
                self.with_truth(|truth| self.scores.with(|scores| scores.predictions(&material, truth, true)));
            (material.name.clone(), predictions)
        });
        let number = self.examined.with_value(|(number, _)| number + 1);
        let Some((name, predictions)) = known.filter(|(_, predictions)| !predictions.is_empty()) else {
            self.examined.set_value((number, String::new()));
            self.examination.set(Examining::Not);
            return;
        };
        if self.examined.with_value(|(_, examined)| *examined == predictions) {
            return;
        }
        self.examined.set_value((number, predictions.clone()));
        self.examination.set(Examining::Under);
        self.compute(StudyRequest::Examine { name, predictions }, move |outcome| {
            // Meanwhile other rows may have been sent, whose report is still to come.
            if self.examined.with_value(|(newest, _)| *newest != number) {
                return;
            }
            self.examination.set(match outcome {
                Ok(StudyReply::Examined(found)) => Examining::Done(Arc::new(*found)),
                Ok(_) => Examining::Failed(Error::internal("an answer to something else")),
                Err(error) => {
                    self.examined.set_value((number, String::new()));
                    Examining::Failed(error)
                }
            });
        });
    }

    /// `predictions.jsonl`: of the rows that are known to be right or wrong, or of every scored row. Where no row counts,
    /// of every one.
    ///
    /// # Errors
    /// There is no data.
    pub fn predictions(self, only_known: bool) -> Result<String> {
        let material = self.material.get_untracked().ok_or_else(|| Error::usage("there is no data"))?;
        Ok(untrack(move || {
            self.with_truth(|truth| {
                self.scores.with(|scores| {
                    let known = scores.predictions(&material, truth, only_known);
                    if known.is_empty() { scores.predictions(&material, truth, false) } else { known }
                })
            })
        }))
    }
}
