//! What is known of a kept file: a small JSON file beside it, written last.
//!
//! `NAME` with `NAME.json` is a finished, hashed model. `NAME.part` with `NAME.part.json` is a download that has
//! begun. A file without its record is the rest of an interrupted visit.

use candor::error::Result;
use serde::{Deserialize, Serialize};

use super::opfs::Folder;

/// What a record's name ends with.
pub const SUFFIX: &str = ".json";
/// What an unfinished download's name ends with.
pub const UNFINISHED: &str = ".part";

/// The record's name for a file.
pub fn name_of(file: &str) -> String {
    format!("{file}{SUFFIX}")
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The address it came from.
    pub address: String,
    /// What the server said identifies this version of it (`ETag`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<String>,
    /// Bytes of the whole file; 0 while not known.
    pub bytes: u64,
    /// SHA-256 in lower-case hex, of a finished file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Record {
    /// The record of a file; one that cannot be read counts as none.
    pub async fn read(folder: &Folder, file: &str) -> Option<Self> {
        let text = folder.text(&name_of(file)).await.ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Writes the record.
    pub async fn write(&self, folder: &Folder, file: &str) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|error| candor::Error::internal(error.to_string()))?;
        folder.write(&name_of(file), &text).await
    }

    /// Removes a file and its record, the record first: a file without one is at worst unfinished.
    pub async fn remove(folder: &Folder, file: &str) -> Result<()> {
        folder.remove(&name_of(file)).await?;
        folder.remove(file).await
    }
}
