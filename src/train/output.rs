//! An adapter's folder: both formats, side by side.

use std::path::Path;

use super::checkpoint::write_whole;
use crate::engine::adapter::files::GGUF_FILE;
use crate::engine::adapter::peft::{CONFIG_FILE, WEIGHTS_FILE};
use crate::engine::adapter::{Adapter, gguf, peft};
use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};

/// Writes both formats; each file is there whole or as it was.
///
/// # Errors
/// A disk that is full or cannot be written.
pub fn write(folder: &Path, adapter: &Adapter, config: &ModelConfig, base: &str, dropout: f64) -> Result<()> {
    let (json, weights) = peft::write(adapter, config, base, dropout)?;
    let gguf = gguf::write(adapter, &config.architecture, &format!("LoRA for {base}"), Vec::new())?;
    write_whole(&folder.join(WEIGHTS_FILE), &weights)?;
    write_whole(&folder.join(CONFIG_FILE), &json)?;
    write_whole(&folder.join(GGUF_FILE), &gguf)
}

/// Reads PEFT's format from a folder.
///
/// # Errors
/// Files that are not there or are no adapter of the model.
pub fn read(folder: &Path, config: &ModelConfig) -> Result<Adapter> {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| Error::from(error).at_file(path.display().to_string()))
    };
    peft::read(&file(CONFIG_FILE)?, &file(WEIGHTS_FILE)?, config)
}
