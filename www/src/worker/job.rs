//! How a running job is stopped.

use candor::engine::Cancel;
use candor::error::{Error, Kind, Result};
use web_sys::{AbortController, AbortSignal};

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
