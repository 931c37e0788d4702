//! Which files hold an adapter, and in which format.
//!
//! A person points at a folder, drops one, or picks the files one by one; a folder that training wrote holds both formats
//! and much else. Which of them are read is decided here by their names alone, before any is opened, so that command line
//! and browser take the same ones.

use std::io::Cursor;

use super::peft::{CONFIG_FILE, WEIGHTS_FILE};
use super::{Adapter, gguf, peft};
use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};

/// File name of an adapter in llama.cpp's format, where there are several GGUF files.
pub const GGUF_FILE: &str = "adapter.gguf";

/// The files of one adapter, by their places among those that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// PEFT's pair.
    Peft {
        /// The configuration.
        config: usize,
        /// The numbers.
        weights: usize,
    },
    /// llama.cpp's file.
    Gguf(usize),
}

impl Found {
    /// Finds the files of an adapter among files of these names: PEFT's pair where it is whole, else a GGUF file.
    ///
    /// # Errors
    /// None of them, half of PEFT's pair, or several GGUF files of which none is called `adapter.gguf`.
    pub fn among(names: &[&str]) -> Result<Self> {
        let named = |wanted: &str| names.iter().position(|name| *name == wanted);
        let ending = |ending: &str| -> Vec<usize> {
            let has = |name: &str| name.to_ascii_lowercase().ends_with(ending);
            (0..names.len()).filter(|at| has(names[*at])).collect()
        };
        // Renamed files are as good, as long as there is no doubt which they are.
        let only = |wanted: &str, with: &str| {
            named(wanted).or_else(|| ending(with).first().copied().filter(|_| ending(with).len() == 1))
        };
        let (config, weights) = (only(CONFIG_FILE, ".json"), only(WEIGHTS_FILE, ".safetensors"));
        if let (Some(config), Some(weights)) = (config, weights) {
            return Ok(Self::Peft { config, weights });
        }
        match (named(GGUF_FILE), &ending(".gguf")[..]) {
            (Some(at), _) | (None, &[at]) => return Ok(Self::Gguf(at)),
            (None, []) => {}
            (None, several) => {
                return Err(Error::input(format!("{} GGUF files, and none is called {GGUF_FILE}", several.len()))
                    .help("choose one of them"));
            }
        }
        let help = format!("an adapter is {CONFIG_FILE} with {WEIGHTS_FILE}, or a GGUF file such as {GGUF_FILE}");
        Err(match (config, weights) {
            _ if !ending(".bin").is_empty() => Error::unsupported("PyTorch's own .bin files are not read")
                .help("save the adapter with safe_serialization, as PEFT does by default"),
            (Some(_), None) => Error::input(format!("{WEIGHTS_FILE} is missing")).help(help),
            (None, Some(_)) => Error::input(format!("{CONFIG_FILE} is missing")).help(help),
            _ => Error::input("there is no adapter here").help(help),
        })
    }

    /// The places of the files to read.
    pub fn places(self) -> Vec<usize> {
        match self {
            Self::Peft { config, weights } => vec![config, weights],
            Self::Gguf(at) => vec![at],
        }
    }

    /// Reads the adapter from the contents of the files of [`Self::places`], in that order, for a model of this shape.
    ///
    /// # Errors
    /// Files that are not what they should be; an adapter for another model.
    pub fn read(self, contents: &[Vec<u8>], model: &ModelConfig) -> Result<Adapter> {
        let adapter = match (self, contents) {
            (Self::Peft { .. }, [config, weights]) => peft::read(config, weights, model)?,
            (Self::Gguf(_), [bytes]) => gguf::read(Cursor::new(bytes), &model.architecture)?,
            _ => return Err(Error::internal("an adapter was read from another number of files than it has")),
        };
        adapter.check_shapes(model)?;
        Ok(adapter)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::adapter;
    use super::*;
    use crate::engine::config::tests::config;

    #[test]
    fn the_right_files_are_taken_of_a_folder() {
        let peft = |config, weights| Ok(Found::Peft { config, weights });
        for (names, expected) in [
            (&["metrics.jsonl", "adapter.gguf"][..], Ok(Found::Gguf(1))),
            (
                &["adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "checkpoint.safetensors"],
                peft(1, 2),
            ),
            (&["mine.safetensors", "mine.json"], peft(1, 0)),
            (&["Mine.GGUF"], Ok(Found::Gguf(0))),
            (&["a.gguf", "b.gguf"], Err("2 GGUF files")),
            (&["adapter_config.json"], Err("adapter_model.safetensors is missing")),
            (&["adapter_model.safetensors", "a.json", "b.json"], Err("adapter_config.json is missing")),
            (&["adapter_config.json", "adapter_model.bin"], Err("PyTorch")),
            (&["reviews.csv"], Err("no adapter here")),
            (&[], Err("no adapter here")),
        ] {
            match (Found::among(names), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{names:?}"),
                (Err(error), Err(words)) => assert!(error.message.contains(words), "{names:?}: {error}"),
                (found, expected) => panic!("{names:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn both_formats_of_one_adapter_are_the_same_adapter() {
        let model = config(4, 2, 8);
        let adapter = adapter(&model, 3);
        let (json, weights) = peft::write(&adapter, &model, "tiny", 0.0).unwrap();
        let bytes = gguf::write(&adapter, &model.architecture, "tiny", Vec::new()).unwrap();
        let of_peft = Found::Peft { config: 0, weights: 1 }.read(&[json, weights], &model).unwrap();
        let of_gguf = Found::Gguf(0).read(&[bytes], &model).unwrap();
        assert_eq!((of_peft.sha256(), of_gguf.sha256()), (adapter.sha256(), adapter.sha256()));
        assert!(Found::Gguf(0).read(&[], &model).is_err());
    }
}
