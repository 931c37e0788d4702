//! Rows that were scored already: what every command that does statistics reads.
//!
//! A file that Candor wrote has all fields; one from elsewhere may have only `confidence` and `correct`, or `expected`
//! and `prediction` (or `label`). JSON lines and tables are read alike. Numbers are checked here once: what comes out
//! is finite and in its range, `correct` agrees with the labels, and every row scores the same labels, so that nothing
//! downstream has to ask again.

mod cells;
mod row;

use indexmap::IndexMap;

use self::cells::{Cell, Cells, KEYS};
use super::jsonl::{column_of, syntax_error};
use super::lines::{Lines, utf8};
use super::sniff::{Format, sniff};
use super::table::{Table, find_delimiter};
use super::{PROBLEMS_KEPT, fields};
use crate::error::{Error, Result};

/// A scored row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The data's own id, or the row's number counted from 1.
    pub id: String,
    /// The text.
    pub text: Option<String>,
    /// A subgroup of the data; `category` is read as this too.
    pub group: Option<String>,
    /// The true label.
    pub expected: Option<String>,
    /// The predicted label.
    pub label: Option<String>,
    /// Per label, in the file's order.
    pub labels: Option<IndexMap<String, LabelScore>>,
    /// The winner's probability over the whole vocabulary, in [0, 1].
    pub total_probability: Option<f64>,
    /// The winner's probability among the labels, in [0, 1].
    pub share: Option<f64>,
    /// Probability on no label, in [0, 1].
    pub other_mass: Option<f64>,
    /// In [0, 1]; the total probability where the file has no confidence.
    pub confidence: f64,
    /// Whether the prediction is right; found out from the labels where the file does not say.
    pub correct: Option<bool>,
    /// The line where the row begins, counted from 1.
    pub line: u64,
}

/// A label's part of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LabelScore {
    /// Natural logarithm of the label's probability over the whole vocabulary, at most 0.
    pub logprob: Option<f64>,
    /// Its probability among the labels, in [0, 1].
    pub share: Option<f64>,
}

/// The rows of a predictions file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// The good rows, in the file's order.
    pub rows: Vec<Row>,
    /// What is wrong with the others, the first thousand; empty when read strictly.
    pub problems: Vec<Error>,
    /// How many rows were left out.
    pub left_out: usize,
    /// What a user should know, as sentences.
    pub notes: Vec<String>,
}

/// How to read predictions. The default is strict: statistics over the rows that happened to be readable mislead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Every row must say whether it is right.
    pub need_outcome: bool,
    /// The first problem is the error.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { need_outcome: true, strict: true }
    }
}

impl Predictions {
    /// Confidence and outcome of the rows that have an outcome.
    pub fn outcomes(&self) -> (Vec<f64>, Vec<bool>) {
        self.rows.iter().filter_map(|row| Some((row.confidence, row.correct?))).unzip()
    }

    /// All labels that are scored, predicted or expected: in the order of the scores where there are any, else sorted.
    pub fn classes(&self) -> Vec<String> {
        if let Some(labels) = self.rows.first().and_then(|row| row.labels.as_ref()) {
            return labels.keys().cloned().collect();
        }
        let named = self.rows.iter().flat_map(|row| [row.expected.as_ref(), row.label.as_ref()]).flatten();
        let classes: std::collections::BTreeSet<&String> = named.collect();
        classes.into_iter().cloned().collect()
    }

    fn take(&mut self, row: Result<Row>, options: Options) -> Result<()> {
        match row {
            Ok(row) => self.rows.push(row),
            Err(problem) if options.strict => return Err(problem),
            Err(problem) => {
                self.left_out += 1;
                if self.problems.len() < PROBLEMS_KEPT {
                    self.problems.push(problem);
                }
            }
        }
        Ok(())
    }

    fn finished(mut self, label_is_true: bool) -> Result<Self> {
        if label_is_true {
            self.notes
                .push("rows have label and prediction but no expected: the label is read as the true one".to_owned());
        }
        if self.rows.is_empty() {
            let help = "statistics need at least one row with confidence and correct, or expected and prediction";
            let none = || Error::input("there are no predictions in it").help(help);
            return Err(self.problems.into_iter().next().unwrap_or_else(none));
        }
        let predicted: std::collections::HashSet<&str> =
            self.rows.iter().filter_map(|row| row.label.as_deref()).collect();
        let mut unseen: IndexMap<&str, u64> = IndexMap::new();
        if !predicted.is_empty() {
            for row in self.rows.iter().filter(|row| row.labels.is_none()) {
                if let Some(expected) = row.expected.as_deref().filter(|expected| !predicted.contains(expected)) {
                    unseen.entry(expected).or_insert(row.line);
                }
            }
        }
        let notes: Vec<_> = (unseen.iter())
            .map(|(label, line)| format!("{label:?} is expected (first in line {line}) but never predicted"))
            .collect();
        self.notes.extend(notes);
        Ok(self)
    }
}

/// Reads predictions from JSON lines or a table.
///
/// # Errors
/// `Kind::Format` or `Kind::Input`, with the file, line, column and field: where the file is empty or of no known
/// format, a column is missing, or no row is good; when strict, for the first bad row.
pub fn read(name: &str, bytes: &[u8], options: Options) -> Result<Predictions> {
    let read = sniff(name, bytes).and_then(|format| match format {
        Format::Jsonl => read_jsonl(bytes, options),
        Format::Csv | Format::Tsv => read_table(bytes, options),
        Format::JsonList => Err(Error::format("the file holds one JSON list, not JSON lines")
            .at_line(1)
            .at_column(1)
            .help("write one object a line; jq does it: jq -c '.[]' predictions.json > predictions.jsonl")),
        Format::Text => Err(Error::format("the file holds plain text, not predictions")
            .at_line(1)
            .help("predictions are JSON lines or a table with confidence and correct")),
    });
    match read {
        Ok(mut predictions) => {
            for problem in &mut predictions.problems {
                problem.file.get_or_insert_with(|| name.to_owned());
            }
            Ok(predictions)
        }
        Err(error) => Err(error.at_file(name)),
    }
}

fn read_jsonl(bytes: &[u8], options: Options) -> Result<Predictions> {
    let mut predictions = Predictions::default();
    let mut lines = Lines::new(bytes);
    let (mut count, mut label_is_true) = (0, false);
    while let Some(line) = lines.next_line() {
        let row = match line {
            Ok((_, bytes)) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
            Ok((number, bytes)) => {
                count += 1;
                let first = predictions.rows.first();
                utf8(number, bytes).and_then(|line| {
                    let cells: Cells =
                        serde_json::from_str(line).map_err(|error| syntax_error(number, line, &error))?;
                    label_is_true |= cells.label_is_true();
                    cells.into_row(number, count, options, first, &|key| (number, column_of(line, key)))
                })
            }
            Err(error) => Err(error),
        };
        predictions.take(row, options)?;
    }
    predictions.finished(label_is_true)
}

fn read_table(bytes: &[u8], options: Options) -> Result<Predictions> {
    let mut table = Table::new(bytes, find_delimiter(bytes, b','));
    let header = table.header()?;
    let places: Vec<Option<usize>> =
        KEYS.iter().map(|key| header.iter().position(|name| name.trim().eq_ignore_ascii_case(key))).collect();
    let has = |key: &str| KEYS.iter().position(|known| *known == key).is_some_and(|index| places[index].is_some());
    check_columns(&header, &has, options)?;
    let mut predictions = Predictions::default();
    let (mut count, mut label_is_true) = (0, false);
    while let Some(record) = table.next_record() {
        count += 1;
        let first = predictions.rows.first();
        let row = record.and_then(|record| {
            let mut cells = Cells::default();
            cells.expected.named = has("expected");
            for (index, place) in places.iter().enumerate() {
                let Some(place) = *place else { continue };
                let value = record.text(place)?;
                if !value.trim().is_empty() {
                    *cells.cell(index) = Some(Cell::Text(value.to_owned()));
                }
            }
            let place = |key: &str| {
                let index = KEYS.iter().position(|known| *known == key).and_then(|index| places[index]);
                index.map_or((record.line, 1), |index| record.place_of_field(index))
            };
            label_is_true |= cells.label_is_true();
            cells.into_row(record.line, count, options, first, &place)
        });
        predictions.take(row, options)?;
    }
    predictions.finished(label_is_true)
}

/// A table's columns are looked at once, so that a missing one is one error and not one a row.
fn check_columns(header: &[String], has: &impl Fn(&str) -> bool, options: Options) -> Result<()> {
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let missing = |key: &str, message: &str| {
        let found = fields::list(&names);
        Error::input(message).at_line(1).at_column(1).in_field(key).help(format!("the columns are {found}"))
    };
    if !has("confidence") && !has("total_probability") {
        return Err(missing("confidence", "the column is missing"));
    }
    let both_labels = (has("expected") && (has("prediction") || has("label"))) || (has("label") && has("prediction"));
    if options.need_outcome && !has("correct") && !both_labels {
        let message = "the column is missing, and there are no expected and prediction either";
        return Err(missing("correct", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY: Options = Options { need_outcome: false, strict: true };

    fn one(line: &str) -> Result<Row> {
        read("p.jsonl", line.as_bytes(), Options::default()).map(|mut predictions| predictions.rows.remove(0))
    }

    #[test]
    fn every_way_to_say_it_is_read() {
        let cases = [
            (r#"{"confidence": 0.5, "correct": true}"#, 0.5, true),
            (r#"{"confidence": 1, "correct": 0}"#, 1.0, false),
            (r#"{"confidence": "0.25", "correct": "True"}"#, 0.25, true),
            (r#"{"confidence": 0.5, "expected": "a", "prediction": "a"}"#, 0.5, true),
            (r#"{"confidence": 0.5, "expected": "a", "label": "b"}"#, 0.5, false),
            (r#"{"confidence": 0.5, "label": "a", "prediction": "b"}"#, 0.5, false),
            (r#"{"total_probability": 0.75, "expected": 1, "label": "1"}"#, 0.75, true),
            (r#"{"confidence": 1.0000001, "correct": 1.0, "unknown": [1, {"a": 2}]}"#, 1.0, true),
            (r#"{"confidence": 0.5, "total_probability": 0.75, "correct": true, "category": "g"}"#, 0.5, true),
        ];
        for (line, confidence, correct) in cases {
            let row = one(line).unwrap();
            assert_eq!((row.confidence, row.correct), (confidence, Some(correct)), "{line}");
        }
    }

    #[test]
    fn a_whole_row_keeps_everything() {
        let line = r#"{"id": 7, "text": " t ", "group": "g", "expected": "z", "label": "a", "labels":
            {"z": {"logprob": -2.5, "share": 0.1, "more": 1}, "a": {"logprob": -0.5, "share": 0.9}},
            "total_probability": 0.6, "share": 0.9, "other_mass": 0.3, "confidence": 0.55, "correct": false}"#;
        let row = one(&line.replace('\n', "")).unwrap();
        assert_eq!((row.id.as_str(), row.text.as_deref(), row.group.as_deref()), ("7", Some(" t "), Some("g")));
        let labels = row.labels.unwrap();
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(labels["z"], LabelScore { logprob: Some(-2.5), share: Some(0.1) });
        assert_eq!((row.share, row.other_mass, row.line), (Some(0.9), Some(0.3), 1));
    }

    #[test]
    fn bad_rows_say_line_column_and_field() {
        let cases = [
            (r#"{"confidence": 1.2, "correct": true}"#, 16, "confidence", "between 0 and 1"),
            (r#"{"confidence": 93, "correct": true}"#, 16, "confidence", "between 0 and 1"),
            (r#"{"correct": true, "confidence": -0.1}"#, 33, "confidence", "between 0 and 1"),
            (r#"{"confidence": NaN, "correct": true}"#, 16, "", "NaN"),
            (r#"{"confidence": -Infinity, "correct": true}"#, 17, "", "NaN and infinity"),
            (r#"{"confidence": "nan", "correct": true}"#, 16, "confidence", "NaN"),
            (r#"{"confidence": "0,9", "correct": true}"#, 16, "confidence", "no number"),
            (r#"{"confidence": null, "correct": true}"#, 16, "confidence", "no confidence"),
            (r#"{"confidence": true, "correct": true}"#, 16, "confidence", "truth value"),
            (r#"{"confidence": [0.5], "correct": true}"#, 16, "confidence", "a list"),
            (r#"{"correct": true}"#, 1, "confidence", "no confidence"),
            (r#"{"confidence": 0.5}"#, 1, "correct", "does not say"),
            (r#"{"confidence": 0.5, "correct": 2}"#, 32, "correct", "neither"),
            (r#"{"confidence": 0.5, "correct": "maybe"}"#, 32, "correct", "neither"),
            (r#"{"confidence": 0.5, "expected": "a", "label": "b", "correct": true}"#, 63, "correct", "it says true"),
            (
                r#"{"confidence": 0.5, "expected": "c", "label": "a", "labels": {"a": 0.5, "b": 0.5}}"#,
                33,
                "expected",
                "none of the labels",
            ),
            (r#"{"confidence": 0.5, "correct": true, "labels": {"a": {"logprob": 0.5}}}"#, 48, "labels", "above 0"),
            (r#"{"confidence": 0.5, "correct": true, "labels": {"a": 1.5}}"#, 48, "labels", "between 0 and 1"),
            (r#"{"confidence": 0.5, "correct": true, "labels": ["a"]}"#, 48, "labels", "not an object"),
            (r#"{"confidence": 0.5, "correct": true"#, 36, "", "complete"),
        ];
        for (line, column, field, words) in cases {
            let text = format!("{{\"confidence\": 0.5, \"correct\": true}}\r\n\r\n{line}\n");
            let error = read("p.jsonl", text.as_bytes(), Options::default()).expect_err(line);
            assert_eq!((error.file.as_deref(), error.line), (Some("p.jsonl"), Some(3)), "{line}: {error}");
            assert!(error.message.contains(words) && error.help.is_some(), "{line}: {error}");
            if error.field.as_deref() != Some("labels") || !error.message.contains("other labels") {
                assert_eq!(error.column, Some(column), "{line}: {error}");
                assert_eq!(error.field.as_deref().unwrap_or_default(), field, "{line}: {error}");
            }
        }
    }

    #[test]
    fn tables_say_it_too() {
        let text = "\u{feff}id;Confidence;expected;prediction;category\r\nx;0.5;a;a;g\r\n;1;\"b\";a;\r\n";
        let predictions = read("p.csv", text.as_bytes(), Options::default()).unwrap();
        let rows: Vec<_> = (predictions.rows.iter())
            .map(|row| (row.id.as_str(), row.confidence, row.correct, row.group.as_deref(), row.line))
            .collect();
        assert_eq!(rows, [("x", 0.5, Some(true), Some("g"), 2), ("2", 1.0, Some(false), None, 3)]);
        assert!(predictions.notes[0].contains("\"b\" is expected (first in line 3)"), "{:?}", predictions.notes);
        assert_eq!(predictions.outcomes(), (vec![0.5, 1.0], vec![true, false]));
        assert_eq!(predictions.classes(), ["a", "b"]);

        let cases = [
            ("confidence,correct\n0.5,1\n\"0.5\",maybe\n", 3, 7, "correct"),
            ("confidence,correct\n0.5,1\n1.5,0\n", 3, 1, "confidence"),
            ("confidence,correct\n0.5,1\nnan,0\n", 3, 1, "confidence"),
            ("text,confidence,correct\n\"a\nb\",0.5,1\n\"é\",x,0\n", 4, 5, "confidence"),
            ("score,correct\n0.5,1\n", 1, 1, "confidence"),
            ("confidence,expected\n0.5,1\n", 1, 1, "correct"),
            ("confidence,correct\n0.5,1\r\n0.5,0\r0.5\n", 4, 0, ""),
        ];
        for (text, line, column, field) in cases {
            let error = read("p.csv", text.as_bytes(), Options::default()).expect_err(text);
            let place = (error.line.unwrap(), error.column.unwrap_or_default());
            assert_eq!((place, error.field.as_deref().unwrap_or_default()), ((line, column), field), "{error}");
        }
    }

    #[test]
    fn files_without_rows_are_errors() {
        for (name, text) in [("p.jsonl", ""), ("p.jsonl", "\n \n"), ("p.csv", "confidence,correct\n"), ("p.txt", "a\n")]
        {
            let error = read(name, text.as_bytes(), Options::default()).expect_err(text);
            assert!(error.file.is_some() && error.help.is_some(), "{error}");
        }
    }

    #[test]
    fn unlabelled_rows_are_for_those_who_need_no_outcome() {
        let line = br#"{"confidence": 0.5, "label": "a"}"#;
        assert_eq!(read("p", line, ANY).unwrap().rows[0].correct, None);
        assert!(read("p", line, Options::default()).is_err());
        assert_eq!(read("p", line, ANY).unwrap().outcomes(), (vec![], vec![]));
    }

    #[test]
    fn a_guess_is_told() {
        let predictions = read("p", br#"{"confidence": 0.5, "label": "a", "prediction": "b"}"#, ANY).unwrap();
        assert!(predictions.notes[0].contains("the true one"), "{:?}", predictions.notes);
    }

    #[test]
    fn an_unknown_truth_is_not_made_up() {
        for text in [
            r#"{"confidence": 0.5, "expected": null, "label": "a", "prediction": "a"}"#,
            "confidence,expected,label,prediction\n0.5,,a,a\n",
        ] {
            assert_eq!(read("p", text.as_bytes(), ANY).unwrap().rows[0].correct, None, "{text}");
            assert!(read("p", text.as_bytes(), Options::default()).is_err());
        }
    }

    #[test]
    fn lenient_reading_keeps_the_rest() {
        let text = "{\"confidence\": 2, \"correct\": true}\n{\"confidence\": 1, \"correct\": true}\nx\n";
        let predictions = read("p.jsonl", text.as_bytes(), Options { strict: false, ..Options::default() }).unwrap();
        assert_eq!((predictions.rows.len(), predictions.left_out), (1, 2));
        assert_eq!(predictions.problems[1].to_string().split(": ").next(), Some("p.jsonl:3:1"));
    }

    #[test]
    fn files_of_two_tasks_are_told_apart() {
        let row = |labels: &str| format!("{{\"confidence\": 0.5, \"correct\": true, \"labels\": {{{labels}}}}}\n");
        let same = row("\"a\": 0.5, \"b\": 0.5") + &row("\"b\": 0.5, \"a\": 0.5");
        assert_eq!(read("p.jsonl", same.as_bytes(), ANY).unwrap().classes(), ["a", "b"]);
        let other = row("\"a\": 0.5, \"b\": 0.5") + &row("\"a\": 0.5, \"c\": 0.5");
        assert!(read("p.jsonl", other.as_bytes(), ANY).unwrap_err().message.contains("line 1"));
    }

    proptest! {
        #[test]
        fn numbers_survive(rows in prop::collection::vec((0.0f64..=1.0, any::<bool>(), -1e3f64..0.0), 1..20)) {
            let line = |&(confidence, correct, logprob): &(f64, bool, f64)| {
                serde_json::json!({"confidence": confidence, "correct": correct, "labels": {"a": {"logprob": logprob}}})
                    .to_string() + "\n"
            };
            let text: String = rows.iter().map(line).collect();
            let found = read("p.jsonl", text.as_bytes(), Options::default()).unwrap();
            let found: Vec<_> = (found.rows.iter())
                .map(|row| (row.confidence, row.correct.unwrap(), row.labels.as_ref().unwrap()["a"].logprob.unwrap()))
                .collect();
            prop_assert_eq!(&found, &rows);
            let text: String = rows.iter().map(|row| format!("{:?},{}\n", row.0, row.1)).collect();
            let found = read("p.csv", format!("confidence,correct\n{text}").as_bytes(), Options::default()).unwrap();
            let found: Vec<_> = found.rows.iter().map(|row| (row.confidence, row.correct.unwrap())).collect();
            prop_assert_eq!(found, rows.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read("p", &bytes, Options::default());
        }

        #[test]
        fn no_row_makes_it_panic(
            text in r#"(\{|\}|\[|\]|"confidence":|"correct":|"labels":|"expected":|"label":|"a"|,|1|0.5|-1e999|null|true|\n){0,20}"#,
            name in prop::sample::select(&["p.jsonl", "p.csv", "p"][..]),
        ) {
            if let Err(error) = read(name, text.as_bytes(), Options::default()) {
                prop_assert!(error.help.is_some());
            }
        }
    }
}
