//! The task: choosing, editing, keeping, and handing it to the engine.

use candor::protocol::{Request, Stage, TaskReport};
use candor::task::Task;
use leptos::prelude::*;

use super::Session;
use crate::browser::{self, keep};
use crate::models;
use crate::state::notice::{Doing, Notice};
use crate::state::shelf::Shelf;

/// Milliseconds after the last edit before the engine gets the task: its prefix is computed anew each time.
const PAUSE: u64 = 500;

impl Session {
    /// Changes the shelf, keeps it, and has the engine use the outcome.
    pub fn change_shelf(self, change: impl FnOnce(&mut Shelf)) {
        self.shelf.update(change);
        self.keep_shelf();
        self.use_task();
    }

    /// Edits the chosen task. The engine gets it after a pause, if it is free of mistakes.
    pub fn edit_task(self, edit: impl FnOnce(&mut Task)) {
        self.shelf.update(|shelf| edit(shelf.draft_mut()));
        self.keep_shelf();
        let edited = self.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
        set_timeout(
            move || {
                let unchanged = self.shelf.with_untracked(|shelf| shelf.chosen().draft == edited);
                if unchanged {
                    self.use_task();
                }
            },
            std::time::Duration::from_millis(PAUSE),
        );
    }

    /// Chooses a task.
    pub fn choose_task(self, id: &str) {
        self.change_task(|shelf| shelf.choose(id));
    }

    /// Chooses this very task; one that is not on the shelf comes onto it.
    pub fn bring_task(self, task: Task) {
        self.change_task(|shelf| shelf.bring(task));
    }

    /// A sample text in the box is replaced by one that fits the task that is chosen then; a person's own text stays.
    fn change_task(self, change: impl FnOnce(&mut Shelf)) {
        let id = move || self.shelf.with_untracked(|shelf| shelf.chosen().id.clone());
        let before = id();
        let sample = self.text.with_untracked(|text| text.trim().is_empty() || models::is_sample(text));
        self.change_shelf(change);
        if sample && id() != before {
            self.set_text(models::sample_texts(&id())[0].to_owned());
        }
    }

    /// Takes a task file. Answers with what is wrong with it; the chosen task stays.
    pub fn import_task(self, name: &str, bytes: &[u8]) -> Result<(), candor::error::Error> {
        let task = Task::from_toml(bytes).map_err(|error| error.at_file(name))?;
        self.change_shelf(|shelf| shelf.bring(task));
        Ok(())
    }

    fn keep_shelf(self) {
        let kept = self.shelf.with_untracked(|shelf| browser::keep_value(keep::TASKS, &shelf.saved()));
        self.tasks_are_kept.set(kept);
    }

    /// Hands the chosen task to the engine, if it is free of mistakes and not in use already.
    pub(super) fn use_task(self) {
        // While an adapter is on its way the task would be made ready for nothing.
        let waits = self.model.with_untracked(Option::is_none) || self.adapter_asked.with_untracked(Option::is_some);
        if waits || !self.problems.with_untracked(|problems| problems.is_empty()) {
            return;
        }
        let task = self.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
        let asked = self.task_asked.with_untracked(|asked| asked.as_ref().is_some_and(|(_, asked)| *asked == task));
        let idle = self.task_asked.with_untracked(Option::is_none);
        let in_use = idle
            && self.report.with_untracked(Option::is_some)
            && self.task_in_use.with_untracked(|in_use| in_use.as_ref() == Some(&task));
        if asked || in_use {
            if in_use {
                self.task_notice.set(None);
            }
            return;
        }
        self.task_notice.set(None);
        let request = self.send(Request::SetTask { task: Box::new(task.clone()) });
        self.task_asked.set(Some((request, task)));
        self.show_if_slow(request, Stage::Prefix);
    }

    /// The engine uses the task of this request.
    pub(super) fn task_ready(self, request: u64, report: TaskReport) {
        let asked = self.task_asked.get_untracked();
        if let Some((_, task)) = asked.filter(|(number, _)| *number == request) {
            self.task_asked.set(None);
            self.work_meter.set(None);
            self.task_in_use.set(Some(task));
            self.report.set(Some(report));
            self.text_changed();
        }
    }

    /// The engine refused the task of this request; the one before stays in use.
    pub(super) fn task_failed(self, request: u64, error: &candor::error::Error) {
        if self.task_asked.with_untracked(|asked| asked.as_ref().is_some_and(|(number, _)| *number == request)) {
            self.task_asked.set(None);
            self.work_meter.set(None);
            self.task_notice.set(Notice::new(error, Doing::Preparing));
            // The text may have changed while the task was being prepared.
            self.ask_if_due();
        }
    }
}
