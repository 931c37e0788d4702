//! The messages between page and worker. The page numbers its requests; every reply carries the number.

use serde::{Deserialize, Serialize};

use super::{
    AdapterSource, BackendInfo, Classification, MemoryUse, ModelInfo, ModelSource, StorageReport, StudyReply,
    StudyRequest, TaskReport, Vectors,
};
use crate::error::Error;
use crate::task::Task;

/// A request to the worker. The page numbers its requests; every reply carries the number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToWorker {
    /// The request's number.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What the page may ask of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first message: page and worker compare protocol versions.
    Hello {
        /// The page's version.
        protocol: u32,
    },
    /// Load a model; progress comes while it does. Answered with `Model`.
    LoadModel {
        /// Where from.
        source: ModelSource,
    },
    /// Apply an adapter beside the loaded model from now on, or none: the task is to be set again. Answered with `Adapter`.
    SetAdapter {
        /// Where from; nothing for the base alone.
        source: Option<AdapterSource>,
    },
    /// Set the task that texts are classified with. Answered with `Task`.
    SetTask {
        /// The task.
        task: Box<Task>,
    },
    /// Classify one text with the current task. A newer one makes older ones, not yet begun, end as cancelled.
    Classify {
        /// The text.
        text: String,
        /// How many next tokens to report.
        top: usize,
        /// Longest prompt in tokens; the text is cut to fit.
        limit_tokens: usize,
    },
    /// Classify texts together. The requests above come first: what is being computed for a batch rests meanwhile.
    /// Answered with `Batch`.
    Batch(Box<BatchRequest>),
    /// Stop an earlier request.
    Cancel {
        /// Its number.
        target: u64,
    },
    /// Data and statistics, which need no model. Answered with `Study`.
    Study(Box<StudyRequest>),
    /// What is kept on the device. Answered with `Storage`.
    Storage,
    /// Remove a kept model file. Answered with `Storage`.
    Forget {
        /// File name as reported.
        file: String,
    },
    /// Remove a kept adapter. Answered with `Storage`.
    ForgetAdapter {
        /// Its SHA-256.
        sha256: String,
    },
}

/// A reply from the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FromWorker {
    /// The number of the request it answers.
    pub id: u64,
    /// The answer.
    pub reply: Reply,
}

/// What the worker answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The worker is up; its protocol version.
    Hello {
        /// The worker's version.
        protocol: u32,
    },
    /// More to come.
    Progress(Progress),
    /// The model is ready.
    Model(Box<ModelInfo>),
    /// The adapter is applied, or put away: the model as it is now.
    Adapter(Box<ModelInfo>),
    /// The model computes elsewhere from now on: a graphics device was lost, or opened again. Answers no request; its
    /// number is 0.
    Backend(BackendInfo),
    /// The task is ready.
    Task(TaskReport),
    /// The text is classified.
    Classified(Box<Classification>),
    /// The texts of a batch are classified.
    Batch(Box<BatchReply>),
    /// An answer about data and statistics.
    Study(Box<StudyReply>),
    /// What is kept on the device.
    Storage(StorageReport),
    /// It failed; everything that was there before still is.
    Failed(Error),
}

/// Texts to classify together, with everything that a worker needs to know of the job they belong to: any worker can
/// take any part of a job, and none has to be told in advance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// SHA-256 of the model that the job is for; a worker that holds another one refuses.
    pub model: String,
    /// SHA-256 of the adapter that is applied beside it, if any; a worker that does not have it takes it from the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The task. Its prefix is computed once and kept for the job's next part.
    pub task: Task,
    /// The texts.
    pub texts: Vec<String>,
    /// How many next tokens to report for each.
    pub top: usize,
    /// Longest prompt in tokens; a longer text is cut to fit.
    pub limit_tokens: usize,
    /// What becomes of the model's last hidden states.
    #[serde(default)]
    pub vectors: Vectors,
}

/// The answer to a [`BatchRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReply {
    /// One a text, in order; predictions are numbered from 1 within the request. The bias correction of Zhou (2023)
    /// needs all rows of a job and is left to who has them; all others are applied.
    pub results: Vec<Classification>,
    /// Tokens of the task's prefix that were computed for this request: none where it was kept.
    pub prefix_tokens: usize,
    /// What the worker takes of the memory by now.
    pub memory: MemoryUse,
}

/// A stage of a long job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bytes come over the network, or from the picked file, into this device's storage.
    Download,
    /// The stored file's hash is checked.
    Verify,
    /// Weights are read and laid out for the kernels.
    Load,
    /// Weights are copied to the graphics device.
    Upload,
    /// Kernels are compiled for the graphics device: done and total count kernels.
    Compile,
    /// The task's prefix is computed.
    Prefix,
    /// The text is computed.
    Classify,
    /// A probe is trained: done and total count probes.
    Train,
}

/// Progress of a long job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Done so far, in bytes (download, verify, load, upload), kernels (compile) or tokens (prefix, classify).
    pub done: u64,
    /// The whole, where known.
    pub total: Option<u64>,
}
