//! L-BFGS for smooth functions of tens to thousands of variables.

use super::line_search;

/// Where L-BFGS ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// The objective there.
    pub value: f64,
    /// Whether a stopping rule was met within the iterations allowed.
    pub converged: bool,
}

/// When L-BFGS ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    /// When no gradient component is larger.
    pub gradient: f64,
    /// When an iteration lowers the value by less than this share of it.
    pub decrease: f64,
    /// After so many iterations, unconverged.
    pub iterations: usize,
}

/// Pairs of steps and gradient changes that L-BFGS remembers.
const MEMORY: usize = 10;

/// Minimizes a smooth function by L-BFGS (Nocedal & Wright, algorithm 7.5) with the line search of Moré and Thuente.
///
/// `objective(point, gradient)` writes the gradient and returns the value. With the same start and stopping rule it
/// takes the steps of L-BFGS-B without bounds (Zhu, Byrd, Lu & Nocedal 1997), and so ends where that ends.
pub fn lbfgs(start: Vec<f64>, stopping: Stopping, objective: impl Fn(&[f64], &mut [f64]) -> f64) -> Minimum {
    let n = start.len();
    let (mut point, mut gradient) = (start, vec![0.0; n]);
    let mut value = objective(&point, &mut gradient);
    let mut history: Vec<Pair> = Vec::new();
    let (mut next_point, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
    if largest(&gradient) <= stopping.gradient {
        return Minimum { point, value, converged: true };
    }
    for iteration in 0..stopping.iterations {
        let direction = two_loop(&gradient, &history);
        let slope = dot(&direction, &gradient);
        // The very first step has no scale yet: unit length at most.
        let first = if iteration == 0 { (1.0 / dot(&direction, &direction).sqrt()).min(1e10) } else { 1.0 };
        let mut next_value = value;
        let step = (slope < 0.0).then(|| {
            line_search::search(value, slope, first, |step| {
                for i in 0..n {
                    next_point[i] = point[i] + step * direction[i];
                }
                next_value = objective(&next_point, &mut next_gradient);
                (next_value, dot(&direction, &next_gradient))
            })
        });
        let Some(Some(step)) = step else {
            // Without memory the direction was the steepest one: nothing is left to try.
            if history.is_empty() {
                return Minimum { point, value, converged: false };
            }
            history.clear();
            continue;
        };
        let gained = value - next_value;
        let scale = value.abs().max(next_value.abs()).max(1.0);
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = (dot(&direction, &next_gradient) - slope) * step;
        std::mem::swap(&mut point, &mut next_point);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = next_value;
        if largest(&gradient) <= stopping.gradient || gained <= stopping.decrease * scale {
            return Minimum { point, value, converged: true };
        }
        if curvature > f64::EPSILON * -slope * step {
            if history.len() == MEMORY {
                history.remove(0);
            }
            let step: Vec<f64> = direction.iter().map(|d| step * d).collect();
            history.push(Pair { step, change, rho: 1.0 / curvature });
        }
    }
    Minimum { point, value, converged: false }
}

/// A step, the change of the gradient over it, and one over their product.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    rho: f64,
}

/// The search direction: minus the inverse Hessian estimate times the gradient.
fn two_loop(gradient: &[f64], history: &[Pair]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(history.len());
    for Pair { step, change, rho } in history.iter().rev() {
        let alpha = rho * dot(step, &q);
        q.iter_mut().zip(change).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some(Pair { change, rho, .. }) = history.last() {
        let gamma = 1.0 / (rho * dot(change, change));
        q.iter_mut().for_each(|q| *q *= gamma);
    }
    for (Pair { step, change, rho }, alpha) in history.iter().zip(alphas.iter().rev()) {
        let beta = rho * dot(change, &q);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| f64::max(most, value.abs()))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lbfgs_solves_an_ill_conditioned_quadratic() {
        let weights: Vec<f64> = (0..30).map(|i| 10.0_f64.powf(f64::from(i) / 10.0)).collect();
        let stopping = Stopping { gradient: 1e-9, decrease: 0.0, iterations: 500 };
        let minimum = lbfgs(vec![0.0; 30], stopping, |x, g| {
            let mut value = 0.0;
            for i in 0..30 {
                let d = x[i] - i as f64;
                g[i] = weights[i] * d;
                value += 0.5 * weights[i] * d * d;
            }
            value
        });
        assert!(minimum.converged);
        for (i, x) in minimum.point.iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-5, "{i}: {x}");
        }
    }
}
