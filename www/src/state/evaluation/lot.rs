//! Texts drawn by lot: for labels that a promise may rest on, and for a first look at large data.

/// A text's lot: the same on every visit, so that one goes on where one stopped.
pub fn lot(text: usize) -> u64 {
    let mixed = (text as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// So many of these texts, drawn by lot, in their order.
pub fn sample(mut texts: Vec<usize>, count: usize) -> Vec<usize> {
    texts.sort_by_key(|text| lot(*text));
    texts.truncate(count);
    texts.sort_unstable();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all_texts() {
        let drawn = sample((0..10_000).collect(), 500);
        assert!(drawn.len() == 500 && drawn.is_sorted());
        for tenth in 0..10 {
            let inside = drawn.iter().filter(|text| **text / 1000 == tenth).count();
            assert!((30..=70).contains(&inside), "{inside} of the tenth {tenth}");
        }
        assert_eq!(sample(vec![4, 2], 500), [2, 4]);
    }
}
