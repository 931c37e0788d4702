//! A forward pass as a list of kernel calls.
//!
//! Everything is recorded, then submitted at once: between the upload of the token ids and the reading of the results
//! nothing waits for the processor. So two passes that are interleaved by their callers share one set of buffers
//! ([`Scratch`]): the device does one after the other.

use std::sync::Arc;

use super::device::{Buffer, Device};
use super::kernels::{Constants, Kernel, Recording};
use super::low_rank::DeviceAdapter;
use super::matrix::{Product, then};
use super::narrow::{Input, Room};
use super::rung::Rung;
use super::{GpuModel, HEAD_ROWS, Vectors, head};
use crate::engine::adapter::Projection;
use crate::engine::batch::PackedBatch;
use crate::engine::config::{ModelConfig, RopeLayout};
use crate::engine::rope;

/// Keys and values of a prefix on the device, per layer: rotated keys and values, positions × kv_width.
#[derive(Debug, Default)]
pub struct DevicePrefix {
    /// The model it was computed by.
    owner: u64,
    positions: usize,
    layers: Vec<(Buffer, Buffer)>,
}

impl DevicePrefix {
    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Whether this model computed it: another's buffers are of no use, even on the same adapter.
    pub fn is_of(&self, model: &GpuModel) -> bool {
        self.owner == model.id
    }
}

/// The activations of a pass, as float32.
#[derive(Debug)]
pub struct Scratch {
    tokens: usize,
    rank: usize,
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
    /// What an adapter has between its two halves.
    inner: Buffer,
    /// An adapter's part of the feed-forward network's inner activations.
    lifted: Buffer,
    narrow: Room,
    /// Logits of [`HEAD_ROWS`] rows.
    pub logits: Buffer,
    /// What the head knows of slices of the vocabulary.
    pub partial: Buffer,
}

impl Scratch {
    /// Buffers for passes of up to `tokens` tokens, whose logits have rows of `stride`, with an adapter of this rank.
    pub fn new(device: &Device, config: &ModelConfig, stride: usize, tokens: usize, rank: usize) -> Self {
        let rows = |width: usize| device.buffer((tokens * width * 4) as u64);
        let raw = if config.qk_norm { config.query_width().max(config.kv_width()) } else { 0 };
        let widest = config.width.max(config.query_width()).max(config.feed_forward);
        Self {
            tokens,
            rank,
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
            inner: rows(rank),
            lifted: rows(if rank > 0 { config.feed_forward } else { 0 }),
            narrow: Room::new(device, tokens * widest),
            logits: device.buffer((HEAD_ROWS * stride * 4) as u64),
            partial: device.buffer((HEAD_ROWS * head::SLICES * 8) as u64),
        }
    }

    /// Rows for a product, as the rung reads them; good until the next are asked for.
    pub fn input<'a>(
        &'a self,
        recording: &mut Recording<'a>,
        rung: Rung,
        numbers: &'a Buffer,
        count: usize,
    ) -> Input<'a> {
        self.narrow.input(recording, rung, numbers, count)
    }

    /// Whether a pass of so many tokens fits, with an adapter of this rank.
    pub fn holds(&self, tokens: usize, rank: usize) -> bool {
        self.tokens >= tokens && self.rank >= rank
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

/// Makes room for a prefix of `positions` for a model.
pub fn prefix_of(model: &GpuModel, config: &ModelConfig, positions: usize) -> DevicePrefix {
    let bytes = (positions * config.kv_width() * 4) as u64;
    let buffer = || model.device.buffer(bytes);
    DevicePrefix { owner: model.id, positions, layers: (0..config.layers).map(|_| (buffer(), buffer())).collect() }
}

/// A pass over a model.
pub struct Forward<'a> {
    /// The model.
    pub model: &'a GpuModel,
    /// Its description.
    pub config: &'a ModelConfig,
    /// How products are computed.
    pub rung: Rung,
    /// What lies beside the model's matrices.
    pub adapter: Option<&'a DeviceAdapter>,
    /// The batch.
    pub inputs: &'a Inputs,
    /// What it attends to.
    pub before: Before<'a>,
    /// Buffers that are large enough.
    pub scratch: &'a Arc<Scratch>,
}

/// Where a projection's result goes.
#[derive(Clone, Copy)]
struct Goal<'a> {
    out: &'a Buffer,
    then: u32,
    bias: Option<&'a Buffer>,
}

impl<'a> Goal<'a> {
    fn store(out: &'a Buffer, bias: Option<&'a Buffer>) -> Self {
        Self { out, then: if bias.is_some() { then::ADD_BIAS } else { then::STORE }, bias }
    }

    fn add(out: &'a Buffer) -> Self {
        Self { out, then: then::ADD_TO_OUT, bias: None }
    }
}

impl<'a> Forward<'a> {
    /// Records the layers up to the normed last row of each segment; returns those, as a product reads them.
    pub fn last_rows(&self, recording: &mut Recording<'a>) -> Input<'a> {
        let config = self.config;
        let mut rows = self.embed(recording);
        for index in 0..config.layers {
            let mut normed = self.keys_and_values(recording, index, rows);
            if index + 1 == config.layers {
                rows = self.pick_last(recording);
                normed = self.input(recording, rows.normed, rows.count, config.width);
            }
            self.rest_of_layer(recording, index, rows, normed);
        }
        self.norm(recording, &self.model.output_norm, rows.x, rows.normed, rows.count);
        self.finer_input(recording, rows.normed, rows.count, config.width)
    }

    /// Records the layers, and puts their keys and values behind those of the prefix into `longer`.
    pub fn extend(&self, recording: &mut Recording<'a>, longer: &'a DevicePrefix) {
        let (config, scratch) = (self.config, self.scratch);
        let rows = self.embed(recording);
        let row_bytes = (config.kv_width() * 4) as u64;
        let (old, new) = (self.before.positions() as u64 * row_bytes, rows.count as u64 * row_bytes);
        for index in 0..config.layers {
            let normed = self.keys_and_values(recording, index, rows);
            let (old_keys, old_values) = self.before.layer(index);
            let (keys, values) = (&longer.layers[index].0, &longer.layers[index].1);
            recording.copy(old_keys, 0, keys, 0, old);
            recording.copy(&scratch.keys, 0, keys, old, new);
            recording.copy(old_values, 0, values, 0, old);
            recording.copy(&scratch.values, 0, values, old, new);
            // What a last layer makes of its keys and values is for a head to read, and there is none here.
            if index + 1 < config.layers {
                self.rest_of_layer(recording, index, rows, normed);
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

    fn input(&self, recording: &mut Recording<'a>, numbers: &'a Buffer, rows: usize, width: usize) -> Input<'a> {
        self.scratch.input(recording, self.rung, numbers, rows * width)
    }

    /// The same where float16 would cost too much: 16-bit floats before every product of the default model come to
    /// 2.1e-3 of the 2e-3 that its log-probabilities may be off. So what attention and gates give, and what the head
    /// reads, stays float32 there; two thirds of the work are in the other products.
    fn finer_input(&self, recording: &mut Recording<'a>, numbers: &'a Buffer, rows: usize, width: usize) -> Input<'a> {
        match self.rung {
            Rung::Float16 => Input::exact(numbers),
            Rung::Float32 | Rung::IntegerDot => self.input(recording, numbers, rows, width),
        }
    }

    /// Norms the rows, and makes their rotated keys and their values; returns the normed rows.
    fn keys_and_values(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>) -> Input<'a> {
        let scratch = self.scratch;
        let vectors = &self.model.vectors[index];
        self.norm(recording, &vectors.attention_norm, rows.x, rows.normed, rows.count);
        let normed = self.input(recording, rows.normed, rows.count, self.config.width);
        let values = Goal::store(&scratch.values, vectors.value_bias.as_ref());
        self.project(recording, (index, Projection::Value), normed, rows.count, values);
        self.heads(recording, (index, Projection::Key), normed, rows);
        normed
    }

    /// A product with one of a layer's matrices, and with what an adapter has beside it.
    fn project(
        &self,
        recording: &mut Recording<'a>,
        (layer, projection): (usize, Projection),
        x: Input<'a>,
        tokens: usize,
        goal: Goal<'a>,
    ) {
        let matrix = self.model.weights.layers[layer].matrix(projection);
        let Goal { out, mut then, mut bias } = goal;
        let (inner, rows) = (&self.scratch.inner, (x.numbers, tokens));
        let path = self.adapter.and_then(|adapter| adapter.part(layer, projection));
        let gated = then & then::GATE != 0;
        // A gate is applied to the whole sum, so there the adapter's part must come first.
        if let Some(path) = path.filter(|_| gated) {
            path.record(recording, rows, inner, &self.scratch.lifted, then::STORE);
            (then, bias) = (then | then::ADD_ROWS, Some(&self.scratch.lifted));
        }
        matrix.multiply(recording, Product { x, first_token: 0, tokens, out, then, bias });
        if let Some(path) = path.filter(|_| !gated) {
            path.record(recording, rows, inner, out, then::ADD_TO_OUT);
        }
    }

    /// Queries or keys: a product with bias, head norm and rotation, where the model has them.
    fn heads(&self, recording: &mut Recording<'a>, of: (usize, Projection), x: Input<'a>, rows: Rows<'a>) {
        let (config, scratch, vectors) = (self.config, self.scratch, &self.model.vectors[of.0]);
        let (bias, norm, out, heads) = match of.1 {
            Projection::Key => (&vectors.key_bias, &vectors.key_norm, &scratch.keys, config.kv_heads),
            _ => (&vectors.query_bias, &vectors.query_norm, &scratch.queries, config.heads),
        };
        let head4 = (config.head_width / 4) as u32;
        match norm {
            None => self.project(recording, of, x, rows.count, Goal::store(out, bias.as_ref())),
            Some(norm) => {
                let raw = &scratch.raw;
                self.project(recording, of, x, rows.count, Goal::store(raw, bias.as_ref()));
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
    fn rest_of_layer(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>, normed: Input<'a>) {
        let (config, scratch, count) = (self.config, self.scratch, rows.count);
        let Vectors { feed_forward_norm, .. } = &self.model.vectors[index];
        self.heads(recording, (index, Projection::Query), normed, rows);
        self.attend(recording, index, rows);
        let attended = self.finer_input(recording, &scratch.attended, count, config.query_width());
        self.project(recording, (index, Projection::Output), attended, count, Goal::add(rows.x));
        self.norm(recording, feed_forward_norm, rows.x, rows.normed, count);
        let normed = self.input(recording, rows.normed, count, config.width);
        let gate = &scratch.gate;
        self.project(recording, (index, Projection::Gate), normed, count, Goal::store(gate, None));
        let gated = Goal { out: gate, then: then::GATE, bias: None };
        self.project(recording, (index, Projection::Up), normed, count, gated);
        let gate = self.finer_input(recording, gate, count, config.feed_forward);
        self.project(recording, (index, Projection::Down), gate, count, Goal::add(rows.x));
    }

    fn attend(&self, recording: &mut Recording<'a>, index: usize, rows: Rows<'a>) {
        let (config, scratch) = (self.config, self.scratch);
        let (prefix_keys, prefix_values) = self.before.layer(index);
        let (queries, keys, values) = (&scratch.queries, &scratch.keys, &scratch.values);
        let call = AttentionCall {
            heads: [config.heads, config.kv_heads, config.head_width],
            rows: rows.count,
            prefix: self.before.positions(),
            buffers: [queries, prefix_keys, prefix_values, keys, values, rows.places, &scratch.attended],
        };
        call.record(recording);
    }

    fn norm(&self, recording: &mut Recording<'a>, weight: &'a Buffer, x: &'a Buffer, out: &'a Buffer, rows: usize) {
        let width4 = (self.config.width / 4) as u32;
        let sizes = [width4, width4, self.config.norm_epsilon.to_bits()];
        recording.call(Kernel::RmsNorm, &Vec::new(), &sizes, &[x, weight, out], [rows as u32, 1, 1]);
    }
}

/// Vectors of four that the attention kernel has room for.
const ATTENTION_VECTORS: usize = 16;

/// The attention of some rows.
pub struct AttentionCall<'a> {
    /// Query heads, key and value heads, dimensions of a head.
    pub heads: [usize; 3],
    /// Rows of queries.
    pub rows: usize,
    /// Positions of the prefix.
    pub prefix: usize,
    /// As the kernel binds them.
    pub buffers: [&'a Buffer; 7],
}

impl<'a> AttentionCall<'a> {
    /// Records it.
    pub fn record(&self, recording: &mut Recording<'a>) {
        let [heads, kv_heads, width] = self.heads;
        let head4 = width / 4;
        let vectors = vectors_of(head4);
        let sizes = [self.rows, heads / kv_heads, head4, heads * head4, kv_heads * head4, self.prefix];
        let mut sizes = sizes.map(|size| size as u32).to_vec();
        sizes.push((1.0 / (width as f32).sqrt()).to_bits());
        let grid = [(self.rows as u32).div_ceil(32), heads as u32, (head4 / vectors) as u32];
        recording.call(Kernel::Attention, &attention_constants(width), &sizes, &self.buffers, grid);
    }
}

/// The most vectors of four that the kernel sums up at once and that divide the head.
fn vectors_of(head4: usize) -> usize {
    (1..=ATTENTION_VECTORS.min(head4)).rev().find(|most| head4.is_multiple_of(*most)).unwrap_or(1)
}

fn attention_constants(head_width: usize) -> Constants {
    let (head4, vectors) = (head_width / 4, vectors_of(head_width / 4));
    vec![("VECTORS", vectors as u32), ("WHOLE", u32::from(vectors == head4))]
}

/// The kernels of a pass other than products.
pub fn kernels_besides_products(config: &ModelConfig, rung: Rung) -> Vec<(Kernel, Constants)> {
    use Kernel::{Attention, Candidates, Gather, Halve, Pick, Quantize, RmsNorm, Rope, Slices, Summary};
    let narrowing = match rung {
        Rung::Float32 => None,
        Rung::Float16 => Some(Halve),
        Rung::IntegerDot => Some(Quantize),
    };
    let plain = [RmsNorm, Rope, Pick, Slices, Summary, Gather, Candidates];
    let plain = plain.into_iter().chain(narrowing).map(|kernel| (kernel, Constants::new()));
    plain.chain([(Attention, attention_constants(config.head_width))]).collect()
}
