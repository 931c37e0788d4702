//! What holds for every picture, whatever is in it: it parses, it stays inside itself, it says what it shows.

use proptest::prelude::*;

use super::*;

/// Everything drawn in a picture, read back from its text.
struct Drawn {
    width: f64,
    height: f64,
    /// Boxes of marks and lines.
    boxes: Vec<[f64; 4]>,
    /// Texts with their estimated boxes.
    texts: Vec<(String, [f64; 4])>,
}

/// Reads a picture back; panics with a reason where it is no valid picture.
fn read(svg: &str) -> Drawn {
    for bad in ["NaN", "inf", "Infinity"] {
        let found = svg.find(&format!("\"{bad}\"")).or_else(|| svg.find(&format!(" {bad}")));
        assert!(found.is_none(), "{bad} in …{}", &svg[found.unwrap_or(0).saturating_sub(60)..found.unwrap_or(0) + 8]);
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
    fn check_inside(&self) {
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
    fn collisions(&self) -> Vec<(&str, &str)> {
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

    fn says(&self, words: &str) -> bool {
        let all: Vec<&str> = self.texts.iter().map(|(text, _)| text.as_str()).collect();
        all.join(" ").contains(words)
    }
}

fn at(width: f64) -> Options {
    Options { width, ..Options::default() }
}

fn point(stripe: u64, n: u64, accuracy: f64) -> ReliabilityPoint {
    let low = stripe as f64 / 20.0;
    let half = 0.5 / (n as f64).sqrt();
    ReliabilityPoint {
        low,
        high: low + 0.05,
        n,
        confidence: low + 0.03,
        accuracy,
        accuracy_low: (accuracy - half).max(0.0),
        accuracy_high: (accuracy + half).min(1.0),
    }
}

fn reliability() -> ReliabilityDiagram {
    let counts = [2, 36, 28, 43, 37, 32, 45, 48, 77, 122, 532];
    let points = counts.iter().enumerate().map(|(i, n)| point(i as u64 + 9, *n, 0.45 + 0.04 * i as f64)).collect();
    let measures = vec![Measure {
        name: "ECE, 20 stripes".to_string(),
        value: "17.3%".to_string(),
        note: "a calibrated model would show 2.2% here".to_string(),
    }];
    ReliabilityDiagram { heading: Heading::default(), points, measures }
}

fn bins() -> Vec<HistogramBin> {
    (0..20)
        .map(|i| HistogramBin {
            low: f64::from(i) / 20.0,
            high: f64::from(i + 1) / 20.0,
            right: u64::from(i as u32) * 9,
            wrong: u64::from(20 - i as u32) * 2,
        })
        .collect()
}

/// One of each, with ordinary data.
fn ordinary() -> Vec<Chart> {
    let share = |i: i32| f64::from(i) / 40.0;
    let thresholds = (0..40).map(|i| ThresholdPoint {
        threshold: 0.5 + share(i) / 2.0,
        n: 1000 - 20 * i as u64,
        share: 1.0 - share(i) * 0.8,
        accuracy: Some(0.72 + 0.006 * f64::from(i)),
        low: Some(0.70 + 0.006 * f64::from(i)),
        high: Some(0.74 + 0.006 * f64::from(i)),
    });
    let guarantee = Guarantee { threshold: 0.9, coverage: 0.41, accuracy: 0.9, assurance: 0.9 };
    let pair = |name: &str, better| MeasurePair {
        name: name.to_string(),
        before: "0.2163".to_string(),
        after: "0.1774".to_string(),
        better,
    };
    let labels = ["validation_error", "distraction", "bot"];
    vec![
        reliability().into(),
        CorpCurve {
            curve: (0..40)
                .map(|i| CurvePoint { confidence: share(i), accuracy: (share(i) * 5.0).floor() / 5.0 })
                .collect(),
            band: (0..40).map(|i| BandPoint { confidence: share(i), low: share(i) * 0.9, high: share(i) }).collect(),
            histogram: bins(),
            ..Default::default()
        }
        .into(),
        SmoothDiagram {
            curve: (0..40)
                .map(|i| SmoothPoint {
                    confidence: share(i),
                    accuracy: share(i).sqrt(),
                    low: Some(share(i)),
                    high: Some(share(i).sqrt().min(1.0)),
                    density: share(i),
                })
                .collect(),
            histogram: bins(),
            ..Default::default()
        }
        .into(),
        ConfidenceHistogram { bins: bins(), ..Default::default() }.into(),
        AccuracyVolume {
            points: thresholds.collect(),
            wanted: Some(0.9),
            guaranteed: Some(guarantee),
            chosen: Some(0.75),
            ..Default::default()
        }
        .into(),
        CostCurve {
            points: (0..40)
                .map(|i| CostPoint {
                    threshold: share(i),
                    review: 50_000.0 * share(i),
                    error: 90_000.0 * (1.0 - share(i)).powi(3),
                })
                .collect(),
            review_all: Some(50_000.0),
            automate_all: Some(90_000.0),
            currency: "EUR".to_string(),
            volume: "10,000 texts a day".to_string(),
            ..Default::default()
        }
        .into(),
        RiskCoverage {
            points: (1..=40)
                .map(|i| RiskPoint { coverage: share(i), risk: 0.28 * share(i), low: None, high: None })
                .collect(),
            error_rate: Some(0.28),
            measures: vec![Measure { name: "AURC".to_string(), value: "0.187".to_string(), note: String::new() }],
            ..Default::default()
        }
        .into(),
        SampleSizePanels {
            panels: [50, 200, 500, 1000]
                .map(|n| SampleSizePanel {
                    n,
                    points: [0.7, 0.8, 0.9, 0.95]
                        .map(|threshold| SampleSizePoint {
                            threshold,
                            automated: 1.0 - threshold / 2.0,
                            automated_low: 0.3,
                            automated_high: 0.9,
                            accuracy: Some(0.9),
                            accuracy_low: Some(0.8),
                            accuracy_high: Some(0.95),
                        })
                        .to_vec(),
                })
                .to_vec(),
            ..Default::default()
        }
        .into(),
        ConfusionMatrix {
            labels: labels.map(str::to_string).to_vec(),
            counts: vec![vec![40, 3, 0], vec![7, 53, 1], vec![0, 12, 92]],
            ..Default::default()
        }
        .into(),
        BeforeAfter {
            before: reliability(),
            after: reliability(),
            measures: vec![pair("ECE, 20 stripes", Some(true)), pair("log loss", Some(false)), pair("AUC", None)],
            ..Default::default()
        }
        .into(),
        LabelBars {
            labels: ["negative", "positive"]
                .map(|name| LabelBar {
                    name: name.to_string(),
                    probability: 0.4,
                    interval: Some([0.3, 0.5]),
                    chosen: name == "positive",
                })
                .to_vec(),
            other: Some(0.2),
            ..Default::default()
        }
        .into(),
    ]
}

/// One of each without any data.
fn empty() -> Vec<Chart> {
    vec![
        ReliabilityDiagram::default().into(),
        CorpCurve::default().into(),
        SmoothDiagram::default().into(),
        ConfidenceHistogram::default().into(),
        AccuracyVolume::default().into(),
        CostCurve::default().into(),
        RiskCoverage::default().into(),
        SampleSizePanels::default().into(),
        ConfusionMatrix::default().into(),
        BeforeAfter::default().into(),
        LabelBars::default().into(),
    ]
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
            assert!(page.contains("tabindex=\"0\" role=\"button\" aria-label="), "{}", chart.title());
        }
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
        assert!(!chart.to_table().to_html().contains("<script"));
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

/// Numbers of every kind: proportions, edges, huge ones, and what is no number.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..=1.0,
        1 => prop::sample::select(vec![0.0, 1.0, 0.5, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX, 1e-300, 5e-324]),
        1 => any::<f64>(),
    ]
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0_u64..2000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn any_words() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z]{1,12}", ".{0,40}", "(<b>&\"'){1,8}", "[a-z ]{200}", "\\PC{0,60}"]
}

/// Any picture of arbitrary data, from one pool of numbers.
fn any_chart() -> impl Strategy<Value = Chart> {
    let numbers = prop::collection::vec(prop::array::uniform6(any_number()), 0..30);
    let counts = prop::collection::vec(any_count(), 30);
    let words = prop::collection::vec(any_words(), 12);
    (0..11_usize, numbers, counts, words, any::<bool>()).prop_map(|(kind, rows, n, words, flag)| {
        let heading = Heading { title: words[0].clone(), subtitle: words[1].clone(), in_sample: flag };
        let measures = vec![Measure { name: words[2].clone(), value: words[3].clone(), note: words[4].clone() }];
        let stripes = |skip: usize| -> Vec<ReliabilityPoint> {
            let points = rows.iter().zip(&n).skip(skip).map(|(r, n)| ReliabilityPoint {
                low: r[0],
                high: r[1],
                n: *n,
                confidence: r[2],
                accuracy: r[3],
                accuracy_low: r[4],
                accuracy_high: r[5],
            });
            points.collect()
        };
        let histogram: Vec<HistogramBin> = rows
            .iter()
            .zip(n.windows(2))
            .map(|(r, n)| HistogramBin { low: r[0], high: r[1], right: n[0], wrong: n[1] })
            .collect();
        let first = rows.first().copied().unwrap_or([0.5; 6]);
        match kind {
            0 => ReliabilityDiagram { heading, points: stripes(0), measures }.into(),
            1 => CorpCurve {
                heading,
                curve: rows.iter().map(|r| CurvePoint { confidence: r[0], accuracy: r[1] }).collect(),
                band: rows.iter().map(|r| BandPoint { confidence: r[0], low: r[2], high: r[3] }).collect(),
                histogram,
                measures,
            }
            .into(),
            2 => SmoothDiagram {
                heading,
                curve: rows
                    .iter()
                    .map(|r| SmoothPoint {
                        confidence: r[0],
                        accuracy: r[1],
                        low: Some(r[2]),
                        high: flag.then_some(r[3]),
                        density: r[4],
                    })
                    .collect(),
                histogram,
                measures,
            }
            .into(),
            3 => ConfidenceHistogram { heading, bins: histogram }.into(),
            4 => AccuracyVolume {
                heading,
                points: rows
                    .iter()
                    .zip(&n)
                    .map(|(r, n)| ThresholdPoint {
                        threshold: r[0],
                        n: *n,
                        share: r[1],
                        accuracy: flag.then_some(r[2]),
                        low: Some(r[3]),
                        high: Some(r[4]),
                    })
                    .collect(),
                wanted: Some(first[3]),
                guaranteed: flag.then_some(Guarantee {
                    threshold: first[0],
                    coverage: first[1],
                    accuracy: first[2],
                    assurance: first[3],
                }),
                chosen: Some(first[5]),
            }
            .into(),
            5 => CostCurve {
                heading,
                points: rows.iter().map(|r| CostPoint { threshold: r[0], review: r[1], error: r[2] }).collect(),
                review_all: Some(first[3]),
                automate_all: Some(first[4]),
                currency: words[5].clone(),
                volume: words[6].clone(),
            }
            .into(),
            6 => RiskCoverage {
                heading,
                points: rows
                    .iter()
                    .map(|r| RiskPoint { coverage: r[0], risk: r[1], low: Some(r[2]), high: Some(r[3]) })
                    .collect(),
                error_rate: Some(first[4]),
                measures,
            }
            .into(),
            7 => SampleSizePanels {
                heading,
                panels: rows
                    .chunks(4)
                    .zip(&n)
                    .map(|(rows, n)| SampleSizePanel {
                        n: *n,
                        points: rows
                            .iter()
                            .map(|r| SampleSizePoint {
                                threshold: r[0],
                                automated: r[1],
                                automated_low: r[2],
                                automated_high: r[3],
                                accuracy: flag.then_some(r[4]),
                                accuracy_low: Some(r[5]),
                                accuracy_high: Some(r[0]),
                            })
                            .collect(),
                    })
                    .collect(),
            }
            .into(),
            8 => {
                let k = rows.len().min(12);
                ConfusionMatrix {
                    heading,
                    labels: words[..k].to_vec(),
                    counts: (0..k).map(|i| n.iter().skip(i).take(k).copied().collect()).collect(),
                }
                .into()
            }
            9 => BeforeAfter {
                before: ReliabilityDiagram { heading: heading.clone(), points: stripes(0), measures: measures.clone() },
                after: ReliabilityDiagram { heading: heading.clone(), points: stripes(7), measures },
                heading,
                measures: vec![MeasurePair {
                    name: words[7].clone(),
                    before: words[8].clone(),
                    after: words[9].clone(),
                    better: Some(flag),
                }],
            }
            .into(),
            _ => LabelBars {
                heading,
                labels: rows
                    .iter()
                    .zip(words.iter().cycle())
                    .map(|(r, w)| LabelBar {
                        name: w.clone(),
                        probability: r[0],
                        interval: flag.then_some([r[1], r[2]]),
                        chosen: r[3] > 0.5,
                    })
                    .collect(),
                other: Some(first[0]),
            }
            .into(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_data_makes_a_valid_picture_inside_itself(
        chart in any_chart(),
        width in prop_oneof![Just(200.0), Just(344.0), Just(720.0), 200.0..1600.0_f64],
        height in prop_oneof![3 => Just(None), 1 => (0.0..1200.0_f64).prop_map(Some)],
        interactive in any::<bool>(),
    ) {
        let options = Options { width, height, interactive, id_prefix: "p".to_string(), ..Options::default() };
        read(&chart.to_svg(&options)).check_inside();
        let table = chart.to_table();
        prop_assert!(roxmltree::Document::parse(&table.to_html()).is_ok());
        let csv = table.to_csv();
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        prop_assert_eq!(reader.headers().unwrap().len(), table.columns.len());
        prop_assert_eq!(reader.records().filter_map(Result::ok).count(), table.rows.len());
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
    assert_eq!(count("figure"), 22);
    assert_eq!(count("figcaption"), 22);
    assert_eq!(count("details"), 22);
    assert_eq!(count("svg"), 44);
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
