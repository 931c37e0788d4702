//! The square that every calibration picture is drawn in: stated confidence across, share that was right upwards, the
//! diagonal of perfect calibration between them.

use serde::{Deserialize, Serialize};

use super::axes::{ABOVE, Axis, BELOW, Plot};
use super::canvas::{Canvas, Key, NORMAL, PAD, SMALL};
use super::confidence_histogram::HistogramBin;
use super::placement::{Area, Placement};
use super::scale::Linear;
use super::svg::Anchor;
use super::{Measure, format, text};

/// A point of a calibration curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Stated confidence.
    pub confidence: f64,
    /// The accuracy that the curve estimates there.
    pub accuracy: f64,
}

/// A point of a band around a curve or the diagonal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BandPoint {
    /// Stated confidence.
    pub confidence: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What a curve (by rising confidence) says at round confidences, in words, as in `stated 90%: 65.6% right`.
pub(super) fn readings(curve: &[(f64, f64)]) -> String {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return String::new() };
    let mut words: Vec<String> = Vec::new();
    for level in [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] {
        // The curve's very first rows are too few to be quoted.
        if level < first.0 + 0.02 || level > last.0 {
            continue;
        }
        let after = curve.partition_point(|(x, _)| *x < level).min(curve.len() - 1);
        let (a, b) = (curve[after.saturating_sub(1)], curve[after]);
        let share = if b.0 > a.0 { ((level - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { 1.0 };
        words.push(format!("stated {:.0}%: {} right", level * 100.0, format::percent(a.1 + share * (b.1 - a.1))));
    }
    if words.is_empty() {
        words.push(format!("stated {}: {} right", format::percent(last.0), format::percent(last.1)));
    }
    words.join("; ")
}

/// Largest side in pixels: beyond it a picture gets room for its legend instead.
const LARGEST: f64 = 440.0;
/// Least width of the column beside the square.
const COLUMN: f64 = 180.0;
/// Height of the strip of counts under the square, with its gap.
const STRIP: f64 = 46.0;

/// The square with what is drawn around it.
pub(super) struct Square {
    /// Axes and their box.
    pub plot: Plot,
    column: Option<f64>,
}

impl Square {
    /// Places the square at the cursor (with a strip of counts under it, if wanted) and draws stripes, grid and diagonal.
    pub(super) fn draw(canvas: &mut Canvas<'_>, strip: Option<&[HistogramBin]>) -> Self {
        let x = Axis::percent((0.0, 1.0), if canvas.narrow() { 5 } else { 10 }, "confidence the model stated");
        let y = Axis::percent((0.0, 1.0), if canvas.narrow() { 5 } else { 10 }, "share that was right");
        let left = PAD + y.label_width() + 8.0;
        let edge = text::width("100%", SMALL) / 2.0;
        let beside = canvas.width - PAD - left - edge - COLUMN - 12.0;
        let strip_height = if strip.is_some() { STRIP } else { 0.0 };
        let by_height = canvas.plot_height(f64::INFINITY, ABOVE + BELOW + strip_height);
        let (side, column) = if beside >= 260.0 {
            let side = beside.min(LARGEST).min(by_height);
            (side, Some(left + side + edge + 18.0))
        } else {
            ((canvas.width - PAD - left - edge).min(by_height), None)
        };
        let top = canvas.top + ABOVE;
        let area = Area { left, top, right: left + side, bottom: top + side };
        let plot = Plot::new(x, y, area);
        stripes(canvas, &plot);
        plot.draw_y(canvas);
        match strip {
            Some(bins) => {
                canvas.svg.line("cc-axis", (area.left, area.bottom), (area.right, area.bottom));
                draw_strip(canvas, &plot, bins);
                let below = Area { bottom: area.bottom + STRIP, ..area };
                let low = Plot::new(
                    Axis::percent((0.0, 1.0), if canvas.narrow() { 5 } else { 10 }, "confidence the model stated"),
                    Axis::percent((0.0, 1.0), 1, ""),
                    below,
                );
                low.draw_x(canvas);
            }
            None => plot.draw_x(canvas),
        }
        canvas.svg.line("cc-ideal", plot.at(0.0, 0.0), plot.at(1.0, 1.0));
        canvas.top = area.bottom + strip_height + BELOW;
        Self { plot, column }
    }

    /// The words in the two corners, where the data leaves room.
    pub(super) fn corners(&self, canvas: &mut Canvas<'_>, placement: &mut Placement) {
        let Area { left, top, right, bottom } = self.plot.area;
        placement.take_line(&[(left, bottom), (right, top)], 4.0);
        let upper = ["right more often than stated", "(under-confident)"];
        let lower = ["right less often than stated", "(over-confident)"];
        let width = text::width(upper[0], SMALL).max(text::width(lower[0], SMALL));
        let fits = width + 12.0 < (right - left) * 0.9;
        let spot = |x: f64, y: f64| Area { left: x, top: y, right: x + width, bottom: y + 30.0 };
        let uppers = [spot(left + 8.0, top + 6.0), spot(left + 8.0, top + 34.0), spot(left + 8.0, top + 62.0)];
        let lowers = [
            spot(right - 8.0 - width, bottom - 36.0),
            spot(right - 8.0 - width, bottom - 64.0),
            spot(right - 8.0 - width, bottom - 92.0),
        ];
        if !fits {
            return;
        }
        if let Some(index) = placement.free(&uppers) {
            for (line, words) in upper.iter().enumerate() {
                let y = uppers[index].top + SMALL + line as f64 * 14.0;
                canvas.svg.text("cc-note", (left + 8.0, y), Anchor::Start, words);
            }
        }
        if let Some(index) = placement.free(&lowers) {
            for (line, words) in lower.iter().enumerate() {
                let y = lowers[index].top + SMALL + line as f64 * 14.0;
                canvas.svg.text("cc-note", (right - 8.0, y), Anchor::End, words);
            }
        }
    }

    /// Measures and legend: beside the square where there is room, under it otherwise.
    pub(super) fn explain(&self, canvas: &mut Canvas<'_>, measures: &[Measure], keys: &[Key]) {
        match self.column {
            Some(left) => {
                let end = canvas.column(left, self.plot.area.top, measures, keys);
                canvas.top = canvas.top.max(end);
            }
            None => {
                canvas.top += 6.0;
                canvas.measures(measures);
                canvas.legend(keys);
            }
        }
    }
}

/// Every second stripe of 5% in a faint shade.
fn stripes(canvas: &mut Canvas<'_>, plot: &Plot) {
    let Area { top, bottom, .. } = plot.area;
    canvas.svg.group("cc-stripes");
    for stripe in (0..20).step_by(2) {
        let (low, high) = (f64::from(stripe) / 20.0, f64::from(stripe + 1) / 20.0);
        canvas.svg.rect("cc-stripe", (plot.x.at(low), top), (plot.x.at(high), bottom));
    }
    canvas.svg.close();
}

/// Where the rows are: a bar a stripe, growing upwards from the strip's own base line.
fn draw_strip(canvas: &mut Canvas<'_>, plot: &Plot, bins: &[HistogramBin]) {
    let largest = bins.iter().map(HistogramBin::total).max().unwrap_or(0);
    let base = plot.area.bottom + STRIP;
    let height = Linear::new((0.0, largest.max(1) as f64), (0.0, STRIP - 16.0));
    canvas.svg.group("cc-strip");
    for bin in bins.iter().filter(|bin| bin.is_sound() && bin.total() > 0) {
        let (from, to) = (plot.x.at(bin.low), plot.x.at(bin.high));
        let gap = if to - from > 3.0 { 0.75 } else { 0.0 };
        let tall = height.at(bin.total() as f64).max(1.0);
        canvas.svg.rect("cc-fill-muted", (from + gap, base - tall), ((to - gap).max(from + gap + 0.5), base));
    }
    canvas.svg.close();
    let words =
        if largest == 0 { "no rows".to_string() } else { format!("rows (tallest bar {})", format::count(largest)) };
    let words = text::fit(&words, SMALL, plot.area.width()).into_owned();
    // On the side where the bars are lower.
    let middle = (plot.area.left + plot.area.right) / 2.0;
    let weight = |left: bool| -> u64 {
        bins.iter().filter(|bin| (plot.x.at(bin.low) < middle) == left).map(HistogramBin::total).max().unwrap_or(0)
    };
    let (x, anchor) =
        if weight(true) <= weight(false) { (plot.area.left, Anchor::Start) } else { (plot.area.right, Anchor::End) };
    canvas.svg.text("cc-note cc-halo", (x, plot.area.bottom + NORMAL + 2.0), anchor, &words);
}
