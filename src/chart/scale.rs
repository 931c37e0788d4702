//! From values to pixels: linear scales, round ticks, and thinning of curves that have more points than pixels.

use crate::numeric::{log10, pow};

/// A linear scale from a domain of values to a range of pixels. Values outside the domain land on its edge, and a value
/// that is no number lands on the lower edge: whatever comes in, the pixel is inside the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Linear {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Linear {
    /// A scale; a domain without width is widened around its value.
    pub(super) fn new(domain: (f64, f64), range: (f64, f64)) -> Self {
        let (low, high) = widened(domain);
        Self { low, high, from: range.0, to: range.1 }
    }

    /// The pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if value.is_nan() {
            0.0
        } else {
            // Halved before they are subtracted: the difference of two huge values must not overflow.
            (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The lower end of the domain.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The upper end of the domain.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Whether a value is a number inside the domain.
    pub(super) fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

/// A usable domain: finite, in order and not empty.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    // Spans beyond this overflow while they are divided into steps.
    let (low, high) = (low.clamp(-1e300, 1e300), high.clamp(-1e300, 1e300));
    let (low, high) = if low <= high { (low, high) } else { (high, low) };
    // Relative, so that it also widens 1e300, where adding 1 changes nothing.
    if high - low > (low.abs().max(high.abs()) * 1e-12).max(1e-280) {
        (low, high)
    } else {
        let half = if low == 0.0 { 0.5 } else { low.abs() * 0.05 };
        (low - half, high + half)
    }
}

/// The smallest and the largest finite value, if there is one.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |extent, v| match extent {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Round values (1, 2 or 5 times a power of ten apart) inside `[low, high]`, about `target` of them.
pub(super) fn ticks((low, high): (f64, f64), target: usize) -> Vec<f64> {
    let (low, high) = widened((low, high));
    let step = step(high - low, target);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    // A count from a float saturates, and a degenerate step cannot make it huge: at most a few times the target.
    let steps = (last - first).clamp(0.0, 4.0 * target.max(1) as f64) as usize;
    (0..=steps).map(|i| (first + i as f64) * step).map(|v| if v == 0.0 { 0.0 } else { v }).collect()
}

/// The domain widened to the round values around it.
pub(super) fn rounded((low, high): (f64, f64), target: usize) -> (f64, f64) {
    let (low, high) = widened((low, high));
    let step = step(high - low, target);
    ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step)
}

/// 1, 2 or 5 times a power of ten, so that about `target` steps cover the span.
fn step(span: f64, target: usize) -> f64 {
    let span = if span.is_finite() && span > 0.0 { span } else { 1.0 };
    let raw = span / target.max(1) as f64;
    let power = pow(10.0, log10(raw).floor());
    let power = if power.is_finite() && power > 0.0 { power } else { f64::MIN_POSITIVE };
    let mantissa = raw / power;
    power
        * if mantissa < 1.5 {
            1.0
        } else if mantissa < 3.5 {
            2.0
        } else if mantissa < 7.5 {
            5.0
        } else {
            10.0
        }
}

/// How many decimals the values need so that neighbours read differently.
pub(super) fn decimals(values: &[f64]) -> usize {
    let gap = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min);
    if gap.is_finite() && gap > 0.0 { (1e-9 - log10(gap)).ceil().clamp(0.0, 6.0) as usize } else { 0 }
}

/// A curve with at most four points a pixel column (first, lowest, highest, last), in the same order: it draws the same
/// line, whether it has a hundred points or a million. Points that are no numbers are left out.
pub(super) fn thinned(points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut column: Vec<(f64, f64)> = Vec::new();
    for point in points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
        if column.first().is_some_and(|first| first.0.floor() != point.0.floor()) {
            flush(&mut column, &mut kept);
        }
        column.push(point);
    }
    flush(&mut column, &mut kept);
    kept
}

/// Keeps of one pixel column what can be seen of it.
fn flush(column: &mut Vec<(f64, f64)>, kept: &mut Vec<(f64, f64)>) {
    if column.len() <= 4 {
        kept.append(column);
        return;
    }
    let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let lowest = (0..column.len()).min_by(by_height).unwrap_or(0);
    let highest = (0..column.len()).max_by(by_height).unwrap_or(0);
    let mut indices = [0, lowest, highest, column.len() - 1];
    indices.sort_unstable();
    let mut last = None;
    for index in indices {
        if last != Some(index) {
            kept.push(column[index]);
        }
        last = Some(index);
    }
    column.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let cases: [((f64, f64), usize, Vec<f64>); 5] = [
            ((0.0, 1.0), 5, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            ((0.0, 532.0), 5, vec![0.0, 100.0, 200.0, 300.0, 400.0, 500.0]),
            ((0.72, 0.86), 4, vec![0.75, 0.8, 0.85]),
            ((-3.0, 3.0), 3, vec![-2.0, 0.0, 2.0]),
            ((5.0, 5.0), 2, vec![4.8, 5.0, 5.2]),
        ];
        for (domain, target, expected) in cases {
            let found = ticks(domain, target);
            assert_eq!(found.len(), expected.len(), "{domain:?}: {found:?}");
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-9, "{domain:?}: {found:?}");
            }
        }
    }

    #[test]
    fn ticks_survive_the_extremes() {
        for domain in [
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (1e300, 1e300),
            (-f64::MAX, f64::MAX),
            (0.0, 5e-324),
            (1.0, 0.0),
            (1.0, 1.0 + f64::EPSILON),
        ] {
            for target in [0, 1, 5, 50] {
                let found = ticks(domain, target);
                assert!(found.len() <= 4 * target.max(1) + 1, "{domain:?} {target}: {}", found.len());
                assert!(found.iter().all(|v| v.is_finite()), "{domain:?} {target}: {found:?}");
                let scale = Linear::new(domain, (10.0, 20.0));
                for value in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, 0.0, 1e308] {
                    assert!((10.0..=20.0).contains(&scale.at(value)), "{domain:?} {value}");
                }
            }
        }
    }

    #[test]
    fn scales_map_ends_to_ends() {
        let scale = Linear::new((0.0, 2.0), (100.0, 0.0));
        assert_eq!(scale.at(0.0), 100.0);
        assert_eq!(scale.at(2.0), 0.0);
        assert_eq!(scale.at(0.5), 75.0);
        assert_eq!(scale.at(9.0), 0.0);
        assert!(scale.holds(1.0) && !scale.holds(2.1) && !scale.holds(f64::NAN));
    }

    #[test]
    fn decimals_tell_neighbours_apart() {
        assert_eq!(decimals(&[0.0, 0.5, 1.0]), 1);
        assert_eq!(decimals(&[0.0, 20.0]), 0);
        assert_eq!(decimals(&[0.70, 0.75]), 2);
        assert_eq!(decimals(&[1.0]), 0);
    }

    #[test]
    fn rounding_covers_the_domain() {
        assert_eq!(rounded((0.0, 532.0), 5), (0.0, 600.0));
        let (low, high) = rounded((0.72, 0.86), 4);
        assert!((low - 0.70).abs() < 1e-9 && (high - 0.90).abs() < 1e-9, "{low} {high}");
    }

    #[test]
    fn thinning_keeps_what_can_be_seen() {
        let many: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i) / 1000.0, f64::from(i % 777))).collect();
        let few = thinned(many.iter().copied());
        assert!(few.len() <= 400, "{}", few.len());
        assert_eq!(few.first(), many.first());
        assert_eq!(few.last(), many.last());
        assert!(few.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let highest = few.iter().map(|p| p.1).fold(0.0, f64::max);
        assert_eq!(highest, 776.0);
        assert_eq!(thinned([(f64::NAN, 1.0), (1.0, f64::INFINITY), (1.0, 1.0)]), vec![(1.0, 1.0)]);
    }
}
