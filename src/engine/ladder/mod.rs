//! Which backend computes: the graphics device where it is right and faster, the processor everywhere else.
//!
//! The processor's model is always loaded. It is the lowest rung, the measure of the others, what a device's weights
//! are copied from, and what a batch goes on with when a device is lost in the middle of it. Above it stands the
//! graphics device, if
//!
//! 1. there is an adapter with WebGPU's default limits, and the kernels can do the model's shape;
//! 2. it is not a program on the processor that is slower than the processor's own kernels (one product tells);
//! 3. the whole model, uploaded, gives the processor's log-probabilities on a short batch;
//! 4. and gives them sooner, in a browser sooner than a pool of workers would.
//!
//! A device has rungs of its own ([`Rung`]). The fastest by one product is taken, if the same short batch shows that
//! its activations in fewer bits stay within the contract. All of it takes under a second beside the upload, and
//! whatever decided is said in [`Upper::reason`].
//!
//! A device that was lost is opened again once, before the next piece of work.

mod trial;

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::trial::{Pace, Trial, paces, slower_by};
use crate::engine::Control;
use crate::engine::config::ModelConfig;
use crate::engine::cpu::CpuModel;
use crate::engine::gpu::device::Adapter;
use crate::engine::gpu::rung::Rung;
use crate::engine::gpu::{GpuModel, refusal};
use crate::error::{Error, Kind, Result};
use crate::platform;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// The fastest that is exact here.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The graphics device, also where it is slower; the processor only where there is no other way.
    Gpu,
    /// The graphics device, on this rung.
    Rung(Rung),
}

impl Choice {
    /// Whether a graphics device was asked for.
    pub fn wants_gpu(self) -> bool {
        matches!(self, Self::Gpu | Self::Rung(_))
    }
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "gpu-f32" => Ok(Self::Rung(Rung::Float32)),
            "gpu-f16" => Ok(Self::Rung(Rung::Float16)),
            "gpu-dot" => Ok(Self::Rung(Rung::IntegerDot)),
            other => Err(Error::usage(format!("there is no backend \"{other}\""))
                .help("choose one of auto, cpu, gpu, gpu-f32, gpu-f16, gpu-dot")),
        }
    }
}

/// Mean difference of log-probabilities between device and processor that is still the processor's own rounding: it
/// quantizes activations to 16 bits, and the batch it is tried on has no sense that would even that out.
const SAME: f64 = 0.01;
/// The same for a rung that was asked for by name: it may round more than is taken without asking. Kernels that are
/// wrong are off by far more.
const NEAR: f64 = 0.05;
/// How much farther than the processor a rung may be from float32. On the exact values that the contract is about, the
/// processor takes a fifth of what is allowed, and a quarter by Kullback and Leibler's measure.
const HOLDS: f64 = 3.0;
/// How much faster than float32 another rung must be to be worth its rounding.
const FASTER: f64 = 1.05;
/// Seconds within which a device that was opened again must not be lost again.
const PATIENCE: f64 = 60.0;

/// The rung above the processor, as long as it holds.
pub struct Upper {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    model: Option<Arc<GpuModel>>,
    reason: String,
    /// The rung that was lost and is to be tried again.
    again: Option<Rung>,
    /// When a device was opened again.
    reopened: Option<f64>,
}

/// Where a climb ended: a model, or none; and why.
type Climbed = (Option<GpuModel>, String);

impl Upper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model on the device, if there is one.
    pub fn model(&self) -> Option<Arc<GpuModel>> {
        self.state().model.clone()
    }

    /// The rung's name, while it holds.
    pub fn name(&self) -> Option<String> {
        self.model().map(|model| format!("GPU {} on {}", model.rung().name(), model.device().name))
    }

    /// Why this rung, or why not.
    pub fn reason(&self) -> String {
        self.state().reason.clone()
    }

    /// After an error of a pass on `used`: whether the same pass is to be tried again, with fewer tokens, on a device
    /// that was opened since, or on the processor.
    pub fn gives_way(&self, error: &Error, used: Option<&Arc<GpuModel>>) -> bool {
        let Some(used) = used else { return false };
        if error.kind == Kind::Resource && used.shorten_passes() {
            return true;
        }
        if !matches!(error.kind, Kind::Resource | Kind::Lost) {
            return false;
        }
        let mut state = self.state();
        // Callers interleave passes: another may have met the same loss before, and a new device be open by now.
        if state.model.as_ref().is_some_and(|now| Arc::ptr_eq(now, used)) {
            let lived = state.reopened.is_none_or(|since| platform::now() - since > PATIENCE);
            state.model = None;
            state.again = (error.kind == Kind::Lost && lived).then(|| used.rung());
            state.reason = format!("{}; the processor goes on", error.message);
        }
        true
    }

    /// Opens a device again that was lost, once.
    ///
    /// # Errors
    /// A cancel. That there is no device any more is a reason, not an error.
    pub async fn recover(&self, config: &ModelConfig, cpu: &CpuModel, control: &Control<'_>) -> Result<()> {
        let Some(rung) = self.state().again.take() else { return Ok(()) };
        let mut quiet = |_, _| {};
        let mut control = Control::new(control.cancel_flag(), &mut quiet);
        let climbed = climb(Choice::Rung(rung), config, cpu, &mut control).await;
        let mut state = self.state();
        match climbed {
            Ok((Some(model), _)) => {
                state.model = Some(Arc::new(model));
                state.reopened = Some(platform::now());
                state.reason = "the device was lost, and opened again".to_owned();
            }
            Ok((None, why)) => state.reason = format!("the graphics device was lost; then: {why}"),
            Err(error) => {
                state.again = Some(rung);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Climbs as high as `choice` and this machine allow; `control` hears of weights that are copied.
    ///
    /// # Errors
    /// A cancel. A device that does not do is a reason, not an error.
    pub async fn climb(
        choice: Choice,
        config: &ModelConfig,
        cpu: &CpuModel,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        let (model, reason) = climb(choice, config, cpu, control).await?;
        Ok(Self { state: Mutex::new(State { model: model.map(Arc::new), reason, ..State::default() }) })
    }
}

async fn climb(choice: Choice, config: &ModelConfig, cpu: &CpuModel, control: &mut Control<'_>) -> Result<Climbed> {
    if choice == Choice::Cpu {
        return Ok((None, "chosen".to_owned()));
    }
    if let Some(why) = refusal(config) {
        return Ok((None, format!("the graphics kernels cannot run this model: {why}")));
    }
    let mut rungs = Rung::ALL.as_slice();
    loop {
        let Some(adapter) = Adapter::find().await else {
            return Ok((None, "no graphics adapter that can be used here".to_owned()));
        };
        match try_adapter(choice, rungs, &adapter, config, cpu, control).await {
            // A rung that a driver cannot do may break the device for all of them.
            Err(error) if error.kind == Kind::Lost && rungs.len() > 1 => rungs = &Rung::ALL[..1],
            Err(error) if matches!(error.kind, Kind::Lost | Kind::Resource | Kind::Unsupported) => {
                return Ok((None, format!("{}: {}", adapter.name, error.message)));
            }
            outcome => return outcome,
        }
    }
}

async fn try_adapter(
    choice: Choice,
    rungs: &[Rung],
    adapter: &Adapter,
    config: &ModelConfig,
    cpu: &CpuModel,
    control: &mut Control<'_>,
) -> Result<Climbed> {
    let name = &adapter.name;
    if let Choice::Rung(rung) = choice
        && let Some(lacking) = adapter.lacks(rung)
    {
        return Ok((None, format!("{name} has no {lacking}")));
    }
    let device = adapter.open().await?;
    let started = platform::now();
    if choice == Choice::Auto
        && adapter.software
        && let Some(times) = slower_by(&device, cpu).await?
    {
        let times = format!("{times:.0} times as long as the processor's own kernels");
        return Ok((None, format!("{name} is a program on the processor and takes {times}")));
    }
    let paces = match choice {
        Choice::Rung(rung) => vec![(rung, Ok(1.0))],
        _ if adapter.software || rungs.len() == 1 => vec![(Rung::Float32, Ok(1.0))],
        _ => paces(adapter, &device, rungs, cpu).await?,
    };
    let measured = platform::now() - started;
    let model = GpuModel::load(device, cpu.weights(), config, control).await?;
    let started = platform::now();
    // Who chose the device wants to know whether it is right, not how fast it is.
    let timed = choice == Choice::Auto;
    let trial = Trial::new(config, cpu, timed, control).await?;
    let limit = if matches!(choice, Choice::Rung(_)) { NEAR } else { SAME };
    let mut notes = Vec::new();
    let mut exact = None;
    if paces.len() > 1 {
        model.compile(config, Rung::Float32, control).await?;
        exact = Some(trial.on(&model, config, false, control).await?);
    }
    for rung in worth_trying(&paces) {
        model.set_rung(rung);
        model.compile(config, rung, control).await?;
        let seen = trial.on(&model, config, timed, control).await?;
        let difference = trial.difference(&seen);
        if difference.is_nan() || difference > limit {
            notes.push(format!("{}'s log-probabilities differ from the processor's by {difference:.1e}", rung.name()));
            continue;
        }
        if rung != Rung::Float32
            && let Some(exact) = &exact
            && trial.between(&seen, exact) > HOLDS * trial.difference(exact)
        {
            notes.push(format!("{} rounds too much for this model", rung.name()));
            continue;
        }
        let ratio = trial.cpu_seconds / seen.seconds;
        let pace = format!("{ratio:.1} times the processor's speed on {} tokens", trial.tokens());
        if timed && ratio < 1.0 {
            return Ok((None, format!("{name} has {pace}")));
        }
        if timed && ratio < platform::processors_besides() as f64 {
            return Ok((None, format!("{name} has {pace}, and several workers have more")));
        }
        if timed {
            model.suit(trial.tokens() as f64 / seen.seconds);
        }
        let mut reasons = vec![if timed { pace } else { "chosen".to_owned() }];
        reasons.push(format!("log-probabilities within {difference:.0e} of the processor's"));
        reasons.extend(notes);
        reasons.extend(others(&paces, rung));
        reasons.push(format!("found out in {:.1} s", measured + platform::now() - started));
        return Ok((Some(model), reasons.join("; ")));
    }
    Ok((None, format!("{name}: {}", notes.join("; "))))
}

/// The rungs that are faster than float32, the fastest first, then float32, or the only one.
fn worth_trying(paces: &[Pace]) -> Vec<Rung> {
    let mut faster: Vec<(Rung, f64)> = (paces.iter())
        .filter_map(|(rung, pace)| Some((*rung, (*pace).ok()?)))
        .filter(|(rung, pace)| *rung == Rung::Float32 || paces.len() == 1 || *pace > FASTER)
        .collect();
    faster.sort_by(|a, b| b.1.total_cmp(&a.1));
    faster.into_iter().map(|(rung, _)| rung).collect()
}

/// What is said of the rungs that were not taken.
fn others(paces: &[Pace], taken: Rung) -> Option<String> {
    let said = paces.iter().filter(|(rung, _)| *rung != taken).map(|(rung, pace)| match pace {
        Ok(pace) => format!("{} {pace:.1}×", rung.name()),
        Err(lacking) => format!("{} needs {lacking}", rung.name()),
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("one product, float32 being 1×: {}", said.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cancel;
    use crate::gguf::GgufFile;

    #[test]
    fn choices_have_names() {
        for (name, choice) in [
            ("auto", Choice::Auto),
            ("cpu", Choice::Cpu),
            ("gpu", Choice::Gpu),
            ("gpu-f32", Choice::Rung(Rung::Float32)),
            ("gpu-f16", Choice::Rung(Rung::Float16)),
            ("gpu-dot", Choice::Rung(Rung::IntegerDot)),
        ] {
            assert_eq!(name.parse(), Ok(choice));
            assert_eq!(choice.wants_gpu(), name.starts_with("gpu"));
        }
        let error = "tpu".parse::<Choice>().unwrap_err();
        assert!(error.message.contains("tpu") && error.help.is_some());
    }

    /// The tiny model on an adapter that is taken for hardware, so that everything is measured that hardware is asked.
    fn climbed(choice: Choice) -> Option<Climbed> {
        let mut adapter = pollster::block_on(Adapter::find())?;
        adapter.software = false;
        let mut file = GgufFile::open(std::io::Cursor::new(include_bytes!("../../../models/tiny.gguf"))).unwrap();
        let config = ModelConfig::from_gguf(&file.metadata).unwrap();
        let mut quiet = |_, _| {};
        let mut control = Control::new(Cancel::default(), &mut quiet);
        pollster::block_on(async {
            let cpu = CpuModel::load(&mut file, &config, &mut control).await.unwrap();
            Some(try_adapter(choice, &Rung::ALL, &adapter, &config, &cpu, &mut control).await.unwrap())
        })
    }

    #[test]
    fn hardware_is_asked_for_every_rung_and_the_reason_says_what_it_came_to() {
        let Some((model, reason)) = climbed(Choice::Gpu) else { return eprintln!("skipped: there is no adapter here") };
        assert!(model.is_some(), "{reason}");
        for part in ["chosen", "log-probabilities within", "one product, float32 being 1×", "found out in"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        // A program that plays a device is slower than the processor, or by chance is not: either way that is said.
        let Some((_, reason)) = climbed(Choice::Auto) else { return };
        assert!(reason.contains("times the processor's speed"), "{reason}");
    }

    #[test]
    fn a_rung_must_be_clearly_faster_to_be_tried_before_float32() {
        use Rung::{Float16, Float32, IntegerDot};
        let all = |half, dot| worth_trying(&[(Float32, Ok(1.0)), (Float16, half), (IntegerDot, dot)]);
        assert_eq!(all(Ok(1.3), Ok(2.0)), [IntegerDot, Float16, Float32]);
        assert_eq!(all(Ok(1.02), Ok(0.3)), [Float32]);
        assert_eq!(all(Err("16-bit floats"), Ok(1.2)), [IntegerDot, Float32]);
        assert_eq!(worth_trying(&[(Float16, Ok(1.0))]), [Float16], "one that was chosen");
        let said = others(&[(Float32, Ok(1.0)), (Float16, Err("16-bit floats")), (IntegerDot, Ok(0.3))], Float32);
        assert!(said.is_some_and(|said| said.contains("float16 needs 16-bit floats, integer dot 0.3×")));
    }
}
