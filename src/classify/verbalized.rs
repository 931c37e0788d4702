//! Asking a model how sure it is: "from 0 to 100?", answered by the exact probabilities of all 101 numbers.
//!
//! The usual way is to let the model write a number; that is one draw from a distribution which the label trie can read
//! whole. So the question is a task of its own, with the numbers as labels: the prompt is the task's own prompt, the
//! answer that was given, and the question. What is reported is the expected number and the likeliest one. Whether that
//! says anything is for the calibration to find out; a small model's word is often the same for right and wrong.

use super::{Classifier, Options, PreparedTask};
use crate::engine::Control;
use crate::error::Result;
use crate::protocol::{Classification, Verbalized};
use crate::task::{Bias, Label, Task, TaskKind};

/// The largest number.
const MOST: usize = 100;

/// The question about each label of a task, made ready.
pub struct HowSure {
    questions: Vec<PreparedTask>,
}

impl HowSure {
    /// Makes the questions of a task ready for a model.
    ///
    /// # Errors
    /// As [`Classifier::prepare`].
    pub async fn new(task: &Task, classifier: &Classifier, control: &mut Control<'_>) -> Result<Self> {
        let mut questions = Vec::with_capacity(task.labels.len());
        for label in &task.labels {
            questions.push(classifier.prepare(&question(task, label), control).await?);
        }
        Ok(Self { questions })
    }

    /// Asks about each result's label, and notes the answer in its prediction.
    ///
    /// # Errors
    /// As [`Classifier::classify_with`].
    pub async fn ask(
        &self,
        classifier: &Classifier,
        results: &mut [Classification],
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<()> {
        let options = Options { top: 0, ..*options };
        for (label, question) in self.questions.iter().enumerate() {
            let of_label = |result: &Classification| {
                result.prediction.labels.get_index_of(&result.prediction.label) == Some(label)
            };
            let places: Vec<usize> = (0..results.len()).filter(|&place| of_label(&results[place])).collect();
            let texts: Vec<&str> = places.iter().map(|&place| results[place].prediction.text.as_str()).collect();
            if texts.is_empty() {
                continue;
            }
            let answers = classifier.classify_with(question, &texts, &options, control).await?;
            let said: Vec<Verbalized> = answers.iter().map(read).collect();
            places.iter().zip(said).for_each(|(&place, said)| results[place].prediction.verbalized = Some(said));
        }
        Ok(())
    }
}

/// Expected and likeliest number, from the shares of the numbers 0 to 100 in order.
fn read(answer: &Classification) -> Verbalized {
    let shares: Vec<f64> = answer.prediction.labels.values().map(|label| label.share).collect();
    let expected = shares.iter().enumerate().map(|(number, share)| number as f64 * share).sum::<f64>();
    let mode = crate::stats::rows::first_largest(&shares);
    Verbalized {
        expected: (expected / MOST as f64).clamp(0.0, 1.0),
        mode: mode as f64 / MOST as f64,
        mass: (1.0 - answer.prediction.other_mass).clamp(0.0, 1.0),
    }
}

/// The question about a label as a task whose labels are numbers.
///
/// The task's worked examples stay, written out before the text: they have no numbers, so they cannot be examples of
/// this task.
fn question(task: &Task, label: &Label) -> Task {
    let (before, after) = task.template_parts().unwrap_or_default();
    let form = |label: &Label| label.forms.first().cloned().unwrap_or_default();
    let answered = |text: &str, form: &str| {
        let space = if task.chat { "\n" } else { "" };
        format!("{before}{text}{after}{space}{form}")
    };
    let shown = task.examples.iter().filter_map(|example| {
        task.label(&example.label).map(|label| answered(&example.text.replace("{text}", "{ text }"), &form(label)))
    });
    let parts: Vec<String> = std::iter::once(task.instruction.clone()).chain(shown).collect();
    let instruction = parts.iter().filter(|part| !part.is_empty()).map(|part| part.trim_end_matches('\n'));
    let ask = match task.chat {
        true => "How sure are you that this answer is right? Reply with a number from 0 to 100.",
        false => "How sure are you that this answer is right, from 0 to 100?\nConfidence:",
    };
    let space = if task.chat { "" } else { " " };
    Task {
        name: format!("{}: how sure?", task.name),
        system: task.system.clone(),
        instruction: instruction.collect::<Vec<_>>().join("\n\n"),
        template: format!("{}\n{ask}", answered(crate::task::TEXT_PLACE, &form(label))),
        chat: task.chat,
        kind: TaskKind::Ordinal,
        examples: Vec::new(),
        labels: (0..=MOST)
            .map(|number| Label {
                name: number.to_string(),
                forms: vec![format!("{space}{number}")],
                value: Some(number as f64),
            })
            .collect(),
        bias: Bias::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::BUILT_IN;
    use crate::task::prompt::PromptFrame;

    #[test]
    fn the_question_follows_the_tasks_own_prompt() {
        let task = Task::from_toml(BUILT_IN[0].1).unwrap();
        let question = question(&task, &task.labels[1]);
        question.check().unwrap();
        assert_eq!(question.labels.len(), 101);
        let own = PromptFrame::new(&task, None).unwrap().prompt("Some text.");
        let asked = PromptFrame::new(&question, None).unwrap().prompt("Some text.");
        assert!(asked.starts_with(&format!("{own} negative\nHow sure")), "{own}\n---\n{asked}");
        assert!(asked.ends_with("Confidence:"));
    }
}
