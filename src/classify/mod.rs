//! A loaded model and a task become predictions.
//!
//! The task's frame is tokenized once, what all its prompts begin with is computed once ([`prepared`]), and each text
//! costs only its own tokens. The labels' probabilities are read off the full next-token distribution ([`scores`]); how
//! sure the model says it is can be asked as well ([`HowSure`]).
//! Nothing here is native or web: the worker and the command line call the same functions.

mod prepared;
mod scores;
mod vectors;
mod verbalized;

use std::io::{Read, Seek};
use std::sync::Arc;

pub use self::prepared::PreparedTask;
pub use self::verbalized::HowSure;
use crate::engine::{Adapter, Cancel, Choice, Control, Engine, PackedBatch, Prefix, Query};
use crate::error::{Error, Result};
use crate::gguf::{GgufFile, QuantizedType};
use crate::platform;
use crate::protocol::{BackendInfo, Classification, MemoryUse, ModelInfo, NextToken, TaskReport};
use crate::stats::bias::LabelBias;
use crate::task::chat::ChatTemplate;
use crate::task::{BiasMethod, Task};
use crate::tokenizer::Tokenizer;

/// How texts are classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many next tokens to report for each text.
    pub top: usize,
    /// Longest prompt in tokens; a longer text is cut to fit. The model's context bounds it too.
    pub limit_tokens: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { top: 0, limit_tokens: usize::MAX }
    }
}

/// A loaded model with its tokenizer, and the task in use.
pub struct Classifier {
    engine: Engine,
    tokenizer: Arc<Tokenizer>,
    template: Option<ChatTemplate>,
    facts: Facts,
    task: Option<PreparedTask>,
}

/// What is said of a model file.
#[derive(Clone)]
struct Facts {
    name: String,
    quantization: String,
    parameters: u64,
    bytes: u64,
    load_seconds: f64,
}

impl Classifier {
    /// Loads a model from a GGUF file; `control` hears of bytes.
    ///
    /// # Errors
    /// A file that is no GGUF or is cut; an architecture, tokenizer or type that is not supported, by name; a cancel.
    pub async fn load<R: Read + Seek>(reader: R, name: &str, control: &mut Control<'_>) -> Result<Self> {
        Self::load_on(Choice::Cpu, reader, name, control).await
    }

    /// [`Self::load`] for the best backend that `choice` allows.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_on<R: Read + Seek>(
        choice: Choice,
        reader: R,
        name: &str,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        let started = platform::now();
        let mut file = GgufFile::open(reader)?;
        let tokenizer = Tokenizer::from_gguf(&file.metadata)?;
        let engine = Engine::load_on(choice, &mut file, control).await?;
        let template = file.metadata.optional("tokenizer.chat_template", crate::gguf::Metadata::str)?;
        let template = template.map(|source| ChatTemplate {
            source: source.to_owned(),
            bos_token: tokenizer.bos_text(),
            eos_token: tokenizer.eos_text(),
            date: None,
        });
        let tensors = || file.tensors.values();
        let mut kinds: Vec<(QuantizedType, u64)> = Vec::new();
        for tensor in tensors() {
            match kinds.iter_mut().find(|(kind, _)| *kind == tensor.kind) {
                Some((_, elements)) => *elements += tensor.elements() as u64,
                None => kinds.push((tensor.kind, tensor.elements() as u64)),
            }
        }
        let most = kinds.iter().max_by_key(|(_, elements)| *elements);
        let facts = Facts {
            name: name.to_owned(),
            quantization: most.map_or_else(String::new, |(kind, _)| kind.name().to_owned()),
            parameters: kinds.iter().map(|(_, elements)| elements).sum(),
            bytes: tensors().map(|tensor| tensor.offset + tensor.bytes as u64).max().unwrap_or(0),
            load_seconds: platform::now() - started,
        };
        Ok(Self { engine, tokenizer: Arc::new(tokenizer), template, facts, task: None })
    }

    /// What is known of the model. The hash, whether it is kept and what its adapter is called are the store's to fill in.
    pub fn model_info(&self) -> ModelInfo {
        let config = self.engine.config();
        let BackendInfo { backend, backend_reason, on_gpu } = self.backend();
        ModelInfo {
            name: self.facts.name.clone(),
            architecture: config.architecture.clone(),
            quantization: self.facts.quantization.clone(),
            bytes: self.facts.bytes,
            sha256: String::new(),
            parameters: self.facts.parameters,
            layers: config.layers,
            width: config.width,
            vocabulary: config.vocabulary,
            context: config.context,
            chat_template: self.template.is_some(),
            backend,
            backend_reason,
            on_gpu,
            threads: platform::threads(),
            load_seconds: self.facts.load_seconds,
            from_cache: true,
            kept: Ok(()),
            memory: self.memory(),
            adapter: None,
        }
    }

    /// Where it computes, at this moment.
    pub fn backend(&self) -> BackendInfo {
        let (backend, backend_reason) = self.engine.backend();
        BackendInfo { backend, backend_reason, on_gpu: self.is_on_gpu() }
    }

    /// Whether a graphics device computes, at this moment.
    pub fn is_on_gpu(&self) -> bool {
        self.engine.gpu().is_some()
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Uses an adapter from now on, or none. The task must be set again: what it prepared holds for the other weights.
    /// Whether the adapter belongs to the model's file is the caller's to check ([`Adapter::check_base`]).
    ///
    /// # Errors
    /// An adapter that does not fit the model's shapes; everything then stays as it was.
    pub fn set_adapter(&mut self, adapter: Option<Adapter>) -> Result<()> {
        let changed = adapter.as_ref() != self.engine.adapter();
        self.engine.set_adapter(adapter)?;
        if changed {
            self.task = None;
        }
        Ok(())
    }

    /// The same model with another adapter, or none, and without a task. Both share the base's weights.
    ///
    /// # Errors
    /// As [`Self::set_adapter`].
    pub fn with_adapter(&self, adapter: Option<Adapter>) -> Result<Self> {
        Ok(Self {
            engine: self.engine.with_adapter(adapter)?,
            tokenizer: Arc::clone(&self.tokenizer),
            template: self.template.clone(),
            facts: self.facts.clone(),
            task: None,
        })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Sets the task: checks it, tokenizes its frame and its labels, computes the shared prefix (`control` hears of
    /// its tokens) and what its bias correction needs. On an error the task that was set before stays.
    ///
    /// # Errors
    /// A task that is wrong or cannot be rendered with this model; labels that cannot be told apart; a cancel.
    pub async fn set_task(&mut self, task: &Task, control: &mut Control<'_>) -> Result<TaskReport> {
        let prepared = self.prepare(task, control).await?;
        let report = self.report(&prepared);
        self.task = Some(prepared);
        Ok(report)
    }

    /// Makes a task ready, as [`Self::set_task`] does, for who keeps several tasks at hand.
    ///
    /// # Errors
    /// As [`Self::set_task`].
    pub async fn prepare(&self, task: &Task, control: &mut Control<'_>) -> Result<PreparedTask> {
        PreparedTask::new(task, &self.engine, &self.tokenizer, self.template.as_ref(), control).await
    }

    /// What a task that was made ready has become with this model's tokenizer.
    pub fn report(&self, task: &PreparedTask) -> TaskReport {
        task.report(&self.tokenizer)
    }

    /// What the model and this program take of the memory.
    pub fn memory(&self) -> MemoryUse {
        MemoryUse { weights: self.engine.weight_bytes() as u64, peak: platform::peak_bytes() }
    }

    /// For a task with batch correction (Zhou 2023): estimates the label bias from the rows themselves. Other tasks are
    /// left as they are. Returns what it found, in a sentence.
    ///
    /// # Errors
    /// No task, no texts, a cancel.
    pub async fn fit_batch_bias(&mut self, texts: &[&str], control: &mut Control<'_>) -> Result<Option<String>> {
        let Some(task) = self.task.as_mut() else { return Err(no_task()) };
        if task.task.bias.method != BiasMethod::Batch {
            return Ok(None);
        }
        let logprobs = scores::label_logprobs(task, &self.engine, &self.tokenizer, texts, control).await?;
        task.bias = LabelBias::estimate(prepared::method_of_statistics(BiasMethod::Batch), &logprobs)?;
        let names: Vec<&str> = task.task.labels.iter().map(|label| label.name.as_str()).collect();
        Ok(Some(task.bias.summary(&names)))
    }

    /// Classifies one text with the task that is set.
    ///
    /// # Errors
    /// No task; a frame longer than the context; a cancel.
    pub async fn classify(&self, text: &str, options: &Options, control: &mut Control<'_>) -> Result<Classification> {
        let mut results = self.classify_batch(&[text], options, control).await?;
        results.pop().ok_or_else(|| Error::internal("a batch of one gave no result"))
    }

    /// Classifies texts together, in order; `control` hears of tokens. Predictions are numbered from 1.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub async fn classify_batch(
        &self,
        texts: &[&str],
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        let task = self.task.as_ref().ok_or_else(no_task)?;
        self.classify_with(task, texts, options, control).await
    }

    /// Classifies texts together with a task that [`Self::prepare`] has made ready with this model.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub async fn classify_with(
        &self,
        task: &PreparedTask,
        texts: &[&str],
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        Ok(scores::classify(task, &self.engine, &self.tokenizer, texts, options, control).await?.0)
    }

    /// [`Self::classify_with`], with each text's last hidden state as [`Classification::vector`], which a probe reads. A
    /// graphics device keeps them to itself: there they stay empty.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub async fn classify_with_vectors(
        &self,
        task: &PreparedTask,
        texts: &[&str],
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        let (mut results, vectors) =
            scores::classify(task, &self.engine, &self.tokenizer, texts, options, control).await?;
        results.iter_mut().zip(vectors).for_each(|(result, vector)| result.vector = vector);
        Ok(results)
    }

    /// Answers several tasks about one text, in their order; what their prompts have in common is computed once.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub async fn classify_once(
        &self,
        tasks: &[&PreparedTask],
        text: &str,
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<Classification>> {
        scores::classify_once(tasks, &self.engine, &self.tokenizer, text, options, control).await
    }

    /// The last hidden state after each text's prompt, for probes: texts × width, computed by the processor whatever the
    /// backend is. `control` hears of texts.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub async fn vectors(
        &self,
        task: &PreparedTask,
        texts: &[&str],
        limit_tokens: usize,
        control: &mut Control<'_>,
    ) -> Result<Vec<f32>> {
        vectors::vectors(task, &self.engine, &self.tokenizer, texts, limit_tokens, control).await
    }

    /// The most likely next tokens after a prompt taken as it is, with the prompt's token ids.
    ///
    /// # Errors
    /// An empty prompt; one longer than the context; a cancel.
    pub async fn next_tokens(
        &self,
        prompt: &str,
        special: bool,
        top: usize,
        control: &mut Control<'_>,
    ) -> Result<(Vec<u32>, Vec<NextToken>)> {
        let mut ids = self.tokenizer.encode(prompt, special)?;
        if let Some(leading) = self.tokenizer.leading_token()
            && ids.first() != Some(&leading)
        {
            ids.insert(0, leading);
        }
        if ids.is_empty() {
            return Err(Error::usage("the prompt is empty").help("a next token needs at least one token before it"));
        }
        let batch = PackedBatch::of([ids.as_slice()])?;
        let empty = Prefix::empty(self.engine.config());
        let scored = self.engine.score(&empty, &batch, &Query { gather: Vec::new(), top }, control).await?;
        let next = scored.first().map(|scores| scores::next_tokens(&self.tokenizer, &scores.top, |_| None));
        Ok((ids, next.unwrap_or_default()))
    }
}

fn no_task() -> Error {
    Error::usage("no task is set").help("set a task first")
}

/// A [`Control`] that reports nothing and cannot be cancelled, for short work.
pub async fn quietly<T>(work: impl AsyncFnOnce(&mut Control<'_>) -> T) -> T {
    let mut quiet = |_, _| {};
    work(&mut Control::new(Cancel::default(), &mut quiet)).await
}
