//! How fast is it on this device: what is measured, with which texts, and what came out.
//!
//! The figures keep the names that `candor bench` gives them, so that one program reads both.

use candor::protocol::MemoryUse;
use candor::task::{BUILT_IN, BUILT_IN_PROMPTS, Label, Task, read_prompts};
use serde::Serialize;

use crate::pool::BatchSummary;

/// Times that a job is measured, where the address does not say.
const REPEATS: usize = 3;

/// What is to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where the prompts come from.
    pub source: String,
    /// Whole prompts.
    pub prompts: Vec<String>,
    /// Rows of a job: the prompts in turn.
    pub rows: usize,
    /// Numbers of workers, one after the other.
    pub workers: Vec<usize>,
    /// Times that each is measured, after one that is not.
    pub repeats: usize,
}

impl Plan {
    /// The prompts that come with the page, with so many workers at most.
    pub fn built_in(most_workers: usize) -> Self {
        // A test reads them.
        let prompts = read_prompts(BUILT_IN_PROMPTS.as_bytes()).unwrap_or_default();
        let rows = prompts.len();
        Self { source: "built in".to_owned(), prompts, rows, workers: worker_counts(most_workers), repeats: REPEATS }
    }

    /// Other prompts.
    pub fn set_prompts(&mut self, source: &str, prompts: Vec<String>) {
        self.rows = prompts.len();
        self.prompts = prompts;
        self.source = source.to_owned();
    }

    /// Takes over what the page's address says: `speed-workers=1,2`, `speed-rows=10000`, `speed-repeats=1`.
    pub fn obey(&mut self, query: &str) {
        for (key, value) in query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('=')) {
            let numbers: Vec<usize> =
                value.split(',').filter_map(|part| part.parse().ok()).filter(|n| *n > 0).collect();
            match (key, numbers.as_slice()) {
                ("speed-workers", [_, ..]) => self.workers = numbers,
                ("speed-rows", [rows]) => self.rows = *rows,
                ("speed-repeats", [repeats]) => self.repeats = *repeats,
                _ => {}
            }
        }
    }

    /// The task and the rows' texts: what all prompts begin with is computed once.
    pub fn job(&self) -> (Task, Vec<String>) {
        let (task, texts) = Task::of_whole_prompts(&self.prompts, labels());
        (task, texts.iter().cycle().take(if texts.is_empty() { 0 } else { self.rows }).cloned().collect())
    }
}

/// The answers that are asked for after a whole prompt: those of the default task.
fn labels() -> Vec<Label> {
    Task::from_toml(BUILT_IN[0].1).map(|task| task.labels).unwrap_or_default()
}

/// 1, 2, 4 and so on, up to this many.
fn worker_counts(most: usize) -> Vec<usize> {
    let mut counts: Vec<usize> =
        std::iter::successors(Some(1), |count| Some(count * 2)).take_while(|n| *n < most).collect();
    counts.push(most.max(1));
    counts
}

/// A row's answer, to be compared with the same row's in another run: each label's log-probability.
pub type RowAnswer = Vec<f64>;

/// The largest difference of a log-probability between two runs; nothing if they are not of the same rows.
pub fn largest_difference(one: &[RowAnswer], other: &[RowAnswer]) -> Option<f64> {
    let same_shape = one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.len() == b.len());
    let differences = one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).abs());
    (same_shape && !one.is_empty()).then(|| differences.fold(0.0, f64::max))
}

/// What was measured with one number of workers. The first eight fields are those of `candor bench`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The backend rung.
    pub backend: String,
    /// Workers, each of one thread.
    pub threads: usize,
    /// Rows of a job.
    pub examples: usize,
    /// Tokens computed for them.
    pub tokens_computed: u64,
    /// Tokens taken from kept prefixes.
    pub tokens_reused: u64,
    /// Rows a second: the median of the repeats.
    pub examples_per_s: f64,
    /// Computed tokens a second, in the same run.
    pub tokens_per_s: f64,
    /// Memory of all workers together, in bytes.
    pub peak_bytes: Option<u64>,
    /// Memory of the largest worker, in bytes.
    pub worker_bytes: Option<u64>,
    /// Of that, the weights.
    pub weight_bytes: u64,
    /// Memory of the largest worker after the first run: what the rows after it have added is the difference.
    pub worker_bytes_at_first: Option<u64>,
    /// Rows a second of the run that was not counted: each worker computes the task's prefix in it.
    pub first_run_examples_per_s: f64,
    /// Every repeat's rows a second.
    pub repeats: Vec<f64>,
    /// The largest difference of a label's log-probability to the first number of workers.
    pub largest_difference: Option<f64>,
    /// Workers that were lost and replaced on the way.
    pub lost_workers: usize,
}

impl Run {
    /// From the first, uncounted job and those that count, in order.
    pub fn new(backend: &str, workers: usize, first: &BatchSummary, counted: &[BatchSummary]) -> Self {
        let speed = |summary: &BatchSummary| summary.rows as f64 / summary.seconds.max(1e-9);
        let mut by_speed: Vec<&BatchSummary> = counted.iter().collect();
        by_speed.sort_by(|a, b| speed(a).total_cmp(&speed(b)));
        let median = by_speed.get(by_speed.len() / 2).copied().unwrap_or(first);
        let last = counted.last().unwrap_or(first);
        let largest = |memory: &[MemoryUse]| memory.iter().filter_map(|memory| memory.peak).max();
        let sum: Option<u64> = last.memory.iter().map(|memory| memory.peak).sum();
        Self {
            backend: backend.to_owned(),
            threads: workers,
            examples: median.rows,
            tokens_computed: median.tokens_computed,
            tokens_reused: median.tokens_reused,
            examples_per_s: speed(median),
            tokens_per_s: median.tokens_computed as f64 / median.seconds.max(1e-9),
            peak_bytes: sum.filter(|_| !last.memory.is_empty()),
            worker_bytes: largest(&last.memory),
            weight_bytes: last.memory.iter().map(|memory| memory.weights).max().unwrap_or(0),
            worker_bytes_at_first: largest(&first.memory),
            first_run_examples_per_s: speed(first),
            repeats: counted.iter().map(speed).collect(),
            largest_difference: None,
            lost_workers: first.lost_workers + counted.iter().map(|summary| summary.lost_workers).sum::<usize>(),
        }
    }
}

/// One text by itself, as somebody types it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Seconds from the question to the answer, messages included: the median of several.
    pub seconds: f64,
    /// Tokens computed for it.
    pub tokens_computed: usize,
    /// Tokens taken from the task's prefix.
    pub tokens_reused: usize,
}

/// Everything that was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// The quantized type of most of its weights.
    pub quantization: String,
    /// Where the prompts came from.
    pub prompts: String,
    /// Seconds from opening the page to the first answer, where the model was on the device already.
    pub first_answer_seconds: Option<f64>,
    /// Seconds from asking for the model to having it.
    pub model_load_seconds: f64,
    /// One short text.
    pub one_text: Option<Latency>,
    /// The jobs, one a number of workers.
    pub runs: Vec<Run>,
}

impl Report {
    /// As JSON, for people to keep and programs to read.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The middle one of several measurements.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(rows: usize, seconds: f64, peaks: &[u64]) -> BatchSummary {
        let memory = peaks.iter().map(|peak| MemoryUse { weights: 90, peak: Some(*peak) }).collect();
        BatchSummary { rows, seconds, tokens_computed: 20 * rows as u64, tokens_reused: 60, memory, lost_workers: 1 }
    }

    #[test]
    fn the_built_in_prompts_share_their_beginning() {
        let plan = Plan::built_in(6);
        assert_eq!((plan.prompts.len(), plan.rows, plan.workers.as_slice()), (32, 32, &[1, 2, 4, 6][..]));
        let (task, texts) = plan.job();
        assert!(task.template.len() > 200 && task.problems().is_empty());
        assert!(texts.iter().all(|text| text.len() < 120 && text.ends_with("Sentiment:")));
    }

    #[test]
    fn the_address_has_the_last_word() {
        let mut plan = Plan::built_in(1);
        plan.obey("?x=1&speed-workers=2,3,0,x&speed-rows=70&speed-repeats=1");
        assert_eq!((plan.workers.as_slice(), plan.rows, plan.repeats), (&[2, 3][..], 70, 1));
        let (_, texts) = plan.job();
        assert_eq!((texts.len(), &texts[0]), (70, &texts[64]));
        plan.obey("speed-workers=&speed-rows=-1");
        assert_eq!((plan.workers.as_slice(), plan.rows), (&[2, 3][..], 70));
    }

    #[test]
    fn a_run_is_the_median_and_its_memory_the_last() {
        let counted = [summary(10, 2.0, &[100, 120]), summary(10, 1.0, &[100, 130]), summary(10, 4.0, &[110, 130])];
        let run = Run::new("CPU", 2, &summary(10, 5.0, &[90, 80]), &counted);
        assert_eq!((run.examples_per_s, run.tokens_per_s, run.first_run_examples_per_s), (5.0, 100.0, 2.0));
        assert_eq!((run.peak_bytes, run.worker_bytes, run.worker_bytes_at_first), (Some(240), Some(130), Some(90)));
        assert_eq!((run.repeats, run.lost_workers), (vec![5.0, 10.0, 2.5], 4));
    }

    #[test]
    fn answers_are_compared_row_by_row() {
        let one = vec![vec![-1.0, -2.0], vec![-3.0, -0.5]];
        assert_eq!(largest_difference(&one, &one), Some(0.0));
        assert_eq!(largest_difference(&one, &[vec![-1.0, -2.0], vec![-3.0, -0.25]]), Some(0.25));
        assert_eq!(largest_difference(&one, &one[..1]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }
}
