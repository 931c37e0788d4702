//! Pictures: numbers → a description of a chart → SVG text. The command line's report and the page draw the same ones.
//!
//! A picture is a plain struct of numbers, one file a picture; it can be stored, sent over a worker boundary and drawn
//! later ([`Chart`] holds any of them). It knows nothing of statistics: whoever computed the numbers fills the struct.
//! From one struct come the picture ([`Picture::to_svg`]), the sentence that a screen reader says
//! ([`Picture::description`]) and the table for whoever wants the figures ([`Picture::to_table`]), so the three cannot
//! contradict each other.
//!
//! ```
//! use candor::chart::{Options, Picture, ReliabilityDiagram, ReliabilityPoint};
//! let point = ReliabilityPoint {
//!     low: 0.95, high: 1.0, n: 532, confidence: 0.99, accuracy: 0.8346, accuracy_low: 0.8002, accuracy_high: 0.8652,
//! };
//! let picture = ReliabilityDiagram { points: vec![point], ..Default::default() };
//! let svg = picture.to_svg(&Options { width: 640.0, ..Default::default() });
//! assert!(svg.starts_with("<svg"));
//! assert!(picture.to_table().to_csv().contains("532"));
//! ```
//!
//! **Why no charting library.** What these pictures need is small in drawing (lines, boxes, text) and particular in
//! everything else: a title and a description for screen readers, marks that can be focused and carry their numbers as
//! attributes for the page, colours that follow light and dark through CSS custom properties, hatches and shapes beside
//! every colour, the same output natively and in a small wasm. `plotters` (its SVG backend writes literal colours and one
//! anonymous element after another; its issue 494 asks for tagged elements) and `kuva` (has tooltips, but literal colours
//! and no title or description of the whole) cannot say these things; `poloto` can be styled by CSS but draws lines,
//! dots and bars only; `charming` and the plotly bindings carry a JavaScript engine of megabytes, which a report that opens
//! from disk without a script cannot use. None of them knows Clopper–Pearson bars, hatched stacks or label collision.
//! Escaping, number formatting and closing of elements are the only dangerous parts of writing SVG; they live in one small
//! writer, and a property test parses every picture of arbitrary data back.
//!
//! An interactive picture marks what can be pointed at: a focusable group with its sentence as `aria-label`, its kind in
//! `data-mark` (`stripe`, `bin`, `cell`, `threshold`, `guarantee`, `best`, `coverage`, `sample-size`, `label`), its place in
//! the data in `data-index` and its numbers in further `data-` attributes: enough for a page to show them on hover and to
//! list the rows behind them on a click. A stripe of a confidence that something was done to is a `stripe-after`: no row
//! is found by it. The tabulator key reaches the first mark only; a page has the arrow keys go on from there.
//!
//! How it is laid out: text widths are estimated, never measured, so a picture is drawn at the width it will be shown at
//! (12-pixel text stays 12 pixels on a phone). Whatever the numbers are (none, one, equal, not finite, huge) and whatever
//! the labels (200 characters, markup, right-to-left), the result is a valid picture that says what it shows.

use serde::{Deserialize, Serialize};

mod accuracy_volume;
mod axes;
mod before_after;
mod canvas;
mod confidence_histogram;
mod confusion;
mod corp;
mod cost;
pub mod format;
mod label_bars;
mod loss_curve;
mod placement;
mod reliability;
mod report;
mod risk_coverage;
mod sample_size;
mod scale;
mod smooth;
mod square;
mod strips;
mod svg;
mod table;
mod text;
mod theme;

pub use accuracy_volume::{AccuracyVolume, Guarantee, ThresholdPoint};
pub use before_after::{BeforeAfter, MeasurePair};
pub use confidence_histogram::{ConfidenceHistogram, HistogramBin};
pub use confusion::ConfusionMatrix;
pub use corp::CorpCurve;
pub use cost::{CostCurve, CostPoint};
pub use label_bars::{LabelBar, LabelBars};
pub use loss_curve::{LossCurve, LossPoint};
pub use reliability::{ReliabilityDiagram, ReliabilityPoint};
pub use report::{Highlight, Report, Section};
pub use risk_coverage::{RiskCoverage, RiskPoint};
pub use sample_size::{SampleSizePanel, SampleSizePanels, SampleSizePoint};
pub use smooth::{SmoothDiagram, SmoothPoint};
pub use square::{BandPoint, CurvePoint};
pub use svg::escape;
pub use table::{Align, Cell, Column, Table};
pub use theme::{Theme, stylesheet};

use canvas::Canvas;

/// How a picture is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Width in CSS pixels; 200 to 4,000.
    pub width: f64,
    /// Height in CSS pixels; `None`: what suits the picture at this width. A height too small for the text is exceeded.
    pub height: Option<f64>,
    /// The SVG's id and the beginning of every id in it: unique in a page that shows several pictures.
    pub id_prefix: String,
    /// Light, dark, or as the reader has it.
    pub theme: Theme,
    /// Whether marks can be focused (a page with a script listens) or the whole is one image.
    pub interactive: bool,
    /// What marks of an interactive picture can be pressed for.
    #[serde(default)]
    pub press: Press,
    /// Whether the title is drawn; a figure with its own heading leaves it out. Screen readers get it either way.
    pub title: bool,
    /// Whether the description is inside; a figure whose caption says the same leaves it out.
    pub description: bool,
    /// Whether the style sheet is inside; a page that carries [`stylesheet`] itself leaves it out. A fixed theme always
    /// is inside.
    pub style: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 720.0,
            height: None,
            id_prefix: "chart".to_string(),
            theme: Theme::Auto,
            interactive: false,
            press: Press::Nothing,
            title: true,
            description: true,
            style: true,
        }
    }
}

/// What marks can be pressed for, in a page that listens. Marks of other kinds only say their numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Press {
    /// For nothing.
    #[default]
    Nothing,
    /// For the rows that they stand for.
    Rows,
    /// For their threshold.
    Threshold,
}

impl Press {
    /// Whether a mark of this kind can be pressed.
    pub fn takes(self, kind: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Rows => matches!(kind, "stripe" | "bin" | "cell"),
            Self::Threshold => matches!(kind, "threshold" | "guarantee"),
        }
    }
}

/// What stands above a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heading {
    /// The title; empty: the picture's usual one.
    #[serde(default)]
    pub title: String,
    /// A line under it; empty: the picture's usual one.
    #[serde(default)]
    pub subtitle: String,
    /// Whether the numbers were computed on the rows that something was fitted on: the picture then says so.
    #[serde(default)]
    pub in_sample: bool,
}

impl Heading {
    /// A title alone.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    fn title_or<'a>(&'a self, usual: &'a str) -> &'a str {
        if self.title.trim().is_empty() { usual } else { &self.title }
    }
}

/// A number to show beside a picture, already in words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is, as in `ECE, 20 stripes`.
    pub name: String,
    /// Its value, as in `17.3%`.
    pub value: String,
    /// What to compare it with, as in `a calibrated model would show 2.2% here`.
    #[serde(default)]
    pub note: String,
}

/// What every picture can do.
pub trait Picture {
    /// What stands above it.
    fn heading(&self) -> &Heading;

    /// Its title where the heading has none.
    fn usual_title(&self) -> &'static str;

    /// What it shows, in sentences, with the numbers that matter most: the text for whoever does not see it.
    fn description(&self) -> String;

    /// The numbers as a table.
    fn to_table(&self) -> Table;

    /// Draws it from the sheet's cursor downwards. Not for callers: [`Picture::to_svg`] is.
    #[doc(hidden)]
    fn draw(&self, canvas: &mut Sheet<'_, '_>);

    /// Its title.
    fn title(&self) -> String {
        let mut title = self.heading().title_or(self.usual_title()).to_string();
        if self.heading().in_sample {
            title.push_str(" (in-sample)");
        }
        title
    }

    /// The picture as SVG text: one `svg` element.
    fn to_svg(&self, options: &Options) -> String {
        let mut canvas = Canvas::new(options);
        self.draw(&mut Sheet(&mut canvas));
        canvas.finish(&self.title(), &self.description())
    }
}

/// The sheet that [`Picture::draw`] draws on; opaque outside this module.
#[doc(hidden)]
pub struct Sheet<'a, 'b>(&'a mut Canvas<'b>);

/// Any picture, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "chart", rename_all = "snake_case")]
pub enum Chart {
    /// See [`ReliabilityDiagram`].
    Reliability(ReliabilityDiagram),
    /// See [`CorpCurve`].
    Corp(CorpCurve),
    /// See [`SmoothDiagram`].
    Smooth(SmoothDiagram),
    /// See [`ConfidenceHistogram`].
    ConfidenceHistogram(ConfidenceHistogram),
    /// See [`AccuracyVolume`].
    AccuracyVolume(AccuracyVolume),
    /// See [`CostCurve`].
    Cost(CostCurve),
    /// See [`RiskCoverage`].
    RiskCoverage(RiskCoverage),
    /// See [`SampleSizePanels`].
    SampleSize(SampleSizePanels),
    /// See [`ConfusionMatrix`].
    Confusion(ConfusionMatrix),
    /// See [`BeforeAfter`].
    BeforeAfter(BeforeAfter),
    /// See [`LabelBars`].
    Labels(LabelBars),
    /// See [`LossCurve`].
    Loss(LossCurve),
}

impl Chart {
    fn picture(&self) -> &dyn Picture {
        match self {
            Chart::Reliability(picture) => picture,
            Chart::Corp(picture) => picture,
            Chart::Smooth(picture) => picture,
            Chart::ConfidenceHistogram(picture) => picture,
            Chart::AccuracyVolume(picture) => picture,
            Chart::Cost(picture) => picture,
            Chart::RiskCoverage(picture) => picture,
            Chart::SampleSize(picture) => picture,
            Chart::Confusion(picture) => picture,
            Chart::BeforeAfter(picture) => picture,
            Chart::Labels(picture) => picture,
            Chart::Loss(picture) => picture,
        }
    }
}

impl Picture for Chart {
    fn heading(&self) -> &Heading {
        self.picture().heading()
    }

    fn usual_title(&self) -> &'static str {
        self.picture().usual_title()
    }

    fn description(&self) -> String {
        self.picture().description()
    }

    fn to_table(&self) -> Table {
        self.picture().to_table()
    }

    fn draw(&self, canvas: &mut Sheet<'_, '_>) {
        self.picture().draw(canvas);
    }
}

/// The wrapping of each picture into a [`Chart`].
macro_rules! into_chart {
    ($($picture:ident => $variant:ident),* $(,)?) => {
        $(impl From<$picture> for Chart {
            fn from(picture: $picture) -> Self {
                Chart::$variant(picture)
            }
        })*
    };
}

into_chart! {
    ReliabilityDiagram => Reliability,
    CorpCurve => Corp,
    SmoothDiagram => Smooth,
    ConfidenceHistogram => ConfidenceHistogram,
    AccuracyVolume => AccuracyVolume,
    CostCurve => Cost,
    RiskCoverage => RiskCoverage,
    SampleSizePanels => SampleSize,
    ConfusionMatrix => Confusion,
    BeforeAfter => BeforeAfter,
    LabelBars => Labels,
    LossCurve => Loss,
}

#[cfg(test)]
mod tests;
