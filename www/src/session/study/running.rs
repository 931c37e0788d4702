//! A data set's texts are scored over the pool of engines, and read with the task's bias correction.

use std::rc::Rc;

use candor::error::Kind;
use candor::protocol::{StudyRequest, Vectors};
use candor::stats::bias::LabelBias;
use candor::task::{BiasMethod, Task};
use leptos::prelude::*;

use super::keeping::Recall;
use super::{Running, Study};
use crate::pool::{BatchEvent, BatchJob, BatchProgress};
use crate::session::BatchBias;
use crate::state::evaluation::lot::sample;
use crate::state::evaluation::runs::vectors_stem;
use crate::state::evaluation::scores::{Scored, Scores, correct, file_name, scoring_task};

/// Next tokens that are kept of each text.
const TOP: usize = 5;
/// The longest prompt of a run, in tokens.
const LIMIT: usize = 2048;

impl Study {
    /// Another task or model has other scores; what was kept of them comes back. Before a model is loaded, those of the
    /// model that scored last are shown.
    pub(super) fn follow_task_and_model(self) {
        let session = self.session;
        Effect::new(move |_| {
            let loaded = session.model.with(|model| model.as_ref().map(|model| model.sha256.clone()));
            let adapter = if loaded.is_some() { session.adapter_sha256() } else { self.scored_adapter.get() };
            let task = match &loaded {
                Some(_) => session.task_in_use.get(),
                None => session
                    .problems
                    .with(|problems| problems.is_empty())
                    .then(|| session.shelf.with(|shelf| shelf.chosen().draft.clone())),
            };
            let model = loaded.or_else(|| self.scored_by.get());
            let has_material = self.material.with(Option::is_some);
            let Some(task) = task.filter(|_| has_material) else { return };
            untrack(move || {
                self.fit_labels(&task);
                if let Some(model) = model {
                    self.score_with(task, model, adapter);
                }
            });
        });
    }

    /// The data's labels mean what they mean for this task.
    fn fit_labels(self, task: &Task) {
        let fitted = self.labels.with_untracked(|labels| labels.fitted_to(task));
        if self.labels.with_untracked(|labels| *labels != fitted) {
            self.labels.set(fitted);
        }
    }

    /// The scores of this task, model and adapter are the ones that are shown.
    fn score_with(self, task: Task, model: String, adapter: Option<String>) {
        let file = file_name(&model, adapter.as_deref(), &scoring_task(&task).sha256());
        let same_file = self.scores_file.get_untracked().as_ref() == Some(&file);
        if same_file && self.scored_with.with_untracked(|scored| scored.as_ref() == Some(&task)) {
            return;
        }
        if !same_file {
            self.cancel();
        }
        let corrected = self.scored_with.with_untracked(|scored| scored.as_ref().is_some_and(is_corrected_here));
        self.scored_by.set(Some(model));
        self.scored_adapter.set(adapter);
        self.scored_with.set(Some(task.clone()));
        if same_file {
            // Only the correction that is made on this page is another one: no score changes.
            if corrected {
                self.scores.update(|scores| scores.correct(&LabelBias::none(task.labels.len())));
            }
            self.correct_bias();
            self.note_run();
            return;
        }
        self.running.set(Running::Not);
        let texts = self.material.with_untracked(|m| m.as_ref().map_or(0, |material| material.different_texts()));
        self.scores.set(Scores::new(texts));
        self.session.batch_bias.set(None);
        self.scores_file.set(Some(file.clone()));
        // Labels are other ones now, and so is what waits for the person.
        self.turn.update(|turn| turn.release());
        self.open();
        self.restoring.set(self.link.with_value(Option::is_some));
        self.recall(file.clone(), Recall::Scores(file));
    }

    /// Takes the labels' average out of all answers, where the task asks for that and the rows it is taken from are
    /// scored; typed texts are read with the same average from then on.
    pub(super) fn correct_bias(self) {
        let task = self.scored_with.get_untracked().filter(is_corrected_here);
        let material = self.material.get_untracked();
        let found = task.zip(material).and_then(|(task, material)| {
            let bias = self.scores.with_untracked(|scores| scores.batch_bias(&material))?;
            let (model, adapter) = (self.scored_by.get_untracked()?, self.scored_adapter.get_untracked());
            Some(BatchBias { model, adapter, task, bias })
        });
        if let Some(found) = &found {
            self.scores.update(|scores| scores.correct(&found.bias));
        }
        if self.session.batch_bias.with_untracked(|known| *known != found) {
            self.session.batch_bias.set(found);
            self.session.text_changed();
        }
    }

    /// Scores the texts that are not scored yet.
    pub fn run(self) {
        self.run_texts(self.scores.with_untracked(Scores::missing), false);
    }

    /// Scores so many of the texts that are not scored yet, drawn by lot: a first look at large data.
    pub fn run_sample(self, count: usize) {
        self.run_texts(sample(self.scores.with_untracked(Scores::missing), count), false);
    }

    /// Scores these texts; `again` reads texts that are scored already, for what a probe needs of them.
    pub(super) fn run_texts(self, wanted: Vec<usize>, again: bool) {
        let (Some(material), Some(task)) = (self.material.get_untracked(), self.scored_with.get_untracked()) else {
            return;
        };
        let missing = wanted;
        // What is kept is not computed again.
        let busy = self.restoring.get_untracked() || self.job.with_value(Option::is_some);
        if missing.is_empty() || busy {
            return;
        }
        let texts: Vec<&str> = material.texts().collect();
        let texts: Rc<[String]> = missing.iter().map(|&text| texts[text].to_owned()).collect();
        let context = self.session.model.with_untracked(|model| model.as_ref().map_or(LIMIT, |model| model.context));
        let adapter = self.scored_adapter.get_untracked();
        let stem = vectors_stem(&self.scored_by.get_untracked().unwrap_or_default(), adapter.as_deref(), &task);
        let vectors = if again { Vectors::Compute(stem) } else { Vectors::Keep(stem) };
        let limit_tokens = context.min(LIMIT);
        let alone = untrack(move || self.session.adapter_is_only_here());
        let job = BatchJob { adapter, task, texts, top: TOP, limit_tokens, vectors, alone, together: false };
        let file = self.scores_file.get_untracked();
        let total = missing.len();
        match self.session.pool().run(job, move |event| self.take_event(&missing, file.as_deref(), event)) {
            Ok(handle) => {
                self.job.set_value(Some(handle));
                self.running.set(Running::Under(BatchProgress {
                    done: 0,
                    total,
                    rows_per_second: None,
                    seconds_left: None,
                    workers: 0,
                    starting: 1,
                    paused: false,
                    note: None,
                }));
            }
            Err(error) => self.running.set(Running::Failed(error)),
        }
    }

    fn take_event(self, missing: &[usize], file: Option<&str>, event: BatchEvent) {
        // What an older run still says is of another task or model.
        if self.scores_file.get_untracked().as_deref() != file {
            return;
        }
        match event {
            BatchEvent::Results { first, results } => {
                let scored: Vec<(usize, Scored)> =
                    missing[first..].iter().copied().zip(results.into_iter().map(Scored::new)).collect();
                let is_new = |text: usize| self.scores.with_untracked(|scores| scores.of(text).is_none());
                let fresh: Vec<(usize, Scored)> = scored.into_iter().filter(|(text, _)| is_new(*text)).collect();
                if let (Some(file), Some(material), false) = (file, self.material.get_untracked(), fresh.is_empty()) {
                    let lines = Scores::lines(&material, &fresh);
                    self.send(StudyRequest::Append { name: file.to_owned(), text: lines });
                }
                self.take_scores(fresh);
            }
            BatchEvent::Progress(progress) => {
                if self.job.with_value(Option::is_some) {
                    self.running.set(Running::Under(progress));
                }
            }
            BatchEvent::Ended(outcome) => {
                self.job.set_value(None);
                // Also after a run that was stopped or has failed: what it scored is there, and a run to compare.
                self.correct_bias();
                self.note_run();
                match outcome {
                    Ok(summary) => {
                        self.running.set(Running::Not);
                        self.fit_anew_on_more_rows();
                        self.go_on_with_probe();
                        let rows = crate::state::format::counted(summary.rows as u64, "text");
                        self.session.announce(format!("{rows} scored"));
                    }
                    Err(error) if error.kind == Kind::Cancelled => self.running.set(Running::Not),
                    Err(error) => self.running.set(Running::Failed(error)),
                }
            }
        }
    }

    /// Takes scores as the model gave them, read as those that are there already: where label bias is taken out, it is
    /// taken out of all or of none.
    fn take_scores(self, mut fresh: Vec<(usize, Scored)>) {
        let known = self.session.batch_bias.get_untracked();
        if let Some(known) = &known {
            fresh.iter_mut().for_each(|(_, scored)| correct(&mut scored.prediction, &known.bias));
        }
        self.scores.update(|scores| fresh.into_iter().for_each(|(text, scored)| scores.put(text, scored)));
        if known.is_none() {
            self.correct_bias();
        }
    }

    /// Lets the run rest, or go on.
    pub fn pause(self, rests: bool) {
        self.job.with_value(|job| match job {
            Some(job) if rests => job.pause(),
            Some(job) => job.resume(),
            None => {}
        });
    }

    /// Ends the run; what is scored stays.
    pub fn cancel(self) {
        let job = self.job.try_update_value(Option::take).flatten();
        if let Some(job) = job {
            job.cancel();
            self.running.set(Running::Not);
        }
    }
}

/// Whether the task's bias correction is made on this page.
fn is_corrected_here(task: &Task) -> bool {
    task.bias.method == BiasMethod::Batch
}
