//! What more labelled rows buy: fit a calibrator on few rows, count what it would automate, many times over.
//!
//! For each size, rows are drawn again and again to fit on, and the calibrator answers for a fifth of the rows that it
//! never saw. The table says what share of rows reaches each threshold, how often those are right, and how much both
//! wobble from one draw to the next: with few rows the wobble, not the mean, is the message.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::calibrators::{Calibrator, FitOptions, Method};
use super::folds::Folds;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::platform::map_indices;

/// Sizes of the table where none are asked for.
pub const USUAL_SIZES: [usize; 4] = [50, 200, 500, 1000];
/// Thresholds of the table where none are asked for.
pub const USUAL_THRESHOLDS: [f64; 4] = [0.7, 0.8, 0.9, 0.95];

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSizeOptions {
    /// The calibrator fitted on each draw.
    pub method: Method,
    /// Draws a size.
    pub draws: usize,
    /// Share of draws inside the bands (0.9: from the 5th to the 95th percentile).
    pub band: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Choices of the method.
    pub fit: FitOptions,
}

impl Default for SampleSizeOptions {
    fn default() -> Self {
        Self { method: Method::Isotonic, draws: 200, band: 0.9, seed: 0, fit: FitOptions::default() }
    }
}

/// A mean over draws with the band that most draws fall in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Mean over draws.
    pub mean: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Band {
    fn of(mut values: Vec<f64>, band: f64) -> Option<Self> {
        let last = values.len().checked_sub(1)?;
        values.sort_unstable_by(f64::total_cmp);
        // Linear between order statistics.
        let quantile = |q: f64| {
            let at = q * last as f64;
            let (below, rest) = (at.floor() as usize, at.fract());
            values[below] + rest * (values[(below + 1).min(last)] - values[below])
        };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { mean, low: quantile((1.0 - band) / 2.0), high: quantile((1.0 + band) / 2.0) })
    }
}

/// One size and threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleSizeCell {
    /// Rows the calibrator is fitted on.
    pub size: usize,
    /// Rows with a calibrated confidence of at least this are automated.
    pub threshold: f64,
    /// Share of unseen rows automated; `None` for a size beyond the rows at hand.
    pub share: Option<Band>,
    /// Accuracy of those, over the draws that automate any.
    pub accuracy: Option<Band>,
    /// Share of draws (that automate any) in which the accuracy reaches the threshold.
    pub kept: Option<f64>,
}

/// The table of sizes and thresholds: what `candor samples --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleSizeTable {
    /// Labelled rows at hand.
    pub n: usize,
    /// The calibrator.
    pub method: Method,
    /// Draws a size.
    pub draws: usize,
    /// Cells by size, then threshold.
    pub cells: Vec<SampleSizeCell>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

/// What one draw shows: for each threshold, the share automated and how often it is right.
type Draw = Vec<(f64, Option<f64>)>;

/// Fits on draws of each size and counts what unseen rows reach each threshold.
///
/// Sizes up to four fifths of the rows are drawn without replacement; up to all rows, with replacement; beyond, nothing
/// can be said.
///
/// # Errors
/// Fewer than ten distinct rows, no sizes or thresholds, a size of 0, a threshold outside `[0, 1]`.
pub fn sample_sizes(
    rows: &Rows,
    sizes: &[usize],
    thresholds: &[f64],
    options: &SampleSizeOptions,
) -> Result<SampleSizeTable> {
    check(sizes, thresholds, options)?;
    Folds::stratified(rows, 10, 0).map_err(|_| {
        Error::input(format!("{} rows are too few to learn what more rows would buy", rows.len()))
            .help("label at least ten different rows")
    })?;
    let mut cells = Vec::with_capacity(sizes.len() * thresholds.len());
    let mut warnings = Vec::new();
    let n = rows.len();
    let drawn = fewer(rows, sizes, options.seed);
    if let Some(drawn) = &drawn {
        warnings.push(format!("a random {} of the {n} rows stand for all of them here", drawn.len()));
    }
    let rows = drawn.as_ref().unwrap_or(rows);
    for &size in sizes {
        let possible = size <= rows.len();
        if !possible {
            warnings.push(format!("there are only {n} labelled rows, so nothing is said about {size}"));
        } else if 5 * size > 4 * rows.len() {
            warnings.push(format!(
                "{size} of {} rows leave too few unseen ones, so they are drawn with replacement from four fifths: the \
                 bands are a little wide",
                rows.len()
            ));
        }
        let draws: Vec<Draw> = if possible {
            map_indices(options.draws, |draw| one_draw(rows, size, thresholds, draw, options))
                .into_iter()
                .collect::<Result<_>>()?
        } else {
            Vec::new()
        };
        for (index, &threshold) in thresholds.iter().enumerate() {
            let shares: Vec<f64> = draws.iter().map(|draw| draw[index].0).collect();
            let accuracies: Vec<f64> = draws.iter().filter_map(|draw| draw[index].1).collect();
            let kept = accuracies.iter().filter(|accuracy| **accuracy >= threshold).count();
            let kept = (!accuracies.is_empty()).then(|| kept as f64 / accuracies.len() as f64);
            let (share, accuracy) = (Band::of(shares, options.band), Band::of(accuracies, options.band));
            cells.push(SampleSizeCell { size, threshold, share, accuracy, kept });
        }
    }
    Ok(SampleSizeTable { n, method: options.method, draws: options.draws, cells, warnings })
}

/// Rows beyond this change nothing that could be seen in a band; they only take time.
const ROWS_ENOUGH: usize = 50_000;

/// A random part of very many rows, still many times the largest size; `None` where all are used.
fn fewer(rows: &Rows, sizes: &[usize], seed: u64) -> Option<Rows> {
    let wanted = ROWS_ENOUGH.max(sizes.iter().copied().max()?.saturating_mul(5));
    if rows.len() <= wanted {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for place in 0..wanted {
        let other = random.random_range(place..order.len());
        order.swap(place, other);
    }
    Some(rows.select(&order[..wanted]))
}

fn check(sizes: &[usize], thresholds: &[f64], options: &SampleSizeOptions) -> Result<()> {
    if sizes.is_empty() || sizes.contains(&0) {
        return Err(Error::usage("sizes must be whole numbers of 1 or more").in_field("sizes"));
    }
    if thresholds.is_empty() || thresholds.iter().any(|t| !(0.0..=1.0).contains(t)) {
        return Err(Error::usage("thresholds must be between 0 and 1").in_field("thresholds"));
    }
    if options.draws == 0 || !(options.band > 0.0 && options.band < 1.0) {
        return Err(Error::usage("at least one draw and a band between 0 and 1 are needed"));
    }
    Ok(())
}

fn one_draw(rows: &Rows, size: usize, thresholds: &[f64], draw: usize, options: &SampleSizeOptions) -> Result<Draw> {
    let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(draw as u64);
    // A fifth is held out, duplicates together, as in cross-fitting.
    let folds = Folds::stratified(rows, 5, seed)?;
    let (test, mut train) = (folds.test(0), folds.train(0));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    if size <= train.len() {
        for place in 0..size {
            let other = random.random_range(place..train.len());
            train.swap(place, other);
        }
        train.truncate(size);
    } else {
        train = (0..size).map(|_| train[random.random_range(0..train.len())]).collect();
    }
    let model = Calibrator::fit(options.method, &rows.select(&train), &FitOptions { seed, ..options.fit })?.model;
    let values: Vec<f64> = test.iter().map(|&row| model.apply_row(rows, row)).collect::<Result<_>>()?;
    let count = |&threshold: &f64| {
        let chosen = test.iter().zip(&values).filter(|(_, value)| **value >= threshold);
        let (n, right) =
            chosen.fold((0_usize, 0_usize), |(n, right), (&row, _)| (n + 1, right + usize::from(rows.correct()[row])));
        (n as f64 / test.len() as f64, (n > 0).then(|| right as f64 / n as f64))
    };
    Ok(thresholds.iter().map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_rows_are_represented_by_some() {
        let options = SampleSizeOptions { draws: 2, ..SampleSizeOptions::default() };
        let table = sample_sizes(&sample(ROWS_ENOUGH + 1), &[50], &[0.9], &options).unwrap();
        assert_eq!(table.n, ROWS_ENOUGH + 1);
        assert!(table.warnings[0].contains("50000 of the 50001"), "{:?}", table.warnings);
    }

    fn sample(n: usize) -> Rows {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let rows = (0..n).map(|_| {
            let score = 0.5 + 0.5 * random.random::<f64>();
            (score, random.random::<f64>() < score)
        });
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.unzip();
        Rows::new(scores, correct).unwrap()
    }

    #[test]
    fn bands_narrow_as_rows_grow() {
        let options = SampleSizeOptions { draws: 60, ..SampleSizeOptions::default() };
        let table = sample_sizes(&sample(1000), &[50, 800, 1000, 5000], &[0.8], &options).unwrap();
        let width = |cell: &SampleSizeCell| cell.share.map(|band| band.high - band.low);
        let widths: Vec<_> = table.cells.iter().map(width).collect();
        assert!(widths[0].unwrap() > 1.5 * widths[1].unwrap(), "{widths:?}");
        assert!(widths[2].is_some() && widths[3].is_none());
        assert_eq!(table.warnings.len(), 2, "{:?}", table.warnings);
        // Scores are uniform on (0.5, 1) and calibrated: two fifths reach 0.8.
        let share = table.cells[1].share.unwrap();
        assert!((share.mean - 0.4).abs() < 0.1 && share.low <= share.mean && share.mean <= share.high, "{share:?}");
        assert!(table.cells[1].accuracy.unwrap().mean > 0.8);
    }

    #[test]
    fn draws_are_seeded_and_nonsense_refused() {
        let (rows, options) = (sample(60), SampleSizeOptions { draws: 5, ..SampleSizeOptions::default() });
        let table = |options| sample_sizes(&rows, &[20], &[0.7], &options).unwrap();
        assert_eq!(table(options), table(options));
        assert_ne!(table(options), table(SampleSizeOptions { seed: 1, ..options }));
        assert!(sample_sizes(&rows, &[0], &[0.7], &options).is_err());
        assert!(sample_sizes(&rows, &[5], &[7.0], &options).is_err());
        assert!(sample_sizes(&sample(5), &[5], &[0.7], &options).is_err());
    }
}
