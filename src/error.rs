//! One error for the whole project: what was wrong, where, and what to do next.
//!
//! It is plain data rather than a tree of enums, because it crosses the worker boundary, is printed by the
//! command line and is shown on the page, and each of them needs the same four facts: message, place, field, help.
//! The [`Kind`] is what a program branches on; the text is for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure this is, for exit codes and for what the page offers next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The call itself was wrong (flags, arguments): exit code 2.
    Usage,
    /// The user's data or task is wrong.
    Input,
    /// A file does not hold what its format promises.
    Format,
    /// Well-formed, but not something this version can do.
    Unsupported,
    /// Reading or writing failed.
    Io,
    /// A download failed.
    Network,
    /// The user cancelled.
    Cancelled,
    /// Out of memory, storage or another limited resource.
    Resource,
    /// A worker or device went away.
    Lost,
    /// A fault of this program.
    Internal,
}

/// What was wrong, where, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What sort of failure.
    pub kind: Kind,
    /// What was wrong, one sentence without a full stop.
    pub message: String,
    /// The file or source it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column in that line, counted from 1 in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The field, key, tensor or flag it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Error {
    /// A new error of a kind, with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), file: None, line: None, column: None, field: None, help: None }
    }

    /// The call was wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The user's data is wrong.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// A file breaks its format.
    pub fn format(message: impl Into<String>) -> Self {
        Self::new(Kind::Format, message)
    }

    /// Well-formed, but not supported.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// A fault of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// The file it was found in.
    #[must_use]
    pub fn at_file(mut self, file: impl Into<String>) -> Self {
        self.file.get_or_insert_with(|| file.into());
        self
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The column, counted from 1.
    #[must_use]
    pub fn at_column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }

    /// The field, key, tensor or flag.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    /// `file:line:column: "field": message` on the first line, the help after it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, "{number}:")?;
            }
            write!(f, " ")?;
        } else if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            write!(f, ": ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "\"{field}\": ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::OutOfMemory => Kind::Resource,
            _ => Kind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_next() {
        let error = Error::input("expected a number")
            .at_file("a.csv")
            .at_line(3)
            .at_column(7)
            .in_field("score")
            .help("remove the row");
        assert_eq!(error.to_string(), "a.csv:3:7: \"score\": expected a number\n  help: remove the row");
        assert_eq!(Error::input("no rows").at_line(2).to_string(), "line 2: no rows");
    }
}
