//! Which backend computes: the graphics device where it is right and faster, the processor everywhere else.
//!
//! The processor's model is always loaded. It is the lowest rung, the measure of the others, and what a batch goes on
//! with when a device is lost in the middle of it. Above it stands the graphics device, if
//!
//! 1. there is an adapter with WebGPU's default limits, and the kernels can do the model's shape;
//! 2. it is not a program on the processor that is slower than the processor's own kernels (one product tells);
//! 3. the whole model, uploaded, gives the processor's log-probabilities on a short batch;
//! 4. and gives them sooner.
//!
//! All of it takes under a second beside the upload, and whatever decided is said in [`Upper::reason`].

use std::io::{Read, Seek};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::batch::{PackedBatch, Query, SegmentScores};
use crate::engine::config::ModelConfig;
use crate::engine::cpu::CpuModel;
use crate::engine::cpu::activations::Activations;
use crate::engine::cpu::matrix::Matrix;
use crate::engine::gpu::device::Adapter;
use crate::engine::gpu::measure::time_product;
use crate::engine::gpu::{GpuModel, refusal};
use crate::engine::{Control, Prefix};
use crate::error::{Error, Kind, Result};
use crate::gguf::GgufFile;
use crate::platform;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// The fastest that is exact here.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The graphics device, also where it is slower; the processor only where there is no other way.
    Gpu,
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" | "gpu-float32" => Ok(Self::Gpu),
            other => Err(Error::usage(format!("there is no backend \"{other}\""))
                .help("choose one of auto, cpu, gpu, gpu-float32")),
        }
    }
}

/// Mean difference of log-probabilities between device and processor that is still the processor's own rounding: it
/// quantizes activations to 16 bits, and the batch it is tried on has no sense that would even that out.
const SAME: f64 = 0.01;
/// Tokens of the product that a software adapter is tried with.
const PRODUCT_TOKENS: usize = 64;
/// Tokens of the batch that the whole model is tried with.
const TRIAL_TOKENS: usize = 64;
/// The rung's name.
const NAME: &str = "GPU float32";

/// The rung above the processor, as long as it holds.
pub struct Upper {
    model: Mutex<Option<Arc<GpuModel>>>,
    reason: Mutex<String>,
}

impl Upper {
    /// No rung above the processor.
    pub fn none(reason: impl Into<String>) -> Self {
        Self { model: Mutex::default(), reason: Mutex::new(reason.into()) }
    }

    /// The model on the device, if there is one.
    pub fn model(&self) -> Option<Arc<GpuModel>> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rung's name, while it holds.
    pub fn name(&self) -> Option<String> {
        self.model().map(|model| format!("{NAME} on {}", model.device().name))
    }

    /// Why this rung, or why not.
    pub fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After an error of a pass: whether the same pass is to be tried again, with fewer tokens or on the processor.
    pub fn gives_way(&self, error: &Error) -> bool {
        let Some(model) = self.model() else { return false };
        match error.kind {
            Kind::Resource if model.shorten_passes() => true,
            Kind::Resource | Kind::Lost => {
                *self.model.lock().unwrap_or_else(PoisonError::into_inner) = None;
                *self.reason.lock().unwrap_or_else(PoisonError::into_inner) =
                    format!("{}; the processor goes on", error.message);
                true
            }
            _ => false,
        }
    }

    /// Climbs as high as `choice` and this machine allow; `control` hears of bytes.
    ///
    /// # Errors
    /// A cancel; a file that cannot be read. A device that does not do is a reason, not an error.
    pub async fn climb<R: Read + Seek>(
        choice: Choice,
        file: &mut GgufFile<R>,
        config: &ModelConfig,
        cpu: &CpuModel,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        if choice == Choice::Cpu {
            return Ok(Self::none("chosen"));
        }
        if let Some(why) = refusal(config) {
            return Ok(Self::none(format!("the graphics kernels cannot run this model: {why}")));
        }
        let Some(adapter) = Adapter::find().await else {
            return Ok(Self::none("no graphics adapter that can be used here"));
        };
        match Self::try_adapter(choice, &adapter, file, config, cpu, control).await {
            Ok(upper) => Ok(upper),
            Err(error) if matches!(error.kind, Kind::Lost | Kind::Resource | Kind::Unsupported) => {
                Ok(Self::none(format!("{}: {}", adapter.name, error.message)))
            }
            Err(error) => Err(error),
        }
    }

    async fn try_adapter<R: Read + Seek>(
        choice: Choice,
        adapter: &Adapter,
        file: &mut GgufFile<R>,
        config: &ModelConfig,
        cpu: &CpuModel,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        if choice == Choice::Auto
            && adapter.software
            && let Some(times) = slower_by(adapter, file, config).await?
        {
            let times = format!("{times:.0} times as long as the processor's own kernels");
            return Ok(Self::none(format!("{} is a program on the processor and takes {times}", adapter.name)));
        }
        let model = GpuModel::load(adapter, file, config, control).await?;
        // Who chose the device wants to know whether it is right, not how fast it is.
        let tokens = if choice == Choice::Gpu { TRIAL_TOKENS / 8 } else { TRIAL_TOKENS };
        let trial = Trial::run(&model, config, cpu, tokens, control).await?;
        let (difference, ratio) = (trial.difference, trial.cpu_seconds / trial.gpu_seconds);
        if difference > SAME || difference.is_nan() {
            let wrong = format!("{}: log-probabilities differ from the processor's by {difference:.1e}", adapter.name);
            return Ok(Self::none(wrong));
        }
        let pace = match choice {
            Choice::Gpu => "chosen".to_owned(),
            _ => format!("{ratio:.1} times the processor's speed on {tokens} tokens"),
        };
        if choice == Choice::Auto && ratio < 1.0 {
            return Ok(Self::none(format!("{} has {pace}", adapter.name)));
        }
        let reason = format!("{pace}; log-probabilities within {difference:.0e} of the processor's");
        Ok(Self { model: Mutex::new(Some(Arc::new(model))), reason: Mutex::new(reason) })
    }
}

/// How many times as long as the processor an adapter takes for one of the model's products, if longer.
async fn slower_by<R: Read + Seek>(
    adapter: &Adapter,
    file: &mut GgufFile<R>,
    config: &ModelConfig,
) -> Result<Option<f64>> {
    const NAME: &str = "blk.0.ffn_gate.weight";
    let (rows, columns) = (config.feed_forward, config.width);
    let kind = file.tensor(NAME)?.kind;
    let bytes = file.read_tensor(NAME)?;
    let x: Vec<f32> = (0..PRODUCT_TOKENS * columns).map(|i| (i as f32 * 0.37).sin()).collect();
    let gpu_seconds = time_product(adapter, kind, rows, columns, &bytes, &x).await?;
    let matrix = Matrix::new(kind, rows, columns, bytes)?;
    let mut cpu_seconds = f64::INFINITY;
    for _ in 0..3 {
        let started = platform::now();
        let product = matrix.multiply(&Activations::new(x.clone(), columns));
        std::hint::black_box(product);
        cpu_seconds = cpu_seconds.min(platform::now() - started);
    }
    let times = gpu_seconds / cpu_seconds.max(1e-6);
    Ok((times > 1.0).then_some(times))
}

/// The same short batch on both rungs.
struct Trial {
    /// Mean difference of log-probabilities.
    difference: f64,
    cpu_seconds: f64,
    gpu_seconds: f64,
}

impl Trial {
    async fn run(
        gpu: &GpuModel,
        config: &ModelConfig,
        cpu: &CpuModel,
        length: usize,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        // Ids all over the vocabulary: what they say does not matter here.
        let id = |index: usize| ((index + 1) * 7919 % config.vocabulary) as u32;
        let shared: Vec<u32> = (0..9.min(config.context / 4)).map(id).collect();
        let tokens: Vec<u32> = (shared.len()..).map(id).take(length).collect();
        let longest = (config.context / 2).max(1);
        let batch = PackedBatch::of(tokens.chunks(longest.min(23)))?;
        let query = Query { gather: Vec::new(), top: 40.min(config.vocabulary) };

        let mut prefix = Prefix::empty(config);
        cpu.extend(config, None, &mut prefix, &shared, control).await?;
        let started = platform::now();
        let right = cpu.score(config, None, &prefix, &batch, &query, control).await?;
        let cpu_seconds = platform::now() - started;

        let query = Query { gather: most_likely(&right), top: 1 };
        let prefix = gpu.extend(config, None, &shared, control).await?;
        let mut found = gpu.score(config, Some(&prefix), &batch, &query, control).await?;
        let mut gpu_seconds = f64::INFINITY;
        if length == TRIAL_TOKENS {
            // The first time made the pipelines, the second is timed.
            let started = platform::now();
            found = gpu.score(config, Some(&prefix), &batch, &query, control).await?;
            gpu_seconds = platform::now() - started;
        }
        let Some(found) = found else {
            return Err(Error::new(Kind::Lost, "the graphics device could not read its own logits"));
        };
        Ok(Self { difference: difference(&right, &found, &query), cpu_seconds, gpu_seconds })
    }
}

fn most_likely(scores: &[SegmentScores]) -> Vec<u32> {
    let mut ids: Vec<u32> = scores.iter().flat_map(|scores| &scores.top).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Mean |Δ log p| over the most likely tokens of `right`.
fn difference(right: &[SegmentScores], found: &[SegmentScores], query: &Query) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for (right, found) in right.iter().zip(found) {
        for (id, logprob) in &right.top {
            let at = query.gather.binary_search(id).unwrap_or(0);
            sum += (found.gathered[at] - logprob).abs();
            count += 1;
        }
    }
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_names() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("gpu-float32".parse(), Ok(Choice::Gpu));
        let error = "tpu".parse::<Choice>().unwrap_err();
        assert!(error.message.contains("tpu") && error.help.is_some());
    }

    #[test]
    fn a_wrong_number_shows_in_the_difference() {
        let scores = |logprob: f64| {
            vec![SegmentScores { gathered: vec![logprob], top: vec![(7, logprob)], ..Default::default() }]
        };
        let query = Query { gather: vec![7], top: 1 };
        assert!(difference(&scores(-1.0), &scores(-1.001), &query) < SAME);
        assert!(difference(&scores(-1.0), &scores(-1.5), &query) > SAME);
        assert!(difference(&scores(-1.0), &scores(f64::NAN), &query).is_nan());
    }
}
