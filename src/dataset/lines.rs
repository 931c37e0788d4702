//! Lines with their numbers, whatever ends them, in constant memory.
//!
//! A line ends at `\n`, `\r\n` or `\r`; one file may mix them, as files that went through several hands do, and the
//! numbers stay those an editor shows. A byte-order mark before the first line is dropped. A line that is longer than
//! [`LONGEST_LINE`] is passed over and reported, so a stream without line ends cannot fill the memory.

use std::io::{BufRead, ErrorKind};

use crate::error::{Error, Kind, Result};

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 16 << 20;

/// Lines of a reader.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
    /// The last line ended in `\r`; a `\n` that follows belongs to it.
    after_return: bool,
    done: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of a reader.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, after_return: false, done: false }
    }

    /// The next line's number (from 1) and bytes without the line end; `None` at the end.
    ///
    /// # Errors
    /// `Kind::Resource` for a line that is too long (the next call goes on after it), `Kind::Io` where reading fails
    /// (nothing comes after it).
    pub fn next_line(&mut self) -> Option<Result<(u64, &[u8])>> {
        self.buffer.clear();
        let mut length = 0_usize;
        let mut begun = false;
        while !self.done {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.done = true;
                    return Some(Err(Error::from(error).at_line(self.number + 1)));
                }
            };
            if available.is_empty() {
                self.done = true;
                break;
            }
            if std::mem::take(&mut self.after_return) && available[0] == b'\n' {
                self.reader.consume(1);
                continue;
            }
            begun = true;
            let end = available.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let part = &available[..end.unwrap_or(available.len())];
            length += part.len();
            if length <= LONGEST_LINE {
                self.buffer.extend_from_slice(part);
            }
            let used = end.map_or(available.len(), |end| end + 1);
            self.after_return = end.is_some_and(|end| available[end] == b'\r');
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !begun {
            return None;
        }
        self.number += 1;
        if length > LONGEST_LINE {
            self.buffer = Vec::new();
            let message = format!("the line has {length} bytes, more than {LONGEST_LINE}");
            return Some(Err(Error::new(Kind::Resource, message)
                .at_line(self.number)
                .help("each row is one line; check that rows end in a line break")));
        }
        if self.number == 1 && self.buffer.starts_with(BOM) {
            self.buffer.drain(..BOM.len());
        }
        Some(Ok((self.number, &self.buffer)))
    }
}

/// UTF-8's byte-order mark.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line's text.
///
/// # Errors
/// `Kind::Format` with line and column of the first byte that is no UTF-8.
pub fn utf8(number: u64, line: &[u8]) -> Result<&str> {
    std::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to();
        let column = String::from_utf8_lossy(&line[..at]).chars().count() as u64 + 1;
        let byte = line.get(at).copied().unwrap_or_default();
        Error::format(format!("byte 0x{byte:02X} is not UTF-8"))
            .at_line(number)
            .at_column(column)
            .help("save the file as UTF-8; spreadsheets call it \"CSV UTF-8\"")
    })
}

/// The column, in characters from 1, of a byte position in a line.
pub fn column(line: &str, byte: usize) -> u64 {
    let mut end = byte.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].chars().count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use proptest::prelude::*;

    use super::*;

    fn all(reader: impl BufRead) -> Vec<(u64, String)> {
        let mut lines = Lines::new(reader);
        let mut out = Vec::new();
        while let Some(line) = lines.next_line() {
            let (number, bytes) = line.unwrap();
            out.push((number, String::from_utf8_lossy(bytes).into_owned()));
        }
        out
    }

    #[test]
    fn every_line_end_ends_a_line() {
        let cases: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\nb\r\nc\rd", &["a", "b", "c", "d"]),
            ("a\n\nb", &["a", "", "b"]),
            ("a\r\n\r\nb\r\r", &["a", "", "b", ""]),
            ("\u{feff}a\n\u{feff}b", &["a", "\u{feff}b"]),
            ("\n", &[""]),
            ("\r\n", &[""]),
        ];
        for (text, expected) in cases {
            for capacity in [1, 2, 3, 100] {
                let lines = all(BufReader::with_capacity(capacity, text.as_bytes()));
                let numbers: Vec<_> = (1..=expected.len() as u64).collect();
                assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), numbers, "{text:?}");
                assert_eq!(lines.iter().map(|line| line.1.as_str()).collect::<Vec<_>>(), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_passed_over_in_constant_memory() {
        let endless = std::io::repeat(b'x').take(3 * LONGEST_LINE as u64);
        let mut lines = Lines::new(BufReader::new(endless.chain(&b"\nnext"[..])));
        let error = lines.next_line().unwrap().unwrap_err();
        assert_eq!((error.kind, error.line), (Kind::Resource, Some(1)));
        assert!(lines.buffer.capacity() <= LONGEST_LINE);
        assert_eq!(lines.next_line().unwrap().unwrap(), (2, &b"next"[..]));
        assert!(lines.next_line().is_none());
    }

    #[test]
    fn wrong_bytes_are_placed() {
        let error = utf8(7, b"\xc3\xa9t\xe9").unwrap_err();
        assert_eq!((error.line, error.column), (Some(7), Some(3)));
        assert!(error.message.contains("0xE9"));
    }

    proptest! {
        #[test]
        fn lines_joined_are_the_text(text in "[a\r\n]{0,30}") {
            let expected = text.replace("\r\n", "\n").replace('\r', "\n");
            let lines: Vec<_> = all(BufReader::with_capacity(3, text.as_bytes())).into_iter().map(|l| l.1).collect();
            let expected: Vec<_> = expected.split_terminator('\n').map(str::to_owned).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
