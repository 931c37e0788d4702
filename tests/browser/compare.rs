//! A person with an adapter: rows are run without and with it, both stand side by side, a probe joins them, and after a
//! reload all of it is there. What the page says with the adapter, the command line says too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candor::engine::ModelConfig;
use candor::engine::adapter::{Adapter, LowRank, Projection, gguf, peft};
use candor::gguf::GgufFile;
use fantoccini::Locator;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::page::Page;
use super::visit::{MODEL_FILE, with_page};

/// The first rows of the sample that comes with the page.
const ROWS: usize = 60;
/// SHA-256 of the default model.
const MODEL_SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// An adapter that nothing was learnt with, but that changes every answer: random paths beside two matrices of the
/// upper layers.
fn adapter(config: &ModelConfig, base: &str) -> Adapter {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-0.08..0.08)).collect() };
    let mut parts = BTreeMap::new();
    for layer in config.layers - 6..config.layers {
        for projection in [Projection::Query, Projection::Value] {
            let (inputs, outputs) = projection.shape(config);
            let (down, up) = (numbers(4 * inputs), numbers(4 * outputs));
            parts.insert((layer, projection), LowRank::new((inputs, outputs), 4, 2.0, down, up).expect("a pair"));
        }
    }
    Adapter::new(parts, Some(base.to_owned()))
}

/// Writes an adapter in llama.cpp's format, a stranger's beside it, and the first again in PEFT's format.
fn write_adapters(folder: &Path) -> (PathBuf, PathBuf, [PathBuf; 2]) {
    let model = xtask::place::home().expect("a cache folder").join("models").join(MODEL_FILE);
    let reader = std::io::BufReader::new(std::fs::File::open(model).expect("the model"));
    let file = GgufFile::open(reader).expect("a model");
    let config = ModelConfig::from_gguf(&file.metadata).expect("a Llama");
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let own = adapter(&config, MODEL_SHA256);
    let stranger = adapter(&config, &"ab".repeat(32));
    let of = |adapter: &Adapter| gguf::write(adapter, "llama", "test", Vec::new()).expect("bytes");
    let (json, weights) = peft::write(&own, &config, "test", 0.0).expect("bytes");
    let pair = [write("adapter_config.json", json), write("adapter_model.safetensors", weights)];
    (write("shaken.gguf", of(&own)), write("stranger.gguf", of(&stranger)), pair)
}

async fn choose_files(page: &Page, css: &str, paths: &[&Path]) {
    page.wait_until(css, &format!("document.querySelector({css:?})")).await;
    let field = page.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    field.send_keys(&names.join("\n")).await.expect("the files are chosen");
}

async fn chip(page: &Page) -> String {
    page.text_of("#model-chip").await
}

async fn run(page: &Page) -> String {
    page.go_to("evaluate").await;
    page.click("#start-run").await;
    page.text_of("[data-testid=run-complete]").await;
    page.text_of("[data-testid=tally]").await
}

/// The runs that are listed, in order.
async fn runs(page: &Page) -> Vec<String> {
    let script = "return Array.from(document.querySelectorAll('[data-testid=run]'), run => run.dataset.run);";
    serde_json::from_value(page.script(script, Value::Null).await).expect("names")
}

/// The comparison of so many runs: the verdict, and the names in the ranking.
async fn comparison(page: &Page, count: usize) -> (String, Vec<String>) {
    let ranked = format!("document.querySelectorAll('[data-testid=comparison] .highlights dt').length === {count}");
    page.wait_until("the comparison", &ranked).await;
    let script = "return Array.from(document.querySelectorAll('[data-testid=comparison] .highlights dt'),
                      name => name.innerText.replace(/^\\d+\\. /, ''));";
    let names = serde_json::from_value(page.script(script, Value::Null).await).expect("names");
    (page.text_of("[data-testid=comparison-verdict]").await, names)
}

#[test]
fn runs_with_and_without_an_adapter_and_a_probe_stand_side_by_side() {
    with_page("runs_with_and_without_an_adapter_and_a_probe_stand_side_by_side", async |visit| {
        let page = &visit.page;
        let folder = visit.folder.path();
        let (own, stranger, pair) = write_adapters(folder);
        let sample = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/reviews.csv"));
        let rows: Vec<String> = sample.expect("the sample").lines().take(ROWS + 1).map(str::to_owned).collect();
        let data = folder.join("reviews.csv");
        std::fs::write(&data, rows.join("\n")).expect("a file");

        // The model as it is, with a calibrator for it.
        page.load_model().await;
        page.go_to("evaluate").await;
        page.choose_file("#data-file", &data).await;
        page.text_of("[data-testid=data-summary]").await;
        let base = run(page).await;
        page.click("#fit-calibrator").await;
        page.text_of("[data-testid=calibrator-summary]").await;

        // Somebody else's adapter is refused with the reason, and everything stays as it was.
        page.click("#model-chip").await;
        page.choose_file("#adapter-file", &stranger).await;
        let refused = page.text_of("[data-testid=adapter-error]").await;
        assert!(refused.contains("trained on another model file") && refused.contains("stranger"), "{refused}");
        assert!(!chip(page).await.contains("stranger"));
        page.choose_file("#adapter-file", &pair[0]).await;
        page.wait_until(
            "half of a pair",
            "document.querySelector('[data-testid=adapter-error]')?.innerText.includes('safetensors is missing')",
        )
        .await;

        // The right one is applied without the model being loaded again.
        page.choose_file("#adapter-file", &own).await;
        let details = page.text_of("[data-testid=adapter-details]").await;
        assert!(details.contains("shaken") && details.contains("this very model file"), "{details}");
        let words = chip(page).await;
        assert!(words.contains("+ shaken"), "{words}");
        page.click("#model-panel [data-testid=close-dialog]").await;

        // What the calibrator was fitted without does not get it.
        page.go_to("classify").await;
        page.classify("I love this movie!").await;
        let elsewhere = page.text_of("[data-testid=calibrator-not-here]").await;
        assert!(elsewhere.contains("fitted without an adapter"), "{elsewhere}");

        // The same rows once more.
        let adapted = run(page).await;
        println!("compare: without {base}; with {adapted}");
        let home = page.saved_by("#export-predictions").await;
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
            ])
            .arg("--adapter")
            .arg(&own)
            .arg("--input")
            .arg(&data)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("candor runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let expected: BTreeMap<String, f64> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a prediction"))
            .map(|row| (row["id"].to_string(), row["labels"]["positive"]["logprob"].as_f64().expect("a number")))
            .collect();
        let mut worst = 0.0_f64;
        for line in home.lines() {
            let row: Value = serde_json::from_str(line).expect("a prediction");
            let here = row["labels"]["positive"]["logprob"].as_f64().expect("a number");
            worst = worst.max((here - expected[&row["id"].to_string()]).abs());
        }
        println!(
            "compare: {} rows with the adapter, largest difference to the command line {worst:e}",
            home.lines().count()
        );
        assert!(home.lines().count() >= ROWS - 10 && worst < 1e-9, "{worst}");

        // Side by side.
        page.go_to("compare").await;
        let (verdict, names) = comparison(page, 2).await;
        println!("compare: {verdict}");
        assert_eq!(runs(page).await, ["base", "shaken"]);
        assert!(names.contains(&"base".to_owned()) && names.contains(&"shaken".to_owned()), "{names:?}");
        assert!(
            verdict.contains("wins by accuracy") || verdict.starts_with("No clear winner by accuracy"),
            "{verdict}"
        );
        let report = page.saved_by("#export-comparison").await;
        for words in ["McNemar", "its confidence, right and wrong", "Calibration side by side", "adapter shaken"] {
            assert!(report.contains(words), "{words}");
        }

        // A probe, trained on what the run has computed.
        page.click("#train-probe").await;
        page.wait_until("a trained probe", "document.querySelector('[data-testid=probe-trained]')").await;
        let (verdict, names) = comparison(page, 3).await;
        println!("compare: {verdict}");
        assert!(names.contains(&"probe on shaken".to_owned()), "{names:?}");
        let accuracies = page.saved_by("#export-comparison-json").await;
        let found: Value = serde_json::from_str(&accuracies).expect("JSON");
        assert_eq!(found["runs"].as_array().map(Vec::len), Some(3));

        // One text with all of them.
        page.script(
            "const area = document.querySelector('#compare-text');
             area.value = arguments[0];
             area.dispatchEvent(new Event('input', { bubbles: true }));",
            "The staff were rude and the room was dirty.",
        )
        .await;
        page.click("#ask-runs").await;
        page.wait_until("three answers", "document.querySelectorAll('[data-testid=answer-label]').length === 3").await;
        let script = "return Array.from(document.querySelectorAll('[data-testid=answer]'), answer =>
            [answer.dataset.run, Number(answer.querySelector('[data-label=positive]').dataset.probability)]);";
        let said: Vec<(String, f64)> = serde_json::from_value(page.script(script, Value::Null).await).expect("answers");
        assert_eq!(
            said.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["base", "shaken", "probe on shaken"]
        );
        assert!((said[0].1 - said[1].1).abs() > 1e-6, "the adapter changes what is said: {said:?}");

        // And after a reload: the adapter, the runs, the probe, the comparison.
        page.client.refresh().await.expect("the page comes again");
        page.wait_for_model().await;
        page.wait_until("the adapter", "document.querySelector('#model-chip').innerText.includes('+ shaken')").await;
        assert_eq!(comparison(page, 3).await.0, verdict);
        assert_eq!(runs(page).await, ["base", "shaken", "probe on shaken"]);
        page.go_to("classify").await;
        page.classify("The staff were rude and the room was dirty.").await;
        let label = page.text_of("[data-testid=probe-label]").await;
        assert!(["positive", "negative"].contains(&label.as_str()), "{label}");

        // Without it the scores of the base are there at once; the other format is the same adapter.
        page.click("#model-chip").await;
        page.click("#remove-adapter").await;
        page.text_of("[data-testid=no-adapter]").await;
        page.go_to("evaluate").await;
        page.wait_until(
            "the base's own rows",
            &format!("document.querySelector('[data-testid=tally]')?.innerText === {}", json!(base)),
        )
        .await;
        choose_files(page, "#adapter-file", &[&pair[0], &pair[1]]).await;
        page.wait_until(
            "the adapter's own rows",
            &format!("document.querySelector('[data-testid=tally]')?.innerText === {}", json!(adapted)),
        )
        .await;
        let script = "return document.querySelectorAll('[data-testid=kept-adapter]').length;";
        assert_eq!(page.script(script, Value::Null).await, 1, "the same adapter is kept once");
    });
}
