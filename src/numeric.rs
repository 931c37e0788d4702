//! Small numeric pieces that every floor needs: log-sum-exp, the logistic function, compensated sums.
//!
//! Not statistics (those are in `stats`) and not kernels (those are in `engine`): scalar float64 mathematics whose
//! edge cases (infinities, empty input) are decided once, here.
//!
//! The elementary functions are here too. `f64::exp` and its like are the platform's own, and two platforms differ in
//! the last bit now and then; then the same rows would have one fingerprint in the browser and another on the command
//! line. These give the same bits everywhere, so everything from the engine's scores to the report uses them
//! (`tests/architecture.rs` holds it).

/// `e^x`.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// The natural logarithm.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// `ln(1 + x)`, accurate near zero.
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// The logarithm to base ten.
pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}

/// `x^y`.
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// `log(sum(exp(x)))` without overflow; negative infinity for an empty slice or when every element is.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() {
        return max;
    }
    max + ln(values.iter().map(|v| exp(v - max)).sum::<f64>())
}

/// The logistic function `1 / (1 + exp(-x))`, accurate in both tails.
pub fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + exp(-x))
    } else {
        let e = exp(x);
        e / (1.0 + e)
    }
}

/// The log-odds `ln(p / (1 - p))`.
pub fn logit(p: f64) -> f64 {
    ln(p) - ln_1p(-p)
}

/// `ln(1 + exp(x))` without overflow.
pub fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + ln_1p(exp(-x)) } else { ln_1p(exp(x)) }
}

/// A sum with Neumaier's compensation: a million small terms lose nothing.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    total + lost
}

/// A finite number, or `None`: JSON has no NaN, and a number that does not exist is `null`.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sum_exp_survives_the_extremes() {
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
        assert!((log_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
        assert!((log_sum_exp(&[-1000.0, -1001.0]) - (-1000.0 + 1.0_f64.exp().recip().ln_1p())).abs() < 1e-12);
    }

    #[test]
    fn logistic_and_logit_are_inverse() {
        for x in [-30.0, -5.0, -1e-9, 0.0, 0.3, 4.0, 20.0] {
            assert!((logit(logistic(x)) - x).abs() < 1e-6 * (1.0 + f64::abs(x)), "{x}");
        }
        assert_eq!(logistic(-1000.0), 0.0);
        assert_eq!(logistic(1000.0), 1.0);
        assert!((softplus(800.0) - 800.0).abs() < 1e-12);
    }

    #[test]
    fn compensated_sum_keeps_small_terms() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }
}
