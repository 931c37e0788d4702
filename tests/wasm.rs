//! What must hold as WebAssembly, run inside a browser by wasm-bindgen's test runner (`cargo xtask test` starts it in a
//! folder that holds what these tests fetch). Natively this file is empty.
#![cfg(target_arch = "wasm32")]

mod same_bits;

use std::io::Cursor;

use candor::engine::cpu::activations::Activations;
use candor::engine::cpu::matrix::Matrix;
use candor::engine::{Cancel, Control, Engine, PackedBatch, Prefix, Query};
use candor::gguf::{GgufFile, QuantizedType, dequantize_row, quantize_row};
use candor::tokenizer::Tokenizer;
use js_sys::{ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

// The engine lives in a worker, so its tests do.
wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The bytes at an address beside the test, or nothing if there are none.
async fn fetch(address: &str) -> Option<Vec<u8>> {
    let global = js_sys::global();
    let property = |object: &JsValue, name: &str| Reflect::get(object, &JsValue::from_str(name)).expect("it is there");
    let call = |object: &JsValue, name: &str, argument: &JsValue| {
        let function: Function = property(object, name).dyn_into().expect("a function");
        let promise: Promise = function.call1(object, argument).expect("it answers").dyn_into().expect("a promise");
        JsFuture::from(promise)
    };
    let response = call(&global, "fetch", &JsValue::from_str(address)).await.expect("the server answers");
    if property(&response, "ok") != JsValue::TRUE {
        return None;
    }
    let buffer: ArrayBuffer =
        call(&response, "arrayBuffer", &JsValue::UNDEFINED).await.expect("it comes whole").dyn_into().expect("bytes");
    Some(Uint8Array::new(&buffer).to_vec())
}

/// A reference file and the default model, or nothing (with a line saying so) where they are not at hand.
async fn reference_and_model<T: serde::de::DeserializeOwned>(name: &str) -> Option<(T, GgufFile<Cursor<Vec<u8>>>)> {
    let (Some(reference), Some(model)) = (fetch(name).await, fetch("/model.gguf").await) else {
        console_log!("not run: there is no {name} beside the project");
        return None;
    };
    let reference = serde_json::from_slice(&reference).expect("the reference is JSON");
    Some((reference, GgufFile::open(Cursor::new(model)).expect("the default model")))
}

#[derive(Deserialize)]
struct Tokens {
    text: String,
    special: bool,
    ids: Vec<u32>,
}

/// The regular expressions of the pre-tokenizer run on another engine in WebAssembly than one might think; the ids
/// must not differ.
#[wasm_bindgen_test]
async fn every_reference_string_has_its_ids() {
    let Some((cases, file)) = reference_and_model::<Vec<Tokens>>("/tokens.json").await else { return };
    let tokenizer = Tokenizer::from_gguf(&file.metadata).expect("its tokenizer");
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let ids = tokenizer.encode(&case.text, case.special).expect("a text");
            (ids != case.ids).then(|| format!("{:?}: {ids:?} for {:?}", case.text, case.ids))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 200);
    console_log!("{} strings agree", cases.len());
}

#[derive(Deserialize)]
struct Logits {
    prompt: String,
    tokens: Vec<u32>,
    top: Vec<(u32, f64)>,
}

/// The kernels of this instruction set, against the plain loop over odd shapes; natively the crate's own tests do it.
#[wasm_bindgen_test]
fn every_product_equals_the_plain_loop() {
    let number = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
    for name in ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q6_K"] {
        let kind = QuantizedType::all().find(|kind| kind.name() == name).expect("a type that exists");
        for (rows, blocks, tokens) in [(1, 1, 1), (17, 2, 2), (33, 3, 5), (48, 2, 67)] {
            let columns = kind.block_size().max(13) * blocks;
            let mut weights: Vec<f32> = (0..rows * columns).map(number).collect();
            let mut bytes = Vec::new();
            quantize_row(kind, &weights, &mut bytes).expect("whole blocks");
            dequantize_row(kind, &bytes, &mut weights).expect("whole blocks");
            let x: Vec<f32> = (0..tokens * columns).map(|i| number(i + 77)).collect();
            let matrix = Matrix::new(kind, rows, columns, bytes).expect("bytes of this shape");
            let got = matrix.multiply(&Activations::new(x.clone(), columns));
            for (token, x) in x.chunks_exact(columns).enumerate() {
                for (row, weights) in weights.chunks_exact(columns).enumerate() {
                    let terms = || weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                    let (want, bound): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                    let off = (f64::from(got[token * rows + row]) - want).abs();
                    assert!(off <= 1e-4 * bound, "{name} {rows} × {columns}, token {token}, row {row}: off by {off}");
                }
            }
        }
    }
}

/// The contract of every backend: mean |Δ log p| over the reference's top 40 at most 0.002. The instructions are other
/// ones than natively, so it is checked here again.
#[wasm_bindgen_test]
async fn log_probabilities_meet_the_contract() {
    let Some((cases, mut file)) = reference_and_model::<Vec<Logits>>("/logits.json").await else { return };
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let engine = Engine::load(&mut file, &mut control).await.expect("the default model");
    let prefix = Prefix::empty(engine.config());
    let mut mean = 0.0;
    for case in &cases {
        let batch = PackedBatch::of([case.tokens.as_slice()]).expect("a prompt");
        let query = Query { gather: case.top.iter().map(|(id, _)| *id).collect(), top: 1 };
        let scores = engine.score(&prefix, &batch, &query, &mut control).await.expect("it computes").remove(0);
        assert_eq!(scores.top[0].0, case.top[0].0, "{:?}: the likeliest token", case.prompt);
        let differences = case.top.iter().zip(&scores.gathered).map(|((_, want), got)| (got - want).abs());
        mean += differences.sum::<f64>() / (case.top.len() * cases.len()) as f64;
    }
    assert!(mean <= 0.002, "mean |difference| {mean}");
}
