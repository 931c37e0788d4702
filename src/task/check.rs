//! What a task must hold before anything is computed with it.
//!
//! Every problem is found in one go, because a person who edits a task wants the whole list, and each one carries the
//! path of the value it is about. The path becomes the error's field here (`labels[1].forms[0]`) and its line and
//! column in [`super::file`]. Token ids are not known on this floor: two forms that differ as text but not as tokens
//! are found by [`super::trie`].

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{TEXT_PLACE, Task, TaskKind};
use crate::error::{Error, Result};

/// The longest form, in characters: an answer is a word or a few, and each token that two labels share costs a pass.
pub const LONGEST_FORM: usize = 200;

/// A step on the way to a value in a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A field's name.
    Field(&'static str),
    /// A place in a list, counted from 0.
    Index(usize),
}

/// The way to a value in a task, e.g. `labels[1].forms[0]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if place == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Something wrong with a task, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The value it is about; empty for the task as a whole.
    pub path: Path,
    /// What is wrong, and what to do.
    pub error: Error,
}

impl Problem {
    /// The error with the path as its field.
    pub fn into_error(self) -> Error {
        if self.path.0.is_empty() { self.error } else { self.error.in_field(self.path.to_string()) }
    }
}

fn problem(path: &[Step], message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { path: Path(path.to_vec()), error: Error::input(message).help(help) }
}

impl Task {
    /// Everything that is wrong with this task, in the order of its fields; empty when it can be used.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_name(&mut problems);
        self.check_template(&mut problems);
        self.check_examples(&mut problems);
        self.check_labels(&mut problems);
        self.check_forms(&mut problems);
        self.check_values(&mut problems);
        problems
    }

    /// The first problem as an error.
    ///
    /// # Errors
    /// `Kind::Input`, with the field and what to do.
    pub fn check(&self) -> Result<()> {
        self.problems().into_iter().next().map_or(Ok(()), |problem| Err(problem.into_error()))
    }

    /// Things that are allowed but seldom meant, as sentences.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let Some((_, after)) = self.template_parts() else { return advice };
        if self.chat {
            let spaced = self.labels.iter().flat_map(|label| &label.forms).find(|form| form.starts_with(' '));
            if let Some(form) = spaced {
                advice.push(format!(
                    "the form {form:?} begins with a space, but a chat model's answer begins on a fresh line; write \
                     {:?}",
                    form.trim_start()
                ));
            }
            return advice;
        }
        let ends_in_space = self.template.ends_with(char::is_whitespace);
        for form in self.labels.iter().flat_map(|label| &label.forms) {
            let begins_in_space = form.starts_with(char::is_whitespace);
            if ends_in_space && begins_in_space {
                advice.push(format!(
                    "the template ends in a space or line break and the form {form:?} begins with one, so the model \
                     sees both; end the template with its last word and keep the space in the form"
                ));
                break;
            }
            if !ends_in_space && !begins_in_space && after.ends_with(|c: char| c.is_alphanumeric() || c == ':') {
                advice.push(format!(
                    "the form {form:?} would follow the template without a space; write {:?}",
                    format!(" {form}")
                ));
                break;
            }
        }
        advice
    }

    fn check_name(&self, problems: &mut Vec<Problem>) {
        if self.name.trim().is_empty() {
            problems.push(problem(
                &[Step::Field("name")],
                "the task has no name",
                "write a short one, e.g. \"sentiment\"",
            ));
        }
    }

    fn check_template(&self, problems: &mut Vec<Problem>) {
        let count = self.template.matches(TEXT_PLACE).count();
        if count != 1 {
            let message = match count {
                0 => "the template has no place for the text".to_owned(),
                _ => format!("the template has {count} places for the text"),
            };
            let help = "write {text} exactly once, where the text to classify goes";
            problems.push(problem(&[Step::Field("template")], message, help));
        }
        for (field, value) in [("system", &self.system), ("instruction", &self.instruction)] {
            if value.contains(TEXT_PLACE) {
                let message = "{text} would be shown to the model as it stands";
                problems.push(problem(&[Step::Field(field)], message, "the text's place belongs into template"));
            }
        }
    }

    fn check_examples(&self, problems: &mut Vec<Problem>) {
        for (index, example) in self.examples.iter().enumerate() {
            if self.label(&example.label).is_none() {
                let names: Vec<_> = self.labels.iter().map(|label| format!("{:?}", label.name)).collect();
                problems.push(problem(
                    &[Step::Field("examples"), Step::Index(index), Step::Field("label")],
                    format!("no label is named {:?}", example.label),
                    format!("use one of the labels' names: {}", names.join(", ")),
                ));
            }
        }
    }

    fn check_labels(&self, problems: &mut Vec<Problem>) {
        if self.labels.len() < 2 {
            let message = format!("a task needs at least two labels, this one has {}", self.labels.len());
            let help = "add [[labels]] with name and forms, one for each possible answer";
            problems.push(problem(&[Step::Field("labels")], message, help));
        }
        let mut names = HashSet::new();
        for (index, label) in self.labels.iter().enumerate() {
            let path = [Step::Field("labels"), Step::Index(index), Step::Field("name")];
            if label.name.trim().is_empty() {
                problems.push(problem(&path, "the label has no name", "write the name that stands in your data"));
            } else if label.name.trim() != label.name {
                let help = format!("labels in data are read without surrounding space: write {:?}", label.name.trim());
                problems.push(problem(&path, "the label's name begins or ends with a space", help));
            } else if !names.insert(label.name.as_str()) {
                let message = format!("two labels are named {:?}", label.name);
                problems.push(problem(&path, message, "name each label once and list its spellings under forms"));
            }
        }
    }

    fn check_forms(&self, problems: &mut Vec<Problem>) {
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for (index, label) in self.labels.iter().enumerate() {
            let forms = [Step::Field("labels"), Step::Index(index), Step::Field("forms")];
            if label.forms.is_empty() {
                let message = format!("the label {:?} has no forms", label.name);
                let help = format!("list at least one spelling of the answer, e.g. forms = [\" {}\"]", label.name);
                problems.push(problem(&forms, message, help));
            }
            for (place, form) in label.forms.iter().enumerate() {
                let path = [forms[0], forms[1], forms[2], Step::Index(place)];
                if form.trim().is_empty() {
                    problems.push(problem(&path, "a form holds no word", "remove it, or write the answer's spelling"));
                    continue;
                }
                if form.chars().count() > LONGEST_FORM {
                    let message = format!("a form is longer than {LONGEST_FORM} characters");
                    problems.push(problem(&path, message, "a form is the answer's first word or words"));
                    continue;
                }
                let owner = *owners.entry(form).or_insert(index);
                if owner != index {
                    let message = format!("the form {form:?} already belongs to {:?}", self.labels[owner].name);
                    problems.push(problem(&path, message, "keep it in one of the two labels"));
                }
            }
        }
    }

    fn check_values(&self, problems: &mut Vec<Problem>) {
        let mut seen: Vec<(f64, &str)> = Vec::new();
        for (index, label) in self.labels.iter().enumerate() {
            let path = [Step::Field("labels"), Step::Index(index), Step::Field("value")];
            let here = [path[0], path[1]];
            match (self.kind, label.value) {
                (TaskKind::Nominal, None) => {}
                (TaskKind::Nominal, Some(_)) => {
                    let help = "write kind = \"ordinal\" if the labels are steps of a scale, or remove value";
                    problems.push(problem(&path, "a nominal task's labels have no value", help));
                }
                (TaskKind::Ordinal, None) => {
                    let message = format!("the label {:?} of an ordinal task has no value", label.name);
                    problems.push(problem(&here, message, "write value = its place on the scale, e.g. value = 3"));
                }
                (TaskKind::Ordinal, Some(value)) if !value.is_finite() => {
                    problems.push(problem(&path, format!("{value} is no place on a scale"), "write a finite number"));
                }
                (TaskKind::Ordinal, Some(value)) => {
                    if let Some((_, other)) = seen.iter().find(|(known, _)| *known == value) {
                        let message = format!("{:?} and {other:?} have the same value {value}", label.name);
                        problems.push(problem(&path, message, "give each label its own place on the scale"));
                    }
                    seen.push((value, &label.name));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LONGEST_FORM;
    use crate::task::*;

    /// A task that is right, as text that the cases below spoil.
    const RIGHT: &str = r#"name = "t"
template = "{text} is"
kind = "nominal"
examples = [{ text = "a", label = "x" }]
[[labels]]
name = "x"
forms = [" x"]
[[labels]]
name = "y"
forms = [" y", " Y"]
"#;

    /// Replaces `from` by `to` in the right task and gives the first problem's field and message.
    fn spoil(from: &str, to: &str) -> (String, String) {
        assert!(RIGHT.contains(from), "{from}");
        let task: Task = toml::from_str(&RIGHT.replacen(from, to, 1)).expect("well-formed");
        let error = task.check().expect_err(to);
        assert!(error.help.is_some());
        (error.field.unwrap_or_default(), error.message)
    }

    #[test]
    fn every_rule_names_its_field() {
        toml::from_str::<Task>(RIGHT).unwrap().check().unwrap();
        let cases = [
            ("name = \"t\"", "name = \" \"", "name", "no name"),
            ("{text} is", "is", "template", "no place"),
            ("{text} is", "{text} {text}", "template", "2 places"),
            ("name = \"t\"", "name = \"t\"\nsystem = \"{text}\"", "system", "as it stands"),
            ("name = \"t\"", "name = \"t\"\ninstruction = \"{text}\"", "instruction", "as it stands"),
            ("label = \"x\"", "label = \"z\"", "examples[0].label", "no label is named \"z\""),
            ("[[labels]]\nname = \"y\"\nforms = [\" y\", \" Y\"]\n", "", "labels", "this one has 1"),
            ("name = \"y\"", "name = \"\"", "labels[1].name", "no name"),
            ("name = \"y\"", "name = \"x\"", "labels[1].name", "two labels"),
            ("name = \"y\"", "name = \"y \"", "labels[1].name", "space"),
            ("[\" x\"]", "[]", "labels[0].forms", "no forms"),
            ("\" Y\"", "\" \"", "labels[1].forms[1]", "no word"),
            ("\" Y\"", "\" x\"", "labels[1].forms[1]", "already belongs to \"x\""),
            ("\"nominal\"", "\"ordinal\"", "labels[0]", "no value"),
            ("forms = [\" x\"]", "forms = [\" x\"]\nvalue = 1", "labels[0].value", "nominal"),
        ];
        let long = format!("\"{}\"", "x".repeat(LONGEST_FORM + 1));
        let cases = cases.into_iter().chain([("\" Y\"", long.as_str(), "labels[1].forms[1]", "longer than 200")]);
        for (from, to, field, message) in cases {
            let found = spoil(from, to);
            assert!(found.0 == field && found.1.contains(message), "{to}: {found:?}");
        }
    }

    #[test]
    fn ordinal_values_are_finite_and_distinct() {
        let ordinal = RIGHT.replace("nominal", "ordinal");
        let values = |a: &str, b: &str| {
            let text = ordinal
                .replace("forms = [\" x\"]", &format!("forms = [\" x\"]\nvalue = {a}"))
                .replace("forms = [\" y\"", &format!("value = {b}\nforms = [\" y\""));
            toml::from_str::<Task>(&text).unwrap().check().map_err(|error| error.field.unwrap())
        };
        assert_eq!(values("1", "2.5"), Ok(()));
        assert_eq!(values("inf", "2"), Err("labels[0].value".into()));
        assert_eq!(values("1", "nan"), Err("labels[1].value".into()));
        assert_eq!(values("1", "1.0"), Err("labels[1].value".into()));
    }

    #[test]
    fn all_problems_come_at_once() {
        let text = RIGHT.replace("{text}", "").replace("label = \"x\"", "label = \"q\"").replace("\" Y\"", "\"\"");
        assert_eq!(toml::from_str::<Task>(&text).unwrap().problems().len(), 3);
    }

    #[test]
    fn advice_is_about_spaces_at_the_seam() {
        let advice = |text: String| toml::from_str::<Task>(&text).unwrap().advice().len();
        assert_eq!(advice(RIGHT.into()), 0);
        assert_eq!(advice(RIGHT.replace(" is", " is ")), 1);
        assert_eq!(advice(RIGHT.replace("\" x\"", "\"x\"")), 1);
        assert_eq!(advice(RIGHT.replace("kind", "chat = true\nkind")), 1);
    }
}
