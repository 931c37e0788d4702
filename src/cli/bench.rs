//! `candor bench`: how fast is it on this machine?
//!
//! The prompts are classified as a task of their own: what they all begin with is computed once and kept, as it is for
//! any task. The figure of a job is the median of a few repeats after one that does not count.

use std::path::PathBuf;

use serde::Serialize;

use super::classify::load;
use super::output::Output;
use super::{backend, progress};
use crate::classify::{Classifier, Options, quietly};
use crate::engine::{Adapter, Choice};
use crate::error::{Error, Result};
use crate::platform;
use crate::protocol::Classification;
use crate::task::{BUILT_IN, BUILT_IN_PROMPTS, Label, Task, read_prompts};

/// Tokens of the prompt that raw prefill is measured with.
const PREFILL_TOKENS: usize = 512;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long, default_value = "smollm2-135m")]
    model: String,
    /// A fine-tuned adapter of the model: its folder, or a GGUF file.
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Whole prompts, as a JSON list of texts. Without it, 32 prompts that come with the program.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Prompts of a job: those above in turn, as often as it takes. A graphics device is busy with some hundred.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    examples: Option<u32>,
    #[command(flatten)]
    backend: backend::Arguments,
    /// Threads to use; all cores by default.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// How often to measure; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    /// The backend and its instruction set.
    backend: String,
    /// Why this one.
    reason: String,
    threads: usize,
    /// Prompts of a job.
    examples: usize,
    tokens_computed: usize,
    tokens_reused: usize,
    examples_per_s: f64,
    tokens_per_s: f64,
    /// The most memory this process has held.
    peak_bytes: Option<u64>,
    /// Weights as the kernels keep them.
    weight_bytes: u64,
    load_seconds: f64,
    /// Copying the weights to the graphics device, where there is one.
    upload_seconds: Option<f64>,
    /// The kept beginning: tokens, and seconds to compute it.
    prefix_tokens: usize,
    prefix_seconds: f64,
    /// One prompt by itself, its beginning kept.
    one_text_seconds: f64,
    one_text_tokens: usize,
    /// One long prompt by itself, nothing kept.
    prefill_tokens: usize,
    prefill_tokens_per_s: f64,
    /// Every repeat's examples a second.
    repeats: Vec<f64>,
}

/// Runs the command.
///
/// # Errors
/// A model or prompts that cannot be read.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let prompts = match &arguments.prompts {
        None => read_prompts(BUILT_IN_PROMPTS.as_bytes())?,
        Some(path) => std::fs::read(path)
            .map_err(Error::from)
            .and_then(|bytes| read_prompts(&bytes))
            .map_err(|error| error.at_file(path.display().to_string()))?,
    };
    let count = arguments.examples.map_or(prompts.len(), |count| count as usize);
    let prompts: Vec<String> = prompts.into_iter().cycle().take(count).collect();
    let adapter = arguments.adapter.as_ref().map(|path| super::adapter::open(path, &arguments.model)).transpose()?;
    let choice = arguments.backend.choice()?;
    let measure = || measure(&arguments.model, choice, adapter, &prompts, usize::from(arguments.repeats));
    let report = match arguments.threads {
        None => measure()?,
        Some(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build();
            pool.map_err(|error| Error::internal(format!("{threads} threads: {error}")))?.install(measure)?
        }
    };
    let mut output = Output::standard();
    match json {
        true => output.json(&report)?,
        false => print(&mut output, &report)?,
    }
    output.flush()
}

fn measure(
    model: &str,
    choice: Choice,
    adapter: Option<Adapter>,
    prompts: &[String],
    repeats: usize,
) -> Result<Report> {
    let (loading, mut classifier) = timed(|| load(model, choice))?;
    classifier.set_adapter(adapter)?;
    let labels: Vec<Label> = Task::from_toml(BUILT_IN[0].1)?.labels;
    let (task, texts) = Task::of_whole_prompts(prompts, labels);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (prefix_seconds, task) =
        timed(|| pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await)))?;

    let bar = progress::bar("measuring", progress::Unit::Rows);
    let mut jobs = Vec::with_capacity(repeats);
    let mut results = job(&classifier, &texts)?;
    for repeat in 0..repeats {
        progress::set(&bar, repeat as u64, Some(repeats as u64));
        let (seconds, again) = timed(|| job(&classifier, &texts))?;
        jobs.push(seconds);
        results = again;
    }
    let singles = (0..repeats).map(|repeat| timed(|| job(&classifier, &[texts[repeat % texts.len()]])));
    let singles: Vec<(f64, Vec<Classification>)> = singles.collect::<Result<_>>()?;
    let prompt = long_prompt(&classifier, prompts)?;
    let prefills = (0..repeats).map(|_| timed(|| next_token(&classifier, &prompt)));
    let prefills: Vec<(f64, usize)> = prefills.collect::<Result<_>>()?;
    bar.finish_and_clear();

    let info = classifier.model_info();
    let memory = classifier.memory();
    let tokens_computed = results.iter().map(|result| result.tokens_computed).sum();
    let seconds = median(jobs.clone());
    let prefill_tokens = prefills.first().map_or(0, |(_, tokens)| *tokens);
    Ok(Report {
        backend: info.backend,
        reason: info.backend_reason,
        threads: platform::threads(),
        examples: texts.len(),
        tokens_computed,
        tokens_reused: results.iter().map(|result| result.tokens_reused).sum(),
        examples_per_s: texts.len() as f64 / seconds,
        tokens_per_s: tokens_computed as f64 / seconds,
        peak_bytes: memory.peak,
        weight_bytes: memory.weights,
        load_seconds: loading,
        upload_seconds: classifier.engine().gpu().map(|gpu| gpu.upload_seconds()),
        prefix_tokens: task.prefix_tokens,
        prefix_seconds,
        one_text_seconds: median(singles.iter().map(|(seconds, _)| *seconds).collect()),
        one_text_tokens: singles.iter().flat_map(|(_, results)| results).map(|r| r.tokens_computed).max().unwrap_or(0),
        prefill_tokens,
        prefill_tokens_per_s: prefill_tokens as f64 / median(prefills.iter().map(|(seconds, _)| *seconds).collect()),
        repeats: jobs.iter().map(|seconds| texts.len() as f64 / seconds).collect(),
    })
}

/// Classifies all texts, a batch at a time, as `candor classify` does.
fn job(classifier: &Classifier, texts: &[&str]) -> Result<Vec<Classification>> {
    let mut results = Vec::with_capacity(texts.len());
    for batch in texts.chunks(classifier.engine().batch_texts()) {
        let batch = quietly(async |control| classifier.classify_batch(batch, &Options::default(), control).await);
        results.extend(pollster::block_on(batch)?);
    }
    Ok(results)
}

/// The prompts one after the other, cut to about [`PREFILL_TOKENS`] tokens.
fn long_prompt(classifier: &Classifier, prompts: &[String]) -> Result<String> {
    let tokenizer = classifier.tokenizer();
    let mut text = String::new();
    let mut ids = Vec::new();
    for prompt in prompts.iter().cycle() {
        text.push_str(prompt);
        text.push('\n');
        ids = tokenizer.encode(&text, false)?;
        if ids.len() >= PREFILL_TOKENS {
            break;
        }
    }
    ids.truncate(PREFILL_TOKENS);
    Ok(tokenizer.decode(&ids))
}

/// The number of tokens of a prompt, after computing what follows it.
fn next_token(classifier: &Classifier, prompt: &str) -> Result<usize> {
    let work = quietly(async |control| classifier.next_tokens(prompt, false, 1, control).await);
    Ok(pollster::block_on(work)?.0.len())
}

/// Seconds that `work` took, and what came of it.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let started = platform::now();
    let result = work()?;
    Ok(((platform::now() - started).max(1e-9), result))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(output: &mut Output, report: &Report) -> Result<()> {
    let bytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let rows = vec![
        vec!["backend".to_owned(), format!("{}, {} threads ({})", report.backend, report.threads, report.reason)],
        vec!["texts".to_owned(), format!("{:.1} a second ({} in a job)", report.examples_per_s, report.examples)],
        vec![
            "tokens".to_owned(),
            format!(
                "{:.0} computed a second; {} computed and {} reused in a job",
                report.tokens_per_s, report.tokens_computed, report.tokens_reused
            ),
        ],
        vec![
            "one text".to_owned(),
            format!("{:.0} ms ({} tokens)", report.one_text_seconds * 1e3, report.one_text_tokens),
        ],
        vec![
            "long prompt".to_owned(),
            format!("{:.0} tokens a second ({} tokens)", report.prefill_tokens_per_s, report.prefill_tokens),
        ],
        vec![
            "task".to_owned(),
            format!("{} tokens kept, computed in {:.0} ms", report.prefix_tokens, report.prefix_seconds * 1e3),
        ],
        vec![
            "load".to_owned(),
            match report.upload_seconds {
                None => format!("{:.2} s", report.load_seconds),
                Some(upload) => format!("{:.2} s, {upload:.2} s of it to the graphics device", report.load_seconds),
            },
        ],
        vec![
            "memory".to_owned(),
            format!(
                "{} at most, {} of weights",
                report.peak_bytes.map_or("unknown".into(), bytes),
                bytes(report.weight_bytes)
            ),
        ],
    ];
    output.table(&["what", "measured"], &rows)
}
