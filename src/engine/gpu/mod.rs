//! The GPU backend: the same decoder as compute shaders, through WebGPU.
//!
//! One source for all devices: `shaders/*.wgsl` run natively on Vulkan, Metal and Direct3D 12, and in a browser's
//! worker. Weights keep the file's values ([`layout`]); products read activations as float32 or, where that is faster
//! and right, in fewer bits ([`rung`]); everything else is float32. Nothing is asked of a device beyond
//! WebGPU's default limits, so a large vocabulary is split ([`matrix`]) and its logits are read a few rows at a time
//! ([`head`]).
//!
//! Not here: whether this is the backend to use (`engine/ladder`), what happens when the device goes away (the engine's
//! own loop: it asks again with less, or asks the processor), and the processor's way of doing all this (`engine/cpu`).

pub mod device;
mod forward;
mod head;
mod kernels;
mod layout;
mod low_rank;
mod matrix;
pub mod measure;
mod narrow;
pub mod rung;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::device::{BINDING_BYTES, Buffer, Device, Since};
pub use self::forward::DevicePrefix;
use self::forward::{Before, Forward, Inputs, Scratch, kernels_besides_products, prefix_of};
use self::head::Head;
use self::kernels::Recording;
pub use self::low_rank::DeviceAdapter;
use self::matrix::{Matrix, STAGING_BYTES};
use self::rung::Rung;
use crate::engine::adapter::Adapter;
use crate::engine::batch::{PackedBatch, Query, SegmentScores};
use crate::engine::config::ModelConfig;
use crate::engine::weights::{Source, WeightsOf};
use crate::engine::{Control, Phase};
use crate::error::{Error, Result};
use crate::platform;

/// Rows of logits that are held at once.
const HEAD_ROWS: usize = 32;
/// Tokens of a pass: the fewest, what one begins with, and the most.
const PASS_TOKENS: [usize; 3] = [32, 256, 4096];
/// Seconds that a pass should take: short enough that a typed text does not wait, long enough to keep a device busy.
const PASS_SECONDS: std::ops::Range<f64> = 0.08..0.4;

/// Adapters that stay on the device: two in use, and one that was.
const KEPT_ADAPTERS: usize = 3;

/// Numbers the models of this process, so that each knows its own buffers.
static MODELS: AtomicU64 = AtomicU64::new(1);

/// A model on a graphics device.
pub struct GpuModel {
    id: u64,
    rung: Mutex<Rung>,
    /// With their SHA-256, the last one used first: typed texts and a batch may be classified with different ones.
    adapters: Mutex<Vec<(String, Arc<DeviceAdapter>)>>,
    weights: WeightsOf<Matrix>,
    vectors: Vec<Vectors>,
    output_norm: Buffer,
    nothing: Buffer,
    scratch: Mutex<Option<Arc<Scratch>>>,
    pass_tokens: AtomicUsize,
    /// What passes may grow to: less once memory was wanting.
    most_tokens: AtomicUsize,
    upload_seconds: f64,
    /// Last, so that it is destroyed after everything that lives on it.
    device: Device,
}

/// The vectors of a layer; `None` where the model has none.
#[derive(Debug)]
struct Vectors {
    attention_norm: Buffer,
    query_bias: Option<Buffer>,
    query_norm: Option<Buffer>,
    key_bias: Option<Buffer>,
    key_norm: Option<Buffer>,
    value_bias: Option<Buffer>,
    feed_forward_norm: Buffer,
}

/// Why the kernels cannot run a model of this shape, if they cannot.
pub fn refusal(config: &ModelConfig) -> Option<String> {
    let widths = [config.width, config.feed_forward, config.query_width(), config.kv_width()];
    if let Some(width) = widths.iter().find(|width| *width % 32 != 0) {
        return Some(format!("a width of {width} is no multiple of 32"));
    }
    if !config.head_width.is_multiple_of(4) {
        return Some(format!("heads of {} dimensions are no multiple of 4", config.head_width));
    }
    None
}

impl GpuModel {
    /// Uploads all weights to a device, matrix by matrix; `control` hears of bytes.
    ///
    /// # Errors
    /// A shape that the kernels do not do; a device that fails or is out of memory; a cancel.
    pub async fn load<M: Source>(
        device: Device,
        from: &WeightsOf<M>,
        config: &ModelConfig,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        if let Some(why) = refusal(config) {
            return Err(Error::unsupported(why));
        }
        control.enter(Phase::Upload);
        let started = platform::now();
        let since = device.moment();
        let (mut done, total) = (0, from.matrices().map(layout::byte_count).sum());
        let copy = from.copy(async |matrix| {
            let there = Matrix::new(&device, matrix);
            if device.staged() >= STAGING_BYTES {
                device.settle().await;
            }
            device.fault_since(since)?;
            done += layout::byte_count(matrix);
            control.report(done, Some(total));
            control.pace().await?;
            Ok(there)
        });
        let weights = copy.await?;
        let some = |numbers: &[f32]| (!numbers.is_empty()).then(|| device.buffer_of(numbers));
        let vectors = (weights.layers.iter())
            .map(|layer| Vectors {
                attention_norm: device.buffer_of(&layer.attention_norm),
                query_bias: some(&layer.query_bias),
                query_norm: some(&layer.query_norm),
                key_bias: some(&layer.key_bias),
                key_norm: some(&layer.key_norm),
                value_bias: some(&layer.value_bias),
                feed_forward_norm: device.buffer_of(&layer.feed_forward_norm),
            })
            .collect();
        // No buffer of a pass may be larger than a kernel can bind.
        let widest = config.width.max(config.query_width()).max(config.feed_forward);
        let bindable = (BINDING_BYTES as usize / 4 / widest).max(PASS_TOKENS[0]);
        let most_tokens = PASS_TOKENS[2].min(1 << bindable.ilog2());
        let output_norm = device.buffer_of(&weights.output_norm);
        let nothing = device.buffer(16);
        device.settle().await;
        device.fault_since(since)?;
        Ok(Self {
            id: MODELS.fetch_add(1, Ordering::Relaxed),
            rung: Mutex::new(Rung::Float32),
            adapters: Mutex::default(),
            weights,
            vectors,
            output_norm,
            nothing,
            scratch: Mutex::default(),
            pass_tokens: AtomicUsize::new(PASS_TOKENS[1].min(most_tokens)),
            most_tokens: AtomicUsize::new(most_tokens),
            upload_seconds: platform::now() - started,
            device,
        })
    }

    /// Makes every kernel that a rung needs, one after the other; `control` hears of each. Otherwise the first pass would
    /// wait for all of them, without a word.
    ///
    /// # Errors
    /// A cancel, or a device that fails.
    pub async fn compile(&self, config: &ModelConfig, rung: Rung, control: &mut Control<'_>) -> Result<()> {
        let (device, since) = (&self.device, self.device.moment());
        let products = self.weights.matrices().flat_map(|matrix| matrix.kernels(device.software, rung));
        let others =
            kernels_besides_products(config, rung).into_iter().chain([self.weights.embedding.embedding_kernel()]);
        let mut kernels: Vec<_> = others.collect();
        for kernel in products {
            if !kernels.contains(&kernel) {
                kernels.push(kernel);
            }
        }
        control.enter(Phase::Compile);
        for (done, (kernel, constants)) in kernels.iter().enumerate() {
            control.report(done as u64, Some(kernels.len() as u64));
            control.pace().await?;
            device.kernels().prepare(device, *kernel, constants);
            // A browser makes it elsewhere: only when the device answers it is there.
            device.settle().await;
            device.fault_since(since)?;
        }
        control.report(kernels.len() as u64, Some(kernels.len() as u64));
        Ok(())
    }

    /// How its products are computed.
    pub fn rung(&self) -> Rung {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes products in another way from now on.
    pub fn set_rung(&self, rung: Rung) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = rung;
    }

    /// An adapter on the device, uploaded unless it is one of the last few that were; `sha256` tells them apart.
    pub fn adapter(&self, sha256: &str, adapter: &Adapter) -> Arc<DeviceAdapter> {
        let mut kept = self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        let there = kept.iter().position(|(hash, _)| hash == sha256).map(|index| kept.remove(index).1);
        let there = there.unwrap_or_else(|| Arc::new(DeviceAdapter::new(&self.device, adapter)));
        kept.insert(0, (sha256.to_owned(), Arc::clone(&there)));
        kept.truncate(KEPT_ADAPTERS);
        there
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Seconds that its weights took to get there.
    pub fn upload_seconds(&self) -> f64 {
        self.upload_seconds
    }

    /// Bytes of weights on the device.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.matrices().map(Matrix::byte_count).sum()
    }

    /// Tokens that the next pass should have at most.
    pub fn pass_tokens(&self) -> usize {
        self.pass_tokens.load(Ordering::Relaxed)
    }

    /// Makes passes half as long, for want of memory; `false` when they are as short as they get.
    pub fn shorten_passes(&self) -> bool {
        let tokens = self.pass_tokens();
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let fewer = (tokens / 2).max(PASS_TOKENS[0]);
        self.pass_tokens.store(fewer, Ordering::Relaxed);
        self.most_tokens.store(fewer, Ordering::Relaxed);
        tokens > PASS_TOKENS[0]
    }

    /// Begins with passes that suit a device of this pace, in tokens a second: a first one that is too long would hold up
    /// everything else on the screen.
    pub fn suit(&self, tokens_a_second: f64) {
        let tokens = (PASS_SECONDS.end / 2.0 * tokens_a_second) as usize;
        let most = self.most_tokens.load(Ordering::Relaxed).min(PASS_TOKENS[1] * 4);
        let tokens = 1 << tokens.clamp(PASS_TOKENS[0], most).ilog2();
        self.pass_tokens.store(tokens, Ordering::Relaxed);
    }

    /// Longer passes for a fast device, shorter ones for a slow one.
    fn adapt(&self, tokens: usize, seconds: f64) {
        let limit = self.pass_tokens();
        if seconds > PASS_SECONDS.end && tokens > limit / 2 {
            self.pass_tokens.store((limit / 2).max(PASS_TOKENS[0]), Ordering::Relaxed);
        } else if seconds < PASS_SECONDS.start && tokens > limit / 2 {
            let most = self.most_tokens.load(Ordering::Relaxed);
            self.pass_tokens.store((limit * 2).min(most), Ordering::Relaxed);
        }
    }

    fn scratch(&self, config: &ModelConfig, tokens: usize, adapter: Option<&DeviceAdapter>) -> Arc<Scratch> {
        let rank = adapter.map_or(0, DeviceAdapter::rank);
        let mut kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|kept| kept.holds(tokens, rank)) {
            Some(scratch) => Arc::clone(scratch),
            None => {
                let (stride, tokens) = (self.head().stride(), tokens.next_power_of_two().max(32));
                let scratch = Arc::new(Scratch::new(&self.device, config, stride, tokens, rank));
                *kept = Some(Arc::clone(&scratch));
                scratch
            }
        }
    }

    fn head(&self) -> &Matrix {
        self.weights.head()
    }

    /// Tokens that the model has, on a device that is still there.
    fn check(&self, batch: &PackedBatch, since: Since) -> Result<()> {
        match batch.tokens().iter().find(|token| **token as usize >= self.weights.embedding.rows()) {
            Some(token) => Err(Error::internal(format!("token id {token} is outside the model's vocabulary"))),
            None => self.device.fault_since(since),
        }
    }

    /// A prefix of `tokens` after `prefix`.
    ///
    /// # Errors
    /// A cancel; [`crate::error::Kind::Lost`] or [`crate::error::Kind::Resource`] when the device fails.
    pub async fn extend(
        &self,
        config: &ModelConfig,
        adapter: Option<&DeviceAdapter>,
        prefix: Option<&DevicePrefix>,
        tokens: &[u32],
        control: &mut Control<'_>,
    ) -> Result<DevicePrefix> {
        control.pace().await?;
        let (batch, since) = (PackedBatch::of([tokens])?, self.device.moment());
        self.check(&batch, since)?;
        let before = Before { prefix, nothing: &self.nothing };
        let kept = prefix.map_or(0, DevicePrefix::positions);
        let longer = prefix_of(self, config, kept + tokens.len());
        let inputs = Inputs::new(&self.device, config, &self.weights.rope_factors, &batch, kept);
        let scratch = self.scratch(config, tokens.len(), adapter);
        let (results, rung) = (self.device.results(16), self.rung());
        let mut recording = Recording::new(&self.device);
        let forward = Forward { model: self, config, rung, adapter, inputs: &inputs, before, scratch: &scratch };
        forward.extend(&mut recording, &longer);
        // Nothing is needed of what is read; but that it comes says that all before it is done.
        recording.copy(&self.nothing, 0, &results, 0, 16);
        recording.submit();
        self.device.read(&results, since).await?;
        Ok(longer)
    }

    /// Next-token distributions after each segment of `batch`, read off as `query` asks; `None` for a query that the
    /// device cannot answer.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub async fn score(
        &self,
        config: &ModelConfig,
        adapter: Option<&DeviceAdapter>,
        prefix: Option<&DevicePrefix>,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Option<Vec<SegmentScores>>> {
        control.pace().await?;
        let since = self.device.moment();
        self.check(batch, since)?;
        if !Head::answers(query, self.head().rows()) {
            return Ok(None);
        }
        let before = Before { prefix, nothing: &self.nothing };
        let kept = prefix.map_or(0, DevicePrefix::positions);
        let inputs = Inputs::new(&self.device, config, &self.weights.rope_factors, batch, kept);
        let scratch = self.scratch(config, batch.tokens().len(), adapter);
        let head = Head::new(&self.device, batch.segments(), query);
        let rung = self.rung();
        let mut recording = Recording::new(&self.device);
        let forward = Forward { model: self, config, rung, adapter, inputs: &inputs, before, scratch: &scratch };
        let normed = forward.last_rows(&mut recording);
        head.record(&mut recording, self.head(), normed, &scratch);
        // Pipelines that were still to be made are made by now.
        let started = platform::now();
        recording.submit();
        let scores = head.read(&self.device, since).await?;
        self.adapt(batch.tokens().len(), platform::now() - started);
        Ok(scores)
    }
}
