//! The rows of a data set, and what should be known before they run.

use candor::dataset::{Example, duplicates};
use candor::protocol::ReadReport;
use serde::{Deserialize, Serialize};

use super::labels::LabelMap;
use crate::state::format;

/// A data set that was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Material {
    /// What it is called: the file's name.
    pub name: String,
    /// Its good rows.
    pub rows: Vec<Example>,
    /// What the reader says of it.
    pub report: ReadReport,
    /// Per row, the place of its text among the different texts.
    text_of: Vec<usize>,
    /// Per different text, the first row that has it.
    first_row: Vec<usize>,
    /// Per different text, whether a row of it came with a label.
    #[serde(default)]
    labelled: Vec<bool>,
}

impl Material {
    /// Rows as they were read.
    pub fn new(name: String, rows: Vec<Example>, report: ReadReport) -> Self {
        let text_of = duplicates::find(&rows).text_of;
        Self::with_texts(name, rows, report, text_of)
    }

    /// The same where it is known already which rows have the same text: finding that out of many takes long.
    pub fn with_texts(name: String, rows: Vec<Example>, report: ReadReport, text_of: Vec<usize>) -> Self {
        let mut first_row = Vec::new();
        for (row, &text) in text_of.iter().enumerate() {
            if text == first_row.len() {
                first_row.push(row);
            }
        }
        let mut labelled = vec![false; first_row.len()];
        text_of.iter().zip(&rows).for_each(|(&text, row)| labelled[text] |= row.label.is_some());
        Self { name, rows, report, text_of, first_row, labelled }
    }

    /// The different texts, in order of first appearance.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.first_row.iter().map(|&row| self.rows[row].text.as_str())
    }

    /// A different text, by its place.
    pub fn text(&self, text: usize) -> Option<&str> {
        Some(self.rows.get(*self.first_row.get(text)?)?.text.as_str())
    }

    /// The first row that has a text.
    pub fn first_row(&self, text: usize) -> Option<usize> {
        self.first_row.get(text).copied()
    }

    /// Whether a row came without a label.
    pub fn is_unlabelled(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.label.is_none())
    }

    /// Whether a text came with a label in any of its rows.
    pub fn has_label(&self, text: usize) -> bool {
        self.labelled.get(text).copied().unwrap_or(false)
    }

    /// The same with more rows behind, say texts without labels. Rows are numbered on, so that ids stay different.
    #[must_use]
    pub fn extended(&self, more: &Self) -> Self {
        let mut rows = self.rows.clone();
        let taken: std::collections::HashSet<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        rows.extend(more.rows.iter().enumerate().map(|(at, row)| {
            let mut row = row.clone();
            if taken.contains(row.id.as_str()) {
                row.id = format!("{}-{}", self.rows.len() + at + 1, row.id);
            }
            row
        }));
        let mut report = self.report.clone();
        report.rows += more.report.rows;
        report.handed_over += more.report.handed_over;
        report.left_out += more.report.left_out;
        report.problems.extend(more.report.problems.iter().cloned());
        let places: std::collections::HashMap<&str, usize> =
            self.report.labels.iter().enumerate().map(|(place, (label, _))| (label.as_str(), place)).collect();
        for (label, count) in &more.report.labels {
            match places.get(label.as_str()) {
                Some(&place) => report.labels[place].1 += count,
                None => report.labels.push((label.clone(), *count)),
            }
        }
        Self::new(self.name.clone(), rows, report)
    }

    /// How many different texts there are.
    pub fn different_texts(&self) -> usize {
        self.first_row.len()
    }

    /// The place of a row's text among the different texts.
    pub fn text_of(&self, row: usize) -> usize {
        self.text_of[row]
    }

    /// The task's label that a row is known to have.
    pub fn expected<'a>(&self, row: usize, labels: &'a LabelMap) -> Option<&'a str> {
        labels.meaning(self.rows.get(row)?.label.as_deref()?)
    }

    /// Labels that may say that a row has none, with their rows, as far as they mean none of the task's.
    pub fn perhaps_unlabelled(&self, labels: &LabelMap) -> Vec<(String, usize)> {
        let says_none = |label: &str| NO_LABEL.contains(&label.trim().to_lowercase().as_str());
        let found = self.report.labels.iter().filter(|(label, _)| says_none(label) && labels.meaning(label).is_none());
        found.cloned().collect()
    }

    /// What a person should know before anything runs, as sentences.
    pub fn cautions(&self, labels: &LabelMap) -> Vec<String> {
        let mut cautions: Vec<String> = Vec::new();
        let rows = |count: usize| format::counted(count as u64, "row");
        if self.report.handed_over < self.report.rows {
            cautions.push(format!(
                "the data has {}: a sample of {}, in the labels' proportions, is used here",
                rows(self.report.rows),
                format::count(self.report.handed_over as u64)
            ));
        }
        if labels.entries().is_empty() {
            cautions.push("no row has a label: texts can be scored, but nothing can be said about accuracy".to_owned());
        } else if labels.counted() == 0 {
            cautions.push(
                "no label of the data is one of the task's: say below what each means, or choose another task"
                    .to_owned(),
            );
        } else {
            if labels.left_out() > 0 {
                cautions.push(format!(
                    "{} with a label that the task does not have: scored, but left out of every measure",
                    rows(labels.left_out())
                ));
            }
            if labels.kinds() == 1 {
                cautions.push(
                    "all rows that count have the same label: nothing can be said about the others, and no calibrator \
                     can be fitted"
                        .to_owned(),
                );
            }
        }
        if labels.entries().len() > MANY_LABELS {
            cautions.push(format!(
                "this column has {} different values: is it really the label?",
                format::count(labels.entries().len() as u64)
            ));
        }
        cautions
    }
}

/// What people write into a label column where a row has no label yet.
const NO_LABEL: [&str; 14] =
    ["?", "??", "???", "-", "--", "na", "n/a", "nan", "none", "null", "todo", "tbd", "unlabeled", "unlabelled"];

/// More different labels than this are hardly labels.
pub const MANY_LABELS: usize = 50;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use candor::task::{BUILT_IN, Task};

    /// Rows of text and label.
    pub fn material(list: &[(&str, &str)]) -> (Material, LabelMap) {
        let rows: Vec<Example> = (list.iter().enumerate())
            .map(|(index, (text, label))| Example {
                id: (index + 1).to_string(),
                text: (*text).to_owned(),
                label: (!label.is_empty()).then(|| (*label).to_owned()),
                group: None,
                line: index as u64 + 2,
            })
            .collect();
        let mut labels: Vec<(String, usize)> = Vec::new();
        for label in rows.iter().filter_map(|row| row.label.clone()) {
            match labels.iter_mut().find(|(known, _)| *known == label) {
                Some((_, count)) => *count += 1,
                None => labels.push((label, 1)),
            }
        }
        let task = Task::from_toml(BUILT_IN[0].1).expect("the default task");
        let map = LabelMap::guess(&labels, &task);
        let report = ReadReport { rows: rows.len(), handed_over: rows.len(), labels, ..ReadReport::default() };
        (Material::new("a.csv".to_owned(), rows, report), map)
    }

    #[test]
    fn a_repeated_text_is_one_text() {
        let (material, map) = material(&[("a", "pos"), ("b", "neg"), (" a ", "neg"), ("b", "")]);
        assert_eq!(material.texts().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((material.text_of(2), material.different_texts()), (0, 2));
        assert_eq!((material.expected(2, &map), material.expected(3, &map)), (Some("negative"), None));
        assert_eq!(material.cautions(&map), Vec::<String>::new());
    }

    #[test]
    fn what_would_disappoint_later_is_said_before() {
        for (rows, words) in [
            (&[("a", "")][..], "no row has a label"),
            (&[("a", "x"), ("b", "q")], "no label of the data"),
            (&[("a", "pos"), ("b", "pos")], "the same label"),
            (&[("a", "pos"), ("b", "neg"), ("c", "neutral")], "1 row with a label that"),
        ] {
            let (material, map) = material(rows);
            let cautions = material.cautions(&map);
            assert!(cautions.iter().any(|caution| caution.contains(words)), "{rows:?}: {cautions:?}");
        }
    }

    #[test]
    fn a_question_mark_may_be_no_label_and_a_label_of_the_task_is_one() {
        let rows = [("a", "pos"), ("b", "?"), ("c", "TODO"), ("d", "N/A"), ("e", "?"), ("f", "neutral"), ("g", "none")];
        let (material, mut map) = material(&rows);
        let found = |map: &LabelMap| -> Vec<String> {
            material.perhaps_unlabelled(map).into_iter().map(|(label, rows)| format!("{label} {rows}")).collect()
        };
        assert_eq!(found(&map), ["? 2", "TODO 1", "N/A 1", "none 1"]);
        map.set("none", Some("negative".to_owned()));
        assert_eq!(found(&map), ["? 2", "TODO 1", "N/A 1"]);
    }

    #[test]
    fn more_rows_come_behind_with_ids_of_their_own() {
        let (first, _) = material(&[("a", "pos"), ("b", "neg")]);
        let (more, _) = material(&[("c", ""), ("a", ""), ("d", "")]);
        let whole = first.extended(&more);
        let ids: Vec<&str> = whole.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3-1", "4-2", "3"]);
        assert_eq!(whole.texts().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!((whole.has_label(0), whole.has_label(2), whole.is_unlabelled(3)), (true, false, true));
        assert_eq!((whole.text(3), whole.text(4), whole.first_row(2)), (Some("d"), None, Some(2)));
        assert_eq!(whole.report.labels, [("pos".to_owned(), 1), ("neg".to_owned(), 1)]);
    }
}
