//! What is made here is kept on the device as it comes, and put back on the next visit.

use std::sync::Arc;
use std::time::Duration;

use candor::error::Error;
use candor::platform;
use candor::protocol::{Reply, Request, StudyReply, StudyRequest};
use futures::channel::oneshot;
use leptos::prelude::*;

use super::{Calibrating, Study};
use crate::state::evaluation::calibration::InUse;
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::project::{BEFORE_PROJECTS, Choices, Data, Entry};
use crate::state::evaluation::runs::Runs;
use crate::state::evaluation::scores::Scores;
use crate::state::evaluation::turn::Turn;
use crate::state::evaluation::view::Listing;

/// Milliseconds after the last change before choices are written.
const PAUSE: u64 = 300;
/// Lines of scores that are read between two frames.
const PIECE: usize = 250;

/// What a text that is asked for from the device is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recall {
    /// The list of projects.
    Index,
    /// The same, to be joined with this tab's before it is written.
    IndexToJoin,
    /// The data set of a time before projects.
    Before,
    /// A project's data set.
    Data(String),
    /// What a person decided in a project.
    Judgements(String),
    /// What was chosen in a project.
    Choices {
        /// The project.
        project: String,
        /// Whether a person opens it: then the task that it was left with is chosen too.
        by_person: bool,
    },
    /// The runs of a project.
    Runs(String),
    /// The probe in use, by its file.
    Probe(String),
    /// Scores, by their file.
    Scores(String),
}

impl Study {
    pub(super) fn recall(self, name: String, what: Recall) {
        let request = self.send(StudyRequest::Recall { name });
        self.recalls.update_value(|recalls| recalls.push((request, what)));
    }

    /// Waits for what is kept under a name; nothing where nothing is, or where it cannot be read.
    pub(super) async fn ask_for_text(self, name: String) -> Option<String> {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let request = Request::Study(Box::new(StudyRequest::Recall { name }));
        let on = move |reply| {
            if let (Reply::Study(reply), Some(tell)) = (reply, tell.take())
                && let StudyReply::Text(text) = *reply
            {
                // Who asked may have gone.
                let _ = tell.send(text);
            }
        };
        self.link.with_value(|link| link.as_ref().map(|link| link.ask(request, on)))?;
        told.await.ok().flatten()
    }

    pub(super) fn keep(self, name: String, text: String) {
        self.send(StudyRequest::Keep { name, text });
    }

    /// Asks for everything that is kept of a project, which a person opens, or which was open on the last visit.
    pub(super) fn recall_project(self, entry: &Entry, by_person: bool) {
        self.settled.set(false);
        self.unreadable.set(None);
        // The task is chosen before the rows come, so that no other task's scores are looked for.
        self.recall(entry.choices(), Recall::Choices { project: entry.id.clone(), by_person });
        self.recall(entry.data(), Recall::Data(entry.id.clone()));
        self.recall(entry.judgements(), Recall::Judgements(entry.id.clone()));
        self.recall(entry.runs(), Recall::Runs(entry.id.clone()));
    }

    /// What a request was for; it is answered now.
    pub(super) fn take_recall(self, id: u64) -> Option<Recall> {
        let taken = self.recalls.try_update_value(|recalls| {
            let place = recalls.iter().position(|(request, _)| *request == id)?;
            Some(recalls.swap_remove(place).1)
        });
        taken.flatten()
    }

    pub(super) fn recalled(self, id: u64, text: Option<String>) {
        let what = self.take_recall(id);
        let is_open = |id: &String| self.index.with_untracked(|index| index.open.as_ref() == Some(id));
        match what {
            Some(Recall::Index) => self.index_recalled(text),
            Some(Recall::IndexToJoin) => self.index_to_join(text),
            Some(Recall::Before) => {
                if let Some(data) = text.as_deref().and_then(Data::read) {
                    let (material, labels) = data.into_parts();
                    self.begin_project(material, labels);
                    self.send(StudyRequest::Remove { names: vec![BEFORE_PROJECTS.to_owned()] });
                }
            }
            Some(Recall::Data(id)) if is_open(&id) => match text.as_deref().and_then(Data::read) {
                Some(data) => {
                    let (material, labels) = data.into_parts();
                    self.judged.set(Judgements::default());
                    self.labels.set(labels);
                    self.show(material);
                }
                None => self.rows_missing(if text.is_some() { "they are damaged" } else { "their file is gone" }),
            },
            Some(Recall::Judgements(id)) if is_open(&id) => {
                if let (Some(text), Some(material)) = (text, self.material.get_untracked()) {
                    self.judged.set(Judgements::restore(&material, &text));
                }
            }
            Some(Recall::Choices { project, by_person }) if is_open(&project) => {
                let choices: Choices = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                if let Some(task) = choices.task.clone().filter(|_| by_person) {
                    self.session.bring_task(task);
                }
                self.take_choices(choices);
            }
            Some(Recall::Runs(id)) if is_open(&id) => {
                if let Some(kept) = text.and_then(|text| serde_json::from_str(&text).ok()) {
                    self.runs.update(|runs| runs.restore(kept));
                }
                // All of the project has come, or there is nothing to write over what is kept.
                self.settled.set(self.material.with_untracked(Option::is_some));
            }
            Some(Recall::Probe(file)) => self.probe_recalled(&file, text),
            Some(Recall::Scores(file)) => match text {
                Some(text) => wasm_bindgen_futures::spawn_local(self.restore_scores(file, text)),
                None => self.restored(&file),
            },
            _ => {}
        }
    }

    /// Something that is kept could not be read.
    pub(super) fn not_recalled(self, what: Recall, error: &Error) {
        match what {
            Recall::IndexToJoin => self.index_asked.set_value(false),
            Recall::Data(id) if self.index.with_untracked(|index| index.open.as_ref() == Some(&id)) => {
                self.rows_missing(&error.message);
            }
            Recall::Scores(file) => self.restored(&file),
            _ => {}
        }
    }

    fn rows_missing(self, why: &str) {
        let name = self.index.with_untracked(|index| index.current().map(|entry| entry.name.clone()));
        let error = Error::input(format!("the rows of {} cannot be read: {why}", name.unwrap_or_default()))
            .help("reload the page; if they stay away, bring the data again. What was decided here is still kept");
        self.unreadable.set(Some(error));
    }

    /// The scores of a file have come, as far as there are any.
    fn restored(self, file: &str) {
        if self.scores_file.with_untracked(|wanted| wanted.as_deref() == Some(file)) {
            self.restoring.set(false);
        }
    }

    /// Puts kept scores back, some at a time, so that nothing freezes meanwhile.
    async fn restore_scores(self, file: String, text: String) {
        let is_wanted = || self.scores_file.with_untracked(|wanted| wanted.as_ref() == Some(&file));
        let Some(material) = self.material.get_untracked() else { return };
        let mut restored = Scores::new(material.different_texts());
        let places = Scores::places(&material);
        let lines: Vec<&str> = text.lines().collect();
        for piece in lines.chunks(PIECE) {
            platform::breathe().await;
            piece.iter().for_each(|line| restored.restore(&places, line));
        }
        let same = self.material.with_untracked(|now| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, &material)));
        if !is_wanted() || !same {
            return;
        }
        // What was scored while this was being read is newer than nothing.
        self.scores.update(|scores| scores.fill_from(restored));
        self.restored(&file);
        self.correct_bias();
        self.note_run();
    }

    /// Shows these rows. What a person decided about texts that were there before and still are stays decided.
    pub(super) fn show(self, material: Material) {
        let judged = self.material.with_untracked(|before| {
            let before = before.as_ref()?;
            let lines = self.judged.with_untracked(|judged| judged.lines(before));
            (!lines.is_empty()).then(|| Judgements::restore(&material, &lines))
        });
        self.unreadable.set(None);
        self.listing.set(Listing::All);
        self.scores_file.set(None);
        self.scored_with.set(None);
        self.scores.set(Scores::new(material.different_texts()));
        self.running.set(super::Running::Not);
        self.restoring.set(false);
        self.judged.set(judged.unwrap_or_default());
        self.turn.set(Turn::default());
        self.material.set(Some(Arc::new(material)));
    }

    /// Begins a project with this data set.
    pub(super) fn begin_project(self, material: Material, labels: LabelMap) {
        let name = material.name.clone();
        let rows = material.rows.len();
        self.judged.set(Judgements::default());
        self.labels.set(labels);
        self.show(material);
        self.take_choices(Choices::default());
        self.settled.set(true);
        self.runs.set(Runs::default());
        self.index.update(|index| {
            index.add(Self::new_id(), &name, rows);
        });
        self.keep_index();
        self.keep_data();
    }

    /// Writes the data set down, in a task of its own.
    pub(super) fn keep_data(self) {
        let (Some(material), Some(entry)) =
            (self.material.get_untracked(), self.index.with_untracked(|index| index.current().cloned()))
        else {
            return;
        };
        let labels = self.labels.get_untracked();
        wasm_bindgen_futures::spawn_local(async move {
            platform::breathe().await;
            let data = Data::new(&material, &labels);
            if let Ok(text) = serde_json::to_string(&data) {
                self.keep(entry.data(), text);
            }
        });
    }

    /// What is chosen in the open project.
    pub(super) fn choices(self) -> Choices {
        Choices {
            threshold: self.threshold.get(),
            wish: self.wish.get(),
            order: self.order.get(),
            calibrator: self
                .calibrator
                .with(|calibrator| calibrator.as_ref().map(|used| (used.text.clone(), used.origin.clone()))),
            model_sha256: self.scored_by.get(),
            probe: self.probe.with(|used| used.as_ref().map(|used| used.file.clone())),
            adapter_sha256: self.scored_adapter.get(),
            task: Some(self.session.shelf.with(|shelf| shelf.chosen().draft.clone())),
        }
    }

    pub(super) fn take_choices(self, choices: Choices) {
        let Choices { threshold, wish, order, calibrator, model_sha256, adapter_sha256, probe, .. } = choices;
        self.threshold.set(threshold);
        self.wish.set(wish);
        self.order.set(order);
        self.calibrating.set(Calibrating::Not);
        self.comparison.set(None);
        self.recall_probe(probe);
        self.calibrator.set(calibrator.and_then(|(text, origin)| InUse::read(text, origin).ok()));
        // A model that is loaded says itself who it is.
        if self.session.model.with_untracked(Option::is_none) {
            self.scored_by.set(model_sha256);
            self.scored_adapter.set(adapter_sha256);
        } else if let (Some(model), Some(adapter)) = (model_sha256, adapter_sha256) {
            self.session.apply_adapter_of_project(&model, adapter);
        }
    }

    /// Writes choices down, a moment after they have changed.
    pub(super) fn keep_choices(self) {
        Effect::new(move |before: Option<Choices>| {
            let now = self.choices();
            let settled = self.settled.get();
            if settled && before.is_some_and(|before| before != now) {
                let entry = untrack(move || self.index.with(|index| index.current().cloned()));
                let expected = now.clone();
                set_timeout(
                    move || {
                        // A later change has a timeout of its own.
                        if let Some(entry) = entry
                            && untrack(move || self.choices()) == expected
                            && let Ok(text) = serde_json::to_string(&expected)
                        {
                            self.keep(entry.choices(), text);
                        }
                    },
                    Duration::from_millis(PAUSE),
                );
            }
            now
        });
    }
}
