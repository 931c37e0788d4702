//! A sweep file as it is written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::names::NONE;
use crate::baselines::Baseline;
use crate::cli::compare::By;
use crate::cli::input;
use crate::cli::manifest::Manifest;
use crate::dataset::LabelFrom;
use crate::error::{Error, Result};
use crate::task::BiasMethod;
use crate::train::Settings;

/// The confidences of `candor eval`, the usual one first.
pub const CONFIDENCES: [&str; 4] = ["total-probability", "share", "verbalized", "verbalized-mode"];

/// A sweep file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub name: Option<String>,
    /// The labelled rows that every run is judged on; with `test`, the rows of which some are.
    pub data: Option<PathBuf>,
    /// Rows of `data` that are set aside to be judged on; the others are `train`.
    pub test: Option<usize>,
    /// Labelled rows for the baselines, probes, fine-tunes and drawn examples.
    pub train: Option<PathBuf>,
    /// Labelled rows by which fine-tunes choose their best epoch; a tenth of `train` otherwise.
    pub valid: Option<PathBuf>,
    /// Where the runs go; a folder beside the file by default.
    pub out: Option<PathBuf>,
    #[serde(default)]
    pub reading: Reading,
    #[serde(default)]
    pub models: Vec<String>,
    #[serde(default)]
    pub finetunes: Vec<Finetune>,
    #[serde(default)]
    pub adapters: Vec<String>,
    #[serde(default)]
    pub prompts: Vec<Prompt>,
    #[serde(default)]
    pub confidence: Vec<String>,
    #[serde(default)]
    pub calibrators: Vec<String>,
    #[serde(default)]
    pub baselines: Vec<Baseline>,
    /// What runs are ranked by, as the flag.
    pub by: Option<By>,
}

/// Files and folders given on the command line, instead of those that the file names. Paths are seen from where the
/// command is given.
#[derive(clap::Args, Debug, Clone, Default)]
#[group(skip)]
pub struct Places {
    /// The labelled rows that every run is judged on, instead of the file's `data`.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Labelled rows to learn from, instead of the file's `train`.
    #[arg(long, value_name = "FILE")]
    pub train: Option<PathBuf>,
    /// Labelled rows by which fine-tunes choose their best epoch, instead of the file's `valid`.
    #[arg(long, value_name = "FILE")]
    pub valid: Option<PathBuf>,
    /// The folder of the runs, instead of the file's `out`.
    #[arg(long, value_name = "FOLDER")]
    pub runs: Option<PathBuf>,
}

/// How the data is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub text_field: Option<String>,
    pub label_field: Option<String>,
    pub label_from: Option<LabelFrom>,
    /// Rows that are drawn at random; all by default.
    pub limit: Option<usize>,
    #[serde(default = "first")]
    pub seed: u64,
}

fn first() -> u64 {
    1
}

impl Default for Reading {
    fn default() -> Self {
        Self { text_field: None, label_field: None, label_from: None, limit: None, seed: first() }
    }
}

impl Reading {
    /// As the flags of a command.
    pub fn arguments(&self, limit: Option<usize>) -> input::Arguments {
        let (text, label) = (self.text_field.clone(), self.label_field.clone());
        input::Arguments::new(text, label, self.label_from, limit, self.seed)
    }

    /// The same as words of a command line, but for the limit.
    pub fn words(&self) -> Vec<String> {
        let label_from = self.label_from.map(|from| serde_json::json!(from).as_str().unwrap_or_default().to_owned());
        let flags = [
            ("--text-field", self.text_field.clone()),
            ("--label-field", self.label_field.clone()),
            ("--label-from", label_from),
            ("--seed", Some(self.seed.to_string())),
        ];
        flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }
}

/// A fine-tune on the training rows: its name can stand among adapters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetune {
    pub name: String,
    /// A task file or a built-in task.
    pub task: String,
    /// Cut prompts to this many tokens; without it a text that does not fit into the model's context is an error.
    #[serde(rename = "limit-tokens")]
    pub limit_tokens: Option<usize>,
    /// Hyper-parameters, as in the file of `candor finetune --settings`; the seed is the sweep's unless it is named.
    #[serde(default)]
    pub settings: Settings,
}

/// A way to ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    pub name: String,
    /// A task file or a built-in task.
    pub task: String,
    /// Examples that are drawn from the training rows instead of the task's own; 0 for none.
    pub shots: Option<usize>,
    /// How label bias is corrected, instead of the task's own way.
    pub bias: Option<BiasMethod>,
    /// Whether a probe, trained on the training rows, answers instead of the labels' probabilities.
    #[serde(default)]
    pub probe: bool,
    /// The adapters that this prompt is run with, instead of all.
    pub adapters: Option<Vec<String>>,
    /// Its confidences, instead of all.
    pub confidence: Option<Vec<String>>,
    /// Its calibrators, instead of all.
    pub calibrators: Option<Vec<String>>,
}

/// Reads a sweep file; paths in it become ones seen from here.
///
/// # Errors
/// No TOML, an unknown field; words that mean nothing; nothing to run.
pub fn read(path: &Path, places: &Places) -> Result<File> {
    let text = std::fs::read_to_string(path)?;
    let mut file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() as u64 + 1);
        let help = "a sweep has data, models, [[prompts]] and baselines; tasks/README.md shows one";
        Error::format(error.message().trim().replace('\n', ", ")).at_line(line).help(help)
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for (own, given) in [
        (&mut file.data, &places.data),
        (&mut file.train, &places.train),
        (&mut file.valid, &places.valid),
        (&mut file.out, &places.runs),
    ] {
        *own = given.clone().or_else(|| own.as_ref().map(|own| folder.join(own)));
    }
    for model in &mut file.models {
        // A known model goes by its name; what is not beside the file is told when it is run.
        let beside = folder.join(model.as_str());
        if Manifest::embedded()?.find(model).is_none() && beside.is_file() {
            *model = beside.display().to_string();
        }
    }
    share_seed(&mut file, &text);
    // Whoever names both kinds of rows does not want one of them divided.
    if places.train.is_some() {
        file.test = None;
    }
    check(&file)?;
    Ok(file)
}

/// Gives the sweep's seed to fine-tunes whose settings name none.
fn share_seed(file: &mut File, text: &str) {
    // Only the text says what was written: read as settings, a seed that is missing is one that has its default.
    let written: toml::Table = text.parse().unwrap_or_default();
    let finetunes = written.get("finetunes").and_then(toml::Value::as_array).into_iter().flatten();
    for (finetune, written) in file.finetunes.iter_mut().zip(finetunes) {
        if written.get("settings").and_then(|settings| settings.get("seed")).is_none() {
            finetune.settings.seed = file.reading.seed;
        }
    }
}

fn check(file: &File) -> Result<()> {
    if file.data.is_none() {
        return Err(Error::usage("there are no rows to judge runs on")
            .in_field("data")
            .help("write data = \"FILE\", or give --data FILE"));
    }
    if file.models.is_empty() && file.baselines.is_empty() {
        return Err(Error::usage("there is nothing to run").help("name models = [\"smollm2-135m\"], or baselines"));
    }
    let confidences = file.prompts.iter().filter_map(|prompt| prompt.confidence.as_ref()).chain([&file.confidence]);
    if let Some(word) = confidences.flatten().find(|word| !CONFIDENCES.contains(&word.as_str())) {
        return Err(Error::usage(format!("{word:?} is no confidence"))
            .in_field("confidence")
            .help(format!("write one of {}", CONFIDENCES.join(", "))));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = file.prompts.iter().find(|prompt| !seen.insert(prompt.name.as_str())) {
        return Err(Error::usage(format!("two prompts are named {:?}", twice.name)).in_field("prompts.name"));
    }
    seen.clear();
    let mut names = file.finetunes.iter().map(|finetune| finetune.name.as_str());
    if let Some(name) = names.find(|&name| name == NONE || !seen.insert(name)) {
        return Err(Error::usage(format!("{name:?} is no name of its own")).in_field("finetunes.name"));
    }
    if file.test.is_some() && file.train.is_some() {
        return Err(Error::usage("rows to learn from are given, so none can be divided off")
            .in_field("test")
            .help("leave out either test or train"));
    }
    let learns = file.prompts.iter().any(|prompt| prompt.probe) || !file.finetunes.is_empty();
    if file.train.is_none() && file.test.is_none() {
        let for_what = match (learns, file.baselines.is_empty()) {
            (true, _) => "probes and fine-tunes learn from",
            (false, false) => "baselines are fitted on",
            (false, true) => return Ok(()),
        };
        return Err(Error::usage(format!("{for_what} training rows, but there are none"))
            .in_field("train")
            .help("write train = \"FILE\" with labelled rows, or test = ROWS to divide data"));
    }
    Ok(())
}
