//! The one native integration binary: each topic is a module beside this file.

mod architecture;
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod calibrators_reference;
#[cfg(not(target_arch = "wasm32"))]
mod datasets;
#[cfg(not(target_arch = "wasm32"))]
mod golden_sentiment;
#[cfg(not(target_arch = "wasm32"))]
mod statistics_reference;
mod tiny_model;
