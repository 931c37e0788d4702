//! Sample-size panels: what more labelled rows buy. One small panel a size, the same axes in all of them.

use serde::{Deserialize, Serialize};

use super::axes::{Axis, Plot};
use super::canvas::{Canvas, PAD, SMALL, Sign, key};
use super::placement::Area;
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, text};

/// What one threshold automates after calibration on so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampleSizePoint {
    /// The threshold.
    pub threshold: f64,
    /// The share of rows at or above it, on average over the resamples.
    pub automated: f64,
    /// Lower end of the resampling band.
    pub automated_low: f64,
    /// Upper end.
    pub automated_high: f64,
    /// The share of the automated rows that is right; `None` where nothing is automated.
    #[serde(default)]
    pub accuracy: Option<f64>,
    /// Lower end of its band.
    #[serde(default)]
    pub accuracy_low: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub accuracy_high: Option<f64>,
}

/// One sample size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleSizePanel {
    /// Labelled rows.
    pub n: u64,
    /// The thresholds, rising.
    pub points: Vec<SampleSizePoint>,
}

/// Sample-size panels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleSizePanels {
    /// What stands above them.
    #[serde(default)]
    pub heading: Heading,
    /// The sizes, rising.
    pub panels: Vec<SampleSizePanel>,
}

/// Height of a panel's plot.
const HEIGHT: f64 = 150.0;
/// Space of a panel's name above its plot and of its ticks below.
const NAME: f64 = 24.0;
const TICKS: f64 = 26.0;

impl SampleSizePanels {
    fn columns(&self, canvas: &Canvas<'_>) -> usize {
        let fit = ((canvas.room() - 30.0) / 140.0).floor().max(1.0) as usize;
        fit.min(self.panels.len().max(1)).min(6)
    }

    fn has_accuracy(&self) -> bool {
        self.panels.iter().flat_map(|panel| &panel.points).any(|point| point.accuracy.is_some())
    }

    fn draw_panel(&self, canvas: &mut Canvas<'_>, index: usize, area: Area, labelled: bool) {
        let panel = &self.panels[index];
        let y_axis = Axis { ticks: if labelled { ticks() } else { Vec::new() }, ..Axis::percent((0.0, 1.0), 4, "") };
        let plot = Plot::new(Axis::percent((0.0, 1.0), 1, ""), y_axis, area);
        if !labelled {
            for (value, _) in ticks() {
                let y = plot.y.at(value);
                canvas.svg.line("cc-grid", (area.left, y), (area.right, y));
            }
        }
        plot.draw_y(canvas);
        canvas.svg.line("cc-axis", (area.left, area.bottom), (area.right, area.bottom));
        let name = text::fit(&format::counted(panel.n, "row", "rows"), 12.0, area.width()).into_owned();
        canvas.svg.text("cc-strong", (area.left, area.top - 9.0), Anchor::Start, &name);
        let sound: Vec<(usize, &SampleSizePoint)> = panel
            .points
            .iter()
            .enumerate()
            .filter(|(_, p)| format::is_share(p.threshold) && format::is_share(p.automated))
            .collect();
        let slot = area.width() / sound.len().max(1) as f64;
        for (position, (number, point)) in sound.into_iter().enumerate() {
            let middle = area.left + slot * (position as f64 + 0.5);
            self.draw_point(canvas, &plot, (index, number), point, (middle, slot));
        }
        if panel.points.is_empty() {
            canvas.empty(area, "no result");
        }
    }

    fn draw_point(
        &self,
        canvas: &mut Canvas<'_>,
        plot: &Plot,
        (panel, number): (usize, usize),
        point: &SampleSizePoint,
        (middle, slot): (f64, f64),
    ) {
        let n = self.panels[panel].n;
        let area = plot.area;
        let data = [
            ("n", n.to_string()),
            ("threshold", point.threshold.to_string()),
            ("automated", point.automated.to_string()),
        ];
        canvas.mark("sample-size", panel * 100 + number, &sentence(n, point), &data);
        canvas.svg.rect("cc-hit", (middle - slot / 2.0, area.top), (middle + slot / 2.0, area.bottom));
        let shift = if point.accuracy.is_some() { (slot * 0.16).min(8.0) } else { 0.0 };
        let x = middle - shift;
        if point.automated_low.is_finite() && point.automated_high.is_finite() {
            canvas.whisker("cc-right", x, plot.y.at(point.automated_high), plot.y.at(point.automated_low));
        }
        canvas.svg.circle("cc-fill-right cc-ring", (x, plot.y.at(point.automated)), 4.5);
        if let Some(accuracy) = point.accuracy.filter(|a| format::is_share(*a)) {
            let x = middle + shift;
            if let (Some(low), Some(high)) = (point.accuracy_low, point.accuracy_high) {
                canvas.whisker("cc-third", x, plot.y.at(high), plot.y.at(low));
            }
            canvas.diamond("cc-fill-third cc-ring", (x, plot.y.at(accuracy)), 5.5);
        }
        let label = format!("{}%", format::number(point.threshold * 100.0, 1)).replace(".0%", "%");
        if text::width(&label, SMALL) <= slot + 2.0 {
            canvas.svg.text("cc-tick", (middle, area.bottom + 15.0), Anchor::Middle, &label);
        }
        canvas.svg.close();
    }
}

/// The vertical axis of every panel.
fn ticks() -> Vec<(f64, String)> {
    [0.0, 0.25, 0.5, 0.75, 1.0].map(|v| (v, format!("{:.0}%", v * 100.0))).to_vec()
}

/// A point in words.
fn sentence(n: u64, point: &SampleSizePoint) -> String {
    let mut words = format!(
        "Calibrated on {}, threshold {}: {} automated",
        format::counted(n, "row", "rows"),
        format::percent(point.threshold),
        format::percent_interval(point.automated, point.automated_low, point.automated_high)
    );
    if let Some(accuracy) = point.accuracy {
        let (low, high) = (point.accuracy_low.unwrap_or(f64::NAN), point.accuracy_high.unwrap_or(f64::NAN));
        words.push_str(&format!(", {} of them right", format::percent_interval(accuracy, low, high)));
    }
    words
}

impl Picture for SampleSizePanels {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "What do more labelled rows buy?"
    }

    fn description(&self) -> String {
        let mut words =
            format!("Panels for {}.", format::counted(self.panels.len() as u64, "sample size", "sample sizes"));
        let ends = self.panels.iter().take(1).chain(self.panels.iter().skip(1).last());
        for panel in ends {
            if let Some(point) = panel.points.last() {
                words.push_str(&format!(" {}.", sentence(panel.n, point)));
            }
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(
            self.title(),
            &[
                "labelled rows#",
                "threshold#",
                "automated#",
                "low#",
                "high#",
                "accuracy#",
                "accuracy low#",
                "accuracy high#",
            ],
        );
        for panel in &self.panels {
            for point in &panel.points {
                let optional = |value: Option<f64>| Cell::percent(value.unwrap_or(f64::NAN));
                table.push(vec![
                    Cell::count(panel.n),
                    Cell::percent(point.threshold),
                    Cell::percent(point.automated),
                    Cell::percent(point.automated_low),
                    Cell::percent(point.automated_high),
                    optional(point.accuracy),
                    optional(point.accuracy_low),
                    optional(point.accuracy_high),
                ]);
            }
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(
            &self.heading,
            self.usual_title(),
            "Calibrated on so many labelled rows, then automated from each threshold on.",
        );
        let mut keys = vec![key(Sign::Dot("cc-fill-right"), "share of rows automated")];
        if self.has_accuracy() {
            keys.push(key(Sign::Diamond("cc-fill-third"), "share of those that is right"));
        }
        keys.push(key(Sign::Whisker("cc-ink"), "where most draws lie"));
        canvas.legend(&keys);
        if self.panels.is_empty() {
            let area = Area { left: PAD, top: canvas.top, right: canvas.width - PAD, bottom: canvas.top + HEIGHT };
            canvas.svg.rect("cc-outline", (area.left, area.top), (area.right, area.bottom));
            canvas.empty(area, "Too few labelled rows to show what more of them buy.");
            canvas.top = area.bottom;
            return;
        }
        let columns = self.columns(canvas);
        let rows = self.panels.len().div_ceil(columns);
        let left = PAD + text::width("100%", SMALL) + 8.0;
        let gap = 16.0;
        let width = (canvas.width - PAD - left - gap * (columns as f64 - 1.0)) / columns as f64;
        let others = rows as f64 * (NAME + TICKS) + 18.0;
        let height = (canvas.plot_height(HEIGHT * rows as f64, others) / rows as f64).max(40.0);
        let start = canvas.top;
        for index in 0..self.panels.len() {
            let (row, column) = (index / columns, index % columns);
            let top = start + NAME + row as f64 * (NAME + height + TICKS);
            let x = left + column as f64 * (width + gap);
            self.draw_panel(canvas, index, Area { left: x, top, right: x + width, bottom: top + height }, column == 0);
        }
        canvas.top = start + rows as f64 * (NAME + height + TICKS);
        canvas.svg.text("cc-axis-title", (canvas.width / 2.0, canvas.top + 10.0), Anchor::Middle, "threshold");
        canvas.top += 14.0;
    }
}
