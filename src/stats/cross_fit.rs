//! Cross-fitting: every calibrator is judged on rows it was not fitted on, and `auto` chooses by that.
//!
//! Rows are split into folds (duplicates together), each fold's rows are predicted by a fit on the others, and the whole
//! is repeated with other splits, because one split's luck is as large as the differences between methods. In-sample
//! numbers stand beside the cross-fitted ones only to show how far they flatter; their field has that name everywhere.
//!
//! Probabilities are held to `[1e-6, 1 − 1e-6]` before they are judged here. A curve that says exactly 0 or 1 after a
//! few hundred rows does not know that to fifteen digits, and with log loss's own clip at 1e-15 one such row would
//! weigh as much as a thousand others: the choice of a method would rest on the clip.

use serde::{Deserialize, Serialize};

use super::calibrators::{Calibrator, FitOptions, Method};
use super::folds::{Folds, duplicates};
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::numeric::sum;
use crate::platform::map_indices;

/// How to cross-fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossFitOptions {
    /// Folds; fewer are used where there are fewer distinct rows.
    pub folds: usize,
    /// Repeats with other splits; by default 20 for up to 1,000 rows, fewer for more.
    pub repeats: Option<usize>,
    /// Equal-width bins of the calibration error.
    pub bins: usize,
    /// Seed of the splits.
    pub seed: u64,
    /// Choices of the single methods.
    pub fit: FitOptions,
}

impl Default for CrossFitOptions {
    fn default() -> Self {
        Self { folds: 5, repeats: None, bins: 15, seed: 0, fit: FitOptions::default() }
    }
}

/// How good probabilities are, on average over rows. Lower is better for all three.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Brier score: mean squared difference of probability and outcome.
    pub brier: f64,
    /// Log loss, probabilities clipped to 1e-15.
    pub log_loss: f64,
    /// Expected calibration error over equal-width, right-closed bins.
    pub ece: f64,
}

impl Quality {
    /// Judges `probabilities` by `outcomes` (as many, at least one), the calibration error over `bins` bins.
    pub fn of(probabilities: &[f64], outcomes: &[bool], bins: usize) -> Self {
        let n = probabilities.len() as f64;
        let rows = || probabilities.iter().zip(outcomes);
        let brier = sum(rows().map(|(p, &right)| (p - f64::from(u8::from(right))).powi(2))) / n;
        let loss = |(p, &right): (&f64, &bool)| {
            let p = p.clamp(1e-15, 1.0 - 1e-15);
            if right { -p.ln() } else { -(-p).ln_1p() }
        };
        let log_loss = sum(rows().map(loss)) / n;
        // The sum of |confidence − accuracy| weighted by count is the sum of |Σ (p − y)| over bins.
        let edges: Vec<f64> = (1..bins).map(|edge| edge as f64 / bins as f64).collect();
        let mut gaps = vec![0.0; bins.max(1)];
        for (p, &right) in rows() {
            gaps[edges.partition_point(|edge| edge < p)] += p - f64::from(u8::from(right));
        }
        Self { brier, log_loss, ece: gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / n }
    }

    fn mean(all: &[Self]) -> Option<Self> {
        let n = all.len() as f64;
        let mean = |part: fn(&Self) -> f64| all.iter().map(part).sum::<f64>() / n;
        (!all.is_empty()).then(|| Self {
            brier: mean(|q| q.brier),
            log_loss: mean(|q| q.log_loss),
            ece: mean(|q| q.ece),
        })
    }
}

/// Calibrated probabilities are judged as if nothing were more certain than this.
const CERTAINTY: f64 = 1e-6;

/// A method's line in the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodQuality {
    /// The method.
    pub method: Method,
    /// On rows it was not fitted on, mean over repeats; `None` where the rows cannot be split.
    pub cross_fitted: Option<Quality>,
    /// In-sample: on the rows it was fitted on.
    pub in_sample: Quality,
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

/// Out-of-fold probabilities: one list a repeat, in row order.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// Probabilities by repeat and row.
    pub repeats: Vec<Vec<f64>>,
    /// How many folds each repeat had.
    pub folds: usize,
}

impl OutOfFold {
    /// Quality, averaged over repeats.
    pub fn quality(&self, outcomes: &[bool], bins: usize) -> Option<Quality> {
        let all: Vec<Quality> = self.repeats.iter().map(|p| judge(p, outcomes, bins)).collect();
        Quality::mean(&all)
    }

    /// How many rows have at least `threshold`, on average over repeats, and how many of those are right.
    pub fn above(&self, threshold: f64, outcomes: &[bool]) -> (f64, f64) {
        let (mut rows, mut right) = (0_usize, 0_usize);
        for repeat in &self.repeats {
            for (p, &outcome) in repeat.iter().zip(outcomes) {
                rows += usize::from(*p >= threshold);
                right += usize::from(*p >= threshold && outcome);
            }
        }
        let repeats = self.repeats.len().max(1) as f64;
        (rows as f64 / repeats, right as f64 / repeats)
    }
}

/// Out-of-fold probabilities of one method.
///
/// # Errors
/// Fewer than two distinct rows, or a method that cannot be fitted on these rows.
pub fn out_of_fold(rows: &Rows, method: Method, options: &CrossFitOptions) -> Result<OutOfFold> {
    let repeats = options.repeats.unwrap_or_else(|| default_repeats(rows, &[method]));
    let (folds, mut predicted) = cross_fit(rows, &[method], options, repeats)?;
    let repeats = predicted.remove(0)?;
    Ok(OutOfFold { repeats, folds })
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
    let crossed = match cross_fit(rows, &asked, options, repeats) {
        Ok(crossed) => Some(crossed),
        Err(error) => {
            warnings
                .push(format!("{}: nothing could be cross-fitted, so every number here is in-sample", error.message));
            None
        }
    };
    let folds = crossed.as_ref().map_or(0, |(folds, _)| *folds);
    let mut lines = Vec::with_capacity(asked.len());
    for (index, &method) in asked.iter().enumerate() {
        let fitted = Calibrator::fit(method, rows, &options.fit)?;
        let values = predict(&fitted.model, rows, &(0..rows.len()).collect::<Vec<_>>())?;
        let mut notes = fitted.notes;
        let cross_fitted = match crossed.as_ref().map(|(_, predicted)| &predicted[index]) {
            Some(Ok(repeats)) => {
                let all: Vec<Quality> = repeats.iter().map(|p| judge(p, rows.correct(), options.bins)).collect();
                Quality::mean(&all)
            }
            Some(Err(error)) => {
                notes.push(format!("could not be cross-fitted: {}", error.message));
                None
            }
            None => None,
        };
        let in_sample = judge(&values, rows.correct(), options.bins);
        lines.push(MethodQuality { method, cross_fitted, in_sample, notes });
    }
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

/// Twenty repeats while they are cheap: at most 20,000 predictions a method, and two where matrices are fitted.
fn default_repeats(rows: &Rows, methods: &[Method]) -> usize {
    let most = if methods.iter().any(|method| method.takes_labels()) { 2 } else { 20 };
    (20_000 / rows.len()).clamp(1, most)
}

/// Folds used, and for each method its predictions by repeat and row, or why it has none.
type Crossed = (usize, Vec<Result<Vec<Vec<f64>>>>);

/// A seed of its own for each repeat.
fn repeat_seed(options: &CrossFitOptions, repeat: usize) -> u64 {
    options.seed.wrapping_mul(1_000_003).wrapping_add(repeat as u64)
}

fn splits(rows: &Rows, options: &CrossFitOptions, repeats: usize) -> Result<Vec<Folds>> {
    let distinct = rows.keys().map_or(rows.len(), |keys| keys.len() - duplicates(keys));
    let folds = options.folds.min(distinct);
    (0..repeats).map(|repeat| Folds::stratified(rows, folds, repeat_seed(options, repeat))).collect()
}

fn cross_fit(rows: &Rows, methods: &[Method], options: &CrossFitOptions, repeats: usize) -> Result<Crossed> {
    let splits = splits(rows, options, repeats)?;
    let folds = splits[0].count();
    // One task a fold of a repeat: all methods share its training rows.
    let parts = map_indices(repeats * folds, |task| {
        let (split, fold) = (&splits[task / folds], task % folds);
        let (train, test) = (rows.select(&split.train(fold)), split.test(fold));
        let fit = FitOptions { seed: repeat_seed(options, task), ..options.fit };
        let predictions = methods.iter().map(|&method| {
            let fitted = Calibrator::fit(method, &train, &fit)?;
            predict(&fitted.model, rows, &test)
        });
        let predictions: Vec<Result<Vec<f64>>> = predictions.collect();
        (test, predictions)
    });
    let mut all: Vec<Result<Vec<Vec<f64>>>> = vec![Ok(vec![vec![0.0; rows.len()]; repeats]); methods.len()];
    for (task, (test, predictions)) in parts.into_iter().enumerate() {
        for (method, prediction) in all.iter_mut().zip(predictions) {
            match (method.as_mut(), prediction) {
                (Ok(repeats), Ok(values)) => {
                    test.iter().zip(values).for_each(|(&row, value)| repeats[task / folds][row] = value);
                }
                (Ok(_), Err(error)) => *method = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    Ok((folds, all))
}

fn predict(model: &Calibrator, rows: &Rows, which: &[usize]) -> Result<Vec<f64>> {
    which.iter().map(|&row| model.apply_row(rows, row)).collect()
}

/// [`Quality::of`] probabilities held off certainty.
fn judge(probabilities: &[f64], outcomes: &[bool], bins: usize) -> Quality {
    let held: Vec<f64> = probabilities.iter().map(|p| p.clamp(CERTAINTY, 1.0 - CERTAINTY)).collect();
    Quality::of(&held, outcomes, bins)
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
    fn duplicates_are_counted_and_do_not_leak() {
        // Random outcomes, every row four times: a leak would let isotonic regression look clairvoyant.
        let base: Vec<(f64, bool)> =
            (0..100).map(|i| (0.5 + f64::from(i) / 250.0, (i as u32).wrapping_mul(2_654_435_761) >> 31 == 1)).collect();
        let rows: Vec<(f64, bool)> = base.iter().cycle().take(400).copied().collect();
        let rows = Rows::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect()).unwrap();
        let options = CrossFitOptions { repeats: Some(5), ..CrossFitOptions::default() };
        let leaking = out_of_fold(&rows, Method::HistogramBinning, &options).unwrap();
        let keyed = rows.clone().with_keys((0..400).map(|i| i % 100).collect()).unwrap();
        let honest = compare(&keyed, &[Method::Isotonic], None, &options).unwrap();
        assert_eq!(honest.duplicates, Some(300));
        assert!(honest.warnings.iter().any(|w| w.contains("300 of 400")), "{:?}", honest.warnings);
        let line = out_of_fold(&keyed, Method::HistogramBinning, &options).unwrap();
        let loss = |o: &OutOfFold| o.quality(rows.correct(), 10).unwrap().log_loss;
        assert!(loss(&line) > loss(&leaking), "{} {}", loss(&line), loss(&leaking));
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
