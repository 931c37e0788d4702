//! What crosses between page and worker, and the JSON of predictions.
//!
//! Plain serde data, no behaviour but [`calibrated`]: the page and the command line read the same types that the
//! engine's floor writes.
//! The page is compiled with this floor and those below it only, so a type that both sides need stands here.

pub mod adapter;
pub mod calibrated;
pub mod comparison;
mod messages;
mod model;
mod prediction;
pub mod probe;
mod shares;
pub mod study;
mod task;

pub use self::adapter::{AdapterInfo, AdapterSource};
pub use self::comparison::{
    CompareRequest, ComparedRun, ComparisonReport, ProbeReport, ProbeRequest, ProjectFiles, Vectors,
};
pub use self::messages::{BatchReply, BatchRequest, FromWorker, Progress, Reply, Request, Stage, ToWorker};
pub use self::model::{BackendInfo, MemoryUse, ModelInfo, ModelSource, StorageReport};
pub use self::prediction::{
    Classification, LabelProbability, LabelScore, NextToken, Prediction, SequenceScore, Truncation, Verbalized,
};
pub use self::study::{CalibrationReport, DataFile, Examination, ReadReport, StudyReply, StudyRequest, Wish};
pub use self::task::{FormReport, LabelReport, TaskReport};

/// Raised with every change to the messages; page and worker compare it before anything else.
pub const PROTOCOL_VERSION: u32 = 7;
