//! Intervals for a proportion: exact (Clopper–Pearson), one-sided exact bounds, and Wilson's.
//!
//! The exact interval is the project's default because its promise holds at every n; Wilson's is shorter on average
//! but may miss its level. Where a statistic is not a proportion, see [`super::resampling`].

use serde::{Deserialize, Serialize};

use super::special::{inverse_incomplete_beta, normal_quantile};

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in the interval.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The two-sided Clopper–Pearson interval for `successes` of `trials` at `level` (0.95 for 95%).
///
/// Of no trials nothing is known: `[0, 1]`. `successes` above `trials` count as `trials`.
pub fn clopper_pearson(successes: u64, trials: u64, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    Interval { low: lower_tail(successes, trials, tail), high: upper_tail(successes, trials, tail) }
}

/// The exact one-sided lower bound: with probability at least `assurance` the true proportion is above it.
pub fn clopper_pearson_lower(successes: u64, trials: u64, assurance: f64) -> f64 {
    lower_tail(successes, trials, 1.0 - assurance)
}

/// The exact one-sided upper bound: with probability at least `assurance` the true proportion is below it.
pub fn clopper_pearson_upper(successes: u64, trials: u64, assurance: f64) -> f64 {
    upper_tail(successes, trials, 1.0 - assurance)
}

fn lower_tail(successes: u64, trials: u64, tail: f64) -> f64 {
    let k = successes.min(trials);
    if k == 0 { 0.0 } else { inverse_incomplete_beta(k as f64, (trials - k) as f64 + 1.0, tail) }
}

fn upper_tail(successes: u64, trials: u64, tail: f64) -> f64 {
    let k = successes.min(trials);
    // The mirror image keeps the digits of a bound that is nearly 1.
    if k == trials { 1.0 } else { 1.0 - inverse_incomplete_beta((trials - k) as f64, k as f64 + 1.0, tail) }
}

/// Wilson's score interval for `successes` of `trials` at `level`; `[0, 1]` of no trials.
pub fn wilson(successes: u64, trials: u64, level: f64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, z) = (trials as f64, normal_quantile(0.5 + level / 2.0));
    let p = successes.min(trials) as f64 / n;
    let square = z * z / n;
    let centre = (p + square / 2.0) / (1.0 + square);
    let half = z / (1.0 + square) * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt();
    // At the ends the formula gives exactly 0 and 1 but for rounding.
    let low = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes >= trials { 1.0 } else { (centre + half).min(1.0) };
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::special::{binomial_lower_tail, binomial_upper_tail};
    use proptest::prelude::*;

    /// Values of scipy's `binomtest(k, n).proportion_ci` with methods `exact` and `wilson`.
    #[test]
    fn known_intervals() {
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.308_497_107_818_762_94),
            (10, 10, 0.691_502_892_181_237_1, 1.0),
            (7, 10, 0.347_547_149_939_992_1, 0.933_260_488_822_265_5),
            (0, 0, 0.0, 1.0),
        ] {
            let interval = clopper_pearson(k, n, 0.95);
            assert!((interval.low - low).abs() < 1e-10 && (interval.high - high).abs() < 1e-10, "{k}/{n} {interval:?}");
        }
        let interval = wilson(7, 10, 0.95);
        assert!(
            (interval.low - 0.396_778_147_461_145_26).abs() < 1e-12
                && (interval.high - 0.892_208_732_593_699).abs() < 1e-12
        );
        assert_eq!(wilson(0, 5, 0.95).low, 0.0);
        assert_eq!(wilson(5, 5, 0.95).high, 1.0);
        assert_eq!(wilson(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
        assert_eq!(clopper_pearson_upper(3, 3, 0.9), 1.0);
        assert_eq!(clopper_pearson_lower(0, 3, 0.9), 0.0);
    }

    proptest! {
        /// The definition: at a bound, the observed count or a more extreme one has exactly the tail's probability.
        #[test]
        fn bounds_solve_their_equation(n in 1_u64..3000, share in 0.0_f64..=1.0, level in 0.5_f64..0.999) {
            let k = (share * n as f64).round() as u64;
            let tail = (1.0 - level) / 2.0;
            let interval = clopper_pearson(k, n, level);
            prop_assert!(interval.low <= k as f64 / n as f64 && k as f64 / n as f64 <= interval.high);
            if k > 0 {
                prop_assert!((binomial_upper_tail(k, n, interval.low) - tail).abs() < 1e-9);
            }
            if k < n {
                prop_assert!((binomial_lower_tail(k, n, interval.high) - tail).abs() < 1e-9);
            }
            let wilson = wilson(k, n, level);
            prop_assert!(0.0 <= wilson.low && wilson.low <= wilson.high && wilson.high <= 1.0);
        }
    }
}
