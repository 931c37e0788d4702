//! Which rows are listed, and which of them are on the screen.
//!
//! Ten thousand rows are ten thousand elements too many: only those in sight are in the page, between two empty
//! stretches as high as what is left out.

use std::collections::BTreeMap;

use candor::protocol::Prediction;

use super::calibration::InUse;
use crate::state::format;

/// A mark of a picture, as its attributes say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    data: BTreeMap<String, String>,
}

impl Mark {
    /// A mark with these attributes, without the `data-` before their names.
    pub fn new(data: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { data: data.into_iter().collect() }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).map(String::as_str)
    }

    /// One of its numbers.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok()
    }

    /// What kind of mark it is.
    pub fn kind(&self) -> &str {
        self.text("mark").unwrap_or_default()
    }

    /// Its place among the marks of its picture.
    pub fn order(&self) -> (String, u64) {
        (self.kind().to_owned(), self.text("index").and_then(|index| index.parse().ok()).unwrap_or_default())
    }
}

/// Which rows are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Listing {
    /// All.
    #[default]
    All,
    /// Those where the model and the label agree.
    Right,
    /// Those where they do not.
    Wrong,
    /// Those of a stripe of confidence: above the first, up to and including the second.
    Stripe(f64, f64),
    /// Those of a cell of the confusion matrix: truly the first, predicted as the second.
    Cell(String, String),
}

impl Listing {
    /// The rows behind a mark, where it stands for some. A stripe of a calibrated confidence does not: rows are listed by
    /// the model's own.
    pub fn of(mark: &Mark) -> Option<Self> {
        match mark.kind() {
            "stripe" | "bin" => Some(Self::Stripe(mark.number("low")?, mark.number("high")?)),
            "cell" => Some(Self::Cell(mark.text("expected")?.to_owned(), mark.text("predicted")?.to_owned())),
            _ => None,
        }
    }

    /// Whether a scored row with this true label, where it is known, is listed.
    pub fn takes(&self, prediction: &Prediction, expected: Option<&str>) -> bool {
        let correct = expected.map(|expected| prediction.label == expected);
        match self {
            Self::All => true,
            Self::Right => correct == Some(true),
            Self::Wrong => correct == Some(false),
            Self::Stripe(low, high) => {
                let confidence = prediction.confidence;
                correct.is_some() && (confidence > *low || *low <= 0.0) && confidence <= *high
            }
            Self::Cell(truly, label) => expected == Some(truly) && prediction.label == *label,
        }
    }

    /// What is listed, in words.
    pub fn words(&self) -> String {
        let percent = |value: f64| format!("{:.0}%", value * 100.0);
        match self {
            Self::All => "All rows".to_owned(),
            Self::Right => "Rows the model got right".to_owned(),
            Self::Wrong => "Rows the model got wrong".to_owned(),
            Self::Stripe(low, high) => format!("Rows with a confidence of {} to {}", percent(*low), percent(*high)),
            Self::Cell(expected, label) => format!("Rows that are {expected} and were called {label}"),
        }
    }
}

/// What the table says of a scored row. While others come in, a row that says the same stays the one that is in the
/// page: a click that has begun on it ends on it, and the focus stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowWords {
    /// The row.
    pub row: usize,
    /// Its id.
    pub id: String,
    /// Its text, shortened.
    pub text: String,
    /// Its true label, where that is known.
    pub expected: Option<String>,
    /// What the model answers.
    pub label: String,
    /// How sure the model is.
    pub confidence: String,
    /// How often answers like this one are right, where a calibrator is in use; nothing where it does not fit.
    pub calibrated: Option<Option<String>>,
    /// Whether it is right, where that is known.
    pub correct: Option<bool>,
}

impl RowWords {
    /// What is said of a row.
    pub fn new(row: usize, prediction: &Prediction, calibrator: Option<&InUse>, characters: usize) -> Self {
        let seen = |used: &InUse| used.see(prediction).map(|seen| format::percent(seen.confidence));
        Self {
            row,
            id: prediction.id.clone(),
            text: format::shortened(&prediction.text, characters),
            expected: prediction.expected.clone(),
            label: prediction.label.clone(),
            confidence: format::percent(prediction.confidence),
            calibrated: calibrator.map(seen),
            correct: prediction.correct,
        }
    }
}

/// The rows of a long table that are in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first: usize,
    /// The one after the last.
    pub end: usize,
}

/// Rows above and below the screen that are there already when one scrolls.
const MARGIN: usize = 8;

impl Window {
    /// The window of a table of `rows` rows, each `height` pixels high, scrolled down by `top` in a frame `frame` high.
    pub fn new(rows: usize, height: f64, top: f64, frame: f64) -> Self {
        let row_at = |pixel: f64| (pixel.max(0.0) / height.max(1.0)) as usize;
        let first = row_at(top).saturating_sub(MARGIN).min(rows);
        let end = (row_at(top + frame) + 1 + MARGIN).min(rows);
        Self { first, end: end.max(first) }
    }
}

#[cfg(test)]
mod tests {
    use candor::chart::Press;

    use super::*;
    use crate::state::fixture::classification;

    #[test]
    fn only_what_is_in_sight_is_there() {
        assert_eq!(Window::new(10_000, 40.0, 0.0, 400.0), Window { first: 0, end: 19 });
        assert_eq!(Window::new(10_000, 40.0, 4000.0, 400.0), Window { first: 92, end: 119 });
        assert_eq!(Window::new(100, 40.0, 1e9, 400.0), Window { first: 100, end: 100 });
        assert_eq!(Window::new(3, 40.0, -50.0, 400.0), Window { first: 0, end: 3 });
        assert_eq!(Window::new(0, 0.0, 0.0, 0.0), Window { first: 0, end: 0 });
    }

    #[test]
    fn a_row_stays_itself_while_others_come_in_and_is_another_once_it_says_another_thing() {
        let prediction = classification().prediction;
        let before = RowWords::new(3, &prediction, None, 9);
        assert_eq!(RowWords::new(3, &prediction, None, 9), before);
        assert_eq!((before.row, before.confidence.as_str(), before.correct), (3, "60.0%", None));
        let understood =
            Prediction { expected: Some("positive".to_owned()), correct: Some(false), ..prediction.clone() };
        let corrected = Prediction { confidence: 0.7, ..prediction.clone() };
        for other in [&understood, &corrected] {
            assert_ne!(RowWords::new(3, other, None, 9), before);
        }
        assert_ne!(RowWords::new(4, &prediction, None, 9), before);
    }

    #[test]
    fn the_diagram_after_calibration_lists_no_rows_by_the_confidence_before() {
        let mark = |pairs: &[(&str, &str)]| Mark::new(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
        let stripe = |kind| mark(&[("mark", kind), ("index", "3"), ("low", "0.55"), ("high", "0.6"), ("n", "9")]);
        let cell = mark(&[("mark", "cell"), ("expected", "a"), ("predicted", "b")]);
        for (mark, listing) in [
            (stripe("stripe"), Some(Listing::Stripe(0.55, 0.6))),
            (stripe("bin"), Some(Listing::Stripe(0.55, 0.6))),
            (cell, Some(Listing::Cell("a".to_owned(), "b".to_owned()))),
            (stripe("stripe-after"), None),
            (mark(&[("mark", "stripe"), ("low", "much")]), None),
            (mark(&[("mark", "threshold"), ("threshold", "0.7")]), None),
            (Mark::default(), None),
        ] {
            assert_eq!(Listing::of(&mark), listing, "{mark:?}");
            // What can be pressed lists rows, and nothing else does.
            assert!(listing.is_none() || Press::Rows.takes(mark.kind()), "{mark:?}");
        }
        assert!(!Press::Rows.takes("stripe-after"));
        assert_eq!(stripe("stripe").order(), ("stripe".to_owned(), 3));
    }

    #[test]
    fn a_mark_of_a_picture_lists_its_rows() {
        let mut row = classification().prediction;
        let truly = Some("positive");
        let cell = |expected: &str, label: &str| Listing::Cell(expected.to_owned(), label.to_owned());
        for (listing, expected) in [
            (Listing::All, true),
            (Listing::Right, false),
            (Listing::Wrong, true),
            (Listing::Stripe(0.55, 0.6), true),
            (Listing::Stripe(0.6, 0.65), false),
            (cell("positive", "negative"), true),
            (cell("negative", "negative"), false),
        ] {
            assert_eq!(listing.takes(&row, truly), expected, "{listing:?}");
        }
        row.confidence = 0.0;
        assert!(Listing::Stripe(0.0, 0.05).takes(&row, truly), "the first stripe takes 0");
        assert!(!Listing::Stripe(0.0, 0.05).takes(&row, None), "pictures show rows that count");
    }
}
