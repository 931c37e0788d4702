//! A data set's texts are scored over the pool of engines, and what is scored is examined.

use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::protocol::StudyRequest;
use candor::task::Task;
use leptos::prelude::*;

use super::{Examining, Recall, Running, Study};
use crate::pool::{BatchEvent, BatchJob, BatchProgress};
use crate::state::evaluation::scores::{Scored, Scores, file_name};

/// Next tokens that are kept of each text.
const TOP: usize = 5;
/// The longest prompt of a run, in tokens.
const LIMIT: usize = 2048;

impl Study {
    /// The scores of this task and model are the ones that are shown.
    pub(super) fn score_with(self, task: Task, model: &str) {
        let file = file_name(model, &task.sha256());
        if self.scores_file.get_untracked().as_ref() == Some(&file) {
            return;
        }
        self.cancel();
        self.running.set(Running::Not);
        self.labels.update(|labels| *labels = labels.fitted_to(&task));
        let texts = self.material.with_untracked(|m| m.as_ref().map_or(0, |material| material.different_texts()));
        self.scores.set(Scores::new(texts));
        self.scored_with.set(Some(task));
        self.scores_file.set(Some(file.clone()));
        self.open();
        self.recall(file.clone(), Recall::Scores(file));
    }

    /// Scores the texts that are not scored yet.
    pub fn run(self) {
        let (Some(material), Some(task)) = (self.material.get_untracked(), self.scored_with.get_untracked()) else {
            return;
        };
        let missing = self.scores.with_untracked(Scores::missing);
        if missing.is_empty() || self.job.with_value(Option::is_some) {
            return;
        }
        let texts: Vec<&str> = material.texts().collect();
        let texts: Rc<[String]> = missing.iter().map(|&text| texts[text].to_owned()).collect();
        let context = self.session.model.with_untracked(|model| model.as_ref().map_or(LIMIT, |model| model.context));
        let job = BatchJob { task, texts, top: TOP, limit_tokens: context.min(LIMIT), together: false };
        let file = self.scores_file.get_untracked();
        match self.session.pool().run(job, move |event| self.take_event(&missing, file.as_deref(), event)) {
            Ok(handle) => {
                self.job.set_value(Some(handle));
                self.running.set(Running::Under(BatchProgress {
                    done: 0,
                    total: self.scores.with_untracked(|scores| scores.missing().len()),
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
                if let (Some(file), Some(material)) = (file, self.material.get_untracked()) {
                    let lines = Scores::lines(&material, &scored);
                    self.send(StudyRequest::Append { name: file.to_owned(), text: lines });
                }
                self.scores.update(|scores| scored.into_iter().for_each(|(text, scored)| scores.put(text, scored)));
            }
            BatchEvent::Progress(progress) => {
                if self.job.with_value(Option::is_some) {
                    self.running.set(Running::Under(progress));
                }
            }
            BatchEvent::Ended(outcome) => {
                self.job.set_value(None);
                match outcome {
                    Ok(summary) => {
                        self.running.set(Running::Not);
                        let rows = crate::state::format::counted(summary.rows as u64, "text");
                        self.session.announce(format!("{rows} scored"));
                    }
                    Err(error) if error.kind == Kind::Cancelled => self.running.set(Running::Not),
                    Err(error) => self.running.set(Running::Failed(error)),
                }
            }
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

    /// Has the scored rows examined, unless these very rows were.
    pub(super) fn examine(self, scored: usize) {
        let known = self.material.get_untracked().filter(|_| scored > 0).map(|material| {
            let labels = self.labels.get_untracked();
            let predictions = self.scores.with_untracked(|scores| scores.predictions(&material, &labels, true));
            (material.name.clone(), predictions)
        });
        let Some((name, predictions)) = known.filter(|(_, predictions)| !predictions.is_empty()) else {
            self.examined.set_value((0, String::new()));
            self.examination.set(Examining::Not);
            return;
        };
        if self.examined.with_value(|(_, examined)| *examined == predictions) {
            return;
        }
        let request = self.send(StudyRequest::Examine { name, predictions: predictions.clone() });
        self.examined.set_value((request, predictions));
        self.examination.set(Examining::Under);
    }

    /// `predictions.jsonl`: of the rows that are known to be right or wrong, or of every scored row. Where no row counts,
    /// of every one.
    pub fn predictions(self, only_known: bool) -> Result<String> {
        let material = self.material.get_untracked().ok_or_else(|| Error::usage("there is no data"))?;
        let labels = self.labels.get_untracked();
        Ok(self
            .scores
            .with_untracked(|scores| scores.predictions(&material, &labels, only_known && labels.counted() > 0)))
    }
}
