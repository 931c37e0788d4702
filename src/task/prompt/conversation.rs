//! A task as a conversation, and where its words stand in what a chat template makes of it.
//!
//! Every message is rendered as a mark between paddings first: the marks' places split the rendered characters into
//! the template's own and the messages', and what is missing of a padding tells what the template takes off a message.
//! Rendering the real contents must give the same characters.

use super::{PromptFrame, Strip, examples, join, parts, push};
use crate::error::{Error, Result};
use crate::task::Task;
use crate::task::chat::{ChatTemplate, Failure, Message};

/// A task's messages; the last one has the text's gap between its content and `after`.
pub(super) struct Conversation {
    messages: Vec<Message>,
    after: String,
}

/// Why a conversation and a template do not fit.
pub(super) enum Misfit {
    Refused(Failure),
    LeftOut,
    Changed,
    Other(Error),
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        let message = match misfit {
            Misfit::Refused(failure) => return failure.into(),
            Misfit::Other(error) => return error,
            Misfit::LeftOut => "the model's chat template leaves out messages of the task",
            Misfit::Changed => "the model's chat template changes the words of the task",
        };
        Self::unsupported(message)
            .in_field("tokenizer.chat_template")
            .help("set chat = false in the task and write the prompt into template")
    }
}

/// Around every mark, to see what the template takes off a message's ends. More line breaks in a row than a template
/// writes itself: otherwise its own, next to a padding that lost one, would look like an untouched padding.
const PADDING: &str = "\n\n\n\n\t \t\n\n\n\n";

impl Conversation {
    /// `apart`: the system text is a message of its own; otherwise it opens the first user message.
    pub(super) fn new(task: &Task, apart: bool) -> Result<Self> {
        let (before, after) = parts(task)?;
        let mut messages = Vec::new();
        let mut opening = vec![task.instruction.as_str()];
        if apart && !task.system.is_empty() {
            messages.push(Message::new("system", task.system.as_str()));
        } else {
            opening.insert(0, task.system.as_str());
        }
        for (text, answer) in examples(task)? {
            let question = format!("{before}{text}{after}");
            messages.push(Message::new("user", join(opening.drain(..).chain([question.as_str()]), false)));
            messages.push(Message::new("assistant", answer));
        }
        messages.push(Message::new("user", join(opening.drain(..).chain([before]), before.is_empty())));
        Ok(Self { messages, after: after.to_owned() })
    }

    pub(super) fn frame(&self, template: &ChatTemplate) -> Result<PromptFrame, Misfit> {
        let marks = self.marks(&template.source);
        let marked: Vec<_> = (self.messages.iter().zip(&marks))
            .map(|(message, mark)| Message::new(message.role, format!("{PADDING}{mark}{PADDING}")))
            .collect();
        let rendered = render(template, &marked)?;
        let last = marks.len() - 1;
        let mut frame = PromptFrame { chat: true, ..PromptFrame::default() };
        let (mut seen, mut texts) = (vec![false; marks.len()], 0);
        let mut rest = rendered.as_str();
        while let Some((at, index)) = (0..marks.len()).filter_map(|i| Some((rest.find(&marks[i])?, i))).min() {
            let (literal, start) = cut_end(&rest[..at]);
            let (following, end) = cut_start(&rest[at + marks[index].len()..]);
            rest = following;
            seen[index] = true;
            let side = if texts == 0 { &mut frame.before } else { &mut frame.after };
            push(side, literal, true);
            let content = &self.messages[index].content;
            if index < last {
                push(side, start.start(end.end(content)), false);
                continue;
            }
            texts += 1;
            let (opening, closing) = (start.start(content), end.end(&self.after));
            push(&mut frame.before, opening, false);
            push(&mut frame.after, closing, false);
            // The template strips the message's ends; they are the text's only where the task writes nothing there.
            frame.strip[0] = if opening.is_empty() { start } else { Strip::Nothing };
            frame.strip[1] = if closing.is_empty() { end } else { Strip::Nothing };
        }
        if texts != 1 || seen.contains(&false) {
            return Err(Misfit::LeftOut);
        }
        push(&mut frame.after, rest, true);
        self.verify(template, &frame, &marks[last])?;
        Ok(frame)
    }

    /// Renders the real contents, with `mark` as the text, and compares.
    fn verify(&self, template: &ChatTemplate, frame: &PromptFrame, mark: &str) -> Result<(), Misfit> {
        let mut messages = self.messages.clone();
        if let Some(last) = messages.last_mut() {
            last.content = format!("{}{mark}{}", last.content, self.after);
        }
        if render(template, &messages)? == frame.prompt(mark) { Ok(()) } else { Err(Misfit::Changed) }
    }

    /// One mark for each message, found nowhere in the template or the contents.
    fn marks(&self, source: &str) -> Vec<String> {
        let taken = |open: &str| source.contains(open) || self.messages.iter().any(|m| m.content.contains(open));
        let mut number = 0_u32;
        let mut open = "\u{f0001}0".to_owned();
        // A private-use character: no script's letters, no white space, nothing that any string method changes.
        while taken(&open) || self.after.contains(&open) {
            number += 1;
            open = format!("\u{f0001}{number}");
        }
        (0..self.messages.len()).map(|index| format!("{open}\u{f0002}{index}\u{f0003}")).collect()
    }
}

fn render(template: &ChatTemplate, messages: &[Message]) -> Result<String, Misfit> {
    template.try_render(messages).map_err(|failure| match failure {
        Failure::Refused(_) => Misfit::Refused(failure),
        Failure::Broken(error) => Misfit::Other(error),
    })
}

/// The characters before a mark without its padding, and what of the padding was taken off.
fn cut_end(text: &str) -> (&str, Strip) {
    let stripped = PADDING.trim_start_matches('\n');
    if let Some(literal) = text.strip_suffix(PADDING) {
        (literal, Strip::Nothing)
    } else if let Some(literal) = text.strip_suffix(stripped) {
        (literal, Strip::LineBreaks)
    } else {
        (text, Strip::WhiteSpace)
    }
}

/// The characters after a mark without its padding, and what of the padding was taken off.
fn cut_start(text: &str) -> (&str, Strip) {
    let stripped = PADDING.trim_end_matches('\n');
    if let Some(literal) = text.strip_prefix(PADDING) {
        (literal, Strip::Nothing)
    } else if let Some(literal) = text.strip_prefix(stripped) {
        (literal, Strip::LineBreaks)
    } else {
        (text, Strip::WhiteSpace)
    }
}
