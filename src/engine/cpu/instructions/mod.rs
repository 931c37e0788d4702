//! Instruction sets: AVX-512 with VNNI, AVX2, NEON, SIMD128, and plain arrays.
//!
//! Kernels are written once over [`InstructionSet`] and compiled once per set; [`dispatch`] picks the best one at run
//! time. This is the only place that names instruction sets. Two shapes of vector are enough for all kernels: eight
//! float32 ([`Lanes`]), and sixteen outputs of an integer product with their 16-bit weights.
//!
//! All sets give the same bits: sums across lanes have one order, and products are rounded before they are added, since
//! WebAssembly has no fused form. A difference in the last bit would not stay one: it can push a 16-bit activation over
//! to its neighbour, and the page and the command line would disagree by as much as the kernel's own error.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod x86;

use self::portable::Portable;

/// Eight float32 numbers.
pub trait Lanes: Copy {
    /// All zero.
    fn zero() -> Self;
    /// All the same.
    fn splat(value: f32) -> Self;
    /// Eight numbers in memory.
    ///
    /// # Safety
    /// `from` must be readable for eight numbers; no alignment is needed.
    unsafe fn load(from: *const f32) -> Self;
    /// Puts the eight numbers into memory.
    ///
    /// # Safety
    /// `to` must be writable for eight numbers; no alignment is needed.
    unsafe fn store(self, to: *mut f32);
    /// `self + a · b`, the product rounded first.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of the lanes: `((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))`.
    fn sum(self) -> f32;
}

/// An instruction set, as the kernels see it.
///
/// The integer half works on sixteen outputs (rows of a weight matrix) at a time. A vector of weights holds a *pair* of
/// adjacent columns of each row as 16-bit integers; it is multiplied by one pair of activations, and the two products
/// of a row are added in 32 bits.
pub trait InstructionSet: Copy + 'static {
    /// Eight float32 numbers.
    type Lanes: Lanes;
    /// Sixteen rows × two columns of 16-bit weights.
    type Pairs: Copy;
    /// Sixteen 32-bit sums.
    type Sums: Copy;
    /// Sixteen float32 outputs.
    type Outputs: Copy;

    /// Tokens whose integer sums are held in registers: 1, 2, 3, 4 or 8.
    const TOKENS: usize;
    /// Tiles of sixteen rows that are multiplied together, so that activations are read once for all of them: 1 or 3.
    const TILES: usize;
    /// Rows whose sums over sixteen float32 columns are held in registers: 3 or 6.
    const ROWS: usize;

    /// 32 weights in memory, row after row.
    ///
    /// # Safety
    /// `from` must be readable for 32 numbers.
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs;
    /// Puts 32 weights into memory.
    ///
    /// # Safety
    /// `to` must be writable for 32 numbers.
    unsafe fn store_pairs(to: *mut i16, pairs: Self::Pairs);
    /// Weights from the low and from the high nibbles of 32 bytes.
    ///
    /// # Safety
    /// `from` must be readable for 32 bytes.
    unsafe fn unpack_nibbles(from: *const u8) -> (Self::Pairs, Self::Pairs);
    /// Weights from 32 signed bytes.
    ///
    /// # Safety
    /// `from` must be readable for 32 bytes.
    unsafe fn widen_bytes(from: *const u8) -> Self::Pairs;
    /// All zero.
    fn no_sums() -> Self::Sums;
    /// `sums[r] + weights[r][0] · activations[0] + weights[r][1] · activations[1]`, the two activations in the low and
    /// high half of the number.
    fn add_pairs(sums: Self::Sums, weights: Self::Pairs, activations: i32) -> Self::Sums;
    /// All zero.
    fn no_outputs() -> Self::Outputs;
    /// Sixteen numbers in memory.
    ///
    /// # Safety
    /// `from` must be readable for sixteen numbers.
    unsafe fn load_outputs(from: *const f32) -> Self::Outputs;
    /// Puts sixteen numbers into memory.
    ///
    /// # Safety
    /// `to` must be writable for sixteen numbers.
    unsafe fn store_outputs(to: *mut f32, outputs: Self::Outputs);
    /// `outputs + sums · (scale · factor)`, every product rounded.
    fn add_scaled(outputs: Self::Outputs, sums: Self::Sums, scale: Self::Outputs, factor: f32) -> Self::Outputs;
    /// `outputs + a · factor`, the product rounded first.
    fn add_times(outputs: Self::Outputs, a: Self::Outputs, factor: f32) -> Self::Outputs;
}

/// A kernel, compiled for each instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Runs it. Implementations must be `#[inline(always)]`, or they are compiled without the instruction set.
    fn run<S: InstructionSet>(self) -> Self::Output;
}

/// Instruction sets by name, best first. `CANDOR_INSTRUCTIONS` natively forces one that the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// AVX-512 with 16-bit dot products (VNNI).
    Avx512,
    /// AVX2.
    Avx2,
    /// 64-bit ARM.
    Neon,
    /// WebAssembly's 128-bit vectors.
    Simd128,
    /// What the compiler makes of plain arrays.
    Portable,
}

impl Set {
    /// Every set that this machine can run, best first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx512() {
                sets.push(Self::Avx512);
            }
            if x86::has_avx2() {
                sets.push(Self::Avx2);
            }
        }
        if cfg!(target_arch = "aarch64") {
            sets.push(Self::Neon);
        }
        if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
            sets.push(Self::Simd128);
        }
        sets.push(Self::Portable);
        sets
    }

    /// The set in use: the best one, or the one that `CANDOR_INSTRUCTIONS` names where the machine has it.
    pub fn in_use() -> Self {
        static CHOSEN: std::sync::OnceLock<Set> = std::sync::OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let available = Self::available();
            let wanted = std::env::var("CANDOR_INSTRUCTIONS").ok();
            let forced = wanted.and_then(|name| available.iter().find(|set| set.name().eq_ignore_ascii_case(&name)));
            *forced.unwrap_or(&available[0])
        })
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::Simd128 => "SIMD128",
            Self::Portable => "portable",
        }
    }
}

/// Runs a kernel with the instruction set in use.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_to(Set::in_use(), kernel)
}

/// Runs a kernel with a given instruction set; one that this machine does not have becomes the portable one.
#[inline]
pub fn dispatch_to<K: Kernel>(set: Set, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        // `available` found the features; asking again is a load, and makes the safety of these calls local.
        if set == Set::Avx512 && x86::has_avx512() {
            // SAFETY: the features were just found.
            return unsafe { x86::with_avx512(kernel) };
        }
        if matches!(set, Set::Avx512 | Set::Avx2) && x86::has_avx2() {
            // SAFETY: the features were just found.
            return unsafe { x86::with_avx2(kernel) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if set == Set::Neon {
        return kernel.run::<neon::Neon>();
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    if set == Set::Simd128 {
        return kernel.run::<simd128::Simd128>();
    }
    let _ = set;
    kernel.run::<Portable>()
}
