//! The smooth reliability diagram: accuracy as a kernel-smoothed function of stated confidence (Błasiok and Nakkiran
//! 2023). The line is as thick as the rows there are dense, so that an eye does not weigh what hardly occurs.

use serde::{Deserialize, Serialize};

use super::canvas::{Sign, key};
use super::confidence_histogram::HistogramBin;
use super::placement::Placement;
use super::square::{Square, readings};
use super::table::{Cell, Table};
use super::{Heading, Measure, Picture, Sheet, format};

/// A point of the smooth curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SmoothPoint {
    /// Stated confidence.
    pub confidence: f64,
    /// Smoothed accuracy there.
    pub accuracy: f64,
    /// Lower end of its band, where one was computed.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub high: Option<f64>,
    /// Density of rows there, in any unit.
    pub density: f64,
}

/// The smooth reliability diagram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SmoothDiagram {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The curve, by rising confidence.
    pub curve: Vec<SmoothPoint>,
    /// Where the rows are; empty leaves the strip out.
    #[serde(default)]
    pub histogram: Vec<HistogramBin>,
    /// Numbers to show beside it (smECE, bandwidth).
    #[serde(default)]
    pub measures: Vec<Measure>,
}

/// Thickest part of the line in pixels; the thinnest is a sixth of it.
const THICKEST: f64 = 9.0;

impl SmoothDiagram {
    fn sound(&self) -> impl Iterator<Item = &SmoothPoint> {
        self.curve.iter().filter(|p| format::is_share(p.confidence) && format::is_share(p.accuracy) && p.density >= 0.0)
    }

    /// The curve as an area whose height is the density.
    fn ribbon(&self, square: &Square) -> Vec<(f64, f64)> {
        let densest = self.sound().map(|p| p.density).filter(|d| d.is_finite()).fold(0.0, f64::max);
        let half = |density: f64| {
            let share = if densest > 0.0 { (density / densest).min(1.0) } else { 1.0 };
            THICKEST / 2.0 * (1.0 / 6.0 + 5.0 / 6.0 * share)
        };
        let area = square.plot.area;
        let at = |p: &SmoothPoint, side: f64| {
            let (x, y) = square.plot.at(p.confidence, p.accuracy);
            (x, (y + side * half(p.density)).clamp(area.top, area.bottom))
        };
        let mut around = super::scale::thinned(self.sound().map(|p| at(p, -1.0)));
        let mut below = super::scale::thinned(self.sound().map(|p| at(p, 1.0)));
        below.reverse();
        around.append(&mut below);
        around
    }
}

impl Picture for SmoothDiagram {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Reliability, smoothed"
    }

    fn description(&self) -> String {
        let curve: Vec<(f64, f64)> = self.sound().map(|p| (p.confidence, p.accuracy)).collect();
        if curve.is_empty() {
            return "Smooth reliability diagram without rows.".to_string();
        }
        let mut words = format!("Smooth reliability diagram. Read off it: {}.", readings(&curve));
        for measure in &self.measures {
            words.push_str(&format!(" {}: {}.", measure.name, measure.value));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["confidence#", "accuracy#", "low#", "high#", "density#"]);
        for point in &self.curve {
            table.push(vec![
                Cell::percent(point.confidence),
                Cell::percent(point.accuracy),
                Cell::percent(point.low.unwrap_or(f64::NAN)),
                Cell::percent(point.high.unwrap_or(f64::NAN)),
                Cell::number(point.density, 3),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "");
        let strip = (!self.histogram.is_empty()).then_some(self.histogram.as_slice());
        let square = Square::draw(canvas, strip);
        let plot = &square.plot;
        let band = plot.band(self.sound().filter_map(|p| Some((p.confidence, p.low?, p.high?))));
        canvas.svg.polygon("cc-band-right", &band);
        canvas.svg.polygon("cc-fill-right", &self.ribbon(&square));
        let line = plot.curve(self.sound().map(|p| (p.confidence, p.accuracy)));
        match line.as_slice() {
            [] => canvas.empty(plot.area, "No rows with a known right answer."),
            [(x, y)] => canvas.svg.circle("cc-fill-right", (*x, *y), 4.0),
            _ => {}
        }
        let mut placement = Placement::new(plot.area);
        placement.take_line(&line, 10.0);
        square.corners(canvas, &mut placement);
        let mut keys = vec![key(Sign::Box("cc-fill-right"), "accuracy, smoothed; thick where many rows are")];
        if band.len() > 2 {
            keys.push(key(Sign::Box("cc-band-right"), "95% band of the curve"));
        }
        keys.push(key(Sign::Line("cc-ideal"), "perfectly calibrated"));
        square.explain(canvas, &self.measures, &keys);
    }
}
