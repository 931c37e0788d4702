//! `candor compare`: runs side by side on the rows that all of them have.

mod sections;

pub use self::sections::QUESTIONS_FILE;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::output::Output;
use super::statistics::{predictions_file, read, run_facts, write_file};
use crate::chart::{Cell, Section, Table};
use crate::error::{Error, Result};
use crate::evaluate::compare::report::{balance, calibrations, pairs, ranking, report_of};
use crate::evaluate::compare::{Compared, Criterion, Run, Settings, compare};
use crate::evaluate::rows::SEED;
use crate::stats::metrics::report::Options;
use crate::task::Task;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Run folders or predictions files, at least two; `NAME=PATH` names one.
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<String>,
    /// Write the comparison as a self-contained page.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    judging: Judging,
}

/// Flags of how runs are judged.
#[derive(clap::Args)]
#[group(skip)]
pub struct Judging {
    /// What the runs are ranked by [default: accuracy, or what a sweep file says].
    #[arg(long, value_enum)]
    pub by: Option<By>,
    /// The confidence from which on a row counts as automated.
    #[arg(long, default_value_t = 0.95)]
    threshold: f64,
    /// The accuracy that automated rows must have where a promise is looked for.
    #[arg(long, default_value_t = 0.95)]
    accuracy: f64,
    /// How sure that must be.
    #[arg(long, default_value_t = 0.9)]
    assurance: f64,
    /// Equal-width bins of the calibration errors.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bins: u32,
    /// Bootstrap resamples; by default 2,000, fewer for very many rows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    resamples: Option<u32>,
    /// A task file, or a built-in task, for the order of the labels and their values.
    #[arg(long)]
    task: Option<String>,
}

/// What runs are ranked by, as a flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    #[default]
    Accuracy,
    MacroF1,
    Brier,
    LogLoss,
    Ece,
    Mse,
}

impl From<By> for Criterion {
    fn from(by: By) -> Self {
        match by {
            By::Accuracy => Self::Accuracy,
            By::MacroF1 => Self::MacroF1,
            By::Brier => Self::Brier,
            By::LogLoss => Self::LogLoss,
            By::Ece => Self::Ece,
            By::Mse => Self::Mse,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Runs that cannot be read or share no rows; output that cannot be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let runs = read_runs(&arguments.runs)?;
    let compared = compare(&runs, &arguments.judging.settings(&runs, None, None)?)?;
    let page = Page { title: "Runs compared", out: arguments.out.as_deref(), failed: Vec::new() };
    let folders: Vec<PathBuf> = arguments.runs.iter().map(|word| named(word).1).collect();
    finish(&compared, &runs, &folders, page, json)
}

impl Judging {
    /// The flags as settings for these runs. A sweep knows its task and may say what to rank by; flags go before that.
    ///
    /// # Errors
    /// A threshold that is no confidence; a task that cannot be read.
    pub fn settings(&self, runs: &[Run], task: Option<&Task>, by: Option<By>) -> Result<Settings> {
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(Error::usage(format!("{} is no confidence", self.threshold))
                .in_field("--threshold")
                .help("give a share such as 0.95"));
        }
        let rows = runs.iter().map(|run| run.predictions.rows.len()).max().unwrap_or(0);
        let mut metrics = Options { bins: self.bins as usize, ..Options::for_rows(rows) };
        metrics.resampling.seed = SEED;
        if let Some(resamples) = self.resamples {
            metrics.resampling.resamples = resamples as usize;
        }
        let named = self.task.as_deref().map(super::classify::read_task).transpose()?;
        if let Some(task) = named.or_else(|| task.cloned()) {
            metrics.values = task.labels.iter().filter_map(|label| Some((label.name.clone(), label.value?))).collect();
            metrics.labels = task.labels.into_iter().map(|label| label.name).collect();
        }
        let (accuracy, assurance) = (self.accuracy, self.assurance);
        let by = self.by.or(by).unwrap_or_default().into();
        Ok(Settings { by, threshold: self.threshold, accuracy, assurance, metrics })
    }
}

/// Reads the runs; each has the name it was given, or else that of its folder, and no two the same.
fn read_runs(words: &[String]) -> Result<Vec<Run>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    (words.iter())
        .map(|word| {
            let (name, path) = named(word);
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            let name = if *count > 1 { format!("{name} ({count})") } else { name };
            read_run(name, &path)
        })
        .collect()
}

/// A run's name and place. What exists is a path, even with a `=` in it.
fn named(word: &str) -> (String, PathBuf) {
    let path = PathBuf::from(word);
    if !path.exists()
        && let Some((name, path)) = word.split_once('=')
        && !name.trim().is_empty()
    {
        return (name.trim().to_owned(), PathBuf::from(path));
    }
    let file = predictions_file(&path);
    // A run folder is called by its own name, a file by its name without its ending.
    let named = if path.is_dir() { file.parent().and_then(Path::file_name) } else { path.file_stem() };
    (named.map_or_else(|| word.to_owned(), |name| name.to_string_lossy().into_owned()), path)
}

/// Reads one run.
///
/// # Errors
/// Predictions that cannot be read.
pub fn read_run(name: String, path: &Path) -> Result<Run> {
    Ok(Run { name, predictions: read(path)?, facts: run_facts(path) })
}

/// The page of a comparison.
pub struct Page<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its file; none is written without.
    pub out: Option<&'a Path>,
    /// What failed.
    pub failed: Vec<Section>,
}

/// Writes the page, if one was asked for, and prints. `folders` are those of the runs, in their order.
///
/// # Errors
/// Output that cannot be written.
pub fn finish(compared: &Compared, runs: &[Run], folders: &[PathBuf], page: Page<'_>, json: bool) -> Result<()> {
    // In the order of the ranking.
    let folder_of = |name: &str| runs.iter().position(|run| run.name == name).map(|place| folders[place].as_path());
    let ranked = compared.runs.iter().filter_map(|side| Some((side.name.as_str(), folder_of(&side.name)?)));
    let questions = sections::questions(ranked);
    if let Some(path) = page.out {
        let mut extra = page.failed;
        extra.extend(questions.clone().map(|table| Section {
            title: "How far off is each question?".into(),
            tables: vec![table],
            ..Section::default()
        }));
        extra.extend(sections::losses(runs));
        write_file(path, &report_of(compared, page.title, extra)?.to_html())?;
        eprintln!("wrote {}", path.display());
    }
    let mut output = Output::standard();
    if json {
        output.json(compared)?;
    } else {
        print(&mut output, compared, questions)?;
    }
    output.flush()
}

fn print(output: &mut Output, compared: &Compared, questions: Option<Table>) -> Result<()> {
    output.line(&compared.verdict.sentence)?;
    for table in [ranking(compared), calibrations(compared)]
        .into_iter()
        .chain(balance(compared))
        .chain(questions)
        .chain([pairs(compared)])
    {
        output.line("")?;
        output.line(&table.caption)?;
        print_table(output, &table)?;
    }
    output.line("")?;
    compared.warnings.iter().try_for_each(|warning| output.line(&format!("note: {warning}")))
}

/// A table of the report, on the terminal.
fn print_table(output: &mut Output, table: &Table) -> Result<()> {
    let header: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let text = |cell: &Cell| match cell {
        Cell::Text(words) => words.clone(),
        Cell::Number { shown, .. } => shown.clone(),
        Cell::Empty => "–".to_owned(),
    };
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    output.table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_names() {
        for (word, name, path) in
            [("runs/base", "base", "runs/base"), ("a=b/c.jsonl", "a", "b/c.jsonl"), ("x/p.jsonl", "p", "x/p.jsonl")]
        {
            assert_eq!(named(word), (name.to_owned(), PathBuf::from(path)), "{word}");
        }
    }
}
