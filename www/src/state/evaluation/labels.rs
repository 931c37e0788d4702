//! Which label of the data is which label of the task.
//!
//! Data says `pos`, `1` or `Positive` where the task says `positive`. What is plain is guessed, everything can be
//! changed, and a label that the task does not have is left out of the measures: its texts are scored all the same.

use std::collections::HashMap;

use candor::task::{Label, Task};
use serde::{Deserialize, Serialize};

/// One label of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As the data has it.
    pub found: String,
    /// Rows that carry it.
    pub rows: usize,
    /// The task's label that it means; nothing where its rows are left out of the measures.
    pub means: Option<String>,
}

/// Every label of the data with what it means. There may be as many as there are rows, where a column was taken for the
/// label that is none, so they are found by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct LabelMap {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    entries: Vec<Entry>,
}

impl From<Kept> for LabelMap {
    fn from(Kept { entries }: Kept) -> Self {
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.found.clone(), place)).collect();
        Self { entries, places }
    }
}

impl From<LabelMap> for Kept {
    fn from(LabelMap { entries, .. }: LabelMap) -> Self {
        Self { entries }
    }
}

/// What data writes for yes and no, at the same place in both.
const YES: [&str; 8] = ["1", "true", "yes", "y", "pos", "positive", "good", "+1"];
const NO: [&str; 8] = ["0", "false", "no", "n", "neg", "negative", "bad", "-1"];

impl LabelMap {
    /// A guess for labels as they were found.
    pub fn guess(found: &[(String, usize)], task: &Task) -> Self {
        let entries = found
            .iter()
            .map(|(found, rows)| Entry { found: found.clone(), rows: *rows, means: guess(found, &task.labels) })
            .collect();
        Kept { entries }.into()
    }

    /// Every label of the data, in order of first appearance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Says what a label of the data means.
    pub fn set(&mut self, found: &str, means: Option<String>) {
        if let Some(&place) = self.places.get(found) {
            self.entries[place].means = means;
        }
    }

    /// Takes in the labels of more rows; what is known keeps its meaning.
    pub fn join(&mut self, more: Self) {
        for entry in more.entries {
            match self.places.get(&entry.found) {
                Some(&place) => self.entries[place].rows += entry.rows,
                None => {
                    self.places.insert(entry.found.clone(), self.entries.len());
                    self.entries.push(entry);
                }
            }
        }
    }

    /// What a label of the data means.
    pub fn meaning(&self, found: &str) -> Option<&str> {
        self.entries[*self.places.get(found)?].means.as_deref()
    }

    /// Rows whose label means one of the task's.
    pub fn counted(&self) -> usize {
        self.entries.iter().filter(|entry| entry.means.is_some()).map(|entry| entry.rows).sum()
    }

    /// Rows whose label means none of the task's.
    pub fn left_out(&self) -> usize {
        self.entries.iter().filter(|entry| entry.means.is_none()).map(|entry| entry.rows).sum()
    }

    /// The task's labels that occur.
    pub fn kinds(&self) -> usize {
        let meanings: std::collections::BTreeSet<_> = self.entries.iter().filter_map(|e| e.means.as_deref()).collect();
        meanings.len()
    }

    /// The same after the task has changed: a meaning that the task no longer has is guessed anew.
    #[must_use]
    pub fn fitted_to(&self, task: &Task) -> Self {
        let known = |name: &String| task.labels.iter().any(|label| label.name == *name);
        let entries = self.entries.iter().map(|entry| Entry {
            means: match &entry.means {
                Some(name) if known(name) => Some(name.clone()),
                Some(_) => guess(&entry.found, &task.labels),
                None => None,
            },
            ..entry.clone()
        });
        Kept { entries: entries.collect() }.into()
    }
}

fn guess(found: &str, labels: &[Label]) -> Option<String> {
    let found = found.trim().to_lowercase();
    let plain = |text: &str| text.trim().to_lowercase();
    let by = |fits: &dyn Fn(&Label) -> bool| labels.iter().find(|label| fits(label)).map(|label| label.name.clone());
    let shortened = |label: &Label| {
        let name = plain(&label.name);
        found.len() >= 3 && (name.starts_with(&found) || found.starts_with(&name)) && !name.is_empty()
    };
    by(&|label| plain(&label.name) == found)
        .or_else(|| by(&|label| label.forms.iter().any(|form| plain(form) == found)))
        .or_else(|| if labels.iter().filter(|label| shortened(label)).count() == 1 { by(&shortened) } else { None })
        .or_else(|| {
            // Only where there is a plain yes and a plain no on both sides.
            let side = [&YES, &NO].into_iter().find(|side| side.contains(&found.as_str()))?;
            let [_, _] = labels else { return None };
            by(&|label| side.contains(&plain(&label.name).as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(names: &[&str]) -> Task {
        let labels = names.iter().map(|name| format!("[[labels]]\nname = \"{name}\"\nforms = [\" {name}\"]\n"));
        Task::from_toml(format!("name = \"t\"\ntemplate = \"{{text}}:\"\n{}", labels.collect::<String>()))
            .expect("a task")
    }

    #[test]
    fn what_is_plain_is_guessed_and_nothing_else() {
        let sentiment = task(&["positive", "negative"]);
        for (found, expected) in [
            ("positive", Some("positive")),
            (" Negative ", Some("negative")),
            ("pos", Some("positive")),
            ("NEG", Some("negative")),
            ("1", Some("positive")),
            ("0", Some("negative")),
            ("false", Some("negative")),
            ("neutral", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(guess(found, &sentiment.labels).as_deref(), expected, "{found}");
        }
        let topics = task(&["world", "sports", "science"]);
        for (found, expected) in [("Sports", Some("sports")), ("sport", Some("sports")), ("1", None), ("s", None)] {
            assert_eq!(guess(found, &topics.labels).as_deref(), expected, "{found}");
        }
        let similar = task(&["good", "goods"]);
        assert_eq!(guess("goo", &similar.labels), None, "either could be meant");
    }

    #[test]
    fn rows_are_counted_by_meaning() {
        let found = [("pos".to_owned(), 5), ("neg".to_owned(), 3), ("neutral".to_owned(), 2)];
        let mut map = LabelMap::guess(&found, &task(&["positive", "negative"]));
        assert_eq!((map.counted(), map.left_out(), map.kinds()), (8, 2, 2));
        map.set("neutral", Some("negative".to_owned()));
        map.set("nowhere", Some("negative".to_owned()));
        assert_eq!((map.counted(), map.left_out(), map.meaning("neutral")), (10, 0, Some("negative")));
        map.set("pos", None);
        assert_eq!((map.counted(), map.kinds()), (5, 1));
    }

    #[test]
    fn another_task_keeps_what_still_holds() {
        let found = [("pos".to_owned(), 5), ("x".to_owned(), 3)];
        let mut map = LabelMap::guess(&found, &task(&["positive", "negative"]));
        map.set("x", Some("negative".to_owned()));
        let fitted = map.fitted_to(&task(&["negative", "pos"]));
        assert_eq!((fitted.meaning("pos"), fitted.meaning("x")), (Some("pos"), Some("negative")));
    }
}
