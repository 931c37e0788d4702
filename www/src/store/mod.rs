//! Model files on this device.
//!
//! A model is fetched once, hashed while it streams, and kept in the origin's private file system (OPFS); the next
//! visit reads it from there, with or without a network. It is never whole in WebAssembly's memory: the loader reads
//! it tensor by tensor through `Read + Seek`.
//!
//! A kept file stands beside a small [`record`], written last: a file without one is unfinished, and what the record
//! says (size, hash, where it came from) is why a kept file is not hashed again at every start. Where nothing can be
//! kept (a private window, an old browser, a full disk), the bytes that have come are held as a `Blob`, whose memory
//! is the browser's, and the reason is told.
//!
//! Several tabs: a writer holds a Web Lock per file, and the other tabs wait and watch the file grow. Readers do not
//! wait for each other: whoever finds a file locked reads a snapshot of it ([`reader`]).
//!
//! | module | what |
//! |---|---|
//! | [`source`] | what is wanted: names, size, hash, addresses |
//! | [`fetching`] | one request as a stream of chunks, from an offset on |
//! | [`obtain`](mod@obtain) | kept file, resumed download or memory: the way from a source to a readable model |
//! | [`sink`] | where the bytes go, and their hash |
//! | [`opfs`] | folder and file handles |
//! | [`reader`], [`blob`] | `Read + Seek` over a kept file, a `Blob` or a `File` |
//! | [`record`] | what is known of a kept file |
//! | [`locks`] | one writer a file |
//! | [`adapters`] | adapters, small enough to be read whole |

pub mod adapters;
pub mod blob;
pub mod fetching;
pub mod locks;
pub mod obtain;
pub mod opfs;
pub mod reader;
pub mod record;
pub mod sink;
pub mod source;

use candor::error::{Error, Kind, Result};
use candor::protocol::StorageReport;
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::StorageEstimate;

use self::adapters::Adapters;
use self::opfs::Folder;
use self::record::{Record, UNFINISHED};
use crate::switches::Switches;

pub use self::obtain::{Obtained, Watch, is_intact, obtain};
pub use self::source::Wanted;

/// The folder of model files, or why there is none.
#[derive(Debug)]
pub struct Store {
    folder: Result<Folder, String>,
    /// Adapters that are kept, or why none are.
    pub adapters: Adapters,
    /// Pretends that the disk is full after so many bytes (a test's switch).
    full_after: Option<u64>,
}

impl Store {
    /// Opens the folder; where that fails, the store remembers why and keeps nothing.
    pub async fn open(switches: &Switches) -> Self {
        let folder = match switches.no_storage {
            true => Err("storage is switched off by the page's address".to_owned()),
            false => Folder::open(opfs::MODELS).await.map_err(|error| error.message),
        };
        let adapters = Adapters::open(folder.as_ref().err()).await;
        Self { folder, adapters, full_after: switches.full_after }
    }

    /// What is kept: finished models by name, unfinished downloads with `.part` behind theirs.
    pub async fn report(&self) -> Result<StorageReport> {
        let Ok(folder) = &self.folder else { return Ok(StorageReport::default()) };
        let mut models = Vec::new();
        for (name, bytes) in folder.list().await? {
            if name.ends_with(record::SUFFIX) {
                continue;
            }
            let finished = Record::read(folder, &name).await.is_some_and(|record| record.bytes == bytes);
            match finished || name.ends_with(UNFINISHED) {
                true => models.push((name, bytes)),
                false => models.push((format!("{name}{UNFINISHED}"), bytes)),
            }
        }
        models.sort();
        let (used, quota) = estimate().await;
        let adapters = self.adapters.list().await?;
        Ok(StorageReport { available: true, models, adapters, used, quota })
    }

    /// Removes a file by the name it was reported under; one that is not there is gone already.
    ///
    /// # Errors
    /// [`Kind::Resource`] while another tab is writing it.
    pub async fn forget(&self, name: &str) -> Result<()> {
        let Ok(folder) = &self.folder else { return Ok(()) };
        let file = name.strip_suffix(UNFINISHED).unwrap_or(name);
        let Some(_lock) = locks::Lock::take_soon(file).await? else {
            return Err(Error::new(Kind::Resource, format!("{file} is being downloaded in another tab"))
                .help("stop the download there first"));
        };
        Record::remove(folder, &format!("{file}{UNFINISHED}")).await?;
        if name == file || Record::read(folder, file).await.is_none() {
            Record::remove(folder, file).await?;
        }
        Ok(())
    }
}

/// Bytes used and allowed, as the browser estimates.
async fn estimate() -> (Option<u64>, Option<u64>) {
    let estimate = async {
        let promise = opfs::storage_manager()?.estimate().ok()?;
        // A dictionary: it has no class that could be checked.
        Some(opfs::settled(promise).await.ok()?.unchecked_into::<StorageEstimate>())
    };
    match estimate.await {
        Some(estimate) => {
            (estimate.get_usage().map(|bytes| bytes as u64), estimate.get_quota().map(|bytes| bytes as u64))
        }
        None => (None, None),
    }
}

/// A JavaScript exception as an error; the name of a `DOMException` says of which kind.
pub(crate) fn exception(what: &str, thrown: &JsValue) -> Error {
    let text = |key: &str| Reflect::get(thrown, &key.into()).ok().and_then(|value| value.as_string());
    let message = text("message").or_else(|| thrown.as_string()).unwrap_or_else(|| format!("{thrown:?}"));
    match text("name").unwrap_or_default().as_str() {
        "AbortError" => Error::new(Kind::Cancelled, "cancelled"),
        "QuotaExceededError" => Error::new(Kind::Resource, "no storage left"),
        "NoModificationAllowedError" => Error::new(Kind::Resource, format!("{what}: in use by another tab")),
        _ => Error::new(Kind::Io, format!("{what}: {message}")),
    }
}
