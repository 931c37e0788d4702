//! Models: the one that is offered, those kept on the device, files and addresses.

use candor::error::Error;
use candor::protocol::{ModelSource, Request};
use leptos::prelude::*;

use super::{Engine, Session};
use crate::browser::{self, keep, keep_in_tab};
use crate::link;
use crate::models;
use crate::state::network::model_host;
use crate::state::notice::{Doing, Notice, WayOn};
use crate::state::progress::{Meter, Milestones};
use crate::state::typing::Typing;

/// A model on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Loading {
    /// The request's number.
    pub(super) request: u64,
    /// Where from.
    pub source: ModelSource,
}

impl Loading {
    /// What is being loaded, in words.
    pub fn name(&self) -> String {
        source_name(&self.source)
    }
}

fn source_name(source: &ModelSource) -> String {
    match source {
        ModelSource::Manifest { name, .. } => models::title(name).to_owned(),
        other => models::source_file(other).to_owned(),
    }
}

impl Session {
    /// Loads the model that comes with the page.
    pub fn load_default(self) {
        self.load(models::default_source());
    }

    /// Loads a model. What is in use stays in use until the new one is ready.
    pub fn load(self, source: ModelSource) {
        self.cancel_loading();
        self.load_notice.set(None);
        self.unasked.set(false);
        self.model_panel.set(false);
        self.load_meter.set(Meter::default());
        self.milestones.set(Milestones::default());
        let request = self.send(Request::LoadModel { source: source.clone() });
        self.loading.set(Some(Loading { request, source }));
    }

    /// Loads a file that a person picked or dropped.
    pub fn load_file(self, file: &web_sys::File) {
        match web_sys::Url::create_object_url_with_blob(file) {
            Ok(url) => self.load(ModelSource::File { url, name: file.name(), bytes: file.size() as u64 }),
            Err(_) => self.load_failed(&Error::new(candor::error::Kind::Io, "the browser did not open the file")),
        }
    }

    /// Loads from an address whose host is allowed already.
    pub fn load_url(self, url: &str) {
        self.load(ModelSource::Url { url: url.trim().to_owned() });
    }

    /// Whether the page may ask this address now, or only after its host is allowed; an error says why neither.
    pub fn url_is_allowed(self, url: &str) -> Result<bool, &'static str> {
        model_host(url).map(|_| link::is_host_allowed(url.trim()))
    }

    /// Allows the host of an address and loads the page anew: a page's rules hold from its first byte.
    pub fn allow_and_reload(self, url: &str) {
        link::allow_host(url.trim());
        browser::keep_value_in_tab(keep_in_tab::PENDING_URL, url.trim());
        browser::reload();
    }

    /// Stops what is on its way.
    pub fn cancel_loading(self) {
        if let Some(loading) = self.loading.get_untracked() {
            self.send(Request::Cancel { target: loading.request });
            self.loading_ended(&loading);
        }
    }

    fn loading_ended(self, loading: &Loading) {
        self.loading.set(None);
        self.ask_if_due();
        if let ModelSource::File { url, .. } = &loading.source {
            // The worker has its own handle by now, or does not need one any more.
            let _ = web_sys::Url::revoke_object_url(url);
        }
    }

    /// The model is ready.
    pub(super) fn loaded(self, info: candor::protocol::ModelInfo) {
        if let Some(loading) = self.loading.get_untracked() {
            self.loading_ended(&loading);
            browser::keep_value(keep::MODEL, models::source_file(&loading.source));
            self.pool_loaded(&info, models::source_file(&loading.source));
        }
        self.announce(format!("{} is ready", models::title(&info.name)));
        self.not_kept_seen.set(false);
        self.adapter_asked.set(None);
        self.adapter_notice.set(None);
        self.take_model(info);
        self.ask_storage();
        self.apply_last_adapter();
        self.use_task();
    }

    /// Other weights are in use: task and answer were those of the ones before.
    pub(super) fn take_model(self, info: candor::protocol::ModelInfo) {
        self.model.set(Some(info));
        self.typing.update(Typing::clear);
        self.task_asked.set(None);
        self.task_in_use.set(None);
        self.report.set(None);
        self.answer.set(None);
        self.pace.set(Default::default());
    }

    /// The model did not come.
    pub(super) fn load_failed(self, error: &Error) {
        if let Some(loading) = self.loading.get_untracked() {
            self.loading_ended(&loading);
            self.last_source.set(Some(loading.source));
        }
        let known = self.last_source.with_untracked(|source| matches!(source, Some(ModelSource::Manifest { .. })));
        let doing = if known { Doing::LoadingKnown } else { Doing::Loading };
        self.load_notice.set(Notice::new(error, doing));
    }

    /// The way on from a model that did not come.
    pub fn after_load_failure(self, way_on: WayOn) {
        match way_on {
            WayOn::Retry => match self.last_source.get_untracked() {
                // A picked file's address was given back to the browser; only the person can pick it again.
                Some(ModelSource::File { .. }) => self.choose_model(),
                Some(source) => self.load(source),
                None => self.load_default(),
            },
            WayOn::Storage | WayOn::ChooseModel => self.choose_model(),
            WayOn::Restart => self.restart(),
            WayOn::Reload => browser::reload(),
            WayOn::None => {}
        }
    }

    /// Whether the last model that did not come was the default one, and could be asked of another host.
    pub fn could_come_from_elsewhere(self) -> bool {
        let default = self.last_source.with(|source| matches!(source, Some(ModelSource::Manifest { .. })));
        let network =
            self.load_notice.with(|notice| notice.as_ref().is_some_and(|notice| notice.way_on == WayOn::Retry));
        default && network && !link::is_host_allowed(models::DEFAULT.elsewhere)
    }

    /// Opens the panel with the model's particulars, what is stored, and other models.
    pub fn choose_model(self) {
        self.ask_storage();
        self.model_panel.set(true);
    }

    /// Asks what is kept on the device.
    pub fn ask_storage(self) {
        let request = self.send(Request::Storage);
        self.storage_asked.set(Some(request));
    }

    /// Loads a kept model file.
    pub fn load_kept_file(self, file: String) {
        self.load(if file == models::DEFAULT.file { models::default_source() } else { ModelSource::Kept { file } });
    }

    /// Removes a kept model file.
    pub fn forget(self, file: String) {
        self.storage_notice.set(None);
        let request = self.send(Request::Forget { file });
        self.storage_asked.set(Some(request));
    }

    /// Once it is known what is kept: a model used before is loaded without being asked for.
    pub(super) fn load_kept(self) {
        if self.looked_for_kept.get_untracked() || self.engine.get_untracked() != Engine::Up {
            return;
        }
        self.looked_for_kept.set(true);
        if let Some(url) = browser::kept_in_tab(keep_in_tab::PENDING_URL) {
            browser::keep_value_in_tab(keep_in_tab::PENDING_URL, "");
            if url == models::DEFAULT.elsewhere {
                self.load_default();
            } else {
                self.load_url(&url);
            }
            return;
        }
        let storage = self.storage.get_untracked().unwrap_or_default();
        let last = browser::kept(keep::MODEL);
        if let Some(source) = models::kept_source(&storage, last.as_deref()) {
            self.load(source);
            self.unasked.set(true);
        }
    }
}
