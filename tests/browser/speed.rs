//! The page's own measurement on the real model; `cargo xtask bench` runs this test for the browser's rows.
//!
//! | variable | what it does |
//! |---|---|
//! | `CANDOR_BENCH_PROMPTS` | measures the prompts of this file instead of the page's own |
//! | `CANDOR_BENCH_WORKERS` | numbers of workers, e.g. `1,2` |
//! | `CANDOR_BENCH_REPEATS` | times that each is measured |
//! | `CANDOR_BENCH_ROWS` | rows of a job, the prompts in turn |
//! | `CANDOR_BENCH_OUT` | writes the report to this file |
//! | `CANDOR_BENCH_GRAPHICS` | measures the graphics rung, in a browser whose graphics device is a program |

use std::path::PathBuf;

use serde_json::Value;

use super::visit::{Visit, with_graphics, with_page};

/// What a worker may take beyond the model's own size.
const WORKING_MEMORY: u64 = 120_000_000;

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("CANDOR_BENCH_{name}")).ok().filter(|value| !value.is_empty())
}

#[test]
fn the_page_measures_itself() {
    let name = "the_page_measures_itself";
    match variable("GRAPHICS") {
        None => with_page(name, async |visit| measure(visit, "CPU").await),
        Some(_) => with_graphics(name, async |visit| measure(visit, "GPU").await),
    }
}

async fn measure(visit: Visit, backend: &str) {
    let page = &visit.page;
    page.load_model().await;
    page.settle().await;

    // The second visit: the model is on the device.
    let mut switches = format!("speed-repeats={}", variable("REPEATS").unwrap_or_else(|| "1".to_owned()));
    if backend == "GPU" {
        switches.push_str("&backend=gpu");
    }
    for (name, switch) in [("WORKERS", "speed-workers"), ("ROWS", "speed-rows")] {
        if let Some(value) = variable(name) {
            switches.push_str(&format!("&{switch}={value}"));
        }
    }
    page.client.goto(&format!("{}?{switches}", page.url)).await.expect("the page opens again");
    page.answer().await;
    page.go_to("speed").await;
    if let Some(prompts) = variable("PROMPTS") {
        page.choose_prompts(&PathBuf::from(prompts)).await;
    }
    let report = page.measure().await;

    assert!(report["first_answer_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{report}");
    let one = &report["one_text"];
    assert!(one["tokens_reused"].as_u64() > Some(0) && one["tokens_computed"].as_u64() < Some(30), "{one}");
    for run in report["runs"].as_array().expect("runs") {
        for field in ["threads", "examples", "tokens_computed", "tokens_reused", "examples_per_s", "tokens_per_s"] {
            assert!(run[field].as_f64().is_some_and(|value| value > 0.0), "{field}: {run}");
        }
        assert!(run["backend"].as_str().is_some_and(|name| name.contains(backend)), "{run}");
        assert!(run["largest_difference"].as_f64().is_some_and(|difference| difference <= 1e-4), "{run}");
        let (worker, all) = (run["worker_bytes"].as_u64(), run["peak_bytes"].as_u64());
        assert!(
            worker <= all && worker.is_some_and(|bytes| bytes <= super::visit::MODEL_BYTES + WORKING_MEMORY),
            "{run}"
        );
    }
    if let Some(file) = variable("OUT") {
        std::fs::write(&file, serde_json::to_vec_pretty(&report).expect("JSON")).expect("the report is written");
    }
    println!("{}", summary(&report));
}

fn summary(report: &Value) -> String {
    let runs = report["runs"].as_array().into_iter().flatten();
    let speeds =
        runs.map(|run| format!("{} × {:.1} texts/s", run["threads"], run["examples_per_s"].as_f64().unwrap_or(0.0)));
    format!(
        "first answer after {:.2} s, one short text {:.3} s, {}",
        report["first_answer_seconds"].as_f64().unwrap_or(f64::NAN),
        report["one_text"]["seconds"].as_f64().unwrap_or(f64::NAN),
        speeds.collect::<Vec<_>>().join(", ")
    )
}
