//! The loss and gradient of a step, and validation: rows are gathered into passes, whose layers are kept until the way
//! back, and these into parts, each computed by a thread of its own.
//!
//! How rows are split depends on their lengths alone, never on the machine's threads, so that a run can be repeated.

use std::ops::Range;

use super::frozen::Frozen;
use super::optimizer::CHUNK;
use super::parameters::Parameters;
use super::pieces::{Dropout, mixed};
use super::rows::Rows;
use super::run::Inputs;
use super::sequences::{Asked, NO_BEGINNING, Sequences, TrainingRow};
use super::stack::{Stack, Target};
use super::validation::Validation;
use crate::engine::cpu::head::read_logits;
use crate::engine::cpu::layers;
use crate::engine::{Control, Query};
use crate::error::Result;
use crate::platform;
use crate::stats::rows::log_share;

/// What steps and validation are computed with.
pub struct Passes<'a> {
    /// What is trained on what.
    pub inputs: &'a Inputs<'a>,
    /// The rows as tokens.
    pub sequences: &'a Sequences,
    /// What enters the first trained layer.
    pub frozen: Frozen<'a>,
    /// The trained layers and the head.
    pub stack: Stack<'a>,
    /// Tokens whose layers are kept at once.
    pub pass_tokens: usize,
}

impl Passes<'_> {
    /// The mean loss of some rows, its gradient, and the tokens that took.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn step(&mut self, parameters: &Parameters, rows: &[usize], step: usize) -> Result<(f64, Vec<f32>, usize)> {
        let rows: Vec<&TrainingRow> = rows.iter().map(|row| &self.sequences.training[*row]).collect();
        let of: Vec<usize> = rows.iter().map(|row| row.sequence).collect();
        let mut parts: Vec<Range<usize>> = Vec::new();
        for pass in self.sequences.passes(&of, self.pass_tokens) {
            let within = self.sequences.parts(&of[pass.clone()]);
            parts.extend(within.into_iter().map(|part| pass.start + part.start..pass.start + part.end));
        }
        let (mut loss, mut gradient, mut tokens, mut at) = (0.0, Vec::new(), 0, 0);
        while at < parts.len() {
            let (mut together, mut held) = (Vec::new(), 0);
            while let Some(part) = parts.get(at) {
                let part = self.part(&rows[part.clone()], rows.len(), step, at)?;
                held += part.places.count();
                together.push(part);
                at += 1;
                // The next is no larger than a pass; two passes are never held at once.
                if held + parts.get(at).map_or(0, |next| self.sequences.tokens(&of[next.clone()])) > self.pass_tokens {
                    break;
                }
            }
            tokens += held;
            let stack = &self.stack;
            platform::for_each_chunk(&mut together, 1, |_, part| {
                let Part { places, x, targets, dropout, gradient, loss } = &mut part[0];
                *gradient = vec![0.0; parameters.values.len()];
                *loss = stack.loss_and_gradient(parameters, places, std::mem::take(x), targets, *dropout, gradient);
            });
            for part in together {
                loss += part.loss;
                if gradient.is_empty() {
                    gradient = part.gradient;
                } else {
                    platform::for_each_chunk(&mut gradient, CHUNK, |at, sum| {
                        layers::add(sum, &part.gradient[at * CHUNK..][..sum.len()]);
                    });
                }
            }
        }
        Ok((loss, gradient, tokens))
    }

    /// What a thread computes by itself: some neighbouring rows of a step that has `count`.
    fn part(&mut self, rows: &[&TrainingRow], count: usize, step: usize, index: usize) -> Result<Part> {
        let settings = self.inputs.settings;
        let of: Vec<usize> = rows.iter().map(|row| row.sequence).collect();
        let (places, x) = self.enter(&of)?;
        let weight = 1.0 / count as f32;
        let targets = rows.iter().zip(&places.segments).flat_map(|(row, segment)| {
            let start = segment.end - row.answer.len();
            row.answer.iter().enumerate().map(move |(at, token)| Target { row: start + at, token: *token, weight })
        });
        let targets: Vec<Target> = targets.collect();
        let key = mixed(settings.seed ^ mixed((step as u64) << 20 | index as u64));
        let dropout = (settings.dropout > 0.0).then_some(Dropout { share: settings.dropout, key });
        Ok(Part { places, x, targets, dropout, gradient: Vec::new(), loss: 0.0 })
    }

    /// What the validation rows show; `None` where a label's probability is no number, as after a step that was too long.
    ///
    /// # Errors
    /// A cancel; rows that cannot be read.
    pub async fn validate(&mut self, parameters: &Parameters, control: &mut Control<'_>) -> Result<Option<Validation>> {
        let asked = self.inputs.asked;
        let query = everything(asked);
        let rows = &self.sequences.validation;
        let of: Vec<usize> = rows.iter().flat_map(|row| &row.sequences).copied().collect();
        let mut scores = Vec::with_capacity(of.len());
        for pass in self.sequences.passes(&of, self.pass_tokens) {
            control.pace().await?;
            let (places, x) = self.enter(&of[pass])?;
            let wanted: Vec<usize> = places.segments.iter().map(|segment| segment.end - 1).collect();
            let last = self.stack.last_rows(parameters, &places, x, &wanted);
            scores.extend(self.stack.each_logits(&last, |_, logits| read_logits(logits, &query)));
        }
        let mut shares = Vec::new();
        let mut rest = scores.as_slice();
        for row in rows {
            let (own, others) = rest.split_at(row.sequences.len());
            rest = others;
            let Ok(log_shares) = log_share(&asked[row.asked].task.label_logprobs(&query, own)) else { return Ok(None) };
            shares.extend(log_shares.iter().map(|share| share.exp().clamp(0.0, 1.0)));
        }
        let truth: Vec<usize> = rows.iter().map(|row| row.label).collect();
        let labels = asked.first().map_or(&[][..], |asked| &asked.task.task().labels);
        Validation::new(shares, &truth, labels).map(Some)
    }

    /// The rows of a pass over these sequences, as they enter the first trained layer.
    fn enter(&mut self, of: &[usize]) -> Result<(Rows, Vec<f32>)> {
        let Sequences { all, beginnings, .. } = self.sequences;
        let beginning = of.first().map_or(NO_BEGINNING, |first| all[*first].beginning);
        let rows = Rows::new(beginnings[beginning].len(), of.iter().map(|sequence| all[*sequence].tokens.len()));
        let x = self.frozen.rows(self.sequences, beginning, of)?;
        Ok((rows, x))
    }
}

/// Rows of a step that one thread computes, and what comes of them.
struct Part {
    places: Rows,
    x: Vec<f32>,
    targets: Vec<Target>,
    dropout: Option<Dropout>,
    gradient: Vec<f32>,
    loss: f64,
}

/// What has to be read of distributions for any of the tasks.
fn everything(asked: &[Asked<'_>]) -> Query {
    let mut gather: Vec<u32> = asked.iter().flat_map(|asked| asked.task.query().gather).collect();
    gather.sort_unstable();
    gather.dedup();
    Query { gather, top: 0 }
}
