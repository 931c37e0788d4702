use super::*;
use crate::dataset::predictions::{self, Options as Reading};

/// Runs as predictions files would give them: a row is id, text, truth, answer, confidence.
fn run(name: &str, rows: impl Iterator<Item = (usize, String, &'static str, &'static str, f64)>) -> Run {
    let lines: String = rows
        .map(|(id, text, expected, label, confidence)| {
            serde_json::json!({"id": id, "text": text, "expected": expected, "label": label, "confidence": confidence})
                .to_string()
                + "\n"
        })
        .collect();
    let predictions = predictions::read(&format!("{name}.jsonl"), lines.as_bytes(), Reading::default()).unwrap();
    Run { name: name.to_owned(), predictions, facts: None }
}

/// `n` rows, of which those are right that `right` says.
fn simple(name: &str, n: usize, right: impl Fn(usize) -> bool) -> Run {
    let rows = (0..n).map(|i| {
        let expected = if i % 2 == 0 { "yes" } else { "no" };
        let other = if i % 2 == 0 { "no" } else { "yes" };
        let label = if right(i) { expected } else { other };
        (i, format!("text {i}"), expected, label, 0.5 + (i * 37 % 50) as f64 / 100.0)
    });
    run(name, rows)
}

fn settings(by: Criterion) -> Settings {
    let resampling = crate::stats::resampling::Resampling { resamples: 400, ..Default::default() };
    let metrics = metrics::Options { resampling, null_simulations: 50, ..Default::default() };
    Settings { by, threshold: 0.9, accuracy: 0.95, assurance: 0.9, metrics }
}

#[test]
fn a_winner_is_named_with_its_margin() {
    let runs =
        [simple("poor", 300, |i| i % 2 > 0), simple("good", 300, |i| i % 10 > 0), simple("worst", 300, |i| i % 5 == 0)];
    let found = compare(&runs, &settings(Criterion::Accuracy)).unwrap();
    let names: Vec<_> = found.runs.iter().map(|side| side.name.as_str()).collect();
    assert_eq!((names, found.n), (vec!["good", "poor", "worst"], 300));
    assert_eq!(found.verdict.winner.as_deref(), Some("good"));
    let margin = found.verdict.margin.unwrap().estimate;
    assert!((margin.value.unwrap() - 0.4).abs() < 1e-12 && margin.low.unwrap() > 0.3, "{margin:?}");
    assert!(found.verdict.sentence.contains("40.0 points"), "{}", found.verdict.sentence);
    assert!(found.pairs.iter().all(|pair| pair.p_holm.unwrap() >= pair.p_value.unwrap()));
    let html = report::report_of(&found, "three runs", Vec::new()).unwrap().to_html();
    for words in ["wins by accuracy", "McNemar", "F1 by label", "Calibration side by side"] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn few_rows_have_no_winner() {
    let runs = [simple("a", 57, |i| i % 3 > 0), simple("b", 57, |i| i % 4 > 0)];
    let found = compare(&runs, &settings(Criterion::Accuracy)).unwrap();
    assert_eq!((found.verdict.winner, found.runs[0].name.as_str()), (None, "b"));
    assert!(found.verdict.sentence.starts_with("No clear winner by accuracy at n = 57"), "{}", found.verdict.sentence);
    let twins = [simple("a", 57, |i| i % 3 > 0), simple("b", 57, |i| i % 3 > 0)];
    let found = compare(&twins, &settings(Criterion::Accuracy)).unwrap();
    assert!(found.verdict.sentence.contains("\"a\" is level with \"b\""), "{}", found.verdict.sentence);
}

#[test]
fn less_is_better_where_it_is_an_error() {
    let sure = |name: &str, confidence: f64| {
        run(name, (0..200).map(move |i| (i, format!("t{i}"), "yes", if i % 10 > 0 { "yes" } else { "no" }, confidence)))
    };
    let found = compare(&[sure("too sure", 0.999), sure("honest", 0.9)], &settings(Criterion::Brier)).unwrap();
    assert_eq!(found.verdict.winner.as_deref(), Some("honest"));
    assert!(found.verdict.margin.unwrap().estimate.value.unwrap() > 0.0);
}

#[test]
fn only_shared_rows_count_and_that_is_said() {
    let whole = simple("whole", 100, |i| i % 2 > 0);
    let mut part = simple("part", 100, |i| i % 3 > 0);
    part.predictions.rows.drain(..40);
    part.predictions.rows.reverse();
    let found = compare(&[whole.clone(), part], &settings(Criterion::Accuracy)).unwrap();
    assert_eq!((found.n, found.matched_by.as_str()), (60, "id and text"));
    assert!(
        found.warnings.iter().any(|warning| warning.contains("\"whole\" has 100 rows, of which 60")),
        "{:?}",
        found.warnings
    );

    let renumbered = {
        let mut run = simple("renumbered", 100, |_| true);
        run.predictions.rows.iter_mut().for_each(|row| row.id = format!("x{}", row.id));
        run
    };
    let found = compare(&[whole.clone(), renumbered], &settings(Criterion::Accuracy)).unwrap();
    assert_eq!((found.n, found.matched_by.as_str()), (100, "text"));

    let mut other = simple("other", 100, |_| true);
    other.predictions.rows.iter_mut().for_each(|row| row.text = row.text.take().map(|text| format!("another {text}")));
    let error = compare(&[whole.clone(), other], &settings(Criterion::Accuracy)).unwrap_err();
    assert!(error.message.contains("share no rows"), "{error}");

    let mut disputed = simple("disputed", 100, |_| true);
    disputed.predictions.rows[3].expected = Some("no idea".to_owned());
    let found = compare(&[whole, disputed], &settings(Criterion::Accuracy)).unwrap();
    assert_eq!(found.n, 99);
    assert!(
        found.warnings.iter().any(|warning| warning.starts_with("1 shared row was left out")),
        "{:?}",
        found.warnings
    );
}

#[test]
fn repeated_texts_are_matched_one_to_one() {
    let rows = |name: &str| {
        run(name, (0..60).map(|i| (i, format!("t{}", i % 20), "yes", if i % 3 > 0 { "yes" } else { "no" }, 0.7)))
    };
    let mut renumbered = rows("b");
    renumbered.predictions.rows.iter_mut().for_each(|row| row.id = format!("{}b", row.id));
    assert_eq!(compare(&[rows("a"), renumbered], &settings(Criterion::Accuracy)).unwrap().n, 60);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let one = simple("one", 20, |_| true);
    assert!(compare(std::slice::from_ref(&one), &settings(Criterion::Accuracy)).is_err());
    let error = compare(&[one.clone(), one], &settings(Criterion::Mse)).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("--by"));
}
