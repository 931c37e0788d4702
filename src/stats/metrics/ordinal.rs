//! Labels on a scale: mean squared and absolute error, Spearman's rank correlation, quadratic-weighted kappa.

use crate::error::{Error, Result};
use crate::stats::pava::ascending_order;

/// True and predicted values of rows, with both orders sorted once.
#[derive(Debug, Clone)]
pub struct Ordinal {
    truth: Ranked,
    predicted: Ranked,
}

/// Values with their ascending order.
#[derive(Debug, Clone)]
struct Ranked {
    values: Vec<f64>,
    order: Vec<u32>,
}

impl Ranked {
    fn new(values: Vec<f64>) -> Result<Self> {
        let order = ascending_order(&values)?;
        Ok(Self { values, order })
    }

    /// Mean rank of each row among the rows counted, ties sharing theirs.
    fn ranks(&self, counts: &[u32]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.values.len()];
        let (mut start, mut below) = (0, 0.0);
        while start < self.order.len() {
            let value = self.values[self.order[start] as usize];
            let ties = self.order[start..].iter().take_while(|&&row| self.values[row as usize] == value);
            let tied: Vec<usize> = ties.map(|&row| row as usize).collect();
            let weight: f64 = tied.iter().map(|&row| f64::from(counts[row])).sum();
            for &row in &tied {
                ranks[row] = below + (weight + 1.0) / 2.0;
            }
            below += weight;
            start += tied.len();
        }
        ranks
    }
}

impl Ordinal {
    /// From the true and predicted value of each row.
    ///
    /// # Errors
    /// No rows, lists of different lengths, a value that is not finite.
    pub fn new(truth: Vec<f64>, predicted: Vec<f64>) -> Result<Self> {
        if truth.is_empty() || truth.len() != predicted.len() {
            return Err(Error::input(format!("{} true and {} predicted values", truth.len(), predicted.len())));
        }
        Ok(Self { truth: Ranked::new(truth)?, predicted: Ranked::new(predicted)? })
    }

    /// Number of rows.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.truth.values.len()
    }

    fn mean(&self, counts: &[u32], term: impl Fn(f64, f64) -> f64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for ((&t, &p), &count) in self.truth.values.iter().zip(&self.predicted.values).zip(counts) {
            sum += f64::from(count) * term(t, p);
            total += f64::from(count);
        }
        sum / total
    }

    /// Mean squared error.
    pub fn mse(&self, counts: &[u32]) -> f64 {
        self.mean(counts, |t, p| (t - p) * (t - p))
    }

    /// Mean absolute error.
    pub fn mae(&self, counts: &[u32]) -> f64 {
        self.mean(counts, |t, p| (t - p).abs())
    }

    /// Spearman's rank correlation, ties sharing their mean rank; `None` where either side is constant.
    pub fn spearman(&self, counts: &[u32]) -> Option<f64> {
        let (truth, predicted) = (self.truth.ranks(counts), self.predicted.ranks(counts));
        let total: f64 = counts.iter().map(|&c| f64::from(c)).sum();
        // The mean rank is known, so the sums are of centred ranks.
        let centre = (total + 1.0) / 2.0;
        let (mut both, mut of_truth, mut of_predicted) = (0.0, 0.0, 0.0);
        for ((t, p), &count) in truth.iter().zip(&predicted).zip(counts) {
            let (t, p, weight) = (t - centre, p - centre, f64::from(count));
            both += weight * t * p;
            of_truth += weight * t * t;
            of_predicted += weight * p * p;
        }
        (of_truth > 0.0 && of_predicted > 0.0).then(|| (both / (of_truth * of_predicted).sqrt()).clamp(-1.0, 1.0))
    }

    /// Quadratic-weighted kappa on the values: one less the mean squared error over what it would be were truth and
    /// prediction independent. On equally spaced levels this is the usual kappa of the levels' numbers. `None` where
    /// both are one and the same constant.
    pub fn quadratic_kappa(&self, counts: &[u32]) -> Option<f64> {
        let mean_truth = self.mean(counts, |t, _| t);
        let mean_predicted = self.mean(counts, |_, p| p);
        let spread = self.mean(counts, |t, p| (t - mean_truth).powi(2) + (p - mean_predicted).powi(2));
        let chance = spread + (mean_truth - mean_predicted).powi(2);
        (chance > 0.0).then(|| 1.0 - self.mse(counts) / chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of scipy's `spearmanr` and scikit-learn's `cohen_kappa_score(weights="quadratic")`.
    #[test]
    fn agrees_with_scipy_and_scikit_learn() {
        let truth = vec![1., 2., 3., 4., 5., 3., 2., 4., 1., 5., 5., 2.];
        let predicted = vec![1., 3., 3., 4., 4., 2., 2., 5., 2., 5., 3., 1.];
        let ordinal = Ordinal::new(truth, predicted).unwrap();
        let ones = [1; 12];
        assert!((ordinal.spearman(&ones).unwrap() - 0.7945454545454546).abs() < 1e-12);
        assert!((ordinal.quadratic_kappa(&ones).unwrap() - 0.7833935018050542).abs() < 1e-12);
        assert!((ordinal.mse(&ones) - 10.0 / 12.0).abs() < 1e-12);
        assert!((ordinal.mae(&ones) - 8.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn constants_have_no_correlation() {
        let constant = Ordinal::new(vec![2.0; 3], vec![2.0; 3]).unwrap();
        assert_eq!((constant.spearman(&[1; 3]), constant.quadratic_kappa(&[1; 3])), (None, None));
        assert!(Ordinal::new(vec![], vec![]).is_err());
        assert!(Ordinal::new(vec![1.0], vec![f64::NAN]).is_err());
    }

    proptest! {
        #[test]
        fn counts_are_repetitions(rows in prop::collection::vec((0_u8..6, 0_u8..6, 0_u32..4), 2..40)) {
            let repeat = |f: fn(&(u8, u8, u32)) -> u8| -> Vec<f64> {
                rows.iter().flat_map(|r| std::iter::repeat_n(f64::from(f(r)), r.2 as usize)).collect()
            };
            let (truth, predicted) = (repeat(|r| r.0), repeat(|r| r.1));
            prop_assume!(!truth.is_empty());
            let ones = vec![1; truth.len()];
            let repeated = Ordinal::new(truth, predicted).unwrap();
            let counts: Vec<u32> = rows.iter().map(|r| r.2).collect();
            let counted = Ordinal::new(
                rows.iter().map(|r| f64::from(r.0)).collect(),
                rows.iter().map(|r| f64::from(r.1)).collect(),
            )
            .unwrap();
            prop_assert!((counted.mse(&counts) - repeated.mse(&ones)).abs() < 1e-12);
            for (a, b) in [
                (counted.spearman(&counts), repeated.spearman(&ones)),
                (counted.quadratic_kappa(&counts), repeated.quadratic_kappa(&ones)),
            ] {
                match (a, b) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9 && (-1.0..=1.0).contains(&a)),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }
}
