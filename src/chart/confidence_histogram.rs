//! The confidence histogram: how many rows were stated with which confidence, right and wrong stacked.

use serde::{Deserialize, Serialize};

use super::axes::{Axis, Plot};
use super::canvas::{Canvas, SMALL, Sign, key};
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, scale, text};

/// Rows whose confidence lies in `(low, high]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramBin {
    /// Lower edge, outside (0 itself falls into the first bin).
    pub low: f64,
    /// Upper edge, inside.
    pub high: f64,
    /// Rows whose prediction was right.
    pub right: u64,
    /// Rows whose prediction was wrong.
    pub wrong: u64,
}

impl HistogramBin {
    /// Rows in the bin.
    pub fn total(&self) -> u64 {
        self.right.saturating_add(self.wrong)
    }

    /// Whether it can be drawn.
    pub(super) fn is_sound(&self) -> bool {
        format::is_share(self.low) && format::is_share(self.high) && self.low < self.high
    }

    /// The bin in words, as in `90–95%`.
    pub(super) fn range(&self) -> String {
        format!("{}–{}%", format::number(self.low * 100.0, 1), format::number(self.high * 100.0, 1)).replace(".0", "")
    }
}

/// The confidence histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceHistogram {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The bins, in order; equal width is usual but not needed.
    pub bins: Vec<HistogramBin>,
}

impl ConfidenceHistogram {
    fn totals(&self) -> (u64, u64) {
        self.bins
            .iter()
            .fold((0, 0), |(right, wrong), bin| (bin.right.saturating_add(right), bin.wrong.saturating_add(wrong)))
    }

    fn domain(&self) -> (f64, f64) {
        let edges = self.bins.iter().filter(|bin| bin.is_sound()).flat_map(|bin| [bin.low, bin.high]);
        scale::extent(edges).unwrap_or((0.0, 1.0))
    }

    fn draw_bins(&self, canvas: &mut Canvas<'_>, plot: &Plot) {
        let hatch = canvas.hatch();
        for (index, bin) in self.bins.iter().enumerate().filter(|(_, bin)| bin.is_sound()) {
            let (from, to) = (plot.x.at(bin.low), plot.x.at(bin.high));
            let gap = if to - from > 4.0 { 1.0 } else { 0.0 };
            let (left, right) = (from + gap, (to - gap).max(from + gap));
            let (base, wrong_top) = (plot.area.bottom, plot.y.at(bin.wrong as f64));
            let top = plot.y.at(bin.total() as f64);
            canvas.mark("bin", index, &sentence(bin), &data(bin));
            canvas.svg.rect("cc-hit", (from, plot.area.top), (to, base));
            if bin.right > 0 {
                canvas.svg.rect("cc-fill-right", (left, top), (right, wrong_top));
            }
            if bin.wrong > 0 {
                canvas.svg.rect_tag("", (left, wrong_top), (right, base)).attr("fill", &hatch).end();
                canvas.svg.line("cc-line cc-thin cc-wrong", (left, wrong_top), (right, wrong_top));
            }
            if bin.total() > 0 {
                draw_count(canvas, bin.total(), (from + to) / 2.0, top - 4.0, to - from);
            }
            canvas.svg.close();
        }
    }
}

/// A count on top of a bar: upright where the bar is wide enough, turned where it is not, absent where neither fits.
fn draw_count(canvas: &mut Canvas<'_>, n: u64, x: f64, y: f64, room: f64) {
    let label = format::short_count(n);
    if text::width(&label, SMALL) <= room - 3.0 {
        canvas.svg.text("cc-note cc-halo", (x, y), Anchor::Middle, &label);
    } else if room >= 10.0 {
        let turn = format!("rotate(-90 {:.2} {y:.2})", x + 4.0);
        let tag = canvas.svg.tag("text").class("cc-note cc-halo").num("x", x + 4.0).num("y", y);
        tag.attr("transform", &turn).text(&label);
    }
}

/// A bin in words.
fn sentence(bin: &HistogramBin) -> String {
    format!(
        "Confidence {}: {}, {} right, {} wrong",
        bin.range(),
        format::counted(bin.total(), "row", "rows"),
        format::count(bin.right),
        format::count(bin.wrong)
    )
}

/// A bin as data attributes.
fn data(bin: &HistogramBin) -> [(&'static str, String); 4] {
    [
        ("low", bin.low.to_string()),
        ("high", bin.high.to_string()),
        ("right", bin.right.to_string()),
        ("wrong", bin.wrong.to_string()),
    ]
}

impl Picture for ConfidenceHistogram {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "How sure the model said it was"
    }

    fn description(&self) -> String {
        let (right, wrong) = self.totals();
        let total = right.saturating_add(wrong);
        if total == 0 {
            return "Confidence histogram without rows.".to_string();
        }
        let mut words = format!(
            "Confidence histogram of {}: {} right, {} wrong.",
            format::counted(total, "row", "rows"),
            format::count(right),
            format::count(wrong)
        );
        if let Some(most) = self.bins.iter().max_by_key(|bin| bin.total()) {
            words.push_str(&format!(
                " The fullest stripe, {}, holds {} ({}), of which {} {} wrong.",
                most.range(),
                format::counted(most.total(), "row", "rows"),
                format::percent(most.total() as f64 / total as f64),
                format::count(most.wrong),
                if most.wrong == 1 { "is" } else { "are" }
            ));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["confidence", "rows#", "right#", "wrong#", "accuracy#"]);
        for bin in &self.bins {
            let accuracy = if bin.total() == 0 { f64::NAN } else { bin.right as f64 / bin.total() as f64 };
            table.push(vec![
                Cell::text(bin.range()),
                Cell::count(bin.total()),
                Cell::count(bin.right),
                Cell::count(bin.wrong),
                Cell::percent(accuracy),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        let (right, wrong) = self.totals();
        canvas.heading(&self.heading, self.usual_title(), "");
        canvas.legend(&[
            key(Sign::Box("cc-fill-right"), format!("right, {}", format::counted(right, "row", "rows"))),
            key(Sign::Hatch, format!("wrong, {}", format::counted(wrong, "row", "rows"))),
        ]);
        let largest = self.bins.iter().map(HistogramBin::total).max().unwrap_or(0);
        let x = Axis::percent(self.domain(), if canvas.narrow() { 5 } else { 10 }, "confidence the model stated");
        // Counts that must be turned need more room above the fullest bar.
        let slot = (canvas.room() - 50.0) / self.bins.len().max(1) as f64;
        let turned = slot < text::width(&format::short_count(largest), SMALL);
        let y = Axis::count(largest as f64 * if turned { 1.2 } else { 1.08 }, 5, "rows");
        let natural = (canvas.width * 0.42).clamp(180.0, 320.0);
        let plot = Plot::place(canvas, x, y, natural);
        plot.draw(canvas);
        if right.saturating_add(wrong) == 0 {
            canvas.empty(plot.area, "No rows with a known right answer.");
        } else {
            self.draw_bins(canvas, &plot);
        }
    }
}
