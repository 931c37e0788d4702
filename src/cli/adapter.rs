//! Adapters as files: opening either format, for the model they are to be used with.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::store;
use crate::engine::adapter::Adapter;
use crate::engine::adapter::files::Found;
use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf::GgufFile;

/// Opens the adapter in a folder (PEFT's format, or else `adapter.gguf`) or a GGUF file, for a model given as to
/// `--model`.
///
/// # Errors
/// Neither a folder nor a file with an adapter; one that is for another model.
pub fn open(path: &Path, model: &str) -> Result<Adapter> {
    let config = model_config(model)?;
    let at = |file: &Path, error: Error| error.at_file(file.display().to_string());
    let files = files_at(path).map_err(|error| at(path, error))?;
    let names: Vec<String> =
        files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = Found::among(&names).map_err(|error| at(path, error.in_field("--adapter")))?;
    let chosen: Vec<&PathBuf> = found.places().into_iter().map(|place| &files[place]).collect();
    let contents: Vec<Vec<u8>> = (chosen.iter())
        .map(|file| std::fs::read(file).map_err(|error| at(file, error.into())))
        .collect::<Result<_>>()?;
    // An error names one of a pair; of a single file, the file is the place.
    let shown = if chosen.len() == 1 { chosen[0].clone() } else { path.to_path_buf() };
    let adapter = found.read(&contents, &config).map_err(|error| {
        let file = error.file.clone().map_or_else(|| shown.clone(), |name| path.join(name));
        Error { file: None, ..error }.at_file(file.display().to_string())
    })?;
    match adapter.base_sha256() {
        Some(_) => adapter.check_base(&store::model_sha256(model)?).map_err(|error| at(&shown, error))?,
        None => eprintln!(
            "note: {} does not say which model it was trained on; only its shapes were checked",
            shown.display()
        ),
    }
    Ok(adapter)
}

/// The files to look among: those of a folder, or the one itself.
fn files_at(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(if path.is_file() { vec![path.to_path_buf()] } else { Vec::new() });
    }
    let entries = std::fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
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
