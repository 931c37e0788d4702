//! AVX2, and AVX-512 with the 16-bit dot product of VNNI.
//!
//! Every method is reached only through [`with_avx2`] or [`with_avx512`], whose callers have looked for the features;
//! that is what each `SAFETY` here relies on, besides what a method itself asks of its pointer.

use std::arch::x86_64::*;

use super::{InstructionSet, Kernel, Lanes};

/// Whether the machine can run [`with_avx2`].
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Whether the machine can run [`with_avx512`].
pub fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

/// Runs a kernel with AVX2.
#[target_feature(enable = "avx2")]
pub fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// Runs a kernel with AVX-512 and VNNI.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]
pub fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

impl Lanes for __m256 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe { _mm256_storeu_ps(to, self) }
    }
    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_add_ps(self, _mm256_mul_ps(a, b)) }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: AVX2 is there.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}

/// AVX2: sixteen outputs are two vectors.
#[derive(Clone, Copy)]
pub struct Avx2;

impl InstructionSet for Avx2 {
    type Lanes = __m256;
    type Pairs = [__m256i; 2];
    type Sums = [__m256i; 2];
    type Outputs = [__m256; 2];

    // Eight sums, two vectors of weights and a pair of activations fit sixteen registers.
    const TOKENS: usize = 4;
    const TILES: usize = 1;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(16).cast())] }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs) {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe {
            _mm256_storeu_si256(to.cast(), pairs[0]);
            _mm256_storeu_si256(to.add(16).cast(), pairs[1]);
        }
    }
    #[inline(always)]
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs) {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe {
            let mask = _mm256_set1_epi16(15);
            let bytes = [
                _mm256_cvtepu8_epi16(_mm_loadu_si128(from.cast())),
                _mm256_cvtepu8_epi16(_mm_loadu_si128(from.add(16).cast())),
            ];
            (
                [_mm256_and_si256(bytes[0], mask), _mm256_and_si256(bytes[1], mask)],
                [_mm256_srli_epi16::<4>(bytes[0]), _mm256_srli_epi16::<4>(bytes[1])],
            )
        }
    }
    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe {
            [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(16).cast())),
            ]
        }
    }
    #[inline(always)]
    fn no_sums() -> Self::Sums {
        // SAFETY: AVX2 is there.
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    fn add_pairs(sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums {
        // SAFETY: AVX2 is there.
        unsafe {
            let activations = _mm256_set1_epi32(activations);
            [
                _mm256_add_epi32(sums[0], _mm256_madd_epi16(weights[0], activations)),
                _mm256_add_epi32(sums[1], _mm256_madd_epi16(weights[1], activations)),
            ]
        }
    }
    #[inline(always)]
    fn no_outputs() -> Self::Outputs {
        // SAFETY: AVX2 is there.
        unsafe { [_mm256_setzero_ps(); 2] }
    }
    #[inline(always)]
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs) {
        // SAFETY: the caller's promise; AVX2 is there.
        unsafe {
            _mm256_storeu_ps(to, outputs[0]);
            _mm256_storeu_ps(to.add(8), outputs[1]);
        }
    }
    #[inline(always)]
    fn add_scaled(outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs {
        // SAFETY: AVX2 is there.
        unsafe {
            let factor = _mm256_set1_ps(factor);
            let scale = [_mm256_mul_ps(scale[0], factor), _mm256_mul_ps(scale[1], factor)];
            [
                _mm256_add_ps(outputs[0], _mm256_mul_ps(_mm256_cvtepi32_ps(sums[0]), scale[0])),
                _mm256_add_ps(outputs[1], _mm256_mul_ps(_mm256_cvtepi32_ps(sums[1]), scale[1])),
            ]
        }
    }
    #[inline(always)]
    fn add_times(outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs {
        // SAFETY: AVX2 is there.
        unsafe {
            let factor = _mm256_set1_ps(factor);
            [
                _mm256_add_ps(outputs[0], _mm256_mul_ps(a[0], factor)),
                _mm256_add_ps(outputs[1], _mm256_mul_ps(a[1], factor)),
            ]
        }
    }
}

/// AVX-512 with VNNI: sixteen outputs are one vector, multiplied and added in one instruction.
#[derive(Clone, Copy)]
pub struct Avx512;

impl InstructionSet for Avx512 {
    type Lanes = __m256;
    type Pairs = __m512i;
    type Sums = __m512i;
    type Outputs = __m512;

    // Of 32 registers: 24 sums, the weights of three tiles and a pair of activations. With two tiles (sixteen sums) the
    // products of one group are over too soon to hide the conversion and scaling of the sums before.
    const TOKENS: usize = 8;
    const TILES: usize = 3;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs) {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe { _mm512_storeu_si512(to.cast(), pairs) }
    }
    #[inline(always)]
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs) {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe {
            let bytes = _mm512_cvtepu8_epi16(_mm256_loadu_si256(from.cast()));
            (_mm512_and_si512(bytes, _mm512_set1_epi16(15)), _mm512_srli_epi16::<4>(bytes))
        }
    }
    #[inline(always)]
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    fn no_sums() -> Self::Sums {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn add_pairs(sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums {
        // SAFETY: AVX-512 with VNNI is there.
        unsafe { _mm512_dpwssd_epi32(sums, weights, _mm512_set1_epi32(activations)) }
    }
    #[inline(always)]
    fn no_outputs() -> Self::Outputs {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs) {
        // SAFETY: the caller's promise; AVX-512 is there.
        unsafe { _mm512_storeu_ps(to, outputs) }
    }
    #[inline(always)]
    fn add_scaled(outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs {
        // SAFETY: AVX-512 is there.
        unsafe {
            let scale = _mm512_mul_ps(scale, _mm512_set1_ps(factor));
            _mm512_add_ps(outputs, _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale))
        }
    }
    #[inline(always)]
    fn add_times(outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_add_ps(outputs, _mm512_mul_ps(a, _mm512_set1_ps(factor))) }
    }
}
