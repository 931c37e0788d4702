//! One picture of each kind: with ordinary data, and with none.

use super::*;

pub(super) fn point(stripe: u64, n: u64, accuracy: f64) -> ReliabilityPoint {
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

pub(super) fn reliability() -> ReliabilityDiagram {
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
pub(super) fn ordinary() -> Vec<Chart> {
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
        LossCurve {
            training: (0..60).map(|i| LossPoint { step: i * 5, loss: 6.0 / (1.0 + i as f64) }).collect(),
            validation: (0..4).map(|i| LossPoint { step: i * 100, loss: 0.7 / (1.0 + i as f64) }).collect(),
            best: Some(3),
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
pub(super) fn empty() -> Vec<Chart> {
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
        LossCurve::default().into(),
    ]
}
