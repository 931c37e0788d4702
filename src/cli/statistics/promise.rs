//! The flags of everything that writes a report: what automation must promise and what it costs.

use crate::error::Result;
use crate::evaluate::report::{EXAMPLE_ERROR, EXAMPLE_REVIEW, Settings, USUAL_VOLUME};
use crate::stats::costs::Costs;

/// Flags of everything that writes a report: what automation must promise and what it costs.
#[derive(clap::Args)]
#[group(skip)]
pub struct Promise {
    /// In the report: the accuracy that automated rows must have.
    #[arg(long, default_value_t = 0.95)]
    accuracy: f64,
    /// In the report: how sure that must be.
    #[arg(long, default_value_t = 0.9)]
    assurance: f64,
    /// In the report: what it costs to have a person review a row.
    #[arg(long, requires = "error_cost")]
    review_cost: Option<f64>,
    /// In the report: what an automated error costs.
    #[arg(long, requires = "review_cost")]
    error_cost: Option<f64>,
    /// In the report: rows a day.
    #[arg(long, default_value_t = 1000.0)]
    volume: f64,
    /// In the report: the currency of the costs, as in EUR.
    #[arg(long, default_value = "")]
    currency: String,
}

impl Default for Promise {
    fn default() -> Self {
        let (review_cost, error_cost, currency) = (None, None, String::new());
        Self { accuracy: 0.95, assurance: 0.9, review_cost, error_cost, volume: USUAL_VOLUME, currency }
    }
}

impl Promise {
    /// The flags as settings.
    ///
    /// # Errors
    /// Costs or a volume that are none.
    pub fn settings(&self, seed: u64) -> Result<Settings> {
        let costs = Costs {
            review_cost: self.review_cost.unwrap_or(EXAMPLE_REVIEW),
            error_cost: self.error_cost.unwrap_or(EXAMPLE_ERROR),
            volume: self.volume,
        };
        costs.check()?;
        let example_costs = self.review_cost.is_none();
        let currency = self.currency.clone();
        Ok(Settings { seed, accuracy: self.accuracy, assurance: self.assurance, costs, example_costs, currency })
    }
}
