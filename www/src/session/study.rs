//! Many labelled texts: read, run, kept. The signals of the Evaluate place, joined to a worker of its own for data and
//! statistics, and to the pool of engines for the run.
//!
//! Nothing made here is lost by a reload: what was read, what the labels mean and every score are kept on the device as
//! they come, and put back on the next visit.

use std::rc::Rc;
use std::sync::Arc;

use candor::chart::Report;
use candor::dataset::{Example, Options};
use candor::error::{Error, Kind, Result};
use candor::protocol::{DataFile, FromWorker, PROTOCOL_VERSION, ReadReport, Reply, Request, StudyReply, StudyRequest};
use candor::task::Task;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::Session;
use crate::link::Link;
use crate::pool::{BatchEvent, BatchHandle, BatchJob, BatchProgress};
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::{Scored, Scores, file_name};
use crate::state::evaluation::view::Listing;

/// Rows that the page works with at most: of more, a sample is drawn.
const MOST_ROWS: usize = 100_000;
/// Next tokens that are kept of each text.
const TOP: usize = 5;
/// The longest prompt of a run, in tokens.
const LIMIT: usize = 2048;
/// The file in which the data set is kept.
const DATA: &str = "data.json";
/// The sample that comes with the page.
const SAMPLE: &str = include_str!("../../../samples/reviews.csv");
/// Its name.
const SAMPLE_NAME: &str = "reviews.csv";

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Running {
    /// Nothing runs.
    #[default]
    Not,
    /// It runs, or rests.
    Under(BatchProgress),
    /// It ended before its end, and why.
    Failed(Error),
}

/// What is known of what the scored rows show.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Examining {
    /// There is nothing to examine.
    #[default]
    Not,
    /// It is being computed.
    Under,
    /// What they show.
    Done(Arc<Report>),
    /// It could not be computed, and why.
    Failed(Error),
}

/// A data set as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    material: Material,
    labels: LabelMap,
}

/// Files being read.
#[derive(Default)]
struct Reading {
    request: u64,
    name: String,
    urls: Vec<String>,
    rows: Vec<Example>,
}

/// The Evaluate place's signals.
#[derive(Clone, Copy)]
pub struct Study {
    session: Session,
    link: StoredValue<Option<Link>, LocalStorage>,
    files: StoredValue<Vec<web_sys::File>, LocalStorage>,
    reading: StoredValue<Option<Reading>, LocalStorage>,
    job: StoredValue<Option<BatchHandle>, LocalStorage>,
    recalls: StoredValue<Vec<(u64, Recall)>>,
    /// Rows that have come of what is being read; nothing when nothing is.
    pub read_so_far: RwSignal<Option<usize>>,
    /// Why the last files could not be read, or be kept.
    pub read_error: RwSignal<Option<Error>>,
    /// Why nothing is kept for the next visit.
    pub not_kept: RwSignal<Option<String>>,
    /// How the files are read.
    pub options: RwSignal<Options>,
    /// What was read.
    pub material: RwSignal<Option<Arc<Material>>>,
    /// What the data's labels mean.
    pub labels: RwSignal<LabelMap>,
    /// What is scored, for the task and model of [`Self::scored_with`].
    pub scores: RwSignal<Scores>,
    /// The task that the scores are of.
    pub scored_with: RwSignal<Option<Task>>,
    /// The file of the scores.
    scores_file: RwSignal<Option<String>>,
    /// The run.
    pub running: RwSignal<Running>,
    /// Which rows are listed.
    pub listing: RwSignal<Listing>,
    /// What the scored rows show.
    pub examination: RwSignal<Examining>,
    examined: StoredValue<(u64, String)>,
}

/// What a text that is asked for from the device is for.
#[derive(Debug, Clone, PartialEq)]
enum Recall {
    Data,
    Scores(String),
}

impl Study {
    /// Nothing read yet; the worker is started when the place is first opened.
    pub fn new(session: Session) -> Self {
        let study = Self {
            session,
            link: StoredValue::new_local(None),
            files: StoredValue::new_local(Vec::new()),
            reading: StoredValue::new_local(None),
            job: StoredValue::new_local(None),
            recalls: StoredValue::new(Vec::new()),
            read_so_far: RwSignal::new(None),
            read_error: RwSignal::new(None),
            not_kept: RwSignal::new(None),
            options: RwSignal::new(Options::default()),
            material: RwSignal::new(None),
            labels: RwSignal::new(LabelMap::default()),
            scores: RwSignal::new(Scores::default()),
            scored_with: RwSignal::new(None),
            scores_file: RwSignal::new(None),
            running: RwSignal::new(Running::Not),
            listing: RwSignal::new(Listing::All),
            examination: RwSignal::new(Examining::Not),
            examined: StoredValue::new((0, String::new())),
        };
        // What is scored is examined when nothing more comes, and again when a label is understood differently.
        Effect::new(move |_| {
            study.labels.track();
            let rests = study.running.with(|running| !matches!(running, Running::Under(_)));
            let scored = study.scores.with(Scores::done);
            if rests {
                untrack(move || study.examine(scored));
            }
        });
        // Another task or model has other scores; what was kept of them comes back.
        Effect::new(move |_| {
            let task = session.task_in_use.get();
            let model = session.model.with(|model| model.as_ref().map(|model| model.sha256.clone()));
            let has_material = study.material.with(Option::is_some);
            if let (Some(task), Some(model), true) = (task, model, has_material) {
                untrack(move || study.score_with(task, &model));
            }
        });
        study
    }

    /// Opens the place: starts its worker, and asks for what was kept.
    pub fn open(self) {
        if self.link.with_value(Option::is_some) {
            return;
        }
        match Link::start(move |message| self.take(message)) {
            Ok(link) => {
                link.send(Request::Hello { protocol: PROTOCOL_VERSION });
                self.link.set_value(Some(link));
                self.recall(DATA.to_owned(), Recall::Data);
            }
            Err(error) => self.read_error.set(Some(error)),
        }
    }

    fn send(self, request: StudyRequest) -> u64 {
        self.link.with_value(|link| link.as_ref().map_or(0, |link| link.send(Request::Study(Box::new(request)))))
    }

    fn recall(self, name: String, what: Recall) {
        let request = self.send(StudyRequest::Recall { name });
        self.recalls.update_value(|recalls| recalls.push((request, what)));
    }

    fn take(self, message: FromWorker) {
        let FromWorker { id, reply } = message;
        match reply {
            Reply::Study(reply) => match *reply {
                StudyReply::Rows(rows) => self.take_rows(id, rows),
                StudyReply::Read(report) => self.take_report(id, *report),
                StudyReply::Text(text) => self.recalled(id, text),
                StudyReply::Examined(report) => {
                    if self.examined.with_value(|(request, _)| *request == id) {
                        self.examination.set(Examining::Done(Arc::new(*report)));
                    }
                }
                StudyReply::Kept => {}
            },
            Reply::Failed(error) if error.kind == Kind::Lost => {
                self.link.set_value(None);
                self.end_reading();
                self.read_error.set(Some(error));
            }
            Reply::Failed(error) => self.failed(id, error),
            _ => {}
        }
    }

    fn failed(self, id: u64, error: Error) {
        if self.reading.with_value(|reading| reading.as_ref().is_some_and(|reading| reading.request == id)) {
            self.end_reading();
            self.read_error.set(Some(error));
        } else if self.examined.with_value(|(request, _)| *request == id) {
            self.examination.set(Examining::Failed(error));
        } else {
            // Keeping or recalling: what is in the page still works.
            self.recalls.update_value(|recalls| recalls.retain(|(request, _)| *request != id));
            self.not_kept.set(Some(error.message));
        }
    }

    // Reading.

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

    fn take_rows(self, id: u64, rows: Vec<Example>) {
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

    fn take_report(self, id: u64, report: ReadReport) {
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

    fn end_reading(self) {
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

    // Keeping.

    fn keep_data(self) {
        let Some(material) = self.material.get_untracked() else { return };
        let kept = Kept { version: 1, material: (*material).clone(), labels: self.labels.get_untracked() };
        if let Ok(text) = serde_json::to_string(&kept) {
            self.send(StudyRequest::Keep { name: DATA.to_owned(), text });
        }
    }

    fn recalled(self, id: u64, text: Option<String>) {
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

    // Running.

    /// The scores of this task and model are the ones that are shown.
    fn score_with(self, task: Task, model: &str) {
        let file = file_name(model, &task.sha256());
        if self.scores_file.get_untracked().as_ref() == Some(&file) {
            return;
        }
        self.cancel();
        self.running.set(Running::Not);
        self.labels.update(|labels| *labels = labels.fitted_to(&task));
        let texts = self.material.with_untracked(|m| m.as_ref().map_or(0, |material| material.different_texts()));
        self.scores.set(Scores::new(texts));
        self.scored_with.set(Some(task));
        self.scores_file.set(Some(file.clone()));
        self.open();
        self.recall(file.clone(), Recall::Scores(file));
    }

    /// Scores the texts that are not scored yet.
    pub fn run(self) {
        let (Some(material), Some(task)) = (self.material.get_untracked(), self.scored_with.get_untracked()) else {
            return;
        };
        let missing = self.scores.with_untracked(Scores::missing);
        if missing.is_empty() || self.job.with_value(Option::is_some) {
            return;
        }
        let texts: Vec<&str> = material.texts().collect();
        let texts: Rc<[String]> = missing.iter().map(|&text| texts[text].to_owned()).collect();
        let context = self.session.model.with_untracked(|model| model.as_ref().map_or(LIMIT, |model| model.context));
        let job = BatchJob { task, texts, top: TOP, limit_tokens: context.min(LIMIT), together: false };
        let file = self.scores_file.get_untracked();
        match self.session.pool().run(job, move |event| self.take_event(&missing, file.as_deref(), event)) {
            Ok(handle) => {
                self.job.set_value(Some(handle));
                self.running.set(Running::Under(BatchProgress {
                    done: 0,
                    total: self.scores.with_untracked(|scores| scores.missing().len()),
                    rows_per_second: None,
                    seconds_left: None,
                    workers: 0,
                    starting: 1,
                    paused: false,
                    note: None,
                }));
            }
            Err(error) => self.running.set(Running::Failed(error)),
        }
    }

    fn take_event(self, missing: &[usize], file: Option<&str>, event: BatchEvent) {
        // What an older run still says is of another task or model.
        if self.scores_file.get_untracked().as_deref() != file {
            return;
        }
        match event {
            BatchEvent::Results { first, results } => {
                let scored: Vec<(usize, Scored)> =
                    missing[first..].iter().copied().zip(results.into_iter().map(Scored::new)).collect();
                if let (Some(file), Some(material)) = (file, self.material.get_untracked()) {
                    let lines = Scores::lines(&material, &scored);
                    self.send(StudyRequest::Append { name: file.to_owned(), text: lines });
                }
                self.scores.update(|scores| scored.into_iter().for_each(|(text, scored)| scores.put(text, scored)));
            }
            BatchEvent::Progress(progress) => {
                if self.job.with_value(Option::is_some) {
                    self.running.set(Running::Under(progress));
                }
            }
            BatchEvent::Ended(outcome) => {
                self.job.set_value(None);
                match outcome {
                    Ok(summary) => {
                        self.running.set(Running::Not);
                        let rows = crate::state::format::counted(summary.rows as u64, "text");
                        self.session.announce(format!("{rows} scored"));
                    }
                    Err(error) if error.kind == Kind::Cancelled => self.running.set(Running::Not),
                    Err(error) => self.running.set(Running::Failed(error)),
                }
            }
        }
    }

    /// Lets the run rest, or go on.
    pub fn pause(self, rests: bool) {
        self.job.with_value(|job| match job {
            Some(job) if rests => job.pause(),
            Some(job) => job.resume(),
            None => {}
        });
    }

    /// Ends the run; what is scored stays.
    pub fn cancel(self) {
        let job = self.job.try_update_value(Option::take).flatten();
        if let Some(job) = job {
            job.cancel();
            self.running.set(Running::Not);
        }
    }

    /// Has the scored rows examined, unless these very rows were.
    fn examine(self, scored: usize) {
        let known = self.material.get_untracked().filter(|_| scored > 0).map(|material| {
            let labels = self.labels.get_untracked();
            let predictions = self.scores.with_untracked(|scores| scores.predictions(&material, &labels, true));
            (material.name.clone(), predictions)
        });
        let Some((name, predictions)) = known.filter(|(_, predictions)| !predictions.is_empty()) else {
            self.examined.set_value((0, String::new()));
            self.examination.set(Examining::Not);
            return;
        };
        if self.examined.with_value(|(_, examined)| *examined == predictions) {
            return;
        }
        let request = self.send(StudyRequest::Examine { name, predictions: predictions.clone() });
        self.examined.set_value((request, predictions));
        self.examination.set(Examining::Under);
    }

    /// `predictions.jsonl`: of the rows that are known to be right or wrong, or of every scored row. Where no row counts,
    /// of every one.
    pub fn predictions(self, only_known: bool) -> Result<String> {
        let material = self.material.get_untracked().ok_or_else(|| Error::usage("there is no data"))?;
        let labels = self.labels.get_untracked();
        Ok(self
            .scores
            .with_untracked(|scores| scores.predictions(&material, &labels, only_known && labels.counted() > 0)))
    }
}

/// The study of this page.
pub fn study() -> Study {
    expect_context::<Study>()
}
