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

/// What to call each of some paths: its last part without an ending; where two have the same, their folder's name too, and
/// where that is the same, the whole path.
pub fn short_names(paths: &[String]) -> Vec<String> {
    let stem = |path: &String| {
        Path::new(path).file_stem().map_or_else(|| path.clone(), |stem| stem.to_string_lossy().into_owned())
    };
    let with_folder = |path: &String| match Path::new(path).parent().and_then(Path::file_name) {
        Some(folder) => format!("{} in {}", stem(path), folder.to_string_lossy()),
        None => stem(path),
    };
    let is_alone = |name: &dyn Fn(&String) -> String, path: &String| {
        !paths.iter().any(|other| other != path && name(other) == name(path))
    };
    let name = |path: &String| {
        if is_alone(&stem, path) {
            stem(path)
        } else if is_alone(&with_folder, path) {
            with_folder(path)
        } else {
            path.clone()
        }
    };
    paths.iter().map(name).collect()
}

/// A name as part of a file's name. Different names may have the same: a hash must stand beside it.
pub fn slug(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let mut joined = parts.join("-");
    joined.truncate(80);
    if joined.is_empty() { hex(&Sha256::digest(name.as_bytes()))[..8].to_owned() } else { joined }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_stem_are_told_apart_by_their_folders() {
        for (paths, names) in [
            (&["a.gguf", "x/b.gguf", "smollm2-135m"][..], &["a", "b", "smollm2-135m"][..]),
            (&["x/a.gguf", "y/a.gguf", "b.gguf"], &["a in x", "a in y", "b"]),
            (&["1/x/a.gguf", "2/x/a.gguf", "y/a.gguf"], &["1/x/a.gguf", "2/x/a.gguf", "a in y"]),
            (&["a.gguf", "x/a.gguf"], &["a", "a in x"]),
        ] {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(short_names(&paths), names, "{paths:?}");
        }
    }

    #[test]
    fn names_in_other_scripts_had_no_slug() {
        assert_eq!(slug("Eight shots, LoRA"), "eight-shots-lora");
        let [russian, chinese] = ["без примеров", "零样本"].map(slug);
        assert!(russian.len() == 8 && chinese.len() == 8 && russian != chinese, "{russian} {chinese}");
    }
}
