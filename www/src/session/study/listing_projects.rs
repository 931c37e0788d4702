//! The list of projects is kept on the device, joined with what other tabs of this page keep there.

use candor::error::Error;
use candor::protocol::StudyRequest;
use leptos::prelude::*;

use super::Study;
use super::keeping::Recall;
use crate::browser;
use crate::state::evaluation::project::{BEFORE_PROJECTS, INDEX, Index, UNREADABLE_INDEX};

impl Study {
    /// Asks for the list of projects; the open one comes with it.
    pub(super) fn recall_projects(self) {
        self.recall(INDEX.to_owned(), Recall::Index);
    }

    /// Writes the list down. Another tab may have kept a newer one, so that is read first.
    pub(super) fn keep_index(self) {
        if self.index.with_untracked(|index| index.open.is_some()) {
            // Without it, what is kept comes with the first look at it.
            browser::keep_value(browser::keep::PROJECT, "open");
        } else {
            browser::forget_value(browser::keep::PROJECT);
        }
        if self.link.with_value(Option::is_some) && !self.index_asked.get_value() {
            self.index_asked.set_value(true);
            self.recall(INDEX.to_owned(), Recall::IndexToJoin);
        }
    }

    /// The kept list came for the first time.
    pub(super) fn index_recalled(self, text: Option<String>) {
        let kept = self.read_index(text);
        // What was begun before the list came stays open.
        if self.material.with_untracked(Option::is_some) {
            return self.join_index(kept.unwrap_or_default());
        }
        match kept {
            Some(index) => {
                let open = index.current().cloned();
                self.index_kept.set_value(index.clone());
                self.index.set(index);
                if let Some(entry) = open {
                    self.recall_project(&entry, false);
                }
            }
            None => self.recall(BEFORE_PROJECTS.to_owned(), Recall::Before),
        }
    }

    /// The kept list came, to be joined with this tab's and written down.
    pub(super) fn index_to_join(self, text: Option<String>) {
        self.index_asked.set_value(false);
        let kept = self.read_index(text).unwrap_or_default();
        self.join_index(kept);
    }

    fn join_index(self, kept: Index) {
        // Nothing is made again behind what erases everything.
        if self.erasing.with_untracked(Option::is_some) {
            return;
        }
        let joined =
            self.index.with_untracked(|index| self.index_kept.with_value(|before| index.joined(before, &kept)));
        if joined.open.is_some() && joined.current().is_none() {
            self.not_kept.set(Some("this project was deleted in another tab".to_owned()));
        }
        if let Ok(text) = serde_json::to_string(&joined) {
            self.keep(INDEX.to_owned(), text);
        }
        self.index_kept.set_value(joined.clone());
        if self.index.with_untracked(|index| *index != joined) {
            self.index.set(joined);
        }
    }

    /// Reads the kept list. One that cannot be read is kept aside, before anything is written over it.
    fn read_index(self, text: Option<String>) -> Option<Index> {
        let text = text?;
        let read = serde_json::from_str(&text).ok();
        if read.is_none() {
            self.send(StudyRequest::Keep { name: UNREADABLE_INDEX.to_owned(), text });
            let error = Error::format("the list of projects on this device cannot be read")
                .help("it is kept aside, with the projects' files; reload the page to get the newest version");
            self.read_error.set(Some(error));
        }
        read
    }

    /// An id that no other tab chooses too.
    pub(super) fn new_id() -> String {
        let random = (js_sys::Math::random() * f64::from(1 << 24)) as u32;
        format!("{:x}{random:06x}", js_sys::Date::now() as u64)
    }
}
