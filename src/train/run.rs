//! A fine-tune from the first step to the last.
//!
//! What it writes into its folder: the best epoch's adapter in both formats, a checkpoint after every epoch, and
//! `metrics.jsonl`, a line for every few steps and one for every epoch. Everything random is a function of the seed and
//! of the epoch or step it belongs to, so a run that was killed goes on from its checkpoint to the same adapter.

use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::checkpoint::{Checkpoint, MadeOf, Progress};
use super::frozen::{Frozen, kept_bytes};
use super::layer::kept_numbers;
use super::log::{Log, Record};
use super::optimizer::{AdamW, clip};
use super::output;
use super::parameters::Parameters;
use super::passes::Passes;
use super::pieces::mixed;
use super::sequences::{Asked, Labelled, Sequences, TrainingRow};
use super::settings::Settings;
use super::stack::Stack;
use super::validation::Validation;
use crate::classify::Classifier;
use crate::dataset::Example;
use crate::engine::Control;
use crate::error::{Error, Kind, Result};
use crate::platform;

/// Bytes that a pass may keep for its backward half.
const PASS_BYTES: usize = 384 << 20;
/// Bytes that a single text may keep, which cannot be divided: three times a pass, and then the machine is too small.
const TEXT_BYTES: usize = 1_200_000_000;
/// Lines of steps in the metrics file, at most about this many.
const STEP_LINES: usize = 400;

/// What a fine-tune is given.
pub struct Inputs<'a> {
    /// The model, without an adapter.
    pub classifier: &'a Classifier,
    /// The task, made ready with it; or several with the same labels, each with the name of its question.
    pub asked: &'a [Asked<'a>],
    /// SHA-256 of the model's file.
    pub model_sha256: &'a str,
    /// SHA-256 of the task or of all questions.
    pub task_sha256: &'a str,
    /// What to call the model in the adapter.
    pub model_name: &'a str,
    /// Rows to learn from.
    pub training: Labelled<'a>,
    /// Rows to validate with.
    pub validation: Labelled<'a>,
    /// The settings.
    pub settings: &'a Settings,
    /// Cut prompts to this many tokens; without it a text that is too long is an error.
    pub limit_tokens: Option<usize>,
    /// Where everything is written; must exist.
    pub folder: &'a Path,
    /// Begin anew, whatever checkpoint is in the folder. It is taken away when all that is given was found right.
    pub overwrite: bool,
}

/// What happened, while it happens.
pub enum Event<'a> {
    /// What the lower layers make of the rows will take so many bytes in the folder, until training ends.
    Keeping(u64),
    /// Lower layers of this many of so many tokens are computed.
    Preparing(u64, u64),
    /// A line of the metrics file was written.
    Recorded(&'a Record),
    /// A step is done: its number, how many there are, its loss, tokens a second so far.
    Step {
        /// Steps done.
        step: usize,
        /// All steps.
        steps: usize,
        /// Mean loss of its rows.
        loss: f64,
        /// Tokens trained on a second.
        tokens_per_s: f64,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// The epoch whose adapter was kept, counted from 1.
    pub best_epoch: usize,
    /// Its validation.
    pub best: Validation,
    /// The validation before any step.
    pub before: Validation,
    /// Epochs done.
    pub epochs: usize,
    /// Whether it stopped because validation got no better.
    pub stopped_early: bool,
    /// How many layers were trained.
    pub layers: usize,
    /// Trained numbers.
    pub parameters: usize,
    /// Seconds, lower layers and validation included.
    pub seconds: f64,
    /// Tokens trained on a second, all epochs, without validation.
    pub tokens_per_s: f64,
    /// SHA-256 of the adapter.
    pub adapter_sha256: String,
}

/// Fine-tunes, going on from the folder's checkpoint if there is one.
///
/// # Errors
/// Rows or settings that cannot be used; a checkpoint of something else; a loss that is no number (the best adapter so
/// far and the last checkpoint are kept); a disk that is full; a cancel.
pub async fn finetune(
    inputs: &Inputs<'_>,
    control: &mut Control<'_>,
    observe: &mut dyn FnMut(&Event<'_>),
) -> Result<Outcome> {
    let started = platform::now();
    let (engine, settings) = (inputs.classifier.engine(), inputs.settings);
    let config = engine.config();
    settings.check(config)?;
    let model = engine.cpu();
    if engine.adapter().is_some() {
        return Err(Error::usage("an adapter is trained on the base alone, but the model has one already"));
    }
    let limit = inputs.limit_tokens.unwrap_or(usize::MAX).min(config.context);
    let limit = (limit, inputs.limit_tokens.is_some());
    let tokenizer = inputs.classifier.tokenizer();
    let sequences = Sequences::new(inputs.asked, tokenizer, inputs.training, inputs.validation, limit)?;
    let layers = settings.trained_layers(config.layers);
    let token_bytes = layers * kept_numbers(config) * size_of::<f32>();
    check_longest(inputs.training, &sequences, token_bytes)?;
    let made_of = MadeOf {
        model_sha256: inputs.model_sha256.to_owned(),
        task_sha256: inputs.task_sha256.to_owned(),
        data_sha256: data_sha256(&[inputs.training.rows, inputs.validation.rows]),
        limit_tokens: inputs.limit_tokens,
    };
    let checkpoint = if inputs.overwrite { None } else { Checkpoint::read(inputs.folder)? };
    if let Some(checkpoint) = &checkpoint {
        checkpoint.check(settings, &made_of).map_err(|error| error.at_file(inputs.folder.display().to_string()))?;
    }

    let first = config.layers - layers;
    observe(&Event::Keeping(kept_bytes(config, first, &sequences)));
    let kept = inputs.folder.join("lower-layers.f32");
    let frozen = {
        let mut tell = |done, total: Option<u64>| observe(&Event::Preparing(done, total.unwrap_or(0)));
        let mut preparing = Control::new(control.cancel_flag(), &mut tell);
        Frozen::new((config, model), first, &sequences, &kept, &mut preparing).await?
    };
    let pass_tokens = (PASS_BYTES / token_bytes).clamp(64, 2048);
    let stack = Stack::new(config, model, first);
    let mut passes = Passes { inputs, sequences: &sequences, frozen, stack, pass_tokens };

    let mut parameters = Parameters::new(config, settings);
    let mut optimizer = AdamW::new(parameters.values.len());
    let mut progress = match checkpoint {
        Some(checkpoint) if checkpoint.values.len() == parameters.values.len() => {
            parameters.values = checkpoint.values;
            optimizer = checkpoint.optimizer;
            checkpoint.progress
        }
        Some(_) => {
            return Err(
                Error::format("the checkpoint has other shapes than the model").at_file(super::checkpoint::FILE)
            );
        }
        None => {
            let before = passes.validate(&parameters, control).await?.ok_or_else(|| {
                Error::input("the model's probabilities are not numbers, before any training")
                    .help("the model's file may be damaged: fetch it again, or take another model")
            })?;
            Progress { epochs: 0, best: None, before, lines: 0, seconds: 0.0, tokens: 0 }
        }
    };
    if inputs.overwrite {
        Checkpoint::remove(inputs.folder)?;
    }
    let mut log = Log::open(inputs.folder, progress.lines)?;
    if progress.epochs == 0 {
        let record = Record::Validation {
            epoch: 0,
            step: 0,
            train_loss: None,
            seconds: 0.0,
            best: false,
            validation: progress.before,
        };
        log.write(&record)?;
        observe(&Event::Recorded(&record));
    }
    let units = sequences.units();
    let steps = (1..=settings.epochs).map(|epoch| batches(&units, settings, epoch).len()).sum();
    let is_stale =
        |progress: &Progress| progress.best.is_some_and(|(best, _)| progress.epochs - best >= settings.patience);
    let (earlier, mut training_seconds, mut tokens_here) = (progress.seconds, 0.0, 0);
    while progress.epochs < settings.epochs && !is_stale(&progress) {
        let epoch = progress.epochs + 1;
        let epoch_started = platform::now();
        let mut losses = Vec::new();
        let mut since = Since::default();
        for rows in batches(&units, settings, epoch) {
            control.pace().await?;
            let step = optimizer.steps;
            let (loss, mut gradient, tokens) = passes.step(&parameters, &rows, step)?;
            let length = clip(&mut gradient, settings.clip);
            if !loss.is_finite() || !length.is_finite() {
                return Err(diverged(&format!("the loss of step {} is not a number", step + 1), settings, &progress));
            }
            let rate = settings.learning_rate(step, steps);
            optimizer.step(&mut parameters.values, &gradient, rate, settings.weight_decay);
            if !parameters.values.iter().all(|value| value.is_finite()) {
                let what = format!("step {} made a trained number infinite", step + 1);
                return Err(diverged(&what, settings, &progress));
            }
            losses.push(loss);
            progress.tokens += tokens as u64;
            tokens_here += tokens;
            since.add(loss, length);
            let speed = tokens_here as f64 / (training_seconds + platform::now() - epoch_started).max(1e-9);
            observe(&Event::Step { step: step + 1, steps, loss, tokens_per_s: speed });
            if (step + 1).is_multiple_of(steps.div_ceil(STEP_LINES)) {
                let record = std::mem::take(&mut since).record(epoch, step + 1, rate);
                log.write(&record)?;
                observe(&Event::Recorded(&record));
            }
        }
        training_seconds += platform::now() - epoch_started;
        let validation = passes.validate(&parameters, control).await?.ok_or_else(|| {
            let what = format!("the validation after step {} is not a number", optimizer.steps);
            diverged(&what, settings, &progress)
        })?;
        let better = progress.best.is_none_or(|(_, best)| validation.is_better_than(&best, settings.criterion));
        if better {
            progress.best = Some((epoch, validation));
            let adapter = parameters.adapter(inputs.model_sha256)?;
            output::write(inputs.folder, &adapter, config, inputs.model_name, settings.dropout)?;
        }
        progress.epochs = epoch;
        progress.seconds = earlier + platform::now() - started;
        let train_loss = Some(losses.iter().sum::<f64>() / losses.len().max(1) as f64);
        let record = Record::Validation {
            epoch,
            step: optimizer.steps,
            train_loss,
            seconds: progress.seconds,
            best: better,
            validation,
        };
        log.write(&record)?;
        observe(&Event::Recorded(&record));
        progress.lines = log.lines();
        Checkpoint {
            settings: settings.clone(),
            made_of: made_of.clone(),
            progress: progress.clone(),
            values: parameters.values.clone(),
            optimizer: optimizer.clone(),
        }
        .write(inputs.folder)?;
    }
    let (best_epoch, best) = progress.best.ok_or_else(|| Error::internal("no epoch was done"))?;
    let adapter_sha256 = output::read(inputs.folder, config)?.sha256();
    Ok(Outcome {
        best_epoch,
        best,
        before: progress.before,
        epochs: progress.epochs,
        stopped_early: progress.epochs < settings.epochs,
        layers,
        parameters: parameters.values.len(),
        seconds: progress.seconds,
        tokens_per_s: if training_seconds > 0.0 { tokens_here as f64 / training_seconds } else { 0.0 },
        adapter_sha256,
    })
}

/// Steps since the last line of the metrics file.
#[derive(Default)]
struct Since {
    steps: usize,
    loss: f64,
    gradient: f64,
}

impl Since {
    fn add(&mut self, loss: f64, gradient: f64) {
        self.steps += 1;
        self.loss += loss;
        self.gradient += gradient;
    }

    fn record(self, epoch: usize, step: usize, rate: f64) -> Record {
        let steps = self.steps.max(1) as f64;
        Record::Step { epoch, step, loss: self.loss / steps, rate, gradient: self.gradient / steps }
    }
}

/// Refuses a text that alone would keep more than a machine should be asked for.
fn check_longest(training: Labelled<'_>, sequences: &Sequences, token_bytes: usize) -> Result<()> {
    let tokens = |row: &TrainingRow| sequences.tokens(&[row.sequence]);
    let longest = sequences.training.iter().zip(training.rows).max_by_key(|(row, _)| tokens(row));
    let Some((tokens, row)) = longest.map(|(row, example)| (tokens(row), example)) else { return Ok(()) };
    if tokens * token_bytes <= TEXT_BYTES {
        return Ok(());
    }
    let gigabytes = (tokens * token_bytes) as f64 / 1e9;
    Err(Error::new(Kind::Resource, format!("learning from this text's {tokens} tokens takes about {gigabytes:.1} GB"))
        .at_file(training.file)
        .at_line(row.line)
        .help(format!(
            "cut texts with --limit-tokens {} or less, or train fewer layers with --layers",
            TEXT_BYTES / token_bytes
        )))
}

fn diverged(what: &str, settings: &Settings, progress: &Progress) -> Error {
    let kept = match progress.best {
        Some((best, _)) => {
            format!("the adapter of epoch {best} and the checkpoint of epoch {} are kept", progress.epochs)
        }
        None => "nothing was learned yet".to_owned(),
    };
    Error::new(Kind::Input, format!("{what}; {kept}")).in_field("lr").help(format!(
        "lower --lr (it is {}) or --clip (it is {}), and start anew with --overwrite",
        settings.lr, settings.clip
    ))
}

/// The rows of each step of an epoch: units in a random order, as many as make a batch.
fn batches(units: &[Vec<usize>], settings: &Settings, epoch: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<&Vec<usize>> = units.iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(mixed(settings.seed ^ mixed(epoch as u64))));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for unit in order {
        match batches.last_mut() {
            Some(last) if last.len() + unit.len() <= settings.batch => last.extend(unit),
            _ => batches.push(unit.clone()),
        }
    }
    batches
}

fn data_sha256(parts: &[&[Example]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        for row in *part {
            let label = row.label.as_deref().unwrap_or_default();
            let group = row.group.as_deref().unwrap_or_default();
            hash.update(format!("{} {} {}\n", row.text.len(), label.len(), group.len()));
            [row.text.as_str(), label, group].iter().for_each(|part| hash.update(part));
        }
        hash.update("end\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sequences::Sequence;
    use super::*;

    #[test]
    fn a_text_that_no_part_could_hold_was_tried() {
        let example = |line| Example { id: String::new(), text: String::new(), label: None, group: None, line };
        let rows = [example(2), example(3), example(4)];
        let mut sequences = Sequences::default();
        sequences.beginnings = vec![Vec::new(), vec![1; 100]];
        for (sequence, length) in [50, 900, 20].into_iter().enumerate() {
            sequences.all.push(Sequence { beginning: 1, tokens: vec![7; length] });
            sequences.training.push(TrainingRow { sequence, answer: vec![8] });
        }
        let training = Labelled { rows: &rows, file: "train.jsonl" };
        assert_eq!(check_longest(training, &sequences, 1_200_000), Ok(()));
        let refused = check_longest(training, &sequences, 2_000_000).unwrap_err();
        assert_eq!((refused.file.as_deref(), refused.line), (Some("train.jsonl"), Some(3)));
        assert!(refused.message.contains("1000 tokens takes about 2.0 GB"), "{refused}");
        assert!(refused.help.unwrap().contains("--limit-tokens 600"));
    }
}
