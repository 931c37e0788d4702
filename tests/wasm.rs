//! What must hold as WebAssembly, run inside a browser by wasm-bindgen's test runner (`cargo xtask test` starts it in a
//! folder that holds what these tests fetch). Natively this file is empty.
#![cfg(target_arch = "wasm32")]

use std::io::Cursor;

use candor::gguf::GgufFile;
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

#[derive(Deserialize)]
struct Case {
    text: String,
    special: bool,
    ids: Vec<u32>,
}

/// The regular expressions of the pre-tokenizer run on another engine in WebAssembly than one might think; the ids
/// must not differ.
#[wasm_bindgen_test]
async fn every_reference_string_has_its_ids() {
    let (Some(cases), Some(model)) = (fetch("/tokens.json").await, fetch("/model.gguf").await) else {
        console_log!("not run: there is no reference beside the project");
        return;
    };
    let cases: Vec<Case> = serde_json::from_slice(&cases).expect("the reference is JSON");
    let file = GgufFile::open(Cursor::new(model)).expect("the default model");
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
