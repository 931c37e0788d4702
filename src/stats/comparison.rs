//! Calibration methods side by side, and the choice among them.
//!
//! `auto` takes the least cross-fitted log loss: it rewards being right about single rows, where calibration errors only
//! compare averages. Leaving confidence as it is takes part in the competition, and so does, as a baseline, ignoring
//! confidence altogether.

use serde::{Deserialize, Serialize};

use super::calibrators::{Calibrator, Method};
use super::cross_fit::{CrossFitOptions, OutOfFold, Quality, cross_fit, default_repeats, judge, predict, splits};
use super::deviation::Deviation;
use super::folds::{Folds, duplicates};
use super::quality_intervals::{QualityIntervals, quality_intervals};
use super::rows::Rows;
use crate::error::{Error, Result};

/// Calibrated confidence from which on rows are counted as automated in a comparison.
pub const AUTOMATED_FROM: f64 = 0.95;

/// What would be automated from a calibrated confidence of [`AUTOMATED_FROM`] on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Automated {
    /// Rows, on average over repeats.
    pub n: f64,
    /// The share of them that is right; `None` of none.
    pub accuracy: Option<f64>,
}

impl Automated {
    fn of((n, right): (f64, f64)) -> Self {
        Self { n, accuracy: (n > 0.0).then(|| right / n) }
    }
}

/// A method's line in the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodQuality {
    /// The method.
    pub method: Method,
    /// On rows it was not fitted on, mean over repeats; `None` where the rows cannot be split.
    pub cross_fitted: Option<Quality>,
    /// 95% intervals of these, where there are rows enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<QualityIntervals>,
    /// Smooth calibration error and the binned one's chance level, on the first repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
    /// In-sample: on the rows it was fitted on.
    pub in_sample: Quality,
    /// What would be automated by calibrators that were not fitted on the rows they judge.
    #[serde(default)]
    pub automated: Option<Automated>,
    /// The same in-sample.
    pub automated_in_sample: Automated,
    /// What a user should know about the fit on all rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What calibration is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// The prior: every row gets the share of right answers among the other folds.
    pub prior: Option<Quality>,
}

/// Calibration methods side by side: what `candor calibrate --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows.
    pub n: usize,
    /// Rows whose text repeats an earlier row's; `None` where texts are not known.
    pub duplicates: Option<usize>,
    /// Folds.
    pub folds: usize,
    /// Repeats.
    pub repeats: usize,
    /// Bins of the calibration error.
    pub bins: usize,
    /// The methods, in the order asked for.
    pub methods: Vec<MethodQuality>,
    /// Baselines.
    pub baselines: Baselines,
    /// The chosen method.
    pub chosen: Method,
    /// Why it was chosen, in a sentence.
    pub why: String,
    /// What a user should know before relying on this.
    pub warnings: Vec<String>,
}

/// Compares `methods` on `rows`, cross-fitted and in-sample, and chooses `wanted` or else the one with the least
/// cross-fitted log loss. Methods that need label probabilities are judged by what they say of the predicted label.
///
/// # Errors
/// No methods, options out of range, or a method that cannot be fitted on these rows.
pub fn compare(
    rows: &Rows,
    methods: &[Method],
    wanted: Option<Method>,
    options: &CrossFitOptions,
) -> Result<Comparison> {
    if methods.is_empty() || options.bins == 0 || options.repeats == Some(0) {
        return Err(Error::usage("a comparison needs at least one method, one bin and one repeat"));
    }
    let mut asked: Vec<Method> = Vec::new();
    for &method in methods.iter().chain(wanted.as_ref()) {
        if !asked.contains(&method) {
            asked.push(method);
        }
    }
    let repeats = options.repeats.unwrap_or_else(|| default_repeats(rows, &asked));
    let mut warnings = Vec::new();
    let mut crossed = match cross_fit(rows, &asked, options, repeats) {
        Ok(crossed) => Some(crossed),
        Err(error) => {
            warnings
                .push(format!("{}: nothing could be cross-fitted, so every number here is in-sample", error.message));
            None
        }
    };
    let folds = crossed.as_ref().map_or(0, |(folds, _)| *folds);
    let (mut lines, mut outs) = (Vec::with_capacity(asked.len()), Vec::with_capacity(asked.len()));
    for (index, &method) in asked.iter().enumerate() {
        let fitted = Calibrator::fit(method, rows, &options.fit)?;
        let values = predict(&fitted.model, rows, &(0..rows.len()).collect::<Vec<_>>())?;
        let mut notes = fitted.notes;
        let out = match crossed.as_mut().map(|(folds, predicted)| (*folds, &mut predicted[index])) {
            Some((folds, Ok(repeats))) => Some(OutOfFold { repeats: std::mem::take(repeats), folds }),
            Some((_, Err(error))) => {
                notes.push(format!("could not be cross-fitted: {}", error.message));
                None
            }
            None => None,
        };
        lines.push(MethodQuality {
            method,
            intervals: None,
            deviation: out.as_ref().and_then(|out| {
                let first = out.repeats.first()?;
                Deviation::of(first, rows.correct(), options.bins, options.seed).ok()
            }),
            cross_fitted: out.as_ref().and_then(|out| out.quality(rows.correct(), options.bins)),
            in_sample: judge(&values, rows.correct(), options.bins),
            automated: out.as_ref().map(|out| Automated::of(out.above(AUTOMATED_FROM, rows.correct()))),
            automated_in_sample: Automated::of(
                OutOfFold { repeats: vec![values], folds: 1 }.above(AUTOMATED_FROM, rows.correct()),
            ),
            notes,
        });
        outs.push(out);
    }
    let intervals = quality_intervals(&outs, rows.correct(), options.bins, options.seed);
    lines.iter_mut().zip(intervals).for_each(|(line, intervals)| line.intervals = intervals);
    let prior = if folds > 0 { prior_baseline(rows, options, repeats) } else { None };
    let (chosen, why) = choose(&lines, wanted, rows.len(), folds, repeats);
    warnings.extend(chosen.too_few_rows(rows.len()));
    let duplicates = rows.keys().map(duplicates);
    if let Some(repeated @ 1..) = duplicates {
        warnings.push(format!(
            "{repeated} of {} rows repeat the text of an earlier row; repeats were kept in one fold",
            rows.len()
        ));
    }
    if let (Some(prior), Some(best)) = (prior, lines.iter().find(|l| l.method == chosen).and_then(|l| l.cross_fitted))
        && best.log_loss >= prior.log_loss
    {
        warnings.push(format!(
            "confidence carries no usable information here: always saying {:.1}% has a log loss of {:.4}, {} has {:.4}",
            100.0 * rows.right() as f64 / rows.len() as f64,
            prior.log_loss,
            chosen.title(),
            best.log_loss
        ));
    }
    Ok(Comparison {
        n: rows.len(),
        duplicates,
        folds,
        repeats,
        bins: options.bins,
        methods: lines,
        baselines: Baselines { prior },
        chosen,
        why,
        warnings,
    })
}

fn prior_baseline(rows: &Rows, options: &CrossFitOptions, repeats: usize) -> Option<Quality> {
    let splits = splits(rows, options, repeats).ok()?;
    let judge_split = |split: &Folds| {
        let mut values = vec![0.0; rows.len()];
        for fold in 0..split.count() {
            let train = split.train(fold);
            let right = train.iter().filter(|&&row| rows.correct()[row]).count();
            // Smoothed, so that a training part with one outcome does not promise certainty.
            let rate = (right as f64 + 1.0) / (train.len() as f64 + 2.0);
            split.test(fold).iter().for_each(|&row| values[row] = rate);
        }
        judge(&values, rows.correct(), options.bins)
    };
    Quality::mean(&splits.iter().map(judge_split).collect::<Vec<_>>())
}

/// The method to use, and why.
fn choose(lines: &[MethodQuality], wanted: Option<Method>, n: usize, folds: usize, repeats: usize) -> (Method, String) {
    let mut ranked: Vec<(Method, f64)> =
        lines.iter().filter_map(|line| Some((line.method, line.cross_fitted?.log_loss))).collect();
    // Stable: of equals, the one asked for first.
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let Some(&(best, best_loss)) = ranked.first() else {
        return match wanted {
            Some(method) => {
                (method, format!("{} was asked for; nothing could be cross-fitted to judge it", method.title()))
            }
            None => (Method::None, "nothing could be cross-fitted, so confidence is better left as it is".into()),
        };
    };
    let setting = format!("{folds} folds × {repeats} repeats of {n} rows");
    let of = |method: Method| ranked.iter().find(|(m, _)| *m == method).map(|(_, loss)| *loss);
    if let Some(method) = wanted {
        let why = match of(method) {
            Some(loss) if method == best => {
                format!(
                    "{} was asked for, and has the lowest cross-fitted log loss here: {loss:.4} ({setting})",
                    method.title()
                )
            }
            Some(loss) => format!(
                "{} was asked for: cross-fitted log loss {loss:.4} ({setting}); {} would have {best_loss:.4}",
                method.title(),
                best.title()
            ),
            None => format!("{} was asked for", method.title()),
        };
        return (method, why);
    }
    let mut why = format!("{} has the lowest cross-fitted log loss, {best_loss:.4} ({setting})", best.title());
    if let Some((next, loss)) = ranked.get(1) {
        why.push_str(&format!("; next is {} with {loss:.4}", next.title()));
    }
    if best != Method::None
        && ranked.get(1).is_none_or(|(next, _)| *next != Method::None)
        && let Some(loss) = of(Method::None)
    {
        why.push_str(&format!(", and without calibration it is {loss:.4}"));
    }
    (best, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::logistic;
    use crate::stats::calibrators::clipped_logit;

    /// Scores spread over (0.5, 1) with outcomes at the rate that `rate` gives, evenly placed.
    fn sample(n: usize, rate: impl Fn(f64) -> f64) -> Rows {
        let mut owed = 0.0;
        let rows = (0..n).map(|i| {
            let score = 0.5 + 0.5 * ((i * 37 % n) as f64 + 0.5) / n as f64;
            owed += rate(score);
            let right = owed >= 0.5;
            owed -= f64::from(u8::from(right));
            (score, right)
        });
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.unzip();
        Rows::new(scores, correct).unwrap()
    }

    #[test]
    fn overconfidence_is_repaired_and_the_choice_explained() {
        let rows = sample(400, |score| logistic(0.4 * clipped_logit(score)));
        let table = compare(&rows, &Method::AUTO, None, &CrossFitOptions::default()).unwrap();
        assert_eq!((table.n, table.folds, table.repeats), (400, 5, 20));
        let line = |method| table.methods.iter().find(|line| line.method == method).unwrap();
        let (raw, chosen) = (line(Method::None), line(table.chosen));
        assert!(chosen.cross_fitted.unwrap().log_loss < raw.cross_fitted.unwrap().log_loss);
        // Nothing is fitted, so nothing can flatter.
        assert!((raw.cross_fitted.unwrap().brier - raw.in_sample.brier).abs() < 1e-12);
        let isotonic = line(Method::Isotonic);
        assert!(isotonic.in_sample.log_loss < isotonic.cross_fitted.unwrap().log_loss);
        assert!(isotonic.in_sample.ece < 1e-5);
        let (honest, flattered) = (isotonic.automated.unwrap(), isotonic.automated_in_sample);
        let lucky = |found: Automated| found.accuracy.unwrap_or(1.0);
        assert!(lucky(flattered) >= AUTOMATED_FROM && lucky(flattered) >= lucky(honest), "{flattered:?} {honest:?}");
        assert!(table.why.contains(table.chosen.title()) && table.why.contains("without calibration"), "{}", table.why);
    }

    #[test]
    fn good_confidence_is_left_alone() {
        let rows = sample(300, |score| score);
        let table = compare(&rows, &[Method::None, Method::Isotonic], None, &CrossFitOptions::default()).unwrap();
        assert_eq!(table.chosen, Method::None);
        let table = compare(&rows, &[Method::None], Some(Method::Platt), &CrossFitOptions::default()).unwrap();
        assert_eq!(table.chosen, Method::Platt);
        assert!(table.why.contains("asked for"), "{}", table.why);
    }

    #[test]
    fn rows_that_cannot_be_split_are_said() {
        let one = Rows::new(vec![0.7], vec![true]).unwrap();
        let table = compare(&one, &[Method::Platt], None, &CrossFitOptions::default()).unwrap();
        assert_eq!((table.chosen, table.methods[0].cross_fitted), (Method::None, None));
        assert!(table.warnings[0].contains("in-sample"), "{:?}", table.warnings);
        let three = Rows::new(vec![0.7, 0.8, 0.9], vec![true, false, true]).unwrap();
        assert_eq!(compare(&three, &[Method::Platt], None, &CrossFitOptions::default()).unwrap().folds, 3);
    }

    #[test]
    fn duplicates_are_counted() {
        let rows = sample(100, |score| score).with_keys((0..100).map(|i| i % 40).collect()).unwrap();
        let table = compare(&rows, &[Method::Isotonic], None, &CrossFitOptions::default()).unwrap();
        assert_eq!(table.duplicates, Some(60));
        assert!(table.warnings.iter().any(|warning| warning.contains("60 of 100")), "{:?}", table.warnings);
    }

    #[test]
    fn label_methods_stand_beside_score_methods() {
        use crate::stats::rows::LabelRows;
        let logprobs: Vec<f64> =
            (0..120).flat_map(|i| [f64::from(i % 7), f64::from(i % 5), f64::from(i % 3)]).collect();
        let labels = LabelRows::new(&logprobs, 3, (0..120).map(|i| i * 13 % 3).collect()).unwrap();
        let rows = Rows::from_labels(labels).unwrap();
        let methods = [Method::Platt, Method::LabelTemperature, Method::Vector, Method::Dirichlet];
        let table = compare(&rows, &methods, None, &CrossFitOptions::default()).unwrap();
        assert_eq!(table.repeats, 2);
        assert!(table.methods.iter().all(|line| line.cross_fitted.is_some_and(|q| q.log_loss.is_finite())));
    }
}
