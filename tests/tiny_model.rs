//! The committed tiny model is what its generator makes, and is like the default model where it promises to be.

use std::io::Cursor;

use candor::gguf::{GgufFile, QuantizedType};

#[path = "../examples/make_tiny_model/model.rs"]
mod model;
#[path = "../examples/make_tiny_model/vocabulary.rs"]
mod vocabulary;

const COMMITTED: &[u8] = include_bytes!("../models/tiny.gguf");

#[test]
fn the_committed_file_is_what_the_generator_makes() {
    let made = model::make().unwrap();
    assert!(made == COMMITTED, "models/tiny.gguf differs from what `cargo run --example make_tiny_model` writes");
    assert!(made.len() < 1_000_000);
}

#[test]
fn it_has_the_default_models_types() {
    let file = GgufFile::open(Cursor::new(COMMITTED)).unwrap();
    for (name, tensor) in &file.tensors {
        let expected = match name.as_str() {
            "token_embd.weight" => QuantizedType::Q8_0,
            name if name.ends_with("norm.weight") => QuantizedType::F32,
            _ => QuantizedType::Q4_1,
        };
        assert_eq!(tensor.kind, expected, "{name}");
    }
    assert_eq!(file.metadata.string_array("tokenizer.ggml.tokens").unwrap().len(), 512);
    assert_eq!(file.tensor("token_embd.weight").unwrap().shape, [96, 512]);
}
