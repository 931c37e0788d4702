//! Which rows are computed next, by whom, and in which order they come back.
//!
//! Work sharing: rows are cut into chunks in input order, and whoever is free takes the next one, so a fast worker does
//! more than a slow one. A chunk is about one forward pass of the engine; towards the end chunks become smaller, so
//! that all workers finish at nearly the same time. A chunk whose worker has died is handed out again before anything
//! new. Results are held back until all rows before them are there; how far the workers may run ahead is bounded, so
//! that memory is.
//!
//! No clock, no browser, no messages: a plain struct, tested natively.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// Tokens below which a chunk is not worth its messages.
const SMALL: usize = 64;
/// Workers that a chunk may cost before the job gives up on it.
const ATTEMPTS: u32 = 3;

/// How large chunks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunking {
    /// Tokens that fill a forward pass of the engine, with room for a bad estimate.
    full: usize,
    /// Rows of a chunk.
    most_rows: usize,
    /// Rows that may be done or in work beyond the first one that is missing.
    ahead: usize,
}

impl Chunking {
    /// For processors: the page reads the results of a chunk in a few milliseconds.
    pub const OF_PROCESSORS: Self = Self { full: 448, most_rows: 32, ahead: 1024 };
    /// For a graphics device, which many rows at a time keep busy.
    pub const OF_GRAPHICS: Self = Self { full: 4096, most_rows: 256, ahead: 2048 };
}

/// Rows that are computed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The rows, counted from 0.
    pub rows: Range<usize>,
    /// How many workers have died over it.
    failures: u32,
}

/// The state of a job: which rows are done, in work and waiting. `T` is the result of a row.
#[derive(Debug, Clone)]
pub struct Schedule<T> {
    /// About how many tokens each row takes.
    costs: Vec<u32>,
    chunking: Chunking,
    /// The first row that was never handed out.
    next: usize,
    returned: VecDeque<Chunk>,
    out: BTreeMap<usize, Chunk>,
    /// Results by first row, while rows before them are missing.
    held: BTreeMap<usize, Vec<T>>,
    delivered: usize,
    done: usize,
    cost_done: u64,
    cost_left: u64,
}

impl<T> Schedule<T> {
    /// A schedule of rows that take about so many tokens each.
    pub fn new(costs: Vec<u32>, chunking: Chunking) -> Self {
        let cost_left = costs.iter().map(|cost| u64::from(*cost)).sum();
        Self {
            costs,
            chunking,
            next: 0,
            returned: VecDeque::new(),
            out: BTreeMap::new(),
            held: BTreeMap::new(),
            delivered: 0,
            done: 0,
            cost_done: 0,
            cost_left,
        }
    }

    /// The chunk to compute next, if there is one; `workers` share what is left.
    pub fn take(&mut self, workers: usize) -> Option<Chunk> {
        let chunk = match self.returned.pop_front() {
            Some(chunk) => chunk,
            None if self.next < self.costs.len() && self.next < self.delivered + self.chunking.ahead => {
                self.cut(workers)
            }
            None => return None,
        };
        self.out.insert(chunk.rows.start, chunk.clone());
        Some(chunk)
    }

    fn cut(&mut self, workers: usize) -> Chunk {
        let Chunking { full, most_rows, .. } = self.chunking;
        let left: u64 = self.costs[self.next..].iter().take(full * 2 * workers).map(|cost| u64::from(*cost)).sum();
        let fair = left as usize / (2 * workers.max(1));
        let wanted = fair.clamp(SMALL, full);
        let (mut end, mut cost) = (self.next, 0);
        while end < self.costs.len() && end - self.next < most_rows {
            cost += self.costs[end] as usize;
            if cost > wanted && end > self.next {
                break;
            }
            end += 1;
        }
        let rows = self.next..end;
        self.next = end;
        Chunk { rows, failures: 0 }
    }

    /// Takes a chunk's results. Answers with the results that are now complete from the first missing row on, and the
    /// number of their first row. Results of a chunk that is not out any more are dropped: no row comes twice.
    pub fn complete(&mut self, chunk: &Chunk, results: Vec<T>) -> Option<(usize, Vec<T>)> {
        let out = self.out.remove(&chunk.rows.start)?;
        debug_assert_eq!(out.rows.len(), results.len());
        let cost: u64 = self.costs[out.rows.clone()].iter().map(|cost| u64::from(*cost)).sum();
        self.cost_done += cost;
        self.cost_left -= cost;
        self.done += out.rows.len();
        self.held.insert(out.rows.start, results);
        let first = self.delivered;
        let mut ready = Vec::new();
        while let Some(results) = self.held.remove(&self.delivered) {
            self.delivered += results.len();
            ready.extend(results);
        }
        (!ready.is_empty()).then_some((first, ready))
    }

    /// Takes back a chunk that was not computed, to be handed out again. `died` says that its worker did.
    ///
    /// # Errors
    /// The rows, when the chunk has cost too many workers.
    pub fn give_back(&mut self, chunk: &Chunk, died: bool) -> Result<(), Range<usize>> {
        let Some(mut chunk) = self.out.remove(&chunk.rows.start) else { return Ok(()) };
        chunk.failures += u32::from(died);
        if chunk.failures >= ATTEMPTS {
            return Err(chunk.rows);
        }
        self.returned.push_back(chunk);
        Ok(())
    }

    /// Rows in all.
    pub fn total(&self) -> usize {
        self.costs.len()
    }

    /// Rows that are computed, whether delivered or not.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Tokens, by estimate, of the rows that are computed and of those that are not.
    pub fn cost(&self) -> (u64, u64) {
        (self.cost_done, self.cost_left)
    }

    /// Whether every row was delivered.
    pub fn is_finished(&self) -> bool {
        self.delivered == self.costs.len()
    }
}

/// About how many tokens a text takes: four bytes are one, and the frame's last words come with every text.
pub fn estimated_tokens(text: &str) -> u32 {
    const FRAME: usize = 4;
    u32::try_from(text.len() / 4 + FRAME).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKING: Chunking = Chunking::OF_PROCESSORS;

    fn results(chunk: &Chunk) -> Vec<usize> {
        chunk.rows.clone().collect()
    }

    /// Every row once and in order, whoever does what when: workers take, finish and die as `random` has it.
    fn run(costs: Vec<u32>, workers: usize, mut random: impl FnMut(usize) -> usize) -> Vec<usize> {
        let total = costs.len();
        let mut schedule = Schedule::new(costs, CHUNKING);
        let mut busy: Vec<Option<Chunk>> = vec![None; workers];
        let mut delivered = Vec::new();
        let mut deaths = 0;
        for _ in 0..1_000_000 {
            if schedule.is_finished() {
                break;
            }
            let worker = random(workers);
            match busy[worker].take() {
                None => busy[worker] = schedule.take(workers),
                Some(chunk) if random(10) == 0 && chunk.failures + 1 < ATTEMPTS => {
                    deaths += 1;
                    schedule.give_back(&chunk, true).unwrap();
                }
                Some(chunk) => {
                    if let Some((first, rows)) = schedule.complete(&chunk, results(&chunk)) {
                        assert_eq!(first, delivered.len());
                        delivered.extend(rows);
                    }
                    assert_eq!(schedule.complete(&chunk, results(&chunk)), None, "a second time counts for nothing");
                }
            }
            let ahead = schedule.next - schedule.delivered;
            assert!(ahead <= CHUNKING.ahead + CHUNKING.most_rows, "{ahead} rows ahead");
        }
        assert_eq!(schedule.done(), total);
        assert_eq!(schedule.cost().1, 0);
        assert!(total < 500 || deaths > 0, "the test wants some");
        delivered
    }

    #[test]
    fn every_row_comes_once_and_in_order() {
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for workers in [1, 2, 5] {
            for rows in [0, 1, 33, 500, 5000] {
                let costs: Vec<u32> = (0..rows).map(|_| 1 + random(600) as u32).collect();
                assert_eq!(run(costs, workers, &mut random), (0..rows).collect::<Vec<_>>(), "{workers} on {rows}");
            }
        }
    }

    #[test]
    fn chunks_are_full_at_first_and_small_at_the_end() {
        let mut schedule: Schedule<()> = Schedule::new(vec![20; 400], CHUNKING);
        let mut sizes = Vec::new();
        while let Some(chunk) = schedule.take(2) {
            sizes.push(chunk.rows.len());
            schedule.complete(&chunk, vec![(); chunk.rows.len()]);
        }
        assert_eq!(sizes.iter().sum::<usize>(), 400);
        assert_eq!(sizes[0], CHUNKING.full / 20);
        assert!(sizes.last() <= Some(&(SMALL / 20)), "{sizes:?}");
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    #[test]
    fn a_long_row_is_a_chunk_and_many_short_ones_are_not_too_many() {
        let mut schedule: Schedule<()> = Schedule::new([vec![5000], vec![1; 4000]].concat(), CHUNKING);
        assert_eq!(schedule.take(1).unwrap().rows, 0..1);
        assert_eq!(schedule.take(1).unwrap().rows, 1..1 + CHUNKING.most_rows);
    }

    #[test]
    fn a_chunk_that_kills_its_workers_is_named() {
        let mut schedule: Schedule<()> = Schedule::new(vec![1; 3], CHUNKING);
        for _ in 1..ATTEMPTS {
            let chunk = schedule.take(1).unwrap();
            assert_eq!(schedule.give_back(&chunk, true), Ok(()));
        }
        let chunk = schedule.take(1).unwrap();
        assert_eq!(schedule.give_back(&chunk, false), Ok(()), "a cancel is no death");
        let chunk = schedule.take(1).unwrap();
        assert_eq!(schedule.give_back(&chunk, true), Err(0..3));
        assert_eq!(schedule.give_back(&chunk, true), Ok(()), "it is gone");
    }
}
