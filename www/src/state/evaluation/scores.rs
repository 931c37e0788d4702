//! Which texts are scored, and what their rows look like as predictions.
//!
//! A score belongs to a text, a task and a model, and to nothing else: rows with the same text share one, a label that
//! is understood differently costs nothing, and what was scored before a reload is not scored again. Scores are kept a
//! line each, so that a line that was cut off by a crash costs one text.

use std::collections::HashMap;
use std::fmt::Write;

use candor::protocol::{Classification, NextToken, Prediction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::labels::LabelMap;
use super::material::Material;

/// What the model said of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The prediction, without what only a row knows.
    pub prediction: Prediction,
    /// The likeliest next tokens.
    pub next: Vec<NextToken>,
    /// Whether the text was longer than the model reads.
    #[serde(default)]
    pub cut: bool,
}

impl Scored {
    /// What is kept of a classification.
    pub fn new(classification: Classification) -> Self {
        let Classification { prediction, next, truncated, .. } = classification;
        Self { prediction, next, cut: truncated.is_some() }
    }
}

/// A line of the file of scores.
#[derive(Serialize, Deserialize)]
struct Line {
    text: String,
    scored: Scored,
}

/// The scores of a data set's different texts, for one task and one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    of_text: Vec<Option<Scored>>,
    done: usize,
}

impl Scores {
    /// None yet, of so many texts.
    pub fn new(texts: usize) -> Self {
        Self { of_text: vec![None; texts], done: 0 }
    }

    /// Takes a text's score; the first one counts.
    pub fn put(&mut self, text: usize, scored: Scored) {
        if let Some(place @ None) = self.of_text.get_mut(text) {
            *place = Some(scored);
            self.done += 1;
        }
    }

    /// What the model said of a text.
    pub fn of(&self, text: usize) -> Option<&Scored> {
        self.of_text.get(text)?.as_ref()
    }

    /// Texts that are scored.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Whether every text is scored.
    pub fn is_complete(&self) -> bool {
        self.done == self.of_text.len()
    }

    /// Texts that are not scored yet, in order.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.of_text.len()).filter(|&text| self.of_text[text].is_none()).collect()
    }

    /// Scores as lines to keep.
    pub fn lines(material: &Material, scored: &[(usize, Scored)]) -> String {
        let texts: Vec<&str> = material.texts().collect();
        let mut lines = String::new();
        for (text, scored) in scored {
            let Some(words) = texts.get(*text) else { continue };
            let line = Line { text: key(words), scored: scored.clone() };
            if let Ok(line) = serde_json::to_string(&line) {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        lines
    }

    /// Takes the scores that were kept; lines that cannot be read, or are of other texts, are passed over.
    pub fn restore(&mut self, material: &Material, lines: &str) {
        let places: HashMap<String, usize> =
            material.texts().enumerate().map(|(place, text)| (key(text), place)).collect();
        for line in lines.lines() {
            let Ok(Line { text, scored }) = serde_json::from_str(line) else { continue };
            if let Some(&place) = places.get(&text) {
                self.put(place, scored);
            }
        }
    }

    /// A row as a prediction, once its text is scored.
    pub fn row(&self, row: usize, material: &Material, labels: &LabelMap) -> Option<Prediction> {
        let scored = self.of(material.text_of(row))?;
        let example = material.rows.get(row)?;
        let expected = material.expected(row, labels).map(str::to_owned);
        Some(Prediction {
            id: example.id.clone(),
            text: example.text.clone(),
            group: example.group.clone(),
            correct: expected.as_ref().map(|expected| *expected == scored.prediction.label),
            expected,
            ..scored.prediction.clone()
        })
    }

    /// `predictions.jsonl`: every scored row, or only those that are known to be right or wrong, in the data's order.
    pub fn predictions(&self, material: &Material, labels: &LabelMap, only_known: bool) -> String {
        let mut lines = String::new();
        for row in 0..material.rows.len() {
            let Some(prediction) = self.row(row, material, labels) else { continue };
            if only_known && prediction.correct.is_none() {
                continue;
            }
            if let Ok(line) = serde_json::to_string(&prediction) {
                let _ = writeln!(lines, "{line}");
            }
        }
        lines
    }

    /// Rows that count and are scored, and how many of them are right.
    pub fn tally(&self, material: &Material, labels: &LabelMap) -> (usize, usize) {
        let (mut known, mut right) = (0, 0);
        for row in 0..material.rows.len() {
            let Some(expected) = material.expected(row, labels) else { continue };
            let Some(scored) = self.of(material.text_of(row)) else { continue };
            known += 1;
            right += usize::from(scored.prediction.label == expected);
        }
        (known, right)
    }
}

/// The name under which scores of this task and model are kept.
pub fn file_name(model_sha256: &str, task_sha256: &str) -> String {
    let short = |hash: &str| hash.chars().take(16).collect::<String>();
    format!("scores-{}-{}.jsonl", short(model_sha256), short(task_sha256))
}

fn key(text: &str) -> String {
    let digest = Sha256::digest(text.trim().as_bytes());
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::super::material::tests::material;
    use super::*;
    use crate::state::fixture::classification;

    fn scored() -> Scored {
        Scored::new(classification())
    }

    #[test]
    fn rows_with_the_same_text_share_a_score() {
        let (material, labels) = material(&[("a", "pos"), ("b", "neg"), ("a", "neg"), ("c", "neutral")]);
        let mut scores = Scores::new(material.different_texts());
        assert_eq!(scores.missing(), [0, 1, 2]);
        scores.put(0, scored());
        scores.put(0, scored());
        scores.put(9, scored());
        assert_eq!((scores.done(), scores.is_complete(), scores.missing()), (1, false, vec![1, 2]));
        let row = scores.row(2, &material, &labels).expect("scored");
        assert_eq!((row.id.as_str(), row.text.as_str()), ("3", "a"));
        assert_eq!((row.expected.as_deref(), row.correct), (Some("negative"), Some(true)));
        assert_eq!(scores.row(0, &material, &labels).and_then(|row| row.correct), Some(false));
        assert_eq!(scores.row(1, &material, &labels), None);
        assert_eq!(scores.tally(&material, &labels), (2, 1));
    }

    #[test]
    fn what_is_kept_comes_back_and_a_cut_line_costs_one_text() {
        let (material, _) = material(&[("a", "pos"), ("b", "neg"), ("c", "neg")]);
        let lines = Scores::lines(&material, &[(0, scored()), (2, scored()), (7, scored())]);
        assert_eq!(lines.lines().count(), 2);
        let mut scores = Scores::new(3);
        scores.restore(&material, &lines);
        assert_eq!((scores.missing(), scores.of(2)), (vec![1], Some(&scored())));
        let mut cut = Scores::new(3);
        cut.restore(&material, &lines[..lines.len() - 5]);
        assert_eq!(cut.missing(), [1, 2]);
    }

    #[test]
    fn predictions_are_read_back_by_the_statistics() {
        let (material, labels) = material(&[("a", "pos"), ("b", "neg"), ("c", "neutral"), ("d", "")]);
        let mut scores = Scores::new(4);
        (0..4).for_each(|text| scores.put(text, scored()));
        assert_eq!(scores.predictions(&material, &labels, false).lines().count(), 4);
        let known = scores.predictions(&material, &labels, true);
        let read = candor::dataset::predictions::read("predictions.jsonl", known.as_bytes(), Default::default());
        let rows = read.expect("what the page writes").rows;
        assert_eq!(rows.iter().map(|row| row.correct).collect::<Vec<_>>(), [Some(false), Some(true)]);
    }
}
