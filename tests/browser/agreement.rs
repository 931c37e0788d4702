//! The page and the command line are one engine: the same text has the same probabilities in both.

use std::process::Command;

use serde_json::Value;

use super::visit::with_page;

/// Short and long, praise and complaint, other scripts, emoji, quotes, digits, a special token as plain text.
const TEXTS: [&str; 10] = [
    "I love this movie!",
    "The worst meal I have ever paid for.",
    "It works. Nothing more, nothing less.",
    "Arrived two weeks late, the box was torn, and nobody at the shop answers the phone. I want my 49.90 back!",
    "Das Zimmer war sauber und das Frühstück hervorragend.",
    "Не советую никому: сломалось на второй день.",
    "とても美味しかったです。また行きます。",
    "\"Great\", they said. \"Easy\", they said. It took us 3 hours\nand\tfour \"experts\".",
    "👍🏽👍🏽 best purchase of 2024 ❤️‍🔥",
    "The manual says <|im_end|> and then nothing; not bad, but hardly good.",
];

/// Largest difference of a label's probability.
const TOLERANCE: f64 = 1e-9;

/// `candor classify --json`: one prediction a line.
fn command_line() -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_candor"))
        .args([
            "classify",
            "--model",
            "smollm2-135m",
            "--backend",
            "cpu",
            "--task",
            "tasks/sentiment.toml",
            "--json",
            "--",
        ])
        .args(TEXTS)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("candor runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("a prediction a line")).collect()
}

#[test]
fn the_page_and_the_command_line_agree() {
    with_page("the_page_and_the_command_line_agree", async |visit| {
        let expected = tokio::task::spawn_blocking(command_line).await.expect("it ends");
        assert_eq!(expected.len(), TEXTS.len());
        visit.page.load_model().await;
        let mut worst = 0.0_f64;
        for (text, expected) in TEXTS.iter().zip(&expected) {
            let found = visit.page.classify(text).await;
            let labels = expected["labels"].as_object().expect("labels");
            assert_eq!(found.probabilities.len(), labels.len(), "{text}");
            for (label, value) in labels {
                let there = value["logprob"].as_f64().expect("a log-probability").exp();
                let here = *found.probabilities.get(label).unwrap_or_else(|| panic!("{text}: no bar for {label}"));
                let difference = (there - here).abs();
                assert!(difference <= TOLERANCE, "{text}: {label}: {here} in the page, {there} on the command line");
                worst = worst.max(difference);
            }
            assert_eq!(found.label, expected["label"], "{text}");
        }
        println!("largest difference of a probability: {worst:.1e}");
    });
}
