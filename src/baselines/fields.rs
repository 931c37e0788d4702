//! The fields of `Field: value` lines as columns of numbers.
//!
//! A field whose values mostly hold numbers becomes a column for each number in it (a blood pressure of `122/68` has
//! two); another becomes a column for each of its more frequent values. What is missing (`nan`, `unknown`, nothing at
//! all) takes the training rows' median, and a column of its own says so, because a value that nobody measured is often
//! a sign by itself.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::error::{Error, Result};

/// A field's name has at most so many characters; a longer beginning of a line is a sentence.
const LONGEST_NAME: usize = 40;
/// A value of a field must occur in so many training rows to have a column.
const FEWEST_ROWS: usize = 3;
/// Columns for the values of one field.
const MOST_VALUES: usize = 20;
/// Words for a value that is not there.
const MISSING: [&str; 8] = ["nan", "na", "n/a", "none", "null", "unknown", "missing", "-"];

/// A column of numbers.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    /// The field's number at this place; `usual` where it is missing.
    Number { field: String, place: usize, usual: f64 },
    /// Whether that number is missing.
    Missing { field: String, place: usize },
    /// Whether the field has this value.
    Value { field: String, value: String },
}

/// The columns that training rows have.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Finds the columns of texts.
    ///
    /// # Errors
    /// Texts without such lines, or with one and the same value in each.
    pub fn fit(texts: &[&str]) -> Result<Self> {
        let rows: Vec<IndexMap<String, String>> = texts.iter().map(|text| fields(text)).collect();
        let mut names: IndexMap<&str, usize> = IndexMap::new();
        rows.iter().flat_map(IndexMap::keys).for_each(|name| *names.entry(name).or_insert(0) += 1);
        let usual = names.iter().filter(|(_, rows)| **rows * 2 > texts.len()).map(|(name, _)| *name);
        let columns: Vec<Column> = usual.flat_map(|name| columns_of(name, &rows)).collect();
        if columns.is_empty() {
            return Err(Error::input("the training rows have no \"Field: value\" lines whose values differ")
                .help("this baseline is for structured rows; use tfidf_logistic for plain texts"));
        }
        Ok(Self(columns))
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each text's numbers, one a column.
    pub fn vectors(&self, texts: &[&str]) -> Vec<Vec<f64>> {
        texts.iter().map(|text| self.vector(&fields(text))).collect()
    }

    fn vector(&self, row: &IndexMap<String, String>) -> Vec<f64> {
        let number = |field: &str, place: usize| row.get(field).and_then(|value| numbers(value).get(place).copied()?);
        let is = |holds: bool| f64::from(u8::from(holds));
        let value = |column: &Column| match column {
            Column::Number { field, place, usual } => number(field, *place).unwrap_or(*usual),
            Column::Missing { field, place } => is(number(field, *place).is_none()),
            Column::Value { field, value } => is(row.get(field).is_some_and(|own| own.eq_ignore_ascii_case(value))),
        };
        self.0.iter().map(value).collect()
    }
}

/// The columns of one field; none where its values do not differ.
fn columns_of(name: &str, rows: &[IndexMap<String, String>]) -> Vec<Column> {
    let values: Vec<&str> = rows.iter().map(|row| row.get(name).map_or("", String::as_str)).collect();
    let read: Vec<Vec<Option<f64>>> = values.iter().map(|value| numbers(value)).collect();
    let known = values.iter().filter(|value| !is_missing(value)).count();
    let numeric = read.iter().filter(|numbers| numbers.iter().any(Option::is_some)).count();
    if numeric * 2 > known {
        let most = read.iter().map(Vec::len).max().unwrap_or(0);
        return (0..most).flat_map(|place| number_columns(name, place, &read)).collect();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let present = values.iter().filter(|value| !value.is_empty());
    present.for_each(|value| *counts.entry(value.to_lowercase()).or_insert(0) += 1);
    let mut kept: Vec<(String, usize)> =
        counts.into_iter().filter(|(_, count)| *count >= FEWEST_ROWS && *count < rows.len()).collect();
    kept.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kept.truncate(MOST_VALUES);
    kept.into_iter().map(|(value, _)| Column::Value { field: name.to_owned(), value }).collect()
}

fn number_columns(name: &str, place: usize, read: &[Vec<Option<f64>>]) -> Vec<Column> {
    let mut present: Vec<f64> = read.iter().filter_map(|numbers| numbers.get(place).copied().flatten()).collect();
    present.sort_by(f64::total_cmp);
    let Some(usual) = present.get(present.len() / 2).copied() else { return Vec::new() };
    let mut columns = Vec::new();
    if present.first() != present.last() {
        columns.push(Column::Number { field: name.to_owned(), place, usual });
    }
    if (FEWEST_ROWS..=read.len() - FEWEST_ROWS.min(read.len())).contains(&(read.len() - present.len())) {
        columns.push(Column::Missing { field: name.to_owned(), place });
    }
    columns
}

/// The fields of a text: lines that are a short name, a colon and something after it; a list mark in front is fine.
pub fn fields(text: &str) -> IndexMap<String, String> {
    let field = |line: &str| {
        let line = line.trim().trim_start_matches(['-', '*', '•']).trim_start();
        let (name, value) = line.split_once(':')?;
        let (name, value) = (name.trim(), value.trim());
        let short = !name.is_empty() && name.chars().count() <= LONGEST_NAME;
        (short && !value.is_empty()).then(|| (name.to_lowercase(), value.to_owned()))
    };
    text.lines().filter_map(field).collect()
}

fn is_missing(value: &str) -> bool {
    value.is_empty() || MISSING.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The numbers of a value in order, `None` for one that is said to be missing: `122.0/nan mmHg` has two.
fn numbers(value: &str) -> Vec<Option<f64>> {
    let pieces = value.split(|c: char| c.is_whitespace() || "/,;()".contains(c)).filter(|piece| !piece.is_empty());
    let number = |piece: &str| {
        let end = piece.find(|c: char| !c.is_ascii_digit() && !".+-".contains(c)).unwrap_or(piece.len());
        match piece[..end].parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Some(number)),
            _ => is_missing(piece).then_some(None),
        }
    };
    pieces.filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_their_numbers_are_read() {
        let text = "Evaluate this.\n\nDATA:\n- Age: 20.0 years\n* Country: UK\nPressure: 122.0/nan mmHg\nWeight: 2900.0g\n\
                    This sentence is far too long to be the name of any field at all: no\nAnswer with 'Yes'.";
        let found = fields(text);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["age", "country", "pressure", "weight"]);
        assert_eq!(numbers(&found["age"]), [Some(20.0)]);
        assert_eq!(numbers(&found["pressure"]), [Some(122.0), None]);
        assert_eq!(numbers(&found["weight"]), [Some(2900.0)]);
        assert!(numbers(&found["country"]).is_empty());
    }

    #[test]
    fn columns_are_numbers_their_absence_and_frequent_values() {
        let rows: Vec<String> = (0..20)
            .map(|i| {
                let age = if i % 4 == 0 { "nan".to_owned() } else { i.to_string() };
                format!("Age: {age}\nCountry: {}\nSame: 1\n", ["UK", "uganda"][i % 2])
            })
            .collect();
        let texts: Vec<&str> = rows.iter().map(String::as_str).collect();
        let columns = Columns::fit(&texts).unwrap();
        assert_eq!(columns.len(), 4, "{columns:?}");
        let vectors = columns.vectors(&[texts[3], texts[4], "nothing"]);
        assert_eq!(vectors[0][..2], [3.0, 0.0]);
        assert_eq!((vectors[1][1], vectors[2][1]), (1.0, 1.0));
        assert!(Columns::fit(&["plain text", "another"]).is_err());
    }
}
