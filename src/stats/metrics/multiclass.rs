//! Metrics of whole probability vectors: Brier and log loss over all classes, top-label and classwise calibration.

use super::binned::{Binning, calibration_error};
use super::{Sample, View};
use crate::error::{Error, Result};
use crate::numeric::ln;

/// Probability vectors with the true class of each row.
#[derive(Debug, Clone)]
pub struct Multiclass {
    probabilities: Vec<f64>,
    truth: Vec<u32>,
    classes: usize,
}

impl Multiclass {
    /// From `rows × classes` probabilities, row after row, and the index of each row's true class.
    ///
    /// # Errors
    /// No rows, sizes that do not belong together, a true class that does not exist, a number outside `[0, 1]`, a row
    /// that sums to more than 1 (less is allowed: probability on no class).
    pub fn new(probabilities: Vec<f64>, truth: Vec<u32>, classes: usize) -> Result<Self> {
        if truth.is_empty() || classes == 0 {
            return Err(Error::input("there are no rows"));
        }
        if probabilities.len() != truth.len() * classes {
            return Err(Error::input(format!(
                "{} probabilities are not {} rows of {classes} classes",
                probabilities.len(),
                truth.len()
            )));
        }
        for (row, (vector, &class)) in probabilities.chunks_exact(classes).zip(&truth).enumerate() {
            let sum: f64 = vector.iter().sum();
            if vector.iter().any(|p| !(0.0..=1.0).contains(p)) || sum > 1.0 + 1e-6 {
                return Err(Error::input(format!("row {}: {vector:?} are not probabilities", row + 1)));
            }
            if class as usize >= classes {
                return Err(Error::input(format!("row {}: there is no class {class}", row + 1)));
            }
        }
        Ok(Self { probabilities, truth, classes })
    }

    /// Number of rows.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// A row's probabilities.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.classes..(row + 1) * self.classes]
    }

    /// A row's Brier score: the squared distance of its vector from the true class's, between 0 and 2.
    pub fn brier_of(&self, row: usize) -> f64 {
        let truth = self.truth[row] as usize;
        self.row(row).iter().enumerate().map(|(class, p)| (p - f64::from(u8::from(class == truth))).powi(2)).sum()
    }

    /// A row's log loss, the probability clipped to `[1e-15, 1]`.
    pub fn log_loss_of(&self, row: usize) -> f64 {
        -ln(self.row(row)[self.truth[row] as usize].max(1e-15))
    }

    /// Mean Brier score over all classes.
    pub fn brier(&self) -> f64 {
        (0..self.len()).map(|row| self.brier_of(row)).sum::<f64>() / self.len() as f64
    }

    /// Mean log loss.
    pub fn log_loss(&self) -> f64 {
        (0..self.len()).map(|row| self.log_loss_of(row)).sum::<f64>() / self.len() as f64
    }

    /// The most probable class of each row (the first of equals).
    pub fn predicted(&self) -> Vec<u32> {
        let first_largest = |row: usize| {
            let vector = self.row(row);
            (1..self.classes).fold(0, |best, class| if vector[class] > vector[best] { class } else { best }) as u32
        };
        (0..self.len()).map(first_largest).collect()
    }

    /// The top label's probability against whether it is right: the sample of top-label calibration.
    ///
    /// # Errors
    /// None in practice: the rows were checked when this was made.
    pub fn top_label(&self) -> Result<Sample> {
        let predicted = self.predicted();
        let scores: Vec<f64> = (0..self.len()).map(|row| self.row(row)[predicted[row] as usize]).collect();
        let correct: Vec<bool> = predicted.iter().zip(&self.truth).map(|(p, t)| p == t).collect();
        Sample::new(&scores, &correct)
    }

    /// One class's probability against whether it is the true one.
    ///
    /// # Errors
    /// None in practice: the rows were checked when this was made.
    pub fn one_against_rest(&self, class: usize) -> Result<Sample> {
        let scores: Vec<f64> = (0..self.len()).map(|row| self.row(row)[class]).collect();
        let correct: Vec<bool> = self.truth.iter().map(|&t| t as usize == class).collect();
        Sample::new(&scores, &correct)
    }

    /// Classwise ECE: the mean over classes of the ECE of the class's probability (Kull 2019).
    ///
    /// # Errors
    /// None in practice: the rows were checked when this was made.
    pub fn classwise_ece(&self, binning: Binning) -> Result<f64> {
        let samples = self.all_against_rest()?;
        Ok(mean_ece(samples.iter().map(Sample::view), binning))
    }

    /// [`Self::one_against_rest`] of every class.
    ///
    /// # Errors
    /// None in practice: the rows were checked when this was made.
    pub fn all_against_rest(&self) -> Result<Vec<Sample>> {
        (0..self.classes).map(|class| self.one_against_rest(class)).collect()
    }
}

/// The mean ECE of several views.
pub fn mean_ece<'a>(views: impl ExactSizeIterator<Item = View<'a>>, binning: Binning) -> f64 {
    let number = views.len() as f64;
    views.map(|view| calibration_error(view, binning).ece).sum::<f64>() / number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_by_hand() {
        let m = Multiclass::new(vec![0.7, 0.2, 0.1, 0.3, 0.3, 0.4], vec![0, 1], 3).unwrap();
        assert!((m.brier() - (0.09 + 0.04 + 0.01 + 0.09 + 0.49 + 0.16) / 2.0).abs() < 1e-12);
        assert!((m.log_loss() + (0.7_f64.ln() + 0.3_f64.ln()) / 2.0).abs() < 1e-12);
        assert_eq!(m.predicted(), [0, 2]);
        assert_eq!(m.top_label().unwrap().outcomes(), [0.0, 1.0]);
        // Class 0: (.7, yes), (.3, no); class 1: (.2, no), (.3, yes); class 2: (.1, no), (.4, no); each its own bin.
        let expected = ((0.3 + 0.3) / 2.0 + (0.2 + 0.7) / 2.0 + (0.1 + 0.4) / 2.0) / 3.0;
        assert!((m.classwise_ece(Binning::EqualWidth(15)).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_is_no_probability_table() {
        for (probabilities, truth, classes) in [
            (vec![], vec![], 2),
            (vec![0.5, 0.5], vec![0, 1], 2),
            (vec![0.5, 0.5], vec![2], 2),
            (vec![0.9, 0.9], vec![0], 2),
            (vec![f64::NAN, 0.5], vec![0], 2),
            (vec![-0.1, 0.5], vec![0], 2),
        ] {
            assert!(Multiclass::new(probabilities.clone(), truth, classes).is_err(), "{probabilities:?}");
        }
    }
}
