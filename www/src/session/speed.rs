//! Measures how fast the model in use is on this device.
//!
//! One short text first, as somebody types it; then a job for each number of workers: once uncounted, so that every
//! worker is there and has the task's prefix, and then as often as the plan says. Every run's answers are compared with
//! the first's: a speed means nothing if the numbers change.

use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::platform;
use candor::protocol::{Classification, Reply, Request, Vectors};
use futures::channel::oneshot;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::Session;
use crate::pool::{BatchEvent, BatchHandle, BatchJob, BatchProgress, BatchSummary};
use crate::state::notice::{Doing, Notice};
use crate::state::speed::{Latency, Plan, Report, RowAnswer, Run, largest_difference, median};

/// Next tokens that are reported for each row, as a job of predictions would.
const TOP: usize = 5;
/// The longest prompt, in tokens.
const LIMIT: usize = 2048;
/// A text of about twenty new tokens with the default task's frame.
const SHORT_TEXT: &str = "The room was spotless and the staff went out of their way to help us.";
/// Times that the short text is measured.
const SHORT_TEXTS: usize = 7;

/// The measurement: what is to be measured, how far it is, what came out.
#[derive(Clone, Copy)]
pub struct Speed {
    session: Session,
    /// Other prompts than those that come with the page.
    pub prompts: RwSignal<Option<(String, Vec<String>)>>,
    /// What is being measured now, in words; nothing while nothing is.
    pub doing: RwSignal<Option<String>>,
    /// How far the job under way is.
    pub progress: RwSignal<Option<BatchProgress>>,
    /// What came out, as far as it has.
    pub report: RwSignal<Option<Report>>,
    /// Why nothing came out.
    pub notice: RwSignal<Option<Notice>>,
    handle: StoredValue<Option<BatchHandle>, LocalStorage>,
    cancelled: StoredValue<bool>,
}

impl Speed {
    /// Nothing measured yet.
    pub fn new(session: Session) -> Self {
        Self {
            session,
            prompts: RwSignal::new(None),
            doing: RwSignal::new(None),
            progress: RwSignal::new(None),
            report: RwSignal::new(None),
            notice: RwSignal::new(None),
            handle: StoredValue::new_local(None),
            cancelled: StoredValue::new(false),
        }
    }

    /// Measures; answers are in [`Self::report`] as they come.
    pub fn start(self, plan: Plan) {
        if self.doing.with_untracked(Option::is_some) {
            return;
        }
        self.notice.set(None);
        self.report.set(None);
        self.cancelled.set_value(false);
        self.doing.set(Some("Starting".to_owned()));
        spawn_local(async move {
            if let Err(error) = self.measure(&plan).await {
                self.notice.set(Notice::new(&error, Doing::Classifying));
            }
            self.handle.set_value(None);
            self.progress.set(None);
            self.doing.set(None);
            self.session.restore_workers();
        });
    }

    /// Stops; what was measured before stays.
    pub fn cancel(self) {
        self.cancelled.set_value(true);
        self.handle.with_value(|handle| handle.iter().for_each(BatchHandle::cancel));
    }

    async fn measure(self, plan: &Plan) -> Result<()> {
        let no_model = || Error::usage("no model is loaded").help("load a model first");
        let model = self.session.model.get_untracked().ok_or_else(no_model)?;
        self.doing.set(Some("One short text".to_owned()));
        let mut report = Report {
            model_sha256: model.sha256.clone(),
            quantization: model.quantization.clone(),
            prompts: plan.source.clone(),
            first_answer_seconds: self.session.first_answer.get_untracked(),
            model_load_seconds: model.load_seconds,
            one_text: self.one_text().await?,
            runs: Vec::new(),
        };
        self.report.set(Some(report.clone()));
        let (task, texts) = plan.job();
        let texts: Rc<[String]> = texts.into();
        let mut reference: Option<Vec<RowAnswer>> = None;
        for &workers in &plan.workers {
            self.session.pool().set_workers(Some(workers));
            let workers = self.session.pool().workers();
            if report.runs.iter().any(|run| run.threads == workers) {
                continue;
            }
            let job = BatchJob {
                adapter: model.adapter.as_ref().map(|adapter| adapter.sha256.clone()),
                task: task.clone(),
                texts: Rc::clone(&texts),
                top: TOP,
                limit_tokens: LIMIT.min(model.context),
                vectors: Vectors::Drop,
                alone: untrack(move || self.session.adapter_is_only_here()),
                together: true,
            };
            let named = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
            self.doing.set(Some(format!("{named}, warming up")));
            let (first, mut answers) = self.run(job.clone()).await?;
            let mut counted = Vec::new();
            for repeat in 1..=plan.repeats {
                self.doing.set(Some(format!("{named}, run {repeat} of {}", plan.repeats)));
                let (summary, again) = self.run(job.clone()).await?;
                counted.push(summary);
                answers = again;
            }
            let mut run = Run::new(&model.backend, workers, &first, &counted);
            run.largest_difference = largest_difference(reference.get_or_insert_with(|| answers.clone()), &answers);
            report.runs.push(run);
            self.report.set(Some(report.clone()));
        }
        Ok(())
    }

    /// A short text with the task in use, several times, after one that does not count.
    async fn one_text(self) -> Result<Option<Latency>> {
        if !untrack(move || self.session.is_ready()) {
            return Ok(None);
        }
        let (mut seconds, mut last) = (Vec::new(), None);
        for counted in 0..=SHORT_TEXTS {
            if self.cancelled.get_value() {
                return Err(Error::new(Kind::Cancelled, "cancelled"));
            }
            let request = Request::Classify { text: SHORT_TEXT.to_owned(), top: TOP, limit_tokens: LIMIT };
            let asked = platform::now();
            match self.session.ask(request).await? {
                Reply::Classified(classification) => last = Some(classification),
                _ => return Err(Error::internal("a text was answered with something else")),
            }
            if counted > 0 {
                seconds.push(platform::now() - asked);
            }
        }
        Ok(last.zip(median(seconds)).map(|(last, seconds)| Latency {
            seconds,
            tokens_computed: last.tokens_computed,
            tokens_reused: last.tokens_reused,
        }))
    }

    /// Runs a job to its end; answers with what it took and every row's answer.
    async fn run(self, job: BatchJob) -> Result<(BatchSummary, Vec<RowAnswer>)> {
        if self.cancelled.get_value() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        let (tell, told) = oneshot::channel();
        let tell = std::cell::Cell::new(Some(tell));
        let answers = Rc::new(std::cell::RefCell::new(Vec::with_capacity(job.texts.len())));
        let taken = Rc::clone(&answers);
        let handle = self.session.pool().run(job, move |event| match event {
            BatchEvent::Results { results, .. } => taken.borrow_mut().extend(results.iter().map(row_answer)),
            BatchEvent::Progress(progress) => self.progress.set(Some(progress)),
            BatchEvent::Ended(outcome) => {
                if let Some(tell) = tell.take() {
                    // Nobody listens any more: then nobody needs to know.
                    let _ = tell.send(outcome);
                }
            }
        })?;
        self.handle.set_value(Some(handle));
        let outcome = told.await.map_err(|_| Error::internal("a job was forgotten"))?;
        let answers = answers.take();
        outcome.map(|summary| (summary, answers))
    }
}

fn row_answer(classification: &Classification) -> RowAnswer {
    classification.labels.iter().map(|label| label.logprob).collect()
}
