//! Adapters as files: opening either format, for the model they are to be used with.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::store;
use crate::engine::adapter::peft::{CONFIG_FILE, WEIGHTS_FILE};
use crate::engine::adapter::{Adapter, gguf, peft};
use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf::GgufFile;
use crate::train::output::GGUF_FILE;

/// Opens the adapter in a folder (PEFT's format, or else `adapter.gguf`) or a GGUF file, for a model given as to
/// `--model`.
///
/// # Errors
/// Neither a folder nor a file with an adapter; one that is for another model.
pub fn open(path: &Path, model: &str) -> Result<Adapter> {
    let config = model_config(model)?;
    let at = |file: &Path, error: Error| error.at_file(file.display().to_string());
    let read = |file: &Path| std::fs::read(file).map_err(|error| at(file, error.into()));
    let gguf_file = if path.is_dir() { path.join(GGUF_FILE) } else { path.to_path_buf() };
    let (shown, adapter) = if path.join(CONFIG_FILE).is_file() {
        let weights = read(&path.join(WEIGHTS_FILE))?;
        let adapter = peft::read(&read(&path.join(CONFIG_FILE))?, &weights, &config).map_err(|error| {
            let file = error.file.clone().map_or_else(|| path.to_path_buf(), |name| path.join(name));
            Error { file: None, ..error }.at_file(file.display().to_string())
        })?;
        (path.to_path_buf(), adapter)
    } else if gguf_file.is_file() {
        let reader = BufReader::new(File::open(&gguf_file).map_err(|error| at(&gguf_file, error.into()))?);
        let adapter = gguf::read(reader, &config.architecture).map_err(|error| at(&gguf_file, error))?;
        (gguf_file, adapter)
    } else {
        return Err(at(path, Error::input("there is no adapter here")).in_field("--adapter").help(format!(
            "give a folder with {CONFIG_FILE} and {WEIGHTS_FILE}, or with {GGUF_FILE}, or a GGUF file"
        )));
    };
    adapter.check_shapes(&config).map_err(|error| at(&shown, error))?;
    match adapter.base_sha256() {
        Some(_) => adapter.check_base(&store::model_sha256(model)?).map_err(|error| at(&shown, error))?,
        None => eprintln!(
            "note: {} does not say which model it was trained on; only its shapes were checked",
            shown.display()
        ),
    }
    Ok(adapter)
}

/// The description of a model given as to `--model`, without its weights.
///
/// # Errors
/// A model that is not there or is not supported.
pub fn model_config(model: &str) -> Result<ModelConfig> {
    let path: PathBuf = store::resolve(model)?;
    let named = |error: Error| error.at_file(path.display().to_string());
    let reader = BufReader::new(File::open(&path).map_err(|error| named(error.into()))?);
    ModelConfig::from_gguf(&GgufFile::open(reader).map_err(named)?.metadata).map_err(named)
}
