//! Labelled rows as token sequences: prompts with their answers to learn from, and prompts to validate with.
//!
//! The prompt is the task's own, token for token what classifying will see. What follows it is the label's first form, as
//! far as the label trie needs it to tell labels apart: tokens beyond that would be learned without ever being read.
//! Texts that repeat are one sequence.

use std::collections::HashMap;
use std::ops::Range;

use crate::classify::PreparedTask;
use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Tokens of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The tokens; without the task's shared prefix where it begins with it.
    pub tokens: Vec<u32>,
    /// Whether the shared prefix comes before them.
    pub shared: bool,
}

/// A row to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingRow {
    /// Its sequence: the prompt, and the answer but for its last token.
    pub sequence: usize,
    /// The answer's tokens; the last of them should come after the sequence's last token.
    pub answer: Vec<u32>,
}

/// A row to validate with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationRow {
    /// Its sequences: the prompt, followed by each path of the label trie.
    pub sequences: Vec<usize>,
    /// The place of its label among the task's.
    pub label: usize,
}

/// All rows of a fine-tune.
#[derive(Debug, Default)]
pub struct Sequences {
    /// All different sequences.
    pub all: Vec<Sequence>,
    /// Rows to learn from.
    pub training: Vec<TrainingRow>,
    /// Rows to validate with.
    pub validation: Vec<ValidationRow>,
    known: HashMap<Sequence, usize>,
}

impl Sequences {
    /// Tokenizes rows. A prompt longer than `limit` tokens is an error unless `cut` is set.
    ///
    /// # Errors
    /// A label that the task does not have; a text that is too long; rows to learn from that are none, or all of one
    /// label.
    pub fn new(
        task: &PreparedTask,
        tokenizer: &Tokenizer,
        training: &[Example],
        validation: &[Example],
        (limit, cut): (usize, bool),
    ) -> Result<Self> {
        let mut sequences = Self::default();
        let mut labels = std::collections::BTreeSet::new();
        for row in training {
            let label = label_of(task, row)?;
            labels.insert(label);
            let answer = task.answer(label).to_vec();
            let (_, given) = answer.split_last().ok_or_else(|| Error::internal("a label has no tokens"))?;
            let mut prompt = prompt(task, tokenizer, row, limit, cut)?;
            prompt.extend_from_slice(given);
            let sequence = sequences.add(task, &prompt);
            sequences.training.push(TrainingRow { sequence, answer });
        }
        match labels.len() {
            0 => return Err(Error::input("there are no labelled rows to learn from")),
            1 => {
                let only = &task.task().labels[labels.into_iter().next().unwrap_or_default()].name;
                return Err(Error::input(format!("all rows to learn from have the label {only:?}"))
                    .help("a classifier needs rows of at least two labels"));
            }
            _ => {}
        }
        for row in validation {
            let label = label_of(task, row)?;
            let prompt = prompt(task, tokenizer, row, limit, cut)?;
            let paths = task.paths().map(|path| [prompt.as_slice(), path].concat()).collect::<Vec<_>>();
            let of_row = paths.iter().map(|tokens| sequences.add(task, tokens)).collect();
            sequences.validation.push(ValidationRow { sequences: of_row, label });
        }
        if validation.is_empty() {
            return Err(Error::input("there are no labelled rows to validate with"));
        }
        Ok(sequences)
    }

    fn add(&mut self, task: &PreparedTask, tokens: &[u32]) -> usize {
        let prefix = task.prefix().tokens();
        let shared = !prefix.is_empty() && tokens.len() > prefix.len() && tokens.starts_with(prefix);
        let own = if shared { &tokens[prefix.len()..] } else { tokens };
        let sequence = Sequence { tokens: own.to_vec(), shared };
        let next = self.all.len();
        let place = *self.known.entry(sequence.clone()).or_insert(next);
        if place == next {
            self.all.push(sequence);
        }
        place
    }

    /// Splits a list of sequences into neighbours that make one pass: at most `most` tokens where more than one, and the
    /// prefix shared by all or by none.
    pub fn passes(&self, sequences: &[usize], prefix: usize, most: usize) -> Vec<Range<usize>> {
        let mut passes: Vec<Range<usize>> = Vec::new();
        let mut tokens = 0;
        for (at, sequence) in sequences.iter().enumerate() {
            let Sequence { tokens: own, shared } = &self.all[*sequence];
            match passes.last_mut() {
                Some(last) if tokens + own.len() <= most && self.all[sequences[last.start]].shared == *shared => {
                    last.end = at + 1;
                    tokens += own.len();
                }
                _ => {
                    passes.push(at..at + 1);
                    tokens = own.len() + if *shared { prefix } else { 0 };
                }
            }
        }
        passes
    }
}

fn label_of(task: &PreparedTask, row: &Example) -> Result<usize> {
    let names: Vec<&str> = task.task().labels.iter().map(|label| label.name.as_str()).collect();
    let wanted = row.label.as_deref().unwrap_or_default();
    names.iter().position(|name| *name == wanted).ok_or_else(|| {
        Error::input(format!("the task \"{}\" has no label {wanted:?}", task.task().name))
            .at_line(row.line)
            .help(format!("its labels are {}", names.join(", ")))
    })
}

fn prompt(task: &PreparedTask, tokenizer: &Tokenizer, row: &Example, limit: usize, cut: bool) -> Result<Vec<u32>> {
    let (tokens, truncated) = task.prompt_ids(tokenizer, &row.text, limit)?;
    match truncated {
        Some(_) if !cut => Err(Error::input(format!("with this text the prompt is longer than {limit} tokens"))
            .at_line(row.line)
            .help("shorten the text, or give --limit-tokens to cut such texts")),
        _ => Ok(tokens),
    }
}
