//! A picture read back from its text: what is drawn where.

use super::text;

/// Everything drawn in a picture, read back from its text.
pub(super) struct Drawn {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Boxes of marks and lines.
    boxes: Vec<[f64; 4]>,
    /// Texts with their estimated boxes.
    pub(super) texts: Vec<(String, [f64; 4])>,
}

/// Reads a picture back; panics with a reason where it is no valid picture.
pub(super) fn read(svg: &str) -> Drawn {
    // Numbers in words; those in attributes are held to the inside of the picture below.
    for bad in ["NaN", "inf%", "\"inf\"", "\"-inf\"", "Infinity"] {
        let found = svg.find(bad);
        assert!(found.is_none(), "{bad} in …{}", &svg[found.unwrap_or(0).saturating_sub(60)..][..70]);
    }
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}"));
    let root = document.root_element();
    let view: Vec<f64> = root.attribute("viewBox").unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
    let by_id = |id: &str| document.descendants().find(|n| n.attribute("id") == Some(id)).unwrap();
    for (attribute, element) in [("aria-labelledby", "title"), ("aria-describedby", "desc")] {
        let node = by_id(root.attribute(attribute).unwrap());
        assert_eq!(node.tag_name().name(), element);
        assert!(!node.text().unwrap_or_default().trim().is_empty(), "empty {element}");
    }
    let mut ids: Vec<&str> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(all, ids.len(), "an id occurs twice");
    let mut drawn = Drawn { width: view[2], height: view[3], boxes: Vec::new(), texts: Vec::new() };
    for node in root.descendants().filter(|n| n.is_element()) {
        if node.ancestors().any(|n| n.has_tag_name("defs")) {
            continue;
        }
        let shift: f64 = node.ancestors().filter_map(|n| n.attribute("transform")).filter_map(translation).sum();
        collect(&mut drawn, &node, shift);
    }
    drawn
}

fn translation(transform: &str) -> Option<f64> {
    transform.strip_prefix("translate(")?.split(' ').next()?.parse().ok()
}

fn collect(drawn: &mut Drawn, node: &roxmltree::Node<'_, '_>, shift: f64) {
    let number = |name: &str| -> f64 { node.attribute(name).map_or(0.0, |v| v.parse().unwrap()) };
    match node.tag_name().name() {
        "rect" => {
            let (x, y) = (number("x") + shift, number("y"));
            assert!(number("width") >= 0.0 && number("height") >= 0.0);
            drawn.boxes.push([x, y, x + number("width"), y + number("height")]);
        }
        "line" => {
            let (x, y) = (number("x1") + shift, number("y1"));
            drawn.boxes.push([x, y, number("x2") + shift, number("y2")]);
        }
        "circle" => {
            let (x, y, r) = (number("cx") + shift, number("cy"), number("r"));
            drawn.boxes.push([x - r, y - r, x + r, y + r]);
        }
        "path" => {
            let numbers: Vec<f64> = node
                .attribute("d")
                .unwrap()
                .split(['M', 'L', 'Z', ' '])
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().unwrap())
                .collect();
            for point in numbers.chunks(2) {
                drawn.boxes.push([point[0] + shift, point[1], point[0] + shift, point[1]]);
            }
        }
        "text" => collect_text(drawn, node, shift),
        _ => {}
    }
}

fn collect_text(drawn: &mut Drawn, node: &roxmltree::Node<'_, '_>, shift: f64) {
    let number = |name: &str| -> f64 { node.attribute(name).unwrap().parse().unwrap() };
    let class = node.attribute("class").unwrap_or_default();
    let size = if class.contains("cc-title") {
        15.0
    } else if class.contains("cc-big") {
        20.0
    } else if ["cc-tick", "cc-small", "cc-note", "cc-on-tag"].iter().any(|c| class.contains(c)) {
        11.0
    } else {
        12.0
    };
    let words = node.text().unwrap_or_default().to_string();
    let long = text::width(&words, size);
    let (before, after) = match node.attribute("text-anchor") {
        Some("middle") => (long / 2.0, long / 2.0),
        Some("end") => (long, 0.0),
        _ => (0.0, long),
    };
    let (x, y) = (number("x") + shift, number("y"));
    let area = if node.attribute("transform").is_some_and(|t| t.starts_with("rotate(-90")) {
        [x - size * 0.75, y - after, x + size * 0.2, y + before]
    } else {
        [x - before, y - size * 0.75, x + after, y + size * 0.2]
    };
    drawn.texts.push((words, area));
}

impl Drawn {
    pub(super) fn check_inside(&self) {
        let inside = |[a, b, c, d]: [f64; 4]| {
            let x = a.min(c) >= -0.01 && a.max(c) <= self.width + 0.01;
            x && b.min(d) >= -0.01 && b.max(d) <= self.height + 0.01
        };
        for area in &self.boxes {
            assert!(inside(*area), "{area:?} outside {}×{}", self.width, self.height);
        }
        for (words, area) in &self.texts {
            assert!(inside(*area), "{words:?} at {area:?} outside {}×{}", self.width, self.height);
        }
    }

    /// Pairs of texts that cover each other by more than a hair.
    pub(super) fn collisions(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        for (index, (first, a)) in self.texts.iter().enumerate() {
            for (second, b) in &self.texts[index + 1..] {
                let (wide, high) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
                if wide > 1.5 && high > 1.5 {
                    found.push((first.as_str(), second.as_str()));
                }
            }
        }
        found
    }

    pub(super) fn says(&self, words: &str) -> bool {
        let all: Vec<&str> = self.texts.iter().map(|(text, _)| text.as_str()).collect();
        all.join(" ").contains(words)
    }
}
