//! The tasks at hand: the built-in ones, edits of them, and those a person made or imported.
//!
//! Nothing a person wrote is ever dropped: an edited built-in task keeps its edits beside the original, a draft with
//! mistakes is kept as it is, and what can be read from a saved shelf is kept even where the rest cannot.

use std::collections::BTreeMap;

use candor::task::{BiasMethod, Task};
use serde::{Deserialize, Serialize};

use super::draft::unused;

/// Version of the saved form.
const VERSION: u32 = 1;

/// A task on the shelf.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Stands for it in the saved form and in the chooser.
    pub id: String,
    /// The task as it is delivered, for a built-in one.
    pub original: Option<Task>,
    /// The task as it is now, possibly with mistakes.
    pub draft: Task,
}

impl Entry {
    /// Whether it differs from what was delivered.
    pub fn is_edited(&self) -> bool {
        self.original.as_ref().is_some_and(|original| *original != self.draft)
    }

    /// Whether a person made or imported it.
    pub fn is_own(&self) -> bool {
        self.original.is_none()
    }
}

/// The tasks at hand, one of them chosen. There is always at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelf {
    entries: Vec<Entry>,
    chosen: usize,
}

/// What is written to the device's storage: only what differs from the built-in tasks.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: u32,
    chosen: String,
    /// Edits of built-in tasks, by id.
    edits: BTreeMap<String, serde_json::Value>,
    /// Tasks of one's own, in order.
    own: Vec<(String, serde_json::Value)>,
}

impl Shelf {
    /// A shelf with these built-in tasks (id and task), the first chosen.
    pub fn new(built_in: Vec<(String, Task)>) -> Self {
        let entries =
            built_in.into_iter().map(|(id, task)| Entry { id, draft: task.clone(), original: Some(task) }).collect();
        Self { entries, chosen: 0 }
    }

    /// Puts saved edits and tasks back. Answers with what could not be read, for safe-keeping.
    pub fn restore(&mut self, saved: &str) -> Vec<String> {
        let Ok(saved) = serde_json::from_str::<Saved>(saved) else { return vec![saved.to_owned()] };
        let mut unreadable = Vec::new();
        let edits = saved.edits.into_iter().map(|(id, value)| (id, value, false));
        for (id, value, own) in edits.chain(saved.own.into_iter().map(|(id, value)| (id, value, true))) {
            match serde_json::from_value::<Task>(value.clone()) {
                Ok(task) => match self.entries.iter_mut().find(|entry| entry.id == id) {
                    Some(entry) if !own => entry.draft = task,
                    // An edit of a task that is no longer delivered becomes a task of one's own.
                    _ => {
                        let id = unused(&id, |id| self.entries.iter().any(|entry| entry.id == id));
                        self.entries.push(Entry { id, original: None, draft: task });
                    }
                },
                Err(_) => unreadable.push(value.to_string()),
            }
        }
        self.choose(&saved.chosen);
        unreadable
    }

    /// The form in which edits and own tasks are kept.
    pub fn saved(&self) -> String {
        let value = |task: &Task| serde_json::to_value(task).unwrap_or_default();
        let saved = Saved {
            version: VERSION,
            chosen: self.chosen().id.clone(),
            edits: self
                .entries
                .iter()
                .filter(|entry| entry.is_edited())
                .map(|entry| (entry.id.clone(), value(&entry.draft)))
                .collect(),
            own: self
                .entries
                .iter()
                .filter(|entry| entry.is_own())
                .map(|entry| (entry.id.clone(), value(&entry.draft)))
                .collect(),
        };
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// All tasks, the built-in ones first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The chosen task.
    pub fn chosen(&self) -> &Entry {
        &self.entries[self.chosen]
    }

    /// The chosen task, to be edited.
    pub fn draft_mut(&mut self) -> &mut Task {
        &mut self.entries[self.chosen].draft
    }

    /// Chooses a task; an unknown one changes nothing.
    pub fn choose(&mut self, id: &str) {
        if let Some(index) = self.entries.iter().position(|entry| entry.id == id) {
            self.chosen = index;
        }
    }

    /// Chooses this very task, by content and name: scores and calibrators belong to both. One that is not on the shelf
    /// comes onto it, beside a namesake where there is one.
    pub fn bring(&mut self, task: Task) {
        let same = |entry: &Entry| entry.draft == task;
        if let Some(place) = self.entries.iter().position(same) {
            self.chosen = place;
            return;
        }
        // Taking the average over all rows out is a switch of the Evaluate place, not another task.
        if let Some(place) = self.entries.iter().position(|entry| is_switched(&entry.draft, &task)) {
            self.chosen = place;
            self.entries[place].draft.bias.method = task.bias.method;
            return;
        }
        let id = unused(&format!("own {}", task.name), |id| self.entries.iter().any(|entry| entry.id == id));
        self.entries.push(Entry { id, original: None, draft: task });
        self.chosen = self.entries.len() - 1;
    }

    /// Puts a copy of the chosen task on the shelf and chooses it.
    pub fn duplicate(&mut self) {
        let mut copy = self.chosen().draft.clone();
        let name = format!("{} (copy)", copy.name.trim_end_matches(" (copy)"));
        copy.name = unused(&name, |name| self.entries.iter().any(|entry| entry.draft.name == name));
        self.bring(copy);
    }

    /// Undoes the edits of a built-in task.
    pub fn reset(&mut self) {
        let entry = &mut self.entries[self.chosen];
        if let Some(original) = &entry.original {
            entry.draft = original.clone();
        }
    }

    /// Removes a task of one's own; a built-in one stays.
    pub fn remove(&mut self) {
        if self.chosen().is_own() && self.entries.len() > 1 {
            self.entries.remove(self.chosen);
            self.chosen = 0;
        }
    }
}

/// Whether two tasks differ in nothing but whether batch correction is on.
fn is_switched(one: &Task, other: &Task) -> bool {
    let is_switch = |task: &Task| matches!(task.bias.method, BiasMethod::None | BiasMethod::Batch);
    let mut switched = one.clone();
    switched.bias.method = other.bias.method;
    is_switch(one) && is_switch(other) && switched == *other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Task {
        Task::from_toml(format!(
            "name = \"{name}\"\ntemplate = \"{{text}}:\"\n[[labels]]\nname = \"x\"\nforms = [\" x\"]\n[[labels]]\nname = \"y\"\nforms = [\" y\"]\n"
        ))
        .expect("well-formed")
    }

    fn shelf() -> Shelf {
        Shelf::new(vec![("a".to_owned(), task("A")), ("b".to_owned(), task("B"))])
    }

    #[test]
    fn edits_survive_saving_even_with_mistakes() {
        let mut before = shelf();
        before.choose("b");
        before.draft_mut().labels.clear();
        before.duplicate();
        before.draft_mut().name = "Mine".to_owned();
        let mut after = shelf();
        assert_eq!(after.restore(&before.saved()), Vec::<String>::new());
        assert_eq!(after, before);
        assert!(after.entries()[1].is_edited() && !after.entries()[0].is_edited() && after.chosen().is_own());
    }

    #[test]
    fn only_differences_are_saved() {
        let saved = shelf().saved();
        assert_eq!(saved, r#"{"version":1,"chosen":"a","edits":{},"own":[]}"#);
    }

    #[test]
    fn an_edit_can_be_undone_and_an_own_task_removed() {
        let mut shelf = shelf();
        shelf.draft_mut().template = "other {text}".to_owned();
        assert!(shelf.chosen().is_edited());
        shelf.reset();
        assert!(!shelf.chosen().is_edited());
        shelf.remove();
        assert_eq!(shelf.entries().len(), 2, "built-in tasks stay");
        shelf.bring(task("C"));
        shelf.duplicate();
        shelf.duplicate();
        let names: Vec<&str> = shelf.entries().iter().map(|entry| entry.draft.name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "C (copy)", "C (copy) 2"]);
        shelf.remove();
        assert_eq!((shelf.entries().len(), shelf.chosen().id.as_str()), (4, "a"));
    }

    #[test]
    fn a_task_that_is_brought_keeps_what_its_calibrator_is_bound_to() {
        let mut shelf = shelf();
        let mut brought = task("A");
        brought.system = "from another machine".to_owned();
        shelf.bring(brought.clone());
        assert_eq!((shelf.chosen().draft.sha256(), shelf.chosen().id.as_str()), (brought.sha256(), "own A"));
        shelf.choose("b");
        shelf.bring(brought.clone());
        assert_eq!((shelf.entries().len(), shelf.chosen().id.as_str()), (3, "own A"), "it is here already");
        brought.bias.method = BiasMethod::Batch;
        shelf.bring(brought.clone());
        assert_eq!((shelf.entries().len(), &shelf.chosen().draft), (3, &brought), "a switch is no other task");
        brought.bias.method = BiasMethod::Contextual;
        shelf.bring(brought);
        assert_eq!((shelf.entries().len(), shelf.chosen().id.as_str()), (4, "own A 2"));
    }

    #[test]
    fn what_cannot_be_read_is_handed_back_and_the_rest_kept() {
        let mut shelf = shelf();
        assert_eq!(shelf.restore("{broken"), ["{broken"]);
        let mut other = self::shelf();
        other.draft_mut().system = "kept".to_owned();
        other.bring(task("Mine"));
        let mut saved: serde_json::Value = serde_json::from_str(&other.saved()).expect("json");
        saved["own"][0][1]["future"] = true.into();
        let unreadable = shelf.restore(&saved.to_string());
        assert_eq!(unreadable.len(), 1);
        assert!(unreadable[0].contains("future"));
        assert_eq!(shelf.entries()[0].draft.system, "kept");
    }

    #[test]
    fn an_edit_of_a_task_no_longer_delivered_becomes_an_own_one() {
        let mut old = shelf();
        old.choose("b");
        old.draft_mut().system = "mine".to_owned();
        let mut new = Shelf::new(vec![("a".to_owned(), task("A"))]);
        assert!(new.restore(&old.saved()).is_empty());
        assert!(new.chosen().is_own() && new.chosen().draft.system == "mine");
    }
}
