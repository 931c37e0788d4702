//! The same rows give the same files, whatever the program runs on: natively and as WebAssembly, `calibrator.json` and
//! the numbers of `metrics.json` are the same, byte for byte. Both integration binaries have this module, and both hold
//! what is computed to the fingerprints below.
//!
//! `f64::exp` and its like are the platforms' own functions, and once gave a calibrator another fingerprint of the same
//! rows in the browser; that is why there is [`candor::numeric`]. A fingerprint here changes with everything that it is
//! made of; what matters is that it changes on both sides.

use candor::dataset::predictions::{self, Options};
use candor::evaluate::calibration::{Wish, calibrate};
use candor::evaluate::rows::{SEED, measure};
use candor::stats::calibrators::Method;
use candor::stats::cross_fit::CrossFitOptions;
use candor::stats::metrics::report;
use candor::stats::saved::Binding;
use sha2::{Digest, Sha256};

/// Rows that are made: few, so that every method is fitted in no time, and enough for no method to refuse.
const ROWS: u64 = 240;

/// The beginning of the SHA-256 of `calibrator.json`, by method, and of the metrics.
const FINGERPRINTS: [(&str, &str); 17] = [
    ("none", "2d57729d2c0aba86"),
    ("temperature", "e944c83245117ffb"),
    ("platt", "0262781a49322bb4"),
    ("beta", "a72539e4ceb9c684"),
    ("beta_ab", "1407a1d8eacfbf03"),
    ("beta_am", "9a85aba2baa0165d"),
    ("beta_unconstrained", "530eb5bfc06b69e0"),
    ("isotonic", "44bd2331848c9aa5"),
    ("centered_isotonic", "dbcd44bcbf5ec863"),
    ("histogram_binning", "4fd3c3b10d15cc37"),
    ("scaling_binning", "14b911becd921c74"),
    ("venn_abers", "b2d4fedf0b16fd3a"),
    ("cross_venn_abers", "de6a2ac6e117c3f5"),
    ("label_temperature", "9f966eac65b96fe4"),
    ("vector", "09eafc0b0cce96f9"),
    ("dirichlet", "0da23d1248e6a8e1"),
    ("metrics", "3e397cdf9cec4516"),
];

/// Predictions over three labels, as `predictions.jsonl`. Every number is a dyadic fraction: none is rounded here.
fn rows() -> String {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let names = ["bad", "fair", "good"];
    let mut lines = String::new();
    for row in 0..ROWS {
        let winner = draw(3) as usize;
        let right = draw(100) < 70;
        let expected = if right { winner } else { (winner + 1 + draw(2) as usize) % 3 };
        let share = 0.375 + draw(640) as f64 / 1024.0;
        let labels: Vec<String> = (0..3)
            .map(|label| {
                let logprob = if label == winner { draw(64) as f64 / -128.0 } else { draw(512) as f64 / -64.0 - 1.0 };
                let share = if label == winner { share } else { (1.0 - share) / 2.0 };
                format!("\"{}\": {{\"logprob\": {logprob}, \"share\": {share}}}", names[label])
            })
            .collect();
        lines.push_str(&format!(
            "{{\"id\": \"{row}\", \"text\": \"text {row}\", \"expected\": \"{}\", \"label\": \"{}\", \"labels\": {{{}}}, \
             \"total_probability\": {}, \"share\": {share}, \"other_mass\": 0.0625, \"confidence\": {}}}\n",
            names[expected],
            names[winner],
            labels.join(", "),
            share - 0.03125,
            share - 0.03125,
        ));
    }
    lines
}

fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Computes all of it and compares; fails with everything that is another one.
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn the_same_rows_give_the_same_bytes() {
    let predictions = predictions::read("rows.jsonl", rows().as_bytes(), Options::default()).expect("rows");
    let mut found: Vec<(&str, String)> = Method::ALL
        .iter()
        .map(|&method| {
            let cross_fit = CrossFitOptions { repeats: Some(2), ..CrossFitOptions::default() };
            let wish = Wish { method: Some(method), cross_fit, ..Wish::default() };
            let fitted = calibrate(&predictions, &wish, Binding::default());
            (method.name(), fingerprint(&fitted.and_then(|fitted| fitted.file.to_json()).expect("a calibrator")))
        })
        .collect();
    let mut options = report::Options::for_rows(predictions.rows.len());
    options.resampling.seed = SEED;
    options.resampling.resamples = 200;
    let metrics = measure(&predictions, options, None).expect("metrics");
    found.push(("metrics", fingerprint(&serde_json::to_string(&metrics).expect("JSON"))));
    let other: Vec<String> = found
        .iter()
        .filter(|(name, found)| !FINGERPRINTS.contains(&(*name, found.as_str())))
        .map(|(name, found)| format!("(\"{name}\", \"{found}\"),"))
        .collect();
    assert!(other.is_empty(), "other bytes than on the other platform, or another method:\n{}", other.join("\n"));
}
