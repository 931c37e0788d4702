//! Which texts are scored, and what their rows look like as predictions.
//!
//! A score belongs to a text, a task and a model, and to nothing else: rows with the same text share one, a label that
//! is understood differently costs nothing, and what was scored before a reload is not scored again. Scores are kept a
//! line each, so that a line that was cut off by a crash costs one text.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::ops::Range;

use candor::protocol::{Classification, NextToken, Prediction};
use candor::stats::bias::{BiasMethod, Corrected, LabelBias};
use candor::task::{self, Task};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::judgements::Judgements;
use super::labels::LabelMap;
use super::material::Material;
use crate::state::format::{count, counted};

/// Rows from which batch correction estimates the label bias, as on the command line.
pub const BIAS_ROWS: usize = 512;

/// What is known of the true labels: what the data's labels mean, and what a person decided.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// What the data's labels mean.
    pub labels: &'a LabelMap,
    /// What a person decided about texts without a label.
    pub judged: &'a Judgements,
}

impl<'a> Truth<'a> {
    /// The label that the data gives a row.
    pub fn labels_of_data(self, row: usize, material: &Material) -> Option<&'a str> {
        material.expected(row, self.labels)
    }

    /// A row's true label, as far as it is known.
    pub fn of(self, row: usize, material: &Material) -> Option<&'a str> {
        let by_person = || if material.is_unlabelled(row) { self.judged.label(material.text_of(row)) } else { None };
        self.labels_of_data(row, material).or_else(by_person)
    }
}

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

    /// How much of the data a number rests on, while that is not all of it.
    pub fn so_far(&self) -> Option<String> {
        (!self.is_complete()).then(|| {
            let (done, all) = (count(self.done as u64), counted(self.of_text.len() as u64, "text"));
            format!("Based on {done} of {all}: the others are not scored yet.")
        })
    }

    /// Texts that are not scored yet, in order.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.of_text.len()).filter(|&text| self.of_text[text].is_none()).collect()
    }

    /// Scores as lines to keep.
    pub fn lines(material: &Material, scored: &[(usize, Scored)]) -> String {
        let mut lines = String::new();
        for (text, scored) in scored {
            let Some(words) = material.text(*text) else { continue };
            let line = Line { text: text_key(words), scored: scored.clone() };
            if let Ok(line) = serde_json::to_string(&line) {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        lines
    }

    /// The place of each text by its key.
    pub fn places(material: &Material) -> HashMap<String, usize> {
        material.texts().enumerate().map(|(place, text)| (text_key(text), place)).collect()
    }

    /// Takes lines of scores that were kept; what cannot be read, or is of another text, is passed over.
    pub fn restore(&mut self, places: &HashMap<String, usize>, lines: &str) {
        for line in lines.lines() {
            let Ok(Line { text, scored }) = serde_json::from_str(line) else { continue };
            if let Some(&place) = places.get(&text) {
                self.put(place, scored);
            }
        }
    }

    /// Takes what another one has and this one lacks.
    pub fn fill_from(&mut self, other: Self) {
        for (text, scored) in other.of_text.into_iter().enumerate() {
            if let Some(scored) = scored {
                self.put(text, scored);
            }
        }
    }

    /// What the model said of a row whose true label is known and is one that was scored, with that label.
    pub fn outcome<'a>(&'a self, row: usize, material: &Material, truth: Truth<'a>) -> Option<(&'a Scored, &'a str)> {
        let scored = self.of(material.text_of(row))?;
        let expected = truth.of(row, material)?;
        // A label of another task than the one that scored says nothing about this one.
        scored.prediction.labels.contains_key(expected).then_some((scored, expected))
    }

    /// A row as a prediction, once its text is scored.
    pub fn row(&self, row: usize, material: &Material, truth: Truth<'_>) -> Option<Prediction> {
        let scored = self.of(material.text_of(row))?;
        let example = material.rows.get(row)?;
        let expected = self.outcome(row, material, truth).map(|(_, expected)| expected.to_owned());
        Some(Prediction {
            id: example.id.clone(),
            text: example.text.clone(),
            group: example.group.clone(),
            correct: expected.as_ref().map(|expected| *expected == scored.prediction.label),
            expected,
            ..scored.prediction.clone()
        })
    }

    /// A part of `predictions.jsonl`: of these rows the scored ones, or only those that are known to be right or wrong, in
    /// the data's order.
    pub fn predictions(&self, rows: Range<usize>, material: &Material, truth: Truth<'_>, only_known: bool) -> String {
        let mut lines = String::new();
        for row in rows {
            if only_known && self.outcome(row, material, truth).is_none() {
                continue;
            }
            let Some(prediction) = self.row(row, material, truth) else { continue };
            if let Ok(line) = serde_json::to_string(&prediction) {
                let _ = writeln!(lines, "{line}");
            }
        }
        lines
    }

    /// Rows that count and are scored, and how many of them are right.
    pub fn tally(&self, material: &Material, truth: Truth<'_>) -> (usize, usize) {
        let (mut known, mut right) = (0, 0);
        for row in 0..material.rows.len() {
            let Some((scored, expected)) = self.outcome(row, material, truth) else { continue };
            known += 1;
            right += usize::from(scored.prediction.label == expected);
        }
        (known, right)
    }

    /// The model's inclination towards each label, over the first rows; nothing until all of these are scored.
    pub fn batch_bias(&self, material: &Material) -> Option<LabelBias> {
        let rows = material.rows.len().min(BIAS_ROWS);
        let logprobs: Option<Vec<Vec<f64>>> =
            (0..rows).map(|row| Some(logprobs(&self.of(material.text_of(row))?.prediction))).collect();
        LabelBias::estimate(BiasMethod::Batch, &logprobs?).ok()
    }

    /// Reads every answer with this inclination taken out; with none, as the model gave it.
    pub fn correct(&mut self, bias: &LabelBias) {
        for scored in self.of_text.iter_mut().flatten() {
            correct(&mut scored.prediction, bias);
        }
    }
}

fn logprobs(prediction: &Prediction) -> Vec<f64> {
    prediction.labels.values().map(|label| label.logprob).collect()
}

/// Reads an answer with the model's inclination taken out: another label may win, and its share is the confidence. What
/// the model gave (the log-probabilities) stays, so this can be done and undone at will. A prediction over other labels
/// stays as it is.
pub fn correct(prediction: &mut Prediction, bias: &LabelBias) {
    let Ok(Corrected { label, shares }) = bias.correct(&logprobs(prediction)) else { return };
    for (score, share) in prediction.labels.values_mut().zip(&shares) {
        score.share = *share;
    }
    if let Some((name, score)) = prediction.labels.get_index(label) {
        prediction.label.clone_from(name);
        prediction.share = score.share;
        prediction.total_probability = score.logprob.exp();
        let corrected = bias.method != BiasMethod::None;
        prediction.confidence = if corrected { prediction.share } else { prediction.total_probability };
    }
}

/// Of these lines of scores those whose text is not known yet; their texts are known from then on.
pub fn new_lines(known: &mut HashSet<String>, lines: &[&str]) -> String {
    #[derive(Deserialize)]
    struct Key {
        text: String,
    }
    let mut is_new = |line: &&&str| serde_json::from_str(line).is_ok_and(|Key { text }| known.insert(text));
    lines.iter().filter(|line| is_new(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The task by which scores are kept: batch correction is made on the page, so it changes no score.
pub fn scoring_task(task: &Task) -> Task {
    let mut task = task.clone();
    if task.bias.method == task::BiasMethod::Batch {
        task.bias.method = task::BiasMethod::None;
    }
    task
}

/// The name under which scores of this task, model and adapter are kept.
pub fn file_name(model_sha256: &str, adapter_sha256: Option<&str>, task_sha256: &str) -> String {
    let short = |hash: &str| hash.chars().take(16).collect::<String>();
    let adapter = adapter_sha256.map_or_else(String::new, |hash| format!("-{}", short(hash)));
    format!("scores-{}{adapter}-{}.jsonl", short(model_sha256), short(task_sha256))
}

/// A text's key in what is kept: the beginning of its SHA-256, white space at the ends left out.
pub fn text_key(text: &str) -> String {
    let digest = Sha256::digest(text.trim().as_bytes());
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::super::judgements::{Judgement, Order};
    use super::super::material::tests::material;
    use super::*;
    use crate::state::fixture::classification;

    fn scored() -> Scored {
        Scored::new(classification())
    }

    fn truth<'a>(labels: &'a LabelMap, judged: &'a Judgements) -> Truth<'a> {
        Truth { labels, judged }
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
        let judged = Judgements::default();
        let truth = truth(&labels, &judged);
        let row = scores.row(2, &material, truth).expect("scored");
        assert_eq!((row.id.as_str(), row.text.as_str()), ("3", "a"));
        assert_eq!((row.expected.as_deref(), row.correct), (Some("negative"), Some(true)));
        assert_eq!(scores.row(0, &material, truth).and_then(|row| row.correct), Some(false));
        assert_eq!(scores.row(1, &material, truth), None);
        assert_eq!(scores.tally(&material, truth), (2, 1));
    }

    #[test]
    fn an_adapter_has_scores_of_its_own() {
        let hash = |digit: &str| digit.repeat(64);
        let of = |adapter: Option<&str>| file_name(&hash("a"), adapter, &hash("b"));
        assert_eq!(of(None), "scores-aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb.jsonl", "as before there were adapters");
        let names = [of(None), of(Some(&hash("1"))), of(Some(&hash("2")))];
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    }

    #[test]
    fn what_is_kept_comes_back_and_a_cut_line_costs_one_text() {
        let (material, _) = material(&[("a", "pos"), ("b", "neg"), ("c", "neg")]);
        let lines = Scores::lines(&material, &[(0, scored()), (2, scored()), (7, scored())]);
        assert_eq!(lines.lines().count(), 2);
        let mut scores = Scores::new(3);
        scores.restore(&Scores::places(&material), &lines);
        assert_eq!((scores.missing(), scores.of(2)), (vec![1], Some(&scored())));
        let mut cut = Scores::new(3);
        cut.restore(&Scores::places(&material), &lines[..lines.len() - 5]);
        assert_eq!(cut.missing(), [1, 2]);
    }

    #[test]
    fn scores_that_are_kept_already_are_not_kept_twice() {
        let (material, _) = material(&[("a", ""), ("b", ""), ("c", "")]);
        let lines =
            |texts: &[usize]| Scores::lines(&material, &texts.iter().map(|text| (*text, scored())).collect::<Vec<_>>());
        let mut known = HashSet::new();
        assert_eq!(new_lines(&mut known, &lines(&[0, 2]).lines().collect::<Vec<_>>()), lines(&[0, 2]));
        let brought = lines(&[0, 1, 2, 1]);
        assert_eq!(new_lines(&mut known, &brought.lines().collect::<Vec<_>>()), lines(&[1]));
        assert_eq!(new_lines(&mut known, &["{\"text\": \"cut", ""]), "");
    }

    #[test]
    fn numbers_of_a_part_say_so() {
        let mut scores = Scores::new(2);
        scores.put(0, scored());
        assert!(scores.so_far().is_some_and(|words| words.starts_with("Based on 1 of 2 texts:")));
        scores.put(1, scored());
        assert_eq!(scores.so_far(), None);
    }

    #[test]
    fn predictions_are_read_back_by_the_statistics() {
        let (material, labels) = material(&[("a", "pos"), ("b", "neg"), ("c", "neutral"), ("d", "")]);
        let mut scores = Scores::new(4);
        (0..4).for_each(|text| scores.put(text, scored()));
        let judged = Judgements::default();
        let truth = truth(&labels, &judged);
        assert_eq!(scores.predictions(0..4, &material, truth, false).lines().count(), 4);
        let parts = [0..1, 1..4].map(|rows| scores.predictions(rows, &material, truth, true));
        let known = scores.predictions(0..4, &material, truth, true);
        assert_eq!(parts.concat(), known);
        let read = candor::dataset::predictions::read("predictions.jsonl", known.as_bytes(), Default::default());
        let rows = read.expect("what the page writes").rows;
        assert_eq!(rows.iter().map(|row| row.correct).collect::<Vec<_>>(), [Some(false), Some(true)]);
    }

    #[test]
    fn what_a_person_decided_counts_where_the_data_is_silent() {
        let (material, labels) = material(&[("a", "pos"), ("b", ""), ("c", "neutral"), ("d", "")]);
        let mut scores = Scores::new(4);
        (0..4).for_each(|text| scores.put(text, scored()));
        let mut judged = Judgements::default();
        for (text, label) in [(0, "negative"), (1, "negative"), (2, "negative"), (3, "of another task")] {
            let judgement = Judgement { label: Some(label.to_owned()), note: String::new(), order: Order::ByLot };
            judged.put(text, judgement);
        }
        let truth = truth(&labels, &judged);
        assert_eq!(scores.tally(&material, truth), (2, 1), "the data's own label first, then the person's");
        let outcomes: Vec<_> =
            (0..4).map(|row| scores.row(row, &material, truth).and_then(|row| row.correct)).collect();
        assert_eq!(outcomes, [Some(false), Some(true), None, None]);
    }

    #[test]
    fn batch_correction_is_made_and_undone_on_what_is_kept() {
        let (material, _) = material(&[("a", "pos"), ("b", "neg")]);
        let mut scores = Scores::new(2);
        scores.put(0, scored());
        assert_eq!(scores.batch_bias(&material), None, "not before all rows are scored");
        let mut other = scored();
        other.prediction.labels[0].logprob = 0.1_f64.ln();
        scores.put(1, other);
        let before = scores.clone();
        let bias = scores.batch_bias(&material).expect("two rows");
        scores.correct(&bias);
        let corrected = &scores.of(0).expect("scored").prediction;
        assert_eq!(corrected.label, "positive", "of two rows that lean the same way, one leans less");
        assert_eq!(corrected.confidence, corrected.share);
        assert!((corrected.total_probability - 0.2).abs() < 1e-12);
        let shares: f64 = corrected.labels.values().map(|label| label.share).sum();
        assert!((shares - 1.0).abs() < 1e-12);
        scores.correct(&LabelBias::none(2));
        let (now, then) = (&scores.of(0).expect("scored").prediction, &before.of(0).expect("scored").prediction);
        assert_eq!((&now.label, now.confidence), (&then.label, then.total_probability));
        let mut task = Task::from_toml(task::BUILT_IN[0].1).expect("a task");
        task.bias.method = task::BiasMethod::Batch;
        assert_eq!(scoring_task(&task).bias.method, task::BiasMethod::None);
    }
}
