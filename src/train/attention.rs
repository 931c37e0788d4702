//! Attention of a training pass: forward by the engine's kernel, backward here.
//!
//! Backward computes the shares again from queries and keys instead of keeping them: texts are short, and what they take
//! grows with the square of the length. Units ([`Unit`]) are spread over the threads; what each adds to the shared
//! prefix's keys and values is summed in their order, so that a run can be repeated to the bit.

use super::pieces::lane_sum;
use super::rows::{Rows, Unit};
use crate::engine::config::ModelConfig;
use crate::engine::cpu::attention::{Context, KeysAndValues, attention};
use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::engine::cpu::layers::exponential;
use crate::platform;

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
    let parts = platform::map_indices(units.len(), |index| {
        dispatch(UnitGradient { config, unit: &units[index], active, of, gradient })
    });
    let width = config.kv_width();
    let mut out = Attended {
        queries: Vec::with_capacity(of.queries.len()),
        keys: vec![0.0; of.keys.len()],
        values: vec![0.0; of.values.len()],
    };
    for (unit, part) in units.iter().zip(parts) {
        out.queries.extend(part.queries);
        for (sums, added) in [(&mut out.keys, &part.keys), (&mut out.values, &part.values)] {
            let (before, own) = added.split_at(unit.before.len() * width);
            add(&mut sums[unit.before.start * width..unit.before.end * width], before);
            add(&mut sums[unit.own.start * width..unit.own.end * width], own);
        }
    }
    out
}

fn add(out: &mut [f32], other: &[f32]) {
    out.iter_mut().zip(other).for_each(|(out, other)| *out += other);
}

struct UnitGradient<'a> {
    config: &'a ModelConfig,
    unit: &'a Unit,
    active: &'a [usize],
    of: &'a Attended,
    gradient: &'a [f32],
}

impl Kernel for UnitGradient<'_> {
    /// Queries of the unit's rows; keys and values of what it sees, prefix first.
    type Output = Attended;

    #[inline(always)]
    fn run<S: InstructionSet>(self) -> Attended {
        let Self { config, unit, active, of, gradient } = self;
        let (head, kv_width, query_width) = (config.head_width, config.kv_width(), config.query_width());
        let group = config.heads / config.kv_heads;
        let scale = 1.0 / (head as f32).sqrt();
        let sees = unit.before.len() + unit.own.len();
        let row_of = |position: usize| match position.checked_sub(unit.before.len()) {
            Some(own) => unit.own.start + own,
            None => unit.before.start + position,
        };
        let mut out = Attended {
            queries: vec![0.0; unit.queries.len() * query_width],
            keys: vec![0.0; sees * kv_width],
            values: vec![0.0; sees * kv_width],
        };
        let (mut shares, mut towards) = (vec![0.0_f32; sees], vec![0.0_f32; sees]);
        for (place, query) in unit.queries.clone().enumerate() {
            let seen = unit.before.len() + active[query] - unit.own.start + 1;
            for which in 0..config.heads {
                let offset = which / group * head;
                let at = query * query_width + which * head;
                let (q, d_out) = (&of.queries[at..][..head], &gradient[at..][..head]);
                for position in 0..seen {
                    let from = row_of(position) * kv_width + offset;
                    let (key, value) = (&of.keys[from..][..head], &of.values[from..][..head]);
                    shares[position] = scale * lane_sum(head, |i| q[i] * key[i]);
                    towards[position] = lane_sum(head, |i| d_out[i] * value[i]);
                }
                let largest = shares[..seen].iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
                shares[..seen].iter_mut().for_each(|share| *share = exponential(*share - largest));
                let total = 1.0 / lane_sum(seen, |i| shares[i]);
                shares[..seen].iter_mut().for_each(|share| *share *= total);
                let mean = lane_sum(seen, |i| shares[i] * towards[i]);
                let d_query = &mut out.queries[place * query_width + which * head..][..head];
                for position in 0..seen {
                    let share = shares[position];
                    let factor = scale * share * (towards[position] - mean);
                    let from = row_of(position) * kv_width + offset;
                    let key = &of.keys[from..][..head];
                    let to = position * kv_width + offset;
                    let (d_key, d_value) = (&mut out.keys[to..][..head], &mut out.values[to..][..head]);
                    for i in 0..head {
                        d_query[i] += factor * key[i];
                        d_key[i] += factor * q[i];
                        d_value[i] += share * d_out[i];
                    }
                }
            }
        }
        out
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
