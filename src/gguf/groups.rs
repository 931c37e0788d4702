//! The blocks of every quantized type as groups of 32 integers with scales and minima.
//!
//! All of ggml's block formats say the same thing in different bits: `element = integer · scale + minimum`, with a
//! scale for 32 or for 16 elements, and a minimum or none. Here the bits are taken apart once; what becomes of the
//! integers (float32, or the tiles of a kernel) is decided by the caller. Floats (F32, F16, BF16) have no groups.

use half::f16;

use super::quantized::QuantizedType;
use crate::error::{Error, Result};

/// Elements of a group.
pub const GROUP: usize = 32;

/// 32 adjacent elements of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The integers; unsigned in types with a minimum.
    pub values: [i8; GROUP],
    /// Scale of elements 0–15 and of 16–31.
    pub scales: [f32; 2],
    /// What is added to elements 0–15 and to 16–31.
    pub minima: [f32; 2],
}

impl Group {
    fn new(scale: f32, minimum: f32) -> Self {
        Self { values: [0; GROUP], scales: [scale; 2], minima: [minimum; 2] }
    }

    /// The elements as float32.
    #[inline(always)]
    pub fn unpack(&self, out: &mut [f32; GROUP]) {
        for (half, out) in out.chunks_exact_mut(GROUP / 2).enumerate() {
            let values = &self.values[half * GROUP / 2..];
            for (out, value) in out.iter_mut().zip(values) {
                *out = f32::from(*value) * self.scales[half] + self.minima[half];
            }
        }
    }
}

/// Calls `each(index, group)` for the groups of whole blocks, in order.
///
/// Inlined, so that a caller compiled for a wider instruction set gets it in that set.
///
/// # Errors
/// If `kind` is a float type, or `bytes` are not whole blocks.
#[inline(always)]
pub fn for_each_group(kind: QuantizedType, bytes: &[u8], mut each: impl FnMut(usize, &Group)) -> Result<()> {
    if !bytes.len().is_multiple_of(kind.block_bytes()) {
        return Err(Error::internal(format!("{} bytes are not whole blocks of {kind}", bytes.len())));
    }
    macro_rules! blocks {
        ($bytes:literal, $groups:literal, $read:ident) => {
            for (index, block) in bytes.as_chunks::<$bytes>().0.iter().enumerate() {
                for group in 0..$groups {
                    each(index * $groups + group, &$read(block, group));
                }
            }
        };
    }
    match kind {
        QuantizedType::F32 | QuantizedType::F16 | QuantizedType::BF16 => {
            return Err(Error::internal(format!("{kind} has no integers")));
        }
        QuantizedType::Q4_0 => blocks!(18, 1, q4_0),
        QuantizedType::Q4_1 => blocks!(20, 1, q4_1),
        QuantizedType::Q5_0 => blocks!(22, 1, q5_0),
        QuantizedType::Q5_1 => blocks!(24, 1, q5_1),
        QuantizedType::Q8_0 => blocks!(34, 1, q8_0),
        QuantizedType::Q8_1 => blocks!(36, 1, q8_1),
        QuantizedType::Q2_K => blocks!(84, 8, q2_k),
        QuantizedType::Q3_K => blocks!(110, 8, q3_k),
        QuantizedType::Q4_K => blocks!(144, 8, q4_k),
        QuantizedType::Q5_K => blocks!(176, 8, q5_k),
        QuantizedType::Q6_K => blocks!(210, 8, q6_k),
        QuantizedType::Q8_K => blocks!(292, 8, q8_k),
    }
    Ok(())
}

/// The 16-bit float at `at`.
#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// 16 bytes of nibbles: low nibbles are elements 0–15, high nibbles 16–31; `zero` is taken off each.
#[inline(always)]
fn nibbles(values: &mut [i8; 32], packed: &[u8], zero: i8) {
    for (i, byte) in packed.iter().enumerate() {
        values[i] = (byte & 15) as i8 - zero;
        values[i + 16] = (byte >> 4) as i8 - zero;
    }
}

/// Adds the fifth bits of 32 elements, bit `i` for element `i`.
#[inline(always)]
fn fifth_bits(values: &mut [i8; 32], bits: &[u8]) {
    let bits = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
    for (i, value) in values.iter_mut().enumerate() {
        *value += ((bits >> i) & 1) as i8 * 16;
    }
}

/// Scale, 16 bytes of nibbles; zero point 8.
#[inline(always)]
fn q4_0(block: &[u8; 18], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), 0.0);
    nibbles(&mut group.values, &block[2..], 8);
    group
}

/// Scale, minimum, 16 bytes of nibbles.
#[inline(always)]
fn q4_1(block: &[u8; 20], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), half_at(block, 2));
    nibbles(&mut group.values, &block[4..], 0);
    group
}

/// Scale, 4 bytes of fifth bits, 16 bytes of nibbles; zero point 16.
#[inline(always)]
fn q5_0(block: &[u8; 22], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), 0.0);
    nibbles(&mut group.values, &block[6..], 16);
    fifth_bits(&mut group.values, &block[2..6]);
    group
}

/// Scale, minimum, 4 bytes of fifth bits, 16 bytes of nibbles.
#[inline(always)]
fn q5_1(block: &[u8; 24], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), half_at(block, 2));
    nibbles(&mut group.values, &block[8..], 0);
    fifth_bits(&mut group.values, &block[4..8]);
    group
}

/// Signed bytes as they are.
#[inline(always)]
fn signed(values: &mut [i8; 32], bytes: &[u8]) {
    values.iter_mut().zip(bytes).for_each(|(value, byte)| *value = *byte as i8);
}

/// Scale, 32 signed bytes.
#[inline(always)]
fn q8_0(block: &[u8; 34], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), 0.0);
    signed(&mut group.values, &block[2..]);
    group
}

/// Scale, scaled sum (not needed here), 32 signed bytes.
#[inline(always)]
fn q8_1(block: &[u8; 36], _: usize) -> Group {
    let mut group = Group::new(half_at(block, 0), 0.0);
    signed(&mut group.values, &block[4..]);
    group
}

/// A 32-bit scale, 256 signed bytes, sums of sixteen (not needed here).
#[inline(always)]
fn q8_k(block: &[u8; 292], index: usize) -> Group {
    let mut group = Group::new(f32::from_le_bytes([block[0], block[1], block[2], block[3]]), 0.0);
    signed(&mut group.values, &block[4 + index * 32..]);
    group
}

/// 16 bytes of scale (low nibble) and minimum (high nibble) for each 16 elements; 64 bytes of 2-bit values; scale of
/// the scales and scale of the minima. Half `h` of the block uses bytes `32 h ..`, and each bit pair 32 elements.
#[inline(always)]
fn q2_k(block: &[u8; 84], index: usize) -> Group {
    let (scale, minimum) = (half_at(block, 80), half_at(block, 82));
    let mut group = Group::new(0.0, 0.0);
    for half in 0..2 {
        let packed = block[index * 2 + half];
        group.scales[half] = scale * f32::from(packed & 15);
        group.minima[half] = -(minimum * f32::from(packed >> 4));
    }
    for (value, byte) in group.values.iter_mut().zip(&block[16 + index / 4 * 32..]) {
        *value = (byte >> (2 * (index % 4)) & 3) as i8;
    }
    group
}

/// 32 bytes of third bits, 64 bytes of 2-bit values as in `q2_k`, 12 bytes of sixteen 6-bit scales, one scale.
/// A third bit that is *not* set subtracts 4.
#[inline(always)]
fn q3_k(block: &[u8; 110], index: usize) -> Group {
    let (thirds, values) = (&block[..32], &block[32 + index / 4 * 32..]);
    let packed = &block[96..108];
    let mut group = Group::new(0.0, 0.0);
    for half in 0..2 {
        let at = index * 2 + half;
        // Low nibbles of the scales in 8 bytes (two scales a byte, eight apart), high bit pairs in 4.
        let low = if at < 8 { packed[at] & 15 } else { packed[at - 8] >> 4 };
        let high = packed[8 + at % 4] >> (2 * (at / 4)) & 3;
        group.scales[half] = half_at(block, 108) * (i32::from(low | high << 4) - 32) as f32;
    }
    for (i, value) in group.values.iter_mut().enumerate() {
        let low = (values[i] >> (2 * (index % 4)) & 3) as i8;
        *value = low - 4 + 4 * (thirds[i] >> index & 1) as i8;
    }
    group
}

/// The 6-bit scale and minimum of group `j` of 8, packed in 12 bytes.
#[inline(always)]
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// Scale of the scales, scale of the minima, 12 bytes of eight 6-bit scales and minima: what `q4_k` and `q5_k` share.
#[inline(always)]
fn k_scales(block: &[u8], index: usize) -> Group {
    let (scale, minimum) = scale_and_minimum(&block[4..16], index);
    Group::new(half_at(block, 0) * scale, -(half_at(block, 2) * minimum))
}

/// Scales, then 128 bytes of nibbles: low nibbles of 32 bytes are one group of 32, high nibbles the next.
#[inline(always)]
fn q4_k(block: &[u8; 144], index: usize) -> Group {
    let mut group = k_scales(block, index);
    for (value, byte) in group.values.iter_mut().zip(&block[16 + index / 2 * 32..]) {
        *value = (byte >> (index % 2 * 4) & 15) as i8;
    }
    group
}

/// As `q4_k`, with 32 bytes of fifth bits (bit `g` for group `g`) before the nibbles.
#[inline(always)]
fn q5_k(block: &[u8; 176], index: usize) -> Group {
    let mut group = k_scales(block, index);
    let (fifths, nibbles) = (&block[16..48], &block[48 + index / 2 * 32..]);
    for (i, value) in group.values.iter_mut().enumerate() {
        *value = (nibbles[i] >> (index % 2 * 4) & 15 | (fifths[i] >> index & 1) << 4) as i8;
    }
    group
}

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, one scale; zero point 32. In each half
/// of 128 elements, quarter `q` takes the nibbles of bytes `32 (q % 2) ..`, low for `q < 2`, and bit pair `q`.
#[inline(always)]
fn q6_k(block: &[u8; 210], index: usize) -> Group {
    let (half, quarter) = (index / 4, index % 4);
    let lows = &block[half * 64 + quarter % 2 * 32..];
    let highs = &block[128 + half * 32..];
    let mut group = Group::new(0.0, 0.0);
    for half in 0..2 {
        group.scales[half] = half_at(block, 208) * f32::from(block[192 + index * 2 + half] as i8);
    }
    for (i, value) in group.values.iter_mut().enumerate() {
        let low = lows[i] >> (quarter / 2 * 4) & 15;
        let high = highs[i] >> (2 * quarter) & 3;
        *value = (low | high << 4) as i8 - 32;
    }
    group
}
