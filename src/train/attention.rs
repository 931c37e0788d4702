//! Attention of a training pass: forward by the engine's kernel, backward here.
//!
//! Backward computes the shares again from queries and keys instead of keeping them: what they take grows with the square
//! of the length. A head of keys and values in a [`Unit`] is one piece of work, done in blocks of neighbouring queries
//! with five small products each (Dao 2022 has the formulas); pieces are spread over the threads, and what each adds to
//! the shared prefix's keys and values is summed in their order, so that a run can be repeated to the bit.

use std::ops::Range;

use super::pieces::lane_sum;
use super::product::Small;
use super::rows::{Rows, Unit};
use crate::engine::config::ModelConfig;
use crate::engine::cpu::attention::{Context, KeysAndValues, attention};
use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::engine::cpu::layers::{self, exponential};
use crate::platform;

/// Queries of a block; with more, more of what comes after them would be computed for nothing.
const BLOCK: usize = 64;

/// Queries of the active rows, and keys and values of all rows, rotated.
#[derive(Debug, Clone, Default)]
pub struct Attended {
    /// Active rows × query_width.
    pub queries: Vec<f32>,
    /// All rows × kv_width.
    pub keys: Vec<f32>,
    /// All rows × kv_width.
    pub values: Vec<f32>,
}

/// What the active rows attend to: active rows × query_width.
pub fn forward(config: &ModelConfig, rows: &Rows, active: &[usize], of: &Attended) -> Vec<f32> {
    let width = config.kv_width();
    let (in_prefix, in_segments) = rows.places(active);
    let split = rows.prefix * width;
    let (queries_before, queries) = of.queries.split_at(in_prefix.len() * config.query_width());
    let empty = KeysAndValues::default();
    let mut out = Vec::with_capacity(of.queries.len());
    if !in_prefix.is_empty() {
        let whole = std::iter::once(0..rows.prefix);
        let context = Context::new(&empty, &of.keys[..split], &of.values[..split], whole, width);
        out.extend(attention(config, queries_before, &context, &in_prefix));
    }
    let mut prefix = KeysAndValues::default();
    prefix.extend(&of.keys[..split], &of.values[..split], width);
    let ranges = rows.segments.iter().map(|range| range.start - rows.prefix..range.end - rows.prefix);
    let context = Context::new(&prefix, &of.keys[split..], &of.values[split..], ranges, width);
    out.extend(attention(config, queries, &context, &in_segments));
    out
}

/// Gradients of queries, keys and values, given that of what was attended (active rows × query_width).
pub fn backward(config: &ModelConfig, rows: &Rows, active: &[usize], of: &Attended, gradient: &[f32]) -> Attended {
    let units = rows.units(active);
    let kv_heads = config.kv_heads;
    let mut parts = platform::map_indices(units.len() * kv_heads, |index| {
        let unit = &units[index / kv_heads];
        HeadGradient::new(config, unit, index % kv_heads, of).compute(&active[unit.queries.clone()], gradient)
    });
    let (head, kv_width, query_width) = (config.head_width, config.kv_width(), config.query_width());
    let group = config.heads / kv_heads * head;
    let mut out = Attended {
        queries: vec![0.0; of.queries.len()],
        keys: vec![0.0; of.keys.len()],
        values: vec![0.0; of.values.len()],
    };
    for (index, part) in parts.drain(..).enumerate() {
        let (unit, which) = (&units[index / kv_heads], index % kv_heads);
        add_to_columns(&mut out.queries, query_width, which * group, unit.queries.clone(), &part.queries, group);
        for (sums, added) in [(&mut out.keys, &part.keys), (&mut out.values, &part.values)] {
            let seen = unit.before.clone().chain(unit.own.clone());
            add_to_columns(sums, kv_width, which * head, seen, added, head);
        }
    }
    out
}

/// Adds rows of `added` (`count` numbers each) to a stretch of columns of the rows of a wider matrix.
fn add_to_columns(
    out: &mut [f32],
    width: usize,
    first: usize,
    rows: impl Iterator<Item = usize>,
    added: &[f32],
    count: usize,
) {
    for (row, added) in rows.zip(added.chunks_exact(count)) {
        layers::add(&mut out[row * width + first..][..count], added);
    }
}

/// The gradients of one head of keys and values in one unit, with the heads of queries that share it.
struct HeadGradient<'a> {
    config: &'a ModelConfig,
    unit: &'a Unit,
    which: usize,
    queries: &'a [f32],
    /// Keys and values that the unit sees, prefix first: positions × head.
    seen: [Vec<f32>; 2],
    /// The gradients; queries are rows × (heads of the group × head).
    out: Attended,
}

impl<'a> HeadGradient<'a> {
    fn new(config: &'a ModelConfig, unit: &'a Unit, which: usize, of: &'a Attended) -> Self {
        let (head, width) = (config.head_width, config.kv_width());
        let seen = [&of.keys, &of.values].map(|all| {
            let mut seen = Vec::with_capacity((unit.before.len() + unit.own.len()) * head);
            for row in unit.before.clone().chain(unit.own.clone()) {
                seen.extend_from_slice(&all[row * width + which * head..][..head]);
            }
            seen
        });
        let group = config.heads / config.kv_heads;
        let out = Attended {
            queries: vec![0.0; unit.queries.len() * group * head],
            keys: vec![0.0; seen[0].len()],
            values: vec![0.0; seen[1].len()],
        };
        Self { config, unit, which, queries: &of.queries, seen, out }
    }

    /// `active` are the rows of the unit's queries.
    fn compute(mut self, active: &[usize], gradient: &[f32]) -> Attended {
        let group = self.config.heads / self.config.kv_heads;
        let mut buffers = [Vec::new(), Vec::new()];
        for first in (0..active.len()).step_by(BLOCK) {
            let block = first..active.len().min(first + BLOCK);
            for query_head in 0..group {
                self.block(block.clone(), query_head, active, gradient, &mut buffers);
            }
        }
        self.out
    }

    /// A few neighbouring queries of one head: five small products, of shares and of what moves them.
    fn block(
        &mut self,
        block: Range<usize>,
        query_head: usize,
        active: &[usize],
        gradient: &[f32],
        [shares, towards]: &mut [Vec<f32>; 2],
    ) {
        let Self { config, unit, which, queries, seen: [keys, values], out } = self;
        let (head, width) = (config.head_width, config.query_width());
        let group = config.heads / config.kv_heads;
        let scale = 1.0 / (head as f32).sqrt();
        let sees = |place: usize| unit.before.len() + active[place] - unit.own.start + 1;
        // Rows ascend: the last sees most.
        let (count, most) = (block.len(), sees(block.end - 1));
        let at = (unit.queries.start + block.start) * width + (*which * group + query_head) * head;
        let (queries, gradient) = (&queries[at..], &gradient[at..]);
        let by_query = Small { out_stride: most, left_stride: width, right_stride: head };
        for (products, left, right) in [(&mut *shares, queries, &*keys), (&mut *towards, gradient, &*values)] {
            products.clear();
            products.resize(count * most, 0.0);
            by_query.add_product_transposed(products, (count, head, most), left, right);
        }
        for (row, place) in block.clone().enumerate() {
            let shares = &mut shares[row * most..][..most];
            dispatch(ShareGradient { shares, towards: &mut towards[row * most..][..most], seen: sees(place), scale });
        }
        let by_position = Small { out_stride: head, left_stride: most, right_stride: width };
        by_position.add_transposed_product(&mut out.values, (most, count, head), shares, gradient);
        by_position.add_transposed_product(&mut out.keys, (most, count, head), towards, queries);
        let to = &mut out.queries[(block.start * group + query_head) * head..];
        let back = Small { out_stride: group * head, left_stride: most, right_stride: head };
        back.add_product(to, (count, most, head), towards, keys);
    }
}

/// Turns one query's products with keys into its shares, and its gradient's products with values into the gradient of
/// the products with keys. What the query does not see becomes zero.
struct ShareGradient<'a> {
    shares: &'a mut [f32],
    towards: &'a mut [f32],
    seen: usize,
    scale: f32,
}

impl Kernel for ShareGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let (shares, unseen) = self.shares.split_at_mut(self.seen);
        unseen.fill(0.0);
        let (towards, unseen) = self.towards.split_at_mut(self.seen);
        unseen.fill(0.0);
        let largest = shares.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
        shares.iter_mut().for_each(|share| *share = exponential((*share - largest) * self.scale));
        let total = 1.0 / lane_sum(shares.len(), |i| shares[i]);
        shares.iter_mut().for_each(|share| *share *= total);
        let mean = lane_sum(shares.len(), |i| shares[i] * towards[i]);
        for (towards, share) in towards.iter_mut().zip(shares.iter()) {
            *towards = self.scale * share * (*towards - mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::engine::config::tests::config;

    #[test]
    fn gradients_equal_finite_differences() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        // Heads, key heads, head width, prefix, segment lengths, active rows.
        type Case = (usize, usize, usize, usize, &'static [usize], &'static [usize]);
        let cases: [Case; 3] = [
            (2, 1, 8, 0, &[3, 2], &[0, 1, 2, 3, 4]),
            (4, 2, 20, 2, &[2, 3], &[0, 1, 2, 3, 4, 5, 6]),
            (2, 2, 16, 3, &[1, 4], &[3, 6, 7]),
        ];
        for (heads, kv_heads, head, prefix, lengths, active) in cases {
            let config = config(heads, kv_heads, head);
            let rows = Rows::new(prefix, lengths.iter().copied());
            let mut numbers =
                |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
            let of = Attended {
                queries: numbers(active.len() * config.query_width()),
                keys: numbers(rows.count() * config.kv_width()),
                values: numbers(rows.count() * config.kv_width()),
            };
            let towards = numbers(of.queries.len());
            let value = |of: &Attended| -> f64 {
                let out = forward(&config, &rows, active, of);
                out.iter().zip(&towards).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let got = backward(&config, &rows, active, &of, &towards);
            let lists: [fn(&mut Attended) -> &mut Vec<f32>; 3] =
                [|a| &mut a.queries, |a| &mut a.keys, |a| &mut a.values];
            for list in lists {
                let mut got = got.clone();
                let got = list(&mut got).clone();
                for at in 0..got.len() {
                    let moved = |by: f32| {
                        let mut of = of.clone();
                        list(&mut of)[at] += by;
                        value(&of)
                    };
                    let want = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                    assert!(
                        (f64::from(got[at]) - want).abs() < 1e-3 * (1.0 + want.abs()),
                        "{at}: {}, not {want}",
                        got[at]
                    );
                }
            }
        }
    }
}
