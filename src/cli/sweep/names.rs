//! Names of runs and folders, and hashes of what runs are made of.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::store;
use crate::error::{Error, Result};

/// The word for "without".
pub const NONE: &str = "none";

/// The list, or "none" for an empty one.
pub fn or_none(words: &[String]) -> Vec<String> {
    if words.is_empty() { vec![NONE.to_owned()] } else { words.to_vec() }
}

/// The last part of a path, without an ending.
pub fn short(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| path.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// A name as part of a file's name.
pub fn slug(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let mut joined = parts.join("-");
    joined.truncate(80);
    joined
}

/// SHA-256 of what a run depends on.
pub fn hash_of_ingredients(ingredients: &serde_json::Value) -> String {
    hex(&Sha256::digest(ingredients.to_string().as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// SHA-256 of a file, or of a folder's files with their names.
///
/// # Errors
/// What cannot be read; `field` is where the sweep names it.
pub fn hash_of(path: &Path, field: &str) -> Result<String> {
    let at = |error: std::io::Error| Error::from(error).at_file(path.display().to_string()).in_field(field);
    if !path.is_dir() {
        return store::sha256_of(path).map_err(|error| error.in_field(field));
    }
    let mut names: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(at)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(at)?;
    names.retain(|name| name.is_file());
    names.sort();
    let mut all = Sha256::new();
    for name in names {
        all.update(name.file_name().unwrap_or_default().as_encoded_bytes());
        all.update(store::sha256_of(&name)?.as_bytes());
    }
    Ok(hex(&all.finalize()))
}
