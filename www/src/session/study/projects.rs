//! Projects: begun, opened, named, put away, taken to another machine, and everything erased.

use std::collections::HashSet;

use candor::error::{Error, Kind};
use candor::platform;
use candor::protocol::StudyRequest;
use candor::stats::bias::LabelBias;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Study;
use crate::browser;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::project::{Data, FORMAT, Portable};
use crate::state::evaluation::scores::{Scored, Scores, correct, file_name, new_lines, scoring_task};
use crate::state::evaluation::turn::Turn;

/// How the name of a project's file ends.
pub(super) const PROJECT_FILE: &str = ".candor.json";
/// Texts whose scores are written between two frames.
const PIECE: usize = 250;
/// Bytes of the largest project file that is read.
const LARGEST_PROJECT: f64 = 512e6;

impl Study {
    /// Puts the open project away; it stays kept.
    pub fn put_away(self) {
        self.cancel();
        self.forget_reading();
        self.files.set_value(Vec::new());
        self.settled.set(false);
        self.unreadable.set(None);
        self.restoring.set(false);
        self.turn.set(Turn::default());
        self.material.set(None);
        self.scores.set(Scores::default());
        self.judged.update(|judged| *judged = Default::default());
        self.scored_with.set(None);
        self.scores_file.set(None);
        self.calibrator.set(None);
        self.put_comparison_away();
        self.labels.set(LabelMap::default());
        self.running.set(super::Running::Not);
        self.index.update(|index| index.open = None);
        self.keep_index();
    }

    /// Opens a kept project.
    pub fn open_project(self, id: &str) {
        self.put_away();
        if let Some(entry) = self.index.try_update(|index| index.choose(id)).flatten() {
            self.keep_index();
            self.recall_project(&entry, true);
        }
    }

    /// Gives a project another name.
    pub fn rename_project(self, id: &str, name: &str) {
        self.index.update(|index| index.rename(id, name));
        self.keep_index();
    }

    /// Removes a project with everything that a person made in it. Scores stay for when the texts come again.
    pub fn remove_project(self, id: &str) {
        if self.index.with_untracked(|index| index.open.as_deref() == Some(id)) {
            self.put_away();
        }
        let removed = self.index.try_update(|index| index.remove(id)).flatten();
        self.keep_index();
        if let Some(entry) = removed {
            self.unsaved.update_value(|unsaved| unsaved.forget(&entry.judgements()));
            self.send(StudyRequest::RemoveAll { beginning: entry.beginning() });
        }
        self.ask_usage();
    }

    /// Asks how much is kept.
    pub fn ask_usage(self) {
        self.open();
        self.send(StudyRequest::Usage);
        self.session.ask_storage();
    }

    /// The open project as one file: its name and its parts, written some at a time.
    pub async fn portable(self) -> Option<(String, Vec<String>)> {
        let material = self.material.get_untracked()?;
        let name = self.index.with_untracked(|index| index.current().map(|entry| entry.name.clone()))?;
        let task = self.scored_with.get_untracked().unwrap_or_else(|| {
            // Nothing was scored yet: the task that is chosen now travels with it.
            self.session.shelf.with_untracked(|shelf| shelf.chosen().draft.clone())
        });
        // Corrections are made anew where the file is read.
        let none = self.session.batch_bias.with_untracked(Option::is_some).then(|| LabelBias::none(task.labels.len()));
        let portable = Portable {
            format: FORMAT.to_owned(),
            name: name.clone(),
            task: Some(task),
            data: self.labels.with_untracked(|labels| Data::new(&material, labels)),
            judgements: self.judged.with_untracked(|judged| judged.lines(&material)),
            choices: untrack(move || self.choices()),
            scores: String::new(),
        };
        platform::breathe().await;
        let (begin, end) = portable.around_scores()?;
        let mut parts = vec![begin];
        for first in (0..material.different_texts()).step_by(PIECE) {
            platform::breathe().await;
            let texts = first..material.different_texts().min(first + PIECE);
            let scored: Vec<(usize, Scored)> = self
                .scores
                .with_untracked(|scores| texts.filter_map(|text| Some((text, scores.of(text)?.clone()))).collect());
            let as_given = |(text, mut scored): (usize, Scored)| {
                if let Some(none) = &none {
                    correct(&mut scored.prediction, none);
                }
                (text, scored)
            };
            let scored: Vec<(usize, Scored)> = scored.into_iter().map(as_given).collect();
            parts.push(Portable::more_scores(&Scores::lines(&material, &scored)));
        }
        parts.push(end.to_owned());
        let stem: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(60).collect();
        Some((format!("{stem}{PROJECT_FILE}"), parts))
    }

    /// Reads a project that was made on this or another machine; it becomes a project of its own. Nothing that is here
    /// changes when the file is none.
    pub fn import_project(self, file: web_sys::File) {
        self.read_error.set(None);
        spawn_local(async move {
            let name = file.name();
            match read_text(&file, LARGEST_PROJECT).await.and_then(|text| Portable::read(&name, &text)) {
                Ok(portable) => self.take_portable(portable).await,
                Err(error) => self.read_error.set(Some(error)),
            }
        });
    }

    async fn take_portable(self, portable: Portable) {
        let Portable { name, task, data, judgements, mut choices, scores, .. } = portable;
        if let (Some(task), Some(model)) = (&task, &choices.model_sha256) {
            let file = file_name(model, choices.adapter_sha256.as_deref(), &scoring_task(task).sha256());
            self.add_scores(file, &scores).await;
        }
        // The very task, content and name: scores and calibrator belong to both.
        choices.task = task.or(choices.task);
        self.put_away();
        let rows = data.rows.len();
        let Some(entry) = self.index.try_update(|index| index.add(Self::new_id(), &name, rows)) else { return };
        for (name, text) in [
            (entry.data(), serde_json::to_string(&data)),
            (entry.choices(), serde_json::to_string(&choices)),
            (entry.judgements(), Ok(judgements)),
        ] {
            if let Ok(text) = text {
                self.keep(name, text);
            }
        }
        self.keep_index();
        self.recall_project(&entry, true);
    }

    /// Keeps scores behind those of the same file, some at a time; those that are there already are not kept twice.
    async fn add_scores(self, file: String, scores: &str) {
        let kept = self.ask_for_text(file.clone()).await.unwrap_or_default();
        let mut known = HashSet::new();
        let mut fresh = String::new();
        for (text, is_kept) in [(kept.as_str(), true), (scores, false)] {
            let lines: Vec<&str> = text.lines().collect();
            for piece in lines.chunks(PIECE) {
                platform::breathe().await;
                let new = new_lines(&mut known, piece);
                if !is_kept {
                    fresh.push_str(&new);
                }
            }
        }
        if !fresh.is_empty() {
            self.send(StudyRequest::Append { name: file, text: fresh });
        }
    }

    /// Removes everything that this page keeps on the device: projects, scores, models, tasks, settings and the page
    /// itself; then loads it anew, as on the first visit.
    pub fn erase_everything(self) {
        self.put_away();
        self.open();
        self.erasing.set(Some(self.send(StudyRequest::EraseAll)));
    }

    /// The folder of projects is empty; the rest follows.
    pub(super) fn erased(self) {
        let kept = move || {
            let storage = self.session.storage.get_untracked().unwrap_or_default();
            let models: Vec<String> = storage.models.into_iter().map(|(file, _)| file).collect();
            let adapters: Vec<String> = storage.adapters.into_iter().map(|adapter| adapter.sha256).collect();
            (models, adapters)
        };
        let (models, adapters) = kept();
        models.into_iter().for_each(|file| self.session.forget(file));
        adapters.into_iter().for_each(|sha256| self.session.forget_adapter(sha256));
        spawn_local(async move {
            browser::forget_everything().await;
            // The other worker removes the models meanwhile; a file that it cannot remove is not waited for.
            for _ in 0..50 {
                let (models, adapters) = kept();
                if models.is_empty() && adapters.is_empty() {
                    break;
                }
                browser::pause(100).await;
            }
            browser::go_to_beginning();
        });
    }
}

/// A picked file's text.
///
/// # Errors
/// A file that is too large, or that the browser does not give.
pub(super) async fn read_text(file: &web_sys::File, most: f64) -> Result<String, Error> {
    if file.size() > most {
        return Err(Error::new(Kind::Resource, "the file is too large for what it should be")
            .at_file(file.name())
            .help("choose the file that this page, or the command line, wrote"));
    }
    let blob: &web_sys::Blob = file.unchecked_ref();
    let text = JsFuture::from(blob.text()).await.ok().and_then(|text| text.as_string());
    text.ok_or_else(|| Error::new(Kind::Io, "the browser did not read the file").at_file(file.name()))
}
