//! WebAssembly's 128-bit vectors: what every current browser runs. Relaxed SIMD gained nothing for the exact kernel.

use std::arch::wasm32::*;

use super::{InstructionSet, Lanes};

impl Lanes for (v128, v128) {
    #[inline(always)]
    fn zero() -> Self {
        (f32x4_splat(0.0), f32x4_splat(0.0))
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        (f32x4_splat(value), f32x4_splat(value))
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { (v128_load(from.cast()), v128_load(from.add(4).cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            v128_store(to.cast(), self.0);
            v128_store(to.add(4).cast(), self.1);
        }
    }
    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        (f32x4_add(self.0, f32x4_mul(a.0, b.0)), f32x4_add(self.1, f32x4_mul(a.1, b.1)))
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        let four = f32x4_add(self.0, self.1);
        (f32x4_extract_lane::<0>(four) + f32x4_extract_lane::<2>(four))
            + (f32x4_extract_lane::<1>(four) + f32x4_extract_lane::<3>(four))
    }
}

/// SIMD128: sixteen outputs are four vectors.
#[derive(Clone, Copy)]
pub struct Simd128;

/// Applies `f` to four vectors.
#[inline(always)]
fn four(f: impl Fn(usize) -> v128) -> [v128; 4] {
    [f(0), f(1), f(2), f(3)]
}

impl InstructionSet for Simd128 {
    type Lanes = (v128, v128);
    type Pairs = [v128; 4];
    type Sums = [v128; 4];
    type Outputs = [v128; 4];

    // Twelve sums, and what a browser's compiler keeps beside them in sixteen registers.
    const TOKENS: usize = 3;
    const TILES: usize = 1;
    const ROWS: usize = 3;

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller's promise.
        four(|i| unsafe { v128_load(from.add(8 * i).cast()) })
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs) {
        for (i, pair) in pairs.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { v128_store(to.add(8 * i).cast(), pair) }
        }
    }
    #[inline(always)]
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs) {
        // SAFETY: the caller's promise.
        let bytes = unsafe { [v128_load(from.cast()), v128_load(from.add(16).cast())] };
        let wide = [
            u16x8_extend_low_u8x16(bytes[0]),
            u16x8_extend_high_u8x16(bytes[0]),
            u16x8_extend_low_u8x16(bytes[1]),
            u16x8_extend_high_u8x16(bytes[1]),
        ];
        (four(|i| v128_and(wide[i], u16x8_splat(15))), four(|i| u16x8_shr(wide[i], 4)))
    }
    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs {
        // SAFETY: the caller's promise.
        let bytes = unsafe { [v128_load(from.cast()), v128_load(from.add(16).cast())] };
        [
            i16x8_extend_low_i8x16(bytes[0]),
            i16x8_extend_high_i8x16(bytes[0]),
            i16x8_extend_low_i8x16(bytes[1]),
            i16x8_extend_high_i8x16(bytes[1]),
        ]
    }
    #[inline(always)]
    fn no_sums() -> Self::Sums {
        [i32x4_splat(0); 4]
    }
    #[inline(always)]
    fn add_pairs(sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums {
        let activations = i32x4_splat(activations);
        four(|i| i32x4_add(sums[i], i32x4_dot_i16x8(weights[i], activations)))
    }
    #[inline(always)]
    fn no_outputs() -> Self::Outputs {
        [f32x4_splat(0.0); 4]
    }
    #[inline(always)]
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs {
        // SAFETY: the caller's promise.
        four(|i| unsafe { v128_load(from.add(4 * i).cast()) })
    }
    #[inline(always)]
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs) {
        for (i, output) in outputs.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { v128_store(to.add(4 * i).cast(), output) }
        }
    }
    #[inline(always)]
    fn add_scaled(outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs {
        let factor = f32x4_splat(factor);
        four(|i| {
            let product = f32x4_mul(f32x4_convert_i32x4(sums[i]), f32x4_mul(scale[i], factor));
            f32x4_add(outputs[i], product)
        })
    }
    #[inline(always)]
    fn add_times(outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs {
        let factor = f32x4_splat(factor);
        four(|i| f32x4_add(outputs[i], f32x4_mul(a[i], factor)))
    }
}
