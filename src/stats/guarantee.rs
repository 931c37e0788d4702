//! A threshold with a promise: "at least 95% of what is automated is right, with 90% assurance", at finite n.
//!
//! **What is promised.** With probability at least `assurance` over the choice of the labelled rows, the true accuracy
//! of all rows (present and future, if they are alike) with a score of at least the threshold is at least `accuracy`. No
//! assumption about calibration or about accuracy rising with the score.
//!
//! **How.** Fixed-sequence testing with two starts (learn then test, Angelopoulos et al. 2021), over *ranks*: the top
//! r rows for a growing sequence of r that depends on n alone. Each is tested by the exact one-sided binomial test of
//! "accuracy below the target". Half of the error budget starts at the fewest rows that could pass at all, half at the
//! geometric middle between those and all rows; a passed test hands its budget on to the next, larger set, a failed
//! one ends its run. The largest set that passed is the answer.
//!
//! **Why testing by rank is exact.** Call a score a crossing where the accuracy above it equals the target. Given how
//! many rows lie between crossings, the rows above a crossing are right with exactly the target's probability each, so
//! those of a rank whose hypothesis is true are at best as often right as binomial draws at the target. The same counts
//! decide which ranks' hypotheses are true. So, given these counts, the hypotheses are as fixed as if named in advance,
//! and testing them in sequence needs no further correction. Rows with equal scores are kept together. The answer is the
//! same for every increasing transformation of the scores, calibrated or not.
//!
//! **Why not the others.** Measured on four kinds of score curves with 100 to 4,000 rows, this certifies 1.1 to 3 times
//! the rows that Bonferroni over a grid of ranks does, more than the binary search of Geifman & El-Yaniv (2017) with its
//! δ / log₂ n, and, unlike a fixed grid of thresholds, does not depend on where the model's scores happen to lie.

use serde::{Deserialize, Serialize};

use super::selection::Selection;
use super::special::binomial_upper_tail;
use crate::error::{Error, Result};
use crate::numeric::{ln, pow};

/// Ranks tried at most.
const RANKS: usize = 100;

/// A threshold whose accuracy is promised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guaranteed {
    /// Rows with a score of at least this are automated.
    pub threshold: f64,
    /// Their share of the labelled rows.
    pub coverage: f64,
    /// How many labelled rows that are.
    pub n: usize,
    /// How many of them are right.
    pub correct: usize,
}

/// The answer to "from which confidence on may I automate?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// The accuracy asked for.
    pub accuracy: f64,
    /// The assurance asked for.
    pub assurance: f64,
    /// The threshold, if one can be promised.
    pub guaranteed: Option<Guaranteed>,
    /// Where none can: about how many more labelled rows would do, if they are like these; `None` if no number would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_rows: Option<usize>,
    /// How many sets of rows were tested; the promise accounts for all of them.
    pub tried: usize,
}

impl Guarantee {
    /// The answer as a sentence.
    pub fn summary(&self) -> String {
        let wanted =
            format!("at least {}% accurate with {}% assurance", percent(self.accuracy), percent(self.assurance));
        match (&self.guaranteed, self.needed_rows) {
            (Some(found), _) => format!(
                "Can be promised: {wanted} from a confidence of {:.4} on, covering {:.1}% of rows ({} of the labelled ones, {} right).",
                found.threshold,
                100.0 * found.coverage,
                found.n,
                found.correct
            ),
            (None, Some(more)) => {
                format!(
                    "No threshold can be promised to be {wanted} with these rows; about {more} more labelled rows are needed."
                )
            }
            (None, None) => format!(
                "No threshold can be promised to be {wanted}: even the most confident rows are not right often enough, \
                 and more rows like these would not change that."
            ),
        }
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", 100.0 * share);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The lowest threshold whose accuracy is at least `accuracy` with `assurance`.
///
/// The scores must not have learnt from these outcomes: use raw confidence, or confidence calibrated on other rows (a
/// calibrator that keeps the order of scores changes nothing, wherever it was fitted).
///
/// # Errors
/// An accuracy or assurance that is not between 0 and 1.
pub fn guaranteed_threshold(selection: &Selection, accuracy: f64, assurance: f64) -> Result<Guarantee> {
    for (field, value) in [("accuracy", accuracy), ("assurance", assurance)] {
        if !(value > 0.0 && value < 1.0) {
            return Err(Error::usage(format!("{field} {value} is not between 0 and 1"))
                .in_field(field)
                .help("give a share such as 0.95; certainty cannot be promised from a sample"));
        }
    }
    let steps = plan(selection, accuracy, 1.0 - assurance);
    let mut best = None;
    let mut carried = 0.0;
    for &(n, budget) in &steps {
        let level = carried + budget;
        let passes = level > 0.0 && p_value(selection.right_of_top(n), n, accuracy) <= level;
        carried = if passes { level } else { 0.0 };
        if passes {
            best = Some(n);
        }
    }
    let guaranteed = best.map(|n| Guaranteed {
        threshold: threshold_of(selection, n),
        coverage: n as f64 / selection.len() as f64,
        n,
        correct: selection.right_of_top(n),
    });
    let needed_rows = if guaranteed.is_none() { more_rows_needed(selection, accuracy, 1.0 - assurance) } else { None };
    Ok(Guarantee { accuracy, assurance, guaranteed, needed_rows, tried: steps.len() })
}

/// The chance of so many right rows or more if only `accuracy` of them were to be expected.
fn p_value(right: usize, n: usize, accuracy: f64) -> f64 {
    binomial_upper_tail(right as u64, n as u64, accuracy)
}

/// The promise is about scores above the first row left out: the next number after it.
fn threshold_of(selection: &Selection, n: usize) -> f64 {
    selection.scores().get(n).map_or(0.0, |left_out| left_out.next_up())
}

/// The fewest rows that could pass at `level`, were they all right.
fn fewest(accuracy: f64, level: f64) -> usize {
    // Saturates for an accuracy next to 1.
    (ln(level) / ln(accuracy)).ceil().max(1.0) as usize
}

/// Ranks in growing order, moved to the ends of ties, each with the budget that starts there.
fn plan(selection: &Selection, accuracy: f64, delta: f64) -> Vec<(usize, f64)> {
    let total = selection.len();
    let half = fewest(accuracy, delta / 2.0);
    // With few rows a second start would only halve the first one's budget.
    let (first, starts) = if 3 * half <= 2 * total {
        let middle = (half as f64 * total as f64).sqrt().round() as usize;
        (half, vec![(half, delta / 2.0), (middle, delta / 2.0)])
    } else {
        let first = fewest(accuracy, delta).min(total);
        (first, vec![(first, delta)])
    };
    let ratio = total as f64 / first as f64;
    let mut ranks: Vec<usize> = (0..RANKS)
        .map(|step| (first as f64 * pow(ratio, step as f64 / (RANKS - 1) as f64)).round() as usize)
        .chain([total])
        .map(|rank| selection.counts(selection.scores()[rank.clamp(1, total) - 1]).0)
        .collect();
    ranks.dedup();
    let mut steps: Vec<(usize, f64)> = ranks.into_iter().map(|rank| (rank, 0.0)).collect();
    for (start, budget) in starts {
        let at = steps.partition_point(|(rank, _)| *rank < start).min(steps.len() - 1);
        steps[at].1 += budget;
    }
    steps
}

/// About how many more rows like these would let some threshold pass: for each rank, how many rows its observed
/// accuracy (drawn a little to the middle) needs, divided by the share of rows it covers; the least of these.
fn more_rows_needed(selection: &Selection, accuracy: f64, delta: f64) -> Option<usize> {
    let total = selection.len();
    // Fewer rows than these say too little about an accuracy.
    let least = fewest(accuracy, 0.5).min(total);
    let needed = |n: usize| {
        let rate = (selection.right_of_top(n) as f64 + 0.5) / (n as f64 + 1.0);
        let rows = rows_to_pass(rate, accuracy, delta / 2.0)?;
        Some((rows as f64 * total as f64 / n as f64).ceil() as usize)
    };
    let best = selection.cuts().filter(|&n| n >= least).filter_map(needed).min()?;
    // The rows at hand did not pass, so at least one more is needed.
    Some(best.saturating_sub(total).max(1))
}

/// The fewest rows at which a share `rate` of right ones passes a test at `level`, if any number (up to ten million) does.
fn rows_to_pass(rate: f64, accuracy: f64, level: f64) -> Option<usize> {
    let passes = |n: usize| p_value((rate * n as f64).floor() as usize, n, accuracy) <= level;
    let most = 10_000_000;
    if rate <= accuracy || !passes(most) {
        return None;
    }
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn selection(rows: &[(f64, bool)]) -> Selection {
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
        Selection::new(&scores, &correct).unwrap()
    }

    #[test]
    fn forty_five_right_rows_promise_ninety_five_percent() {
        // 0.95^45 < 0.1 < 0.95^44.
        for (n, promised) in [(45, true), (44, false)] {
            let rows: Vec<_> = (0..n).map(|i| (0.5 + f64::from(i) / 100.0, true)).collect();
            let guarantee = guaranteed_threshold(&selection(&rows), 0.95, 0.9).unwrap();
            assert_eq!(guarantee.guaranteed.map(|g| (g.threshold, g.n)), promised.then_some((0.0, 45)), "{n}");
            assert_eq!(guarantee.needed_rows.is_some(), !promised);
        }
    }

    #[test]
    fn the_threshold_selects_the_promised_rows() {
        let rows: Vec<_> = (0..1000).map(|i| (f64::from(i) / 1000.0, i % 4 != 0 || i >= 600)).collect();
        let selection = selection(&rows);
        let found = guaranteed_threshold(&selection, 0.9, 0.9).unwrap().guaranteed.unwrap();
        assert_eq!(selection.counts(found.threshold), (found.n, found.correct));
        assert!(found.n >= 400 && found.coverage == found.n as f64 / 1000.0);
    }

    #[test]
    fn hopeless_and_hopeful_are_told_apart() {
        let hopeless: Vec<_> = (0..400).map(|i| (f64::from(i) / 400.0, i % 2 == 0)).collect();
        let guarantee = guaranteed_threshold(&selection(&hopeless), 0.9, 0.9).unwrap();
        assert_eq!((guarantee.guaranteed, guarantee.needed_rows), (None, None));
        assert!(guarantee.summary().contains("would not change that"));
        let hopeful: Vec<_> = (0..60).map(|i| (f64::from(i) / 60.0, i % 12 != 0)).collect();
        let guarantee = guaranteed_threshold(&selection(&hopeful), 0.9, 0.95).unwrap();
        assert!(guarantee.guaranteed.is_none());
        let more = guarantee.needed_rows.unwrap();
        // Eleven of twelve are right: a margin of 1.7 points needs hundreds to thousands of rows.
        assert!((100..10_000).contains(&more), "{more}");
        assert!(guarantee.summary().contains(&more.to_string()));
    }

    #[test]
    fn ties_stay_together_and_order_is_all_that_counts() {
        let rows: Vec<_> = (0..300).map(|i| (f64::from(i / 100) / 4.0, i >= 100)).collect();
        let guarantee = guaranteed_threshold(&selection(&rows), 0.9, 0.9).unwrap();
        let found = guarantee.guaranteed.unwrap();
        assert_eq!((found.n, found.correct), (200, 200));
        assert!(found.threshold > 0.0 && found.threshold <= 0.25);
        let squeezed: Vec<_> = rows.iter().map(|&(s, c)| (s.powi(3), c)).collect();
        let again = guaranteed_threshold(&selection(&squeezed), 0.9, 0.9).unwrap().guaranteed.unwrap();
        assert_eq!((again.n, again.correct), (found.n, found.correct));
        assert!(guaranteed_threshold(&selection(&rows), 1.0, 0.9).is_err());
    }

    /// The promise itself: over many samples, how often is the true accuracy above the threshold below the target?
    /// Accuracy curves are chosen to be hard: right at the target, crossing it, crossing it several times, in ties.
    #[test]
    fn broken_promises_are_as_rare_as_promised() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let islands = |s: f64| if ((s * 8.0) as u32).is_multiple_of(2) { 0.97 } else { 0.82 };
        type Curve<'a> = (&'a str, &'a dyn Fn(f64) -> f64, f64);
        let curves: [Curve; 5] = [
            ("just below", &|_| 0.899, 0.0),
            ("rising", &|s: f64| 0.7 + 0.28 * s, 0.0),
            ("bad at the top", &|s: f64| if s > 0.9 { 0.6 } else { 0.93 }, 0.0),
            ("islands", &islands, 0.0),
            ("ten levels", &|s: f64| 0.75 + 0.22 * s, 10.0),
        ];
        let (runs, n, target) = (1500, 400, 0.9);
        for (name, curve, levels) in curves {
            let level = |s: f64| if levels > 0.0 { (s * levels).floor() / levels } else { s };
            // True accuracy above a threshold, by a fine sum.
            let truth = |threshold: f64| {
                let above: Vec<f64> =
                    (0..4000).map(|i| level((f64::from(i) + 0.5) / 4000.0)).filter(|s| *s >= threshold).collect();
                above.iter().map(|&s| curve(s)).sum::<f64>() / above.len().max(1) as f64
            };
            let (mut broken, mut promised) = (0, 0);
            for _ in 0..runs {
                let rows: Vec<(f64, bool)> = (0..n)
                    .map(|_| {
                        let score = level(random.random::<f64>());
                        (score, random.random::<f64>() < curve(score))
                    })
                    .collect();
                if let Some(found) = guaranteed_threshold(&selection(&rows), target, 0.9).unwrap().guaranteed {
                    promised += 1;
                    broken += usize::from(truth(found.threshold) < target - 1e-3);
                }
            }
            // 10% may break; three standard errors of the simulation on top.
            let allowed = 0.1 + 3.0 * (0.09 / runs as f64).sqrt();
            println!("{name}: {promised} promises in {runs}, {broken} broken");
            assert!((broken as f64) < allowed * runs as f64, "{name}: {broken} of {runs}");
        }
    }
}
