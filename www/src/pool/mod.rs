//! Several engines over one job.
//!
//! A browser gives a page as many workers as it asks for, and each can compute on a processor of its own. They share no
//! memory here, because only sites with special headers may do that; each has its own copy of the model, read from the
//! device. The page cuts a job into chunks, hands them to whoever is free and puts the results in order
//! ([`schedule`]). The first worker is the session's, in which typed texts come first; the others are started when a
//! job needs them and go a while after it.
//!
//! ```ignore
//! let job = BatchJob { adapter, task, texts: texts.into(), top, limit_tokens, vectors, alone, together: false };
//! let handle = session.pool().run(job, move |event| match event {
//!     BatchEvent::Results { first, results } => table.fill(first, results),
//!     BatchEvent::Progress(progress) => meter.set(progress),
//!     BatchEvent::Ended(outcome) => ended.set(Some(outcome)),
//! })?;
//! handle.pause();
//! ```
//!
//! What it promises: every row comes once and in input order, whatever dies meanwhile; a cancel ends the job at once;
//! never more workers than the device carries ([`capacity`]). A worker that dies has its chunk computed by another, and
//! is replaced twice a job; after that the job goes on with fewer. One job at a time.
//!
//! It is no queue of jobs, keeps no results, and knows nothing of what they are for.

pub mod capacity;
mod desk;
mod job;
mod member;
pub mod pace;
pub mod schedule;

use std::cell::RefCell;
use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::protocol::{MemoryUse, ModelInfo, ModelSource};
use gloo::timers::callback::Timeout;

use self::capacity::{Capacity, Device};
use self::desk::Desk;
use crate::link::Link;

pub use self::job::{BatchEvent, BatchJob, BatchProgress, BatchSummary};

/// Milliseconds after a job in which the pool's own workers stay, for the next one.
const LINGER: u32 = 20_000;

/// The pool; clones are the same one.
#[derive(Clone)]
pub struct Pool(Rc<RefCell<Desk>>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

/// What workers are started with.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolModel {
    /// SHA-256 of the model's file.
    pub sha256: String,
    /// Where further workers read it from; nothing if it is not kept on the device.
    pub kept_as: Option<ModelSource>,
    /// What it takes of a worker's memory.
    pub memory: MemoryUse,
    /// Whether a graphics device computes.
    pub on_gpu: bool,
}

impl PoolModel {
    /// From what the first worker says of its model, and the file under which that is kept.
    pub fn new(info: &ModelInfo, file: &str) -> Self {
        let kept_as = info.kept.is_ok().then(|| ModelSource::Kept { file: file.to_owned() });
        Self { sha256: info.sha256.clone(), kept_as, memory: info.memory, on_gpu: info.on_gpu }
    }
}

impl Pool {
    /// A pool without workers. `stops_after` has its second worker trap, once, after so many texts (a test's switch).
    pub fn new(device: Device, stops_after: Option<u64>) -> Self {
        Self(Rc::new(RefCell::new(Desk::new(device, stops_after))))
    }

    /// Classifies the job's texts with the model in use; `on` hears how it goes. The job goes on if the handle is
    /// dropped.
    ///
    /// # Errors
    /// Without a model; while another job runs.
    pub fn run(&self, job: BatchJob, on: impl Fn(BatchEvent) + 'static) -> Result<BatchHandle> {
        let number = self.0.borrow_mut().begin(job, Rc::new(on))?;
        self.soon();
        Ok(BatchHandle { pool: self.clone(), number })
    }

    /// Whether a job is under way.
    pub fn is_busy(&self) -> bool {
        self.0.borrow().is_busy()
    }

    /// How many workers the device carries, once a model is loaded.
    pub fn capacity(&self) -> Option<Capacity> {
        self.0.borrow().capacity()
    }

    /// How many workers a job is done with: the person's choice within what the device carries.
    pub fn workers(&self) -> usize {
        self.0.borrow().workers()
    }

    /// Has jobs done with so many workers, the one under way too; nothing leaves the choice to the device.
    pub fn set_workers(&self, wanted: Option<usize>) {
        self.0.borrow_mut().wanted = wanted;
        self.soon();
    }

    /// The session has started its worker, which has no model yet.
    pub fn session_started(&self, link: &Rc<Link>) {
        self.0.borrow_mut().session_started(link);
    }

    /// The session's worker is gone.
    pub fn session_lost(&self) {
        let events = self.0.borrow_mut().session_lost();
        events.tell();
        self.soon();
    }

    /// The session's worker has loaded a model. A job with another one ends.
    pub fn session_loaded(&self, model: PoolModel) {
        let events = self.0.borrow_mut().session_loaded(model);
        events.tell();
        self.soon();
    }

    /// The session's worker computes elsewhere now: on the graphics device, or since that was lost on the processor, where
    /// more workers can help.
    pub fn session_moved(&self, on_gpu: bool) {
        self.0.borrow_mut().session_moved(on_gpu);
        self.soon();
    }

    /// Goes on with the job, not within whatever is being called now: a worker's line must not be dropped by its own
    /// callback, nor a caller be told of a job that it does not hold yet.
    fn soon(&self) {
        let pool = self.clone();
        wasm_bindgen_futures::spawn_local(async move { pool.go_on() });
    }

    fn go_on(&self) {
        let events = self.0.borrow_mut().go_on(self);
        events.tell();
    }

    /// Takes what a worker says.
    fn hear(&self, member: u64, reply: candor::protocol::Reply) {
        let pool = self.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let events = pool.0.borrow_mut().hear(member, reply);
            events.tell();
            pool.go_on();
        });
    }

    /// Lets the pool's own workers go, unless another job has begun by then.
    fn linger(&self) {
        let pool = self.clone();
        Timeout::new(LINGER, move || pool.0.borrow_mut().let_go_if_idle()).forget();
    }
}

/// A job under way.
#[derive(Debug, Clone)]
pub struct BatchHandle {
    pool: Pool,
    number: u64,
}

impl BatchHandle {
    /// Hands out no more rows until [`Self::resume`]; what is being computed is finished.
    pub fn pause(&self) {
        self.rest(true);
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.rest(false);
    }

    fn rest(&self, rests: bool) {
        let events = self.pool.0.borrow_mut().rest(self.number, rests);
        events.tell();
        self.pool.soon();
    }

    /// Ends the job at once; what was delivered stays. A job that has ended is left alone.
    pub fn cancel(&self) {
        let error = Error::new(Kind::Cancelled, "cancelled");
        let events = self.pool.0.borrow_mut().end_with(Some(self.number), error);
        events.tell();
        self.pool.linger();
    }
}
