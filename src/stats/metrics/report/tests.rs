use super::*;
use proptest::prelude::*;

fn rows(rows: &[(f64, bool)]) -> Vec<Row> {
    rows.iter().map(|&(confidence, correct)| Row { confidence, correct, ..Row::default() }).collect()
}

#[test]
fn every_number_of_a_group_has_its_interval() {
    let mut rows = rows(&[(0.9, true), (0.6, false), (0.8, true), (0.7, true)].repeat(15));
    rows.iter_mut().enumerate().for_each(|(at, row)| row.group = Some(if at < 30 { "a" } else { "b" }.to_owned()));
    rows.push(Row { confidence: 0.5, correct: true, group: Some("alone".to_owned()), ..Row::default() });
    let report = report(&rows, &Options::default()).unwrap();
    assert_eq!(report.groups.iter().map(|group| group.n).collect::<Vec<_>>(), [30, 30, 1]);
    for group in &report.groups {
        for estimate in [group.mean_confidence, group.brier, group.ece] {
            let value = estimate.value.unwrap();
            match (estimate.low, estimate.high) {
                (Some(low), Some(high)) => assert!(0.0 <= low && low <= value && value <= high && high <= 1.0),
                none => assert_eq!((none, group.n), ((None, None), 1), "one row says nothing of its spread"),
            }
        }
    }
}

fn quick() -> Options {
    let resampling = Resampling { resamples: 100, ..Resampling::default() };
    Options { resampling, null_simulations: 50, ..Options::default() }
}

/// Rows, which metrics must be absent, and a piece of a warning that must be there.
#[test]
fn edge_cases_are_answered_and_said() {
    for (what, given, absent, warning) in [
        ("one row", vec![(0.8, true)], vec!["roc_auc"], "Only 1 row:"),
        ("all scores 0", vec![(0.0, false); 60], vec!["roc_auc", "spiegelhalter_z"], "exactly 0 or 1"),
        ("all scores 1", [(1.0, true), (1.0, false)].repeat(30), vec!["spiegelhalter_z"], "same confidence"),
        (
            "all right",
            (0..60).map(|i| (0.5 + f64::from(i) / 200.0, true)).collect(),
            vec!["roc_auc"],
            "Every row is right",
        ),
        (
            "all wrong",
            (0..60).map(|i| (0.5 + f64::from(i) / 200.0, false)).collect(),
            vec!["roc_auc"],
            "Every row is wrong",
        ),
        ("constant ½", [(0.5, true), (0.5, false)].repeat(150), vec!["spiegelhalter_z"], "same confidence, 0.5"),
        ("tiny", vec![(0.9, true), (0.6, false), (0.7, true)], vec![], "Below 10 rows"),
    ] {
        let report = report(&rows(&given), &quick()).unwrap();
        for (name, estimate) in &report.metrics {
            let binary = estimate.value.is_some() || absent.contains(&name.as_str());
            let needs_labels = names().skip(17).any(|other| other == name);
            assert!(binary || needs_labels, "{what}: {name} is absent");
            assert!(!absent.contains(&name.as_str()) || estimate.value.is_none(), "{what}: {name} is there");
        }
        assert!(report.warnings.iter().any(|w| w.contains(warning)), "{what}: {:?}", report.warnings);
        assert_eq!(report.reliability.iter().map(|bin| bin.n).sum::<u64>(), given.len() as u64);
    }
    assert!(report(&[], &quick()).is_err());
    assert!(report(&rows(&[(1.2, true)]), &quick()).is_err());
}

#[test]
fn few_rows_have_exact_intervals_only() {
    let report = report(&rows(&[(0.9, true), (0.6, false), (0.7, true)]), &quick()).unwrap();
    assert!(report.metrics["accuracy"].low.is_some());
    assert_eq!(report.metrics["brier"].low, None);
}

#[test]
fn labels_groups_texts_and_vectors_fill_their_parts() {
    let row = |i: usize| {
        let (truth, label) = (["1", "2", "3"][i % 3], ["1", "2", "3"][i * 7 % 5 % 3]);
        let other = (1.0 - 0.6) / 2.0;
        let probability = |name: &str| (name.to_string(), if name == label { 0.6 } else { other });
        Row {
            confidence: 0.6,
            correct: truth == label,
            expected: Some(truth.into()),
            label: Some(label.into()),
            group: Some(["x", "y"][i % 2].into()),
            text: Some(format!("text {}", i % 40)),
            probabilities: Some(["1", "2", "3"].iter().map(|n| probability(n)).collect()),
        }
    };
    let rows: Vec<Row> = (0..60).map(row).collect();
    let names = ["1", "2", "3"].map(String::from);
    let values = names.iter().cloned().zip([1.0, 2.0, 3.0]).collect();
    let report = report(&rows, &Options { labels: names.to_vec(), values, ..quick() }).unwrap();
    assert_eq!((report.classes, report.per_class.len(), report.groups.len()), (Some(3), 3, 2));
    for (name, estimate) in &report.metrics {
        // One confidence for all rows ranks nothing but ties; a gap exists for two classes only.
        assert!(estimate.value.is_some() || name == "balance_gap", "{name}");
        assert!(estimate.low.is_some() || name == "balance_gap", "{name}");
    }
    assert_eq!(report.duplicates.as_ref().unwrap().repeated, 20);
    assert!(report.warnings.iter().any(|w| w.contains("20 of 60 rows repeat")));
    assert_eq!(report.confusion.as_ref().unwrap().counts.iter().flatten().sum::<u64>(), 60);
    assert_eq!(report.baselines.majority.as_ref().unwrap().accuracy.value, Some(20.0 / 60.0));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);

    let mut stranger = rows;
    stranger[0].probabilities.as_mut().unwrap().insert("4".into(), 0.0);
    assert!(super::report(&stranger, &quick()).unwrap_err().to_string().contains("\"4\""));
}

#[test]
fn very_many_rows_take_fewer_resamples() {
    let sizes = |rows| {
        let options = Options::for_rows(rows);
        (options.resampling.resamples, options.null_simulations)
    };
    assert_eq!(
        [sizes(0), sizes(10_000), sizes(100_000), sizes(10_000_000)],
        [(2000, 1000), (2000, 1000), (1000, 500), (200, 100)]
    );
}

#[test]
fn contract_names_stand() {
    let json = serde_json::to_value(report(&rows(&[(0.9, true), (0.6, false)]), &quick()).unwrap()).unwrap();
    for key in ["n", "classes", "metrics", "ece_null", "baselines", "warnings"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    for metric in [
        "accuracy",
        "macro_f1",
        "brier",
        "log_loss",
        "ece",
        "ece_debiased",
        "mce",
        "smece",
        "aurc",
        "roc_auc",
        "spiegelhalter_z",
        "corp_mcb",
        "corp_dsc",
        "corp_unc",
    ] {
        for key in ["value", "low", "high"] {
            assert!(json["metrics"][metric].get(key).is_some(), "{metric}.{key}");
        }
    }
    assert!(json["metrics"]["macro_f1"]["value"].is_null());
    assert!(json["ece_null"]["mean"].is_number() && json["ece_null"]["p95"].is_number());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// No number is ever infinite or NaN (serde_json would write `null` for it), whatever the rows; intervals of
    /// errors contain their value; the order of rows changes nothing but AURC among ties.
    #[test]
    fn finite_bounded_and_blind_to_order(
        given in prop::collection::vec((prop_oneof![Just(0.0), Just(1.0), Just(0.5), 0.0_f64..=1.0], any::<bool>()), 1..60),
    ) {
        let before = report(&rows(&given), &quick()).unwrap();
        let reversed: Vec<(f64, bool)> = given.iter().rev().copied().collect();
        let after = report(&rows(&reversed), &quick()).unwrap();
        for (name, estimate) in &before.metrics {
            for number in [estimate.value, estimate.low, estimate.high].into_iter().flatten() {
                prop_assert!(number.is_finite(), "{}", name);
            }
            if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
                prop_assert!(low <= high, "{} {:?}", name, estimate);
            }
            if interval_method(name) == Method::Pivotal
                && let (Some(value), Some(low), Some(high)) = (estimate.value, estimate.low, estimate.high)
            {
                prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{} {:?}", name, estimate);
            }
            match (estimate.value, after.metrics[name].value) {
                (Some(a), Some(b)) => prop_assert!(name == "aurc" || (a - b).abs() < 1e-9 * (1.0 + a.abs()), "{}", name),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
