//! A weight matrix kept quantized, and its product with a batch of activations.
//!
//! Weights keep their GGUF bytes. A product unpacks a tile of rows to float32 once and uses it for every token of the
//! batch; products are accumulated in float32, so the only error is rounding. Not here: anything that quantizes
//! activations.

use crate::engine::cpu::lanes::{Kernel, Lanes, dispatch};
use crate::error::{Error, Result};
use crate::gguf::{QuantizedType, dequantize_row};
use crate::platform;

/// Rows that are unpacked together: the unit of work of a thread.
const TILE_ROWS: usize = 16;
/// Rows and tokens whose dot products are held in registers: 2 × 6 accumulators, two weights and one activation.
const REGISTER_ROWS: usize = 2;
const REGISTER_TOKENS: usize = 6;

/// A matrix of `rows` × `columns` (outputs × inputs) in GGUF's block formats.
pub struct Matrix {
    kind: QuantizedType,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
    row_bytes: usize,
}

impl Matrix {
    /// A matrix from a tensor's bytes, row after row.
    ///
    /// # Errors
    /// If the byte count is not what the shape and type need.
    pub fn new(kind: QuantizedType, rows: usize, columns: usize, bytes: Vec<u8>) -> Result<Self> {
        let blocks = columns / kind.block_size();
        let row_bytes = blocks * kind.block_bytes();
        if !columns.is_multiple_of(kind.block_size()) || bytes.len() != row_bytes * rows {
            return Err(Error::format(format!(
                "{} bytes do not hold {rows} rows of {columns} {} weights",
                bytes.len(),
                kind.name()
            )));
        }
        Ok(Self { kind, rows, columns, bytes, row_bytes })
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes held in memory.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Unpacks one row into `out` (`columns` numbers).
    ///
    /// # Panics
    /// If `row` is out of range; callers check token ids against the vocabulary.
    pub fn unpack_row(&self, row: usize, out: &mut [f32]) {
        dispatch(Unpack { kind: self.kind, bytes: &self.bytes[row * self.row_bytes..][..self.row_bytes], out });
    }

    /// `out[t][r] = Σ_c self[r][c] · x[t][c]`: `x` is tokens × columns, the result tokens × rows.
    pub fn multiply(&self, x: &[f32]) -> Vec<f32> {
        let tokens = x.len() / self.columns;
        let mut out = vec![0.0; tokens * self.rows];
        if tokens == 0 {
            return out;
        }
        // Tiles are written row after row, so that threads own disjoint memory, and turned round afterwards.
        let mut tiles = vec![0.0; tokens * self.rows];
        platform::for_each_chunk(&mut tiles, TILE_ROWS * tokens, |tile, chunk| {
            let first = tile * TILE_ROWS;
            let rows = chunk.len() / tokens;
            let mut weights = vec![0.0; rows * self.columns];
            for (row, unpacked) in weights.chunks_exact_mut(self.columns).enumerate() {
                self.unpack_row(first + row, unpacked);
            }
            dispatch(TileProduct { weights: &weights, x, columns: self.columns, tokens, out: chunk });
        });
        platform::for_each_chunk(&mut out, self.rows, |token, row_out| {
            for (row, value) in row_out.iter_mut().enumerate() {
                *value = tiles[row * tokens + token];
            }
        });
        out
    }
}

/// Unpacks whole blocks to float32.
struct Unpack<'a> {
    kind: QuantizedType,
    bytes: &'a [u8],
    out: &'a mut [f32],
}

impl Kernel for Unpack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        dequantize_row(self.kind, self.bytes, self.out).expect("`Matrix::new` checked that rows are whole blocks");
    }
}

/// `out[r][t] = Σ_c weights[r][c] · x[t][c]` for the rows of one unpacked tile.
struct TileProduct<'a> {
    weights: &'a [f32],
    x: &'a [f32],
    columns: usize,
    tokens: usize,
    out: &'a mut [f32],
}

impl Kernel for TileProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
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
                    (1, 1) => register_tile::<L, 1, 1>(w, x, columns, out, tokens),
                    (1, _) => register_tile::<L, 1, REGISTER_TOKENS>(w, x, columns, out, tokens),
                    (_, 1) => register_tile::<L, REGISTER_ROWS, 1>(w, x, columns, out, tokens),
                    _ => register_tile::<L, REGISTER_ROWS, REGISTER_TOKENS>(w, x, columns, out, tokens),
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
    fn run<L: Lanes>(self) -> f32 {
        let n = self.0.len().min(self.1.len());
        let mut product = [0.0];
        register_tile::<L, 1, 1>(&self.0[..n], &self.1[..n], n, &mut product, 1);
        product[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn product_equals_the_plain_loop_over_odd_shapes() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        for (rows, columns, tokens) in
            [(1, 1, 1), (4, 8, 3), (5, 7, 2), (16, 32, 7), (17, 64, 4), (33, 40, 1), (50, 96, 11)]
        {
            let weights: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-1.0..1.0)).collect();
            let x: Vec<f32> = (0..tokens * columns).map(|_| rng.random_range(-1.0..1.0)).collect();
            let bytes = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
            let matrix = Matrix::new(QuantizedType::F32, rows, columns, bytes).unwrap();
            let got = matrix.multiply(&x);
            for t in 0..tokens {
                for r in 0..rows {
                    let want: f64 =
                        (0..columns).map(|c| f64::from(weights[r * columns + c]) * f64::from(x[t * columns + c])).sum();
                    let got = f64::from(got[t * rows + r]);
                    assert!((got - want).abs() < 1e-5, "{rows}x{columns}, token {t}, row {r}: {got} for {want}");
                }
            }
        }
    }

    #[test]
    fn refuses_bytes_that_do_not_fit_the_shape() {
        assert!(Matrix::new(QuantizedType::Q4_1, 2, 32, vec![0; 39]).is_err());
        assert!(Matrix::new(QuantizedType::Q4_1, 1, 33, vec![0; 20]).is_err());
    }
}
