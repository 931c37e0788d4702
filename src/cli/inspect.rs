//! What a GGUF file holds, and whether this program can run it.
//!
//! The header alone is read, and a type, architecture or tokenizer that is not supported is part of the answer
//! instead of an error: this is the command for finding out.

use std::io::{Read, Seek};

use indexmap::IndexMap;
use serde::Serialize;

use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf::{DirectoryEntry, GgufFile, Header, Metadata, type_name};
use crate::tokenizer::Tokenizer;

/// What a file holds. A fact that the file does not state is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// GGUF version.
    pub version: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// `general.architecture`.
    pub architecture: Option<String>,
    /// `general.name`.
    pub name: Option<String>,
    /// `general.license`.
    pub licence: Option<String>,
    /// Elements of all tensors.
    pub parameters: u64,
    /// Decoder layers.
    pub layers: Option<u64>,
    /// Hidden width.
    pub width: Option<u64>,
    /// Width of the feed-forward network.
    pub feed_forward: Option<u64>,
    /// Query heads.
    pub heads: Option<u64>,
    /// Key and value heads.
    pub kv_heads: Option<u64>,
    /// Longest prompt in tokens.
    pub context: Option<u64>,
    /// Tokens.
    pub vocabulary: Option<u64>,
    /// Kind of tokenizer, e.g. `gpt2`.
    pub tokenizer: Option<String>,
    /// Pre-tokenizer, e.g. `smollm`.
    pub pre_tokenizer: Option<String>,
    /// Whether the file carries a chat template.
    pub chat_template: bool,
    /// Tensors.
    pub tensors: usize,
    /// Per element type: tensors and elements, most elements first.
    pub types: IndexMap<String, TypeCount>,
    /// Metadata pairs, long values shortened.
    pub metadata: IndexMap<String, String>,
    /// The backend that will run it.
    pub backend: Option<String>,
    /// Why no backend will; empty if one will.
    pub problems: Vec<String>,
}

/// How much of a file is of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TypeCount {
    /// Tensors.
    pub tensors: usize,
    /// Elements.
    pub elements: u64,
}

/// Describes a file.
///
/// # Errors
/// If its header is broken. What is merely not supported is listed in `problems`.
pub fn inspect<R: Read + Seek>(mut reader: R) -> Result<Inspection> {
    let header = Header::read(&mut reader)?;
    let metadata = &header.metadata;
    let text = |key: &str| metadata.optional(key, Metadata::str).ok().flatten().map(str::to_string);
    let architecture = text("general.architecture");
    let number = |key: &str| {
        let key = format!("{}.{key}", architecture.as_deref().unwrap_or_default());
        metadata.optional(&key, Metadata::u64).ok().flatten()
    };
    let tokens = metadata.string_array("tokenizer.ggml.tokens").ok();
    let problems = problems(&header, &mut reader);
    Ok(Inspection {
        version: header.version,
        bytes: header.file_bytes,
        name: text("general.name"),
        licence: text("general.license"),
        parameters: header.tensors.iter().map(DirectoryEntry::elements).sum(),
        layers: number("block_count"),
        width: number("embedding_length"),
        feed_forward: number("feed_forward_length"),
        heads: number("attention.head_count"),
        kv_heads: number("attention.head_count_kv"),
        context: number("context_length"),
        vocabulary: tokens.map(|tokens| tokens.len() as u64),
        tokenizer: text("tokenizer.ggml.model"),
        pre_tokenizer: text("tokenizer.ggml.pre"),
        chat_template: metadata.contains("tokenizer.chat_template"),
        tensors: header.tensors.len(),
        types: types(&header.tensors),
        metadata: metadata.iter().map(|(key, value)| (key.to_string(), value.summary())).collect(),
        backend: problems.is_empty().then(|| "CPU".to_string()),
        problems,
        architecture,
    })
}

fn types(tensors: &[DirectoryEntry]) -> IndexMap<String, TypeCount> {
    let mut types: IndexMap<String, TypeCount> = IndexMap::new();
    for tensor in tensors {
        let name = type_name(tensor.type_id).map_or_else(|| format!("type {}", tensor.type_id), str::to_string);
        let count = types.entry(name).or_default();
        count.tensors += 1;
        count.elements += tensor.elements();
    }
    types.sort_by(|_, a, _, b| b.elements.cmp(&a.elements));
    types
}

/// Everything that stands in the way of running the file.
fn problems<R: Read + Seek>(header: &Header, reader: R) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |result: Result<()>| {
        if let Err(Error { message, field, .. }) = result {
            let place = field.map_or_else(String::new, |field| format!("{field}: "));
            problems.push(format!("{place}{message}"));
        }
    };
    if let Ok(Some(parts)) = header.metadata.optional("split.count", Metadata::u32)
        && parts > 1
    {
        note(Err(Error::unsupported(format!("this is one of {parts} parts of a model; join them into one file"))));
    }
    note(GgufFile::open(reader).map(drop));
    note(ModelConfig::from_gguf(&header.metadata).map(drop));
    note(Tokenizer::from_gguf(&header.metadata).map(drop));
    problems
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gguf::Value;

    const TINY: &[u8] = include_bytes!("../../models/tiny.gguf");

    #[test]
    fn the_tiny_model_is_described() {
        let found = inspect(Cursor::new(TINY)).unwrap();
        assert_eq!(found.architecture.as_deref(), Some("llama"));
        assert_eq!((found.layers, found.width, found.context), (Some(3), Some(96), Some(1024)));
        assert_eq!((found.heads, found.kv_heads, found.vocabulary), (Some(6), Some(2), Some(512)));
        assert_eq!(found.types.keys().collect::<Vec<_>>(), ["Q4_1", "Q8_0", "F32"]);
        assert_eq!(found.types["Q8_0"], TypeCount { tensors: 1, elements: 49_152 });
        assert_eq!(found.parameters, found.types.values().map(|count| count.elements).sum::<u64>());
        assert!(found.chat_template);
        assert_eq!((found.backend.as_deref(), found.problems.len()), (Some("CPU"), 0), "{:?}", found.problems);
    }

    #[test]
    fn what_is_not_supported_is_told() {
        use crate::gguf::GgufWriter;
        let mut metadata = Metadata::default();
        metadata.insert("general.architecture", Value::String("mamba".into()));
        metadata.insert("split.count", Value::U16(3));
        let bytes = GgufWriter::new(Vec::new(), &metadata, &[]).unwrap().finish().unwrap();
        let found = inspect(Cursor::new(bytes)).unwrap();
        assert_eq!(found.backend, None);
        for expected in ["3 parts", "\"mamba\" is not supported", "tokenizer"] {
            assert!(found.problems.iter().any(|problem| problem.contains(expected)), "{:?}", found.problems);
        }
        assert!(inspect(Cursor::new(&TINY[..1000])).is_err(), "a broken header is an error");
    }
}
