//! The CORP reliability curve: accuracy as an isotonic function of stated confidence, without any choice of stripes
//! (Dimitriadis, Gneiting and Jordan, PNAS 2021). The band around the diagonal is where the curve of a perfectly
//! calibrated model would lie with this many rows.

use serde::{Deserialize, Serialize};

use super::canvas::{Sign, key};
use super::confidence_histogram::HistogramBin;
use super::placement::Placement;
use super::square::{BandPoint, CurvePoint, Square, readings};
use super::table::{Cell, Table};
use super::{Heading, Measure, Picture, Sheet, format};

/// The CORP reliability curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CorpCurve {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// Ends of the pooled blocks (or every row), by rising confidence.
    pub curve: Vec<CurvePoint>,
    /// The consistency band, by rising confidence; empty where none was computed.
    #[serde(default)]
    pub band: Vec<BandPoint>,
    /// Where the rows are; empty leaves the strip out.
    #[serde(default)]
    pub histogram: Vec<HistogramBin>,
    /// Numbers to show beside it (MCB, DSC, UNC).
    #[serde(default)]
    pub measures: Vec<Measure>,
}

impl CorpCurve {
    fn sound(&self) -> impl Iterator<Item = &CurvePoint> {
        self.curve.iter().filter(|p| format::is_share(p.confidence) && format::is_share(p.accuracy))
    }
}

impl Picture for CorpCurve {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Reliability without stripes (CORP)"
    }

    fn description(&self) -> String {
        let curve: Vec<(f64, f64)> = self.sound().map(|p| (p.confidence, p.accuracy)).collect();
        if curve.is_empty() {
            return "CORP reliability curve without rows.".to_string();
        }
        let mut words = format!("CORP reliability curve. Read off it: {}.", readings(&curve));
        for measure in &self.measures {
            words.push_str(&format!(" {}: {}.", measure.name, measure.value));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["confidence#", "accuracy#"]);
        for point in &self.curve {
            table.push(vec![Cell::percent(point.confidence), Cell::percent(point.accuracy)]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "");
        let strip = (!self.histogram.is_empty()).then_some(self.histogram.as_slice());
        let square = Square::draw(canvas, strip);
        let plot = &square.plot;
        let band = plot
            .band(self.band.iter().filter(|b| format::is_share(b.confidence)).map(|b| (b.confidence, b.low, b.high)));
        canvas.svg.polygon("cc-band-muted", &band);
        let curve = plot.curve(self.sound().map(|p| (p.confidence, p.accuracy)));
        canvas.svg.polyline("cc-line cc-thin cc-right", &curve);
        // A level stretch is a block of rows that cannot be told apart in order: the part that carries evidence.
        for pair in curve.windows(2).filter(|pair| pair[0].1 == pair[1].1) {
            canvas.svg.polyline("cc-line cc-thick cc-right", pair);
        }
        let mut placement = Placement::new(plot.area);
        placement.take_line(&curve, 4.0);
        match curve.as_slice() {
            [] => canvas.empty(plot.area, "No rows with a known right answer."),
            [(x, y)] => canvas.svg.circle("cc-fill-right", (*x, *y), 4.0),
            _ => {}
        }
        square.corners(canvas, &mut placement);
        let mut keys = vec![key(Sign::Line("cc-line cc-right"), "accuracy, as far as it rises with confidence")];
        if band.len() > 2 {
            keys.push(key(Sign::Box("cc-band-muted"), "where a calibrated model's curve lies, 95 of 100 times"));
        }
        keys.push(key(Sign::Line("cc-ideal"), "perfectly calibrated"));
        square.explain(canvas, &self.measures, &keys);
    }
}
