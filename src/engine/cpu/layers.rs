//! The small pieces of a decoder layer: RMS norm, rotary positions, gated activation, attention.
//!
//! Each works on rows of float32 activations, one row a token; rows are spread over the threads.

use crate::engine::config::{ModelConfig, RopeLayout};
use crate::engine::cpu::lanes::{Kernel, Lanes, dispatch};
use crate::engine::cpu::matrix::Dot;
use crate::platform;

/// `x / sqrt(mean(x²) + epsilon) · weight` for every row of `weight.len()` numbers.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = x.to_vec();
    rms_norm_in_place(&mut out, weight, epsilon);
    out
}

/// [`rms_norm`] in place; also used head by head for QK-norm.
pub fn rms_norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32) {
    platform::for_each_chunk(x, weight.len(), |_, row| {
        let square = dispatch(Dot(row, row)) / row.len() as f32;
        let scale = 1.0 / (square + epsilon).sqrt();
        row.iter_mut().zip(weight).for_each(|(value, weight)| *value *= scale * weight);
    });
}

/// `out[i] += other[i]`.
pub fn add(out: &mut [f32], other: &[f32]) {
    out.iter_mut().zip(other).for_each(|(out, other)| *out += other);
}

/// Adds a bias to every row.
pub fn add_bias(out: &mut [f32], bias: &[f32]) {
    out.chunks_exact_mut(bias.len()).for_each(|row| add(row, bias));
}

/// `gate[i] = silu(gate[i]) · up[i]`.
pub fn silu_gate(gate: &mut [f32], up: &[f32], width: usize) {
    platform::for_each_chunk(gate, width, |row, gate| {
        for (gate, up) in gate.iter_mut().zip(&up[row * width..]) {
            *gate = *gate / (1.0 + (-*gate).exp()) * up;
        }
    });
}

/// Sines and cosines of the rotation at a range of positions.
pub struct Rope {
    first: usize,
    /// (cosine, sine), `pairs` a position.
    table: Vec<(f32, f32)>,
    pairs: usize,
    layout: RopeLayout,
}

impl Rope {
    /// The table for `positions`; `factors` divide the frequencies (Llama 3), empty for none.
    pub fn new(config: &ModelConfig, factors: &[f32], positions: std::ops::Range<usize>) -> Self {
        let pairs = config.rope_width / 2;
        let frequencies: Vec<f64> = (0..pairs)
            .map(|pair| {
                let frequency = config.rope_base.powf(-2.0 * pair as f64 / config.rope_width as f64);
                frequency / factors.get(pair).map_or(1.0, |factor| f64::from(*factor))
            })
            .collect();
        let first = positions.start;
        let table = positions
            .flat_map(|position| {
                let position = position as f64 / config.rope_scale;
                frequencies.iter().map(move |frequency| {
                    let (sine, cosine) = (position * frequency).sin_cos();
                    (cosine as f32, sine as f32)
                })
            })
            .collect();
        Self { first, table, pairs, layout: config.rope_layout }
    }

    /// Rotates every head of every row; `positions[row]` is the row's position.
    pub fn apply(&self, x: &mut [f32], row_width: usize, head_width: usize, positions: &[usize]) {
        platform::for_each_chunk(x, row_width, |row, values| {
            let angles = &self.table[(positions[row] - self.first) * self.pairs..][..self.pairs];
            for head in values.chunks_exact_mut(head_width) {
                for (pair, (cosine, sine)) in angles.iter().enumerate() {
                    let (i, j) = match self.layout {
                        RopeLayout::Interleaved => (2 * pair, 2 * pair + 1),
                        RopeLayout::Halves => (pair, pair + self.pairs),
                    };
                    let (a, b) = (head[i], head[j]);
                    head[i] = a * cosine - b * sine;
                    head[j] = a * sine + b * cosine;
                }
            }
        });
    }
}

/// The keys and values one layer attends to: the shared prefix, then the rows of the batch.
pub struct Context<'a> {
    /// Prefix keys, positions × kv_width.
    pub prefix_keys: &'a [f32],
    /// Prefix values, positions × kv_width.
    pub prefix_values: &'a [f32],
    /// Batch keys, tokens × kv_width.
    pub keys: &'a [f32],
    /// Batch values, tokens × kv_width.
    pub values: &'a [f32],
}

/// Causal attention of each query row over the prefix and its own segment's past.
///
/// `queries` is rows × query_width; `spans[row]` is the range of batch rows it sees (its segment's start up to and
/// including its own row). The result has the shape of `queries`.
pub fn attention(
    config: &ModelConfig,
    queries: &[f32],
    context: &Context<'_>,
    spans: &[std::ops::Range<usize>],
) -> Vec<f32> {
    let mut out = vec![0.0; queries.len()];
    platform::for_each_chunk(&mut out, config.query_width(), |row, out| {
        let queries = &queries[row * config.query_width()..][..config.query_width()];
        dispatch(AttendRow { config, queries, context, span: spans[row].clone(), out });
    });
    out
}

/// One row of [`attention`], all heads.
struct AttendRow<'a> {
    config: &'a ModelConfig,
    queries: &'a [f32],
    context: &'a Context<'a>,
    span: std::ops::Range<usize>,
    out: &'a mut [f32],
}

impl Kernel for AttendRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (head_width, kv_width) = (self.config.head_width, self.config.kv_width());
        let group = self.config.heads / self.config.kv_heads;
        let scale = 1.0 / (head_width as f32).sqrt();
        let prefix = self.context.prefix_keys.len() / kv_width;
        let mut weights = vec![0.0_f32; prefix + self.span.len()];
        for (head, out) in self.out.chunks_exact_mut(head_width).enumerate() {
            let query = &self.queries[head * head_width..][..head_width];
            let offset = head / group * head_width;
            let own = self.span.start * kv_width..self.span.end * kv_width;
            let keys = self.context.prefix_keys.chunks_exact(kv_width);
            let keys = keys.chain(self.context.keys[own.clone()].chunks_exact(kv_width));
            let mut max = f32::NEG_INFINITY;
            for (weight, key) in weights.iter_mut().zip(keys) {
                *weight = Dot(query, &key[offset..][..head_width]).run::<L>() * scale;
                max = max.max(*weight);
            }
            let mut total = 0.0;
            for weight in &mut weights {
                *weight = (*weight - max).exp();
                total += *weight;
            }
            let values = self.context.prefix_values.chunks_exact(kv_width);
            let values = values.chain(self.context.values[own].chunks_exact(kv_width));
            for (weight, value) in weights.iter().zip(values) {
                let weight = weight / total;
                out.iter_mut().zip(&value[offset..][..head_width]).for_each(|(out, value)| *out += weight * value);
            }
        }
    }
}
