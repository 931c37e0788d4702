//! What a threshold costs a day: a person's time for what is not automated, the price of errors for what is.
//!
//! If confidence is calibrated, a row should be automated when the expected price of its error, `(1 − p) · error_cost`,
//! is below the price of a review: from [`Costs::break_even`] on. The best threshold on the labelled rows
//! ([`best_threshold`]) needs no calibration, but it was looked for in these rows, so its cost flatters a little; its
//! interval is that of the error rate at the chosen threshold.

use serde::{Deserialize, Serialize};

use super::intervals::clopper_pearson;
use super::selection::Selection;
use crate::error::{Error, Result};

/// Prices and volume.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// What it costs to have a person review a row.
    pub review_cost: f64,
    /// What it costs when an automated row is wrong.
    pub error_cost: f64,
    /// Rows a day.
    pub volume: f64,
}

/// What a threshold costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// Rows with a score of at least this are automated; above 1, none are.
    pub threshold: f64,
    /// Share of rows automated.
    pub share: f64,
    /// Reviews a day.
    pub reviews: f64,
    /// Errors a day among the automated.
    pub errors: f64,
    /// Reviews and errors together, a day.
    pub cost: f64,
}

/// The cheapest threshold, beside the two that need no threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BestCost {
    /// The cheapest threshold.
    #[serde(flatten)]
    pub best: CostRow,
    /// Its cost if the error rate were at the lower end of its 95% interval.
    pub low: f64,
    /// Its cost if the error rate were at the upper end.
    pub high: f64,
    /// A day's cost if a person reviews every row.
    pub review_all: f64,
    /// A day's cost if every row is automated.
    pub automate_all: f64,
    /// The confidence from which automation pays, if confidence is calibrated.
    pub break_even: f64,
}

/// A threshold that no score reaches: every row is reviewed.
pub const REVIEW_ALL: f64 = 1.0 + f64::EPSILON;

impl Costs {
    /// Checks that all are finite and not negative, and the volume is positive.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn check(&self) -> Result<()> {
        for (field, value) in
            [("review_cost", self.review_cost), ("error_cost", self.error_cost), ("volume", self.volume)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::usage(format!("{value} is not a number of 0 or more")).in_field(field));
            }
        }
        if self.volume == 0.0 {
            return Err(Error::usage("a volume of 0 rows a day costs nothing").in_field("volume"));
        }
        Ok(())
    }

    /// What reviewing every row of a day costs.
    pub fn review_all(&self) -> f64 {
        self.volume * self.review_cost
    }

    /// The calibrated confidence from which a row's expected error costs less than its review, in `[0, 1]`.
    pub fn break_even(&self) -> f64 {
        if self.error_cost <= self.review_cost { 0.0 } else { 1.0 - self.review_cost / self.error_cost }
    }

    fn row(&self, threshold: f64, automated: usize, wrong: usize, total: usize) -> CostRow {
        let share = automated as f64 / total as f64;
        let reviews = self.volume * (1.0 - share);
        let errors = self.volume * wrong as f64 / total as f64;
        CostRow { threshold, share, reviews, errors, cost: reviews * self.review_cost + errors * self.error_cost }
    }

    /// What a threshold costs a day.
    pub fn at(&self, selection: &Selection, threshold: f64) -> CostRow {
        let (n, right) = selection.counts(threshold);
        self.row(threshold, n, n - right, selection.len())
    }

    /// The cost of every threshold that makes a difference, from none automated to all: the points of a cost curve.
    pub fn curve(&self, selection: &Selection) -> Vec<CostRow> {
        let total = selection.len();
        let cut = |n: usize| self.row(selection.scores()[n - 1], n, n - selection.right_of_top(n), total);
        std::iter::once(self.row(REVIEW_ALL, 0, 0, total)).chain(selection.cuts().map(cut)).collect()
    }
}

/// The cheapest threshold on the labelled rows; of equals, the one that automates least.
///
/// # Errors
/// Costs that are none (see [`Costs::check`]).
pub fn best_threshold(selection: &Selection, costs: &Costs) -> Result<BestCost> {
    costs.check()?;
    let total = selection.len();
    let mut best = costs.row(REVIEW_ALL, 0, 0, total);
    for n in selection.cuts() {
        let row = costs.row(selection.scores()[n - 1], n, n - selection.right_of_top(n), total);
        if row.cost < best.cost {
            best = row;
        }
    }
    let (n, right) = selection.counts(best.threshold);
    let rate = clopper_pearson((n - right) as u64, n as u64, 0.95);
    let cost_at =
        |error_rate: f64| best.reviews * costs.review_cost + costs.volume * best.share * error_rate * costs.error_cost;
    Ok(BestCost {
        best,
        low: cost_at(rate.low),
        high: cost_at(rate.high),
        review_all: costs.review_all(),
        automate_all: costs.at(selection, 0.0).cost,
        break_even: costs.break_even(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn costs(review_cost: f64, error_cost: f64) -> Costs {
        Costs { review_cost, error_cost, volume: 100.0 }
    }

    #[test]
    fn a_decision_by_hand() {
        // Top two right, then one wrong, then one right.
        let selection = Selection::new(&[0.9, 0.8, 0.7, 0.6], &[true, true, false, true]).unwrap();
        let best = best_threshold(&selection, &costs(5.0, 40.0)).unwrap();
        assert_eq!((best.best.threshold, best.best.share, best.best.cost), (0.8, 0.5, 250.0));
        assert_eq!((best.review_all, best.automate_all, best.break_even), (500.0, 1000.0, 0.875));
        assert!(best.low <= best.best.cost && best.best.cost <= best.high);
        // Errors that cost nothing: automate all. Reviews that cost nothing: review all.
        assert_eq!(best_threshold(&selection, &costs(5.0, 0.0)).unwrap().best.share, 1.0);
        let nothing = best_threshold(&selection, &costs(0.0, 40.0)).unwrap();
        assert_eq!((nothing.best.share, nothing.best.threshold > 1.0, nothing.high), (0.0, true, 0.0));
        assert!(best_threshold(&selection, &costs(-1.0, 1.0)).is_err());
        assert!(best_threshold(&selection, &Costs { volume: f64::NAN, ..costs(1.0, 1.0) }).is_err());
    }

    proptest! {
        #[test]
        fn the_best_is_the_least_of_the_curve(
            rows in prop::collection::vec((0_u8..=10, any::<bool>()), 1..60),
            review in 0.0_f64..10.0, error in 0.0_f64..50.0,
        ) {
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 10.0).collect();
            let correct: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let selection = Selection::new(&scores, &correct).unwrap();
            let costs = costs(review, error);
            let best = best_threshold(&selection, &costs).unwrap();
            for row in costs.curve(&selection) {
                prop_assert!(best.best.cost <= row.cost);
                prop_assert_eq!(row, costs.at(&selection, row.threshold));
            }
        }
    }
}
