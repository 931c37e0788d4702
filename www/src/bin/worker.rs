//! The worker's program: the engine, waiting for requests.

use candor_web::codec::StructuredCodec;
use candor_web::worker::EngineWorker;
use gloo::worker::Registrable;
use wasm_bindgen::JsValue;

fn main() {
    // A panic's words are the only useful thing left after a trap: the loader hands them to the page.
    std::panic::set_hook(Box::new(|panic| {
        let _ = js_sys::Reflect::set(&js_sys::global(), &"candorPanic".into(), &JsValue::from(panic.to_string()));
        console_error_panic_hook::hook(panic);
    }));
    EngineWorker::registrar().encoding::<StructuredCodec>().register();
}
