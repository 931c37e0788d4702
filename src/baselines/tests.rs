use super::*;

fn example(id: usize, text: String, label: &str) -> Example {
    Example { id: id.to_string(), text, label: Some(label.to_owned()), group: None, line: id as u64 + 1 }
}

/// Structured rows whose answer is yes above 50 of one field, but for every eighth row.
fn structured(n: usize, from: usize) -> Vec<Example> {
    (from..from + n)
        .map(|i| {
            let (level, noise) = (i * 37 % 100, i * 61 % 17);
            let yes = (level > 50) != (i % 8 == 0);
            example(
                i,
                format!("Level: {level} units\nNoise: {noise}\nPlace: {}", ["here", "there"][i % 2]),
                if yes { "yes" } else { "no" },
            )
        })
        .collect()
}

fn worded(n: usize) -> Vec<Example> {
    let words = [["dreadful", "boring", "slow"], ["lovely", "bright", "quick"], ["plain", "usual", "grey"]];
    (0..n)
        .map(|i| {
            let kind = i % 3;
            example(
                i,
                format!("It was a {} and {} day, number {i}", words[kind][i / 3 % 3], words[kind][i / 9 % 3]),
                ["bad", "good", "so-so"][kind],
            )
        })
        .collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn accuracy(predictions: &[Prediction]) -> f64 {
    predictions.iter().filter(|row| row.correct == Some(true)).count() as f64 / predictions.len() as f64
}

#[test]
fn learners_learn_and_give_probabilities() {
    let (train, test) = (structured(300, 0), structured(100, 300));
    let labels = names(&["yes", "no"]);
    for (baseline, least) in [(Baseline::RandomForest, 0.8), (Baseline::Lasso, 0.78)] {
        let found = predict(baseline, &train, &test, &labels, 1).unwrap();
        assert!(accuracy(&found) >= least, "{baseline:?}: {}", accuracy(&found));
        assert_eq!(found, predict(baseline, &train, &test, &labels, 1).unwrap(), "{baseline:?} is repeatable");
        sound(&found);
    }
    let (train, test) = (worded(120), worded(30));
    let found =
        predict(Baseline::TfidfLogistic, &train, &test, &names(&["so-so", "good", "bad", "never seen"]), 1).unwrap();
    assert!(accuracy(&found) > 0.95, "{}", accuracy(&found));
    sound(&found);
}

#[test]
fn the_lasso_refused_rows_with_more_fields_than_there_are_rows() {
    let wide = |n: usize, from: usize| -> Vec<Example> {
        (from..from + n)
            .map(|i| {
                let level = i * 37 % 100;
                let noise: Vec<String> =
                    (0..60).map(|field| format!("Noise {field}: {}", (i * 7919 + field * 104_729) % 101)).collect();
                let text = format!("{}\nLevel: {level}\n{}", noise[..30].join("\n"), noise[30..].join("\n"));
                example(i, text, if level > 50 { "yes" } else { "no" })
            })
            .collect()
    };
    let (labels, test) = (names(&["yes", "no"]), wide(60, 40));
    let found = predict(Baseline::Lasso, &wide(40, 0), &test, &labels, 1).unwrap();
    assert!(accuracy(&found) > 0.8, "{}", accuracy(&found));
    assert_eq!(found, predict(Baseline::Lasso, &wide(40, 0), &test, &labels, 1).unwrap());
    for rows in 3..7 {
        sound(&predict(Baseline::Lasso, &wide(rows, 0), &test, &labels, 1).unwrap());
    }
}

fn sound(predictions: &[Prediction]) {
    for row in predictions {
        let total: f64 = row.labels.values().map(|label| label.share).sum();
        assert!((total - 1.0).abs() < 1e-9, "{row:?}");
        assert!(row.labels.values().all(|label| label.logprob.is_finite() && label.logprob <= 0.0));
        assert!(row.labels.values().all(|label| label.share <= row.share));
    }
}

#[test]
fn the_simplest_answers_are_the_shares() {
    let train = structured(200, 0);
    let labels = names(&["no", "yes"]);
    let yes = train.iter().filter(|row| row.label.as_deref() == Some("yes")).count() as f64 / 200.0;
    let prior = predict(Baseline::Prior, &train, &train[..3], &labels, 1).unwrap();
    assert_eq!(prior[0].labels["yes"].share, yes);
    let majority = predict(Baseline::Majority, &train, &train[..3], &labels, 1).unwrap();
    assert_eq!((majority[0].confidence, majority[0].label == "yes"), (1.0, yes > 0.5));
}

#[test]
fn what_cannot_be_learned_is_said() {
    let labels = names(&["yes", "no"]);
    let one: Vec<Example> = structured(50, 0).into_iter().filter(|row| row.label.as_deref() == Some("yes")).collect();
    let cases = [
        (Baseline::Prior, Vec::new(), "no training rows"),
        (Baseline::RandomForest, one, "one label"),
        (Baseline::Lasso, vec![example(0, "plain".into(), "yes"), example(1, "words".into(), "no")], "Field: value"),
    ];
    for (baseline, train, words) in cases {
        let error = predict(baseline, &train, &structured(3, 0), &labels, 1).unwrap_err();
        assert!(error.message.contains(words) && error.help.is_some(), "{baseline:?}: {error}");
    }
}
