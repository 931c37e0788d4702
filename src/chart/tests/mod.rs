//! What holds for every picture, whatever is in it: it parses, it stays inside itself, it says what it shows.

use super::*;
use reading::read;
use samples::{empty, ordinary, point, reliability};

mod arbitrary;
mod reading;
mod samples;

fn at(width: f64) -> Options {
    Options { width, ..Options::default() }
}

#[test]
fn ordinary_pictures_are_inside_themselves_and_no_text_covers_another() {
    for width in [330.0, 344.0, 480.0, 600.0, 710.0, 1200.0] {
        for chart in ordinary() {
            let drawn = read(&chart.to_svg(&at(width)));
            drawn.check_inside();
            let title = chart.title();
            let collisions = drawn.collisions();
            // Counts beside the stripes of a very small diagram may touch; nothing else may.
            let real: Vec<_> =
                collisions.iter().filter(|(a, b)| a.parse::<f64>().is_err() || b.parse::<f64>().is_err()).collect();
            assert!(real.is_empty(), "{title} at {width}: {real:?}");
            assert_eq!(drawn.width, width);
        }
    }
}

#[test]
fn empty_pictures_say_that_they_are_empty() {
    for chart in empty() {
        for width in [200.0, 344.0, 720.0] {
            let drawn = read(&chart.to_svg(&at(width)));
            drawn.check_inside();
            let said = ["No rows", "No labels", "Too few"].iter().any(|words| drawn.says(words));
            assert!(said || width < 300.0, "{}: {:?}", chart.title(), drawn.texts);
        }
        assert!(chart.to_table().rows.len() <= 1);
    }
}

#[test]
fn height_theme_title_and_style_are_as_asked() {
    for chart in ordinary() {
        let svg = chart.to_svg(&Options { height: Some(900.0), ..at(720.0) });
        assert!(read(&svg).height <= 901.0, "{}: {}", chart.title(), read(&svg).height);
        let bare = chart.to_svg(&Options { title: false, style: false, ..at(720.0) });
        assert!(!bare.contains("<style>") && !bare.contains("cc-title"));
        let dark =
            chart.to_svg(&Options { theme: Theme::Dark, style: false, id_prefix: "a b".to_string(), ..at(720.0) });
        assert!(dark.contains("#a-b .cc-bg{fill:#14171c}"));
        assert!(!dark.contains("var("));
        let page = chart.to_svg(&Options { interactive: true, ..at(720.0) });
        read(&page).check_inside();
        assert!(page.contains("role=\"group\""));
        if page.contains("data-mark") {
            assert_eq!(page.matches("tabindex=\"0\" role=\"img\" aria-label=").count(), 1, "{}", chart.title());
            assert!(!page.contains("role=\"button\""), "nothing listens");
        }
    }
}

#[test]
fn only_marks_that_rows_are_found_by_are_buttons() {
    let buttons = |chart: &Chart, press: Press| {
        let svg = chart.to_svg(&Options { interactive: true, press, ..at(720.0) });
        (svg.matches("role=\"button\"").count(), svg.matches("role=\"img\"").count())
    };
    let diagram = reliability();
    let stripes = diagram.points.len();
    let both = BeforeAfter { before: diagram.clone(), after: diagram.clone(), ..BeforeAfter::default() };
    assert_eq!(buttons(&Chart::Reliability(diagram), Press::Rows), (stripes, 0));
    assert_eq!(buttons(&Chart::BeforeAfter(both.clone()), Press::Rows), (stripes, stripes));
    assert_eq!(buttons(&Chart::BeforeAfter(both), Press::Threshold).0, 0);
    for chart in ordinary() {
        let (rows, thresholds) = (buttons(&chart, Press::Rows).0, buttons(&chart, Press::Threshold).0);
        assert!(rows == 0 || thresholds == 0, "{}", chart.title());
    }
}

#[test]
fn in_sample_numbers_carry_that_word_everywhere() {
    let mut picture = reliability();
    picture.heading.in_sample = true;
    assert!(read(&picture.to_svg(&at(344.0))).says("in-sample"));
    assert!(picture.title().contains("in-sample"));
    assert!(picture.to_table().caption.contains("in-sample"));
}

#[test]
fn the_reliability_diagram_counts_what_it_shows() {
    let picture = reliability();
    for width in [344.0, 720.0] {
        let svg = picture.to_svg(&at(width));
        let drawn = read(&svg);
        for point in &picture.points {
            assert!(drawn.says(&point.n.to_string()), "{} at {width}", point.n);
        }
        assert_eq!(svg.matches("data-mark=\"stripe\"").count(), picture.points.len());
        assert!(svg.contains("data-n=\"532\""));
    }
    assert!(picture.description().contains("1,002 rows in 11 stripes"), "{}", picture.description());
    assert_eq!(picture.to_table().rows.len(), picture.points.len());
    let (calibrated, over) = (point(15, 400, 0.78), point(15, 400, 0.5));
    assert!(!calibrated.misses() && over.misses());
    let shapes = |p| ReliabilityDiagram { points: vec![p], ..Default::default() }.to_svg(&at(720.0));
    assert!(shapes(over).contains("whose bar misses") && !shapes(calibrated).contains("whose bar misses"));
}

#[test]
fn markup_and_endless_labels_stay_text() {
    let hostile = format!("</text><script>alert(1)</script>{}", "very long label ".repeat(20));
    let heading = Heading { title: hostile.clone(), subtitle: hostile.clone(), in_sample: true };
    let charts: Vec<Chart> = vec![
        ConfusionMatrix {
            heading,
            labels: vec![hostile.clone(), "\u{202e}x\u{0}".to_string()],
            counts: vec![vec![1], vec![2, 3]],
        }
        .into(),
        LabelBars {
            labels: vec![LabelBar { name: hostile.clone(), probability: 0.5, ..Default::default() }],
            ..Default::default()
        }
        .into(),
        CostCurve {
            currency: hostile.clone(),
            volume: hostile,
            points: vec![CostPoint { threshold: 0.5, review: 1.0, error: 2.0 }],
            ..Default::default()
        }
        .into(),
    ];
    for chart in &charts {
        for width in [200.0, 344.0, 720.0] {
            let svg = chart.to_svg(&at(width));
            assert!(!svg.contains("<script"));
            read(&svg).check_inside();
        }
        assert!(!chart.to_table().to_html(100).contains("<script"));
    }
    let report = Report {
        title: "<b>".to_string(),
        sections: vec![Section { figures: charts, ..Default::default() }],
        ..Default::default()
    };
    assert!(!report.to_html().contains("<script"));
}

#[test]
fn seventy_seven_labels_make_a_picture_of_bearable_size() {
    let labels: Vec<String> = (0..77).map(|i| format!("intent_{i}")).collect();
    let counts =
        (0..77).map(|e| (0..77).map(|p| if e == p { 40 } else { u64::from((e + p) % 40 == 0) }).collect()).collect();
    let picture = ConfusionMatrix { labels, counts, ..Default::default() };
    for width in [344.0, 720.0] {
        let svg = picture.to_svg(&at(width));
        read(&svg).check_inside();
        assert!(svg.len() < 150_000, "{}", svg.len());
    }
}

#[test]
fn charts_survive_storage() {
    for chart in ordinary() {
        let json = serde_json::to_string(&chart).unwrap();
        assert_eq!(serde_json::from_str::<Chart>(&json).unwrap(), chart);
    }
}

#[test]
fn the_report_stands_alone() {
    let report = Report {
        title: "A & B".to_string(),
        paragraphs: vec!["What came out.".to_string()],
        warnings: vec!["Only 40 rows.".to_string()],
        highlights: vec![Highlight {
            name: "Accuracy".to_string(),
            value: "72.2%".to_string(),
            beside: "n = 40".to_string(),
        }],
        sections: ordinary()
            .into_iter()
            .map(|chart| Section {
                title: chart.title(),
                figures: vec![chart.clone(), chart],
                tables: vec![Table::new("t", &["a", "b#"])],
                ..Default::default()
            })
            .collect(),
        facts: vec![("Model".to_string(), "tiny".to_string())],
        footer: "made by hand".to_string(),
    };
    let html = report.to_html();
    assert!(html.starts_with("<!DOCTYPE html>"));
    for absent in ["<script", "http://", "https://", "src=", "@import", "url(http", "NaN"] {
        let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_namespace.contains(absent), "{absent}");
    }
    // Well-formed apart from the doctype and the void elements.
    let xml = html.replace("<!DOCTYPE html>\n", "");
    let closed: Vec<String> =
        xml.lines().map(|l| if l.starts_with("<meta") { l.replace("\">", "\"/>") } else { l.to_string() }).collect();
    let closed = closed.join("\n");
    let document = roxmltree::Document::parse(&closed).unwrap_or_else(|error| panic!("{error}"));
    let count = |name: &str| document.descendants().filter(|n| n.tag_name().name() == name).count();
    assert_eq!(count("h1"), 1);
    assert_eq!(count("figure"), 24);
    assert_eq!(count("figcaption"), 24);
    assert_eq!(count("h3"), 24);
    assert_eq!(count("details"), 24);
    assert_eq!(count("svg"), 48);
    let mut ids: Vec<&str> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(all, ids.len(), "an id occurs twice");
    for node in document.descendants() {
        for attribute in ["aria-labelledby", "aria-describedby"] {
            for id in node.attribute(attribute).unwrap_or_default().split_whitespace() {
                assert!(ids.binary_search(&id).is_ok(), "{id}");
            }
        }
        if let Some(target) = node.attribute("href").and_then(|href| href.strip_prefix('#')) {
            assert!(ids.binary_search(&target).is_ok(), "{target}");
        }
    }
}
