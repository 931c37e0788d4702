//! The reliability diagram: what the model said against how often it was right, in stripes of confidence.
//!
//! A mark stands at the stripe's mean confidence and its accuracy; the area of the disc around it and the number beside it
//! are the rows it rests on; the bar is the accuracy's interval. A disc is translucent, so that the fullest stripe, whose
//! bar is the shortest, does not hide it. Stripes whose bar misses the diagonal get another shape and colour: these are
//! the ones that say something.

use serde::{Deserialize, Serialize};

use super::axes::ABOVE;
use super::canvas::{Canvas, Key, SMALL, Sign, key};
use super::placement::{Area, Placement};
use super::square::Square;
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Measure, Picture, Sheet, format, text};

/// One stripe with at least one row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityPoint {
    /// Lower edge of the stripe, outside.
    pub low: f64,
    /// Upper edge, inside.
    pub high: f64,
    /// Rows in it.
    pub n: u64,
    /// Their mean stated confidence.
    pub confidence: f64,
    /// The share of them that was right.
    pub accuracy: f64,
    /// Lower end of the accuracy's interval.
    pub accuracy_low: f64,
    /// Upper end.
    pub accuracy_high: f64,
}

impl ReliabilityPoint {
    fn is_sound(&self) -> bool {
        self.n > 0
            && [self.low, self.high, self.confidence, self.accuracy, self.accuracy_low, self.accuracy_high]
                .iter()
                .all(|value| format::is_share(*value))
    }

    /// Whether the interval misses the stated confidence.
    pub fn misses(&self) -> bool {
        self.confidence < self.accuracy_low || self.confidence > self.accuracy_high
    }

    fn range(&self) -> String {
        super::HistogramBin { low: self.low, high: self.high, right: 0, wrong: 0 }.range()
    }

    fn sentence(&self) -> String {
        let verdict = match (self.misses(), self.confidence > self.accuracy) {
            (false, _) => "agrees with what was stated",
            (true, true) => "over-confident",
            (true, false) => "under-confident",
        };
        format!(
            "Stated {} (mean {}): {}, {} right, {verdict}",
            self.range(),
            format::percent(self.confidence),
            format::counted(self.n, "row", "rows"),
            format::percent_interval(self.accuracy, self.accuracy_low, self.accuracy_high),
        )
    }
}

/// The reliability diagram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityDiagram {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The stripes with rows, in order; 5% stripes are usual.
    pub points: Vec<ReliabilityPoint>,
    /// Numbers to show beside it.
    #[serde(default)]
    pub measures: Vec<Measure>,
}

/// A stripe with fewer rows than this never gets the largest disc.
const FEW: u64 = 20;
/// Smallest disc, in pixels: a stripe with one row must still be seen.
const SMALLEST: f64 = 3.0;

impl ReliabilityDiagram {
    fn rows(&self) -> u64 {
        self.points.iter().fold(0, |sum, point| sum.saturating_add(point.n))
    }

    /// Discs, bars and counts inside a square; `mark` is the kind of a stripe.
    pub(super) fn draw_points(&self, canvas: &mut Canvas<'_>, square: &Square, mark: &str, corners: bool) {
        let area = square.plot.area;
        // Counts may stand a little above and beside the square, but not on the axis's name.
        let bounds = Area { top: area.top - 16.0, right: (area.right + 14.0).min(canvas.width - 1.0), ..area };
        let mut placement = Placement::new(bounds);
        placement.take(Area { left: 0.0, top: area.top - ABOVE, right: area.left + 90.0, bottom: area.top - 4.0 });
        let most = self.points.iter().filter(|p| p.is_sound()).map(|p| p.n).max().unwrap_or(1).max(FEW);
        let largest = (area.width() / 20.0).clamp(8.0, 20.0);
        let radius = |n: u64| (largest * (n as f64 / most as f64).sqrt()).max(SMALLEST);
        // The fullest stripe lies at the back.
        let mut order: Vec<usize> = (0..self.points.len()).filter(|i| self.points[*i].is_sound()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(self.points[*i].n));
        for index in &order {
            let point = &self.points[*index];
            let (x, y) = square.plot.at(point.confidence, point.accuracy);
            let side = 1.8 * radius(point.n);
            placement.take(Area::around((x, y), side, side));
            let (top, bottom) = (square.plot.y.at(point.accuracy_high), square.plot.y.at(point.accuracy_low));
            placement.take(Area { left: x - 2.5, top, right: x + 2.5, bottom });
            self.draw_point(canvas, square, mark, *index, radius(point.n));
        }
        for index in &order {
            draw_count(canvas, square, &mut placement, &self.points[*index], radius(self.points[*index].n));
        }
        if corners {
            square.corners(canvas, &mut placement);
        }
    }

    fn draw_point(&self, canvas: &mut Canvas<'_>, square: &Square, mark: &str, index: usize, radius: f64) {
        let point = &self.points[index];
        let plot = &square.plot;
        let (x, y) = plot.at(point.confidence, point.accuracy);
        let data = [
            ("low", point.low.to_string()),
            ("high", point.high.to_string()),
            ("n", point.n.to_string()),
            ("confidence", point.confidence.to_string()),
            ("accuracy", point.accuracy.to_string()),
            ("accuracy-low", point.accuracy_low.to_string()),
            ("accuracy-high", point.accuracy_high.to_string()),
        ];
        canvas.mark(mark, index, &point.sentence(), &data);
        canvas.svg.rect("cc-hit", (plot.x.at(point.low), plot.area.top), (plot.x.at(point.high), plot.area.bottom));
        let (disc, stroke) = if point.misses() { ("cc-disc-wrong", "cc-wrong") } else { ("cc-disc-right", "cc-right") };
        canvas.svg.circle(disc, (x, y), radius);
        canvas.whisker(stroke, x, plot.y.at(point.accuracy_high), plot.y.at(point.accuracy_low));
        if point.misses() {
            canvas.diamond("cc-fill-wrong", (x, y), 4.5);
        } else {
            canvas.svg.circle("cc-fill-right", (x, y), 2.75);
        }
        canvas.svg.close();
    }

    /// Rows, stripes and how many of these miss the diagonal, in words.
    pub(super) fn summary(&self) -> String {
        let sound: Vec<&ReliabilityPoint> = self.points.iter().filter(|point| point.is_sound()).collect();
        let over = sound.iter().filter(|p| p.misses() && p.confidence > p.accuracy).count() as u64;
        let under = sound.iter().filter(|p| p.misses() && p.confidence < p.accuracy).count() as u64;
        let or_none = |n: u64| if n == 0 { "none".to_string() } else { format::count(n) };
        format!(
            "{} in {}, {} of them over-confident and {} under-confident beyond their 95% interval",
            format::counted(self.rows(), "row", "rows"),
            format::counted(sound.len() as u64, "stripe", "stripes"),
            or_none(over),
            or_none(under)
        )
    }

    /// What the signs mean; only those that occur.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = vec![key(Sign::Disc, "a stripe of confidence; disc and number: its rows")];
        if self.points.iter().any(|point| point.is_sound() && point.misses()) {
            keys.push(key(Sign::DiscOff, "a stripe whose bar misses the diagonal"));
        }
        keys.push(key(Sign::Whisker("cc-ink"), "95% interval of its accuracy"));
        keys.push(key(Sign::Line("cc-ideal"), "perfectly calibrated"));
        keys
    }
}

/// The count of a stripe: above, below or beside its disc and bar, upright or turned, where it covers least.
fn draw_count(
    canvas: &mut Canvas<'_>,
    square: &Square,
    placement: &mut Placement,
    point: &ReliabilityPoint,
    radius: f64,
) {
    let words = if point.n < 10_000 { format::count(point.n) } else { format::short_count(point.n) };
    let (x, y) = square.plot.at(point.confidence, point.accuracy);
    let (wide, high) = (text::width(&words, SMALL), 11.0);
    let top = square.plot.y.at(point.accuracy_high).min(y - radius) - 2.0;
    let bottom = square.plot.y.at(point.accuracy_low).max(y + radius) + 2.0;
    let beside = radius + 3.0 + wide / 2.0;
    let upright = [
        (x, top - high / 2.0),
        (x, bottom + high / 2.0),
        (x + beside, y),
        (x - beside, y),
        (x + beside, top),
        (x - beside, top),
    ];
    let turned = [(x, top - wide / 2.0), (x, bottom + wide / 2.0)];
    let mut candidates: Vec<Area> = upright.iter().map(|at| Area::around(*at, wide, high)).collect();
    candidates.extend(turned.iter().map(|at| Area::around(*at, high, wide)));
    let Some(chosen) = placement.least(&candidates) else { return };
    let (cx, cy) = candidates[chosen].centre();
    if chosen < upright.len() {
        canvas.svg.text("cc-small cc-halo", (cx, cy + 4.0), Anchor::Middle, &words);
    } else {
        let turn = format!("rotate(-90 {:.2} {cy:.2})", cx + 4.0);
        let tag = canvas.svg.tag("text").class("cc-small cc-halo").num("x", cx + 4.0).num("y", cy);
        tag.attr("text-anchor", "middle").attr("transform", &turn).text(&words);
    }
}

impl Picture for ReliabilityDiagram {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Reliability: is the model as often right as it says?"
    }

    fn description(&self) -> String {
        let sound: Vec<&ReliabilityPoint> = self.points.iter().filter(|point| point.is_sound()).collect();
        let Some(fullest) = sound.iter().max_by_key(|point| point.n) else {
            return "Reliability diagram without rows.".to_string();
        };
        let mut words =
            format!("Reliability diagram of {}. The fullest stripe: {}.", self.summary(), fullest.sentence());
        for measure in &self.measures {
            words.push_str(&format!(" {}: {}.", measure.name, measure.value));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(
            self.title(),
            &["stated", "rows#", "mean confidence#", "accuracy#", "95% low#", "95% high#", "accuracy − confidence#"],
        );
        for point in &self.points {
            table.push(vec![
                Cell::text(point.range()),
                Cell::count(point.n),
                Cell::percent(point.confidence),
                Cell::percent(point.accuracy),
                Cell::percent(point.accuracy_low),
                Cell::percent(point.accuracy_high),
                Cell::shown(
                    point.accuracy - point.confidence,
                    format::number((point.accuracy - point.confidence) * 100.0, 1),
                ),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), &format::counted(self.rows(), "row", "rows"));
        let square = Square::draw(canvas, None);
        if self.points.iter().any(ReliabilityPoint::is_sound) {
            self.draw_points(canvas, &square, "stripe", true);
        } else {
            canvas.empty(square.plot.area, "No rows with a known right answer.");
        }
        square.explain(canvas, &self.measures, &self.keys());
    }
}
