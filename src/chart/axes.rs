//! Axes and the plot between them: light grid, few round ticks, the vertical axis named above itself so that nobody has
//! to turn their head.

use super::canvas::{Canvas, NORMAL, PAD, SMALL};
use super::placement::Area;
use super::scale::{Linear, decimals, ticks};
use super::svg::Anchor;
use super::{format, text};

/// An axis before it has a place: its domain, ticks and their labels.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Smallest and largest value.
    pub domain: (f64, f64),
    /// Values with their labels.
    pub ticks: Vec<(f64, String)>,
    /// What it measures.
    pub title: String,
}

impl Axis {
    /// Proportions as percentages.
    pub(super) fn percent(domain: (f64, f64), target: usize, title: &str) -> Self {
        // One value alone gets room around it, but not below nothing or above everything.
        let (low, high) = domain;
        let domain = if high - low > 1e-9 { domain } else { ((low - 0.05).max(0.0), (high + 0.05).min(1.0)) };
        let hundred: Vec<f64> = ticks((domain.0 * 100.0, domain.1 * 100.0), target);
        let places = decimals(&hundred);
        let ticks = hundred.iter().map(|v| (v / 100.0, format!("{v:.places$}%"))).collect();
        Self { domain, ticks, title: title.to_string() }
    }

    /// Counts from 0.
    pub(super) fn count(largest: f64, target: usize, title: &str) -> Self {
        let domain = (0.0, largest.max(1.0));
        let ticks = ticks(domain, target)
            .into_iter()
            .filter(|v| v.fract() == 0.0)
            .map(|v| (v, if largest < 100_000.0 { format::count(v as u64) } else { format::short_count(v as u64) }))
            .collect();
        Self { domain, ticks, title: title.to_string() }
    }

    /// Amounts of any size and sign.
    pub(super) fn amount(domain: (f64, f64), target: usize, title: &str) -> Self {
        let values = ticks(domain, target);
        let places = decimals(&values);
        // All labels of an axis in the same shape: 80k beside 100k.
        let long = values.iter().any(|v| v.abs() >= 100_000.0);
        let label = |v: f64| {
            if v.abs() >= 1e18 {
                format!("{v:.0e}")
            } else if long {
                format!("{}{}", if v < 0.0 { "−" } else { "" }, format::short_count(v.abs() as u64))
            } else {
                format::number(v, places)
            }
        };
        let ticks = values.into_iter().map(|v| (v, label(v))).collect();
        Self { domain, ticks, title: title.to_string() }
    }

    /// Width of the widest tick label.
    pub(super) fn label_width(&self) -> f64 {
        self.ticks.iter().map(|(_, label)| text::width(label, SMALL)).fold(0.0, f64::max)
    }
}

/// Pixels above the plot for the vertical axis's title.
pub(super) const ABOVE: f64 = 22.0;
/// Pixels under the plot for ticks and the horizontal axis's title.
pub(super) const BELOW: f64 = 40.0;

/// Two axes with their place.
pub(super) struct Plot {
    /// Across.
    pub x: Linear,
    /// Up.
    pub y: Linear,
    /// The box between the axes.
    pub area: Area,
    x_axis: Axis,
    y_axis: Axis,
}

impl Plot {
    /// A plot in a box.
    pub(super) fn new(x_axis: Axis, y_axis: Axis, area: Area) -> Self {
        let x = Linear::new(x_axis.domain, (area.left, area.right));
        let y = Linear::new(y_axis.domain, (area.bottom, area.top));
        Self { x, y, area, x_axis, y_axis }
    }

    /// The box for a plot at the cursor, with margins for its labels; the cursor moves below it.
    pub(super) fn place(canvas: &mut Canvas<'_>, x_axis: Axis, y_axis: Axis, natural: f64) -> Self {
        let left = PAD + y_axis.label_width().max(20.0) + 8.0;
        let last = x_axis.ticks.last().map_or(0.0, |(_, label)| text::width(label, SMALL) / 2.0);
        let right = canvas.width - PAD - last.max(6.0);
        let top = canvas.top + ABOVE;
        let height = canvas.plot_height(natural, ABOVE + BELOW);
        canvas.top = top + height + BELOW;
        Self::new(x_axis, y_axis, Area { left, top, right, bottom: top + height })
    }

    /// The pixel of a pair of values.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// The pixels of pairs of values, thinned to what can be seen.
    pub(super) fn curve(&self, points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
        let finite = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        super::scale::thinned(finite.map(|(x, y)| self.at(x, y)))
    }

    /// The pixels around the area between a lower and an upper curve.
    pub(super) fn band(&self, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Vec<(f64, f64)> {
        let finite: Vec<_> =
            points.into_iter().filter(|(x, low, high)| x.is_finite() && low.is_finite() && high.is_finite()).collect();
        let mut around = self.curve(finite.iter().map(|(x, low, _)| (*x, *low)));
        let mut upper = self.curve(finite.iter().map(|(x, _, high)| (*x, *high)));
        upper.reverse();
        around.append(&mut upper);
        around
    }

    /// Grid, axis line, ticks and titles.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        canvas.svg.group("cc-axes");
        self.draw_y(canvas);
        self.draw_x(canvas);
        canvas.svg.close();
    }

    /// Horizontal grid lines, their labels and the title above.
    pub(super) fn draw_y(&self, canvas: &mut Canvas<'_>) {
        let Area { left, top, right, .. } = self.area;
        let mut lowest_free = f64::INFINITY;
        for (value, label) in &self.y_axis.ticks {
            let y = self.y.at(*value);
            canvas.svg.line("cc-grid", (left, y), (right, y));
            if y + 6.0 <= lowest_free {
                canvas.svg.text("cc-tick", (left - 6.0, y + 4.0), Anchor::End, label);
                lowest_free = y - 6.0;
            }
        }
        let title = text::fit(&self.y_axis.title, NORMAL, canvas.room());
        canvas.svg.text("cc-axis-title", (PAD, top - 9.0), Anchor::Start, &title);
    }

    /// The axis line, its ticks as far as they do not touch, and the title below.
    pub(super) fn draw_x(&self, canvas: &mut Canvas<'_>) {
        let Area { left, right, bottom, .. } = self.area;
        canvas.svg.line("cc-axis", (left, bottom), (right, bottom));
        self.draw_x_ticks(canvas, bottom);
        let title = text::fit(&self.x_axis.title, NORMAL, canvas.room());
        // Centred under the plot, but never over the picture's edge.
        let half = text::width(&title, NORMAL) / 2.0;
        let (low, high) = (PAD + half, canvas.width - PAD - half);
        let x = if low < high { ((left + right) / 2.0).clamp(low, high) } else { canvas.width / 2.0 };
        canvas.svg.text("cc-axis-title", (x, bottom + 34.0), Anchor::Middle, &title);
    }

    /// Ticks and their labels under a line: every label, or every second, …, so that none touches the next.
    pub(super) fn draw_x_ticks(&self, canvas: &mut Canvas<'_>, bottom: f64) {
        let spans: Vec<(f64, f64)> = self
            .x_axis
            .ticks
            .iter()
            .map(|(value, label)| (self.x.at(*value), text::width(label, SMALL) / 2.0 + 2.0))
            .collect();
        let touch = |stride: usize| {
            let chosen: Vec<&(f64, f64)> = spans.iter().step_by(stride).collect();
            chosen.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0 - pair[1].1)
        };
        let stride = (1..=spans.len().max(1)).find(|stride| !touch(*stride)).unwrap_or(1);
        for (index, (_, label)) in self.x_axis.ticks.iter().enumerate() {
            let x = spans[index].0;
            canvas.svg.line("cc-axis", (x, bottom), (x, bottom + 4.0));
            if index % stride == 0 {
                canvas.svg.text("cc-tick", (x, bottom + 16.0), Anchor::Middle, label);
            }
        }
    }
}
