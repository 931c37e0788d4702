//! Duplicates: the same text twice, inside one set of rows or across two.
//!
//! Exact duplicates only (the same characters, but for white space at the ends): what is counted here is beyond doubt.
//! A duplicate inside a set makes it look larger than it is; one across training and test rows makes a model look
//! better than it is; two with different labels mean that nobody can get both right.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Duplicates inside one set of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// All rows.
    pub rows: usize,
    /// Different texts among them.
    pub unique: usize,
    /// Rows that repeat an earlier one.
    pub repeated: usize,
    /// Texts that occur more than once.
    pub texts: usize,
    /// Texts that occur with more than one label.
    pub conflicting: usize,
}

/// Rows that two sets share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Rows of the first set whose text is in the second.
    pub first: usize,
    /// Rows of the second set whose text is in the first.
    pub second: usize,
    /// Different texts that are in both.
    pub texts: usize,
}

/// For each row, the first row with the same text: rows of one group belong into one fold.
pub fn duplicate_groups<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    texts.into_iter().enumerate().map(|(row, text)| *first.entry(text.trim()).or_insert(row)).collect()
}

/// Counts duplicates among `(text, label)` rows; without labels there are no conflicts.
pub fn duplicates<'a>(rows: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Duplicates {
    #[derive(Default)]
    struct Text<'a> {
        count: usize,
        label: Option<&'a str>,
        conflicting: bool,
    }
    let mut texts: HashMap<&str, Text> = HashMap::new();
    let mut counted = Duplicates::default();
    for (text, label) in rows {
        counted.rows += 1;
        let entry = texts.entry(text.trim()).or_default();
        entry.count += 1;
        entry.conflicting |= entry.label.is_some() && label.is_some() && entry.label != label;
        entry.label = entry.label.or(label);
    }
    counted.unique = texts.len();
    counted.repeated = counted.rows - counted.unique;
    counted.texts = texts.values().filter(|text| text.count > 1).count();
    counted.conflicting = texts.values().filter(|text| text.conflicting).count();
    counted
}

/// Counts the rows that two sets (training and test, say) share.
pub fn overlap<'a>(first: impl IntoIterator<Item = &'a str>, second: impl IntoIterator<Item = &'a str>) -> Overlap {
    let count = |texts: &mut dyn Iterator<Item = &'a str>| {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for text in texts {
            *counts.entry(text.trim()).or_default() += 1;
        }
        counts
    };
    let (first, second) = (count(&mut first.into_iter()), count(&mut second.into_iter()));
    let mut shared = Overlap::default();
    for (text, rows) in &first {
        if let Some(others) = second.get(text) {
            shared.first += rows;
            shared.second += others;
            shared.texts += 1;
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_duplicates_and_conflicts() {
        let rows =
            [("a", Some("x")), ("b", Some("x")), (" a\n", Some("y")), ("a", None), ("b", Some("x")), ("c", None)];
        let expected = Duplicates { rows: 6, unique: 3, repeated: 3, texts: 2, conflicting: 1 };
        assert_eq!(duplicates(rows), expected);
        assert_eq!(duplicate_groups(rows.iter().map(|r| r.0)), [0, 1, 0, 0, 1, 5]);
        assert_eq!(duplicates([]), Duplicates::default());
    }

    #[test]
    fn counts_rows_in_both() {
        assert_eq!(overlap(["a", "a", "b"], ["c", " a", "d", "b", "b"]), Overlap { first: 3, second: 3, texts: 2 });
        assert_eq!(overlap([], ["c"]), Overlap::default());
    }
}
