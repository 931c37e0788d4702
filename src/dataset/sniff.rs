//! Which format a file is in, by its name and by its first bytes.
//!
//! The name is a promise and the content is the fact. Where they disagree the file is refused with what it seems to
//! be, because reading JSON as a table gives rows, only senseless ones. A name without a known ending promises
//! nothing: then the content decides.

use super::lines::BOM;
use super::table::find_delimiter;
use crate::error::{Error, Result};

/// A format of data sets and prediction files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table with commas (or semicolons, or bars).
    Csv,
    /// A table with tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// One JSON list of objects.
    JsonList,
    /// One text a line.
    Text,
}

/// Bytes that are looked at.
const HEAD: usize = 1 << 16;

/// What the first bytes say of files that are no text: signature, what it is, what to do.
const SIGNATURES: [(&[u8], &str, &str); 15] = [
    (b"GGUF", "a GGUF model", "give it as the model; the data set is a CSV or JSONL file"),
    (b"PK\x03\x04", "an Excel workbook or another zip archive", "save the sheet as \"CSV UTF-8\""),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as \"CSV UTF-8\""),
    (b"\x89PNG", "a picture", "choose the CSV or JSONL file that the texts are in"),
    (b"\xff\xd8\xff", "a picture", "choose the CSV or JSONL file that the texts are in"),
    (b"GIF8", "a picture", "choose the CSV or JSONL file that the texts are in"),
    (b"{\\rtf", "a word processor's document", "save it as plain text, UTF-8"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"PAR1", "a Parquet file", "export it as CSV or JSONL"),
    (b"ARROW1", "an Arrow file", "export it as CSV or JSONL"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"%PDF", "a PDF document", "export its text as CSV or JSONL"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
];

/// The format of a file.
///
/// # Errors
/// `Kind::Format` where the file is empty, no UTF-8 text, or not what its name says.
pub fn sniff(name: &str, bytes: &[u8]) -> Result<Format> {
    refuse_binary(bytes)?;
    let found = by_content(bytes)?;
    let promised = by_name(name);
    match (promised, found) {
        (None, found) => Ok(found),
        (Some(promised), found) if promised == found => Ok(promised),
        (Some(Format::Jsonl), Format::JsonList) => Ok(Format::JsonList),
        // Which byte separates the fields is found out from the table itself.
        (Some(table @ (Format::Csv | Format::Tsv)), Format::Csv | Format::Tsv | Format::Text) => Ok(table),
        // Any line is a text, also one with commas.
        (Some(Format::Text), Format::Csv | Format::Tsv) => Ok(Format::Text),
        (Some(_), Format::Jsonl | Format::JsonList) => {
            Err(Error::format("the file holds JSON, which its name does not say").at_line(1).help("name it .jsonl"))
        }
        (Some(_), found) => {
            Err(Error::format(format!("the file's name says JSON lines, but it holds {}", found.words()))
                .at_line(1)
                .at_column(1)
                .help(match found {
                    Format::Text => "write one object a line, e.g. {\"text\": \"…\", \"label\": \"…\"}",
                    _ => "name it .csv or .tsv, or write one JSON object a line",
                }))
        }
    }
}

impl Format {
    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Csv => "a table",
            Self::Tsv => "a table with tabs",
            Self::Jsonl => "JSON lines",
            Self::JsonList => "a JSON list",
            Self::Text => "plain text",
        }
    }
}

/// What the name's ending promises.
fn by_name(name: &str) -> Option<Format> {
    let ending = name.rsplit(['/', '\\']).next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    match ending.as_str() {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        "txt" | "text" => Some(Format::Text),
        _ => None,
    }
}

fn refuse_binary(bytes: &[u8]) -> Result<()> {
    let utf8 = "save it as UTF-8; spreadsheets call it \"CSV UTF-8\"";
    if bytes.strip_prefix(BOM).unwrap_or(bytes).iter().take(HEAD).all(u8::is_ascii_whitespace) {
        return Err(Error::format("the file is empty").help("a data set needs at least one row with a text"));
    }
    for (signature, what, help) in SIGNATURES {
        if bytes.starts_with(signature) {
            return Err(Error::format(format!("this is {what}, not a data set")).help(help));
        }
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    if is_web_page(head) {
        return Err(Error::format("this is a web page, not a data set").help(
            "a download may have ended at a page that asks to log in: open it in a browser, and save the data itself",
        ));
    }
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || zeros * 4 > head.len() {
        return Err(Error::format("the file is UTF-16 or binary, not UTF-8").at_line(1).at_column(1).help(utf8));
    }
    if zeros > 0 {
        let at = head.iter().position(|byte| *byte == 0).unwrap_or_default();
        let line = head[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        return Err(Error::format("the file holds zero bytes, so it is no text").at_line(line).help(utf8));
    }
    Ok(())
}

/// Whether it begins as web pages do.
fn is_web_page(head: &[u8]) -> bool {
    let begin = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    let starts = |with: &[u8]| begin.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    starts(b"<!doctype html") || starts(b"<html")
}

fn by_content(bytes: &[u8]) -> Result<Format> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let head = &bytes[..bytes.len().min(HEAD)];
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let first_line = head[start..].split(|byte| *byte == b'\n' || *byte == b'\r').next().unwrap_or_default();
    match first_line.trim_ascii() {
        // Without a colon it is a text in braces.
        [b'{', rest @ ..] if rest.trim_ascii_start().starts_with(b"\"") => return Ok(Format::Jsonl),
        b"{" => return Err(spread_out()),
        b"[" | b"[{" => return Ok(Format::JsonList),
        [b'[', rest @ ..] if begins_an_object(rest) => return Ok(Format::JsonList),
        _ => {}
    }
    let delimiter = find_delimiter(head, b',');
    let fields = first_line.split(|byte| *byte == delimiter).count();
    Ok(match delimiter {
        _ if fields < 2 => Format::Text,
        b'\t' => Format::Tsv,
        // A comma in a first sentence makes no table.
        _ if first_line.split(|byte| *byte == delimiter).any(|name| name.len() > 40) => Format::Text,
        _ => Format::Csv,
    })
}

fn begins_an_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().strip_prefix(b"{").is_some_and(|inside| inside.trim_ascii_start().starts_with(b"\""))
}

fn spread_out() -> Error {
    Error::format("the JSON is one object that is spread over several lines")
        .at_line(1)
        .at_column(1)
        .help("write one object a line (JSON lines), or one list of objects; jq does it: jq -c '.rows[]' data.json > data.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_agree() {
        let cases = [
            ("a.csv", "text,label\na,b\n", Format::Csv),
            ("a.CSV", "text;label\na;b\n", Format::Csv),
            ("a.csv", "text\tlabel\na\tb\n", Format::Csv),
            ("a.csv", "text\njust one\n", Format::Csv),
            ("dir.json/a.tsv", "text\tlabel\na\tb\n", Format::Tsv),
            ("a.jsonl", "\u{feff}{\"text\": \"a\"}\n", Format::Jsonl),
            ("a.ndjson", "\n {\"text\": \"a\"}\n", Format::Jsonl),
            ("a.json", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n", Format::Jsonl),
            ("a.json", "[\n{\"text\": \"a\"}]\n", Format::JsonList),
            ("a.jsonl", "[{\"text\": \"a\"}]\n", Format::JsonList),
            ("data", "\u{feff} [ { \"text\": \"a\"}]\n", Format::JsonList),
            ("a.txt", "[sighs] Not again\n", Format::Text),
            ("a.txt", "one, two\nthree, four\n", Format::Text),
            ("a.txt", "{curly} texts are texts\n", Format::Text),
            ("data", "{\"text\": \"a\"}\n", Format::Jsonl),
            ("data", "text,label\na,b\n", Format::Csv),
            ("data", "text\tlabel\na\tb\n", Format::Tsv),
            ("data", "Just a sentence.\nAnd one more.\n", Format::Text),
        ];
        for (name, text, expected) in cases {
            assert_eq!(sniff(name, text.as_bytes()), Ok(expected), "{name} {text:?}");
        }
    }

    #[test]
    fn what_is_not_what_its_name_says_is_refused() {
        let cases: [(&str, &[u8], &str); 16] = [
            ("a.csv", b"{\"text\": \"a\"}\n", "holds JSON"),
            ("a.txt", b"{\"text\": \"a\"}\n", "holds JSON"),
            ("a.jsonl", b"text,label\na,b\n", "holds a table"),
            ("a.jsonl", b"Just text\n", "holds plain text"),
            ("a.txt", b"[{\"text\": \"a\"}]\n", "holds JSON"),
            ("a.json", b"{\n\"text\": \"a\"}\n", "spread over"),
            ("a.csv", b"", "empty"),
            ("a.csv", b"\xef\xbb\xbf \n", "empty"),
            ("a.csv", b"PK\x03\x04....", "Excel"),
            ("a.csv", b"\xff\xfet\0e\0x\0t\0", "UTF-16"),
            ("a.csv", b"t\0e\0x\0t\0", "UTF-16"),
            ("a.txt", b"some text\nwith a zero\0 in it", "zero bytes"),
            ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
            ("a.csv", b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", "a web page"),
            ("a.txt", b"<HTML><body>", "a web page"),
            ("a.gguf", b"GGUF\x03\0\0\0", "GGUF"),
        ];
        for (name, bytes, words) in cases {
            let error = sniff(name, bytes).expect_err(name);
            assert!(error.message.contains(words) && error.help.is_some(), "{name}: {error}");
        }
    }
}
