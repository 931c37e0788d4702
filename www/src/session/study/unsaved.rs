//! Labels are written behind a file as they are given, and tried again where that fails.

use std::time::Duration;

use candor::protocol::{Reply, Request, StudyRequest};
use leptos::prelude::*;

use super::Study;
use crate::state::evaluation::unsaved::Line;

impl Study {
    /// Writes a line behind a file of this device, now or as soon as it can be written.
    pub(super) fn keep_behind(self, file: String, line: String) {
        let line = self.unsaved.try_update_value(|unsaved| unsaved.push(file, line)).flatten();
        line.into_iter().for_each(|line| self.write_behind(line));
    }

    fn write_behind(self, Line { number, file, text }: Line) {
        let request = Request::Study(Box::new(StudyRequest::Append { name: file, text }));
        let asked = self.link.with_value(|link| {
            let on = move |reply| match reply {
                Reply::Failed(error) => self.not_written(number, error.message),
                _ => self.written(number),
            };
            link.as_ref().map(|link| link.ask(request, on))
        });
        if asked.is_none() {
            self.not_written(number, "the part of the page that keeps them has stopped".to_owned());
        }
    }

    fn written(self, number: u64) {
        if self.unsaved.try_update_value(|unsaved| unsaved.written(number)) == Some(true) {
            self.labels_not_kept.set(None);
        }
    }

    fn not_written(self, number: u64, reason: String) {
        let Some(pause) = self.unsaved.try_update_value(|unsaved| unsaved.failed(number)).flatten() else { return };
        self.labels_not_kept.set(Some(reason));
        set_timeout(
            move || {
                // What keeps them may have to be started anew.
                self.open();
                let lines = self.unsaved.try_update_value(|unsaved| unsaved.again()).unwrap_or_default();
                lines.into_iter().for_each(|line| self.write_behind(line));
            },
            Duration::from_millis(pause),
        );
    }
}
