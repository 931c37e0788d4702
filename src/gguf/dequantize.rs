//! Blocks to float32, exactly as ggml's reference code defines them.
//!
//! One row at a time, in plain loops: this is what tests, embeddings, training and the general (slow) matrix path use.
//! The fast kernels read the same blocks in their own layouts and are compared with this.
//!
//! The order of operations within an element (which product is rounded first) is part of the definition: results are
//! equal to the bit to other implementations of these formats.

use half::{bf16, f16};

use super::quantized::QuantizedType;
use crate::error::{Error, Result};

/// Unpacks one row (or several adjacent ones): `bytes` are whole blocks of `kind`, `out` has one place an element.
///
/// Inlined, so that a caller compiled for a wider instruction set gets it in that set.
///
/// # Errors
/// If the two lengths do not belong together.
#[inline(always)]
pub fn dequantize_row(kind: QuantizedType, bytes: &[u8], out: &mut [f32]) -> Result<()> {
    if kind.row_bytes(out.len())? != bytes.len() {
        return Err(Error::internal(format!(
            "{} elements of {kind} take {} bytes, not {}",
            out.len(),
            kind.row_bytes(out.len())?,
            bytes.len()
        )));
    }
    match kind {
        QuantizedType::F32 => each::<4, 1>(bytes, out, |block, out| out[0] = f32::from_le_bytes(*block)),
        QuantizedType::F16 => each::<2, 1>(bytes, out, |block, out| out[0] = f16::from_le_bytes(*block).to_f32()),
        QuantizedType::BF16 => each::<2, 1>(bytes, out, |block, out| out[0] = bf16::from_le_bytes(*block).to_f32()),
        QuantizedType::Q4_0 => each::<18, 32>(bytes, out, q4_0),
        QuantizedType::Q4_1 => each::<20, 32>(bytes, out, q4_1),
        QuantizedType::Q5_0 => each::<22, 32>(bytes, out, q5_0),
        QuantizedType::Q5_1 => each::<24, 32>(bytes, out, q5_1),
        QuantizedType::Q8_0 => each::<34, 32>(bytes, out, q8_0),
        QuantizedType::Q8_1 => each::<36, 32>(bytes, out, q8_1),
        QuantizedType::Q2_K => each::<84, 256>(bytes, out, q2_k),
        QuantizedType::Q3_K => each::<110, 256>(bytes, out, q3_k),
        QuantizedType::Q4_K => each::<144, 256>(bytes, out, q4_k),
        QuantizedType::Q5_K => each::<176, 256>(bytes, out, q5_k),
        QuantizedType::Q6_K => each::<210, 256>(bytes, out, q6_k),
        QuantizedType::Q8_K => each::<292, 256>(bytes, out, q8_k),
    }
    Ok(())
}

/// Calls `unpack` for each block of `B` bytes and `N` elements.
#[inline(always)]
fn each<const B: usize, const N: usize>(bytes: &[u8], out: &mut [f32], unpack: impl Fn(&[u8; B], &mut [f32; N])) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (outs, _) = out.as_chunks_mut::<N>();
    for (block, out) in blocks.iter().zip(outs) {
        unpack(block, out);
    }
}

/// The 16-bit float at `at`.
#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Scale, 16 bytes of nibbles: low nibbles are elements 0–15, high nibbles 16–31; zero point 8.
#[inline(always)]
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (i, byte) in block[2..].iter().enumerate() {
        out[i] = (i32::from(byte & 15) - 8) as f32 * scale;
        out[i + 16] = (i32::from(byte >> 4) - 8) as f32 * scale;
    }
}

/// Scale, minimum, 16 bytes of nibbles as in `q4_0`.
#[inline(always)]
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (i, byte) in block[4..].iter().enumerate() {
        out[i] = f32::from(byte & 15) * scale + minimum;
        out[i + 16] = f32::from(byte >> 4) * scale + minimum;
    }
}

/// The fifth bits of elements `i` and `i + 16`, in place.
fn fifth_bits(high: &[u8], i: usize) -> (u8, u8) {
    let high = u32::from_le_bytes([high[0], high[1], high[2], high[3]]);
    (((high >> i) & 1) as u8 * 16, ((high >> (i + 16)) & 1) as u8 * 16)
}

/// Scale, 4 bytes of fifth bits, nibbles as in `q4_0`; zero point 16.
#[inline(always)]
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (i, byte) in block[6..].iter().enumerate() {
        let (low, high) = fifth_bits(&block[2..6], i);
        out[i] = (i32::from(byte & 15 | low) - 16) as f32 * scale;
        out[i + 16] = (i32::from(byte >> 4 | high) - 16) as f32 * scale;
    }
}

/// Scale, minimum, 4 bytes of fifth bits, nibbles as in `q4_0`.
#[inline(always)]
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (i, byte) in block[8..].iter().enumerate() {
        let (low, high) = fifth_bits(&block[4..8], i);
        out[i] = f32::from(byte & 15 | low) * scale + minimum;
        out[i + 16] = f32::from(byte >> 4 | high) * scale + minimum;
    }
}

/// Scale, 32 signed bytes.
#[inline(always)]
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, byte) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(*byte as i8) * scale;
    }
}

/// Scale, scaled sum (not needed here), 32 signed bytes.
fn q8_1(block: &[u8; 36], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, byte) in out.iter_mut().zip(&block[4..]) {
        *out = f32::from(*byte as i8) * scale;
    }
}

/// 16 bytes of scale (low nibble) and minimum (high nibble) for each 16 elements; 64 bytes of 2-bit values; scale of
/// the scales and scale of the minima. Half `h` of the block uses bytes `32 h ..`, and each bit pair 32 elements.
fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scales, values) = block[..80].split_at(16);
    let (scale, minimum) = (half_at(block, 80), half_at(block, 82));
    for (i, out) in out.iter_mut().enumerate() {
        let (half, pair, within) = (i / 128, i % 128 / 32, i % 32);
        let value = values[half * 32 + within] >> (2 * pair) & 3;
        let packed = scales[i / 16];
        *out = scale * f32::from(packed & 15) * f32::from(value) - minimum * f32::from(packed >> 4);
    }
}

/// 32 bytes of third bits, 64 bytes of 2-bit values as in `q2_k`, 12 bytes of sixteen 6-bit scales, one scale.
/// A third bit that is *not* set subtracts 4.
fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let (thirds, rest) = block.split_at(32);
    let (values, rest) = rest.split_at(64);
    let scale = half_at(block, 108);
    for (i, out) in out.iter_mut().enumerate() {
        let (half, pair, within) = (i / 128, i % 128 / 32, i % 32);
        let low = i32::from(values[half * 32 + within] >> (2 * pair) & 3);
        let third = i32::from(thirds[within] >> (i / 32) & 1);
        let group = i / 16;
        // Low nibbles of the scales in 8 bytes (two scales a byte, eight apart), high bit pairs in 4.
        let low_bits = if group < 8 { rest[group] & 15 } else { rest[group - 8] >> 4 };
        let high_bits = rest[8 + group % 4] >> (2 * (group / 4)) & 3;
        let group_scale = i32::from(low_bits | high_bits << 4) - 32;
        *out = scale * group_scale as f32 * (low - 4 + 4 * third) as f32;
    }
}

/// The 6-bit scale and minimum of group `j` of 8, packed in 12 bytes.
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// Scale of the scales, scale of the minima, 12 bytes of eight 6-bit scales and minima, 128 bytes of nibbles: low
/// nibbles of 32 bytes are one group of 32, high nibbles the next.
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_and_minimum(&block[4..16], group);
        let (s, m) = (scale * s, minimum * m);
        let values = &block[16 + group / 2 * 32..][..32];
        for (out, byte) in out.iter_mut().zip(values) {
            *out = s * f32::from(byte >> (group % 2 * 4) & 15) - m;
        }
    }
}

/// As `q4_k`, with 32 bytes of fifth bits (bit `g` for group `g`) before the nibbles.
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let fifths = &block[16..48];
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_and_minimum(&block[4..16], group);
        let (s, m) = (scale * s, minimum * m);
        let values = &block[48 + group / 2 * 32..][..32];
        for (i, out) in out.iter_mut().enumerate() {
            let value = values[i] >> (group % 2 * 4) & 15 | (fifths[i] >> group & 1) << 4;
            *out = s * f32::from(value) - m;
        }
    }
}

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, one scale; zero point 32. In each half
/// of 128 elements, quarter `q` takes the nibbles of bytes `32 (q % 2) ..`, low for `q < 2`, and bit pair `q`.
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let (lows, rest) = block.split_at(128);
    let (highs, rest) = rest.split_at(64);
    let scale = half_at(block, 208);
    for (i, out) in out.iter_mut().enumerate() {
        let (half, quarter, within) = (i / 128, i % 128 / 32, i % 32);
        let low = lows[half * 64 + quarter % 2 * 32 + within] >> (quarter / 2 * 4) & 15;
        let high = highs[half * 32 + within] >> (2 * quarter) & 3;
        let value = i32::from(low | high << 4) - 32;
        *out = scale * f32::from(rest[i / 16] as i8) * value as f32;
    }
}

/// A 32-bit scale, 256 signed bytes, sums of sixteen (not needed here).
fn q8_k(block: &[u8; 292], out: &mut [f32; 256]) {
    let scale = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    for (out, byte) in out.iter_mut().zip(&block[4..260]) {
        *out = scale * f32::from(*byte as i8);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Blocks of random bits whose floats are finite.
    fn random_blocks(kind: QuantizedType, blocks: usize, seed: u64) -> Vec<u8> {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut bytes: Vec<u8> = (0..blocks * kind.block_bytes()).map(|_| random.random()).collect();
        let (halves, singles): (&[usize], &[usize]) = match kind {
            QuantizedType::F32 | QuantizedType::Q8_K => (&[], &[0]),
            QuantizedType::Q2_K => (&[80, 82], &[]),
            QuantizedType::Q3_K => (&[108], &[]),
            QuantizedType::Q6_K => (&[208], &[]),
            QuantizedType::Q4_1 | QuantizedType::Q5_1 | QuantizedType::Q8_1 => (&[0, 2], &[]),
            QuantizedType::Q4_K | QuantizedType::Q5_K => (&[0, 2], &[]),
            _ => (&[0], &[]),
        };
        for block in bytes.chunks_exact_mut(kind.block_bytes()) {
            // Clearing one exponent bit excludes infinities and NaN, and keeps subnormal numbers and both signs.
            for at in halves {
                block[at + 1] &= !0x40;
            }
            for at in singles {
                block[at + 3] &= !0x40;
            }
        }
        bytes
    }

    fn with_candle(kind: QuantizedType, bytes: &[u8], elements: usize) -> Vec<f32> {
        use candle_core::quantized::{GgmlDType, QStorage, QTensor};
        let dtype = match kind {
            QuantizedType::F32 => GgmlDType::F32,
            QuantizedType::F16 => GgmlDType::F16,
            QuantizedType::BF16 => GgmlDType::BF16,
            QuantizedType::Q4_0 => GgmlDType::Q4_0,
            QuantizedType::Q4_1 => GgmlDType::Q4_1,
            QuantizedType::Q5_0 => GgmlDType::Q5_0,
            QuantizedType::Q5_1 => GgmlDType::Q5_1,
            QuantizedType::Q8_0 => GgmlDType::Q8_0,
            QuantizedType::Q8_1 => GgmlDType::Q8_1,
            QuantizedType::Q2_K => GgmlDType::Q2K,
            QuantizedType::Q3_K => GgmlDType::Q3K,
            QuantizedType::Q4_K => GgmlDType::Q4K,
            QuantizedType::Q5_K => GgmlDType::Q5K,
            QuantizedType::Q6_K => GgmlDType::Q6K,
            QuantizedType::Q8_K => GgmlDType::Q8K,
        };
        let device = candle_core::Device::Cpu;
        let storage = QStorage::from_data(bytes.into(), &device, dtype).unwrap();
        let tensor = QTensor::new(storage, elements).unwrap().dequantize(&device).unwrap();
        tensor.to_vec1().unwrap()
    }

    #[test]
    fn every_type_equals_candle_to_the_bit() {
        // candle does not dequantize Q8_1; its layout is that of Q8_0 with one more half, tested below.
        for kind in QuantizedType::all().filter(|kind| *kind != QuantizedType::Q8_1) {
            let blocks = 40;
            let bytes = random_blocks(kind, blocks, 1);
            let mut ours = vec![0.0; blocks * kind.block_size()];
            dequantize_row(kind, &bytes, &mut ours).unwrap();
            let theirs = with_candle(kind, &bytes, ours.len());
            for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                assert!(a.to_bits() == b.to_bits() || (*a == 0.0 && *b == 0.0), "{kind} element {i}: {a} against {b}");
            }
        }
    }

    #[test]
    fn q8_1_is_q8_0_with_a_sum() {
        let bytes = random_blocks(QuantizedType::Q8_1, 3, 2);
        let without_sum: Vec<u8> = bytes.chunks(36).flat_map(|b| [&b[..2], &b[4..]].concat()).collect();
        let (mut a, mut b) = ([0.0; 96], [0.0; 96]);
        dequantize_row(QuantizedType::Q8_1, &bytes, &mut a).unwrap();
        dequantize_row(QuantizedType::Q8_0, &without_sum, &mut b).unwrap();
        assert_eq!(a, b);
    }

    #[test]
    fn lengths_that_do_not_belong_together_are_refused() {
        for (bytes, elements) in [(20, 64), (19, 32), (40, 32), (20, 31)] {
            let result = dequantize_row(QuantizedType::Q4_1, &vec![0; bytes], &mut vec![0.0; elements]);
            assert!(result.is_err(), "{bytes} bytes for {elements} elements");
        }
        assert!(dequantize_row(QuantizedType::Q4_1, &[], &mut []).is_ok());
    }
}
