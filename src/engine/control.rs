//! How a long computation reports, lets messages in, and is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Kind, Result};
use crate::platform;

/// Seconds between two looks at the message queue.
const PACE_SECONDS: f64 = 0.05;

/// A flag that stops a long computation; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the computation to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the loading of a model is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Weights are read and laid out for the processor: bytes.
    Read,
    /// Weights are copied to a graphics device: bytes.
    Upload,
    /// Kernels are compiled for a graphics device: kernels.
    Compile,
}

/// How a long computation reports and is stopped.
pub struct Control<'a> {
    cancel: Cancel,
    progress: &'a mut dyn FnMut(u64, Option<u64>),
    phases: Option<&'a mut dyn FnMut(Phase)>,
    breathed: f64,
}

impl<'a> Control<'a> {
    /// Reports to `progress(done, total)` and stops when `cancel` says so.
    pub fn new(cancel: Cancel, progress: &'a mut dyn FnMut(u64, Option<u64>)) -> Self {
        Self { cancel, progress, phases: None, breathed: platform::now() }
    }

    /// Says to `phases` what the reports are about from then on.
    pub fn telling(self, phases: &'a mut dyn FnMut(Phase)) -> Self {
        Self { phases: Some(phases), ..self }
    }

    /// What is reported from now on is about this.
    pub fn enter(&mut self, phase: Phase) {
        if let Some(phases) = &mut self.phases {
            phases(phase);
        }
    }

    /// The flag that stops it.
    pub fn cancel_flag(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Reports progress.
    pub fn report(&mut self, done: u64, total: Option<u64>) {
        (self.progress)(done, total);
    }

    /// Lets messages in now and then, and ends with [`Kind::Cancelled`] once a cancel was heard.
    ///
    /// # Errors
    /// When cancelled.
    pub async fn pace(&mut self) -> Result<()> {
        if platform::now() - self.breathed > PACE_SECONDS {
            platform::breathe().await;
            self.breathed = platform::now();
        }
        match self.cancel.is_cancelled() {
            true => Err(Error::new(Kind::Cancelled, "cancelled")),
            false => Ok(()),
        }
    }
}
