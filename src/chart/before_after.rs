//! Before and after: two reliability diagrams on the same axes, and the measures that changed.

use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, NORMAL, PAD};
use super::reliability::ReliabilityDiagram;
use super::square::Square;
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, text};

/// A measure before and after, already in words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasurePair {
    /// What it is, as in `ECE, 20 stripes`.
    pub name: String,
    /// Its value before.
    pub before: String,
    /// Its value after.
    pub after: String,
    /// Whether the change is for the better; `None` where nobody can say.
    #[serde(default)]
    pub better: Option<bool>,
}

/// The kind of the marks before: rows are found by the confidence that they stand at.
const BEFORE: &str = "stripe";
/// The kind of those after: the confidence that they stand at is no row's own.
const AFTER: &str = "stripe-after";

/// Before and after.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    /// What stands above them.
    #[serde(default)]
    pub heading: Heading,
    /// The first diagram; its heading's title names it (`before`, if empty).
    pub before: ReliabilityDiagram,
    /// The second; `after`, if unnamed.
    pub after: ReliabilityDiagram,
    /// The measures that changed.
    #[serde(default)]
    pub measures: Vec<MeasurePair>,
}

impl BeforeAfter {
    /// One of the two diagrams between two edges.
    fn draw_half(&self, canvas: &mut Canvas<'_>, diagram: &ReliabilityDiagram, usual: &str, mark: &str) {
        let name = diagram.heading.title_or(usual);
        for line in text::wrap(name, NORMAL, canvas.room() / 1.08, 2) {
            canvas.svg.text("cc-strong", (PAD, canvas.top + NORMAL), Anchor::Start, &line);
            canvas.top += 17.0;
        }
        if diagram.heading.in_sample {
            canvas.paragraph("cc-small cc-strong cc-text-wrong", "in-sample", 1);
        }
        canvas.top += 4.0;
        let square = Square::draw(canvas, None);
        if diagram.points.is_empty() {
            canvas.empty(square.plot.area, "No rows with a known right answer.");
        } else {
            diagram.draw_points(canvas, &square, mark, false);
        }
    }

    /// The measures as a small table: name, before, after, and a word beside the sign whether that is better.
    fn draw_measures(&self, canvas: &mut Canvas<'_>) {
        if self.measures.is_empty() {
            return;
        }
        let widest = |texts: &dyn Fn(&MeasurePair) -> String| {
            self.measures.iter().map(|m| text::width(&texts(m), NORMAL)).fold(0.0, f64::max)
        };
        let third = canvas.room() * 0.24;
        let values = widest(&|m| m.before.clone()).max(text::width("before", NORMAL)).min(third) + 12.0;
        let afters = widest(&|m| m.after.clone()).max(text::width("after", NORMAL)).min(third) + 12.0;
        let verdicts = text::width("✓ better", NORMAL) + 4.0;
        let names = (widest(&|m| m.name.clone()) + 12.0).min(canvas.room() - values - afters - verdicts).max(20.0);
        let (before, after) = (PAD + names + values, PAD + names + values + afters);
        canvas.top += 8.0;
        canvas.svg.text("cc-sub", (before, canvas.top + NORMAL), Anchor::End, "before");
        canvas.svg.text("cc-sub", (after, canvas.top + NORMAL), Anchor::End, "after");
        canvas.top += 20.0;
        for measure in &self.measures {
            let y = canvas.top + NORMAL;
            canvas.svg.text("cc-sub", (PAD, y), Anchor::Start, &text::fit(&measure.name, NORMAL, names - 8.0));
            canvas.svg.text("", (before, y), Anchor::End, &text::fit(&measure.before, NORMAL, values - 8.0));
            canvas.svg.text("cc-strong", (after, y), Anchor::End, &text::fit(&measure.after, NORMAL, afters - 8.0));
            let (class, words) = match measure.better {
                Some(true) => ("cc-small cc-text-third", "✓ better"),
                Some(false) => ("cc-small cc-text-wrong", "✗ worse"),
                None => ("cc-small", ""),
            };
            canvas.svg.text(class, (after + 8.0, y), Anchor::Start, words);
            canvas.top += 18.0;
        }
    }
}

impl Picture for BeforeAfter {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Reliability before and after"
    }

    fn description(&self) -> String {
        let mut words = format!(
            "Two reliability diagrams. {}: {}. {}: {}.",
            self.before.heading.title_or("Before"),
            self.before.summary(),
            self.after.heading.title_or("After"),
            self.after.summary()
        );
        for measure in &self.measures {
            words.push_str(&format!(" {} goes from {} to {}.", measure.name, measure.before, measure.after));
        }
        words
    }

    fn to_table(&self) -> Table {
        let inner = self.before.to_table();
        let mut table = Table::new(self.title(), &["diagram"]);
        table.columns.extend(inner.columns);
        for (name, diagram) in [
            (self.before.heading.title_or("before"), self.before.to_table()),
            (self.after.heading.title_or("after"), self.after.to_table()),
        ] {
            for mut row in diagram.rows {
                row.insert(0, Cell::text(name));
                table.push(row);
            }
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "");
        if canvas.width >= 560.0 {
            canvas.beside(
                |half| self.draw_half(half, &self.before, "before", BEFORE),
                |half| self.draw_half(half, &self.after, "after", AFTER),
            );
        } else {
            self.draw_half(canvas, &self.before, "before", BEFORE);
            canvas.top += 10.0;
            self.draw_half(canvas, &self.after, "after", AFTER);
        }
        canvas.top += 6.0;
        // The keys of both, each once.
        let mut keys = self.before.keys();
        keys.extend(self.after.keys().into_iter().filter(|key| !self.before.keys().contains(key)));
        canvas.legend(&keys);
        self.draw_measures(canvas);
    }
}
