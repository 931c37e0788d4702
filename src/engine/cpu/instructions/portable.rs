//! Plain arrays, for processors without a set of their own here; compilers vectorize most of it.

use super::{InstructionSet, Lanes};

impl Lanes for [f32; 8] {
    #[inline(always)]
    fn zero() -> Self {
        [0.0; 8]
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    fn add_product(mut self, a: Self, b: Self) -> Self {
        for i in 0..8 {
            self[i] += a[i] * b[i];
        }
        self
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        let s = self;
        ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
    }
}

/// The set without instructions.
#[derive(Clone, Copy)]
pub struct Portable;

impl InstructionSet for Portable {
    type Lanes = [f32; 8];
    type Pairs = [i16; 32];
    type Sums = [i32; 16];
    type Outputs = [f32; 16];

    const TOKENS: usize = 2;
    const TILES: usize = 1;
    const ROWS: usize = 3;

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self::Pairs>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self::Pairs>().write_unaligned(pairs) }
    }
    #[inline(always)]
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs) {
        // SAFETY: the caller's promise.
        let bytes = unsafe { from.cast::<[u8; 32]>().read_unaligned() };
        (bytes.map(|byte| i16::from(byte & 15)), bytes.map(|byte| i16::from(byte >> 4)))
    }
    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs {
        // SAFETY: the caller's promise.
        let bytes = unsafe { from.cast::<[i8; 32]>().read_unaligned() };
        bytes.map(i16::from)
    }
    #[inline(always)]
    fn no_sums() -> Self::Sums {
        [0; 16]
    }
    #[inline(always)]
    fn add_pairs(mut sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums {
        let (low, high) = (i32::from(activations as i16), activations >> 16);
        for r in 0..16 {
            sums[r] += i32::from(weights[2 * r]) * low + i32::from(weights[2 * r + 1]) * high;
        }
        sums
    }
    #[inline(always)]
    fn no_outputs() -> Self::Outputs {
        [0.0; 16]
    }
    #[inline(always)]
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self::Outputs>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self::Outputs>().write_unaligned(outputs) }
    }
    #[inline(always)]
    fn add_scaled(mut outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs {
        for r in 0..16 {
            outputs[r] += sums[r] as f32 * (scale[r] * factor);
        }
        outputs
    }
    #[inline(always)]
    fn add_times(mut outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs {
        for r in 0..16 {
            outputs[r] += a[r] * factor;
        }
        outputs
    }
}
