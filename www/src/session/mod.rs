//! What the page knows at this moment, as signals, and everything a person can ask of it.
//!
//! The decisions are made in [`crate::state`], without a browser; here they are joined to the engine's messages and
//! to the clock. One [`Session`] is provided at the top; components read its signals and call its methods.

mod adapting;
mod classifying;
mod loading;
mod replies;
pub mod speed;
pub mod study;
mod tasks;
mod workers;

use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::protocol::{Classification, FromWorker, ModelInfo, ModelSource, Reply, Request, StorageReport, TaskReport};
use candor::stats::bias::LabelBias;
use candor::task::Task;
use futures::channel::oneshot;
use leptos::prelude::*;

use crate::browser;
use crate::link::Link;
use crate::models;
use crate::pool::Pool;
use crate::state::draft::Problems;
use crate::state::network::RequestLog;
use crate::state::notice::Notice;
use crate::state::progress::{Meter, Milestones};
use crate::state::reading::Reading;
use crate::state::shelf::Shelf;
use crate::state::typing::{Pace, Typing};

pub use loading::Loading;
pub use workers::Workers;

/// Where the engine is.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// The worker is starting.
    Starting,
    /// It answers.
    Up,
    /// It is gone, or cannot be talked to; the notice says the way on.
    Down(Notice),
}

/// A classified text.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the engine said.
    pub classification: Classification,
    /// The same, arranged for the eye.
    pub reading: Reading,
}

/// The labels' average over the rows of a data set, which batch correction takes out: typed texts are read with it too.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchBias {
    /// SHA-256 of the model whose answers it is of.
    pub model: String,
    /// SHA-256 of the adapter beside it, if any.
    pub adapter: Option<String>,
    /// The task.
    pub task: Task,
    /// The average.
    pub bias: LabelBias,
}

/// Everything the page knows.
#[derive(Clone, Copy)]
pub struct Session {
    link: StoredValue<Option<Rc<Link>>, LocalStorage>,
    pool: StoredValue<Pool, LocalStorage>,
    /// Where the engine is.
    pub engine: RwSignal<Engine>,
    /// The model in use.
    pub model: RwSignal<Option<ModelInfo>>,
    /// A model on its way.
    pub loading: RwSignal<Option<Loading>>,
    /// How far that is.
    pub load_meter: RwSignal<Meter>,
    /// Why the last model did not come.
    pub load_notice: RwSignal<Option<Notice>>,
    /// Why the last adapter is not applied.
    pub adapter_notice: RwSignal<Option<Notice>>,
    /// The request that applies an adapter, or puts it away, while it is under way.
    adapter_asked: RwSignal<Option<u64>>,
    adapter_urls: StoredValue<Vec<String>>,
    /// What is kept on the device, once known.
    pub storage: RwSignal<Option<StorageReport>>,
    /// Why the last question about storage failed.
    pub storage_notice: RwSignal<Option<Notice>>,
    /// The tasks at hand.
    pub shelf: RwSignal<Shelf>,
    /// What is wrong with the chosen task.
    pub problems: Memo<Problems>,
    /// The task the engine uses: the last one without mistakes.
    pub task_in_use: RwSignal<Option<Task>>,
    /// What its spellings are as tokens.
    pub report: RwSignal<Option<TaskReport>>,
    /// Why the engine refused the chosen task.
    pub task_notice: RwSignal<Option<Notice>>,
    task_asked: RwSignal<Option<(u64, Task)>>,
    /// The text in the box.
    pub text: RwSignal<String>,
    /// The last answer that counts.
    pub answer: RwSignal<Option<Answer>>,
    /// Why the text was not classified.
    pub classify_notice: RwSignal<Option<Notice>>,
    /// Edits, questions and answers.
    pub typing: RwSignal<Typing>,
    /// How far the engine is with task or text, where that takes longer than a moment.
    pub work_meter: RwSignal<Option<Meter>>,
    /// How fast texts are classified.
    pub pace: RwSignal<Pace>,
    /// What left this device.
    pub requests: RwSignal<RequestLog>,
    /// What a screen reader is told next.
    pub announcement: RwSignal<String>,
    /// Whether the panel with models and storage is open.
    pub model_panel: RwSignal<bool>,
    /// Whether the browser keeps edits of tasks for the next visit.
    pub tasks_are_kept: RwSignal<bool>,
    /// Whether it was taken notice of that the model in use is not kept.
    pub not_kept_seen: RwSignal<bool>,
    last_source: RwSignal<Option<ModelSource>>,
    milestones: RwSignal<Milestones>,
    storage_asked: RwSignal<Option<u64>>,
    looked_for_kept: RwSignal<bool>,
    /// Whether the model in use was found on the device and loaded without being asked for.
    unasked: RwSignal<bool>,
    /// Seconds from opening the page to the first answer, where the model was on the device already.
    pub first_answer: RwSignal<Option<f64>>,
    /// What batch correction takes out, where a data set was scored with the task and model in use.
    pub batch_bias: RwSignal<Option<BatchBias>>,
    /// How many workers the device carries with this model, and how many a job is done with.
    pub workers: RwSignal<Option<Workers>>,
}

impl Session {
    /// A session whose engine is starting; the text and the tasks of the last time are put back.
    pub fn start() -> Self {
        let mut shelf = Shelf::new(models::built_in_tasks());
        if let Some(saved) = browser::kept(browser::keep::TASKS) {
            let unreadable = shelf.restore(&saved);
            if !unreadable.is_empty() {
                browser::keep_value(browser::keep::TASKS_UNREADABLE, &unreadable.join("\n"));
            }
        }
        let sample = models::sample_texts(&shelf.chosen().id)[0];
        let text = browser::kept_in_tab(browser::keep_in_tab::TEXT).unwrap_or_else(|| sample.to_owned());
        let shelf = RwSignal::new(shelf);
        let session = Self {
            link: StoredValue::new_local(None),
            pool: StoredValue::new_local(workers::pool()),
            engine: RwSignal::new(Engine::Starting),
            model: RwSignal::new(None),
            loading: RwSignal::new(None),
            load_meter: RwSignal::new(Meter::default()),
            load_notice: RwSignal::new(None),
            adapter_notice: RwSignal::new(None),
            adapter_asked: RwSignal::new(None),
            adapter_urls: StoredValue::new(Vec::new()),
            storage: RwSignal::new(None),
            storage_notice: RwSignal::new(None),
            shelf,
            problems: Memo::new(move |_| shelf.with(|shelf| Problems::of(&shelf.chosen().draft))),
            task_in_use: RwSignal::new(None),
            report: RwSignal::new(None),
            task_notice: RwSignal::new(None),
            task_asked: RwSignal::new(None),
            text: RwSignal::new(text),
            answer: RwSignal::new(None),
            classify_notice: RwSignal::new(None),
            typing: RwSignal::new(Typing::default()),
            work_meter: RwSignal::new(None),
            pace: RwSignal::new(Pace::default()),
            requests: RwSignal::new(RequestLog::default()),
            announcement: RwSignal::new(String::new()),
            model_panel: RwSignal::new(false),
            tasks_are_kept: RwSignal::new(true),
            not_kept_seen: RwSignal::new(false),
            last_source: RwSignal::new(None),
            milestones: RwSignal::new(Milestones::default()),
            storage_asked: RwSignal::new(None),
            looked_for_kept: RwSignal::new(false),
            unasked: RwSignal::new(false),
            first_answer: RwSignal::new(None),
            batch_bias: RwSignal::new(None),
            workers: RwSignal::new(None),
        };
        session.connect();
        session
    }

    /// Whether texts can be classified now.
    pub fn is_ready(self) -> bool {
        self.model.with(Option::is_some) && self.task_in_use.with(Option::is_some)
    }

    /// Starts the worker and greets it.
    fn connect(self) {
        self.engine.set(Engine::Starting);
        match Link::start(move |message: FromWorker| self.take(message)) {
            Ok(link) => {
                let link = Rc::new(link);
                self.pool().session_started(&link);
                self.link.set_value(Some(link));
                self.send(Request::Hello { protocol: candor::protocol::PROTOCOL_VERSION });
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Sends a request, and answers with its number.
    fn send(self, request: Request) -> u64 {
        self.link.with_value(|link| link.as_ref().map_or(0, |link| link.send(request)))
    }

    /// Asks the worker, and waits for its last reply.
    async fn ask(self, request: Request) -> Result<Reply> {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let take = move |reply| {
            if !matches!(reply, Reply::Progress(_))
                && let Some(tell) = tell.take()
            {
                // Who asked may have gone.
                let _ = tell.send(reply);
            }
        };
        let lost = || Error::new(Kind::Lost, "the engine is not there").help("start it again");
        self.link.with_value(|link| link.as_ref().map(|link| link.ask(request, take))).ok_or_else(lost)?;
        match told.await {
            Ok(Reply::Failed(error)) => Err(error),
            Ok(reply) => Ok(reply),
            Err(_) => Err(lost()),
        }
    }

    /// Starts the worker anew; text, task and the stored model stay.
    pub fn restart(self) {
        self.pool().session_lost();
        self.link.set_value(None);
        self.model.set(None);
        self.loading.set(None);
        self.load_notice.set(None);
        self.report.set(None);
        self.task_in_use.set(None);
        self.task_asked.set(None);
        self.adapter_asked.set(None);
        self.classify_notice.set(None);
        self.work_meter.set(None);
        self.typing.update(Typing::clear);
        self.looked_for_kept.set(false);
        self.connect();
    }

    /// Tells a screen reader, once the person has stopped to act.
    fn announce(self, words: String) {
        self.announcement.set(words);
    }
}

/// The session of this page.
pub fn session() -> Session {
    expect_context::<Session>()
}
