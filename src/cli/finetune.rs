//! `candor finetune`: a model is made good at a task, on this machine.
//!
//! The adapter's folder holds the best epoch's adapter in both formats, a checkpoint, `metrics.jsonl` and a picture of
//! the losses. A run that was stopped goes on with `--resume`; a folder that holds one is never overwritten unasked.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::classify::{load, read_task};
use super::eval::known_labels;
use super::output::{Output, percent};
use super::statistics::write_file;
use super::{input, progress, questions, store};
use crate::chart::Picture as _;
use crate::classify::{Classifier, PreparedTask, quietly};
use crate::dataset::{Dataset, Example, duplicates, split};
use crate::engine::adapter::Projection;
use crate::engine::adapter::files::GGUF_FILE;
use crate::engine::adapter::peft::{CONFIG_FILE, WEIGHTS_FILE};
use crate::engine::{Cancel, Choice, Control};
use crate::error::{Error, Kind, Result};
use crate::task::questions::QuestionSet;
use crate::task::{BiasMethod, Task};
use crate::train::log::Record;
use crate::train::{self, Asked, Criterion, Event, Inputs, Labelled, Outcome, Settings};

/// Bytes of a file beside the adapter from which on it is worth a note.
const NOTED_BYTES: u64 = 100_000_000;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long, default_value = "smollm2-135m")]
    model: String,
    /// A task file, or the name of a built-in task. Its prompt is what the adapter learns: use the same task afterwards.
    #[arg(long)]
    task: String,
    /// Labelled rows to learn from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled rows to choose the best epoch with; a tenth of the rows to learn from by default. Never test with them.
    #[arg(long, value_name = "FILE")]
    valid: Option<PathBuf>,
    #[command(flatten)]
    reading: input::Arguments,
    /// The adapter's folder; made where it is not there.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on from the folder's checkpoint.
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace the fine-tune that is in the folder.
    #[arg(long)]
    overwrite: bool,
    /// Cut prompts to this many tokens. Without it, a text that does not fit into the model's context is an error.
    #[arg(long, value_name = "TOKENS")]
    limit_tokens: Option<usize>,
    #[command(flatten)]
    settings: Hyper,
}

/// Hyper-parameters as flags. What is not given comes from `--settings`, or has its default.
#[derive(clap::Args)]
struct Hyper {
    /// Hyper-parameters as TOML, named as these flags; a flag goes before it.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Rank of the low-rank pairs [default: 8].
    #[arg(long)]
    rank: Option<usize>,
    /// Their result is multiplied with alpha / rank [default: 16].
    #[arg(long)]
    alpha: Option<f64>,
    /// Share of their inputs that each step leaves out [default: 0].
    #[arg(long)]
    dropout: Option<f64>,
    /// Which matrices: query, key, value, output, gate, up, down (or PEFT's names) [default: all].
    #[arg(long, value_delimiter = ',', value_parser = parse_projection)]
    projections: Option<Vec<Projection>>,
    /// How many layers, from the top; the others are computed once [default: a third of the model's].
    #[arg(long)]
    layers: Option<usize>,
    /// Passes over the rows [default: 3].
    #[arg(long)]
    epochs: Option<usize>,
    /// Rows of a step [default: 16].
    #[arg(long)]
    batch: Option<usize>,
    /// Highest learning rate [default: 0.0008].
    #[arg(long)]
    lr: Option<f64>,
    /// Share of the steps in which the learning rate rises [default: 0.1].
    #[arg(long)]
    warmup: Option<f64>,
    /// Weight decay [default: 0].
    #[arg(long)]
    weight_decay: Option<f64>,
    /// Longest gradient [default: 1].
    #[arg(long)]
    clip: Option<f64>,
    /// Epochs without a better validation before it stops [default: 2].
    #[arg(long)]
    patience: Option<usize>,
    /// What a better validation is [default: log-loss].
    #[arg(long, value_enum)]
    criterion: Option<CriterionChoice>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum CriterionChoice {
    LogLoss,
    MacroF1,
}

fn parse_projection(name: &str) -> std::result::Result<Projection, String> {
    Projection::from_name(name.trim()).ok_or_else(|| {
        let names = Projection::ALL.map(Projection::name).join(", ");
        format!("there is no such matrix; a layer has {names}")
    })
}

impl Hyper {
    /// All settings; `seed` is the flag's.
    fn read(&self, seed: Option<u64>) -> Result<Settings> {
        let from_file = self.settings.as_ref().map(|path| {
            let named = |error: Error| error.at_file(path.display().to_string());
            let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
            Settings::from_toml(&text).map_err(named)
        });
        let mut settings = from_file.transpose()?.unwrap_or_default();
        fn set<T: Clone>(to: &mut T, flag: &Option<T>) {
            if let Some(value) = flag {
                to.clone_from(value);
            }
        }
        set(&mut settings.rank, &self.rank);
        set(&mut settings.alpha, &self.alpha);
        set(&mut settings.dropout, &self.dropout);
        set(&mut settings.projections, &self.projections);
        set(&mut settings.epochs, &self.epochs);
        set(&mut settings.batch, &self.batch);
        set(&mut settings.lr, &self.lr);
        set(&mut settings.warmup, &self.warmup);
        set(&mut settings.weight_decay, &self.weight_decay);
        set(&mut settings.clip, &self.clip);
        set(&mut settings.patience, &self.patience);
        set(&mut settings.seed, &seed);
        settings.layers = self.layers.or(settings.layers);
        if let Some(criterion) = self.criterion {
            settings.criterion = match criterion {
                CriterionChoice::LogLoss => Criterion::LogLoss,
                CriterionChoice::MacroF1 => Criterion::MacroF1,
            };
        }
        Ok(settings)
    }
}

/// Runs the command.
///
/// # Errors
/// A model, task or data set that cannot be read or does not fit; a folder that holds a fine-tune already or cannot be
/// written to; training that diverges.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let settings = arguments.settings.read(arguments.reading.given_seed())?;
    prepare_folder(arguments)?;
    let wanted = Wanted::read(&arguments.task)?;
    let (training, validation) = data(arguments, wanted.labels())?;
    warn(wanted.labels(), &training, &validation);
    let model_sha256 = store::model_sha256(&arguments.model)?;
    let classifier = load(&arguments.model, Choice::Cpu)?;
    let prepared = wanted.prepare(&classifier)?;
    let asked: Vec<Asked<'_>> =
        prepared.iter().map(|(question, task)| Asked { question: question.as_deref(), task }).collect();
    let training_file = arguments.train.display().to_string();
    let validation_file = arguments.valid.as_ref().unwrap_or(&arguments.train).display().to_string();
    let inputs = Inputs {
        classifier: &classifier,
        asked: &asked,
        model_sha256: &model_sha256,
        task_sha256: &wanted.sha256(),
        model_name: &arguments.model,
        training: Labelled { rows: &training.examples, file: &training_file },
        validation: Labelled { rows: &validation.examples, file: &validation_file },
        settings: &settings,
        limit_tokens: arguments.limit_tokens,
        folder: &arguments.out,
        overwrite: arguments.overwrite,
    };
    let shown = |error: Error| match error.kind == Kind::Resource && error.help.is_none() {
        true => error.help("make room and go on with --resume: what was learned up to the last whole epoch is kept"),
        false => error,
    };
    let bar = progress::bar("lower layers", progress::Unit::Rows);
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let mut observe = |event: &Event<'_>| match event {
        Event::Keeping(bytes) => say_kept(*bytes, &arguments.out),
        event => show(&bar, event),
    };
    let outcome = pollster::block_on(train::finetune(&inputs, &mut control, &mut observe)).map_err(shown)?;
    bar.finish_and_clear();
    let curve = train::log::read(&arguments.out)?;
    write_file(&arguments.out.join("loss.svg"), &train::picture::loss_curve(&curve).to_svg(&Default::default()))?;
    eprintln!(
        "wrote {}: adapter_config.json, adapter_model.safetensors, adapter.gguf, metrics.jsonl, loss.svg, checkpoint.safetensors",
        arguments.out.display()
    );
    let mut output = Output::standard();
    match json {
        true => output.json(&outcome)?,
        false => print(&mut output, &outcome)?,
    }
    output.flush()
}

/// What is to be learned: a task, or several questions about each text.
enum Wanted {
    Task(Box<Task>),
    Questions(Box<QuestionSet>),
}

impl Wanted {
    fn read(name: &str) -> Result<Self> {
        match questions::read(name)? {
            Some(set) => Ok(Self::Questions(Box::new(set))),
            None => Ok(Self::Task(Box::new(read_task(name)?))),
        }
    }

    /// The task, or what the questions' tasks have in common.
    fn labels(&self) -> &Task {
        match self {
            Self::Task(task) => task,
            Self::Questions(set) => &set.task,
        }
    }

    fn sha256(&self) -> String {
        match self {
            Self::Task(task) => task.sha256(),
            Self::Questions(set) => set.sha256(),
        }
    }

    /// The tasks, made ready, with the names of their questions.
    fn prepare(&self, classifier: &Classifier) -> Result<Vec<(Option<String>, PreparedTask)>> {
        let ready = |task: &Task| pollster::block_on(quietly(async |control| classifier.prepare(task, control).await));
        let prepared: Vec<_> = match self {
            Self::Task(task) => vec![(None, ready(task)?)],
            Self::Questions(set) => (set.questions.iter())
                .map(|question| Ok((Some(question.name.clone()), ready(&set.task_of(question))?)))
                .collect::<Result<_>>()?,
        };
        // What is to be said of one question's labels is to be said of all.
        if let Some((_, task)) = prepared.first() {
            classifier.report(task).warnings.iter().for_each(|warning| eprintln!("note: {warning}"));
        }
        Ok(prepared)
    }
}

/// Makes the folder, unless a fine-tune or an adapter stands in it that nobody asked to replace or to go on with. What is
/// there is left alone: it goes when everything else was found right.
fn prepare_folder(arguments: &Arguments) -> Result<()> {
    let folder = &arguments.out;
    let holds = |name: &str| folder.join(name).exists();
    let is_begun = holds(train::checkpoint::FILE);
    let occupied = if is_begun {
        Some(("a fine-tune", "go on with it: --resume; replace it: --overwrite; or give another folder"))
    } else if [CONFIG_FILE, WEIGHTS_FILE, GGUF_FILE].into_iter().any(holds) {
        Some(("an adapter", "replace it: --overwrite; or give another folder"))
    } else {
        None
    };
    if let Some((what, help)) = occupied.filter(|_| !arguments.overwrite && !arguments.resume) {
        return Err(Error::usage(format!("there is {what} in this folder already"))
            .at_file(folder.display().to_string())
            .in_field("--out")
            .help(help));
    }
    if arguments.resume && !is_begun {
        eprintln!("note: there is no checkpoint in {} yet; starting anew", folder.display());
    }
    std::fs::create_dir_all(folder).map_err(|error| Error::from(error).at_file(folder.display().to_string()))
}

/// Rows to learn from and to validate with, of the labels that the task has.
fn data(arguments: &Arguments, task: &Task) -> Result<(Dataset, Dataset)> {
    let read = |path: &PathBuf| {
        known_labels(input::read(path, &arguments.reading, true)?, task, path, arguments.reading.strict())
    };
    let mut training = read(&arguments.train)?;
    let validation = match &arguments.valid {
        Some(path) => read(path)?,
        None => {
            let parts = split::split(&training.examples, 0.1, arguments.reading.seed())?;
            let pick =
                |rows: &[usize]| -> Vec<Example> { rows.iter().map(|row| training.examples[*row].clone()).collect() };
            let validation = Dataset { examples: pick(&parts.held_out), ..Dataset::default() };
            eprintln!(
                "note: {} of {} rows are set aside to choose the best epoch with",
                validation.examples.len(),
                training.examples.len()
            );
            training.examples = pick(&parts.fitted);
            validation
        }
    };
    Ok((training, validation))
}

fn warn(task: &Task, training: &Dataset, validation: &Dataset) {
    let leaks = duplicates::across(&training.examples, &validation.examples).len();
    if leaks > 0 {
        eprintln!("warning: {leaks} validation rows have the text of a row to learn from; their numbers flatter");
    }
    if task.bias.method != BiasMethod::None {
        eprintln!("note: the task corrects label bias; training and its validation leave that out");
    }
    for label in &task.labels {
        if !training.examples.iter().any(|row| row.label.as_deref() == Some(label.name.as_str())) {
            eprintln!("warning: no row to learn from has the label {:?}", label.name);
        }
    }
}

/// Says what a long run takes of the disk.
fn say_kept(bytes: u64, folder: &Path) {
    if bytes > NOTED_BYTES {
        let (size, folder) = (bytes as f64 / 1e9, folder.display());
        eprintln!("note: what the lower layers make of the rows takes {size:.1} GB in {folder} until this is done");
    }
}

/// Draws progress; epochs are lines.
fn show(bar: &ProgressBar, event: &Event<'_>) {
    match event {
        Event::Preparing(done, total) => progress::set(bar, *done, Some(*total)),
        Event::Step { step, steps, loss, tokens_per_s } => {
            if bar.message() == "lower layers" || *step == 1 {
                bar.reset_eta();
            }
            bar.set_message(format!("loss {loss:.3}, {tokens_per_s:.0} tokens/s"));
            progress::set(bar, *step as u64, Some(*steps as u64));
        }
        Event::Recorded(Record::Validation { epoch, train_loss, seconds, best, validation, .. }) => {
            let trained = train_loss.map_or(String::new(), |loss| format!("train loss {loss:.4}, "));
            let line = format!(
                "epoch {epoch}: {trained}validation log loss {:.4}, macro-F1 {:.4}, accuracy {}, ECE {:.4} (n = {}){} · {seconds:.0} s",
                validation.log_loss,
                validation.macro_f1,
                percent(validation.accuracy, 1),
                validation.ece,
                validation.n,
                if *best { " · best" } else { "" },
            );
            bar.suspend(|| eprintln!("{line}"));
        }
        Event::Recorded(_) | Event::Keeping(_) => {}
    }
}

fn print(output: &mut Output, outcome: &Outcome) -> Result<()> {
    let row =
        |name: &str, before: f64, after: f64| vec![name.to_owned(), format!("{before:.4}"), format!("{after:.4}")];
    let (before, best) = (&outcome.before, &outcome.best);
    let mut rows = vec![
        row("log loss", before.log_loss, best.log_loss),
        row("macro-F1", before.macro_f1, best.macro_f1),
        row("accuracy", before.accuracy, best.accuracy),
        row("ECE", before.ece, best.ece),
    ];
    rows.extend(before.mse.zip(best.mse).map(|(before, best)| row("mean squared error", before, best)));
    output.table(&["validation", "before", "after"], &rows)?;
    output.line(&format!(
        "epoch {} of {}{}; {} layers, {} trained numbers, {:.0} s, {:.0} tokens/s; adapter SHA-256 {}",
        outcome.best_epoch,
        outcome.epochs,
        if outcome.stopped_early { ", stopped because validation got no better" } else { "" },
        outcome.layers,
        outcome.parameters,
        outcome.seconds,
        outcome.tokens_per_s,
        outcome.adapter_sha256
    ))
}
