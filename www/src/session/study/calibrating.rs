//! A calibrator is fitted on the labelled rows, or loaded from a file, and stays chosen until it is put away.

use std::sync::Arc;
use std::time::Duration;

use candor::error::Error;
use candor::protocol::{StudyReply, StudyRequest};
use candor::stats::calibrators::Method;
use candor::stats::saved::{Binding, LARGEST_FILE};
use candor::task::Task;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::projects::read_text;
use super::{Calibrating, Study};
use crate::state::evaluation::calibration::{InUse, Origin};

/// Milliseconds after the last label before a calibrator is fitted anew.
const PAUSE: u64 = 700;

impl Study {
    /// Fits a calibrator on every row whose true label is known; without a method, the one that does best on rows it was
    /// not fitted on.
    pub fn fit(self, method: Option<Method>) {
        let made_with = untrack(move || self.binding());
        self.calibrating.set(Calibrating::Under);
        spawn_local(async move {
            let is_same = {
                let made_with = made_with.clone();
                move || untrack(move || self.binding()) == made_with
            };
            let Some(predictions) = self.predictions_by_and_by(true, &is_same).await else {
                self.calibrating.set(Calibrating::Not);
                return;
            };
            self.compute(StudyRequest::Calibrate { predictions, method, bound_to: made_with }, move |outcome| {
                // Meanwhile the task, the model or the project may have changed: then this fits nothing any more.
                if is_same() { self.fitted(method, outcome) } else { self.calibrating.set(Calibrating::Not) }
            });
        });
    }

    fn fitted(self, method: Option<Method>, outcome: Result<StudyReply, Error>) {
        let fitted = outcome.and_then(|reply| match reply {
            StudyReply::Calibrated(report) => Ok((InUse::read(report.file.clone(), Origin::Fitted(method))?, report)),
            _ => Err(Error::internal("an answer to something else")),
        });
        match fitted {
            Ok((calibrator, report)) => {
                self.session.announce(format!("{} is in use", calibrator.summary()));
                self.calibrator.set(Some(calibrator));
                self.comparison.set(Some(Arc::new(*report)));
                self.calibrating.set(Calibrating::Not);
            }
            Err(error) => self.calibrating.set(Calibrating::Failed(error)),
        }
    }

    /// New labels flow into a calibrator that was fitted here.
    pub(super) fn fit_anew_with_new_labels(self) {
        Effect::new(move |before: Option<usize>| {
            let labels = self.judged.with(|judged| judged.labelled().len());
            let settled = self.settled.get();
            // What was kept comes with its calibrator; only what is new fits it anew.
            if settled && before.is_some_and(|before| before != labels) {
                set_timeout(
                    move || {
                        // A later label has a timeout of its own, and a run fits anew at its end.
                        let now = self.judged.with_untracked(|judged| judged.labelled().len());
                        if now == labels && !untrack(move || self.is_running()) {
                            self.fit_anew();
                        }
                    },
                    Duration::from_millis(PAUSE),
                );
            }
            labels
        });
    }

    /// A run has ended: what it scored flows into a calibrator that was fitted here on fewer rows.
    pub(super) fn fit_anew_on_more_rows(self) {
        let Some(material) = self.material.get_untracked() else { return };
        let known = untrack(|| self.with_truth(|truth| self.scores.with(|scores| scores.tally(&material, truth).0)));
        if self.calibrator.with_untracked(|used| used.as_ref().is_some_and(|used| used.file.fitted_on.n != known)) {
            self.fit_anew();
        }
    }

    /// Fits the calibrator in use anew, where it was fitted on rows of this project and belongs to these scores.
    fn fit_anew(self) {
        let here = untrack(move || self.binding());
        let method = self.calibrator.with_untracked(|used| match used {
            Some(InUse { origin: Origin::Fitted(method), .. }) => {
                used.as_ref().filter(|used| used.belongs(&here).is_ok()).map(|_| *method)
            }
            _ => None,
        });
        if let Some(method) = method.filter(|_| self.scores.with_untracked(|scores| scores.done() > 0)) {
            self.fit(method);
        }
    }

    /// Uses a calibrator from a file, if it belongs to this model and task; the error says why not, and what was in use
    /// stays.
    pub fn load_calibrator(self, file: web_sys::File) {
        spawn_local(async move {
            let read = read_text(&file, LARGEST_FILE as f64)
                .await
                .and_then(|text| InUse::read(text, Origin::Loaded(file.name())))
                .and_then(|calibrator| calibrator.belongs(&untrack(move || self.binding())).map(|()| calibrator));
            match read {
                Ok(calibrator) => {
                    self.comparison.set(None);
                    self.calibrating.set(Calibrating::Not);
                    self.calibrator.set(Some(calibrator));
                }
                Err(error) => self.calibrating.set(Calibrating::Failed(error.at_file(file.name()))),
            }
        });
    }

    /// Shows confidence as the model gives it again.
    pub fn put_calibrator_away(self) {
        self.calibrator.set(None);
        self.comparison.set(None);
        self.calibrating.set(Calibrating::Not);
    }

    /// The calibrator, where it belongs to what the scores were made with and makes another number of them.
    pub fn calibrator_of_rows(self) -> Option<InUse> {
        let here = self.binding();
        self.calibrator.with(|used| used.clone().filter(|used| !used.is_raw() && used.belongs(&here).is_ok()))
    }

    /// The calibrator for what is typed, or why the chosen one is not used.
    ///
    /// # Errors
    /// It belongs to another model, adapter or task.
    pub fn calibrator_of_texts(self) -> Result<Option<InUse>, Error> {
        let here = Binding {
            model_sha256: self.session.model.with(|model| model.as_ref().map(|model| model.sha256.clone())),
            adapter_sha256: self.session.adapter_sha256(),
            task_sha256: self.session.task_in_use.with(|task| task.as_ref().map(Task::sha256)),
        };
        self.calibrator.with(|used| match used {
            Some(used) => used.belongs(&here).map(|()| Some(used.clone())),
            None => Ok(None),
        })
    }
}
