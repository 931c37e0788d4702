//! Blocks to float32, exactly as ggml's reference code defines them.
//!
//! One row at a time, in plain loops: this is what tests, embeddings, training and the float matrix path use. The
//! integer kernels take the same groups (`groups`) in their own layout and are compared with this.
//!
//! The order of operations within an element (which product is rounded first) is part of the definition: results are
//! equal to the bit to other implementations of these formats.

use half::{bf16, f16};

use super::groups::{GROUP, for_each_group};
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
        QuantizedType::F32 => each(bytes, out, f32::from_le_bytes),
        QuantizedType::F16 => each(bytes, out, |bytes| f16::from_le_bytes(bytes).to_f32()),
        QuantizedType::BF16 => each(bytes, out, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        _ => {
            let (groups, _) = out.as_chunks_mut::<GROUP>();
            for_each_group(kind, bytes, |index, group| group.unpack(&mut groups[index]))?;
        }
    }
    Ok(())
}

/// Converts numbers of `B` bytes each.
#[inline(always)]
fn each<const B: usize>(bytes: &[u8], out: &mut [f32], convert: impl Fn([u8; B]) -> f32) {
    let (numbers, _) = bytes.as_chunks::<B>();
    out.iter_mut().zip(numbers).for_each(|(out, bytes)| *out = convert(*bytes));
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Blocks of random bits whose floats are finite.
    pub(crate) fn random_blocks(kind: QuantizedType, blocks: usize, seed: u64) -> Vec<u8> {
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
