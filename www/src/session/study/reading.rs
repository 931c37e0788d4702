//! Files become a data set, and the data set is kept on the device.

use candor::dataset::{Example, Options};
use candor::error::{Error, Kind};
use candor::protocol::{DataFile, ReadReport, StudyRequest};
use leptos::prelude::*;

use super::{Reading, Study};
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;

/// Rows that the page works with at most: of more, a sample is drawn.
const MOST_ROWS: usize = 100_000;
/// The sample that comes with the page.
const SAMPLE: &str = include_str!("../../../../samples/reviews.csv");
/// Its name.
const SAMPLE_NAME: &str = "reviews.csv";

/// Texts without labels, to try labelling on.
const SAMPLE_TO_LABEL: &str = include_str!("../../../../samples/reviews-to-label.csv");
/// Its name.
const SAMPLE_TO_LABEL_NAME: &str = "reviews-to-label.csv";

impl Study {
    /// Reads the built-in sample.
    pub fn read_sample(self) {
        self.read_built_in(SAMPLE, SAMPLE_NAME, false);
    }

    /// Reads the built-in texts without labels behind the rows that are there, or by themselves.
    pub fn read_sample_to_label(self) {
        self.read_built_in(SAMPLE_TO_LABEL, SAMPLE_TO_LABEL_NAME, self.material.with_untracked(Option::is_some));
    }

    fn read_built_in(self, text: &str, name: &str, added: bool) {
        let parts = js_sys::Array::of1(&text.into());
        match web_sys::File::new_with_str_sequence(&parts, name) {
            Ok(file) => self.read_files(vec![file], added),
            Err(_) => self.read_error.set(Some(Error::internal("the browser did not make a file of the sample"))),
        }
    }

    /// Reads files that a person picked or dropped: as a project of their own, or behind the rows that are there.
    pub fn read_files(self, files: Vec<web_sys::File>, added: bool) {
        self.options.set(Options::default());
        self.files.set_value(files);
        self.read_again(added);
    }

    /// Reads the same files in another way.
    pub fn read_with(self, change: impl FnOnce(&mut Options)) {
        self.options.update(change);
        self.read_again(false);
        self.reading.update_value(|reading| {
            if let Some(reading) = reading {
                reading.again = true;
            }
        });
    }

    /// Whether the files are still at hand: after a reload they are not, only what was read of them.
    pub fn can_read_again(self) -> bool {
        self.files.with_value(|files| !files.is_empty())
    }

    fn read_again(self, added: bool) {
        self.open();
        self.end_reading();
        self.read_error.set(None);
        let mut reading = Reading { added, ..Reading::default() };
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
                let name = std::mem::take(&mut reading.name);
                found = Some((name, std::mem::take(&mut reading.rows), reading.added, reading.again));
            }
        });
        let Some((name, rows, added, again)) = found else { return };
        self.end_reading();
        self.cancel();
        let task = self.session.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
        let labels = LabelMap::guess(&report.labels, &task);
        let read = Material::new(name, rows, report);
        match self.material.get_untracked() {
            Some(before) if added => self.add_rows(&before, &read, labels),
            // The same file in another way is the same project.
            Some(_) if again => {
                self.labels.set(labels);
                self.show(read);
                self.keep_data();
            }
            _ => self.begin_project(read, labels),
        }
    }

    /// More rows come behind those that are there; everything decided so far stays.
    fn add_rows(self, before: &Material, more: &Material, new_labels: LabelMap) {
        self.files.set_value(Vec::new());
        let whole = before.extended(more);
        let judged = self.judged.with_untracked(|judged| judged.lines(before));
        let judged = Judgements::restore(&whole, &judged);
        let (count, rows) = (more.rows.len(), whole.rows.len());
        self.labels.update(|labels| labels.join(new_labels));
        self.show(whole);
        self.judged.set(judged);
        self.index.update(|index| index.resize(rows));
        self.keep_index();
        self.keep_data();
        self.session.announce(format!("{} added", crate::state::format::counted(count as u64, "row")));
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
}
