//! The tasks that a sweep's prompts stand for: with their own examples, with drawn ones, with another bias correction.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::file::Prompt;
use crate::cli::classify::read_task;
use crate::cli::{questions, statistics};
use crate::dataset::{Example, split};
use crate::error::{Error, Result};
use crate::task::questions::QuestionSet;
use crate::task::{FewShotExample, Task};

/// What a prompt asks.
pub enum Asked {
    Task(Task),
    /// Several questions about each text, as the file's bytes too.
    Questions(QuestionSet, Vec<u8>),
}

impl Asked {
    /// Reads a task file, a file of questions or a built-in task; a file is seen from `folder` first.
    ///
    /// # Errors
    /// A file that cannot be read or is no task.
    pub fn read(name: &str, folder: &Path) -> Result<Self> {
        let beside = folder.join(name);
        let name = if beside.exists() { beside.display().to_string() } else { name.to_owned() };
        if let Some(set) = questions::read(&name)? {
            let bytes = std::fs::read(&name).map_err(|error| Error::from(error).at_file(&name))?;
            return Ok(Self::Questions(set, bytes));
        }
        read_task(&name).map(Self::Task)
    }

    /// A task with its labels.
    pub fn labels(&self) -> &Task {
        match self {
            Self::Task(task) => task,
            Self::Questions(set, _) => &set.task,
        }
    }

    pub fn sha256(&self) -> String {
        match self {
            Self::Task(task) => task.sha256(),
            Self::Questions(set, _) => set.sha256(),
        }
    }

    /// Writes it into a sweep's folder, under a name and its own hash: two names may look alike in a file's. Gives the
    /// file.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn write(&self, out: &Path, name: &str) -> Result<PathBuf> {
        let folder = out.join("tasks");
        let path = folder.join(format!("{name}-{}.toml", &self.sha256()[..8]));
        let at = |path: &Path, error: std::io::Error| Error::from(error).at_file(path.display().to_string());
        std::fs::create_dir_all(&folder).map_err(|error| at(&folder, error))?;
        match self {
            Self::Task(task) => statistics::write_file(&path, &task.to_toml())?,
            Self::Questions(_, bytes) => std::fs::write(&path, bytes).map_err(|error| at(&path, error))?,
        }
        Ok(path)
    }
}

/// What a prompt asks, with as many drawn examples as it wants and its own bias correction.
///
/// # Errors
/// A task that cannot be read; more examples than can be drawn; questions with either.
pub fn asked(prompt: &Prompt, folder: &Path, drawn: &[Example], seed: u64) -> Result<Asked> {
    let mut asked = Asked::read(&prompt.task, folder)?;
    let task = match &mut asked {
        Asked::Task(task) => task,
        Asked::Questions(..) if prompt.shots.is_none() && prompt.bias.is_none() && !prompt.probe => return Ok(asked),
        Asked::Questions(..) => {
            return Err(Error::usage(format!(
                "{:?} asks several questions, which have neither shots, bias nor probe",
                prompt.name
            ))
            .in_field("prompts"));
        }
    };
    if let Some(method) = prompt.bias {
        task.bias.method = method;
    }
    if let Some(shots) = prompt.shots {
        task.examples = examples(task, shots, drawn, seed)?;
    }
    task.check()?;
    Ok(asked)
}

fn examples(task: &Task, shots: usize, drawn: &[Example], seed: u64) -> Result<Vec<FewShotExample>> {
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
    Ok(rows.iter().map(example).collect())
}

/// Puts rows into an order in which labels take turns: a model leans towards the last answers it saw.
fn alternate(rows: &mut Vec<&Example>) {
    let mut by_label: IndexMap<String, Vec<&Example>> = IndexMap::new();
    rows.drain(..).for_each(|row| by_label.entry(row.label.clone().unwrap_or_default()).or_default().push(row));
    while by_label.values().any(|rows| !rows.is_empty()) {
        rows.extend(by_label.values_mut().filter_map(Vec::pop));
    }
}
