//! A matrix on the device, in parts that a kernel may bind, and the calls that use it.

use super::device::{Buffer, Device};
use super::kernels::{Constants, Kernel, Recording};
use super::layout::{Layout, Packed, QUAD, span};
use super::narrow::{Input, Narrow};
use super::rung::Rung;
use crate::engine::weights::Source;

/// Bytes of words of one part at most. WebGPU would bind eight times as much; small parts keep staging memory small.
const PART_BYTES: usize = 16 << 20;
/// Bytes that are written before they are sent on their way: staging memory stays below this and one part.
pub const STAGING_BYTES: u64 = 16 << 20;
/// Invocations of a workgroup, where it does not matter.
const LANES: u32 = 64;
/// Tiles of eight tokens and a quad from which on it pays to make them twice as large: as many as fill a large device.
const MANY_TILES: u32 = 1 << 16;

/// What an invocation of a product keeps in its registers, and how many of them work side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tiling {
    lanes: u32,
    quads: u32,
    tokens: u32,
}

impl Tiling {
    /// For a program on the processor: nothing is won by more lanes, and narrow matrices waste less.
    const OF_SOFTWARE: Self = Self { lanes: 24, quads: 2, tokens: 8 };
    /// For few tokens: many small tiles, so that no part of a device is idle.
    const SMALL: Self = Self { lanes: LANES, quads: 1, tokens: 8 };
    /// For many tokens: what was unpacked is used twice as often.
    const LARGE: Self = Self { lanes: LANES, quads: 1, tokens: 16 };

    /// All that a device may be asked for.
    fn all(software: bool) -> &'static [Self] {
        if software { &[Self::OF_SOFTWARE] } else { &[Self::SMALL, Self::LARGE] }
    }

    /// What suits a product of so many quads and tokens.
    fn of(software: bool, quads: u32, tokens: u32) -> Self {
        let many = quads.saturating_mul(tokens.div_ceil(Self::SMALL.tokens)) >= MANY_TILES;
        match (software, many) {
            (true, _) => Self::OF_SOFTWARE,
            (false, false) => Self::SMALL,
            (false, true) => Self::LARGE,
        }
    }

    /// Workgroups.
    fn grid(self, quads: u32, tokens: u32) -> [u32; 3] {
        [quads.div_ceil(self.lanes * self.quads), tokens.div_ceil(self.tokens), 1]
    }
}

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
    /// Rows of numbers are added first, in the place of a bias.
    pub const ADD_ROWS: u32 = 8;
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
    pub x: Input<'a>,
    /// The first token of `x`.
    pub first_token: usize,
    /// How many tokens.
    pub tokens: usize,
    /// tokens × rows, rows rounded up to whole quads.
    pub out: &'a Buffer,
    /// What happens with the product: see [`then`].
    pub then: u32,
    /// The bias, for [`then::ADD_BIAS`]: rows; for [`then::ADD_ROWS`]: as `out`.
    pub bias: Option<&'a Buffer>,
}

impl Matrix {
    /// Uploads a matrix, part by part; its columns are a multiple of 32.
    pub fn new(device: &Device, source: &impl Source) -> Self {
        let (form, rows, columns) = (source.form(), source.rows(), source.columns());
        let layout = Layout::of(form);
        let rows_a_part = (PART_BYTES * layout.columns_a_word() / 4 / columns / QUAD).max(1) * QUAD;
        let parts = (0..rows.div_ceil(rows_a_part)).map(|index| {
            let range = index * rows_a_part..rows.min((index + 1) * rows_a_part);
            let (first_row, quads) = (range.start, range.len().div_ceil(QUAD) as u32);
            let packed = Packed::new(source, range);
            let part = Part {
                first_row,
                quads,
                words: device.buffer_of(&packed.words),
                scales: device.buffer_of(&packed.scales),
            };
            device.flush_at(STAGING_BYTES);
            part
        });
        Self { rows, columns, layout, span: span(form), parts: parts.collect() }
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

    fn constants(&self, tiling: Tiling) -> Constants {
        let Tiling { lanes, quads, tokens } = tiling;
        [self.dot_constants(lanes), vec![("QUADS", quads), ("TOKENS", tokens)]].concat()
    }

    fn dot_constants(&self, lanes: u32) -> Constants {
        vec![("LAYOUT", self.layout as u32), ("SPAN", self.span as u32), ("LANES", lanes)]
    }

    /// Every kernel that its products may use on a rung.
    pub fn kernels(&self, software: bool, rung: Rung) -> Vec<(Kernel, Constants)> {
        let tilings = Tiling::all(software);
        let floats = |kernel: Kernel| tilings.iter().map(move |tiling| (kernel, self.constants(*tiling)));
        match rung {
            Rung::IntegerDot if self.layout.is_integer() => {
                vec![(Kernel::MultiplyDots, self.dot_constants(tilings[0].lanes))]
            }
            // Some products read float32 there.
            Rung::Float16 => floats(Kernel::MultiplyHalves).chain(floats(Kernel::Multiply)).collect(),
            Rung::Float32 | Rung::IntegerDot => floats(Kernel::Multiply).collect(),
        }
    }

    /// What [`Self::embed`] uses.
    pub fn embedding_kernel(&self) -> (Kernel, Constants) {
        (Kernel::Embed, self.constants(Tiling::SMALL))
    }

    /// `out[t][r] = Σ_c self[r][c] · x[t][c]`, then what `product.then` says.
    pub fn multiply<'a>(&'a self, recording: &mut Recording<'a>, product: Product<'a>) {
        let (software, tokens) = (recording.device().software, product.tokens as u32);
        for part in &self.parts {
            let sizes = [
                (self.columns / 8) as u32,
                part.quads,
                tokens,
                (self.stride() / QUAD) as u32,
                (part.first_row / QUAD) as u32,
                product.then,
                product.first_token as u32,
                0,
            ];
            let (words, scales, out) = (&part.words, &part.scales, product.out);
            let bias = product.bias.unwrap_or(scales);
            match product.x.narrow {
                Some(Narrow::Integers { bytes, scales: of_bytes }) if self.layout.is_integer() => {
                    let tiling = Tiling { quads: 1, ..Tiling::all(software)[0] };
                    let buffers = [words, scales, bias, bytes, of_bytes, out];
                    let constants = self.dot_constants(tiling.lanes);
                    recording.call(Kernel::MultiplyDots, &constants, &sizes, &buffers, tiling.grid(part.quads, tokens));
                }
                narrow => {
                    let (kernel, x) = match narrow {
                        Some(Narrow::Halves(halves)) => (Kernel::MultiplyHalves, halves),
                        _ => (Kernel::Multiply, product.x.numbers),
                    };
                    let tiling = Tiling::of(software, part.quads, tokens);
                    let buffers = [words, scales, bias, x, out];
                    let grid = tiling.grid(part.quads, tokens);
                    recording.call(kernel, &self.constants(tiling), &sizes, &buffers, grid);
                }
            }
        }
    }

    /// `out[t] = self[ids[t]]`, tokens × columns.
    pub fn embed<'a>(&'a self, recording: &mut Recording<'a>, ids: &'a Buffer, tokens: usize, out: &'a Buffer) {
        for part in &self.parts {
            let columns8 = (self.columns / 8) as u32;
            let sizes = [columns8, part.quads, tokens as u32, columns8 * 2, 0, then::STORE, 0, part.first_row as u32];
            let grid = [columns8.div_ceil(LANES), tokens as u32, 1];
            let buffers = [&part.words, &part.scales, ids, out];
            let (kernel, constants) = self.embedding_kernel();
            recording.call(kernel, &constants, &sizes, &buffers, grid);
        }
    }
}
