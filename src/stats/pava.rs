//! Isotonic regression by pooling adjacent violators: the core of isotonic calibration, CORP and Venn–Abers.
//!
//! Three layers, each usable alone: [`ascending_order`] sorts a million scores stably and fast (keys are sorted as
//! integers, not through an index indirection), [`pool`] runs PAVA over values that are already in order, and
//! [`isotonic`] does both with tied scores pooled first, as they must share one fitted value.

use crate::error::{Error, Result};

/// A run of neighbours with one fitted value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// First position of the run.
    pub start: usize,
    /// One past its last position.
    pub end: usize,
    /// Weighted mean of the run's values.
    pub value: f64,
    /// Sum of its weights.
    pub weight: f64,
}

/// The order that sorts `scores` upwards, equal scores in input order; -0 counts as 0.
///
/// # Errors
/// A score is not finite, or there are more than `u32::MAX` of them.
pub fn ascending_order(scores: &[f64]) -> Result<Vec<u32>> {
    if scores.len() > u32::MAX as usize {
        return Err(Error::unsupported(format!("{} rows are more than can be sorted", scores.len())));
    }
    // Score and position in one integer: sorting integers needs neither an indirection nor a stable algorithm.
    let mut keys = Vec::with_capacity(scores.len());
    for (row, &score) in scores.iter().enumerate() {
        if !score.is_finite() {
            return Err(not_finite(row, score));
        }
        keys.push((u128::from(order_bits(score)) << 32) | row as u128);
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|key| key as u32).collect())
}

fn not_finite(row: usize, score: f64) -> Error {
    Error::input(format!("row {}: the score {score} is not a finite number", row + 1))
        .in_field("score")
        .help("remove the row or repair the score")
}

/// An integer with the order of a finite float.
fn order_bits(value: f64) -> u64 {
    // Adding zero turns -0 into 0.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
}

/// The float that [`order_bits`] came from.
fn from_order_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// PAVA over `values` in their order: the non-decreasing step function nearest in weighted squares, as its runs.
/// Neighbouring runs have strictly increasing values. `weights` are positive and as many as `values`.
pub fn pool(values: &[f64], weights: &[f64]) -> Vec<Pool> {
    let mut stack: Vec<(usize, f64, f64)> = Vec::new();
    for (position, (&value, &weight)) in values.iter().zip(weights).enumerate() {
        let (mut start, mut sum, mut total) = (position, value * weight, weight);
        // Means are compared by cross-multiplication: no division until the runs are final.
        while let Some(&(earlier, earlier_sum, earlier_total)) = stack.last()
            && earlier_sum * total >= sum * earlier_total
        {
            stack.pop();
            start = earlier;
            sum += earlier_sum;
            total += earlier_total;
        }
        stack.push((start, sum, total));
    }
    let mut pools: Vec<Pool> = stack
        .iter()
        .map(|&(start, sum, weight)| Pool { start, end: values.len(), value: sum / weight, weight })
        .collect();
    for index in 1..pools.len() {
        pools[index - 1].end = pools[index].start;
    }
    pools
}

/// A run of scores with one fitted value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Lowest score of the run.
    pub low: f64,
    /// Highest score of the run.
    pub high: f64,
    /// Weighted mean of its scores (where centered isotonic regression puts the point).
    pub centre: f64,
    /// The fitted value: the weighted mean of its targets.
    pub value: f64,
    /// Sum of its weights (the number of rows, without weights).
    pub weight: f64,
}

/// A fitted isotonic regression: blocks of increasing scores with strictly increasing values.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    blocks: Vec<Block>,
}

impl Isotonic {
    /// The blocks, in increasing order; at least one.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The corners of the fitted function: (score, value) with increasing scores, linear between them, constant
    /// outside.
    pub fn knots(&self) -> Vec<(f64, f64)> {
        let mut knots = Vec::with_capacity(2 * self.blocks.len());
        for block in &self.blocks {
            knots.push((block.low, block.value));
            if block.high > block.low {
                knots.push((block.high, block.value));
            }
        }
        knots
    }

    /// The fitted value at `score`: linear between the knots, constant outside them.
    pub fn predict(&self, score: f64) -> f64 {
        let after = self.blocks.partition_point(|block| block.low <= score);
        let Some(next) = self.blocks.get(after) else {
            return self.blocks[after - 1].value;
        };
        let Some(block) = after.checked_sub(1).map(|index| &self.blocks[index]) else {
            return next.value;
        };
        if score <= block.high {
            return block.value;
        }
        block.value + (next.value - block.value) * ((score - block.high) / (next.low - block.high))
    }
}

/// The isotonic regression of `targets` on `scores`, tied scores pooled first. `weights` default to 1; rows of weight
/// 0 are left out. The rows' order makes no difference, not even in the last bit.
///
/// # Errors
/// No rows of positive weight, slices of different lengths, a score or target that is not finite, a weight that is
/// negative or not finite.
pub fn isotonic(scores: &[f64], targets: &[f64], weights: Option<&[f64]>) -> Result<Isotonic> {
    check(scores, targets, weights)?;
    let mut pooling = Pooling::default();
    if let Some(weights) = weights {
        let mut rows: Vec<(u64, u64, u64)> = (0..scores.len())
            .filter(|&row| weights[row] > 0.0)
            .map(|row| (order_bits(scores[row]), order_bits(targets[row]), order_bits(weights[row])))
            .collect();
        rows.sort_unstable();
        for (score, target, weight) in rows {
            pooling.push(from_order_bits(score), from_order_bits(target), from_order_bits(weight));
        }
    } else if scores.iter().all(|&s| s >= 0.0) && targets.iter().all(|&t| t == 0.0 || t == 1.0) {
        // Outcomes of scores in [0, 1], the usual case: the sign bit is free, so a row fits into 64 bits.
        let mut rows: Vec<u64> =
            scores.iter().zip(targets).map(|(&s, &t)| (order_bits(s) << 1) | u64::from(t == 1.0)).collect();
        rows.sort_unstable();
        for row in rows {
            pooling.push(from_order_bits((row >> 1) | (1 << 63)), f64::from((row & 1) as u32), 1.0);
        }
    } else {
        let mut rows: Vec<(u64, u64)> =
            scores.iter().zip(targets).map(|(&s, &t)| (order_bits(s), order_bits(t))).collect();
        rows.sort_unstable();
        for (score, target) in rows {
            pooling.push(from_order_bits(score), from_order_bits(target), 1.0);
        }
    }
    let blocks = pooling.finish();
    if blocks.is_empty() {
        return Err(Error::input("there are no rows to fit").help("give at least one row with a positive weight"));
    }
    Ok(Isotonic { blocks })
}

fn check(scores: &[f64], targets: &[f64], weights: Option<&[f64]>) -> Result<()> {
    if scores.len() != targets.len() || weights.is_some_and(|w| w.len() != scores.len()) {
        return Err(Error::internal(format!(
            "{} scores, {} targets and {} weights do not belong together",
            scores.len(),
            targets.len(),
            weights.map_or(scores.len(), <[f64]>::len)
        )));
    }
    if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
        return Err(not_finite(row, scores[row]));
    }
    if let Some(row) = targets.iter().position(|target| !target.is_finite()) {
        return Err(Error::input(format!("row {}: the target {} is not a finite number", row + 1, targets[row])));
    }
    if let Some(weights) = weights
        && let Some(row) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0))
    {
        return Err(Error::input(format!("row {}: the weight {} is not a finite number ≥ 0", row + 1, weights[row])));
    }
    Ok(())
}

/// PAVA over rows that arrive in increasing order of score; only the blocks found so far are held.
#[derive(Default)]
struct Pooling {
    stack: Vec<Run>,
    tie: Option<Run>,
}

/// A run of scores with the sums over its rows.
#[derive(Clone, Copy)]
struct Run {
    low: f64,
    high: f64,
    weighted_scores: f64,
    weighted_targets: f64,
    weight: f64,
}

impl Run {
    /// This run, extended by the one after it.
    fn join(self, next: Run) -> Run {
        Run {
            low: self.low,
            high: next.high,
            weighted_scores: self.weighted_scores + next.weighted_scores,
            weighted_targets: self.weighted_targets + next.weighted_targets,
            weight: self.weight + next.weight,
        }
    }
}

impl Pooling {
    fn push(&mut self, score: f64, target: f64, weight: f64) {
        let row =
            Run { low: score, high: score, weighted_scores: score * weight, weighted_targets: target * weight, weight };
        self.tie = match self.tie {
            Some(tie) if tie.high == score => Some(tie.join(row)),
            Some(tie) => {
                self.settle(tie);
                Some(row)
            }
            None => Some(row),
        };
    }

    /// Adds a complete tie and pools every violator it makes.
    fn settle(&mut self, mut run: Run) {
        while let Some(&before) = self.stack.last()
            && before.weighted_targets * run.weight >= run.weighted_targets * before.weight
        {
            self.stack.pop();
            run = before.join(run);
        }
        self.stack.push(run);
    }

    fn finish(mut self) -> Vec<Block> {
        if let Some(tie) = self.tie.take() {
            self.settle(tie);
        }
        let block = |run: &Run| Block {
            low: run.low,
            high: run.high,
            centre: (run.weighted_scores / run.weight).clamp(run.low, run.high),
            value: run.weighted_targets / run.weight,
            weight: run.weight,
        };
        self.stack.iter().map(block).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(rows: &[(f64, f64)]) -> Isotonic {
        let (scores, targets): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        isotonic(&scores, &targets, None).unwrap()
    }

    #[test]
    fn pools_violators() {
        for (values, expected) in [
            (vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 3.0]),
            (vec![3.0, 2.0, 1.0], vec![2.0, 2.0, 2.0]),
            (vec![1.0, 3.0, 2.0, 4.0], vec![1.0, 2.5, 2.5, 4.0]),
            (vec![0.0, 1.0, 0.0, 0.0, 1.0], vec![0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0]),
            (vec![], vec![]),
        ] {
            let fitted: Vec<f64> =
                pool(&values, &vec![1.0; values.len()]).iter().flat_map(|p| vec![p.value; p.end - p.start]).collect();
            assert_eq!(fitted, expected, "{values:?}");
        }
    }

    #[test]
    fn weights_count_as_repeated_rows() {
        let scores = [0.1, 0.4, 0.4, 0.9];
        let targets = [1.0, 0.0, 1.0, 1.0];
        let weighted = isotonic(&scores, &targets, Some(&[2.0, 3.0, 1.0, 0.0])).unwrap();
        let repeated = fit(&[(0.1, 1.0), (0.1, 1.0), (0.4, 0.0), (0.4, 0.0), (0.4, 0.0), (0.4, 1.0)]);
        assert_eq!(weighted, repeated);
        assert_eq!(weighted.blocks().len(), 1);
        assert_eq!(weighted.predict(0.9), 0.5);
    }

    #[test]
    fn interpolates_between_blocks_and_clips_outside() {
        let fitted = fit(&[(0.2, 0.0), (0.4, 0.0), (0.8, 1.0), (0.6, 1.0)]);
        for (score, value) in [(0.0, 0.0), (0.2, 0.0), (0.3, 0.0), (0.4, 0.0), (0.6, 1.0), (0.7, 1.0), (1.0, 1.0)] {
            assert_eq!(fitted.predict(score), value, "{score}");
        }
        assert!((fitted.predict(0.5) - 0.5).abs() < 1e-15);
        assert_eq!(fitted.knots(), [(0.2, 0.0), (0.4, 0.0), (0.6, 1.0), (0.8, 1.0)]);
        assert_eq!(fit(&[(0.5, 1.0)]).predict(0.1), 1.0);
    }

    #[test]
    fn refuses_what_has_no_fit() {
        assert!(isotonic(&[], &[], None).is_err());
        assert!(isotonic(&[0.1], &[1.0], Some(&[0.0])).is_err());
        assert!(isotonic(&[0.1], &[1.0], Some(&[-1.0])).is_err());
        assert!(isotonic(&[0.1], &[f64::NAN], None).is_err());
        assert!(isotonic(&[0.1], &[], None).is_err());
        let error = isotonic(&[0.1, f64::NAN], &[1.0, 0.0], None).unwrap_err();
        assert!(error.to_string().contains("row 2"), "{error}");
    }

    #[test]
    fn zero_is_zero_and_order_is_stable() {
        assert_eq!(ascending_order(&[0.0, -0.0, -1.0, 0.0, 1.0, -2.0]).unwrap(), [5, 2, 0, 1, 3, 4]);
    }

    proptest! {
        /// The optimality conditions of isotonic regression: monotone, block means, and no prefix of a block lies
        /// below the block's value (else it could be split for a better fit).
        #[test]
        fn satisfies_the_optimality_conditions(rows in prop::collection::vec((0_u8..40, any::<bool>()), 1..200)) {
            let rows: Vec<(f64, f64)> =
                rows.iter().map(|&(s, t)| (f64::from(s) / 40.0, f64::from(u8::from(t)))).collect();
            let fitted = fit(&rows);
            for pair in fitted.blocks().windows(2) {
                prop_assert!(pair[0].value < pair[1].value && pair[0].high < pair[1].low);
            }
            for block in fitted.blocks() {
                let members: Vec<_> = rows.iter().filter(|r| (block.low..=block.high).contains(&r.0)).collect();
                let mean = members.iter().map(|r| r.1).sum::<f64>() / members.len() as f64;
                prop_assert!((mean - block.value).abs() < 1e-12);
                prop_assert_eq!(members.len() as f64, block.weight);
                for cut in members.iter().map(|r| r.0) {
                    let head: Vec<_> = members.iter().filter(|r| r.0 <= cut).map(|r| r.1).collect();
                    prop_assert!(head.iter().sum::<f64>() / head.len() as f64 >= block.value - 1e-12);
                }
            }
        }

        #[test]
        fn order_does_not_matter(mut rows in prop::collection::vec((0.0_f64..1.0, 0_u8..2), 1..100), probe in 0.0_f64..1.0) {
            let as_rows = |rows: &[(f64, u8)]| rows.iter().map(|r| (r.0, f64::from(r.1))).collect::<Vec<_>>();
            let before = fit(&as_rows(&rows)).predict(probe);
            rows.reverse();
            prop_assert_eq!(before, fit(&as_rows(&rows)).predict(probe));
        }

        /// The three layouts of the rows (outcomes, any targets, weights) give the same fit.
        #[test]
        fn layouts_agree(rows in prop::collection::vec((0_u8..50, any::<bool>()), 1..100)) {
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 50.0).collect();
            let targets: Vec<f64> = rows.iter().map(|r| f64::from(u8::from(r.1))).collect();
            let plain = isotonic(&scores, &targets, None).unwrap();
            prop_assert_eq!(&plain, &isotonic(&scores, &targets, Some(&vec![1.0; rows.len()])).unwrap());
            let shifted: Vec<f64> = targets.iter().map(|t| t + 1.0).collect();
            let general = isotonic(&scores, &shifted, None).unwrap();
            prop_assert_eq!(plain.blocks().len(), general.blocks().len());
            for (a, b) in plain.blocks().iter().zip(general.blocks()) {
                prop_assert!((a.value + 1.0 - b.value).abs() < 1e-12 && a.low == b.low && a.high == b.high);
            }
        }
    }
}
