//! Adapters on this device: their files as they came, and a record beside them.
//!
//! They are named by what they do (the hash of their numbers), so one that comes twice, or in both formats, is kept once.
//! The record is written last: files without one are the rest of an interrupted visit.

use candor::error::{Error, Kind, Result};
use candor::protocol::AdapterInfo;
use serde::{Deserialize, Serialize};

use super::opfs::{self, Folder};
use super::record::{SUFFIX, name_of};

/// What is known of a kept adapter.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    info: AdapterInfo,
    /// The names of its files, as they came.
    files: Vec<String>,
}

/// An adapter with its files.
#[derive(Debug)]
pub struct Kept {
    /// What is known of it.
    pub info: AdapterInfo,
    /// Names and contents of its files.
    pub files: Vec<(String, Vec<u8>)>,
}

/// The folder of adapters, or why there is none.
#[derive(Debug)]
pub struct Adapters {
    folder: Result<Folder, String>,
}

impl Adapters {
    /// Opens the folder, unless it is known already why there is none.
    pub async fn open(why_not: Option<&String>) -> Self {
        let folder = match why_not {
            Some(reason) => Err(reason.clone()),
            None => Folder::open(opfs::ADAPTERS).await.map_err(|error| error.message),
        };
        Self { folder }
    }

    /// Keeps an adapter, and answers with what is known of it: what was said when it first came, if it is kept already.
    /// The error says why it is not kept.
    pub async fn keep(&self, info: &AdapterInfo, files: &[(String, Vec<u8>)]) -> Result<AdapterInfo, String> {
        let folder = self.folder.as_ref().map_err(Clone::clone)?;
        let write = async {
            if let Some(known) = record(folder, &info.sha256).await? {
                return Ok(known.info);
            }
            for (name, bytes) in files {
                folder.write(&file_name(&info.sha256, name), bytes).await?;
            }
            let names = files.iter().map(|(name, _)| name.clone()).collect();
            let record = serde_json::to_vec(&Record { info: info.clone(), files: names });
            let record = record.map_err(|error| Error::internal(error.to_string()))?;
            folder.write(&name_of(&info.sha256), &record).await?;
            Ok(info.clone())
        };
        write.await.map_err(|error: Error| error.message)
    }

    /// A kept adapter, by its SHA-256.
    ///
    /// # Errors
    /// One that is not there, whole.
    pub async fn read(&self, sha256: &str) -> Result<Kept> {
        let gone =
            || Error::new(Kind::Io, "the adapter is not kept on this device any more").help("choose its files again");
        let folder = self.folder.as_ref().map_err(|_| gone())?;
        let Record { info, files: names } = record(folder, sha256).await?.ok_or_else(gone)?;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let bytes = folder.bytes(&file_name(sha256, &name)).await?.ok_or_else(gone)?;
            files.push((name, bytes));
        }
        Ok(Kept { info, files })
    }

    /// All that are kept.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub async fn list(&self) -> Result<Vec<AdapterInfo>> {
        let Ok(folder) = &self.folder else { return Ok(Vec::new()) };
        let mut infos = Vec::new();
        for (name, _) in folder.list().await? {
            if let Some(sha256) = name.strip_suffix(SUFFIX).filter(|stem| !stem.contains('.'))
                && let Some(record) = record(folder, sha256).await?
            {
                infos.push(record.info);
            }
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.sha256.cmp(&b.sha256)));
        Ok(infos)
    }

    /// Removes one; one that is not there is gone already.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub async fn forget(&self, sha256: &str) -> Result<()> {
        let Ok(folder) = &self.folder else { return Ok(()) };
        let record = record(folder, sha256).await?;
        folder.remove(&name_of(sha256)).await?;
        for name in record.into_iter().flat_map(|record| record.files) {
            folder.remove(&file_name(sha256, &name)).await?;
        }
        Ok(())
    }
}

fn file_name(sha256: &str, name: &str) -> String {
    format!("{sha256}.{name}")
}

/// The record of an adapter; one that cannot be read counts as none.
async fn record(folder: &Folder, sha256: &str) -> Result<Option<Record>> {
    let text = folder.text(&name_of(sha256)).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
