//! What the project's texts were scored with is noted, and two or more of these runs stand side by side.

use std::sync::Arc;
use std::time::Duration;

use candor::error::Error;
use candor::protocol::{
    CompareRequest, ComparedRun, ComparisonReport, ProjectFiles, Reply, Request, StudyReply, StudyRequest,
};
use leptos::prelude::*;

use super::Study;
use crate::state::evaluation::project::Entry;
use crate::state::evaluation::runs::{Named, Run, Runs};

/// Milliseconds after the last change before runs are compared, or written down.
const PAUSE: u64 = 300;

/// Where a comparison is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Comparing {
    /// There are not two runs to compare.
    #[default]
    Not,
    /// It is being computed.
    Under,
    /// The runs side by side.
    Done(Arc<ComparisonReport>),
    /// They cannot be compared, and why.
    Failed(Error),
}

impl Study {
    /// What the rows are scored with now, once a model says who it is.
    pub fn current_run(self) -> Option<Run> {
        let session = self.session;
        let model = session.model.get()?;
        let same = self.scored_by.get().as_ref() == Some(&model.sha256)
            && self.scored_adapter.get() == model.adapter.as_ref().map(|adapter| adapter.sha256.clone());
        let task = self.scored_with.get().filter(|_| same)?;
        Some(Run {
            model: Named { name: model.name, sha256: model.sha256 },
            adapter: model.adapter.map(|adapter| Named { name: adapter.name, sha256: adapter.sha256 }),
            task,
            probe: None,
        })
    }

    /// Notes what the rows are scored with, as soon as any of them is.
    pub(super) fn note_run(self) {
        let scored = self.scores.with_untracked(|scores| scores.done() > 0);
        if let Some(run) = untrack(move || self.current_run()).filter(|_| scored) {
            self.put_run(run);
        }
    }

    pub(super) fn put_run(self, run: Run) {
        let news = self.runs.with_untracked(|runs| runs.get(&run.id()) != Some(&run));
        if news {
            self.runs.update(|runs| {
                runs.note(run);
            });
        }
    }

    /// Takes a run off the list; its scores stay, and bring it back when its texts are scored again.
    pub fn remove_run(self, id: &str) {
        self.runs.update(|runs| runs.remove(id));
    }

    /// Writes the runs down, a moment after they have changed.
    pub(super) fn keep_runs(self) {
        Effect::new(move |before: Option<Runs>| {
            let now = self.runs.get();
            let settled = self.settled.get();
            if settled && before.is_some_and(|before| before != now) {
                let entry = untrack(move || self.index.with(|index| index.current().cloned()));
                let expected = now.clone();
                set_timeout(
                    move || {
                        let unchanged = self.runs.with_untracked(|runs| *runs == expected);
                        if let (Some(entry), true, Ok(text)) = (entry, unchanged, serde_json::to_string(&expected)) {
                            self.keep(entry.runs(), text);
                        }
                    },
                    Duration::from_millis(PAUSE),
                );
            }
            now
        });
    }

    /// The open project's files.
    pub(super) fn project_files(self) -> Option<(Entry, ProjectFiles)> {
        let entry = self.index.with_untracked(|index| index.current().cloned())?;
        let files = ProjectFiles { data: entry.data(), judgements: entry.judgements() };
        Some((entry, files))
    }

    /// Calls `then` when everything that was to be kept so far is: another worker reads it.
    pub(super) fn when_kept(self, then: impl FnOnce() + 'static) {
        let mut then = Some(then);
        self.link.with_value(|link| {
            if let Some(link) = link {
                link.ask(Request::Study(Box::new(StudyRequest::Usage)), move |reply| {
                    // Where nothing can be kept, who reads it will say so.
                    if let (false, Some(then)) = (matches!(reply, Reply::Progress(_)), then.take()) {
                        then();
                    }
                });
            }
        });
    }

    /// Runs are compared when somebody looks and nothing runs, and again when anything about them changes.
    pub(super) fn compare_when_looked_at(self) {
        Effect::new(move |_| {
            let looks = self.comparison_looked_at.get();
            let rests = !self.is_running();
            let key = self.comparison_key();
            if looks && rests {
                set_timeout(
                    move || {
                        if untrack(move || self.comparison_key()) == key {
                            self.compare(key);
                        }
                    },
                    Duration::from_millis(PAUSE),
                );
            }
        });
    }

    /// Stands for everything that a comparison depends on.
    fn comparison_key(self) -> String {
        let runs = self.runs.with(|runs| {
            let chosen: Vec<String> =
                runs.chosen().into_iter().map(|(name, run)| format!("{name} {}", run.id())).collect();
            format!(
                "{chosen:?} {:?} {:?}",
                runs.by,
                runs.list().iter().map(|run| run.probe.as_ref().map(|p| p.rows)).collect::<Vec<_>>()
            )
        });
        let labels = self.labels.with(|labels| format!("{labels:?}"));
        let judged = self.judged.with(|judged| judged.labelled().len());
        let scored = self.scores.with(|scores| scores.done());
        let open = self.index.with(|index| index.open.clone());
        let (wish, threshold) = (self.wish.get(), self.threshold.get());
        format!("{runs} {labels} {judged} {scored} {open:?} {threshold} {} {}", wish.accuracy, wish.assurance)
    }

    fn compare(self, key: String) {
        if self.compared_last.with_value(|(_, last)| *last == key) {
            return;
        }
        let number = self.compared_last.with_value(|(number, _)| number + 1);
        self.compared_last.set_value((number, key));
        let runs: Vec<ComparedRun> = self.runs.with_untracked(|runs| {
            let chosen = runs.chosen().into_iter();
            chosen
                .map(|(name, run)| ComparedRun {
                    name,
                    made_of: run.made_of(),
                    scores: run.scores(),
                    task: run.task.clone(),
                })
                .collect()
        });
        let Some((entry, project)) = self.project_files().filter(|_| runs.len() > 1) else {
            self.compared.set(Comparing::Not);
            return;
        };
        let wish = self.wish.get_untracked();
        let request = CompareRequest {
            title: format!("{}: runs side by side", entry.name),
            project,
            runs,
            by: self.runs.with_untracked(|runs| runs.by),
            threshold: self.threshold.get_untracked(),
            accuracy: wish.accuracy,
            assurance: wish.assurance,
        };
        self.compared.set(Comparing::Under);
        self.when_kept(move || {
            self.compute(StudyRequest::Compare(Box::new(request)), move |outcome| {
                // Meanwhile something else may have been asked for.
                if self.compared_last.with_value(|(newest, _)| *newest != number) {
                    return;
                }
                self.compared.set(match outcome {
                    Ok(StudyReply::Compared(found)) => Comparing::Done(Arc::new(*found)),
                    Ok(_) => Comparing::Failed(Error::internal("an answer to something else")),
                    Err(error) => Comparing::Failed(error),
                });
            });
        });
    }

    /// Nothing is compared any more: another project comes, or none.
    pub(super) fn put_comparison_away(self) {
        self.runs.set(Runs::default());
        self.compared.set(Comparing::Not);
        self.compared_last.update_value(|(_, key)| key.clear());
        self.asked.set(Vec::new());
        self.stop_probing();
        self.probe.set(None);
    }
}
