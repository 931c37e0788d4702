//! Text to token ids and back, from what a GGUF file says of its tokenizer.
//!
//! The merging itself is the `tokenizers` crate's; this module reads the vocabulary, the merges and the name of the
//! pre-tokenizer from GGUF metadata, refuses by name what it does not know (a guess would give plausible but wrong
//! probabilities), and decides where special tokens may be read: only in text that the caller marks as its own, never
//! in a user's text, so that a review containing `<|im_end|>` stays a review.
//!
//! Both builds use the crate's `fancy-regex` engine; the same fixture is checked natively and in a browser.

use std::collections::HashMap;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::error::{Error, Result};
use crate::gguf::Metadata;
use crate::task::prompt::Piece;

/// Splits of Llama 3, as its `tokenizer.json` gives them.
const LLAMA3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Splits of Qwen 2 and later, as its `tokenizer.json` gives them.
const QWEN2_SPLIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Values of `tokenizer.ggml.pre` that are supported.
pub const SUPPORTED_PRE_TOKENIZERS: [&str; 5] = ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"];

/// Values of `tokenizer.ggml.token_type`.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// A byte-level BPE tokenizer read from a GGUF file.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Bytes of each token, by id.
    bytes: Vec<Box<[u8]>>,
    /// Special tokens, longest first: read only where the caller allows it.
    control: Vec<(String, u32)>,
    /// Tokens that are read in any text, longest first.
    user_defined: Vec<(String, u32)>,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
}

impl Tokenizer {
    /// Reads the tokenizer from a GGUF file's metadata.
    ///
    /// # Errors
    /// An unknown `tokenizer.ggml.model` or `tokenizer.ggml.pre`, missing lists, ids out of range: by name, with what
    /// is supported.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        let model = metadata.str("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(Error::unsupported(format!("tokenizer model \"{model}\" is not supported"))
                .in_field("tokenizer.ggml.model")
                .help("supported: \"gpt2\" (byte-level BPE); use a model of the SmolLM, Llama 3 or Qwen families"));
        }
        let pre = metadata.str("tokenizer.ggml.pre").map_err(|error| {
            error.help("without it the splits can only be guessed; convert the model again with a current converter")
        })?;
        let pre_tokenizer = pre_tokenizer(pre)?;
        let tokens = metadata.string_array("tokenizer.ggml.tokens")?;
        let kinds = metadata.i32_array("tokenizer.ggml.token_type")?;
        if kinds.len() != tokens.len() {
            return Err(Error::format(format!("{} token types for {} tokens", kinds.len(), tokens.len()))
                .in_field("tokenizer.ggml.token_type"));
        }
        let mut vocabulary = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            vocabulary.entry(token.to_owned()).or_insert(id as u32);
        }
        let merges = merges(metadata)?;
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
            .ignore_merges(pre == "llama-bpe")
            .build()
            .map_err(|error| Error::format(error.to_string()).in_field("tokenizer.ggml.merges"))?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        inner.with_pre_tokenizer(Some(pre_tokenizer));

        let special = |wanted: i32| {
            let mut list: Vec<(String, u32)> = (tokens.iter().zip(kinds).enumerate())
                .filter(|(_, (text, kind))| **kind == wanted && !text.is_empty())
                .map(|(id, (text, _))| (text.to_owned(), id as u32))
                .collect();
            list.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.cmp(&b.1)));
            list
        };
        let (control, user_defined) = (special(CONTROL), special(USER_DEFINED));
        let from_character = byte_of_character();
        let bytes = (tokens.iter().zip(kinds))
            .map(|(text, kind)| match *kind {
                CONTROL | USER_DEFINED => text.as_bytes().into(),
                _ => token_bytes(text, &from_character),
            })
            .collect();
        let known = |key: &str| -> Result<Option<u32>> {
            match metadata.get(key) {
                None => Ok(None),
                Some(_) => match metadata.u32(key)? {
                    id if (id as usize) < tokens.len() => Ok(Some(id)),
                    id => Err(Error::format(format!("token id {id} is outside the vocabulary of {}", tokens.len()))
                        .in_field(key)),
                },
            }
        };
        Ok(Self {
            inner,
            bytes,
            control,
            user_defined,
            bos: known("tokenizer.ggml.bos_token_id")?,
            eos: known("tokenizer.ggml.eos_token_id")?,
            add_bos: metadata.bool("tokenizer.ggml.add_bos_token").unwrap_or(pre == "llama-bpe"),
        })
    }

    /// Vocabulary size.
    pub fn vocabulary(&self) -> usize {
        self.bytes.len()
    }

    /// The token put before every prompt, if the model asks for one.
    pub fn leading_token(&self) -> Option<u32> {
        if self.add_bos { self.bos } else { None }
    }

    /// Text of the beginning-of-sequence token, for chat templates.
    pub fn bos_text(&self) -> String {
        self.bos.map(|id| self.token_text(id)).unwrap_or_default()
    }

    /// Text of the end-of-sequence token, for chat templates.
    pub fn eos_text(&self) -> String {
        self.eos.map(|id| self.token_text(id)).unwrap_or_default()
    }

    /// Token ids of a text; special tokens are read in it only if `special` says so.
    ///
    /// # Errors
    /// Only if the tokenizer library fails.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        self.encode_pieces(&[(text, special)])
    }

    /// Token ids of a prompt in pieces, as if it were one text, except that special tokens are read only inside the
    /// pieces that are marked. Words may merge across the seam of two pieces.
    ///
    /// # Errors
    /// Only if the tokenizer library fails.
    pub fn encode_pieces(&self, pieces: &[(&str, bool)]) -> Result<Vec<u32>> {
        let whole: String = pieces.iter().map(|(text, _)| *text).collect();
        let mut found: Vec<(usize, usize, u32)> = Vec::new();
        let mut start = 0;
        for (text, special) in pieces {
            if *special {
                found.extend(occurrences(text, &self.control).map(|(at, end, id)| (start + at, start + end, id)));
            }
            start += text.len();
        }
        if !self.user_defined.is_empty() {
            found.extend(occurrences(&whole, &self.user_defined));
            found.sort_by_key(|(at, end, _)| (*at, usize::MAX - *end));
        }
        let mut ids = Vec::with_capacity(whole.len() / 3 + 8);
        let mut done = 0;
        for (at, end, id) in found {
            if at < done {
                continue;
            }
            self.encode_plain(&whole[done..at], &mut ids)?;
            ids.push(id);
            done = end;
        }
        self.encode_plain(&whole[done..], &mut ids)?;
        Ok(ids)
    }

    /// Token ids of a rendered prompt: [`Self::leading_token`] first, then the pieces.
    ///
    /// # Errors
    /// Only if the tokenizer library fails.
    pub fn encode_prompt<'a>(&self, pieces: impl IntoIterator<Item = &'a Piece>) -> Result<Vec<u32>> {
        let pieces: Vec<(&str, bool)> = pieces.into_iter().map(|piece| (piece.text.as_str(), piece.special)).collect();
        let mut ids = self.encode_pieces(&pieces)?;
        if let Some(leading) = self.leading_token()
            && ids.first() != Some(&leading)
        {
            ids.insert(0, leading);
        }
        Ok(ids)
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        if !text.is_empty() {
            let encoding = self.inner.encode_fast(text, false).map_err(|e| Error::internal(e.to_string()))?;
            ids.extend_from_slice(encoding.get_ids());
        }
        Ok(())
    }

    /// A token's bytes; empty for an id outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], |bytes| bytes)
    }

    /// A token's text; bytes that are no UTF-8 by themselves are shown as `\xNN`.
    pub fn token_text(&self, id: u32) -> String {
        show_bytes(self.token_bytes(id))
    }

    /// The text of a token sequence.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.token_bytes(*id)).copied().collect();
        show_bytes(&bytes)
    }
}

fn show_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn pre_tokenizer(name: &str) -> Result<PreTokenizerWrapper> {
    let byte_level = |regex| PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, regex));
    let split = |pattern: &str| -> Result<PreTokenizerWrapper> {
        let split = Split::new(SplitPattern::Regex(pattern.into()), SplitDelimiterBehavior::Isolated, false)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(Sequence::new(vec![split.into(), byte_level(false)]).into())
    };
    match name {
        "gpt-2" | "default" => Ok(byte_level(true)),
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), byte_level(true)]).into()),
        "llama-bpe" => split(LLAMA3_SPLIT),
        "qwen2" => split(QWEN2_SPLIT),
        other => Err(Error::unsupported(format!("pre-tokenizer \"{other}\" is not supported"))
            .in_field("tokenizer.ggml.pre")
            .help(format!("supported: {}", SUPPORTED_PRE_TOKENIZERS.join(", ")))),
    }
}

fn merges(metadata: &Metadata) -> Result<Vec<(String, String)>> {
    const KEY: &str = "tokenizer.ggml.merges";
    let lines = metadata.string_array(KEY)?;
    (lines.iter().enumerate())
        .map(|(index, line)| match line.split_once(' ') {
            Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok((left.to_owned(), right.to_owned())),
            _ => {
                Err(Error::format(format!("merge {index} is not two parts with a space between: {line:?}"))
                    .in_field(KEY))
            }
        })
        .collect()
}

/// The leftmost, longest occurrences of `list` (longest first) in `text`: (start, end, id).
fn occurrences<'a>(text: &'a str, list: &'a [(String, u32)]) -> impl Iterator<Item = (usize, usize, u32)> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (start, token) = (list.iter())
            .filter_map(|token| text[at..].find(token.0.as_str()).map(|offset| (at + offset, token)))
            .min_by_key(|(start, token)| (*start, usize::MAX - token.0.len()))?;
        at = start + token.0.len();
        Some((start, at, token.1))
    })
}

/// The inverse of GPT-2's byte-to-character table: printable Latin-1 stands for itself, the other 68 bytes for
/// U+0100 onwards.
fn byte_of_character() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..=255u8).filter(|byte| !printable(*byte)).zip('\u{100}'..);
    (0..=255u8)
        .filter(|byte| printable(*byte))
        .map(|byte| (char::from(byte), byte))
        .chain(others.map(|(b, c)| (c, b)))
        .collect()
}

fn token_bytes(text: &str, from_character: &HashMap<char, u8>) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match from_character.get(&character) {
            Some(byte) => bytes.push(*byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes.into()
}
