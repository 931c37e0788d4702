//! Several questions about one text, answered on one scale: six traits of a letter, each from 1 to 10.
//!
//! The file is a task file whose template has a place for the question behind the text's, and a list of questions:
//!
//! ```toml
//! template = "Text: {text}\n\n{question}"
//!
//! [[questions]]
//! name = "formality"
//! text = "How formal is it, from 1 to 10?\nAnswer:"
//! ```
//!
//! With one question filled in it is an ordinary task, so whatever works for tasks works for it. What the prompts of a
//! text have in common (instruction, examples, the text) is computed once for all questions.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::{TEXT_PLACE, Task, TaskKind};
use crate::error::{Error, Result};

/// Where the question goes in a template.
pub const QUESTION_PLACE: &str = "{question}";

/// A question about a text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name, as it stands in the data's `group` and in the answers.
    pub name: String,
    /// Its words, up to where the answer begins.
    pub text: String,
}

/// Questions about one text with one set of answers.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionSet {
    /// The task, with a place for the question in its template.
    pub task: Task,
    /// The questions.
    pub questions: Vec<Question>,
}

impl QuestionSet {
    /// Reads a file of questions; `None` where the text is TOML without questions, so an ordinary task.
    ///
    /// # Errors
    /// `Kind::Input` where a question or the task around it is wrong.
    pub fn from_toml(bytes: &[u8]) -> Result<Option<Self>> {
        // What is no TOML is the ordinary reader's to explain, with line and column.
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
        let Ok(mut table) = text.trim_start_matches('\u{feff}').parse::<toml::Table>() else { return Ok(None) };
        let Some(questions) = table.remove("questions") else { return Ok(None) };
        let wrong = |error: toml::de::Error| Error::input(error.message().trim().replace('\n', ", "));
        let questions: Vec<Question> = questions.try_into().map_err(|error: toml::de::Error| {
            wrong(error).in_field("questions").help("each of [[questions]] has a name and a text")
        })?;
        let task: Task = toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            wrong(error).help("beside [[questions]] stands an ordinary task: see tasks/README.md")
        })?;
        let set = Self { task, questions };
        set.check().map(|()| Some(set))
    }

    /// The ordinary task of one question.
    pub fn task_of(&self, question: &Question) -> Task {
        Task {
            name: format!("{}: {}", self.task.name, question.name),
            template: self.task.template.replace(QUESTION_PLACE, &question.text),
            ..self.task.clone()
        }
    }

    /// SHA-256 of all its tasks, in lower-case hex.
    pub fn sha256(&self) -> String {
        let all = self.questions.iter().map(|question| self.task_of(question).sha256());
        let digest = Sha256::digest(all.collect::<String>().as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(&self) -> Result<()> {
        let places = self.task.template.matches(QUESTION_PLACE).count();
        let behind = self.task.template.find(TEXT_PLACE) < self.task.template.find(QUESTION_PLACE);
        if places != 1 || !behind {
            return Err(Error::input("the template needs {question} exactly once, behind {text}")
                .in_field("template")
                .help("write for example template = \"Text: {text}\\n\\n{question}\""));
        }
        if self.questions.is_empty() {
            return Err(Error::input("there are no questions").in_field("questions").help("add [[questions]]"));
        }
        if self.task.kind != TaskKind::Ordinal {
            return Err(Error::input("questions are answered on a scale")
                .in_field("kind")
                .help("write kind = \"ordinal\" and give each label its value"));
        }
        if !self.task.examples.is_empty() {
            return Err(Error::input("examples do not say which question they answer")
                .in_field("examples")
                .help("describe the scale in the instruction instead"));
        }
        let mut names = HashSet::new();
        for question in &self.questions {
            if question.name.trim().is_empty() || !names.insert(question.name.as_str()) {
                return Err(Error::input(format!("{:?} is no name of its own", question.name))
                    .in_field("questions.name")
                    .help("give each question a name that no other has"));
            }
            if question.text.contains(TEXT_PLACE) || question.text.contains(QUESTION_PLACE) {
                return Err(Error::input("a question has no places to fill").in_field("questions.text"));
            }
            self.task_of(question).check()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "name = \"t\"\ntemplate = \"{text}\\n{question}\"\nkind = \"ordinal\"\n\
        [[labels]]\nname = \"1\"\nforms = [\" 1\"]\nvalue = 1\n[[labels]]\nname = \"2\"\nforms = [\" 2\"]\nvalue = 2\n\
        [[questions]]\nname = \"a\"\ntext = \"How a?\"\n[[questions]]\nname = \"b\"\ntext = \"How b?\"\n";

    #[test]
    fn each_question_is_an_ordinary_task() {
        let set = QuestionSet::from_toml(SMALL.as_bytes()).unwrap().unwrap();
        let tasks: Vec<Task> = set.questions.iter().map(|question| set.task_of(question)).collect();
        assert_eq!((tasks[0].template.as_str(), tasks[1].template.as_str()), ("{text}\nHow a?", "{text}\nHow b?"));
        assert_eq!(QuestionSet::from_toml(super::super::BUILT_IN[0].1.as_bytes()).unwrap(), None);
    }

    #[test]
    fn wrong_sets_are_explained() {
        for (from, to, words) in [
            ("\\n{question}", "", "{question} exactly once"),
            ("{text}\\n{question}", "{question}{text}", "behind {text}"),
            ("name = \"b\"", "name = \"a\"", "no name of its own"),
            ("kind = \"ordinal\"", "kind = \"nominal\"", "on a scale"),
            ("value = 2", "value = 1", "value"),
            ("How b?", "How {text}?", "no places"),
            ("text = \"How b?\"", "words = \"How b?\"", "words"),
        ] {
            let error = QuestionSet::from_toml(SMALL.replace(from, to).as_bytes()).expect_err(to);
            assert!(error.to_string().contains(words), "{to}: {error}");
        }
    }
}
