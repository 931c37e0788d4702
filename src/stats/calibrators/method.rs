//! The names of the calibration methods, in files, on the command line and in sentences.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A way to calibrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Confidence as it is.
    None,
    /// One temperature on the log-odds of the score.
    Temperature,
    /// Platt scaling on the log-odds of the score.
    Platt,
    /// Beta calibration with three parameters (abm).
    #[serde(alias = "beta_abm")]
    Beta,
    /// Beta calibration that keeps 0.5.
    BetaAb,
    /// Beta calibration with a = b.
    BetaAm,
    /// Beta calibration with three parameters, none of which is dropped when negative.
    BetaUnconstrained,
    /// Isotonic regression.
    Isotonic,
    /// Centered isotonic regression.
    CenteredIsotonic,
    /// Histogram binning with equal-mass bins.
    HistogramBinning,
    /// Scaling-binning.
    ScalingBinning,
    /// Inductive Venn–Abers.
    VennAbers,
    /// Cross Venn–Abers.
    CrossVennAbers,
    /// One temperature on the label log-probabilities.
    LabelTemperature,
    /// Vector scaling of the label log-probabilities.
    Vector,
    /// Dirichlet calibration with ODIR of the label log-probabilities.
    Dirichlet,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 16] = [
        Self::None,
        Self::Temperature,
        Self::Platt,
        Self::Beta,
        Self::BetaAb,
        Self::BetaAm,
        Self::BetaUnconstrained,
        Self::Isotonic,
        Self::CenteredIsotonic,
        Self::HistogramBinning,
        Self::ScalingBinning,
        Self::VennAbers,
        Self::CrossVennAbers,
        Self::LabelTemperature,
        Self::Vector,
        Self::Dirichlet,
    ];

    /// The methods that `auto` compares: those that keep the prediction, one of each kind.
    pub const AUTO: [Self; 8] = [
        Self::None,
        Self::Temperature,
        Self::Platt,
        Self::Beta,
        Self::Isotonic,
        Self::CenteredIsotonic,
        Self::ScalingBinning,
        Self::VennAbers,
    ];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Temperature => "temperature",
            Self::Platt => "platt",
            Self::Beta => "beta",
            Self::BetaAb => "beta_ab",
            Self::BetaAm => "beta_am",
            Self::BetaUnconstrained => "beta_unconstrained",
            Self::Isotonic => "isotonic",
            Self::CenteredIsotonic => "centered_isotonic",
            Self::HistogramBinning => "histogram_binning",
            Self::ScalingBinning => "scaling_binning",
            Self::VennAbers => "venn_abers",
            Self::CrossVennAbers => "cross_venn_abers",
            Self::LabelTemperature => "label_temperature",
            Self::Vector => "vector",
            Self::Dirichlet => "dirichlet",
        }
    }

    /// Its name in a sentence or a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "no calibration",
            Self::Temperature => "temperature scaling",
            Self::Platt => "Platt scaling",
            Self::Beta => "beta calibration",
            Self::BetaAb => "beta calibration (ab)",
            Self::BetaAm => "beta calibration (am)",
            Self::BetaUnconstrained => "beta calibration (unconstrained)",
            Self::Isotonic => "isotonic regression",
            Self::CenteredIsotonic => "centered isotonic regression",
            Self::HistogramBinning => "histogram binning",
            Self::ScalingBinning => "scaling-binning",
            Self::VennAbers => "Venn–Abers",
            Self::CrossVennAbers => "cross Venn–Abers",
            Self::LabelTemperature => "temperature scaling of all labels",
            Self::Vector => "vector scaling",
            Self::Dirichlet => "Dirichlet calibration",
        }
    }

    /// Whether it takes the log-probabilities of all labels instead of one score.
    pub fn takes_labels(self) -> bool {
        matches!(self, Self::LabelTemperature | Self::Vector | Self::Dirichlet)
    }

    /// Whether it follows the data without an assumed shape, so that it needs more rows.
    pub fn is_nonparametric(self) -> bool {
        matches!(
            self,
            Self::Isotonic | Self::CenteredIsotonic | Self::HistogramBinning | Self::VennAbers | Self::CrossVennAbers
        )
    }

    /// What should be said about fitting it on so few rows, if anything.
    pub fn too_few_rows(self, rows: usize) -> Option<String> {
        match (self, rows) {
            (Self::None, _) => None,
            (_, 0..50) => Some(format!(
                "{rows} rows are very few for {}: at least 50 are needed before its numbers mean much",
                self.title()
            )),
            (method, 50..500) if method.is_nonparametric() => Some(format!(
                "{rows} rows are few for {}, which assumes no shape: with fewer than 500 it tends to follow noise",
                method.title()
            )),
            (method, 500..1000) if method.is_nonparametric() => {
                Some(format!("{rows} rows are enough for a first look at {}; 1,000 make it steady", method.title()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let wanted = name.trim().to_ascii_lowercase().replace('-', "_");
        match wanted.as_str() {
            "beta_abm" => return Ok(Self::Beta),
            "histogram" => return Ok(Self::HistogramBinning),
            "identity" | "raw" => return Ok(Self::None),
            _ => {}
        }
        Self::ALL.into_iter().find(|method| method.name() == wanted).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|method| method.name()).collect();
            Error::usage(format!("there is no calibration method \"{name}\""))
                .help(format!("use auto, {}", names.join(", ")))
        })
    }
}
