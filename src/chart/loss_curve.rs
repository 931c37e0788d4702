//! How a training went: the loss of the rows it learns from, step by step, and of the validation rows, epoch by epoch.

use serde::{Deserialize, Serialize};

use super::axes::{Axis, Plot};
use super::canvas::{Sign, key};
use super::table::{Cell, Table};
use super::{Heading, Measure, Picture, Sheet, format, scale};

/// A loss after some steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// Steps done.
    pub step: u64,
    /// The loss.
    pub loss: f64,
}

/// The losses of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LossCurve {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// Loss of the rows it learned from, by rising step.
    pub training: Vec<LossPoint>,
    /// Loss of the validation rows after each epoch, by rising step.
    pub validation: Vec<LossPoint>,
    /// Which of them was the best.
    #[serde(default)]
    pub best: Option<usize>,
    /// Numbers to show above it.
    #[serde(default)]
    pub measures: Vec<Measure>,
}

fn sound(points: &[LossPoint]) -> impl Iterator<Item = &LossPoint> {
    points.iter().filter(|point| point.loss.is_finite())
}

fn row(name: &str, point: &LossPoint) -> Vec<Cell> {
    vec![Cell::text(name), Cell::count(point.step), Cell::number(point.loss, 4)]
}

impl LossCurve {
    /// Losses worth showing: from zero to the largest, but for the first tenth of the training, which may be far above.
    fn largest(&self) -> f64 {
        let later = self.training.iter().skip(self.training.len() / 10);
        let values = later.chain(&self.validation).map(|point| point.loss);
        let (_, high) = scale::extent(values).unwrap_or((0.0, 1.0));
        scale::rounded((0.0, high.max(1e-6) * 1.05), 5).1
    }
}

impl Picture for LossCurve {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "How did the training go?"
    }

    fn description(&self) -> String {
        let ends = |points: &[LossPoint]| {
            let mut all = sound(points);
            let first = all.next()?;
            Some((first.loss, all.last().unwrap_or(first).loss))
        };
        let words = |name: &str, ends: Option<(f64, f64)>| {
            ends.map_or(String::new(), |(first, last)| format!(" {name}: from {first:.3} to {last:.3}."))
        };
        let mut text = "Losses of a training.".to_owned();
        text.push_str(&words("Rows to learn from", ends(&self.training)));
        text.push_str(&words("Validation rows", ends(&self.validation)));
        let best = self.best.and_then(|best| self.validation.get(best));
        if let Some(best) = best.filter(|best| best.loss.is_finite()) {
            text.push_str(&format!(" The best was at step {}: {:.3}.", best.step, best.loss));
        }
        text
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(self.title(), &["rows", "step#", "loss#"]);
        self.validation.iter().for_each(|point| table.push(row("validation", point)));
        self.training.iter().for_each(|point| table.push(row("learned from", point)));
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        canvas.heading(&self.heading, self.usual_title(), "Lower is better; validation rows were not learned from.");
        canvas.measures(&self.measures);
        let mut keys = vec![
            key(Sign::Line("cc-line cc-thin cc-third"), "rows to learn from"),
            key(Sign::Line("cc-line cc-right"), "validation rows"),
        ];
        if self.best.is_some() {
            keys.push(key(Sign::Dot("cc-fill-ink"), "the best, which was kept"));
        }
        canvas.legend(&keys);
        let last = sound(&self.training).chain(sound(&self.validation)).map(|point| point.step).max().unwrap_or(0);
        let x = Axis::count(last as f64, if canvas.narrow() { 4 } else { 8 }, "steps");
        let y = Axis::amount((0.0, self.largest()), 5, "loss");
        let plot = Plot::place(canvas, x, y, (canvas.width * 0.42).clamp(190.0, 320.0));
        plot.draw(canvas);
        if sound(&self.training).next().is_none() && sound(&self.validation).next().is_none() {
            canvas.empty(plot.area, "No rows were learned from yet.");
            return;
        }
        let at = |point: &LossPoint| (point.step as f64, point.loss);
        canvas.svg.polyline("cc-line cc-thin cc-third", &plot.curve(sound(&self.training).map(at)));
        canvas.svg.polyline("cc-line cc-right", &plot.curve(sound(&self.validation).map(at)));
        for (index, point) in self.validation.iter().enumerate().filter(|(_, point)| point.loss.is_finite()) {
            let words = format!("After {} steps: {:.3} on the validation rows", format::count(point.step), point.loss);
            let data = [("step", point.step.to_string()), ("loss", point.loss.to_string())];
            canvas.mark("epoch", index, &words, &data);
            let class = if self.best == Some(index) { "cc-fill-ink" } else { "cc-fill-right" };
            let (x, y) = at(point);
            canvas.svg.circle(class, plot.at(x, y), if self.best == Some(index) { 4.5 } else { 3.5 });
            canvas.svg.close();
        }
    }
}
