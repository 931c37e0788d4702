//! GGUF, the file format of llama.cpp models: read tensor by tensor, written for tests, fixtures and merged models.
//!
//! A GGUF file is a header (typed metadata, then a directory of tensors) followed by one data section. Reading has
//! two steps: [`Header::read`] takes the header through any `Read + Seek` and believes nothing that it says until the
//! file's own length bears it out; [`GgufFile::open`] adds that every tensor has a type this project can compute with.
//! Tensors are then read one at a time, straight into the caller's memory: there is never a second copy of the file.
//!
//! Not here: what the keys mean (the engine's configuration and the tokenizer read them), hashes (the store does
//! those), and memory maps (a browser has none).
//!
//! Source of the format: the GGUF specification in ggml's documentation, versions 2 and 3, little-endian. Block
//! layouts: ggml's quantized types.

mod dequantize;
mod groups;
mod header;
mod metadata;
mod quantize;
mod quantized;
mod source;
mod tensor;
mod value;
mod writer;

pub use dequantize::dequantize_row;
#[cfg(test)]
pub(crate) use dequantize::tests::random_blocks;
pub use groups::{GROUP, Group, for_each_group};
pub use header::{DirectoryEntry, Header};
pub use metadata::Metadata;
pub use quantize::quantize_row;
pub use quantized::{QuantizedType, type_name};
pub use tensor::{GgufFile, TensorInfo};
pub use value::{Array, StringArray, Value};
pub use writer::{GgufWriter, TensorPlan};
