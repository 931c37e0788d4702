//! `candor apply`: calibrated values for scores, or a predictions file with its confidence replaced.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{calibrated, read_calibrator, read_with};
use crate::cli::output::Output;
use crate::dataset::predictions;
use crate::error::{Error, Result};
use crate::stats::saved::Bound;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A calibrator that `candor calibrate` wrote.
    calibrator: PathBuf,
    /// Scores between 0 and 1.
    #[arg(value_name = "SCORE", conflicts_with = "input")]
    scores: Vec<f64>,
    /// Predictions (JSON lines); they are printed with `confidence` replaced.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The task the predictions were made with, to check that the calibrator belongs to it.
    #[arg(long, value_name = "FILE")]
    task: Option<String>,
    /// Use a calibrator of another task all the same; every row is then marked.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// A calibrator that cannot be read or belongs elsewhere; a score outside 0 to 1; predictions that cannot be read.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let file = read_calibrator(&arguments.calibrator)?;
    let mut output = Output::standard();
    let Some(input) = &arguments.input else {
        if arguments.scores.is_empty() {
            return Err(Error::usage("there is nothing to calibrate").help("give scores, or --input PREDICTIONS"));
        }
        let applied = file.calibrator.apply_all(&arguments.scores)?;
        if json {
            output.json(&applied)?;
        } else {
            for (index, (score, value)) in arguments.scores.iter().zip(&applied.values).enumerate() {
                let interval = match (&applied.low, &applied.high) {
                    (Some(low), Some(high)) => format!("  [{:.6}, {:.6}]", low[index], high[index]),
                    _ => String::new(),
                };
                output.line(&format!("{score}  {value:.6}{interval}"))?;
            }
        }
        return output.flush();
    };
    let task = arguments.task.as_deref().map(crate::cli::classify::read_task).transpose()?;
    let here = crate::stats::saved::Binding { task_sha256: task.map(|task| task.sha256()), ..Default::default() };
    let forced = match file.check_binding(&here, arguments.force)? {
        Bound::Same => None,
        Bound::Forced(reasons) => Some(reasons.join("; ")),
    };
    let options = predictions::Options { need_outcome: false, strict: true };
    let read = read_with(input, options)?;
    let values = calibrated(&file, &read)?;
    let classes = read.classes();
    let input = super::predictions_file(input);
    let shown = input.display().to_string();
    let text = std::fs::read_to_string(&input).map_err(|error| Error::from(error).at_file(&shown))?;
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    for ((line, value), row) in lines.zip(values).zip(&read.rows) {
        let mut object = match serde_json::from_str::<Json>(line) {
            Ok(Json::Object(object)) => object,
            _ => {
                return Err(Error::unsupported("only JSON lines can be given back with their confidence replaced")
                    .at_file(shown)
                    .at_line(row.line)
                    .help("convert the table to JSON lines, or give its scores as arguments"));
            }
        };
        object.insert("confidence".to_owned(), Json::number(value.confidence)?);
        if let Some([low, high]) = value.interval {
            object.insert("interval".to_owned(), Json::List(vec![Json::number(low)?, Json::number(high)?]));
        }
        if let Some(set) = value.set {
            let names = set.into_iter().map(|label| Json::Text(classes[label].clone()));
            object.insert("set".to_owned(), Json::List(names.collect()));
        }
        if let Some(reasons) = &forced {
            object.insert("calibrator_forced".to_owned(), Json::Text(reasons.clone()));
        }
        output.json(&object)?;
    }
    output.flush()
}

/// A row as it is written in the file: its keys, and those of its labels, keep their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Json {
    Null,
    Truth(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Json>),
    Object(IndexMap<String, Json>),
}

impl Json {
    fn number(value: f64) -> Result<Self> {
        let number = serde_json::Number::from_f64(value);
        number.map(Self::Number).ok_or_else(|| Error::internal(format!("{value} is no number of JSON")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() {
        for line in [
            r#"{"z":1,"a":0.1,"labels":{"positive":{"logprob":-0.5,"share":0.1},"negative":{}},"x":[null,true,"é"]}"#,
            r#"{"confidence":0.30000000000000004,"n":18446744073709551615}"#,
        ] {
            let row: Json = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&row).unwrap(), line);
        }
        assert!(Json::number(f64::NAN).is_err());
    }
}
