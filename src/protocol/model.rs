//! Where a model comes from, what is known of a loaded one, and what the device keeps.

use serde::{Deserialize, Serialize};

use super::AdapterInfo;

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
