//! Adapters beside the model: chosen, swapped, put away, and put back on the next visit.

use candor::error::{Error, Kind};
use candor::protocol::{AdapterInfo, AdapterSource, DataFile, ModelInfo, Request};
use js_sys::Reflect;
use leptos::prelude::*;

use super::Session;
use crate::browser::{self, keep};
use crate::state::notice::{Doing, Notice};

impl Session {
    /// The adapter in use.
    pub fn adapter(self) -> Option<AdapterInfo> {
        self.model.with(|model| model.as_ref().and_then(|model| model.adapter.clone()))
    }

    /// SHA-256 of the adapter in use.
    pub fn adapter_sha256(self) -> Option<String> {
        self.adapter().map(|adapter| adapter.sha256)
    }

    /// Whether the adapter in use could not be kept, so that only the session's worker has it.
    pub(super) fn adapter_is_only_here(self) -> bool {
        self.adapter().is_some_and(|adapter| adapter.kept.is_err())
    }

    /// Whether an adapter is on its way.
    pub fn is_adapting(self) -> bool {
        self.adapter_asked.with(Option::is_some)
    }

    /// Applies the adapter among files that a person picked or dropped.
    pub fn use_adapter_files(self, files: Vec<web_sys::File>) {
        let mut picked = Vec::new();
        for file in &files {
            match web_sys::Url::create_object_url_with_blob(file) {
                Ok(url) => picked.push(DataFile { name: path_of(file), url }),
                Err(_) => {
                    let error = Error::new(Kind::Io, "the browser did not open the file").at_file(file.name());
                    self.adapter_notice.set(Notice::new(&error, Doing::Adapting));
                    return;
                }
            }
        }
        self.set_adapter(Some(AdapterSource::Files(picked)));
    }

    /// Applies an adapter that is kept on the device.
    pub fn use_kept_adapter(self, sha256: String) {
        self.set_adapter(Some(AdapterSource::Kept(sha256)));
    }

    /// Goes back to the model as it is.
    pub fn put_adapter_away(self) {
        self.set_adapter(None);
    }

    /// Removes a kept adapter; one that is in use stays in use.
    pub fn forget_adapter(self, sha256: String) {
        self.storage_notice.set(None);
        if browser::kept(keep::ADAPTER).is_some_and(|last| last.ends_with(&sha256)) {
            browser::keep_value(keep::ADAPTER, "");
        }
        let request = self.send(Request::ForgetAdapter { sha256 });
        self.storage_asked.set(Some(request));
    }

    fn set_adapter(self, source: Option<AdapterSource>) {
        self.adapter_notice.set(None);
        let urls: Vec<String> = match &source {
            Some(AdapterSource::Files(files)) => files.iter().map(|file| file.url.clone()).collect(),
            _ => Vec::new(),
        };
        let request = self.send(Request::SetAdapter { source });
        self.adapter_asked.set(Some(request));
        self.adapter_urls.set_value(urls);
    }

    /// The adapter is applied, or put away.
    pub(super) fn adapted(self, request: u64, info: ModelInfo) {
        if self.adapter_asked.get_untracked() != Some(request) {
            return;
        }
        self.adapter_ended();
        let kept = info.adapter.as_ref().map(|adapter| format!("{} {}", info.sha256, adapter.sha256));
        browser::keep_value(keep::ADAPTER, &kept.unwrap_or_default());
        self.announce(match &info.adapter {
            Some(adapter) => format!("The adapter {} is in use", adapter.name),
            None => "The model is in use without an adapter".to_owned(),
        });
        self.take_model(info);
        self.ask_storage();
        self.use_task();
    }

    /// The adapter was refused; the model goes on as it was.
    pub(super) fn adapter_failed(self, error: &Error) {
        self.adapter_ended();
        self.adapter_notice.set(Notice::new(error, Doing::Adapting));
        self.use_task();
        self.ask_if_due();
    }

    fn adapter_ended(self) {
        self.adapter_asked.set(None);
        for url in self.adapter_urls.try_update_value(std::mem::take).unwrap_or_default() {
            let _ = web_sys::Url::revoke_object_url(&url);
        }
    }

    /// A model has come: the adapter that was used with it last comes back.
    pub(super) fn apply_last_adapter(self) {
        let last = browser::kept(keep::ADAPTER).unwrap_or_default();
        if let Some((model, adapter)) = last.split_once(' ')
            && self.model.with_untracked(|loaded| loaded.as_ref().is_some_and(|loaded| loaded.sha256 == model))
        {
            self.use_kept_adapter(adapter.to_owned());
        }
    }

    /// A project was opened whose scores are of this model and adapter: it is applied, if it is at hand.
    pub(super) fn apply_adapter_of_project(self, model: &str, adapter: String) {
        let fits = self.model.with_untracked(|loaded| loaded.as_ref().is_some_and(|loaded| loaded.sha256 == model));
        let kept = self.storage.with_untracked(|storage| {
            storage.as_ref().is_some_and(|storage| storage.adapters.iter().any(|kept| kept.sha256 == adapter))
        });
        if fits && kept && untrack(move || self.adapter_sha256()).as_ref() != Some(&adapter) {
            self.use_kept_adapter(adapter);
        }
    }
}

/// A picked file's name, with its folder where a folder was picked.
fn path_of(file: &web_sys::File) -> String {
    let path = Reflect::get(file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name())
}
