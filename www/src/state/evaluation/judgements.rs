//! What a person decided about texts that came without a label.
//!
//! A decision belongs to a text: rows with the same text share it. Every decision is a line of a file that is only ever
//! written behind, so a crash costs the last line at most; undoing is a line too. The last line of a text counts.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::material::Material;
use super::scores::text_key;
use crate::state::format::counted;

/// In which order texts are shown to the person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those the model is least certain of first.
    #[default]
    // What was drawn from only what the model had left over was called "random": such texts are picked on purpose too.
    #[serde(alias = "random")]
    LeastCertain,
    /// Those that would teach a calibrator most first.
    Teaching,
    /// By lot, from all texts without a label: also from those that the model would decide.
    ByLot,
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
        let is_labelled = judgement.label.is_some();
        let before = self.of_text.insert(text, judgement);
        // What is decided anew was mostly decided a moment ago.
        if before.is_some_and(|before| before.label.is_some())
            && let Some(place) = self.order.iter().rposition(|other| *other == text)
        {
            self.order.remove(place);
        }
        if is_labelled {
            self.order.push(text);
        }
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

    /// Whether a text was picked on purpose to be decided, not drawn by lot: such texts are not like all texts.
    pub fn is_picked_on_purpose(&self, text: usize) -> bool {
        self.of(text).is_some_and(|judgement| judgement.order != Order::ByLot)
    }

    /// What stands beside a number that counts labels of texts that were picked on purpose; nothing where there are none.
    pub fn caution(&self) -> Option<String> {
        let picked = self.order.iter().filter(|text| self.is_picked_on_purpose(**text)).count();
        let were = if picked == 1 { "was" } else { "were" };
        (picked > 0).then(|| {
            format!(
                "{} here {were} given to texts picked on purpose, not by lot: this may not hold for all texts.",
                counted(picked as u64, "label")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::material::tests::material;
    use super::*;

    fn judged(label: &str) -> Judgement {
        Judgement { label: Some(label.to_owned()), note: String::new(), order: Order::ByLot }
    }

    #[test]
    fn the_last_word_counts_and_can_be_taken_back() {
        let mut judgements = Judgements::default();
        judgements.put(2, judged("positive"));
        judgements.put(0, Judgement { note: "odd".to_owned(), order: Order::LeastCertain, ..judged("negative") });
        judgements.put(2, judged("negative"));
        assert_eq!((judgements.labelled(), judgements.label(2)), (&[0, 2][..], Some("negative")));
        assert!(judgements.is_picked_on_purpose(0) && !judgements.is_picked_on_purpose(2));
        assert!(judgements.caution().is_some_and(|words| words.starts_with("1 label here was given")));
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

    #[test]
    fn labels_drawn_from_what_the_model_left_over_are_no_lot() {
        let (material, _) = material(&[("a", ""), ("b", "")]);
        let line = |text: &str, order: &str| {
            format!("{{\"text\": \"{}\", \"label\": \"positive\", \"order\": \"{order}\"}}\n", text_key(text))
        };
        let judgements = Judgements::restore(&material, &(line("a", "random") + &line("b", "by_lot")));
        assert!(judgements.is_picked_on_purpose(0) && !judgements.is_picked_on_purpose(1));
    }
}
