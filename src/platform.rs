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
    use js_sys::{Function, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    thread_local! {
        static CLOCK: Option<(JsValue, Function)> = {
            let clock = Reflect::get(&js_sys::global(), &"performance".into()).ok();
            let read = clock.as_ref().and_then(|clock| Reflect::get(clock, &"now".into()).ok());
            clock.zip(read.and_then(|read| read.dyn_into::<Function>().ok()))
        };
    }
    let read = |clock: &Option<(JsValue, Function)>| {
        let (clock, now) = clock.as_ref()?;
        now.call0(clock).ok()?.as_f64()
    };
    // Unlike the time of day, this clock never runs backwards.
    CLOCK.with(read).unwrap_or_else(js_sys::Date::now) / 1000.0
}

/// Lets pending messages (a cancel, a newer text) be seen between two pieces of a long computation.
#[cfg(not(target_arch = "wasm32"))]
pub async fn breathe() {}

/// Lets pending messages (a cancel, a newer text) be seen between two pieces of a long computation.
///
/// A resolved promise is not enough: messages arrive as tasks, not microtasks. So this posts a message to itself and
/// waits for it; whatever came before is seen first. A zero timeout would do the same, but browsers stretch one that
/// follows another to 4 ms, a twentieth of the computing time.
#[cfg(target_arch = "wasm32")]
pub async fn breathe() {
    use js_sys::{Array, Function, Object, Promise, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    /// The two ends of a channel to oneself, or nothing in a browser without any.
    fn channel() -> Option<(JsValue, JsValue)> {
        let class: Function = Reflect::get(&js_sys::global(), &"MessageChannel".into()).ok()?.dyn_into().ok()?;
        let channel = Reflect::construct(&class, &Array::new()).ok()?;
        let (receiver, sender) =
            (Reflect::get(&channel, &"port1".into()).ok()?, Reflect::get(&channel, &"port2".into()).ok()?);
        call(&receiver, "start", &[])?;
        Some((receiver, sender))
    }
    fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Option<JsValue> {
        let method: Function = Reflect::get(object, &method.into()).ok()?.dyn_into().ok()?;
        Reflect::apply(&method, object, &arguments.iter().collect()).ok()
    }
    thread_local! {
        static CHANNEL: Option<(JsValue, JsValue)> = channel();
    }
    let promise = Promise::new(&mut |resolve, _| {
        let posted = CHANNEL.with(|channel| {
            let (receiver, sender) = channel.as_ref()?;
            let once = Object::new();
            Reflect::set(&once, &"once".into(), &true.into()).ok()?;
            call(receiver, "addEventListener", &["message".into(), resolve.clone().into(), once.into()])?;
            call(sender, "postMessage", &[JsValue::NULL])
        });
        if posted.is_none() && call(&js_sys::global(), "setTimeout", &[resolve.clone().into(), 0.into()]).is_none() {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// The most memory this program has held so far, in bytes, where the platform says.
#[cfg(not(target_arch = "wasm32"))]
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The most memory this program has held so far, in bytes: WebAssembly's memory grows and never shrinks.
#[cfg(target_arch = "wasm32")]
pub fn peak_bytes() -> Option<u64> {
    const PAGE: u64 = 65_536;
    Some(core::arch::wasm32::memory_size::<0>() as u64 * PAGE)
}

/// Has memory that was let go kept for the next use, where the C library would give it back to the system only to have
/// every page of it cleared again: a step of training takes and lets go of some hundred megabytes. To be called before
/// there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_freed_memory() {
    /// The largest that glibc takes: larger blocks are always the system's.
    const LARGEST: i32 = 32 << 20;
    // SAFETY: these set numbers of the allocator, under its own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        // What one thread lets go of, another may take.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Nothing to be done: only glibc's allocator is told to keep what is let go of.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory() {}

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

/// How many processors could compute at the same time as much as this program does by itself: one, where it uses all of
/// them.
#[cfg(not(target_arch = "wasm32"))]
pub fn processors_besides() -> usize {
    1
}

/// How many processors could compute at the same time as much as this program does by itself: a browser's worker has one
/// of those that the browser tells of; one is left to the page.
#[cfg(target_arch = "wasm32")]
pub fn processors_besides() -> usize {
    use js_sys::Reflect;
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap_or_default();
    let told = Reflect::get(&navigator, &"hardwareConcurrency".into()).ok().and_then(|told| told.as_f64());
    (told.unwrap_or(1.0) as usize).saturating_sub(1).clamp(1, 8)
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
