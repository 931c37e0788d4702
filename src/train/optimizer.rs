//! AdamW (Loshchilov and Hutter 2019) over one list of numbers, with clipping by the gradient's length.

use serde::{Deserialize, Serialize};

use crate::platform;

/// Decay of the mean of gradients.
const BETA1: f64 = 0.9;
/// Decay of the mean of squared gradients.
const BETA2: f64 = 0.999;
/// Keeps the division finite.
const EPSILON: f64 = 1e-8;

/// Numbers that a thread takes at a time.
pub const CHUNK: usize = 1 << 15;

/// The optimizer's memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Steps taken.
    pub steps: usize,
    /// Mean of the gradients.
    pub first: Vec<f32>,
    /// Mean of the squared gradients.
    pub second: Vec<f32>,
}

impl AdamW {
    /// An optimizer of `count` numbers that has seen nothing.
    pub fn new(count: usize) -> Self {
        Self { steps: 0, first: vec![0.0; count], second: vec![0.0; count] }
    }

    /// One step along a gradient.
    pub fn step(&mut self, values: &mut [f32], gradient: &[f32], rate: f64, weight_decay: f64) {
        self.steps += 1;
        let steps = self.steps as i32;
        let (correct1, correct2) = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
        let decay = (1.0 - rate * weight_decay) as f32;
        let size = (rate / correct1) as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let (inverse, epsilon) = ((1.0 / correct2) as f32, EPSILON as f32);
        let moments = self.first.chunks_mut(CHUNK).zip(self.second.chunks_mut(CHUNK));
        let mut chunks: Vec<_> = values.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).zip(moments).collect();
        platform::for_each_chunk(&mut chunks, 1, |_, chunk| {
            let ((values, gradient), (first, second)) = &mut chunk[0];
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient.iter()).zip(moments) {
                *first = beta1 * *first + (1.0 - beta1) * gradient;
                *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                *value = *value * decay - size * *first / ((*second * inverse).sqrt() + epsilon);
            }
        });
    }
}

/// The length of a gradient.
pub fn length(gradient: &[f32]) -> f64 {
    let of_chunk = |chunk: &[f32]| chunk.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
    let chunks: Vec<&[f32]> = gradient.chunks(CHUNK).collect();
    platform::map_indices(chunks.len(), |at| of_chunk(chunks[at])).iter().sum::<f64>().sqrt()
}

/// Scales a gradient down to `longest` if it is longer; returns the length it had.
pub fn clip(gradient: &mut [f32], longest: f64) -> f64 {
    let length = length(gradient);
    if length > longest {
        let factor = (longest / length) as f32;
        gradient.iter_mut().for_each(|g| *g *= factor);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_paper() {
        // Two steps of torch.optim.AdamW(lr=0.1, weight_decay=0.01) from [1, -2] with gradients [0.5, -1] and [0.1, 3].
        let mut optimizer = AdamW::new(2);
        let mut values = [1.0, -2.0];
        optimizer.step(&mut values, &[0.5, -1.0], 0.1, 0.01);
        assert!((values[0] - 0.899).abs() < 1e-6 && (values[1] + 1.898).abs() < 1e-6, "{values:?}");
        optimizer.step(&mut values, &[0.1, 3.0], 0.1, 0.01);
        // By hand: m = 0.055 / 0.19, v = 0.00025975 / 0.001999; m = 0.21 / 0.19, v = 0.009999 / 0.001999.
        let want = |value: f64, m: f64, v: f64| value * 0.999 - 0.1 * m / (v.sqrt() + 1e-8);
        assert!((f64::from(values[0]) - want(0.899, 0.055 / 0.19, 0.00025975 / 0.001999)).abs() < 1e-5, "{values:?}");
        assert!((f64::from(values[1]) - want(-1.898, 0.21 / 0.19, 0.009999 / 0.001999)).abs() < 1e-5, "{values:?}");
    }

    #[test]
    fn long_gradients_are_cut_and_short_ones_kept() {
        let mut gradient = [3.0, 4.0];
        assert_eq!(clip(&mut gradient, 10.0), 5.0);
        assert_eq!(gradient, [3.0, 4.0]);
        clip(&mut gradient, 1.0);
        assert!((length(&gradient) - 1.0).abs() < 1e-6);
    }
}
