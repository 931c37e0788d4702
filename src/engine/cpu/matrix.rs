//! A weight matrix as the kernels want it, and its product with a batch of activations.
//!
//! Quantized types are repacked once, at load, into tiles for the integer kernels; floats keep their bytes and are
//! unpacked row by row. Either way the weights' values are those of the file, exactly.

use crate::engine::cpu::activations::Activations;
use crate::engine::cpu::floats::RowsProduct;
use crate::engine::cpu::instructions::{InstructionSet, Kernel, Set, dispatch, dispatch_to};
use crate::engine::cpu::integer::TileProduct;
use crate::engine::cpu::tiles::{self, TILE_ROWS, Tiles};
use crate::engine::weights::{Form, Source};
use crate::error::{Error, Result};
use crate::gguf::{GROUP, Group, QuantizedType, dequantize_row};
use crate::platform;

/// Tiles that one thread takes at a time: as many as the widest instruction set multiplies together.
const TASK_TILES: usize = 3;

/// A matrix of rows × columns (outputs × inputs).
pub struct Matrix {
    rows: usize,
    columns: usize,
    numbers: Numbers,
}

enum Numbers {
    /// Integers with scales.
    Tiles(Tiles),
    /// Floats as the file has them.
    Floats { kind: QuantizedType, bytes: Vec<u8>, row_bytes: usize },
}

impl Matrix {
    /// A matrix from a tensor's bytes, row after row.
    ///
    /// # Errors
    /// If the byte count is not what the shape and type need.
    pub fn new(kind: QuantizedType, rows: usize, columns: usize, bytes: Vec<u8>) -> Result<Self> {
        let row_bytes = kind.row_bytes(columns)?;
        if bytes.len() != row_bytes * rows {
            return Err(Error::format(format!(
                "{} bytes do not hold {rows} rows of {columns} {} weights",
                bytes.len(),
                kind.name()
            )));
        }
        let numbers = match Tiles::pack(kind, rows, columns, &bytes)? {
            Some(tiles) => Numbers::Tiles(tiles),
            None => Numbers::Floats { kind, bytes, row_bytes },
        };
        Ok(Self { rows, columns, numbers })
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many weights it has: multiply-adds a token.
    pub fn numbers(&self) -> usize {
        self.rows * self.columns
    }

    /// Bytes held in memory.
    pub fn byte_count(&self) -> usize {
        match &self.numbers {
            Numbers::Tiles(tiles) => tiles.byte_count(),
            Numbers::Floats { bytes, .. } => bytes.len(),
        }
    }

    /// Unpacks one row into `out` (`columns` numbers).
    ///
    /// # Panics
    /// If `row` is out of range; callers check token ids against the vocabulary.
    pub fn unpack_row(&self, row: usize, out: &mut [f32]) {
        match &self.numbers {
            Numbers::Tiles(tiles) => tiles.unpack_row(row, out),
            Numbers::Floats { kind, bytes, row_bytes } => {
                dispatch(UnpackFloats { kind: *kind, bytes: &bytes[row * row_bytes..][..*row_bytes], out });
            }
        }
    }

    /// Unpacks the rows from `first` on into `out` (rows × `columns`), on all threads.
    ///
    /// # Panics
    /// If `out` is no whole number of rows, or there are not as many.
    pub fn unpack_rows(&self, first: usize, out: &mut [f32]) {
        assert!(out.len().is_multiple_of(self.columns) && first + out.len() / self.columns <= self.rows);
        platform::for_each_chunk(out, self.columns, |row, out| self.unpack_row(first + row, out));
    }

    /// `out[t][r] = Σ_c self[r][c] · x[t][c]`: the result is tokens × rows.
    pub fn multiply(&self, x: &Activations) -> Vec<f32> {
        self.multiply_with(Set::in_use(), x)
    }

    /// [`Self::multiply`] with a given instruction set; for tests and benchmarks.
    pub fn multiply_with(&self, set: Set, x: &Activations) -> Vec<f32> {
        match &self.numbers {
            Numbers::Tiles(tiles) => multiply_tiles(set, tiles, x),
            Numbers::Floats { .. } => self.multiply_floats(set, x),
        }
    }

    fn multiply_floats(&self, set: Set, x: &Activations) -> Vec<f32> {
        let tokens = x.tokens();
        let mut out = vec![0.0; tokens * self.rows];
        if tokens == 0 {
            return out;
        }
        // Tiles are written row after row, so that threads own disjoint memory, and turned round afterwards.
        let mut turned = vec![0.0; tokens * self.rows];
        platform::for_each_chunk(&mut turned, TILE_ROWS * tokens, |tile, chunk| {
            let mut weights = vec![0.0; chunk.len() / tokens * self.columns];
            for (row, unpacked) in weights.chunks_exact_mut(self.columns).enumerate() {
                self.unpack_row(tile * TILE_ROWS + row, unpacked);
            }
            let x = x.rows();
            dispatch_to(set, RowsProduct { weights: &weights, x, columns: self.columns, tokens, out: chunk });
        });
        platform::for_each_chunk(&mut out, self.rows, |token, row_out| {
            for (row, value) in row_out.iter_mut().enumerate() {
                *value = turned[row * tokens + token];
            }
        });
        out
    }
}

impl Source for Matrix {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn form(&self) -> Form {
        match &self.numbers {
            Numbers::Tiles(tiles) => {
                let bits = if tiles.form() == tiles::Form::Nibbles { 4 } else { 8 };
                Form::Integers { bits, span: GROUP / tiles.parts() }
            }
            Numbers::Floats { kind, .. } => Form::Floats(*kind),
        }
    }

    fn groups(&self, row: usize, each: &mut dyn FnMut(usize, &Group)) {
        if let Numbers::Tiles(tiles) = &self.numbers {
            tiles.groups_of_row(row, each);
        }
    }

    fn floats(&self, row: usize) -> &[u8] {
        match &self.numbers {
            Numbers::Tiles(_) => &[],
            Numbers::Floats { bytes, row_bytes, .. } => &bytes[row * row_bytes..][..*row_bytes],
        }
    }
}

/// Where tiles write their columns of the result, from several threads at once.
struct Columns {
    start: *mut f32,
    rows: usize,
    tokens: usize,
}

// SAFETY: `put` writes the columns of one tile, and every tile is taken by one thread only.
unsafe impl Sync for Columns {}

impl Columns {
    /// Writes a tile's outputs of one token; rows that do not exist are dropped.
    ///
    /// # Safety
    /// No two threads may put the same tile.
    #[inline(always)]
    unsafe fn put(&self, tile: usize, token: usize, outputs: &[f32; TILE_ROWS]) {
        let first = tile * TILE_ROWS;
        assert!(token < self.tokens && first < self.rows);
        // SAFETY: token < tokens and first < rows, so this is inside the result of tokens × rows.
        let to = unsafe { self.start.add(token * self.rows + first) };
        if first + TILE_ROWS <= self.rows {
            // SAFETY: sixteen rows follow, and the caller promises that nobody else writes there.
            unsafe { to.cast::<[f32; TILE_ROWS]>().write_unaligned(*outputs) };
        } else {
            // SAFETY: as above, for the rows that are left.
            unsafe { put_some(to, &outputs[..self.rows - first]) };
        }
    }
}

/// Writes the rows of a last tile. Apart, because a copy of unknown length would be made of every tile otherwise.
///
/// # Safety
/// `to` must be writable for all of `outputs`.
#[cold]
#[inline(never)]
unsafe fn put_some(to: *mut f32, outputs: &[f32]) {
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(outputs.as_ptr(), to, outputs.len()) };
}

fn multiply_tiles(set: Set, tiles: &Tiles, activations: &Activations) -> Vec<f32> {
    let (tokens, rows) = (activations.tokens(), tiles.rows());
    let mut out = Vec::with_capacity(tokens * rows);
    // Quantized before the threads part: all of them need it.
    activations.groups();
    let columns = Columns { start: out.as_mut_ptr(), rows, tokens };
    platform::map_indices(tiles.tiles().div_ceil(TASK_TILES), |task| {
        let columns = &columns;
        let range = task * TASK_TILES..tiles.tiles().min((task + 1) * TASK_TILES);
        // SAFETY: every tile is in the range of one task.
        let put = |tile: usize, token: usize, outputs: &[f32; TILE_ROWS]| unsafe { columns.put(tile, token, outputs) };
        dispatch_to(set, TileProduct { tiles, range, activations, put });
    });
    // SAFETY: the capacity is there, and the tiles' rows of all tokens, which are all of it, were just written.
    unsafe { out.set_len(tokens * rows) };
    out
}

/// Converts a row of floats.
struct UnpackFloats<'a> {
    kind: QuantizedType,
    bytes: &'a [u8],
    out: &'a mut [f32],
}

impl Kernel for UnpackFloats<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        dequantize_row(self.kind, self.bytes, self.out).expect("`Matrix::new` checked that rows are whole blocks");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::{quantize_row, random_blocks};
    use rand::{RngExt, SeedableRng};

    /// Activations with a few channels that are far larger than the rest, as models have them.
    fn activations(random: &mut impl rand::Rng, tokens: usize, columns: usize) -> Vec<f32> {
        (0..tokens * columns)
            .map(|i| random.random_range(-1.0..1.0) * if i % columns % 97 == 5 { 60.0 } else { 1.0 })
            .collect()
    }

    /// What another backend would copy is the file's weights.
    fn check_copy(matrix: &Matrix, weights: &[f32]) {
        let columns = matrix.columns();
        for (row, want) in weights.chunks_exact(columns).enumerate() {
            let mut got = vec![0.0; columns];
            match matrix.form() {
                Form::Integers { bits, span } => matrix.groups(row, &mut |index, group| {
                    assert!(bits == 8 || group.values.iter().all(|value| (0..16).contains(value)));
                    assert!(span == 16 || (group.scales[0], group.minima[0]) == (group.scales[1], group.minima[1]));
                    let mut unpacked = [0.0; GROUP];
                    group.unpack(&mut unpacked);
                    got[index * GROUP..][..GROUP].copy_from_slice(&unpacked);
                }),
                Form::Floats(kind) => dequantize_row(kind, matrix.floats(row), &mut got).unwrap(),
            }
            assert_eq!(got, want, "row {row}");
        }
    }

    #[test]
    fn every_product_equals_the_plain_loop_over_odd_shapes() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let shapes = [(1, 1, 1), (5, 2, 2), (16, 3, 7), (17, 1, 4), (33, 4, 9), (50, 2, 67), (48, 5, 13)];
        for kind in QuantizedType::all() {
            for (rows, blocks, tokens) in shapes {
                let columns = if kind.block_size() == 1 { 11 * blocks } else { kind.block_size() * blocks };
                let bytes = random_blocks(kind, rows * columns / kind.block_size(), 7 + rows as u64);
                let mut weights = vec![0.0; rows * columns];
                dequantize_row(kind, &bytes, &mut weights).unwrap();
                let matrix = Matrix::new(kind, rows, columns, bytes).unwrap();
                let mut unpacked = vec![0.0; columns];
                for (row, want) in weights.chunks_exact(columns).enumerate() {
                    matrix.unpack_row(row, &mut unpacked);
                    assert_eq!(unpacked, want, "{kind} {rows} × {columns}, row {row}");
                }
                check_copy(&matrix, &weights);
                let x = activations(&mut random, tokens, columns);
                let first = matrix.multiply(&Activations::new(x.clone(), columns));
                check(&format!("{kind} {rows} × {columns}"), &weights, &x, columns, &first);
                for set in Set::available() {
                    let got = matrix.multiply_with(set, &Activations::new(x.clone(), columns));
                    assert_eq!(got, first, "{kind} {rows} × {columns}, {}", set.name());
                }
            }
        }
    }

    /// Compares with the plain loop in float64; the error allowed is what 16 bits a group can do.
    fn check(name: &str, weights: &[f32], x: &[f32], columns: usize, got: &[f32]) {
        let rows = weights.len() / columns;
        let (mut error, mut size) = (0.0, 0.0);
        for (token, x) in x.chunks_exact(columns).enumerate() {
            for (row, weights) in weights.chunks_exact(columns).enumerate() {
                let product = |(w, x): (&f32, &f32)| f64::from(*w) * f64::from(*x);
                let want: f64 = weights.iter().zip(x).map(product).sum();
                let bound: f64 = weights.iter().zip(x).map(|pair| product(pair).abs()).sum();
                let off = f64::from(got[token * rows + row]) - want;
                assert!(off.abs() <= 1e-3 * bound + 1e-6, "{name}: token {token}, row {row} is off by {off} of {want}");
                error += off * off;
                size += want * want;
            }
        }
        assert!(error <= size * 3e-4_f64.powi(2), "{name}: relative error {:.1e}", (error / size).sqrt());
    }

    #[test]
    fn a_tokens_product_does_not_depend_on_its_batch() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        let values: Vec<f32> = (0..40 * 96).map(|_| random.random_range(-1.0..1.0)).collect();
        let mut bytes = Vec::new();
        quantize_row(QuantizedType::Q4_1, &values, &mut bytes).unwrap();
        let matrix = Matrix::new(QuantizedType::Q4_1, 40, 96, bytes).unwrap();
        let x = activations(&mut random, 83, 96);
        let together = matrix.multiply(&Activations::new(x.clone(), 96));
        for (x, together) in x.chunks_exact(96).zip(together.chunks_exact(40)) {
            assert_eq!(matrix.multiply(&Activations::new(x.to_vec(), 96)), together);
        }
    }

    #[test]
    fn refuses_bytes_that_do_not_fit_the_shape() {
        assert!(Matrix::new(QuantizedType::Q4_1, 2, 32, vec![0; 39]).is_err());
        assert!(Matrix::new(QuantizedType::Q4_1, 1, 33, vec![0; 20]).is_err());
    }
}
