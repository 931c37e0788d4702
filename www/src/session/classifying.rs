//! The text: asking after a pause, and taking only the answer to the newest question.

use std::time::Duration;

use candor::error::Error;
use candor::platform;
use candor::protocol::{Classification, Request, Stage};
use leptos::prelude::*;

use super::{Answer, BatchBias, Session};
use crate::browser::{self, keep_in_tab};
use crate::state::evaluation::scores::correct;
use crate::state::notice::{Doing, Notice, WayOn};
use crate::state::progress::Meter;
use crate::state::reading::Reading;
use crate::state::typing::{self, Typing};

/// Rows of the next-token table.
const TOP: usize = 12;
/// The longest prompt that is read while one types, in tokens: beyond it a single text takes many seconds.
const LIMIT: usize = 2048;
/// Milliseconds of waiting after which the page shows how far the engine is.
const PATIENCE: u64 = 600;

impl Session {
    /// Puts a text into the box.
    pub fn set_text(self, text: String) {
        browser::keep_value_in_tab(keep_in_tab::TEXT, &text);
        self.text.set(text);
        self.text_changed();
    }

    /// The text, or what it is to be classified with, is new: ask after a pause.
    pub(super) fn text_changed(self) {
        self.classify_notice.set(None);
        if self.text.with_untracked(|text| text.trim().is_empty()) {
            self.stop_question();
            self.answer.set(None);
            return;
        }
        self.typing.update(|typing| typing.edited(platform::now()));
        set_timeout(move || self.ask_if_due(), Duration::from_millis((typing::PAUSE * 1000.0) as u64));
    }

    pub(super) fn ask_if_due(self) {
        let due = self.typing.with_untracked(|typing| typing.is_due(platform::now()));
        // Without a model, or while a task is being prepared, the edit waits: the task's answer asks again.
        let busy = self.task_asked.with_untracked(Option::is_some)
            || self.adapter_asked.with_untracked(Option::is_some)
            || self.loading.with_untracked(Option::is_some);
        if !due || busy || !untrack(move || self.is_ready()) {
            return;
        }
        // An older question is still being computed: nobody waits for its answer any more.
        if let Some(target) = self.typing.with_untracked(|typing| typing.waiting_for()) {
            self.send(Request::Cancel { target });
        }
        let context = self.model.with_untracked(|model| model.as_ref().map_or(LIMIT, |model| model.context));
        let request = self.send(Request::Classify {
            text: self.text.get_untracked(),
            top: TOP,
            limit_tokens: context.min(LIMIT),
        });
        self.typing.update(|typing| typing.asked(request));
        self.show_if_slow(request, Stage::Classify);
    }

    /// Shows how far a request is, once it has taken longer than a moment.
    pub(super) fn show_if_slow(self, request: u64, stage: Stage) {
        set_timeout(
            move || {
                let waiting = self.typing.with_untracked(|typing| typing.is_waiting_for(request))
                    || self.task_asked.with_untracked(|asked| asked.as_ref().is_some_and(|(id, _)| *id == request));
                if waiting && self.work_meter.with_untracked(Option::is_none) {
                    self.work_meter.set(Some(Meter::beginning(stage)));
                }
            },
            Duration::from_millis(PATIENCE),
        );
    }

    fn stop_question(self) {
        if let Some(target) = self.typing.with_untracked(|typing| typing.waiting_for()) {
            self.send(Request::Cancel { target });
        }
        self.typing.update(Typing::clear);
        self.work_meter.set(None);
    }

    /// Stops reading the text; the text stays.
    pub fn cancel_work(self) {
        self.stop_question();
        // An answer to an older text must not stand beside this one.
        self.answer.set(None);
        if let Some((target, _)) = self.task_asked.get_untracked() {
            self.send(Request::Cancel { target });
            self.task_asked.set(None);
        }
        self.classify_notice.set(Some(Notice {
            title: "Stopped".to_owned(),
            message: "The text was not read to its end.".to_owned(),
            help: "Nothing is lost.".to_owned(),
            way_on: WayOn::Retry,
        }));
    }

    /// The way on from a text that was not classified.
    pub fn after_classify_failure(self, way_on: WayOn) {
        match way_on {
            WayOn::Retry => {
                self.use_task();
                self.text_changed();
            }
            other => self.after_load_failure(other),
        }
    }

    /// An answer came; it counts only if it is the newest question's.
    pub(super) fn classified(self, request: u64, mut classification: Classification) {
        if !self.typing.try_update(|typing| typing.accept(request)).unwrap_or(false) {
            return;
        }
        self.work_meter.set(None);
        self.classify_notice.set(None);
        let bias =
            self.task_in_use.with_untracked(|task| task.as_ref().map(|task| task.bias.method)).unwrap_or_default();
        self.correct_bias_of_batch(&mut classification);
        self.pace.update(|pace| pace.push(classification.seconds));
        let reading = Reading::new(&classification, bias);
        self.speak_later(reading.announcement());
        self.note_first_answer();
        self.answer.set(Some(Answer { classification, reading }));
    }

    /// Batch correction needs many texts; the average over a data set of this task and model serves a single one.
    fn correct_bias_of_batch(self, classification: &mut Classification) {
        let model = self.model.with_untracked(|model| model.as_ref().map(|model| model.sha256.clone()));
        let adapter = untrack(move || self.adapter_sha256());
        let task = self.task_in_use.get_untracked();
        self.batch_bias.with_untracked(|known| {
            let fits = |known: &&BatchBias| {
                Some(&known.model) == model.as_ref() && known.adapter == adapter && Some(&known.task) == task.as_ref()
            };
            let Some(known) = known.as_ref().filter(fits) else { return };
            correct(&mut classification.prediction, &known.bias);
            for label in &mut classification.labels {
                if let Some(score) = classification.prediction.labels.get(&label.name) {
                    label.share = score.share;
                }
            }
        });
    }

    /// Notes how long the page took from being opened to its first answer, if nobody had to fetch a model or press
    /// anything for it.
    fn note_first_answer(self) {
        if self.unasked.get_untracked() && self.first_answer.with_untracked(Option::is_none) {
            // The browser's clock starts when the page does.
            self.first_answer.set(Some(platform::now()));
        }
    }

    /// Tells the outcome to a screen reader, unless a newer question has come up in the meantime.
    fn speak_later(self, words: String) {
        set_timeout(
            move || {
                if !self.typing.with_untracked(|typing| typing.is_stale()) {
                    self.announce(words);
                }
            },
            Duration::from_millis((typing::SPEAK_AFTER * 1000.0) as u64),
        );
    }

    /// The newest question failed; the text stays, the answer to an older one goes.
    pub(super) fn classify_failed(self, request: u64, error: &Error) {
        if self.typing.try_update(|typing| typing.accept(request)).unwrap_or(false) {
            self.work_meter.set(None);
            self.answer.set(None);
            self.classify_notice.set(Notice::new(error, Doing::Classifying));
        }
    }
}
