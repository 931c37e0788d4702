//! Files become a data set, and the data set is kept on the device.
//!
//! Each reading has a worker of its own: it can be stopped by ending that, what is kept meanwhile waits for nothing, and
//! the memory of a large file goes with it.

use candor::dataset::{Example, Naming, Options};
use candor::error::{Error, Kind};
use candor::platform;
use candor::protocol::{DataFile, PROTOCOL_VERSION, ReadReport, Reply, Request, StudyReply, StudyRequest};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::Study;
use super::keeping::Recall;
use super::projects::PROJECT_FILE;
use crate::file_path::path_of;
use crate::link::Link;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;

/// Rows that the page works with at most: of more, a sample is drawn.
const MOST_ROWS: usize = 100_000;
/// Files of a folder that are read at most.
const MOST_FILES: usize = 2000;
/// The sample that comes with the page.
const SAMPLE: &str = include_str!("../../../../samples/reviews.csv");
/// Its name.
const SAMPLE_NAME: &str = "reviews.csv";

/// Texts without labels, to try labelling on.
const SAMPLE_TO_LABEL: &str = include_str!("../../../../samples/reviews-to-label.csv");
/// Its name.
const SAMPLE_TO_LABEL_NAME: &str = "reviews-to-label.csv";

/// Files being read.
#[derive(Default)]
pub(super) struct Reading {
    /// Which reading it is: what older ones still say counts no more.
    number: u64,
    /// The worker that reads.
    link: Option<Link>,
    name: String,
    files: Vec<web_sys::File>,
    options: Options,
    /// Whether the rows come behind those that are there.
    added: bool,
    /// Whether they are those of the open project, read in another way.
    again: bool,
    /// Files that are not read, because there are too many.
    cut: usize,
    urls: Vec<String>,
    rows: Vec<Example>,
}

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
        if let [file] = &files[..]
            && file.name().ends_with(PROJECT_FILE)
        {
            return self.import_project(file.clone());
        }
        self.read(Reading { files, added, ..Reading::default() });
    }

    /// Reads the open project's files in another way.
    pub fn read_with(self, change: impl FnOnce(&mut Options)) {
        let mut options = self.options.get_untracked();
        change(&mut options);
        let files = self.files.with_value(Clone::clone);
        self.read(Reading { files, options, again: true, ..Reading::default() });
    }

    /// How many files the open project was read from; none after a reload.
    pub fn files_at_hand(self) -> usize {
        self.files.with_value(Vec::len)
    }

    /// Whether the files are still at hand: after a reload they are not, only what was read of them.
    pub fn can_read_again(self) -> bool {
        self.files.with_value(|files| !files.is_empty())
    }

    fn read(self, mut reading: Reading) {
        self.open();
        self.end_reading();
        self.read_error.set(None);
        reading.options.naming = Naming::Lists;
        reading.cut = reading.files.len().saturating_sub(MOST_FILES);
        let mut files = Vec::new();
        for file in reading.files.iter().take(MOST_FILES) {
            let Ok(url) = web_sys::Url::create_object_url_with_blob(file) else {
                let error = Error::new(Kind::Io, "the browser did not open the file").at_file(path_of(file));
                return self.read_error.set(Some(error.help("pick it again")));
            };
            reading.urls.push(url.clone());
            files.push(DataFile { name: path_of(file), url });
        }
        reading.name = match &files[..] {
            [file] => file.name.clone(),
            files => format!("{} files", files.len()),
        };
        reading.number = self.readings.with_value(|last| last + 1);
        self.readings.set_value(reading.number);
        match Link::start(|_| {}) {
            Ok(link) => {
                let number = reading.number;
                link.send(Request::Hello { protocol: PROTOCOL_VERSION });
                let request = StudyRequest::Read { files, options: reading.options.clone(), limit: MOST_ROWS };
                link.ask(Request::Study(Box::new(request)), move |reply| self.take_reading(number, reply));
                reading.link = Some(link);
                self.reading.set_value(Some(reading));
                self.read_so_far.set(Some(0));
            }
            Err(error) => self.read_error.set(Some(error)),
        }
    }

    /// Takes what a reader says; what an older one still says counts no more.
    fn take_reading(self, number: u64, reply: Reply) {
        let name = self.reading.with_value(|reading| {
            reading.as_ref().filter(|reading| reading.number == number).map(|reading| reading.name.clone())
        });
        let Some(name) = name else { return };
        match reply {
            Reply::Study(reply) => match *reply {
                StudyReply::Rows(rows) => self.take_rows(rows),
                StudyReply::Read { report, text_of } => self.take_report(*report, text_of),
                _ => {}
            },
            Reply::Failed(error) => {
                self.end_reading();
                self.read_error.set(Some(if error.kind == Kind::Lost { stopped(&name, &error) } else { error }));
            }
            _ => {}
        }
    }

    fn take_rows(self, rows: Vec<Example>) {
        let mut count = None;
        self.reading.update_value(|reading| {
            if let Some(reading) = reading {
                reading.rows.extend(rows);
                count = Some(reading.rows.len());
            }
        });
        self.read_so_far.set(count);
    }

    /// The rows are all there: they become a project, in several tasks, because a hundred thousand take more than a frame.
    fn take_report(self, mut report: ReadReport, text_of: Vec<usize>) {
        let Some(Reading { number, name, files, options, rows, added, again, cut, .. }) = self.end_reading() else {
            return;
        };
        if cut > 0 {
            report.notes.insert(0, too_many_files());
        }
        self.cancel();
        spawn_local(async move {
            let task = self.session.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
            let labels = LabelMap::guess(&report.labels, &task);
            platform::breathe().await;
            let read = Material::with_texts(name, rows, report, text_of);
            platform::breathe().await;
            // Meanwhile something else may have been chosen.
            if self.readings.with_value(|newest| *newest != number) {
                return;
            }
            let before = self.material.get_untracked();
            // Rows of several files cannot be read anew as one.
            let behind = added && before.is_some();
            self.files.set_value(if behind { Vec::new() } else { files });
            self.options.set(options);
            match before {
                Some(before) if added => self.add_rows(&before, &read, labels),
                // The same file in another way is the same project.
                Some(_) if again => {
                    let labels = self.labels.with_untracked(|known| labels.as_said(known, &task));
                    self.take_other_reading(read, labels);
                }
                _ => self.begin_project(read, labels),
            }
        });
    }

    /// The open project's rows, read in another way: what a person decided about a text, and said of a label, stays.
    fn take_other_reading(self, read: Material, labels: LabelMap) {
        let rows = read.rows.len();
        self.labels.set(labels);
        self.show(read);
        self.index.update(|index| index.resize(rows));
        self.keep_index();
        self.keep_data();
        // What was decided about texts that the last reading did not have is here no more, but kept.
        let entry = self.index.with_untracked(|index| index.current().cloned());
        if let (Some(entry), None) = (entry, self.labels_not_kept.get_untracked()) {
            self.recall(entry.judgements(), Recall::Judgements(entry.id));
        }
    }

    /// More rows come behind those that are there; everything decided so far stays.
    fn add_rows(self, before: &Material, more: &Material, new_labels: LabelMap) {
        let whole = before.extended(more);
        let (count, rows) = (more.rows.len(), whole.rows.len());
        self.labels.update(|labels| labels.join(new_labels));
        self.show(whole);
        self.index.update(|index| index.resize(rows));
        self.keep_index();
        self.keep_data();
        self.session.announce(format!("{} added", crate::state::format::counted(count as u64, "row")));
    }

    /// Stops reading; what was there before is still there.
    pub fn stop_reading(self) {
        if self.end_reading().is_some() {
            self.session.announce("Reading was stopped".to_owned());
        }
    }

    /// Ends a reading for good: what has come of it is not taken.
    pub(super) fn forget_reading(self) {
        self.end_reading();
        self.readings.update_value(|last| *last += 1);
    }

    /// Ends a reading, and answers with what came of it. Its worker goes, and with it the memory that a large file took.
    fn end_reading(self) -> Option<Reading> {
        self.read_so_far.set(None);
        let mut reading = self.reading.try_update_value(Option::take).flatten()?;
        for url in reading.urls.drain(..) {
            let _ = web_sys::Url::revoke_object_url(&url);
        }
        let link = reading.link.take();
        // Not here: this may be the link's own callback.
        spawn_local(async move { drop(link) });
        Some(reading)
    }

    /// Says what a label of the data means.
    pub fn set_meaning(self, found: &str, means: Option<String>) {
        self.labels.update(|labels| labels.set(found, means));
        self.keep_data();
    }
}

fn too_many_files() -> String {
    format!(
        "the folder has more than {most} files: {most} of them were read. Put the texts into fewer files, one text a line, \
         to read all",
        most = crate::state::format::count(MOST_FILES as u64)
    )
}

/// A reader that went away: mostly for want of memory.
fn stopped(name: &str, error: &Error) -> Error {
    Error::new(Kind::Resource, format!("the browser stopped reading, perhaps for want of memory ({})", error.message))
        .at_file(name)
        .help("cut the file into smaller ones, or read it with the command line, which takes any size")
}
