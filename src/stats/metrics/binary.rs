//! Metrics of scores against 0/1 outcomes that need no bins: Brier, log loss, ROC AUC, AURC, Spiegelhalter's z.

use super::View;

/// Share of outcomes that are 1; the accuracy, where outcomes say "correct".
pub fn accuracy(view: View) -> f64 {
    view.positives() as f64 / view.total() as f64
}

/// Mean score.
pub fn mean_score(view: View) -> f64 {
    view.sum(|p, _| p) / view.total() as f64
}

/// Brier score: the mean squared difference of score and outcome (Brier 1950).
pub fn brier(view: View) -> f64 {
    view.sum(|p, y| (p - y) * (p - y)) / view.total() as f64
}

/// Log loss: mean negative log-likelihood, natural logarithm, scores clipped to `[1e-15, 1 − 1e-15]`.
pub fn log_loss(view: View) -> f64 {
    view.mean_log_loss()
}

/// Area under the ROC curve: the chance that a random positive scores above a random negative, ties counting half
/// (Mann–Whitney). `None` with one class only.
pub fn roc_auc(view: View) -> Option<f64> {
    let (counts, outcomes) = (view.counts(), view.outcomes());
    // Twice the number of ordered pairs, so that ties stay whole numbers.
    let (mut negatives, mut positives, mut pairs) = (0_u64, 0_u64, 0_u128);
    for tie in view.ties() {
        let (mut all, mut right) = (0_u64, 0_u64);
        for row in tie {
            all += u64::from(counts[row]);
            right += u64::from(counts[row]) * outcomes[row] as u64;
        }
        let wrong = all - right;
        pairs += u128::from(right) * u128::from(2 * negatives + wrong);
        negatives += wrong;
        positives += right;
    }
    (negatives > 0 && positives > 0).then(|| pairs as f64 / 2.0 / (negatives as f64 * positives as f64))
}

/// Area under the risk–coverage curve (Geifman & El-Yaniv 2018): the mean, over all coverages, of the error rate among
/// the most confident rows. Rows with equal scores are taken in input order.
pub fn aurc(view: View) -> f64 {
    let (counts, outcomes) = (view.counts(), view.outcomes());
    let (mut taken, mut errors, mut area) = (0_u64, 0_u64, 0.0);
    for tie in view.ties().rev() {
        for row in tie {
            let wrong = 1 - outcomes[row] as u64;
            // Before the first error every risk is 0, and there is nothing to divide.
            if errors + wrong == 0 {
                taken += u64::from(counts[row]);
                continue;
            }
            for _ in 0..counts[row] {
                taken += 1;
                errors += wrong;
                area += errors as f64 / taken as f64;
            }
        }
    }
    area / taken as f64
}

/// Spiegelhalter's z (1986): the Brier score's deviation from what calibrated scores would give, in standard errors.
/// `None` when a score is exactly 0 or 1 (calibration then allows no error at all) or every score is ½.
pub fn spiegelhalter_z(view: View) -> Option<f64> {
    let counted = |row: &usize| view.counts()[*row] > 0;
    let first = (0..view.counts().len()).find(counted)?;
    let last = (0..view.counts().len()).rev().find(counted)?;
    if view.scores()[first] <= 0.0 || view.scores()[last] >= 1.0 {
        return None;
    }
    let variance = view.sum(|p, _| (1.0 - 2.0 * p) * (1.0 - 2.0 * p) * p * (1.0 - p));
    if variance <= 0.0 {
        return None;
    }
    crate::numeric::finite(view.sum(|p, y| (y - p) * (1.0 - 2.0 * p)) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::Sample;
    use super::*;
    use proptest::prelude::*;

    fn sample(rows: &[(f64, u8)]) -> Sample {
        let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().map(|&(p, y)| (p, y == 1)).unzip();
        Sample::new(&scores, &correct).unwrap()
    }

    #[test]
    fn small_cases_by_hand() {
        let s = sample(&[(0.9, 1), (0.8, 0), (0.8, 1), (0.3, 0)]);
        assert_eq!(accuracy(s.view()), 0.5);
        assert!((brier(s.view()) - (0.01 + 0.64 + 0.04 + 0.09) / 4.0).abs() < 1e-15);
        // Pairs (positive, negative): .9 beats both; .8 ties one, beats the other.
        assert_eq!(roc_auc(s.view()), Some(3.5 / 4.0));
        // Taken in order .9 right, .8 wrong (first in input), .8 right, .3 wrong.
        assert!((aurc(s.view()) - (0.0 + 0.5 + 1.0 / 3.0 + 0.5) / 4.0).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_exist_is_none() {
        assert_eq!(roc_auc(sample(&[(0.9, 1), (0.2, 1)]).view()), None);
        assert_eq!(spiegelhalter_z(sample(&[(1.0, 1), (0.2, 1)]).view()), None);
        assert_eq!(spiegelhalter_z(sample(&[(0.5, 1), (0.5, 0)]).view()), None);
        assert!(log_loss(sample(&[(1.0, 0)]).view()).is_finite());
        assert!((log_loss(sample(&[(0.0, 0)]).view()) - 1e-15).abs() < 1e-20);
        assert!((log_loss(sample(&[(1.0, 0)]).view()) - 34.539_575_992_340_88).abs() < 1e-12);
    }

    proptest! {
        /// A view that counts rows equals a sample with those rows repeated.
        #[test]
        fn counts_are_repetitions(
            rows in prop::collection::vec((0_u8..=20, 0_u8..2, 0_u32..4), 1..60).prop_filter("some row", |rows| rows.iter().any(|r| r.2 > 0)),
        ) {
            let plain: Vec<(f64, u8)> = rows.iter().map(|r| (f64::from(r.0) / 20.0, r.1)).collect();
            let repeated: Vec<(f64, u8)> = rows
                .iter()
                .flat_map(|r| std::iter::repeat_n((f64::from(r.0) / 20.0, r.1), r.2 as usize))
                .collect();
            let (plain, repeated) = (sample(&plain), sample(&repeated));
            let counts: Vec<u32> = plain.order().iter().map(|&row| rows[row as usize].2).collect();
            let (view, expected) = (plain.counted(&counts), repeated.view());
            for metric in [accuracy, mean_score, brier, log_loss, aurc] {
                prop_assert!((metric(view) - metric(expected)).abs() < 1e-12);
            }
            for metric in [roc_auc, spiegelhalter_z] {
                match (metric(view), metric(expected)) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9 * (1.0 + b.abs())),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }

        #[test]
        fn finite_symmetric_and_blind_to_order(rows in prop::collection::vec((0.0_f64..=1.0, 0_u8..2), 1..80)) {
            let s = sample(&rows);
            for metric in [brier, log_loss, aurc, accuracy] {
                prop_assert!(metric(s.view()).is_finite());
            }
            let swapped: Vec<(f64, u8)> = rows.iter().map(|&(p, y)| (p, 1 - y)).collect();
            if let (Some(auc), Some(other)) = (roc_auc(s.view()), roc_auc(sample(&swapped).view())) {
                prop_assert!((auc + other - 1.0).abs() < 1e-12);
            }
            let mirrored: Vec<(f64, u8)> = rows.iter().map(|&(p, y)| (1.0 - p, 1 - y)).collect();
            prop_assert!((brier(s.view()) - brier(sample(&mirrored).view())).abs() < 1e-12);
            let reversed: Vec<(f64, u8)> = rows.iter().rev().copied().collect();
            let reversed = sample(&reversed);
            prop_assert!((brier(s.view()) - brier(reversed.view())).abs() < 1e-12);
            prop_assert_eq!(roc_auc(s.view()), roc_auc(reversed.view()));
            if let Some(z) = spiegelhalter_z(s.view()) {
                prop_assert!(z.is_finite());
            }
        }
    }
}
