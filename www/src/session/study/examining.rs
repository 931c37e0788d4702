//! What is scored is examined by the second worker: the same report that the command line writes.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use candor::error::{Error, Result};
use candor::platform;
use candor::protocol::{self, Examination, StudyReply, StudyRequest};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{Examining, Study};
use crate::state::evaluation::calibrated;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::Scores;
use crate::state::evaluation::wanted::wanted;

/// The last examination.
#[derive(Default)]
pub(super) struct Examined {
    /// Which state of labels, scores and wishes it was asked for; none is 0.
    state: u64,
    /// What it was asked to look for.
    wish: Option<protocol::Wish>,
    /// The data and the file of scores that it is of.
    subject: (Weak<Material>, Option<String>),
    /// The fingerprint of rows and wish, and what they show.
    found: Option<(u64, Arc<Examination>)>,
}

/// Which predictions are taken home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of the rows that are known to be right or wrong.
    Known,
    /// Of every scored row.
    All,
    /// Of the rows that are known to be right or wrong, with what the calibrator in use makes of them.
    Calibrated,
}

/// Rows that are written between two frames.
const PIECE: usize = 250;
/// Milliseconds after the last change of a price or a wish before the report answers with it.
const PAUSE: u64 = 700;

impl Study {
    /// What is scored is examined when nothing more comes and somebody looks, and again when a label is understood
    /// differently, a person has given more, or another price or accuracy is wanted.
    pub(super) fn examine_when_looked_at(self) {
        let changes = RwSignal::new(0_u64);
        Effect::new(move |_| {
            self.labels.track();
            self.judged.track();
            self.scored_with.track();
            self.scores.track();
            changes.update(|count| *count += 1);
        });
        Effect::new(move |_| {
            let wish = self.wish.get();
            set_timeout(
                move || {
                    // A later change has a timeout of its own.
                    let is_last = self.wish.with_untracked(|now| *now == wish);
                    if is_last && self.examined.with_value(|last| last.state > 0 && last.wish != wanted(&wish)) {
                        changes.update(|count| *count += 1);
                    }
                },
                Duration::from_millis(PAUSE),
            );
        });
        Effect::new(move |_| {
            let state = changes.get();
            if !self.is_running() && self.looked_at.get() && self.examined.with_value(|last| last.state != state) {
                untrack(move || self.examine(state));
            }
        });
    }

    /// Has the scored rows examined as they are now, unless these very rows were. What is known of the same data stays
    /// until then.
    fn examine(self, state: u64) {
        let Some(material) = self.material.get_untracked().filter(|_| self.scores.with_untracked(Scores::done) > 0)
        else {
            self.examined.set_value(Examined { state, ..Examined::default() });
            return self.conclude(Examining::Not);
        };
        let wish = self.wish.with_untracked(wanted);
        let subject = (Arc::downgrade(&material), self.scores_file.get_untracked());
        let before = self.examined.try_update_value(|last| {
            let is_same = Weak::ptr_eq(&last.subject.0, &subject.0) && last.subject.1 == subject.1;
            let found = last.found.take().filter(|_| is_same);
            *last = Examined { state, wish: wish.clone(), subject, found: found.clone() };
            found
        });
        let before = before.flatten();
        match &before {
            Some((_, known)) => self.examination.set(Examining::Done(Arc::clone(known))),
            None => self.examination.set(Examining::Under),
        }
        self.examining.set(true);
        let is_newest = move || self.examined.with_value(|last| last.state == state);
        spawn_local(async move {
            let Some(predictions) = self.predictions_by_and_by(true, is_newest).await else { return };
            if predictions.is_empty() {
                return self.conclude(Examining::Not);
            }
            let fingerprint = fingerprint(&predictions, wish.as_ref());
            if let Some((_, found)) = before.filter(|(known, _)| *known == fingerprint) {
                return self.conclude(Examining::Done(found));
            }
            let request = StudyRequest::Examine { name: material.name.clone(), predictions, wish };
            self.compute(request, move |outcome| {
                // Meanwhile other rows may have been sent, whose report is still to come.
                if !is_newest() {
                    return;
                }
                self.conclude(match outcome {
                    Ok(StudyReply::Examined(found)) => {
                        let found = Arc::from(found);
                        self.examined.update_value(|last| last.found = Some((fingerprint, Arc::clone(&found))));
                        Examining::Done(found)
                    }
                    Ok(_) => Examining::Failed(Error::internal("an answer to something else")),
                    Err(error) => Examining::Failed(error),
                });
            });
        });
    }

    /// The examination has come to its end: this is what there is to see.
    fn conclude(self, outcome: Examining) {
        self.examination.set(outcome);
        self.examining.set(false);
    }

    /// Whoever examined is gone: what it was computing is asked for again with the next look.
    pub(super) fn examination_lost(self) {
        if self.examining.get_untracked() {
            self.examined.set_value(Examined::default());
            self.conclude(Examining::Not);
        }
    }

    /// `predictions.jsonl`: of the rows that are known to be right or wrong, or of every scored row. Nothing once `goes_on`
    /// says no, or the data is another.
    pub(super) async fn predictions_by_and_by(self, only_known: bool, goes_on: impl Fn() -> bool) -> Option<String> {
        let plain = move |rows: Range<usize>, material: &Material| {
            self.with_truth(|truth| self.scores.with(|scores| scores.predictions(rows, material, truth, only_known)))
        };
        self.lines_by_and_by(plain, goes_on).await
    }

    /// Lines of all rows, written some rows at a time, so that ten thousand do not freeze the page.
    async fn lines_by_and_by(
        self,
        lines: impl Fn(Range<usize>, &Material) -> String,
        goes_on: impl Fn() -> bool,
    ) -> Option<String> {
        let material = self.material.get_untracked()?;
        let mut text = String::new();
        for first in (0..material.rows.len()).step_by(PIECE) {
            platform::breathe().await;
            let same = self.material.with_untracked(|now| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, &material)));
            if !same || !goes_on() {
                return None;
            }
            let rows = first..material.rows.len().min(first + PIECE);
            text += &untrack(|| lines(rows, &material));
        }
        Some(text)
    }

    /// `predictions.jsonl` to take home. Where no row counts, of every one.
    ///
    /// # Errors
    /// There is no data, or no calibrator that fits.
    pub async fn predictions(self, which: Which) -> Result<String> {
        let gone = || Error::usage("there is no data").help("choose a file first");
        let known = self.predictions_by_and_by(which != Which::All, || true).await.ok_or_else(gone)?;
        if which == Which::Calibrated {
            return self.calibrated_predictions(!known.is_empty()).await;
        }
        if known.is_empty() { self.predictions_by_and_by(false, || true).await.ok_or_else(gone) } else { Ok(known) }
    }

    /// The same with what the calibrator in use makes of each row.
    async fn calibrated_predictions(self, only_known: bool) -> Result<String> {
        let none = || Error::usage("no calibrator is in use").help("fit one, or load one, first");
        let calibrator = untrack(move || self.calibrator_of_rows()).ok_or_else(none)?.file;
        let wrong = RefCell::new(None);
        let lines = |rows: Range<usize>, material: &Material| {
            let of_rows = self.with_truth(|truth| {
                self.scores.with(|scores| calibrated::lines(rows, (scores, material, truth), &calibrator, only_known))
            });
            of_rows.unwrap_or_else(|error| {
                wrong.replace(Some(error));
                String::new()
            })
        };
        let text = self.lines_by_and_by(lines, || wrong.borrow().is_none()).await;
        match wrong.into_inner() {
            Some(error) => Err(error),
            None => text.ok_or_else(|| Error::usage("the data has changed meanwhile").help("try again")),
        }
    }
}

fn fingerprint(predictions: &str, wish: Option<&protocol::Wish>) -> u64 {
    let mut hasher = DefaultHasher::new();
    predictions.hash(&mut hasher);
    wish.map(|wish| format!("{wish:?}")).hash(&mut hasher);
    hasher.finish()
}
