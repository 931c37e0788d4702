//! Two runs on the same rows: exact McNemar test and bootstrap of the differences.
//!
//! Both runs saw the same rows, so their errors are correlated and separate intervals that overlap say little. Here
//! every resample draws the rows once, for both runs.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::evaluation::{Evaluation, Row, interval_method, names};
use super::report::{Estimate, Options};
use crate::error::{Error, Result};
use crate::stats::resampling::bootstrap;
use crate::stats::special::binomial_lower_tail;

/// McNemar's test of two runs' correctness.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only the first run got right.
    pub only_first: u64,
    /// Rows that only the second run got right.
    pub only_second: u64,
    /// Two-sided exact p-value of "both are equally accurate"; 1 where the runs never disagree.
    pub p_value: f64,
}

/// McNemar's exact test: of the rows that only one run got right, each run should have half.
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let p_value = (2.0 * binomial_lower_tail(only_first.min(only_second), only_first + only_second, 0.5)).min(1.0);
    McNemar { only_first, only_second, p_value }
}

/// How the second run differs from the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows.
    pub n: usize,
    /// Exact test of the accuracies.
    pub mcnemar: McNemar,
    /// Per metric: second minus first, with the paired bootstrap's interval and p-value.
    pub differences: IndexMap<String, Difference>,
}

/// A difference of a metric, second run minus first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The difference with its interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Two-sided bootstrap p-value of "no difference".
    pub p_value: Option<f64>,
}

/// Two of several runs, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The first run's place.
    pub first: usize,
    /// The second run's place.
    pub second: usize,
    /// How the second differs from the first.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Compares two runs, row by row.
///
/// # Errors
/// Different numbers of rows, different true labels or texts in one row, or what [`Evaluation::new`] refuses.
pub fn compare(first: &[Row], second: &[Row], options: &Options) -> Result<Comparison> {
    let pair = compare_all(&[first, second], options)?.pop();
    pair.map(|pair| pair.comparison).ok_or_else(|| Error::internal("two runs gave no pair"))
}

/// Compares every two of several runs, row by row; every resample draws the rows once, for all runs. Pairs come in the
/// order (0, 1), (0, 2), … (1, 2), ….
///
/// # Errors
/// As [`compare`].
pub fn compare_all(runs: &[&[Row]], options: &Options) -> Result<Vec<Pair>> {
    let Some(first) = runs.first() else { return Ok(Vec::new()) };
    runs.iter().try_for_each(|run| same_rows(first, run))?;
    let prepare = |rows: &&[Row]| Evaluation::new(rows, options.bins, &options.labels, &options.values);
    let evaluations: Vec<Evaluation> = runs.iter().map(prepare).collect::<Result<_>>()?;
    let metrics = names().count();
    let places: Vec<(usize, usize)> =
        (0..runs.len()).flat_map(|first| (first + 1..runs.len()).map(move |second| (first, second))).collect();
    let differences = |values: &[Vec<f64>], out: &mut [f64]| {
        for (&(first, second), out) in places.iter().zip(out.chunks_mut(metrics)) {
            for (place, (a, b)) in out.iter_mut().zip(values[first].iter().zip(&values[second])) {
                *place = b - a;
            }
        }
    };
    let replicates = bootstrap(first.len(), metrics * places.len(), options.resampling, |counts, out| {
        let values: Vec<Vec<f64>> = (evaluations.iter())
            .map(|evaluation| {
                // Counts are of input rows; each run has its own sorted order.
                let sorted: Vec<u32> = evaluation.sample.order().iter().map(|&row| counts[row as usize]).collect();
                let mut values = vec![f64::NAN; evaluation.columns()];
                evaluation.compute(&sorted, &mut values);
                values
            })
            .collect();
        differences(&values, out);
    });
    let mut exact = vec![f64::NAN; metrics * places.len()];
    differences(&evaluations.iter().map(Evaluation::exact).collect::<Vec<_>>(), &mut exact);
    let level = options.resampling.level;
    let difference = |column: usize, name: &str| {
        let interval = replicates.interval(column, level, interval_method(name));
        let estimate = Estimate::new(exact[column], interval);
        let p_value = estimate.value.and_then(|_| replicates.p_value(column));
        Difference { estimate, p_value }
    };
    let only = |a: &[Row], b: &[Row]| a.iter().zip(b).filter(|(a, b)| a.correct && !b.correct).count() as u64;
    let pair = |(index, &(first, second)): (usize, &(usize, usize))| {
        let named = names().enumerate();
        let differences =
            named.map(|(column, name)| (name.to_string(), difference(index * metrics + column, name))).collect();
        let (a, b) = (runs[first], runs[second]);
        let comparison = Comparison { n: a.len(), mcnemar: mcnemar(only(a, b), only(b, a)), differences };
        Pair { first, second, comparison }
    };
    Ok(places.iter().enumerate().map(pair).collect())
}

/// Holm's step-down correction (1979): p-values that may be read side by side. The smallest of m is multiplied by m, the
/// next by m − 1, and so on, none falling below the one before it; results are in the given order.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![1.0; p_values.len()];
    let mut before: f64 = 0.0;
    for (rank, &place) in order.iter().enumerate() {
        before = before.max(p_values[place] * (p_values.len() - rank) as f64).min(1.0);
        corrected[place] = before;
    }
    corrected
}

fn same_rows(first: &[Row], second: &[Row]) -> Result<()> {
    if first.len() != second.len() {
        return Err(Error::input(format!("the runs have {} and {} rows", first.len(), second.len()))
            .help("compare runs on the same rows"));
    }
    let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    match first.iter().zip(second).position(|(a, b)| differ(&a.expected, &b.expected) || differ(&a.text, &b.text)) {
        Some(row) => Err(Error::input(format!("row {} is not the same in both runs", row + 1))
            .help("compare runs on the same rows, in the same order")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.stats.binomtest(min(b, c), b + c).pvalue`.
    #[test]
    fn mcnemar_is_the_exact_binomial_test() {
        for (b, c, p) in [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 0.021_484_375), (10, 2, 0.038_574_218_75), (0, 1, 1.0)] {
            assert!((mcnemar(b, c).p_value - p).abs() < 1e-12, "{b} {c}");
        }
    }

    fn rows(n: usize, right: impl Fn(usize) -> bool) -> Vec<Row> {
        (0..n)
            .map(|i| Row { confidence: 0.5 + (i * 37 % 50) as f64 / 100.0, correct: right(i), ..Row::default() })
            .collect()
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let run = rows(100, |i| i % 3 > 0);
        let comparison = compare(&run, &run, &Options::default()).unwrap();
        assert_eq!(comparison.mcnemar.p_value, 1.0);
        for (name, difference) in &comparison.differences {
            let Some(value) = difference.estimate.value else { continue };
            assert_eq!((value, difference.p_value), (0.0, Some(1.0)), "{name}");
        }
    }

    #[test]
    fn a_better_run_is_seen_and_mirrored() {
        let (poor, good) = (rows(300, |i| i % 2 > 0), rows(300, |i| i % 2 > 0 || i % 5 > 0));
        let there = compare(&poor, &good, &Options::default()).unwrap();
        let back = compare(&good, &poor, &Options::default()).unwrap();
        let (gain, loss) = (&there.differences["accuracy"], &back.differences["accuracy"]);
        assert!(gain.estimate.low.unwrap() > 0.3 && gain.p_value.unwrap() < 0.01, "{gain:?}");
        assert_eq!(gain.estimate.value, loss.estimate.value.map(|v| -v));
        assert!((gain.estimate.low.unwrap() + loss.estimate.high.unwrap()).abs() < 0.02);
        assert!(there.mcnemar.p_value < 1e-20 && there.mcnemar.only_first == 0);
    }

    /// Values of R's `p.adjust(p, "holm")`.
    #[test]
    fn holm_is_rs() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, known) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - known).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn several_runs_are_compared_as_two_are() {
        let runs = [rows(120, |i| i % 2 > 0), rows(120, |i| i % 3 > 0), rows(120, |i| i % 5 > 0)];
        let slices: Vec<&[Row]> = runs.iter().map(Vec::as_slice).collect();
        let all = compare_all(&slices, &Options::default()).unwrap();
        assert_eq!(all.iter().map(|pair| (pair.first, pair.second)).collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 2)]);
        assert_eq!(all[1].comparison, compare(&runs[0], &runs[2], &Options::default()).unwrap());
    }

    #[test]
    fn refuses_runs_on_other_rows() {
        let options = Options::default();
        assert!(compare(&rows(3, |_| true), &rows(4, |_| true), &options).is_err());
        let labelled = |label: &str| vec![Row { confidence: 0.5, expected: Some(label.into()), ..Row::default() }];
        let error = compare(&labelled("a"), &labelled("b"), &options).unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
    }
}
