//! Colours and type, in one place: a palette for light and one for dark, carried by CSS custom properties.
//!
//! Every picture names roles (`right`, `wrong`, `grid`), never colours. A picture that follows its reader
//! ([`Theme::Auto`]) takes the palette from `prefers-color-scheme`, unless a `data-theme="light"` or `"dark"` attribute on
//! it or on anything around it says otherwise; on paper it is always light. A page can also set the custom properties
//! (`--cc-surface`, …) itself. A picture with a fixed theme has its colours written out, because image editors and office
//! programs know nothing of custom properties.
//!
//! The hues come from Okabe and Ito's palette (Color Universal Design, 2008), made darker on white and lighter on black
//! until text reaches a contrast of 4.5 and marks 3 (WCAG 2.2, AA); a test holds this, and that blue and vermilion stay
//! apart for every kind of colour blindness.

use serde::{Deserialize, Serialize};

/// Which palette a picture is drawn with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// What the reader's system, or the page around the picture, asks for.
    #[default]
    Auto,
    /// Light, whatever is asked for.
    Light,
    /// Dark, whatever is asked for.
    Dark,
}

/// A role with its colour on a light and on a dark surface.
struct Role {
    name: &'static str,
    light: &'static str,
    dark: &'static str,
    /// The system colour that takes its place where the reader forces colours; empty: the colour stays.
    forced: &'static str,
}

/// A row of the table below.
const fn role(name: &'static str, light: &'static str, dark: &'static str, forced: &'static str) -> Role {
    Role { name, light, dark, forced }
}

const ROLES: [Role; 21] = [
    role("surface", "#ffffff", "#14171c", "Canvas"),
    role("ink", "#1b1f24", "#e8ebf0", "CanvasText"),
    role("muted", "#57606a", "#a7b0bd", "CanvasText"),
    role("axis", "#868e96", "#76808d", "CanvasText"),
    role("grid", "#e3e6ea", "#2b313a", ""),
    role("stripe", "#f5f6f8", "#1a1e24", ""),
    role("right", "#0072b2", "#56b4e9", ""),
    role("wrong", "#d55e00", "#f2913d", ""),
    role("wrong-text", "#b34e00", "#f2913d", ""),
    role("cell-right", "#5ea8d4", "#2a6289", ""),
    role("cell-wrong", "#ee9a5d", "#8a4b15", ""),
    role("third", "#00805e", "#3cc79b", ""),
    role("tag", "#fff1d6", "#40300c", "Canvas"),
    role("on-tag", "#6b4500", "#ffd98a", "CanvasText"),
    role("focus", "#8a3ffc", "#c9a2ff", "Highlight"),
    role("series-1", "#0072b2", "#56b4e9", ""),
    role("series-2", "#d55e00", "#f2913d", ""),
    role("series-3", "#00805e", "#3cc79b", ""),
    role("series-4", "#a8457f", "#e39cc6", ""),
    role("series-5", "#8a6a00", "#e6c84a", ""),
    role("series-6", "#5b6670", "#b3bcc8", ""),
];

/// How many colours tell labels apart before they repeat.
pub(super) const SERIES: usize = 6;

/// What things look like: a selector inside the picture and its declarations.
const RULES: [(&str, &str); 52] = [
    (
        "",
        "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;\
         font-variant-numeric:tabular-nums;color:var(--cc-ink)",
    ),
    ("text", "fill:var(--cc-ink);font-size:12px;unicode-bidi:isolate"),
    (".cc-bg", "fill:var(--cc-surface)"),
    (".cc-title", "font-size:15px;font-weight:600"),
    (".cc-sub", "fill:var(--cc-muted)"),
    (".cc-tick", "fill:var(--cc-muted);font-size:11px"),
    (".cc-axis-title", "fill:var(--cc-muted);font-size:12px"),
    (".cc-small", "font-size:11px"),
    (".cc-note", "fill:var(--cc-muted);font-size:11px"),
    (".cc-strong", "font-weight:600"),
    (".cc-big", "font-size:20px;font-weight:600"),
    (".cc-halo", "paint-order:stroke;stroke:var(--cc-surface);stroke-width:3px;stroke-linejoin:round"),
    (".cc-text-right", "fill:var(--cc-right)"),
    (".cc-text-wrong", "fill:var(--cc-wrong-text)"),
    (".cc-text-third", "fill:var(--cc-third)"),
    (".cc-plate", "fill:var(--cc-surface);fill-opacity:.88"),
    (".cc-tag", "fill:var(--cc-tag)"),
    (".cc-on-tag", "fill:var(--cc-on-tag);font-size:11px;font-weight:600"),
    (".cc-grid", "stroke:var(--cc-grid);stroke-width:1px;shape-rendering:crispEdges"),
    (".cc-axis", "stroke:var(--cc-axis);stroke-width:1px;shape-rendering:crispEdges"),
    (".cc-stripe", "fill:var(--cc-stripe)"),
    (".cc-outline", "fill:none;stroke:var(--cc-axis);stroke-width:1px;shape-rendering:crispEdges"),
    (".cc-ideal", "fill:none;stroke:var(--cc-muted);stroke-width:1.25px;stroke-dasharray:5 4"),
    (".cc-reference", "fill:none;stroke:var(--cc-muted);stroke-width:1.25px;stroke-dasharray:2 3"),
    (".cc-fill-muted", "fill:var(--cc-axis)"),
    (".cc-fill-ink", "fill:var(--cc-ink)"),
    (".cc-fill-right", "fill:var(--cc-right)"),
    (".cc-fill-wrong", "fill:var(--cc-wrong)"),
    (".cc-fill-third", "fill:var(--cc-third)"),
    (".cc-disc-right", "fill:var(--cc-right);fill-opacity:.22;stroke:var(--cc-right);stroke-width:1px"),
    (".cc-disc-wrong", "fill:var(--cc-wrong);fill-opacity:.22;stroke:var(--cc-wrong);stroke-width:1px"),
    (".cc-cell-right", "fill:var(--cc-cell-right)"),
    (".cc-cell-wrong", "fill:var(--cc-cell-wrong)"),
    (".cc-ring", "stroke:var(--cc-surface);stroke-width:1.5px"),
    (".cc-line", "fill:none;stroke-width:2px;stroke-linejoin:round;stroke-linecap:round"),
    (".cc-thin", "stroke-width:1.25px"),
    (".cc-thick", "stroke-width:3.5px"),
    (".cc-right", "stroke:var(--cc-right)"),
    (".cc-wrong", "stroke:var(--cc-wrong)"),
    (".cc-third", "stroke:var(--cc-third)"),
    (".cc-ink", "stroke:var(--cc-ink)"),
    (".cc-dashed", "stroke-dasharray:7 4"),
    (".cc-band-right", "fill:var(--cc-right);fill-opacity:.17"),
    (".cc-band-third", "fill:var(--cc-third);fill-opacity:.17"),
    (".cc-band-muted", "fill:var(--cc-muted);fill-opacity:.2"),
    (".cc-hatch-ground", "fill:var(--cc-wrong);fill-opacity:.28"),
    (".cc-hatch-line", "stroke:var(--cc-wrong);stroke-width:2.5px"),
    (".cc-pale .cc-hatch-ground", "fill-opacity:.1"),
    (".cc-pale .cc-hatch-line", "stroke-width:1px"),
    (".cc-hit", "fill:none;pointer-events:all"),
    (".cc-mark:hover .cc-hit,.cc-mark:focus-visible .cc-hit", "fill:var(--cc-ink);fill-opacity:.07"),
    (".cc-mark:focus-visible", "outline:2px solid var(--cc-focus);outline-offset:1px"),
];

/// The declarations of all custom properties of one palette.
fn properties(colour: impl Fn(&Role) -> &'static str) -> String {
    ROLES
        .iter()
        .filter(|role| !colour(role).is_empty())
        .map(|role| format!("--cc-{}:{};", role.name, colour(role)))
        .fold(String::new(), |mut all, one| {
            all.push_str(&one);
            all
        })
}

/// The rules for everything under a scope, with the fills and strokes of the label colours.
fn rules(scope: &str) -> String {
    let mut css = String::new();
    let mut push = |selectors: &str, body: &str| {
        let scoped: Vec<String> = selectors
            .split(',')
            .map(|selector| if selector.is_empty() { scope.to_string() } else { format!("{scope} {selector}") })
            .collect();
        css.push_str(&format!("{}{{{body}}}", scoped.join(",")));
    };
    for (selector, body) in RULES {
        push(selector, body);
    }
    for series in 1..=SERIES {
        push(&format!(".cc-series-{series}"), &format!("fill:var(--cc-series-{series})"));
    }
    css
}

/// The style sheet of pictures that follow their reader. One copy serves every such picture of a page.
pub fn stylesheet() -> String {
    let light = properties(|role| role.light);
    let dark = properties(|role| role.dark);
    let forced = properties(|role| role.forced);
    format!(
        ".cc{{{light}}}\
         @media (prefers-color-scheme:dark){{.cc{{{dark}}}}}\
         [data-theme=light] .cc,.cc[data-theme=light]{{{light}}}\
         [data-theme=dark] .cc,.cc[data-theme=dark]{{{dark}}}\
         @media print{{.cc,[data-theme] .cc,.cc[data-theme]{{{light}}}}}\
         @media (forced-colors:active){{.cc,[data-theme] .cc,.cc[data-theme]{{{forced}}}}}\
         {}",
        rules(".cc")
    )
}

/// The style sheet of one picture with a fixed theme: the colours written out, valid for the element with this id only.
/// Texts have no halo: a program that does not know `paint-order` would paint it over them.
pub(super) fn fixed_stylesheet(id: &str, dark: bool) -> String {
    let mut css = rules(&format!("#{id}"));
    if let Some(halo) = css.find("paint-order") {
        let end = css[halo..].find('}').map_or(css.len(), |end| halo + end);
        css.replace_range(halo..end, "");
    }
    for role in &ROLES {
        css = css.replace(&format!("var(--cc-{})", role.name), if dark { role.dark } else { role.light });
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rgb = [f64; 3];

    /// Linear light from a hex colour.
    fn linear(hex: &str) -> Rgb {
        let channel = |i: usize| {
            let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        [channel(1), channel(3), channel(5)]
    }

    fn luminance(c: Rgb) -> f64 {
        0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn colour(name: &str, dark: bool) -> Rgb {
        let role = ROLES.iter().find(|role| role.name == name).unwrap();
        linear(if dark { role.dark } else { role.light })
    }

    /// Distance in CIE L*a*b* (1976).
    fn distance(a: Rgb, b: Rgb) -> f64 {
        let lab = |c: Rgb| {
            let f = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
            let x = f((0.4124 * c[0] + 0.3576 * c[1] + 0.1805 * c[2]) / 0.9505);
            let y = f(luminance(c));
            let z = f((0.0193 * c[0] + 0.1192 * c[1] + 0.9505 * c[2]) / 1.089);
            [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
        };
        let (a, b) = (lab(a), lab(b));
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
    }

    /// Full protanopia, deuteranopia and tritanopia on linear light (Machado, Oliveira and Fernandes 2009, severity 1).
    const DEFICIENCIES: [[[f64; 3]; 3]; 3] = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    #[test]
    fn text_and_marks_reach_their_contrast() {
        for dark in [false, true] {
            let text = |name: &str, ground: &str| {
                let found = contrast(colour(name, dark), colour(ground, dark));
                assert!(found >= 4.5, "{name} on {ground}, dark {dark}: {found:.2}");
            };
            for ground in ["surface", "stripe"] {
                ["ink", "muted", "right", "wrong-text", "third"].iter().for_each(|name| text(name, ground));
            }
            ["cell-right", "cell-wrong"].iter().for_each(|ground| text("ink", ground));
            text("on-tag", "tag");
            for name in ["right", "wrong", "third", "axis", "focus", "series-1", "series-2", "series-3", "series-4"] {
                let found = contrast(colour(name, dark), colour("surface", dark));
                assert!(found >= 3.0, "{name}, dark {dark}: {found:.2}");
            }
        }
    }

    #[test]
    fn right_and_wrong_stay_apart_for_colour_blind_eyes() {
        for dark in [false, true] {
            let (right, wrong) = (colour("right", dark), colour("wrong", dark));
            for matrix in DEFICIENCIES {
                let seen = |c: Rgb| matrix.map(|row| (row[0] * c[0] + row[1] * c[1] + row[2] * c[2]).clamp(0.0, 1.0));
                let apart = distance(seen(right), seen(wrong));
                assert!(apart > 30.0, "dark {dark}: {apart:.1}");
            }
        }
    }

    #[test]
    fn every_role_that_is_used_exists() {
        let css = stylesheet();
        for part in css.split("var(--cc-").skip(1) {
            let name = part.split(')').next().unwrap();
            assert!(ROLES.iter().any(|role| role.name == name), "{name}");
        }
        for dark in [false, true] {
            let fixed = fixed_stylesheet("x", dark);
            assert!(!fixed.contains("var("), "{fixed}");
            assert!(fixed.contains(if dark { "#14171c" } else { "#ffffff" }));
        }
    }
}
