//! Many texts on several workers: the same numbers as on one, whatever happens to a worker, and a page that answers.
//!
//! Where the numbers do not matter the tiny model computes, so that ten thousand rows take seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::page::Page;
use super::visit::with_page;

/// Largest difference of a label's log-probability between runs that cut the rows into other batches.
const SAME: f64 = 1e-5;
/// The longest task of the page's thread while ten thousand rows come in, in milliseconds. The aim is 50; a machine
/// under load lets the thread wait besides.
const LONGEST_TASK: f64 = 200.0;
/// Bytes that a worker may grow by over ten thousand rows.
const GROWTH: u64 = 2 << 20;

/// Opens the speed page with these switches and the tiny model.
async fn with_tiny_model(page: &Page, switches: &str) {
    page.client.goto(&format!("{}?{switches}", page.url)).await.expect("the page opens");
    page.click("#other-model").await;
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny.gguf");
    page.choose_file("#model-offer [data-testid=model-file]", &tiny).await;
    page.wait_for_model().await;
    page.go_to("speed").await;
}

/// Whether a second worker can be had here.
async fn has_two_processors(page: &Page) -> bool {
    page.script("return navigator.hardwareConcurrency > 1;", Value::Null).await == json!(true)
}

fn runs(report: &Value) -> &[Value] {
    report["runs"].as_array().expect("runs")
}

#[test]
fn two_workers_give_the_answers_of_one_in_the_same_order() {
    with_page("two_workers_give_the_answers_of_one_in_the_same_order", async |visit| {
        let page = &visit.page;
        with_tiny_model(page, "speed-workers=1,2&speed-rows=500&speed-repeats=1").await;
        let report = page.measure().await;
        for run in runs(&report) {
            assert_eq!((&run["examples"], &run["lost_workers"]), (&json!(500), &json!(0)), "{run}");
            assert!(run["largest_difference"].as_f64().expect("the same rows") <= SAME, "{run}");
            assert_eq!(run["tokens_computed"], runs(&report)[0]["tokens_computed"], "{run}");
        }
        if has_two_processors(page).await {
            assert_eq!(runs(&report)[1]["threads"], 2, "{report}");
        }
    });
}

#[test]
fn a_worker_that_dies_loses_no_row() {
    with_page("a_worker_that_dies_loses_no_row", async |visit| {
        let page = &visit.page;
        with_tiny_model(page, "pool-worker-stops-after=40&speed-workers=1,2&speed-rows=500&speed-repeats=1").await;
        if !has_two_processors(page).await {
            return println!("a_worker_that_dies_loses_no_row: not run: one processor, one worker");
        }
        let report = page.measure().await;
        let run = &runs(&report)[1];
        assert_eq!(run["lost_workers"], 1, "the switch had one die: {run}");
        assert_eq!(run["examples"], 500);
        assert!(run["largest_difference"].as_f64().expect("no row lost, none doubled") <= SAME, "{run}");
    });
}

#[test]
fn ten_thousand_rows_leave_the_page_free_and_the_memory_as_it_was() {
    with_page("ten_thousand_rows_leave_the_page_free_and_the_memory_as_it_was", async |visit| {
        let page = &visit.page;
        with_tiny_model(page, "speed-workers=2&speed-rows=10000&speed-repeats=1").await;
        // Short rows, so that most of the time goes into what is tested: messages, order, the table of results.
        let prompts: Vec<String> = (0..100).map(|number| format!("{number} is")).collect();
        let file = visit.folder.path().join("short.json");
        std::fs::write(&file, json!(prompts).to_string()).expect("a file");
        page.choose_prompts(&file).await;
        page.script(
            "window.tasks = [];
             new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(task => task.duration)))
                 .observe({ type: 'longtask' });",
            Value::Null,
        )
        .await;
        let report = page.measure().await;
        let run = &runs(&report)[0];
        assert_eq!(run["examples"], 10_000);
        let longest = page.script("return Math.max(0, ...window.tasks);", Value::Null).await.as_f64().unwrap();
        let bytes = |field: &str| run[field].as_u64().expect("a size");
        let growth = bytes("worker_bytes").saturating_sub(bytes("worker_bytes_at_first"));
        println!("{} rows/s, longest task {longest} ms, growth {growth} bytes", run["examples_per_s"]);
        assert!(longest <= LONGEST_TASK, "a task of {longest} ms");
        assert!(growth <= GROWTH, "a worker has grown by {growth} bytes");
    });
}

#[test]
fn a_typed_text_comes_first_and_a_job_can_be_cancelled() {
    with_page("a_typed_text_comes_first_and_a_job_can_be_cancelled", async |visit| {
        let page = &visit.page;
        page.client.goto(&format!("{}?speed-workers=2&speed-rows=10000", page.url)).await.expect("the page opens");
        page.load_model().await;
        let before = page.classify("I love this movie!").await;
        page.go_to("speed").await;
        page.click("#speed-start").await;
        // Rows have come back, so both workers are in the middle of the job.
        page.wait_until(
            "rows",
            "/^[1-9][0-9,]* of 10,000/.test(document.querySelector('[data-testid=progress-detail]')?.innerText)",
        )
        .await;
        page.go_to("classify").await;
        page.classify("It works. Nothing more, nothing less.").await;
        let asked = Instant::now();
        let after = page.classify("I love this movie!").await;
        println!("a typed text beside a job: {:?}", asked.elapsed());
        assert_eq!(after.label, before.label);
        for (label, probability) in &after.probabilities {
            assert!((probability - before.probabilities[label]).abs() <= SAME, "{label}");
        }

        page.go_to("speed").await;
        let cancelled = Instant::now();
        page.click("#speed-result [data-testid=cancel]").await;
        page.wait_until("the job's end", "document.querySelector('#speed-result')?.ariaBusy === 'false'").await;
        assert!(cancelled.elapsed() < Duration::from_secs(10), "{:?}", cancelled.elapsed());
        page.go_to("classify").await;
        assert_eq!(page.classify("I love this movie!").await.label, before.label);
    });
}
