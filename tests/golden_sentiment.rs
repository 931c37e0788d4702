//! The published predictions of a language model on 1,000 texts, and what is known about them: the facts of
//! `../shared/data/README.md` must come out of the library.

use std::path::PathBuf;

use candor::stats::calibrators::temperature::Temperature;
use candor::stats::calibrators::{Calibrator, FitOptions, Method};
use candor::stats::comparison::compare;
use candor::stats::cross_fit::{CrossFitOptions, Quality, out_of_fold};
use candor::stats::guarantee::guaranteed_threshold;
use candor::stats::rows::Rows;
use candor::stats::selection::Selection;
use serde_json::Value;

fn rows(name: &str) -> Option<Rows> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/sentiment-10k").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no predictions at {}", path.display());
        return None;
    };
    let parse = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        (row["confidence"].as_f64().expect("a confidence"), row["correct"].as_bool().expect("an outcome"))
    };
    let (scores, correct): (Vec<f64>, Vec<bool>) = text.lines().map(parse).unzip();
    Some(Rows::new(scores, correct).expect("valid rows"))
}

fn base() -> Option<Rows> {
    rows("llama-3.1-8b-base.predictions.jsonl")
}

/// Five folds, twenty repeats, twenty bins, as the facts were computed.
const OPTIONS: CrossFitOptions = CrossFitOptions {
    folds: 5,
    repeats: Some(20),
    bins: 20,
    seed: 1,
    fit: FitOptions { bins: None, folds: 5, regularization: None, seed: 0 },
};

#[test]
fn thresholds_select_the_known_rows() {
    let Some(rows) = base() else { return };
    let selection = Selection::new(rows.scores(), rows.correct()).expect("rows");
    assert_eq!((rows.len(), rows.right()), (1000, 722));
    for (threshold, counts) in [(0.95, (532, 444)), (0.80, (779, 598)), (0.60, (936, 687))] {
        assert_eq!(selection.counts(threshold), counts, "at {threshold}");
    }
    let row = selection.at(0.95, 0.95);
    assert!((row.accuracy.expect("rows") - 0.8346).abs() < 5e-5);
}

#[test]
fn isotonic_in_sample_looks_perfect() {
    let Some(rows) = base() else { return };
    let model = Calibrator::fit(Method::Isotonic, &rows, &FitOptions::default()).expect("a fit").model;
    let values = model.apply_all(rows.scores()).expect("values").values;
    let selection = Selection::new(&values, rows.correct()).expect("rows");
    assert_eq!(selection.counts(0.95), (181, 181));
    let (n, right) = selection.counts(0.90);
    assert_eq!((n - 181, right - 181), (69, 64));
}

#[test]
fn temperature_on_all_rows_is_three() {
    let Some(rows) = base() else { return };
    let fit = Temperature::fit(&rows);
    assert!((fit.model.temperature.expect("finite") - 3.01).abs() < 0.005, "{:?}", fit.model);
}

#[test]
fn the_cross_fitted_table_is_the_known_one() {
    let Some(rows) = base() else { return };
    // The known beta line is that of the logistic regression on ln p and −ln(1 − p) without dropping what comes out
    // negative; betacal drops it, as `Method::Beta` does.
    let methods = [Method::Platt, Method::Temperature, Method::BetaUnconstrained, Method::Isotonic, Method::Beta];
    let table = compare(&rows, &methods, None, &OPTIONS).expect("a table");
    for (line, (ece, brier, log_loss)) in table.methods.iter().zip([
        (0.063, 0.1786, 0.522),
        (0.051, 0.1785, 0.524),
        (0.048, 0.1784, 0.517),
        (0.038, 0.1774, 0.534),
    ]) {
        let got = line.cross_fitted.expect("cross-fitted");
        println!(
            "{:18} ece {:.4} ({ece}) brier {:.4} ({brier}) log loss {:.4} ({log_loss})",
            line.method, got.ece, got.brier, got.log_loss
        );
        for (name, got, want) in
            [("ece", got.ece, ece), ("brier", got.brier, brier), ("log loss", got.log_loss, log_loss)]
        {
            assert!((got - want).abs() <= 0.005, "{} {name}: {got}, known is {want}", line.method);
        }
    }
    assert_eq!(table.chosen, Method::BetaUnconstrained);
    let auto = compare(&rows, &Method::AUTO, None, &OPTIONS).expect("a table");
    for line in &auto.methods {
        println!("{:20} {:?}", line.method, line.cross_fitted.expect("cross-fitted"));
    }
    println!("{}", auto.why);
    let raw = auto.methods.iter().find(|line| line.method == Method::None).and_then(|line| line.cross_fitted);
    let chosen = auto.methods.iter().find(|line| line.method == auto.chosen).and_then(|line| line.cross_fitted);
    assert!(chosen.expect("chosen").log_loss < raw.expect("raw").log_loss - 0.1);
    let isotonic = out_of_fold(&rows, Method::Isotonic, &OPTIONS).expect("predictions");
    let (n, right) = isotonic.above(0.95, rows.correct());
    println!("isotonic cross-fitted at 0.95: {n:.1} rows, {:.2}% right", 100.0 * right / n);
    assert!((n - 189.0).abs() <= 6.0 && (right / n - 0.989).abs() <= 0.005, "{n} {right}");
}

#[test]
fn the_fine_tuned_model_needs_no_calibration() {
    let Some(rows) = rows("llama-3.1-8b-finetuned.predictions.jsonl") else { return };
    let raw = Quality::of(rows.scores(), rows.correct(), 20);
    assert_eq!(rows.right(), 924);
    assert!((raw.ece - 0.0179).abs() < 5e-5, "{raw:?}");
    let selection = Selection::new(rows.scores(), rows.correct()).expect("rows");
    assert_eq!(selection.counts(0.95), (722, 722));
    let platt = out_of_fold(&rows, Method::Platt, &OPTIONS).expect("predictions");
    let platt = platt.quality(rows.correct(), 20).expect("repeats");
    println!("fine-tuned: raw ece {:.4}, Platt {:.4}", raw.ece, platt.ece);
    assert!((platt.ece - raw.ece).abs() < 0.002 && (platt.brier - raw.brier).abs() < 0.001);
}

#[test]
fn promises_match_what_the_rows_can_bear() {
    let Some(fine_tuned) = rows("llama-3.1-8b-finetuned.predictions.jsonl") else { return };
    let selection = Selection::new(fine_tuned.scores(), fine_tuned.correct()).expect("rows");
    let guarantee = guaranteed_threshold(&selection, 0.95, 0.9).expect("an answer");
    println!("fine-tuned: {}", guarantee.summary());
    // The 722 rows from 0.95 on are all right, so at least they can be promised.
    assert!(guarantee.guaranteed.expect("a threshold").n >= 722);
    let Some(base) = base() else { return };
    let selection = Selection::new(base.scores(), base.correct()).expect("rows");
    for (accuracy, assurance) in [(0.95, 0.9), (0.8, 0.9), (0.7, 0.9)] {
        let guarantee = guaranteed_threshold(&selection, accuracy, assurance).expect("an answer");
        println!("base: {}", guarantee.summary());
        if let Some(found) = guarantee.guaranteed {
            assert!(found.correct as f64 > accuracy * found.n as f64);
        }
    }
}
