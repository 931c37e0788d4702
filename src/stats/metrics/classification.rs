//! Predicted against true classes: confusion matrix, per-class rates, F1, Matthews correlation, Cohen's kappa.
//!
//! Every number here follows from three counts a class (right, predicted, true), so a resample needs no matrix. Where
//! a rate divides by zero (a class never predicted has no precision) it is 0, as in scikit-learn's `zero_division=0`.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// True and predicted classes of rows, as indices into the class names.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    names: Vec<String>,
    pairs: Vec<(u32, u32)>,
}

impl Classes {
    /// From the names on each row: `(true, predicted)`. Classes come in the order of `names`, then those that `names`
    /// lacks in alphabetical order.
    ///
    /// # Errors
    /// No rows.
    pub fn new<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>, names: &[String]) -> Result<Self> {
        let rows: Vec<(&str, &str)> = rows.into_iter().collect();
        if rows.is_empty() {
            return Err(Error::input("there are no rows with a true and a predicted label"));
        }
        let mut all: Vec<String> = Vec::new();
        let mut index: HashMap<&str, u32> = HashMap::new();
        let found: BTreeSet<&str> = rows.iter().flat_map(|&(truth, predicted)| [truth, predicted]).collect();
        for name in names.iter().map(String::as_str).chain(found) {
            index.entry(name).or_insert_with(|| {
                all.push(name.to_string());
                all.len() as u32 - 1
            });
        }
        let pairs = rows.iter().map(|(truth, predicted)| (index[truth], index[predicted])).collect();
        Ok(Self { names: all, pairs })
    }

    /// The class names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// `(true, predicted)` of each row, as indices into the names.
    pub fn pairs(&self) -> &[(u32, u32)] {
        &self.pairs
    }

    /// The same rows in another order: row `i` is this one's row `order[i]`.
    pub fn reordered(&self, order: &[u32]) -> Self {
        Self { names: self.names.clone(), pairs: order.iter().map(|&row| self.pairs[row as usize]).collect() }
    }

    /// Counts of the rows, each counted `counts[row]` times.
    pub fn tally(&self, counts: &[u32]) -> Tally {
        let classes = self.names.len();
        let mut tally =
            Tally { right: vec![0; classes], predicted: vec![0; classes], truth: vec![0; classes], total: 0 };
        for (&(truth, predicted), &count) in self.pairs.iter().zip(counts) {
            let count = u64::from(count);
            tally.truth[truth as usize] += count;
            tally.predicted[predicted as usize] += count;
            tally.right[truth as usize] += if truth == predicted { count } else { 0 };
            tally.total += count;
        }
        tally
    }

    /// Counts of the rows as they are.
    pub fn tally_all(&self) -> Tally {
        self.tally(&vec![1; self.pairs.len()])
    }

    /// The confusion matrix: a row a true class, a column a predicted class.
    pub fn confusion(&self) -> ConfusionMatrix {
        let classes = self.names.len();
        let mut counts = vec![vec![0; classes]; classes];
        for &(truth, predicted) in &self.pairs {
            counts[truth as usize][predicted as usize] += 1;
        }
        ConfusionMatrix { labels: self.names.clone(), counts }
    }
}

/// How often each true class (row) got each predicted class (column).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Class names, of rows and columns alike.
    pub labels: Vec<String>,
    /// `counts[true][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// Per class: how many rows were right, predicted as it, truly it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Rows of the class predicted as it.
    pub right: Vec<u64>,
    /// Rows predicted as the class.
    pub predicted: Vec<u64>,
    /// Rows of the class.
    pub truth: Vec<u64>,
    /// All rows.
    pub total: u64,
}

fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 { 0.0 } else { numerator as f64 / denominator as f64 }
}

impl Tally {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.truth.len()
    }

    /// Share of rows predicted right.
    pub fn accuracy(&self) -> f64 {
        ratio(self.right.iter().sum(), self.total)
    }

    /// Of the rows predicted as the class, the share that is it.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.right[class], self.predicted[class])
    }

    /// Of the class's rows, the share predicted as it (sensitivity).
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.right[class], self.truth[class])
    }

    /// Rows of other classes, and how many of them were predicted as another class than this one.
    pub fn negatives(&self, class: usize) -> (u64, u64) {
        let negatives = self.total - self.truth[class];
        (negatives, negatives - (self.predicted[class] - self.right[class]))
    }

    /// Of the other classes' rows, the share not predicted as the class.
    pub fn specificity(&self, class: usize) -> f64 {
        let (negatives, right) = self.negatives(class);
        ratio(right, negatives)
    }

    /// |recall − specificity|: how lopsided the errors are.
    pub fn balance_gap(&self, class: usize) -> f64 {
        (self.recall(class) - self.specificity(class)).abs()
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.right[class], self.predicted[class] + self.truth[class])
    }

    /// Mean F1 of the classes, each counting the same.
    pub fn macro_f1(&self) -> f64 {
        (0..self.classes()).map(|class| self.f1(class)).sum::<f64>() / self.classes() as f64
    }

    /// Mean F1 of the classes, each counting by its rows.
    pub fn weighted_f1(&self) -> f64 {
        (0..self.classes()).map(|class| self.f1(class) * self.truth[class] as f64).sum::<f64>() / self.total as f64
    }

    /// Mean recall of the classes that have rows (balanced accuracy).
    pub fn balanced_accuracy(&self) -> f64 {
        let present: Vec<usize> = (0..self.classes()).filter(|&class| self.truth[class] > 0).collect();
        present.iter().map(|&class| self.recall(class)).sum::<f64>() / present.len() as f64
    }

    /// Agreement in one class after another: `Σ right`, `Σ predicted·truth`, `Σ predicted²`, `Σ truth²`.
    fn products(&self) -> [f64; 4] {
        let mut sums = [0.0; 4];
        for class in 0..self.classes() {
            let (right, predicted, truth) =
                (self.right[class] as f64, self.predicted[class] as f64, self.truth[class] as f64);
            for (sum, term) in sums.iter_mut().zip([right, predicted * truth, predicted * predicted, truth * truth]) {
                *sum += term;
            }
        }
        sums
    }

    /// Matthews' correlation coefficient in its form for any number of classes (Gorodkin 2004); 0 where predictions or
    /// truth are one class only.
    pub fn mcc(&self) -> f64 {
        let [right, joint, predicted, truth] = self.products();
        let total = self.total as f64;
        let spread = ((total * total - predicted) * (total * total - truth)).sqrt();
        if spread > 0.0 { (right * total - joint) / spread } else { 0.0 }
    }

    /// Cohen's kappa: agreement beyond what the margins give by chance. `None` when predictions and truth are one and
    /// the same class.
    pub fn kappa(&self) -> Option<f64> {
        let [right, joint, ..] = self.products();
        let total = self.total as f64;
        let chance = joint / (total * total);
        (chance < 1.0).then(|| (right / total - chance) / (1.0 - chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classes(rows: &[(u8, u8)]) -> Classes {
        let text: Vec<(String, String)> = rows.iter().map(|(t, p)| (t.to_string(), p.to_string())).collect();
        Classes::new(text.iter().map(|(t, p)| (t.as_str(), p.as_str())), &[]).unwrap()
    }

    #[test]
    fn small_case_by_hand() {
        // True a: 3 right, 1 as b. True b: 2 as a, 4 right.
        let rows: Vec<(&str, &str)> =
            [vec![("a", "a"); 3], vec![("a", "b")], vec![("b", "a"); 2], vec![("b", "b"); 4]].concat();
        let classes = Classes::new(rows, &[]).unwrap();
        assert_eq!(classes.confusion().counts, [[3, 1], [2, 4]]);
        let tally = classes.tally_all();
        for (value, expected) in [
            (tally.accuracy(), 0.7),
            (tally.precision(0), 0.6),
            (tally.recall(0), 0.75),
            (tally.specificity(0), 4.0 / 6.0),
            (tally.balance_gap(0), 0.75 - 4.0 / 6.0),
            (tally.balance_gap(1), 0.75 - 4.0 / 6.0),
            (tally.f1(0), 6.0 / 9.0),
            (tally.macro_f1(), (6.0 / 9.0 + 8.0 / 11.0) / 2.0),
            (tally.weighted_f1(), (4.0 * 6.0 / 9.0 + 6.0 * 8.0 / 11.0) / 10.0),
            (tally.balanced_accuracy(), (0.75 + 4.0 / 6.0) / 2.0),
            (tally.mcc(), (3.0 * 4.0 - 1.0 * 2.0) / (5.0_f64 * 5.0 * 4.0 * 6.0).sqrt()),
            (tally.kappa().unwrap(), (0.7 - 0.5) / 0.5),
        ] {
            assert!((value - expected).abs() < 1e-12, "{value} {expected}");
        }
    }

    #[test]
    fn degenerate_classes() {
        let names = vec!["never".to_string()];
        let classes = Classes::new([("x", "x"), ("x", "x")], &names).unwrap();
        assert_eq!(classes.names(), ["never", "x"]);
        let tally = classes.tally_all();
        assert_eq!((tally.precision(0), tally.recall(0), tally.f1(0), tally.specificity(1)), (0.0, 0.0, 0.0, 0.0));
        assert_eq!((tally.mcc(), tally.kappa(), tally.accuracy()), (0.0, None, 1.0));
        assert!(Classes::new([], &names).is_err());
    }

    proptest! {
        #[test]
        fn bounded_and_blind_to_names(rows in prop::collection::vec((0_u8..5, 0_u8..5), 1..80)) {
            let tally = classes(&rows).tally_all();
            for value in [tally.accuracy(), tally.macro_f1(), tally.weighted_f1(), tally.balanced_accuracy()] {
                prop_assert!((0.0..=1.0).contains(&value));
            }
            prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&tally.mcc()));
            prop_assert!(tally.kappa().is_none_or(|k| (-1.0..=1.0).contains(&k)));
            let renamed: Vec<(u8, u8)> = rows.iter().map(|&(t, p)| (4 - t, 4 - p)).collect();
            let other = classes(&renamed).tally_all();
            prop_assert!((tally.macro_f1() - other.macro_f1()).abs() < 1e-12);
            prop_assert!((tally.mcc() - other.mcc()).abs() < 1e-12);
            // Matthews and kappa do not care which side is called true.
            let swapped: Vec<(u8, u8)> = rows.iter().map(|&(t, p)| (p, t)).collect();
            prop_assert!((tally.mcc() - classes(&swapped).tally_all().mcc()).abs() < 1e-12);
        }
    }
}
