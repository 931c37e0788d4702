//! One writer a file, across tabs: the Web Locks API.
//!
//! A lock is asked for without waiting, and asked for again by whoever wants it: so the one who waits can look at the
//! file meanwhile, and can be cancelled. A tab that is closed or crashes gives its locks back by itself.

use std::cell::RefCell;
use std::rc::Rc;

use candor::error::Result;
use gloo::timers::callback::Timeout;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::exception;

/// Attempts to take a lock that its holder is just giving back: that takes the browser a moment.
const ATTEMPTS: u32 = 10;
/// Milliseconds between them.
const MOMENT: u32 = 30;

/// Waits so many milliseconds.
pub(super) async fn pause(milliseconds: u32) {
    let (wake, woken) = futures::channel::oneshot::channel();
    let _timeout = Timeout::new(milliseconds, move || {
        let _ = wake.send(());
    });
    let _ = woken.await;
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    release: Option<Function>,
}

impl Lock {
    /// Takes the lock of a file as soon as it is free; nothing if somebody has it for longer than a moment.
    pub async fn take_soon(file: &str) -> Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            if let Some(lock) = Self::try_take(file).await? {
                return Ok(Some(lock));
            }
            pause(MOMENT).await;
        }
        Ok(None)
    }

    /// Takes the lock of a file, if nobody has it. A browser without locks always gives it.
    pub async fn try_take(file: &str) -> Result<Option<Self>> {
        let get = |object: &JsValue, key: &str| Reflect::get(object, &key.into()).unwrap_or_default();
        let locks = get(&get(&js_sys::global(), "navigator"), "locks");
        let Ok(request) = get(&locks, "request").dyn_into::<Function>() else {
            return Ok(Some(Self { release: None }));
        };
        let options = Object::new();
        let _ = Reflect::set(&options, &"ifAvailable".into(), &true.into());
        let name = JsValue::from(format!("candor-model:{file}"));

        // The lock is held for as long as the promise that the callback returns is open.
        let answer: Rc<RefCell<Option<Function>>> = Rc::default();
        let decided = {
            let answer = Rc::clone(&answer);
            Promise::new(&mut move |resolve, _| *answer.borrow_mut() = Some(resolve))
        };
        let held = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            let decide = answer.borrow_mut().take();
            let tell = |value: &JsValue| {
                if let Some(decide) = &decide {
                    let _ = decide.call1(&JsValue::UNDEFINED, value);
                }
            };
            if lock.is_null() {
                tell(&JsValue::NULL);
                return JsValue::UNDEFINED;
            }
            Promise::new(&mut |resolve, _| tell(&resolve)).into()
        });
        request.call3(&locks, &name, &options, &held).map_err(|thrown| exception("the file's lock", &thrown))?;
        let release = wasm_bindgen_futures::JsFuture::from(decided).await.unwrap_or_default();
        Ok(release.dyn_into::<Function>().ok().map(|release| Self { release: Some(release) }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}
