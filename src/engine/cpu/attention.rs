//! Causal attention of a packed batch: every token sees the shared prefix and its own segment's past.
//!
//! Keys are kept in tiles of sixteen positions with their dimensions inside ([`KeyTiles`]), so that the scores of
//! sixteen positions come out of one vector product without sums across lanes. All query heads that share a key head,
//! of a few neighbouring tokens, are scored together: a key that was read is used several times.
//!
//! Each score, each exponential and each sum over positions is computed in the order of the positions, whatever part of
//! them is prefix: a prompt's numbers are the same to the bit however it is split or batched.

use std::ops::Range;

use crate::engine::config::ModelConfig;
use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::engine::cpu::layers::exponential;
use crate::platform;

/// Positions of a key tile.
const TILE: usize = 16;
/// Tokens that are attended together.
const TASK_ROWS: usize = 8;

/// Keys in tiles of sixteen positions: tile, dimension (kv_width), position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyTiles {
    numbers: Vec<f32>,
    positions: usize,
}

impl KeyTiles {
    /// Appends rows of `width` numbers, one a position.
    pub fn extend(&mut self, rows: &[f32], width: usize) {
        for row in rows.chunks_exact(width) {
            let (tile, lane) = (self.positions / TILE, self.positions % TILE);
            if lane == 0 {
                self.numbers.resize((tile + 1) * width * TILE, 0.0);
            }
            let tile = &mut self.numbers[tile * width * TILE..];
            for (dimension, value) in row.iter().enumerate() {
                tile[dimension * TILE + lane] = *value;
            }
            self.positions += 1;
        }
    }

    /// Dimensions `offset..offset + count` of each tile of keys of `width` numbers.
    #[inline(always)]
    fn head(&self, width: usize, offset: usize, count: usize) -> impl Iterator<Item = &[f32]> {
        self.numbers.chunks_exact(width * TILE).map(move |tile| &tile[offset * TILE..(offset + count) * TILE])
    }
}

/// One layer's rotated keys, and its values (positions × kv_width).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeysAndValues {
    keys: KeyTiles,
    values: Vec<f32>,
}

impl KeysAndValues {
    /// Appends positions; both are rows × `width`.
    pub fn extend(&mut self, keys: &[f32], values: &[f32], width: usize) {
        self.keys.extend(keys, width);
        self.values.extend_from_slice(values);
    }

    fn positions(&self) -> usize {
        self.keys.positions
    }
}

/// What a batch attends to in one layer.
pub struct Context<'a> {
    /// The shared prefix.
    pub prefix: &'a KeysAndValues,
    /// Each segment's own past and present.
    pub segments: Vec<KeysAndValues>,
}

impl<'a> Context<'a> {
    /// The prefix and the batch's keys and values (tokens × kv_width), `ranges` being the segments.
    pub fn new(
        prefix: &'a KeysAndValues,
        keys: &[f32],
        values: &[f32],
        ranges: impl Iterator<Item = Range<usize>>,
        width: usize,
    ) -> Self {
        let segments = ranges.map(|range| {
            let mut own = KeysAndValues::default();
            own.extend(
                &keys[range.start * width..range.end * width],
                &values[range.start * width..range.end * width],
                width,
            );
            own
        });
        Self { prefix, segments: segments.collect() }
    }
}

/// Where a query row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its segment.
    pub segment: usize,
    /// How many of its segment's positions it sees, itself included.
    pub sees: usize,
}

/// Attention of each query row; `queries` is rows × query_width, `places[row]` says what a row sees. Rows of a segment
/// stand together, in order. The result has the shape of `queries`.
pub fn attention(config: &ModelConfig, queries: &[f32], context: &Context<'_>, places: &[Place]) -> Vec<f32> {
    let mut out = vec![0.0; queries.len()];
    let width = config.query_width();
    platform::for_each_chunk(&mut out, TASK_ROWS * width, |task, mut out| {
        let mut row = task * TASK_ROWS;
        while !out.is_empty() {
            let segment = places[row].segment;
            let most = out.len() / width;
            let rows = places[row..row + most].iter().take_while(|place| place.segment == segment).count();
            let (now, later) = out.split_at_mut(rows * width);
            let queries = &queries[row * width..][..rows * width];
            dispatch(Attend { config, queries, context, places: &places[row..row + rows], out: now });
            (out, row) = (later, row + rows);
        }
    });
    out
}

/// Attention of a few rows of one segment.
struct Attend<'a> {
    config: &'a ModelConfig,
    queries: &'a [f32],
    context: &'a Context<'a>,
    places: &'a [Place],
    out: &'a mut [f32],
}

impl Kernel for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let (prefix, own) = (self.context.prefix, &self.context.segments[self.places[0].segment]);
        let (width, kv_width) = (self.config.head_width, self.config.kv_width());
        let group = self.config.heads / self.config.kv_heads;
        let query_width = self.config.query_width();
        let most = prefix.positions() + self.places.iter().map(|place| place.sees).max().unwrap_or(0);
        // A tile may reach beyond the last position; what it writes there is overwritten or set to zero below.
        let stride = most.next_multiple_of(TILE) + TILE;
        let count = self.places.len() * group;
        let mut queries = vec![0.0; count * width];
        let mut weights = vec![0.0; count * stride];
        let mut attended = vec![0.0; count * width];
        let scale = 1.0 / (width as f32).sqrt();
        for head in 0..self.config.kv_heads {
            // The query heads of this key head, token by token.
            let heads =
                |row: usize| row * query_width + head * group * width..row * query_width + (head + 1) * group * width;
            for (row, to) in queries.chunks_exact_mut(group * width).enumerate() {
                to.iter_mut().zip(&self.queries[heads(row)]).for_each(|(to, from)| *to = from * scale);
            }
            let tiles = prefix.keys.head(kv_width, head * width, width).enumerate();
            let own_tiles = own.keys.head(kv_width, head * width, width).enumerate();
            let own_tiles = own_tiles.map(|(index, tile)| (prefix.positions() + index * TILE, tile));
            for (position, tile) in tiles.map(|(index, tile)| (index * TILE, tile)).chain(own_tiles) {
                if position < most {
                    score_tile::<S>(tile, &queries, width, &mut weights[position..], stride);
                }
            }
            for (query, weights) in weights.chunks_exact_mut(stride).enumerate() {
                let sees = prefix.positions() + self.places[query / group].sees;
                softmax(&mut weights[..most], sees);
            }
            let values = Values { prefix: &prefix.values, own: &own.values, kv_width, offset: head * width };
            weighted_sums::<S>(&values, &weights, stride, most, &mut attended, width);
            for (row, from) in attended.chunks_exact(group * width).enumerate() {
                self.out[heads(row)].copy_from_slice(from);
            }
        }
    }
}

/// Scores of all queries at a tile's sixteen positions; those of query `q` go to `out[q · stride ..]`.
#[inline(always)]
fn score_tile<S: InstructionSet>(tile: &[f32], queries: &[f32], width: usize, out: &mut [f32], stride: usize) {
    let count = queries.len() / width;
    let mut query = 0;
    macro_rules! take {
        ($rows:literal) => {
            while S::ROWS >= $rows && count - query >= $rows {
                score_rows::<S, $rows>(tile, &queries[query * width..], width, &mut out[query * stride..], stride);
                query += $rows;
            }
        };
    }
    take!(6);
    take!(3);
    take!(1);
}

#[inline(always)]
fn score_rows<S: InstructionSet, const R: usize>(
    tile: &[f32],
    queries: &[f32],
    width: usize,
    out: &mut [f32],
    stride: usize,
) {
    assert!(tile.len() == width * TILE && queries.len() >= R * width && out.len() >= (R - 1) * stride + TILE);
    let mut sums = [S::no_outputs(); R];
    let mut rows = [queries.as_ptr(); R];
    for r in 1..R {
        rows[r] = queries[r * width..].as_ptr();
    }
    for dimension in 0..width {
        // SAFETY: dimension < width, and the lengths were checked.
        unsafe {
            let keys = S::load_outputs(tile.as_ptr().add(dimension * TILE));
            for r in 0..R {
                sums[r] = S::add_times(sums[r], keys, *rows[r].add(dimension));
            }
        }
    }
    for r in 0..R {
        // SAFETY: (R - 1) · stride + 16 numbers are there.
        unsafe { S::store_outputs(out.as_mut_ptr().add(r * stride), sums[r]) };
    }
}

/// Softmax of the first `sees` scores; the rest become zero.
#[inline(always)]
fn softmax(scores: &mut [f32], sees: usize) {
    let (seen, unseen) = scores.split_at_mut(sees);
    unseen.fill(0.0);
    let (eights, rest) = seen.as_chunks_mut::<8>();
    let mut highest = [f32::NEG_INFINITY; 8];
    for eight in eights.iter() {
        for (highest, score) in highest.iter_mut().zip(eight) {
            *highest = if *score > *highest { *score } else { *highest };
        }
    }
    let max = highest.iter().chain(rest.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0_f32; 8];
    for eight in eights.iter_mut() {
        for (sum, score) in sums.iter_mut().zip(eight) {
            *score = exponential(*score - max);
            *sum += *score;
        }
    }
    let mut total: f32 = sums.iter().sum();
    for score in rest {
        *score = exponential(*score - max);
        total += *score;
    }
    let share = 1.0 / total;
    seen.iter_mut().for_each(|score| *score *= share);
}

/// The values of one key head.
struct Values<'a> {
    prefix: &'a [f32],
    own: &'a [f32],
    kv_width: usize,
    offset: usize,
}

/// `out[q] = Σ weights[q][position] · values[position]` over the first `most` positions.
#[inline(always)]
fn weighted_sums<S: InstructionSet>(
    values: &Values<'_>,
    weights: &[f32],
    stride: usize,
    most: usize,
    out: &mut [f32],
    width: usize,
) {
    let count = out.len() / width;
    let whole = width / TILE * TILE;
    let mut query = 0;
    macro_rules! take {
        ($rows:literal) => {
            while S::ROWS >= $rows && count - query >= $rows {
                for dimension in (0..whole).step_by(TILE) {
                    let out = &mut out[query * width + dimension..];
                    sum_rows::<S, $rows>(values, dimension, &weights[query * stride..], stride, most, out, width);
                }
                query += $rows;
            }
        };
    }
    take!(6);
    take!(3);
    take!(1);
    for (weights, out) in weights.chunks_exact(stride).zip(out.chunks_exact_mut(width)) {
        for dimension in whole..width {
            let positions = values.prefix.chunks_exact(values.kv_width).chain(values.own.chunks_exact(values.kv_width));
            let terms = weights[..most].iter().zip(positions);
            out[dimension] = terms.map(|(weight, value)| weight * value[values.offset + dimension]).sum();
        }
    }
}

/// Sixteen dimensions of `R` queries.
#[inline(always)]
fn sum_rows<S: InstructionSet, const R: usize>(
    values: &Values<'_>,
    dimension: usize,
    weights: &[f32],
    stride: usize,
    most: usize,
    out: &mut [f32],
    width: usize,
) {
    let before = values.prefix.len() / values.kv_width;
    let own = most.saturating_sub(before);
    let first = values.offset + dimension;
    assert!(first + TILE <= values.kv_width && values.own.len() >= own * values.kv_width);
    assert!(weights.len() >= (R - 1) * stride + most && out.len() >= (R - 1) * width + TILE);
    let mut sums = [S::no_outputs(); R];
    for (part, start, positions) in [(values.prefix, 0, before.min(most)), (values.own, before, own)] {
        let mut rows = [weights[start..].as_ptr(); R];
        for r in 1..R {
            rows[r] = weights[r * stride + start..].as_ptr();
        }
        let mut value = part[first.min(part.len())..].as_ptr();
        for position in 0..positions {
            // SAFETY: the lengths were checked above; only the last step of `value` leaves the values.
            unsafe {
                let sixteen = S::load_outputs(value);
                for r in 0..R {
                    sums[r] = S::add_times(sums[r], sixteen, *rows[r].add(position));
                }
                value = value.wrapping_add(values.kv_width);
            }
        }
    }
    for r in 0..R {
        // SAFETY: (R - 1) · width + 16 numbers are there.
        unsafe { S::store_outputs(out.as_mut_ptr().add(r * width), sums[r]) };
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::engine::config::tests::config;

    #[test]
    fn equals_the_plain_loop_and_does_not_depend_on_the_split() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        // Heads, key heads, head width, prefix positions, segment lengths.
        let cases: [(usize, usize, usize, usize, &[usize]); 5] = [
            (9, 3, 64, 21, &[5, 1, 19]),
            (2, 2, 16, 0, &[33]),
            (4, 1, 24, 16, &[2, 2]),
            (7, 1, 8, 3, &[9, 4]),
            (1, 1, 5, 40, &[1]),
        ];
        for (heads, kv_heads, head_width, prefix, lengths) in cases {
            let config = config(heads, kv_heads, head_width);
            let (query_width, kv_width) = (heads * head_width, kv_heads * head_width);
            let mut numbers =
                |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-2.0..2.0)).collect() };
            let (before_keys, before_values) = (numbers(prefix * kv_width), numbers(prefix * kv_width));
            for length in lengths {
                let (queries, keys, values) =
                    (numbers(length * query_width), numbers(length * kv_width), numbers(length * kv_width));
                let all_keys = [before_keys.clone(), keys.clone()].concat();
                let all_values = [before_values.clone(), values.clone()].concat();
                let mut whole = Vec::new();
                for split in [prefix, 0, prefix / 2] {
                    let mut cached = KeysAndValues::default();
                    cached.extend(&all_keys[..split * kv_width], &all_values[..split * kv_width], kv_width);
                    let range = 0..prefix + length - split;
                    let own = (&all_keys[split * kv_width..], &all_values[split * kv_width..]);
                    let context = Context::new(&cached, own.0, own.1, std::iter::once(range), kv_width);
                    let places: Vec<Place> =
                        (0..*length).map(|row| Place { segment: 0, sees: prefix + row + 1 - split }).collect();
                    let got = attention(&config, &queries, &context, &places);
                    if whole.is_empty() {
                        whole = got;
                    } else {
                        assert_eq!(whole, got, "split at {split} of {prefix} + {length}");
                    }
                }
                for row in 0..*length {
                    for head in 0..heads {
                        let want = plain(
                            &config,
                            &queries[row * query_width..],
                            head,
                            &all_keys,
                            &all_values,
                            prefix + row + 1,
                        );
                        let got = &whole[row * query_width + head * head_width..][..head_width];
                        for (got, want) in got.iter().zip(want) {
                            assert!((f64::from(*got) - want).abs() < 1e-5, "row {row}, head {head}: {got}, not {want}");
                        }
                    }
                }
            }
        }
    }

    fn plain(config: &ModelConfig, query: &[f32], head: usize, keys: &[f32], values: &[f32], sees: usize) -> Vec<f64> {
        let (width, kv_width) = (config.head_width, config.kv_width());
        let offset = head / (config.heads / config.kv_heads) * width;
        let query = &query[head * width..][..width];
        let row = |rows: &[f32], position: usize| rows[position * kv_width + offset..][..width].to_vec();
        let scores: Vec<f64> = (0..sees)
            .map(|position| {
                let dot: f64 = query.iter().zip(row(keys, position)).map(|(q, k)| f64::from(*q) * f64::from(k)).sum();
                (dot / (width as f64).sqrt()).exp()
            })
            .collect();
        let total: f64 = scores.iter().sum();
        (0..width)
            .map(|d| (0..sees).map(|position| scores[position] / total * f64::from(row(values, position)[d])).sum())
            .collect()
    }
}
