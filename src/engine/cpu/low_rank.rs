//! The thin path of an adapter beside a matrix: `y += scale · B (A x)`, in float32.
//!
//! A few tokens at a time: `A`'s rows times the tokens with the float kernel, then for each token sixteen outputs in
//! registers while the rank passes by. Both are in one order, so that the numbers are the same on every machine and in
//! every batch, as for the base.

use crate::engine::adapter::LowRank;
use crate::engine::cpu::floats::RowsProduct;
use crate::engine::cpu::instructions::{InstructionSet, Kernel, Lanes, dispatch};
use crate::platform;

/// Tokens of one task.
const TASK_TOKENS: usize = 12;
/// Outputs held in registers.
const BLOCK: usize = 16;

/// Adds an adapter's part to `out` (tokens × outputs), given the inputs `x` (tokens × inputs).
pub fn add_low_rank(part: &LowRank, x: &[f32], out: &mut [f32]) {
    platform::for_each_chunk(out, TASK_TOKENS * part.outputs(), |task, out| {
        let tokens = out.len() / part.outputs();
        let x = &x[task * TASK_TOKENS * part.inputs()..][..tokens * part.inputs()];
        let mut inner = vec![0.0; part.rank() * tokens];
        dispatch(RowsProduct { weights: part.down(), x, columns: part.inputs(), tokens, out: &mut inner });
        inner.iter_mut().for_each(|value| *value *= part.scale());
        dispatch(AddUp { part, inner: &inner, out });
    });
}

/// `out[t] += Σ_r inner[r][t] · up[r]`.
struct AddUp<'a> {
    part: &'a LowRank,
    /// Rank × tokens, scaled.
    inner: &'a [f32],
    /// Tokens × outputs.
    out: &'a mut [f32],
}

impl Kernel for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let (outputs, up) = (self.part.outputs(), self.part.up());
        let tokens = self.out.len() / outputs;
        assert!(up.len() == self.part.rank() * outputs && self.inner.len() == self.part.rank() * tokens);
        for (token, out) in self.out.chunks_exact_mut(outputs).enumerate() {
            let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
            let whole = blocks.len() * BLOCK;
            for (index, block) in blocks.iter_mut().enumerate() {
                // SAFETY: `block` has sixteen numbers, and each of the rank rows of `up` has them at `index · 16`,
                // since that is below `outputs`; `up`'s length was checked.
                unsafe {
                    let mut low = S::Lanes::load(block.as_ptr());
                    let mut high = S::Lanes::load(block.as_ptr().add(8));
                    for (row, inner) in self.inner.chunks_exact(tokens).enumerate() {
                        let factor = S::Lanes::splat(inner[token]);
                        let from = up.as_ptr().add(row * outputs + index * BLOCK);
                        low = low.add_product(factor, S::Lanes::load(from));
                        high = high.add_product(factor, S::Lanes::load(from.add(8)));
                    }
                    low.store(block.as_mut_ptr());
                    high.store(block.as_mut_ptr().add(8));
                }
            }
            for (at, out) in rest.iter_mut().enumerate() {
                for (row, inner) in self.inner.chunks_exact(tokens).enumerate() {
                    *out += inner[token] * up[row * outputs + whole + at];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn equals_the_plain_loop_and_does_not_depend_on_the_batch() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        for (inputs, outputs, rank, tokens) in [(5, 3, 1, 1), (64, 48, 8, 30), (33, 50, 3, 13), (96, 16, 16, 2)] {
            let mut numbers =
                |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
            let (down, up) = (numbers(rank * inputs), numbers(rank * outputs));
            let (x, before) = (numbers(tokens * inputs), numbers(tokens * outputs));
            let part = LowRank::new((inputs, outputs), rank, 0.7, down.clone(), up.clone()).unwrap();
            let mut out = before.clone();
            add_low_rank(&part, &x, &mut out);
            for token in 0..tokens {
                let x = &x[token * inputs..][..inputs];
                for output in 0..outputs {
                    let path: f64 = (0..rank)
                        .map(|r| {
                            let inner: f64 =
                                (0..inputs).map(|c| f64::from(down[r * inputs + c]) * f64::from(x[c])).sum();
                            inner * f64::from(up[r * outputs + output])
                        })
                        .sum();
                    let want = f64::from(before[token * outputs + output]) + 0.7 * path;
                    let got = out[token * outputs + output];
                    assert!((f64::from(got) - want).abs() < 1e-5 * (1.0 + want.abs()), "{got}, not {want}");
                }
                let mut alone = before[token * outputs..][..outputs].to_vec();
                add_low_rank(&part, x, &mut alone);
                assert_eq!(alone, out[token * outputs..][..outputs]);
            }
        }
    }
}
