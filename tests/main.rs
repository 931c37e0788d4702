//! The one native integration binary: each topic is a module beside this file.

// A test that cannot read its own input has failed.
#![allow(clippy::unwrap_used)]

mod allocation;
mod architecture;
mod browser;
mod calibrators_reference;
mod datasets;
mod engine_reference;
mod evaluation_run;
mod finetune_command;
mod golden_sentiment;
mod graphics;
mod hostile_gguf;
mod peft;
mod quantized_types;
mod reference;
mod same_bits;
mod serve;
mod statistics_reference;
mod sweep;
mod tiny_model;
mod tokenizer_reference;
mod training;
