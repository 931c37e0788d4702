//! The folder where model files live, and the rule that an unchecked file is never used.
//!
//! A file gets its final name only after its size and SHA-256 were found right, and a note beside it keeps what was
//! checked (hash, size, time of last change), so that the next start need not read a hundred megabytes again. A file
//! that somebody else put there is checked when it is first used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::manifest::{Manifest, ManifestModel};
use crate::error::{Error, Kind, Result};

/// The folder of model files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The machine's store: `models` in `CANDOR_HOME`, else in the platform's cache folder for this program.
    ///
    /// # Errors
    /// If the machine has no cache folder.
    pub fn open() -> Result<Self> {
        let home = std::env::var_os("CANDOR_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let home = home.or_else(|| Some(directories::BaseDirs::new()?.cache_dir().join("candor")));
        let home = home.ok_or_else(|| {
            Error::new(Kind::Io, "this machine has no cache folder").help("set CANDOR_HOME to a folder for models")
        })?;
        Ok(Self::at(home.join("models")))
    }

    /// A store in this folder, which is created when something is fetched.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a model's file is, or will be.
    pub fn path(&self, model: &ManifestModel) -> PathBuf {
        self.folder.join(&model.file)
    }

    /// A file beside the model's, e.g. the part that an interrupted download left.
    pub(super) fn beside(&self, model: &ManifestModel, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", model.file))
    }

    /// The model's file, if it is there and right; `None` if it is not there.
    ///
    /// # Errors
    /// If it is there with another size or hash (both are named), or cannot be read.
    pub fn verified(&self, model: &ManifestModel) -> Result<Option<PathBuf>> {
        let path = self.path(model);
        let Some(found) = Stamp::of(&path)? else { return Ok(None) };
        let note = self.beside(model, "verified");
        let expected = found.note(&model.sha256);
        if std::fs::read_to_string(&note).is_ok_and(|noted| noted == expected) {
            return Ok(Some(path));
        }
        check(model, found.bytes, || sha256_of(&path)).map_err(|error| {
            error.at_file(path.display().to_string()).help(format!("run `candor model fetch {}`", model.name))
        })?;
        // A read-only store is fine: it is checked again next time.
        let _ = std::fs::write(&note, expected);
        Ok(Some(path))
    }

    /// Gives a checked file its final name; `part` must be in the store's folder.
    pub(super) fn keep(&self, model: &ManifestModel, part: &Path) -> Result<PathBuf> {
        let path = self.path(model);
        std::fs::rename(part, &path).map_err(|error| at(&path, error))?;
        if let Some(stamp) = Stamp::of(&path)? {
            let _ = std::fs::write(self.beside(model, "verified"), stamp.note(&model.sha256));
        }
        Ok(path)
    }
}

/// Refuses a size or hash that is not the manifest's.
pub(super) fn check(model: &ManifestModel, bytes: u64, sha256: impl FnOnce() -> Result<String>) -> Result<()> {
    if bytes != model.bytes {
        return Err(Error::format(format!("the file has {bytes} bytes; {} has {}", model.name, model.bytes)));
    }
    let found = sha256()?;
    if found != model.sha256 {
        return Err(Error::format(format!(
            "the file's SHA-256 is {found}, but {} has {}: it is not that model, or it is damaged",
            model.name, model.sha256
        )));
    }
    Ok(())
}

/// What tells that a file was not touched since it was checked.
struct Stamp {
    bytes: u64,
    changed: u128,
}

impl Stamp {
    fn of(path: &Path) -> Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {
                let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                Ok(Some(Self { bytes: metadata.len(), changed: changed.map_or(0, |time| time.as_nanos()) }))
            }
            Ok(_) => Err(Error::new(Kind::Io, "not a file").at_file(path.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(path, error)),
        }
    }

    fn note(&self, sha256: &str) -> String {
        format!("sha256 {sha256}\nbytes {}\nchanged {}\n", self.bytes, self.changed)
    }
}

/// An IO error with the path it happened at.
pub(super) fn at(path: &Path, error: std::io::Error) -> Error {
    Error::from(error).at_file(path.display().to_string())
}

/// The SHA-256 of what [`resolve`] finds: a known model's was checked already, another file is read.
///
/// # Errors
/// As [`resolve`]; a file that cannot be read.
pub fn model_sha256(name: &str) -> Result<String> {
    let path = resolve(name)?;
    match Manifest::embedded()?.find(name) {
        Some(known) => Ok(known.sha256.clone()),
        None => sha256_of(&path),
    }
}

/// A file's SHA-256 in lower-case hex.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash_into(&mut File::open(path).map_err(|error| at(path, error))?, &mut hash).map_err(|error| at(path, error))?;
    Ok(hex(hash))
}

/// Feeds everything that is left of `reader` to `hash`; returns how many bytes that were.
pub(super) fn hash_into(reader: &mut impl Read, hash: &mut Sha256) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => {
                hash.update(&buffer[..count]);
                total += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A finished hash in lower-case hex.
pub(super) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file that `--model` means: the checked file of a known model, or a path.
///
/// # Errors
/// If the name is known but its file is absent or wrong, or it is neither a name nor a file; the help says what to do.
pub fn resolve(model: &str) -> Result<PathBuf> {
    resolve_in(&Manifest::embedded()?, &Store::open()?, model)
}

fn resolve_in(manifest: &Manifest, store: &Store, model: &str) -> Result<PathBuf> {
    if let Some(known) = manifest.find(model) {
        return store.verified(known)?.ok_or_else(|| {
            Error::input(format!("the model {model} is not on this machine yet"))
                .in_field("--model")
                .help(format!("candor model fetch {model}"))
        });
    }
    let path = Path::new(model);
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let what = if path.is_dir() { "is a folder" } else { "is neither a known model nor a file" };
    Err(Error::input(format!("\"{model}\" {what}"))
        .in_field("--model")
        .help(format!("give the path of a .gguf file, or one of: {}", manifest.names())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::manifest::Source;

    /// A model of six bytes.
    fn model() -> ManifestModel {
        ManifestModel {
            name: "six".into(),
            description: "six bytes".into(),
            file: "six.gguf".into(),
            bytes: 6,
            sha256: hex(Sha256::new_with_prefix("abcdef")),
            licence: "MIT".into(),
            homepage: None,
            sources: vec![Source::Url { url: "http://127.0.0.1:9/".into() }],
        }
    }

    #[test]
    fn only_a_right_file_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let (store, model) = (Store::at(folder.path()), model());
        let manifest = Manifest { models: vec![model.clone()] };
        let path = folder.path().join("six.gguf");

        let absent = resolve_in(&manifest, &store, "six").unwrap_err();
        assert_eq!(absent.help.as_deref(), Some("candor model fetch six"));

        std::fs::write(&path, "abcde").unwrap();
        let short = store.verified(&model).unwrap_err();
        assert!(short.message.contains("5 bytes") && short.message.contains('6'), "{short}");

        std::fs::write(&path, "abcdeX").unwrap();
        let wrong = store.verified(&model).unwrap_err();
        assert!(wrong.message.contains(&model.sha256), "{wrong}");
        assert!(wrong.message.contains(&hex(Sha256::new_with_prefix("abcdeX"))), "{wrong}");
        assert!(wrong.help.unwrap().contains("candor model fetch six"));

        std::fs::write(&path, "abcdef").unwrap();
        assert_eq!(resolve_in(&manifest, &store, "six").unwrap(), path);
        assert!(folder.path().join("six.gguf.verified").is_file(), "what was checked is noted");

        // Damage after the check, with another time of change, is noticed in spite of the note.
        std::fs::write(&path, "abcdeY").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert!(store.verified(&model).is_err());
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (store, manifest) = (Store::at(folder.path()), Manifest { models: vec![model()] });
        let path = folder.path().join("own.gguf");
        std::fs::write(&path, "x").unwrap();
        assert_eq!(resolve_in(&manifest, &store, path.to_str().unwrap()).unwrap(), path);
        let neither = resolve_in(&manifest, &store, "seven").unwrap_err();
        assert!(neither.help.unwrap().contains("six"), "known names are listed");
        assert!(resolve_in(&manifest, &store, folder.path().to_str().unwrap()).unwrap_err().message.contains("folder"));
    }
}
