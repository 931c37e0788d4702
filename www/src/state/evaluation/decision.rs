//! What may be automated: a threshold that a person moves, the promise that these rows allow, and what it costs.
//!
//! A move asks two numbers of a sorted list, so it is answered within a frame also for a hundred thousand rows; the
//! promise is searched only when what is wanted changes.

use candor::chart::format::{count, number, percent};
use candor::error::Result;
use candor::stats::costs::{Costs, REVIEW_ALL, best_threshold};
use candor::stats::guarantee::{Guarantee, guaranteed_threshold};
use candor::stats::selection::Selection;

use serde::{Deserialize, Serialize};

use super::material::Material;
use super::scores::{Scores, Truth};
use crate::state::format::counted;

/// What a person wants and pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The accuracy that automated rows must have.
    pub accuracy: f64,
    /// How sure that must be.
    pub assurance: f64,
    /// Prices and rows a day.
    pub costs: Costs,
    /// The currency of the prices; may be empty.
    pub currency: String,
}

impl Default for Wish {
    fn default() -> Self {
        let costs = Costs { review_cost: 1.0, error_cost: 10.0, volume: 1000.0 };
        Self { accuracy: 0.95, assurance: 0.9, costs, currency: String::new() }
    }
}

/// Confidence and outcome of the rows that count.
pub fn selection(scores: &Scores, material: &Material, truth: Truth<'_>) -> Option<Selection> {
    let mut confidence = Vec::new();
    let mut correct = Vec::new();
    for row in 0..material.rows.len() {
        let Some((scored, expected)) = scores.outcome(row, material, truth) else { continue };
        confidence.push(scored.prediction.confidence);
        correct.push(scored.prediction.label == expected);
    }
    Selection::new(&confidence, &correct).ok()
}

/// Confidence and outcome of what a promise may rest on: rows, repeats among them, as the report counts them, but no text
/// that a person was shown on purpose, because such texts are not like the others.
pub fn for_promise(scores: &Scores, material: &Material, truth: Truth<'_>) -> Option<Selection> {
    let (mut confidence, mut correct) = (Vec::new(), Vec::new());
    for row in 0..material.rows.len() {
        let Some((scored, expected)) = scores.outcome(row, material, truth) else { continue };
        let by_person = truth.labels_of_data(row, material).is_none();
        if by_person && truth.judged.is_picked_on_purpose(material.text_of(row)) {
            continue;
        }
        confidence.push(scored.prediction.confidence);
        correct.push(scored.prediction.label == expected);
    }
    Selection::new(&confidence, &correct).ok()
}

/// What a promise rests on, where that is not all rows that count.
pub fn promise_rests_on(promised: &Selection, rows: &Selection) -> Option<String> {
    (promised.len() < rows.len()).then(|| {
        format!(
            "It rests on {} of {}: labels of texts that were picked on purpose do not count for it.",
            count(promised.len() as u64),
            counted(rows.len() as u64, "labelled row")
        )
    })
}

/// What a threshold means, as sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtThreshold {
    /// How many rows are automated.
    pub automated: String,
    /// How many of these are right.
    pub right: String,
    /// What a day costs.
    pub cost: String,
}

/// What a threshold means for these rows.
pub fn at_threshold(selection: &Selection, threshold: f64, wish: &Wish) -> AtThreshold {
    let row = selection.at(threshold, 0.95);
    let total = selection.len();
    let automated = format!("{} of {} rows ({})", count(row.n as u64), count(total as u64), percent(row.share));
    let right = match (row.accuracy, row.low, row.high) {
        (Some(accuracy), Some(low), Some(high)) => {
            format!("{} right [{}, {}], n = {}", percent(accuracy), percent(low), percent(high), count(row.n as u64))
        }
        _ => "none: every row goes to a person".to_owned(),
    };
    let cost = match wish.costs.check() {
        Ok(()) => {
            let costs = wish.costs.at(selection, threshold);
            format!(
                "{} a day: {} reviews and {} errors; {} if a person reviews all",
                money(costs.cost, wish),
                count(costs.reviews.round() as u64),
                count(costs.errors.round() as u64),
                money(wish.costs.review_all(), wish)
            )
        }
        Err(error) => error.message,
    };
    AtThreshold { automated, right, cost }
}

/// The promise that these rows allow.
///
/// # Errors
/// An accuracy or an assurance that is none.
pub fn promise(selection: &Selection, wish: &Wish) -> Result<Guarantee> {
    guaranteed_threshold(selection, wish.accuracy, wish.assurance)
}

/// The cheapest threshold, in words, with the threshold.
///
/// # Errors
/// Costs that are none.
pub fn cheapest(selection: &Selection, wish: &Wish) -> Result<(f64, String)> {
    let found = best_threshold(selection, &wish.costs)?;
    let cost = money(found.best.cost, wish);
    let words = if found.best.threshold >= REVIEW_ALL {
        format!("Cheapest: a person reviews every row, {cost} a day")
    } else {
        format!("Cheapest on these rows: threshold {}, {cost} a day", number(found.best.threshold, 3))
    };
    Ok((found.best.threshold.min(1.0), words))
}

fn money(amount: f64, wish: &Wish) -> String {
    let digits = if amount >= 100.0 { 0 } else { 2 };
    format!("{} {}", number(amount, digits), wish.currency.trim()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::judgements::{Judgement, Judgements, Order};
    use super::super::material::tests::material;
    use super::super::scores::Scored;
    use super::*;
    use crate::state::fixture::classification;

    fn rows() -> Selection {
        let scores: Vec<f64> = (0..200).map(|row| f64::from(row) / 200.0).collect();
        let correct: Vec<bool> = (0..200).map(|row| row >= 60 || row % 2 == 0).collect();
        Selection::new(&scores, &correct).expect("rows")
    }

    #[test]
    fn a_threshold_says_what_it_means() {
        let wish = Wish { currency: "EUR".into(), ..Wish::default() };
        let all = at_threshold(&rows(), 0.0, &wish);
        assert_eq!(all.automated, "200 of 200 rows (100.0%)");
        assert!(all.right.starts_with("85.0% right ["), "{}", all.right);
        assert!(all.cost.starts_with("1,500 EUR a day: 0 reviews and 150 errors; 1,000 EUR"), "{}", all.cost);
        let none = at_threshold(&rows(), 1.0, &wish);
        assert!(none.automated.starts_with("0 of 200") && none.right.starts_with("none"), "{none:?}");
        let bad = Wish { costs: Costs { volume: 0.0, ..wish.costs }, ..wish };
        assert!(at_threshold(&rows(), 0.5, &bad).cost.contains("volume of 0"));
    }

    #[test]
    fn a_promise_rests_on_texts_that_are_like_the_others() {
        let (material, labels) = material(&[("a", "neg"), ("b", "neg"), ("a", "neg"), ("c", ""), ("d", "")]);
        let mut scores = Scores::new(material.different_texts());
        (0..4).for_each(|text| scores.put(text, Scored::new(classification())));
        let mut judged = Judgements::default();
        for (text, order) in [(2, Order::LeastCertain), (3, Order::ByLot)] {
            judged.put(text, Judgement { label: Some("negative".to_owned()), note: String::new(), order });
        }
        let truth = Truth { labels: &labels, judged: &judged };
        let rows = selection(&scores, &material, truth).expect("rows");
        let promised = for_promise(&scores, &material, truth).expect("rows");
        assert_eq!((rows.len(), promised.len()), (5, 4), "without the text picked on purpose");
        assert!(promise_rests_on(&promised, &rows).is_some_and(|words| words.contains("4 of 5 labelled rows")));
        assert_eq!(promise_rests_on(&rows, &rows), None);
    }

    #[test]
    fn promise_and_price_are_found() {
        let found = promise(&rows(), &Wish::default()).expect("a promise");
        assert!(found.guaranteed.is_some_and(|found| found.coverage > 0.5), "{found:?}");
        assert!(promise(&rows(), &Wish { accuracy: 1.5, ..Wish::default() }).is_err());
        let (threshold, words) = cheapest(&rows(), &Wish::default()).expect("costs");
        assert!((0.25..=0.32).contains(&threshold) && words.contains("threshold 0."), "{threshold} {words}");
    }
}
