//! CORP decomposition of the Brier score (Dimitriadis, Gneiting & Jordan 2021): what recalibration could gain
//! (miscalibration), what the scores know beyond the base rate (discrimination), and what the base rate leaves open
//! (uncertainty). Brier = MCB − DSC + UNC, with the PAV curve as the recalibrated score: no bins to choose.

use serde::{Deserialize, Serialize};

use super::View;

/// The decomposition; each part is at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Corp {
    /// Miscalibration: Brier score minus that of the PAV-recalibrated scores.
    pub mcb: f64,
    /// Discrimination: uncertainty minus the Brier score of the PAV-recalibrated scores.
    pub dsc: f64,
    /// Uncertainty: the Brier score of the base rate.
    pub unc: f64,
}

/// CORP decomposition of the Brier score.
pub fn corp(view: View) -> Corp {
    let total = view.total() as f64;
    let base = view.positives() as f64;
    let unc = base * (total - base) / (total * total);
    let recalibrated = recalibrated_brier(view);
    // The parts are differences of nearly equal numbers; rounding must not make them negative.
    Corp { mcb: (super::binary::brier(view) - recalibrated).max(0.0), dsc: (unc - recalibrated).max(0.0), unc }
}

/// The Brier score of the PAV fit. Of a block with `k` positives among `m` rows it is `k (m − k) / m`, so only the
/// blocks' counts are needed, and pooling compares whole numbers exactly.
fn recalibrated_brier(view: View) -> f64 {
    let (counts, outcomes) = (view.counts(), view.outcomes());
    let mut blocks: Vec<(u64, u64)> = Vec::with_capacity(64);
    for tie in view.ties() {
        let (mut all, mut right) = (0_u64, 0_u64);
        for row in tie {
            all += u64::from(counts[row]);
            right += u64::from(counts[row]) * outcomes[row] as u64;
        }
        if all == 0 {
            continue;
        }
        while let Some(&(before_all, before_right)) = blocks.last()
            && u128::from(before_right) * u128::from(all) >= u128::from(right) * u128::from(before_all)
        {
            blocks.pop();
            all += before_all;
            right += before_right;
        }
        blocks.push((all, right));
    }
    let loss: f64 = blocks.iter().map(|&(all, right)| right as f64 * (all - right) as f64 / all as f64).sum();
    loss / view.total() as f64
}

#[cfg(test)]
mod tests {
    use super::super::{Sample, binary};
    use super::*;
    use crate::stats::pava::isotonic;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn adds_up_and_agrees_with_the_isotonic_fit(rows in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 1..80)) {
            let (scores, correct): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
            let sample = Sample::new(&scores, &correct).unwrap();
            let parts = corp(sample.view());
            prop_assert!((parts.mcb - parts.dsc + parts.unc - binary::brier(sample.view())).abs() < 1e-12);
            prop_assert!(parts.mcb >= 0.0 && parts.dsc >= 0.0 && parts.unc <= 0.25 && parts.dsc <= parts.unc + 1e-15);
            let targets: Vec<f64> = correct.iter().map(|&c| f64::from(u8::from(c))).collect();
            let fitted = isotonic(&scores, &targets, None).unwrap();
            let brier = rows.iter().map(|r| (fitted.predict(r.0) - f64::from(u8::from(r.1))).powi(2)).sum::<f64>();
            prop_assert!((recalibrated_brier(sample.view()) - brier / rows.len() as f64).abs() < 1e-12);
        }
    }
}
