//! The runs of a project: what its texts were scored with, so that two of them can stand side by side.
//!
//! A run is no copy of scores: it names the file of scores of a model, an adapter and a task, which belongs to no project.
//! Correcting label bias over all rows is made on the page and changes no score, so with it and without it are two runs
//! of one file.

use std::collections::BTreeMap;

use candor::stats::metrics::criterion::Criterion;
use candor::stats::saved::Binding;
use candor::task::{BiasMethod, Task};
use serde::{Deserialize, Serialize};

use super::scores::{file_name, scoring_task};
use crate::models;
use crate::state::format;

/// Something with a name, known by the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// What a run's texts were scored with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The model.
    pub model: Named,
    /// The adapter beside it, if any.
    pub adapter: Option<Named>,
    /// The task.
    pub task: Task,
    /// The probe that reads the model's last hidden state, where it is not the model itself that answers.
    pub probe: Option<ProbeFacts>,
}

/// What is known of a trained probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// The file of the probe.
    pub file: String,
    /// The file of its answers.
    pub scores: String,
    /// Rows it was trained on.
    pub rows: usize,
}

impl Run {
    /// The file of its scores.
    pub fn scores(&self) -> String {
        match &self.probe {
            Some(probe) => probe.scores.clone(),
            None => file_name(&self.model.sha256, self.adapter_sha256(), &scoring_task(&self.task).sha256()),
        }
    }

    /// What tells it from other runs.
    pub fn id(&self) -> String {
        if self.probe.is_none() && self.is_corrected() { format!("{} corrected", self.scores()) } else { self.scores() }
    }

    /// SHA-256 of the adapter.
    pub fn adapter_sha256(&self) -> Option<&str> {
        self.adapter.as_ref().map(|adapter| adapter.sha256.as_str())
    }

    /// What a probe on its vectors, or a calibrator on its scores, belongs to.
    pub fn binding(&self) -> Binding {
        Binding {
            model_sha256: Some(self.model.sha256.clone()),
            adapter_sha256: self.adapter_sha256().map(str::to_owned),
            task_sha256: Some(scoring_task(&self.task).sha256()),
        }
    }

    fn is_corrected(&self) -> bool {
        self.task.bias.method == BiasMethod::Batch
    }

    /// What it was made of, in words.
    pub fn made_of(&self) -> String {
        let mut words = models::title(&self.model.name).to_owned();
        if let Some(adapter) = &self.adapter {
            words.push_str(&format!(", adapter {}", adapter.name));
        }
        words.push_str(&format!(", task {}", self.task.name));
        match &self.probe {
            Some(probe) => words.push_str(&format!(
                ", read by a probe that was trained on {} (each answered by one that has not seen it)",
                format::counted(probe.rows as u64, "row")
            )),
            None if self.is_corrected() => words.push_str(", label bias taken out"),
            None => {}
        }
        words
    }
}

/// The names of the files of a project's probe on the vectors of a model, an adapter and a task: the probe and its
/// answers.
pub fn probe_files(project: &str, of: &Run) -> (String, String) {
    let short = |hash: &str| hash.chars().take(8).collect::<String>();
    let adapter = of.adapter_sha256().map_or_else(|| "base".to_owned(), short);
    let task = short(&scoring_task(&of.task).sha256());
    let stem = format!("project-{project}-probe-{}-{adapter}-{task}", short(&of.model.sha256));
    (format!("{stem}.json"), format!("{stem}.jsonl"))
}

/// The stem of the files with the vectors of a model, an adapter and a task.
pub fn vectors_stem(model_sha256: &str, adapter_sha256: Option<&str>, task: &Task) -> String {
    let scores = file_name(model_sha256, adapter_sha256, &scoring_task(task).sha256());
    scores.replacen("scores-", "vectors-", 1).trim_end_matches(".jsonl").to_owned()
}

/// The runs of a project, and how they are to be compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    list: Vec<Run>,
    /// Those that are left out of the comparison, by id.
    left_out: Vec<String>,
    /// What they are ranked by.
    pub by: Criterion,
}

impl Runs {
    /// All runs, in the order in which they came.
    pub fn list(&self) -> &[Run] {
        &self.list
    }

    /// The run of this id.
    pub fn get(&self, id: &str) -> Option<&Run> {
        self.list.iter().find(|run| run.id() == id)
    }

    /// Notes a run; one that is known already keeps its place. Whether anything changed.
    pub fn note(&mut self, run: Run) -> bool {
        match self.list.iter_mut().find(|known| known.id() == run.id()) {
            Some(known) if *known == run => false,
            Some(known) => {
                *known = run;
                true
            }
            None => {
                self.list.push(run);
                true
            }
        }
    }

    /// Takes what was kept; what was noted meanwhile stays.
    pub fn restore(&mut self, kept: Self) {
        let newer = std::mem::replace(self, kept);
        newer.list.into_iter().for_each(|run| {
            self.note(run);
        });
    }

    /// Takes a run off the list; its scores stay.
    pub fn remove(&mut self, id: &str) {
        self.list.retain(|run| run.id() != id);
        self.left_out.retain(|other| other != id);
    }

    /// Whether a run takes part.
    pub fn takes_part(&self, id: &str) -> bool {
        !self.left_out.iter().any(|other| other == id)
    }

    /// Has a run take part, or not.
    pub fn set_part(&mut self, id: &str, takes_part: bool) {
        self.left_out.retain(|other| other != id);
        if !takes_part {
            self.left_out.push(id.to_owned());
        }
    }

    /// The runs that take part, with their names.
    pub fn chosen(&self) -> Vec<(String, &Run)> {
        let names = self.names();
        names.into_iter().zip(&self.list).filter(|(_, run)| self.takes_part(&run.id())).collect()
    }

    /// A short name for every run: what differs between them, and nothing else.
    pub fn names(&self) -> Vec<String> {
        let differ = |of: &dyn Fn(&Run) -> String| {
            let first = self.list.first().map(of);
            self.list.iter().any(|run| Some(of(run)) != first)
        };
        let models_differ = differ(&|run| run.model.sha256.clone());
        let adapters_differ = differ(&|run| run.adapter_sha256().unwrap_or_default().to_owned());
        let tasks_differ = differ(&|run| scoring_task(&run.task).sha256());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let name = |run: &Run| {
            let mut parts = Vec::new();
            if models_differ {
                parts.push(models::title(&run.model.name).to_owned());
            }
            match &run.adapter {
                Some(adapter) => parts.push(adapter.name.clone()),
                None if adapters_differ => parts.push("base".to_owned()),
                None => {}
            }
            if tasks_differ {
                parts.push(run.task.name.clone());
            }
            if parts.is_empty() {
                parts.push(models::title(&run.model.name).to_owned());
            }
            let whole = parts.join(", ");
            match (&run.probe, run.is_corrected()) {
                (Some(_), _) => format!("probe on {whole}"),
                (None, true) => format!("{whole}, bias out"),
                (None, false) => whole,
            }
        };
        let names = self.list.iter().map(|run| {
            let name = name(run);
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            if *count > 1 { format!("{name} ({count})") } else { name }
        });
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use candor::task::BUILT_IN;

    use super::*;

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), sha256: format!("{:0<64}", name.len()) }
    }

    fn run(adapter: Option<&str>) -> Run {
        let task = Task::from_toml(BUILT_IN[0].1).expect("a task");
        Run { model: named("model"), adapter: adapter.map(named), task, probe: None }
    }

    fn corrected(mut run: Run) -> Run {
        run.task.bias.method = BiasMethod::Batch;
        run
    }

    fn probe(run: Run) -> Run {
        let (file, scores) = probe_files("1", &run);
        Run { probe: Some(ProbeFacts { file, scores, rows: 300 }), ..run }
    }

    #[test]
    fn names_say_what_differs() {
        let mut runs = Runs::default();
        runs.note(run(None));
        assert_eq!(runs.names(), ["model"]);
        runs.note(run(Some("reviews")));
        assert_eq!(runs.names(), ["base", "reviews"]);
        runs.note(corrected(run(None)));
        runs.note(probe(run(Some("reviews"))));
        assert_eq!(runs.names(), ["base", "reviews", "base, bias out", "probe on reviews"]);
        let mut other = run(None);
        other.task.name = "another".to_owned();
        runs.note(other);
        assert_eq!(runs.names()[4], "base, another");
        let namesake = Run { adapter: Some(Named { sha256: "f".repeat(64), ..named("reviews") }), ..run(None) };
        let task = namesake.task.name.clone();
        runs.note(namesake);
        assert_eq!(runs.names()[5], format!("reviews, {task} (2)"));
    }

    #[test]
    fn a_run_is_noted_once_and_chosen_until_it_is_left_out() {
        let mut runs = Runs::default();
        assert!(runs.note(run(None)) && !runs.note(run(None)) && runs.note(corrected(run(None))));
        assert_eq!(run(None).scores(), corrected(run(None)).scores(), "correcting changes no score");
        let retrained =
            |rows| Run { probe: Some(ProbeFacts { rows, ..probe(run(None)).probe.expect("one") }), ..run(None) };
        assert!(runs.note(retrained(10)) && runs.note(retrained(20)));
        assert_eq!(runs.list().len(), 3, "a probe that is trained again takes the place of the older one");
        let id = run(None).id();
        runs.set_part(&id, false);
        assert_eq!((runs.chosen().len(), runs.takes_part(&id)), (2, false));
        let text = serde_json::to_string(&runs).expect("json");
        let mut restored = Runs::default();
        restored.note(run(Some("new")));
        restored.restore(serde_json::from_str(&text).expect("read"));
        assert_eq!((restored.list().len(), restored.takes_part(&id)), (4, false));
        restored.remove(&id);
        assert!(restored.get(&id).is_none() && restored.takes_part(&id));
    }

    #[test]
    fn vectors_belong_to_what_the_scores_belong_to() {
        let plain = run(None);
        let stem = vectors_stem(&plain.model.sha256, None, &plain.task);
        assert_eq!(format!("{}.jsonl", stem.replace("vectors", "scores")), plain.scores());
        assert_eq!(stem, vectors_stem(&plain.model.sha256, None, &corrected(run(None)).task));
        assert_ne!(stem, vectors_stem(&plain.model.sha256, Some("a"), &plain.task));
        assert_ne!(probe_files("1", &plain), probe_files("2", &plain));
        assert_eq!(plain.binding(), corrected(run(None)).binding());
    }
}
