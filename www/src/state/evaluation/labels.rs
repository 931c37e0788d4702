//! Which label of the data is which label of the task.
//!
//! Data says `pos`, `1` or `Positive` where the task says `positive`. What is plain is guessed, everything can be
//! changed, and a label that the task does not have is left out of the measures: its texts are scored all the same.
//!
//! What a person said is kept apart from what holds for the task in use, so that it holds again when they come back to
//! the task that they said it for.

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
    /// What a person said that it means, once a set of labels; nothing in what was kept before this was told apart.
    #[serde(default)]
    said: Option<Vec<Said>>,
}

/// A meaning that a person gave to a label of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// The labels of the task it was said for.
    among: Vec<String>,
    /// The one that it means; nothing for "leave out".
    means: Option<String>,
}

/// Every label of the data with what it means. There may be as many as there are rows, where a column was taken for the
/// label that is none, so they are found by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct LabelMap {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
    /// The labels of the task in use.
    among: Vec<String>,
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    entries: Vec<Entry>,
    #[serde(default)]
    among: Vec<String>,
}

impl From<Kept> for LabelMap {
    fn from(Kept { mut entries, among }: Kept) -> Self {
        for entry in &mut entries {
            // Before it was told apart, it may have been the person who said it.
            let before = || entry.means.iter().map(|name| Said { among: Vec::new(), means: Some(name.clone()) });
            entry.said.get_or_insert_with(|| before().collect());
        }
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.found.clone(), place)).collect();
        Self { entries, places, among }
    }
}

impl From<LabelMap> for Kept {
    fn from(LabelMap { entries, among, .. }: LabelMap) -> Self {
        Self { entries, among }
    }
}

/// What data writes for yes and no, at the same place in both.
const YES: [&str; 8] = ["1", "true", "yes", "y", "pos", "positive", "good", "+1"];
const NO: [&str; 8] = ["0", "false", "no", "n", "neg", "negative", "bad", "-1"];

impl LabelMap {
    /// A guess for labels as they were found.
    pub fn guess(found: &[(String, usize)], task: &Task) -> Self {
        let entry = |(found, rows): &(String, usize)| Entry {
            found: found.clone(),
            rows: *rows,
            means: guess(found, &task.labels),
            said: Some(Vec::new()),
        };
        Kept { entries: found.iter().map(entry).collect(), among: names(task) }.into()
    }

    /// Every label of the data, in order of first appearance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Says what a label of the data means.
    pub fn set(&mut self, found: &str, means: Option<String>) {
        if let Some(&place) = self.places.get(found) {
            let entry = &mut self.entries[place];
            entry.means.clone_from(&means);
            let said = entry.said.get_or_insert_default();
            said.retain(|earlier| earlier.among != self.among);
            said.push(Said { among: self.among.clone(), means });
        }
    }

    /// The same labels with everything that a person said of them in `before`, where the same data was read in another
    /// way.
    #[must_use]
    pub fn as_said(mut self, before: &Self, task: &Task) -> Self {
        for entry in &mut self.entries {
            if let Some(&place) = before.places.get(&entry.found) {
                entry.said.clone_from(&before.entries[place].said);
            }
        }
        self.fitted_to(task)
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

    /// The same for a task: what a person said for its labels; else what they said last that is one of them; else a
    /// guess.
    #[must_use]
    pub fn fitted_to(&self, task: &Task) -> Self {
        let among = names(task);
        let entries =
            self.entries.iter().map(|entry| Entry { means: entry.meaning_among(&among, task), ..entry.clone() });
        Kept { entries: entries.collect(), among: among.clone() }.into()
    }
}

impl Entry {
    fn meaning_among(&self, among: &[String], task: &Task) -> Option<String> {
        let said = self.said.as_deref().unwrap_or_default();
        // While a task is being changed, a label of the new one may be said for the labels of the old one.
        let is_of = |said: &&Said| said.among == among && said.means.as_ref().is_none_or(|name| among.contains(name));
        if let Some(said) = said.iter().find(is_of) {
            return said.means.clone();
        }
        let mut names = said.iter().rev().filter_map(|said| said.means.clone());
        names.find(|name| among.contains(name)).or_else(|| guess(&self.found, &task.labels))
    }
}

fn names(task: &Task) -> Vec<String> {
    task.labels.iter().map(|label| label.name.clone()).collect()
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
    fn meanings_come_back_with_the_task_they_were_said_for() {
        let (sentiment, topic) = (task(&["positive", "negative"]), task(&["world", "sports", "neutral"]));
        let found = [("pos".to_owned(), 5), ("neutral".to_owned(), 3), ("neg".to_owned(), 2)];
        let mut map = LabelMap::guess(&found, &sentiment);
        map.set("neutral", Some("negative".to_owned()));
        map.set("neg", None);
        let mut elsewhere = map.fitted_to(&topic);
        let meanings = |map: &LabelMap| found.clone().map(|(label, _)| map.meaning(&label).map(str::to_owned));
        assert_eq!(meanings(&elsewhere), [None, Some("neutral".to_owned()), None], "guessed anew");
        elsewhere.set("pos", Some("world".to_owned()));
        let kept = serde_json::to_string(&elsewhere).expect("json");
        let read: LabelMap = serde_json::from_str(&kept).expect("read");
        assert_eq!(read, elsewhere);
        let back = read.fitted_to(&sentiment);
        assert_eq!(meanings(&back), meanings(&map), "as the person had said");
        assert_eq!(meanings(&back.fitted_to(&topic)), meanings(&elsewhere));
        let renamed = back.fitted_to(&task(&["negative", "rest"]));
        assert_eq!(renamed.meaning("neutral"), Some("negative"), "what they said last that is one of the labels");
        let again = LabelMap::guess(&found[..2], &sentiment).as_said(&back, &sentiment);
        assert_eq!(
            (again.meaning("neutral"), again.entries().len()),
            (Some("negative"), 2),
            "another column of the text"
        );
    }

    #[test]
    fn meanings_that_were_kept_before_they_were_told_apart_still_hold() {
        let text = r#"{"entries": [{"found": "x", "rows": 3, "means": "negative"}, {"found": "pos", "rows": 5, "means": null}]}"#;
        let map: LabelMap = serde_json::from_str(text).expect("read");
        let elsewhere = map.fitted_to(&task(&["world", "sports"]));
        assert_eq!((elsewhere.meaning("x"), elsewhere.counted()), (None, 0));
        let fitted = elsewhere.fitted_to(&task(&["positive", "negative"]));
        assert_eq!((fitted.meaning("x"), fitted.meaning("pos")), (Some("negative"), Some("positive")));
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
