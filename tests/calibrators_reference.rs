//! Calibrators against what scikit-learn, betacal and venn-abers answer, on the cases of
//! [`crate::reference::statistics_cases`]. Prints the largest difference of each quantity.

use candor::stats::calibrators::temperature::Unbounded;
use candor::stats::calibrators::{Calibrator, FitOptions, Method};
use candor::stats::conformal::least_ambiguous_threshold;
use candor::stats::rows::{LabelRows, Rows};

use crate::reference::{Differences, numbers, statistics_cases};

#[test]
fn score_calibrators_answer_as_the_libraries_that_define_them() {
    let mut differences = Differences::default();
    for (name, case) in &statistics_cases() {
        if case["kind"] != "binary" || case["expect"]["isotonic"].is_null() {
            continue;
        }
        let expect = &case["expect"];
        let scores = numbers(&case["score"]);
        let correct = numbers(&case["correct"]).iter().map(|&y| y == 1.0).collect();
        let rows = Rows::new(scores, correct).expect("rows");
        let grid = numbers(&case["grid"]);
        let fit = |method| Calibrator::fit(method, &rows, &FitOptions::default()).expect("a fit").model;
        for (method, want, tolerance) in [
            (Method::Isotonic, &expect["isotonic"], 1e-6),
            (Method::VennAbers, &expect["venn_abers"]["p"], 1e-6),
            (Method::Platt, &expect["platt_on_logit"]["grid"], 1e-5),
            (Method::Beta, &expect["beta_abm"], 1e-6),
            (Method::BetaAb, &expect["beta_ab"], 1e-6),
            (Method::BetaAm, &expect["beta_am"], 1e-6),
        ] {
            let model = fit(method);
            for (&score, &want) in grid.iter().zip(&numbers(want)) {
                let got = model.apply(score).expect("a value");
                differences.add(method.name(), &format!("{name} {score}"), got, want, tolerance);
            }
        }
        let model = fit(Method::VennAbers);
        for (i, &score) in grid.iter().enumerate() {
            let p = model.interval(score).expect("an interval");
            for (end, got) in [("p0", p.low), ("p1", p.high)] {
                let want = numbers(&expect["venn_abers"][end])[i];
                differences.add(&format!("venn_abers {end}"), &format!("{name} {score}"), got, want, 1e-6);
            }
        }
        let Calibrator::Platt(platt) = fit(Method::Platt) else { panic!("not Platt") };
        let want = &expect["platt_on_logit"];
        differences.add("platt a", name, -platt.slope, want["a"].as_f64().expect("a"), 1e-5);
        differences.add("platt b", name, -platt.intercept, want["b"].as_f64().expect("b"), 1e-5);
    }
    differences.judge();
}

#[test]
fn label_temperature_and_conformal_threshold_answer_as_the_reference() {
    let mut differences = Differences::default();
    for (name, case) in &statistics_cases() {
        if case["kind"] != "multiclass" {
            continue;
        }
        let expect = &case["expect"];
        let logits = case["logits"].as_array().expect("logits");
        let classes = logits[0].as_array().expect("a row").len();
        let flat: Vec<f64> = logits.iter().flat_map(numbers).collect();
        let labels: Vec<usize> = numbers(&case["label"]).iter().map(|&l| l as usize).collect();
        let labels = LabelRows::new(&flat, classes, labels).expect("rows");
        let rows = Rows::from_labels(labels.clone()).expect("rows");
        let fitted = Calibrator::fit(Method::LabelTemperature, &rows, &FitOptions::default()).expect("a fit");
        let Calibrator::LabelTemperature(temperature) = fitted.model else { panic!("not a temperature") };
        if name.contains("separable") {
            // scikit-learn stops at its bound here; the fit has to say that there is none.
            assert_eq!(temperature.unbounded, Some(Unbounded::Zero), "{name}");
            assert!(fitted.notes.iter().any(|note| note.contains("unbounded")), "{:?}", fitted.notes);
        } else {
            let want = expect["temperature"]["T"].as_f64().expect("T");
            let got = temperature.temperature.expect("finite");
            differences.add("temperature (log T)", name, got.ln(), want.ln(), 1e-6);
        }
        for (alpha, want) in expect["lac_qhat"].as_object().expect("q-hats") {
            let alpha: f64 = alpha.parse().expect("a level");
            let scores: Vec<f64> =
                (0..labels.len()).map(|row| 1.0 - labels.log_shares(row)[labels.expected(row)].exp()).collect();
            match (least_ambiguous_threshold(&scores, 1.0 - alpha), want.as_f64()) {
                (Some(got), Some(want)) => differences.add("lac q-hat", name, got, want, 1e-6),
                (got, want) => assert_eq!(got, want, "{name} {alpha}"),
            }
        }
    }
    differences.judge();
}
