//! A sweep file and the runs it stands for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::baselines::Baseline;
use crate::cli::classify::read_task;
use crate::cli::input;
use crate::cli::store;
use crate::dataset::{Example, LabelFrom, duplicates, split};
use crate::error::{Error, Result};
use crate::stats::calibrators::Method;
use crate::task::{FewShotExample, Task};

/// The word for "without".
const NONE: &str = "none";
/// The confidences of `candor eval`.
const CONFIDENCES: [&str; 4] = ["total-probability", "share", "verbalized", "verbalized-mode"];

/// A sweep file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    /// The labelled rows that every run is judged on.
    data: PathBuf,
    /// Labelled rows for the baselines and for drawn examples.
    train: Option<PathBuf>,
    /// Where the runs go; a folder beside the file by default.
    out: Option<PathBuf>,
    #[serde(default)]
    reading: Reading,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    adapters: Vec<String>,
    #[serde(default)]
    prompts: Vec<Prompt>,
    #[serde(default)]
    confidence: Vec<String>,
    #[serde(default)]
    calibrators: Vec<String>,
    #[serde(default)]
    baselines: Vec<Baseline>,
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

/// A way to ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    name: String,
    /// A task file or a built-in task.
    task: String,
    /// Examples that are drawn from the training rows instead of the task's own; 0 for none.
    shots: Option<usize>,
    /// The adapters that this prompt is run with, instead of all.
    adapters: Option<Vec<String>>,
}

/// What a run is.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// `candor eval`.
    Model { model: String, adapter: Option<PathBuf>, task: PathBuf, confidence: String },
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
    pub what: What,
}

/// Everything a sweep file asks for.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub data: PathBuf,
    pub train: Option<PathBuf>,
    pub out: PathBuf,
    pub reading: Reading,
    /// The task whose labels the baselines answer with.
    pub task: Task,
    pub runs: Vec<Planned>,
}

impl Reading {
    /// As the flags of a command.
    pub fn arguments(&self, limit: Option<usize>) -> input::Arguments {
        let (text, label) = (self.text_field.clone(), self.label_field.clone());
        input::Arguments::new(text, label, self.label_from, limit, self.seed)
    }
}

/// Reads a sweep file and expands it. Paths in it are seen from its folder.
///
/// # Errors
/// No TOML, an unknown field; data, tasks, models or adapters that are not there; nothing to run.
pub fn read(path: &Path) -> Result<Plan> {
    let named = |error: Error| error.at_file(path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() as u64 + 1);
        let help = "a sweep has data, models, [[prompts]] and baselines; tasks/README.md shows one";
        named(Error::format(error.message().trim().replace('\n', ", ")).at_line(line).help(help))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    expand(file, folder, path).map_err(named)
}

fn expand(file: File, folder: &Path, path: &Path) -> Result<Plan> {
    let stem = path.file_stem().map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let out = folder.join(file.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}-runs"))));
    let data = folder.join(&file.data);
    let train = file.train.as_ref().map(|train| folder.join(train));
    check(&file)?;
    let sources =
        Sources { data: hash_of(&data, "data")?, train: train.as_deref().map(|p| hash_of(p, "train")).transpose()? };
    let drawn = match (&train, file.prompts.iter().any(|prompt| prompt.shots.is_some_and(|shots| shots > 0))) {
        (Some(train), true) => unseen(train, &data, &file.reading)?,
        (None, true) => {
            return Err(Error::usage("shots are drawn from training rows, but there are none")
                .in_field("train")
                .help("write train = \"FILE\" with labelled rows"));
        }
        (_, false) => Vec::new(),
    };
    let mut runs = Vec::new();
    let mut first_task = None;
    for prompt in &file.prompts {
        let task = task_of(prompt, folder, &drawn, file.reading.seed)?;
        let written = out.join("tasks").join(format!("{}.toml", slug(&prompt.name)));
        write_task(&written, &task)?;
        for model in &file.models {
            let adapters = prompt.adapters.as_ref().unwrap_or(&file.adapters);
            for adapter in or_none(adapters) {
                let with = Asked { prompt, task: &task, written: &written, model, adapter: &adapter };
                runs.extend(model_runs(&file, folder, &out, &sources, &with)?);
            }
        }
        first_task.get_or_insert(task);
    }
    let task = first_task.ok_or_else(|| {
        Error::usage("there are no prompts").in_field("prompts").help("add [[prompts]] with name and task")
    })?;
    if !file.baselines.is_empty() && train.is_none() {
        return Err(Error::usage("baselines are fitted on training rows, but there are none")
            .in_field("train")
            .help("write train = \"FILE\" with labelled rows"));
    }
    for baseline in &file.baselines {
        let ingredients = serde_json::json!({
            "baseline": baseline, "labels": task.labels.iter().map(|label| &label.name).collect::<Vec<_>>(),
            "sources": sources, "reading": file.reading, "version": env!("CARGO_PKG_VERSION"),
        });
        runs.push(planned(&out, format!("baseline: {}", baseline.name()), &ingredients, What::Baseline(*baseline)));
    }
    Ok(Plan { name: file.name.unwrap_or(stem), data, train, out, reading: file.reading, task, runs })
}

/// What is wrong with the words of a file.
fn check(file: &File) -> Result<()> {
    if file.models.is_empty() && file.baselines.is_empty() {
        return Err(Error::usage("there is nothing to run").help("name models = [\"smollm2-135m\"], or baselines"));
    }
    if let Some(word) = file.confidence.iter().find(|word| !CONFIDENCES.contains(&word.as_str())) {
        return Err(Error::usage(format!("{word:?} is no confidence"))
            .in_field("confidence")
            .help(format!("write one of {}", CONFIDENCES.join(", "))));
    }
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = file.prompts.iter().find(|prompt| !names.insert(slug(&prompt.name))) {
        return Err(Error::usage(format!("two prompts are named {:?}", twice.name)).in_field("prompts.name"));
    }
    Ok(())
}

/// The list, or "none" for an empty one.
fn or_none(words: &[String]) -> Vec<String> {
    if words.is_empty() { vec![NONE.to_owned()] } else { words.to_vec() }
}

/// Hashes of the data.
#[derive(Debug, Clone, Serialize)]
struct Sources {
    data: String,
    train: Option<String>,
}

/// One prompt with one model and one adapter.
struct Asked<'a> {
    prompt: &'a Prompt,
    task: &'a Task,
    written: &'a Path,
    model: &'a str,
    adapter: &'a str,
}

/// A run for each confidence, and one for each calibrator on top of it.
fn model_runs(file: &File, folder: &Path, out: &Path, sources: &Sources, asked: &Asked<'_>) -> Result<Vec<Planned>> {
    let adapter = (asked.adapter != NONE).then(|| folder.join(asked.adapter));
    // A model that is not there is this run's failure, told when it is run, and not the whole sweep's.
    let model = store::model_sha256(asked.model).unwrap_or_else(|_| asked.model.to_owned());
    let adapter_hash =
        adapter.as_deref().map(|path| hash_of(path, "adapters").unwrap_or_else(|_| asked.adapter.to_owned()));
    let confidences = match file.confidence.is_empty() {
        true => vec![CONFIDENCES[0].to_owned()],
        false => file.confidence.clone(),
    };
    let mut runs = Vec::new();
    for confidence in &confidences {
        let mut parts = vec![asked.prompt.name.clone()];
        if file.models.len() > 1 {
            parts.insert(0, short(asked.model));
        }
        if asked.adapter != NONE {
            parts.push(short(asked.adapter));
        }
        if confidences.len() > 1 {
            parts.push(confidence.clone());
        }
        let ingredients = serde_json::json!({
            "model": model, "adapter": adapter_hash, "task": asked.task.sha256(), "confidence": confidence,
            "data": sources.data, "reading": file.reading, "version": env!("CARGO_PKG_VERSION"),
        });
        let what = What::Model {
            model: asked.model.to_owned(),
            adapter: adapter.clone(),
            task: asked.written.to_path_buf(),
            confidence: confidence.clone(),
        };
        let base = planned(out, parts.join(", "), &ingredients, what);
        let mut derived = Vec::new();
        for word in or_none(&file.calibrators).iter().filter(|word| *word != NONE) {
            let method: Method = word.parse()?;
            let name = format!("{} + {word}", base.name);
            let ingredients = serde_json::json!({ "base": base.hash, "calibrator": word });
            derived.push(planned(out, name, &ingredients, What::Calibrated { base: base.folder.clone(), method }));
        }
        // A calibrated run is made from the one as it is, which is then shown too.
        runs.push(base);
        runs.extend(derived);
    }
    Ok(runs)
}

fn planned(out: &Path, name: String, ingredients: &serde_json::Value, what: What) -> Planned {
    let hash = hex(&Sha256::digest(ingredients.to_string().as_bytes()));
    let folder = out.join(format!("{}-{}", slug(&name), &hash[..8]));
    Planned { name, folder, hash, what }
}

/// The last part of a path, without an ending.
fn short(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| path.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// A name as part of a file's name.
fn slug(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let mut joined = parts.join("-");
    joined.truncate(80);
    joined
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// SHA-256 of a file, or of a folder's files with their names.
fn hash_of(path: &Path, field: &str) -> Result<String> {
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

/// Training rows whose text is not among the rows that are judged.
fn unseen(train: &Path, data: &Path, reading: &Reading) -> Result<Vec<Example>> {
    let arguments = reading.arguments(None);
    let (train, data) = (input::read(train, &arguments, true)?, input::read(data, &arguments, true)?);
    let seen: std::collections::HashSet<usize> =
        duplicates::across(&data.examples, &train.examples).into_iter().collect();
    let kept = train.examples.into_iter().enumerate().filter(|(row, _)| !seen.contains(row));
    Ok(kept.map(|(_, example)| example).collect())
}

/// The task of a prompt, with as many drawn examples as it asks for.
fn task_of(prompt: &Prompt, folder: &Path, drawn: &[Example], seed: u64) -> Result<Task> {
    let beside = folder.join(&prompt.task);
    let name = if beside.exists() { beside.display().to_string() } else { prompt.task.clone() };
    let mut task = read_task(&name)?;
    let Some(shots) = prompt.shots else { return Ok(task) };
    let known: Vec<Example> = drawn
        .iter()
        .filter(|row| row.label.as_ref().is_some_and(|label| task.label(label).is_some()))
        .cloned()
        .collect();
    let taken = split::sample(&known, shots, seed);
    if taken.len() < shots {
        return Err(Error::input(format!(
            "{shots} examples are asked for, but {} training rows can be used",
            taken.len()
        ))
        .in_field("shots")
        .help("rows whose text is among the data, or whose label the task lacks, are not drawn"));
    }
    let mut rows: Vec<&Example> = taken.into_iter().map(|row| &known[row]).collect();
    alternate(&mut rows);
    let example =
        |row: &&Example| FewShotExample { text: row.text.clone(), label: row.label.clone().unwrap_or_default() };
    task.examples = rows.iter().map(example).collect();
    task.check()?;
    Ok(task)
}

/// Puts rows into an order in which labels take turns: a model leans towards the last answers it saw.
fn alternate(rows: &mut Vec<&Example>) {
    let mut by_label: indexmap::IndexMap<String, Vec<&Example>> = indexmap::IndexMap::new();
    rows.drain(..).for_each(|row| by_label.entry(row.label.clone().unwrap_or_default()).or_default().push(row));
    while by_label.values().any(|rows| !rows.is_empty()) {
        rows.extend(by_label.values_mut().filter_map(Vec::pop));
    }
}

fn write_task(path: &Path, task: &Task) -> Result<()> {
    let at = |error: std::io::Error| Error::from(error).at_file(path.display().to_string());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at)?;
    }
    crate::cli::statistics::write_file(path, &task.to_toml())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan> {
        let folder = tempfile::tempdir().unwrap();
        for (name, rows) in [("data", 10), ("train", 20)] {
            let row = |i: usize| serde_json::json!({"text": format!("{name} {i}"), "label": (["positive", "negative"][i % 2])});
            let lines: String = (0..rows).map(|i| row(i).to_string() + "\n").collect();
            std::fs::write(folder.path().join(format!("{name}.jsonl")), lines).unwrap();
        }
        let path = folder.path().join("s.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    const SMALL: &str = "data = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"a.gguf\", \"b.gguf\"]\n";

    #[test]
    fn every_combination_is_a_run_with_a_folder_of_its_own() {
        let text = format!(
            "{SMALL}adapters = [\"none\", \"x\"]\nconfidence = [\"total-probability\", \"verbalized\"]\n\
             calibrators = [\"none\", \"platt\"]\nbaselines = [\"majority\", \"lasso\"]\n\
             [[prompts]]\nname = \"zero\"\ntask = \"sentiment\"\nshots = 0\n\
             [[prompts]]\nname = \"four\"\ntask = \"sentiment\"\nshots = 4\nadapters = [\"none\"]\n"
        );
        let plan = plan(&text).unwrap();
        // Models × adapters × confidences × calibrators, twice two adapters and once one; and two baselines.
        assert_eq!(plan.runs.len(), 2 * (2 + 1) * 2 * 2 + 2);
        let folders: std::collections::HashSet<_> = plan.runs.iter().map(|run| &run.folder).collect();
        assert_eq!(folders.len(), plan.runs.len());
        assert!(plan.runs.iter().any(|run| run.name == "a, four, verbalized + platt"), "{:?}", plan.runs);
    }

    #[test]
    fn what_a_run_depends_on_changes_its_hash() {
        let of = |prompt: &str| {
            let text = format!("{SMALL}[[prompts]]\nname = \"p\"\n{prompt}\n");
            plan(&text).unwrap().runs[0].hash.clone()
        };
        let known = of("task = \"sentiment\"");
        assert_eq!(known, of("task = \"sentiment\""));
        for other in
            ["task = \"sentiment\"\nshots = 0", "task = \"sentiment-yes-no\"", "task = \"sentiment\"\nshots = 2"]
        {
            assert_ne!(known, of(other), "{other}");
        }
    }

    #[test]
    fn examples_take_turns_and_are_not_among_the_data() {
        let text = format!("{SMALL}[[prompts]]\nname = \"p\"\ntask = \"sentiment\"\nshots = 6\n");
        let task = plan(&text).unwrap().task;
        assert_eq!(task.examples.len(), 6);
        assert!(task.examples.windows(2).all(|pair| pair[0].label != pair[1].label));
        assert!(task.examples.iter().all(|example| example.text.starts_with("train")));
    }

    #[test]
    fn wrong_files_are_explained() {
        let prompt = "[[prompts]]\nname = \"p\"\ntask = \"sentiment\"\n";
        for (text, words) in [
            ("data = 3".to_owned(), "invalid type"),
            (format!("{SMALL}colour = 1\n"), "colour"),
            (SMALL.to_owned(), "no prompts"),
            (format!("data = \"data.jsonl\"\n{prompt}"), "nothing to run"),
            (format!("{SMALL}confidence = [\"guess\"]\n{prompt}"), "no confidence"),
            (format!("{SMALL}calibrators = [\"magic\"]\n{prompt}"), "magic"),
            (format!("data = \"data.jsonl\"\nbaselines = [\"lasso\"]\n{prompt}"), "training rows"),
            (format!("data = \"nowhere.csv\"\nmodels = [\"a\"]\n{prompt}"), "No such file"),
            (format!("{SMALL}{prompt}shots = 500\n"), "500 examples"),
            (format!("{SMALL}{prompt}{prompt}"), "two prompts"),
        ] {
            let error = plan(&text).expect_err(&text);
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
