//! What the worker says, and which part of the page it is for.

use candor::error::{Error, Kind};
use candor::platform;
use candor::protocol::{FromWorker, PROTOCOL_VERSION, Progress, Reply, Stage};
use leptos::prelude::*;

use super::{Engine, Session};
use crate::state::notice::{Doing, Notice};

impl Session {
    /// Takes a message of the worker.
    pub(super) fn take(self, message: FromWorker) {
        let id = message.id;
        match message.reply {
            Reply::Hello { protocol } if protocol == PROTOCOL_VERSION => {
                self.engine.set(Engine::Up);
                self.ask_storage();
            }
            Reply::Hello { protocol } => {
                self.engine.set(Engine::Down(Notice::protocol_mismatch(PROTOCOL_VERSION, protocol)));
            }
            Reply::Progress(progress) => self.progressed(id, progress),
            Reply::Model(info) => {
                if self.is_loading(id) {
                    self.loaded(*info);
                }
            }
            Reply::Adapter(info) => self.adapted(id, *info),
            Reply::Backend(now) => {
                self.pool().session_moved(now.on_gpu);
                self.model.update(|model| {
                    if let Some(model) = model {
                        (model.backend, model.backend_reason) = (now.backend, now.backend_reason);
                        model.on_gpu = now.on_gpu;
                    }
                });
            }
            Reply::Task(report) => self.task_ready(id, report),
            Reply::Classified(classification) => self.classified(id, *classification),
            Reply::Storage(report) => {
                self.storage.set(Some(report));
                self.storage_asked.set(None);
                self.load_kept();
            }
            // Batches are asked for by the pool, which hears the answers itself.
            Reply::Batch(_) => {}
            // Studies have a worker of their own: `session::study` hears it.
            Reply::Study(_) => {}
            Reply::Failed(error) => self.failed(id, &error),
        }
    }

    fn is_loading(self, id: u64) -> bool {
        self.loading.with_untracked(|loading| loading.as_ref().is_some_and(|loading| loading.request == id))
    }

    fn progressed(self, id: u64, progress: Progress) {
        let now = platform::now();
        if self.is_loading(id) {
            if let Some(words) = self.milestones.try_update(|milestones| milestones.announce(&progress)).flatten() {
                self.announce(words);
            }
            self.load_meter.update(|meter| meter.push(now, progress));
        } else if matches!(progress.stage, Stage::Prefix | Stage::Classify)
            && self.work_meter.with_untracked(Option::is_some)
        {
            self.work_meter.update(|meter| meter.get_or_insert_default().push(now, progress));
        }
    }

    fn failed(self, id: u64, error: &Error) {
        if error.kind == Kind::Lost {
            self.lose(error);
        } else if self.is_loading(id) {
            self.load_failed(error);
        } else if self.storage_asked.get_untracked() == Some(id) {
            self.storage_asked.set(None);
            self.storage_notice.set(Notice::new(error, Doing::Loading));
            // Without storage a model can still be loaded, only not kept.
            self.storage.update(|storage| {
                storage.get_or_insert_default();
            });
            self.load_kept();
        } else if self.adapter_asked.get_untracked() == Some(id) {
            self.adapter_failed(error);
        } else {
            self.task_failed(id, error);
            self.classify_failed(id, error);
        }
    }

    /// The worker is gone.
    pub(super) fn lose(self, error: &Error) {
        self.pool().session_lost();
        self.model.set(None);
        self.loading.set(None);
        self.work_meter.set(None);
        self.report.set(None);
        self.task_in_use.set(None);
        self.task_asked.set(None);
        self.adapter_asked.set(None);
        self.typing.update(|typing| typing.clear());
        let lost = Error { kind: Kind::Lost, ..error.clone() };
        if let Some(notice) = Notice::new(&lost, Doing::Loading) {
            self.engine.set(Engine::Down(notice));
        }
    }
}
