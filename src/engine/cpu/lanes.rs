//! Eight float32 lanes, by instruction set: AVX2 with FMA, SIMD128, and plain arrays.
//!
//! Kernels are written once over [`Lanes`] and compiled once per set; [`dispatch`] picks the set at run time. This is
//! the only place that names instruction sets for float32 work.

/// Eight float32 numbers.
pub trait Lanes: Copy {
    /// All zero.
    fn zero() -> Self;
    /// Eight numbers in memory.
    ///
    /// # Safety
    /// `from` must be readable for eight numbers; no alignment is needed.
    unsafe fn load(from: *const f32) -> Self;
    /// `self + a · b`.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of the lanes.
    fn sum(self) -> f32;
}

impl Lanes for [f32; 8] {
    #[inline(always)]
    fn zero() -> Self {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self>().read_unaligned() }
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    impl super::Lanes for __m256 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: only reached through `dispatch`, which has checked for AVX2 and FMA.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise; AVX2 as above.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: AVX2 and FMA as above.
            unsafe { _mm256_fmadd_ps(a, b, self) }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: AVX2 as above.
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use std::arch::wasm32::*;

    impl super::Lanes for (v128, v128) {
        #[inline(always)]
        fn zero() -> Self {
            (f32x4_splat(0.0), f32x4_splat(0.0))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { (v128_load(from.cast()), v128_load(from.add(4).cast())) }
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
}

/// A kernel over lanes, compiled for each instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Runs it. Implementations must be `#[inline(always)]`, or they are compiled without the instruction set.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs a kernel with the best instruction set of this machine.
#[cfg(target_arch = "x86_64")]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx2,fma")]
    fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<std::arch::x86_64::__m256>()
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: both features were just found.
        unsafe { with_avx2(kernel) }
    } else {
        kernel.run::<[f32; 8]>()
    }
}

/// Runs a kernel with SIMD128, which the wasm build requires.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<(std::arch::wasm32::v128, std::arch::wasm32::v128)>()
}

/// Runs a kernel with what the compiler makes of plain arrays.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<[f32; 8]>()
}

/// The name of the instruction set in use, for people.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return "AVX2";
    }
    if cfg!(target_feature = "simd128") {
        "SIMD128"
    } else if cfg!(target_arch = "aarch64") {
        "NEON"
    } else {
        "portable"
    }
}
