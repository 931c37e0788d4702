//! CSV and TSV with a header → examples.

use super::fields::{self, Fields};
use super::table::{Record, Table, find_delimiter, name_of};
use super::{Dataset, Example, Layout, Options};
use crate::error::{Error, Result};
use crate::formula::restored;

/// Rows that are looked at to guess columns by their content.
const SAMPLED_ROWS: usize = 200;
/// A label column's values are shorter than this, on average, in characters.
const LONGEST_LABEL: usize = 40;
/// Who decided, where it was the model.
const BY_MODEL: &str = "model";

/// Reads a table. `tabs` says that the file's name promises tabs.
///
/// # Errors
/// `Kind::Input` or `Kind::Format` where there is no header, a named column is missing, no column can be the text, or
/// no row is good; with `options.strict`, for the first bad row.
pub fn read(bytes: &[u8], tabs: bool, options: &Options) -> Result<Dataset> {
    let preferred = if tabs { b'\t' } else { b',' };
    let delimiter = options.delimiter.unwrap_or_else(|| find_delimiter(bytes, preferred));
    let (mut table, header) = begin(bytes, delimiter, options)?;
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut dataset = Dataset::default();
    if delimiter != preferred && options.delimiter.is_none() {
        dataset.notes.push(format!("the fields are separated by a {}", name_of(delimiter)));
    }
    let fields = choose(bytes, delimiter, &names, options, &mut dataset.notes)?;
    let text = fields.text.ok_or_else(|| {
        let help = format!(
            "the columns are {}; call the one of the text \"text\"{}",
            fields::list(&names),
            options.naming.or_name_it("--text-field")
        );
        Error::input("no column can be the text").at_line(1).help(help)
    })?;
    dataset.layout = Layout { delimiter: Some(delimiter), ..Layout::new(&names, &fields) };
    let decider = decided_by(&names);
    let mut row = 0_usize;
    let mut by_model = 0_usize;
    while let Some(record) = table.next_record() {
        row += 1;
        let example = record.and_then(|record| {
            let mut example = example(&record, &fields, text, row, decider.is_some())?;
            if decider.is_some_and(|place| record.field(place) == BY_MODEL.as_bytes()) {
                by_model += usize::from(example.label.take().is_some());
            }
            Ok(example)
        });
        dataset.take(example, options)?;
    }
    if by_model > 0 {
        dataset
            .notes
            .push(format!("{by_model} labels were the model's own decision, so their rows count as unlabelled"));
    }
    dataset.finished()
}

/// The table before its first row, and the names of its columns.
fn begin<'a>(bytes: &'a [u8], delimiter: u8, options: &Options) -> Result<(Table<'a>, Vec<String>)> {
    let mut table = Table::new(bytes, delimiter);
    let names = if options.no_header { table.without_header() } else { table.header() }?;
    Ok((table, names))
}

/// Writes examples as a table with the columns id, text, label and group; what is absent is empty.
pub fn write(examples: &[Example]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["id", "text", "label", "group"];
    let rows = examples.iter().map(|example| {
        let or_empty = |value: &Option<String>| value.clone().unwrap_or_default();
        [example.id.clone(), example.text.clone(), or_empty(&example.label), or_empty(&example.group)]
    });
    for row in std::iter::once(header.map(str::to_owned)).chain(rows) {
        writer.write_record(&row).expect("writing to memory does not fail, and all rows have four fields");
    }
    let bytes = writer.into_inner().expect("flushing to memory does not fail");
    String::from_utf8(bytes).expect("all fields are UTF-8")
}

/// The column that says who decided a label, in a table of labels to take home: formulas are disarmed in such a table,
/// and what the model decided is no label to judge it by.
fn decided_by(names: &[&str]) -> Option<usize> {
    names.iter().position(|name| *name == "decided_by").filter(|_| names.contains(&"model_label"))
}

fn example(record: &Record<'_>, fields: &Fields, text: usize, row: usize, disarmed: bool) -> Result<Example> {
    let value = |place: usize| record.text(place).map(|words| if disarmed { restored(words) } else { words });
    let optional = |place: Option<usize>| -> Result<Option<String>> {
        let Some(place) = place else { return Ok(None) };
        let value = value(place)?.trim();
        Ok((!value.is_empty()).then(|| value.to_owned()))
    };
    Ok(Example {
        id: optional(fields.id)?.unwrap_or_else(|| row.to_string()),
        text: value(text)?.to_owned(),
        label: optional(fields.label)?,
        group: optional(fields.group)?,
        line: record.line,
    })
}

/// The columns, by their names, and where these say nothing by what is in them.
fn choose(bytes: &[u8], delimiter: u8, names: &[&str], options: &Options, notes: &mut Vec<String>) -> Result<Fields> {
    let mut fields = Fields::find(names, options).map_err(|error| error.at_line(1))?;
    for place in [fields.text, fields.label].into_iter().flatten() {
        if names.iter().filter(|name| **name == names[place]).count() > 1 {
            return Err(Error::input(format!("two columns are named {:?}", names[place]))
                .at_line(1)
                .in_field(names[place])
                .help("give each column its own name"));
        }
    }
    let columns = sample(bytes, delimiter, names.len(), options);
    if fields.text.is_none() {
        let free = (0..names.len()).filter(|place| Some(*place) != fields.label);
        fields.text = free.max_by_key(|&place| (columns[place].characters, std::cmp::Reverse(place)));
        if let Some(place) = fields.text {
            forget(&mut fields, place);
            notes.push(format!(
                "no column is named like a text: {:?} has the longest values and is taken",
                names[place]
            ));
        }
    }
    if fields.label.is_none() && !options.no_label {
        let free = |place: &usize| ![fields.text, fields.id].contains(&Some(*place)) && columns[*place].like_labels();
        let found = (0..names.len()).filter(free).min_by_key(|&place| columns[place].distinct.len());
        fields.label = found;
        if let Some(place) = found {
            if fields.group == Some(place) {
                fields.group = None;
            }
            let count = columns[place].distinct.len();
            notes.push(format!("no column is named like a label: {:?} has {count} values and is taken", names[place]));
        } else if options.need_labels {
            return Err(Error::input("no column can be the label").at_line(1).help(format!(
                "the columns are {}{}",
                fields::list(names),
                options.naming.name_the_right_one("--label-field")
            )));
        }
    }
    Ok(fields)
}

/// A column that has become the text is nothing else.
fn forget(fields: &mut Fields, place: usize) {
    for other in [&mut fields.group, &mut fields.id] {
        if *other == Some(place) {
            *other = None;
        }
    }
}

/// What a column holds in the first rows.
#[derive(Default)]
struct Column {
    characters: usize,
    rows: usize,
    distinct: std::collections::HashSet<String>,
}

impl Column {
    /// A few short values that repeat.
    fn like_labels(&self) -> bool {
        let few = self.distinct.len() >= 2 && self.distinct.len() * 2 <= self.rows.max(4);
        few && self.characters < self.rows * LONGEST_LABEL && !self.distinct.contains("")
    }
}

fn sample(bytes: &[u8], delimiter: u8, width: usize, options: &Options) -> Vec<Column> {
    let mut columns: Vec<Column> = (0..width).map(|_| Column::default()).collect();
    let Ok((mut table, _)) = begin(bytes, delimiter, options) else { return columns };
    for record in std::iter::from_fn(|| table.next_record()).take(SAMPLED_ROWS).flatten() {
        for (index, column) in columns.iter_mut().enumerate() {
            let value = String::from_utf8_lossy(record.field(index));
            column.characters += value.chars().count();
            column.rows += 1;
            column.distinct.insert(value.trim().to_owned());
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labelled(text: &str) -> Vec<(String, Option<String>)> {
        let dataset = read(text.as_bytes(), false, &Options::default()).unwrap();
        dataset.examples.into_iter().map(|example| (example.text, example.label)).collect()
    }

    #[test]
    fn common_tables_need_no_flags() {
        let cases = [
            "text,label\nA fine day,good\nA sad day,bad\nA new day,good\nAn old day,bad\n",
            "\u{feff}Label;Text\r\ngood;A fine day\r\nbad;A sad day\r\ngood;A new day\r\nbad;An old day\r\n",
            "id\tsentence\tcategory\n7\tA fine day\tgood\n8\tA sad day\tbad\n9\tA new day\tgood\n10\tAn old day\tbad\n",
            "q,a\nA fine day,good\nA sad day,bad\nA new day,good\nAn old day,bad\n",
            "a,q,n\ngood,A fine day,1\nbad,A sad day,2\ngood,A new day,3\nbad,An old day,4\n",
        ];
        for text in cases {
            let expected = [("A fine day", "good"), ("A sad day", "bad"), ("A new day", "good"), ("An old day", "bad")];
            let expected: Vec<_> = expected.map(|(text, label)| (text.to_owned(), Some(label.to_owned()))).to_vec();
            assert_eq!(labelled(text), expected, "{text:?}");
        }
    }

    #[test]
    fn labels_taken_home_come_back_as_they_were() {
        let home = "id,text,label,decided_by,model_label,confidence\n1,'=1+1,good,data,good,0.9\n2,''-x,good,model,good,0.9\n\
                    3,'quoted',bad,person,good,0.4\n";
        let dataset = read(home.as_bytes(), false, &Options::default()).unwrap();
        let found: Vec<_> = dataset.examples.iter().map(|row| (row.text.as_str(), row.label.as_deref())).collect();
        assert_eq!(found, [("=1+1", Some("good")), ("'-x", None), ("'quoted'", Some("bad"))]);
        assert!(dataset.notes.iter().any(|note| note.contains("the model's own decision")), "{:?}", dataset.notes);
        // In other data an apostrophe is one.
        assert_eq!(labelled("text,label\n'=1+1,good\nb,bad\n")[0].0, "'=1+1");
    }

    #[test]
    fn guesses_can_be_overruled() {
        let rows = |text: &str, options: Options| -> Vec<(String, Option<String>, u64)> {
            let dataset = read(text.as_bytes(), false, &options).unwrap();
            dataset.examples.into_iter().map(|row| (row.text, row.label, row.line)).collect()
        };
        let row = |text: &str, label: Option<&str>, line| (text.to_owned(), label.map(str::to_owned), line);
        let usual = Options::default();
        // A column that is taken for the label is none.
        let text = "text,category\nA fine day,a\nA sad day,b\n";
        let no_label = Options { no_label: true, ..usual.clone() };
        assert_eq!(rows(text, no_label.clone()), [row("A fine day", None, 2), row("A sad day", None, 3)]);
        let guessed = "q,a\nA fine day,good\nA sad day,bad\nA new day,good\nAn old day,bad\n";
        assert!(rows(guessed, no_label).iter().all(|(_, label, _)| label.is_none()));
        // The first line is a row.
        let bare = "A fine day,good\nA sad day,bad\nA new day,good\nAn old day,bad\n";
        let no_header = Options { no_header: true, ..usual.clone() };
        let found = rows(bare, no_header.clone());
        assert_eq!((found.len(), &found[0]), (4, &row("A fine day", Some("good"), 1)));
        let layout = read(bare.as_bytes(), false, &no_header).unwrap().layout;
        assert_eq!(
            (layout.fields, layout.label.as_deref()),
            (vec!["column 1".to_owned(), "column 2".to_owned()], Some("column 2"))
        );
        let named = Options { label_field: Some("column 1".into()), text_field: Some("column 2".into()), ..no_header };
        assert_eq!(rows(bare, named)[0], row("good", Some("A fine day"), 1));
        // Values that say that there is no label.
        let open = Options { unlabelled: vec!["?".into(), "TODO".into()], ..usual };
        let text = "text,label\na,?\nb,TODO\nc,good\nd,todo\n";
        let labels: Vec<_> = rows(text, open).into_iter().map(|(_, label, _)| label).collect();
        assert_eq!(labels, [None, None, Some("good".to_owned()), Some("todo".to_owned())]);
    }

    #[test]
    fn guesses_are_told() {
        let dataset =
            read(b"q;a\nA fine day;good\nA sad day;bad\nWell;good\nOh;bad\n", false, &Options::default()).unwrap();
        assert_eq!(dataset.notes.len(), 3, "{:?}", dataset.notes);
        assert!(dataset.notes[0].contains("semicolon"));
        assert!(dataset.notes[1].contains("\"q\"") && dataset.notes[2].contains("\"a\""));
    }

    #[test]
    fn bad_rows_have_lines_and_the_rest_is_kept() {
        let text = b"text,label\n\"two\nlines\",good\nonly\ncaf\xe9,bad\n,bad\nlast,\n";
        let dataset = read(text, false, &Options::default()).unwrap();
        let lines: Vec<_> = dataset.problems.iter().map(|problem| problem.line.unwrap()).collect();
        assert_eq!((lines, dataset.left_out), (vec![4, 5, 6], 3));
        let kept: Vec<_> = dataset.examples.iter().map(|e| (e.id.as_str(), e.line, e.label.is_some())).collect();
        assert_eq!(kept, [("1", 2, true), ("5", 7, false)]);
        assert!(dataset.notes.iter().any(|note| note.contains("1 of 2 rows have no label")));

        let strict = Options { strict: true, ..Options::default() };
        assert_eq!(read(text, false, &strict).unwrap_err().line, Some(4));
        let need = Options { need_labels: true, ..Options::default() };
        assert_eq!(read(text, false, &need).unwrap().left_out, 4);
    }

    #[test]
    fn what_cannot_be_used_says_what_to_do() {
        let named = |text: &str, label: &str| Options {
            text_field: Some(text.into()),
            label_field: Some(label.into()),
            ..Options::default()
        };
        let need = Options { need_labels: true, ..Options::default() };
        let cases = [
            ("", Options::default(), "empty"),
            ("text,label\n", Options::default(), "no rows"),
            ("text,label\na,b\n", named("body", "label"), "\"body\""),
            ("text,label\na,b\n", named("text", "kind"), "\"kind\""),
            ("text,text\na,b\n", Options::default(), "two columns"),
            ("label\ngood\n", Options::default(), "can be the text"),
            ("text,n\nab,1\ncd,2\nef,3\n", need, "can be the label"),
        ];
        for (text, options, words) in cases {
            let error = read(text.as_bytes(), false, &options).expect_err(text);
            assert!(error.message.contains(words) && error.help.is_some(), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            rows in prop::collection::vec(("[ -~\r\n\té]{0,12}x", prop::option::of("[ -~é]{0,3}y"), prop::option::of("g[0-9]")), 1..8),
        ) {
            let mut examples: Vec<Example> = Vec::new();
            let mut line = 2;
            for (index, (text, label, group)) in rows.into_iter().enumerate() {
                let next = line + 1 + text.replace("\r\n", "\n").matches(['\n', '\r']).count() as u64;
                let label = label.map(|label| label.trim().to_owned());
                examples.push(Example { id: (index + 1).to_string(), text, label, group, line });
                line = next;
            }
            let options = Options { delimiter: Some(b','), ..Options::default() };
            let read = read(write(&examples).as_bytes(), false, &options).unwrap();
            prop_assert_eq!(read.examples, examples);
            prop_assert!(read.problems.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), tabs in any::<bool>()) {
            let _ = read(&bytes, tabs, &Options::default());
        }
    }
}
