//! Whole prompts as a task.
//!
//! Who measures an engine, or brings prompts that another program has made, has no template and no text: only whole
//! prompts. Most of them begin alike (the same instruction, the same examples), and what they begin with needs to be
//! computed only once. So the longest common beginning becomes the template, and the rest of each prompt its text.

use super::{Bias, Label, TEXT_PLACE, Task, TaskKind};
use crate::error::{Error, Result};

/// Whole prompts that were written for measuring: four worked reviews, then one of 32 others.
pub const BUILT_IN_PROMPTS: &str = include_str!("../../benches/prompts.json");

/// Reads a file of prompts: a JSON list of texts.
///
/// # Errors
/// What else it is, and where.
pub fn read_prompts(bytes: &[u8]) -> Result<Vec<String>> {
    let help = "a file of prompts is a JSON list of texts: [\"first prompt\", \"second prompt\"]";
    let prompts: Vec<String> = serde_json::from_slice(bytes).map_err(|error| {
        Error::input(error.to_string()).at_line(error.line() as u64).at_column(error.column() as u64).help(help)
    })?;
    match prompts.iter().position(String::is_empty) {
        Some(at) => Err(Error::input(format!("prompt {} is empty", at + 1)).help("a next token needs one before it")),
        None if prompts.is_empty() => Err(Error::input("the list holds no prompt").help(help)),
        None => Ok(prompts),
    }
}

impl Task {
    /// The task whose prompts these are, and each prompt's text: rendered with its text, the task gives the prompt
    /// back, character by character. `labels` are the answers that are asked for.
    pub fn of_whole_prompts(prompts: &[String], labels: Vec<Label>) -> (Self, Vec<String>) {
        let shared = common_beginning(prompts);
        let task = Self {
            name: "whole prompts".to_owned(),
            system: String::new(),
            instruction: String::new(),
            template: format!("{shared}{TEXT_PLACE}"),
            chat: false,
            kind: TaskKind::Nominal,
            examples: Vec::new(),
            labels,
            bias: Bias::default(),
        };
        (task, prompts.iter().map(|prompt| prompt[shared.len()..].to_owned()).collect())
    }
}

/// What all prompts begin with, as far as it can stand in a template. A single prompt has nothing in common with
/// others.
fn common_beginning(prompts: &[String]) -> &str {
    let [first, others @ ..] = prompts else { return "" };
    if others.is_empty() {
        return "";
    }
    let common = |length: usize, other: &String| {
        first.char_indices().zip(other.chars()).take_while(|((at, a), b)| *at < length && a == b).count()
    };
    let mut length = first.len();
    for other in others {
        let characters = common(length, other);
        length = first.char_indices().nth(characters).map_or(first.len(), |(at, _)| at);
    }
    // The template has one place for the text; whatever looks like it stays in the texts.
    let place = first[..length].find(TEXT_PLACE).unwrap_or(length);
    &first[..place]
}

#[cfg(test)]
mod tests {
    use super::super::BUILT_IN;
    use super::super::prompt::PromptFrame;
    use super::*;

    #[test]
    fn the_task_gives_the_prompts_back() {
        let labels = Task::from_toml(BUILT_IN[0].1).unwrap().labels;
        for (prompts, shared) in [
            (&["Q: one?\nA:", "Q: other?\nA:"][..], "Q: o"),
            (&["Q: one?\nA:"], ""),
            (&["same", "same", "same"], "same"),
            (&["größer", "größte", "groß"], "gr"),
            (&["größer", "größte"], "größ"),
            (&["", "a"], ""),
            (&["a {text} b", "a {text} c"], "a "),
            (&["a\n\nb", "a\n\nc"], "a\n\n"),
            (&[], ""),
        ] {
            let prompts: Vec<String> = prompts.iter().map(|prompt| (*prompt).to_owned()).collect();
            let (task, texts) = Task::of_whole_prompts(&prompts, labels.clone());
            assert_eq!(task.problems().len(), 0, "{prompts:?}: {:?}", task.problems());
            assert_eq!(task.template_parts(), Some((shared, "")), "{prompts:?}");
            let frame = PromptFrame::new(&task, None).unwrap();
            let again: Vec<String> = texts.iter().map(|text| frame.prompt(text)).collect();
            assert_eq!(again, prompts);
        }
    }

    #[test]
    fn a_wrong_file_of_prompts_is_told_where() {
        for (text, words) in [
            ("[\"a\", 5]", "line 1, column 7"),
            ("{\"a\": 5}", "JSON list of texts"),
            ("[]", "no prompt"),
            ("[\"a\", \"\"]", "prompt 2 is empty"),
            ("", "line 1"),
        ] {
            let error = read_prompts(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
