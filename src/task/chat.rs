//! A model's own chat template, rendered.
//!
//! A GGUF file carries its chat template as Jinja text, written for the environment that Hugging Face's libraries
//! set up: trimmed blocks, loop controls, Python's string methods, `raise_exception`, `tojson`, and sometimes
//! `strftime_now`. This module sets up the same environment in minijinja. The template comes out of a downloaded file,
//! so it runs with a budget of steps and with no access to anything but the messages.
//!
//! Two choices are made for classification. `enable_thinking` is false, because a model that begins its answer with a
//! thinking block has no label as its first token. The date is the caller's or absent (templates test for
//! `strftime_now`), never the clock's: a prompt must not change at midnight.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use serde::Serialize;

use crate::error::{Error, Result};

/// Steps a template may take; a conversation of a hundred messages takes a few thousand.
const FUEL: u64 = 2_000_000;
/// Longest template that is read, in bytes; the longest known ones (with tools) have about 20,000.
const LONGEST_TEMPLATE: usize = 1 << 20;
/// Marks what a template says through `raise_exception`, to tell it from the engine's own errors.
const RAISED: &str = "raised by the template: ";

/// A model's chat template with what it expects beside the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatTemplate {
    /// The Jinja text.
    pub source: String,
    /// The text of the token that begins a sequence; empty for none.
    pub bos_token: String,
    /// The text of the token that ends a sequence; empty for none.
    pub eos_token: String,
    /// Today, for templates that write the date; `None` leaves `strftime_now` undefined, and templates that test for
    /// it then write a fixed date or none.
    pub date: Option<Date>,
}

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What it says.
    pub content: String,
}

impl Message {
    /// A message with a role and its content.
    pub fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }

    fn to_value(&self) -> Value {
        Value::from_pairs([("role", self.role), ("content", self.content.as_str())])
    }
}

/// Why a template gave no prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It called `raise_exception` with these words: the messages do not suit it.
    Refused(String),
    /// It could not be read or run.
    Broken(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(words) => {
                Self::unsupported(format!("the model's chat template refuses the task: {words}"))
                    .in_field("tokenizer.chat_template")
                    .help("set chat = false and write the prompt into template")
            }
            Failure::Broken(error) => error,
        }
    }
}

impl ChatTemplate {
    /// Renders a conversation, ready for the assistant's answer.
    ///
    /// # Errors
    /// `Kind::Format` where the template is no Jinja, `Kind::Unsupported` where it uses something that is not at hand,
    /// takes too long, or refuses the messages.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        Ok(self.try_render(messages)?)
    }

    pub(super) fn try_render(&self, messages: &[Message]) -> Result<String, Failure> {
        if self.source.len() > LONGEST_TEMPLATE {
            let message = format!("the chat template is longer than {LONGEST_TEMPLATE} bytes");
            return Err(Failure::Broken(Error::unsupported(message).in_field("tokenizer.chat_template")));
        }
        let source = without_generation_tags(&self.source);
        let environment = self.environment();
        let template = environment.template_from_str(&source).map_err(|error| failure(&error, ""))?;
        template
            .render(context! {
                messages => messages.iter().map(Message::to_value).collect::<Vec<_>>(),
                bos_token => self.bos_token.as_str(),
                eos_token => self.eos_token.as_str(),
                add_generation_prompt => true,
                enable_thinking => false,
                tools => (),
                documents => (),
            })
            .map_err(|error| failure(&error, &source))
    }

    fn environment(&self) -> Environment<'static> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        environment.set_syntax(syntax.build().expect("Jinja's own delimiters are valid"));
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |words: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("{RAISED}{words}")))
        });
        environment.add_filter("tojson", to_json);
        // minijinja iterates over none, Python does not, and templates ask this of `tools` before they measure it.
        environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
        if let Some(date) = self.date {
            environment.add_function("strftime_now", move |format: String| date.format(&format));
        }
        environment
    }
}

fn to_json(value: Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Python's other options (sorting, separators) change how it looks, not what it says.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        Some(_) => value.serialize(&mut serde_json::Serializer::pretty(&mut out)),
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, PythonSpacing)),
    };
    written.map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// JSON as Python's `json.dumps` spaces it, which is what templates were tried with.
struct PythonSpacing;

impl serde_json::ser::Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn failure(error: &minijinja::Error, source: &str) -> Failure {
    if let Some(words) = error.detail().and_then(|detail| detail.strip_prefix(RAISED)) {
        return Failure::Refused(words.to_owned());
    }
    let message = match error.detail() {
        Some(detail) => format!("the model's chat template cannot be rendered: {}: {detail}", error.kind()),
        None => format!("the model's chat template cannot be rendered: {}", error.kind()),
    };
    let mut wrong = match error.kind() {
        ErrorKind::SyntaxError => Error::format(message),
        _ => Error::unsupported(message),
    };
    wrong = wrong.in_field("tokenizer.chat_template");
    if let Some(line) = error.line() {
        wrong = wrong.at_line(line as u64);
    }
    Failure::Broken(if error.kind() == ErrorKind::UnknownFunction && source.contains("strftime_now") {
        wrong.help("this template needs today's date: give it, or set chat = false in the task")
    } else {
        wrong.help("set chat = false in the task and write the prompt into template")
    })
}

/// The template with `{% generation %}` blocks opened: they mark spans for training and print nothing themselves.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(length) = tag[2..].find("%}").map(|length| length + 2) else {
            rest = tag;
            break;
        };
        let inside = &tag[2..length];
        let (words, left) = (inside.trim_matches(['-', '+']).trim(), inside.starts_with('-'));
        let right = if inside.ends_with('-') { "-" } else { "" };
        let left = if left { "-" } else { "" };
        match words {
            "generation" => out.push_str(&format!("{{%{left} if true {right}%}}")),
            "endgeneration" => out.push_str(&format!("{{%{left} endif {right}%}}")),
            _ => out.push_str(&tag[..length + 2]),
        }
        rest = &tag[length + 2..];
    }
    out.push_str(rest);
    out
}

impl Date {
    /// The date in `strftime`'s notation; hours, minutes and seconds are zero, unknown letters stay as they are.
    pub fn format(self, format: &str) -> String {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
        let month = MONTHS[usize::from(self.month.clamp(1, 12)) - 1];
        let weekday = DAYS[self.weekday()];
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let mut code = letters.next();
            let plain = code == Some('-');
            if plain {
                code = letters.next();
            }
            let two = |n: u8| if plain { n.to_string() } else { format!("{n:02}") };
            match code {
                Some('Y') => out.push_str(&self.year.to_string()),
                Some('y') => out.push_str(&format!("{:02}", self.year.rem_euclid(100))),
                Some('m') => out.push_str(&two(self.month)),
                Some('d') => out.push_str(&two(self.day)),
                Some('e') => out.push_str(&format!("{:2}", self.day)),
                Some('B') => out.push_str(month),
                Some('b' | 'h') => out.push_str(&month[..3]),
                Some('A') => out.push_str(weekday),
                Some('a') => out.push_str(&weekday[..3]),
                Some('H' | 'M' | 'S') => out.push_str(&two(0)),
                Some('F') => out.push_str(&self.format("%Y-%m-%d")),
                Some('%') => out.push('%'),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
        }
        out
    }

    /// 0 for Sunday (Sakamoto's method, proleptic Gregorian calendar).
    fn weekday(self) -> usize {
        const SHIFT: [i64; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let month = usize::from(self.month.clamp(1, 12));
        let year = i64::from(self.year) - i64::from(month < 3);
        let days = year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        (days + SHIFT[month - 1] + i64::from(self.day)).rem_euclid(7) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate {
            source: source.to_owned(),
            bos_token: "<s>".to_owned(),
            eos_token: "</s>".to_owned(),
            date: Some(Date { year: 2024, month: 7, day: 4 }),
        }
    }

    #[test]
    fn the_environment_is_what_templates_expect() {
        let messages = [Message::new("system", " be kind "), Message::new("user", "a<b")];
        let cases = [
            ("{{ bos_token }}{{ messages[1]['content'] }}{{ eos_token }}", "<s>a<b</s>"),
            ("{% if add_generation_prompt %}\nyes\n{% endif %}\n", "yes\n"),
            ("{{ messages[0].content | trim }}|{{ messages[0]['content'].strip() }}", "be kind|be kind"),
            ("{{ messages[1].content.split('<')[-1] }}{{ messages[1].content.startswith('a') }}", "bTrue"),
            (
                "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
                "user",
            ),
            ("{% if tools is not none %}tools{% endif %}{% if tools %}tools{% endif %}ok", "ok"),
            ("{% if tools is iterable and tools | length > 0 %}tools{% endif %}{{ [] is iterable }}", "True"),
            ("{% if enable_thinking is defined and enable_thinking is false %}no{% endif %}", "no"),
            ("{{ strftime_now('%d %b %Y') }} {{ strftime_now('%A') }}", "04 Jul 2024 Thursday"),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "2",
            ),
            ("{{ messages[1] | tojson }}", r#"{"role": "user", "content": "a<b"}"#),
            ("{%- generation %}x{%- endgeneration -%}\n y", "xy"),
            ("{{ messages[0].name }}{{ nothing }}|", "|"),
            ("{{ messages[1:] | length }}{% for m in messages[::-1] %}{{ m.role[0] }}{% endfor %}", "1us"),
            ("{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f('y') }}", "[y]"),
        ];
        for (source, expected) in cases {
            assert_eq!(template(source).render(&messages).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn failures_say_which_and_where() {
        let cases = [
            ("a\n{% if %}", Kind::Format, "syntax error"),
            ("{{ raise_exception('roles must alternate') }}", Kind::Unsupported, "roles must alternate"),
            ("{{ nothing.at.all }}", Kind::Unsupported, "undefined"),
            ("{{ f() }}", Kind::Unsupported, "unknown function"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", Kind::Unsupported, "fuel"),
        ];
        for (source, kind, words) in cases {
            let error = template(source).render(&[]).expect_err(source);
            assert!(error.kind == kind && error.message.contains(words), "{source}: {error}");
            assert!(error.help.is_some());
        }
        assert_eq!(template("\n\n{% if %}").render(&[]).unwrap_err().line, Some(3));
        let undated = ChatTemplate { date: None, ..template("{{ strftime_now('%Y') }}") };
        assert!(undated.render(&[]).unwrap_err().help.unwrap().contains("date"));
        assert_eq!(
            ChatTemplate { date: None, ..template("{{ strftime_now is defined }}") }.render(&[]).unwrap(),
            "False"
        );
    }

    #[test]
    fn dates_are_written_as_strftime_does() {
        let cases = [
            ((2024, 7, 26), "%d %B %Y", "26 July 2024"),
            ((2000, 2, 29), "%a %e %b %y %-d/%-m", "Tue 29 Feb 00 29/2"),
            ((1999, 12, 31), "%F %H:%M 100%% %q %", "1999-12-31 00:00 100% %q %"),
            ((2026, 1, 1), "%A", "Thursday"),
        ];
        for ((year, month, day), format, expected) in cases {
            assert_eq!(Date { year, month, day }.format(format), expected);
        }
    }
}
