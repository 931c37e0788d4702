//! Whether bytes are UTF-8, and what they seem to be where they are not.
//!
//! A few lines with a strange byte are bad rows, listed with their lines. Many mean that the whole file is in another
//! encoding. The rows that happen to be plain ASCII would then be read and the others left out: in French the ones with
//! an accent, in English the ones with a curly quote. Such a remainder says nothing about the data, so it is refused.

use crate::error::{Error, Result};

/// Fewer strange lines than this are bad rows.
const MANY: usize = 3;
/// One strange line in so many is many.
const ONE_IN: usize = 50;
/// Bytes that Windows-1252 does not use.
const NOT_WINDOWS_1252: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/// Refuses texts that are in another encoding.
///
/// # Errors
/// `Kind::Format` where many lines are not UTF-8, with the first of them.
pub(super) fn check<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
    let (mut lines, mut strange) = (0_usize, 0_usize);
    let mut first = None;
    let mut windows = true;
    for bytes in files {
        if std::str::from_utf8(bytes).is_ok() {
            lines += bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            continue;
        }
        let numbered = bytes.split(|byte| *byte == b'\n').zip(1_u64..).filter(|(line, _)| !line.is_empty());
        for (line, number) in numbered {
            lines += 1;
            if std::str::from_utf8(line).is_err() {
                strange += 1;
                first.get_or_insert(number);
                windows &= !line.iter().any(|byte| NOT_WINDOWS_1252.contains(byte));
            }
        }
    }
    let (Some(first), true) = (first, strange >= MANY && strange * ONE_IN >= lines) else { return Ok(()) };
    let encoding = if windows {
        "Windows-1252 (\"ANSI\"), the older encoding of spreadsheets and editors under Windows"
    } else {
        "an older encoding"
    };
    Err(Error::format(format!("{strange} of {lines} lines are not UTF-8: the file seems to be in {encoding}"))
        .at_line(first)
        .help(
            "save it as UTF-8 and read it again: spreadsheets call it \"CSV UTF-8\", editors ask for the encoding when \
             saving under another name",
        ))
}

#[cfg(test)]
mod tests {
    use super::super::{Options, read, read_folder};

    /// `n` rows as a table in Windows-1252, every `nth` with an accent.
    fn table(n: usize, nth: usize) -> Vec<u8> {
        let mut bytes = b"text,label\n".to_vec();
        for row in 0..n {
            let text: &[u8] = if row % nth == 0 { b"caf\xe9 " } else { b"coffee " };
            bytes.extend_from_slice(text);
            bytes.extend_from_slice(format!("{row},good\n").as_bytes());
        }
        bytes
    }

    #[test]
    fn a_file_in_another_encoding_is_refused_and_not_read_as_its_ascii_remainder() {
        for (bytes, strange) in [(table(30, 2), "15 of 31"), (table(6, 2), "3 of 7"), (table(1000, 40), "25 of 1001")] {
            let error = read("a.csv", &bytes, &Options::default()).expect_err("another encoding");
            let words = error.to_string();
            assert!(
                words.contains(strange) && words.contains("Windows-1252") && words.contains("CSV UTF-8"),
                "{words}"
            );
            assert_eq!((error.line, error.file.as_deref()), (Some(2), Some("a.csv")));
        }
        let japanese = table(30, 2).iter().map(|byte| if *byte == 0xe9 { 0x81 } else { *byte }).collect::<Vec<u8>>();
        let words = read("a.csv", &japanese, &Options::default()).expect_err("another encoding").to_string();
        assert!(words.contains("an older encoding") && !words.contains("Windows"), "{words}");
        let files: Vec<_> = (0..9).map(|n| (format!("d/pos{n}.txt"), b"caf\xe9\n".to_vec())).collect();
        assert!(read_folder(&files, &Options::default()).expect_err("another encoding").message.contains("9 of 9"));
    }

    #[test]
    fn a_few_strange_lines_are_bad_rows() {
        for (bytes, left_out) in [(table(4, 2), 2), (table(1000, 400), 3), (table(10, 1000), 1)] {
            let dataset = read("a.csv", &bytes, &Options::default()).expect("mostly UTF-8");
            assert_eq!(dataset.left_out, left_out);
            assert!(dataset.problems.iter().all(|problem| problem.line.is_some()), "{:?}", dataset.problems);
        }
    }
}
