//! How far a long job is, how fast it goes and how long it will take.
//!
//! The worker reports only what is done and of how much; the rate is measured here, over a short sliding window, so
//! that a stall shows within seconds and a single burst does not promise an early end.

use std::borrow::Cow;
use std::collections::VecDeque;

use candor::protocol::{Progress, Stage};

use super::format;
use crate::pool::BatchProgress;

/// Seconds over which the rate is measured.
const WINDOW: f64 = 4.0;
/// Below this many seconds of observation no rate is given: it would jump.
const SETTLED: f64 = 0.6;

/// The progress of one job, through all its stages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meter {
    latest: Option<Progress>,
    samples: VecDeque<(f64, u64)>,
}

/// What a progress bar shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What is being done, in words.
    pub title: Cow<'static, str>,
    /// Part done, 0 to 1, where the whole is known.
    pub fraction: Option<f64>,
    /// Amount, rate and time left, in words.
    pub detail: String,
}

impl Reading {
    /// What the bar of a job over many rows shows.
    pub fn of_batch(title: impl Into<Cow<'static, str>>, progress: &BatchProgress) -> Self {
        let rows =
            format!("{} of {}", format::count(progress.done as u64), format::counted(progress.total as u64, "row"));
        let mut parts = vec![rows];
        if progress.paused {
            parts.push("paused".to_owned());
        } else {
            parts.extend(progress.rows_per_second.map(|rate| format!("{} rows/s", format::rate(rate))));
            parts.extend(progress.seconds_left.filter(|left| *left > 0.0).map(format::time_left));
        }
        parts.push(format::counted(progress.workers as u64, "worker"));
        if progress.starting > 0 {
            parts.push(format!("{} starting", format::count(progress.starting as u64)));
        }
        let fraction = (progress.total > 0).then(|| progress.done as f64 / progress.total as f64);
        Self { title: title.into(), fraction, detail: parts.join(" · ") }
    }
}

impl Meter {
    /// A job that begins with this stage, before anything is known of it.
    pub fn beginning(stage: Stage) -> Self {
        Self { latest: Some(Progress { stage, done: 0, total: None }), samples: VecDeque::new() }
    }

    /// Takes a report that came at `now` (seconds on any clock that does not run backwards).
    pub fn push(&mut self, now: f64, progress: Progress) {
        let restarted =
            self.latest.as_ref().is_none_or(|before| before.stage != progress.stage || progress.done < before.done);
        if restarted {
            self.samples.clear();
        }
        self.samples.push_back((now, progress.done));
        while self.samples.len() > 2 && self.samples[1].0 <= now - WINDOW {
            self.samples.pop_front();
        }
        self.latest = Some(progress);
    }

    /// Units in a second over the last few seconds, once there is enough to tell.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let elapsed = last.0 - first.0;
        (elapsed >= SETTLED && last.1 > first.1).then(|| (last.1 - first.1) as f64 / elapsed)
    }

    /// Seconds left in this stage, where the whole and the rate are known.
    pub fn seconds_left(&self) -> Option<f64> {
        let progress = self.latest.as_ref()?;
        let remaining = progress.total?.saturating_sub(progress.done);
        Some(remaining as f64 / self.rate()?)
    }

    /// The bar's contents; before the first report the job is starting.
    pub fn reading(&self) -> Reading {
        let Some(progress) = &self.latest else {
            return Reading { title: "Starting".into(), fraction: None, detail: String::new() };
        };
        if progress.done == 0 && progress.total.is_none() {
            return Reading { title: title(progress.stage).into(), fraction: None, detail: String::new() };
        }
        let fraction = progress
            .total
            .filter(|total| *total > 0)
            .map(|total| (progress.done as f64 / total as f64).clamp(0.0, 1.0));
        Reading { title: title(progress.stage).into(), fraction, detail: self.detail(progress) }
    }

    fn detail(&self, progress: &Progress) -> String {
        let unit = unit(progress.stage);
        let amount = match (unit, progress.total) {
            (None, Some(total)) => {
                format!("{} of {}", format::bytes_precise(progress.done), format::bytes_precise(total))
            }
            (None, None) => format::bytes_precise(progress.done),
            (Some(unit), Some(total)) => {
                format!("{} of {}", format::count(progress.done), format::counted(total, unit))
            }
            (Some(unit), None) => format::counted(progress.done, unit),
        };
        let mut parts = vec![amount];
        if let Some(rate) = self.rate() {
            parts.push(match unit {
                Some(unit) => format!("{} {unit}s/s", format::rate(rate)),
                None => format!("{}/s", format::bytes_precise(rate as u64)),
            });
        }
        if let Some(left) = self.seconds_left().filter(|left| *left > 0.0) {
            parts.push(format::time_left(left));
        }
        parts.join(" · ")
    }
}

/// What a stage counts, where that is not bytes.
fn unit(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Prefix | Stage::Classify => Some("token"),
        Stage::Compile => Some("kernel"),
        Stage::Train => Some("probe"),
        Stage::Download | Stage::Verify | Stage::Load | Stage::Upload => None,
    }
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Download => "Downloading the model",
        Stage::Verify => "Checking that the file is intact",
        Stage::Load => "Reading the weights",
        Stage::Upload => "Copying the weights to the graphics device",
        Stage::Compile => "Preparing the graphics device",
        Stage::Prefix => "Reading the task's instructions and examples",
        Stage::Classify => "Reading the text",
        Stage::Train => "Training the probe",
    }
}

/// Which of the quarters of a job were already told to a screen reader: five sentences a job, not five hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Milestones {
    told: Option<(Stage, u8)>,
}

impl Milestones {
    /// The sentence to announce for this report, if it is time for one.
    pub fn announce(&mut self, progress: &Progress) -> Option<String> {
        let total = progress.total.filter(|total| *total > 0)?;
        let quarter = (progress.done.min(total) * 4 / total) as u8;
        if self.told == Some((progress.stage, quarter)) {
            return None;
        }
        let same_stage = self.told.is_some_and(|(stage, _)| stage == progress.stage);
        self.told = Some((progress.stage, quarter));
        match (same_stage, quarter) {
            (false, _) => Some(title(progress.stage).to_owned()),
            (true, 1..=3) => Some(format!("{} percent", u32::from(quarter) * 25)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(done: u64, total: Option<u64>) -> Progress {
        Progress { stage: Stage::Download, done, total }
    }

    #[test]
    fn rate_and_time_left_come_from_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!(meter.reading().title, "Starting");
        // Ten seconds at 1 MB/s, then at 10 MB/s: after five more seconds only the fast part counts.
        let mut done = 0;
        for step in 0..=60 {
            let now = f64::from(step) * 0.25;
            meter.push(now, at(done, Some(98_000_000)));
            done += if now < 10.0 { 250_000 } else { 2_500_000 };
        }
        let rate = meter.rate().expect("settled");
        assert!((rate - 1e7).abs() < 1e5, "{rate}");
        let reading = meter.reading();
        assert_eq!(reading.detail, "60.0 MB of 98.0 MB · 10.0 MB/s · about 4 s left");
        assert!((reading.fraction.expect("total known") - 60.0 / 98.0).abs() < 1e-9);
    }

    #[test]
    fn no_rate_before_it_is_settled_and_none_in_a_stall() {
        let mut meter = Meter::default();
        meter.push(0.0, at(0, Some(100)));
        meter.push(0.3, at(50, Some(100)));
        assert_eq!(meter.rate(), None);
        assert_eq!(meter.reading().detail, "50 B of 100 B");
        meter.push(20.0, at(50, Some(100)));
        meter.push(30.0, at(50, Some(100)));
        assert_eq!(meter.rate(), None, "nothing moved for ten seconds");
    }

    #[test]
    fn a_new_stage_or_a_restart_begins_anew() {
        let mut meter = Meter::default();
        meter.push(0.0, at(0, None));
        meter.push(1.0, at(5_000_000, None));
        assert_eq!(meter.reading().detail, "5.0 MB · 5.0 MB/s");
        assert_eq!(meter.reading().fraction, None);
        meter.push(1.1, Progress { stage: Stage::Verify, done: 98, total: Some(98) });
        assert_eq!(meter.rate(), None);
        assert_eq!(meter.reading().fraction, Some(1.0));
        meter.push(1.2, Progress { stage: Stage::Prefix, done: 16, total: Some(62) });
        assert_eq!(meter.reading().detail, "16 of 62 tokens");
    }

    #[test]
    fn a_job_is_named_before_anything_is_known_of_it() {
        let reading = Meter::beginning(Stage::Classify).reading();
        assert_eq!((&*reading.title, reading.fraction, reading.detail.as_str()), ("Reading the text", None, ""));
    }

    #[test]
    fn a_job_over_rows_tells_rows_rate_time_and_workers() {
        let mut progress = BatchProgress {
            done: 250,
            total: 1000,
            rows_per_second: Some(25.4),
            seconds_left: Some(30.0),
            workers: 1,
            starting: 1,
            paused: false,
            note: None,
        };
        let reading = Reading::of_batch("Reading rows", &progress);
        assert_eq!(reading.detail, "250 of 1,000 rows · 25 rows/s · about 30 s left · 1 worker · 1 starting");
        assert_eq!(reading.fraction, Some(0.25));
        progress.paused = true;
        assert_eq!(Reading::of_batch("x", &progress).detail, "250 of 1,000 rows · paused · 1 worker · 1 starting");
    }

    #[test]
    fn fraction_survives_a_lying_total() {
        let mut meter = Meter::default();
        meter.push(0.0, at(200, Some(100)));
        assert_eq!(meter.reading().fraction, Some(1.0));
        meter.push(0.1, at(200, Some(0)));
        assert_eq!(meter.reading().fraction, None);
    }

    #[test]
    fn milestones_are_few() {
        let mut milestones = Milestones::default();
        let told: Vec<String> = (0..=1000).filter_map(|done| milestones.announce(&at(done, Some(1000)))).collect();
        assert_eq!(told, ["Downloading the model", "25 percent", "50 percent", "75 percent"]);
        assert_eq!(milestones.announce(&at(1, None)), None);
    }
}
