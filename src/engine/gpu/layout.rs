//! Weights as the kernels read them: the file's integers, scales and minima, turned so that four rows lie in a vector.
//!
//! ggml's block formats all say `integer · scale + minimum` ([`crate::gguf::Group`]), so four layouts hold every type
//! with exactly the file's values. What they look like in memory is written in `shaders/matrix.wgsl`. Scales and minima
//! become float32, because the K types multiply two numbers to get one.

use half::bf16;

use crate::error::Result;
use crate::gguf::{GROUP, QuantizedType, for_each_group};

/// Rows of a quad.
pub const QUAD: usize = 4;

/// How integers or floats are packed into 32-bit words, by the numbers that the shader has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Eight unsigned integers of four bits.
    Nibbles = 0,
    /// Four signed integers of eight bits.
    Bytes = 1,
    /// Two 16-bit floats.
    Halves = 2,
    /// A 32-bit float.
    Floats = 3,
}

impl Layout {
    /// The layout for a type.
    pub fn of(kind: QuantizedType) -> Self {
        match kind {
            QuantizedType::Q4_0 | QuantizedType::Q4_1 | QuantizedType::Q4_K => Self::Nibbles,
            QuantizedType::F16 => Self::Halves,
            QuantizedType::F32 | QuantizedType::BF16 => Self::Floats,
            _ => Self::Bytes,
        }
    }

    /// Columns in a word.
    pub fn columns_a_word(self) -> usize {
        match self {
            Self::Nibbles => 8,
            Self::Bytes => 4,
            Self::Halves => 2,
            Self::Floats => 1,
        }
    }
}

/// Columns that share a scale.
pub fn span(kind: QuantizedType) -> usize {
    match kind {
        QuantizedType::Q2_K | QuantizedType::Q3_K | QuantizedType::Q6_K => GROUP / 2,
        _ => GROUP,
    }
}

/// Adjacent rows of a matrix, packed.
#[derive(Debug, Default, PartialEq)]
pub struct Packed {
    /// columns / columns-a-word × rows, rows rounded up to whole quads.
    pub words: Vec<u32>,
    /// columns / span × quads × (four scales, four minima); empty for floats.
    pub scales: Vec<f32>,
}

impl Packed {
    /// Packs the rows that `bytes` hold; `columns` is a multiple of 32.
    ///
    /// # Errors
    /// If the bytes are not whole blocks.
    pub fn new(kind: QuantizedType, columns: usize, bytes: &[u8]) -> Result<Self> {
        let layout = Layout::of(kind);
        let row_bytes = kind.row_bytes(columns)?;
        let rows = (bytes.len() / row_bytes).next_multiple_of(QUAD);
        let words_a_row = columns / layout.columns_a_word();
        let mut packed = Self { words: vec![0; words_a_row * rows], scales: Vec::new() };
        if matches!(layout, Layout::Nibbles | Layout::Bytes) {
            packed.scales = vec![0.0; columns / span(kind) * rows * 2];
        }
        for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
            match layout {
                Layout::Nibbles | Layout::Bytes => packed.integers(kind, layout, rows, row, bytes)?,
                Layout::Halves => packed.row(rows, row, bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b))),
                Layout::Floats => match kind {
                    QuantizedType::BF16 => {
                        let numbers = bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32().to_bits());
                        packed.row(rows, row, numbers);
                    }
                    _ => packed.row(rows, row, bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b))),
                },
            }
        }
        Ok(packed)
    }

    fn row(&mut self, rows: usize, row: usize, words: impl Iterator<Item = u32>) {
        for (at, word) in words.enumerate() {
            self.words[at * rows + row] = word;
        }
    }

    fn integers(&mut self, kind: QuantizedType, layout: Layout, rows: usize, row: usize, bytes: &[u8]) -> Result<()> {
        let (quad, lane) = (row / QUAD, row % QUAD);
        let halves = GROUP / span(kind);
        // ggml's Q4_0 counts from -8; nibbles count from 0, and the minimum makes up for it.
        let zero = if kind == QuantizedType::Q4_0 { 8 } else { 0 };
        for_each_group(kind, bytes, |index, group| {
            for half in 0..halves {
                let at = ((index * halves + half) * rows / QUAD + quad) * 2 * QUAD + lane;
                self.scales[at] = group.scales[half];
                self.scales[at + QUAD] = group.minima[half] - f32::from(zero) * group.scales[half];
            }
            let each = layout.columns_a_word();
            let bits = 32 / each;
            for (at, values) in group.values.chunks_exact(each).enumerate() {
                let word = values.iter().enumerate().fold(0, |word, (place, value)| {
                    let integer = (value.wrapping_add(zero) as u32) & (u32::MAX >> (32 - bits));
                    word | integer << (bits * place)
                });
                self.words[(index * GROUP / each + at) * rows + row] = word;
            }
        })
    }
}
