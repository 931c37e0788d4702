//! `candor samples`: what more labelled rows would buy.

use std::path::PathBuf;

use super::{calibration_rows, read, usual_input};
use crate::cli::output::{Output, percent};
use crate::error::{Error, Result};
use crate::stats::calibrators::Method;
use crate::stats::sample_size::{
    Band, SampleSizeOptions, SampleSizeTable, USUAL_SIZES, USUAL_THRESHOLDS, sample_sizes,
};

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Labelled predictions.
    predictions: PathBuf,
    /// Numbers of labelled rows, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = USUAL_SIZES)]
    sizes: Vec<usize>,
    /// Thresholds of calibrated confidence, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = USUAL_THRESHOLDS)]
    thresholds: Vec<f64>,
    /// The calibrator that is fitted on each draw.
    #[arg(long, default_value = "isotonic")]
    method: String,
    /// Draws a size.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// Predictions that cannot be read; fewer than ten rows; sizes or thresholds out of range.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let predictions = read(&arguments.predictions)?;
    let rows = calibration_rows(&predictions, usual_input(&predictions))
        .map_err(|error| Error::at_file(error, arguments.predictions.display().to_string()))?;
    let method: Method = arguments.method.parse()?;
    let options = SampleSizeOptions {
        method,
        draws: arguments.draws as usize,
        seed: arguments.seed,
        ..SampleSizeOptions::default()
    };
    let table = sample_sizes(&rows, &arguments.sizes, &arguments.thresholds, &options)?;
    let mut output = Output::standard();
    if json {
        output.json(&table)?;
    } else {
        print(&mut output, &table)?;
    }
    output.flush()
}

fn print(output: &mut Output, table: &SampleSizeTable) -> Result<()> {
    output.line(&format!(
        "{} labelled rows; {} fitted on {} draws a size, judged on rows it has not seen; bands hold 90% of the draws",
        table.n,
        table.method.title(),
        table.draws
    ))?;
    output.line("")?;
    let band = |band: Option<Band>| match band {
        Some(band) => {
            format!("{} [{}, {}]", percent(band.mean, 1), percent(band.low, 1), percent(band.high, 1))
        }
        None => "–".to_owned(),
    };
    let rows: Vec<Vec<String>> = (table.cells.iter())
        .map(|cell| {
            vec![
                cell.size.to_string(),
                format!("{}", cell.threshold),
                band(cell.share),
                band(cell.accuracy),
                cell.kept.map_or_else(|| "–".to_owned(), |kept| percent(kept, 0)),
            ]
        })
        .collect();
    let header = ["labelled rows", "threshold", "automated", "accuracy of those", "promise kept in"];
    output.table(&header, &rows)?;
    table.warnings.iter().try_for_each(|warning| output.line(&format!("warning: {warning}")))
}
