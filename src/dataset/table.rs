//! Records of a delimited table, with the lines they really begin on.
//!
//! The csv crate reads the fields. What is added here is what a person with a broken file needs. Line numbers count
//! every kind of line end, quoted ones included. A quote that is opened and never closed would swallow the rest of the
//! file as one field: such a record is reported where it begins and reading goes on with the next line. In
//! tab-separated tables, where many writers do not quote at all, such a line is taken as it stands.

use csv::ByteRecord;

use super::lines::{self, BOM};
use crate::error::{Error, Result};

/// Bytes and records that are looked at to find the delimiter.
const SNIFFED_BYTES: usize = 1 << 18;
const SNIFFED_RECORDS: usize = 50;

/// A table's records, read one by one.
pub struct Table<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    reader: csv::Reader<&'a [u8]>,
    /// Where `reader` began in `bytes`.
    base: usize,
    /// A place in `bytes` and the number of the line it is in.
    counted: (usize, u64),
    /// Fields of the header.
    width: Option<usize>,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The line it begins on, counted from 1.
    pub line: u64,
    fields: ByteRecord,
    raw: &'a [u8],
    delimiter: u8,
}

impl<'a> Table<'a> {
    /// A table in these bytes; a byte-order mark is passed over.
    pub fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let reader = reader(bytes, delimiter);
        Self { bytes, delimiter, reader, base: 0, counted: (0, 1), width: None }
    }

    /// The first record's fields, without surrounding space. Later records must have as many.
    ///
    /// # Errors
    /// `Kind::Format` or `Kind::Input` where there is none, or it cannot be read.
    pub fn header(&mut self) -> Result<Vec<String>> {
        let header = self.next_record().unwrap_or_else(|| {
            Err(Error::input("the table is empty").help("the first line names the columns, e.g. text,label"))
        })?;
        let names = header.texts()?.into_iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        self.width = Some(names.len());
        Ok(names)
    }

    /// Names for the columns of a table whose first record is a row; it is still to come. Later records must have as many
    /// fields.
    ///
    /// # Errors
    /// As [`Self::header`].
    pub fn without_header(&mut self) -> Result<Vec<String>> {
        let width = Table::new(self.bytes, self.delimiter).header()?.len();
        self.width = Some(width);
        Ok((1..=width).map(|column| format!("column {column}")).collect())
    }

    /// The next record that is not blank; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with this record, with its line; the next call goes on after it.
    pub fn next_record(&mut self) -> Option<Result<Record<'a>>> {
        loop {
            let mut fields = ByteRecord::new();
            let found = self.reader.read_byte_record(&mut fields).unwrap_or(false);
            if !found {
                return None;
            }
            let start = self.base + fields.position().map_or(0, |position| position.byte() as usize);
            let start = start + self.bytes[start..].iter().take_while(|byte| is_line_end(**byte)).count();
            let end = (self.base + self.reader.position().byte() as usize).clamp(start, self.bytes.len());
            let raw = trim_line_ends(&self.bytes[start..end]);
            if raw.iter().all(u8::is_ascii_whitespace) && fields.len() < 2 {
                continue;
            }
            let record = Record { line: self.line_of(start), fields, raw, delimiter: self.delimiter };
            return Some(self.checked(record, start));
        }
    }

    /// Looks at the record's quotes before its number of fields, because a broken one spoils the fields.
    fn checked(&mut self, record: Record<'a>, start: usize) -> Result<Record<'a>> {
        let Some((quote, end)) = quote_fault(record.raw, self.delimiter) else { return self.of_width(record) };
        // The record's lines up to and with the one where the quote stands; those after it were swallowed.
        let end_of_line = record.raw[quote..].iter().position(|byte| is_line_end(*byte));
        let own_lines = &record.raw[..end_of_line.map_or(record.raw.len(), |length| quote + length)];
        if end_of_line.is_none() && end == Quote::Loose && self.delimiter != b'\t' {
            return self.of_width(record);
        }
        if end_of_line.is_some() {
            self.base = start + own_lines.len();
            self.reader = reader(&self.bytes[self.base..], self.delimiter);
        }
        if self.delimiter == b'\t' && !own_lines.iter().any(|byte| is_line_end(*byte)) {
            let fields = own_lines.split(|byte| *byte == b'\t').collect::<ByteRecord>();
            return self.of_width(Record { fields, raw: own_lines, ..record });
        }
        let (line, column) = record.place(quote);
        Err(Error::input("a quote is opened here and not closed before the next field")
            .at_line(line)
            .at_column(column)
            .help("close it, or write a quote inside a quoted text twice: \"\""))
    }

    /// The record, if it has as many fields as the header; empty ones at the end do not count.
    fn of_width(&self, mut record: Record<'a>) -> Result<Record<'a>> {
        let Some(width) = self.width else { return Ok(record) };
        let found = record.fields.len();
        if found > width && record.fields.iter().skip(width).all(<[u8]>::is_empty) {
            record.fields.truncate(width);
        }
        if record.fields.len() == width {
            return Ok(record);
        }
        let delimiter = name_of(self.delimiter);
        let help = if found > width {
            format!("put texts that hold a {delimiter} in double quotes")
        } else {
            format!("each row needs all {width} fields, separated by a {delimiter}")
        };
        Err(Error::input(format!("the row has {found} fields, the header {width}")).at_line(record.line).help(help))
    }

    /// The line a place is in; places must ascend or fall back by no more than a restart.
    fn line_of(&mut self, place: usize) -> u64 {
        let (from, line) = if place >= self.counted.0 { self.counted } else { (0, 1) };
        self.counted = (place, line + count_line_ends(self.bytes, from, place));
        self.counted.1
    }
}

impl Record<'_> {
    /// A field's bytes.
    pub fn field(&self, index: usize) -> &[u8] {
        self.fields.get(index).unwrap_or_default()
    }

    /// A field's text.
    ///
    /// # Errors
    /// `Kind::Format` with line and column where it is not UTF-8.
    pub fn text(&self, index: usize) -> Result<&str> {
        std::str::from_utf8(self.field(index)).map_err(|_| self.encoding_error())
    }

    /// All fields.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn texts(&self) -> Result<Vec<&str>> {
        (0..self.fields.len()).map(|index| self.text(index)).collect()
    }

    /// Line and column (in characters, from 1) where a field begins.
    pub fn place_of_field(&self, index: usize) -> (u64, u64) {
        self.place(field_start(self.raw, self.delimiter, index))
    }

    /// Line and column of a byte of the record.
    fn place(&self, byte: usize) -> (u64, u64) {
        let line = self.line + count_line_ends(self.raw, 0, byte);
        let start = self.raw[..byte].iter().rposition(|byte| is_line_end(*byte)).map_or(0, |end| end + 1);
        (line, String::from_utf8_lossy(&self.raw[start..byte]).chars().count() as u64 + 1)
    }

    fn encoding_error(&self) -> Error {
        let bad = std::str::from_utf8(self.raw).err().map_or(0, |error| error.valid_up_to());
        let start = self.raw[..bad].iter().rposition(|byte| is_line_end(*byte)).map_or(0, |end| end + 1);
        let (line, _) = self.place(bad);
        lines::utf8(line, &self.raw[start..]).err().unwrap_or_else(|| Error::format("not UTF-8").at_line(line))
    }
}

/// The delimiter that splits the first records most evenly: comma, semicolon, tab or bar; `preferred` where none does.
pub fn find_delimiter(bytes: &[u8], preferred: u8) -> u8 {
    let head = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    let evenness = |delimiter: u8| {
        let mut table = Table::new(head, delimiter);
        let width = table.header().map_or(0, |header| header.len());
        if width < 2 {
            return (0, 0, 0);
        }
        let (mut right, mut seen) = (0_u32, 0_u32);
        for record in std::iter::from_fn(|| table.next_record()).take(SNIFFED_RECORDS) {
            seen += 1;
            right += u32::from(record.is_ok());
        }
        ((right * 1000).checked_div(seen).unwrap_or(1000), u8::from(delimiter == preferred), width)
    };
    let mut best = (preferred, evenness(preferred));
    for delimiter in [b',', b';', b'\t', b'|'] {
        let found = evenness(delimiter);
        if found > best.1 {
            best = (delimiter, found);
        }
    }
    best.0
}

/// What people call a delimiter.
pub fn name_of(delimiter: u8) -> String {
    match delimiter {
        b',' => "comma".to_owned(),
        b';' => "semicolon".to_owned(),
        b'\t' => "tab".to_owned(),
        b'|' => "bar".to_owned(),
        other => format!("{:?}", char::from(other)),
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn trim_line_ends(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| !is_line_end(*byte)).map_or(0, |last| last + 1)]
}

/// How many lines end in `from..to`; `\r\n` is one end, counted at its `\n`.
fn count_line_ends(bytes: &[u8], from: usize, to: usize) -> u64 {
    (from..to).filter(|&at| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'))).count()
        as u64
}

/// How a field's opening quote ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    /// There is none, or it closes right before a delimiter or the record's end.
    Proper,
    /// It closes, and more characters follow.
    Loose,
    /// It does not close.
    Open,
}

/// Where the field that begins at `start` ends, and how its quote does.
fn field_end(raw: &[u8], start: usize, delimiter: u8) -> (usize, Quote) {
    let find = |from: usize, wanted: u8| raw[from..].iter().position(|byte| *byte == wanted).map(|found| from + found);
    let mut at = start;
    let mut quote = Quote::Proper;
    if raw.get(at) == Some(&b'"') {
        loop {
            let Some(close) = find(at + 1, b'"') else { return (raw.len(), Quote::Open) };
            at = close + 1;
            if raw.get(at) != Some(&b'"') {
                break;
            }
        }
        if raw.get(at).is_some_and(|byte| *byte != delimiter) {
            quote = Quote::Loose;
        }
    }
    (find(at, delimiter).unwrap_or(raw.len()), quote)
}

/// Where a field begins in a record's bytes.
fn field_start(raw: &[u8], delimiter: u8, index: usize) -> usize {
    (0..index).fold(0, |at, _| (field_end(raw, at, delimiter).0 + 1).min(raw.len()))
}

/// The opening quote of the first field whose quote does not end properly.
fn quote_fault(raw: &[u8], delimiter: u8) -> Option<(usize, Quote)> {
    let mut at = 0;
    while at < raw.len() {
        let (end, quote) = field_end(raw, at, delimiter);
        if quote != Quote::Proper {
            return Some((at, quote));
        }
        at = end + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each record as `line: field|field`, or `line:column! message`.
    fn shown(text: &str, delimiter: u8) -> Vec<String> {
        let mut table = Table::new(text.as_bytes(), delimiter);
        table.header().unwrap();
        std::iter::from_fn(|| table.next_record())
            .map(|record| match record {
                Ok(record) => format!("{}: {}", record.line, record.texts().unwrap().join("|")),
                Err(error) => format!(
                    "{}:{}! {}",
                    error.line.unwrap(),
                    error.column.unwrap_or_default(),
                    error.message.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
                ),
            })
            .collect()
    }

    #[test]
    fn records_know_the_line_they_begin_on() {
        let cases: [(&str, &[&str]); 9] = [
            ("a,b\n1,2\n3,4", &["2: 1|2", "3: 3|4"]),
            ("\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n", &["2: 1|2", "4: 3|4"]),
            ("a,b\n\"x\ny\",2\n3,4", &["2: x\ny|2", "4: 3|4"]),
            ("a,b\r\n\"x\r\n\r\ny\",2\r\n3,4", &["2: x\r\n\r\ny|2", "5: 3|4"]),
            ("a,b\r1,2\r3,4\r", &["2: 1|2", "3: 3|4"]),
            ("\n\na,b\n\n1,2\n   \n3,4", &["5: 1|2", "7: 3|4"]),
            ("a,b\n\"say \"\"hi\"\"\",\"\"\n,", &["2: say \"hi\"|", "3: |"]),
            ("a,b\n1,2,3\n4\n5,6,,\n", &["2:0! the row has", "3:0! the row has", "4: 5|6"]),
            ("a,b\n5\" pipe,2\n\"ab\"c,d", &["2: 5\" pipe|2", "3: abc|d"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text, b','), expected, "{text:?}");
        }
    }

    #[test]
    fn a_broken_quote_costs_one_row() {
        let cases: [(&str, &[&str]); 5] = [
            ("a,b\n\"x,2\n3,4\n5,6", &["2:1! a quote is", "3: 3|4", "4: 5|6"]),
            ("a,b\n\"x,2\n\"y, z\",4\n5,6", &["2:1! a quote is", "3: y, z|4", "4: 5|6"]),
            ("a,b\n1,\"x\n3,4\n5,\"y", &["2:3! a quote is", "3: 3|4", "4:3! a quote is"]),
            ("a,b\n\"x\n", &["2:1! a quote is"]),
            ("a,b\n\"x\ny\",\"z\n3,4\n", &["3:4! a quote is", "4: 3|4"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text, b','), expected, "{text:?}");
        }
        assert_eq!(shown("a\tb\n\"x\t2\n\"so\" he said\t4\n", b'\t'), ["2: \"x|2", "3: \"so\" he said|4"]);
    }

    #[test]
    fn many_broken_quotes_take_time_in_proportion() {
        let text = format!("a,b\n{}", "\"x,1\n".repeat(40_000));
        let records = shown(&text, b',');
        assert_eq!(records.len(), 40_000);
        assert!(records.iter().all(|record| record.contains('!')));
    }

    #[test]
    fn fields_and_bytes_have_places() {
        let mut table = Table::new(b"a,b,c\n\"x,\ny\",\"\",\xc3\xa9\xff\n", b',');
        table.header().unwrap();
        let record = table.next_record().unwrap().unwrap();
        let places: Vec<_> = (0..3).map(|index| record.place_of_field(index)).collect();
        assert_eq!(places, [(2, 1), (3, 4), (3, 7)]);
        let error = record.text(2).unwrap_err();
        assert_eq!((error.line, error.column), (Some(3), Some(8)));
    }

    #[test]
    fn the_delimiter_is_found() {
        let cases = [
            ("text,label\na,b\n", b',', b','),
            ("text;label\na, and b;c\n", b',', b';'),
            ("text\tlabel\na, b; c\td\n", b',', b'\t'),
            ("text|label\na|b\n", b',', b'|'),
            ("text,label\n\"a;b;c\",d\n", b'\t', b','),
            ("text\njust one\n", b',', b','),
            ("text;more,label\na;b,c\n", b',', b','),
            ("", b'\t', b'\t'),
        ];
        for (text, preferred, expected) in cases {
            assert_eq!(find_delimiter(text.as_bytes(), preferred), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_reads_back(
            rows in prop::collection::vec(prop::collection::vec("[a\",;\r\né ]{0,6}", 3), 1..6),
            windows in any::<bool>(),
        ) {
            let terminator = if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            writer.write_record(["a", "b", "c"]).unwrap();
            let mut lines = Vec::new();
            let mut line = 2;
            for row in &rows {
                writer.write_record(row).unwrap();
                lines.push(line);
                let text = row.join("|").replace("\r\n", "\n").replace('\r', "\n");
                line += 1 + text.matches('\n').count() as u64;
            }
            let bytes = writer.into_inner().unwrap();
            let mut table = Table::new(&bytes, b',');
            table.header().unwrap();
            for (row, line) in rows.iter().zip(lines) {
                let record = table.next_record().unwrap().unwrap();
                prop_assert_eq!(&record.texts().unwrap(), row);
                prop_assert_eq!(record.line, line);
            }
            prop_assert!(table.next_record().is_none());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"a,;\"\"\n\r\t\xff\xef\xbb\xbf "[..]), 0..60)) {
            let delimiter = find_delimiter(&bytes, b',');
            let mut table = Table::new(&bytes, delimiter);
            let _ = table.header();
            let mut last = 0;
            let mut count = 0;
            while let Some(record) = table.next_record() {
                let line = match record {
                    Ok(record) => {
                        let _ = record.texts();
                        for index in 0..4 {
                            let (line, column) = record.place_of_field(index);
                            prop_assert!(line >= record.line && column > 0);
                        }
                        record.line
                    }
                    Err(error) => error.line.unwrap(),
                };
                prop_assert!(line >= last);
                last = line;
                count += 1;
                prop_assert!(count <= bytes.len());
            }
        }
    }
}
