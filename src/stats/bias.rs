//! Label-bias corrections: what a model thinks of the labels before it has read the text is taken out of its answer.
//!
//! All four divide a label's probability by the model's inclination to say that label anyway, and differ in how they
//! estimate the inclination: from content-free texts such as "N/A" (contextual, Zhao et al. 2021), from the rows to be
//! labelled themselves (batch, Zhou et al. 2023), from random words of the domain (domain, Fei et al. 2023), or from the
//! prompt's ending alone (PMI-DC, Holtzman et al. 2021). The first three average probabilities, PMI log-probabilities.
//!
//! Pure functions on label log-probabilities; running the model on those texts is the business of higher floors.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::rows::{first_largest, log_share};
use crate::error::{Error, Result};
use crate::numeric::{exp, ln, log_sum_exp};

/// A way to estimate label bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BiasMethod {
    /// No correction.
    #[default]
    None,
    /// From content-free texts.
    Contextual,
    /// From the rows themselves.
    Batch,
    /// From random words of the domain.
    Domain,
    /// From the prompt's ending alone.
    Pmi,
}

impl FromStr for BiasMethod {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "contextual" => Ok(Self::Contextual),
            "batch" => Ok(Self::Batch),
            "domain" => Ok(Self::Domain),
            "pmi" => Ok(Self::Pmi),
            _ => Err(Error::usage(format!("there is no bias correction \"{name}\""))
                .help("use none, contextual, batch, domain or pmi")),
        }
    }
}

/// A label thought less likely than this before reading counts as this: dividing by almost nothing would decide alone.
const LEAST_PRIOR: f64 = 1e-9;

/// The model's inclination towards each label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelBias {
    /// How it was estimated.
    pub method: BiasMethod,
    /// Log-probability of each label before reading, summing to one among labels.
    pub log_prior: Vec<f64>,
    /// How many texts it was estimated from.
    pub texts: usize,
}

/// Shares after correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The most likely label after correction, the first of equals.
    pub label: usize,
    /// Corrected probability of each label among the labels.
    pub shares: Vec<f64>,
}

impl LabelBias {
    /// No bias among `labels` labels.
    pub fn none(labels: usize) -> Self {
        Self { method: BiasMethod::None, log_prior: vec![-ln(labels as f64); labels], texts: 0 }
    }

    /// Estimates the bias from the label log-probabilities that the model gives to `texts` (content-free texts, the
    /// rows, domain texts, or the domain premise, by method).
    ///
    /// # Errors
    /// No texts, lists of different length, log-probabilities that are none.
    pub fn estimate(method: BiasMethod, texts: &[Vec<f64>]) -> Result<Self> {
        let Some(labels) = texts.first().map(Vec::len) else {
            return Err(Error::input("label bias cannot be estimated without texts")
                .in_field("content_free")
                .help("give content-free texts such as \"N/A\", or choose another method in [bias]"));
        };
        if labels == 0 || texts.iter().any(|text| text.len() != labels) {
            return Err(Error::internal("label log-probabilities of different length"));
        }
        if method == BiasMethod::None {
            return Ok(Self::none(labels));
        }
        let shares: Vec<Vec<f64>> = texts.iter().map(|text| log_share(text)).collect::<Result<_>>()?;
        let prior = |label: usize| {
            let values: Vec<f64> = shares.iter().map(|row| row[label]).collect();
            match method {
                BiasMethod::Pmi => values.iter().sum::<f64>() / values.len() as f64,
                _ => log_sum_exp(&values) - ln(values.len() as f64),
            }
        };
        let floored: Vec<f64> = (0..labels).map(|label| prior(label).max(ln(LEAST_PRIOR))).collect();
        Ok(Self { method, log_prior: log_share(&floored)?, texts: texts.len() })
    }

    /// Takes the bias out of a row's label log-probabilities.
    ///
    /// # Errors
    /// Another number of labels, log-probabilities that are none.
    pub fn correct(&self, log_probabilities: &[f64]) -> Result<Corrected> {
        if log_probabilities.len() != self.log_prior.len() {
            return Err(Error::input(format!(
                "the label bias was estimated for {} labels, but there are {}",
                self.log_prior.len(),
                log_probabilities.len()
            )));
        }
        let own = log_share(log_probabilities)?;
        let divided: Vec<f64> = own.iter().zip(&self.log_prior).map(|(own, prior)| own - prior).collect();
        let shares = log_share(&divided)?.iter().map(|v| exp(*v).min(1.0)).collect();
        Ok(Corrected { label: first_largest(&divided), shares })
    }

    /// What it says, in a sentence.
    pub fn summary(&self, names: &[&str]) -> String {
        if self.method == BiasMethod::None {
            return "No label-bias correction.".into();
        }
        let top = first_largest(&self.log_prior);
        format!(
            "Before reading, the model leans to \"{}\" with {:.0}% (even would be {:.0}%); this is taken out.",
            names.get(top).copied().unwrap_or("?"),
            100.0 * exp(self.log_prior[top]),
            100.0 / self.log_prior.len() as f64
        )
    }
}

/// Corrects all rows by their own mean (batch calibration).
///
/// # Errors
/// As [`LabelBias::estimate`].
pub fn correct_batch(rows: &[Vec<f64>]) -> Result<(LabelBias, Vec<Corrected>)> {
    let bias = LabelBias::estimate(BiasMethod::Batch, rows)?;
    let corrected = rows.iter().map(|row| bias.correct(row)).collect::<Result<_>>()?;
    Ok((bias, corrected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logs(shares: &[f64]) -> Vec<f64> {
        shares.iter().map(|s| s.ln()).collect()
    }

    /// Worked by hand from the papers' formulas.
    #[test]
    fn follows_the_formulas() {
        let texts = [logs(&[0.8, 0.2]), logs(&[0.6, 0.4])];
        for (method, prior) in [
            (BiasMethod::Contextual, [0.7, 0.3]),
            (BiasMethod::Domain, [0.7, 0.3]),
            (BiasMethod::Batch, [0.7, 0.3]),
            (BiasMethod::Pmi, {
                let (a, b) = ((0.8_f64 * 0.6).sqrt(), (0.2_f64 * 0.4).sqrt());
                [a / (a + b), b / (a + b)]
            }),
        ] {
            let bias = LabelBias::estimate(method, &texts).unwrap();
            let corrected = bias.correct(&logs(&[0.6, 0.4])).unwrap();
            let expected = (0.6 / prior[0]) / (0.6 / prior[0] + 0.4 / prior[1]);
            assert!((corrected.shares[0] - expected).abs() < 1e-12, "{method:?} {corrected:?}");
            assert_eq!(corrected.label, 1, "{method:?}");
        }
        let none = LabelBias::estimate(BiasMethod::None, &texts).unwrap();
        assert!((none.correct(&logs(&[0.6, 0.4])).unwrap().shares[0] - 0.6).abs() < 1e-12);
    }

    #[test]
    fn mass_outside_the_labels_does_not_matter() {
        let bias = LabelBias::estimate(BiasMethod::Pmi, &[vec![-3.0, -4.0]]).unwrap();
        let (a, b) = (bias.correct(&[-1.0, -2.0]).unwrap(), bias.correct(&[-11.0, -12.0]).unwrap());
        assert!(a.shares.iter().zip(&b.shares).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn refuses_and_survives() {
        assert!(LabelBias::estimate(BiasMethod::Contextual, &[]).is_err());
        assert!(LabelBias::estimate(BiasMethod::Contextual, &[vec![0.0], vec![0.0, 0.0]]).is_err());
        let certain = LabelBias::estimate(BiasMethod::Contextual, &[vec![0.0, f64::NEG_INFINITY]]).unwrap();
        let corrected = certain.correct(&logs(&[0.5, 0.5])).unwrap();
        assert!(corrected.shares.iter().all(|s| s.is_finite()) && corrected.label == 1);
        assert!(certain.correct(&[0.0]).is_err());
        assert!("Batch".parse::<BiasMethod>().is_ok() && "x".parse::<BiasMethod>().is_err());
    }

    proptest! {
        /// A constant lean added to every row is exactly what batch calibration takes out.
        #[test]
        fn batch_correction_undoes_a_lean_in_the_argmax(lean in -6.0_f64..6.0) {
            let even = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]].map(|r| logs(&r));
            let leaning: Vec<Vec<f64>> = even.iter().map(|r| vec![r[0] + lean, r[1]]).collect();
            let (_, corrected) = correct_batch(&leaning).unwrap();
            let mean: f64 = corrected.iter().map(|c| c.shares[0]).sum::<f64>() / 4.0;
            prop_assert!((0.3..0.7).contains(&mean), "{mean}");
            for c in &corrected {
                prop_assert!((c.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}
