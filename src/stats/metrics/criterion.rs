//! What runs can be ranked by: one metric, named before anybody looks.

use serde::{Deserialize, Serialize};

/// What runs are ranked by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The share of right rows.
    #[default]
    Accuracy,
    /// The mean of the labels' F1.
    MacroF1,
    /// Mean squared error of the confidence.
    Brier,
    /// Log loss of the confidence.
    LogLoss,
    /// Expected calibration error.
    Ece,
    /// Mean squared error of the expected value, for labels on a scale.
    Mse,
}

impl Criterion {
    /// All, the usual one first.
    pub const ALL: [Self; 6] = [Self::Accuracy, Self::MacroF1, Self::Brier, Self::LogLoss, Self::Ece, Self::Mse];

    /// The metric's name.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro_f1",
            Self::Brier => "brier",
            Self::LogLoss => "log_loss",
            Self::Ece => "ece",
            Self::Mse => "mse",
        }
    }

    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro-F1",
            Self::Brier => "Brier score",
            Self::LogLoss => "log loss",
            Self::Ece => "ECE",
            Self::Mse => "mean squared error",
        }
    }

    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        matches!(self, Self::Accuracy | Self::MacroF1)
    }

    /// How much better `value` is than `other`; negative if worse.
    pub fn gain(self, value: f64, other: f64) -> f64 {
        if self.higher_is_better() { value - other } else { other - value }
    }
}
