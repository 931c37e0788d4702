//! A probe is trained on the labelled rows, from what a run has computed of them anyway.

use candor::dataset::Example;
use candor::error::{Error, Kind, Result};
use candor::protocol::probe::ProbeFile;
use candor::protocol::{Prediction, ProbeReport, ProbeRequest, Progress, Stage, StudyReply, StudyRequest};
use leptos::prelude::*;

use super::keeping::Recall;
use super::{Comparing, Study};
use crate::state::evaluation::runs::{ProbeFacts, Run, probe_files, vectors_stem};
use crate::state::evaluation::scores::scoring_task;
use candor::stats::saved::Binding;

/// Where the training of a probe is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Probing {
    /// Nothing is trained.
    #[default]
    Not,
    /// So many texts are read once more first: their vectors are not at hand.
    Reads(usize),
    /// It is being trained; how far that is, from 0 to 1.
    Under(f64),
    /// It could not be trained, and why.
    Failed(Error),
}

/// A probe that typed texts are shown to.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeInUse {
    /// Its file.
    pub file: String,
    /// The probe.
    pub saved: ProbeFile,
}

impl Study {
    /// Trains a probe on the rows whose label is known, with the model, adapter and task that they are scored with.
    pub fn train_probe(self) {
        self.train(true);
    }

    fn train(self, may_read: bool) {
        let (Some(run), Some((entry, project))) = (untrack(move || self.current_run()), self.project_files()) else {
            return;
        };
        let (probe, scores) = probe_files(&entry.id, &run);
        let request = ProbeRequest {
            project,
            vectors: vectors_stem(&run.model.sha256, run.adapter_sha256(), &run.task),
            task: scoring_task(&run.task),
            bound_to: run.binding(),
            probe: probe.clone(),
            scores: scores.clone(),
        };
        self.probing.set(Probing::Under(0.0));
        self.when_kept(move || {
            self.compute(StudyRequest::Probe(Box::new(request)), move |outcome| {
                // Stopped meanwhile, or about another project.
                let wanted = self.probing.with_untracked(|probing| matches!(probing, Probing::Under(_)))
                    && self.index.with_untracked(|index| index.open.as_ref() == Some(&entry.id));
                if !wanted {
                    return;
                }
                match outcome {
                    Ok(StudyReply::Probed(report)) => self.probed(run, (probe, scores), *report, may_read),
                    Ok(_) => self.probing.set(Probing::Failed(Error::internal("an answer to something else"))),
                    Err(error) => self.probing.set(Probing::Failed(error)),
                }
            });
        });
    }

    fn probed(self, run: Run, (file, scores): (String, String), report: ProbeReport, may_read: bool) {
        let ProbeReport { rows, missing, probe } = report;
        let saved = probe.map(|text| ProbeFile::read(&text));
        match saved {
            Some(Ok(saved)) => {
                self.probing.set(Probing::Not);
                self.session
                    .announce(format!("A probe is trained on {}", crate::state::format::counted(rows as u64, "row")));
                let facts = ProbeFacts { file: file.clone(), scores, rows };
                self.put_run(Run { task: scoring_task(&run.task), probe: Some(facts), ..run });
                self.probe.set(Some(ProbeInUse { file, saved }));
            }
            Some(Err(error)) => self.probing.set(Probing::Failed(error)),
            None if may_read && !untrack(move || self.is_running()) => {
                self.probing.set(Probing::Reads(missing.len()));
                self.run_texts(missing, true);
            }
            None => {
                let error = Error::new(Kind::Resource, "what a probe reads could not be kept on this device");
                self.probing.set(Probing::Failed(error.help("make room on the device, and try again")));
            }
        }
    }

    /// The texts that a probe still lacked are read.
    pub(super) fn go_on_with_probe(self) {
        if self.probing.with_untracked(|probing| matches!(probing, Probing::Reads(_))) {
            self.train(false);
        }
    }

    /// How far the second worker is with a probe.
    pub(super) fn probe_progressed(self, progress: &Progress) {
        let Progress { stage: Stage::Train, done, total: Some(total) } = progress else { return };
        if self.probing.with_untracked(|probing| matches!(probing, Probing::Under(_))) {
            self.probing.set(Probing::Under(*done as f64 / (*total).max(1) as f64));
        }
    }

    /// Stops the training; a probe that was there before stays.
    pub fn stop_probing(self) {
        match self.probing.get_untracked() {
            Probing::Reads(_) => self.cancel(),
            // It computes without a pause: only its end ends it. The next question starts another one.
            Probing::Under(_) => self.end_statistics(),
            Probing::Not | Probing::Failed(_) => {}
        }
        self.probing.set(Probing::Not);
    }

    /// Ends the second worker; what it was computing besides is asked for again.
    fn end_statistics(self) {
        self.statistics.set_value(None);
        self.examination_lost();
        if self.compared.with_untracked(|found| *found == Comparing::Under) {
            self.compared_last.update_value(|(_, key)| key.clear());
            self.compared.set(Comparing::Not);
        }
    }

    /// Has typed texts shown to a probe, or to none.
    pub fn use_probe(self, file: Option<String>) {
        self.recall_probe(file);
    }

    pub(super) fn recall_probe(self, file: Option<String>) {
        match file {
            Some(file) => self.recall(file.clone(), Recall::Probe(file)),
            None => self.probe.set(None),
        }
    }

    pub(super) fn probe_recalled(self, file: &str, text: Option<String>) {
        let saved = text.and_then(|text| ProbeFile::read(&text).ok());
        self.probe.set(saved.map(|saved| ProbeInUse { file: file.to_owned(), saved }));
    }

    /// What the probe in use says of an answer's text, where it belongs to what answered.
    pub fn probe_of_texts(self, text: &str, vector: &[f32]) -> Option<(Prediction, ProbeFile)> {
        let session = self.session;
        let here = Binding {
            model_sha256: session.model.with(|model| model.as_ref().map(|model| model.sha256.clone())),
            adapter_sha256: session.adapter_sha256(),
            task_sha256: session.task_in_use.with(|task| task.as_ref().map(|task| scoring_task(task).sha256())),
        };
        self.probe.with(|used| {
            let saved = used.as_ref().map(|used| &used.saved).filter(|saved| saved.bound_to == here)?;
            let row = Example { id: String::new(), text: text.to_owned(), label: None, group: None, line: 0 };
            Some((saved.predict(&row, vector).ok()?, saved.clone()))
        })
    }
}

/// Reads a kept probe.
///
/// # Errors
/// It is gone, or no probe.
pub(super) async fn read_probe(study: Study, file: &str) -> Result<ProbeFile> {
    let gone = || Error::input("the probe is not kept on this device any more").help("train it again");
    ProbeFile::read(&study.ask_for_text(file.to_owned()).await.ok_or_else(gone)?)
}
