//! Special functions: what intervals and tests need of the normal, beta, binomial and t distributions.
//!
//! The error function and log-gamma are those of `libm`. The incomplete beta function is here because it must stay
//! exact for a million rows: its leading factor is computed by Loader's saddle-point form (no difference of huge
//! log-gammas) and its continued fraction runs until it has converged, not for a fixed number of terms. Against
//! scipy's values they agree to 1e-10 relative or better, far tails and a million rows included.

use crate::numeric::{exp, ln};
use std::f64::consts::{PI, SQRT_2};

/// `ln(sqrt(2 * pi))`.
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// The standard normal distribution function `P(Z <= z)`.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// The standard normal density.
pub fn normal_density(z: f64) -> f64 {
    exp(-0.5 * z * z - LN_SQRT_2_PI)
}

/// The standard normal quantile: the `z` with `P(Z <= z) = p`; infinite at 0 and 1, NaN outside.
///
/// A rational start (Acklam's form, good to 1e-9) polished by one Halley step on `erfc`.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    const CENTRE_NUMERATOR: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const CENTRE_DENOMINATOR: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const TAIL_NUMERATOR: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const TAIL_DENOMINATOR: [f64; 5] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let start = if p < 0.024_25 {
        let q = (-2.0 * ln(p)).sqrt();
        polynomial(&TAIL_NUMERATOR, q) / polynomial(&TAIL_DENOMINATOR, q)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&CENTRE_NUMERATOR, r) * q / polynomial(&CENTRE_DENOMINATOR, r)
    };
    let density = normal_density(start);
    if density == 0.0 {
        return start;
    }
    // Near the median `erf` keeps the digits of a small quantile, in the tail `erfc` does.
    let excess = if start > -0.5 { 0.5 * libm::erf(start / SQRT_2) - (p - 0.5) } else { normal_cdf(start) - p };
    let step = excess / density;
    start - step / (1.0 + 0.5 * start * step)
}

/// What Stirling's formula misses: `ln Γ(x + 1) − ((x + ½) ln x − x + ½ ln 2π)`, for `x > 0`.
fn stirling_error(x: f64) -> f64 {
    if x < 16.0 {
        return libm::lgamma(x + 1.0) - (x + 0.5) * ln(x) + x - LN_SQRT_2_PI;
    }
    let r = 1.0 / (x * x);
    (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0))))) / x
}

/// Loader's deviance part `x ln(x / m) + m − x`, without cancellation when `x` is near `m`.
fn deviance(x: f64, m: f64) -> f64 {
    let difference = x - m;
    if difference.abs() >= 0.1 * (x + m) {
        return x * ln(x / m) - difference;
    }
    let v = difference / (x + m);
    let mut sum = difference * v;
    let mut term = 2.0 * x * v;
    let square = v * v;
    for j in 1..1000 {
        term *= square;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `x^a (1 − x)^b / B(a, b)` for `a, b > 0` and `x` in `(0, 1)`; `y` is `1 − x`.
fn beta_factor(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let exponent = stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    exp(exponent) * (a * b / (2.0 * PI * n)).sqrt()
}

/// The continued fraction of the incomplete beta function (Lentz's method), for `x < (a + 1) / (a + b + 2)`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    // About sqrt(max(a, b)) terms are needed near the mean; the bound only guards against a never-ending loop.
    let limit = 1000 + (20.0 * a.max(b).sqrt()).min(1e8) as usize;
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..=limit {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Both tails of the beta distribution at `x`: `(I_x(a, b), 1 − I_x(a, b))`, each computed without cancellation where
/// it is the smaller one. `y` is `1 − x`, given apart so that an `x` next to 1 keeps its digits.
fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let factor = beta_factor(a, b, x, y);
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = (factor * beta_fraction(a, b, x) / a).clamp(0.0, 1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (factor * beta_fraction(b, a, y) / b).clamp(0.0, 1.0);
        (1.0 - upper, upper)
    }
}

/// The regularized incomplete beta function `I_x(a, b)`: the distribution function of Beta(a, b).
/// NaN unless `a, b > 0` and `x` is in `[0, 1]`.
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x)) {
        return f64::NAN;
    }
    beta_tails(a, b, x, 1.0 - x).0
}

/// The quantile of Beta(a, b): the `x` with `I_x(a, b) = p`. NaN unless `a, b > 0` and `p` is in `[0, 1]`.
pub fn inverse_incomplete_beta(a: f64, b: f64, p: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    1.0 / (1.0 + exp(-beta_quantile_log_odds(a, b, p)))
}

/// The log-odds of Beta(a, b)'s quantile at `p` in `(0, 1)`.
///
/// Newton's method on the log-odds, kept inside a shrinking bracket: it cannot leave `(0, 1)`, and quantiles such as
/// 1e-12 or 1 − 1e-12 keep their relative precision.
fn beta_quantile_log_odds(a: f64, b: f64, p: f64) -> f64 {
    let mean = a / (a + b);
    let (mut low, mut high) = (-750.0_f64, 750.0_f64);
    let mut u = ln(mean / (1.0 - mean)).clamp(-700.0, 700.0);
    for _ in 0..200 {
        let (x, y) = (1.0 / (1.0 + exp(-u)), 1.0 / (1.0 + exp(u)));
        let (lower, upper) = beta_tails(a, b, x, y);
        // The smaller tail decides, so that a quantile far out keeps its digits.
        let excess = if p <= 0.5 { lower - p } else { (1.0 - p) - upper };
        if excess > 0.0 {
            high = u;
        } else if excess < 0.0 {
            low = u;
        } else {
            break;
        }
        let slope = beta_factor(a, b, x, y);
        let newton = u - excess / slope;
        let next = if slope > 0.0 && newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - u).abs() <= 1e-15 * u.abs().max(1.0) {
            u = next;
            break;
        }
        u = next;
    }
    u
}

/// `P(X >= successes)` for `X` binomial with `trials` and probability `p`.
pub fn binomial_upper_tail(successes: u64, trials: u64, p: f64) -> f64 {
    if successes == 0 {
        return 1.0;
    }
    if successes > trials {
        return 0.0;
    }
    incomplete_beta(successes as f64, (trials - successes) as f64 + 1.0, p)
}

/// `P(X <= successes)` for `X` binomial with `trials` and probability `p`.
pub fn binomial_lower_tail(successes: u64, trials: u64, p: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    incomplete_beta((trials - successes) as f64, successes as f64 + 1.0, 1.0 - p)
}

/// The quantile of Student's t with `degrees` of freedom. NaN for `degrees <= 0` or `p` outside `[0, 1]`.
pub fn student_t_quantile(degrees: f64, p: f64) -> f64 {
    if degrees.is_nan() || degrees <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -student_t_quantile(degrees, 1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    // v/(v + t²) is Beta(v/2, ½): its log-odds give t² without cancellation. Near the centre the other tail does.
    let log_odds = if p < 0.25 {
        -beta_quantile_log_odds(degrees / 2.0, 0.5, 2.0 * p)
    } else {
        beta_quantile_log_odds(0.5, degrees / 2.0, 1.0 - 2.0 * p)
    };
    -(degrees * exp(log_odds)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(actual: f64, expected: f64, tolerance: f64, what: &str) {
        let error = (actual - expected).abs() / expected.abs().max(1e-300);
        assert!(error <= tolerance, "{what}: {actual:e}, expected {expected:e}, relative error {error:e}");
    }

    /// Values of scipy 1.x: `betainc`, `betaincinv`, `ndtri`, `ndtr`, `t.ppf`.
    #[test]
    fn agrees_with_scipy() {
        for (arguments, expected) in [
            ((0.5, 0.5, 0.3), 0.36901011956554536),
            ((1.0, 1.0, 0.7), 0.7),
            ((2.0, 3.0, 0.25), 0.26171875),
            ((0.01, 3.0, 1e-05), 0.9046640856116698),
            ((30.0, 5.0, 0.9), 0.7504082837878774),
            ((444.0, 89.0, 0.83), 0.4161434247015867),
            ((100000.0, 300000.0, 0.2501), 0.5582977694680242),
            ((500000.0, 500000.0, 0.4995), 0.1586552539314459),
            ((700000.0, 300000.0, 0.7004), 0.8086145808345087),
            ((3.0, 1000000.0, 1e-06), 0.08030167298125858),
            ((1000.0, 0.5, 0.999), 0.15724727426672383),
        ] {
            close(
                incomplete_beta(arguments.0, arguments.1, arguments.2),
                expected,
                1e-11,
                &format!("incomplete beta {arguments:?}"),
            );
        }
        for (arguments, expected) in [
            ((1.0, 1000000.0, 0.025), 2.5317807663794178e-08),
            ((444.0, 89.0, 0.025), 0.800233783724546),
            ((445.0, 88.0, 0.975), 0.865167624677045),
            ((1.0, 12.0, 0.1), 0.008741610954696706),
            ((12.0, 1.0, 0.1), 0.8254041852680184),
            ((500000.0, 500001.0, 0.975), 0.5009794808075825),
            ((0.5, 0.5, 1e-06), 2.46740110027031e-12),
            ((3.0, 7.0, 0.5), 0.2862366680227827),
            ((999999.0, 2.0, 0.025), 0.9999944283693448),
        ] {
            close(
                inverse_incomplete_beta(arguments.0, arguments.1, arguments.2),
                expected,
                1e-12,
                &format!("inverse incomplete beta {arguments:?}"),
            );
        }
        for (arguments, expected) in [
            (1e-300, -37.0470962993612),
            (1e-20, -9.262340089798409),
            (1e-06, -4.753424308822899),
            (0.001, -3.090232306167813),
            (0.024, -1.977368428181947),
            (0.025, -1.9599639845400545),
            (0.1, -1.2815515655446004),
            (0.3, -0.5244005127080409),
            (0.499999, -2.5066282745665593e-06),
            (0.7, 0.5244005127080407),
            (0.975, 1.959963984540054),
            (0.9995, 3.2905267314919255),
        ] {
            close(normal_quantile(arguments), expected, 1e-12, &format!("normal quantile {arguments:?}"));
        }
        for (arguments, expected) in [
            (-30.0, 4.906713927147908e-198),
            (-8.0, 6.22096057427174e-16),
            (-1.5, 0.06680720126885807),
            (0.3, 0.6179114221889526),
            (2.5, 0.9937903346742238),
        ] {
            close(normal_cdf(arguments), expected, 1e-12, &format!("normal cdf {arguments:?}"));
        }
        for (arguments, expected) in [
            ((1.0, 0.975), 12.706204736174694),
            ((2.0, 0.6), 0.2886751345948128),
            ((5.0, 0.025), -2.5705818356363155),
            ((30.0, 0.3), -0.5300190039065046),
            ((1000000.0, 0.975), 1.959966356814107),
            ((0.5, 0.01), -1028.4910104716218),
        ] {
            close(student_t_quantile(arguments.0, arguments.1), expected, 1e-10, &format!("t quantile {arguments:?}"));
        }
    }

    #[test]
    fn ends_and_nonsense() {
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert_eq!(normal_quantile(0.5), 0.0);
        assert!(normal_quantile(-0.1).is_nan());
        assert_eq!(incomplete_beta(2.0, 3.0, 0.0), 0.0);
        assert_eq!(incomplete_beta(2.0, 3.0, 1.0), 1.0);
        assert!(incomplete_beta(0.0, 3.0, 0.5).is_nan());
        assert!(incomplete_beta(1.0, 3.0, f64::NAN).is_nan());
        assert_eq!(binomial_upper_tail(0, 10, 0.3), 1.0);
        assert_eq!(binomial_upper_tail(11, 10, 0.3), 0.0);
        assert_eq!(binomial_lower_tail(10, 10, 0.3), 1.0);
        assert_eq!(student_t_quantile(4.0, 0.5), 0.0);
    }

    #[test]
    fn binomial_tails_are_plain_sums() {
        let (n, p) = (12_u64, 0.37_f64);
        let choose = |k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        let mass = |k: u64| choose(k) * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32);
        for k in 0..=n {
            close(binomial_upper_tail(k, n, p), (k..=n).map(mass).sum(), 1e-13, "upper");
            close(binomial_lower_tail(k, n, p), (0..=k).map(mass).sum(), 1e-13, "lower");
        }
    }

    proptest! {
        #[test]
        fn beta_quantile_inverts(a in 0.01_f64..5e4, b in 0.01_f64..5e4, p in 1e-6_f64..0.999_999) {
            let x = inverse_incomplete_beta(a, b, p);
            prop_assert!((0.0..=1.0).contains(&x));
            // Where x has underflowed to 0 or rounded to 1 there is nothing left to invert.
            if x > 1e-300 && x < 1.0 - 1e-9 {
                prop_assert!((incomplete_beta(a, b, x) - p).abs() < 1e-10, "{} {}", x, incomplete_beta(a, b, x));
            }
        }

        #[test]
        fn beta_tails_mirror(a in 0.01_f64..1e6, b in 0.01_f64..1e6, x in 0.0_f64..1.0) {
            let sum = incomplete_beta(a, b, x) + incomplete_beta(b, a, 1.0 - x);
            // 1 − x is rounded, which a steep distribution magnifies by about sqrt(a + b).
            prop_assert!((sum - 1.0).abs() < 1e-11, "{}", sum);
        }

        #[test]
        fn normal_quantile_inverts(p in 1e-12_f64..1.0) {
            prop_assert!((normal_cdf(normal_quantile(p)) - p).abs() < 1e-14);
        }
    }
}
