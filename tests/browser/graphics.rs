//! WebGPU in the worker: the same answers as the processor's, on a software adapter, and no error without any.

use std::time::Instant;

use serde_json::Value;

use super::visit::{with_graphics, with_page};

/// Largest difference of a label's probability between the rungs.
const SAME: f64 = 1e-3;
const TEXT: &str = "I love this movie!";

#[test]
fn every_rung_of_webgpu_gives_the_processors_answers() {
    with_graphics("every_rung_of_webgpu_gives_the_processors_answers", async |visit| {
        let page = &visit.page;
        page.client.goto(&format!("{}?backend=cpu", page.url)).await.expect("the page opens");
        page.load_model().await;
        let on_processor = page.classify(TEXT).await;
        for (rung, name) in [("gpu", "GPU float32"), ("gpu-dot", "GPU integer dot"), ("gpu-f16", "GPU float16")] {
            let begun = Instant::now();
            page.client.goto(&format!("{}?backend={rung}", page.url)).await.expect("the page opens again");
            page.wait_for_model().await;
            let loaded = begun.elapsed().as_secs_f64();
            let chip = page.script("return document.querySelector('#model-chip').innerText;", Value::Null).await;
            let why = page.script("return document.querySelector('#model-chip').title;", Value::Null).await;
            let why = why.as_str().unwrap_or_default();
            // SwiftShader has no 16-bit floats; every browser's shader language has products of packed bytes.
            if rung == "gpu-f16" && why.contains("has no 16-bit floats") {
                println!("{rung}: {why}");
                continue;
            }
            assert!(chip.as_str().is_some_and(|chip| chip.contains(name)), "{chip}: {why}");
            // A program that plays a graphics device takes its time: one short text will do.
            let on_device = page.classify(TEXT).await;
            let answered = begun.elapsed().as_secs_f64();
            println!("{rung}: ready {loaded:.1} s, first answer {answered:.1} s after the page was opened; {why}");
            assert_eq!(on_processor.label, on_device.label);
            for (label, there) in &on_processor.probabilities {
                let difference = (there - on_device.probabilities[label]).abs();
                assert!(difference <= SAME, "{rung}: {label} differs by {difference}");
            }
        }
    });
}

#[test]
fn a_lost_device_costs_no_text_and_the_page_says_where_the_model_runs() {
    with_graphics("a_lost_device_costs_no_text_and_the_page_says_where_the_model_runs", async |visit| {
        let page = &visit.page;
        page.client.goto(&format!("{}?backend=gpu&graphics-lost-after=1", page.url)).await.expect("the page opens");
        page.load_model().await;
        let on_device = page.classify(TEXT).await;
        // The device goes away under the second text, and the chip says so.
        let chip = |words: &str| format!("document.querySelector('#model-chip').innerText.includes('{words}')");
        let on_processor = page.classify("What a waste of time.").await;
        page.wait_until("the processor's rung", &chip("CPU")).await;
        let why = page.script("return document.querySelector('#model-chip').title;", Value::Null).await;
        assert!(why.as_str().is_some_and(|why| why.contains("lost")), "{why}");
        assert_ne!(on_processor.probabilities, on_device.probabilities);
        // The third text opens it again.
        let again = page.classify(TEXT).await;
        page.wait_until("the graphics rung", &chip("GPU float32")).await;
        for (label, there) in &on_device.probabilities {
            let difference = (there - again.probabilities[label]).abs();
            assert!(difference <= SAME, "{label} differs by {difference}");
        }
    });
}

#[test]
fn a_slow_software_adapter_is_left_alone_and_a_reason_given() {
    with_graphics("a_slow_software_adapter_is_left_alone_and_a_reason_given", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        let why = page.script("return document.querySelector('#model-chip').title;", Value::Null).await;
        assert!(why.as_str().is_some_and(|why| why.contains("program on the processor")), "{why}");
        page.classify(TEXT).await;
        let begun = Instant::now();
        page.client.refresh().await.expect("the page comes again");
        page.wait_for_model().await;
        page.classify(TEXT).await;
        println!("first answer {:.1} s after the page was opened, the model being kept", begun.elapsed().as_secs_f64());
    });
}

#[test]
fn without_webgpu_nobody_sees_an_error() {
    with_page("without_webgpu_nobody_sees_an_error", async |visit| {
        let page = &visit.page;
        page.client.goto(&format!("{}?backend=gpu", page.url)).await.expect("the page opens");
        page.load_model().await;
        let why = page.script("return document.querySelector('#model-chip').title;", Value::Null).await;
        assert!(why.as_str().is_some_and(|why| why.contains("no graphics adapter")), "{why}");
        page.classify(TEXT).await;
        // Places for errors may stand empty.
        let shown = "return [...document.querySelectorAll('[role=alert]')].filter(e => e.checkVisibility()) \
                     .map(e => e.innerText.trim()).filter(Boolean);";
        assert_eq!(page.script(shown, Value::Null).await, Value::Array(Vec::new()));
    });
}
