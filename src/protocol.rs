//! What crosses between page and worker, and the JSON of predictions.
//!
//! Plain serde data, no behaviour but [`calibrated`]: the page and the command line read the same types that the
//! engine's floor writes.
//! The page is compiled with this floor and those below it only, so a type that both sides need stands here.

pub mod adapter;
pub mod calibrated;
pub mod comparison;
pub mod probe;
mod shares;
pub mod study;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::task::Task;

pub use self::adapter::{AdapterInfo, AdapterSource};
pub use self::comparison::{
    CompareRequest, ComparedRun, ComparisonReport, ProbeReport, ProbeRequest, ProjectFiles, Vectors,
};
pub use self::study::{CalibrationReport, DataFile, Examination, ReadReport, StudyReply, StudyRequest};

/// Raised with every change to the messages below; page and worker compare it before anything else.
pub const PROTOCOL_VERSION: u32 = 6;

/// One classified text: a row of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The row's id: the data's own, or its number counted from 1.
    pub id: String,
    /// The text as it was given.
    pub text: String,
    /// A subgroup of the data (a file stem, a category).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The true label, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The predicted label.
    pub label: String,
    /// Per label, in the task's order.
    pub labels: IndexMap<String, LabelProbability>,
    /// The winner's probability summed over its tokens, over the whole vocabulary.
    pub total_probability: f64,
    /// The winner's probability among the labels only.
    pub share: f64,
    /// Probability on no label.
    pub other_mass: f64,
    /// Calibrated where a calibrator is given, else `total_probability` (or `share`, if asked for).
    pub confidence: f64,
    /// Venn–Abers interval `[low, high]` of the confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Conformal set of labels, most likely first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
    /// What the model said when it was asked how sure it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbalized: Option<Verbalized>,
    /// Why the calibrator behind `confidence` does not belong here, where it was forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrator_forced: Option<String>,
    /// Whether `label` equals `expected`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

/// A model's own word for how sure it is, from 0 to 100: read off the probabilities of all 101 numbers, not sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verbalized {
    /// The expected number, given that it answers with one, divided by 100.
    pub expected: f64,
    /// The likeliest number divided by 100.
    pub mode: f64,
    /// The probability that it answers with a number at all.
    pub mass: f64,
}

/// A label's part of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelProbability {
    /// Natural logarithm of the label's total probability over the whole vocabulary.
    pub logprob: f64,
    /// Its probability among the labels only, after bias correction.
    pub share: f64,
}

/// A prediction with everything the page shows about how it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The prediction itself.
    pub prediction: Prediction,
    /// Per label, in the task's order, with the tokens that were added up.
    pub labels: Vec<LabelScore>,
    /// The most likely next tokens of the whole vocabulary, most likely first.
    pub next: Vec<NextToken>,
    /// Tokens of the whole prompt.
    pub prompt_tokens: usize,
    /// Tokens computed for this text.
    pub tokens_computed: usize,
    /// Tokens taken from the cached prefix.
    pub tokens_reused: usize,
    /// Set when the text was longer than fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncation>,
    /// Wall seconds of the engine for this text.
    pub seconds: f64,
    /// What a user should know: an empty text, forms that are not told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The model's last hidden state after the prompt, where it was asked for: what a probe reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vector: Vec<f32>,
}

/// How a label's probability is made up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    /// The label's name.
    pub name: String,
    /// Natural logarithm of the label's total probability over the whole vocabulary.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
    /// Probability among the labels only, after bias correction.
    pub share: f64,
    /// The token sequences that count for the label, each once.
    pub tokens: Vec<SequenceScore>,
}

/// One token sequence (nearly always a single token) that counts for a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceScore {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The tokens' text.
    pub text: String,
    /// The surface forms that begin with this sequence.
    pub forms: Vec<String>,
    /// Natural logarithm of the sequence's probability.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
}

/// A row of the next-token table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextToken {
    /// 1 for the most likely.
    pub rank: usize,
    /// Token id.
    pub id: u32,
    /// The token's text; bytes that are no UTF-8 by themselves are shown as `\xNN`.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
    /// The label this token supports, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Where a too long text was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncation {
    /// Characters that were read.
    pub kept_characters: usize,
    /// Characters of the whole text.
    pub total_characters: usize,
    /// Tokens a whole prompt may have.
    pub limit_tokens: usize,
}

/// What a task's labels become with a model's tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task's name.
    pub name: String,
    /// Per label, in the task's order.
    pub labels: Vec<LabelReport>,
    /// Tokens of the shared prefix that is computed once.
    pub prefix_tokens: usize,
    /// Collisions, multi-token forms and whatever else a user should know.
    pub warnings: Vec<String>,
}

/// A label's surface forms as token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// The label's name.
    pub name: String,
    /// Per surface form.
    pub forms: Vec<FormReport>,
}

/// A surface form as token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormReport {
    /// The form as written in the task.
    pub form: String,
    /// All its token ids.
    pub ids: Vec<u32>,
    /// The text of each token.
    pub tokens: Vec<String>,
    /// How many of the ids are needed to tell the form from other labels' (0: another form of the label already
    /// counts this token).
    pub counted: usize,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// A model of the manifest: tried in order of `urls` (absolute), checked against size and hash.
    Manifest {
        /// Name in the manifest.
        name: String,
        /// File name under which it is kept.
        file: String,
        /// Size in bytes.
        bytes: u64,
        /// SHA-256 in lower-case hex.
        sha256: String,
        /// Absolute URLs, the page's own origin first.
        urls: Vec<String>,
    },
    /// Any GGUF file at an absolute URL.
    Url {
        /// The URL.
        url: String,
    },
    /// A file the user picked, as a `blob:` URL.
    File {
        /// `blob:` URL made from the picked file.
        url: String,
        /// The file's name.
        name: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// A model that is kept on the device, by the file name in [`StorageReport::models`].
    Kept {
        /// The file name.
        file: String,
    },
}

/// What is known of a loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Manifest name or file name.
    pub name: String,
    /// `general.architecture`.
    pub architecture: String,
    /// The quantized type that most weights have, e.g. `Q4_1`.
    pub quantization: String,
    /// File size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file in lower-case hex.
    pub sha256: String,
    /// Parameters.
    pub parameters: u64,
    /// Decoder layers.
    pub layers: usize,
    /// Hidden width.
    pub width: usize,
    /// Vocabulary size.
    pub vocabulary: usize,
    /// Longest prompt in tokens.
    pub context: usize,
    /// Whether the model carries a chat template.
    pub chat_template: bool,
    /// The backend rung in use, e.g. `CPU SIMD128`.
    pub backend: String,
    /// Why this rung.
    pub backend_reason: String,
    /// Whether a graphics device computes: further workers would only share it.
    pub on_gpu: bool,
    /// Threads in use.
    pub threads: usize,
    /// Seconds from the request to readiness.
    pub load_seconds: f64,
    /// Whether it came from this device's own storage.
    pub from_cache: bool,
    /// Whether it is kept for the next visit; when not, why not.
    pub kept: std::result::Result<(), String>,
    /// What it takes of the memory, once loaded.
    pub memory: MemoryUse,
    /// The adapter that is applied beside it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterInfo>,
}

/// Where a model computes at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendInfo {
    /// The backend rung in use.
    pub backend: String,
    /// Why this rung.
    pub backend_reason: String,
    /// Whether a graphics device computes.
    pub on_gpu: bool,
}

/// What a worker, or the process, takes of the memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Bytes of weights, as the kernels keep them.
    pub weights: u64,
    /// The most bytes held so far, everything included, where the platform says.
    pub peak: Option<u64>,
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
    /// Done so far, in bytes (download, verify, load) or tokens (prefix, classify).
    pub done: u64,
    /// The whole, where known.
    pub total: Option<u64>,
}

/// What the device keeps for this page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageReport {
    /// Whether the origin-private file system is at hand.
    pub available: bool,
    /// Model files kept, with their size in bytes.
    pub models: Vec<(String, u64)>,
    /// Adapters kept.
    pub adapters: Vec<AdapterInfo>,
    /// Bytes in use by this origin, as the browser estimates.
    pub used: Option<u64>,
    /// Bytes this origin may use, as the browser estimates.
    pub quota: Option<u64>,
}

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
