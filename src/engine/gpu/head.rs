//! The head: logits of a few rows at a time, read where they are, so that a few floats a segment come back.

use super::HEAD_ROWS;
use super::device::{Buffer, Device, Since, floats_in, integers_in};
use super::forward::Scratch;
use super::kernels::{Kernel, Recording};
use super::matrix::{Matrix, Product, then};
use super::narrow::Input;
use crate::engine::batch::{Query, SegmentScores};
use crate::error::{Error, Kind, Result};

/// Slices that the vocabulary is cut into, as in the shader.
pub const SLICES: usize = 256;
/// Most likely tokens that are kept at most: with more of them, so many slices would have to give all they have above
/// the bound that the room for candidates could not be told.
const MOST_TOP: usize = SLICES / 2;

/// Results of a batch on the device.
pub struct Head {
    rows: usize,
    asked: usize,
    top: usize,
    room: usize,
    ids: Buffer,
    total: Buffer,
    gathered: Buffer,
    counts: Buffer,
    found: Buffer,
    results: Buffer,
}

impl Head {
    /// Whether the device can answer this.
    pub fn answers(query: &Query, vocabulary: usize) -> bool {
        query.top <= MOST_TOP && query.gather.iter().all(|id| (*id as usize) < vocabulary)
    }

    /// Room for the results of `rows` rows.
    pub fn new(device: &Device, rows: usize, query: &Query) -> Self {
        let (asked, top) = (query.gather.len(), query.top);
        // Few more than `top` tokens reach the bound, unless very many are equal.
        let room = if top == 0 { 0 } else { 2 * top + 64 };
        let bytes = |each: usize| (rows * each) as u64;
        let sections = bytes(16) + bytes(4 * asked) + bytes(4) + bytes(8 * room);
        Self {
            rows,
            asked,
            top,
            room,
            ids: device.buffer_of(&query.gather),
            total: device.buffer(bytes(16)),
            gathered: device.buffer(bytes(4 * asked)),
            counts: device.buffer(bytes(4)),
            found: device.buffer(bytes(8 * room)),
            results: device.results(sections),
        }
    }

    /// Records the product of normed rows with the head and the reading of their logits.
    pub fn record<'a>(
        &'a self,
        recording: &mut Recording<'a>,
        head: &'a Matrix,
        normed: Input<'a>,
        scratch: &'a Scratch,
    ) {
        recording.clear(&self.counts);
        for first in (0..self.rows).step_by(HEAD_ROWS) {
            let tokens = HEAD_ROWS.min(self.rows - first);
            let logits = &scratch.logits;
            let product = Product { x: normed, first_token: first, tokens, out: logits, then: then::STORE, bias: None };
            head.multiply(recording, product);
            let shape = [head.rows(), head.stride()];
            self.read_logits(recording, logits, &scratch.partial, [first, tokens], shape);
        }
        let mut at = 0;
        for (buffer, each) in self.sections() {
            let bytes = (self.rows * each) as u64;
            recording.copy(buffer, 0, &self.results, at, bytes);
            at += bytes;
        }
    }

    /// Records what reads `rows` rows of logits, the first of them being row `first` of all; `shape` is the vocabulary
    /// and the length of a row.
    pub fn read_logits<'a>(
        &'a self,
        recording: &mut Recording<'a>,
        logits: &'a Buffer,
        partial: &'a Buffer,
        [first, rows]: [usize; 2],
        [vocabulary, stride]: [usize; 2],
    ) {
        let none = Vec::new();
        let sizes = [rows, vocabulary, stride, self.asked, self.top, self.room, first].map(|size| size as u32);
        let rows = rows as u32;
        let slices = [SLICES as u32 / 64, rows, 1];
        recording.call(Kernel::Slices, &none, &sizes, &[logits, partial], slices);
        recording.call(Kernel::Summary, &none, &sizes, &[partial, &self.total], [rows.div_ceil(32), 1, 1]);
        let asked = [(self.asked as u32).div_ceil(32), rows, 1];
        recording.call(Kernel::Gather, &none, &sizes, &[logits, &self.ids, &self.gathered], asked);
        if self.top > 0 {
            let buffers = [logits, &self.total, &self.counts, &self.found];
            recording.call(Kernel::Candidates, &none, &sizes, &buffers, slices);
        }
    }

    /// How many candidates each row has; cleared before a reading.
    pub fn counts(&self) -> &Buffer {
        &self.counts
    }

    /// The results with their bytes a row.
    fn sections(&self) -> [(&Buffer, usize); 4] {
        [(&self.total, 16), (&self.gathered, 4 * self.asked), (&self.counts, 4), (&self.found, 8 * self.room)]
    }

    /// Waits for the results and reads them; `None` where so many tokens are equally likely that the device did not
    /// keep all of them.
    ///
    /// # Errors
    /// [`Kind::Lost`] or [`Kind::Resource`]: the device's faults, or logits that are no numbers.
    pub async fn read(&self, device: &Device, since: Since) -> Result<Option<Vec<SegmentScores>>> {
        let bytes = device.read(&self.results, since).await?;
        let mut rest = bytes.as_slice();
        let [total, gathered, counts, found] = self.sections().map(|(_, each)| {
            let (section, after) = rest.split_at(self.rows * each);
            rest = after;
            section
        });
        let (total, gathered, counts) = (floats_in(total), floats_in(gathered), integers_in(counts));
        let found = integers_in(found);
        let mut scores = Vec::with_capacity(self.rows);
        for row in 0..self.rows {
            let (most, sum) = (total[row * 4], total[row * 4 + 1]);
            let log_sum_exp = f64::from(most) + f64::from(sum).ln();
            // The largest logit alone makes the sum 1, give or take what a device's exponential is off.
            if !(log_sum_exp.is_finite() && sum > 0.5) {
                return Err(Error::new(Kind::Lost, "the graphics device gave logits that are no numbers"));
            }
            let logprob = |logit: f32| f64::from(logit) - log_sum_exp;
            let count = counts[row] as usize;
            if count > self.room {
                return Ok(None);
            }
            let mut top: Vec<(u32, f32)> = found[row * self.room * 2..][..count * 2]
                .as_chunks()
                .0
                .iter()
                .map(|[id, bits]: &[u32; 2]| (*id, f32::from_bits(*bits)))
                .collect();
            top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            top.truncate(self.top);
            scores.push(SegmentScores {
                gathered: gathered[row * self.asked..][..self.asked].iter().map(|logit| logprob(*logit)).collect(),
                top: top.into_iter().map(|(id, logit)| (id, logprob(logit))).collect(),
                last_row: Vec::new(),
            });
        }
        Ok(Some(scores))
    }
}
