//! The CPU backend: weights as the file quantized them, activations of 16 bits with a scale for every 32.
//!
//! `instructions` names the instruction sets. A [`matrix::Matrix`] is packed in `tiles` and multiplied by the `integer`
//! kernel with `activations` (float matrices by `floats`); `attention` and `layers` have the rest, `head` reads the
//! logits. The forward pass here strings them together as [`ModelConfig`] describes. In the last layer only the rows
//! that are asked for need a query, an output projection and a feed-forward network; the head runs on those rows only.

pub mod activations;
pub mod attention;
pub mod floats;
pub mod head;
pub mod instructions;
pub mod integer;
pub mod layers;
pub mod low_rank;
pub mod matrix;
pub mod tiles;

use std::io::{Read, Seek};

use self::activations::Activations;
use self::attention::{Context, Place, attention};
use self::head::read_logits;
use self::layers::Rope;
use self::low_rank::add_low_rank;
use self::matrix::Matrix;
use crate::engine::adapter::{Adapter, Projection};
use crate::engine::batch::{PackedBatch, Query, SegmentScores};
use crate::engine::config::ModelConfig;
use crate::engine::weights::{LayerWeights, Loader, WeightsOf};
use crate::engine::{Control, Prefix};
use crate::error::{Error, Result};
use crate::gguf::GgufFile;
use crate::platform;

/// Rows of logits that are held at once: 32 × 49,152 float32 are 6 MB.
const HEAD_ROWS: usize = 32;

/// A model laid out for the CPU.
pub struct CpuModel {
    weights: WeightsOf<Matrix>,
}

impl CpuModel {
    /// Reads all weights, tensor by tensor; `control` hears of bytes.
    ///
    /// # Errors
    /// A tensor that is missing or has the wrong shape, by name; a file that cannot be read; a cancel.
    pub async fn load<R: Read + Seek>(
        file: &mut GgufFile<R>,
        config: &ModelConfig,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        let mut loader = Loader::new(file, config, control, Matrix::new);
        Ok(Self { weights: loader.load().await? })
    }

    /// The weights.
    pub fn weights(&self) -> &WeightsOf<Matrix> {
        &self.weights
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        self.weights.matrices().map(Matrix::byte_count).sum()
    }

    /// Extends `prefix` by `tokens`, which attend to it and to each other.
    ///
    /// # Errors
    /// A cancel.
    pub async fn extend(
        &self,
        config: &ModelConfig,
        adapter: Option<&Adapter>,
        prefix: &mut Prefix,
        tokens: &[u32],
        control: &mut Control<'_>,
    ) -> Result<()> {
        let batch = PackedBatch::of([tokens])?;
        let mut new_rows = Vec::with_capacity(config.layers);
        self.forward(config, adapter, prefix, &batch, Wanted::KeysAndValues(&mut new_rows), control).await?;
        prefix.append(config, tokens, &new_rows);
        Ok(())
    }

    /// Next-token distributions after each segment of `batch`, read off as `query` asks.
    ///
    /// # Errors
    /// A cancel.
    pub async fn score(
        &self,
        config: &ModelConfig,
        adapter: Option<&Adapter>,
        prefix: &Prefix,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Vec<SegmentScores>> {
        let last = self.last_rows(config, adapter, prefix, batch, control).await?;
        let head = self.weights.head();
        let mut scores = Vec::with_capacity(batch.segments());
        for rows in last.chunks(HEAD_ROWS * config.width) {
            control.pace().await?;
            let logits = head.multiply(&Activations::new(rows.to_vec(), config.width));
            let vocabulary = head.rows();
            scores.extend(platform::map_indices(logits.len() / vocabulary, |row| {
                let scores = read_logits(&logits[row * vocabulary..][..vocabulary], query);
                SegmentScores { last_row: rows[row * config.width..][..config.width].to_vec(), ..scores }
            }));
        }
        Ok(scores)
    }

    /// What the head reads after each segment: segments × width, normed.
    ///
    /// # Errors
    /// A cancel.
    pub async fn last_rows(
        &self,
        config: &ModelConfig,
        adapter: Option<&Adapter>,
        prefix: &Prefix,
        batch: &PackedBatch,
        control: &mut Control<'_>,
    ) -> Result<Vec<f32>> {
        let last = self.forward(config, adapter, prefix, batch, Wanted::LastRows, control).await?;
        Ok(layers::rms_norm(&last, &self.weights.output_norm, config.norm_epsilon))
    }

    /// What enters layer `layer` (counted from 0) for every token of `batch`: tokens × width.
    ///
    /// # Errors
    /// A cancel.
    pub async fn rows_before(
        &self,
        config: &ModelConfig,
        layer: usize,
        prefix: &Prefix,
        batch: &PackedBatch,
        control: &mut Control<'_>,
    ) -> Result<Vec<f32>> {
        self.forward(config, None, prefix, batch, Wanted::RowsBefore(layer), control).await
    }

    /// Runs the layers; returns the last row of each segment, or nothing when only keys and values are wanted.
    async fn forward(
        &self,
        config: &ModelConfig,
        adapter: Option<&Adapter>,
        prefix: &Prefix,
        batch: &PackedBatch,
        mut wanted: Wanted<'_>,
        control: &mut Control<'_>,
    ) -> Result<Vec<f32>> {
        let tokens = batch.tokens();
        let mut x = vec![0.0; tokens.len() * config.width];
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.weights.embedding.rows()) {
            return Err(Error::internal(format!("token id {token} is outside the model's vocabulary")));
        }
        platform::for_each_chunk(&mut x, config.width, |row, out| {
            self.weights.embedding.unpack_row(tokens[row] as usize, out);
        });
        let mut rows = Rows::all(batch, prefix.len());
        let most = rows.positions.iter().copied().max().unwrap_or(0);
        let rope = Rope::new(config, &self.weights.rope_factors, prefix.len()..most + 1);
        for (index, layer) in self.weights.layers.iter().enumerate() {
            control.pace().await?;
            if matches!(wanted, Wanted::RowsBefore(layer) if layer == index) {
                return Ok(x);
            }
            let layer = AdaptedLayer { weights: layer, adapter, index };
            let is_last = index + 1 == config.layers;
            let normed = layers::rms_norm(&x, &layer.weights.attention_norm, config.norm_epsilon);
            let mut normed = Activations::new(normed, config.width);
            let keys = project(config, &layer, Projection::Key, &normed, &rope, &rows.positions);
            let values = project(config, &layer, Projection::Value, &normed, &rope, &rows.positions);
            if is_last {
                match &mut wanted {
                    Wanted::KeysAndValues(store) => {
                        store.push((keys, values));
                        return Ok(Vec::new());
                    }
                    Wanted::LastRows | Wanted::RowsBefore(_) => {
                        let last: Vec<usize> = (0..batch.segments()).map(|s| batch.range(s).end - 1).collect();
                        x = pick(&x, &last, config.width);
                        normed = Activations::new(pick(normed.rows(), &last, config.width), config.width);
                        rows = rows.pick(&last);
                    }
                }
            }
            let queries = project(config, &layer, Projection::Query, &normed, &rope, &rows.positions);
            let ranges = (0..batch.segments()).map(|segment| batch.range(segment));
            let context = Context::new(prefix.layer(index), &keys, &values, ranges, config.kv_width());
            let attended = attention(config, &queries, &context, &rows.places);
            let attended = Activations::new(attended, config.query_width());
            layers::add(&mut x, &layer.multiply(Projection::Output, &attended));
            let normed = layers::rms_norm(&x, &layer.weights.feed_forward_norm, config.norm_epsilon);
            let normed = Activations::new(normed, config.width);
            let mut gate = layer.multiply(Projection::Gate, &normed);
            layers::silu_gate(&mut gate, &layer.multiply(Projection::Up, &normed), config.feed_forward);
            let gate = Activations::new(gate, config.feed_forward);
            layers::add(&mut x, &layer.multiply(Projection::Down, &gate));
            if let Wanted::KeysAndValues(store) = &mut wanted {
                store.push((keys, values));
            }
        }
        Ok(x)
    }
}

/// What a forward pass is run for.
enum Wanted<'a> {
    /// The last row of each segment.
    LastRows,
    /// Every row as it enters this layer.
    RowsBefore(usize),
    /// Each layer's keys and values, tokens × kv_width.
    KeysAndValues(&'a mut Vec<(Vec<f32>, Vec<f32>)>),
}

/// Where each row of activations stands.
struct Rows {
    /// Position in its sequence, prefix included.
    positions: Vec<usize>,
    /// What it attends to.
    places: Vec<Place>,
}

impl Rows {
    fn all(batch: &PackedBatch, prefix: usize) -> Self {
        let places = (0..batch.segments())
            .flat_map(|segment| (0..batch.range(segment).len()).map(move |row| Place { segment, sees: row + 1 }));
        let places: Vec<Place> = places.collect();
        Self { positions: places.iter().map(|place| prefix + place.sees - 1).collect(), places }
    }

    fn pick(&self, rows: &[usize]) -> Self {
        Self {
            positions: rows.iter().map(|row| self.positions[*row]).collect(),
            places: rows.iter().map(|row| self.places[*row]).collect(),
        }
    }
}

/// A layer's weights and what an adapter adds to them.
struct AdaptedLayer<'a> {
    weights: &'a LayerWeights<Matrix>,
    adapter: Option<&'a Adapter>,
    index: usize,
}

impl AdaptedLayer<'_> {
    /// A projection of every row of `x`: tokens × outputs.
    fn multiply(&self, projection: Projection, x: &Activations) -> Vec<f32> {
        let mut out = self.weights.matrix(projection).multiply(x);
        if let Some(part) = self.adapter.and_then(|adapter| adapter.part(self.index, projection)) {
            add_low_rank(part, x.rows(), &mut out);
        }
        out
    }
}

/// A query, key or value projection with its bias, head norm and rotation, where the model has them.
fn project(
    config: &ModelConfig,
    layer: &AdaptedLayer<'_>,
    which: Projection,
    normed: &Activations,
    rope: &Rope,
    positions: &[usize],
) -> Vec<f32> {
    let weights = layer.weights;
    let (width, bias, norm) = match which {
        Projection::Query => (config.query_width(), &weights.query_bias, Some(&weights.query_norm)),
        Projection::Key => (config.kv_width(), &weights.key_bias, Some(&weights.key_norm)),
        _ => (config.kv_width(), &weights.value_bias, None),
    };
    let mut out = layer.multiply(which, normed);
    if !bias.is_empty() {
        layers::add_bias(&mut out, bias);
    }
    if let Some(norm) = norm {
        if !norm.is_empty() {
            layers::rms_norm_in_place(&mut out, norm, config.norm_epsilon);
        }
        rope.apply(&mut out, width, config.head_width, positions);
    }
    out
}

fn pick(x: &[f32], rows: &[usize], width: usize) -> Vec<f32> {
    rows.iter().flat_map(|row| &x[row * width..(row + 1) * width]).copied().collect()
}
