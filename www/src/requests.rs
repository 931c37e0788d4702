//! Every network request of this page, as the browser itself reports it.
//!
//! The page could count what it means to ask for; the browser's own record (`PerformanceObserver`) is the better
//! witness, because it also sees what nobody meant: an image in a style sheet, a script's import. The worker has a
//! record of its own, which its loader sends over.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{PerformanceObserver, PerformanceObserverEntryList, PerformanceObserverInit, PerformanceResourceTiming};

type Listener = Rc<dyn Fn(String, f64, Option<u64>)>;

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Calls `on` with every request that page and worker make from now on: address, seconds since the page was opened,
/// bytes that came over the network (nothing where a cache answered or the browser does not say).
pub fn watch_requests(on: impl Fn(String, f64, Option<u64>) + 'static) {
    LISTENER.with(|listener| *listener.borrow_mut() = Some(Rc::new(on)));
    let callback =
        Closure::<dyn Fn(PerformanceObserverEntryList)>::new(move |entries: PerformanceObserverEntryList| {
            for entry in entries.get_entries() {
                if let Ok(entry) = entry.dyn_into::<PerformanceResourceTiming>() {
                    note(entry.name(), entry.start_time() / 1000.0, entry.transfer_size());
                }
            }
        });
    if let Ok(observer) = PerformanceObserver::new(callback.as_ref().unchecked_ref()) {
        observer.observe(&PerformanceObserverInit::new(&js_sys::Array::of1(&"resource".into())));
        // The page watches as long as it lives.
        callback.forget();
    }
}

/// Takes a request that the worker's loader reports, its time in milliseconds since 1970.
pub(crate) fn note_of_worker(url: String, at: f64, bytes: f64) {
    let opened = web_sys::window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.time_origin());
    note(url, (at - opened) / 1000.0, bytes);
}

fn note(url: String, at: f64, bytes: f64) {
    let listener = LISTENER.with(|listener| listener.borrow().clone());
    if let Some(listener) = listener {
        listener(url, at, (bytes > 0.0).then_some(bytes as u64));
    }
}
