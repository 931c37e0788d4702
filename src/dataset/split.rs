//! Seeded samples and splits.
//!
//! Both keep the labels' proportions (rows without a label count as one more label), and a split never has the same
//! text on both sides. Results are row numbers in the order of the data. The same seed gives the same rows natively
//! and in the browser: the random numbers are ChaCha8's, and are turned into places here rather than by a library
//! whose method may change.

use indexmap::IndexMap;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Example, duplicates};
use crate::error::{Error, Result};

/// Two disjoint sets of rows that make up the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The larger part, to fit on.
    pub fitted: Vec<usize>,
    /// The part that was set aside.
    pub held_out: Vec<usize>,
}

/// `limit` rows, or all where there are no more, with the labels' proportions kept to within one row.
pub fn sample(examples: &[Example], limit: usize, seed: u64) -> Vec<usize> {
    if limit >= examples.len() {
        return (0..examples.len()).collect();
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut strata: IndexMap<Option<&str>, Vec<usize>> = IndexMap::new();
    for (row, example) in examples.iter().enumerate() {
        strata.entry(example.label.as_deref()).or_default().push(row);
    }
    let sizes: Vec<usize> = strata.values().map(Vec::len).collect();
    let shares = proportional(&sizes, limit);
    let mut chosen = Vec::with_capacity(limit);
    for (rows, share) in strata.values_mut().zip(shares) {
        shuffle(rows, &mut random);
        chosen.extend_from_slice(&rows[..share]);
    }
    chosen.sort_unstable();
    chosen
}

/// Sets aside about `share` of each label's rows; rows with the same text stay together.
///
/// # Errors
/// `Kind::Usage` where `share` is not between 0 and 1.
pub fn split(examples: &[Example], share: f64, seed: u64) -> Result<Split> {
    if !(share > 0.0 && share < 1.0) {
        return Err(
            Error::usage(format!("{share} is no share to hold out")).help("use a number between 0 and 1, e.g. 0.2")
        );
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let duplicates = duplicates::find(examples);
    let mut texts: Vec<Vec<usize>> = vec![Vec::new(); duplicates.unique];
    for (row, &text) in duplicates.text_of.iter().enumerate() {
        texts[text].push(row);
    }
    // A text with several labels counts with its first row's.
    let mut strata: IndexMap<Option<&str>, Vec<Vec<usize>>> = IndexMap::new();
    for rows in texts {
        strata.entry(examples[rows[0]].label.as_deref()).or_default().push(rows);
    }
    let mut held_out = Vec::new();
    // What earlier labels missed of their share, so that the whole comes out right too.
    let mut owed = 0.0;
    for texts in strata.values_mut() {
        shuffle(texts, &mut random);
        let rows: usize = texts.iter().map(Vec::len).sum();
        let wanted = share * rows as f64 + owed;
        let mut taken = 0_usize;
        for text in texts.iter() {
            // Taken if that comes nearer to what is wanted than leaving it.
            if taken as f64 + text.len() as f64 / 2.0 <= wanted {
                held_out.extend_from_slice(text);
                taken += text.len();
            }
        }
        owed = wanted - taken as f64;
    }
    held_out.sort_unstable();
    let mut held = vec![false; examples.len()];
    for &row in &held_out {
        held[row] = true;
    }
    Ok(Split { fitted: (0..examples.len()).filter(|&row| !held[row]).collect(), held_out })
}

/// Whole numbers in proportion to `sizes` that add up to `total` (largest remainders; `total` at most their sum).
fn proportional(sizes: &[usize], total: usize) -> Vec<usize> {
    let sum: usize = sizes.iter().sum();
    let exact = |size: usize| size as u128 * total as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (exact(size) / sum.max(1) as u128) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&index| std::cmp::Reverse(exact(sizes[index]) % sum.max(1) as u128));
    let missing = total - shares.iter().sum::<usize>();
    for &index in by_remainder.iter().take(missing) {
        shares[index] += 1;
    }
    shares
}

/// Fisher–Yates with 64-bit numbers on every target.
fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        let place = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        items.swap(last, place as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(list: &[(u8, u8)]) -> Vec<Example> {
        (list.iter().enumerate())
            .map(|(index, (text, label))| Example {
                id: index.to_string(),
                text: format!("text {text}"),
                label: (*label > 0).then(|| format!("label {label}")),
                group: None,
                line: index as u64 + 1,
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_everywhere() {
        let data = rows(&(0..20).map(|i| (i, i % 2 + 1)).collect::<Vec<_>>());
        // Pinned: a change would silently change every `--limit N --seed S` that people have written down.
        assert_eq!(sample(&data, 6, 7), [1, 4, 8, 11, 12, 13]);
        assert_ne!(sample(&data, 6, 7), sample(&data, 6, 8));
        assert_eq!(split(&data, 0.25, 7).unwrap().held_out, [4, 8, 11, 12, 13]);
    }

    #[test]
    fn shares_are_numbers_between_zero_and_one() {
        for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(split(&rows(&[(1, 1), (2, 2)]), share, 0).is_err());
        }
        assert_eq!(split(&[], 0.5, 0).unwrap(), Split { fitted: vec![], held_out: vec![] });
    }

    #[test]
    fn every_order_is_equally_likely() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, &mut random);
            *counts.entry(items).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Standard deviation of each count is 31.
        assert!(counts.values().all(|count| (count - 1000).abs() < 150), "{counts:?}");
    }

    proptest! {
        #[test]
        fn samples_are_proportional(list in prop::collection::vec((any::<u8>(), 0u8..4), 0..60), limit in 0usize..70, seed in any::<u64>()) {
            let data = rows(&list);
            let chosen = sample(&data, limit, seed);
            prop_assert_eq!(chosen.len(), limit.min(data.len()));
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            for label in 0..4 {
                let all = list.iter().filter(|row| row.1 == label).count() as f64;
                let mine = chosen.iter().filter(|&&row| list[row].1 == label).count() as f64;
                prop_assert!((mine - all * chosen.len() as f64 / list.len().max(1) as f64).abs() < 1.0);
            }
        }

        #[test]
        fn splits_keep_texts_together(list in prop::collection::vec((0u8..40, 0u8..4), 0..80), share in 0.01f64..0.99, seed in any::<u64>()) {
            let data = rows(&list);
            let Split { fitted, held_out } = split(&data, share, seed).unwrap();
            let mut all: Vec<_> = fitted.iter().chain(&held_out).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..data.len()).collect::<Vec<_>>());
            prop_assert!(fitted.iter().all(|&a| held_out.iter().all(|&b| data[a].text != data[b].text)));
            let longest = (0..40).map(|text| list.iter().filter(|row| row.0 == text).count()).max().unwrap_or(0);
            let miss = (held_out.len() as f64 - share * data.len() as f64).abs();
            prop_assert!(miss <= longest as f64 / 2.0 + 4.0, "{} {}", miss, longest);
        }
    }
}
