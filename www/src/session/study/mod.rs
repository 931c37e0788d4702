//! Many texts: read, run, examined, calibrated, labelled, kept. The signals of the Evaluate and Label places, joined to
//! a worker that keeps, to one that computes, to one for each reading of files, and to the pool of engines for the run.
//!
//! Nothing made here is lost by a reload: what was read, what the labels mean and every score are kept on the device as
//! they come, and put back on the next visit.

mod asking;
mod calibrating;
mod comparing;
mod examining;
mod keeping;
mod labelling;
mod listing_projects;
mod probing;
mod projects;
mod reading;
mod running;
mod unsaved;

use std::rc::Rc;
use std::sync::Arc;

use candor::dataset::Options;
use candor::error::{Error, Kind};
use candor::protocol::{
    CalibrationReport, Examination, FromWorker, PROTOCOL_VERSION, Reply, Request, StudyReply, StudyRequest,
};
use candor::stats::saved::Binding;
use candor::task::Task;
use leptos::prelude::*;

pub use self::asking::Asked;
pub use self::comparing::Comparing;
use self::examining::Examined;
pub use self::examining::Which;
use self::keeping::Recall;
pub use self::probing::{ProbeInUse, Probing};
use self::reading::Reading;
use super::Session;
use crate::link::Link;
use crate::pool::{BatchHandle, BatchProgress};
use crate::state::evaluation::calibration::InUse;
use crate::state::evaluation::decision::Wish;
use crate::state::evaluation::judgements::{Judgements, Order};
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::project::{Index, USUAL_THRESHOLD};
use crate::state::evaluation::runs::Runs;
use crate::state::evaluation::scores::{Scores, Truth};
use crate::state::evaluation::turn::Turn;
use crate::state::evaluation::unsaved::Unsaved;
use crate::state::evaluation::view::Listing;

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
    Done(Arc<Examination>),
    /// It could not be computed, and why.
    Failed(Error),
}

/// Where a calibrator's fit is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Calibrating {
    /// Nothing is fitted.
    #[default]
    Not,
    /// It is being fitted.
    Under,
    /// It could not be fitted, or the file not be used, and why.
    Failed(Error),
}

/// The signals of the places that work with many texts.
#[derive(Clone, Copy)]
pub struct Study {
    session: Session,
    /// Keeps.
    link: StoredValue<Option<Link>, LocalStorage>,
    /// Computes: a worker of its own, so that what is kept never waits for a computation.
    statistics: StoredValue<Option<Rc<Link>>, LocalStorage>,
    files: StoredValue<Vec<web_sys::File>, LocalStorage>,
    reading: StoredValue<Option<Reading>, LocalStorage>,
    readings: StoredValue<u64>,
    job: StoredValue<Option<BatchHandle>, LocalStorage>,
    recalls: StoredValue<Vec<(u64, Recall)>>,
    /// The projects of this device.
    pub index: RwSignal<Index>,
    /// The list of projects as it was kept last, and whether what is kept now is asked for, to be joined with this one.
    index_kept: StoredValue<Index>,
    index_asked: StoredValue<bool>,
    /// Labels that are being written.
    unsaved: StoredValue<Unsaved>,
    /// Whether what is kept of the open project has come; before, nothing is written over it.
    settled: RwSignal<bool>,
    /// Bytes of everything kept, by file; asked for anew when it is looked at.
    pub usage: RwSignal<Option<Vec<(String, u64)>>>,
    /// The request that erases everything, once it is asked for.
    pub erasing: RwSignal<Option<u64>>,
    /// Rows that have come of what is being read; nothing when nothing is.
    pub read_so_far: RwSignal<Option<usize>>,
    /// Why the last files could not be read, or be kept.
    pub read_error: RwSignal<Option<Error>>,
    /// Why nothing is kept for the next visit.
    pub not_kept: RwSignal<Option<String>>,
    /// Why labels are not kept yet; they are tried again.
    pub labels_not_kept: RwSignal<Option<String>>,
    /// Why the rows of the open project are not here.
    pub unreadable: RwSignal<Option<Error>>,
    /// How the files are read.
    pub options: RwSignal<Options>,
    /// What was read.
    pub material: RwSignal<Option<Arc<Material>>>,
    /// What the data's labels mean.
    pub labels: RwSignal<LabelMap>,
    /// What a person decided about texts without a label.
    pub judged: RwSignal<Judgements>,
    /// In which order such texts are shown.
    pub order: RwSignal<Order>,
    /// The text that the person is shown, and what they did so far.
    pub turn: RwSignal<Turn>,
    /// What is scored, for the task and model of [`Self::scored_with`].
    pub scores: RwSignal<Scores>,
    /// The task that the scores are of.
    pub scored_with: RwSignal<Option<Task>>,
    /// The model that the scores are of.
    pub scored_by: RwSignal<Option<String>>,
    /// SHA-256 of the adapter beside it, if any.
    pub scored_adapter: RwSignal<Option<String>>,
    /// The file of the scores.
    scores_file: RwSignal<Option<String>>,
    /// Whether scores that are kept are being looked for.
    pub restoring: RwSignal<bool>,
    /// The run.
    pub running: RwSignal<Running>,
    /// Which rows are listed.
    pub listing: RwSignal<Listing>,
    /// What the scored rows show.
    pub examination: RwSignal<Examining>,
    /// Whether a newer examination is on its way; what is shown meanwhile is of older labels, scores or prices.
    pub examining: RwSignal<bool>,
    /// What was examined last.
    examined: StoredValue<Examined>,
    /// Whether the examination is looked at; it is not made for nobody.
    pub looked_at: RwSignal<bool>,
    /// The threshold from which on the model decides, on its own confidence.
    pub threshold: RwSignal<f64>,
    /// What is wanted of it, and what it costs.
    pub wish: RwSignal<Wish>,
    /// The calibrator that was chosen.
    pub calibrator: RwSignal<Option<InUse>>,
    /// Where its fit is.
    pub calibrating: RwSignal<Calibrating>,
    /// What the project's texts were scored with.
    pub runs: RwSignal<Runs>,
    /// Whether runs are looked at side by side; they are not compared for nobody.
    pub comparison_looked_at: RwSignal<bool>,
    /// The runs side by side.
    pub compared: RwSignal<Comparing>,
    /// What was compared last, and the number of that comparison.
    compared_last: StoredValue<(u64, String)>,
    /// One text with every run.
    pub asked: RwSignal<Vec<Asked>>,
    /// Where the training of a probe is.
    pub probing: RwSignal<Probing>,
    /// The probe that typed texts are shown to.
    pub probe: RwSignal<Option<ProbeInUse>>,
    /// What was looked at when it was fitted here.
    pub comparison: RwSignal<Option<Arc<CalibrationReport>>>,
}

impl Study {
    /// Nothing read yet; the worker is started when the place is first opened.
    pub fn new(session: Session) -> Self {
        let study = Self {
            session,
            link: StoredValue::new_local(None),
            statistics: StoredValue::new_local(None),
            files: StoredValue::new_local(Vec::new()),
            reading: StoredValue::new_local(None),
            readings: StoredValue::new(0),
            job: StoredValue::new_local(None),
            recalls: StoredValue::new(Vec::new()),
            index: RwSignal::new(Index::default()),
            index_kept: StoredValue::new(Index::default()),
            index_asked: StoredValue::new(false),
            unsaved: StoredValue::new(Unsaved::default()),
            settled: RwSignal::new(false),
            usage: RwSignal::new(None),
            erasing: RwSignal::new(None),
            read_so_far: RwSignal::new(None),
            read_error: RwSignal::new(None),
            not_kept: RwSignal::new(None),
            labels_not_kept: RwSignal::new(None),
            unreadable: RwSignal::new(None),
            options: RwSignal::new(Options::default()),
            material: RwSignal::new(None),
            labels: RwSignal::new(LabelMap::default()),
            judged: RwSignal::new(Judgements::default()),
            order: RwSignal::new(Order::default()),
            turn: RwSignal::new(Turn::default()),
            scores: RwSignal::new(Scores::default()),
            scored_with: RwSignal::new(None),
            scored_by: RwSignal::new(None),
            scored_adapter: RwSignal::new(None),
            scores_file: RwSignal::new(None),
            restoring: RwSignal::new(false),
            running: RwSignal::new(Running::Not),
            listing: RwSignal::new(Listing::All),
            examination: RwSignal::new(Examining::Not),
            examining: RwSignal::new(false),
            examined: StoredValue::new(Examined::default()),
            looked_at: RwSignal::new(false),
            threshold: RwSignal::new(USUAL_THRESHOLD),
            wish: RwSignal::new(Wish::default()),
            calibrator: RwSignal::new(None),
            calibrating: RwSignal::new(Calibrating::Not),
            runs: RwSignal::new(Runs::default()),
            comparison_looked_at: RwSignal::new(false),
            compared: RwSignal::new(Comparing::Not),
            compared_last: StoredValue::new((0, String::new())),
            asked: RwSignal::new(Vec::new()),
            probing: RwSignal::new(Probing::Not),
            probe: RwSignal::new(None),
            comparison: RwSignal::new(None),
        };
        study.examine_when_looked_at();
        study.fit_anew_with_new_labels();
        study.keep_choices();
        study.keep_runs();
        study.compare_when_looked_at();
        study.follow_task_and_model();
        study
    }

    /// What is known of the true labels.
    pub fn with_truth<R>(self, look: impl FnOnce(Truth<'_>) -> R) -> R {
        self.labels.with(|labels| self.judged.with(|judged| look(Truth { labels, judged })))
    }

    /// What the scores were made with.
    pub fn binding(self) -> Binding {
        Binding {
            model_sha256: self.scored_by.get(),
            adapter_sha256: self.scored_adapter.get(),
            task_sha256: self.scored_with.with(|task| task.as_ref().map(Task::sha256)),
        }
    }

    /// Whether the chosen task is another one than the scores are read with: it is being made ready, or is faulty.
    pub fn task_is_changing(self) -> bool {
        self.session.shelf.with(|shelf| {
            self.scored_with.with(|scored| scored.as_ref().is_some_and(|scored| *scored != shelf.chosen().draft))
        })
    }

    /// Whether a run is under way.
    pub fn is_running(self) -> bool {
        self.running.with(|running| matches!(running, Running::Under(_)))
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
                self.recall_projects();
            }
            Err(error) => self.read_error.set(Some(error)),
        }
    }

    fn send(self, request: StudyRequest) -> u64 {
        self.link.with_value(|link| link.as_ref().map_or(0, |link| link.send(Request::Study(Box::new(request)))))
    }

    /// Has the second worker compute something; `on` hears the outcome.
    fn compute(self, request: StudyRequest, on: impl FnOnce(Result<StudyReply, Error>) + 'static) {
        let link = match self.statistics.with_value(Clone::clone) {
            Some(link) => link,
            None => match Link::start(|_| {}) {
                Ok(link) => {
                    link.send(Request::Hello { protocol: PROTOCOL_VERSION });
                    let link = Rc::new(link);
                    self.statistics.set_value(Some(Rc::clone(&link)));
                    link
                }
                Err(error) => return on(Err(error)),
            },
        };
        let mut on = Some(on);
        link.ask(Request::Study(Box::new(request)), move |reply| {
            if let Reply::Progress(progress) = &reply {
                return self.probe_progressed(progress);
            }
            let Some(on) = on.take() else { return };
            match reply {
                Reply::Study(reply) => on(Ok(*reply)),
                Reply::Failed(error) => {
                    if error.kind == Kind::Lost {
                        self.statistics.set_value(None);
                    }
                    on(Err(error));
                }
                _ => on(Err(Error::internal("an answer to something else"))),
            }
        });
    }

    fn take(self, message: FromWorker) {
        let FromWorker { id, reply } = message;
        match reply {
            Reply::Study(reply) => match *reply {
                StudyReply::Text(text) => self.recalled(id, text),
                StudyReply::Usage(files) => self.usage.set(Some(files)),
                StudyReply::Kept if self.erasing.get_untracked() == Some(id) => self.erased(),
                StudyReply::Kept => {}
                // Other workers' answers come to who asked.
                StudyReply::Rows(_)
                | StudyReply::Read { .. }
                | StudyReply::Examined(_)
                | StudyReply::Calibrated(_)
                | StudyReply::Compared(_)
                | StudyReply::Probed(_) => {}
            },
            Reply::Failed(error) if error.kind == Kind::Lost => {
                self.link.set_value(None);
                self.recalls.set_value(Vec::new());
                self.index_asked.set_value(false);
                self.restoring.set(false);
                self.not_kept.set(Some(error.message));
            }
            Reply::Failed(error) => self.failed(id, error),
            _ => {}
        }
    }

    /// Keeping, recalling or erasing failed: what is in the page still works.
    fn failed(self, id: u64, error: Error) {
        self.erasing.update(|erasing| *erasing = erasing.filter(|request| *request != id));
        if let Some(what) = self.take_recall(id) {
            self.not_recalled(what, &error);
        }
        self.not_kept.set(Some(error.message));
    }
}

/// The study of this page.
pub fn study() -> Study {
    expect_context::<Study>()
}
