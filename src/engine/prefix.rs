//! What every segment of a batch attends to before its own past: computed once for a task, kept for many texts.
//!
//! A prefix lives where it was computed, with the processor or on a graphics device, and is computed again elsewhere only
//! when a batch has to go on there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::ModelConfig;
use super::cpu::attention::KeysAndValues;
use super::gpu::DevicePrefix;

/// Tokens whose keys and values are kept: what every segment of a batch attends to before its own past.
#[derive(Debug, Clone)]
pub struct Prefix {
    pub(super) tokens: Vec<u32>,
    /// SHA-256 of the adapter that its numbers were computed with.
    pub(super) adapter: Option<Arc<str>>,
    /// Per layer: rotated keys and values. Without positions where `device` has them.
    pub(super) layers: Vec<KeysAndValues>,
    /// The same on the graphics device.
    pub(super) device: Option<Arc<DevicePrefix>>,
    /// The same elsewhere, once a batch had to go on there.
    pub(super) copies: Arc<Mutex<Copies>>,
}

/// A prefix, computed again where it was not computed first.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pub(super) processor: Option<Arc<Prefix>>,
    pub(super) device: Option<Arc<DevicePrefix>>,
}

impl Prefix {
    /// A prefix without tokens for a model of this shape.
    pub fn empty(config: &ModelConfig) -> Self {
        let layers = vec![Default::default(); config.layers];
        Self { tokens: Vec::new(), adapter: None, layers, device: None, copies: Arc::default() }
    }

    /// What was computed again elsewhere.
    pub(super) fn copies(&self) -> MutexGuard<'_, Copies> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(super) fn append(&mut self, config: &ModelConfig, tokens: &[u32], rows: &[(Vec<f32>, Vec<f32>)]) {
        self.tokens.extend_from_slice(tokens);
        for (layer, (keys, values)) in self.layers.iter_mut().zip(rows) {
            layer.extend(keys, values, config.kv_width());
        }
    }

    /// Keys and values of a layer, where the processor has them.
    pub(super) fn layer(&self, index: usize) -> &KeysAndValues {
        &self.layers[index]
    }
}
