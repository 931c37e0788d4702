//! The sheet a picture is drawn on: heading at the top, a cursor that moves down, a valid SVG document at the end.

use super::placement::Area;
use super::svg::{Anchor, Svg, identifier};
use super::theme::{self, Theme};
use super::{Heading, Measure, Options, text};

/// Space between the picture's edge and everything in it.
pub(super) const PAD: f64 = 8.0;
/// Font size of tick labels and notes.
pub(super) const SMALL: f64 = 11.0;
/// Font size of everything else.
pub(super) const NORMAL: f64 = 12.0;
/// Font size of the title.
const TITLE: f64 = 15.0;
/// Font size of a measure's value.
const BIG: f64 = 20.0;

/// A picture under construction.
pub(super) struct Canvas<'a> {
    /// What is drawn so far.
    pub svg: Svg,
    /// Width of the whole picture in pixels.
    pub width: f64,
    /// Where the next thing goes.
    pub top: f64,
    options: &'a Options,
    id: String,
    /// Whether a mark stands already that the tabulator key reaches.
    reached: bool,
}

/// A sign of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// A dot with a fill class.
    Dot(&'static str),
    /// A diamond with a fill class.
    Diamond(&'static str),
    /// A line with stroke classes.
    Line(&'static str),
    /// A filled box.
    Box(&'static str),
    /// A hatched box.
    Hatch,
    /// The same, finer, for large areas.
    PaleHatch,
    /// A whisker with caps.
    Whisker(&'static str),
    /// A disc around a dot.
    Disc,
    /// A disc around a diamond.
    DiscOff,
}

/// A line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// What it looks like.
    pub sign: Sign,
    /// What it means.
    pub text: String,
}

/// A line of the legend.
pub(super) fn key(sign: Sign, text: impl Into<String>) -> Key {
    Key { sign, text: text.into() }
}

/// Room of a sign, with the gap to its text.
const SIGN: f64 = 26.0;
/// Height of a legend line.
const LINE: f64 = 17.0;

impl<'a> Canvas<'a> {
    /// An empty sheet.
    pub(super) fn new(options: &'a Options) -> Self {
        let width = if options.width.is_finite() { options.width.clamp(200.0, 4000.0) } else { 720.0 };
        Self { svg: Svg::default(), width, top: PAD, options, id: identifier(&options.id_prefix), reached: false }
    }

    /// Room between the paddings.
    pub(super) fn room(&self) -> f64 {
        self.width - 2.0 * PAD
    }

    /// Whether the picture is as narrow as a phone.
    pub(super) fn narrow(&self) -> bool {
        self.width < 480.0
    }

    /// Height for a plot: what is left of a wanted height after `below` pixels under the plot, or the natural height.
    pub(super) fn plot_height(&self, natural: f64, below: f64) -> f64 {
        match self.options.height {
            Some(height) if height.is_finite() => (height.min(4000.0) - self.top - below - PAD).max(80.0),
            _ => natural,
        }
    }

    /// The hatch that marks what is wrong, as a `fill` value.
    pub(super) fn hatch(&self) -> String {
        format!("url(#{}-hatch)", self.id)
    }

    /// The same, finer, for large areas.
    pub(super) fn pale_hatch(&self) -> String {
        format!("url(#{}-pale)", self.id)
    }

    /// Title, subtitle and the tag of in-sample numbers.
    pub(super) fn heading(&mut self, heading: &Heading, title: &str, subtitle: &str) {
        if self.options.title {
            let title = heading.title_or(title);
            for line in text::wrap(title, TITLE * text::BOLD, self.room(), 2) {
                self.svg.text("cc-title", (PAD, self.top + TITLE), Anchor::Start, &line);
                self.top += 20.0;
            }
            self.top += 2.0;
        }
        let subtitle = if heading.subtitle.trim().is_empty() { subtitle } else { &heading.subtitle };
        let lines = text::wrap(subtitle, NORMAL, self.room(), 3);
        for line in &lines {
            self.svg.text("cc-sub", (PAD, self.top + NORMAL), Anchor::Start, line);
            self.top += 17.0;
        }
        if heading.in_sample {
            self.tag("in-sample: judged on the rows it was fitted on");
        }
        if self.top > PAD {
            self.top += 8.0;
        }
    }

    /// A tag on its own line.
    fn tag(&mut self, words: &str) {
        let words = text::fit(words, SMALL * text::BOLD, self.room() - 14.0);
        let width = text::bold_width(&words, SMALL) + 14.0;
        self.top += 2.0;
        self.svg.rect_tag("cc-tag", (PAD, self.top), (PAD + width, self.top + 18.0)).num("rx", 4.0).end();
        self.svg.text("cc-on-tag", (PAD + 7.0, self.top + 13.0), Anchor::Start, &words);
        self.top += 20.0;
    }

    /// Lines of text from the left edge.
    pub(super) fn paragraph(&mut self, class: &str, words: &str, lines: usize) {
        let size = if class.contains("cc-strong") { SMALL * text::BOLD } else { SMALL };
        for line in text::wrap(words, size, self.room(), lines) {
            self.svg.text(class, (PAD, self.top + SMALL), Anchor::Start, &line);
            self.top += 15.0;
        }
    }

    /// A sentence in the middle of an area that would otherwise be empty.
    pub(super) fn empty(&mut self, area: Area, words: &str) {
        let lines = text::wrap(words, NORMAL, area.width() - 16.0, 4);
        let (x, y) = area.centre();
        let first = y - (lines.len() as f64 - 1.0) * 8.5 + 4.0;
        for (index, line) in lines.iter().enumerate() {
            self.svg.text("cc-sub cc-halo", (x, first + index as f64 * 17.0), Anchor::Middle, line);
        }
    }

    /// The legend in rows across the sheet.
    pub(super) fn legend(&mut self, keys: &[Key]) {
        let mut x = PAD;
        let room = self.room();
        for key in keys {
            let lines = text::wrap(&key.text, NORMAL, room - SIGN, 3);
            let widest = lines.iter().map(|line| text::width(line, NORMAL)).fold(0.0, f64::max);
            if x > PAD && (lines.len() > 1 || x + SIGN + widest > PAD + room) {
                x = PAD;
                self.top += LINE;
            }
            self.sign(key.sign, x, self.top + LINE / 2.0);
            for (index, line) in lines.iter().enumerate() {
                self.top += if index > 0 { LINE - 2.0 } else { 0.0 };
                self.svg.text("", (x + SIGN, self.top + LINE / 2.0 + 4.0), Anchor::Start, line);
            }
            x += SIGN + widest + 14.0;
        }
        if !keys.is_empty() {
            self.top += LINE + 6.0;
        }
    }

    /// Draws two things side by side, each on half of the sheet; the cursor ends below the longer one.
    pub(super) fn beside(&mut self, first: impl FnOnce(&mut Self), second: impl FnOnce(&mut Self)) {
        let (width, top) = (self.width, self.top);
        let half = (width / 2.0).floor();
        self.width = half;
        first(self);
        let end = std::mem::replace(&mut self.top, top);
        self.svg.tag("g").attr("transform", &format!("translate({half} 0)")).open();
        second(self);
        self.svg.close();
        self.width = width;
        self.top = self.top.max(end);
    }

    /// Measures and legend in a column; answers where it ends.
    pub(super) fn column(&mut self, left: f64, top: f64, measures: &[Measure], keys: &[Key]) -> f64 {
        let room = self.width - PAD - left;
        let mut y = top;
        for measure in measures {
            self.svg.text("cc-sub", (left, y + NORMAL), Anchor::Start, &text::fit(&measure.name, NORMAL, room));
            self.svg.text(
                "cc-big",
                (left, y + 36.0),
                Anchor::Start,
                &text::fit(&measure.value, BIG * text::BOLD, room),
            );
            y += 43.0;
            for line in text::wrap(&measure.note, SMALL, room, 4) {
                self.svg.text("cc-note", (left, y + SMALL), Anchor::Start, &line);
                y += 14.0;
            }
            y += 12.0;
        }
        for key in keys {
            let lines = text::wrap(&key.text, SMALL, room - SIGN, 3);
            self.sign(key.sign, left, y + 7.5);
            for line in lines {
                self.svg.text("cc-small", (left + SIGN, y + SMALL), Anchor::Start, &line);
                y += 14.0;
            }
            y += 5.0;
        }
        y
    }

    /// Measures in rows across the sheet: name, value, note.
    pub(super) fn measures(&mut self, measures: &[Measure]) {
        for measure in measures {
            let value = text::fit(&measure.value, NORMAL * text::BOLD, self.room() * 0.5).into_owned();
            let room = self.room() - text::bold_width(&value, NORMAL) - 8.0;
            let lines = text::wrap(&measure.name, NORMAL, room, 2);
            let mut end = PAD;
            for (index, line) in lines.iter().enumerate() {
                self.top += if index > 0 { 16.0 } else { 0.0 };
                self.svg.text("cc-sub", (PAD, self.top + NORMAL), Anchor::Start, line);
                end = PAD + text::width(line, NORMAL) + 8.0;
            }
            self.svg.text("cc-strong", (end, self.top + NORMAL), Anchor::Start, &value);
            self.top += 17.0;
            self.paragraph("cc-note", &measure.note, 3);
            self.top += if measure.note.is_empty() { 1.0 } else { 5.0 };
        }
        if !measures.is_empty() {
            self.top += 6.0;
        }
    }

    /// A sign of the legend, 18 pixels wide, centred on a height.
    fn sign(&mut self, sign: Sign, x: f64, y: f64) {
        let (left, middle, right) = (x, x + 9.0, x + 18.0);
        match sign {
            Sign::Dot(class) => self.svg.circle(class, (middle, y), 5.0),
            Sign::Diamond(class) => self.diamond(class, (middle, y), 5.5),
            Sign::Line(class) => self.svg.line(class, (left, y), (right, y)),
            Sign::Box(class) => self.svg.rect(class, (left + 2.0, y - 6.0), (right - 2.0, y + 6.0)),
            Sign::Hatch | Sign::PaleHatch => {
                let fill = if sign == Sign::Hatch { self.hatch() } else { self.pale_hatch() };
                self.svg.rect_tag("", (left + 2.0, y - 6.0), (right - 2.0, y + 6.0)).attr("fill", &fill).end();
            }
            Sign::Whisker(class) => self.whisker(class, middle, y - 6.0, y + 6.0),
            Sign::Disc => {
                self.svg.circle("cc-disc-right", (middle, y), 7.0);
                self.svg.circle("cc-fill-right", (middle, y), 2.75);
            }
            Sign::DiscOff => {
                self.svg.circle("cc-disc-wrong", (middle, y), 7.0);
                self.diamond("cc-fill-wrong", (middle, y), 4.5);
            }
        }
    }

    /// A vertical whisker with caps.
    pub(super) fn whisker(&mut self, class: &str, x: f64, top: f64, bottom: f64) {
        let class = format!("cc-line cc-thin {class}");
        self.svg.line(&class, (x, top), (x, bottom));
        for y in [top, bottom] {
            self.svg.line(&class, (x - 2.5, y), (x + 2.5, y));
        }
    }

    /// A diamond, for the second of two series.
    pub(super) fn diamond(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.svg.polygon(class, &[(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]);
    }

    /// A short note on a plate that keeps it readable over lines and areas, centred in its box.
    pub(super) fn plate(&mut self, class: &str, area: Area, words: &str) {
        let (x, y) = area.centre();
        self.svg
            .rect_tag("cc-plate", (area.left - 2.0, area.top), (area.right + 2.0, area.bottom))
            .num("rx", 2.0)
            .end();
        self.svg.text(class, (x, y + 4.0), Anchor::Middle, words);
    }

    /// Opens a mark: a group that carries its numbers as data attributes, its sentence as a tooltip and, in an
    /// interactive picture, can be focused: a button where it can be pressed. Close it with `svg.close()`.
    pub(super) fn mark(&mut self, kind: &str, index: usize, words: &str, data: &[(&str, String)]) {
        let interactive = self.options.interactive;
        let mut tag = self.svg.tag("g").class("cc-mark").attr("data-mark", kind).attr("data-index", &index.to_string());
        for (name, value) in data {
            tag = tag.attr(&format!("data-{name}"), value);
        }
        if interactive {
            let role = if self.options.press.takes(kind) { "button" } else { "img" };
            let place = if std::mem::replace(&mut self.reached, true) { "-1" } else { "0" };
            tag = tag.attr("tabindex", place).attr("role", role).attr("aria-label", words);
        }
        tag.open();
        self.svg.tag("title").text(words);
    }

    /// The finished document, as high as the cursor says.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let Self { svg: body, width, top, options, id, .. } = self;
        let height = (top + PAD).ceil();
        let mut svg = Svg::default();
        let theme = match options.theme {
            Theme::Auto => None,
            Theme::Light => Some("light"),
            Theme::Dark => Some("dark"),
        };
        let mut root = svg
            .tag("svg")
            .attr("xmlns", "http://www.w3.org/2000/svg")
            .class("cc")
            .attr("id", &id)
            .attr("viewBox", &format!("0 0 {width} {height}"))
            .num("width", width)
            .num("height", height)
            .attr("role", if options.interactive { "group" } else { "img" })
            .attr("aria-labelledby", &format!("{id}-title"));
        if options.description {
            root = root.attr("aria-describedby", &format!("{id}-desc"));
        }
        if let Some(theme) = theme {
            root = root.attr("data-theme", theme);
        }
        root.open();
        svg.tag("title").attr("id", &format!("{id}-title")).text(title);
        if options.description {
            svg.tag("desc").attr("id", &format!("{id}-desc")).text(description);
        }
        match options.theme {
            Theme::Auto if options.style => svg.tag("style").text(&theme::stylesheet()),
            Theme::Auto => {}
            Theme::Light => svg.tag("style").text(&theme::fixed_stylesheet(&id, false)),
            Theme::Dark => svg.tag("style").text(&theme::fixed_stylesheet(&id, true)),
        }
        svg.tag("defs").open();
        for (name, class) in [("hatch", ""), ("pale", "cc-pale")] {
            svg.tag("pattern")
                .attr("id", &format!("{id}-{name}"))
                .class(class)
                .num("width", 6.0)
                .num("height", 6.0)
                .attr("patternUnits", "userSpaceOnUse")
                .attr("patternTransform", "rotate(45)")
                .open();
            svg.rect("cc-hatch-ground", (0.0, 0.0), (6.0, 6.0));
            svg.line("cc-hatch-line", (1.0, 0.0), (1.0, 6.0));
            svg.close();
        }
        svg.close();
        svg.rect("cc-bg", (0.0, 0.0), (width, height));
        let mut document = svg.finish();
        let end = "</svg>";
        document.truncate(document.len() - end.len());
        document.push_str(&body.finish());
        document.push_str(end);
        document
    }
}
