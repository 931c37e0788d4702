//! Metrics against what the libraries that define them answer (scikit-learn, scipy, relplot), case by case.
//!
//! The values are made by `calibration_reference.py SEED OUT`; `CANDOR_REFERENCE=OUT` runs the same table on another
//! seed (several files are separated by `:`).

#![allow(clippy::unwrap_used)] // A test may panic.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candor::stats::intervals::{clopper_pearson, clopper_pearson_lower};
use candor::stats::metrics::binned::{Binning, calibration_error};
use candor::stats::metrics::classification::Classes;
use candor::stats::metrics::multiclass::Multiclass;
use candor::stats::metrics::report::{Options, Report, Row, report};
use candor::stats::metrics::{Sample, binary, corp::corp, smece::smece};
use candor::stats::pava::isotonic;
use serde_json::Value;

fn shared(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path)
}

fn reference_files() -> Vec<PathBuf> {
    match std::env::var("CANDOR_REFERENCE") {
        Ok(list) => list.split(':').map(PathBuf::from).collect(),
        Err(_) => vec![shared("reference/calibration.json")],
    }
}

/// The largest difference seen of each quantity, with where it was seen.
#[derive(Default)]
struct Differences(BTreeMap<String, (f64, f64, String)>);

impl Differences {
    fn check(&mut self, quantity: &str, case: &str, actual: f64, expected: &Value, tolerance: f64) {
        let expected = expected.as_f64().unwrap_or(f64::NAN);
        let difference = (actual - expected).abs();
        let difference = if difference.is_finite() { difference } else { f64::INFINITY };
        let entry = self.0.entry(quantity.to_string()).or_insert((0.0, tolerance, String::new()));
        if difference >= entry.0 {
            (entry.0, entry.2) = (difference, format!("{case}: {actual} for {expected}"));
        }
    }

    /// Prints every quantity's largest difference and fails if one is beyond its tolerance.
    fn finish(self) {
        let mut beyond = Vec::new();
        for (quantity, (difference, tolerance, place)) in &self.0 {
            println!("{quantity:<28} {difference:>9.2e} (allowed {tolerance:.0e})  {place}");
            if difference > tolerance {
                beyond.push(quantity.clone());
            }
        }
        assert!(beyond.is_empty(), "beyond their tolerance: {beyond:?}");
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn metrics_agree_with_the_defining_libraries() {
    let mut differences = Differences::default();
    for file in reference_files() {
        let Ok(text) = std::fs::read_to_string(&file) else {
            println!("skipped: {} is not here", file.display());
            continue;
        };
        let reference: Value = serde_json::from_str(&text).unwrap();
        for case in reference["cases"].as_array().unwrap() {
            let name = format!("seed {} {}", reference["seed"], case["name"].as_str().unwrap());
            match case["kind"].as_str().unwrap() {
                "binary" => binary_case(&name, case, &mut differences),
                "multiclass" => multiclass_case(&name, case, &mut differences),
                other => panic!("a kind of case that this test does not know: {other}"),
            }
        }
    }
    differences.finish();
}

fn binary_case(name: &str, case: &Value, differences: &mut Differences) {
    let scores = numbers(&case["score"]);
    let correct: Vec<bool> = numbers(&case["correct"]).iter().map(|&y| y == 1.0).collect();
    let sample = Sample::new(&scores, &correct).unwrap();
    let (view, expected) = (sample.view(), &case["expect"]);
    for bins in [10, 15, 20] {
        let error = calibration_error(view, Binning::EqualWidth(bins));
        for (key, actual) in [
            ("ece", error.ece),
            ("mce", error.mce),
            ("rmsce", error.rms),
            ("debiased_l2_squared", error.debiased_l2_squared),
        ] {
            differences.check(key, name, actual, &expected[format!("ece_width_{bins}")][key], 1e-6);
        }
    }
    let parts = corp(view);
    for (quantity, actual, value, tolerance) in [
        ("brier", binary::brier(view), &expected["brier"], 1e-6),
        ("log_loss", binary::log_loss(view), &expected["log_loss_clip_1e-15"], 1e-6),
        ("aurc", binary::aurc(view), &expected["aurc"], 1e-6),
        ("smece", smece(view), &expected["smece"], 2e-3),
        ("corp_mcb", parts.mcb, &expected["corp_brier"]["mcb"], 1e-6),
        ("corp_dsc", parts.dsc, &expected["corp_brier"]["dsc"], 1e-6),
        ("corp_unc", parts.unc, &expected["corp_brier"]["unc"], 1e-6),
    ] {
        differences.check(quantity, name, actual, value, tolerance);
    }
    for (quantity, actual) in [("spiegelhalter_z", binary::spiegelhalter_z(view)), ("roc_auc", binary::roc_auc(view))] {
        match (actual, expected.get(quantity).filter(|v| !v.is_null())) {
            (Some(actual), Some(value)) => differences.check(quantity, name, actual, value, 1e-6),
            (actual, value) => assert_eq!(actual.is_none(), value.is_none(), "{name}: {quantity} {actual:?} {value:?}"),
        }
    }
    if let Some(values) = expected.get("isotonic") {
        let targets: Vec<f64> = correct.iter().map(|&c| f64::from(u8::from(c))).collect();
        let fitted = isotonic(&scores, &targets, None).unwrap();
        for (x, value) in numbers(&case["grid"]).iter().zip(values.as_array().unwrap()) {
            differences.check("isotonic", name, fitted.predict(*x), value, 1e-6);
        }
    }
    for row in expected["clopper_pearson_95_at_threshold"].as_array().unwrap() {
        let (k, n) = (row["correct"].as_u64().unwrap(), row["n"].as_u64().unwrap());
        if n > 0 {
            let interval = clopper_pearson(k, n, 0.95);
            differences.check("clopper_pearson", name, interval.low, &row["lo"], 1e-9);
            differences.check("clopper_pearson", name, interval.high, &row["hi"], 1e-9);
            let lower = clopper_pearson_lower(k, n, 0.9);
            differences.check("clopper_pearson one-sided", name, lower, &row["lower_one_sided_90"], 1e-9);
        }
    }
}

fn multiclass_case(name: &str, case: &Value, differences: &mut Differences) {
    let logits: Vec<Vec<f64>> = case["logits"].as_array().unwrap().iter().map(numbers).collect();
    let truth: Vec<u32> = numbers(&case["label"]).iter().map(|&label| label as u32).collect();
    let classes = logits[0].len();
    let softmax = |row: &Vec<f64>| {
        let total = candor::numeric::log_sum_exp(row);
        row.iter().map(|logit| (logit - total).exp()).collect::<Vec<f64>>()
    };
    let table = Multiclass::new(logits.iter().flat_map(softmax).collect(), truth.clone(), classes).unwrap();
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let predicted = table.predicted();
    let rows = truth.iter().zip(&predicted).map(|(&t, &p)| (names[t as usize].as_str(), names[p as usize].as_str()));
    let tally = Classes::new(rows, &names).unwrap().tally_all();
    let expected = &case["expect"];
    let binning = Binning::EqualWidth(15);
    let top_label = calibration_error(table.top_label().unwrap().view(), binning).ece;
    for (quantity, actual) in [
        ("top_label_ece_15", top_label),
        ("classwise_ece_15", table.classwise_ece(binning).unwrap()),
        ("log_loss", table.log_loss()),
        ("brier", table.brier()),
        ("macro_f1", tally.macro_f1()),
        ("accuracy", tally.accuracy()),
        ("mcc", tally.mcc()),
        ("kappa", tally.kappa().unwrap()),
    ] {
        differences.check(&format!("{quantity} (classes)"), name, actual, &expected[quantity], 1e-6);
    }
    for class in 0..classes {
        for (quantity, actual) in [
            ("precision", tally.precision(class)),
            ("recall", tally.recall(class)),
            ("f1", tally.f1(class)),
            ("support", tally.truth[class] as f64),
        ] {
            differences.check(quantity, name, actual, &expected["per_class"][quantity][class], 1e-9);
        }
    }
}

fn published(file: &str, bins: usize) -> Option<Report> {
    let path = shared("data/sentiment-10k").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not here", path.display());
        return None;
    };
    let row = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| Some(value[key].as_str().unwrap().to_string());
        Row {
            confidence: value["confidence"].as_f64().unwrap(),
            correct: value["correct"].as_bool().unwrap(),
            expected: text("expected"),
            label: text("prediction"),
            group: text("category"),
            text: text("text"),
            probabilities: None,
        }
    };
    let rows: Vec<Row> = text.lines().map(row).collect();
    let started = std::time::Instant::now();
    let report = report(&rows, &Options { bins, ..Options::default() }).unwrap();
    println!("{file}: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    Some(report)
}

/// The facts that were published about these two files of predictions.
#[test]
fn published_facts_come_out() {
    let close = |what: &str, actual: f64, expected: f64, tolerance: f64| {
        println!("{what:<28} {actual:.5} (published {expected})");
        assert!((actual - expected).abs() <= tolerance, "{what}: {actual}, published {expected}");
    };
    if let Some(base) = published("llama-3.1-8b-base.predictions.jsonl", 20) {
        for (metric, estimate) in &base.metrics {
            println!("  {metric:<24} {estimate:?}");
        }
        let value = |metric: &str| base.metrics[metric].value.unwrap();
        for (metric, expected, tolerance) in [
            ("accuracy", 0.722, 1e-12),
            ("ece", 0.1729, 5e-5),
            ("mce", 0.305, 5e-4),
            ("corp_mcb", 0.0448, 5e-5),
            ("corp_dsc", 0.0292, 5e-5),
            ("corp_unc", 0.2007, 5e-5),
        ] {
            close(metric, value(metric), expected, tolerance);
        }
        let null = base.ece_null.unwrap();
        close("null mean", null.mean, 0.022, 1e-3);
        close("null p95", null.p95, 0.032, 1e-3);
        assert_eq!((base.n, base.classes), (1000, Some(2)));
    }
    if let Some(tuned) = published("llama-3.1-8b-finetuned.predictions.jsonl", 20) {
        close("fine-tuned accuracy", tuned.metrics["accuracy"].value.unwrap(), 0.924, 1e-12);
        close("fine-tuned ece", tuned.metrics["ece"].value.unwrap(), 0.0179, 5e-5);
    }
}

/// A seed means the same numbers on a machine with one thread and on one with many.
#[test]
fn intervals_do_not_depend_on_the_number_of_threads() {
    let rows: Vec<Row> = (0..400)
        .map(|i| Row { confidence: (i * 7919 % 1000) as f64 / 1000.0, correct: i % 3 > 0, ..Row::default() })
        .collect();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| report(&rows, &Options::default()).unwrap())
    };
    assert_eq!(on(1), on(5));
}
