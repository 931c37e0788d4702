//! What is trained: the numbers of all low-rank pairs, one after the other in one list.
//!
//! One flat list makes the optimizer, clipping, checkpoints and gradient checks plain loops. [`Part`] says which stretch
//! belongs to which matrix.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::settings::Settings;
use crate::engine::adapter::{Adapter, LowRank, Projection};
use crate::engine::config::ModelConfig;
use crate::error::Result;

/// Where one matrix's pair lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The layer.
    pub layer: usize,
    /// The matrix.
    pub projection: Projection,
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
    /// `A`, rank × inputs.
    pub down: Range<usize>,
    /// `B` transposed, rank × outputs.
    pub up: Range<usize>,
}

/// All trained numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    parts: Vec<Part>,
    rank: usize,
    scale: f32,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Parameters {
    /// Pairs for the upper layers of a model, as PEFT starts them: `A` uniform within ±1/√inputs, `B` zero, so that the
    /// adapted model begins as the base.
    pub fn new(config: &ModelConfig, settings: &Settings) -> Self {
        let first = config.layers - settings.trained_layers(config.layers);
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for layer in first..config.layers {
            for projection in Projection::ALL.into_iter().filter(|one| settings.projections.contains(one)) {
                let (inputs, outputs) = projection.shape(config);
                let down = values.len()..values.len() + settings.rank * inputs;
                let bound = 1.0 / (inputs as f32).sqrt();
                values.extend(down.clone().map(|_| random.random_range(-bound..bound)));
                let up = values.len()..values.len() + settings.rank * outputs;
                values.resize(up.end, 0.0);
                parts.push(Part { layer, projection, inputs, outputs, down, up });
            }
        }
        Self { parts, rank: settings.rank, scale: (settings.alpha / settings.rank as f64) as f32, values }
    }

    /// The rank.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// `alpha / rank`.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The pair beside a matrix, if it has one.
    pub fn part(&self, layer: usize, projection: Projection) -> Option<&Part> {
        self.parts.iter().find(|part| part.layer == layer && part.projection == projection)
    }

    /// The adapter that these numbers are.
    ///
    /// # Errors
    /// A number that is not finite.
    pub fn adapter(&self, base_sha256: &str) -> Result<Adapter> {
        let parts: Result<BTreeMap<_, _>> = (self.parts.iter())
            .map(|part| {
                let numbers = |range: &Range<usize>| self.values[range.clone()].to_vec();
                let shape = (part.inputs, part.outputs);
                let pair = LowRank::new(shape, self.rank, self.scale, numbers(&part.down), numbers(&part.up))?;
                Ok(((part.layer, part.projection), pair))
            })
            .collect();
        Ok(Adapter::new(parts?, Some(base_sha256.to_owned())))
    }
}
