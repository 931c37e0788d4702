//! Accuracy and volume against the threshold: if everything at or above a confidence is automated, how much is that and
//! how often is it right? Two panels over one axis, because two quantities on one scale hide the smaller one.

use serde::{Deserialize, Serialize};

use super::axes::{ABOVE, Axis, BELOW, Plot};
use super::canvas::{Canvas, NORMAL, PAD, SMALL, Sign, key};
use super::placement::{Area, Placement};
use super::strips::{self, Strip};
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, scale, text};

/// What happens at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPoint {
    /// Rows with at least this confidence are automated.
    pub threshold: f64,
    /// How many these are.
    pub n: u64,
    /// Their share of all rows.
    pub share: f64,
    /// The share of them that is right; `None` where there are none.
    pub accuracy: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A threshold that keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// From this confidence on.
    pub threshold: f64,
    /// The share of rows it automates.
    pub coverage: f64,
    /// The accuracy that is promised.
    pub accuracy: f64,
    /// With this assurance (one minus the chance that the promise is wrong).
    pub assurance: f64,
}

/// Accuracy and volume against the threshold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccuracyVolume {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The curve, by rising threshold.
    pub points: Vec<ThresholdPoint>,
    /// The accuracy that is wanted.
    #[serde(default)]
    pub wanted: Option<f64>,
    /// The threshold that promises it, if there is one.
    #[serde(default)]
    pub guaranteed: Option<Guarantee>,
    /// The threshold in use, if one is chosen.
    #[serde(default)]
    pub chosen: Option<f64>,
}

impl AccuracyVolume {
    fn sound(&self) -> impl Iterator<Item = &ThresholdPoint> {
        self.points.iter().filter(|p| format::is_share(p.threshold) && format::is_share(p.share))
    }

    fn thresholds(&self) -> (f64, f64) {
        let (low, high) = scale::extent(self.sound().map(|p| p.threshold)).unwrap_or((0.0, 1.0));
        // Confidences end at 1; the axis does too, if the data comes near.
        (low, if high > 0.9 && high <= 1.0 { 1.0 } else { high })
    }

    /// The accuracies worth showing: the curve and what is wanted, and the band as far as it is not wider than that
    /// twice over (the last few rows have an interval from 3% to 100%).
    fn accuracies(&self) -> (f64, f64) {
        let curve = self.sound().filter_map(|p| p.accuracy).chain(self.wanted).filter(|v| format::is_share(*v));
        let Some((low, high)) = scale::extent(curve) else { return (0.0, 1.0) };
        let most = self.sound().map(|p| p.n).max().unwrap_or(0);
        let solid = self.sound().filter(|p| p.n.saturating_mul(20) >= most);
        let band = scale::extent(solid.flat_map(|p| [p.low, p.high]).flatten().filter(|v| format::is_share(*v)))
            .unwrap_or((low, high));
        let (low, high) = scale::rounded((low.min(band.0), high.max(band.1)), 5);
        (low.max(0.0), high.min(1.0).max(low.max(0.0)))
    }

    fn guarantee(&self) -> Option<Guarantee> {
        self.guaranteed.filter(|g| [g.threshold, g.coverage, g.accuracy, g.assurance].into_iter().all(format::is_share))
    }

    fn promise(&self) -> Option<String> {
        self.guarantee().map(|g| {
            format!(
                "from {} on: at least {} right with {} assurance, covering {} of the rows",
                format::percent(g.threshold),
                format::percent(g.accuracy),
                format::percent(g.assurance),
                format::percent(g.coverage)
            )
        })
    }

    fn draw_accuracy(&self, canvas: &mut Canvas<'_>, plot: &Plot) -> Vec<(f64, f64)> {
        let band = plot.band(self.sound().filter_map(|p| Some((p.threshold, p.low?, p.high?))));
        canvas.svg.polygon("cc-band-right", &band);
        let curve = plot.curve(self.sound().filter_map(|p| Some((p.threshold, p.accuracy?))));
        canvas.svg.polyline("cc-line cc-right", &curve);
        if let [(x, y)] = curve.as_slice() {
            canvas.svg.circle("cc-fill-right", (*x, *y), 3.5);
        }
        curve
    }

    /// The wanted accuracy as a line with its name.
    fn draw_wanted(&self, canvas: &mut Canvas<'_>, plot: &Plot, placement: &mut Placement) {
        let Some(wanted) = self.wanted.filter(|wanted| plot.y.holds(*wanted)) else { return };
        let y = plot.y.at(wanted);
        canvas.svg.line("cc-ideal", (plot.area.left, y), (plot.area.right, y));
        let words = format!("wanted: {}", format::percent(wanted));
        let width = text::width(&words, SMALL);
        let spots: Vec<Area> = [y - 11.0, y + 10.0]
            .into_iter()
            .flat_map(|middle| {
                [plot.area.left + 4.0 + width / 2.0, plot.area.right - 4.0 - width / 2.0, plot.area.centre().0]
                    .map(|x| Area::around((x, middle), width, 14.0))
            })
            .collect();
        if let Some(spot) = placement.least(&spots) {
            canvas.plate("cc-note", spots[spot], &words);
        }
    }

    /// Upright lines through both panels: the threshold in use and the one that keeps the promise.
    fn draw_thresholds(&self, canvas: &mut Canvas<'_>, upper: &Plot, lower: &Plot) {
        let (top, bottom) = (upper.area.top, lower.area.bottom);
        if let Some(g) = self.guarantee() {
            let x = upper.x.at(g.threshold);
            canvas.mark("guarantee", 0, &self.promise().unwrap_or_default(), &[("threshold", g.threshold.to_string())]);
            canvas.svg.line("cc-line cc-third", (x, top), (x, bottom));
            let y = lower.y.at(g.coverage);
            canvas.diamond("cc-fill-third cc-ring", (x, y), 6.0);
            canvas.svg.close();
        }
        let Some(chosen) = self.chosen.filter(|t| format::is_share(*t)) else { return };
        let x = upper.x.at(chosen);
        canvas.svg.line("cc-line cc-thin cc-ink cc-dashed", (x, top), (x, bottom));
        let Some(point) = self.sound().take_while(|p| p.threshold <= chosen + 1e-9).last() else { return };
        let accuracy = point.accuracy.filter(|a| format::is_share(*a)).map(|a| (upper, a, "cc-fill-right"));
        for (plot, value, class) in accuracy.into_iter().chain([(lower, point.share, "cc-fill-ink")]) {
            let y = plot.y.at(value);
            canvas.svg.circle(&format!("{class} cc-ring"), (x, y), 4.5);
            let words = format::percent(value);
            let width = text::bold_width(&words, SMALL);
            let side = if x + width + 14.0 < plot.area.right { x + 8.0 + width / 2.0 } else { x - 8.0 - width / 2.0 };
            let middle = (y + 12.0).clamp(plot.area.top + 8.0, plot.area.bottom - 8.0);
            canvas.plate("cc-small cc-strong", Area::around((side, middle), width, 14.0), &words);
        }
    }
}

/// A threshold in words.
fn sentence(point: &ThresholdPoint) -> String {
    let start = format!(
        "From {} on: {}, {} of all",
        format::percent(point.threshold),
        format::counted(point.n, "row", "rows"),
        format::percent(point.share)
    );
    match (point.accuracy, point.low, point.high) {
        (Some(accuracy), Some(low), Some(high)) => {
            format!("{start}, {} right", format::percent_interval(accuracy, low, high))
        }
        (Some(accuracy), ..) => format!("{start}, {} right", format::percent(accuracy)),
        _ => start,
    }
}

/// A threshold as data attributes.
fn data(point: &ThresholdPoint) -> Vec<(&'static str, String)> {
    let mut data = vec![
        ("threshold", point.threshold.to_string()),
        ("n", point.n.to_string()),
        ("share", point.share.to_string()),
    ];
    for (name, value) in [("accuracy", point.accuracy), ("low", point.low), ("high", point.high)] {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            data.push((name, value.to_string()));
        }
    }
    data
}

impl Picture for AccuracyVolume {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "How much can be automated, and how well?"
    }

    fn description(&self) -> String {
        let (Some(first), Some(last)) = (self.sound().next(), self.sound().filter(|p| p.n > 0).last()) else {
            return "Accuracy and volume against the threshold, without rows.".to_string();
        };
        let mut words = format!("Accuracy and volume against the threshold. {}. {}.", sentence(first), sentence(last));
        match (self.promise(), self.wanted) {
            (Some(promise), _) => words.push_str(&format!(" Guaranteed {promise}.")),
            (None, Some(wanted)) if format::is_share(wanted) => {
                words.push_str(&format!(" No threshold guarantees {} with these rows.", format::percent(wanted)));
            }
            _ => {}
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table =
            Table::new(self.title(), &["threshold#", "rows#", "share of all#", "accuracy#", "95% low#", "95% high#"]);
        for point in &self.points {
            let optional = |value: Option<f64>| Cell::percent(value.unwrap_or(f64::NAN));
            table.push(vec![
                Cell::percent(point.threshold),
                Cell::count(point.n),
                Cell::percent(point.share),
                optional(point.accuracy),
                optional(point.low),
                optional(point.high),
            ]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "Everything at or above the threshold is automated.");
        let mut keys = vec![
            key(Sign::Line("cc-line cc-right"), "accuracy of the automated rows"),
            key(Sign::Box("cc-band-right"), "its 95% interval"),
        ];
        if let Some(promise) = self.promise() {
            keys.push(key(Sign::Diamond("cc-fill-third"), "guaranteed threshold"));
            canvas.paragraph("cc-small cc-strong cc-text-third", &format!("Guaranteed {promise}."), 3);
        } else if let Some(wanted) = self.wanted.filter(|wanted| format::is_share(*wanted)) {
            let words = format!("No threshold guarantees {} with these rows.", format::percent(wanted));
            canvas.paragraph("cc-small cc-strong", &words, 2);
        }
        if self.chosen.is_some_and(format::is_share) {
            let words = format!("threshold in use, {}", format::percent(self.chosen.unwrap_or_default()));
            keys.push(key(Sign::Line("cc-line cc-thin cc-ink cc-dashed"), words));
        }
        canvas.legend(&keys);

        let target = if canvas.narrow() { 4 } else { 9 };
        let x = || Axis::percent(self.thresholds(), target, "threshold: the least confidence that is automated");
        let y_upper = Axis::percent(self.accuracies(), 5, "accuracy of the automated rows");
        let y_lower = Axis::percent((0.0, 1.0), 4, "share of rows automated");
        let left = PAD + y_upper.label_width().max(y_lower.label_width()) + 8.0;
        let right = canvas.width - PAD - text::width("100%", SMALL) / 2.0;
        let natural = (canvas.width * 0.55).clamp(260.0, 400.0);
        let between = ABOVE + 14.0;
        let height = canvas.plot_height(natural, ABOVE + BELOW + between).max(80.0);
        let top = canvas.top + ABOVE;
        let middle = top + height * 0.58;
        let upper = Plot::new(x(), y_upper, Area { left, top, right, bottom: middle });
        let lower_top = middle + between;
        let lower = Plot::new(x(), y_lower, Area { left, top: lower_top, right, bottom: lower_top + height * 0.42 });
        canvas.top = lower.area.bottom + BELOW;
        upper.draw_y(canvas);
        canvas.svg.line("cc-axis", (left, middle), (right, middle));
        lower.draw(canvas);

        if self.sound().next().is_none() {
            canvas.empty(upper.area, "No rows with a known right answer.");
            return;
        }
        let volume = lower.curve(self.sound().map(|p| (p.threshold, p.share)));
        if let (Some(first), Some(last)) = (volume.first(), volume.last()) {
            let base = lower.area.bottom;
            let mut around = volume.clone();
            around.extend([(last.0, base), (first.0, base)]);
            canvas.svg.polygon("cc-band-muted", &around);
        }
        canvas.svg.polyline("cc-line cc-ink", &volume);
        if let [(x, y)] = volume.as_slice() {
            canvas.svg.circle("cc-fill-ink", (*x, *y), 3.5);
        }
        let curve = self.draw_accuracy(canvas, &upper);
        let mut placement = Placement::new(upper.area);
        placement.take_line(&curve, NORMAL);
        self.draw_wanted(canvas, &upper, &mut placement);
        self.draw_thresholds(canvas, &upper, &lower);
        let points: Vec<&ThresholdPoint> = self.sound().collect();
        let both = Area { bottom: lower.area.bottom, ..upper.area };
        strips::draw(canvas, "threshold", both, &points, |index, point| Strip {
            x: upper.x.at(point.threshold),
            index,
            words: sentence(point),
            data: data(point),
        });
    }
}
