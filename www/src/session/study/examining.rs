//! What is scored is examined by the second worker: the same report that the command line writes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use candor::error::{Error, Result};
use candor::platform;
use candor::protocol::{Examination, StudyReply, StudyRequest};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{Examining, Study};
use crate::state::evaluation::scores::Scores;

/// The last examination.
#[derive(Default)]
pub(super) struct Examined {
    /// Which state of labels and scores it was asked for; none is 0.
    state: u64,
    /// The fingerprint of the rows, and what they show.
    found: Option<(u64, Arc<Examination>)>,
}

/// Rows that are written between two frames.
const PIECE: usize = 250;

impl Study {
    /// What is scored is examined when nothing more comes and somebody looks, and again when a label is understood
    /// differently or a person has given more.
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
            let state = changes.get();
            if !self.is_running() && self.looked_at.get() && self.examined.with_value(|last| last.state != state) {
                untrack(move || self.examine(state));
            }
        });
    }

    /// Has the scored rows examined as they are now, unless these very rows were.
    fn examine(self, state: u64) {
        let before = self.examined.try_update_value(|last| {
            last.state = state;
            last.found.take()
        });
        let before = before.flatten();
        let Some(material) = self.material.get_untracked().filter(|_| self.scores.with_untracked(Scores::done) > 0)
        else {
            return self.examination.set(Examining::Not);
        };
        self.examination.set(Examining::Under);
        let is_newest = move || self.examined.with_value(|last| last.state == state);
        spawn_local(async move {
            let Some(predictions) = self.predictions_by_and_by(true, is_newest).await else { return };
            if predictions.is_empty() {
                return self.examination.set(Examining::Not);
            }
            let fingerprint = fingerprint(&predictions);
            if let Some((_, found)) = before.filter(|(known, _)| *known == fingerprint) {
                return self.show_examination(fingerprint, found);
            }
            let request = StudyRequest::Examine { name: material.name.clone(), predictions };
            self.compute(request, move |outcome| {
                // Meanwhile other rows may have been sent, whose report is still to come.
                if !is_newest() {
                    return;
                }
                match outcome {
                    Ok(StudyReply::Examined(found)) => self.show_examination(fingerprint, Arc::new(*found)),
                    Ok(_) => self.examination.set(Examining::Failed(Error::internal("an answer to something else"))),
                    Err(error) => self.examination.set(Examining::Failed(error)),
                }
            });
        });
    }

    fn show_examination(self, fingerprint: u64, found: Arc<Examination>) {
        self.examined.update_value(|last| last.found = Some((fingerprint, Arc::clone(&found))));
        self.examination.set(Examining::Done(found));
    }

    /// `predictions.jsonl`: of the rows that are known to be right or wrong, or of every scored row. Written some rows at
    /// a time, so that ten thousand do not freeze the page; nothing once `goes_on` says no, or the data is another.
    pub(super) async fn predictions_by_and_by(self, only_known: bool, goes_on: impl Fn() -> bool) -> Option<String> {
        let material = self.material.get_untracked()?;
        let mut text = String::new();
        for first in (0..material.rows.len()).step_by(PIECE) {
            platform::breathe().await;
            let same = self.material.with_untracked(|now| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, &material)));
            if !same || !goes_on() {
                return None;
            }
            let rows = first..material.rows.len().min(first + PIECE);
            text += &untrack(|| {
                self.with_truth(|truth| {
                    self.scores.with(|scores| scores.predictions(rows, &material, truth, only_known))
                })
            });
        }
        Some(text)
    }

    /// `predictions.jsonl` to take home: of the rows that are known to be right or wrong, or of every scored row. Where no
    /// row counts, of every one.
    ///
    /// # Errors
    /// There is no data.
    pub async fn predictions(self, only_known: bool) -> Result<String> {
        let gone = || Error::usage("there is no data");
        let known = self.predictions_by_and_by(only_known, || true).await.ok_or_else(gone)?;
        if known.is_empty() { self.predictions_by_and_by(false, || true).await.ok_or_else(gone) } else { Ok(known) }
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
