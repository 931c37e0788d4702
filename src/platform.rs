//! Everything that differs between a native process and a browser tab, in one place.
//!
//! Not here: SIMD kernels, which choose by instruction set in `engine/cpu`. Everything above this floor is written
//! once and runs in both places.

/// Seconds since an arbitrary start, for measuring durations.
#[cfg(not(target_arch = "wasm32"))]
pub fn now() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Seconds since an arbitrary start, for measuring durations.
#[cfg(target_arch = "wasm32")]
pub fn now() -> f64 {
    js_sys::Date::now() / 1000.0
}

/// Lets pending messages (a cancel, a newer text) be seen between two pieces of a long computation.
#[cfg(not(target_arch = "wasm32"))]
pub async fn breathe() {}

/// Lets pending messages (a cancel, a newer text) be seen between two pieces of a long computation.
///
/// A resolved promise is not enough: messages arrive as tasks, not microtasks, so this waits for a zero timeout.
#[cfg(target_arch = "wasm32")]
pub async fn breathe() {
    use wasm_bindgen::{JsCast, JsValue};
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let set_timeout = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("setTimeout"));
        match set_timeout.ok().and_then(|f| f.dyn_into::<js_sys::Function>().ok()) {
            Some(f) if f.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(0)).is_ok() => {}
            _ => {
                let _ = resolve.call0(&JsValue::UNDEFINED);
            }
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// How many threads a computation may use here.
#[cfg(not(target_arch = "wasm32"))]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// How many threads a computation may use here: a browser worker is one thread.
#[cfg(target_arch = "wasm32")]
pub fn threads() -> usize {
    1
}

/// Runs `work(index, chunk)` for every chunk of `size` elements of `data`, on all threads that are at hand.
#[cfg(not(target_arch = "wasm32"))]
pub fn for_each_chunk<T: Send>(data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    use rayon::prelude::*;
    data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// Runs `work(index, chunk)` for every chunk of `size` elements of `data`, on all threads that are at hand.
#[cfg(target_arch = "wasm32")]
pub fn for_each_chunk<T: Send>(data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    data.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// Maps `work` over `0..count`, on all threads that are at hand; results come in order.
#[cfg(not(target_arch = "wasm32"))]
pub fn map_indices<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    use rayon::prelude::*;
    (0..count).into_par_iter().map(work).collect()
}

/// Maps `work` over `0..count`, on all threads that are at hand; results come in order.
#[cfg(target_arch = "wasm32")]
pub fn map_indices<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    (0..count).map(work).collect()
}
