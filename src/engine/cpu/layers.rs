//! The small pieces of a decoder layer: RMS norm, rotary positions, gated activation, exponentials.
//!
//! Each works on rows of float32 activations, one row a token; rows are spread over the threads. Attention has its own
//! file. Loops here are plain: compiled for an instruction set, they are vectorized by the compiler.

use crate::engine::config::{ModelConfig, RopeLayout};
use crate::engine::cpu::floats::Dot;
use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::engine::rope::angles;
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
    platform::for_each_chunk(gate, width, |row, gate| dispatch(SiluGate { gate, up: &up[row * width..][..width] }));
}

/// One row of [`silu_gate`].
struct SiluGate<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl Kernel for SiluGate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        for (gate, up) in self.gate.iter_mut().zip(self.up) {
            *gate = *gate / (1.0 + exponential(-*gate)) * up;
        }
    }
}

/// `exp(x)` to about 1e-7, without branches, so that loops over it are vectorized; NaN stays NaN. Below -87 it stays at
/// exp(-87), about 1e-38, and above 88 at exp(88).
///
/// Cody and Waite's reduction by multiples of ln 2, then a polynomial of degree 6 on [-ln 2 / 2, ln 2 / 2].
#[inline(always)]
pub fn exponential(x: f32) -> f32 {
    const ROUNDING: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDING;
    let multiple = shifted - ROUNDING;
    let r = x - multiple * LN2_HIGH - multiple * LN2_LOW;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    let p = 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    (p * r + 1.0) * power
}

/// `Σ exp(x[i] - max)`, the terms in float32 and their sum in float64.
pub struct SumOfExponentials<'a> {
    /// The numbers.
    pub x: &'a [f32],
    /// What is taken off each, so that none overflows.
    pub max: f32,
}

impl Kernel for SumOfExponentials<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: InstructionSet>(self) -> f64 {
        let (whole, rest) = self.x.as_chunks::<8>();
        let mut sums = [0.0_f64; 8];
        for eight in whole {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += f64::from(exponential(x - self.max));
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(exponential(x - self.max))).sum::<f64>()
    }
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
        let (first, pairs) = (positions.start, config.rope_width / 2);
        let table = angles(config, factors, positions);
        Self { first, table, pairs, layout: config.rope_layout }
    }

    /// Rotates every head of every row; `positions[row]` is the row's position.
    pub fn apply(&self, x: &mut [f32], row_width: usize, head_width: usize, positions: &[usize]) {
        self.turn(x, row_width, head_width, positions, 1.0);
    }

    /// Takes the rotation of [`Self::apply`] back, which is also its gradient.
    pub fn turn_back(&self, x: &mut [f32], row_width: usize, head_width: usize, positions: &[usize]) {
        self.turn(x, row_width, head_width, positions, -1.0);
    }

    fn turn(&self, x: &mut [f32], row_width: usize, head_width: usize, positions: &[usize], direction: f32) {
        platform::for_each_chunk(x, row_width, |row, values| {
            let angles = &self.table[(positions[row] - self.first) * self.pairs..][..self.pairs];
            for head in values.chunks_exact_mut(head_width) {
                for (pair, (cosine, sine)) in angles.iter().enumerate() {
                    let (i, j) = match self.layout {
                        RopeLayout::Interleaved => (2 * pair, 2 * pair + 1),
                        RopeLayout::Halves => (pair, pair + self.pairs),
                    };
                    let (a, b, sine) = (head[i], head[j], direction * sine);
                    head[i] = a * cosine - b * sine;
                    head[j] = a * sine + b * cosine;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_exact_to_rounding() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exponential(x)) / want - 1.0).abs() < 3e-7, "exp({x}) = {}, not {want}", exponential(x));
        }
        assert!(exponential(f32::NEG_INFINITY) < 1e-37 && exponential(f32::NAN).is_nan());
        assert_eq!(exponential(0.0), 1.0);
    }

    #[test]
    fn sums_of_exponentials_equal_the_plain_loop() {
        for length in [0, 1, 7, 8, 61] {
            let x: Vec<f32> = (0..length).map(|i| (i * 29 % 17) as f32 / 3.0 - 20.0).collect();
            let want: f64 = x.iter().map(|x| (f64::from(*x) - 1.5).exp()).sum();
            let got = dispatch(SumOfExponentials { x: &x, max: 1.5 });
            assert!((got - want).abs() <= 1e-6 * want, "{length}: {got}, not {want}");
        }
    }
}
