//! A quantized matrix repacked for the integer kernels: sixteen rows at a time, their numbers side by side.
//!
//! A *tile* is sixteen rows; a tile's *group* is 32 columns of them. Within a group the integers are ordered by pairs of
//! columns, then rows, so that one vector holds the same two columns of all sixteen rows and a kernel reads a tile as
//! one stream. Nibbles stay nibbles; every other type becomes bytes. Scales and minima become float32. The values are
//! those of the file, exactly.

use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::error::Result;
use crate::gguf::{GROUP, Group, QuantizedType, for_each_group};

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// Integers of a tile's group.
pub const TILE_GROUP: usize = TILE_ROWS * GROUP;

/// How the integers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Unsigned nibbles: columns 0–15 of a group low, 16–31 high.
    Nibbles,
    /// Signed bytes.
    Bytes,
}

/// A matrix of rows × columns in tiles.
pub struct Tiles {
    form: Form,
    rows: usize,
    /// Groups of a row.
    groups: usize,
    /// Scales a row and group: 1, or 2 where elements 0–15 and 16–31 differ.
    parts: usize,
    /// Integers, tile after tile, group after group.
    packed: Vec<u8>,
    /// Scales in the same order: parts, then rows.
    scales: Vec<f32>,
    /// Minima in the same order; empty where the type has none.
    minima: Vec<f32>,
}

/// The numbers of one tile's group.
#[derive(Clone, Copy)]
pub struct TileGroup<'a> {
    /// The integers: 256 bytes of nibbles, or 512 bytes.
    pub packed: &'a [u8],
    /// Sixteen scales for each part.
    pub scales: &'a [f32],
    /// Sixteen minima for each part, or none.
    pub minima: &'a [f32],
}

impl Tiles {
    /// Repacks a tensor's bytes. `None` if the type has no integers, or a row is not whole groups.
    ///
    /// # Errors
    /// If the bytes are not whole blocks.
    pub fn pack(kind: QuantizedType, rows: usize, columns: usize, bytes: &[u8]) -> Result<Option<Self>> {
        if matches!(kind, QuantizedType::F32 | QuantizedType::F16 | QuantizedType::BF16) {
            return Ok(None);
        }
        let (form, zero) = match kind {
            QuantizedType::Q4_0 => (Form::Nibbles, 8),
            QuantizedType::Q4_1 | QuantizedType::Q4_K | QuantizedType::Q2_K => (Form::Nibbles, 0),
            _ => (Form::Bytes, 0),
        };
        use QuantizedType::{Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_1, Q5_K, Q6_K};
        let parts = if matches!(kind, Q2_K | Q3_K | Q6_K) { 2 } else { 1 };
        let has_minima = matches!(kind, Q4_0 | Q4_1 | Q5_1 | Q2_K | Q4_K | Q5_K);
        let groups = columns / GROUP;
        let cells = rows.div_ceil(TILE_ROWS) * groups;
        let scales = cells * parts * TILE_ROWS;
        let mut tiles = Self {
            form,
            rows,
            groups,
            parts,
            packed: vec![0; cells * form.bytes()],
            scales: vec![0.0; scales],
            minima: vec![0.0; if has_minima { scales } else { 0 }],
        };
        let row_bytes = kind.row_bytes(columns)?;
        for row in 0..rows {
            let bytes = &bytes[row * row_bytes..][..row_bytes];
            for_each_group(kind, bytes, |index, group| tiles.place(row, index, group, zero))?;
        }
        Ok(Some(tiles))
    }

    /// Puts a row's group where it belongs; `zero` makes its integers unsigned and goes into the minimum.
    #[inline(always)]
    fn place(&mut self, row: usize, index: usize, group: &Group, zero: i8) {
        let (cell, lane) = (row / TILE_ROWS * self.groups + index, row % TILE_ROWS);
        let packed = &mut self.packed[cell * self.form.bytes()..][..self.form.bytes()];
        for pair in 0..GROUP / 4 {
            for column in 0..2 {
                let low = group.values[2 * pair + column].wrapping_add(zero) as u8;
                let high = group.values[16 + 2 * pair + column].wrapping_add(zero) as u8;
                let at = pair * 32 + lane * 2 + column;
                match self.form {
                    Form::Nibbles => packed[at] = low | high << 4,
                    Form::Bytes => (packed[at], packed[256 + at]) = (low, high),
                }
            }
        }
        for part in 0..self.parts {
            let at = (cell * self.parts + part) * TILE_ROWS + lane;
            self.scales[at] = group.scales[part];
            if let Some(minimum) = self.minima.get_mut(at) {
                *minimum = group.minima[part] - f32::from(zero) * group.scales[part];
            }
        }
    }

    /// How the integers are stored.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Number of tiles; the last may have rows that do not exist, all zero.
    pub fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE_ROWS)
    }

    /// Groups of a row.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Scales a row and group, 1 or 2.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held in memory.
    pub fn byte_count(&self) -> usize {
        self.packed.len() + (self.scales.len() + self.minima.len()) * size_of::<f32>()
    }

    /// The numbers of a tile's group.
    #[inline(always)]
    pub fn group(&self, tile: usize, index: usize) -> TileGroup<'_> {
        let cell = tile * self.groups + index;
        let scales = self.parts * TILE_ROWS;
        TileGroup {
            packed: &self.packed[cell * self.form.bytes()..][..self.form.bytes()],
            scales: &self.scales[cell * scales..][..scales],
            minima: if self.minima.is_empty() { &[] } else { &self.minima[cell * scales..][..scales] },
        }
    }

    /// Calls `each(index, group)` for the groups of a row: the integers, scales and minima as the tiles have them.
    ///
    /// # Panics
    /// If `row` is out of range.
    pub fn groups_of_row(&self, row: usize, each: &mut dyn FnMut(usize, &Group)) {
        let lane = row % TILE_ROWS;
        let mut group = Group { values: [0; GROUP], scales: [0.0; 2], minima: [0.0; 2] };
        for index in 0..self.groups {
            let tile = self.group(row / TILE_ROWS, index);
            for pair in 0..GROUP / 4 {
                for column in 0..2 {
                    let at = pair * 32 + lane * 2 + column;
                    let (low, high) = match self.form {
                        Form::Nibbles => (tile.packed[at] & 15, tile.packed[at] >> 4),
                        Form::Bytes => (tile.packed[at], tile.packed[256 + at]),
                    };
                    group.values[2 * pair + column] = low as i8;
                    group.values[16 + 2 * pair + column] = high as i8;
                }
            }
            for half in 0..2 {
                let at = half % self.parts * TILE_ROWS + lane;
                group.scales[half] = tile.scales[at];
                group.minima[half] = tile.minima.get(at).copied().unwrap_or(0.0);
            }
            each(index, &group);
        }
    }

    /// Unpacks one row into `out`.
    ///
    /// # Panics
    /// If `row` is out of range.
    pub fn unpack_row(&self, row: usize, out: &mut [f32]) {
        dispatch(UnpackRow { tiles: self, row, out });
    }
}

struct UnpackRow<'a> {
    tiles: &'a Tiles,
    row: usize,
    out: &'a mut [f32],
}

impl Kernel for UnpackRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let Self { tiles, row, out } = self;
        let lane = row % TILE_ROWS;
        for (index, out) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let group = tiles.group(row / TILE_ROWS, index);
            // A row's two columns of a pair are neighbours: eight pairs make half a group of bytes in their order.
            let mut first = [0_u8; GROUP / 2];
            for (pair, two) in first.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                two.copy_from_slice(&group.packed[pair * 32 + lane * 2..][..2]);
            }
            let mut second = first;
            match tiles.form {
                // Loops instead of `map`: closures are not compiled for the set.
                Form::Nibbles => {
                    for (low, high) in first.iter_mut().zip(&mut second) {
                        (*low, *high) = (*low & 15, *high >> 4);
                    }
                }
                Form::Bytes => {
                    for (pair, two) in second.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                        two.copy_from_slice(&group.packed[256 + pair * 32 + lane * 2..][..2]);
                    }
                }
            }
            let values = [first, second];
            for (half, out) in out.as_chunks_mut::<{ GROUP / 2 }>().0.iter_mut().enumerate() {
                let at = half % tiles.parts * TILE_ROWS + lane;
                let (scale, minimum) = (group.scales[at], group.minima.get(at).copied().unwrap_or(0.0));
                for (out, value) in out.iter_mut().zip(&values[half]) {
                    *out = f32::from(*value as i8) * scale + minimum;
                }
            }
        }
    }
}

impl Form {
    /// Bytes of a tile's group.
    pub fn bytes(self) -> usize {
        match self {
            Self::Nibbles => TILE_GROUP / 2,
            Self::Bytes => TILE_GROUP,
        }
    }
}
