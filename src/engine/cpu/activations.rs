//! Rows of activations, as float32 and as the 16-bit integers that the integer kernels multiply.
//!
//! A group of 32 adjacent activations of a token shares one scale, chosen so that the largest is ±32767. That keeps a
//! relative error of some 5e-5 even where a few channels are far larger than the rest, which is what eight bits cannot
//! do. Each token is quantized by itself: its numbers do not depend on what it is batched with.

use std::sync::OnceLock;

use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::gguf::GROUP;
use crate::platform;

/// The largest quantized value.
const LARGEST: f32 = 32767.0;
/// A group whose largest is below this is zero: its inverse would overflow.
const SMALLEST: f32 = 1e-30;
/// Groups of a token that are quantized one after the other: a few lines of the cache at a stretch.
const TOGETHER: usize = 4;
/// Adding this to a float32 of moderate size leaves its nearest integer in the low bits (1.5 · 2²³).
const ROUNDING: f32 = 12_582_912.0;

/// 32 activations of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivationGroup {
    /// The integers.
    pub values: [i16; GROUP],
    /// What they are multiplied with.
    pub scale: f32,
    /// Scaled sums of elements 0–15 and 16–31: what a weight's minimum is multiplied with.
    pub sums: [f32; 2],
}

impl ActivationGroup {
    const EMPTY: Self = Self { values: [0; GROUP], scale: 0.0, sums: [0.0; 2] };

    /// Quantizes 32 activations. The largest is found and the sums are taken in integers (sizes of floats are ordered
    /// as their bits are), whose order does not matter: so compilers vectorize all of it.
    #[inline(always)]
    fn quantize(x: &[f32; GROUP]) -> Self {
        let mut bits = 0;
        for x in x {
            bits = bits.max(x.to_bits() & (u32::MAX >> 1));
        }
        let largest = f32::from_bits(bits);
        let inverse = if largest > SMALLEST { LARGEST / largest } else { 0.0 };
        let mut integers = [0_i32; GROUP];
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (*x * inverse + ROUNDING).to_bits().wrapping_sub(ROUNDING.to_bits()) as i32;
        }
        let mut values = [0; GROUP];
        for (value, integer) in values.iter_mut().zip(&integers) {
            *value = *integer as i16;
        }
        // Halves of halves: told to add one after the other, LLVM would take every integer out of its vector.
        let mut sums = [0_i32; 2];
        for (sum, half) in sums.iter_mut().zip(integers.as_chunks::<{ GROUP / 2 }>().0) {
            let mut eight = [0_i32; 8];
            for lane in 0..8 {
                eight[lane] = half[lane].wrapping_add(half[lane + 8]);
            }
            let mut four = [0_i32; 4];
            for lane in 0..4 {
                four[lane] = eight[lane].wrapping_add(eight[lane + 4]);
            }
            *sum = four[0].wrapping_add(four[1]).wrapping_add(four[2]).wrapping_add(four[3]);
        }
        let scale = largest / LARGEST;
        Self { values, scale, sums: sums.map(|sum| sum as f32 * scale) }
    }

    /// Two adjacent activations, the first in the low half.
    #[inline(always)]
    pub fn pair(&self, pair: usize) -> i32 {
        debug_assert!(pair < GROUP / 2);
        // SAFETY: kernels count pairs up to 16 = GROUP / 2; 32 16-bit integers are 16 pairs.
        unsafe { self.values.as_ptr().cast::<i32>().add(pair).read_unaligned() }
    }
}

/// Rows of activations, tokens × columns.
pub struct Activations {
    rows: Vec<f32>,
    columns: usize,
    /// Group by group, and within a group token by token; made when first asked for.
    groups: OnceLock<Vec<ActivationGroup>>,
}

impl Activations {
    /// Rows of `columns` numbers.
    pub fn new(rows: Vec<f32>, columns: usize) -> Self {
        Self { rows, columns, groups: OnceLock::new() }
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.rows.len() / self.columns
    }

    /// Numbers a token.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The rows as float32.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The rows, without their integers.
    pub fn into_rows(self) -> Vec<f32> {
        self.rows
    }

    /// The quantized groups: those of columns `32 g ..` of all tokens stand at `g · tokens ..`. Columns beyond the last
    /// whole group are left out.
    pub fn groups(&self) -> &[ActivationGroup] {
        self.groups.get_or_init(|| {
            let tokens = self.tokens();
            let mut groups = vec![ActivationGroup::EMPTY; self.columns / GROUP * tokens];
            platform::for_each_chunk(&mut groups, (tokens * TOGETHER).max(1), |index, out| {
                dispatch(Quantize { rows: &self.rows[index * TOGETHER * GROUP..], columns: self.columns, tokens, out });
            });
            groups
        })
    }
}

/// Quantizes a few neighbouring groups of every token; `rows` begins at the first of them of the first token.
struct Quantize<'a> {
    rows: &'a [f32],
    columns: usize,
    tokens: usize,
    out: &'a mut [ActivationGroup],
}

impl Kernel for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        for (token, row) in self.rows.chunks(self.columns).take(self.tokens).enumerate() {
            for (x, group) in row.as_chunks().0.iter().zip(self.out.chunks_exact_mut(self.tokens)) {
                group[token] = ActivationGroup::quantize(x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantizes_to_within_half_a_step() {
        let x: Vec<f32> = (0..64).map(|i| ((i * 37 % 61) as f32 - 30.0) * if i == 40 { 900.0 } else { 0.1 }).collect();
        let activations = Activations::new(x.clone(), 64);
        for (group, x) in activations.groups().iter().zip(x.chunks(32)) {
            for (value, x) in group.values.iter().zip(x) {
                assert!((f32::from(*value) * group.scale - x).abs() <= group.scale * 0.501, "{x}");
            }
            let sum: f32 = x.iter().sum();
            assert!((group.sums[0] + group.sums[1] - sum).abs() < group.scale * 32.0);
        }
    }

    #[test]
    fn zeros_and_the_extremes_stay_finite() {
        for value in [0.0, f32::MIN_POSITIVE, 1e-29, 1e30] {
            let activations = Activations::new(vec![value; 32], 32);
            let group = activations.groups()[0];
            let back = f32::from(group.values[7]) * group.scale;
            assert!((back - value).abs() <= value * 1e-4 + SMALLEST, "{value} became {back}");
        }
    }

    #[test]
    fn groups_lie_token_by_token() {
        let rows: Vec<f32> = (0..3 * 64).map(|i| if i % 64 < 32 { 1.0 } else { (i / 64) as f32 + 2.0 }).collect();
        let activations = Activations::new(rows, 64);
        let scales: Vec<f32> = activations.groups().iter().map(|group| (group.scale * LARGEST).round()).collect();
        assert_eq!(scales, [1.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
