//! One decoder layer of a training pass, forward and backward.
//!
//! Forward is the engine's own arithmetic (16-bit activations over the quantized base) with the trained pairs added, so
//! that training sees what classifying will see, and an adapter of zeros changes nothing. Backward takes the rounding of
//! activations as if it were not there: matrices are unpacked to float32 one at a time, as they are needed.
//!
//! Only *active* rows need more than keys and values: all of them in the lower layers, those that are asked for in the
//! last one.

use super::attention::{self, Attended};
use super::parameters::Parameters;
use super::pieces::{Dropout, add_rms_norm_gradient, silu_gate_gradient};
use super::product::{add_product, add_product_transposed, add_transposed_product};
use super::rows::Rows;
use crate::engine::adapter::Projection;
use crate::engine::config::ModelConfig;
use crate::engine::cpu::activations::Activations;
use crate::engine::cpu::layers::{self, Rope};
use crate::engine::cpu::matrix::Matrix;
use crate::engine::weights::LayerWeights;

/// What a layer is computed with.
pub struct Layer<'a> {
    /// The model's description.
    pub config: &'a ModelConfig,
    /// The base's weights of this layer.
    pub weights: &'a LayerWeights<Matrix>,
    /// The layer's number.
    pub index: usize,
    /// The trained pairs of all layers.
    pub parameters: &'a Parameters,
    /// Where the rows stand.
    pub rows: &'a Rows,
    /// The active rows, ascending.
    pub active: &'a [usize],
    /// Positions of all rows.
    pub positions: &'a [usize],
    /// The rotations.
    pub rope: &'a Rope,
    /// What a step leaves out.
    pub dropout: Option<Dropout>,
}

/// What forward keeps for backward.
#[derive(Debug, Default)]
pub struct Kept {
    /// What entered: all rows × width.
    x: Vec<f32>,
    /// Queries and keys before their norm, where the model has one.
    unnormed: [Vec<f32>; 2],
    /// Queries, keys and values.
    attended: Attended,
    /// What was attended: active rows × query_width.
    mixed: Vec<f32>,
    /// After attention: active rows × width.
    middle: Vec<f32>,
    /// Active rows × feed_forward, before the activation.
    gate: Vec<f32>,
    /// Active rows × feed_forward.
    up: Vec<f32>,
    /// Each projection's `A x`: rows × rank.
    inner: [Vec<f32>; 7],
}

/// Float32 numbers a row that [`Kept`] holds, for choosing how many rows fit.
pub fn kept_numbers(config: &ModelConfig) -> usize {
    3 * config.width + 2 * config.query_width() + 2 * config.kv_width() + 2 * config.feed_forward
}

/// Memory that backward passes from layer to layer.
#[derive(Debug, Default)]
pub struct Scratch {
    weights: Vec<f32>,
}

impl Layer<'_> {
    /// Computes the layer; returns the active rows.
    pub fn forward(&self, x: Vec<f32>) -> (Vec<f32>, Kept) {
        let config = self.config;
        let mut kept = Kept::default();
        let normed = layers::rms_norm(&x, &self.weights.attention_norm, config.norm_epsilon);
        let all = Activations::new(normed, config.width);
        let picked = (self.active.len() < self.rows.count())
            .then(|| Activations::new(pick(all.rows(), self.active, config.width), config.width));
        let active_positions: Vec<usize> = self.active.iter().map(|row| self.positions[*row]).collect();
        let queries = self.linear(Projection::Query, picked.as_ref().unwrap_or(&all), &mut kept);
        kept.attended.queries = self.finish(Projection::Query, queries, &active_positions, &mut kept);
        let keys = self.linear(Projection::Key, &all, &mut kept);
        kept.attended.keys = self.finish(Projection::Key, keys, self.positions, &mut kept);
        let values = self.linear(Projection::Value, &all, &mut kept);
        kept.attended.values = self.finish(Projection::Value, values, self.positions, &mut kept);
        let mixed = attention::forward(config, self.rows, self.active, &kept.attended);
        let mixed = Activations::new(mixed, config.query_width());
        let mut middle = if picked.is_some() { pick(&x, self.active, config.width) } else { x.clone() };
        layers::add(&mut middle, &self.linear(Projection::Output, &mixed, &mut kept));
        kept.mixed = mixed.into_rows();
        let normed = layers::rms_norm(&middle, &self.weights.feed_forward_norm, config.norm_epsilon);
        let normed = Activations::new(normed, config.width);
        kept.gate = self.linear(Projection::Gate, &normed, &mut kept);
        kept.up = self.linear(Projection::Up, &normed, &mut kept);
        let mut hidden = kept.gate.clone();
        layers::silu_gate(&mut hidden, &kept.up, config.feed_forward);
        let hidden = Activations::new(hidden, config.feed_forward);
        let mut out = middle.clone();
        layers::add(&mut out, &self.linear(Projection::Down, &hidden, &mut kept));
        (kept.x, kept.middle) = (x, middle);
        (out, kept)
    }

    /// Adds the gradients of this layer's pairs to `gradients`, given the gradient of what [`Self::forward`] returned;
    /// returns the gradient of what entered, if it is wanted.
    pub fn backward(
        &self,
        kept: Kept,
        out_gradient: Vec<f32>,
        gradients: &mut [f32],
        scratch: &mut Scratch,
        wanted: bool,
    ) -> Option<Vec<f32>> {
        let (config, weights, epsilon) = (self.config, self.weights, self.config.norm_epsilon);
        let active = self.active.len();
        let Kept { x, unnormed, attended, mixed, middle, mut gate, mut up, inner } = kept;

        let mut hidden = gate.clone();
        layers::silu_gate(&mut hidden, &up, config.feed_forward);
        let mut back = Back { layer: self, inner: &inner, gradients, scratch };
        let mut d_hidden = vec![0.0; active * config.feed_forward];
        back.linear(Projection::Down, &hidden, &out_gradient, Some(&mut d_hidden));
        silu_gate_gradient(&mut gate, &mut up, &d_hidden, config.feed_forward);
        let normed = layers::rms_norm(&middle, &weights.feed_forward_norm, epsilon);
        let mut d_normed = vec![0.0; active * config.width];
        back.linear(Projection::Gate, &normed, &gate, Some(&mut d_normed));
        back.linear(Projection::Up, &normed, &up, Some(&mut d_normed));
        let mut d_middle = out_gradient;
        add_rms_norm_gradient(&mut d_middle, &d_normed, &middle, &weights.feed_forward_norm, epsilon);

        let mut d_mixed = vec![0.0; active * config.query_width()];
        back.linear(Projection::Output, &mixed, &d_middle, Some(&mut d_mixed));
        let mut d_attended = attention::backward(config, self.rows, self.active, &attended, &d_mixed);
        let active_positions: Vec<usize> = self.active.iter().map(|row| self.positions[*row]).collect();
        let head = config.head_width;
        self.rope.turn_back(&mut d_attended.queries, config.query_width(), head, &active_positions);
        self.rope.turn_back(&mut d_attended.keys, config.kv_width(), head, self.positions);
        if config.qk_norm {
            d_attended.queries = head_norm_gradient(d_attended.queries, &unnormed[0], &weights.query_norm, epsilon);
            d_attended.keys = head_norm_gradient(d_attended.keys, &unnormed[1], &weights.key_norm, epsilon);
        }

        let normed = layers::rms_norm(&x, &weights.attention_norm, epsilon);
        let all_active = active == self.rows.count();
        let picked = if all_active { Vec::new() } else { pick(&normed, self.active, config.width) };
        let of_queries = if all_active { &normed } else { &picked };
        if !wanted {
            back.linear(Projection::Query, of_queries, &d_attended.queries, None);
            back.linear(Projection::Key, &normed, &d_attended.keys, None);
            back.linear(Projection::Value, &normed, &d_attended.values, None);
            return None;
        }
        let mut d_normed = vec![0.0; self.rows.count() * config.width];
        if all_active {
            back.linear(Projection::Query, of_queries, &d_attended.queries, Some(&mut d_normed));
        } else {
            let mut d_picked = vec![0.0; active * config.width];
            back.linear(Projection::Query, of_queries, &d_attended.queries, Some(&mut d_picked));
            add_to_rows(&mut d_normed, &d_picked, self.active, config.width);
        }
        back.linear(Projection::Key, &normed, &d_attended.keys, Some(&mut d_normed));
        back.linear(Projection::Value, &normed, &d_attended.values, Some(&mut d_normed));
        let mut d_x = if all_active {
            d_middle
        } else {
            let mut d_x = vec![0.0; self.rows.count() * config.width];
            add_to_rows(&mut d_x, &d_middle, self.active, config.width);
            d_x
        };
        add_rms_norm_gradient(&mut d_x, &d_normed, &x, &weights.attention_norm, epsilon);
        Some(d_x)
    }

    /// A projection with its trained pair; keeps `A x`.
    fn linear(&self, projection: Projection, x: &Activations, kept: &mut Kept) -> Vec<f32> {
        let mut out = self.weights.matrix(projection).multiply(x);
        let Some(part) = self.parameters.part(self.index, projection) else { return out };
        let (rows, rank) = (x.tokens(), self.parameters.rank());
        let values = &self.parameters.values;
        let dropped = self.dropout.map(|dropout| dropout.apply(x.rows(), self.salt(projection)));
        let mut inner = vec![0.0; rows * rank];
        let from = dropped.as_deref().unwrap_or(x.rows());
        add_product_transposed(&mut inner, (rows, part.inputs, rank), from, &values[part.down.clone()], 1.0);
        let scale = self.parameters.scale();
        add_product(&mut out, (rows, rank, part.outputs), &inner, &values[part.up.clone()], scale);
        kept.inner[projection as usize] = inner;
        out
    }

    /// Bias, head norm and rotation of queries, keys and values, where the model has them.
    fn finish(&self, projection: Projection, mut out: Vec<f32>, positions: &[usize], kept: &mut Kept) -> Vec<f32> {
        let (config, weights) = (self.config, self.weights);
        let (width, bias, norm) = match projection {
            Projection::Query => (config.query_width(), &weights.query_bias, Some((0, &weights.query_norm))),
            Projection::Key => (config.kv_width(), &weights.key_bias, Some((1, &weights.key_norm))),
            _ => (config.kv_width(), &weights.value_bias, None),
        };
        if !bias.is_empty() {
            layers::add_bias(&mut out, bias);
        }
        if let Some((which, norm)) = norm {
            if !norm.is_empty() {
                kept.unnormed[which].clone_from(&out);
                layers::rms_norm_in_place(&mut out, norm, config.norm_epsilon);
            }
            self.rope.apply(&mut out, width, config.head_width, positions);
        }
        out
    }

    /// What tells one use of dropout in a pass from the others.
    fn salt(&self, projection: Projection) -> u64 {
        (self.index * Projection::ALL.len() + projection as usize) as u64
    }
}

/// What the backward forms of a layer's projections share.
struct Back<'a, 'b> {
    layer: &'a Layer<'a>,
    inner: &'a [Vec<f32>; 7],
    gradients: &'b mut [f32],
    scratch: &'b mut Scratch,
}

impl Back<'_, '_> {
    /// Adds the gradients of a projection's pair, and that of its input `x` to `d_x`, given that of its output.
    fn linear(&mut self, projection: Projection, x: &[f32], d_out: &[f32], mut d_x: Option<&mut [f32]>) {
        let layer = self.layer;
        let matrix = layer.weights.matrix(projection);
        let (inputs, outputs) = (matrix.columns(), matrix.rows());
        let rows = d_out.len() / outputs;
        if let Some(d_x) = d_x.as_deref_mut() {
            self.scratch.weights.resize(inputs * outputs, 0.0);
            matrix.unpack_rows(0, &mut self.scratch.weights);
            add_product(d_x, (rows, outputs, inputs), d_out, &self.scratch.weights, 1.0);
        }
        let Some(part) = layer.parameters.part(layer.index, projection) else { return };
        let (rank, scale) = (layer.parameters.rank(), layer.parameters.scale());
        let (values, inner) = (&layer.parameters.values, &self.inner[projection as usize]);
        let up = &mut self.gradients[part.up.clone()];
        add_transposed_product(up, (rank, rows, outputs), inner, d_out, scale);
        let mut d_inner = vec![0.0; rows * rank];
        add_product_transposed(&mut d_inner, (rows, outputs, rank), d_out, &values[part.up.clone()], scale);
        let salt = layer.salt(projection);
        let dropped = layer.dropout.map(|dropout| dropout.apply(x, salt));
        let down = &mut self.gradients[part.down.clone()];
        add_transposed_product(down, (rank, rows, inputs), &d_inner, dropped.as_deref().unwrap_or(x), 1.0);
        let Some(d_x) = d_x else { return };
        let down = &values[part.down.clone()];
        match layer.dropout {
            None => add_product(d_x, (rows, rank, inputs), &d_inner, down, 1.0),
            Some(dropout) => {
                let mut through = vec![0.0; d_x.len()];
                add_product(&mut through, (rows, rank, inputs), &d_inner, down, 1.0);
                dropout.apply_in_place(&mut through, salt);
                layers::add(d_x, &through);
            }
        }
    }
}

/// The gradient of a norm over each head.
fn head_norm_gradient(gradient: Vec<f32>, x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = vec![0.0; gradient.len()];
    add_rms_norm_gradient(&mut out, &gradient, x, weight, epsilon);
    out
}

fn pick(x: &[f32], rows: &[usize], width: usize) -> Vec<f32> {
    let mut picked = Vec::with_capacity(rows.len() * width);
    rows.iter().for_each(|row| picked.extend_from_slice(&x[row * width..][..width]));
    picked
}

fn add_to_rows(out: &mut [f32], added: &[f32], rows: &[usize], width: usize) {
    for (row, added) in rows.iter().zip(added.chunks_exact(width)) {
        layers::add(&mut out[row * width..][..width], added);
    }
}
