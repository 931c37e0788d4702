//! `candor sweep FILE.toml`: models, prompts, adapters, confidences, calibrators and baselines on the same rows.
//!
//! The file ([`mod@file`]), with its rows ([`data`]) and prompts ([`prompts`]), is expanded into runs ([`plan`]), each with
//! a hash of everything it depends on and a folder named after it. A run whose folder is finished under the same hash is
//! not repeated. Fine-tunes, probes and runs of a model are commands of this program in a process of their own ([`runs`]):
//! whatever ends one, memory or a fault, leaves the others. What failed is reported, the rest goes on, and everything that
//! was finished is compared at the end.

mod data;
mod file;
mod names;
mod plan;
mod prompts;
mod runs;

use std::path::{Path, PathBuf};

use self::plan::{Plan, Planned};
use super::compare::{Judging, Page, finish, read_run};
use crate::chart::{Cell, Section, Table};
use crate::error::{Error, Result};
use crate::evaluate::compare::compare;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to run, as TOML: see tasks/README.md.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the comparison here; by default `compare.html` in the sweep's folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only say what would be run.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    places: file::Places,
    #[command(flatten)]
    judging: Judging,
}

/// A run that failed, and why.
struct Failure {
    name: String,
    why: String,
}

/// Runs the command.
///
/// # Errors
/// A file that is no sweep; fewer than two finished runs; in the end, if any run failed.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let plan = plan::read(&arguments.file, &arguments.places)?;
    std::fs::create_dir_all(&plan.out).map_err(|error| at(&plan.out, error))?;
    let (mut finished, mut failures) = (Vec::new(), Vec::new());
    let total = plan.runs.len();
    for (place, planned) in plan.runs.iter().enumerate() {
        let say = |what: &str| eprintln!("{}/{total} {}: {what}", place + 1, planned.name);
        let fresh = runs::is_finished(planned);
        if arguments.dry_run {
            say(if fresh { "finished" } else { "to run" });
            continue;
        }
        let done = if fresh { Ok("finished before".to_owned()) } else { runs::run(&plan, planned) };
        match done {
            Ok(what) => {
                say(&what);
                finished.extend(planned.is_compared().then_some(planned));
            }
            Err(error) => {
                say(&format!("failed: {error}"));
                failures.push(Failure { name: planned.name.clone(), why: error.to_string() });
            }
        }
    }
    if arguments.dry_run {
        return Ok(());
    }
    conclude(arguments, &plan, &finished, &failures, json)
}

fn at(path: &Path, error: std::io::Error) -> Error {
    Error::from(error).at_file(path.display().to_string())
}

/// Compares what was finished, and ends in an error if something failed.
fn conclude(arguments: &Arguments, plan: &Plan, finished: &[&Planned], failures: &[Failure], json: bool) -> Result<()> {
    let failed = || {
        let names: Vec<&str> = failures.iter().map(|failure| failure.name.as_str()).collect();
        Error::input(format!("{} of {} runs failed: {}", failures.len(), plan.runs.len(), names.join(", ")))
            .at_file(arguments.file.display().to_string())
            .help("the reasons stand above; run the sweep again when they are gone, finished runs are not repeated")
    };
    if finished.len() < 2 {
        let few = Error::input(format!("{} run is finished, so there is nothing to compare", finished.len()));
        return Err(if failures.is_empty() { few.help("add models, prompts or baselines") } else { failed() });
    }
    let runs: Vec<_> =
        finished.iter().map(|planned| read_run(planned.name.clone(), &planned.folder)).collect::<Result<_>>()?;
    let mut compared = compare(&runs, &arguments.judging.settings(&runs, Some(&plan.task), plan.by)?)?;
    compared.warnings.extend(failures.iter().map(|failure| {
        format!("\"{}\" failed and is not compared: {}", failure.name, failure.why.lines().next().unwrap_or_default())
    }));
    let out = arguments.out.clone().unwrap_or_else(|| plan.out.join("compare.html"));
    let folders: Vec<PathBuf> = finished.iter().map(|planned| planned.folder.clone()).collect();
    let page =
        Page { title: &format!("{}: runs compared", plan.name), out: Some(&out), failed: failed_section(failures) };
    finish(&compared, &runs, &folders, page, json)?;
    if failures.is_empty() { Ok(()) } else { Err(failed()) }
}

fn failed_section(failures: &[Failure]) -> Vec<Section> {
    if failures.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new("Runs that failed", &["run", "why"]);
    for failure in failures {
        table.push(vec![Cell::text(failure.name.as_str()), Cell::text(failure.why.as_str())]);
    }
    vec![Section { title: "What failed?".into(), tables: vec![table], ..Section::default() }]
}
