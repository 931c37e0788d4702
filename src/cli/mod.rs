//! The command line: flags become ready objects, then work starts.
//!
//! This is the only floor that opens files, waits for the engine and prints. Results go to standard output (one JSON
//! object, or one a line, with `--json`), everything else to standard error; progress bars are drawn on terminals
//! only. Exit status: 0 done, 1 failed, 2 the call was wrong.

mod adapter;
mod backend;
mod bench;
mod classify;
mod compare;
mod eval;
pub mod fetch;
mod finetune;
mod input;
pub mod inspect;
pub mod manifest;
mod merge;
pub mod model;
mod output;
mod probe;
mod progress;
mod questions;
mod run_folder;
mod scoring;
mod serve;
mod statistics;
pub mod store;
mod sweep;
mod tokens;
mod unfinished;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Kind, Result};

/// First-token text classification with honest confidence, on this machine.
#[derive(Parser)]
#[command(name = "candor", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    /// Print JSON: one object, or one a line for several results.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Known models: list them, fetch one, look into a file.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// The most likely next tokens after a prompt.
    Tokens(tokens::Arguments),
    /// Classify texts.
    Classify(classify::Arguments),
    /// How fast it is on this machine.
    Bench(bench::Arguments),
    /// Classify a labelled data set into a run folder: predictions, metrics, report.
    Eval(eval::Arguments),
    /// Make a model good at a task: train a low-rank adapter on labelled rows.
    Finetune(finetune::Arguments),
    /// Learn from labelled rows in seconds: a logistic regression on the model's last hidden state.
    Probe(probe::Arguments),
    /// Make one ordinary model file of a model and an adapter.
    Merge(merge::Arguments),
    /// Runs side by side on the same rows: ranked, tested, with a page of pictures.
    Compare(compare::Arguments),
    /// Models, prompts, adapters, calibrators and baselines on the same rows, ending in a comparison.
    Sweep(sweep::Arguments),
    /// Answer over HTTP, with the web app beside it.
    Serve(serve::Arguments),
    /// Every metric of a predictions file, with its interval; a report with pictures.
    Metrics(statistics::metrics::Arguments),
    /// Compare calibrators on labelled predictions, and fit one.
    Calibrate(statistics::calibrate::Arguments),
    /// Calibrate scores, or a predictions file.
    Apply(statistics::apply::Arguments),
    /// What can be automated at which accuracy, and what it costs.
    Decide(statistics::decide::Arguments),
    /// What more labelled rows would buy.
    Samples(statistics::samples::Arguments),
}

/// Runs the command line; returns the exit status.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Finetune(_) | Command::Sweep(_)) {
        crate::platform::keep_freed_memory();
    }
    let outcome = match arguments.command {
        // It waits for clients as long as it lives: a thread of the pool that did so would be missing where texts are
        // computed, and with one processor there is no other.
        Command::Serve(_) => run(arguments),
        // On a thread of the pool, where a parallel loop starts at once instead of waking another thread and waiting
        // for it.
        _ => rayon::scope(|_| run(arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.kind == Kind::Usage { 2 } else { 1 })
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let json = arguments.json;
    match arguments.command {
        Command::Model(command) => model::run(&command, json),
        Command::Tokens(arguments) => tokens::run(arguments, json),
        Command::Classify(arguments) => classify::run(arguments, json),
        Command::Bench(arguments) => bench::run(&arguments, json),
        Command::Eval(arguments) => eval::run(&arguments, json),
        Command::Finetune(arguments) => finetune::run(&arguments, json),
        Command::Probe(arguments) => probe::run(&arguments, json),
        Command::Merge(arguments) => merge::run(&arguments, json),
        Command::Compare(arguments) => compare::run(&arguments, json),
        Command::Sweep(arguments) => sweep::run(&arguments, json),
        Command::Serve(arguments) => serve::run(&arguments, json),
        Command::Metrics(arguments) => statistics::metrics::run(&arguments, json),
        Command::Calibrate(arguments) => statistics::calibrate::run(&arguments, json),
        Command::Apply(arguments) => statistics::apply::run(&arguments, json),
        Command::Decide(arguments) => statistics::decide::run(&arguments, json),
        Command::Samples(arguments) => statistics::samples::run(&arguments, json),
    }
}
