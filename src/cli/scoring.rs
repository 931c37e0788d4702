//! What `classify` and `eval` share: flags of how texts are scored, and the calibrator that belongs to them.

use std::path::PathBuf;

use super::statistics::read_calibrator;
use super::{adapter, backend, store};
use crate::classify::{Classifier, HowSure, Options, quietly};
use crate::engine::Adapter;
use crate::error::{Error, Result};
use crate::evaluate::{Confidence, Finish};
use crate::stats::calibrated::Applier;
use crate::stats::saved::{Binding, Bound, CalibratorFile};
use crate::task::Task;

/// Texts that are computed together: enough to fill the kernels, few enough that results come steadily.
pub const BATCH_TEXTS: usize = 32;
/// Rows from which batch correction estimates the label bias; the estimate is steady long before.
pub const BIAS_TEXTS: usize = 512;

/// Flags of everything that scores texts.
#[derive(clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long)]
    pub model: String,
    /// A task file, or the name of a built-in task.
    #[arg(long)]
    pub task: String,
    /// A fine-tuned adapter of the model: its folder, or a GGUF file.
    #[arg(long)]
    pub adapter: Option<PathBuf>,
    /// Which number `confidence` is: the winner's probability over the whole vocabulary, or among the labels; or what the
    /// model says when it is asked how sure it is, from 0 to 100 (expected or likeliest number) [default:
    /// total-probability].
    #[arg(long, value_enum)]
    confidence: Option<ConfidenceChoice>,
    /// Calibrate confidence; adds the Venn–Abers interval and the set of labels where the calibrator has them.
    #[arg(long, value_name = "FILE")]
    pub calibrator: Option<PathBuf>,
    /// Use a calibrator of another model or task all the same; every row is then marked.
    #[arg(long, requires = "calibrator")]
    force: bool,
    #[command(flatten)]
    pub backend: backend::Arguments,
    /// Longest prompt in tokens; longer texts are cut. The model's context by default.
    #[arg(long, value_name = "TOKENS")]
    limit_tokens: Option<usize>,
}

/// What `confidence` is taken from.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum ConfidenceChoice {
    #[default]
    TotalProbability,
    Share,
    Verbalized,
    VerbalizedMode,
}

/// A calibrator that may be used here, and why it should not be, where it was forced.
pub struct Allowed {
    file: CalibratorFile,
    forced: Option<String>,
}

impl Arguments {
    fn confidence(&self) -> ConfidenceChoice {
        self.confidence.unwrap_or_default()
    }

    /// Refuses flags that mean nothing where several questions are asked about each text.
    ///
    /// # Errors
    /// The first such flag.
    pub fn check_for_questions(&self) -> Result<()> {
        let given = [
            ("--confidence", self.confidence.is_some()),
            ("--calibrator", self.calibrator.is_some()),
            ("--force", self.force),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Error::usage("a file of several questions does not go with this flag")
                .in_field(flag)
                .help("leave it out: what is given of each question is its labels' shares and their expected value")),
            None => Ok(()),
        }
    }

    /// How the classifier is to work.
    pub fn options(&self) -> Options {
        Options { top: 0, limit_tokens: self.limit_tokens.unwrap_or(usize::MAX) }
    }

    /// Every choice that changes a prediction beside model and task, as a text to compare with another run's.
    ///
    /// # Errors
    /// A calibrator that cannot be read.
    pub fn choices(&self) -> Result<String> {
        let calibrator = match &self.calibrator {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|e| crate::Error::from(e).at_file(path.display().to_string()))?
            }
            None => String::new(),
        };
        let confidence = clap::ValueEnum::to_possible_value(&self.confidence());
        let confidence = confidence.as_ref().map_or("", clap::builder::PossibleValue::get_name);
        Ok(format!(
            "confidence {confidence}, limit {:?}, forced {}, calibrator {calibrator}",
            self.limit_tokens, self.force
        ))
    }

    /// Reads the adapter, if one was asked for, and checks that it belongs to the model.
    ///
    /// # Errors
    /// As [`adapter::open`].
    pub fn open_adapter(&self) -> Result<Option<Adapter>> {
        self.adapter.as_ref().map(|path| adapter::open(path, &self.model)).transpose()
    }

    /// Reads the calibrator, if one was asked for, and checks that it belongs to this model, adapter and task.
    ///
    /// # Errors
    /// A file that is no calibrator; one of another model, adapter or task, unless forced.
    pub fn open_calibrator(&self, task: &Task, adapter: Option<&Adapter>) -> Result<Option<Allowed>> {
        let Some(path) = &self.calibrator else { return Ok(None) };
        let file = read_calibrator(path)?;
        let here = Binding {
            model_sha256: file.bound_to.model_sha256.as_ref().map(|_| store::model_sha256(&self.model)).transpose()?,
            adapter_sha256: adapter.map(Adapter::sha256),
            task_sha256: Some(task.sha256()),
        };
        let shown = path.display().to_string();
        if file.bound_to.model_sha256.is_none() || file.bound_to.task_sha256.is_none() {
            eprintln!("note: {shown} does not say which model and task it was fitted for, so that cannot be checked");
        }
        let forced = match file.check_binding(&here, self.force).map_err(|error| error.at_file(&shown))? {
            Bound::Same => None,
            Bound::Forced(reasons) => Some(reasons.join("; ")),
        };
        if let Some(reasons) = &forced {
            eprintln!("warning: {shown} does not belong here, take its confidence with care: {reasons}");
        }
        Ok(Some(Allowed { file, forced }))
    }

    /// The question how sure the model is, where the confidence is to be its answer.
    ///
    /// # Errors
    /// A task that cannot be asked about.
    pub fn how_sure(&self, task: &Task, classifier: &Classifier) -> Result<Option<HowSure>> {
        if !matches!(self.confidence(), ConfidenceChoice::Verbalized | ConfidenceChoice::VerbalizedMode) {
            return Ok(None);
        }
        pollster::block_on(quietly(async |control| HowSure::new(task, classifier, control).await)).map(Some)
    }

    /// What is written onto each row.
    ///
    /// # Errors
    /// A calibrator for other labels than the task's.
    pub fn finish<'a>(&self, allowed: Option<&'a Allowed>, task: &Task) -> Result<Finish<'a>> {
        let names: Vec<&str> = task.labels.iter().map(|label| label.name.as_str()).collect();
        let confidence = match self.confidence() {
            ConfidenceChoice::TotalProbability => Confidence::TotalProbability,
            ConfidenceChoice::Share => Confidence::Share,
            ConfidenceChoice::Verbalized => Confidence::Verbalized,
            ConfidenceChoice::VerbalizedMode => Confidence::VerbalizedMode,
        };
        Ok(Finish {
            confidence,
            calibrator: allowed.map(|allowed| Applier::new(&allowed.file, &names)).transpose()?,
            forced: allowed.and_then(|allowed| allowed.forced.clone()),
        })
    }
}
