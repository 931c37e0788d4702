//! How fast a job goes and how long it will take.
//!
//! Rows differ in length, so the time left is told from tokens (by estimate), not from rows. Both rates are those of
//! the last seconds; time in which the job rests does not count.

use std::collections::VecDeque;

/// Seconds over which rates are measured.
const WINDOW: f64 = 15.0;
/// Below this many seconds of observation no rate is given: it would jump.
const SETTLED: f64 = 0.5;

/// What was done by when.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    at: f64,
    rows: usize,
    cost: u64,
}

/// Measures a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    samples: VecDeque<Sample>,
    /// Seconds of the clock on which the job did not rest, up to `since`.
    worked: f64,
    /// Since when it works; nothing while it rests.
    since: Option<f64>,
}

impl Pace {
    /// A job that begins now.
    pub fn new(now: f64) -> Self {
        let first = Sample { at: 0.0, rows: 0, cost: 0 };
        Self { samples: VecDeque::from([first]), worked: 0.0, since: Some(now) }
    }

    /// Seconds of work so far.
    pub fn seconds(&self, now: f64) -> f64 {
        self.worked + self.since.map_or(0.0, |since| (now - since).max(0.0))
    }

    /// The job rests, or goes on.
    pub fn rest(&mut self, now: f64, rests: bool) {
        self.worked = self.seconds(now);
        self.since = (!rests).then_some(now);
    }

    /// Notes what is done by now.
    pub fn push(&mut self, now: f64, rows: usize, cost: u64) {
        let at = self.seconds(now);
        self.samples.push_back(Sample { at, rows, cost });
        while self.samples.len() > 2 && self.samples[1].at <= at - WINDOW {
            self.samples.pop_front();
        }
    }

    /// Rows a second, once there is enough to tell.
    pub fn rows_per_second(&self) -> Option<f64> {
        self.rate(|sample| sample.rows as f64)
    }

    /// Seconds that so much more will take.
    pub fn seconds_left(&self, cost_left: u64) -> Option<f64> {
        Some(cost_left as f64 / self.rate(|sample| sample.cost as f64)?)
    }

    fn rate(&self, amount: impl Fn(&Sample) -> f64) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let (elapsed, done) = (last.at - first.at, amount(last) - amount(first));
        (elapsed >= SETTLED && done > 0.0).then(|| done / elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut pace = Pace::new(100.0);
        assert_eq!((pace.rows_per_second(), pace.seconds_left(10)), (None, None));
        let (mut rows, mut cost) = (0, 0);
        for second in 1..=60 {
            rows += if second <= 30 { 1 } else { 4 };
            cost += if second <= 30 { 100 } else { 50 };
            pace.push(100.0 + f64::from(second), rows, cost);
        }
        assert_eq!(pace.rows_per_second(), Some(4.0));
        assert_eq!(pace.seconds_left(500), Some(10.0));
        assert_eq!(pace.seconds(160.0), 60.0);
    }

    #[test]
    fn resting_does_not_count() {
        let mut pace = Pace::new(0.0);
        pace.push(2.0, 4, 40);
        pace.rest(2.0, true);
        assert_eq!(pace.seconds(50.0), 2.0);
        pace.rest(1000.0, false);
        pace.push(1002.0, 8, 80);
        assert_eq!((pace.rows_per_second(), pace.seconds(1002.0)), (Some(2.0), 4.0));
    }
}
