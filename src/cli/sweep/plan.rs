//! The runs that a sweep file stands for.

use std::path::{Path, PathBuf};

use super::data::{self, Data};
use super::file::{self, CONFIDENCES, File, Finetune, Places, Prompt};
use super::names::{NONE, hash_of, hash_of_ingredients, or_none, short, slug};
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
    Finetune { model: String, task: PathBuf, settings: Box<Settings> },
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
    pub what: What,
}

impl Planned {
    fn new(out: &Path, name: String, ingredients: &serde_json::Value, what: What) -> Self {
        let hash = hash_of_ingredients(ingredients);
        let folder = out.join(format!("{}-{}", slug(&name), &hash[..8]));
        Self { name, folder, hash, what }
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
}

/// A model that may have an adapter, as one prompt meets it.
struct Asking<'a> {
    prompt: &'a Prompt,
    /// SHA-256 of the task.
    task: String,
    /// The task's file.
    written: &'a Path,
    model: &'a str,
    /// As the file names it.
    adapter: &'a str,
}

impl<'a> Expansion<'a> {
    fn new(file: &'a File, path: &'a Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path.file_stem().map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let out = file.out.clone().unwrap_or_else(|| folder.join(format!("{stem}-runs")));
        let data = data::find(file, &out)?;
        Ok(Self { file, folder, name: file.name.clone().unwrap_or(stem), out, data, runs: Vec::new() })
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
            for model in &file.models {
                for adapter in or_none(prompt.adapters.as_ref().unwrap_or(&file.adapters)) {
                    let task = asked.sha256();
                    self.add_model(&Asking { prompt, task, written: &written, model, adapter: &adapter })?;
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
            self.add(format!("baseline: {}", baseline.name()), &ingredients, What::Baseline(*baseline));
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

    fn add(&mut self, name: String, ingredients: &serde_json::Value, what: What) {
        self.runs.push(Planned::new(&self.out, name, ingredients, what));
    }

    fn add_finetune(&mut self, finetune: &Finetune) -> Result<()> {
        let asked = Asked::read(&finetune.task, self.folder)?;
        let task = asked.write(&self.out, &format!("finetune-{}", slug(&finetune.name)))?;
        for model in &self.file.models {
            let ingredients = self.ingredients(serde_json::json!({
                "finetune": finetune.settings, "model": hash_of_model(model), "task": asked.sha256(),
            }));
            let settings = Box::new(finetune.settings.clone());
            let what = What::Finetune { model: model.clone(), task: task.clone(), settings };
            self.add(self.name_of_finetune(&finetune.name, model), &ingredients, what);
        }
        Ok(())
    }

    fn name_of_finetune(&self, name: &str, model: &str) -> String {
        let model = if self.file.models.len() > 1 { format!(" of {}", short(model)) } else { String::new() };
        format!("fine-tune: {name}{model}")
    }

    /// The folder of an adapter and the hash of what it is.
    fn adapter(&self, word: &str, model: &str) -> Option<(PathBuf, String)> {
        if word == NONE {
            return None;
        }
        if self.file.finetunes.iter().any(|finetune| finetune.name == word) {
            let name = self.name_of_finetune(word, model);
            let made = self.runs.iter().find(|run| run.name == name);
            return made.map(|run| (run.folder.clone(), run.hash.clone()));
        }
        let path = self.folder.join(word);
        // What is not there is the run's failure, told when it is run, and not the whole sweep's.
        let hash = hash_of(&path, "adapters").unwrap_or_else(|_| word.to_owned());
        Some((path, hash))
    }

    /// A run for each confidence, or the probe's; and one for each calibrator on top of it.
    fn add_model(&mut self, asking: &Asking<'_>) -> Result<()> {
        let prompt = asking.prompt;
        let (adapter, adapter_hash) = self.adapter(asking.adapter, asking.model).unzip();
        let confidences = match prompt.confidence.as_ref().unwrap_or(&self.file.confidence) {
            some if !some.is_empty() && !prompt.probe => some.clone(),
            _ => vec![CONFIDENCES[0].to_owned()],
        };
        for confidence in &confidences {
            let mut parts = vec![prompt.name.clone()];
            if self.file.models.len() > 1 {
                parts.insert(0, short(asking.model));
            }
            if asking.adapter != NONE && or_none(prompt.adapters.as_ref().unwrap_or(&self.file.adapters)).len() > 1 {
                parts.push(short(asking.adapter));
            }
            if confidences.len() > 1 {
                parts.push(confidence.clone());
            }
            let ingredients = self.ingredients(serde_json::json!({
                "model": hash_of_model(asking.model), "adapter": adapter_hash, "task": asking.task,
                "confidence": confidence, "probe": prompt.probe,
            }));
            let (model, adapter, task) = (asking.model.to_owned(), adapter.clone(), asking.written.to_path_buf());
            let what = match prompt.probe {
                true => What::Probe { model, adapter, task },
                false => What::Model { model, adapter, task, confidence: confidence.clone() },
            };
            let base = Planned::new(&self.out, parts.join(", "), &ingredients, what);
            let (base_folder, base_hash, base_name) = (base.folder.clone(), base.hash.clone(), base.name.clone());
            // A calibrated run is made from the one as it is, which is then shown too.
            self.runs.push(base);
            let calibrators = prompt.calibrators.as_ref().unwrap_or(&self.file.calibrators);
            for word in or_none(calibrators).iter().filter(|word| *word != NONE) {
                let method: Method = word.parse()?;
                let ingredients = serde_json::json!({ "base": base_hash, "calibrator": word });
                let what = What::Calibrated { base: base_folder.clone(), method };
                self.add(format!("{base_name} + {word}"), &ingredients, what);
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
        read(&path, &Places::default())
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
        assert!(plan.runs.iter().any(|run| run.name == "a, zero, x, verbalized"), "{:?}", plan.runs);
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
    fn what_learns_comes_before_what_was_learned() {
        let text = "data = \"data.jsonl\"\ntest = 4\nmodels = [\"a.gguf\"]\n\
             [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\nsettings = { lr = 0.001 }\n\
             [[prompts]]\nname = \"tuned\"\ntask = \"sentiment\"\nadapters = [\"lora\"]\nconfidence = [\"share\"]\n\
             [[prompts]]\nname = \"probe\"\ntask = \"sentiment\"\nshots = 0\nbias = \"batch\"\nprobe = true\n";
        let plan = plan(text).unwrap();
        let names: Vec<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["fine-tune: lora", "tuned", "probe"]);
        assert_eq!(plan.runs.iter().filter(|run| run.is_compared()).count(), 2);
        let What::Model { adapter, confidence, .. } = &plan.runs[1].what else { panic!("{:?}", plan.runs[1]) };
        assert_eq!((adapter.as_ref(), confidence.as_str()), (Some(&plan.runs[0].folder), "share"));
        assert!(plan.data.train.is_some() && plan.data.judged.ends_with("data/test.jsonl"));
        let other = super::tests::plan(&text.replace("0.001", "0.002")).unwrap();
        assert_ne!(other.runs[1].hash, plan.runs[1].hash, "another fine-tune is another run");
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
            (format!("data = \"data.jsonl\"\nmodels = [\"a\"]\n{prompt}probe = true\n"), "learn from training rows"),
            (format!("data = \"data.jsonl\"\ntest = 10\nmodels = [\"a\"]\n{prompt}"), "10 of 10 rows"),
            (format!("{SMALL}test = 3\n{prompt}"), "either test or train"),
            (format!("models = [\"a\"]\n{prompt}"), "--data"),
            (format!("data = \"nowhere.csv\"\nmodels = [\"a\"]\n{prompt}"), "No such file"),
            (format!("{SMALL}{prompt}shots = 500\n"), "500 examples"),
            (format!("{SMALL}{prompt}{prompt}"), "two prompts"),
        ] {
            let error = plan(&text).expect_err(&text);
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
