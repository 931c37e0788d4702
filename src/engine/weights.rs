//! The tensors a decoder needs, by role, checked against its [`ModelConfig`] as they are read.
//!
//! The names, the shapes and what is optional are decided here, once. Matrices become whatever a backend makes of a
//! tensor's bytes (`M`); vectors are small and become float32. One tensor is in memory at a time besides what the
//! backend keeps. A second backend copies the first one's ([`Source`]), without the file.

use std::io::{Read, Seek};

use crate::engine::Control;
use crate::engine::adapter::Projection;
use crate::engine::config::ModelConfig;
use crate::error::{Error, Kind, Result};
use crate::gguf::{GgufFile, Group, QuantizedType, dequantize_row};

/// All weights of a decoder.
pub struct WeightsOf<M> {
    /// Token embedding, vocabulary × width.
    pub embedding: M,
    /// The head, vocabulary × width; `None` when it is the embedding.
    pub output: Option<M>,
    /// RMS-norm weight before the head.
    pub output_norm: Vec<f32>,
    /// Divisors of the rope frequencies; empty for none.
    pub rope_factors: Vec<f32>,
    /// The decoder layers.
    pub layers: Vec<LayerWeights<M>>,
}

/// The weights of one decoder layer. Optional vectors are empty where the model has none.
pub struct LayerWeights<M> {
    /// RMS-norm weight before attention.
    pub attention_norm: Vec<f32>,
    /// Query projection, query_width × width.
    pub query: M,
    /// Its bias.
    pub query_bias: Vec<f32>,
    /// RMS-norm weight of each query head.
    pub query_norm: Vec<f32>,
    /// Key projection, kv_width × width.
    pub key: M,
    /// Its bias.
    pub key_bias: Vec<f32>,
    /// RMS-norm weight of each key head.
    pub key_norm: Vec<f32>,
    /// Value projection, kv_width × width.
    pub value: M,
    /// Its bias.
    pub value_bias: Vec<f32>,
    /// Output projection, width × query_width.
    pub attention_output: M,
    /// RMS-norm weight before the feed-forward network.
    pub feed_forward_norm: Vec<f32>,
    /// Gate projection, feed_forward × width.
    pub gate: M,
    /// Up projection, feed_forward × width.
    pub up: M,
    /// Down projection, width × feed_forward.
    pub down: M,
}

impl<M> LayerWeights<M> {
    /// The matrix of a projection.
    pub fn matrix(&self, projection: Projection) -> &M {
        match projection {
            Projection::Query => &self.query,
            Projection::Key => &self.key,
            Projection::Value => &self.value,
            Projection::Output => &self.attention_output,
            Projection::Gate => &self.gate,
            Projection::Up => &self.up,
            Projection::Down => &self.down,
        }
    }

    /// All of them.
    pub fn matrices(&self) -> impl Iterator<Item = &M> {
        Projection::ALL.into_iter().map(|projection| self.matrix(projection))
    }
}

impl<M> WeightsOf<M> {
    /// The matrix that turns the last rows into logits.
    pub fn head(&self) -> &M {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// All matrices.
    pub fn matrices(&self) -> impl Iterator<Item = &M> {
        let layers = self.layers.iter().flat_map(LayerWeights::matrices);
        std::iter::once(&self.embedding).chain(&self.output).chain(layers)
    }
}

/// How a matrix's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Integers with scales and minima.
    Integers {
        /// Four (unsigned) or eight (signed).
        bits: u32,
        /// Columns that share a scale and a minimum: 16 or 32.
        span: usize,
    },
    /// Floats, as the file has them.
    Floats(QuantizedType),
}

/// A matrix that another backend can copy: with its numbers in memory, a device needs no file.
pub trait Source {
    /// Number of outputs.
    fn rows(&self) -> usize;
    /// Number of inputs.
    fn columns(&self) -> usize;
    /// How its numbers are stored.
    fn form(&self) -> Form;
    /// Calls `each(index, group)` for the groups of a row; does nothing for floats.
    fn groups(&self, row: usize, each: &mut dyn FnMut(usize, &Group));
    /// The bytes of a row of floats; empty for integers.
    fn floats(&self, row: usize) -> &[u8];
}

impl<M> WeightsOf<M> {
    /// The same weights with other matrices, made one after the other by `make`.
    ///
    /// # Errors
    /// What `make` says.
    pub async fn copy<N>(&self, mut make: impl AsyncFnMut(&M) -> Result<N>) -> Result<WeightsOf<N>> {
        let embedding = make(&self.embedding).await?;
        let output = match &self.output {
            Some(output) => Some(make(output).await?),
            None => None,
        };
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            layers.push(LayerWeights {
                attention_norm: layer.attention_norm.clone(),
                query: make(&layer.query).await?,
                query_bias: layer.query_bias.clone(),
                query_norm: layer.query_norm.clone(),
                key: make(&layer.key).await?,
                key_bias: layer.key_bias.clone(),
                key_norm: layer.key_norm.clone(),
                value: make(&layer.value).await?,
                value_bias: layer.value_bias.clone(),
                attention_output: make(&layer.attention_output).await?,
                feed_forward_norm: layer.feed_forward_norm.clone(),
                gate: make(&layer.gate).await?,
                up: make(&layer.up).await?,
                down: make(&layer.down).await?,
            });
        }
        let (output_norm, rope_factors) = (self.output_norm.clone(), self.rope_factors.clone());
        Ok(WeightsOf { embedding, output, output_norm, rope_factors, layers })
    }
}

/// Reads a decoder's weights, tensor by tensor.
pub struct Loader<'a, 'c, R, F> {
    file: &'a mut GgufFile<R>,
    config: &'a ModelConfig,
    control: &'a mut Control<'c>,
    make: F,
    done: u64,
    total: u64,
}

impl<'a, 'c, R: Read + Seek, M, F> Loader<'a, 'c, R, F>
where
    F: FnMut(QuantizedType, usize, usize, Vec<u8>) -> Result<M>,
{
    /// A loader; `make(kind, rows, columns, bytes)` turns a tensor into the backend's matrix.
    pub fn new(file: &'a mut GgufFile<R>, config: &'a ModelConfig, control: &'a mut Control<'c>, make: F) -> Self {
        let total = file.tensors.values().map(|tensor| tensor.bytes as u64).sum();
        Self { file, config, control, make, done: 0, total }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// A missing tensor or a wrong shape, by name; a file that cannot be read; a cancel.
    pub async fn load(&mut self) -> Result<WeightsOf<M>> {
        let (width, vocabulary) = (self.config.width, self.config.vocabulary);
        let embedding = self.matrix("token_embd.weight", vocabulary, width).await?;
        let output = match self.file.tensors.contains_key("output.weight") {
            true => Some(self.matrix("output.weight", vocabulary, width).await?),
            false => None,
        };
        let output_norm = self.vector("output_norm.weight", width)?;
        let rope_factors = self.optional("rope_freqs.weight", self.config.rope_width / 2)?;
        let mut layers = Vec::with_capacity(self.config.layers);
        for index in 0..self.config.layers {
            layers.push(self.layer(index).await?);
        }
        Ok(WeightsOf { embedding, output, output_norm, rope_factors, layers })
    }

    async fn layer(&mut self, index: usize) -> Result<LayerWeights<M>> {
        let config = self.config;
        let (width, inner) = (config.width, config.feed_forward);
        let (query_width, kv_width, head) = (config.query_width(), config.kv_width(), config.head_width);
        let name = |role: &str| format!("blk.{index}.{role}");
        // A vector that the architecture calls for must be there; where it does not, none may be.
        let bias = |present: bool, width: usize| if present { width } else { 0 };
        Ok(LayerWeights {
            attention_norm: self.vector(&name("attn_norm.weight"), width)?,
            query: self.matrix(&name("attn_q.weight"), query_width, width).await?,
            query_bias: self.vector(&name("attn_q.bias"), bias(config.qkv_bias, query_width))?,
            query_norm: self.vector(&name("attn_q_norm.weight"), bias(config.qk_norm, head))?,
            key: self.matrix(&name("attn_k.weight"), kv_width, width).await?,
            key_bias: self.vector(&name("attn_k.bias"), bias(config.qkv_bias, kv_width))?,
            key_norm: self.vector(&name("attn_k_norm.weight"), bias(config.qk_norm, head))?,
            value: self.matrix(&name("attn_v.weight"), kv_width, width).await?,
            value_bias: self.vector(&name("attn_v.bias"), bias(config.qkv_bias, kv_width))?,
            attention_output: self.matrix(&name("attn_output.weight"), width, query_width).await?,
            feed_forward_norm: self.vector(&name("ffn_norm.weight"), width)?,
            gate: self.matrix(&name("ffn_gate.weight"), inner, width).await?,
            up: self.matrix(&name("ffn_up.weight"), inner, width).await?,
            down: self.matrix(&name("ffn_down.weight"), width, inner).await?,
        })
    }

    async fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<M> {
        let kind = self.check(name, &[columns, rows])?;
        let bytes = self.file.read_tensor(name)?;
        self.done += bytes.len() as u64;
        self.control.report(self.done, Some(self.total));
        self.control.pace().await?;
        (self.make)(kind, rows, columns, bytes).map_err(|error| error.in_field(name))
    }

    /// A float32 vector of `width` numbers. With width 0 the tensor must be absent.
    fn vector(&mut self, name: &str, width: usize) -> Result<Vec<f32>> {
        match (width, self.file.tensors.contains_key(name)) {
            (0, false) => return Ok(Vec::new()),
            (0, true) => {
                return Err(Error::unsupported(format!(
                    "architecture \"{}\" is not known to have this tensor",
                    self.config.architecture
                ))
                .in_field(name));
            }
            _ => {}
        }
        let kind = self.check(name, &[width])?;
        let bytes = self.file.read_tensor(name)?;
        self.done += bytes.len() as u64;
        let mut values = vec![0.0; width];
        dequantize_row(kind, &bytes, &mut values)?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Error::format(format!("number {index} is not finite")).in_field(name)),
            None => Ok(values),
        }
    }

    fn optional(&mut self, name: &str, width: usize) -> Result<Vec<f32>> {
        if self.file.tensors.contains_key(name) { self.vector(name, width) } else { Ok(Vec::new()) }
    }

    fn check(&self, name: &str, shape: &[usize]) -> Result<QuantizedType> {
        let tensor = self.file.tensors.get(name).ok_or_else(|| {
            Error::new(Kind::Format, "the model has no such tensor").in_field(name).help("the file may be cut or split")
        })?;
        if tensor.shape != shape {
            return Err(Error::format(format!("shape {:?} where {shape:?} was expected", tensor.shape)).in_field(name));
        }
        Ok(tensor.kind)
    }
}
