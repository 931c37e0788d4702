//! The engine: one decoder described by [`config::ModelConfig`], a forward pass per backend.
//!
//! It is asynchronous, because a GPU cannot be waited for in a browser and because a worker must hear a cancel between
//! two layers; the command line blocks once, at its edge. Backends are an enum: there are few, and all are known.
//!
//! The unit of work is a [`PackedBatch`] over a shared [`Prefix`]. What comes back is a few floats a segment
//! ([`SegmentScores`]), never the logits.

pub mod adapter;
pub mod batch;
pub mod config;
pub mod cpu;
pub mod weights;

use std::io::{Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::adapter::Adapter;
pub use self::batch::{PackedBatch, Query, SegmentScores};
pub use self::config::ModelConfig;
use self::cpu::CpuModel;
use self::cpu::attention::KeysAndValues;
use self::cpu::instructions::Set;
use crate::error::{Error, Kind, Result};
use crate::gguf::GgufFile;
use crate::platform;

/// Tokens of one forward pass: enough to fill the kernels, few enough that activations stay below 20 MB.
const PASS_TOKENS: usize = 512;
/// Seconds between two looks at the message queue.
const PACE_SECONDS: f64 = 0.05;

/// A flag that stops a long computation; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the computation to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a long computation reports and is stopped.
pub struct Control<'a> {
    cancel: Cancel,
    progress: &'a mut dyn FnMut(u64, Option<u64>),
    breathed: f64,
}

impl<'a> Control<'a> {
    /// Reports to `progress(done, total)` and stops when `cancel` says so.
    pub fn new(cancel: Cancel, progress: &'a mut dyn FnMut(u64, Option<u64>)) -> Self {
        Self { cancel, progress, breathed: platform::now() }
    }

    /// The flag that stops it.
    pub fn cancel_flag(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Reports progress.
    pub fn report(&mut self, done: u64, total: Option<u64>) {
        (self.progress)(done, total);
    }

    /// Lets messages in now and then, and ends with [`Kind::Cancelled`] once a cancel was heard.
    ///
    /// # Errors
    /// When cancelled.
    pub async fn pace(&mut self) -> Result<()> {
        if platform::now() - self.breathed > PACE_SECONDS {
            platform::breathe().await;
            self.breathed = platform::now();
        }
        match self.cancel.is_cancelled() {
            true => Err(Error::new(Kind::Cancelled, "cancelled")),
            false => Ok(()),
        }
    }
}

/// Tokens whose keys and values are kept: what every segment of a batch attends to before its own past.
#[derive(Debug, Clone, PartialEq)]
pub struct Prefix {
    tokens: Vec<u32>,
    /// SHA-256 of the adapter that its numbers were computed with.
    adapter: Option<Arc<str>>,
    /// Per layer: rotated keys and values.
    layers: Vec<KeysAndValues>,
}

impl Prefix {
    /// A prefix without tokens for a model of this shape.
    pub fn empty(config: &ModelConfig) -> Self {
        Self { tokens: Vec::new(), adapter: None, layers: vec![Default::default(); config.layers] }
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it has no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Its tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Appends tokens with each layer's keys and values, tokens × kv_width.
    fn append(&mut self, config: &ModelConfig, tokens: &[u32], rows: &[(Vec<f32>, Vec<f32>)]) {
        self.tokens.extend_from_slice(tokens);
        for (layer, (keys, values)) in self.layers.iter_mut().zip(rows) {
            layer.extend(keys, values, config.kv_width());
        }
    }

    fn layer(&self, index: usize) -> &KeysAndValues {
        &self.layers[index]
    }
}

/// Where the forward pass runs.
enum Backend {
    Cpu(CpuModel),
}

/// A loaded model, ready to score.
pub struct Engine {
    config: ModelConfig,
    backend: Backend,
    /// The adapter in use, with its SHA-256.
    adapter: Option<(Adapter, Arc<str>)>,
}

impl Engine {
    /// Loads a model's weights; `control` hears of bytes.
    ///
    /// # Errors
    /// An architecture that is not supported; a tensor that is missing or misshapen; a cancel.
    pub async fn load<R: Read + Seek>(file: &mut GgufFile<R>, control: &mut Control<'_>) -> Result<Self> {
        let config = ModelConfig::from_gguf(&file.metadata)?;
        let backend = Backend::Cpu(CpuModel::load(file, &config, control).await?);
        Ok(Self { config, backend, adapter: None })
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

    /// The adapter in use.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref().map(|(adapter, _)| adapter)
    }

    /// SHA-256 of the adapter in use, in lower-case hex.
    pub fn adapter_sha256(&self) -> Option<&str> {
        self.adapter.as_ref().map(|(_, hash)| &**hash)
    }

    /// The model on the processor, for training; `None` where it runs elsewhere.
    pub fn cpu(&self) -> Option<&CpuModel> {
        match &self.backend {
            Backend::Cpu(model) => Some(model),
        }
    }

    /// The backend rung in use and why.
    pub fn backend(&self) -> (String, String) {
        match &self.backend {
            Backend::Cpu(_) => {
                (format!("CPU {}", Set::in_use().name()), "exact: 16-bit activations over quantized weights".to_owned())
            }
        }
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        match &self.backend {
            Backend::Cpu(model) => model.weight_bytes(),
        }
    }

    /// Extends a prefix by tokens; `control` hears of tokens. On an error the prefix holds the passes that were done.
    ///
    /// # Errors
    /// A cancel; more tokens than the context.
    pub async fn extend(&self, prefix: &mut Prefix, tokens: &[u32], control: &mut Control<'_>) -> Result<()> {
        self.check_context(prefix.len() + tokens.len())?;
        self.check_prefix(prefix)?;
        prefix.adapter = self.adapter.as_ref().map(|(_, hash)| hash.clone());
        let mut done = 0;
        for pass in tokens.chunks(PASS_TOKENS) {
            match &self.backend {
                Backend::Cpu(model) => model.extend(&self.config, self.adapter(), prefix, pass, control).await?,
            }
            done += pass.len() as u64;
            control.report(done, Some(tokens.len() as u64));
        }
        Ok(())
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
        let total = batch.tokens().len() as u64;
        let mut scores = Vec::with_capacity(batch.segments());
        let mut pass = PackedBatch::new();
        let mut done = 0;
        for segment in 0..batch.segments() {
            let tokens = batch.segment(segment);
            self.check_context(prefix.len() + tokens.len())?;
            if pass.tokens().len() + tokens.len() > PASS_TOKENS && pass.segments() > 0 {
                scores.extend(self.pass(prefix, &std::mem::take(&mut pass), query, control).await?);
                control.report(done, Some(total));
            }
            done += tokens.len() as u64;
            if tokens.len() > PASS_TOKENS {
                // Longer than a pass: all but its end becomes a longer prefix, pass by pass.
                let (front, rest) = tokens.split_at(tokens.len() - PASS_TOKENS);
                let mut longer = prefix.clone();
                self.extend(&mut longer, front, control).await?;
                scores.extend(self.pass(&longer, &PackedBatch::of([rest])?, query, control).await?);
                control.report(done, Some(total));
            } else {
                pass.push(tokens)?;
            }
        }
        if pass.segments() > 0 {
            scores.extend(self.pass(prefix, &pass, query, control).await?);
            control.report(total, Some(total));
        }
        Ok(scores)
    }

    async fn pass(
        &self,
        prefix: &Prefix,
        batch: &PackedBatch,
        query: &Query,
        control: &mut Control<'_>,
    ) -> Result<Vec<SegmentScores>> {
        match &self.backend {
            Backend::Cpu(model) => model.score(&self.config, self.adapter(), prefix, batch, query, control).await,
        }
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
        match &self.backend {
            Backend::Cpu(model) => model.last_rows(&self.config, self.adapter(), prefix, batch, control).await,
        }
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
