//! What is wanted: a model's names, size, hash and addresses, whichever way it was asked for.

use candor::error::{Error, Result};
use candor::protocol::ModelSource;

use super::record;

/// A model to be found or fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How it is called.
    pub name: String,
    /// File name under which it is kept.
    pub file: String,
    /// Size in bytes, where known beforehand.
    pub bytes: Option<u64>,
    /// SHA-256 in lower-case hex, where known beforehand.
    pub sha256: Option<String>,
    /// Absolute addresses, tried in order; none for a model that must be here already.
    pub addresses: Vec<String>,
    /// Whether a kept file will do, and which.
    pub kept: Acceptable,
}

/// Which kept file will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptable {
    /// None: a picked file may have changed under its name.
    Nothing,
    /// One of the wanted hash.
    SameHash,
    /// One that came from the wanted address.
    SameAddress,
    /// Any of that name.
    Any,
}

impl Wanted {
    /// Reads a request.
    ///
    /// # Errors
    /// A file name or an address that cannot be one.
    pub fn new(source: &ModelSource) -> Result<Self> {
        Ok(match source {
            ModelSource::Manifest { name, file, bytes, sha256, urls } => Self {
                name: name.clone(),
                file: checked_name(file)?,
                bytes: Some(*bytes),
                sha256: Some(sha256.to_ascii_lowercase()),
                addresses: urls.clone(),
                kept: Acceptable::SameHash,
            },
            ModelSource::Url { url } => {
                let path = url.split(['?', '#']).next().unwrap_or(url);
                let file = checked_name(path.rsplit('/').next().unwrap_or(path))?;
                Self {
                    name: file.clone(),
                    file,
                    bytes: None,
                    sha256: None,
                    addresses: vec![url.clone()],
                    kept: Acceptable::SameAddress,
                }
            }
            ModelSource::File { url, name, bytes } => Self {
                name: name.clone(),
                file: checked_name(name)?,
                bytes: Some(*bytes),
                sha256: None,
                addresses: vec![url.clone()],
                kept: Acceptable::Nothing,
            },
            ModelSource::Kept { file } => Self {
                name: file.clone(),
                file: checked_name(file)?,
                bytes: None,
                sha256: None,
                addresses: Vec::new(),
                kept: Acceptable::Any,
            },
        })
    }

    /// Whether a kept file with this record is what is wanted.
    pub fn accepts(&self, record: &record::Record) -> bool {
        match self.kept {
            Acceptable::Nothing => false,
            Acceptable::SameHash => record.sha256.is_some() && record.sha256 == self.sha256,
            Acceptable::SameAddress => self.addresses.contains(&record.address),
            Acceptable::Any => true,
        }
    }
}

/// A name that the file system takes and that does not collide with our own endings.
fn checked_name(name: &str) -> Result<String> {
    let bad = |why: &str| Err(Error::input(format!("\"{name}\" {why}")).help("a model's file name ends with .gguf"));
    if name.is_empty() || name == "." || name == ".." {
        return bad("names no file");
    }
    if name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) || name.contains(char::is_control) {
        return bad("holds characters that a file name cannot have");
    }
    if name.ends_with(record::SUFFIX) || name.ends_with(record::UNFINISHED) {
        return bad("is no name of a model");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::Record;

    fn url(url: &str) -> ModelSource {
        ModelSource::Url { url: url.to_owned() }
    }

    #[test]
    fn an_address_names_its_file() {
        for (address, file) in [
            ("https://a.example/b/c.gguf?download=true#x", "c.gguf"),
            ("https://a.example/model%20one.gguf", "model%20one.gguf"),
        ] {
            assert_eq!(Wanted::new(&url(address)).expect(address).file, file);
        }
        for address in ["https://a.example/", "https://a.example/x.json", "https://a.example/x.part", ""] {
            assert!(Wanted::new(&url(address)).is_err(), "{address}");
        }
        assert!(Wanted::new(&ModelSource::Kept { file: "../x".to_owned() }).is_err());
    }

    #[test]
    fn a_kept_file_must_be_the_one_that_is_wanted() {
        let manifest = ModelSource::Manifest {
            name: "n".into(),
            file: "f.gguf".into(),
            bytes: 3,
            sha256: "AB".into(),
            urls: vec!["https://a.example/f.gguf".into()],
        };
        let picked = ModelSource::File { url: "blob:x".into(), name: "f.gguf".into(), bytes: 3 };
        let kept = ModelSource::Kept { file: "f.gguf".into() };
        let record = |sha256: &str, address: &str| Record {
            address: address.into(),
            validator: None,
            bytes: 3,
            sha256: Some(sha256.into()),
        };
        let address = "https://a.example/f.gguf";
        for (source, sha256, from, expected) in [
            (&manifest, "ab", "blob:x", true),
            (&manifest, "cd", address, false),
            (&url(address), "cd", address, true),
            (&url(address), "cd", "https://b.example/f.gguf", false),
            (&picked, "ab", "blob:x", false),
            (&kept, "cd", "blob:x", true),
        ] {
            let wanted = Wanted::new(source).expect("a good source");
            assert_eq!(wanted.accepts(&record(sha256, from)), expected, "{source:?}");
        }
    }
}
