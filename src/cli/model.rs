//! `candor model list / fetch / inspect`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::fetch::{Patience, fetch};
use super::inspect::{Inspection, inspect};
use super::manifest::Manifest;
use super::store::{Store, at};
use crate::error::{Error, Result};

/// Known models, downloads, and what a file holds
#[derive(Debug, Clone, Subcommand)]
pub enum ModelCommand {
    /// List the known models and whether they are on this machine
    List,
    /// Download a known model, resuming and checking it, and print its path
    Fetch {
        /// Name as `candor model list` shows it
        name: String,
    },
    /// Show what a GGUF file holds and which backend will run it
    Inspect {
        /// A .gguf file, or the name of a known model
        file: String,
    },
}

/// Runs a `candor model` command; with `json`, one JSON object goes to standard output.
///
/// # Errors
/// Whatever stands in the way, with what to do next.
pub fn run(command: &ModelCommand, json: bool) -> Result<()> {
    match command {
        ModelCommand::List => list(json),
        ModelCommand::Fetch { name } => fetch_named(name, json),
        ModelCommand::Inspect { file } => inspect_file(file, json),
    }
}

fn list(json: bool) -> Result<()> {
    let (manifest, store) = (Manifest::embedded()?, Store::open()?);
    let states = manifest.models.iter().map(|model| match store.verified(model) {
        Ok(Some(_)) => ("ready", None),
        Ok(None) => ("not fetched", None),
        Err(error) => ("damaged", Some(error.message)),
    });
    let states: Vec<_> = states.collect();
    if json {
        let models = manifest.models.iter().zip(&states).map(|(model, (state, problem))| {
            let path = (*state == "ready").then(|| store.path(model));
            json!({
                "name": model.name, "description": model.description, "file": model.file, "bytes": model.bytes,
                "sha256": model.sha256, "licence": model.licence, "homepage": model.homepage,
                "sources": model.sources, "state": state, "problem": problem, "path": path,
            })
        });
        println!("{}", json!({ "folder": store.folder(), "models": models.collect::<Vec<_>>() }));
        return Ok(());
    }
    let width = manifest.models.iter().map(|model| model.name.len()).max().unwrap_or(0);
    for (model, (state, problem)) in manifest.models.iter().zip(&states) {
        let size = format!("{:.1} MB", model.bytes as f64 / 1e6);
        println!("{:width$}  {size:>9}  {:10}  {state:11}  {}", model.name, model.licence, model.description);
        if let Some(problem) = problem {
            println!("{:width$}  {problem}", "");
        }
    }
    println!("\nKept in {}", store.folder().display());
    Ok(())
}

fn fetch_named(name: &str, json: bool) -> Result<()> {
    let (manifest, store) = (Manifest::embedded()?, Store::open()?);
    let model = manifest.find(name).ok_or_else(|| {
        Error::usage(format!("there is no known model \"{name}\"")).help(format!("known are: {}", manifest.names()))
    })?;
    let fetched = fetch(&store, model, Patience::default(), &|line| eprintln!("{line}"))?;
    if json {
        let object = json!({
            "name": model.name, "path": fetched.path, "bytes": model.bytes, "sha256": model.sha256,
            "source": fetched.source, "fetched": fetched.source.is_some(),
        });
        println!("{object}");
    } else {
        if fetched.source.is_none() {
            eprintln!("{name} is here already; size and SHA-256 are right");
        }
        println!("{}", fetched.path.display());
    }
    Ok(())
}

fn inspect_file(file: &str, json: bool) -> Result<()> {
    // A broken file may be inspected by its path, so only a known name goes through the store's checks.
    let known = Manifest::embedded()?.find(file).is_some();
    let path = if known { super::store::resolve(file)? } else { PathBuf::from(file) };
    let opened = File::open(&path).map_err(|error| at(&path, error))?;
    let found = inspect(opened).map_err(|error| error.at_file(path.display().to_string()))?;
    if json {
        let object = serde_json::to_value(&found).map_err(|error| Error::internal(error.to_string()))?;
        println!("{object}");
    } else {
        print(&path, &found);
    }
    Ok(())
}

fn print(path: &Path, found: &Inspection) {
    let row = |name: &str, value: String| println!("{name:14} {value}");
    let or_unknown = |value: Option<u64>| value.map_or_else(|| "not stated".to_string(), |value| value.to_string());
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not stated".to_string());
    row("file", format!("{} ({:.1} MB, GGUF {})", path.display(), found.bytes as f64 / 1e6, found.version));
    row("name", text(&found.name));
    row("licence", text(&found.licence));
    row("architecture", text(&found.architecture));
    row("parameters", format!("{:.1} M in {} tensors", found.parameters as f64 / 1e6, found.tensors));
    row("layers", or_unknown(found.layers));
    row("width", format!("{}, feed-forward {}", or_unknown(found.width), or_unknown(found.feed_forward)));
    row("heads", format!("{}, key-value {}", or_unknown(found.heads), or_unknown(found.kv_heads)));
    row("context", format!("{} tokens", or_unknown(found.context)));
    let (kind, pre, size) = (text(&found.tokenizer), text(&found.pre_tokenizer), or_unknown(found.vocabulary));
    row("tokenizer", format!("{kind}, pre-tokenizer {pre}, {size} tokens"));
    row("chat template", if found.chat_template { "yes" } else { "no" }.to_string());
    for (i, (name, count)) in found.types.iter().enumerate() {
        let share = 100.0 * count.elements as f64 / found.parameters as f64;
        let label = if i == 0 { "types" } else { "" };
        row(label, format!("{name:8} {:4} tensors {share:5.1}% of parameters", count.tensors));
    }
    row("backend", found.backend.clone().unwrap_or_else(|| "none can run this file:".to_string()));
    for problem in &found.problems {
        row("", format!("- {problem}"));
    }
}
