//! JSON lines, or one JSON list → examples: `{"text", "label"}` or chat messages, from bytes or as a stream.
//!
//! A chat row is `{"messages": [{"role", "content"}, …]}`: its text is the last user message, its label what the
//! assistant answers to it. Earlier turns and system messages are not read; a note says so, because what they ask
//! belongs into the task.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::fields::{self, Fields};
use super::json_list::Elements;
use super::lines::{Lines, column, utf8};
use super::{Dataset, Example, Layout, Options};
use crate::error::{Error, Result};

/// Examples of a stream, one by one, in constant memory.
///
/// A bad line gives its error and the next one goes on. Fields are looked for in each row on its own, by the given
/// names or the common ones.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    objects: Objects,
}

/// What makes rows of objects, and what is to be said of all of them.
#[derive(Debug, Default)]
struct Objects {
    options: Options,
    rows: usize,
    /// Rows with messages that were not read.
    passed_over: usize,
    /// What the first good row's keys were taken for.
    layout: Option<Box<Layout>>,
}

/// Reads JSON lines.
///
/// # Errors
/// `Kind::Format` or `Kind::Input` where no row is good; with `options.strict`, for the first bad row.
pub fn read(bytes: impl BufRead, options: &Options) -> Result<Dataset> {
    let mut dataset = Dataset::default();
    let mut reader = Reader::new(bytes, options.clone());
    for row in reader.by_ref() {
        dataset.take(row, options)?;
    }
    reader.objects.finish(dataset)
}

/// Reads one JSON list of objects.
///
/// # Errors
/// As [`read`].
pub fn read_list(bytes: &[u8], options: &Options) -> Result<Dataset> {
    let mut dataset = Dataset::default();
    let mut objects = Objects { options: options.clone(), ..Objects::default() };
    for (line, object) in Elements::new(bytes) {
        let row = objects.row(line, &object);
        dataset.take(row, options)?;
    }
    objects.finish(dataset)
}

/// Writes examples as JSON lines with the keys id, text, label and group; what is absent is left out.
pub fn write(examples: &[Example]) -> String {
    let mut out = String::new();
    for example in examples {
        let mut row = Map::new();
        row.insert("id".to_owned(), example.id.clone().into());
        row.insert("text".to_owned(), example.text.clone().into());
        for (key, value) in [("label", &example.label), ("group", &example.group)] {
            if let Some(value) = value {
                row.insert(key.to_owned(), value.clone().into());
            }
        }
        out.push_str(&Value::Object(row).to_string());
        out.push('\n');
    }
    out
}

impl<R: BufRead> Reader<R> {
    /// A reader of a stream.
    pub fn new(reader: R, options: Options) -> Self {
        Self { lines: Lines::new(reader), objects: Objects { options, ..Objects::default() } }
    }
}

impl Objects {
    /// The row that is an object of this line.
    fn row(&mut self, number: u64, bytes: &[u8]) -> Result<Example> {
        self.rows += 1;
        let (line, object) = object(number, bytes)?;
        let row = Row { number, line, object: &object, count: self.rows };
        let (example, fields) = if object.contains_key("messages") && self.options.text_field.is_none() {
            row.chat(&self.options, &mut self.passed_over).map(|example| (example, row.chat_fields()))
        } else {
            row.flat(&self.options)
        }?;
        self.layout.get_or_insert_with(|| Box::new(Layout::new(&row.keys(), &fields)));
        Ok(example)
    }

    /// The data set of the rows that were taken, with what is to be said of all of them.
    fn finish(self, mut dataset: Dataset) -> Result<Dataset> {
        if self.passed_over > 0 {
            dataset.notes.push(format!(
                "{} rows have a system message or earlier turns, which are not read: what they ask belongs into the task",
                self.passed_over
            ));
        }
        dataset.layout = self.layout.map(|layout| *layout).unwrap_or_default();
        dataset.finished()
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Example>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, bytes) = match self.lines.next_line()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(self.objects.row(number, bytes));
        }
    }
}

/// The object in a line.
fn object(number: u64, bytes: &[u8]) -> Result<(&str, Map<String, Value>)> {
    let line = utf8(number, bytes)?;
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok((line, object)),
        Ok(other) => Err(Error::format(format!("the line holds {}, not an object", kind(&other)))
            .at_line(number)
            .at_column(1)
            .help("write one object a line, e.g. {\"text\": \"…\", \"label\": \"…\"}")),
        Err(error) => Err(syntax_error(number, line, &error)),
    }
}

/// What serde_json found wrong in a line, with its column in characters.
pub(super) fn syntax_error(number: u64, line: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    // serde_json counts bytes from 1, and at the end of the line names the last one.
    let byte = if error.is_eof() { line.len() } else { error.column().saturating_sub(1) };
    let rest = line.get(byte..).unwrap_or_default().trim_start_matches('-');
    let (message, help) = if ["NaN", "Infinity", "inf", "nan"].iter().any(|word| rest.starts_with(word)) {
        ("NaN and infinity are no JSON numbers".to_owned(), "write null, or leave the row out")
    } else if error.is_eof() {
        (format!("the line is no complete JSON: {message}"), "write one whole object a line")
    } else {
        (format!("the line is no JSON: {message}"), "write one object a line, with texts in double quotes")
    };
    Error::format(message).at_line(number).at_column(column(line, byte)).help(help)
}

/// The place of a key's value in a line, in characters from 1; of the line's start where it is not found.
pub(super) fn column_of(line: &str, key: &str) -> u64 {
    let quoted = Value::from(key).to_string();
    let found = line.match_indices(&quoted).find_map(|(at, _)| {
        let after = at + quoted.len();
        let colon = line[after..].trim_start().strip_prefix(':')?.trim_start();
        Some(line.len() - colon.len())
    });
    found.map_or(1, |byte| column(line, byte))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// One line's object, with what an error needs.
struct Row<'a> {
    number: u64,
    line: &'a str,
    object: &'a Map<String, Value>,
    count: usize,
}

impl Row<'_> {
    fn wrong(&self, key: &str, message: impl Into<String>) -> Error {
        Error::input(message).at_line(self.number).at_column(column_of(self.line, key)).in_field(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.object.keys().map(String::as_str).collect()
    }

    fn flat(&self, options: &Options) -> Result<(Example, Fields)> {
        let names = self.keys();
        let mut fields = Fields::find(&names, options).map_err(|error| error.at_line(self.number))?;
        if fields.text.is_none() {
            let texts: Vec<_> = (0..names.len()).filter(|place| self.object[names[*place]].is_string()).collect();
            if let [only] = texts[..] {
                fields.text = Some(only);
            }
        }
        let text = fields.text.ok_or_else(|| {
            Error::input("the row has no text").at_line(self.number).in_field("text").help(format!(
                "its keys are {}; call the one of the text \"text\"{}",
                fields::list(&names),
                options.naming.or_name_it("--text-field")
            ))
        })?;
        let Some(text) = self.object[names[text]].as_str() else {
            let message = format!("the text is {}", kind(&self.object[names[text]]));
            return Err(self.wrong(names[text], message).help("write the text in double quotes"));
        };
        let scalar = |place: Option<usize>| place.map_or(Ok(None), |place| self.scalar(names[place]));
        let example = Example {
            id: scalar(fields.id)?.unwrap_or_else(|| self.count.to_string()),
            text: text.to_owned(),
            label: scalar(fields.label)?,
            group: scalar(fields.group)?,
            line: self.number,
        };
        Ok((example, fields))
    }

    /// The fields of a chat row: the messages hold the text.
    fn chat_fields(&self) -> Fields {
        let place = |key: &str| self.object.keys().position(|name| name == key);
        Fields { text: place("messages"), label: None, group: place("group"), id: place("id") }
    }

    /// A value as trimmed text; `None` for null and the empty text.
    fn scalar(&self, key: &str) -> Result<Option<String>> {
        let text = match &self.object[key] {
            Value::Null => return Ok(None),
            Value::String(text) => text.trim().to_owned(),
            value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
            other => {
                let message = format!("expected one text or number, found {}", kind(other));
                return Err(self.wrong(key, message).help("a row has one label"));
            }
        };
        Ok((!text.is_empty()).then_some(text))
    }

    fn chat(&self, options: &Options, passed_over: &mut usize) -> Result<Example> {
        let messages = self.messages()?;
        let question = messages.iter().rposition(|(role, _)| *role == "user").ok_or_else(|| {
            self.wrong("messages", "no message has the role \"user\"").help("the user's message is the text")
        })?;
        let answer = messages[question + 1..].iter().find(|(role, _)| *role == "assistant");
        if question > 0 {
            *passed_over += 1;
        }
        let scalar = |name: &Option<String>, common: &str| {
            let key = name.as_deref().unwrap_or(common);
            if self.object.contains_key(key) { self.scalar(key) } else { Ok(None) }
        };
        let answered = answer.map(|(_, content)| content.trim().to_owned()).filter(|label| !label.is_empty());
        let label = match &options.label_field {
            Some(key) if !self.object.contains_key(key) => {
                let missing = fields::missing(key, &self.keys(), "--label-field", options.naming);
                return Err(missing.at_line(self.number));
            }
            _ if options.no_label => None,
            Some(key) => self.scalar(key)?,
            None => answered,
        };
        Ok(Example {
            id: scalar(&options.id_field, "id")?.unwrap_or_else(|| self.count.to_string()),
            text: messages[question].1.to_owned(),
            label,
            group: scalar(&options.group_field, "group")?,
            line: self.number,
        })
    }

    /// Role and content of each message.
    fn messages(&self) -> Result<Vec<(&str, &str)>> {
        let help = "write {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}, …]}";
        let Value::Array(list) = &self.object["messages"] else {
            let message = format!("messages is {}, not a list", kind(&self.object["messages"]));
            return Err(self.wrong("messages", message).help(help));
        };
        list.iter()
            .enumerate()
            .map(|(index, message)| {
                let part = |key: &str| {
                    message.get(key).and_then(Value::as_str).ok_or_else(|| {
                        let wrong = self.wrong("messages", format!("message {} has no text {key:?}", index + 1));
                        wrong.in_field(format!("messages[{index}].{key}")).help(help)
                    })
                };
                Ok((part("role")?, part("content")?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Result<Example> {
        Reader::new(line.as_bytes(), Options::default()).next().expect("a row")
    }

    #[test]
    fn rows_of_both_kinds() {
        let cases = [
            (r#"{"text": "a", "label": "x"}"#, "1", "a", Some("x"), None),
            (r#"{"text": " a ", "label": " x "}"#, "1", " a ", Some("x"), None),
            (r#"{"id": 7, "sentence": "a", "label": 1}"#, "7", "a", Some("1"), None),
            (r#"{"text": "a", "label": null, "group": "g"}"#, "1", "a", None, Some("g")),
            (r#"{"text": "a", "label": true}"#, "1", "a", Some("true"), None),
            (r#"{"whatever": "a", "n": 3}"#, "1", "a", None, None),
            (
                r#"{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": " Yes "}]}"#,
                "1",
                "q",
                Some("Yes"),
                None,
            ),
            (r#"{"messages": [{"role": "user", "content": "q"}], "id": "k"}"#, "k", "q", None, None),
            (
                r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q1"},
                 {"role": "assistant", "content": "a1"}, {"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2"}]}"#,
                "1",
                "q2",
                Some("a2"),
                None,
            ),
        ];
        for (line, id, text, label, group) in cases {
            let line = line.replace('\n', " ");
            let found = one(&line).unwrap();
            assert_eq!((found.id.as_str(), found.text.as_str()), (id, text), "{line}");
            assert_eq!((found.label.as_deref(), found.group.as_deref()), (label, group), "{line}");
        }
    }

    #[test]
    fn bad_rows_say_where() {
        let cases = [
            (r#"{"text": "a", "label"}"#, 22, "no JSON"),
            (r#"{"text": "é", "label": [1]}"#, 24, "a list"),
            (r#"{"text": 3}"#, 10, "a number"),
            (r#"{"text": "a"#, 12, "complete"),
            (r#"{"text": "a", "n": NaN}"#, 20, "NaN"),
            (r#"["a"]"#, 1, "not an object"),
            (r#"{"a": "x", "b": "y"}"#, 0, "no text"),
            (r#"{"messages": 3}"#, 14, "not a list"),
            (r#"{"messages": [{"role": "user"}]}"#, 14, "message 1"),
            (r#"{"messages": []}"#, 14, "\"user\""),
            (r#"{"text": "a"} {"text": "b"}"#, 15, "trailing"),
        ];
        for (line, column, words) in cases {
            let error = one(line).expect_err(line);
            assert_eq!(error.line, Some(1), "{error}");
            assert_eq!(error.column.unwrap_or_default(), column, "{line}: {error}");
            assert!(error.message.contains(words) && error.help.is_some(), "{line}: {error}");
        }
    }

    #[test]
    fn lines_end_as_they_like_and_numbers_stay_right() {
        let text = b"\xef\xbb\xbf{\"text\": \"a\"}\r\n\n{\"text\": \"b\"}\r{\"text\": \"c\xff\"}\n{\"text\": \"d\"}";
        let dataset = read(&text[..], &Options::default()).unwrap();
        let lines: Vec<_> = dataset.examples.iter().map(|e| (e.id.as_str(), e.line)).collect();
        assert_eq!(lines, [("1", 1), ("2", 3), ("4", 5)]);
        assert_eq!((dataset.problems[0].line, dataset.problems[0].column), (Some(4), Some(12)));
    }

    #[test]
    fn messages_that_are_not_read_are_told() {
        let row = r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]}"#;
        let dataset = read(row.as_bytes(), &Options::default()).unwrap();
        assert!(dataset.notes[0].contains("1 rows have a system message"));
    }

    #[test]
    fn a_stream_of_any_length_takes_constant_memory() {
        struct Endless(usize);
        impl std::io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let row = b"{\"text\": \"row\"}\n";
                let count = buffer.len().min(64);
                for byte in &mut buffer[..count] {
                    *byte = row[self.0 % row.len()];
                    self.0 += 1;
                }
                Ok(count)
            }
        }
        let mut reader = Reader::new(std::io::BufReader::new(Endless(0)), Options::default());
        assert_eq!(reader.nth(99_999).unwrap().unwrap().id, "100000");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            rows in prop::collection::vec((any::<String>(), prop::option::of("[!-~é]{1,4}"), prop::option::of("g[0-9]")), 1..8),
        ) {
            let examples: Vec<_> = rows.into_iter().enumerate().map(|(index, (text, label, group))| Example {
                id: (index + 1).to_string(), text: format!("{text}x"), label, group, line: index as u64 + 1,
            }).collect();
            prop_assert_eq!(read(write(&examples).as_bytes(), &Options::default()).unwrap().examples, examples);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&bytes[..], &Options::default());
        }

        #[test]
        fn no_json_makes_it_panic(text in r#"(\{|\}|\[|\]|"text":|"label":|"messages":|"role":|"content":|"user"|"a"|,|1|null|\n){0,20}"#) {
            let _ = read(text.as_bytes(), &Options::default());
        }
    }
}
