//! The float32 product, for weights that are floats themselves, and dot products.
//!
//! A few rows and a few tokens at a time, eight columns in a vector; the only error is rounding.

use crate::engine::cpu::instructions::{InstructionSet, Kernel, Lanes};

/// Rows and tokens whose dot products are held in registers: 2 × 6 accumulators, two weights and one activation.
const REGISTER_ROWS: usize = 2;
const REGISTER_TOKENS: usize = 6;

/// `out[r][t] = Σ_c weights[r][c] · x[t][c]` for the rows of one unpacked tile.
pub struct RowsProduct<'a> {
    /// Unpacked rows, end to end.
    pub weights: &'a [f32],
    /// Activations, tokens × columns.
    pub x: &'a [f32],
    /// Numbers a row.
    pub columns: usize,
    /// Number of tokens.
    pub tokens: usize,
    /// Rows × tokens.
    pub out: &'a mut [f32],
}

impl Kernel for RowsProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let Self { weights, x, columns, tokens, out } = self;
        let rows = weights.len() / columns;
        let mut token = 0;
        // Tokens outside, rows inside: a few tokens' activations stay in the nearest cache while the tile's rows pass.
        while token < tokens {
            let width = if tokens - token >= REGISTER_TOKENS { REGISTER_TOKENS } else { 1 };
            let x = &x[token * columns..(token + width) * columns];
            let mut row = 0;
            while row < rows {
                let height = if rows - row >= REGISTER_ROWS { REGISTER_ROWS } else { 1 };
                let w = &weights[row * columns..(row + height) * columns];
                let out = &mut out[row * tokens + token..];
                match (height, width) {
                    (1, 1) => register_tile::<S::Lanes, 1, 1>(w, x, columns, out, tokens),
                    (1, _) => register_tile::<S::Lanes, 1, REGISTER_TOKENS>(w, x, columns, out, tokens),
                    (_, 1) => register_tile::<S::Lanes, REGISTER_ROWS, 1>(w, x, columns, out, tokens),
                    _ => register_tile::<S::Lanes, REGISTER_ROWS, REGISTER_TOKENS>(w, x, columns, out, tokens),
                }
                row += height;
            }
            token += width;
        }
    }
}

/// Dot products of `R` rows with `T` tokens, both `columns` long and stored end to end; row `r`, token `t` goes to
/// `out[r * stride + t]`.
#[inline(always)]
fn register_tile<L: Lanes, const R: usize, const T: usize>(
    w: &[f32],
    x: &[f32],
    columns: usize,
    out: &mut [f32],
    stride: usize,
) {
    assert!(w.len() == R * columns && x.len() == T * columns);
    let whole = columns / 8 * 8;
    let mut sums = [[L::zero(); T]; R];
    let mut column = 0;
    while column < whole {
        let mut weights = [L::zero(); R];
        for r in 0..R {
            // SAFETY: r < R and column + 8 ≤ columns, so these eight numbers lie inside `w`, whose length was checked.
            weights[r] = unsafe { L::load(w.as_ptr().add(r * columns + column)) };
        }
        for t in 0..T {
            // SAFETY: as above, for `x`.
            let lanes = unsafe { L::load(x.as_ptr().add(t * columns + column)) };
            for r in 0..R {
                sums[r][t] = sums[r][t].add_product(weights[r], lanes);
            }
        }
        column += 8;
    }
    for r in 0..R {
        for t in 0..T {
            let rest: f32 = (whole..columns).map(|c| w[r * columns + c] * x[t * columns + c]).sum();
            out[r * stride + t] = sums[r][t].sum() + rest;
        }
    }
}

/// `Σ a[i] · b[i]` over the shorter of the two.
pub struct Dot<'a>(pub &'a [f32], pub &'a [f32]);

impl Kernel for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: InstructionSet>(self) -> f32 {
        let n = self.0.len().min(self.1.len());
        let mut product = [0.0];
        register_tile::<S::Lanes, 1, 1>(&self.0[..n], &self.1[..n], n, &mut product, 1);
        product[0]
    }
}
