//! Where a model runs: the flag, the environment's switch, and what happens when a device that was asked for is not
//! there.

use crate::classify::Classifier;
use crate::engine::{Choice, Rung};
use crate::error::{Error, Result};

/// Forces a rung where no flag does: so that scripts and tests reach every one.
const SWITCH: &str = "CANDOR_BACKEND";

/// The flag of everything that loads a model.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// Where the model runs. Without it, what CANDOR_BACKEND says, else auto.
    #[arg(long, value_enum)]
    backend: Option<BackendChoice>,
}

/// Where the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BackendChoice {
    /// The fastest that is exact here.
    Auto,
    /// The processor.
    Cpu,
    /// The graphics device, on its fastest rung that is exact here.
    Gpu,
    /// The graphics device, in float32.
    GpuF32,
    /// The graphics device, with activations of 16-bit floats.
    GpuF16,
    /// The graphics device, with activations of 16-bit integers and products of bytes.
    GpuDot,
}

impl Arguments {
    /// What was chosen.
    ///
    /// # Errors
    /// If the environment's switch names no backend.
    pub fn choice(&self) -> Result<Choice> {
        match self.backend {
            Some(BackendChoice::Auto) => Ok(Choice::Auto),
            Some(BackendChoice::Cpu) => Ok(Choice::Cpu),
            Some(BackendChoice::Gpu) => Ok(Choice::Gpu),
            Some(BackendChoice::GpuF32) => Ok(Choice::Rung(Rung::Float32)),
            Some(BackendChoice::GpuF16) => Ok(Choice::Rung(Rung::Float16)),
            Some(BackendChoice::GpuDot) => Ok(Choice::Rung(Rung::IntegerDot)),
            None => match std::env::var(SWITCH) {
                Ok(name) => name.parse::<Choice>().map_err(|error| error.in_field(SWITCH)),
                Err(_) => Ok(Choice::Auto),
            },
        }
    }
}

/// Refuses to go on where a graphics device was asked for and the processor computes: whoever names a device wants its
/// numbers or none.
///
/// # Errors
/// With the reason, and what to do.
pub fn check(choice: Choice, classifier: &Classifier) -> Result<()> {
    let info = classifier.model_info();
    if choice.wants_gpu() && !classifier.is_on_gpu() {
        return Err(Error::unsupported(format!("no graphics device computes here: {}", info.backend_reason))
            .in_field("--backend")
            .help("leave the flag out, or choose cpu"));
    }
    Ok(())
}
