//! The bootstrap: intervals for any statistic of rows, reproducible from a seed.
//!
//! A resample is not a copy of the rows but how often each of them is drawn, so a statistic that works on sorted rows
//! sorts once. Every resample has its own random stream, numbered by its index: the result does not depend on the
//! number of threads. One set of resamples serves any number of statistics.
//!
//! Intervals are bias-corrected and accelerated (BCa, Efron 1987) where a statistic is smooth in the rows. Errors that
//! noise can only raise (ECE and its kind) need another: a resample has the noise of the data and its own on top, so
//! its quantiles lie too high and may miss the truth every time. For these the deviations of the resamples are
//! measured from the value and from the resamples' mean, and each end takes the one that reaches further. In
//! simulations with 100 and 1,000 rows, calibrated and not, that covered the true binned and smooth errors in 89% to
//! 99% of the samples at the 95% level (together with [`super::metrics::report`]'s look at the null), where BCa and
//! percentiles covered 0% for a calibrated model.
//!
//! A statistic may be undefined on a resample (an AUC that drew one class); such resamples are left out, and if most
//! are, there is no interval.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::intervals::Interval;
use super::special::{normal_cdf, normal_quantile};
use crate::numeric::{pow, sum};
use crate::platform::map_indices;

/// Rows are left out in this many groups for the acceleration, one by one where there are fewer rows.
const JACKKNIFE_GROUPS: usize = 100;

/// What is resampled, how often, from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resampling {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the random streams.
    pub seed: u64,
    /// Level of the intervals, 0.95 for 95%.
    pub level: f64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { resamples: 2000, seed: 42, level: 0.95 }
    }
}

/// How an interval is read off the resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The resamples' quantiles.
    Percentile,
    /// Quantiles shifted for the statistic's bias and for how its spread changes with its value.
    Bca,
    /// The resamples' deviations turned around the value, for errors that noise can only raise.
    Pivotal,
}

/// The random stream with this number: independent of all others from the same seed.
pub fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

/// Draws `counts.len()` rows (fewer than 2^32) with replacement and counts how often each comes.
pub fn draw_counts(random: &mut ChaCha8Rng, counts: &mut [u32]) {
    counts.fill(0);
    let rows = counts.len() as u64;
    // Lemire's method: the high half of a product is uniform once its few surplus low halves are drawn again.
    let surplus = (1_u64 << 32) % rows.max(1);
    for _ in 0..counts.len() {
        let row = loop {
            let product = u64::from(random.next_u32()) * rows;
            if product & 0xFFFF_FFFF >= surplus {
                break product >> 32;
            }
        };
        counts[row as usize] += 1;
    }
}

/// Statistics on all rows, on the resamples and on the jackknife's samples; an undefined value is NaN inside.
#[derive(Debug, Clone)]
pub struct Replicates {
    values: Vec<f64>,
    /// Per statistic, ascending, the undefined left out.
    resampled: Vec<Vec<f64>>,
    accelerations: Vec<f64>,
    resamples: usize,
}

/// Computes `statistics` statistics on `rows` rows and on resamples of them.
///
/// `compute(counts, out)` fills `out` (one place a statistic, NaN where undefined) for the rows counted `counts` times.
pub fn bootstrap(
    rows: usize,
    statistics: usize,
    resampling: Resampling,
    compute: impl Fn(&[u32], &mut [f64]) + Sync + Send,
) -> Replicates {
    let evaluate = |counts: &[u32]| {
        let mut out = vec![f64::NAN; statistics];
        compute(counts, &mut out);
        out
    };
    let drawn = map_indices(resampling.resamples, |index| {
        let mut counts = vec![0; rows];
        draw_counts(&mut stream(resampling.seed, index as u64 + 1), &mut counts);
        evaluate(&counts)
    });
    let groups = jackknife_groups(rows, resampling.seed);
    let number_of_groups = rows.min(JACKKNIFE_GROUPS);
    let left_out = map_indices(if rows > 1 { number_of_groups } else { 0 }, |group| {
        let counts: Vec<u32> = groups.iter().map(|&g| u32::from(g as usize != group)).collect();
        evaluate(&counts)
    });
    let column = |table: &[Vec<f64>], statistic: usize| -> Vec<f64> {
        table.iter().map(|row| row[statistic]).filter(|value| value.is_finite()).collect()
    };
    let resampled = (0..statistics)
        .map(|statistic| {
            let mut values = column(&drawn, statistic);
            values.sort_unstable_by(f64::total_cmp);
            values
        })
        .collect();
    Replicates {
        values: evaluate(&vec![1; rows]),
        resampled,
        accelerations: (0..statistics).map(|statistic| acceleration(&column(&left_out, statistic))).collect(),
        resamples: resampling.resamples,
    }
}

/// A group for each row, the groups of equal size, at random.
fn jackknife_groups(rows: usize, seed: u64) -> Vec<u32> {
    let mut groups: Vec<u32> = (0..rows).map(|row| (row % JACKKNIFE_GROUPS) as u32).collect();
    let mut random = stream(seed, 0);
    for last in (1..rows).rev() {
        let other = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        groups.swap(last, other as usize);
    }
    groups
}

/// BCa's acceleration: a sixth of the skewness of the jackknife's influences.
fn acceleration(left_out: &[f64]) -> f64 {
    if left_out.len() < 3 {
        return 0.0;
    }
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in left_out {
        let influence = mean - value;
        squares += influence * influence;
        cubes += influence * influence * influence;
    }
    let acceleration = cubes / (6.0 * pow(squares, 1.5));
    if acceleration.is_finite() { acceleration } else { 0.0 }
}

impl Replicates {
    /// The statistic on all rows; `None` where undefined.
    pub fn value(&self, statistic: usize) -> Option<f64> {
        crate::numeric::finite(self.values[statistic])
    }

    /// The statistic on the resamples, ascending, the undefined left out.
    pub fn resampled(&self, statistic: usize) -> &[f64] {
        &self.resampled[statistic]
    }

    /// The interval of a statistic; `None` where it is undefined on the rows or on half of the resamples.
    pub fn interval(&self, statistic: usize, level: f64, method: Method) -> Option<Interval> {
        let value = self.value(statistic)?;
        let sorted = &self.resampled[statistic];
        if sorted.len() < 2 || 2 * sorted.len() < self.resamples {
            return None;
        }
        let tail = (1.0 - level) / 2.0;
        let (low, high) = match method {
            Method::Percentile | Method::Pivotal => (tail, 1.0 - tail),
            Method::Bca => bca_levels(sorted, value, self.accelerations[statistic], tail),
        };
        let (low, high) = (quantile(sorted, low), quantile(sorted, high));
        if method == Method::Pivotal {
            let mean = sum(sorted.iter().copied()) / sorted.len() as f64;
            return Some(Interval {
                low: value - (high - value.min(mean)).max(0.0),
                high: value + (value.max(mean) - low).max(0.0),
            });
        }
        Some(Interval { low, high })
    }

    /// A two-sided p-value of "the statistic is 0": the share of resamples that lie further from their mean than the
    /// value lies from 0; at least one over the number of resamples.
    pub fn p_value(&self, statistic: usize) -> Option<f64> {
        let value = self.value(statistic)?;
        let sorted = &self.resampled[statistic];
        if 2 * sorted.len() < self.resamples.max(1) {
            return None;
        }
        let mean = sum(sorted.iter().copied()) / sorted.len() as f64;
        let further = sorted.iter().filter(|v| (*v - mean).abs() >= value.abs()).count();
        Some((further as f64 + 1.0) / (sorted.len() as f64 + 1.0))
    }
}

/// The levels that BCa reads instead of `tail` and `1 − tail`.
fn bca_levels(sorted: &[f64], value: f64, acceleration: f64, tail: f64) -> (f64, f64) {
    let below = sorted.partition_point(|&v| v < value) as f64;
    let at_or_below = sorted.partition_point(|&v| v <= value) as f64;
    // Half of the ties count as below; never all or none, of which the quantile is infinite.
    let count = sorted.len() as f64;
    let share = ((below + at_or_below) / 2.0).clamp(0.5, count - 0.5) / count;
    let bias = normal_quantile(share);
    let level = |z: f64| {
        let shifted = bias + z;
        let scale = 1.0 - acceleration * shifted;
        if scale <= 0.0 { f64::from(u8::from(shifted > 0.0)) } else { normal_cdf(bias + shifted / scale) }
    };
    let z = normal_quantile(1.0 - tail);
    (level(-z), level(z))
}

/// The quantile of ascending `sorted` values at `level`, linear between neighbours (type 7); NaN of none.
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = level.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean_of(data: &[f64]) -> impl Fn(&[u32], &mut [f64]) + Sync + Send + '_ {
        |counts, out| {
            let total: u32 = counts.iter().sum();
            out[0] = data.iter().zip(counts).map(|(x, &c)| x * f64::from(c)).sum::<f64>() / f64::from(total);
        }
    }

    #[test]
    fn quantiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (level, value) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&sorted, level) - value).abs() < 1e-12, "{level}");
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn counts_are_a_multinomial_draw() {
        let mut total = vec![0_u64; 10];
        let mut squares = 0.0;
        for index in 0..5000 {
            let mut counts = vec![0; 10];
            draw_counts(&mut stream(3, index), &mut counts);
            assert_eq!(counts.iter().sum::<u32>(), 10);
            for (sum, &count) in total.iter_mut().zip(&counts) {
                *sum += u64::from(count);
            }
            squares += counts.iter().map(|&c| f64::from(c).powi(2)).sum::<f64>();
        }
        for sum in total {
            assert!((sum as f64 - 5000.0).abs() < 5.0 * (5000.0_f64 * 0.9).sqrt(), "{sum}");
        }
        // E[count²] of a binomial(10, 0.1) is 0.9 + 1.
        assert!((squares / 50_000.0 - 1.9).abs() < 0.05);
    }

    /// BCa agrees with `scipy.stats.bootstrap(method="BCa", n_resamples=200000)` on a skewed sample.
    #[test]
    fn bca_agrees_with_scipy() {
        let data = [0.1, 0.2, 0.2, 0.3, 0.5, 0.6, 0.8, 1.1, 1.7, 2.6, 3.9, 7.5];
        let resampling = Resampling { resamples: 100_000, seed: 1, level: 0.95 };
        let replicates = bootstrap(data.len(), 1, resampling, mean_of(&data));
        for (method, low, high) in [(Method::Bca, 0.7833, 3.4500), (Method::Percentile, 0.6250, 2.9417)] {
            let interval = replicates.interval(0, 0.95, method).unwrap();
            assert!(
                (interval.low - low).abs() < 0.02 && (interval.high - high).abs() < 0.04,
                "{method:?} {interval:?}"
            );
        }
    }

    #[test]
    fn undefined_statistics_have_no_interval() {
        let replicates = bootstrap(5, 3, Resampling::default(), |counts, out| {
            out[1] = if counts[0] > 0 { 1.0 } else { f64::NAN };
            out[2] = if counts[0] == 1 { 1.0 } else { f64::NAN };
        });
        assert_eq!(replicates.value(0), None);
        assert_eq!(replicates.interval(0, 0.95, Method::Bca), None);
        assert_eq!(replicates.interval(1, 0.95, Method::Bca), Some(Interval { low: 1.0, high: 1.0 }));
        assert_eq!(replicates.interval(2, 0.95, Method::Bca), None);
        assert!(replicates.p_value(0).is_none());
    }

    #[test]
    fn single_rows_do_not_break_it() {
        let replicates = bootstrap(1, 1, Resampling::default(), mean_of(&[0.5]));
        assert_eq!(replicates.interval(0, 0.95, Method::Bca), Some(Interval { low: 0.5, high: 0.5 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn reproducible_and_ordered(data in prop::collection::vec(-1.0_f64..1.0, 2..40), seed in any::<u64>()) {
            let resampling = Resampling { resamples: 300, seed, level: 0.9 };
            let first = bootstrap(data.len(), 1, resampling, mean_of(&data));
            let second = bootstrap(data.len(), 1, resampling, mean_of(&data));
            prop_assert_eq!(first.resampled(0), second.resampled(0));
            for method in [Method::Percentile, Method::Bca, Method::Pivotal] {
                let interval = first.interval(0, 0.9, method).unwrap();
                prop_assert!(interval.low <= interval.high && interval.low.is_finite() && interval.high.is_finite());
                prop_assert!(first.interval(0, 0.5, method).unwrap().low >= interval.low);
            }
        }
    }
}
