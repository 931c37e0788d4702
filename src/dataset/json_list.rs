//! One JSON list of objects, as many tools export it: cut into its objects, each with the line it begins on.
//!
//! Nothing is parsed here but strings and brackets, so a broken object is one bad row, and the others are read.

use std::borrow::Cow;

use super::lines::BOM;

/// The elements of a list, objects or not, as one line each.
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Elements<'a> {
    /// The elements in bytes that begin with `[`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut elements = Self { bytes, at: 0, line: 1 };
        elements.pass_over(|byte| byte.is_ascii_whitespace());
        elements.step();
        elements
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.line += u64::from(self.peek() == Some(b'\n'));
        self.at += 1;
    }

    fn pass_over(&mut self, of: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&of) {
            self.step();
        }
    }

    /// Goes on to the end of an element: a comma or the list's own bracket, outside of strings and inner brackets.
    fn skip_element(&mut self) {
        let (mut depth, mut quoted) = (0_usize, false);
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => quoted = !quoted,
                b'\\' if quoted => self.step(),
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 0 => return,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.step();
        }
        self.at = self.at.min(self.bytes.len());
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u64, Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.pass_over(|byte| byte.is_ascii_whitespace() || byte == b',');
        if self.peek().is_none_or(|byte| byte == b']') {
            return None;
        }
        let (line, start) = (self.line, self.at);
        self.skip_element();
        let element = self.bytes[start..self.at].trim_ascii_end();
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        Some((
            line,
            match element.iter().any(is_end) {
                // Inside of strings JSON allows no line end; between its parts a space is as good.
                true => element.iter().map(|byte| if is_end(byte) { b' ' } else { *byte }).collect(),
                false => Cow::Borrowed(element),
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Options, jsonl, read};
    use super::*;

    #[test]
    fn a_list_of_objects_is_read_as_its_lines_would_be() {
        let spread = "\u{feff}[\n  {\n    \"text\": \"a, ]}\",\n    \"label\": \"x\"\n  },\n  {\"text\": \"b \\\" [\", \"label\": \"y\"}\n]\n";
        let tight = r#"[{"text":"a, ]}","label":"x"},{"text":"b \" [","label":"y"}]"#;
        for (text, lines) in [(spread, [2, 6]), (tight, [1, 1])] {
            let dataset = read("a.json", text.as_bytes(), &Options::default()).expect("a list");
            let rows: Vec<_> = dataset.examples.iter().map(|row| (row.text.as_str(), row.label.as_deref())).collect();
            assert_eq!(rows, [("a, ]}", Some("x")), ("b \" [", Some("y"))], "{text}");
            assert_eq!(dataset.examples.iter().map(|row| row.line).collect::<Vec<_>>(), lines);
            assert_eq!(dataset.layout.label.as_deref(), Some("label"));
        }
    }

    #[test]
    fn a_broken_object_is_one_bad_row() {
        let text = "[\n{\"text\": \"a\"},\n{\"text\" \"b\"},\n3,\n{\"text\": \"c\"},\n{\"text\": \"d";
        let dataset = read("a.json", text.as_bytes(), &Options::default()).expect("two good rows");
        let rows: Vec<_> = dataset.examples.iter().map(|row| (row.id.as_str(), row.line)).collect();
        assert_eq!(rows, [("1", 2), ("4", 5)]);
        let problems: Vec<_> = dataset.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(problems, [Some(3), Some(4), Some(6)], "{:?}", dataset.problems);
        assert!(read("a.json", b"[]", &Options::default()).is_err());
    }

    proptest! {
        #[test]
        fn every_list_gives_what_its_lines_give(texts in prop::collection::vec("[ -~é\n\t]{0,8}x", 1..6), spread in any::<bool>()) {
            let objects: Vec<_> = texts.iter().map(|text| serde_json::json!({"text": text, "label": "y"})).collect();
            let list = if spread { serde_json::to_string_pretty(&objects) } else { serde_json::to_string(&objects) };
            let lines: String = objects.iter().map(|object| object.to_string() + "\n").collect();
            let read_list = read("a.json", list.unwrap().as_bytes(), &Options::default()).unwrap();
            let read_lines = jsonl::read(lines.as_bytes(), &Options::default()).unwrap();
            let words = |rows: &[crate::dataset::Example]| {
                rows.iter().map(|row| (row.id.clone(), row.text.clone(), row.label.clone())).collect::<Vec<_>>()
            };
            prop_assert_eq!(words(&read_list.examples), words(&read_lines.examples));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"[]{}\",:\\ a1\n\r\xff"[..]), 0..60)) {
            let count = Elements::new(&bytes).count();
            prop_assert!(count <= bytes.len() + 1);
            let _ = jsonl::read_list(&bytes, &Options::default());
        }
    }
}
