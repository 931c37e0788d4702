//! Risk and coverage: of the most confident share of the rows, how many are wrong? (El-Yaniv and Wiener 2010.)

use serde::{Deserialize, Serialize};

use super::axes::{Axis, Plot};
use super::canvas::{Canvas, SMALL, Sign, key};
use super::placement::{Area, Placement};
use super::strips::{self, Strip};
use super::table::{Cell, Table};
use super::{Heading, Measure, Picture, Sheet, format, scale, text};

/// The risk at one coverage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RiskPoint {
    /// The most confident share of the rows.
    pub coverage: f64,
    /// The share of them that is wrong.
    pub risk: f64,
    /// Lower end of its interval, where one was computed.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub high: Option<f64>,
}

/// The risk–coverage curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RiskCoverage {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The curve, by rising coverage.
    pub points: Vec<RiskPoint>,
    /// The share of all rows that is wrong: the risk of a confidence that says nothing.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Numbers to show above it (AURC).
    #[serde(default)]
    pub measures: Vec<Measure>,
}

impl RiskCoverage {
    fn sound(&self) -> impl Iterator<Item = &RiskPoint> {
        self.points.iter().filter(|p| format::is_share(p.coverage) && format::is_share(p.risk))
    }

    /// Risks worth showing: the curve from a twentieth of the rows on (before that it jumps), and the error rate.
    fn largest(&self) -> f64 {
        let curve = self.sound().filter(|p| p.coverage >= 0.05).flat_map(|p| [Some(p.risk), p.high]).flatten();
        let (_, high) =
            scale::extent(curve.chain(self.error_rate).filter(|v| format::is_share(*v))).unwrap_or((0.0, 1.0));
        scale::rounded((0.0, (high * 1.05).clamp(0.02, 1.0)), 5).1.min(1.0)
    }

    /// The risk if the confidence sorted the rows perfectly: wrong ones come last.
    fn ideal(error_rate: f64) -> Vec<(f64, f64)> {
        let right = (1.0 - error_rate).clamp(0.0, 1.0);
        let mut points = vec![(0.0, 0.0), (right, 0.0)];
        points.extend((1..=40).map(|i| {
            let coverage = right + (1.0 - right) * f64::from(i) / 40.0;
            (coverage, if coverage > 0.0 { (coverage - right) / coverage } else { 0.0 })
        }));
        points
    }

    fn draw_references(&self, canvas: &mut Canvas<'_>, plot: &Plot, placement: &mut Placement) {
        let Some(error_rate) = self.error_rate.filter(|rate| (0.0..=1.0).contains(rate)) else { return };
        let ideal = plot.curve(Self::ideal(error_rate));
        canvas.svg.polyline("cc-reference", &ideal);
        placement.take_line(&ideal, 4.0);
        let y = plot.y.at(error_rate);
        canvas.svg.line("cc-ideal", (plot.area.left, y), (plot.area.right, y));
        let words = format!("any order at random: {} wrong", format::percent(error_rate));
        let width = text::width(&words, SMALL);
        let spots: Vec<Area> = [y - 9.0, y + 10.0]
            .into_iter()
            .flat_map(|middle| {
                [plot.area.left + width / 2.0 + 4.0, plot.area.centre().0, plot.area.right - width / 2.0 - 4.0]
                    .map(|x| Area::around((x, middle), width, 13.0))
            })
            .collect();
        if let Some(spot) = placement.least(&spots) {
            canvas.plate("cc-note", spots[spot], &words);
        }
    }
}

/// A point in words.
fn sentence(point: &RiskPoint) -> String {
    let (low, high) = (point.low.unwrap_or(f64::NAN), point.high.unwrap_or(f64::NAN));
    format!(
        "The most confident {}: {} wrong",
        format::percent(point.coverage),
        format::percent_interval(point.risk, low, high)
    )
}

impl Picture for RiskCoverage {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Does the confidence sort right from wrong?"
    }

    fn description(&self) -> String {
        let Some(last) = self.sound().last() else {
            return "Risk and coverage without rows.".to_string();
        };
        let half = self.sound().min_by(|a, b| (a.coverage - 0.5).abs().total_cmp(&(b.coverage - 0.5).abs()));
        let half = half.unwrap_or(last);
        let mut words = format!(
            "Risk and coverage. Of the most confident {}, {} are wrong; of {}, {}.",
            format::percent(half.coverage),
            format::percent(half.risk),
            format::percent(last.coverage),
            format::percent(last.risk)
        );
        for measure in &self.measures {
            words.push_str(&format!(" {}: {}.", measure.name, measure.value));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["coverage#", "wrong#", "95% low#", "95% high#"]);
        for point in &self.points {
            table.push(vec![
                Cell::percent(point.coverage),
                Cell::percent(point.risk),
                Cell::percent(point.low.unwrap_or(f64::NAN)),
                Cell::percent(point.high.unwrap_or(f64::NAN)),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "The rows are taken in order of confidence, surest first.");
        canvas.measures(&self.measures);
        let mut keys = vec![key(Sign::Line("cc-line cc-right"), "share that is wrong")];
        if self.sound().any(|p| p.low.is_some() && p.high.is_some()) {
            keys.push(key(Sign::Box("cc-band-right"), "its 95% interval"));
        }
        if self.error_rate.is_some_and(format::is_share) {
            keys.push(key(Sign::Line("cc-reference"), "the best possible order"));
        }
        canvas.legend(&keys);
        let x =
            Axis::percent((0.0, 1.0), if canvas.narrow() { 5 } else { 10 }, "coverage: the surest share of the rows");
        let y = Axis::percent((0.0, self.largest()), 5, "share of them that is wrong");
        let plot = Plot::place(canvas, x, y, (canvas.width * 0.42).clamp(190.0, 320.0));
        plot.draw(canvas);
        if self.sound().next().is_none() {
            canvas.empty(plot.area, "No rows with a known right answer.");
            return;
        }
        let band = plot.band(self.sound().filter_map(|p| Some((p.coverage, p.low?, p.high?))));
        canvas.svg.polygon("cc-band-right", &band);
        let curve = plot.curve(self.sound().map(|p| (p.coverage, p.risk)));
        let mut placement = Placement::new(plot.area);
        placement.take_line(&curve, 8.0);
        self.draw_references(canvas, &plot, &mut placement);
        canvas.svg.polyline("cc-line cc-right", &curve);
        if let [(x, y)] = curve.as_slice() {
            canvas.svg.circle("cc-fill-right", (*x, *y), 3.5);
        }
        let points: Vec<&RiskPoint> = self.sound().collect();
        strips::draw(canvas, "coverage", plot.area, &points, |index, point| {
            let data = vec![("coverage", point.coverage.to_string()), ("risk", point.risk.to_string())];
            Strip { x: plot.x.at(point.coverage), index, words: sentence(point), data }
        });
    }
}
