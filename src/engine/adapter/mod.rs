//! Low-rank adapters (LoRA, Hu 2021): what fine-tuning leaves behind, applied beside an unchanged base.
//!
//! An adapter gives some of a model's matrices a second, thin path: `y = W x + (alpha / r) · B (A x)`, with `A` of r
//! rows and `B` of r columns. The base stays as it is in memory, so an adapter is swapped in a moment, and a dozen of
//! them cost less than one more model.
//!
//! Two formats carry the same numbers: PEFT's ([`peft`]) and llama.cpp's ([`gguf`]); [`files`] tells them by their names. Here rows stand as in the GGUF base:
//! llama.cpp interleaves the rows of query and key heads for rotation, PEFT does not, and only [`peft`] knows of it.
//!
//! An adapter belongs to one base. Shapes tell most strangers; the base's SHA-256, which both formats carry in their
//! metadata when it was written here, tells the others.

pub mod files;
pub mod gguf;
pub mod peft;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};

/// Where both formats' metadata keep the base's SHA-256.
const BASE_SHA256_KEY: &str = "candor.base_sha256";
/// No adapter has a higher rank.
const MAX_RANK: usize = 4096;

/// One of the seven matrices of a decoder layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projection {
    /// To the queries.
    Query,
    /// To the keys.
    Key,
    /// To the values.
    Value,
    /// From the attended values back to the width.
    Output,
    /// To the gate of the feed-forward network.
    Gate,
    /// To its inner activations.
    Up,
    /// Back to the width.
    Down,
}

impl Projection {
    /// All seven, in the order in which a layer uses them.
    pub const ALL: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Name on command lines and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::Output => "output",
            Self::Gate => "gate",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// The projection of that name, ours or PEFT's (`q_proj`).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|projection| projection.name() == name || projection.peft_name().1 == name)
    }

    /// Name of its tensor within a GGUF layer.
    pub fn gguf_name(self) -> &'static str {
        match self {
            Self::Query => "attn_q",
            Self::Key => "attn_k",
            Self::Value => "attn_v",
            Self::Output => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    /// Block and module of it in the `transformers` library.
    fn peft_name(self) -> (&'static str, &'static str) {
        match self {
            Self::Query => ("self_attn", "q_proj"),
            Self::Key => ("self_attn", "k_proj"),
            Self::Value => ("self_attn", "v_proj"),
            Self::Output => ("self_attn", "o_proj"),
            Self::Gate => ("mlp", "gate_proj"),
            Self::Up => ("mlp", "up_proj"),
            Self::Down => ("mlp", "down_proj"),
        }
    }

    /// Number of inputs and outputs in a model.
    pub fn shape(self, config: &ModelConfig) -> (usize, usize) {
        match self {
            Self::Query => (config.width, config.query_width()),
            Self::Key | Self::Value => (config.width, config.kv_width()),
            Self::Output => (config.query_width(), config.width),
            Self::Gate | Self::Up => (config.width, config.feed_forward),
            Self::Down => (config.feed_forward, config.width),
        }
    }
}

/// The thin path beside one matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    rank: usize,
    inputs: usize,
    outputs: usize,
    scale: f32,
    /// `A`, rank × inputs.
    down: Vec<f32>,
    /// `B` transposed, rank × outputs: that way outputs lie across the lanes of a vector.
    up: Vec<f32>,
}

impl LowRank {
    /// From `A` (rank × inputs) and `B` transposed (rank × outputs), row after row.
    ///
    /// # Errors
    /// If the lengths do not belong to the shapes, or a number is not finite.
    pub fn new(
        (inputs, outputs): (usize, usize),
        rank: usize,
        scale: f32,
        down: Vec<f32>,
        up: Vec<f32>,
    ) -> Result<Self> {
        if rank == 0 || rank > MAX_RANK || down.len() != rank * inputs || up.len() != rank * outputs {
            return Err(Error::format(format!(
                "{} and {} numbers are no path of rank {rank} from {inputs} to {outputs}",
                down.len(),
                up.len()
            )));
        }
        if !scale.is_finite() || down.iter().chain(&up).any(|value| !value.is_finite()) {
            return Err(Error::format("a number of the adapter is not finite")
                .help("its training went wrong: use an earlier checkpoint"));
        }
        Ok(Self { rank, inputs, outputs, scale, down, up })
    }

    /// The rank.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// What the path's result is multiplied with.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// `A`, rank × inputs.
    pub fn down(&self) -> &[f32] {
        &self.down
    }

    /// `B` transposed, rank × outputs.
    pub fn up(&self) -> &[f32] {
        &self.up
    }

    /// Adds `scale · B A` to the matrix (outputs × inputs) that it belongs to: what merging does.
    pub fn add_to(&self, row: usize, weights: &mut [f32]) {
        for r in 0..self.rank {
            let factor = self.scale * self.up[r * self.outputs + row];
            let down = &self.down[r * self.inputs..][..self.inputs];
            weights.iter_mut().zip(down).for_each(|(weight, down)| *weight += factor * down);
        }
    }
}

/// A low-rank adapter of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adapter {
    parts: BTreeMap<(usize, Projection), LowRank>,
    base_sha256: Option<String>,
}

impl Adapter {
    /// An adapter of these parts, by layer and projection, for the base of this SHA-256 (lower-case hex).
    pub fn new(parts: BTreeMap<(usize, Projection), LowRank>, base_sha256: Option<String>) -> Self {
        Self { parts, base_sha256 }
    }

    /// The path beside one matrix, if there is one.
    pub fn part(&self, layer: usize, projection: Projection) -> Option<&LowRank> {
        self.parts.get(&(layer, projection))
    }

    /// All parts, by layer.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (usize, Projection, &LowRank)> {
        self.parts.iter().map(|((layer, projection), part)| (*layer, *projection, part))
    }

    /// SHA-256 of the base's file, where it is known.
    pub fn base_sha256(&self) -> Option<&str> {
        self.base_sha256.as_deref()
    }

    /// Number of trained numbers.
    pub fn parameters(&self) -> usize {
        self.parts.values().map(|part| part.down.len() + part.up.len()).sum()
    }

    /// SHA-256 of what it does, in lower-case hex: the same for both formats of one adapter.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for ((layer, projection), part) in &self.parts {
            hash.update(format!("{layer} {} {} {} {}\n", projection.name(), part.rank, part.inputs, part.outputs));
            for number in std::iter::once(&part.scale).chain(&part.down).chain(&part.up) {
                hash.update(number.to_le_bytes());
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Refuses an adapter that does not fit a model's shapes.
    ///
    /// # Errors
    /// The first layer or matrix that the model does not have.
    pub fn check_shapes(&self, config: &ModelConfig) -> Result<()> {
        for (layer, projection, part) in self.parts() {
            let (inputs, outputs) = projection.shape(config);
            let wrong = if layer >= config.layers {
                format!("the model has {} layers", config.layers)
            } else if (inputs, outputs) != (part.inputs, part.outputs) {
                format!("it is for {} × {} weights, the model has {outputs} × {inputs}", part.outputs, part.inputs)
            } else {
                continue;
            };
            return Err(Error::input(format!("the adapter is for another model: {wrong}"))
                .in_field(format!("blk.{layer}.{}", projection.gguf_name()))
                .help("use it with the model it was trained on"));
        }
        Ok(())
    }

    /// Refuses an adapter that was trained on another file than the one of this SHA-256. One that does not say what it
    /// was trained on is let through.
    ///
    /// # Errors
    /// Another base.
    pub fn check_base(&self, model_sha256: &str) -> Result<()> {
        match &self.base_sha256 {
            Some(base) if base != model_sha256 => Err(Error::input(format!(
                "the adapter was trained on another model file: SHA-256 {}…, this one has {}…",
                base.get(..12).unwrap_or(base),
                model_sha256.get(..12).unwrap_or(model_sha256)
            ))
            .help("use it with the model it was trained on")),
            _ => Ok(()),
        }
    }

    /// `alpha` of the whole adapter, where scale · rank is the same for all parts.
    fn alpha(&self) -> Result<f32> {
        let mut alphas = self.parts.values().map(|part| part.scale * part.rank as f32);
        let first = alphas.next().ok_or_else(|| Error::input("the adapter is empty"))?;
        match alphas.all(|alpha| (alpha - first).abs() <= first.abs() * 1e-6) {
            true => Ok(if (first - first.round()).abs() <= first.abs() * 1e-6 { first.round() } else { first }),
            false => Err(Error::unsupported("the adapter's parts have different scales, which this format cannot say")),
        }
    }
}

/// Rows (of `width` numbers) as columns: the transpose of a matrix of `rows` rows.
fn transposed(rows: usize, width: usize, numbers: &[f32]) -> Vec<f32> {
    (0..rows * width).map(|i| numbers[i % rows * width + i / rows]).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::engine::config::tests::config;

    /// An adapter of every projection of one layer, with random numbers.
    pub(crate) fn adapter(config: &ModelConfig, rank: usize) -> Adapter {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(rank as u64);
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
        let parts = Projection::ALL.into_iter().map(|projection| {
            let (inputs, outputs) = projection.shape(config);
            let (down, up) = (numbers(rank * inputs), numbers(rank * outputs));
            ((0, projection), LowRank::new((inputs, outputs), rank, 16.0 / rank as f32, down, up).unwrap())
        });
        Adapter::new(parts.collect(), Some("ab".repeat(32)))
    }

    #[test]
    fn strangers_are_refused_by_shape_and_by_hash() {
        let own = config(4, 2, 8);
        let adapter = adapter(&own, 3);
        assert_eq!(adapter.check_shapes(&own), Ok(()));
        let other = adapter.check_shapes(&config(4, 1, 8)).unwrap_err();
        assert!(other.field.as_deref() == Some("blk.0.attn_k") && other.message.contains("16 × 32"), "{other}");
        assert!(adapter.check_shapes(&ModelConfig { layers: 0, ..own }).is_err());
        assert_eq!(adapter.check_base(&"ab".repeat(32)), Ok(()));
        assert!(adapter.check_base(&"cd".repeat(32)).is_err());
        assert_eq!(Adapter { base_sha256: None, ..adapter }.check_base("cd"), Ok(()));
    }

    #[test]
    fn what_is_no_number_is_no_adapter() {
        let part = |value: f32| LowRank::new((2, 1), 1, 1.0, vec![0.0, value], vec![1.0]);
        assert!(part(0.5).is_ok() && part(f32::NAN).is_err() && part(f32::INFINITY).is_err());
        assert!(LowRank::new((2, 1), 0, 1.0, vec![], vec![]).is_err());
        assert!(LowRank::new((2, 1), 1, 1.0, vec![0.0], vec![1.0]).is_err());
    }
}
