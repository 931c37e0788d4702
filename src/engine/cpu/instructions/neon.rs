//! NEON, which every 64-bit ARM processor has.
//!
//! There is no product of pairs as on other processors: eight 16-bit products become 32-bit ones in two instructions,
//! and a third adds neighbours.

use std::arch::aarch64::*;

use super::{InstructionSet, Lanes};

impl Lanes for float32x4x2_t {
    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: NEON is part of the target.
        unsafe { float32x4x2_t(vdupq_n_f32(value), vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; NEON as above.
        unsafe { float32x4x2_t(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise; NEON as above.
        unsafe {
            vst1q_f32(to, self.0);
            vst1q_f32(to.add(4), self.1);
        }
    }
    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: NEON as above.
        unsafe { float32x4x2_t(vaddq_f32(self.0, vmulq_f32(a.0, b.0)), vaddq_f32(self.1, vmulq_f32(a.1, b.1))) }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: NEON as above.
        unsafe {
            let four = vaddq_f32(self.0, self.1);
            (vgetq_lane_f32::<0>(four) + vgetq_lane_f32::<2>(four))
                + (vgetq_lane_f32::<1>(four) + vgetq_lane_f32::<3>(four))
        }
    }
}

/// NEON: sixteen outputs are four vectors.
#[derive(Clone, Copy)]
pub struct Neon;

impl InstructionSet for Neon {
    type Lanes = float32x4x2_t;
    type Pairs = [int16x8_t; 4];
    type Sums = [int32x4_t; 4];
    type Outputs = [float32x4_t; 4];

    // Sixteen sums, four vectors of weights and four pairs of activations fit 32 registers.
    const TOKENS: usize = 4;
    const TILES: usize = 1;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller's promise; NEON is part of the target.
        unsafe { [vld1q_s16(from), vld1q_s16(from.add(8)), vld1q_s16(from.add(16)), vld1q_s16(from.add(24))] }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs) {
        for (i, pair) in pairs.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { vst1q_s16(to.add(8 * i), pair) }
        }
    }
    #[inline(always)]
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs) {
        // SAFETY: as above.
        unsafe {
            let bytes = [vld1q_u8(from), vld1q_u8(from.add(16))];
            let widen = |half: [uint8x16_t; 2]| {
                [
                    vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(half[0]))),
                    vreinterpretq_s16_u16(vmovl_high_u8(half[0])),
                    vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(half[1]))),
                    vreinterpretq_s16_u16(vmovl_high_u8(half[1])),
                ]
            };
            let mask = vdupq_n_u8(15);
            (widen(bytes.map(|bytes| vandq_u8(bytes, mask))), widen(bytes.map(|bytes| vshrq_n_u8::<4>(bytes))))
        }
    }
    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs {
        // SAFETY: as above.
        unsafe {
            let bytes = [vld1q_s8(from.cast()), vld1q_s8(from.add(16).cast())];
            [
                vmovl_s8(vget_low_s8(bytes[0])),
                vmovl_high_s8(bytes[0]),
                vmovl_s8(vget_low_s8(bytes[1])),
                vmovl_high_s8(bytes[1]),
            ]
        }
    }
    #[inline(always)]
    fn no_sums() -> Self::Sums {
        // SAFETY: NEON is part of the target.
        unsafe { [vdupq_n_s32(0); 4] }
    }
    #[inline(always)]
    fn add_pairs(mut sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums {
        // SAFETY: as above.
        unsafe {
            let activations = vreinterpretq_s16_s32(vdupq_n_s32(activations));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                let low = vmull_s16(vget_low_s16(weights), vget_low_s16(activations));
                let high = vmull_high_s16(weights, activations);
                *sum = vaddq_s32(*sum, vpaddq_s32(low, high));
            }
        }
        sums
    }
    #[inline(always)]
    fn no_outputs() -> Self::Outputs {
        // SAFETY: NEON is part of the target.
        unsafe { [vdupq_n_f32(0.0); 4] }
    }
    #[inline(always)]
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs {
        // SAFETY: the caller's promise; NEON as above.
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4)), vld1q_f32(from.add(8)), vld1q_f32(from.add(12))] }
    }
    #[inline(always)]
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs) {
        for (i, output) in outputs.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { vst1q_f32(to.add(4 * i), output) }
        }
    }
    #[inline(always)]
    fn add_scaled(mut outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs {
        for i in 0..4 {
            // SAFETY: NEON is part of the target.
            outputs[i] =
                unsafe { vaddq_f32(outputs[i], vmulq_f32(vcvtq_f32_s32(sums[i]), vmulq_n_f32(scale[i], factor))) };
        }
        outputs
    }
    #[inline(always)]
    fn add_times(mut outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs {
        for i in 0..4 {
            // SAFETY: NEON is part of the target.
            outputs[i] = unsafe { vaddq_f32(outputs[i], vmulq_n_f32(a[i], factor)) };
        }
        outputs
    }
}
