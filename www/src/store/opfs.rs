//! The origin's private file system: one folder of model files.
//!
//! Thin: promises become futures, exceptions become errors, and an access handle is closed when it is dropped (an
//! open one locks its file for every tab).

use candor::error::{Error, Kind, Result};
use js_sys::{Array, AsyncIterator, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageManager,
};

use super::blob::BlobReader;
use super::exception;
use super::reader::{HandleReader, ModelReader};

/// The folder of model files, in the origin's root.
pub const MODELS: &str = "models";
/// The folder of adapters.
pub const ADAPTERS: &str = "adapters";
/// The folder of data sets, scores and labels.
pub const STUDIES: &str = "studies";

pub(super) async fn settled(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

/// The storage manager of page or worker; nothing outside a secure context.
pub(super) fn storage_manager() -> Option<StorageManager> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let storage = Reflect::get(&navigator, &"storage".into()).ok()?;
    (!storage.is_undefined()).then(|| storage.unchecked_into())
}

/// A folder of the origin's private file system.
#[derive(Debug, Clone)]
pub struct Folder {
    handle: FileSystemDirectoryHandle,
}

impl Folder {
    /// Opens a folder of the origin's root, made where it is missing.
    ///
    /// # Errors
    /// Where the browser has no private file system, or not in this window.
    pub async fn open(name: &str) -> Result<Self> {
        let unavailable = |reason: &str| Error::new(Kind::Resource, reason);
        let storage =
            storage_manager().ok_or_else(|| unavailable("this browser gives the page no storage (is it https?)"))?;
        let has = |object: &JsValue, name: &str| Reflect::has(object, &name.into()).unwrap_or(false);
        let prototype = Reflect::get(&js_sys::global(), &"FileSystemFileHandle".into())
            .and_then(|class| Reflect::get(&class, &"prototype".into()))
            .unwrap_or_default();
        if !has(&storage, "getDirectory") || !prototype.is_object() || !has(&prototype, "createSyncAccessHandle") {
            return Err(unavailable("this browser has no private file system for pages"));
        }
        let refused = |_| unavailable("this browser keeps no files here (a private window?)");
        let root: FileSystemDirectoryHandle = settled(storage.get_directory()).await.map_err(refused)?.unchecked_into();
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(true);
        let handle = settled(root.get_directory_handle_with_options(name, &options)).await.map_err(refused)?;
        Ok(Self { handle: handle.unchecked_into() })
    }

    async fn entry(&self, name: &str, create: bool) -> Result<Option<FileSystemFileHandle>> {
        let options = FileSystemGetFileOptions::new();
        options.set_create(create);
        match settled(self.handle.get_file_handle_with_options(name, &options)).await {
            Ok(handle) => Ok(Some(handle.unchecked_into())),
            Err(thrown) if is_not_found(&thrown) => Ok(None),
            Err(thrown) => Err(exception(name, &thrown)),
        }
    }

    /// A snapshot of a file, if it is there.
    pub async fn snapshot(&self, name: &str) -> Result<Option<File>> {
        let Some(entry) = self.entry(name, false).await? else { return Ok(None) };
        match settled(entry.get_file()).await {
            Ok(file) => Ok(Some(file.unchecked_into())),
            Err(thrown) if is_not_found(&thrown) => Ok(None),
            Err(thrown) => Err(exception(name, &thrown)),
        }
    }

    /// A reader of a file, if it is there: the quick one where the file is free, else one of a snapshot.
    pub async fn reader(&self, name: &str) -> Result<Option<ModelReader>> {
        let Some(entry) = self.entry(name, false).await? else { return Ok(None) };
        let options = Object::new();
        // Browsers that do not know this mode lock the file for reading too.
        let _ = Reflect::set(&options, &"mode".into(), &"read-only".into());
        if let Ok(handle) = settled(create_sync_access_handle(&entry, &options)).await {
            return Ok(Some(ModelReader::Handle(HandleReader::new(handle.unchecked_into())?)));
        }
        let snapshot = self.snapshot(name).await?;
        Ok(snapshot.map(|file| ModelReader::blob(file.into())).transpose()?)
    }

    /// A file's text, if it is there.
    pub async fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(file) = self.snapshot(name).await? else { return Ok(None) };
        let text = settled(file.text()).await.map_err(|thrown| exception(name, &thrown))?;
        Ok(text.as_string())
    }

    /// A file's bytes, if it is there.
    pub async fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.snapshot(name).await? else { return Ok(None) };
        let buffer = settled(file.array_buffer()).await.map_err(|thrown| exception(name, &thrown))?;
        Ok(Some(Uint8Array::new(&buffer).to_vec()))
    }

    /// Writes a whole file, over what was there.
    ///
    /// # Errors
    /// [`Kind::Resource`] while another tab has it open, or when no storage is left.
    pub async fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let writer = self.writer(name).await?;
        writer.truncate(0)?;
        writer.write_at(0, &Uint8Array::from(bytes))?;
        writer.flush()
    }

    /// Opens a file for writing, made where it is missing.
    ///
    /// # Errors
    /// [`Kind::Resource`] while another tab has it open.
    pub async fn writer(&self, name: &str) -> Result<Writer> {
        let entry =
            self.entry(name, true).await?.ok_or_else(|| Error::new(Kind::Io, format!("{name} was not made")))?;
        let handle = settled(entry.create_sync_access_handle()).await.map_err(|thrown| exception(name, &thrown))?;
        Ok(Writer { handle: handle.unchecked_into(), name: name.to_owned() })
    }

    /// Removes a file; one that is not there is gone already.
    pub async fn remove(&self, name: &str) -> Result<()> {
        match settled(self.handle.remove_entry(name)).await {
            Err(thrown) if !is_not_found(&thrown) => Err(exception(name, &thrown)),
            _ => Ok(()),
        }
    }

    /// Gives a file another name that is free.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let entry = self.entry(from, false).await?.ok_or_else(|| Error::new(Kind::Io, format!("{from} is gone")))?;
        // Every browser with access handles has `move`, though the standard does not list it yet.
        match Reflect::get(&entry, &"move".into()).ok().and_then(|method| method.dyn_into::<Function>().ok()) {
            Some(rename) => {
                let moved = rename.call1(&entry, &to.into()).map_err(|thrown| exception(from, &thrown))?;
                settled(Promise::resolve(&moved)).await.map_err(|thrown| exception(from, &thrown))?;
                Ok(())
            }
            None => self.copy(from, to).await,
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let file = self.snapshot(from).await?.ok_or_else(|| Error::new(Kind::Io, format!("{from} is gone")))?;
        let bytes = file.size() as u64;
        let writer = self.writer(to).await?;
        let (mut offset, mut outcome) = (0, Ok(()));
        BlobReader::new(file.into())?.for_each_slice(bytes, |slice| {
            outcome = std::mem::replace(&mut outcome, Ok(())).and_then(|()| writer.write_at(offset, slice));
            offset += u64::from(slice.length());
        })?;
        outcome?;
        writer.flush()
    }

    /// All files, with their sizes.
    pub async fn list(&self) -> Result<Vec<(String, u64)>> {
        let names: AsyncIterator = self.handle.keys();
        let mut files = Vec::new();
        loop {
            let failed = |thrown: JsValue| exception("the list of models", &thrown);
            let step = settled(names.next().map_err(failed)?).await.map_err(failed)?;
            let field = |key: &str| Reflect::get(&step, &key.into()).unwrap_or_default();
            if field("done").is_truthy() {
                return Ok(files);
            }
            let Some(name) = field("value").as_string() else { continue };
            if let Some(file) = self.snapshot(&name).await? {
                files.push((name, file.size() as u64));
            }
        }
    }
}

/// `createSyncAccessHandle(options)`, whose options web-sys holds for unstable.
fn create_sync_access_handle(entry: &FileSystemFileHandle, options: &Object) -> Promise {
    let method = Reflect::get(entry, &"createSyncAccessHandle".into()).unwrap_or_default();
    let promise = method.dyn_into::<Function>().and_then(|method| method.call1(entry, options));
    promise.map_or_else(|thrown| Promise::reject(&thrown), |promise| promise.unchecked_into())
}

fn is_not_found(thrown: &JsValue) -> bool {
    let name = Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string());
    matches!(name.as_deref(), Some("NotFoundError" | "TypeMismatchError"))
}

/// A file open for writing, by this worker alone; closed when dropped.
#[derive(Debug)]
pub struct Writer {
    handle: FileSystemSyncAccessHandle,
    name: String,
}

impl Writer {
    /// Bytes in the file.
    pub fn size(&self) -> Result<u64> {
        self.handle.get_size().map(|bytes| bytes as u64).map_err(|thrown| self.failed(&thrown))
    }

    /// Cuts the file, or fills it with zeros, to this size.
    pub fn truncate(&self, bytes: u64) -> Result<()> {
        self.handle.truncate_with_f64(bytes as f64).map_err(|thrown| self.failed(&thrown))
    }

    /// Writes all of `bytes` at an offset.
    ///
    /// # Errors
    /// [`Kind::Resource`] when no storage is left.
    pub fn write_at(&self, offset: u64, bytes: &Uint8Array) -> Result<()> {
        let (mut offset, mut bytes) = (offset, bytes.clone());
        while bytes.length() > 0 {
            let options = FileSystemReadWriteOptions::new();
            options.set_at(offset as f64);
            let written = self
                .handle
                .write_with_js_u8_array_and_options(&bytes, &options)
                .map_err(|thrown| self.failed(&thrown))?;
            if written < 1.0 {
                return Err(Error::new(Kind::Resource, "no storage left"));
            }
            offset += written as u64;
            bytes = bytes.subarray(written as u32, bytes.length());
        }
        Ok(())
    }

    /// Hands what was written to the operating system.
    pub fn flush(&self) -> Result<()> {
        self.handle.flush().map_err(|thrown| self.failed(&thrown))
    }

    fn failed(&self, thrown: &JsValue) -> Error {
        exception(&self.name, thrown)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Several pieces as one `Blob`: bytes that are held by the browser instead of kept in a file.
pub(super) fn joined(parts: &Array) -> Result<web_sys::Blob> {
    web_sys::Blob::new_with_buffer_source_sequence(parts).map_err(|thrown| exception("holding the model", &thrown))
}
