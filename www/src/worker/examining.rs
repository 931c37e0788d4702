//! What predictions show: the report that the command line writes of the same file.
//!
//! Prices change more often than rows, and only one section depends on them: what was computed of the last rows is kept,
//! and answered from.

use std::hash::{DefaultHasher, Hash, Hasher};

use candor::chart;
use candor::dataset::predictions::{self, Predictions};
use candor::error::{Error, Result};
use candor::evaluate::report::{Settings, decide_anew, report_of};
use candor::evaluate::rows::{SEED, measure};
use candor::protocol::{Examination, Wish};
use candor::stats::metrics::report::{Options, Report};

/// The last rows that were examined, with what they show.
#[derive(Debug)]
pub struct Examined {
    fingerprint: u64,
    predictions: Predictions,
    computed: Report,
    report: chart::Report,
    metrics: String,
}

impl Examined {
    /// Examines `predictions.jsonl`, or looks again at what `last` has of the same rows.
    ///
    /// # Errors
    /// Predictions without known outcomes, or that no calibrator can be fitted on; a wish out of range.
    pub fn of(last: Option<Self>, name: &str, text: &str, wish: Option<Wish>) -> Result<Self> {
        let settings = wish.map_or_else(|| Settings::usual(SEED), |wish| Settings::wished(SEED, wish));
        let fingerprint = fingerprint(name, text);
        if let Some(mut known) = last.filter(|known| known.fingerprint == fingerprint) {
            decide_anew(&mut known.report, &known.predictions, &known.computed, &settings)?;
            return Ok(known);
        }
        let predictions = predictions::read("predictions.jsonl", text.as_bytes(), predictions::Options::default())?;
        let mut options = Options::for_rows(predictions.rows.len());
        options.resampling.seed = SEED;
        let computed = measure(&predictions, options, None)?;
        let report = report_of(&predictions, &computed, name, Vec::new(), &settings)?;
        let metrics = serde_json::to_string(&computed).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self { fingerprint, predictions, computed, report, metrics })
    }

    /// As the page is told.
    pub fn told(&self) -> Examination {
        Examination { report: self.report.clone(), metrics: self.metrics.clone() }
    }
}

fn fingerprint(name: &str, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, text).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use candor::stats::costs::Costs;

    use super::*;

    fn rows(right: u32) -> String {
        (0..100)
            .map(|row| {
                format!("{{\"confidence\": {}, \"correct\": {}}}\n", 0.5 + f64::from(row) / 220.0, row % right > 0)
            })
            .collect()
    }

    #[test]
    fn another_price_changes_the_decision_and_no_number() {
        let first = Examined::of(None, "a.csv", &rows(3), None).expect("rows");
        let before = first.told();
        let costs = Costs { review_cost: 7.0, error_cost: 70.0, volume: 10.0 };
        let wish = Wish { accuracy: 0.6, assurance: 0.9, costs, example_costs: false, currency: "CHF".to_owned() };
        let second = Examined::of(Some(first), "a.csv", &rows(3), Some(wish.clone())).expect("rows");
        let after = second.told();
        assert_eq!(after.metrics, before.metrics);
        assert!(after.report.to_html().contains("A review costs 7.00 CHF"));
        assert_eq!(after, Examined::of(None, "a.csv", &rows(3), Some(wish)).expect("rows").told());
        let back = Examined::of(Some(second), "a.csv", &rows(3), None).expect("rows");
        assert_eq!(back.told(), before);
        let others = Examined::of(Some(back), "a.csv", &rows(4), None).expect("rows");
        assert_ne!(others.told().metrics, before.metrics, "other rows are examined anew");
    }
}
