//! The confusion matrix: what each label was taken for. Right answers and errors differ in hue *and* in place (the
//! diagonal is outlined); the shade is the share of the row, the number is the count.

use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, NORMAL, PAD, SMALL, Sign, key};
use super::svg::Anchor;
use super::table::{Cell, Table};
use super::{Heading, Picture, Sheet, format, text};

/// The confusion matrix.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// What stands above it.
    #[serde(default)]
    pub heading: Heading,
    /// The labels, in the task's order.
    pub labels: Vec<String>,
    /// `counts[expected][predicted]`; missing entries count as 0.
    pub counts: Vec<Vec<u64>>,
}

/// The faintest shade, of a cell with a single row: it must still differ from an empty one.
const FAINTEST: f64 = 0.15;

impl ConfusionMatrix {
    fn count(&self, expected: usize, predicted: usize) -> u64 {
        self.counts.get(expected).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    fn row_total(&self, expected: usize) -> u64 {
        (0..self.labels.len()).fold(0, |sum, predicted| sum.saturating_add(self.count(expected, predicted)))
    }

    fn column_total(&self, predicted: usize) -> u64 {
        (0..self.labels.len()).fold(0, |sum, expected| sum.saturating_add(self.count(expected, predicted)))
    }

    fn total(&self) -> u64 {
        (0..self.labels.len()).fold(0, |sum, expected| sum.saturating_add(self.row_total(expected)))
    }

    fn right(&self) -> u64 {
        (0..self.labels.len()).fold(0, |sum, label| sum.saturating_add(self.count(label, label)))
    }

    fn recall(&self, label: usize) -> f64 {
        self.count(label, label) as f64 / self.row_total(label) as f64
    }

    fn precision(&self, label: usize) -> f64 {
        self.count(label, label) as f64 / self.column_total(label) as f64
    }

    fn sentence(&self, expected: usize, predicted: usize) -> String {
        let n = self.count(expected, predicted);
        format!(
            "Expected {}, predicted {}: {} ({} of the expected)",
            self.labels[expected],
            self.labels[predicted],
            format::counted(n, "row", "rows"),
            format::percent(n as f64 / self.row_total(expected) as f64)
        )
    }

    /// The mistake that was made most often.
    fn commonest_error(&self) -> Option<(usize, usize)> {
        let labels = 0..self.labels.len();
        let errors = labels.clone().flat_map(|e| labels.clone().map(move |p| (e, p))).filter(|(e, p)| e != p);
        errors.max_by_key(|(e, p)| self.count(*e, *p)).filter(|(e, p)| self.count(*e, *p) > 0)
    }

    fn draw_cell(
        &self,
        canvas: &mut Canvas<'_>,
        (expected, predicted): (usize, usize),
        at: (f64, f64),
        size: (f64, f64),
    ) {
        let n = self.count(expected, predicted);
        let row = self.row_total(expected);
        let share = if row == 0 { 0.0 } else { n as f64 / row as f64 };
        let (left, top) = at;
        let (right, bottom) = (left + size.0, top + size.1);
        let gap = if size.0 > 12.0 { 1.0 } else { 0.0 };
        let data = [
            ("expected", self.labels[expected].clone()),
            ("predicted", self.labels[predicted].clone()),
            ("n", n.to_string()),
        ];
        let index = expected * self.labels.len() + predicted;
        if n == 0 && size.0 < 12.0 {
            // Hundreds of labels have nearly only empty cells, too small to read: the ground stands for them.
            return;
        }
        canvas.mark("cell", index, &self.sentence(expected, predicted), &data);
        canvas.svg.rect("cc-stripe", (left + gap, top + gap), (right - gap, bottom - gap));
        let class = if expected == predicted { "cc-cell-right" } else { "cc-cell-wrong" };
        if n > 0 {
            let strength = FAINTEST + (1.0 - FAINTEST) * share;
            canvas
                .svg
                .rect_tag(class, (left + gap, top + gap), (right - gap, bottom - gap))
                .num("fill-opacity", strength)
                .end();
        }
        if expected == predicted {
            canvas.svg.rect("cc-line cc-thin cc-right", (left + gap, top + gap), (right - gap, bottom - gap));
        }
        canvas.svg.rect("cc-hit", (left, top), (right, bottom));
        // The count stands on the mark, not in it: the mark's own sentence says it, in other words.
        canvas.svg.close();
        let words = if n < 10_000 { format::count(n) } else { format::short_count(n) };
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        let percent = format!("{:.0}%", share * 100.0);
        let both = size.1 >= 36.0 && text::width(&percent, SMALL) + 4.0 <= size.0;
        if text::width(&words, NORMAL) + 4.0 <= size.0 && size.1 >= 14.0 {
            let y = if both { middle.1 - 2.0 } else { middle.1 + 4.0 };
            canvas.svg.text(if n > 0 { "cc-strong" } else { "cc-note" }, (middle.0, y), Anchor::Middle, &words);
            if both && n > 0 {
                canvas.svg.text("cc-small", (middle.0, middle.1 + 12.0), Anchor::Middle, &percent);
            }
        }
    }

    /// Recall at the end of each row, where a row is high enough for it.
    fn draw_margins(&self, canvas: &mut Canvas<'_>, grid: (f64, f64), size: (f64, f64), margin: f64) {
        let k = self.labels.len();
        let (right, bottom) = (grid.0 + size.0 * k as f64, grid.1 + size.1 * k as f64);
        let words = |value: f64| if value.is_finite() { format!("{:.0}%", value * 100.0) } else { "–".to_string() };
        if margin > 0.0 && size.1 >= 13.0 {
            canvas.svg.text("cc-note", (right + 8.0, grid.1 - 8.0), Anchor::Start, "recall");
            for label in 0..k {
                let y = grid.1 + size.1 * (label as f64 + 0.5) + 4.0;
                canvas.svg.text("cc-strong", (right + 8.0, y), Anchor::Start, &words(self.recall(label)));
            }
        }
        if size.0 >= text::width("100%", NORMAL) {
            for label in 0..k {
                let x = grid.0 + size.0 * (label as f64 + 0.5);
                canvas.svg.text("cc-strong", (x, bottom + 16.0), Anchor::Middle, &words(self.precision(label)));
            }
            let words = text::fit("precision", SMALL, grid.0 - 8.0 - PAD);
            canvas.svg.text("cc-note", (grid.0 - 8.0, bottom + 16.0), Anchor::End, &words);
        }
    }

    /// The predicted labels above the columns: upright where they fit, turned where not. Answers their height.
    fn column_heads(&self, width: f64, size: f64) -> (bool, f64) {
        let widest = self.labels.iter().map(|label| text::width(label, NORMAL)).fold(0.0, f64::max);
        if widest <= size - 6.0 {
            (false, 20.0)
        } else if size >= 12.0 {
            (true, widest.min(120.0).min(width * 0.3) + 8.0)
        } else {
            (true, 0.0)
        }
    }

    fn draw_heads(
        &self,
        canvas: &mut Canvas<'_>,
        grid: (f64, f64),
        size: (f64, f64),
        (turned, high): (bool, f64),
        left: f64,
    ) {
        for (index, label) in self.labels.iter().enumerate() {
            let x = grid.0 + size.0 * (index as f64 + 0.5);
            if !turned {
                let words = text::fit(label, NORMAL, size.0);
                canvas.svg.text("", (x, grid.1 - 7.0), Anchor::Middle, &words);
            } else if high > 0.0 {
                let words = text::fit(label, NORMAL, high - 8.0);
                let turn = format!("rotate(-90 {:.2} {:.2})", x + 4.0, grid.1 - 5.0);
                canvas.svg.tag("text").num("x", x + 4.0).num("y", grid.1 - 5.0).attr("transform", &turn).text(&words);
            }
            if size.1 >= 12.0 {
                let y = grid.1 + size.1 * (index as f64 + 0.5) + 4.0;
                let words = text::fit(label, NORMAL, left - 8.0);
                canvas.svg.text("", (grid.0 - 8.0, y), Anchor::End, &words);
            }
        }
    }
}

impl Picture for ConfusionMatrix {
    fn heading(&self) -> &Heading {
        &self.heading
    }

    fn usual_title(&self) -> &'static str {
        "What was taken for what?"
    }

    fn description(&self) -> String {
        let total = self.total();
        if total == 0 {
            return "Confusion matrix without rows.".to_string();
        }
        let mut words = format!(
            "Confusion matrix of {} and {}; {} are right ({}).",
            format::counted(total, "row", "rows"),
            format::counted(self.labels.len() as u64, "label", "labels"),
            format::count(self.right()),
            format::percent(self.right() as f64 / total as f64)
        );
        if let Some((expected, predicted)) = self.commonest_error() {
            words.push_str(&format!(" The commonest error: {}.", self.sentence(expected, predicted)));
        }
        words
    }

    fn to_table(&self) -> Table {
        let mut heads = vec!["expected".to_string()];
        heads.extend(self.labels.iter().map(|label| format!("predicted {label}")));
        heads.extend(["rows".to_string(), "recall".to_string()]);
        let mut table = Table::new(self.title(), &[]);
        table.columns = heads
            .into_iter()
            .enumerate()
            .map(|(i, name)| super::Column {
                name,
                align: if i == 0 { super::Align::Left } else { super::Align::Right },
            })
            .collect();
        for (expected, label) in self.labels.iter().enumerate() {
            let mut row = vec![Cell::text(label)];
            row.extend((0..self.labels.len()).map(|predicted| Cell::count(self.count(expected, predicted))));
            row.push(Cell::count(self.row_total(expected)));
            row.push(Cell::percent(self.recall(expected)));
            table.push(row);
        }
        table
    }

    fn draw(&self, Sheet(canvas): &mut Sheet<'_, '_>) {
        let k = self.labels.len();
        let usual = format!(
            "{}, {} right. Down: what was expected; across: what was predicted; shade: share of the row.",
            format::counted(self.total(), "row", "rows"),
            format::count(self.right())
        );
        canvas.heading(&self.heading, self.usual_title(), &usual);
        if k == 0 {
            canvas.paragraph("cc-sub", "No labels.", 1);
            return;
        }
        canvas.legend(&[key(Sign::Box("cc-cell-right"), "right"), key(Sign::Box("cc-cell-wrong"), "wrong")]);
        let widest = self.labels.iter().map(|label| text::width(label, NORMAL)).fold(0.0, f64::max);
        let left = (widest.max(text::width("expected ↓", SMALL)) + 8.0).min(canvas.room() * 0.3);
        let margin = if canvas.room() - left > 120.0 { 52.0 } else { 0.0 };
        let room = canvas.room() - left - margin;
        // A cell grows with the room, but a matrix of two labels need not fill a wide page.
        let across = (room / k as f64).min(130.0);
        let heads = self.column_heads(canvas.width, across);
        let natural = across.min(72.0_f64.max(across * 0.6)) * k as f64;
        let down = canvas.plot_height(natural, heads.1 + 64.0) / k as f64;
        canvas.svg.text("cc-note", (PAD + left, canvas.top + SMALL), Anchor::Start, "predicted →");
        canvas.top += 18.0 + heads.1;
        let words = text::fit("expected ↓", SMALL, left - 8.0);
        canvas.svg.text("cc-note", (PAD + left - 8.0, canvas.top - 7.0), Anchor::End, &words);
        let grid = (PAD + left, canvas.top);
        self.draw_heads(canvas, grid, (across, down), heads, left);
        if across < 12.0 {
            canvas.svg.rect("cc-stripe", grid, (grid.0 + across * k as f64, grid.1 + down * k as f64));
        }
        for expected in 0..k {
            for predicted in 0..k {
                let at = (grid.0 + across * predicted as f64, grid.1 + down * expected as f64);
                self.draw_cell(canvas, (expected, predicted), at, (across, down));
            }
        }
        self.draw_margins(canvas, grid, (across, down), margin);
        canvas.top = grid.1 + down * k as f64 + 22.0;
        if across < 12.0 || down < 12.0 {
            let words = format!("{k} labels are too many to name here; the table names them all.");
            canvas.paragraph("cc-note", &words, 2);
        }
    }
}
