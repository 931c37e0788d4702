//! A forward pass as a list of kernel calls.
//!
//! Everything is recorded, then submitted at once: between the upload of the token ids and the reading of the results
//! nothing waits for the processor. So two passes that are interleaved by their callers share one set of buffers
//! ([`Scratch`]): the device does one after the other.

use std::sync::Arc;

use super::device::{Buffer, Device};
use super::kernels::{Kernel, Recording};
use super::matrix::{Matrix, Product, then};
use super::{GpuModel, HEAD_ROWS, Vectors, head};
use crate::engine::batch::PackedBatch;
use crate::engine::config::{ModelConfig, RopeLayout};
use crate::engine::rope;

/// Keys and values of a prefix on the device, per layer: rotated keys and values, positions × kv_width.
#[derive(Debug, Default)]
pub struct DevicePrefix {
    positions: usize,
    layers: Vec<(Buffer, Buffer)>,
}

impl DevicePrefix {
    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.positions
    }
}

/// The activations of a pass, as float32.
#[derive(Debug)]
pub struct Scratch {
    tokens: usize,
    x: Buffer,
    normed: Buffer,
    queries: Buffer,
    keys: Buffer,
    values: Buffer,
    /// Queries or keys before their norm, for models that have one.
    raw: Buffer,
    attended: Buffer,
    gate: Buffer,
    last_x: Buffer,
    last_normed: Buffer,
    /// Logits of [`HEAD_ROWS`] rows.
    pub logits: Buffer,
    /// What the head knows of slices of the vocabulary.
    pub partial: Buffer,
}

impl Scratch {
    /// Buffers for passes of up to `tokens` tokens, whose logits have rows of `stride`.
    pub fn new(device: &Device, config: &ModelConfig, stride: usize, tokens: usize) -> Self {
        let rows = |width: usize| device.buffer((tokens * width * 4) as u64);
        let raw = if config.qk_norm { config.query_width().max(config.kv_width()) } else { 0 };
        Self {
            tokens,
            x: rows(config.width),
            normed: rows(config.width),
            queries: rows(config.query_width()),
            keys: rows(config.kv_width()),
            values: rows(config.kv_width()),
            raw: rows(raw),
            attended: rows(config.query_width()),
            gate: rows(config.feed_forward),
            last_x: rows(config.width),
            last_normed: rows(config.width),
            logits: device.buffer((HEAD_ROWS * stride * 4) as u64),
            partial: device.buffer((HEAD_ROWS * head::SLICES * 8) as u64),
        }
    }

    /// Whether a pass of so many tokens fits.
    pub fn holds(&self, tokens: usize) -> bool {
        self.tokens >= tokens
    }
}

/// What a pass needs besides weights: uploaded, then recorded.
pub struct Inputs {
    ids: Buffer,
    angles: Buffer,
    places: Buffer,
    last: Buffer,
    last_places: Buffer,
    tokens: usize,
    segments: usize,
}

impl Inputs {
    /// Uploads a batch that follows `prefix` positions.
    pub fn new(device: &Device, config: &ModelConfig, factors: &[f32], batch: &PackedBatch, prefix: usize) -> Self {
        let mut places: Vec<[u32; 4]> = Vec::with_capacity(batch.tokens().len());
        let mut last = Vec::with_capacity(batch.segments());
        let mut longest = 0;
        for segment in 0..batch.segments() {
            let range = batch.range(segment);
            places.extend((0..range.len() as u32).map(|row| [row, range.start as u32, row + 1, 0]));
            last.push(range.end as u32 - 1);
            longest = longest.max(range.len());
        }
        let last_places: Vec<u32> = last.iter().flat_map(|row| places[*row as usize]).collect();
        let angles: Vec<f32> =
            rope::angles(config, factors, prefix..prefix + longest).into_iter().flat_map(<[f32; 2]>::from).collect();
        Self {
            ids: device.buffer_of(batch.tokens()),
            angles: device.buffer_of(&angles),
            places: device.buffer_of(places.as_flattened()),
            last: device.buffer_of(&last),
            last_places: device.buffer_of(&last_places),
            tokens: batch.tokens().len(),
            segments: batch.segments(),
        }
    }
}

/// What a pass attends to before its own tokens.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The prefix, if there is one.
    pub prefix: Option<&'a DevicePrefix>,
    /// Stands where a buffer is bound and not read.
    pub nothing: &'a Buffer,
}

impl<'a> Before<'a> {
    fn positions(&self) -> usize {
        self.prefix.map_or(0, DevicePrefix::positions)
    }

    fn layer(&self, index: usize) -> (&'a Buffer, &'a Buffer) {
        match self.prefix.filter(|prefix| prefix.positions > 0) {
            Some(prefix) => (&prefix.layers[index].0, &prefix.layers[index].1),
            None => (self.nothing, self.nothing),
        }
    }
}

/// Rows that go through a layer.
#[derive(Clone, Copy)]
struct Rows<'a> {
    count: usize,
    x: &'a Buffer,
    normed: &'a Buffer,
    places: &'a Buffer,
}

/// Makes room for a prefix that is `tokens` longer.
pub fn longer_prefix(device: &Device, config: &ModelConfig, before: usize, tokens: usize) -> DevicePrefix {
    let bytes = ((before + tokens) * config.kv_width() * 4) as u64;
    let layers = (0..config.layers).map(|_| (device.buffer(bytes), device.buffer(bytes))).collect();
    DevicePrefix { positions: before + tokens, layers }
}

/// A pass over a model.
pub struct Forward<'a> {
    /// The model.
    pub model: &'a GpuModel,
    /// Its description.
    pub config: &'a ModelConfig,
    /// The batch.
    pub inputs: &'a Inputs,
    /// What it attends to.
    pub before: Before<'a>,
    /// Buffers that are large enough.
    pub scratch: &'a Arc<Scratch>,
}

impl<'a> Forward<'a> {
    /// Records the layers up to the normed last row of each segment; returns where those are.
    pub fn last_rows(&self, recording: &mut Recording<'a>) -> &'a Buffer {
        let (config, scratch) = (self.config, self.scratch);
        let mut rows = self.embed(recording);
        for index in 0..config.layers {
            self.keys_and_values(recording, index, rows);
            if index + 1 == config.layers {
                rows = self.pick_last(recording);
            }
            self.rest_of_layer(recording, index, rows);
        }
        self.norm(recording, &self.model.output_norm, rows.x, rows.normed, rows.count);
        &scratch.last_normed
    }

    /// Records the layers, and puts their keys and values behind those of the prefix into `longer`.
    pub fn extend(&self, recording: &mut Recording<'a>, longer: &'a DevicePrefix) {
        let (config, scratch) = (self.config, self.scratch);
        let rows = self.embed(recording);
        let row_bytes = (config.kv_width() * 4) as u64;
        let (old, new) = (self.before.positions() as u64 * row_bytes, rows.count as u64 * row_bytes);
        for index in 0..config.layers {
            self.keys_and_values(recording, index, rows);
            let (old_keys, old_values) = self.before.layer(index);
            let (keys, values) = (&longer.layers[index].0, &longer.layers[index].1);
            recording.copy(old_keys, 0, keys, 0, old);
            recording.copy(&scratch.keys, 0, keys, old, new);
            recording.copy(old_values, 0, values, 0, old);
            recording.copy(&scratch.values, 0, values, old, new);
            // What a last layer makes of its keys and values is for a head to read, and there is none here.
            if index + 1 < config.layers {
                self.rest_of_layer(recording, index, rows);
            }
        }
    }

    fn embed(&self, recording: &mut Recording<'a>) -> Rows<'a> {
        let (inputs, scratch) = (self.inputs, self.scratch);
        self.model.weights.embedding.embed(recording, &inputs.ids, inputs.tokens, &scratch.x);
        Rows { count: inputs.tokens, x: &scratch.x, normed: &scratch.normed, places: &inputs.places }
    }

    fn pick_last(&self, recording: &mut Recording<'a>) -> Rows<'a> {
        let (inputs, scratch) = (self.inputs, self.scratch);
        let width4 = (self.config.width / 4) as u32;
        for (from, to) in [(&scratch.x, &scratch.last_x), (&scratch.normed, &scratch.last_normed)] {
            let grid = [width4.div_ceil(32), inputs.segments as u32, 1];
            recording.call(Kernel::Pick, &Vec::new(), &[width4], &[from, &inputs.last, to], grid);
        }
        let (x, normed) = (&scratch.last_x, &scratch.last_normed);
        Rows { count: inputs.segments, x, normed, places: &inputs.last_places }
    }

    /// Norms the rows, and makes their rotated keys and their values.
    fn keys_and_values(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>) {
        let (scratch, kv_heads) = (self.scratch, self.config.kv_heads);
        let (layer, vectors) = (&self.model.weights.layers[index], &self.model.vectors[index]);
        self.norm(recording, &vectors.attention_norm, rows.x, rows.normed, rows.count);
        self.product(recording, &layer.value, rows, &scratch.values, vectors.value_bias.as_ref());
        let head_norm = vectors.key_norm.as_ref();
        self.heads(recording, &layer.key, rows, &scratch.keys, vectors.key_bias.as_ref(), head_norm, kv_heads);
    }

    /// A product with a bias, where there is one.
    fn product(
        &self,
        recording: &mut Recording<'a>,
        matrix: &'a Matrix,
        rows: Rows<'a>,
        out: &'a Buffer,
        bias: Option<&'a Buffer>,
    ) {
        let then = if bias.is_some() { then::ADD_BIAS } else { then::STORE };
        matrix.multiply(recording, Product { x: rows.normed, first_token: 0, tokens: rows.count, out, then, bias });
    }

    /// Queries or keys: a product with bias, head norm and rotation, where the model has them.
    fn heads(
        &self,
        recording: &mut Recording<'a>,
        matrix: &'a Matrix,
        rows: Rows<'a>,
        out: &'a Buffer,
        bias: Option<&'a Buffer>,
        norm: Option<&'a Buffer>,
        heads: usize,
    ) {
        let config = self.config;
        let head4 = (config.head_width / 4) as u32;
        match norm {
            None => self.product(recording, matrix, rows, out, bias),
            Some(norm) => {
                let raw = &self.scratch.raw;
                self.product(recording, matrix, rows, raw, bias);
                let sizes = [head4, head4 * heads as u32, config.norm_epsilon.to_bits()];
                let grid = [rows.count as u32, heads as u32, 1];
                recording.call(Kernel::RmsNorm, &Vec::new(), &sizes, &[raw, norm, out], grid);
            }
        }
        let pairs = (config.rope_width / 2) as u32;
        let interleaved = u32::from(config.rope_layout == RopeLayout::Interleaved);
        let sizes = [heads as u32, config.head_width as u32, pairs, interleaved];
        let grid = [(heads as u32 * pairs).div_ceil(32), rows.count as u32, 1];
        recording.call(Kernel::Rope, &Vec::new(), &sizes, &[&self.inputs.angles, rows.places, out], grid);
    }

    /// Everything of a layer after its keys and values.
    fn rest_of_layer(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>) {
        let (config, scratch) = (self.config, self.scratch);
        let (layer, vectors) = (&self.model.weights.layers[index], &self.model.vectors[index]);
        let Vectors { query_bias, query_norm, feed_forward_norm, .. } = vectors;
        let (query_bias, query_norm) = (query_bias.as_ref(), query_norm.as_ref());
        self.heads(recording, &layer.query, rows, &scratch.queries, query_bias, query_norm, config.heads);
        self.attend(recording, index, rows);
        let back = |x, matrix: &'a Matrix, recording: &mut Recording<'a>| {
            let then = then::ADD_TO_OUT;
            matrix
                .multiply(recording, Product { x, first_token: 0, tokens: rows.count, out: rows.x, then, bias: None });
        };
        back(&scratch.attended, &layer.attention_output, recording);
        self.norm(recording, feed_forward_norm, rows.x, rows.normed, rows.count);
        let gate = &scratch.gate;
        self.product(recording, &layer.gate, rows, gate, None);
        let gated =
            Product { x: rows.normed, first_token: 0, tokens: rows.count, out: gate, then: then::GATE, bias: None };
        layer.up.multiply(recording, gated);
        back(gate, &layer.down, recording);
    }

    fn attend(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>) {
        let (config, scratch) = (self.config, self.scratch);
        let (prefix_keys, prefix_values) = self.before.layer(index);
        let head4 = config.head_width / 4;
        // The most vectors of four that the kernel sums up at once and that divide the head.
        let vectors = (1..=ATTENTION_VECTORS.min(head4)).rev().find(|most| head4 % most == 0).unwrap_or(1);
        let sizes = [
            rows.count as u32,
            (config.heads / config.kv_heads) as u32,
            head4 as u32,
            (config.query_width() / 4) as u32,
            (config.kv_width() / 4) as u32,
            self.before.positions() as u32,
            (1.0 / (config.head_width as f32).sqrt()).to_bits(),
        ];
        let buffers = [
            &scratch.queries,
            prefix_keys,
            prefix_values,
            &scratch.keys,
            &scratch.values,
            rows.places,
            &scratch.attended,
        ];
        let grid = [(rows.count as u32).div_ceil(32), config.heads as u32, (head4 / vectors) as u32];
        recording.call(Kernel::Attention, &vec![("VECTORS", vectors as u32)], &sizes, &buffers, grid);
    }

    fn norm(&self, recording: &mut Recording<'a>, weight: &'a Buffer, x: &'a Buffer, out: &'a Buffer, rows: usize) {
        let width4 = (self.config.width / 4) as u32;
        let sizes = [width4, width4, self.config.norm_epsilon.to_bits()];
        recording.call(Kernel::RmsNorm, &Vec::new(), &sizes, &[x, weight, out], [rows as u32, 1, 1]);
    }
}

/// Vectors of four that the attention kernel has room for.
const ATTENTION_VECTORS: usize = 16;
