//! WebGPU in the worker: the same answers as the processor's, on a software adapter, and no error without any.

use std::time::Instant;

use serde_json::Value;

use super::visit::{with_graphics, with_page};

/// Largest difference of a label's probability between the rungs.
const SAME: f64 = 1e-3;
/// Seconds from a reload, with the model kept, to the first answer, on an idle machine.
const FIRST_ANSWER: f64 = 3.0;
/// What a machine under load may take: these tests run beside others.
const PATIENCE: f64 = 10.0;

const TEXTS: [&str; 3] =
    ["I love this movie!", "The worst meal I have ever paid for.", "It works. Nothing more, nothing less."];

#[test]
fn webgpu_gives_the_processors_answers() {
    with_graphics("webgpu_gives_the_processors_answers", async |visit| {
        let page = &visit.page;
        page.client.goto(&format!("{}?backend=gpu", page.url)).await.expect("the page opens");
        page.load_model().await;
        let rung = page.script("return document.querySelector('#model-chip').innerText;", Value::Null).await;
        let why = page.script("return document.querySelector('#model-chip').title;", Value::Null).await;
        assert!(rung.as_str().is_some_and(|rung| rung.contains("GPU float32")), "{rung}: {why}");
        let mut on_device = Vec::new();
        for text in TEXTS {
            on_device.push(page.classify(text).await);
        }

        let begun = Instant::now();
        page.client.goto(&format!("{}?backend=gpu&again", page.url)).await.expect("the page opens again");
        page.wait_for_model().await;
        let again = page.classify(TEXTS[0]).await;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{rung}: first answer {seconds:.1} s after a reload (aim: {FIRST_ANSWER} s); {why}");
        assert!(seconds < PATIENCE, "{seconds} s");
        assert_eq!(again.label, on_device[0].label);

        page.client.goto(&format!("{}?backend=cpu", page.url)).await.expect("the page opens again");
        page.wait_for_model().await;
        for (text, on_device) in TEXTS.iter().zip(&on_device) {
            let on_processor = page.classify(text).await;
            assert_eq!(on_processor.label, on_device.label, "{text}");
            for (label, there) in &on_processor.probabilities {
                let difference = (there - on_device.probabilities[label]).abs();
                assert!(difference <= SAME, "{text}: {label} differs by {difference}");
            }
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
        page.classify(TEXTS[0]).await;
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
        page.classify(TEXTS[0]).await;
        let notices = page.script("return document.querySelectorAll('[role=alert]').length;", Value::Null).await;
        assert_eq!(notices, 0);
    });
}
