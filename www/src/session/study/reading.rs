//! Files become a data set, and the data set is kept on the device.

use std::sync::Arc;

use candor::dataset::{Example, Options};
use candor::error::{Error, Kind};
use candor::protocol::{DataFile, ReadReport, StudyRequest};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DATA, Reading, Recall, Running, Study};
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::Scores;
use crate::state::evaluation::view::Listing;

/// Rows that the page works with at most: of more, a sample is drawn.
const MOST_ROWS: usize = 100_000;
/// The sample that comes with the page.
const SAMPLE: &str = include_str!("../../../../samples/reviews.csv");
/// Its name.
const SAMPLE_NAME: &str = "reviews.csv";

/// A data set as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    material: Material,
    labels: LabelMap,
}

impl Study {
    /// Reads the built-in sample.
    pub fn read_sample(self) {
        let parts = js_sys::Array::of1(&SAMPLE.into());
        match web_sys::File::new_with_str_sequence(&parts, SAMPLE_NAME) {
            Ok(file) => self.read_files(vec![file]),
            Err(_) => self.read_error.set(Some(Error::internal("the browser did not make a file of the sample"))),
        }
    }

    /// Reads files that a person picked or dropped.
    pub fn read_files(self, files: Vec<web_sys::File>) {
        self.options.set(Options::default());
        self.files.set_value(files);
        self.read_again();
    }

    /// Reads the same files in another way.
    pub fn read_with(self, change: impl FnOnce(&mut Options)) {
        self.options.update(change);
        self.read_again();
    }

    /// Whether the files are still at hand: after a reload they are not, only what was read of them.
    pub fn can_read_again(self) -> bool {
        self.files.with_value(|files| !files.is_empty())
    }

    fn read_again(self) {
        self.open();
        self.end_reading();
        self.read_error.set(None);
        let mut reading = Reading::default();
        let mut files = Vec::new();
        let mut refused = None;
        self.files.with_value(|picked| {
            for file in picked {
                match web_sys::Url::create_object_url_with_blob(file) {
                    Ok(url) => {
                        reading.urls.push(url.clone());
                        files.push(DataFile { name: file.name(), url });
                    }
                    Err(_) => refused = Some(file.name()),
                }
            }
        });
        if let Some(name) = refused {
            let error = Error::new(Kind::Io, "the browser did not open the file").at_file(name);
            self.read_error.set(Some(error.help("pick it again")));
            return;
        }
        reading.name = match &files[..] {
            [file] => file.name.clone(),
            files => format!("{} files", files.len()),
        };
        reading.request =
            self.send(StudyRequest::Read { files, options: self.options.get_untracked(), limit: MOST_ROWS });
        self.reading.set_value(Some(reading));
        self.read_so_far.set(Some(0));
    }

    pub(super) fn take_rows(self, id: u64, rows: Vec<Example>) {
        let mut count = None;
        self.reading.update_value(|reading| {
            if let Some(reading) = reading.as_mut().filter(|reading| reading.request == id) {
                reading.rows.extend(rows);
                count = Some(reading.rows.len());
            }
        });
        if count.is_some() {
            self.read_so_far.set(count);
        }
    }

    pub(super) fn take_report(self, id: u64, report: ReadReport) {
        let mut found = None;
        self.reading.update_value(|reading| {
            if let Some(reading) = reading.as_mut().filter(|reading| reading.request == id) {
                found = Some((std::mem::take(&mut reading.name), std::mem::take(&mut reading.rows)));
            }
        });
        let Some((name, rows)) = found else { return };
        self.end_reading();
        self.cancel();
        let task = self.session.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
        self.labels.set(LabelMap::guess(&report.labels, &task));
        self.show(Material::new(name, rows, report));
        self.keep_data();
    }

    fn show(self, material: Material) {
        self.listing.set(Listing::All);
        self.scores_file.set(None);
        self.scored_with.set(None);
        self.scores.set(Scores::new(material.different_texts()));
        self.running.set(Running::Not);
        self.material.set(Some(Arc::new(material)));
    }

    pub(super) fn end_reading(self) {
        self.read_so_far.set(None);
        self.reading.update_value(|reading| {
            for url in reading.take().into_iter().flat_map(|reading| reading.urls) {
                let _ = web_sys::Url::revoke_object_url(&url);
            }
        });
    }

    /// Says what a label of the data means.
    pub fn set_meaning(self, found: &str, means: Option<String>) {
        self.labels.update(|labels| labels.set(found, means));
        self.keep_data();
    }

    /// Puts the data away; its scores stay kept, for when it comes again.
    pub fn put_away(self) {
        self.cancel();
        self.files.set_value(Vec::new());
        self.material.set(None);
        self.scores.set(Scores::default());
        self.scored_with.set(None);
        self.scores_file.set(None);
        self.running.set(Running::Not);
        self.send(StudyRequest::Keep { name: DATA.to_owned(), text: String::new() });
    }

    fn keep_data(self) {
        let Some(material) = self.material.get_untracked() else { return };
        let kept = Kept { version: 1, material: (*material).clone(), labels: self.labels.get_untracked() };
        if let Ok(text) = serde_json::to_string(&kept) {
            self.send(StudyRequest::Keep { name: DATA.to_owned(), text });
        }
    }

    pub(super) fn recalled(self, id: u64, text: Option<String>) {
        let mut what = None;
        self.recalls.update_value(|recalls| {
            if let Some(place) = recalls.iter().position(|(request, _)| *request == id) {
                what = Some(recalls.swap_remove(place).1);
            }
        });
        match (what, text) {
            (Some(Recall::Data), Some(text)) if self.material.with_untracked(Option::is_none) => {
                if let Ok(Kept { material, labels, .. }) = serde_json::from_str::<Kept>(&text) {
                    self.labels.set(labels);
                    self.show(material);
                }
            }
            (Some(Recall::Scores(name)), Some(text)) if self.scores_file.get_untracked().as_ref() == Some(&name) => {
                if let Some(material) = self.material.get_untracked() {
                    self.scores.update(|scores| scores.restore(&material, &text));
                }
            }
            _ => {}
        }
    }
}
