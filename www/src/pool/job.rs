//! What a pool is asked to do, and what it tells while it does it.

use std::rc::Rc;

use candor::error::Result;
use candor::protocol::{BatchRequest, Classification, MemoryUse, Vectors};
use candor::task::Task;

use super::pace::Pace;
use super::schedule::{Chunk, Chunking, Schedule, estimated_tokens};

/// Texts to classify with one task and the model in use.
#[derive(Debug, Clone)]
pub struct BatchJob {
    /// SHA-256 of the adapter that is applied beside the model, if any.
    pub adapter: Option<String>,
    /// The task. The bias correction of Zhou (2023) needs all rows at once: it is left to the page, which estimates it
    /// from the rows' label log-probabilities ([`candor::stats::bias`]). All others are applied.
    pub task: Task,
    /// The texts, one a row.
    pub texts: Rc<[String]>,
    /// How many next tokens to report for each row.
    pub top: usize,
    /// Longest prompt in tokens; a longer text is cut to fit, and its row says so.
    pub limit_tokens: usize,
    /// What becomes of the model's last hidden states.
    pub vectors: Vectors,
    /// Whether the session's worker does it alone, because no other can read the adapter from the device.
    pub alone: bool,
    /// Begin only when all workers are ready, for who measures; otherwise each joins when it is.
    pub together: bool,
}

/// What a running job tells.
#[derive(Debug, Clone)]
pub enum BatchEvent {
    /// Results of consecutive rows. Every row comes once, and in input order.
    Results {
        /// The first one's row, counted from 0.
        first: usize,
        /// One a row.
        results: Vec<Classification>,
    },
    /// How far it is. Comes a few times a second at most.
    Progress(BatchProgress),
    /// Nothing more comes: all rows were delivered, or why not (`Kind::Cancelled` after a cancel). What was delivered
    /// before stays true.
    Ended(Result<BatchSummary>),
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchProgress {
    /// Rows that are computed.
    pub done: usize,
    /// Rows in all.
    pub total: usize,
    /// Rows a second over the last seconds, once that can be told.
    pub rows_per_second: Option<f64>,
    /// Seconds left, once that can be told.
    pub seconds_left: Option<f64>,
    /// Workers that are at work.
    pub workers: usize,
    /// Workers that are still loading the model.
    pub starting: usize,
    /// Whether it rests because it was paused.
    pub paused: bool,
    /// What a person should know: a worker that was lost, or one that could not be started.
    pub note: Option<String>,
}

/// What a finished job took.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSummary {
    /// Rows.
    pub rows: usize,
    /// Seconds from the first row handed out to the last one back, without pauses.
    pub seconds: f64,
    /// Tokens computed for the rows, and for prefixes that were not at hand.
    pub tokens_computed: u64,
    /// Tokens taken from kept prefixes.
    pub tokens_reused: u64,
    /// What each worker that took part takes of the memory.
    pub memory: Vec<MemoryUse>,
    /// Workers that died and whose rows others computed again.
    pub lost_workers: usize,
}

/// A job under way.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) job: BatchJob,
    pub(super) model: String,
    pub(super) on: Rc<dyn Fn(BatchEvent)>,
    pub(super) schedule: Schedule<Classification>,
    /// Measures from the first chunk on.
    pub(super) pace: Option<Pace>,
    pub(super) paused: bool,
    pub(super) tokens: (u64, u64),
    pub(super) lost: usize,
    pub(super) note: Option<String>,
    /// When progress was told last.
    pub(super) told: f64,
}

impl Running {
    pub(super) fn new(
        number: u64,
        job: BatchJob,
        model: String,
        chunking: Chunking,
        on: Rc<dyn Fn(BatchEvent)>,
    ) -> Self {
        let costs = job.texts.iter().map(|text| estimated_tokens(text)).collect();
        Self {
            number,
            model,
            on,
            schedule: Schedule::new(costs, chunking),
            pace: None,
            paused: false,
            tokens: (0, 0),
            lost: 0,
            note: None,
            told: f64::NEG_INFINITY,
            job,
        }
    }

    /// The request that has a worker compute a chunk.
    pub(super) fn request(&self, chunk: &Chunk) -> BatchRequest {
        BatchRequest {
            model: self.model.clone(),
            adapter: self.job.adapter.clone(),
            task: self.job.task.clone(),
            texts: self.job.texts[chunk.rows.clone()].to_vec(),
            top: self.job.top,
            limit_tokens: self.job.limit_tokens,
            vectors: self.job.vectors.clone(),
        }
    }

    pub(super) fn progress(&self, workers: usize, starting: usize) -> BatchProgress {
        let (_, cost_left) = self.schedule.cost();
        BatchProgress {
            done: self.schedule.done(),
            total: self.schedule.total(),
            rows_per_second: self.pace.as_ref().and_then(Pace::rows_per_second),
            seconds_left: self.pace.as_ref().and_then(|pace| pace.seconds_left(cost_left)),
            workers,
            starting,
            paused: self.paused,
            note: self.note.clone(),
        }
    }

    pub(super) fn summary(&self, now: f64, memory: Vec<MemoryUse>) -> BatchSummary {
        BatchSummary {
            rows: self.schedule.total(),
            seconds: self.pace.as_ref().map_or(0.0, |pace| pace.seconds(now)),
            tokens_computed: self.tokens.0,
            tokens_reused: self.tokens.1,
            memory,
            lost_workers: self.lost,
        }
    }
}
