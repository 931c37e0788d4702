//! One decoder, described by data.
//!
//! [`ModelConfig`] says everything in which the supported families differ: norms, rope layout and scaling, biases,
//! QK-norm, activation, tied head. The forward passes read it and know no family by name; a new family is a few lines
//! in [`ModelConfig::from_gguf`].

use crate::error::{Error, Result};
use crate::gguf::Metadata;

/// Values of `general.architecture` that are supported.
pub const SUPPORTED_ARCHITECTURES: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// Bounds that no model in use comes near, and that keep a lying header from asking for the machine's memory.
const MAX_LAYERS: u32 = 1024;
const MAX_WIDTH: u32 = 1 << 17;

/// How rotary position embedding pairs a head's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeLayout {
    /// Neighbours: (0, 1), (2, 3), … as llama-architecture GGUF files have it.
    Interleaved,
    /// Halves: (0, n/2), (1, n/2 + 1), … as in GPT-NeoX.
    Halves,
}

/// The activation of the gated feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
}

/// A decoder, described.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// `general.architecture`.
    pub architecture: String,
    /// Decoder layers.
    pub layers: usize,
    /// Hidden width.
    pub width: usize,
    /// Width of the feed-forward network.
    pub feed_forward: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Dimensions of a head.
    pub head_width: usize,
    /// Dimensions of a head that are rotated; even, at most `head_width`.
    pub rope_width: usize,
    /// How they are paired.
    pub rope_layout: RopeLayout,
    /// Base of the rotation's frequencies.
    pub rope_base: f64,
    /// Positions are divided by this (linear scaling); 1 for none.
    pub rope_scale: f64,
    /// Added to the mean square before the root.
    pub norm_epsilon: f32,
    /// Longest sequence the model was trained for.
    pub context: usize,
    /// Vocabulary size.
    pub vocabulary: usize,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// RMS norm on each query and key head.
    pub qk_norm: bool,
    /// Activation of the gate.
    pub activation: Activation,
}

impl ModelConfig {
    /// Reads the description from a GGUF file's metadata.
    ///
    /// # Errors
    /// An unknown architecture, by name; a missing or impossible dimension; a rope scaling that is not supported.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        let architecture = metadata.str("general.architecture")?.to_owned();
        let (rope_layout, qkv_bias, qk_norm) = match architecture.as_str() {
            "llama" => (RopeLayout::Interleaved, false, false),
            "qwen2" => (RopeLayout::Halves, true, false),
            "qwen3" => (RopeLayout::Halves, false, true),
            other => {
                return Err(Error::unsupported(format!("architecture \"{other}\" is not supported"))
                    .in_field("general.architecture")
                    .help(format!("supported: {}", SUPPORTED_ARCHITECTURES.join(", "))));
            }
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str, most: u32| -> Result<usize> {
            let key = key(name);
            match metadata.u32(&key)? {
                value if (1..=most).contains(&value) => Ok(value as usize),
                value => Err(Error::format(format!("{value} is outside 1..={most}")).in_field(key)),
            }
        };
        let optional = |name: &str, most: u32, default: usize| match metadata.get(&key(name)) {
            Some(_) => number(name, most),
            None => Ok(default),
        };
        let width = number("embedding_length", MAX_WIDTH)?;
        let heads = number("attention.head_count", MAX_WIDTH)?;
        let kv_heads = optional("attention.head_count_kv", MAX_WIDTH, heads)?;
        if heads % kv_heads != 0 {
            return Err(Error::format(format!("{heads} heads cannot share {kv_heads} key and value heads"))
                .in_field(key("attention.head_count_kv")));
        }
        if metadata.get(&key("attention.key_length")).is_none() && width % heads != 0 {
            return Err(Error::format(format!("width {width} is no multiple of {heads} heads"))
                .in_field(key("attention.head_count")));
        }
        let head_width = optional("attention.key_length", MAX_WIDTH, width / heads)?;
        if optional("attention.value_length", MAX_WIDTH, head_width)? != head_width {
            return Err(Error::unsupported("heads whose keys and values differ in width are not supported")
                .in_field(key("attention.value_length")));
        }
        let rope_width = optional("rope.dimension_count", MAX_WIDTH, head_width)?;
        if rope_width > head_width || rope_width % 2 != 0 {
            return Err(Error::format(format!("{rope_width} rotated dimensions in heads of {head_width}"))
                .in_field(key("rope.dimension_count")));
        }
        if let Ok(experts) = metadata.u32(&key("expert_count"))
            && experts > 0
        {
            return Err(Error::unsupported("mixtures of experts are not supported").in_field(key("expert_count")));
        }
        let positive = |name: &str, default: f64| -> Result<f64> {
            let key = key(name);
            match metadata.get(&key) {
                None => Ok(default),
                Some(_) => match metadata.f32(&key)? as f64 {
                    value if value.is_finite() && value > 0.0 => Ok(value),
                    value => Err(Error::format(format!("{value} is not a positive number")).in_field(key)),
                },
            }
        };
        let rope_scale = match metadata.str(&key("rope.scaling.type")) {
            Ok("none") | Err(_) => positive("rope.scale_linear", 1.0)?,
            Ok("linear") => positive("rope.scaling.factor", 1.0)?,
            Ok(other) => {
                return Err(Error::unsupported(format!("rope scaling \"{other}\" is not supported"))
                    .in_field(key("rope.scaling.type"))
                    .help("supported: none, linear, and frequency factors in the file (rope_freqs.weight)"));
            }
        };
        let epsilon_key = key("attention.layer_norm_rms_epsilon");
        let norm_epsilon = metadata.f32(&epsilon_key)?;
        if !(norm_epsilon.is_finite() && norm_epsilon >= 0.0) {
            return Err(Error::format(format!("{norm_epsilon} is no epsilon")).in_field(epsilon_key));
        }
        Ok(Self {
            layers: number("block_count", MAX_LAYERS)?,
            width,
            feed_forward: number("feed_forward_length", MAX_WIDTH * 8)?,
            heads,
            kv_heads,
            head_width,
            rope_width,
            rope_layout,
            rope_base: positive("rope.freq_base", 10_000.0)?,
            rope_scale,
            norm_epsilon,
            context: number("context_length", u32::MAX)?,
            vocabulary: metadata.string_array("tokenizer.ggml.tokens")?.len(),
            qkv_bias,
            qk_norm,
            activation: Activation::Silu,
            architecture,
        })
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A description with these heads, for tests of single layers.
    pub(crate) fn config(heads: usize, kv_heads: usize, head_width: usize) -> ModelConfig {
        ModelConfig {
            architecture: "llama".to_owned(),
            layers: 1,
            width: heads * head_width,
            feed_forward: 32,
            heads,
            kv_heads,
            head_width,
            rope_width: head_width,
            rope_layout: RopeLayout::Interleaved,
            rope_base: 10_000.0,
            rope_scale: 1.0,
            norm_epsilon: 1e-5,
            context: 128,
            vocabulary: 32,
            qkv_bias: false,
            qk_norm: false,
            activation: Activation::Silu,
        }
    }
}
