//! Adapters, as page and worker speak of them.

use serde::{Deserialize, Serialize};

use super::DataFile;

/// Where an adapter comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterSource {
    /// Files that the person picked or dropped: PEFT's pair or a GGUF file, other files beside them are passed over.
    Files(Vec<DataFile>),
    /// One that is kept on the device, by its SHA-256.
    Kept(String),
}

/// What is known of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// What it is called: its file's name, or its folder's.
    pub name: String,
    /// SHA-256 of what it does, in lower-case hex: the same for both formats.
    pub sha256: String,
    /// SHA-256 of the model file it was trained on, where it says so.
    pub base_sha256: Option<String>,
    /// SHA-256 of the model file it was used with here.
    pub model_sha256: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Trained numbers.
    pub parameters: u64,
    /// The highest rank of its matrices.
    pub rank: usize,
    /// How many of the model's layers it changes.
    pub layers: usize,
    /// Whether it is kept for the next visit; when not, why not.
    pub kept: std::result::Result<(), String>,
}
