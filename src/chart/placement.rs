//! Where labels go: the first of several places that covers nothing already drawn.

/// A box in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Area {
    /// A box around a centre.
    pub(super) fn around(centre: (f64, f64), width: f64, height: f64) -> Self {
        Self {
            left: centre.0 - width / 2.0,
            top: centre.1 - height / 2.0,
            right: centre.0 + width / 2.0,
            bottom: centre.1 + height / 2.0,
        }
    }

    /// Width in pixels.
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// The centre.
    pub(super) fn centre(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// The area that two boxes share.
    fn shared(&self, other: &Self) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
    }

    /// How much of the box lies outside another.
    fn outside(&self, bounds: &Self) -> f64 {
        self.width() * self.height() - self.shared(bounds)
    }
}

/// What is already drawn, inside the bounds that labels must keep to.
#[derive(Debug)]
pub(super) struct Placement {
    bounds: Area,
    taken: Vec<Area>,
}

impl Placement {
    /// Nothing drawn yet.
    pub(super) fn new(bounds: Area) -> Self {
        Self { bounds, taken: Vec::new() }
    }

    /// Something is drawn here.
    pub(super) fn take(&mut self, area: Area) {
        self.taken.push(area);
    }

    /// A line is drawn here: it is taken as a row of small boxes, so that a slope blocks only what it crosses.
    pub(super) fn take_line(&mut self, points: &[(f64, f64)], thickness: f64) {
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let length = libm::hypot(to.0 - from.0, to.1 - from.1);
            let steps = (length / 8.0).ceil().clamp(1.0, 200.0) as usize;
            for step in 0..steps {
                let share = (step as f64 + 0.5) / steps as f64;
                let centre = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
                let (width, height) = ((to.0 - from.0).abs() / steps as f64, (to.1 - from.1).abs() / steps as f64);
                self.take(Area::around(centre, width + thickness, height + thickness));
            }
        }
    }

    /// The first candidate that lies inside the bounds and covers nothing; it is then taken.
    pub(super) fn free(&mut self, candidates: &[Area]) -> Option<usize> {
        let index = candidates.iter().position(|area| self.cost(area) < 0.5)?;
        self.take(candidates[index]);
        Some(index)
    }

    /// The candidate inside the bounds that covers least; it is then taken. `None` only without a candidate inside.
    pub(super) fn least(&mut self, candidates: &[Area]) -> Option<usize> {
        let inside = (0..candidates.len()).filter(|index| candidates[*index].outside(&self.bounds) < 0.5);
        let index = inside.min_by(|a, b| self.cost(&candidates[*a]).total_cmp(&self.cost(&candidates[*b])))?;
        self.take(candidates[index]);
        Some(index)
    }

    /// Pixels covered or outside.
    fn cost(&self, area: &Area) -> f64 {
        4.0 * area.outside(&self.bounds) + self.taken.iter().map(|taken| area.shared(taken)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_avoid_what_is_drawn() {
        let mut placement = Placement::new(Area { left: 0.0, top: 0.0, right: 100.0, bottom: 100.0 });
        let first = Area::around((50.0, 50.0), 20.0, 10.0);
        let beside = Area::around((80.0, 50.0), 20.0, 10.0);
        let outside = Area::around((99.0, 50.0), 20.0, 10.0);
        assert_eq!(placement.free(&[first, beside]), Some(0));
        assert_eq!(placement.free(&[first, outside, beside]), Some(2));
        assert_eq!(placement.free(&[first, beside]), None);
        let half = Area::around((60.0, 50.0), 20.0, 10.0);
        assert_eq!(placement.least(&[first, half, outside]), Some(1));
        assert_eq!(placement.least(&[outside]), None);
    }

    #[test]
    fn a_slope_blocks_only_what_it_crosses() {
        let mut placement = Placement::new(Area { left: 0.0, top: 0.0, right: 100.0, bottom: 100.0 });
        placement.take_line(&[(0.0, 100.0), (100.0, 0.0)], 2.0);
        assert_eq!(placement.free(&[Area::around((50.0, 50.0), 10.0, 10.0)]), None);
        assert_eq!(placement.free(&[Area::around((20.0, 20.0), 10.0, 10.0)]), Some(0));
    }
}
