//! Weights as the kernels read them: the file's integers, scales and minima, turned so that four rows lie in a vector.
//!
//! ggml's block formats all say `integer · scale + minimum` ([`crate::gguf::Group`]), so four layouts hold every type
//! with exactly the file's values. What they look like in memory is written in `shaders/matrix.wgsl`. Scales and minima
//! become float32, because the K types multiply two numbers to get one.

use std::ops::Range;

use half::bf16;

use crate::engine::weights::{Form, Source};
use crate::gguf::{GROUP, Group, QuantizedType};

/// Rows of a quad.
pub const QUAD: usize = 4;

/// How integers or floats are packed into 32-bit words, by the numbers that the shaders have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Eight unsigned integers of four bits.
    Nibbles = 0,
    /// Four signed integers of eight bits: of eight columns first the even, then the odd ones.
    Bytes = 1,
    /// Two 16-bit floats.
    Halves = 2,
    /// A 32-bit float.
    Floats = 3,
}

impl Layout {
    /// The layout for a form.
    pub fn of(form: Form) -> Self {
        match form {
            Form::Integers { bits: 4, .. } => Self::Nibbles,
            Form::Integers { .. } => Self::Bytes,
            Form::Floats(QuantizedType::F16) => Self::Halves,
            Form::Floats(_) => Self::Floats,
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

    /// Whether its weights are integers.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Nibbles | Self::Bytes)
    }
}

/// Columns that share a scale.
pub fn span(form: Form) -> usize {
    match form {
        Form::Integers { span, .. } => span,
        Form::Floats(_) => GROUP,
    }
}

/// Bytes that a whole matrix takes, packed.
pub fn byte_count(source: &impl Source) -> u64 {
    let (form, columns) = (source.form(), source.columns());
    let scales = if Layout::of(form).is_integer() { columns / span(form) * 2 } else { 0 };
    let numbers = columns / Layout::of(form).columns_a_word() + scales;
    (numbers * source.rows().next_multiple_of(QUAD) * 4) as u64
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
    /// Packs some rows; columns are a multiple of 32.
    pub fn new(source: &impl Source, rows: Range<usize>) -> Self {
        let (form, columns) = (source.form(), source.columns());
        let layout = Layout::of(form);
        let height = rows.len().next_multiple_of(QUAD);
        let mut packed = Self { words: vec![0; columns / layout.columns_a_word() * height], scales: Vec::new() };
        if let Form::Integers { span, .. } = form {
            packed.scales = vec![0.0; columns / span * height * 2];
        }
        for (at, row) in rows.enumerate() {
            match form {
                Form::Integers { span, .. } => source.groups(row, &mut |index, group| {
                    packed.scales_of(height, at, span, index, group);
                    packed.integers(height, at, layout, index, group);
                }),
                Form::Floats(kind) => packed.floats(height, at, kind, source.floats(row)),
            }
        }
        packed
    }

    fn scales_of(&mut self, height: usize, row: usize, span: usize, index: usize, group: &Group) {
        let halves = GROUP / span;
        for half in 0..halves {
            let at = ((index * halves + half) * height / QUAD + row / QUAD) * 2 * QUAD + row % QUAD;
            self.scales[at] = group.scales[half];
            self.scales[at + QUAD] = group.minima[half];
        }
    }

    fn integers(&mut self, height: usize, row: usize, layout: Layout, index: usize, group: &Group) {
        let each = layout.columns_a_word();
        for (eight, v) in group.values.as_chunks::<8>().0.iter().enumerate() {
            let at = (index * GROUP + eight * 8) / each * height + row;
            if layout == Layout::Nibbles {
                self.words[at] = v.iter().rev().fold(0, |word, value| word << 4 | (*value as u32 & 15));
            } else {
                self.words[at] = u32::from_le_bytes([v[0], v[2], v[4], v[6]].map(|value| value as u8));
                self.words[at + height] = u32::from_le_bytes([v[1], v[3], v[5], v[7]].map(|value| value as u8));
            }
        }
    }

    fn floats(&mut self, height: usize, row: usize, kind: QuantizedType, bytes: &[u8]) {
        let mut put = |at: usize, word: u32| self.words[at * height + row] = word;
        if kind == QuantizedType::BF16 {
            for (at, bytes) in bytes.as_chunks().0.iter().enumerate() {
                put(at, bf16::from_le_bytes(*bytes).to_f32().to_bits());
            }
        } else {
            for (at, bytes) in bytes.as_chunks().0.iter().enumerate() {
                put(at, u32::from_le_bytes(*bytes));
            }
        }
    }
}
