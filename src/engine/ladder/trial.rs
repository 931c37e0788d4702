//! What decides between rungs: the same product on each, then the same short batch through the whole model.

use crate::engine::batch::{PackedBatch, Query, SegmentScores};
use crate::engine::config::ModelConfig;
use crate::engine::cpu::CpuModel;
use crate::engine::cpu::activations::Activations;
use crate::engine::cpu::matrix::Matrix;
use crate::engine::gpu::GpuModel;
use crate::engine::gpu::device::{Adapter, Device};
use crate::engine::gpu::measure::time_product;
use crate::engine::gpu::rung::Rung;
use crate::engine::weights::LayerWeights;
use crate::engine::{Control, Prefix};
use crate::error::{Error, Kind, Result};
use crate::platform;

/// Tokens of the product: for a program on the processor, and for hardware.
const PRODUCT_TOKENS: [usize; 2] = [16, 256];
/// Tokens of the batch that the whole model is tried with: the fewest, and what is enough to tell who is faster.
const TRIAL_TOKENS: std::ops::RangeInclusive<usize> = 8..=64;
/// Multiply-adds that the processor is given to compute for it at most: a part of a second, also in a browser.
const TRIAL_PRODUCTS: u64 = 8_000_000_000;
/// Most likely tokens that are compared.
const COMPARED: usize = 40;

fn product(cpu: &CpuModel, software: bool) -> Option<(&Matrix, Vec<f32>)> {
    let matrix = &cpu.weights().layers.first()?.gate;
    let tokens = PRODUCT_TOKENS[usize::from(!software)];
    // Numbers between -1 and 1 without a pattern.
    let number = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
    Some((matrix, (0..tokens * matrix.columns()).map(number).collect()))
}

/// How many times as long as the processor a device takes for one of the model's products, if longer.
///
/// # Errors
/// A device that fails.
pub async fn slower_by(device: &Device, cpu: &CpuModel) -> Result<Option<f64>> {
    let Some((matrix, x)) = product(cpu, device.software) else { return Ok(None) };
    let gpu_seconds = time_product(device, Rung::Float32, matrix, &x).await?;
    let mut cpu_seconds = f64::INFINITY;
    for _ in 0..3 {
        let started = platform::now();
        let product = matrix.multiply(&Activations::new(x.clone(), matrix.columns()));
        std::hint::black_box(product);
        cpu_seconds = cpu_seconds.min(platform::now() - started);
    }
    let times = gpu_seconds / cpu_seconds.max(1e-6);
    Ok((times > 1.0).then_some(times))
}

/// What was measured of a rung: its pace as a multiple of float32's, or what it lacks.
pub type Pace = (Rung, std::result::Result<f64, &'static str>);

/// The pace of some rungs of a device, float32 the first of them.
///
/// # Errors
/// A device that fails: one of its rungs may have broken it.
pub async fn paces(adapter: &Adapter, device: &Device, rungs: &[Rung], cpu: &CpuModel) -> Result<Vec<Pace>> {
    let Some((matrix, x)) = product(cpu, device.software) else { return Ok(vec![(Rung::Float32, Ok(1.0))]) };
    let mut paces = Vec::new();
    let mut first = None;
    for rung in rungs {
        let pace = match adapter.lacks(*rung) {
            Some(lacking) => Err(lacking),
            None => {
                let seconds = time_product(device, *rung, matrix, &x).await?;
                Ok(*first.get_or_insert(seconds) / seconds)
            }
        };
        paces.push((*rung, pace));
    }
    Ok(paces)
}

/// A short batch, and what the processor makes of it.
pub struct Trial {
    shared: Vec<u32>,
    batch: PackedBatch,
    query: Query,
    right: Vec<SegmentScores>,
    /// Seconds that the processor took.
    pub cpu_seconds: f64,
}

impl Trial {
    /// Tokens of the batch.
    pub fn tokens(&self) -> usize {
        self.batch.tokens().len()
    }
}

/// What a rung made of the batch.
pub struct Seen {
    scores: Vec<SegmentScores>,
    /// Seconds, once warm; infinite where nobody wanted to know.
    pub seconds: f64,
}

impl Trial {
    /// Tries the processor with a few tokens, with more of them where their pace matters.
    ///
    /// # Errors
    /// A cancel.
    pub async fn new(config: &ModelConfig, cpu: &CpuModel, timed: bool, control: &mut Control<'_>) -> Result<Self> {
        let matrices = cpu.weights().layers.iter().flat_map(LayerWeights::matrices);
        let weights: u64 = matrices.map(|matrix| matrix.numbers() as u64).sum();
        let enough = if timed { *TRIAL_TOKENS.end() } else { *TRIAL_TOKENS.start() };
        let affordable = usize::try_from(TRIAL_PRODUCTS / weights.max(1)).unwrap_or(enough);
        let length = affordable.clamp(*TRIAL_TOKENS.start(), enough);
        // Ids all over the vocabulary: what they say does not matter here.
        let id = |index: usize| ((index + 1) * 7919 % config.vocabulary) as u32;
        let shared: Vec<u32> = (0..9.min(config.context / 4)).map(id).collect();
        let tokens: Vec<u32> = (shared.len()..).map(id).take(length).collect();
        let longest = (config.context / 2).max(1);
        let batch = PackedBatch::of(tokens.chunks(longest.min(23)))?;
        let query = Query { gather: Vec::new(), top: COMPARED.min(config.vocabulary) };
        let mut prefix = Prefix::empty(config);
        cpu.extend(config, None, &mut prefix, &shared, control).await?;
        let started = platform::now();
        let right = cpu.score(config, None, &prefix, &batch, &query, control).await?;
        let mut cpu_seconds = platform::now() - started;
        if timed {
            // Code that has run before is faster, in a browser above all.
            let started = platform::now();
            cpu.score(config, None, &prefix, &batch, &query, control).await?;
            cpu_seconds = cpu_seconds.min(platform::now() - started);
        }
        Ok(Self { shared, batch, query: Query { gather: most_likely(&right), top: 1 }, right, cpu_seconds })
    }

    /// Tries a device with the same; `timed` asks for its pace, too.
    ///
    /// # Errors
    /// A cancel, or a device that fails.
    pub async fn on(
        &self,
        gpu: &GpuModel,
        config: &ModelConfig,
        timed: bool,
        control: &mut Control<'_>,
    ) -> Result<Seen> {
        let prefix = gpu.extend(config, None, None, &self.shared, control).await?;
        let mut scores = gpu.score(config, None, Some(&prefix), &self.batch, &self.query, control).await?;
        let mut seconds = f64::INFINITY;
        if timed {
            // The first time took memory, the second is timed.
            let started = platform::now();
            scores = gpu.score(config, None, Some(&prefix), &self.batch, &self.query, control).await?;
            seconds = platform::now() - started;
        }
        match scores {
            Some(scores) => Ok(Seen { scores, seconds }),
            None => Err(Error::new(Kind::Lost, "the graphics device could not read its own logits")),
        }
    }

    /// Mean |Δ log p| between a rung and the processor, over the processor's most likely tokens.
    pub fn difference(&self, seen: &Seen) -> f64 {
        self.mean(|row, id, logprob| self.of(&seen.scores[row], id) - logprob)
    }

    /// The same between two rungs.
    pub fn between(&self, one: &Seen, other: &Seen) -> f64 {
        self.mean(|row, id, _| self.of(&one.scores[row], id) - self.of(&other.scores[row], id))
    }

    fn of(&self, scores: &SegmentScores, id: u32) -> f64 {
        scores.gathered[self.query.gather.binary_search(&id).unwrap_or(0)]
    }

    fn mean(&self, difference: impl Fn(usize, u32, f64) -> f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for (row, right) in self.right.iter().enumerate() {
            for (id, logprob) in &right.top {
                sum += difference(row, *id, *logprob).abs();
                count += 1;
            }
        }
        sum / f64::from(count)
    }
}

fn most_likely(scores: &[SegmentScores]) -> Vec<u32> {
    let mut ids: Vec<u32> = scores.iter().flat_map(|scores| &scores.top).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_shows_in_the_difference() {
        let scores = |logprob: f64| {
            vec![SegmentScores { gathered: vec![logprob], top: vec![(7, logprob)], ..Default::default() }]
        };
        let trial = Trial {
            shared: vec![1],
            batch: PackedBatch::of([[2_u32].as_slice()]).unwrap(),
            query: Query { gather: vec![7], top: 1 },
            right: scores(-1.0),
            cpu_seconds: 1.0,
        };
        let seen = |logprob: f64| Seen { scores: scores(logprob), seconds: 1.0 };
        assert!((trial.difference(&seen(-1.5)) - 0.5).abs() < 1e-12);
        assert!((trial.between(&seen(-1.5), &seen(-1.75)) - 0.25).abs() < 1e-12);
        assert!(trial.difference(&seen(f64::NAN)).is_nan());
    }
}
