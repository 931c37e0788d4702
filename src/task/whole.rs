//! Whole prompts as a task.
//!
//! Who measures an engine, or brings prompts that another program has made, has no template and no text: only whole
//! prompts. Most of them begin alike (the same instruction, the same examples), and what they begin with needs to be
//! computed only once. So the longest common beginning becomes the template, and the rest of each prompt its text.

use super::{Bias, Label, TEXT_PLACE, Task, TaskKind};

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
}
