//! Pictures of arbitrary data: whatever the numbers and the words are, the picture is valid and inside itself.

use proptest::prelude::*;

use super::*;

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
    (0..12_usize, numbers, counts, words, any::<bool>()).prop_map(|(kind, rows, n, words, flag)| {
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
            10 => LossCurve {
                heading,
                training: rows.iter().zip(&n).map(|(r, n)| LossPoint { step: *n, loss: r[0] }).collect(),
                validation: rows.iter().zip(&n).map(|(r, n)| LossPoint { step: *n, loss: r[1] }).collect(),
                best: flag.then_some(rows.len() / 2),
                measures,
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
        prop_assert!(roxmltree::Document::parse(&table.to_html(20)).is_ok());
        let csv = table.to_csv();
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        prop_assert_eq!(reader.headers().unwrap().len(), table.columns.len());
        prop_assert_eq!(reader.records().filter_map(Result::ok).count(), table.rows.len());
    }
}
