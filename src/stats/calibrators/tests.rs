//! What all calibrators promise, whatever the rows.

use proptest::prelude::*;

use super::*;
use crate::stats::rows::LabelRows;

fn fit(method: Method, rows: &Rows) -> Fitted<Calibrator> {
    Calibrator::fit(method, rows, &FitOptions { folds: 2, ..FitOptions::default() })
        .unwrap_or_else(|e| panic!("{method} on {} rows: {e}", rows.len()))
}

/// Rows with two labels whose shares are the score and the rest.
fn with_labels(scores: Vec<f64>, correct: Vec<bool>) -> Rows {
    let logprobs: Vec<f64> = scores.iter().flat_map(|&s| [s.ln(), (1.0 - s).ln()]).collect();
    let labels = LabelRows::new(&logprobs, 2, correct.iter().map(|&c| usize::from(!c)).collect()).unwrap();
    Rows::new(scores, correct).unwrap().with_labels(labels).unwrap()
}

const GRID: [f64; 11] = [0.0, 1e-300, 1e-9, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0 - 1e-12, 1.0];

fn check_promises(model: &Calibrator) {
    model.check().unwrap();
    let mut previous = 0.0;
    for score in GRID {
        let value = if model.method().takes_labels() {
            let shares = model.apply_labels(&[score.ln(), (1.0 - score).ln()]).unwrap();
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{model:?} {shares:?}");
            shares[0]
        } else {
            model.apply(score).unwrap()
        };
        assert!((0.0..=1.0).contains(&value), "{model:?} at {score}: {value}");
        if model.keeps_order() == Some(true) {
            assert!(value >= previous - 1e-12, "{model:?} falls at {score}");
            previous = value;
        }
        if let Some(p) = model.interval(score) {
            assert!(p.low <= p.value && p.value <= p.high && p.low >= 0.0 && p.high <= 1.0, "{p:?}");
        }
    }
    let text = serde_json::to_string(model).unwrap();
    let again: Calibrator = serde_json::from_str(&text).unwrap();
    assert_eq!(&again, model, "{text}");
    assert!(model.summary().ends_with('.') && !model.summary().contains("NaN"));
}

#[test]
fn degenerate_rows_are_fitted_and_said() {
    let spread: Vec<f64> = (0..12).map(|i| 0.4 + f64::from(i) / 20.0).collect();
    for (name, scores, correct, must_say) in [
        ("all right", spread.clone(), vec![true; 12], true),
        ("all wrong", spread.clone(), vec![false; 12], true),
        ("separated", spread.clone(), (0..12).map(|i| i >= 6).collect(), false),
        ("reversed", spread.clone(), (0..12).map(|i| i < 6).collect(), true),
        ("constant", vec![0.8; 12], (0..12).map(|i| i % 3 == 0).collect(), true),
        ("extremes", (0..12).map(|i| f64::from(i % 2)).collect(), (0..12).map(|i| i % 4 < 2).collect(), false),
        ("one row", vec![0.7], vec![true], true),
        ("two rows", vec![0.7, 0.2], vec![true, false], false),
    ] {
        let rows = with_labels(scores, correct);
        for method in Method::ALL {
            if method == Method::CrossVennAbers && rows.len() < 2 {
                assert!(Calibrator::fit(method, &rows, &FitOptions::default()).is_err());
                continue;
            }
            let fitted = fit(method, &rows);
            check_promises(&fitted.model);
            let curve = matches!(method, Method::Isotonic | Method::Beta | Method::CenteredIsotonic);
            assert!(!(must_say && curve && fitted.notes.is_empty()), "{name}: {method} says nothing");
        }
    }
}

#[test]
fn seventy_seven_labels_fit() {
    let classes = 77;
    let logprobs: Vec<f64> = (0..200 * classes).map(|i| f64::from((i * 7919 % 1000) as u32) / 250.0).collect();
    let labels = LabelRows::new(&logprobs, classes, (0..200).map(|i| i * 31 % 70).collect()).unwrap();
    let rows = Rows::from_labels(labels).unwrap();
    for method in [Method::LabelTemperature, Method::Vector, Method::Dirichlet] {
        let fitted = fit(method, &rows);
        fitted.model.check().unwrap();
        let shares = fitted.model.apply_labels(&logprobs[..classes]).unwrap();
        assert!(shares.iter().all(|s| s.is_finite()) && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(fitted.model.apply_labels(&[0.0]).is_err() || method == Method::LabelTemperature);
    }
}

#[test]
fn names_are_read_back() {
    for method in Method::ALL {
        assert_eq!(method.name().parse::<Method>().unwrap(), method);
        assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
    }
    assert_eq!("Beta-ABM".parse::<Method>().unwrap(), Method::Beta);
    assert!("plat".parse::<Method>().unwrap_err().to_string().contains("platt"));
}

#[test]
fn wrong_use_is_an_error() {
    let rows = Rows::new(vec![0.5, 0.6], vec![true, false]).unwrap();
    assert!(Calibrator::fit(Method::Vector, &rows, &FitOptions::default()).is_err());
    let platt = fit(Method::Platt, &rows).model;
    assert!(platt.apply(f64::NAN).is_err() && platt.apply(1.1).is_err());
    assert!(platt.apply_labels(&[0.0, 0.0]).is_err());
    let error = platt.apply_all(&[0.5, 50.0]).unwrap_err().to_string();
    assert!(error.contains("row 2"), "{error}");
}

#[test]
fn few_rows_are_warned_about() {
    for (method, rows, warned) in [
        (Method::Platt, 49, true),
        (Method::Platt, 50, false),
        (Method::Isotonic, 499, true),
        (Method::Isotonic, 999, true),
        (Method::Isotonic, 1000, false),
        (Method::None, 3, false),
    ] {
        assert_eq!(method.too_few_rows(rows).is_some(), warned, "{method} {rows}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn promises_hold_on_any_rows(rows in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 4..80), coarse: bool) {
        let round = |s: f64| if coarse { (s * 8.0).round() / 8.0 } else { s };
        let rows = with_labels(rows.iter().map(|r| round(r.0)).collect(), rows.iter().map(|r| r.1).collect());
        for method in Method::ALL {
            check_promises(&fit(method, &rows).model);
        }
    }

    #[test]
    fn order_of_rows_does_not_matter(rows in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 8..60), seed: u64) {
        let sample = with_labels(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect());
        let keys: Vec<u64> = rows.iter().map(|r| r.0.to_bits()).collect();
        let sample = sample.with_keys(keys).unwrap();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(seed | 1));
        let shuffled = sample.select(&order);
        for method in Method::ALL {
            // Iterative fits of separable rows end where rounding lets them; their values agree, not their bits.
            let tolerance = match method {
                Method::Beta | Method::BetaAb | Method::BetaAm | Method::BetaUnconstrained => 1e-3,
                Method::Dirichlet | Method::Vector => 1e-4,
                _ => 1e-9,
            };
            let (a, b) = (fit(method, &sample).model, fit(method, &shuffled).model);
            for row in 0..rows.len() {
                let (x, y) = (a.apply_row(&sample, row).unwrap(), b.apply_row(&sample, row).unwrap());
                prop_assert!((x - y).abs() <= tolerance, "{method} {x} {y}");
            }
        }
    }
}
