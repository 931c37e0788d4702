//! An adapter on the device: the thin path beside each matrix, `y += scale · B (A x)`, in float32.
//!
//! The base stays as it is, so adapters are changed in a moment. Both halves are matrices of floats for the kernel that
//! all products use; the rank is filled up with zeros to what that kernel wants.

use std::collections::BTreeMap;

use super::device::{Buffer, Device};
use super::kernels::Recording;
use super::matrix::{Matrix, Product, then};
use super::narrow::Input;
use crate::engine::adapter::{Adapter, LowRank, Projection};
use crate::engine::weights::{Form, Source};
use crate::gguf::{Group, QuantizedType};

/// Columns come in groups of so many.
const RANK_STEP: usize = 32;

/// An adapter's parts on a device.
#[derive(Debug)]
pub struct DeviceAdapter {
    parts: BTreeMap<(usize, Projection), Path>,
    rank: usize,
}

/// The path beside one matrix.
#[derive(Debug)]
pub struct Path {
    /// `A`, rank × inputs.
    down: Matrix,
    /// `scale · B`, outputs × rank.
    up: Matrix,
}

impl DeviceAdapter {
    /// Uploads an adapter.
    pub fn new(device: &Device, adapter: &Adapter) -> Self {
        let rank = adapter.parts().map(|(_, _, part)| part.rank()).max().unwrap_or(0).next_multiple_of(RANK_STEP);
        let parts =
            adapter.parts().map(|(layer, projection, part)| ((layer, projection), Path::new(device, part, rank)));
        let parts = parts.collect();
        device.flush();
        Self { parts, rank }
    }

    /// The path beside one matrix, if there is one.
    pub fn part(&self, layer: usize, projection: Projection) -> Option<&Path> {
        self.parts.get(&(layer, projection))
    }

    /// The rank of all parts, zeros included: numbers a token between `A` and `B`.
    pub fn rank(&self) -> usize {
        self.rank
    }
}

impl Path {
    fn new(device: &Device, part: &LowRank, rank: usize) -> Self {
        let mut down = part.down().to_vec();
        down.resize(rank * part.inputs(), 0.0);
        let mut up = vec![0.0; part.outputs() * rank];
        for (r, row) in part.up().chunks_exact(part.outputs()).enumerate() {
            for (output, value) in row.iter().enumerate() {
                up[output * rank + r] = part.scale() * value;
            }
        }
        let matrix = |rows, columns, numbers: &[f32]| Matrix::new(device, &Floats::new(rows, columns, numbers));
        Self { down: matrix(rank, part.inputs(), &down), up: matrix(part.outputs(), rank, &up) }
    }

    /// Records the path for `tokens` rows of `x`; `inner` has room for tokens × rank. With [`then::ADD_TO_OUT`] it is
    /// added to `out`, with [`then::STORE`] it takes its place.
    pub fn record<'a>(
        &'a self,
        recording: &mut Recording<'a>,
        (x, tokens): (&'a Buffer, usize),
        inner: &'a Buffer,
        out: &'a Buffer,
        then: u32,
    ) {
        let product = Product { x: Input::exact(x), first_token: 0, tokens, out: inner, then: then::STORE, bias: None };
        self.down.multiply(recording, product);
        let product = Product { x: Input::exact(inner), first_token: 0, tokens, out, then, bias: None };
        self.up.multiply(recording, product);
    }
}

/// A matrix of float32 that is only here to be uploaded.
struct Floats {
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
}

impl Floats {
    fn new(rows: usize, columns: usize, numbers: &[f32]) -> Self {
        Self { rows, columns, bytes: numbers.iter().flat_map(|number| number.to_le_bytes()).collect() }
    }
}

impl Source for Floats {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn form(&self) -> Form {
        Form::Floats(QuantizedType::F32)
    }

    fn groups(&self, _: usize, _: &mut dyn FnMut(usize, &Group)) {}

    fn floats(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.columns * 4..][..self.columns * 4]
    }
}
