//! Which rows are listed, and which of them are on the screen.
//!
//! Ten thousand rows are ten thousand elements too many: only those in sight are in the page, between two empty
//! stretches as high as what is left out.

use candor::protocol::Prediction;

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
