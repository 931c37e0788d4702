//! Tables: the figures behind a picture, as HTML and as CSV.
//!
//! A cell keeps its number beside the text that people read, so the HTML shows `83.5%` and the CSV holds `0.8345864…`.
//! Text that a spreadsheet would run as a formula is disarmed in the CSV.

use serde::{Deserialize, Serialize};

use super::format;
use super::svg::escape;
use crate::formula::disarmed;

/// Which way a column's cells lean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Text: to the left.
    Left,
    /// Numbers: to the right.
    Right,
}

/// A column's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// What stands in it.
    pub name: String,
    /// Which way its cells lean.
    pub align: Align,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number, with the way it is shown to people.
    Number {
        /// The exact value.
        value: f64,
        /// What people read.
        shown: String,
    },
    /// A number that does not exist.
    Empty,
}

impl Cell {
    /// Words.
    pub fn text(words: impl Into<String>) -> Self {
        Cell::Text(words.into())
    }

    /// A count.
    pub fn count(n: u64) -> Self {
        Cell::Number { value: n as f64, shown: format::count(n) }
    }

    /// A proportion, shown as a percentage.
    pub fn percent(value: f64) -> Self {
        Self::shown(value, format::percent(value))
    }

    /// A number with a fixed number of decimals.
    pub fn number(value: f64, decimals: usize) -> Self {
        Self::shown(value, format::number(value, decimals))
    }

    /// A number with its own text; empty if it does not exist.
    pub fn shown(value: f64, shown: String) -> Self {
        if value.is_finite() { Cell::Number { value, shown } } else { Cell::Empty }
    }

    fn html(&self) -> String {
        match self {
            Cell::Text(words) => format!("<bdi>{}</bdi>", escape(words)),
            Cell::Number { shown, .. } => escape(shown),
            Cell::Empty => "<span aria-label=\"no value\">–</span>".to_string(),
        }
    }

    fn csv(&self) -> String {
        match self {
            Cell::Text(words) => disarmed(words),
            Cell::Number { value, .. } if value.is_finite() => format!("{value}"),
            Cell::Number { .. } | Cell::Empty => String::new(),
        }
    }
}

/// Figures in rows and columns. The first column names the row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What the table holds.
    pub caption: String,
    /// The heads.
    pub columns: Vec<Column>,
    /// The rows; a short one is filled up with empty cells, a long one is cut.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. A column whose name ends in `#` leans right; the sign is taken off.
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns
            .iter()
            .map(|name| match name.strip_suffix('#') {
                Some(name) => Column { name: name.to_string(), align: Align::Right },
                None => Column { name: (*name).to_string(), align: Align::Left },
            })
            .collect();
        Self { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// The cells of a row, exactly one a column.
    fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = &'a Cell> {
        (0..self.columns.len()).map(move |i| row.get(i).unwrap_or(&Cell::Empty))
    }

    /// The table as HTML: caption, column heads and row heads with their scope. Of more rows than `limit` the first are
    /// shown, with a line that says how many are missing.
    pub fn to_html(&self, limit: usize) -> String {
        let mut html = String::from("<table>");
        if !self.caption.is_empty() {
            html.push_str(&format!("<caption>{}</caption>", escape(&self.caption)));
        }
        let class = |align: Align| if align == Align::Right { " class=\"number\"" } else { "" };
        html.push_str("<thead><tr>");
        for column in &self.columns {
            html.push_str(&format!("<th scope=\"col\"{}>{}</th>", class(column.align), escape(&column.name)));
        }
        html.push_str("</tr></thead><tbody>");
        for row in self.rows.iter().take(limit) {
            html.push_str("<tr>");
            for (index, (cell, column)) in self.cells(row).zip(&self.columns).enumerate() {
                let (open, close) = if index == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
                html.push_str(&format!("<{open}{}>{}</{close}>", class(column.align), cell.html()));
            }
            html.push_str("</tr>");
        }
        if self.rows.len() > limit {
            let missing = format::counted((self.rows.len() - limit) as u64, "more row", "more rows");
            html.push_str(&format!("<tr><td colspan=\"{}\">… {missing} in the CSV</td></tr>", self.columns.len()));
        }
        html.push_str("</tbody></table>");
        html
    }

    /// The table as CSV with exact numbers (RFC 4180: comma, CRLF, quotes where needed).
    pub fn to_csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        // Writing to memory does not fail, and every record has the same length.
        let _ = writer.write_record(self.columns.iter().map(|column| disarmed(&column.name)));
        for row in &self.rows {
            let _ = writer.write_record(self.cells(row).map(Cell::csv));
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Table {
    /// The table as JSON lines with exact numbers: an object a row, words as they are, `null` for what does not exist.
    pub fn to_json_lines(&self) -> String {
        let value = |cell: &Cell| match cell {
            Cell::Text(words) => serde_json::Value::from(words.as_str()),
            Cell::Number { value, .. } => serde_json::Value::from(*value),
            Cell::Empty => serde_json::Value::Null,
        };
        let line = |row: &Vec<Cell>| {
            let fields: indexmap::IndexMap<&str, serde_json::Value> =
                self.columns.iter().map(|column| column.name.as_str()).zip(self.cells(row).map(value)).collect();
            serde_json::to_string(&fields).unwrap_or_default() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Rows & <counts>", &["label", "rows#", "accuracy#"]);
        table.push(vec![Cell::text("=HYPERLINK(\"x\")"), Cell::count(1234), Cell::percent(0.5)]);
        table.push(vec![Cell::text("a, \"b\"\nc"), Cell::number(-2.5, 1), Cell::percent(f64::NAN)]);
        table.push(vec![Cell::text("short")]);
        table
    }

    #[test]
    fn csv_is_exact_and_harmless() {
        let csv = table().to_csv();
        let expected = "label,rows,accuracy\r\n\
                        \"'=HYPERLINK(\"\"x\"\")\",1234,0.5\r\n\
                        \"a, \"\"b\"\"\nc\",-2.5,\r\n\
                        short,,\r\n";
        assert_eq!(csv, expected);
    }

    #[test]
    fn json_lines_are_exact_and_keep_words_as_they_are() {
        let lines = table().to_json_lines();
        let rows: Vec<&str> = lines.lines().collect();
        assert_eq!(rows[0], r#"{"label":"=HYPERLINK(\"x\")","rows":1234.0,"accuracy":0.5}"#);
        assert_eq!(rows[2], r#"{"label":"short","rows":null,"accuracy":null}"#);
    }

    #[test]
    fn html_has_heads_and_no_markup_from_data() {
        let html = table().to_html(10);
        assert!(html.contains("<caption>Rows &amp; &lt;counts&gt;</caption>"));
        assert!(html.contains("<th scope=\"col\" class=\"number\">rows</th>"));
        assert!(html.contains("<th scope=\"row\"><bdi>short</bdi></th>"));
        assert!(html.contains("no value"));
        let document = roxmltree::Document::parse(&html).unwrap();
        let cells = document.descendants().filter(|n| n.has_tag_name("td") || n.has_tag_name("th")).count();
        assert_eq!(cells, 3 + 3 * 3);
        assert!(table().to_html(1).contains("… 2 more rows in the CSV"));
    }
}
