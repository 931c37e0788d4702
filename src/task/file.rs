//! Task files: TOML text to a [`Task`] and back.
//!
//! Reading gives either a task that has passed every check or an error with line, column and field. Writing is by
//! hand rather than through a TOML library, because the text is also what [`Task::sha256`] hashes: a calibrator is
//! bound to that hash, so the bytes must not depend on how a library's next version likes to quote. Comments are not
//! kept: what is written is the task, in one canonical spelling, and reading it again gives the same task.

use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::Task;
use super::check::{Path, Step};
use crate::error::{Error, Result};

impl Task {
    /// Reads and checks a task file.
    ///
    /// # Errors
    /// `Kind::Format` where the text is no TOML or not UTF-8, `Kind::Input` where a field is missing, unknown or
    /// wrong; always with line and column.
    pub fn from_toml(bytes: impl AsRef<[u8]>) -> Result<Self> {
        let text = decode(bytes.as_ref())?;
        let table = DeTable::parse(text).map_err(|error| syntax_error(text, &error))?;
        let task: Self = toml::from_str(text).map_err(|error| shape_error(text, &error))?;
        match task.problems().into_iter().next() {
            None => Ok(task),
            Some(problem) => {
                let place = span_of(table.get_ref(), &problem.path);
                let error = problem.into_error();
                Err(place.map_or_else(|| error.clone(), |span| at(error.clone(), text, span.start)))
            }
        }
    }

    /// The canonical TOML of this task: every field that is not empty, one spelling for each value.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        field(&mut out, "name", &quoted(&self.name));
        for (key, value) in [("system", &self.system), ("instruction", &self.instruction)] {
            if !value.is_empty() {
                field(&mut out, key, &quoted(value));
            }
        }
        field(&mut out, "template", &quoted(&self.template));
        field(&mut out, "chat", &self.chat.to_string());
        field(&mut out, "kind", &quoted(self.kind.as_str()));
        if !self.examples.is_empty() {
            out.push_str("examples = [\n");
            for example in &self.examples {
                let (text, label) = (quoted(&example.text), quoted(&example.label));
                let _ = writeln!(out, "    {{ text = {text}, label = {label} }},");
            }
            out.push_str("]\n");
        }
        if self.labels.is_empty() {
            out.push_str("labels = []\n");
        }
        for label in &self.labels {
            out.push_str("\n[[labels]]\n");
            field(&mut out, "name", &quoted(&label.name));
            field(&mut out, "forms", &quoted_list(&label.forms));
            if let Some(value) = label.value {
                field(&mut out, "value", &number(value));
            }
        }
        out.push_str("\n[bias]\n");
        field(&mut out, "method", &quoted(self.bias.method.as_str()));
        field(&mut out, "content_free", &quoted_list(&self.bias.content_free));
        out
    }

    /// SHA-256 of the canonical TOML, in lower-case hex: what a calibrator is bound to.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.to_toml().as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn field(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn quoted_list(items: &[String]) -> String {
    let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A TOML float with the fewest digits that read back as the same number.
fn number(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

/// The file's text without a byte-order mark.
fn decode(bytes: &[u8]) -> Result<&str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        at(Error::format("the task file is not UTF-8"), good, good.len())
            .help("save it as UTF-8 (most editors: \"save with encoding\")")
    })
}

fn syntax_error(text: &str, error: &toml::de::Error) -> Error {
    let wrong = Error::format(error.message().trim().replace('\n', ", "))
        .help("the file is TOML: texts in \"double quotes\", lists in [brackets], one [[labels]] table per label");
    at(wrong, text, error.span().map_or(text.len(), |span| span.start))
}

fn shape_error(text: &str, error: &toml::de::Error) -> Error {
    let message = error.message().trim().replace('\n', ", ");
    let place = error.span().map(|span| span.start).filter(|start| *start > 0);
    let help = if message.starts_with("unknown field") {
        "remove it, or correct its spelling"
    } else if message.starts_with("missing field") {
        "a task needs name, template and at least two [[labels]] with name and forms"
    } else {
        "see tasks/README.md for every field and its type"
    };
    let mut wrong = Error::input(message.clone()).help(help);
    if let Some(name) = message.split('`').nth(1).filter(|_| message.contains(" field `")) {
        wrong = wrong.in_field(name);
    }
    at(wrong, text, place.unwrap_or(0))
}

/// The error with line and column (in characters, from 1) of a byte position.
fn at(error: Error, text: &str, position: usize) -> Error {
    let before = text.get(..position).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() as u64 + 1;
    error.at_line(line).at_column(before[line_start..].chars().count() as u64 + 1)
}

/// Where the value at `path`, or the nearest one around it, stands in the text.
fn span_of(table: &DeTable<'_>, path: &Path) -> Option<Range<usize>> {
    let mut steps = path.0.iter();
    let Some(Step::Field(first)) = steps.next() else { return None };
    let mut here = table.get(*first)?;
    for step in steps {
        let next = match (step, here.get_ref()) {
            (Step::Field(name), DeValue::Table(table)) => table.get(*name),
            (Step::Index(index), DeValue::Array(list)) => list.get(*index),
            _ => None,
        };
        match next {
            Some(value) => here = value,
            None => break,
        }
    }
    Some(here.span())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::{Bias, BiasMethod, FewShotExample, Label, TaskKind};

    const SMALL: &str = "name = \"t\"\ntemplate = \"{text}:\"\n\n[[labels]]\nname = \"x\"\nforms = [\" x\"]\n\n\
                         [[labels]]\nname = \"y\"\nforms = [\" y\"]\n";

    #[test]
    fn defaults_fill_what_is_not_written() {
        let task = Task::from_toml(SMALL).unwrap();
        assert!(!task.chat && task.kind == TaskKind::Nominal && task.bias.method == BiasMethod::None);
        assert_eq!(task.bias.content_free, ["N/A", "[MASK]", ""]);
    }

    #[test]
    fn bom_and_crlf_make_no_difference() {
        let windows = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
        assert_eq!(Task::from_toml(windows).unwrap(), Task::from_toml(SMALL).unwrap());
    }

    #[test]
    fn errors_say_where() {
        type Case<'a> = (&'a str, &'a str, &'a [u8], u64, u64, &'a str);
        let cases: [Case<'_>; 9] = [
            ("name = \"t\"", "name = t", b"", 1, 8, ""),
            ("{text}:", ":", b"", 2, 12, "template"),
            ("\" y\"", "\" x\"", b"", 10, 10, "labels[1].forms[0]"),
            ("name = \"y\"", "nam = \"y\"", b"", 9, 1, "nam"),
            ("name = \"t\"\n", "", b"", 1, 1, "name"),
            ("[\" y\"]", "\" y\"", b"", 10, 9, ""),
            ("name = \"t\"", "name = \"t\"\nkind = \"other\"", b"", 2, 8, ""),
            ("name = \"t\"", "name = \"t\"\nname = \"u\"", b"", 2, 1, ""),
            ("", "", b"# \xff", 11, 3, ""),
        ];
        for (from, to, tail, line, column, field) in cases {
            let mut bytes = SMALL.replacen(from, to, 1).into_bytes();
            bytes.extend_from_slice(tail);
            let error = Task::from_toml(bytes).expect_err(to);
            assert_eq!((error.line, error.column), (Some(line), Some(column)), "{to}: {error}");
            assert_eq!(error.field.as_deref().unwrap_or_default(), field, "{error}");
            assert!(error.help.is_some(), "{error}");
        }
    }

    #[test]
    fn the_hash_is_of_the_canonical_text() {
        let task = Task::from_toml(SMALL).unwrap();
        let with_comment = Task::from_toml(format!("# a comment\n{SMALL}")).unwrap();
        assert_eq!(task.sha256(), with_comment.sha256());
        let other = Task::from_toml(SMALL.replace(" y", " z")).unwrap();
        assert_ne!(task.sha256(), other.sha256());
        // Pinned: calibrators that people saved carry it. It may change only with the fields of a task.
        assert_eq!(task.sha256(), PINNED, "\n{}", task.to_toml());
    }

    const PINNED: &str = "d94862795ee97b99cf23b15bdaf2aa7527998b73e349c6823a5a22b7aac6477c";

    fn any_task() -> impl Strategy<Value = Task> {
        let label = (any::<String>(), prop::collection::vec(any::<String>(), 0..4), prop::option::of(any::<f64>()))
            .prop_map(|(name, forms, value)| Label { name, forms, value });
        let example = (any::<String>(), any::<String>()).prop_map(|(text, label)| FewShotExample { text, label });
        let bias = prop::collection::vec(any::<String>(), 0..3)
            .prop_map(|content_free| Bias { method: BiasMethod::Pmi, content_free });
        (
            (any::<String>(), any::<String>(), any::<String>(), any::<String>(), any::<bool>(), any::<bool>()),
            prop::collection::vec(example, 0..3),
            prop::collection::vec(label, 0..4),
            bias,
        )
            .prop_map(|((name, system, instruction, template, chat, ordinal), examples, labels, bias)| Task {
                name,
                system,
                instruction,
                template,
                chat,
                kind: if ordinal { TaskKind::Ordinal } else { TaskKind::Nominal },
                examples,
                labels,
                bias,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(task in any_task()) {
            let text = task.to_toml();
            let read: Task = toml::from_str(&text).unwrap();
            prop_assert_eq!(&read, &task);
            prop_assert_eq!(read.to_toml(), text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Task::from_toml(&bytes);
        }

        #[test]
        fn no_spoiled_task_makes_it_panic(at in 0..SMALL.len(), what in any::<String>()) {
            let mut text = SMALL.to_owned();
            text.replace_range(at..=at, &what);
            if let Err(error) = Task::from_toml(&text) {
                prop_assert!(error.line.is_some() && error.help.is_some(), "{}", error);
            }
        }
    }
}
