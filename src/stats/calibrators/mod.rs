//! Calibrators: maps from what a model says to how often it is right.
//!
//! Most take one score, the confidence in the predicted label, and are fitted on whether that label was right; they
//! keep the prediction and change its confidence. Three take the log-probabilities of all labels
//! ([`Method::LabelTemperature`], [`Method::Vector`], [`Method::Dirichlet`]) and give a new distribution.
//!
//! A fit never fails on awkward data and never answers NaN: one outcome only, perfect separation, constant scores,
//! confidence that runs the wrong way and a dozen rows all give a usable calibrator, and [`Fitted::notes`] say what was
//! unusual in plain words. Only what makes no sense at all is refused (no rows, a method that needs label
//! probabilities without any). Fitting says nothing about how well a calibrator does: see [`super::cross_fit`].

pub mod beta;
pub mod binning;
pub mod isotonic;
pub mod label_scaling;
mod method;
pub mod platt;
pub mod temperature;
pub mod venn_abers;

use serde::{Deserialize, Serialize};

use self::beta::Beta;
use self::binning::{HistogramBinning, ScalingBinning};
use self::isotonic::Isotonic;
use self::label_scaling::{Dirichlet, Vector};
pub use self::method::Method;
use self::platt::Platt;
use self::temperature::Temperature;
use self::venn_abers::{CrossVennAbers, Probability, VennAbers};
use super::rows::{Rows, check_scores, log_share};
use crate::error::{Error, Result};
use crate::numeric::{exp, log_sum_exp, logit};

/// Scores are clipped to `[SCORE_CLIP, 1 − SCORE_CLIP]` before a logit.
pub const SCORE_CLIP: f64 = 1e-12;

/// The log-odds of a score clipped to `[1e-12, 1 − 1e-12]`.
pub fn clipped_logit(score: f64) -> f64 {
    logit(score.clamp(SCORE_CLIP, 1.0 - SCORE_CLIP))
}

/// Something fitted, with what a user should know about the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted<T> {
    /// What was fitted.
    pub model: T,
    /// Sentences about anything unusual: fallbacks, unbounded optima, missing labels.
    pub notes: Vec<String>,
}

impl<T> Fitted<T> {
    fn clean(model: T) -> Self {
        Self { model, notes: Vec::new() }
    }

    fn with_note(model: T, note: String) -> Self {
        Self { model, notes: vec![note] }
    }

    fn note_if(&mut self, condition: bool, note: impl FnOnce() -> String) {
        if condition {
            self.notes.push(note());
        }
    }

    fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Fitted<U> {
        Fitted { model: wrap(self.model), notes: self.notes }
    }
}

/// Choices that some methods take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Bins of histogram binning and scaling-binning; by default one for twenty rows, at most 15.
    pub bins: Option<usize>,
    /// Folds of cross Venn–Abers.
    pub folds: usize,
    /// ODIR strength of Dirichlet calibration; by default chosen on held-out rows.
    pub regularization: Option<f64>,
    /// Seed of the folds.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { bins: None, folds: 5, regularization: None, seed: 0 }
    }
}

/// No parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {}

/// A fitted calibrator. Its serialized form is `{"method": …, "parameters": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters", rename_all = "snake_case")]
pub enum Calibrator {
    /// Confidence as it is.
    None(Identity),
    /// One temperature on the log-odds of the score.
    Temperature(Temperature),
    /// Platt scaling.
    Platt(Platt),
    /// Beta calibration (abm).
    #[serde(alias = "beta_abm")]
    Beta(Beta),
    /// Beta calibration (ab).
    BetaAb(Beta),
    /// Beta calibration (am).
    BetaAm(Beta),
    /// Beta calibration without constraints.
    BetaUnconstrained(Beta),
    /// Isotonic regression.
    Isotonic(Isotonic),
    /// Centered isotonic regression.
    CenteredIsotonic(Isotonic),
    /// Histogram binning.
    HistogramBinning(HistogramBinning),
    /// Scaling-binning.
    ScalingBinning(ScalingBinning),
    /// Inductive Venn–Abers.
    VennAbers(VennAbers),
    /// Cross Venn–Abers.
    CrossVennAbers(CrossVennAbers),
    /// One temperature on the label log-probabilities.
    LabelTemperature(Temperature),
    /// Vector scaling.
    Vector(Vector),
    /// Dirichlet calibration.
    Dirichlet(Dirichlet),
}

/// Calibrated values of several scores, as `candor apply --json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Calibrated probabilities.
    pub values: Vec<f64>,
    /// Lower ends of the Venn–Abers intervals, where the method has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Vec<f64>>,
    /// Upper ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<Vec<f64>>,
}

impl Calibrator {
    /// Fits `method` on `rows`.
    ///
    /// # Errors
    /// A method that takes label log-probabilities on rows without them; fewer distinct rows than folds for cross
    /// Venn–Abers; options out of range.
    pub fn fit(method: Method, rows: &Rows, options: &FitOptions) -> Result<Fitted<Self>> {
        let bins = options.bins.unwrap_or_else(|| binning::default_bins(rows.len()));
        if bins == 0 {
            return Err(Error::usage("a calibrator cannot have 0 bins").in_field("bins"));
        }
        if let Some(constant) = single_outcome(method, rows) {
            return Ok(constant);
        }
        let labels = || {
            rows.labels().ok_or_else(|| {
                Error::input(format!("{} needs the log-probability of every label", method.title()))
                    .help("use predictions that carry \"labels\", or a method on the confidence alone, such as platt")
            })
        };
        let mut fitted = match method {
            Method::None => Fitted::clean(Self::None(Identity {})),
            Method::Temperature => Temperature::fit(rows).map(Self::Temperature),
            Method::Platt => Platt::fit(rows).map(Self::Platt),
            Method::Beta => Beta::fit_abm(rows).map(Self::Beta),
            Method::BetaAb => Beta::fit_ab(rows).map(Self::BetaAb),
            Method::BetaAm => Beta::fit_am(rows).map(Self::BetaAm),
            Method::BetaUnconstrained => Beta::fit_unconstrained(rows).map(Self::BetaUnconstrained),
            Method::Isotonic => Isotonic::fit(rows).map(Self::Isotonic),
            Method::CenteredIsotonic => Isotonic::fit_centered(rows).map(Self::CenteredIsotonic),
            Method::HistogramBinning => HistogramBinning::fit(rows, bins).map(Self::HistogramBinning),
            Method::ScalingBinning => ScalingBinning::fit(rows, bins).map(Self::ScalingBinning),
            Method::VennAbers => VennAbers::fit(rows).map(Self::VennAbers),
            Method::CrossVennAbers => CrossVennAbers::fit(rows, options.folds, options.seed)?.map(Self::CrossVennAbers),
            Method::LabelTemperature => Temperature::fit_labels(labels()?).map(Self::LabelTemperature),
            Method::Vector => Vector::fit(labels()?).map(Self::Vector),
            Method::Dirichlet => {
                labels()?;
                Dirichlet::fit(rows, options.regularization, options.seed)?.map(Self::Dirichlet)
            }
        };
        let same_score = !method.takes_labels() && method != Method::None && constant(rows.scores());
        fitted.note_if(same_score, || {
            format!("every row has the score {}: what other scores become is a guess", rows.scores()[0])
        });
        Ok(fitted)
    }

    /// Which method it is.
    pub fn method(&self) -> Method {
        match self {
            Self::None(_) => Method::None,
            Self::Temperature(_) => Method::Temperature,
            Self::Platt(_) => Method::Platt,
            Self::Beta(_) => Method::Beta,
            Self::BetaAb(_) => Method::BetaAb,
            Self::BetaAm(_) => Method::BetaAm,
            Self::BetaUnconstrained(_) => Method::BetaUnconstrained,
            Self::Isotonic(_) => Method::Isotonic,
            Self::CenteredIsotonic(_) => Method::CenteredIsotonic,
            Self::HistogramBinning(_) => Method::HistogramBinning,
            Self::ScalingBinning(_) => Method::ScalingBinning,
            Self::VennAbers(_) => Method::VennAbers,
            Self::CrossVennAbers(_) => Method::CrossVennAbers,
            Self::LabelTemperature(_) => Method::LabelTemperature,
            Self::Vector(_) => Method::Vector,
            Self::Dirichlet(_) => Method::Dirichlet,
        }
    }

    /// How many labels it was fitted for, if it takes their log-probabilities; a temperature fits any number.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Self::Vector(model) => Some(model.weights.len()),
            Self::Dirichlet(model) => Some(model.weights.len()),
            _ => None,
        }
    }

    /// The calibrated probability of a score in `[0, 1]`, in `[0, 1]`.
    ///
    /// # Errors
    /// A score outside `[0, 1]`, or a calibrator that takes label log-probabilities.
    pub fn apply(&self, score: f64) -> Result<f64> {
        check_scores(&[score]).map_err(|_| {
            Error::input(format!("the score {score} is not between 0 and 1"))
                .help("give a probability, not a percentage or a logit")
        })?;
        self.value(score).ok_or_else(|| self.takes_labels())
    }

    /// Calibrated values of several scores, with intervals where the method has them.
    ///
    /// # Errors
    /// As [`Calibrator::apply`]; the row is named.
    pub fn apply_all(&self, scores: &[f64]) -> Result<Applied> {
        check_scores(scores)?;
        if self.method().takes_labels() {
            return Err(self.takes_labels());
        }
        let values = scores.iter().filter_map(|&score| self.value(score)).collect();
        let intervals: Option<Vec<Probability>> = scores.iter().map(|&score| self.interval(score)).collect();
        let end = |end: fn(&Probability) -> f64| intervals.as_ref().map(|all| all.iter().map(end).collect());
        let (low, high) = (end(|p| p.low), end(|p| p.high));
        Ok(Applied { values, low, high })
    }

    /// The Venn–Abers interval of a score, for the methods that have one.
    pub fn interval(&self, score: f64) -> Option<Probability> {
        match self {
            Self::VennAbers(model) => Some(model.apply(score)),
            Self::CrossVennAbers(model) => Some(model.apply(score)),
            _ => None,
        }
    }

    /// Calibrated shares of the labels, from their log-probabilities; they sum to one.
    ///
    /// # Errors
    /// A calibrator that takes one score, another number of labels, log-probabilities that are none.
    pub fn apply_labels(&self, log_probabilities: &[f64]) -> Result<Vec<f64>> {
        if !self.method().takes_labels() && self.method() != Method::None {
            return Err(Error::input(format!("{} takes one score, not label probabilities", self.method().title())));
        }
        if let Some(classes) = self.classes()
            && classes != log_probabilities.len()
        {
            return Err(Error::input(format!(
                "the calibrator was fitted for {classes} labels, but there are {}",
                log_probabilities.len()
            ))
            .help("use it with the task it was fitted for, or fit a new one"));
        }
        Ok(self.shares(&log_share(log_probabilities)?))
    }

    /// The calibrated confidence in a row's predicted label.
    ///
    /// # Errors
    /// A calibrator for label log-probabilities on rows without them or with another number of labels.
    pub fn apply_row(&self, rows: &Rows, row: usize) -> Result<f64> {
        match (self.value(rows.scores()[row]), rows.labels()) {
            (Some(value), _) => Ok(value),
            (None, Some(labels)) => Ok(self.apply_labels(labels.log_shares(row))?[labels.predicted(row)]),
            (None, None) => Err(Error::input("the rows carry no label probabilities")),
        }
    }

    fn value(&self, score: f64) -> Option<f64> {
        match self {
            Self::None(_) => Some(score),
            Self::Temperature(model) => Some(model.apply(score)),
            Self::Platt(model) => Some(model.apply(score)),
            Self::Beta(model) | Self::BetaAb(model) | Self::BetaAm(model) | Self::BetaUnconstrained(model) => {
                Some(model.apply(score))
            }
            Self::Isotonic(model) | Self::CenteredIsotonic(model) => Some(model.apply(score)),
            Self::HistogramBinning(model) => Some(model.apply(score)),
            Self::ScalingBinning(model) => Some(model.apply(score)),
            Self::VennAbers(model) => Some(model.apply(score).value),
            Self::CrossVennAbers(model) => Some(model.apply(score).value),
            Self::LabelTemperature(_) | Self::Vector(_) | Self::Dirichlet(_) => None,
        }
    }

    fn shares(&self, log_shares: &[f64]) -> Vec<f64> {
        let z = match self {
            Self::LabelTemperature(model) => model.apply_labels(log_shares),
            Self::Vector(model) => model.apply(log_shares),
            Self::Dirichlet(model) => model.apply(log_shares),
            _ => log_shares.to_vec(),
        };
        let total = log_sum_exp(&z);
        z.iter().map(|z| exp(z - total).min(1.0)).collect()
    }

    fn takes_labels(&self) -> Error {
        Error::input(format!("{} takes the log-probabilities of all labels, not one score", self.method().title()))
            .help("apply it to predictions that carry \"labels\"")
    }

    /// Whether a higher score never gets a lower value: true of every method on well-behaved rows, and of isotonic
    /// regression, temperature and Venn–Abers always. `None` for those that take label log-probabilities.
    pub fn keeps_order(&self) -> Option<bool> {
        match self {
            Self::None(_)
            | Self::Temperature(_)
            | Self::Isotonic(_)
            | Self::CenteredIsotonic(_)
            | Self::VennAbers(_)
            | Self::CrossVennAbers(_) => Some(true),
            Self::Platt(model) => Some(model.slope >= 0.0),
            Self::Beta(model) | Self::BetaAb(model) | Self::BetaAm(model) | Self::BetaUnconstrained(model) => {
                Some(model.a >= 0.0 && model.b >= 0.0)
            }
            Self::HistogramBinning(model) => Some(model.values.is_sorted()),
            Self::ScalingBinning(model) => Some(model.scaling.slope >= 0.0),
            Self::LabelTemperature(_) | Self::Vector(_) | Self::Dirichlet(_) => None,
        }
    }

    /// Refuses parameters that no fit can have: for calibrators that come from outside.
    ///
    /// # Errors
    /// Lists of wrong length, numbers that are not finite or out of range, curves that fall.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Temperature(model) | Self::LabelTemperature(model) => model.check(),
            Self::Platt(model) => model.check(),
            Self::Beta(model) | Self::BetaAb(model) | Self::BetaAm(model) | Self::BetaUnconstrained(model) => {
                model.check()
            }
            Self::Isotonic(model) | Self::CenteredIsotonic(model) => model.check(),
            Self::HistogramBinning(model) => model.check(),
            Self::ScalingBinning(model) => model.check(),
            Self::VennAbers(model) => model.check(),
            Self::CrossVennAbers(model) => model.check(),
            Self::Vector(model) => model.check(),
            Self::Dirichlet(model) => model.check(),
        }
    }

    /// What it does, in a sentence or two for people.
    pub fn summary(&self) -> String {
        let what = match self {
            Self::None(_) => "No calibration: confidence is left as the model gives it".to_owned(),
            Self::Temperature(model) => model.describe(),
            Self::LabelTemperature(model) => format!("{}; applied to all labels", model.describe()),
            Self::Platt(model) => model.describe(),
            Self::Beta(model) | Self::BetaAb(model) | Self::BetaAm(model) | Self::BetaUnconstrained(model) => {
                model.describe()
            }
            Self::Isotonic(model) => model.describe(false),
            Self::CenteredIsotonic(model) => model.describe(true),
            Self::HistogramBinning(model) => model.describe(),
            Self::ScalingBinning(model) => model.describe(),
            Self::VennAbers(_) => "Venn–Abers: isotonic regression that gives an interval with each answer".to_owned(),
            Self::CrossVennAbers(model) => {
                format!("Cross Venn–Abers: {} Venn–Abers predictors joined, with an interval", model.folds.len())
            }
            Self::Vector(model) => {
                format!("Vector scaling: a weight and an intercept for each of {} labels", model.weights.len())
            }
            Self::Dirichlet(model) => format!(
                "Dirichlet calibration: a {0} × {0} matrix on the label log-probabilities, regularization {1}",
                model.weights.len(),
                model.regularization
            ),
        };
        let examples: Vec<String> = [0.6, 0.8, 0.95, 0.99]
            .into_iter()
            .filter(|_| self.method() != Method::None)
            .filter_map(|score| Some(format!("{:.0}% → {:.1}%", 100.0 * score, 100.0 * self.value(score)?)))
            .collect();
        if examples.is_empty() { format!("{what}.") } else { format!("{what}. {}.", examples.join(", ")) }
    }
}

/// Whether all scores are the same.
fn constant(scores: &[f64]) -> bool {
    scores.iter().all(|score| *score == scores[0])
}

/// With one outcome only, a curve fitted to it would promise certainty. The methods that would do so answer with
/// Laplace's rule of succession instead; the others stay sensible by themselves.
fn single_outcome(method: Method, rows: &Rows) -> Option<Fitted<Calibrator>> {
    let right = rows.right();
    if right != 0 && right != rows.len() {
        return None;
    }
    let value = (right as f64 + 1.0) / (rows.len() as f64 + 2.0);
    let curve = Isotonic { scores: vec![0.5], values: vec![value] };
    let beta = Beta { a: 0.0, b: 0.0, c: logit(value) };
    let model = match method {
        Method::Beta => Calibrator::Beta(beta),
        Method::BetaAb => Calibrator::BetaAb(beta),
        Method::BetaAm => Calibrator::BetaAm(beta),
        Method::BetaUnconstrained => Calibrator::BetaUnconstrained(beta),
        Method::Isotonic => Calibrator::Isotonic(curve),
        Method::CenteredIsotonic => Calibrator::CenteredIsotonic(curve),
        Method::HistogramBinning => {
            Calibrator::HistogramBinning(HistogramBinning { edges: vec![1.0], values: vec![value] })
        }
        _ => return None,
    };
    let outcome = if right == 0 { "wrong" } else { "right" };
    let note = format!(
        "all {} rows are {outcome}, so no curve can be fitted: every score becomes {:.1}%, what that many rows of one \
         kind suggest (rule of succession)",
        rows.len(),
        100.0 * value
    );
    Some(Fitted::with_note(model, note))
}

/// An error about a parameter of a saved calibrator.
fn refuse(field: &str, what: &str) -> Result<()> {
    Err(Error::format(what.to_owned())
        .in_field(format!("parameters.{field}"))
        .help("the file is damaged or was changed by hand; fit the calibrator again"))
}

#[cfg(test)]
mod tests;
