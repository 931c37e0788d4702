//! The line search of Moré and Thuente (1994): a step that lowers a smooth function enough and flattens its slope.
//!
//! Steps are found by cubic and quadratic interpolation inside a bracket that is known to hold an acceptable one; in a
//! first stage the function is tilted by the wanted decrease, which keeps the bracket right while none of its ends
//! satisfies it. The constants are those of L-BFGS-B, so that fits end where the libraries that use it end.

/// Wanted decrease, as a share of what the first slope promises.
const DECREASE: f64 = 1e-3;
/// Wanted flattening: the slope's size, as a share of the first one's.
const CURVATURE: f64 = 0.9;
/// The bracket's relative width at which the search gives up narrowing it.
const NARROWEST: f64 = 0.1;
/// The longest step.
const LONGEST: f64 = 1e10;
/// Evaluations at most.
const EVALUATIONS: usize = 50;

/// A step with the function's value and slope there.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    value: f64,
    slope: f64,
}

impl Trial {
    /// The trial of the function tilted by `tilt`.
    fn tilted(self, tilt: f64) -> Self {
        Self { value: self.value - self.step * tilt, slope: self.slope - tilt, ..self }
    }
}

/// The best step so far and the other end of the bracket (or of the interval searched before there is one).
struct Bracket {
    best: Trial,
    other: Trial,
    closed: bool,
}

/// Searches along a line from a point with `value` and (negative) `slope`, trying `first` first. `evaluate(step)` gives
/// value and slope at a step; the step returned is the one evaluated last. `None` when no step was acceptable.
pub fn search(value: f64, slope: f64, first: f64, mut evaluate: impl FnMut(f64) -> (f64, f64)) -> Option<f64> {
    let origin = Trial { step: 0.0, value, slope };
    let wanted = DECREASE * slope;
    let mut bracket = Bracket { best: origin, other: origin, closed: false };
    let (mut least, mut most) = (0.0, 5.0 * first);
    let (mut width, mut width_before) = (LONGEST, 2.0 * LONGEST);
    let mut tilted = true;
    let mut step = first.min(LONGEST);
    for _ in 0..EVALUATIONS {
        let (value, slope) = evaluate(step);
        let trial = Trial { step, value, slope };
        let line = origin.value + step * wanted;
        if tilted && value <= line && slope >= 0.0 {
            tilted = false;
        }
        let exhausted = bracket.closed && (step <= least || step >= most || most - least <= NARROWEST * most);
        let at_the_end = step == LONGEST && value <= line && slope <= wanted;
        if exhausted || at_the_end || (value <= line && slope.abs() <= CURVATURE * -origin.slope) {
            return value.is_finite().then_some(step);
        }
        step = if tilted && value <= bracket.best.value && value > line {
            let tilt = |trial: Trial| trial.tilted(wanted);
            let mut flat = Bracket { best: tilt(bracket.best), other: tilt(bracket.other), closed: bracket.closed };
            let next = flat.update(tilt(trial), least, most);
            let level = |trial: Trial| trial.tilted(-wanted);
            bracket = Bracket { best: level(flat.best), other: level(flat.other), closed: flat.closed };
            next
        } else {
            bracket.update(trial, least, most)
        };
        let (best, other) = (bracket.best.step, bracket.other.step);
        if bracket.closed {
            // Too slow a shrinking calls for halving.
            if (other - best).abs() >= 0.66 * width_before {
                step = best + 0.5 * (other - best);
            }
            (width_before, width) = (width, (other - best).abs());
            (least, most) = (best.min(other), best.max(other));
        } else {
            (least, most) = (step + 1.1 * (step - best), step + 4.0 * (step - best));
        }
        step = step.clamp(0.0, LONGEST);
        if bracket.closed && (step <= least || step >= most || most - least <= NARROWEST * most) {
            step = best;
        }
    }
    None
}

impl Bracket {
    /// Takes a trial into the bracket and returns the next step to try.
    fn update(&mut self, trial: Trial, least: f64, most: f64) -> f64 {
        let (best, other) = (self.best, self.other);
        let turns = trial.slope * best.slope.signum() < 0.0;
        let next = if trial.value > best.value {
            // Higher: a minimum lies between; the cubic's if it is nearer, else halfway to the quadratic's.
            let cubic = cubic_minimum(best, trial);
            let chord = (best.value - trial.value) / (trial.step - best.step);
            let quadratic = best.step + best.slope / (chord + best.slope) / 2.0 * (trial.step - best.step);
            self.closed = true;
            if (cubic - best.step).abs() < (quadratic - best.step).abs() {
                cubic
            } else {
                cubic + (quadratic - cubic) / 2.0
            }
        } else if turns {
            // Lower, and the slope changes sign: the farther of cubic and secant.
            let (cubic, secant) = (cubic_minimum(trial, best), secant(trial, best));
            self.closed = true;
            if (cubic - trial.step).abs() > (secant - trial.step).abs() { cubic } else { secant }
        } else if trial.slope.abs() < best.slope.abs() {
            // Lower, and flatter: the cubic counts only if it has a minimum beyond the trial.
            let end = if trial.step > best.step { most } else { least };
            let (cubic, secant) = (cubic_minimum_beyond(trial, best).unwrap_or(end), secant(trial, best));
            let nearer = (cubic - trial.step).abs() < (secant - trial.step).abs();
            if self.closed {
                let next = if nearer { cubic } else { secant };
                let limit = trial.step + 0.66 * (other.step - trial.step);
                if trial.step > best.step { next.min(limit) } else { next.max(limit) }
            } else {
                (if nearer { secant } else { cubic }).min(most).max(least)
            }
        } else if self.closed {
            // Lower, but not flatter: towards the other end.
            cubic_minimum(trial, other)
        } else if trial.step > best.step {
            most
        } else {
            least
        };
        if trial.value > best.value {
            self.other = trial;
        } else {
            if turns {
                self.other = best;
            }
            self.best = trial;
        }
        next
    }
}

/// The step at which the slope would vanish, were it linear.
fn secant(from: Trial, to: Trial) -> f64 {
    from.step + from.slope / (from.slope - to.slope) * (to.step - from.step)
}

/// θ and γ of the cubic through values and slopes of two trials, and their distance: its slope vanishes where they say.
fn cubic(from: Trial, to: Trial) -> (f64, f64, f64) {
    let span = to.step - from.step;
    let theta = 3.0 * (from.value - to.value) / span + from.slope + to.slope;
    let scale = theta.abs().max(from.slope.abs()).max(to.slope.abs());
    let square = (theta / scale).powi(2) - (from.slope / scale) * (to.slope / scale);
    (theta, scale * square.max(0.0).sqrt() * span.signum(), span)
}

/// The minimum of the cubic through two trials that enclose one.
fn cubic_minimum(from: Trial, to: Trial) -> f64 {
    let (theta, gamma, span) = cubic(from, to);
    from.step + ((gamma - from.slope) + theta) / (((gamma - from.slope) + gamma) + to.slope) * span
}

/// The minimum of the cubic through two trials, if it lies beyond `from` as seen from `to`.
fn cubic_minimum_beyond(from: Trial, to: Trial) -> Option<f64> {
    let (theta, gamma, span) = cubic(from, to);
    let ratio = ((gamma - from.slope) + theta) / ((gamma + (to.slope - from.slope)) + gamma);
    (ratio < 0.0 && gamma != 0.0).then_some(from.step + ratio * span)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moré and Thuente's conditions, from short and long first steps, on functions of their paper and a hard wall.
    #[test]
    fn finds_steps_that_decrease_and_flatten() {
        type Line<'a> = (&'a str, &'a dyn Fn(f64) -> (f64, f64));
        let lines: [Line; 4] = [
            ("quadratic", &|t| ((t - 3.0).powi(2), 2.0 * (t - 3.0))),
            ("rational", &|t| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2))),
            ("steep", &|t| ((t - 1.5).powi(4) - t, 4.0 * (t - 1.5).powi(3) - 1.0)),
            ("logistic", &|t| ((-5.0 * t).exp().ln_1p() + 0.01 * t * t, 0.02 * t - 5.0 / ((5.0 * t).exp() + 1.0))),
        ];
        for (name, line) in lines {
            let (value, slope) = line(0.0);
            for first in [1e-3, 0.1, 1.0, 10.0, 1e3] {
                let mut last = f64::NAN;
                let step = search(value, slope, first, |step| {
                    last = step;
                    line(step)
                });
                let step = step.unwrap_or_else(|| panic!("{name} from {first}"));
                assert_eq!(step, last, "{name}: the caller's last evaluation is the answer");
                let (there, flat) = line(step);
                assert!(there <= value + DECREASE * step * slope, "{name} from {first}: {step}");
                assert!(flat.abs() <= CURVATURE * slope.abs(), "{name} from {first}: {step}");
            }
        }
    }

    #[test]
    fn stays_where_it_is_on_a_line_that_never_falls() {
        // A slope that lies: every step is higher.
        let step = search(0.0, -1.0, 1.0, |step| (if step > 0.0 { 1.0 + step } else { 0.0 }, 1.0));
        assert!(step.is_none_or(|step| step < 1e-9), "{step:?}");
        assert_eq!(search(0.0, -1.0, 1.0, |_| (f64::NAN, f64::NAN)), None);
    }
}
