//! Labelled rows as token sequences: prompts with their answers to learn from, and prompts to validate with.
//!
//! The prompt is the task's own, token for token what classifying will see. What follows it is the label's first form, as
//! far as the label trie needs it to tell labels apart: tokens beyond that would be learned without ever being read.
//!
//! Sequences have a beginning in common, computed once for all of a pass: the task's shared prefix, or, where a file asks
//! several questions about each text, everything up to the question. Texts that repeat are one sequence.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::classify::PreparedTask;
use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Tokens that a thread computes by itself: enough that unpacking a matrix is little beside multiplying by it.
const PART_TOKENS: usize = 256;
/// A part has at least so many tokens for each that it computes over again.
const BEGINNINGS: usize = 16;

/// The place of the beginning that has no tokens.
pub const NO_BEGINNING: usize = 0;

/// A task to learn; one of several, if the rows answer different questions about their texts.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The question's name: rows with this `group` answer it. `None` where there is one task for all rows.
    pub question: Option<&'a str>,
    /// The task, made ready.
    pub task: &'a PreparedTask,
}

/// Labelled rows, and what their file is called where something is to be said of one.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    /// The rows.
    pub rows: &'a [Example],
    /// The file.
    pub file: &'a str,
}

impl Labelled<'_> {
    /// An error with the file of the row that it is about.
    fn named(&self, error: Error) -> Error {
        if error.line.is_some() { error.at_file(self.file) } else { error }
    }
}

/// Tokens of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The place of its beginning among [`Sequences::beginnings`].
    pub beginning: usize,
    /// The tokens after the beginning, at least one.
    pub tokens: Vec<u32>,
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
    /// The place of its task.
    pub asked: usize,
    /// Its sequences: the prompt, followed by each path of the task's label trie.
    pub sequences: Vec<usize>,
    /// The place of its label among the task's.
    pub label: usize,
}

/// All rows of a fine-tune.
#[derive(Debug, Default)]
pub struct Sequences {
    /// What sequences begin with; the first has no tokens.
    pub beginnings: Vec<Vec<u32>>,
    /// All different sequences.
    pub all: Vec<Sequence>,
    /// Rows to learn from.
    pub training: Vec<TrainingRow>,
    /// Rows to validate with, those of one beginning side by side.
    pub validation: Vec<ValidationRow>,
    known: HashMap<Sequence, usize>,
    /// Of several questions: the beginning of each text.
    of_text: HashMap<String, usize>,
    /// Whether rows of one beginning are computed together: they are if that is a text.
    together: bool,
}

/// How prompts are made.
struct Prompts<'a> {
    asked: &'a [Asked<'a>],
    tokenizer: &'a Tokenizer,
    limit: usize,
    cut: bool,
}

impl Sequences {
    /// Tokenizes rows. A prompt longer than `limit` tokens is an error unless `cut` is set.
    ///
    /// # Errors
    /// A label that the task does not have; a row that answers none of the questions; a text that is too long; rows to
    /// learn from that are none, or all of one label.
    pub fn new(
        asked: &[Asked<'_>],
        tokenizer: &Tokenizer,
        training: Labelled<'_>,
        validation: Labelled<'_>,
        (limit, cut): (usize, bool),
    ) -> Result<Self> {
        let prompts = Prompts { asked, tokenizer, limit, cut };
        let together = asked.iter().any(|asked| asked.question.is_some());
        let mut sequences = Self { beginnings: vec![Vec::new()], together, ..Self::default() };
        let mut labels = BTreeSet::new();
        // A token that goes on with no label: what follows an answer that another label's answer would go on from.
        let end = tokenizer.encode("\n", false)?;
        for row in training.rows {
            let label = sequences.learn(&prompts, row, end.first()).map_err(|error| training.named(error))?;
            labels.insert(label);
        }
        match labels.len() {
            0 => return Err(Error::input("there are no labelled rows to learn from")),
            1 => {
                let only = &asked[0].task.task().labels[labels.into_iter().next().unwrap_or_default()].name;
                return Err(Error::input(format!("all rows to learn from have the label {only:?}"))
                    .help("a classifier needs rows of at least two labels"));
            }
            _ => {}
        }
        for row in validation.rows {
            sequences.validate(&prompts, row).map_err(|error| validation.named(error))?;
        }
        if validation.rows.is_empty() {
            return Err(Error::input("there are no labelled rows to validate with")
                .help("give --valid FILE, or so many rows to learn from that a tenth of them is enough"));
        }
        let Self { validation, all, .. } = &mut sequences;
        validation.sort_by_key(|row| row.sequences.first().map_or(NO_BEGINNING, |first| all[*first].beginning));
        Ok(sequences)
    }

    /// Adds a row to learn from; gives the place of its label. `end` is the token that no label goes on with.
    fn learn(&mut self, prompts: &Prompts<'_>, row: &Example, end: Option<&u32>) -> Result<usize> {
        let place = prompts.asked_by(row)?;
        let task = prompts.asked[place].task;
        let label = label_of(task, row)?;
        let mut answer = task.answer(label).to_vec();
        if task.answer_must_end(label) {
            answer.extend(end);
        }
        let (_, given) = answer.split_last().ok_or_else(|| Error::internal("a label has no tokens"))?;
        let beginning = self.beginning(prompts, row)?;
        let prompt = [&prompts.of(place, row)?, given].concat();
        let sequence = self.add(beginning, &prompt);
        self.training.push(TrainingRow { sequence, answer });
        Ok(label)
    }

    /// Adds a row to validate with.
    fn validate(&mut self, prompts: &Prompts<'_>, row: &Example) -> Result<()> {
        let place = prompts.asked_by(row)?;
        let task = prompts.asked[place].task;
        let label = label_of(task, row)?;
        let beginning = self.beginning(prompts, row)?;
        let prompt = prompts.of(place, row)?;
        let paths = task.paths().map(|path| [&prompt, path].concat()).collect::<Vec<_>>();
        let of_row = paths.iter().map(|tokens| self.add(beginning, tokens)).collect();
        self.validation.push(ValidationRow { asked: place, sequences: of_row, label });
        Ok(())
    }

    /// The beginning of a row's sequences.
    fn beginning(&mut self, prompts: &Prompts<'_>, row: &Example) -> Result<usize> {
        if let Some(known) = self.of_text.get(if self.together { row.text.as_str() } else { "" }) {
            return Ok(*known);
        }
        let (name, tokens) = match self.together {
            true => (row.text.as_str(), prompts.common(row)?),
            false => ("", prompts.asked[0].task.prefix().tokens().to_vec()),
        };
        let place = match tokens.is_empty() {
            true => NO_BEGINNING,
            false => {
                self.beginnings.push(tokens);
                self.beginnings.len() - 1
            }
        };
        self.of_text.insert(name.to_owned(), place);
        Ok(place)
    }

    fn add(&mut self, beginning: usize, tokens: &[u32]) -> usize {
        // A prompt whose text merges with the frame, or was cut, may begin otherwise.
        let own = tokens.strip_prefix(self.beginnings[beginning].as_slice()).filter(|own| !own.is_empty());
        let sequence = match own {
            Some(own) => Sequence { beginning, tokens: own.to_vec() },
            None => Sequence { beginning: NO_BEGINNING, tokens: tokens.to_vec() },
        };
        let next = self.all.len();
        let place = *self.known.entry(sequence.clone()).or_insert(next);
        if place == next {
            self.all.push(sequence);
        }
        place
    }

    /// Rows to learn from that belong into one step: those about one text, if several questions are asked about it.
    pub fn units(&self) -> Vec<Vec<usize>> {
        let rows = 0..self.training.len();
        if !self.together {
            return rows.map(|row| vec![row]).collect();
        }
        let mut units: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
        rows.for_each(|row| units.entry(self.all[self.training[row].sequence].beginning).or_default().push(row));
        // Rows without a beginning have nothing in common.
        let alone = units.shift_remove(&NO_BEGINNING).unwrap_or_default();
        units.into_values().chain(alone.into_iter().map(|row| vec![row])).collect()
    }

    /// Splits a list of sequences into neighbours that make one pass: of one beginning, and at most `most` tokens where
    /// more than one.
    pub fn passes(&self, sequences: &[usize], most: usize) -> Vec<Range<usize>> {
        let mut passes: Vec<Range<usize>> = Vec::new();
        let mut tokens = 0;
        for (at, sequence) in sequences.iter().enumerate() {
            let Sequence { tokens: own, beginning } = &self.all[*sequence];
            match passes.last_mut() {
                Some(last) if tokens + own.len() <= most && self.all[sequences[last.start]].beginning == *beginning => {
                    last.end = at + 1;
                    tokens += own.len();
                }
                _ => {
                    passes.push(at..at + 1);
                    tokens = own.len() + self.beginnings[*beginning].len();
                }
            }
        }
        passes
    }
}

impl Sequences {
    /// Tokens that a pass over these sequences computes: their beginning's and their own.
    pub fn tokens(&self, of: &[usize]) -> usize {
        let beginning = of.first().map_or(0, |first| self.beginnings[self.all[*first].beginning].len());
        beginning + of.iter().map(|sequence| self.all[*sequence].tokens.len()).sum::<usize>()
    }

    /// Splits the sequences of a pass into neighbours of about [`PART_TOKENS`] tokens, which are computed side by side:
    /// threads that work each on a part of their own wait less for each other than threads that share every product.
    /// Where a part would compute a long beginning over again, parts are larger.
    pub fn parts(&self, of: &[usize]) -> Vec<Range<usize>> {
        let beginning = of.first().map_or(0, |first| self.beginnings[self.all[*first].beginning].len());
        let tokens: usize = of.iter().map(|sequence| self.all[*sequence].tokens.len()).sum();
        let count = (tokens / PART_TOKENS.max(BEGINNINGS * beginning)).max(1);
        let mut parts: Vec<Range<usize>> = Vec::with_capacity(count);
        let mut before = 0;
        for (at, sequence) in of.iter().enumerate() {
            let is_full = before * count >= tokens * parts.len();
            match parts.last_mut() {
                Some(last) if !is_full => last.end = at + 1,
                _ => parts.push(at..at + 1),
            }
            before += self.all[*sequence].tokens.len();
        }
        parts
    }
}

impl Prompts<'_> {
    /// The task that a row answers.
    fn asked_by(&self, row: &Example) -> Result<usize> {
        let answers = |asked: &Asked<'_>| asked.question.is_none() || asked.question == row.group.as_deref();
        self.asked.iter().position(answers).ok_or_else(|| {
            let names: Vec<&str> = self.asked.iter().filter_map(|asked| asked.question).collect();
            Error::input(format!("the group {:?} is none of the questions", row.group.as_deref().unwrap_or_default()))
                .at_line(row.line)
                .in_field("group")
                .help(format!("write one of {}: the question that the row's label answers", names.join(", ")))
        })
    }

    /// A row's prompt in one of the tasks.
    fn of(&self, place: usize, row: &Example) -> Result<Vec<u32>> {
        let (tokens, truncated) = self.asked[place].task.prompt_ids(self.tokenizer, &row.text, self.limit)?;
        match truncated {
            Some(_) if !self.cut => {
                Err(Error::input(format!("with this text the prompt is longer than {} tokens", self.limit))
                    .at_line(row.line)
                    .help("shorten the text, or give --limit-tokens to cut such texts"))
            }
            _ => Ok(tokens),
        }
    }

    /// What the prompts of all tasks about a row's text begin with; each keeps at least one token of its own.
    fn common(&self, row: &Example) -> Result<Vec<u32>> {
        let mut common = self.of(0, row)?;
        common.pop();
        for place in 1..self.asked.len() {
            let other = self.of(place, row)?;
            let most = other.len().saturating_sub(1);
            let same = common.iter().zip(&other[..most]).take_while(|(a, b)| a == b).count();
            common.truncate(same);
        }
        Ok(common)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(beginning: usize, lengths: &[usize]) -> Sequences {
        let all = lengths.iter().map(|length| Sequence { beginning: 1, tokens: vec![7; *length] }).collect();
        Sequences { beginnings: vec![Vec::new(), vec![3; beginning]], all, ..Sequences::default() }
    }

    #[test]
    fn a_pass_is_cut_into_even_parts_that_are_worth_their_beginning() {
        // The beginning, the sequences' lengths, and the parts' tokens without it.
        let cases: [(usize, &[usize], &[usize]); 7] = [
            (0, &[64; 8], &[256, 256]),
            (0, &[100, 100], &[200]),
            (0, &[2000], &[2000]),
            (0, &[500, 20, 500], &[500, 520]),
            (0, &[1, 1, 1, 1021], &[1024]),
            (16, &[64; 16], &[256, 256, 256, 256]),
            // Sixteen times sixty-four: two parts of a thousand and no more.
            (64, &[64; 32], &[1024, 1024]),
        ];
        for (beginning, lengths, want) in cases {
            let sequences = sequences(beginning, lengths);
            let of: Vec<usize> = (0..lengths.len()).collect();
            let parts = sequences.parts(&of);
            let tokens: Vec<usize> = parts.iter().map(|part| lengths[part.clone()].iter().sum()).collect();
            assert_eq!(tokens, want, "{beginning} {lengths:?}");
            let all: Vec<usize> = parts.into_iter().flatten().collect();
            assert_eq!(all, of);
            assert_eq!(sequences.tokens(&of), beginning + lengths.iter().sum::<usize>());
        }
        assert!(sequences(3, &[]).parts(&[]).is_empty());
    }
}
