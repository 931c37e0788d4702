//! What is made here is kept on the device as it comes, and put back on the next visit.

use std::sync::Arc;
use std::time::Duration;

use candor::platform;
use candor::protocol::StudyRequest;
use leptos::prelude::*;

use super::{Calibrating, Study};
use crate::browser;
use crate::state::evaluation::calibration::InUse;
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::project::{BEFORE_PROJECTS, Choices, Data, Entry, INDEX, Index};
use crate::state::evaluation::runs::Runs;
use crate::state::evaluation::scores::Scores;
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
    /// The data set of a time before projects.
    Before,
    /// A project's data set.
    Data(String),
    /// What a person decided in a project.
    Judgements(String),
    /// What was chosen in a project.
    Choices(String),
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

    pub(super) fn keep(self, name: String, text: String) {
        self.send(StudyRequest::Keep { name, text });
    }

    /// Asks for the list of projects; the open one comes with it.
    pub(super) fn recall_projects(self) {
        self.recall(INDEX.to_owned(), Recall::Index);
    }

    pub(super) fn keep_index(self) {
        if self.index.with_untracked(|index| index.open.is_some()) {
            // Without it, what is kept comes with the first look at it.
            browser::keep_value(browser::keep::PROJECT, "open");
        } else {
            browser::forget_value(browser::keep::PROJECT);
        }
        if let Ok(text) = self.index.with_untracked(serde_json::to_string) {
            self.keep(INDEX.to_owned(), text);
        }
    }

    /// Asks for everything that is kept of a project.
    pub(super) fn recall_project(self, entry: &Entry) {
        self.settled.set(false);
        self.recall(entry.data(), Recall::Data(entry.id.clone()));
        self.recall(entry.judgements(), Recall::Judgements(entry.id.clone()));
        self.recall(entry.runs(), Recall::Runs(entry.id.clone()));
        self.recall(entry.choices(), Recall::Choices(entry.id.clone()));
    }

    pub(super) fn recalled(self, id: u64, text: Option<String>) {
        let mut what = None;
        self.recalls.update_value(|recalls| {
            if let Some(place) = recalls.iter().position(|(request, _)| *request == id) {
                what = Some(recalls.swap_remove(place).1);
            }
        });
        let is_open = |id: &String| self.index.with_untracked(|index| index.open.as_ref() == Some(id));
        match what {
            Some(Recall::Index) => self.index_recalled(text),
            Some(Recall::Before) => {
                if let Some(data) = text.as_deref().and_then(Data::read) {
                    let (material, labels) = data.into_parts();
                    self.begin_project(material, labels);
                    self.send(StudyRequest::Remove { names: vec![BEFORE_PROJECTS.to_owned()] });
                }
            }
            Some(Recall::Data(id)) if is_open(&id) => {
                if let Some(data) = text.as_deref().and_then(Data::read) {
                    let (material, labels) = data.into_parts();
                    self.labels.set(labels);
                    self.show(material);
                }
            }
            Some(Recall::Judgements(id)) if is_open(&id) => {
                if let (Some(text), Some(material)) = (text, self.material.get_untracked()) {
                    self.judged.set(Judgements::restore(&material, &text));
                }
            }
            Some(Recall::Choices(id)) if is_open(&id) => {
                self.take_choices(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default());
            }
            Some(Recall::Runs(id)) if is_open(&id) => {
                if let Some(kept) = text.and_then(|text| serde_json::from_str(&text).ok()) {
                    self.runs.update(|runs| runs.restore(kept));
                }
            }
            Some(Recall::Probe(file)) => self.probe_recalled(&file, text),
            Some(Recall::Scores(file)) => {
                if let Some(text) = text {
                    wasm_bindgen_futures::spawn_local(self.restore_scores(file, text));
                }
            }
            _ => {}
        }
    }

    fn index_recalled(self, text: Option<String>) {
        match text.and_then(|text| serde_json::from_str::<Index>(&text).ok()) {
            Some(index) => {
                // What was begun before the list came stays open.
                if self.material.with_untracked(Option::is_some) {
                    return;
                }
                let open = index.current().cloned();
                self.index.set(index);
                if let Some(entry) = open {
                    self.recall_project(&entry);
                }
            }
            None => self.recall(BEFORE_PROJECTS.to_owned(), Recall::Before),
        }
    }

    /// Puts kept scores back, some at a time, so that nothing freezes meanwhile.
    async fn restore_scores(self, file: String, text: String) {
        let is_wanted = move || self.scores_file.with_untracked(|wanted| wanted.as_ref() == Some(&file));
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
        self.correct_bias();
        self.note_run();
    }

    pub(super) fn show(self, material: Material) {
        self.listing.set(Listing::All);
        self.scores_file.set(None);
        self.scored_with.set(None);
        self.scores.set(Scores::new(material.different_texts()));
        self.running.set(super::Running::Not);
        self.judged.set(Judgements::default());
        self.skipped.set(Vec::new());
        self.material.set(Some(Arc::new(material)));
    }

    /// Begins a project with this data set.
    pub(super) fn begin_project(self, material: Material, labels: LabelMap) {
        let name = material.name.clone();
        let rows = material.rows.len();
        self.labels.set(labels);
        self.show(material);
        self.take_choices(Choices::default());
        self.runs.set(Runs::default());
        self.index.update(|index| {
            index.add(&name, rows);
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
        }
    }

    pub(super) fn take_choices(self, choices: Choices) {
        let Choices { threshold, wish, order, calibrator, model_sha256, adapter_sha256, probe } = choices;
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
        self.settled.set(true);
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
