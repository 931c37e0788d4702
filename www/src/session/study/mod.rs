//! Many labelled texts: read, run, kept. The signals of the Evaluate place, joined to a worker of its own for data and
//! statistics, and to the pool of engines for the run.
//!
//! Nothing made here is lost by a reload: what was read, what the labels mean and every score are kept on the device as
//! they come, and put back on the next visit.

mod reading;
mod running;

use std::sync::Arc;

use candor::chart::Report;
use candor::dataset::{Example, Options};
use candor::error::{Error, Kind};
use candor::protocol::{FromWorker, PROTOCOL_VERSION, Reply, Request, StudyReply, StudyRequest};
use candor::task::Task;
use leptos::prelude::*;

use super::Session;
use crate::link::Link;
use crate::pool::{BatchHandle, BatchProgress};
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::Scores;
use crate::state::evaluation::view::Listing;

/// The file in which the data set is kept.
const DATA: &str = "data.json";
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
}

/// The study of this page.
pub fn study() -> Study {
    expect_context::<Study>()
}
