//! The runs that a sweep file stands for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::data::{self, Data};
use super::file::{self, CONFIDENCES, File, Finetune, Places, Prompt};
use super::names::{NONE, hash_of, hash_of_ingredients, or_none, short_names, slug};
use super::prompts::{Asked, asked};
use crate::baselines::Baseline;
use crate::cli::compare::By;
use crate::cli::{input, store};
use crate::error::{Error, Result};
use crate::stats::calibrators::Method;
use crate::task::Task;
use crate::train::Settings;

/// What a run is.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// `candor finetune`: an adapter for other runs, nothing to compare.
    Finetune { model: String, task: PathBuf, settings: Box<Settings>, limit_tokens: Option<usize> },
    /// `candor eval`.
    Model { model: String, adapter: Option<PathBuf>, task: PathBuf, confidence: String },
    /// `candor probe`.
    Probe { model: String, adapter: Option<PathBuf>, task: PathBuf },
    /// Another run's confidence calibrated, each row by a fit on the others.
    Calibrated { base: PathBuf, method: Method },
    /// A baseline.
    Baseline(Baseline),
}

/// A run to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub name: String,
    pub folder: PathBuf,
    /// SHA-256 of everything the run depends on.
    pub hash: String,
    /// The place of the run that it is made from, which must be finished before.
    pub needs: Option<usize>,
    pub what: What,
}

impl Planned {
    fn new(out: &Path, name: String, ingredients: &serde_json::Value, needs: Option<usize>, what: What) -> Self {
        let hash = hash_of_ingredients(ingredients);
        let folder = out.join(format!("{}-{}", slug(&name), &hash[..8]));
        Self { name, folder, hash, needs, what }
    }

    /// Whether it ends in predictions.
    pub fn is_compared(&self) -> bool {
        !matches!(self.what, What::Finetune { .. })
    }
}

/// Everything a sweep file asks for.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub out: PathBuf,
    pub data: Data,
    /// The task whose labels the baselines answer with.
    pub task: Task,
    /// The runs; one that needs another comes after it.
    pub runs: Vec<Planned>,
    /// What they are ranked by.
    pub by: Option<By>,
}

/// Reads a sweep file and expands it. Paths in it are seen from its folder.
///
/// # Errors
/// No TOML, an unknown field; data, tasks, models or adapters that are not there; nothing to run.
pub fn read(path: &Path, places: &Places) -> Result<Plan> {
    let named = |error: Error| error.at_file(path.display().to_string());
    let file = file::read(path, places).map_err(named)?;
    Expansion::new(&file, path).and_then(Expansion::expand).map_err(named)
}

/// A sweep file while its runs are being listed.
struct Expansion<'a> {
    file: &'a File,
    /// What tasks and adapters are seen from.
    folder: &'a Path,
    name: String,
    out: PathBuf,
    data: Data,
    runs: Vec<Planned>,
    /// The place of each fine-tune's run, by its name and the place of its model.
    finetuned: HashMap<(&'a str, usize), usize>,
}

/// What a run's adapter is: its folder, a hash of what it is made of, and the run that makes it, if one does.
struct Adapted {
    folder: PathBuf,
    hash: String,
    made_by: Option<usize>,
}

/// A model that may have an adapter, as one prompt meets it.
struct Asking<'a> {
    prompt: &'a Prompt,
    /// SHA-256 of the task.
    task: String,
    /// The task's file.
    written: &'a Path,
    /// The model's place in the file.
    model: usize,
    /// As the file names it.
    adapter: &'a str,
    /// What to call it, where there are several.
    adapter_name: Option<&'a str>,
}

impl<'a> Expansion<'a> {
    fn new(file: &'a File, path: &'a Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path.file_stem().map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let out = file.out.clone().unwrap_or_else(|| folder.join(format!("{stem}-runs")));
        let data = data::find(file, &out)?;
        let name = file.name.clone().unwrap_or(stem);
        Ok(Self { file, folder, name, out, data, runs: Vec::new(), finetuned: HashMap::new() })
    }

    fn expand(mut self) -> Result<Plan> {
        let file = self.file;
        let drawn =
            match (&self.data.train, file.prompts.iter().any(|prompt| prompt.shots.is_some_and(|shots| shots > 0))) {
                (Some(train), true) => input::read(train, &self.data.train_reading.arguments(None), true)?.examples,
                (None, true) => {
                    return Err(Error::usage("shots are drawn from training rows, but there are none")
                        .in_field("train")
                        .help("write train = \"FILE\" with labelled rows"));
                }
                (_, false) => Vec::new(),
            };
        for finetune in &file.finetunes {
            self.add_finetune(finetune)?;
        }
        let mut first_task = None;
        for prompt in &file.prompts {
            let asked = asked(prompt, self.folder, &drawn, file.reading.seed)?;
            let written = asked.write(&self.out, &slug(&prompt.name))?;
            let adapters = or_none(prompt.adapters.as_ref().unwrap_or(&file.adapters));
            let names = short_names(&adapters);
            for model in 0..file.models.len() {
                for (adapter, name) in adapters.iter().zip(&names) {
                    let (task, written) = (asked.sha256(), written.as_path());
                    let adapter_name = (adapters.len() > 1 && adapter != NONE).then_some(name.as_str());
                    self.add_model(&Asking { prompt, task, written, model, adapter, adapter_name })?;
                }
            }
            first_task.get_or_insert_with(|| asked.labels().clone());
        }
        let task = first_task.ok_or_else(|| {
            Error::usage("there are no prompts").in_field("prompts").help("add [[prompts]] with name and task")
        })?;
        for baseline in &file.baselines {
            let ingredients = self.ingredients(serde_json::json!({
                "baseline": baseline, "labels": task.labels.iter().map(|label| &label.name).collect::<Vec<_>>(),
            }));
            self.add(format!("baseline: {}", baseline.name()), &ingredients, None, What::Baseline(*baseline));
        }
        let Self { name, out, data, runs, .. } = self;
        Ok(Plan { name, out, data, task, runs, by: file.by })
    }

    /// What every run depends on, besides its own.
    fn ingredients(&self, mut own: serde_json::Value) -> serde_json::Value {
        own["sources"] = serde_json::json!(self.data.sources);
        own["reading"] = serde_json::json!([self.data.reading, self.data.train_reading]);
        own["version"] = env!("CARGO_PKG_VERSION").into();
        own
    }

    /// Adds a run; gives its place.
    fn add(&mut self, name: String, ingredients: &serde_json::Value, needs: Option<usize>, what: What) -> usize {
        self.runs.push(Planned::new(&self.out, name, ingredients, needs, what));
        self.runs.len() - 1
    }

    fn add_finetune(&mut self, finetune: &'a Finetune) -> Result<()> {
        let asked = Asked::read(&finetune.task, self.folder)?;
        let task = asked.write(&self.out, &format!("finetune-{}", slug(&finetune.name)))?;
        let file = self.file;
        for (place, (model, model_name)) in file.models.iter().zip(short_names(&file.models)).enumerate() {
            let ingredients = self.ingredients(serde_json::json!({
                "finetune": finetune.settings, "limit": finetune.limit_tokens, "model": hash_of_model(model),
                "task": asked.sha256(),
            }));
            let (settings, limit_tokens) = (Box::new(finetune.settings.clone()), finetune.limit_tokens);
            let what = What::Finetune { model: model.clone(), task: task.clone(), settings, limit_tokens };
            let of = if file.models.len() > 1 { format!(" of {model_name}") } else { String::new() };
            let run = self.add(format!("fine-tune: {}{of}", finetune.name), &ingredients, None, what);
            self.finetuned.insert((&finetune.name, place), run);
        }
        Ok(())
    }

    fn adapter(&self, word: &str, model: usize) -> Option<Adapted> {
        if word == NONE {
            return None;
        }
        if let Some(&place) = self.finetuned.get(&(word, model)) {
            let run = &self.runs[place];
            return Some(Adapted { folder: run.folder.clone(), hash: run.hash.clone(), made_by: Some(place) });
        }
        let folder = self.folder.join(word);
        // What is not there is the run's failure, told when it is run, and not the whole sweep's.
        let hash = hash_of(&folder, "adapters").unwrap_or_else(|_| word.to_owned());
        Some(Adapted { folder, hash, made_by: None })
    }

    /// A run for each confidence, or the probe's; and one for each calibrator on top of it.
    fn add_model(&mut self, asking: &Asking<'_>) -> Result<()> {
        let (prompt, model) = (asking.prompt, &self.file.models[asking.model]);
        let adapted = self.adapter(asking.adapter, asking.model);
        let confidences = match prompt.confidence.as_ref().unwrap_or(&self.file.confidence) {
            some if !some.is_empty() && !prompt.probe => some.clone(),
            _ => vec![CONFIDENCES[0].to_owned()],
        };
        for confidence in &confidences {
            let mut parts = vec![prompt.name.clone()];
            if self.file.models.len() > 1 {
                parts.insert(0, short_names(&self.file.models).swap_remove(asking.model));
            }
            parts.extend(asking.adapter_name.map(str::to_owned));
            if confidences.len() > 1 {
                parts.push(confidence.clone());
            }
            let ingredients = self.ingredients(serde_json::json!({
                "model": hash_of_model(model), "adapter": adapted.as_ref().map(|adapted| &adapted.hash),
                "task": asking.task, "confidence": confidence, "probe": prompt.probe,
            }));
            let adapter = adapted.as_ref().map(|adapted| adapted.folder.clone());
            let (model, task) = (model.clone(), asking.written.to_path_buf());
            let what = match prompt.probe {
                true => What::Probe { model, adapter, task },
                false => What::Model { model, adapter, task, confidence: confidence.clone() },
            };
            let needs = adapted.as_ref().and_then(|adapted| adapted.made_by);
            // A calibrated run is made from the one as it is, which is then shown too.
            let place = self.add(parts.join(", "), &ingredients, needs, what);
            let base = self.runs[place].clone();
            let calibrators = prompt.calibrators.as_ref().unwrap_or(&self.file.calibrators);
            for word in or_none(calibrators).iter().filter(|word| *word != NONE) {
                let method: Method = word.parse()?;
                let ingredients = serde_json::json!({ "base": base.hash, "calibrator": word });
                let what = What::Calibrated { base: base.folder.clone(), method };
                self.add(format!("{} + {word}", base.name), &ingredients, Some(place), what);
            }
        }
        Ok(())
    }
}

/// What a model is known by. One that is not there is its runs' failure, told when they are run.
fn hash_of_model(model: &str) -> String {
    store::model_sha256(model).unwrap_or_else(|_| model.to_owned())
}

#[cfg(test)]
mod tests;
