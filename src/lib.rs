//! Candor: first-token text classification with honest confidence, natively and in the browser.
//!
//! Data flows one way: text → task → tokens → packed batch → engine → label scores → bias correction → calibrator →
//! decision → picture. The modules are floors; a module imports only from floors below its own (a test holds this):
//!
//! | floor | modules | what |
//! |---|---|---|
//! | 7 | [`cli`] (and the `www` crate, which uses floors 0–2) | what people touch |
//! | 6 | [`evaluate`], `train`, `baselines` (native) | a data set through a classifier; fine-tuning; what any model must beat |
//! | 5 | [`classify`] | prefix cache, label scores → prediction |
//! | 4 | [`engine`] | one decoder described by data, a forward pass per backend |
//! | 3 | [`gguf`], [`tokenizer`] | what a model file holds |
//! | 2 | [`protocol`] | what crosses between page and worker, and the JSON of predictions |
//! | 1 | [`stats`], [`chart`], [`task`], [`dataset`] | pure: no engine, no IO |
//! | 0 | [`error`], [`platform`], [`numeric`], [`formula`] | what everything needs |

// A classifier is shared between threads (`serve`); that one may be follows for wgpu's nested types only after many steps.
#![recursion_limit = "256"]

#[cfg(not(target_arch = "wasm32"))]
pub mod baselines;
pub mod chart;
pub mod classify;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod dataset;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod formula;
pub mod gguf;
pub mod numeric;
pub mod platform;
pub mod protocol;
pub mod stats;
pub mod task;
pub mod tokenizer;
#[cfg(not(target_arch = "wasm32"))]
pub mod train;

pub use error::{Error, Kind, Result};
