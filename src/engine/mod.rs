//! The engine: one decoder described by [`config::ModelConfig`], a forward pass per backend.
//!
//! It is asynchronous, because a GPU cannot be waited for in a browser and because a worker must hear a cancel between
//! two layers; the command line blocks once, at its edge. The processor's backend is always there; above it stands the
//! graphics device's, where the [`ladder`] says so, and what that cannot finish the processor does.
//!
//! The unit of work is a [`PackedBatch`] over a shared [`Prefix`]. What comes back is a few floats a segment
//! ([`SegmentScores`]), never the logits.

pub mod adapter;
pub mod batch;
pub mod config;
mod control;
pub mod cpu;
pub mod gpu;
pub mod ladder;
mod prefix;
mod rope;
pub mod weights;

use std::borrow::Cow;
use std::io::{Read, Seek};
use std::sync::Arc;

pub use self::adapter::Adapter;
pub use self::batch::{PackedBatch, Query, SegmentScores};
pub use self::config::ModelConfig;
pub use self::control::{Cancel, Control, Phase};
use self::cpu::CpuModel;
use self::cpu::instructions::Set;
pub use self::gpu::rung::Rung;
use self::gpu::{DeviceAdapter, DevicePrefix, GpuModel};
pub use self::ladder::Choice;
use self::ladder::Upper;
pub use self::prefix::Prefix;
use crate::error::{Error, Result};
use crate::gguf::GgufFile;

/// Texts that are handed over together: enough to fill the processor's kernels, or a graphics device, few enough that
/// results come steadily.
const BATCH_TEXTS: [usize; 2] = [32, 256];
/// Tokens of one forward pass: enough to fill the kernels, few enough that activations stay below 20 MB.
const PASS_TOKENS: usize = 512;
/// A loaded model, ready to score.
pub struct Engine {
    config: ModelConfig,
    cpu: Arc<CpuModel>,
    upper: Arc<Upper>,
    /// The adapter in use, with its SHA-256.
    adapter: Option<(Adapter, Arc<str>)>,
}

impl Engine {
    /// Loads a model's weights for the processor; `control` hears of bytes.
    ///
    /// # Errors
    /// An architecture that is not supported; a tensor that is missing or misshapen; a cancel.
    pub async fn load<R: Read + Seek>(file: &mut GgufFile<R>, control: &mut Control<'_>) -> Result<Self> {
        Self::load_on(Choice::Cpu, file, control).await
    }

    /// Loads a model's weights for the best backend that `choice` allows; `control` hears of bytes.
    ///
    /// # Errors
    /// As [`Self::load`]. A graphics device that does not do is no error: [`Self::backend`] says why.
    pub async fn load_on<R: Read + Seek>(
        choice: Choice,
        file: &mut GgufFile<R>,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        let config = ModelConfig::from_gguf(&file.metadata)?;
        control.enter(Phase::Read);
        let cpu = CpuModel::load(file, &config, control).await?;
        let upper = Upper::climb(choice, &config, &cpu, control).await?;
        Ok(Self { config, cpu: Arc::new(cpu), upper: Arc::new(upper), adapter: None })
    }

    /// The model's description.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Uses an adapter from now on, or none; the base stays as it is. A prefix that was computed before is refused
    /// afterwards. On an error everything stays as it was.
    ///
    /// # Errors
    /// An adapter that does not fit the model's shapes.
    pub fn set_adapter(&mut self, adapter: Option<Adapter>) -> Result<()> {
        if let Some(adapter) = &adapter {
            adapter.check_shapes(&self.config)?;
        }
        self.adapter = adapter.map(|adapter| {
            let hash = adapter.sha256().into();
            (adapter, hash)
        });
        Ok(())
    }

    /// The same model with another adapter, or none, beside this one: they share the base's weights, so this takes a
    /// moment and no memory but the adapter's.
    ///
    /// # Errors
    /// As [`Self::set_adapter`].
    pub fn with_adapter(&self, adapter: Option<Adapter>) -> Result<Self> {
        let (cpu, upper) = (Arc::clone(&self.cpu), Arc::clone(&self.upper));
        let mut engine = Self { config: self.config.clone(), cpu, upper, adapter: None };
        engine.set_adapter(adapter)?;
        Ok(engine)
    }

    /// The adapter in use.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref().map(|(adapter, _)| adapter)
    }

    /// The adapter in use, on the device.
    fn adapter_on(&self, gpu: &GpuModel) -> Option<Arc<DeviceAdapter>> {
        self.adapter.as_ref().map(|(adapter, hash)| gpu.adapter(hash, adapter))
    }

    /// SHA-256 of the adapter in use, in lower-case hex.
    pub fn adapter_sha256(&self) -> Option<&str> {
        self.adapter.as_ref().map(|(_, hash)| &**hash)
    }

    /// The model on the processor, for training.
    pub fn cpu(&self) -> &CpuModel {
        &self.cpu
    }

    /// The backend rung in use and why.
    pub fn backend(&self) -> (String, String) {
        let reason = self.upper.reason();
        match self.upper.name() {
            Some(name) => (name, reason),
            None => (format!("CPU {}", Set::in_use().name()), format!("exact: 16-bit activations; {reason}")),
        }
    }

    /// The model on the graphics device, if it is in use.
    pub fn gpu(&self) -> Option<Arc<GpuModel>> {
        self.upper.model()
    }

    /// Texts that are worth being handed over together.
    pub fn batch_texts(&self) -> usize {
        BATCH_TEXTS[usize::from(self.gpu().is_some())]
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        self.cpu.weight_bytes()
    }

    /// Extends a prefix by tokens; `control` hears of tokens. On an error the prefix holds the passes that were done.
    ///
    /// # Errors
    /// A cancel; more tokens than the context.
    pub async fn extend(&self, prefix: &mut Prefix, tokens: &[u32], control: &mut Control<'_>) -> Result<()> {
        self.check_context(prefix.len() + tokens.len())?;
        self.check_prefix(prefix)?;
        self.upper.recover(&self.config, &self.cpu, control).await?;
        prefix.adapter = self.adapter.as_ref().map(|(_, hash)| hash.clone());
        let mut rest = tokens;
        while !rest.is_empty() {
            let gpu = self.gpu();
            let (pass, after) = rest.split_at(rest.len().min(pass_tokens(gpu.as_deref())));
            match self.extend_by(gpu.as_deref(), prefix, pass, control).await {
                Ok(()) => rest = after,
                Err(error) if self.upper.gives_way(&error, gpu.as_ref()) => continue,
                Err(error) => return Err(error),
            }
            control.report((tokens.len() - rest.len()) as u64, Some(tokens.len() as u64));
        }
        Ok(())
    }

    /// One pass of [`Self::extend`]; an error leaves the prefix as it was.
    async fn extend_by(
        &self,
        gpu: Option<&GpuModel>,
        prefix: &mut Prefix,
        tokens: &[u32],
        control: &mut Control<'_>,
    ) -> Result<()> {
        if let Some(gpu) = gpu {
            let before = self.on_device(gpu, prefix, control).await?;
            let adapter = self.adapter_on(gpu);
            let longer = gpu.extend(&self.config, adapter.as_deref(), before.as_deref(), tokens, control).await?;
            prefix.layers = vec![Default::default(); self.config.layers];
            prefix.tokens.extend_from_slice(tokens);
            prefix.device = Some(Arc::new(longer));
            prefix.copies = Arc::default();
            return Ok(());
        }
        if prefix.device.is_some() {
            *prefix = self.on_processor(prefix, control).await?.into_owned();
        }
        prefix.copies = Arc::default();
        self.cpu.extend(&self.config, self.adapter(), prefix, tokens, control).await
    }

    /// A prefix as the processor needs it: computed again, once, where only a device has it.
    async fn on_processor<'a>(&self, prefix: &'a Prefix, control: &mut Control<'_>) -> Result<Cow<'a, Prefix>> {
        if prefix.device.is_none() {
            return Ok(Cow::Borrowed(prefix));
        }
        let kept = prefix.copies().processor.clone();
        if let Some(kept) = kept {
            return Ok(Cow::Owned((*kept).clone()));
        }
        let mut again = Prefix { adapter: prefix.adapter.clone(), ..Prefix::empty(&self.config) };
        for pass in prefix.tokens.chunks(PASS_TOKENS) {
            self.cpu.extend(&self.config, self.adapter(), &mut again, pass, control).await?;
        }
        prefix.copies().processor = Some(Arc::new(again.clone()));
        Ok(Cow::Owned(again))
    }

    /// A prefix as the device needs it: computed again, once, where the processor or a device that was lost has it.
    async fn on_device(
        &self,
        gpu: &GpuModel,
        prefix: &Prefix,
        control: &mut Control<'_>,
    ) -> Result<Option<Arc<DevicePrefix>>> {
        if prefix.is_empty() {
            return Ok(None);
        }
        let copy = prefix.copies().device.clone();
        if let Some(kept) = prefix.device.iter().chain(&copy).find(|kept| kept.is_of(gpu)) {
            return Ok(Some(Arc::clone(kept)));
        }
        let adapter = self.adapter_on(gpu);
        let mut again: Option<Arc<DevicePrefix>> = None;
        for pass in prefix.tokens.chunks(gpu.pass_tokens()) {
            let longer = gpu.extend(&self.config, adapter.as_deref(), again.as_deref(), pass, control).await?;
            again = Some(Arc::new(longer));
        }
        prefix.copies().device.clone_from(&again);
        Ok(again)
    }

    /// Next-token distributions after each segment, in order; `control` hears of tokens.
    ///
    /// # Errors
    /// A cancel; a segment longer than the context.
    pub async fn score(
        &self,
        prefix: &Prefix,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Vec<SegmentScores>> {
        self.check_prefix(prefix)?;
        for segment in 0..batch.segments() {
            self.check_context(prefix.len() + batch.segment(segment).len())?;
        }
        self.upper.recover(&self.config, &self.cpu, control).await?;
        let total = batch.tokens().len() as u64;
        let mut scores = Vec::with_capacity(batch.segments());
        while scores.len() < batch.segments() {
            // Asked anew for every pass: a device finds its pace, runs out of memory, or is lost.
            let gpu = self.gpu();
            let limit = pass_tokens(gpu.as_deref());
            let mut pass = PackedBatch::new();
            for segment in scores.len()..batch.segments() {
                let tokens = batch.segment(segment);
                if pass.segments() > 0 && pass.tokens().len() + tokens.len() > limit {
                    break;
                }
                pass.push(tokens)?;
            }
            match self.pass(gpu.as_deref(), prefix, &pass, query, control).await {
                Ok(more) => scores.extend(more),
                Err(error) if self.upper.gives_way(&error, gpu.as_ref()) => continue,
                Err(error) => return Err(error),
            }
            control.report(batch.range(scores.len() - 1).end as u64, Some(total));
        }
        Ok(scores)
    }

    /// Scores segments of a pass's tokens together, or one that is longer.
    async fn pass(
        &self,
        gpu: Option<&GpuModel>,
        prefix: &Prefix,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Vec<SegmentScores>> {
        let (tokens, limit) = (batch.tokens(), pass_tokens(gpu));
        if tokens.len() > limit {
            // Longer than a pass: all but its end becomes a longer prefix, pass by pass.
            let (front, rest) = tokens.split_at(tokens.len() - limit);
            let mut longer = prefix.clone();
            for pass in front.chunks(limit) {
                self.extend_by(gpu, &mut longer, pass, control).await?;
            }
            return self.rows(gpu, &longer, &PackedBatch::of([rest])?, query, control).await;
        }
        self.rows(gpu, prefix, batch, query, control).await
    }

    async fn rows(
        &self,
        gpu: Option<&GpuModel>,
        prefix: &Prefix,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Vec<SegmentScores>> {
        if let Some(gpu) = gpu {
            let before = self.on_device(gpu, prefix, control).await?;
            let adapter = self.adapter_on(gpu);
            let (adapter, before) = (adapter.as_deref(), before.as_deref());
            if let Some(scores) = gpu.score(&self.config, adapter, before, batch, query, control).await? {
                return Ok(scores);
            }
        }
        let prefix = self.on_processor(prefix, control).await?;
        self.cpu.score(&self.config, self.adapter(), &prefix, batch, query, control).await
    }

    /// What the head reads after each segment: segments × width, normed. The segments make one pass, so they should be
    /// few and short.
    ///
    /// # Errors
    /// A cancel; a segment longer than the context.
    pub async fn last_rows(&self, prefix: &Prefix, batch: &PackedBatch, control: &mut Control<'_>) -> Result<Vec<f32>> {
        self.check_prefix(prefix)?;
        let longest = (0..batch.segments()).map(|segment| batch.range(segment).len()).max().unwrap_or(0);
        self.check_context(prefix.len() + longest)?;
        let prefix = self.on_processor(prefix, control).await?;
        self.cpu.last_rows(&self.config, self.adapter(), &prefix, batch, control).await
    }

    /// A prefix's keys and values hold only with the adapter they were computed with.
    fn check_prefix(&self, prefix: &Prefix) -> Result<()> {
        if !prefix.is_empty() && prefix.adapter.as_deref() != self.adapter_sha256() {
            return Err(Error::usage("what was prepared was prepared with another adapter")
                .help("set the task again after the adapter has changed"));
        }
        Ok(())
    }

    fn check_context(&self, tokens: usize) -> Result<()> {
        if tokens > self.config.context {
            return Err(Error::input(format!(
                "{tokens} tokens are more than the model's context of {}",
                self.config.context
            ))
            .help("shorten the text, the instruction or the examples"));
        }
        Ok(())
    }
}

/// Tokens of the next pass at most.
fn pass_tokens(gpu: Option<&GpuModel>) -> usize {
    gpu.map_or(PASS_TOKENS, GpuModel::pass_tokens)
}
