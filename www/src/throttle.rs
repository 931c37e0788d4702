//! Progress, not more often than a person can see: every message costs the page a moment.

use candor::platform;

/// Seconds between two reports.
const PERIOD: f64 = 0.05;

/// Decides which reports are worth a message.
#[derive(Debug)]
pub struct Throttle {
    reported: f64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { reported: f64::NEG_INFINITY }
    }
}

impl Throttle {
    /// Whether to report now: the first time, after a while, and at the end.
    pub fn is_due(&mut self, done: u64, total: Option<u64>) -> bool {
        let now = platform::now();
        let due = now - self.reported >= PERIOD || total == Some(done);
        if due {
            self.reported = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_are_reported() {
        let mut throttle = Throttle::default();
        let due: Vec<bool> = (0..=10_000).map(|done| throttle.is_due(done, Some(10_000))).collect();
        assert!(due[0] && due[10_000]);
        assert!(due.iter().filter(|due| **due).count() < 100);
    }
}
