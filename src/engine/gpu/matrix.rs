//! A matrix on the device, in parts that a kernel may bind, and the calls that use it.

use super::device::{Buffer, Device};
use super::kernels::{Constants, Kernel, Recording};
use super::layout::{Layout, Packed, QUAD, span};
use crate::error::{Error, Result};
use crate::gguf::QuantizedType;

/// Bytes of words of one part at most. WebGPU would bind eight times as much; small parts keep staging memory small.
const PART_BYTES: usize = 16 << 20;
/// Tokens of a register tile, as in the shader.
const TILE_TOKENS: u32 = 8;
/// Invocations of a workgroup.
const LANES: u32 = 64;
/// The same for a program on the processor: nothing is won by more, and narrow matrices waste less.
const LANES_OF_SOFTWARE: u32 = 24;
/// Register tiles from which on it pays to have each invocation do two quads: enough to fill a large device.
const MANY_TILES: u32 = 1 << 14;

/// What is done with a product, as the shader numbers it.
pub mod then {
    /// It is stored.
    pub const STORE: u32 = 0;
    /// A bias is added first.
    pub const ADD_BIAS: u32 = 1;
    /// It is added to what is there.
    pub const ADD_TO_OUT: u32 = 2;
    /// What is there is a gate: `silu(gate) · product`.
    pub const GATE: u32 = 4;
}

/// A matrix of rows × columns (outputs × inputs).
#[derive(Debug)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    layout: Layout,
    span: usize,
    parts: Vec<Part>,
}

/// Adjacent rows.
#[derive(Debug)]
struct Part {
    first_row: usize,
    quads: u32,
    words: Buffer,
    scales: Buffer,
}

/// Where a product comes from and goes to.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// Activations, tokens × columns.
    pub x: &'a Buffer,
    /// The first token of `x`.
    pub first_token: usize,
    /// How many tokens.
    pub tokens: usize,
    /// tokens × rows, rows rounded up to whole quads.
    pub out: &'a Buffer,
    /// What happens with the product: see [`then`].
    pub then: u32,
    /// The bias, for [`then::ADD_BIAS`]; rows.
    pub bias: Option<&'a Buffer>,
}

impl Matrix {
    /// Uploads a tensor, part by part; `columns` is a multiple of 32.
    ///
    /// # Errors
    /// If the byte count is not what shape and type need.
    pub fn new(device: &Device, kind: QuantizedType, rows: usize, columns: usize, bytes: &[u8]) -> Result<Self> {
        let row_bytes = kind.row_bytes(columns)?;
        if bytes.len() != row_bytes * rows {
            let has = bytes.len();
            return Err(Error::format(format!("{has} bytes do not hold {rows} rows of {columns} {kind} weights")));
        }
        let layout = Layout::of(kind);
        let rows_a_part = (PART_BYTES * layout.columns_a_word() / 4 / columns / QUAD).max(1) * QUAD;
        let parts = (bytes.chunks(rows_a_part * row_bytes).enumerate())
            .map(|(index, bytes)| {
                let packed = Packed::new(kind, columns, bytes)?;
                let part = Part {
                    first_row: index * rows_a_part,
                    quads: (bytes.len() / row_bytes).div_ceil(QUAD) as u32,
                    words: device.buffer_of(&packed.words),
                    scales: device.buffer_of(&packed.scales),
                };
                device.flush();
                Ok(part)
            })
            .collect::<Result<_>>()?;
        Ok(Self { rows, columns, layout, span: span(kind), parts })
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Length of a row of the product: outputs, rounded up to whole quads.
    pub fn stride(&self) -> usize {
        self.rows.next_multiple_of(QUAD)
    }

    /// Bytes on the device.
    pub fn byte_count(&self) -> u64 {
        self.parts.iter().map(|part| part.words.bytes() + part.scales.bytes()).sum()
    }

    fn constants(&self, lanes: u32, quads: u32) -> Constants {
        vec![("LAYOUT", self.layout as u32), ("SPAN", self.span as u32), ("QUADS", quads), ("LANES", lanes)]
    }

    /// `out[t][r] = Σ_c self[r][c] · x[t][c]`, then what `product.then` says.
    pub fn multiply<'a>(&'a self, recording: &mut Recording<'a>, product: Product<'a>) {
        let software = recording.device().software;
        let lanes = if software { LANES_OF_SOFTWARE } else { LANES };
        let tiles = product.tokens.div_ceil(TILE_TOKENS as usize) as u32;
        for part in &self.parts {
            let quads = if software || part.quads.saturating_mul(tiles) >= MANY_TILES { 2 } else { 1 };
            let sizes = [
                (self.columns / 8) as u32,
                part.quads,
                product.tokens as u32,
                (self.stride() / QUAD) as u32,
                (part.first_row / QUAD) as u32,
                product.then,
                product.first_token as u32,
                0,
            ];
            let buffers = [&part.words, &part.scales, product.bias.unwrap_or(&part.scales), product.x, product.out];
            let grid = [part.quads.div_ceil(lanes * quads), tiles, 1];
            recording.call(Kernel::Multiply, &self.constants(lanes, quads), &sizes, &buffers, grid);
        }
    }

    /// `out[t] = self[ids[t]]`, tokens × columns.
    pub fn embed<'a>(&'a self, recording: &mut Recording<'a>, ids: &'a Buffer, tokens: usize, out: &'a Buffer) {
        for part in &self.parts {
            let columns8 = (self.columns / 8) as u32;
            let sizes = [columns8, part.quads, tokens as u32, columns8 * 2, 0, then::STORE, 0, part.first_row as u32];
            let grid = [columns8.div_ceil(LANES), tokens as u32, 1];
            let buffers = [&part.words, &part.scales, ids, out];
            recording.call(Kernel::Embed, &self.constants(LANES, 1), &sizes, &buffers, grid);
        }
    }
}
