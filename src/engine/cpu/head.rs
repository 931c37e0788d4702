//! Reading the logits: full-vocabulary log-sum-exp, label gather and the most likely tokens.

use crate::engine::batch::{Query, SegmentScores};
use crate::engine::cpu::instructions::dispatch;
use crate::engine::cpu::layers::SumOfExponentials;
use crate::numeric::ln;

/// Reads one row of logits.
pub fn read_logits(logits: &[f32], query: &Query) -> SegmentScores {
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, logit| if *logit > max { *logit } else { max });
    let total = dispatch(SumOfExponentials { x: logits, max });
    let log_sum_exp = f64::from(max) + ln(total);
    let logprob = |id: u32| logits.get(id as usize).map_or(f64::NEG_INFINITY, |l| f64::from(*l) - log_sum_exp);
    SegmentScores {
        gathered: query.gather.iter().map(|id| logprob(*id)).collect(),
        top: most_likely(logits, query.top).into_iter().map(|id| (id, logprob(id))).collect(),
        last_row: Vec::new(),
    }
}

/// The ids of the `count` largest logits, largest first, ties by id.
fn most_likely(logits: &[f32], count: usize) -> Vec<u32> {
    let count = count.min(logits.len());
    let mut top: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
    if count == 0 {
        return Vec::new();
    }
    for (id, logit) in logits.iter().enumerate() {
        // Ids come in order, so an equal logit belongs behind those that are there.
        if top.len() < count || logit.total_cmp(&top[count - 1].0).is_gt() {
            let place = top.partition_point(|(other, _)| logit.total_cmp(other).is_le());
            top.insert(place, (*logit, id as u32));
            top.truncate(count);
        }
    }
    top.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_distribution() {
        let logits = [0.0_f32, 3.0, 1.0, 3.0];
        let scores = read_logits(&logits, &Query { gather: vec![2, 0], top: 3 });
        let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
        assert!((scores.gathered[0] - (1.0 - total.ln())).abs() < 1e-6);
        assert!((scores.gathered[1] + total.ln()).abs() < 1e-6);
        assert_eq!(scores.top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3, 2]);
    }

    #[test]
    fn the_most_likely_equal_a_full_sort() {
        let logits: Vec<f32> = (0..300).map(|i| ((i * 71 % 113) as f32).sin() * 9.0).collect();
        let mut want: Vec<u32> = (0..300).collect();
        want.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
        for count in [0, 1, 12, 299, 300, 400] {
            assert_eq!(most_likely(&logits, count), want[..count.min(300)]);
        }
    }
}
