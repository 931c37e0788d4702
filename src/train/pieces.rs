//! Backward forms of the small pieces of a layer: RMS norm, gated activation, dropout.
//!
//! Forward forms are the engine's (`engine::cpu::layers`). Loops are compiled for the instruction set in use.

use crate::engine::cpu::instructions::{InstructionSet, Kernel, dispatch};
use crate::engine::cpu::layers::exponential;
use crate::platform;

/// `Σ f(i)` in sixteen sums, so that compilers vectorize it.
#[inline(always)]
pub fn lane_sum(count: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0_f32; 16];
    let whole = count / 16 * 16;
    let mut at = 0;
    while at < whole {
        for lane in 0..16 {
            sums[lane] += term(at + lane);
        }
        at += 16;
    }
    sums.iter().sum::<f32>() + (whole..count).map(term).sum::<f32>()
}

/// Adds the gradient of [`rms_norm`](crate::engine::cpu::layers::rms_norm)'s input to `out`, row by row of
/// `weight.len()` numbers, given the gradient of its output and the input.
pub fn add_rms_norm_gradient(out: &mut [f32], gradient: &[f32], x: &[f32], weight: &[f32], epsilon: f32) {
    let width = weight.len();
    platform::for_each_chunk(out, width, |row, out| {
        let (gradient, x) = (&gradient[row * width..][..width], &x[row * width..][..width]);
        dispatch(NormGradient { out, gradient, x, weight, epsilon });
    });
}

struct NormGradient<'a> {
    out: &'a mut [f32],
    gradient: &'a [f32],
    x: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
}

impl Kernel for NormGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        let n = self.x.len();
        let (x, gradient, weight) = (self.x, &self.gradient[..n], &self.weight[..n]);
        let square = lane_sum(n, |i| x[i] * x[i]) / n as f32;
        let inverse = 1.0 / (square + self.epsilon).sqrt();
        let along = lane_sum(n, |i| gradient[i] * weight[i] * x[i]);
        let back = along * inverse * inverse * inverse / n as f32;
        for (i, out) in self.out[..n].iter_mut().enumerate() {
            *out += gradient[i] * weight[i] * inverse - x[i] * back;
        }
    }
}

/// Turns `gate` and `up` into the gradients of themselves, given the gradient of `silu(gate) · up`.
pub fn silu_gate_gradient(gate: &mut [f32], up: &mut [f32], gradient: &[f32], width: usize) {
    let mut rows: Vec<(&mut [f32], &mut [f32])> = gate.chunks_mut(width).zip(up.chunks_mut(width)).collect();
    platform::for_each_chunk(&mut rows, 1, |row, pair| {
        let (gate, up) = &mut pair[0];
        dispatch(GateGradient { gate, up, gradient: &gradient[row * width..][..width] });
    });
}

struct GateGradient<'a> {
    gate: &'a mut [f32],
    up: &'a mut [f32],
    gradient: &'a [f32],
}

impl Kernel for GateGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: InstructionSet>(self) {
        for ((gate, up), gradient) in self.gate.iter_mut().zip(self.up.iter_mut()).zip(self.gradient) {
            let share = 1.0 / (1.0 + exponential(-*gate));
            let (g, u) = (*gate, *up);
            *gate = gradient * u * (share + g * share * (1.0 - share));
            *up = gradient * g * share;
        }
    }
}

/// Which inputs of a low-rank pair a step leaves out. The choice is a function of its key and the place, so backward finds
/// it again without keeping it.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Share that is left out.
    pub share: f64,
    /// What makes one use differ from another.
    pub key: u64,
}

impl Dropout {
    /// `x` with the share left out and the rest scaled up, as a function of `salt` too.
    pub fn apply(&self, x: &[f32], salt: u64) -> Vec<f32> {
        let mut out = x.to_vec();
        self.apply_in_place(&mut out, salt);
        out
    }

    /// [`Self::apply`] in place.
    pub fn apply_in_place(&self, x: &mut [f32], salt: u64) {
        const CHUNK: usize = 4096;
        let limit = (self.share * f64::from(u32::MAX)) as u32;
        let kept = (1.0 / (1.0 - self.share)) as f32;
        let start = mixed(self.key ^ mixed(salt));
        platform::for_each_chunk(x, CHUNK, |chunk, x| {
            for (at, x) in x.iter_mut().enumerate() {
                let random = (mixed(start.wrapping_add((chunk * CHUNK + at) as u64)) >> 32) as u32;
                *x *= if random < limit { 0.0 } else { kept };
            }
        });
    }
}

/// SplitMix64 (Steele 2014): neighbouring numbers become unrelated ones.
pub fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::layers::{rms_norm, silu_gate};

    /// Compares a gradient with central differences of `Σ weights · f(x)`.
    fn check(x: &[f32], gradient: &[f32], value: impl Fn(&[f32]) -> f64) {
        for at in 0..x.len() {
            let moved = |by: f32| {
                let mut x = x.to_vec();
                x[at] += by;
                value(&x)
            };
            let want = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!(
                (f64::from(gradient[at]) - want).abs() < 2e-3 * (1.0 + want.abs()),
                "{at}: {}, {want}",
                gradient[at]
            );
        }
    }

    fn numbers(count: usize, step: usize) -> Vec<f32> {
        (0..count).map(|i| (i * step % 23) as f32 / 11.0 - 1.0).collect()
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let (x, weight, towards) = (numbers(70, 7), numbers(35, 3), numbers(70, 5));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let mut out = vec![0.0; 70];
        add_rms_norm_gradient(&mut out, &towards, &x, &weight, 1e-5);
        check(&x, &out, |x| dot(&rms_norm(x, &weight, 1e-5), &towards));

        let (gate, up) = (numbers(70, 7), numbers(70, 9));
        let (mut d_gate, mut d_up) = (gate.clone(), up.clone());
        silu_gate_gradient(&mut d_gate, &mut d_up, &towards, 35);
        let value = |gate: &[f32], up: &[f32]| {
            let mut gate = gate.to_vec();
            silu_gate(&mut gate, up, 35);
            dot(&gate, &towards)
        };
        check(&gate, &d_gate, |gate| value(gate, &up));
        check(&up, &d_up, |up| value(&gate, up));
    }

    #[test]
    fn dropout_leaves_out_its_share_and_can_be_repeated() {
        let dropout = Dropout { share: 0.25, key: 5 };
        let x = vec![1.0; 40_000];
        let kept = dropout.apply(&x, 1);
        let out = kept.iter().filter(|x| **x == 0.0).count() as f64 / 40_000.0;
        assert!((out - 0.25).abs() < 0.01, "{out}");
        assert!(kept.iter().all(|x| *x == 0.0 || (*x - 4.0 / 3.0).abs() < 1e-6));
        assert_eq!(kept, dropout.apply(&x, 1));
        assert_ne!(kept, dropout.apply(&x, 2));
    }
}
