//! Adapters beside the loaded model: read, checked, swapped.
//!
//! A model with an adapter is a second classifier over the same weights, so nothing is loaded again, a batch that is being
//! computed with another one is not disturbed, and answers with and without an adapter can be asked for in turn.

use std::rc::Rc;

use candor::engine::Adapter;
use candor::engine::adapter::files::Found;
use candor::error::{Error, Result};
use candor::protocol::{AdapterInfo, AdapterSource, DataFile, ModelInfo};

use super::Desk;
use super::model::Model;
use super::picked::bytes_of;
use crate::store::adapters::Kept;

/// Bytes beyond which a file is no adapter.
const LARGEST_FILE: u64 = 1 << 30;
/// Adapters that are held beside the base; each takes as much memory as its file.
const HELD: usize = 3;

impl Desk {
    /// Applies an adapter to what is typed from now on, or none. On an error everything stays as it was.
    pub(super) async fn set_adapter(&self, source: Option<AdapterSource>) -> Result<ModelInfo> {
        let base = self.base()?;
        let model = match source {
            None => base,
            Some(AdapterSource::Kept(sha256)) => self.variant(&base.info.sha256, Some(&sha256)).await?,
            Some(AdapterSource::Files(files)) => {
                let (name, files) = read_files(&files).await?;
                let (adapter, mut info) = open(&base, name, &files)?;
                match self.store().await.adapters.keep(&info, &files).await {
                    Ok(known) => info = known,
                    Err(reason) => info.kept = Err(reason),
                }
                self.hold(&base, adapter, info)?
            }
        };
        *self.model.borrow_mut() = Some(Rc::clone(&model));
        Ok(model.info.clone())
    }

    /// The loaded model with this adapter, or none.
    ///
    /// # Errors
    /// Another model is loaded; an adapter that is neither held nor kept, or is for another model.
    pub(super) async fn variant(&self, model: &str, adapter: Option<&str>) -> Result<Rc<Model>> {
        let base = self.base()?;
        if base.info.sha256 != model {
            return Err(Error::usage("another model was loaded while the job was running").help("run the job again"));
        }
        let Some(sha256) = adapter else { return Ok(base) };
        let held = self.variants.borrow().iter().find(|held| held.adapter() == Some(sha256)).cloned();
        if let Some(held) = held {
            return Ok(held);
        }
        let Kept { info, files } = self.store().await.adapters.read(sha256).await?;
        let (adapter, read) = open(&base, info.name, &files)?;
        if read.sha256 != sha256 {
            return Err(Error::format("the kept adapter is damaged").at_file(read.name).help("choose its files again"));
        }
        self.hold(&base, adapter, read)
    }

    fn base(&self) -> Result<Rc<Model>> {
        let none = || Error::usage("no model is loaded").help("load the model first that the adapter was trained on");
        self.variants.borrow().first().cloned().ok_or_else(none)
    }

    fn hold(&self, base: &Rc<Model>, adapter: Adapter, info: AdapterInfo) -> Result<Rc<Model>> {
        let classifier = base.classifier.with_adapter(Some(adapter))?;
        let model = Rc::new(base.adapted(classifier, info));
        let mut variants = self.variants.borrow_mut();
        if variants.first().is_none_or(|first| !Rc::ptr_eq(first, base)) {
            return Err(Error::usage("another model was loaded meanwhile").help("choose the adapter again"));
        }
        variants.retain(|held| held.adapter() != model.adapter());
        if variants.len() > HELD {
            // The one that has been here longest; the base stays.
            variants.remove(1);
        }
        variants.push(Rc::clone(&model));
        Ok(model)
    }
}

/// The names and contents of the files that hold an adapter, and what it is called.
async fn read_files(files: &[DataFile]) -> Result<(String, Vec<(String, Vec<u8>)>)> {
    let names: Vec<&str> = files.iter().map(|file| file.name.rsplit('/').next().unwrap_or_default()).collect();
    let found = Found::among(&names)?;
    let mut contents = Vec::new();
    for place in found.places() {
        contents.push((names[place].to_owned(), bytes_of(&files[place], LARGEST_FILE).await?));
    }
    // A folder says more than the file names that every adapter has.
    let first = found.places().first().map_or("", |place| files[*place].name.as_str());
    let folder = first.rsplit_once('/').map(|(folder, _)| folder.rsplit('/').next().unwrap_or(folder));
    let stem = first.rsplit('/').next().unwrap_or(first).rsplit_once('.').map_or(first, |(stem, _)| stem);
    Ok((folder.unwrap_or(stem).to_owned(), contents))
}

/// Reads an adapter and checks that it belongs to this model.
fn open(base: &Model, name: String, files: &[(String, Vec<u8>)]) -> Result<(Adapter, AdapterInfo)> {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let found = Found::among(&names)?;
    let contents: Vec<Vec<u8>> = found.places().into_iter().map(|place| files[place].1.clone()).collect();
    let config = base.classifier.engine().config();
    let model_sha256 = base.info.sha256.clone();
    let adapter = found.read(&contents, config).and_then(|adapter| {
        adapter.check_base(&model_sha256)?;
        Ok(adapter)
    });
    let adapter = adapter.map_err(|error| error.at_file(&name))?;
    let mut layers: Vec<usize> = adapter.parts().map(|(layer, ..)| layer).collect();
    layers.dedup();
    let sha256 = adapter.sha256();
    let usual = matches!(name.as_str(), "adapter" | "adapter_config");
    let info = AdapterInfo {
        name: if usual { format!("LoRA {}", &sha256[..6]) } else { name },
        base_sha256: adapter.base_sha256().map(str::to_owned),
        model_sha256,
        bytes: files.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        parameters: adapter.parameters() as u64,
        rank: adapter.parts().map(|(_, _, part)| part.rank()).max().unwrap_or(0),
        layers: layers.len(),
        kept: Ok(()),
        sha256,
    };
    Ok((adapter, info))
}
