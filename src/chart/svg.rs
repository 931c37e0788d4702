//! A small writer of SVG text that cannot write a broken document.
//!
//! Everything goes through two doors: text and attribute values are escaped (and lose the control characters that XML
//! cannot carry), numbers are written with at most two decimals and never as NaN or infinity. Elements are closed in the
//! order in which they were opened.

use std::fmt::Write;

/// An SVG fragment under construction.
#[derive(Debug, Default)]
pub(super) struct Svg {
    out: String,
    open: Vec<&'static str>,
}

impl Svg {
    /// Begins an element; end it with one of [`Tag`]'s closing methods.
    pub(super) fn tag(&mut self, name: &'static str) -> Tag<'_> {
        self.out.push('<');
        self.out.push_str(name);
        Tag { svg: self, name }
    }

    /// Closes the element that was opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.out, "</{name}>");
        }
    }

    /// A group with a class; close it with [`Svg::close`].
    pub(super) fn group(&mut self, class: &str) {
        self.tag("g").class(class).open();
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.tag("line").class(class).num("x1", from.0).num("y1", from.1).num("x2", to.0).num("y2", to.1).end();
    }

    /// A rectangle between two corners, in any order.
    pub(super) fn rect(&mut self, class: &str, a: (f64, f64), b: (f64, f64)) {
        self.rect_tag(class, a, b).end();
    }

    /// As [`Svg::rect`], for further attributes.
    pub(super) fn rect_tag(&mut self, class: &str, a: (f64, f64), b: (f64, f64)) -> Tag<'_> {
        self.tag("rect")
            .class(class)
            .num("x", a.0.min(b.0))
            .num("y", a.1.min(b.1))
            .num("width", (a.0 - b.0).abs())
            .num("height", (a.1 - b.1).abs())
    }

    /// A circle.
    pub(super) fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        self.tag("circle").class(class).num("cx", centre.0).num("cy", centre.1).num("r", radius).end();
    }

    /// An open line through points; nothing for fewer than two.
    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() > 1 {
            let path = path(points, false);
            self.tag("path").class(class).attr("d", &path).end();
        }
    }

    /// A closed area; nothing for fewer than three points.
    pub(super) fn polygon(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() > 2 {
            let path = path(points, true);
            self.tag("path").class(class).attr("d", &path).end();
        }
    }

    /// A text at its baseline.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        if !text.is_empty() {
            self.tag("text").class(class).num("x", at.0).num("y", at.1).attr("text-anchor", anchor.name()).text(text);
        }
    }

    /// The finished text; elements left open are closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }
}

/// Which end of a text stands at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The text begins there.
    Start,
    /// The text is centred there.
    Middle,
    /// The text ends there.
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// An element whose attributes are being written.
#[must_use = "an element must be ended with end(), open() or text()"]
pub(super) struct Tag<'a> {
    svg: &'a mut Svg,
    name: &'static str,
}

impl Tag<'_> {
    /// A text attribute, escaped.
    pub(super) fn attr(self, name: &str, value: &str) -> Self {
        self.svg.out.push(' ');
        self.svg.out.push_str(name);
        self.svg.out.push_str("=\"");
        escape_into(&mut self.svg.out, value);
        self.svg.out.push('"');
        self
    }

    /// A number attribute.
    pub(super) fn num(self, name: &str, value: f64) -> Self {
        let _ = write!(self.svg.out, " {name}=\"");
        number_into(&mut self.svg.out, value);
        self.svg.out.push('"');
        self
    }

    /// The class attribute; none for an empty class.
    pub(super) fn class(self, class: &str) -> Self {
        if class.is_empty() { self } else { self.attr("class", class) }
    }

    /// Ends an element without content.
    pub(super) fn end(self) {
        self.svg.out.push_str("/>");
    }

    /// Opens the element for content; close it with [`Svg::close`].
    pub(super) fn open(self) {
        self.svg.out.push('>');
        self.svg.open.push(self.name);
    }

    /// Ends the element with a text as its content.
    pub(super) fn text(self, text: &str) {
        self.svg.out.push('>');
        escape_into(&mut self.svg.out, text);
        let _ = write!(self.svg.out, "</{}>", self.name);
    }
}

/// The path data through points.
fn path(points: &[(f64, f64)], closed: bool) -> String {
    let mut path = String::with_capacity(points.len() * 12);
    for (index, (x, y)) in points.iter().enumerate() {
        path.push(if index == 0 { 'M' } else { 'L' });
        number_into(&mut path, *x);
        path.push(' ');
        number_into(&mut path, *y);
    }
    if closed {
        path.push('Z');
    }
    path
}

/// Writes a number with at most two decimals and without a trailing zero; what is no number becomes 0.
fn number_into(out: &mut String, value: f64) {
    let hundredths = if value.is_finite() { (value * 100.0).round() } else { 0.0 };
    let value = if hundredths == 0.0 { 0.0 } else { hundredths / 100.0 };
    let _ = write!(out, "{value}");
}

/// Text made safe for the content and the attributes of XML and HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            // What XML 1.0 cannot carry, not even escaped.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// A name that can stand in an `id` and in `url(#…)`: anything else in it becomes a dash.
pub(super) fn identifier(name: &str) -> String {
    let cleaned: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).collect();
    if cleaned.starts_with(|c: char| c.is_ascii_alphabetic()) { cleaned } else { format!("c{cleaned}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_finite() {
        for (value, text) in [
            (1.0, "1"),
            (1.5, "1.5"),
            (1.005, "1"),
            (-0.001, "0"),
            (123.456, "123.46"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
        ] {
            let mut out = String::new();
            number_into(&mut out, value);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(escape("<script>\"&'\u{0}\u{7}\n"), "&lt;script&gt;&quot;&amp;&#39;\u{fffd}\u{fffd} ");
        assert_eq!(identifier("a b\"<x>"), "a-b--x-");
        assert_eq!(identifier("9"), "c9");
        assert_eq!(identifier(""), "c");
    }

    #[test]
    fn elements_nest_and_close() {
        let mut svg = Svg::default();
        svg.group("outer");
        svg.rect("r", (5.0, 6.0), (1.0, 2.0));
        svg.text("", (1.0, 2.0), Anchor::End, "a<b");
        svg.polyline("p", &[(0.0, 0.0)]);
        svg.polygon("q", &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]);
        assert_eq!(
            svg.finish(),
            "<g class=\"outer\"><rect class=\"r\" x=\"1\" y=\"2\" width=\"4\" height=\"4\"/>\
             <text x=\"1\" y=\"2\" text-anchor=\"end\">a&lt;b</text>\
             <path class=\"q\" d=\"M0 0L1 0L1 1Z\"/></g>"
        );
    }
}
