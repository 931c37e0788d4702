//! The trained layers of a model with the head: loss and gradients of a pass.
//!
//! A pass takes rows as they enter the first trained layer, wherever they come from ([`super::frozen`] keeps them), and
//! ends in the loss of the answers: minus the log-probability, over the whole vocabulary, of each answer token.

use super::layer::{Layer, Scratch};
use super::parameters::Parameters;
use super::pieces::{Dropout, add_rms_norm_gradient};
use super::product::Small;
use super::rows::Rows;
use crate::engine::config::ModelConfig;
use crate::engine::cpu::CpuModel;
use crate::engine::cpu::activations::Activations;
use crate::engine::cpu::instructions::dispatch;
use crate::engine::cpu::layers::{Rope, SumOfExponentials, exponential, rms_norm};
use crate::engine::cpu::matrix::Matrix;
use crate::engine::weights::WeightsOf;
use crate::platform;

/// Rows of logits that are held at once.
const HEAD_ROWS: usize = 32;
/// Rows of the head that are unpacked at once: a megabyte of float32 stays near the core.
const VOCABULARY_ROWS: usize = 512;

/// An answer token and the row after which it should come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The row; rows of targets ascend.
    pub row: usize,
    /// The token.
    pub token: u32,
    /// What its loss counts.
    pub weight: f32,
}

/// A model from its first trained layer on.
pub struct Stack<'a> {
    config: &'a ModelConfig,
    weights: &'a WeightsOf<Matrix>,
    /// The first trained layer.
    first: usize,
}

impl<'a> Stack<'a> {
    /// The layers of `model` from `first` on.
    pub fn new(config: &'a ModelConfig, model: &'a CpuModel, first: usize) -> Self {
        Self { config, weights: model.weights(), first }
    }

    /// The normed rows that the head reads, for the rows asked for (ascending): rows × width.
    pub fn last_rows(&self, parameters: &Parameters, rows: &Rows, x: Vec<f32>, wanted: &[usize]) -> Vec<f32> {
        let (last, _) = self.forward(parameters, rows, x, wanted, None, false);
        rms_norm(&last, &self.weights.output_norm, self.config.norm_epsilon)
    }

    /// Logits after the rows that [`Self::last_rows`] gave, a few rows at a time: `read(row, logits)` in order.
    pub fn each_logits<T: Send>(&self, last: &[f32], read: impl Fn(usize, &[f32]) -> T + Sync + Send) -> Vec<T> {
        let (head, width) = (self.weights.head(), self.config.width);
        let mut out = Vec::new();
        for (chunk, rows) in last.chunks(HEAD_ROWS * width).enumerate() {
            let logits = head.multiply(&Activations::new(rows.to_vec(), width));
            out.extend(platform::map_indices(rows.len() / width, |row| {
                read(chunk * HEAD_ROWS + row, &logits[row * head.rows()..][..head.rows()])
            }));
        }
        out
    }

    /// The weighted loss of the targets; its gradient is added to `gradients`.
    pub fn loss_and_gradient(
        &self,
        parameters: &Parameters,
        rows: &Rows,
        x: Vec<f32>,
        targets: &[Target],
        dropout: Option<Dropout>,
        gradients: &mut [f32],
    ) -> f64 {
        let wanted: Vec<usize> = targets.iter().map(|target| target.row).collect();
        let (last, kept) = self.forward(parameters, rows, x, &wanted, dropout, true);
        let (loss, mut d_x) = self.head_loss(&last, targets);
        let (positions, rope) = self.rope(rows);
        let all: Vec<usize> = (0..rows.count()).collect();
        let mut scratch = Scratch::default();
        for (offset, kept) in kept.into_iter().enumerate().rev() {
            let index = self.first + offset;
            let active = if index + 1 == self.config.layers { &wanted } else { &all };
            let layer = self.layer(parameters, rows, &positions, &rope, index, active, dropout);
            match layer.backward(kept, d_x, gradients, &mut scratch, offset > 0) {
                Some(gradient) => d_x = gradient,
                None => break,
            }
        }
        loss
    }

    fn forward(
        &self,
        parameters: &Parameters,
        rows: &Rows,
        mut x: Vec<f32>,
        wanted: &[usize],
        dropout: Option<Dropout>,
        keep: bool,
    ) -> (Vec<f32>, Vec<super::layer::Kept>) {
        let (positions, rope) = self.rope(rows);
        let all: Vec<usize> = (0..rows.count()).collect();
        let mut kept = Vec::new();
        for index in self.first..self.config.layers {
            let active = if index + 1 == self.config.layers { wanted } else { &all };
            let layer = self.layer(parameters, rows, &positions, &rope, index, active, dropout);
            let (out, layer_kept) = layer.forward(x);
            x = out;
            if keep {
                kept.push(layer_kept);
            }
        }
        (x, kept)
    }

    fn layer<'b>(
        &'b self,
        parameters: &'b Parameters,
        rows: &'b Rows,
        positions: &'b [usize],
        rope: &'b Rope,
        index: usize,
        active: &'b [usize],
        dropout: Option<Dropout>,
    ) -> Layer<'b> {
        let weights = &self.weights.layers[index];
        Layer { config: self.config, weights, index, parameters, rows, active, positions, rope, dropout }
    }

    fn rope(&self, rows: &Rows) -> (Vec<usize>, Rope) {
        let positions = rows.positions();
        let most = positions.iter().copied().max().unwrap_or(0);
        (positions, Rope::new(self.config, &self.weights.rope_factors, 0..most + 1))
    }

    /// The loss after the last rows (before their norm), and its gradient.
    fn head_loss(&self, last: &[f32], targets: &[Target]) -> (f64, Vec<f32>) {
        let (head, width, epsilon) = (self.weights.head(), self.config.width, self.config.norm_epsilon);
        let normed = rms_norm(last, &self.weights.output_norm, epsilon);
        let mut d_normed = vec![0.0; normed.len()];
        let mut loss = 0.0;
        let vocabulary = head.rows();
        let mut unpacked = vec![0.0; VOCABULARY_ROWS.min(vocabulary) * width];
        for (chunk, rows) in normed.chunks(HEAD_ROWS * width).enumerate() {
            let targets = &targets[chunk * HEAD_ROWS..][..rows.len() / width];
            let mut logits = head.multiply(&Activations::new(rows.to_vec(), width));
            let mut losses = vec![0.0_f64; targets.len()];
            let mut pairs: Vec<(&mut [f32], &mut f64)> = logits.chunks_mut(vocabulary).zip(&mut losses).collect();
            platform::for_each_chunk(&mut pairs, 1, |row, pair| {
                let (logits, loss) = &mut pair[0];
                **loss = softmax_loss(logits, &targets[row]);
            });
            loss += losses.iter().sum::<f64>();
            let d_rows = &mut d_normed[chunk * HEAD_ROWS * width..][..rows.len()];
            for first in (0..vocabulary).step_by(VOCABULARY_ROWS) {
                let count = VOCABULARY_ROWS.min(vocabulary - first);
                head.unpack_rows(first, &mut unpacked[..count * width]);
                let strides = Small { out_stride: width, left_stride: vocabulary, right_stride: width };
                let shape = (targets.len(), count, width);
                strides.add_product(d_rows, shape, &logits[first..], &unpacked[..count * width]);
            }
        }
        let mut d_last = vec![0.0; last.len()];
        add_rms_norm_gradient(&mut d_last, &d_normed, last, &self.weights.output_norm, epsilon);
        (loss, d_last)
    }
}

/// Turns logits into the gradient of the target's weighted loss, and returns the loss.
fn softmax_loss(logits: &mut [f32], target: &Target) -> f64 {
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, logit| if *logit > max { *logit } else { max });
    let total = dispatch(SumOfExponentials { x: logits, max });
    let weight = f64::from(target.weight);
    let loss = weight * (f64::from(max) + total.ln() - f64::from(logits[target.token as usize]));
    let factor = (weight / total) as f32;
    dispatch(Shares { logits, max, factor });
    logits[target.token as usize] -= target.weight;
    loss
}

struct Shares<'a> {
    logits: &'a mut [f32],
    max: f32,
    factor: f32,
}

impl crate::engine::cpu::instructions::Kernel for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: crate::engine::cpu::instructions::InstructionSet>(self) {
        for logit in self.logits.iter_mut() {
            *logit = exponential(*logit - self.max) * self.factor;
        }
    }
}
