//! From the statistics floor's numbers to the chart floor's descriptions.
//!
//! The two floors do not know each other; this is where a report's numbers become pictures. It computes nothing that
//! a statistic should compute.

use crate::chart::{
    AccuracyVolume, BandPoint, Chart, ConfidenceHistogram, ConfusionMatrix, CorpCurve, CostCurve, CostPoint,
    CurvePoint, Guarantee, Heading, HistogramBin, Measure, ReliabilityDiagram, ReliabilityPoint, RiskCoverage,
    RiskPoint, SampleSizePanel, SampleSizePanels, SampleSizePoint, SmoothDiagram, SmoothPoint, ThresholdPoint,
};
use crate::error::Result;
use crate::stats::costs::Costs;
use crate::stats::guarantee::Guarantee as Guaranteed;
use crate::stats::intervals::clopper_pearson;
use crate::stats::metrics::corp_curve::corp_curve;
use crate::stats::metrics::report::{Estimate, ReliabilityBin, Report};
use crate::stats::metrics::smooth_curve::smooth_curve;
use crate::stats::resampling::Resampling;
use crate::stats::sample_size::SampleSizeTable;
use crate::stats::selection::Selection;

/// Stripes of the histograms, 5% each.
const STRIPES: usize = 20;
/// Points of the threshold and risk curves.
const CURVE_POINTS: usize = 101;

/// `17.3%`, or `–` where there is no number.
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), crate::chart::format::percent)
}

/// The named metric's value in percent.
pub fn measure(report: &Report, name: &str, title: &str, note: String) -> Measure {
    let value = report.metrics.get(name).and_then(|estimate| estimate.value);
    Measure { name: title.to_owned(), value: percent(value), note }
}

/// The reliability diagram of a report's bins.
pub fn reliability(bins: &[ReliabilityBin], heading: Heading, measures: Vec<Measure>) -> ReliabilityDiagram {
    let points = bins.iter().filter(|bin| bin.n > 0).map(|bin| ReliabilityPoint {
        low: bin.low,
        high: bin.high,
        n: bin.n,
        confidence: bin.confidence,
        accuracy: bin.accuracy.value.unwrap_or(0.0),
        accuracy_low: bin.accuracy.low.unwrap_or(0.0),
        accuracy_high: bin.accuracy.high.unwrap_or(1.0),
    });
    ReliabilityDiagram { heading, points: points.collect(), measures }
}

/// Right and wrong rows by confidence, in right-closed stripes of 5%.
pub fn histogram(scores: &[f64], correct: &[bool]) -> Vec<HistogramBin> {
    let edge = |index: usize| index as f64 / STRIPES as f64;
    let mut bins: Vec<HistogramBin> =
        (0..STRIPES).map(|i| HistogramBin { low: edge(i), high: edge(i + 1), right: 0, wrong: 0 }).collect();
    for (score, right) in scores.iter().zip(correct) {
        let index = (0..STRIPES).position(|index| *score <= edge(index + 1)).unwrap_or(STRIPES - 1);
        let bin = &mut bins[index];
        *(if *right { &mut bin.right } else { &mut bin.wrong }) += 1;
    }
    bins
}

/// The confidence histogram.
pub fn confidence_histogram(scores: &[f64], correct: &[bool]) -> Chart {
    Chart::ConfidenceHistogram(ConfidenceHistogram { heading: Heading::default(), bins: histogram(scores, correct) })
}

/// The CORP curve with its consistency band.
///
/// # Errors
/// No rows.
pub fn corp(scores: &[f64], correct: &[bool], measures: Vec<Measure>, seed: u64) -> Result<Chart> {
    let simulations = (10_000_000 / scores.len().max(1)).clamp(50, 500);
    let points = corp_curve(scores, correct, simulations, 0.95, seed)?;
    let (curve, band) = (points.iter())
        .map(|p| {
            let curve = CurvePoint { confidence: p.confidence, accuracy: p.accuracy };
            (curve, BandPoint { confidence: p.confidence, low: p.low, high: p.high })
        })
        .unzip();
    Ok(Chart::Corp(CorpCurve {
        heading: Heading::default(),
        curve,
        band,
        histogram: histogram(scores, correct),
        measures,
    }))
}

/// The smooth reliability diagram with the band of its resamples.
///
/// # Errors
/// No rows.
pub fn smooth(scores: &[f64], correct: &[bool], smece: Measure, seed: u64) -> Result<Chart> {
    // A band of a million rows is a line: a few resamples draw it as well as many.
    let resamples = if scores.len() > 100_000 { 50 } else { 400 };
    let curve = smooth_curve(scores, correct, Resampling { resamples, seed, level: 0.95 })?;
    let point = |p: &crate::stats::metrics::smooth_curve::SmoothPoint| SmoothPoint {
        confidence: p.confidence,
        accuracy: p.accuracy,
        low: Some(p.low),
        high: Some(p.high),
        density: p.density,
    };
    let bandwidth = Measure { name: "bandwidth".into(), value: percent(Some(curve.bandwidth)), note: String::new() };
    Ok(Chart::Smooth(SmoothDiagram {
        heading: Heading::default(),
        curve: curve.points.iter().map(point).collect(),
        histogram: histogram(scores, correct),
        measures: vec![smece, bandwidth],
    }))
}

/// What every threshold costs a day; the cheapest of the rows' own thresholds (`best`) is among the points.
pub fn cost(selection: &Selection, costs: &Costs, best: f64, currency: &str) -> Chart {
    let steps = (0..CURVE_POINTS).map(|index| index as f64 / (CURVE_POINTS - 1) as f64);
    let mut thresholds: Vec<f64> = steps.chain([best.min(1.0)]).collect();
    thresholds.sort_unstable_by(f64::total_cmp);
    let point = |threshold: f64| {
        let row = costs.at(selection, threshold);
        CostPoint {
            threshold: row.threshold,
            review: row.reviews * costs.review_cost,
            error: row.errors * costs.error_cost,
        }
    };
    Chart::Cost(CostCurve {
        heading: Heading::default(),
        points: thresholds.into_iter().map(point).collect(),
        review_all: Some(costs.review_all()),
        automate_all: Some(costs.at(selection, 0.0).cost),
        currency: currency.to_owned(),
        volume: format!("{} a day", crate::chart::format::counted(costs.volume.round() as u64, "text", "texts")),
    })
}

/// Accuracy and volume over thresholds, with the promise that can be made.
pub fn accuracy_volume(selection: &Selection, guarantee: &Guaranteed) -> Chart {
    let point = |index: usize| {
        let row = selection.at(index as f64 / (CURVE_POINTS - 1) as f64, 0.95);
        ThresholdPoint {
            threshold: row.threshold,
            n: row.n as u64,
            share: row.share,
            accuracy: row.accuracy,
            low: row.low,
            high: row.high,
        }
    };
    Chart::AccuracyVolume(AccuracyVolume {
        heading: Heading::default(),
        points: (0..CURVE_POINTS).map(point).collect(),
        wanted: Some(guarantee.accuracy),
        guaranteed: guarantee.guaranteed.map(|found| Guarantee {
            threshold: found.threshold,
            coverage: found.coverage,
            accuracy: guarantee.accuracy,
            assurance: guarantee.assurance,
        }),
        chosen: None,
    })
}

/// The error rate of the most confident rows over their share.
pub fn risk_coverage(selection: &Selection, measures: Vec<Measure>) -> Chart {
    let all = selection.len();
    let cuts: Vec<usize> = selection.cuts().collect();
    let step = cuts.len().div_ceil(CURVE_POINTS).max(1);
    let mut kept: Vec<usize> = cuts.iter().copied().step_by(step).collect();
    if kept.last() != Some(&all) {
        kept.push(all);
    }
    let points = kept.into_iter().map(|n| {
        let wrong = n - selection.right_of_top(n);
        let interval = clopper_pearson(wrong as u64, n as u64, 0.95);
        RiskPoint {
            coverage: n as f64 / all as f64,
            risk: wrong as f64 / n as f64,
            low: Some(interval.low),
            high: Some(interval.high),
        }
    });
    let error_rate = Some(1.0 - selection.right_of_top(all) as f64 / all as f64);
    Chart::RiskCoverage(RiskCoverage { heading: Heading::default(), points: points.collect(), error_rate, measures })
}

/// The confusion matrix, where labels are known.
pub fn confusion(report: &Report) -> Option<Chart> {
    let matrix = report.confusion.as_ref()?;
    Some(Chart::Confusion(ConfusionMatrix {
        heading: Heading::default(),
        labels: matrix.labels.clone(),
        counts: matrix.counts.clone(),
    }))
}

/// What more labelled rows would buy, a panel a size.
pub fn sample_size(table: &SampleSizeTable) -> Chart {
    let mut panels: Vec<SampleSizePanel> = Vec::new();
    for cell in &table.cells {
        let Some(share) = cell.share else { continue };
        let point = SampleSizePoint {
            threshold: cell.threshold,
            automated: share.mean,
            automated_low: share.low,
            automated_high: share.high,
            accuracy: cell.accuracy.map(|band| band.mean),
            accuracy_low: cell.accuracy.map(|band| band.low),
            accuracy_high: cell.accuracy.map(|band| band.high),
        };
        match panels.last_mut() {
            Some(panel) if panel.n == cell.size as u64 => panel.points.push(point),
            _ => panels.push(SampleSizePanel { n: cell.size as u64, points: vec![point] }),
        }
    }
    Chart::SampleSize(SampleSizePanels { heading: Heading::default(), panels })
}

/// An estimate as `72.2% (69.3–75.0%)`.
pub fn estimate(estimate: &Estimate) -> String {
    match (estimate.value, estimate.low, estimate.high) {
        (Some(value), Some(low), Some(high)) => crate::chart::format::percent_interval(value, low, high),
        (value, _, _) => percent(value),
    }
}
