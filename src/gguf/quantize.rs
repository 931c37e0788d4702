//! Float32 to blocks, by rounding to the nearest value a block can hold.
//!
//! For merged models, fixtures and tests. The 32-element types follow ggml's reference quantizers to the bit; the
//! 256-element ones take scales from the extremes of each group and do not search for better ones as ggml does, so
//! they are correct blocks with a somewhat larger error.

use half::{bf16, f16};

use super::quantized::QuantizedType;
use crate::error::{Error, Result};

/// The largest finite 16-bit float: no scale, and no F16 value, may exceed it.
const LARGEST_HALF: f32 = 65_504.0;

/// Appends `values` to `out` as blocks of `kind`.
///
/// # Errors
/// If `values` are not whole blocks, are not finite or exceed what a 16-bit scale can express, or `kind` is one that
/// this project reads but does not write.
pub fn quantize_row(kind: QuantizedType, values: &[f32], out: &mut Vec<u8>) -> Result<()> {
    kind.row_bytes(values.len())?;
    let limit = match kind {
        QuantizedType::F32 => f32::MAX,
        QuantizedType::BF16 => bf16::MAX.to_f32(),
        _ => LARGEST_HALF,
    };
    if let Some(index) = values.iter().position(|value| value.is_nan() || value.abs() > limit) {
        return Err(Error::input(format!("value {index} is {}, which {kind} cannot hold", values[index])));
    }
    match kind {
        QuantizedType::F32 => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        QuantizedType::F16 => values.iter().for_each(|value| out.extend(f16::from_f32(*value).to_le_bytes())),
        QuantizedType::BF16 => values.iter().for_each(|value| out.extend(bf16::from_f32(*value).to_le_bytes())),
        QuantizedType::Q4_0 => values.as_chunks().0.iter().for_each(|block| q4_0(block, out)),
        QuantizedType::Q4_1 => values.as_chunks().0.iter().for_each(|block| q4_1(block, out)),
        QuantizedType::Q5_0 => values.as_chunks().0.iter().for_each(|block| q5_0(block, out)),
        QuantizedType::Q5_1 => values.as_chunks().0.iter().for_each(|block| q5_1(block, out)),
        QuantizedType::Q8_0 => values.as_chunks().0.iter().for_each(|block| q8_0(block, out)),
        QuantizedType::Q4_K => values.as_chunks().0.iter().for_each(|block| q4_k(block, out)),
        QuantizedType::Q6_K => values.as_chunks().0.iter().for_each(|block| q6_k(block, out)),
        QuantizedType::Q8_1 | QuantizedType::Q2_K | QuantizedType::Q3_K | QuantizedType::Q5_K | QuantizedType::Q8_K => {
            return Err(Error::unsupported(format!("writing {kind} is not supported"))
                .help("choose F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K or Q6_K"));
        }
    }
    Ok(())
}

/// Appends `value` as a 16-bit float.
fn push_half(value: f32, out: &mut Vec<u8>) {
    out.extend(f16::from_f32(value).to_le_bytes());
}

/// `1 / scale`, or zero where there is nothing to scale.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The element of the largest magnitude, with its sign; the first of several.
fn extreme(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |best, value| if value.abs() > best.abs() { *value } else { best })
}

/// Smallest and largest element.
fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// Appends the low four bits of 32 codes: elements `i` and `i + 16` share a byte.
fn push_nibbles(codes: &[u8; 32], out: &mut Vec<u8>) {
    out.extend((0..16).map(|i| codes[i] & 15 | (codes[i + 16] & 15) << 4));
}

/// Appends the fifth bit of 32 codes.
fn push_fifth_bits(codes: &[u8; 32], out: &mut Vec<u8>) {
    let bits = codes.iter().enumerate().fold(0_u32, |bits, (i, code)| bits | u32::from(code >> 4 & 1) << i);
    out.extend(bits.to_le_bytes());
}

fn q4_0(values: &[f32; 32], out: &mut Vec<u8>) {
    let scale = extreme(values) / -8.0;
    let inverse = inverse(scale);
    push_half(scale, out);
    push_nibbles(&values.map(|value| (value * inverse + 8.5).min(15.0) as u8), out);
}

fn q4_1(values: &[f32; 32], out: &mut Vec<u8>) {
    let (low, high) = range(values);
    let scale = (high - low) / 15.0;
    let inverse = inverse(scale);
    push_half(scale, out);
    push_half(low, out);
    push_nibbles(&values.map(|value| ((value - low) * inverse + 0.5).min(15.0) as u8), out);
}

fn q5_0(values: &[f32; 32], out: &mut Vec<u8>) {
    let scale = extreme(values) / -16.0;
    let inverse = inverse(scale);
    let codes = values.map(|value| (value * inverse + 16.5).min(31.0) as u8);
    push_half(scale, out);
    push_fifth_bits(&codes, out);
    push_nibbles(&codes, out);
}

fn q5_1(values: &[f32; 32], out: &mut Vec<u8>) {
    let (low, high) = range(values);
    let scale = (high - low) / 31.0;
    let inverse = inverse(scale);
    let codes = values.map(|value| ((value - low) * inverse + 0.5).min(31.0) as u8);
    push_half(scale, out);
    push_half(low, out);
    push_fifth_bits(&codes, out);
    push_nibbles(&codes, out);
}

fn q8_0(values: &[f32; 32], out: &mut Vec<u8>) {
    let scale = extreme(values).abs() / 127.0;
    let inverse = inverse(scale);
    push_half(scale, out);
    out.extend(values.map(|value| (value * inverse).round() as i8 as u8));
}

/// A number rounded to what a 16-bit float holds, so that codes are chosen for the scale that is stored.
fn as_stored(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

fn q4_k(values: &[f32; 256], out: &mut Vec<u8>) {
    // Each group of 32 spans from min(0, lowest) upwards, since a minimum is stored as a subtracted positive number.
    let groups = values.as_chunks::<32>().0;
    let spans: Vec<(f32, f32)> = groups
        .iter()
        .map(|group| {
            let (low, high) = range(group);
            let low = low.min(0.0);
            ((high - low).max(0.0) / 15.0, -low)
        })
        .collect();
    let scale = as_stored(spans.iter().fold(0.0, |best: f32, span| best.max(span.0)) / 63.0);
    let minimum = as_stored(spans.iter().fold(0.0, |best: f32, span| best.max(span.1)) / 63.0);
    let six_bits = |value: f32, unit: f32| (value * inverse(unit)).round().min(63.0) as u8;
    let scales: Vec<u8> = spans.iter().map(|span| six_bits(span.0, scale)).collect();
    let minima: Vec<u8> = spans.iter().map(|span| six_bits(span.1, minimum)).collect();

    push_half(scale, out);
    push_half(minimum, out);
    // The lower four groups take whole bytes, whose top bits hold the top bits of the upper four.
    out.extend((0..4).map(|j| scales[j] | scales[j + 4] >> 4 << 6));
    out.extend((0..4).map(|j| minima[j] | minima[j + 4] >> 4 << 6));
    out.extend((4..8).map(|j| scales[j] & 15 | (minima[j] & 15) << 4));
    let code = |group: usize, i: usize| {
        let (unit, low) = (scale * f32::from(scales[group]), minimum * f32::from(minima[group]));
        ((groups[group][i] + low) * inverse(unit)).round().clamp(0.0, 15.0) as u8
    };
    for pair in 0..4 {
        out.extend((0..32).map(|i| code(2 * pair, i) | code(2 * pair + 1, i) << 4));
    }
}

fn q6_k(values: &[f32; 256], out: &mut Vec<u8>) {
    let groups = values.as_chunks::<16>().0;
    let units: Vec<f32> = groups.iter().map(|group| extreme(group) / -32.0).collect();
    let scale = as_stored(extreme(&units) / -128.0);
    let scales: Vec<i8> = units.iter().map(|unit| (unit * inverse(scale)).round().clamp(-128.0, 127.0) as i8).collect();
    let code = |i: usize| {
        let unit = scale * f32::from(scales[i / 16]);
        ((values[i] * inverse(unit)).round().clamp(-32.0, 31.0) as i32 + 32) as u8
    };
    for half in [0, 128] {
        out.extend((0..64).map(|i| code(half + i) & 15 | (code(half + i + 64) & 15) << 4));
    }
    for half in [0, 128] {
        out.extend(
            (0..32).map(|i| (0..4).fold(0, |byte, quarter| byte | code(half + 32 * quarter + i) >> 4 << (2 * quarter))),
        );
    }
    out.extend(scales.iter().map(|scale| *scale as u8));
    push_half(scale, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gguf::dequantize_row;

    const WRITTEN: [QuantizedType; 10] = [
        QuantizedType::F32,
        QuantizedType::F16,
        QuantizedType::BF16,
        QuantizedType::Q4_0,
        QuantizedType::Q4_1,
        QuantizedType::Q5_0,
        QuantizedType::Q5_1,
        QuantizedType::Q8_0,
        QuantizedType::Q4_K,
        QuantizedType::Q6_K,
    ];

    fn round_trip(kind: QuantizedType, values: &[f32]) -> Vec<f32> {
        let (mut bytes, mut back) = (Vec::new(), vec![0.0; values.len()]);
        quantize_row(kind, values, &mut bytes).unwrap();
        dequantize_row(kind, &bytes, &mut back).unwrap();
        back
    }

    /// The largest error a value may have after a round trip, given the largest magnitude around it.
    fn tolerance(kind: QuantizedType, largest: f32) -> f32 {
        let steps = match kind {
            QuantizedType::F32 => return 0.0,
            QuantizedType::F16 => 2048.0,
            QuantizedType::BF16 => 256.0,
            // Half a step of the range, plus one step where the far end is clipped, plus rounding of the scale.
            QuantizedType::Q4_0 => 7.9,
            QuantizedType::Q4_1 => 14.5,
            QuantizedType::Q5_0 => 15.8,
            QuantizedType::Q5_1 => 29.0,
            QuantizedType::Q8_0 => 220.0,
            // Scales of 6 and 8 bits add an error of their own.
            QuantizedType::Q4_K => 10.0,
            _ => 26.0,
        };
        largest / steps + 1e-6
    }

    proptest! {
        #[test]
        fn a_round_trip_stays_near(values in prop::collection::vec(-3.0_f32..3.0, 512), kind in 0..WRITTEN.len()) {
            let kind = WRITTEN[kind];
            let largest = values.iter().fold(0.0_f32, |best, value| best.max(value.abs()));
            for (i, (a, b)) in values.iter().zip(round_trip(kind, &values)).enumerate() {
                prop_assert!((a - b).abs() <= tolerance(kind, largest), "{kind} element {i}: {a} became {b}");
            }
        }

        #[test]
        fn small_blocks_equal_candle(values in prop::collection::vec(-3.0_f32..3.0, 64), which in 0..5) {
            use candle_core::quantized::{GgmlDType, QTensor};
            let (kind, dtype) = [
                (QuantizedType::Q4_0, GgmlDType::Q4_0),
                (QuantizedType::Q4_1, GgmlDType::Q4_1),
                (QuantizedType::Q5_0, GgmlDType::Q5_0),
                (QuantizedType::Q5_1, GgmlDType::Q5_1),
                (QuantizedType::Q8_0, GgmlDType::Q8_0),
            ][which as usize];
            let tensor = candle_core::Tensor::from_slice(&values, values.len(), &candle_core::Device::Cpu).unwrap();
            let theirs = QTensor::quantize(&tensor, dtype).unwrap().data().unwrap().to_vec();
            let mut ours = Vec::new();
            quantize_row(kind, &values, &mut ours).unwrap();
            prop_assert_eq!(ours, theirs, "{}", kind);
        }
    }

    #[test]
    fn constant_and_zero_blocks_are_exact_enough() {
        for kind in WRITTEN {
            for value in [0.0, 1.0, -1.0] {
                for back in round_trip(kind, &[value; 256]) {
                    assert!((back - value).abs() < 2e-3, "{kind}: {value} became {back}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut out = Vec::new();
        for (kind, value) in [
            (QuantizedType::F32, f32::NAN),
            (QuantizedType::BF16, f32::INFINITY),
            (QuantizedType::BF16, f32::MAX),
            (QuantizedType::F16, 1e5),
            (QuantizedType::Q8_0, -1e6),
            (QuantizedType::Q2_K, 0.0),
            (QuantizedType::Q8_1, 0.0),
        ] {
            assert!(quantize_row(kind, &[value; 256], &mut out).is_err(), "{kind} {value}");
        }
        assert!(quantize_row(QuantizedType::Q4_1, &[0.0; 33], &mut out).is_err());
        assert!(out.is_empty());
    }
}
