//! Folds for cross-fitting: stratified, seeded, with exact duplicates kept together.
//!
//! A duplicate of a fitted row that is judged as if it were new is a leak, so rows with the same key (the hash of their
//! text) go to one fold. With keys, who shares a fold depends only on the texts and the seed, not on the order of rows.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::rows::Rows;
use crate::error::{Error, Result};

/// Which fold each row belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    of_row: Vec<usize>,
    count: usize,
}

/// A 64-bit key of a text, equal for texts that [`super::hygiene`] counts as duplicates (white space at the ends does not
/// count): the beginning of its SHA-256.
pub fn text_key(text: &str) -> u64 {
    let digest = Sha256::digest(text.trim().as_bytes());
    u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
}

/// SplitMix64's finalizer: every bit of the answer depends on every bit of the input.
fn mix(seed: u64, value: u64) -> u64 {
    let mut z = value.wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How many rows repeat the text of an earlier row.
pub fn duplicates(keys: &[u64]) -> usize {
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    keys.iter().filter(|key| !seen.insert(**key)).count()
}

impl Folds {
    /// Splits rows into `count` folds of nearly equal size with nearly equal shares of right and wrong answers (and of
    /// true labels, where known).
    ///
    /// # Errors
    /// Fewer than two folds, or fewer distinct texts than folds.
    pub fn stratified(rows: &Rows, count: usize, seed: u64) -> Result<Self> {
        if count < 2 {
            return Err(Error::usage(format!("{count} folds cannot be cross-fitted")).help("use 2 folds or more"));
        }
        let groups = groups(rows, seed);
        if groups.len() < count {
            return Err(Error::input(format!("{} distinct rows cannot be split into {count} folds", groups.len()))
                .help("add labelled rows or use fewer folds"));
        }
        let classes = rows.labels().map_or(1, |labels| labels.classes());
        let stratum =
            |row: usize| 2 * rows.labels().map_or(0, |labels| labels.expected(row)) + usize::from(rows.correct()[row]);
        let mut in_stratum = vec![vec![0_usize; count]; 2 * classes];
        let mut sizes = vec![0_usize; count];
        let mut of_row = vec![0; rows.len()];
        for (position, group) in groups.iter().enumerate() {
            let main = main_stratum(group, &stratum);
            // Least filled in the group's stratum, then least filled at all; who is first rotates with the seed.
            let turn = |fold: usize| (fold + count - (mix(seed, position as u64) % count as u64) as usize) % count;
            let fold = (0..count).min_by_key(|&fold| (in_stratum[main][fold], sizes[fold], turn(fold))).unwrap_or(0);
            for &row in group {
                of_row[row] = fold;
                in_stratum[stratum(row)][fold] += 1;
                sizes[fold] += 1;
            }
        }
        Ok(Self { of_row, count })
    }

    /// How many folds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The fold of each row.
    pub fn of_row(&self) -> &[usize] {
        &self.of_row
    }

    /// The rows of a fold, in order.
    pub fn test(&self, fold: usize) -> Vec<usize> {
        (0..self.of_row.len()).filter(|&row| self.of_row[row] == fold).collect()
    }

    /// The rows outside a fold, in order.
    pub fn train(&self, fold: usize) -> Vec<usize> {
        (0..self.of_row.len()).filter(|&row| self.of_row[row] != fold).collect()
    }
}

/// Rows by key, largest groups first (they are hardest to place), otherwise shuffled by the seed.
fn groups(rows: &Rows, seed: u64) -> Vec<Vec<usize>> {
    let mut groups: Vec<(u64, Vec<usize>)> = match rows.keys() {
        None => (0..rows.len()).map(|row| (row as u64, vec![row])).collect(),
        Some(keys) => {
            let mut position = HashMap::with_capacity(keys.len());
            let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
            for (row, &key) in keys.iter().enumerate() {
                let at = *position.entry(key).or_insert_with(|| {
                    groups.push((key, Vec::new()));
                    groups.len() - 1
                });
                groups[at].1.push(row);
            }
            groups
        }
    };
    groups.sort_by_key(|(key, rows)| (std::cmp::Reverse(rows.len()), mix(seed, *key), *key));
    groups.into_iter().map(|(_, rows)| rows).collect()
}

/// The stratum that most rows of a group are in, the smallest of equals.
fn main_stratum(group: &[usize], stratum: &impl Fn(usize) -> usize) -> usize {
    if let [row] = group {
        return stratum(*row);
    }
    let mut counts: HashMap<usize, usize> = HashMap::new();
    group.iter().for_each(|&row| *counts.entry(stratum(row)).or_default() += 1);
    counts
        .into_iter()
        .min_by_key(|&(stratum, rows)| (std::cmp::Reverse(rows), stratum))
        .map_or(0, |(stratum, _)| stratum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(correct: &[bool]) -> Rows {
        Rows::new(vec![0.5; correct.len()], correct.to_vec()).unwrap()
    }

    #[test]
    fn folds_are_stratified_and_differ_by_seed() {
        let correct: Vec<bool> = (0..1000).map(|i| i % 10 < 7).collect();
        let rows = rows(&correct);
        let folds = Folds::stratified(&rows, 5, 1).unwrap();
        for fold in 0..5 {
            let test = folds.test(fold);
            assert_eq!(test.len(), 200);
            assert_eq!(test.iter().filter(|&&row| correct[row]).count(), 140);
            assert_eq!(folds.train(fold).len(), 800);
        }
        assert_eq!(folds, Folds::stratified(&rows, 5, 1).unwrap());
        assert_ne!(folds, Folds::stratified(&rows, 5, 2).unwrap());
    }

    #[test]
    fn refuses_what_cannot_be_split() {
        let same = rows(&[true, false]).with_keys(vec![7, 7]).unwrap();
        assert!(Folds::stratified(&same, 2, 0).unwrap_err().message.contains("1 distinct rows"));
        assert!(Folds::stratified(&rows(&[true, false]), 1, 0).is_err());
    }

    #[test]
    fn counts_repeated_texts() {
        assert_eq!(duplicates(&["a", "b", "a", " a\n"].map(text_key)), 2);
    }

    proptest! {
        #[test]
        fn duplicates_share_a_fold_in_any_order(
            keys in prop::collection::vec((0_u64..30, any::<bool>()), 60..120),
            seed in 0_u64..50,
        ) {
            let sample = |keys: &[(u64, bool)]| {
                rows(&keys.iter().map(|k| k.1).collect::<Vec<_>>()).with_keys(keys.iter().map(|k| k.0).collect()).unwrap()
            };
            prop_assume!(keys.iter().map(|k| k.0).collect::<std::collections::HashSet<_>>().len() >= 4);
            let folds = Folds::stratified(&sample(&keys), 4, seed).unwrap();
            let mut of_key = HashMap::new();
            for (row, (key, _)) in keys.iter().enumerate() {
                prop_assert_eq!(*of_key.entry(*key).or_insert(folds.of_row()[row]), folds.of_row()[row]);
            }
            let reversed: Vec<_> = keys.iter().rev().copied().collect();
            let mirrored = Folds::stratified(&sample(&reversed), 4, seed).unwrap();
            for (row, (key, _)) in reversed.iter().enumerate() {
                prop_assert_eq!(of_key[key], mirrored.of_row()[row]);
            }
        }
    }
}
