//! What a person decided about texts that came without a label.
//!
//! A decision belongs to a text: rows with the same text share it. Every decision is a line of a file that is only ever
//! written behind, so a crash costs the last line at most; undoing is a line too. The last line of a text counts.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::material::Material;
use super::scores::text_key;

/// In which order texts are shown to the person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those the model is least certain of first.
    #[default]
    LeastCertain,
    /// Those that would teach a calibrator most first.
    Teaching,
    /// By lot.
    Random,
}

/// A decision about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The task's label; nothing where only a note was written.
    pub label: Option<String>,
    /// What the person noted.
    pub note: String,
    /// How the text was chosen to be shown.
    pub order: Order,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    text: String,
    label: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(default)]
    order: Order,
}

/// All decisions about a data set's texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgements {
    of_text: HashMap<usize, Judgement>,
    /// Texts in the order of their decisions; what is undone is taken out.
    order: Vec<usize>,
}

impl Judgements {
    /// The decision about a text, by the text's place.
    pub fn of(&self, text: usize) -> Option<&Judgement> {
        self.of_text.get(&text)
    }

    /// The label that was given to a text.
    pub fn label(&self, text: usize) -> Option<&str> {
        self.of(text)?.label.as_deref()
    }

    /// The texts that have a label, in the order of the decisions.
    pub fn labelled(&self) -> &[usize] {
        &self.order
    }

    /// Takes a decision.
    pub fn put(&mut self, text: usize, judgement: Judgement) {
        self.order.retain(|other| *other != text);
        if judgement.label.is_some() {
            self.order.push(text);
        }
        self.of_text.insert(text, judgement);
    }

    /// Takes the last decision back; answers with its text. The note stays.
    pub fn undo(&mut self) -> Option<usize> {
        let text = self.order.pop()?;
        if let Some(judgement) = self.of_text.get_mut(&text) {
            judgement.label = None;
        }
        Some(text)
    }

    /// A text's decision as a line to write behind the file.
    pub fn line(&self, text: usize, material: &Material) -> Option<String> {
        let Judgement { label, note, order } = self.of(text)?.clone();
        let line = Line { text: text_key(material.text(text)?), label, note, order };
        serde_json::to_string(&line).ok().map(|line| line + "\n")
    }

    /// All decisions as lines, in their order.
    pub fn lines(&self, material: &Material) -> String {
        let noted = self.of_text.iter().filter(|(_, judgement)| judgement.label.is_none()).map(|(text, _)| *text);
        let mut noted: Vec<usize> = noted.collect();
        noted.sort_unstable();
        noted.into_iter().chain(self.order.iter().copied()).filter_map(|text| self.line(text, material)).collect()
    }

    /// Reads the lines of a file; a line that cannot be read, or is of another text, is passed over.
    pub fn restore(material: &Material, lines: &str) -> Self {
        let places: HashMap<String, usize> =
            material.texts().enumerate().map(|(place, text)| (text_key(text), place)).collect();
        let mut judgements = Self::default();
        for line in lines.lines() {
            let Ok(Line { text, label, note, order }) = serde_json::from_str(line) else { continue };
            if let Some(&place) = places.get(&text) {
                judgements.put(place, Judgement { label, note, order });
            }
        }
        judgements
    }

    /// Decisions about texts that were not drawn by lot: rows like these are not like all rows.
    pub fn chosen_on_purpose(&self) -> usize {
        self.order.iter().filter(|text| self.of(**text).is_some_and(|j| j.order != Order::Random)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::material::tests::material;
    use super::*;

    fn judged(label: &str) -> Judgement {
        Judgement { label: Some(label.to_owned()), note: String::new(), order: Order::Random }
    }

    #[test]
    fn the_last_word_counts_and_can_be_taken_back() {
        let mut judgements = Judgements::default();
        judgements.put(2, judged("positive"));
        judgements.put(0, Judgement { note: "odd".to_owned(), order: Order::LeastCertain, ..judged("negative") });
        judgements.put(2, judged("negative"));
        assert_eq!((judgements.labelled(), judgements.label(2)), (&[0, 2][..], Some("negative")));
        assert_eq!(judgements.chosen_on_purpose(), 1);
        assert_eq!((judgements.undo(), judgements.label(2)), (Some(2), None));
        assert_eq!((judgements.undo(), judgements.undo()), (Some(0), None));
        assert_eq!(judgements.of(0).map(|judgement| judgement.note.as_str()), Some("odd"), "the note stays");
    }

    #[test]
    fn what_is_written_comes_back() {
        let (material, _) = material(&[("a", ""), ("b", ""), ("c", "")]);
        let mut judgements = Judgements::default();
        let mut file = String::new();
        for (text, label) in [(1, Some("positive")), (0, Some("negative")), (1, None), (2, Some("negative"))] {
            let label = label.map(str::to_owned);
            judgements.put(text, Judgement { label, note: "n".to_owned(), order: Order::Teaching });
            file.push_str(&judgements.line(text, &material).expect("a line"));
        }
        assert_eq!(Judgements::restore(&material, &file), judgements);
        assert_eq!(Judgements::restore(&material, &judgements.lines(&material)), judgements);
        let cut = &file[..file.len() - 9];
        assert_eq!(Judgements::restore(&material, cut).labelled(), [0], "a line that was cut off costs one decision");
        assert_eq!(Judgements::restore(&material, "{}\nnonsense\n"), Judgements::default());
    }
}
