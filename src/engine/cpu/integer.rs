//! The integer product: tiles of quantized weights times 16-bit activations, exact within a group.
//!
//! The outputs of a tile lie across the lanes of a vector, so nothing is ever summed across lanes. For each group of 32
//! columns the weights are unpacked once to 16 bits and multiplied with a few tokens at a time, whose 32-bit sums stay
//! in registers (32 products of at most 15 bits and 8 bits cannot overflow them); then the sums are scaled and added to
//! the tile's float32 outputs. With few tokens the unpacked weights go straight from register to product.
//!
//! A token's result does not depend on its neighbours: integer sums are exact, and groups are added in order.

use std::ops::Range;

use crate::engine::cpu::activations::{ActivationGroup, Activations};
use crate::engine::cpu::instructions::{InstructionSet, Kernel};
use crate::engine::cpu::tiles::{Form, TILE_GROUP, TILE_ROWS, TileGroup, Tiles};

/// Tokens whose outputs are held beside a tile: 64 × 16 float32 are 4 KB, a quarter of a small first-level cache.
const CHUNK: usize = 64;
/// Pairs of columns in half a group.
const PAIRS: usize = 8;

/// A few neighbouring tiles times all tokens; `put(tile, token, outputs)` gets sixteen outputs of each token.
pub struct TileProduct<'a, F> {
    /// The weights.
    pub tiles: &'a Tiles,
    /// Which tiles of them.
    pub range: Range<usize>,
    /// The activations.
    pub activations: &'a Activations,
    /// Takes the results.
    pub put: F,
}

impl<F: FnMut(usize, usize, &[f32; TILE_ROWS])> Kernel for TileProduct<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(mut self) {
        let mut tile = self.range.start;
        while S::TILES >= 3 && self.range.end - tile >= 3 {
            self.some_tiles::<S, 3>(tile);
            tile += 3;
        }
        while tile < self.range.end {
            self.some_tiles::<S, 1>(tile);
            tile += 1;
        }
    }
}

impl<F: FnMut(usize, usize, &[f32; TILE_ROWS])> TileProduct<'_, F> {
    #[inline(always)]
    fn some_tiles<S: InstructionSet, const R: usize>(&mut self, tile: usize) {
        match (self.tiles.form(), self.tiles.parts()) {
            (Form::Nibbles, 1) => self.product::<S, Nibbles, R, 1>(tile),
            (Form::Nibbles, _) => self.product::<S, Nibbles, R, 2>(tile),
            (Form::Bytes, 1) => self.product::<S, Bytes, R, 1>(tile),
            (Form::Bytes, _) => self.product::<S, Bytes, R, 2>(tile),
        }
    }

    /// `R` tiles from `first_tile` on, whose groups have `PARTS` scales a row.
    #[inline(always)]
    fn product<S: InstructionSet, W: Weights, const R: usize, const PARTS: usize>(&mut self, first_tile: usize) {
        let (tokens, groups) = (self.activations.tokens(), self.activations.groups());
        // A loop of a length that the compiler does not know: unrolled sixteen times, the sums leave the registers.
        let pairs = std::hint::black_box(PAIRS).min(PAIRS);
        let mut outputs = [[[0.0; TILE_ROWS]; R]; CHUNK];
        let mut unpacked = [[0_i16; TILE_GROUP]; R];
        for first in (0..tokens).step_by(CHUNK) {
            let outputs = &mut outputs[..CHUNK.min(tokens - first)];
            outputs.fill([[0.0; TILE_ROWS]; R]);
            for index in 0..self.tiles.groups() {
                // Arrays are filled by hand: the closures of `map` and `from_fn` are not compiled for the set.
                let mut weights = [self.tiles.group(first_tile, index); R];
                for r in 1..R {
                    weights[r] = self.tiles.group(first_tile + r, index);
                }
                let x = &groups[index * tokens + first..][..outputs.len()];
                if x.len() > S::TOKENS {
                    for r in 0..R {
                        unpack::<S, W>(weights[r].packed, &mut unpacked[r], pairs);
                    }
                    let mut integers = [Unpacked(&unpacked[0]); R];
                    for r in 1..R {
                        integers[r] = Unpacked(&unpacked[r]);
                    }
                    tokens_of_group::<S, Unpacked, R, PARTS>(integers, &weights, x, outputs, pairs);
                } else {
                    let mut integers = [W::new(weights[0].packed); R];
                    for r in 1..R {
                        integers[r] = W::new(weights[r].packed);
                    }
                    tokens_of_group::<S, W, R, PARTS>(integers, &weights, x, outputs, pairs);
                }
            }
            for (token, outputs) in outputs.iter().enumerate() {
                for (r, outputs) in outputs.iter().enumerate() {
                    (self.put)(first_tile + r, first + token, outputs);
                }
            }
        }
    }
}

/// The integers of a tile's group, as vectors of pairs.
trait Weights: Copy {
    /// Reads them from a group's bytes. Checks that they are all there.
    fn new(packed: &[u8]) -> Self;
    /// The columns `2 pair, 2 pair + 1` and `16 + 2 pair, 16 + 2 pair + 1` of sixteen rows.
    ///
    /// # Safety
    /// `pair` must be below [`PAIRS`].
    unsafe fn pairs<S: InstructionSet>(self, pair: usize) -> (S::Pairs, S::Pairs);
    /// The first (0) or second (1) of [`Self::pairs`].
    ///
    /// # Safety
    /// As there; `half` must be 0 or 1.
    #[inline(always)]
    unsafe fn half<S: InstructionSet>(self, half: usize, pair: usize) -> S::Pairs {
        // SAFETY: the caller's promise.
        let (low, high) = unsafe { self.pairs::<S>(pair) };
        if half == 0 { low } else { high }
    }
}

#[derive(Clone, Copy)]
struct Nibbles(*const u8);

impl Weights for Nibbles {
    #[inline(always)]
    fn new(packed: &[u8]) -> Self {
        assert!(packed.len() >= TILE_GROUP / 2);
        Self(packed.as_ptr())
    }
    #[inline(always)]
    unsafe fn pairs<S: InstructionSet>(self, pair: usize) -> (S::Pairs, S::Pairs) {
        // SAFETY: eight times 32 bytes are the 256 that `new` checked for.
        unsafe { S::unpack_nibbles(self.0.add(pair * 32)) }
    }
}

#[derive(Clone, Copy)]
struct Bytes(*const u8);

impl Weights for Bytes {
    #[inline(always)]
    fn new(packed: &[u8]) -> Self {
        assert!(packed.len() >= TILE_GROUP);
        Self(packed.as_ptr())
    }
    #[inline(always)]
    unsafe fn pairs<S: InstructionSet>(self, pair: usize) -> (S::Pairs, S::Pairs) {
        // SAFETY: twice eight times 32 bytes are the 512 that `new` checked for.
        unsafe { (S::widen_bytes(self.0.add(pair * 32)), S::widen_bytes(self.0.add(256 + pair * 32))) }
    }
}

#[derive(Clone, Copy)]
struct Unpacked<'a>(&'a [i16; TILE_GROUP]);

impl Weights for Unpacked<'_> {
    fn new(_: &[u8]) -> Self {
        unreachable!("made from what `unpack` wrote")
    }
    #[inline(always)]
    unsafe fn pairs<S: InstructionSet>(self, pair: usize) -> (S::Pairs, S::Pairs) {
        // SAFETY: twice eight times 32 numbers are the array's 512.
        unsafe { (self.half::<S>(0, pair), self.half::<S>(1, pair)) }
    }
    #[inline(always)]
    unsafe fn half<S: InstructionSet>(self, half: usize, pair: usize) -> S::Pairs {
        // SAFETY: twice eight times 32 numbers are the array's 512.
        unsafe { S::load_pairs(self.0.as_ptr().add(half * 256 + pair * 32)) }
    }
}

#[inline(always)]
fn unpack<S: InstructionSet, W: Weights>(packed: &[u8], to: &mut [i16; TILE_GROUP], pairs: usize) {
    let weights = W::new(packed);
    for pair in 0..pairs {
        // SAFETY: `pairs` is at most PAIRS, and twice eight times 32 numbers are the array's 512.
        unsafe {
            let (low, high) = weights.pairs::<S>(pair);
            S::store_pairs(to.as_mut_ptr().add(pair * 32), low);
            S::store_pairs(to.as_mut_ptr().add(256 + pair * 32), high);
        }
    }
}

/// Adds one group's products to the outputs of all tokens, as many at a time as registers hold.
#[inline(always)]
fn tokens_of_group<S: InstructionSet, W: Weights, const R: usize, const PARTS: usize>(
    weights: [W; R],
    groups: &[TileGroup<'_>; R],
    x: &[ActivationGroup],
    outputs: &mut [[[f32; TILE_ROWS]; R]],
    pairs: usize,
) {
    let mut token = 0;
    macro_rules! take {
        ($count:literal) => {
            while S::TOKENS >= $count && x.len() - token >= $count {
                if let (Some(x), Some(outputs)) = (x[token..].first_chunk(), outputs[token..].first_chunk_mut()) {
                    few_tokens::<S, W, R, $count, PARTS>(weights, groups, x, outputs, pairs);
                }
                token += $count;
            }
        };
    }
    take!(8);
    take!(4);
    take!(3);
    take!(2);
    take!(1);
}

/// Adds one group's products to the outputs of `T` tokens.
#[inline(always)]
fn few_tokens<S: InstructionSet, W: Weights, const R: usize, const T: usize, const PARTS: usize>(
    weights: [W; R],
    groups: &[TileGroup<'_>; R],
    x: &[ActivationGroup; T],
    outputs: &mut [[[f32; TILE_ROWS]; R]; T],
    pairs: usize,
) {
    for part in 0..PARTS {
        let mut sums = [[S::no_sums(); T]; R];
        // One half after the other: two products in a row on the same sum would wait for each other, and LLVM would
        // rather take apart a combined multiply and add.
        for half in part * 2 / PARTS..(part + 1) * 2 / PARTS {
            for pair in 0..pairs {
                // SAFETY: `pairs` is at most PAIRS, and there are two halves.
                let mut integers = [unsafe { weights[0].half::<S>(half, pair) }; R];
                for r in 1..R {
                    // SAFETY: as above.
                    integers[r] = unsafe { weights[r].half::<S>(half, pair) };
                }
                for t in 0..T {
                    let x = x[t].pair(half * PAIRS + pair);
                    for r in 0..R {
                        sums[r][t] = S::add_pairs(sums[r][t], integers[r], x);
                    }
                }
            }
        }
        for r in 0..R {
            add_part::<S, R, T, PARTS>(sums[r], &groups[r], part, r, x, outputs);
        }
    }
}

/// `outputs += sums · scale · activation scale + minimum · activation sum` for one part of a group: all of it where
/// there is one scale, else half.
#[inline(always)]
fn add_part<S: InstructionSet, const R: usize, const T: usize, const PARTS: usize>(
    sums: [S::Sums; T],
    group: &TileGroup<'_>,
    part: usize,
    r: usize,
    x: &[ActivationGroup; T],
    outputs: &mut [[[f32; TILE_ROWS]; R]; T],
) {
    let scales: &[f32; TILE_ROWS] = group.scales[part * TILE_ROWS..].first_chunk().expect("sixteen scales a part");
    let minima: Option<&[f32; TILE_ROWS]> =
        group.minima.get(part * TILE_ROWS..).and_then(|minima| minima.first_chunk());
    for t in 0..T {
        // SAFETY: all three are arrays of sixteen numbers.
        unsafe {
            let mut output = S::load_outputs(outputs[t][r].as_ptr());
            output = S::add_scaled(output, sums[t], S::load_outputs(scales.as_ptr()), x[t].scale);
            if let Some(minima) = minima {
                let sum = if PARTS == 1 { x[t].sums[0] + x[t].sums[1] } else { x[t].sums[part] };
                output = S::add_times(output, S::load_outputs(minima.as_ptr()), sum);
            }
            S::store_outputs(outputs[t][r].as_mut_ptr(), output);
        }
    }
}
