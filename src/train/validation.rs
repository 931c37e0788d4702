//! How good the labels' probabilities are on the validation rows.

use serde::{Deserialize, Serialize};

use super::settings::Criterion;
use crate::error::Result;
use crate::stats::metrics::binned::{Binning, calibration_error};
use crate::stats::metrics::classification::Classes;
use crate::stats::metrics::multiclass::Multiclass;
use crate::task::Label;

/// Bins of the calibration error.
const BINS: usize = 15;

/// Numbers of the validation rows, from the labels' shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Rows.
    pub n: usize,
    /// Share of rows whose likeliest label is theirs.
    pub accuracy: f64,
    /// Mean over the labels of F1.
    pub macro_f1: f64,
    /// Mean of minus the logarithm of the true label's share.
    pub log_loss: f64,
    /// Expected calibration error of the likeliest label's share, 15 bins.
    pub ece: f64,
    /// Mean squared error of the expected value, where labels have values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
}

impl Validation {
    /// From rows × labels shares and the place of each row's true label.
    ///
    /// # Errors
    /// Shares that are no probabilities.
    pub fn new(shares: Vec<f64>, truth: &[usize], labels: &[Label]) -> Result<Self> {
        let names: Vec<String> = labels.iter().map(|label| label.name.clone()).collect();
        let values: Option<Vec<f64>> = labels.iter().map(|label| label.value).collect();
        let mse = values.map(|values| {
            let expected = |shares: &[f64]| shares.iter().zip(&values).map(|(share, value)| share * value).sum::<f64>();
            let rows = shares.chunks(values.len()).zip(truth);
            rows.map(|(shares, truth)| (expected(shares) - values[*truth]).powi(2)).sum::<f64>() / truth.len() as f64
        });
        let truth: Vec<u32> = truth.iter().map(|label| *label as u32).collect();
        let rows = Multiclass::new(shares, truth.clone(), names.len())?;
        let predicted = rows.predicted();
        let name = |label: &u32| names[*label as usize].as_str();
        let pairs = truth.iter().zip(&predicted).map(|(truth, predicted)| (name(truth), name(predicted)));
        let tally = Classes::new(pairs, &names)?.tally_all();
        Ok(Self {
            n: truth.len(),
            accuracy: tally.accuracy(),
            macro_f1: tally.macro_f1(),
            log_loss: rows.log_loss(),
            ece: calibration_error(rows.top_label()?.view(), Binning::EqualWidth(BINS)).ece,
            mse,
        })
    }

    /// Whether it is better than another.
    pub fn is_better_than(&self, other: &Self, criterion: Criterion) -> bool {
        match criterion {
            Criterion::LogLoss => self.log_loss < other.log_loss,
            Criterion::MacroF1 => (self.macro_f1, -self.log_loss) > (other.macro_f1, -other.log_loss),
        }
    }
}
