//! Where a fine-tune stands, as a file: enough to go on after a kill and end at the same adapter.
//!
//! Written after every epoch, to another name first, so that there is always one whole checkpoint. It says what it was
//! made of; going on with anything else is refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::optimizer::AdamW;
use super::settings::Settings;
use super::validation::Validation;
use crate::error::{Error, Result};

/// File name in the adapter's folder.
pub const FILE: &str = "checkpoint.safetensors";
/// What the header says, and what the hashes in it are of: a checkpoint with another number cannot be compared.
const FORMAT: u32 = 2;

/// What a fine-tune is made of, besides the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOf {
    /// SHA-256 of the base's file.
    pub model_sha256: String,
    /// SHA-256 of the task.
    pub task_sha256: String,
    /// SHA-256 of the rows, those to learn from and those to validate with.
    pub data_sha256: String,
    /// How many tokens of a prompt are kept, where prompts are cut.
    #[serde(default)]
    pub limit_tokens: Option<usize>,
}

/// The progress of a fine-tune.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epochs: usize,
    /// The best epoch so far (counted from 1) and its validation.
    pub best: Option<(usize, Validation)>,
    /// The validation before any step.
    pub before: Validation,
    /// Lines of the metrics file that belong to these epochs.
    pub lines: usize,
    /// Seconds of computing.
    pub seconds: f64,
    /// Tokens trained on.
    pub tokens: u64,
}

/// Everything that the next epoch depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The settings.
    pub settings: Settings,
    /// Base, task and data.
    pub made_of: MadeOf,
    /// How far it is.
    pub progress: Progress,
    /// The trained numbers.
    pub values: Vec<f32>,
    /// The optimizer's memory.
    pub optimizer: AdamW,
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(default)]
    format: u32,
    settings: Settings,
    made_of: MadeOf,
    progress: Progress,
    steps: usize,
}

impl Checkpoint {
    /// Writes it into a folder.
    ///
    /// # Errors
    /// A disk that is full or cannot be written; the checkpoint that was there before is then still there.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let header = Header {
            format: FORMAT,
            settings: self.settings.clone(),
            made_of: self.made_of.clone(),
            progress: self.progress.clone(),
            steps: self.optimizer.steps,
        };
        let header = serde_json::to_string(&header).map_err(|error| Error::internal(error.to_string()))?;
        let lists = [("values", &self.values), ("first", &self.optimizer.first), ("second", &self.optimizer.second)];
        let bytes = lists
            .map(|(name, numbers)| (name, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()));
        let failed = |error: safetensors::SafeTensorError| Error::internal(error.to_string());
        let views = bytes.iter().map(|(name, bytes)| {
            Ok((*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(failed)?))
        });
        let views: Vec<_> = views.collect::<Result<_>>()?;
        let metadata = std::iter::once(("candor.checkpoint".to_owned(), header)).collect();
        let whole = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
        write_whole(&folder.join(FILE), &whole)
    }

    /// Reads the one in a folder; `None` if there is none.
    ///
    /// # Errors
    /// A file that is no checkpoint.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let named = |error: Error| error.at_file(path.display().to_string());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(error.into())),
        };
        Self::from_bytes(&bytes).map(Some).map_err(named)
    }

    /// Takes the one in a folder away, if there is one.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::from(error).at_file(path.display().to_string()))
            }
            _ => Ok(()),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let broken =
            |what: &str| Error::format(format!("this is no checkpoint: {what}")).help("start anew with --overwrite");
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(&error.to_string()))?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| broken(&error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|metadata| metadata.get("candor.checkpoint"));
        let header: Header = serde_json::from_str(header.ok_or_else(|| broken("it has no header"))?)
            .map_err(|error| broken(&error.to_string()))?;
        if header.format != FORMAT {
            return Err(Error::unsupported("the checkpoint was written by another version of this program")
                .help("go on with that version, or start anew with --overwrite"));
        }
        let list = |name: &str| -> Result<Vec<f32>> {
            let tensor = tensors.tensor(name).map_err(|error| broken(&error.to_string()))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(broken("its numbers are not float32"));
            }
            Ok(tensor.data().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
        };
        let (values, first, second) = (list("values")?, list("first")?, list("second")?);
        if values.len() != first.len() || values.len() != second.len() {
            return Err(broken("its lists differ in length"));
        }
        let optimizer = AdamW { steps: header.steps, first, second };
        let Header { settings, made_of, progress, .. } = header;
        Ok(Self { settings, made_of, progress, values, optimizer })
    }

    /// Refuses to go on with other settings, or another base, task or data.
    ///
    /// # Errors
    /// What differs, by name.
    pub fn check(&self, settings: &Settings, made_of: &MadeOf) -> Result<()> {
        let help = "go on with what it was started with, or start anew with --overwrite";
        let differs = [
            (self.made_of.model_sha256 != made_of.model_sha256, "the model's file"),
            (self.made_of.task_sha256 != made_of.task_sha256, "the task"),
            (self.made_of.data_sha256 != made_of.data_sha256, "the data"),
        ];
        if let Some((_, what)) = differs.into_iter().find(|(differs, _)| *differs) {
            return Err(Error::input(format!("{what} has changed since the checkpoint was written")).help(help));
        }
        let (was, is) = (named(&self.settings, &self.made_of)?, named(settings, made_of)?);
        match was.iter().zip(&is).find(|((_, was), (_, is))| was != is) {
            Some(((name, was), (_, is))) => {
                let said = |value: &Value| if value.is_null() { "not given".to_owned() } else { value.to_string() };
                let (was, is) = (said(was), said(is));
                Err(Error::input(format!("this was {was} when the checkpoint was written, and now it is {is}"))
                    .in_field(name)
                    .help(help))
            }
            None => Ok(()),
        }
    }
}

/// Everything that can be set, under its name; what is not given is null.
fn named(settings: &Settings, made_of: &MadeOf) -> Result<BTreeMap<String, Value>> {
    let all = serde_json::to_value(settings).map_err(|error| Error::internal(error.to_string()))?;
    let Value::Object(all) = all else { return Err(Error::internal("settings without names")) };
    let mut named: BTreeMap<String, Value> = all.into_iter().collect();
    named.entry("layers".to_owned()).or_insert(Value::Null);
    named.insert("limit-tokens".to_owned(), made_of.limit_tokens.into());
    Ok(named)
}

/// Writes a file under another name first, so that it is there whole or as it was.
///
/// # Errors
/// A disk that is full or cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("part");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&partial, path)).map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        Error::from(error).at_file(path.display().to_string())
    })
}
