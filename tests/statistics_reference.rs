//! Metrics against what the libraries that define them answer (scikit-learn, scipy, relplot), case by case.
//!
//! The values are made by `calibration_reference.py SEED OUT`; `CANDOR_REFERENCE=OUT` runs the same table on another
//! seed (several files are separated by `:`).

use candor::stats::intervals::{clopper_pearson, clopper_pearson_lower};
use candor::stats::metrics::binned::{Binning, calibration_error};
use candor::stats::metrics::classification::Classes;
use candor::stats::metrics::multiclass::Multiclass;
use candor::stats::metrics::report::{Options, Row, report};
use candor::stats::metrics::{Sample, binary, corp::corp, smece::smece};
use candor::stats::pava::isotonic;
use serde_json::Value;

use crate::reference::{Differences, numbers, statistics_cases};

#[test]
fn metrics_agree_with_the_defining_libraries() {
    let mut differences = Differences::default();
    for (name, case) in &statistics_cases() {
        match case["kind"].as_str().unwrap() {
            "binary" => binary_case(name, case, &mut differences),
            "multiclass" => multiclass_case(name, case, &mut differences),
            other => panic!("a kind of case that this test does not know: {other}"),
        }
    }
    differences.judge();
}

/// A reference value that must be there.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
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
            differences.add(key, name, actual, number(&expected[format!("ece_width_{bins}")][key]), 1e-6);
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
        differences.add(quantity, name, actual, number(value), tolerance);
    }
    for (quantity, actual) in [("spiegelhalter_z", binary::spiegelhalter_z(view)), ("roc_auc", binary::roc_auc(view))] {
        match (actual, expected.get(quantity).filter(|v| !v.is_null())) {
            (Some(actual), Some(value)) => differences.add(quantity, name, actual, number(value), 1e-6),
            (actual, value) => assert_eq!(actual.is_none(), value.is_none(), "{name}: {quantity} {actual:?} {value:?}"),
        }
    }
    if let Some(values) = expected.get("isotonic") {
        let targets: Vec<f64> = correct.iter().map(|&c| f64::from(u8::from(c))).collect();
        let fitted = isotonic(&scores, &targets, None).unwrap();
        for (x, value) in numbers(&case["grid"]).iter().zip(values.as_array().unwrap()) {
            differences.add("isotonic", name, fitted.predict(*x), number(value), 1e-6);
        }
    }
    for row in expected["clopper_pearson_95_at_threshold"].as_array().unwrap() {
        let (k, n) = (row["correct"].as_u64().unwrap(), row["n"].as_u64().unwrap());
        if n > 0 {
            let interval = clopper_pearson(k, n, 0.95);
            differences.add("clopper_pearson", name, interval.low, number(&row["lo"]), 1e-9);
            differences.add("clopper_pearson", name, interval.high, number(&row["hi"]), 1e-9);
            let lower = clopper_pearson_lower(k, n, 0.9);
            differences.add("clopper_pearson one-sided", name, lower, number(&row["lower_one_sided_90"]), 1e-9);
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
        differences.add(&format!("{quantity} (classes)"), name, actual, number(&expected[quantity]), 1e-6);
    }
    for class in 0..classes {
        for (quantity, actual) in [
            ("precision", tally.precision(class)),
            ("recall", tally.recall(class)),
            ("f1", tally.f1(class)),
            ("support", tally.truth[class] as f64),
        ] {
            differences.add(quantity, name, actual, number(&expected["per_class"][quantity][class]), 1e-9);
        }
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
