//! Label probabilities of one text: a bar a label, and what went to none of them.

use serde::{Deserialize, Serialize};

use super::canvas::{NORMAL, PAD};
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, text, theme};

/// One label.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelBar {
    /// Its name.
    pub name: String,
    /// Its probability.
    pub probability: f64,
    /// The probability's interval, where there is one.
    #[serde(default)]
    pub interval: Option<[f64; 2]>,
    /// Whether it is the prediction.
    #[serde(default)]
    pub chosen: bool,
}

/// Label probabilities.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelBars {
    /// What stands above them.
    #[serde(default)]
    pub heading: Heading,
    /// The labels, in the task's order: the place gives a label its colour.
    pub labels: Vec<LabelBar>,
    /// The probability of everything that is no label, over the whole vocabulary.
    #[serde(default)]
    pub other: Option<f64>,
}

/// Height of a row.
const ROW: f64 = 28.0;

impl LabelBars {
    fn chosen(&self) -> Option<&LabelBar> {
        self.labels.iter().find(|label| label.chosen)
    }
}

/// A label in words.
fn sentence(label: &LabelBar) -> String {
    let [low, high] = label.interval.unwrap_or([f64::NAN; 2]);
    let chosen = if label.chosen { ", the prediction" } else { "" };
    format!("{}: {}{chosen}", label.name, format::percent_interval(label.probability, low, high))
}

impl Picture for LabelBars {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "Label probabilities"
    }

    fn description(&self) -> String {
        if self.labels.is_empty() {
            return "Label probabilities without labels.".to_string();
        }
        let mut words = match self.chosen() {
            Some(label) => format!("Predicted {}.", sentence(label)),
            None => "Label probabilities.".to_string(),
        };
        for label in self.labels.iter().filter(|label| !label.chosen).take(20) {
            words.push_str(&format!(" {}.", sentence(label)));
        }
        if let Some(other) = self.other {
            words.push_str(&format!(" No label: {}.", format::percent(other)));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["label", "probability#", "low#", "high#", "predicted"]);
        for label in &self.labels {
            let [low, high] = label.interval.unwrap_or([f64::NAN; 2]);
            table.push(vec![
                Cell::text(&label.name),
                Cell::percent(label.probability),
                Cell::percent(low),
                Cell::percent(high),
                Cell::text(if label.chosen { "yes" } else { "" }),
            ]);
        }
        if let Some(other) = self.other {
            table.push(vec![Cell::text("no label"), Cell::percent(other)]);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "");
        if self.labels.is_empty() {
            canvas.paragraph("cc-sub", "No labels.", 1);
            return;
        }
        let names = self.labels.iter().map(|label| label.name.as_str()).chain(self.other.map(|_| "no label"));
        let widest = names.map(|name| text::width(name, NORMAL)).fold(0.0, f64::max) * 1.06 + 10.0;
        let left = PAD + widest.min(canvas.room() * 0.4);
        let right = canvas.width - PAD - text::width("100.0%", NORMAL) * 1.06 - 8.0;
        let scale = super::scale::Linear::new((0.0, 1.0), (left, right));
        let row = (canvas.plot_height(ROW * (self.labels.len() + usize::from(self.other.is_some())) as f64, 0.0)
            / (self.labels.len() + usize::from(self.other.is_some())) as f64)
            .clamp(18.0, 44.0);
        for (index, label) in self.labels.iter().enumerate() {
            let (top, middle) = (canvas.top, canvas.top + row / 2.0);
            let data = [("label", label.name.clone()), ("probability", attribute(label.probability))];
            canvas.mark("label", index, &sentence(label), &data);
            canvas.svg.rect("cc-hit", (PAD, top), (canvas.width - PAD, top + row));
            let class = if label.chosen { "cc-strong" } else { "" };
            let name = text::fit(&label.name, NORMAL * 1.06, left - PAD - 8.0);
            canvas.svg.text(class, (left - 8.0, middle + 4.0), Anchor::End, &name);
            canvas.svg.rect("cc-stripe", (left, middle - 7.0), (right, middle + 7.0));
            let series = format!("cc-series-{}", index % theme::SERIES + 1);
            let end = scale.at(label.probability);
            canvas
                .svg
                .rect_tag(&series, (left, middle - 7.0), (end.max(left + 1.0), middle + 7.0))
                .num("rx", 2.0)
                .end();
            if let Some([low, high]) = label.interval.filter(|i| i.iter().all(|v| v.is_finite())) {
                let (low, high) = (scale.at(low), scale.at(high));
                canvas.svg.line("cc-line cc-thin cc-ink", (low, middle), (high, middle));
                for x in [low, high] {
                    canvas.svg.line("cc-line cc-thin cc-ink", (x, middle - 4.0), (x, middle + 4.0));
                }
            }
            let words = format::percent(label.probability);
            canvas.svg.text(class, (canvas.width - PAD, middle + 4.0), Anchor::End, &words);
            canvas.svg.close();
            canvas.top += row;
        }
        if let Some(other) = self.other {
            let middle = canvas.top + row / 2.0;
            canvas.svg.text("cc-sub", (left - 8.0, middle + 4.0), Anchor::End, "no label");
            canvas.svg.rect("cc-outline", (left, middle - 6.0), (scale.at(other).max(left + 1.0), middle + 6.0));
            canvas.svg.text("cc-sub", (canvas.width - PAD, middle + 4.0), Anchor::End, &format::percent(other));
            canvas.top += row;
        }
    }
}

/// A number as an attribute; empty where it does not exist.
fn attribute(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}
