//! The cost curve: what reviewing costs and what errors cost, at every threshold, and where the sum is least.

use serde::{Deserialize, Serialize};

use super::axes::{Axis, Plot};
use super::canvas::{Canvas, SMALL, Sign, key};
use super::placement::{Area, Placement};
use super::strips::{self, Strip};
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, scale, text};

/// The costs at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostPoint {
    /// Rows below this confidence are reviewed by a person.
    pub threshold: f64,
    /// What their review costs.
    pub review: f64,
    /// What the errors among the automated rows cost.
    pub error: f64,
}

impl CostPoint {
    /// Both together.
    pub fn total(&self) -> f64 {
        self.review + self.error
    }

    fn is_sound(&self) -> bool {
        format::is_share(self.threshold) && self.total().is_finite()
    }
}

/// The cost curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CostCurve {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The costs, by rising threshold.
    pub points: Vec<CostPoint>,
    /// The cost if a person reviews everything.
    #[serde(default)]
    pub review_all: Option<f64>,
    /// The cost if nothing is reviewed.
    #[serde(default)]
    pub automate_all: Option<f64>,
    /// The currency, as in `EUR`; may be empty.
    #[serde(default)]
    pub currency: String,
    /// What the costs are for, as in `10,000 texts a day`; may be empty.
    #[serde(default)]
    pub volume: String,
}

impl CostCurve {
    fn sound(&self) -> impl Iterator<Item = &CostPoint> {
        self.points.iter().filter(|point| point.is_sound())
    }

    /// The threshold with the least cost; the lowest of several.
    pub fn best(&self) -> Option<&CostPoint> {
        self.sound().min_by(|a, b| a.total().total_cmp(&b.total()))
    }

    fn money(&self, value: f64) -> String {
        let currency: String = self.currency.chars().take(12).collect();
        format::money(value, currency.trim())
    }

    fn references(&self) -> impl Iterator<Item = (f64, &'static str)> {
        [(self.review_all, "review everything"), (self.automate_all, "review nothing")]
            .into_iter()
            .filter_map(|(cost, name)| Some((cost.filter(|c| c.is_finite())?, name)))
    }

    fn sentence(&self, point: &CostPoint) -> String {
        format!(
            "Threshold {}: {} (review {}, errors {})",
            format::percent(point.threshold),
            self.money(point.total()),
            self.money(point.review),
            self.money(point.error)
        )
    }

    /// Review costs from the base line up, error costs on top of them, the sum as a line.
    fn draw_areas(&self, canvas: &mut Canvas<'_>, plot: &Plot) -> Vec<(f64, f64)> {
        let hatch = canvas.pale_hatch();
        let zero = plot.y.low().max(0.0).min(plot.y.high());
        let review = plot.band(self.sound().map(|p| (p.threshold, zero, p.review)));
        canvas.svg.polygon("cc-band-right", &review);
        let error = plot.band(self.sound().map(|p| (p.threshold, p.review, p.total())));
        if error.len() > 2 {
            let path = error.iter().enumerate().fold(String::new(), |mut path, (i, (x, y))| {
                path.push_str(&format!("{}{x:.2} {y:.2}", if i == 0 { "M" } else { "L" }));
                path
            });
            canvas.svg.tag("path").attr("d", &format!("{path}Z")).attr("fill", &hatch).end();
        }
        let total = plot.curve(self.sound().map(|p| (p.threshold, p.total())));
        canvas.svg.polyline("cc-line cc-ink", &total);
        total
    }

    fn draw_references(&self, canvas: &mut Canvas<'_>, plot: &Plot, placement: &mut Placement) {
        for (cost, name) in self.references() {
            let y = plot.y.at(cost);
            canvas.svg.line("cc-reference", (plot.area.left, y), (plot.area.right, y));
            let words = text::fit(&format!("{name}: {}", self.money(cost)), SMALL, plot.area.width()).into_owned();
            let width = text::width(&words, SMALL);
            let mut spots = Vec::new();
            for middle in [y - 8.0, y + 9.0] {
                for x in [plot.area.left + width / 2.0 + 4.0, plot.area.right - width / 2.0 - 4.0, plot.area.centre().0]
                {
                    spots.push(Area::around((x, middle), width, 13.0));
                }
            }
            if let Some(spot) = placement.least(&spots) {
                canvas.plate("cc-note", spots[spot], &words);
            }
        }
    }

    fn draw_best(&self, canvas: &mut Canvas<'_>, plot: &Plot) {
        let Some(best) = self.best() else { return };
        let (x, y) = plot.at(best.threshold, best.total());
        canvas.mark("best", 0, &self.sentence(best), &[("threshold", best.threshold.to_string())]);
        canvas.svg.line("cc-line cc-thin cc-third cc-dashed", (x, y), (x, plot.area.bottom));
        canvas.diamond("cc-fill-third cc-ring", (x, y), 7.0);
        canvas.svg.close();
    }
}

impl Picture for CostCurve {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "What does each threshold cost?"
    }

    fn description(&self) -> String {
        let Some(best) = self.best() else {
            return "Cost curve without rows.".to_string();
        };
        let mut words = format!("Cost curve. Cheapest: {}.", self.sentence(best));
        for (cost, name) in self.references() {
            words.push_str(&format!(" To {name}: {}.", self.money(cost)));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["threshold#", "review#", "errors#", "total#"]);
        for point in &self.points {
            let money = |value: f64| Cell::shown(value, self.money(value));
            table.push(vec![
                Cell::percent(point.threshold),
                money(point.review),
                money(point.error),
                money(point.total()),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        let usual = if self.volume.trim().is_empty() { String::new() } else { format!("for {}", self.volume.trim()) };
        canvas.heading(&self.heading, self.usual_title(), &usual);
        if let Some(best) = self.best() {
            canvas.paragraph("cc-small cc-strong cc-text-third", &format!("Cheapest: {}.", self.sentence(best)), 3);
        }
        canvas.legend(&[
            key(Sign::Line("cc-line cc-ink"), "total"),
            key(Sign::Box("cc-band-right"), "review by a person"),
            key(Sign::PaleHatch, "errors that get through"),
            key(Sign::Diamond("cc-fill-third"), "cheapest"),
        ]);
        let values = self.sound().flat_map(|p| [p.review, p.total()]).chain(self.references().map(|(cost, _)| cost));
        let (low, high) = scale::extent(values).unwrap_or((0.0, 1.0));
        let (low, high) = (low.min(0.0), high.max(0.0));
        let high = if low == high { 1.0 } else { high };
        let high = high + 0.04 * (high / 2.0 - low / 2.0) * 2.0;
        let thresholds = scale::extent(self.sound().map(|p| p.threshold)).unwrap_or((0.0, 1.0));
        let target = if canvas.narrow() { 4 } else { 9 };
        let x = Axis::percent(thresholds, target, "threshold: rows below it are reviewed");
        let title = match self.currency.trim() {
            "" => "cost".to_string(),
            currency => format!("cost, {}", currency.chars().take(12).collect::<String>()),
        };
        let y = Axis::amount((low, if high.is_finite() { high } else { f64::MAX }), 5, &title);
        let plot = Plot::place(canvas, x, y, (canvas.width * 0.45).clamp(200.0, 340.0));
        plot.draw(canvas);
        if self.best().is_none() {
            canvas.empty(plot.area, "No rows with a known right answer.");
            return;
        }
        let total = self.draw_areas(canvas, &plot);
        let mut placement = Placement::new(plot.area);
        placement.take_line(&total, 6.0);
        if let Some(best) = self.best() {
            placement.take(Area::around(plot.at(best.threshold, best.total()), 16.0, 16.0));
        }
        self.draw_references(canvas, &plot, &mut placement);
        let points: Vec<&CostPoint> = self.sound().collect();
        strips::draw(canvas, "threshold", plot.area, &points, |index, point| {
            let data = vec![
                ("threshold", point.threshold.to_string()),
                ("review", point.review.to_string()),
                ("error", point.error.to_string()),
            ];
            Strip { x: plot.x.at(point.threshold), index, words: self.sentence(point), data }
        });
        self.draw_best(canvas, &plot);
    }
}
