//! How wide a text will be, without a font at hand.
//!
//! The picture is laid out before anybody knows which font will draw it: natively there is none, and in a browser the
//! same SVG may be opened by another one. So widths are estimated from the advance widths that the common sans-serif
//! faces share (Helvetica's, which Arial and Liberation Sans copy), and widened to what the broadest of the usual
//! system fonts needs. A label may end up with a little more room than it uses, never with less.

use std::borrow::Cow;

/// Advance widths of the printable ASCII characters in thousandths of an em, from space to tilde (Helvetica).
#[rustfmt::skip]
const ASCII: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// The broadest usual system font (DejaVu Sans, Verdana's kin) against Helvetica.
const BROADEST: f64 = 1.16;

/// Semi-bold against regular, in the broadest of them (a font without a semi-bold shows its bold).
pub(super) const BOLD: f64 = 1.15;

/// The estimated width of a text in pixels at a font size in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size * BROADEST
}

/// The estimated width of a text in semi-bold.
pub(super) fn bold_width(text: &str, size: f64) -> f64 {
    width(text, size * BOLD)
}

/// A character's advance in em.
fn em(c: char) -> f64 {
    match c as u32 {
        code @ 0x20..=0x7e => f64::from(ASCII[(code - 0x20) as usize]) / 1000.0,
        // Combining marks, joiners and variation selectors take no room of their own.
        0x300..=0x36f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069 | 0xfe00..=0xfe0f => 0.0,
        // East Asian scripts, full-width forms and pictographs are a full em (slightly less after `BROADEST`).
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe4f | 0xff00..=0xff60 => {
            0.9
        }
        0x1f000.. => 1.2,
        0x2014 | 0x2026 => 1.0,
        0x2190..=0x21ff => 0.9,
        _ => 0.62,
    }
}

/// The text, cut with an ellipsis so that it fits a width; empty when not even the ellipsis fits.
pub(super) fn fit(text: &str, size: f64, room: f64) -> Cow<'_, str> {
    if width(text, size) <= room {
        return Cow::Borrowed(text);
    }
    let ellipsis = width("…", size);
    if ellipsis > room {
        return Cow::Borrowed("");
    }
    let mut used = ellipsis;
    let mut kept = String::new();
    for c in text.chars() {
        used += em(c) * size * BROADEST;
        if used > room {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    Cow::Owned(kept)
}

/// The text broken at spaces into lines that fit a width; a word that is too long alone is cut. At most `lines` lines,
/// the last one cut with an ellipsis if something is left over.
pub(super) fn wrap(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.peek() {
        let candidate = if line.is_empty() { (*word).to_string() } else { format!("{line} {word}") };
        if width(&candidate, size) <= room || line.is_empty() {
            line = candidate;
            words.next();
            continue;
        }
        if wrapped.len() + 1 >= lines {
            break;
        }
        wrapped.push(fit(&line, size, room).into_owned());
        line.clear();
    }
    if words.peek().is_some() {
        let rest: Vec<&str> = words.collect();
        line = format!("{line} {}", rest.join(" "));
    }
    if !line.is_empty() {
        wrapped.push(fit(&line, size, room).into_owned());
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_grow_with_the_text_and_the_size() {
        assert_eq!(width("", 12.0), 0.0);
        assert!(width("mmm", 12.0) > width("iii", 12.0));
        assert!(width("日本", 12.0) > width("ab", 12.0));
        assert_eq!(width("e\u{301}", 12.0), width("e", 12.0));
        assert!((width("abc", 24.0) - 2.0 * width("abc", 12.0)).abs() < 1e-9);
    }

    #[test]
    fn what_is_fitted_fits() {
        let long = "a very long label that somebody pasted by mistake ".repeat(4);
        for room in [0.0, 5.0, 14.0, 60.0, 200.0] {
            let fitted = fit(&long, 12.0, room);
            assert!(width(&fitted, 12.0) <= room + 1e-9, "{room}: {fitted}");
            assert_eq!(fitted.is_empty(), room < width("…", 12.0), "{room}");
        }
        assert_eq!(fit("short", 12.0, 100.0), "short");
    }

    #[test]
    fn wrapping_keeps_every_word_or_says_that_some_are_missing() {
        let text = "the quick brown fox jumps over the lazy dog";
        let lines = wrap(text, 12.0, 90.0, 10);
        assert!(lines.len() > 2);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| width(line, 12.0) <= 90.0));
        let cut = wrap(text, 12.0, 90.0, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…'), "{cut:?}");
        assert!(wrap("  ", 12.0, 90.0, 2).is_empty());
        assert!(wrap(&"x".repeat(200), 12.0, 90.0, 3).iter().all(|line| width(line, 12.0) <= 90.0));
    }
}
