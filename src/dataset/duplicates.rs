//! Texts that repeat, inside one data set and across two.
//!
//! A repeated text that stands on both sides of a split makes a test easier than it looks, and one that carries two
//! labels can never be right twice. Texts are compared after trimming, otherwise exactly: near duplicates are a matter
//! of judgement and not decided here.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Example;

/// Rows fewer than this say little about how far a confidence can be trusted.
const FEW_ROWS: usize = 50;

/// Which rows have the same text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Per row, the number of its text; texts are numbered in order of first appearance.
    pub text_of: Vec<usize>,
    /// Different texts.
    pub unique: usize,
    /// Rows whose text stood in an earlier row.
    pub repeated: usize,
    /// The rows of each text that carries several labels, in order of first appearance.
    pub conflicting: Vec<Vec<usize>>,
}

/// Finds repeated texts.
pub fn find(examples: &[Example]) -> Duplicates {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let text_of: Vec<usize> = (examples.iter())
        .map(|example| {
            let next = numbers.len();
            *numbers.entry(example.text.trim()).or_insert(next)
        })
        .collect();
    let unique = numbers.len();
    let mut labels: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); unique];
    for (example, &text) in examples.iter().zip(&text_of) {
        labels[text].extend(example.label.as_deref());
    }
    let mut conflicting: Vec<Vec<usize>> = vec![Vec::new(); unique];
    for (row, &text) in text_of.iter().enumerate() {
        if labels[text].len() > 1 {
            conflicting[text].push(row);
        }
    }
    conflicting.retain(|rows| !rows.is_empty());
    Duplicates { unique, repeated: examples.len() - unique, text_of, conflicting }
}

/// The rows of `tested` whose text also stands in `fitted`.
pub fn across(fitted: &[Example], tested: &[Example]) -> Vec<usize> {
    let known: HashSet<&str> = fitted.iter().map(|example| example.text.trim()).collect();
    (0..tested.len()).filter(|&row| known.contains(tested[row].text.trim())).collect()
}

/// The rows of `fitted` whose text does not stand in `tested`: what may be learned from.
pub fn without(mut fitted: Vec<Example>, tested: &[Example]) -> Vec<Example> {
    let seen: HashSet<&str> = tested.iter().map(|example| example.text.trim()).collect();
    fitted.retain(|example| !seen.contains(example.text.trim()));
    fitted
}

/// What a user should know before anything is computed with these rows, as sentences.
pub fn warnings(examples: &[Example]) -> Vec<String> {
    let mut warnings = Vec::new();
    let labels: BTreeSet<&str> = examples.iter().filter_map(|example| example.label.as_deref()).collect();
    let labelled = examples.iter().filter(|example| example.label.is_some()).count();
    if labels.len() == 1 {
        let only = labels.first().copied().unwrap_or_default();
        warnings.push(format!(
            "all labelled rows are {only:?}: nothing can be said about the other labels, and no calibrator can be fitted"
        ));
    }
    if labelled > 0 && labelled < FEW_ROWS {
        let rows = if labelled == 1 { "row is" } else { "rows are" };
        warnings.push(format!("{labelled} labelled {rows} few: below {FEW_ROWS}, intervals are wide"));
    }
    let duplicates = find(examples);
    if duplicates.repeated > 0 {
        warnings.push(format!(
            "{} of {} rows repeat an earlier text ({} different texts); repeated texts are kept on one side of a split",
            duplicates.repeated,
            examples.len(),
            duplicates.unique
        ));
    }
    if let [first, ..] = duplicates.conflicting[..].as_ref() {
        let lines: Vec<String> = first.iter().take(5).map(|&row| examples[row].line.to_string()).collect();
        warnings.push(format!(
            "{} texts carry more than one label, e.g. those of lines {}",
            duplicates.conflicting.len(),
            lines.join(", ")
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(&str, &str)]) -> Vec<Example> {
        (list.iter().enumerate())
            .map(|(index, (text, label))| Example {
                id: index.to_string(),
                text: (*text).to_owned(),
                label: (!label.is_empty()).then(|| (*label).to_owned()),
                group: None,
                line: index as u64 + 1,
            })
            .collect()
    }

    #[test]
    fn texts_are_compared_after_trimming() {
        let found = find(&rows(&[("a", "x"), ("b", "x"), (" a ", "x"), ("A", "y"), ("b", "y"), ("b", "")]));
        assert_eq!(found.text_of, [0, 1, 0, 2, 1, 1]);
        assert_eq!((found.unique, found.repeated), (3, 3));
        assert_eq!(found.conflicting, [[1, 4, 5]]);
        assert_eq!(find(&[]), Duplicates::default());
    }

    #[test]
    fn leaks_are_found() {
        assert_eq!(across(&rows(&[("a", "x"), ("b", "x")]), &rows(&[("c", "x"), ("b ", "y"), ("b", "x")])), [1, 2]);
    }

    #[test]
    fn warnings_are_for_people() {
        assert!(warnings(&[]).is_empty());
        let one_class = warnings(&rows(&[("a", "x"), ("b", "x"), ("a", "x")]));
        assert_eq!(one_class.len(), 3);
        assert!(one_class[0].contains("\"x\"") && one_class[2].starts_with("1 of 3 rows repeat"));
        let conflict = warnings(&rows(&[("a", "x"), ("a", "y")]));
        assert!(conflict[2].contains("lines 1, 2"), "{conflict:?}");
    }
}
