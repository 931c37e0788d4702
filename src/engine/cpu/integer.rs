//! The integer product: tiles of quantized weights times 16-bit activations, exact within a group.
//!
//! The outputs of a tile lie across the lanes of a vector, so nothing is ever summed across lanes. For each group of 32
//! columns the weights are unpacked once to 16 bits and multiplied with a few tokens at a time, whose 32-bit sums stay
//! in registers (32 products of at most 15 bits and 8 bits cannot overflow them); then the sums are scaled and added to
//! the tile's float32 outputs. With few tokens the unpacked weights go straight from register to product.
//!
//! A token's result does not depend on its neighbours: integer sums are exact, and groups are added in order.

use crate::engine::cpu::activations::{ActivationGroup, Activations};
use crate::engine::cpu::instructions::{InstructionSet, Kernel};
use crate::engine::cpu::tiles::{Form, TILE_GROUP, TILE_ROWS, TileGroup, Tiles};

/// Tokens whose outputs are held beside a tile: 64 × 16 float32 are 4 KB, a quarter of a small first-level cache.
const CHUNK: usize = 64;
/// Pairs of columns in half a group.
const PAIRS: usize = 8;

/// One tile times all tokens; `put(token, outputs)` gets sixteen outputs of each token.
pub struct TileProduct<'a, F> {
    /// The weights.
    pub tiles: &'a Tiles,
    /// Which tile of them.
    pub tile: usize,
    /// The activations.
    pub activations: &'a Activations,
    /// Takes the results.
    pub put: F,
}

impl<F: FnMut(usize, &[f32; TILE_ROWS])> Kernel for TileProduct<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        match (self.tiles.form(), self.tiles.parts()) {
            (Form::Nibbles, 1) => self.product::<S, Nibbles, false>(),
            (Form::Nibbles, _) => self.product::<S, Nibbles, true>(),
            (Form::Bytes, 1) => self.product::<S, Bytes, false>(),
            (Form::Bytes, _) => self.product::<S, Bytes, true>(),
        }
    }
}

impl<F: FnMut(usize, &[f32; TILE_ROWS])> TileProduct<'_, F> {
    #[inline(always)]
    fn product<S: InstructionSet, W: Weights, const HALVES: bool>(mut self) {
        let (tokens, groups) = (self.activations.tokens(), self.activations.groups());
        // A loop of a length that the compiler does not know: unrolled sixteen times, the sums leave the registers.
        let pairs = std::hint::black_box(PAIRS).min(PAIRS);
        let mut outputs = [[0.0; TILE_ROWS]; CHUNK];
        let mut unpacked = [0_i16; TILE_GROUP];
        for first in (0..tokens).step_by(CHUNK) {
            let outputs = &mut outputs[..CHUNK.min(tokens - first)];
            outputs.fill([0.0; TILE_ROWS]);
            for index in 0..self.tiles.groups() {
                let group = self.tiles.group(self.tile, index);
                let x = &groups[index * tokens + first..][..outputs.len()];
                if x.len() > S::TOKENS {
                    unpack::<S, W>(group.packed, &mut unpacked, pairs);
                    tokens_of_group::<S, Unpacked, HALVES>(Unpacked(&unpacked), &group, x, outputs, pairs);
                } else {
                    tokens_of_group::<S, W, HALVES>(W::new(group.packed), &group, x, outputs, pairs);
                }
            }
            for (token, outputs) in outputs.iter().enumerate() {
                (self.put)(first + token, outputs);
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
        unsafe { (S::load_pairs(self.0.as_ptr().add(pair * 32)), S::load_pairs(self.0.as_ptr().add(256 + pair * 32))) }
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
fn tokens_of_group<S: InstructionSet, W: Weights, const HALVES: bool>(
    weights: W,
    group: &TileGroup<'_>,
    x: &[ActivationGroup],
    outputs: &mut [[f32; TILE_ROWS]],
    pairs: usize,
) {
    let mut token = 0;
    macro_rules! take {
        ($count:literal) => {
            while S::TOKENS >= $count && x.len() - token >= $count {
                if let (Some(x), Some(outputs)) = (x[token..].first_chunk(), outputs[token..].first_chunk_mut()) {
                    few_tokens::<S, W, $count, HALVES>(weights, group, x, outputs, pairs);
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

#[inline(always)]
fn few_tokens<S: InstructionSet, W: Weights, const T: usize, const HALVES: bool>(
    weights: W,
    group: &TileGroup<'_>,
    x: &[ActivationGroup; T],
    outputs: &mut [[f32; TILE_ROWS]; T],
    pairs: usize,
) {
    if HALVES {
        let mut sums = [S::no_sums(); T];
        for pair in 0..pairs {
            // SAFETY: `pairs` is at most PAIRS.
            let (low, _) = unsafe { weights.pairs::<S>(pair) };
            for t in 0..T {
                sums[t] = S::add_pairs(sums[t], low, x[t].pair(pair));
            }
        }
        add_part::<S, T>(sums, group, 0, x, outputs);
        let mut sums = [S::no_sums(); T];
        for pair in 0..pairs {
            // SAFETY: as above.
            let (_, high) = unsafe { weights.pairs::<S>(pair) };
            for t in 0..T {
                sums[t] = S::add_pairs(sums[t], high, x[t].pair(PAIRS + pair));
            }
        }
        add_part::<S, T>(sums, group, 1, x, outputs);
    } else {
        let mut sums = [S::no_sums(); T];
        for pair in 0..pairs {
            // SAFETY: as above.
            let (low, high) = unsafe { weights.pairs::<S>(pair) };
            for t in 0..T {
                sums[t] = S::add_pairs(sums[t], low, x[t].pair(pair));
            }
            for t in 0..T {
                sums[t] = S::add_pairs(sums[t], high, x[t].pair(PAIRS + pair));
            }
        }
        add_part::<S, T>(sums, group, 0, x, outputs);
    }
}

/// `outputs += sums · scale · activation scale + minimum · activation sum` for one part of a group: all of it where
/// there is one scale, else half.
#[inline(always)]
fn add_part<S: InstructionSet, const T: usize>(
    sums: [S::Sums; T],
    group: &TileGroup<'_>,
    part: usize,
    x: &[ActivationGroup; T],
    outputs: &mut [[f32; TILE_ROWS]; T],
) {
    let one_part = group.scales.len() == TILE_ROWS;
    let scales: &[f32; TILE_ROWS] = group.scales[part * TILE_ROWS..].first_chunk().expect("sixteen scales a part");
    let minima: Option<&[f32; TILE_ROWS]> =
        group.minima.get(part * TILE_ROWS..).and_then(|minima| minima.first_chunk());
    for t in 0..T {
        // SAFETY: all three are arrays of sixteen numbers.
        unsafe {
            let mut output = S::load_outputs(outputs[t].as_ptr());
            output = S::add_scaled(output, sums[t], S::load_outputs(scales.as_ptr()), x[t].scale);
            if let Some(minima) = minima {
                let sum = if one_part { x[t].sums[0] + x[t].sums[1] } else { x[t].sums[part] };
                output = S::add_times(output, S::load_outputs(minima.as_ptr()), sum);
            }
            S::store_outputs(outputs[t].as_mut_ptr(), output);
        }
    }
}
