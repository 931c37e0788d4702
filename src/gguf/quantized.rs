//! The types a tensor's numbers may have: which ones there are, and how large their blocks are.
//!
//! A quantized row is a sequence of blocks; a block holds a fixed count of elements and their scales. What the bytes
//! inside a block mean is in `dequantize`; ids and sizes are ggml's.

use std::fmt;

use crate::error::{Error, Result};

/// A tensor element type that this project reads and computes with.
///
/// Variants carry ggml's own names, so that they can be searched for.
#[allow(non_camel_case_types)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuantizedType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// 16-bit brain float.
    BF16,
    /// 32 × 4 bits and a scale.
    Q4_0,
    /// 32 × 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 × 5 bits and a scale.
    Q5_0,
    /// 32 × 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 × 8 bits and a scale.
    Q8_0,
    /// 32 × 8 bits, a scale and the scaled sum (an intermediate format of ggml's kernels).
    Q8_1,
    /// 256 × 2 bits; sixteen 4-bit scales and minima.
    Q2_K,
    /// 256 × 3 bits; sixteen 6-bit scales.
    Q3_K,
    /// 256 × 4 bits; eight 6-bit scales and minima.
    Q4_K,
    /// 256 × 5 bits; eight 6-bit scales and minima.
    Q5_K,
    /// 256 × 6 bits; sixteen 8-bit scales.
    Q6_K,
    /// 256 × 8 bits, a 32-bit scale and sums of sixteen (an intermediate format of ggml's kernels).
    Q8_K,
}

use QuantizedType::*;

/// ggml's id, name, elements a block and bytes a block.
const TYPES: [(QuantizedType, u32, &str, usize, usize); 15] = [
    (F32, 0, "F32", 1, 4),
    (F16, 1, "F16", 1, 2),
    (BF16, 30, "BF16", 1, 2),
    (Q4_0, 2, "Q4_0", 32, 18),
    (Q4_1, 3, "Q4_1", 32, 20),
    (Q5_0, 6, "Q5_0", 32, 22),
    (Q5_1, 7, "Q5_1", 32, 24),
    (Q8_0, 8, "Q8_0", 32, 34),
    (Q8_1, 9, "Q8_1", 32, 36),
    (Q2_K, 10, "Q2_K", 256, 84),
    (Q3_K, 11, "Q3_K", 256, 110),
    (Q4_K, 12, "Q4_K", 256, 144),
    (Q5_K, 13, "Q5_K", 256, 176),
    (Q6_K, 14, "Q6_K", 256, 210),
    (Q8_K, 15, "Q8_K", 256, 292),
];

/// Ids that exist in ggml, or did, and that are refused by name.
const UNSUPPORTED: [(u32, &str); 27] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (36, "IQ4_NL_4_4"),
    (37, "IQ4_NL_4_8"),
    (38, "IQ4_NL_8_8"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl QuantizedType {
    /// Every supported type.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Self, u32, &'static str, usize, usize) {
        // The table is written in the order of the variants (a test holds this).
        &TYPES[self as usize]
    }

    /// Elements a block.
    pub fn block_size(self) -> usize {
        self.row().3
    }

    /// Bytes a block.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// ggml's name, e.g. `Q4_1`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// ggml's id, as it stands in a file.
    pub fn ggml_id(self) -> u32 {
        self.row().1
    }

    /// Bytes of a row of `elements`.
    ///
    /// # Errors
    /// If `elements` is not a multiple of the block size, or the result does not fit.
    pub fn row_bytes(self, elements: usize) -> Result<usize> {
        if !elements.is_multiple_of(self.block_size()) {
            return Err(Error::format(format!(
                "rows of {elements} elements cannot be {self}: its blocks hold {} elements",
                self.block_size()
            )));
        }
        (elements / self.block_size())
            .checked_mul(self.block_bytes())
            .ok_or_else(|| Error::format(format!("a row of {elements} elements does not fit in memory")))
    }

    /// The type with this ggml id.
    ///
    /// # Errors
    /// If there is none, or it is one that this project does not read; then the error says its name.
    pub fn from_ggml_id(id: u32) -> Result<Self> {
        if let Some(row) = TYPES.iter().find(|row| row.1 == id) {
            return Ok(row.0);
        }
        let supported: Vec<_> = Self::all().map(Self::name).collect();
        let supported = supported.join(", ");
        Err(match UNSUPPORTED.iter().find(|row| row.0 == id) {
            Some((_, name)) => Error::unsupported(format!("tensor type {name} (ggml id {id}) is not supported"))
                .help(format!("use a file whose tensors are {supported}")),
            None => Error::format(format!("there is no tensor type with ggml id {id}"))
                .help(format!("the file is damaged or newer than this program; supported are {supported}")),
        })
    }

    /// The type with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|row| row.2.eq_ignore_ascii_case(name)).map(|row| row.0)
    }
}

impl fmt::Display for QuantizedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name of any ggml type, supported or not; `None` if no type has this id.
pub fn type_name(id: u32) -> Option<&'static str> {
    let supported = TYPES.iter().find(|row| row.1 == id).map(|row| row.2);
    supported.or_else(|| UNSUPPORTED.iter().find(|row| row.0 == id).map(|row| row.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for (index, row) in TYPES.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{}", row.2);
            assert_eq!(QuantizedType::from_ggml_id(row.1).unwrap(), row.0);
            assert_eq!(QuantizedType::from_name(&row.2.to_lowercase()), Some(row.0));
        }
    }

    #[test]
    fn every_ggml_id_is_named_once() {
        for id in 0..=41 {
            let count =
                TYPES.iter().filter(|row| row.1 == id).count() + UNSUPPORTED.iter().filter(|row| row.0 == id).count();
            assert_eq!(count, 1, "id {id}");
            assert!(type_name(id).is_some());
        }
        assert_eq!(type_name(42), None);
    }

    #[test]
    fn unsupported_types_are_refused_by_name() {
        for (id, expected) in [(23, "IQ4_XS"), (34, "TQ1_0"), (39, "MXFP4"), (26, "I32"), (4, "Q4_2"), (999, "999")] {
            let error = QuantizedType::from_ggml_id(id).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
            assert!(error.help.is_some_and(|help| help.contains("Q4_K")), "the help lists what is supported");
        }
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(Q4_1.row_bytes(576).unwrap(), 360);
        assert_eq!(Q6_K.row_bytes(512).unwrap(), 420);
        assert!(Q4_K.row_bytes(576).unwrap_err().message.contains("Q4_K"));
        assert!(F32.row_bytes(usize::MAX).is_err());
    }
}
