//! A job that runs: who hears of its progress, and how it is stopped.

use candor::engine::Cancel;
use candor::error::{Error, Kind, Result};
use candor::platform;
use candor::protocol::{Progress, Stage};
use web_sys::{AbortController, AbortSignal};

/// Seconds between two reports of progress: a person sees no more, and the page has other work.
const REPORT: f64 = 0.05;

/// Stops a job: its computation between two chunks, its request on the network at once.
#[derive(Debug, Clone)]
pub struct Stop {
    cancel: Cancel,
    network: Option<AbortController>,
}

impl Stop {
    /// One that has not been used.
    pub fn new() -> Self {
        Self { cancel: Cancel::default(), network: AbortController::new().ok() }
    }

    /// Stops the job.
    pub fn stop(&self) {
        self.cancel.cancel();
        if let Some(network) = &self.network {
            network.abort();
        }
    }

    /// For the engine.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// For the network.
    ///
    /// # Errors
    /// In a browser that cannot stop requests.
    pub fn signal(&self) -> Result<AbortSignal> {
        let network = self.network.as_ref().map(AbortController::signal);
        network.ok_or_else(|| Error::new(Kind::Unsupported, "this browser cannot stop a download"))
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// Turns an engine's counts into messages, not more often than somebody can see.
pub struct Reporter<F: FnMut(Progress)> {
    stage: Stage,
    reported: f64,
    send: F,
}

impl<F: FnMut(Progress)> Reporter<F> {
    /// Reports one stage.
    pub fn new(stage: Stage, send: F) -> Self {
        Self { stage, reported: f64::NEG_INFINITY, send }
    }

    /// Takes a count.
    pub fn report(&mut self, done: u64, total: Option<u64>) {
        let now = platform::now();
        if now - self.reported >= REPORT || total == Some(done) {
            self.reported = now;
            (self.send)(Progress { stage: self.stage, done, total });
        }
    }
}
