//! The page's end of the line to the engine.
//!
//! [`Link::start`] starts the worker; [`Link::send`] numbers a request and sends it; everything the worker says comes
//! to the one callback as [`FromWorker`], except the answers to what was asked with [`Link::ask`], which come to who
//! asked. The link keeps no state of the application: which answer still counts is
//! the page's business. A worker that cannot start, traps or goes away is told as a reply like any other: number 0,
//! `Failed` with [`Kind::Lost`](candor::error::Kind::Lost), to everybody; after it nothing more comes, and the way on is
//! to drop the link and to start another.
//!
//! The worker starts from a `blob:` script for one reason: it then inherits the page's Content-Security-Policy, while
//! a worker from an address gets the policy of its own response headers, which a static host cannot set. Inside a
//! blob relative addresses mean nothing, so all addresses that cross are absolute.
//!
//! gloo's bridge does not show the worker's `error` event, so `loader.js`, the script inside the blob, tells of a
//! trap over a `BroadcastChannel` of its own and closes the worker; it also tells which requests the worker made.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::protocol::{FromWorker, Reply, Request, StudyReply, ToWorker};
use gloo::timers::callback::Timeout;
use gloo::worker::{Spawnable, WorkerBridge};
use js_sys::{Array, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, BroadcastChannel, MessageEvent, Url};

use crate::codec::{Packet, StructuredCodec};
use crate::requests;
use crate::worker::EngineWorker;

pub use crate::hosts::{allow_host, allowed_hosts, forbid_all_hosts, is_host_allowed, origin};
pub use crate::requests::watch_requests;

/// Milliseconds after which a worker that has not said a word counts as lost: longer than its file takes on a slow
/// line, shorter than anybody waits.
const SILENCE: u32 = 120_000;

type Listener = Rc<dyn Fn(FromWorker)>;
type Asked = Rc<RefCell<BTreeMap<u64, Box<dyn FnMut(Reply)>>>>;

/// A running worker. Dropping it ends the worker.
pub struct Link {
    bridge: WorkerBridge<EngineWorker>,
    channel: BroadcastChannel,
    next: Cell<u64>,
    asked: Asked,
    loader: String,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _silence: Rc<RefCell<Option<Timeout>>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Link {
    /// Starts a worker; `on` hears everything it says. Greet it first, with [`Request::Hello`].
    ///
    /// # Errors
    ///
    /// [`Kind::Lost`] where the browser has no workers or no way to talk to one.
    pub fn start(on: impl Fn(FromWorker) + 'static) -> Result<Self> {
        Self::start_with("", on)
    }

    /// As [`Link::start`], with more switches than those of the page's address (see [`crate::switches`]).
    pub fn start_with(switches: &str, on: impl Fn(FromWorker) + 'static) -> Result<Self> {
        if !has_workers() {
            return Err(lost("this browser has no module workers").help("use a current browser"));
        }
        let asked = Asked::default();
        let on: Listener = {
            let asked = Rc::clone(&asked);
            Rc::new(move |message| deliver(&asked, &on, message))
        };
        let name = format!("candor-engine-{}", (js_sys::Math::random() * 9e15) as u64);
        let channel = BroadcastChannel::new(&name).map_err(|_| lost("the browser gave no channel to the engine"))?;
        let silence = Rc::new(RefCell::new(None));
        let on_message = listen(&channel, Rc::clone(&on), Rc::clone(&silence));
        *silence.borrow_mut() = Some({
            let on = Rc::clone(&on);
            Timeout::new(SILENCE, move || on(failed(0, lost("the engine did not answer").help("reload the page"))))
        });
        let loader = loader_address(&name, switches)?;
        let bridge = {
            let silence = Rc::clone(&silence);
            EngineWorker::spawner()
                .callback(move |packet: Packet| {
                    silence.borrow_mut().take();
                    let message =
                        packet.unpack().unwrap_or_else(|error| failed(0, Error { kind: Kind::Lost, ..error }));
                    if matches!(&message.reply, Reply::Model(info) if info.kept.is_ok() && !info.from_cache) {
                        ask_to_persist();
                    }
                    on(message);
                })
                .with_loader(true)
                .encoding::<StructuredCodec>()
                .spawn(&loader)
        };
        Ok(Self { bridge, channel, next: Cell::new(1), asked, loader, _on_message: on_message, _silence: silence })
    }

    /// Sends a request, and answers with its number (from 1 on); requests before the worker is up wait for it.
    pub fn send(&self, request: Request) -> u64 {
        self.send_as(self.number(), request)
    }

    /// Sends a request whose answers come to `on` instead of the link's own callback: progress and rows as often as the
    /// worker has any, then one last reply.
    pub fn ask(&self, request: Request, on: impl FnMut(Reply) + 'static) -> u64 {
        let id = self.number();
        self.asked.borrow_mut().insert(id, Box::new(on));
        self.send_as(id, request)
    }

    fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    fn send_as(&self, id: u64, request: Request) -> u64 {
        match Packet::pack(&ToWorker { id, request }) {
            Ok(packet) => self.bridge.send(packet),
            // Plain data always packs; should it not, the console says so and the request stays without an answer.
            Err(error) => web_sys::console::error_1(&error.to_string().into()),
        }
        id
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // gloo asks the worker's Rust code to end; where that has trapped, its loader has closed it already, and
        // where it is still starting, this reaches the loader.
        let _ = self.channel.post_message(&"close".into());
        self.channel.close();
        let _ = Url::revoke_object_url(&self.loader);
    }
}

/// Hands a message to who asked for it, else to the link's own callback. The end of the worker concerns everybody.
fn deliver(asked: &Asked, on: &impl Fn(FromWorker), message: FromWorker) {
    if message.id == 0 {
        let everybody = std::mem::take(&mut *asked.borrow_mut());
        for mut one in everybody.into_values() {
            one(message.reply.clone());
        }
        return on(message);
    }
    let Some(mut one) = asked.borrow_mut().remove(&message.id) else { return on(message) };
    // Called outside the map, because it may ask again.
    let more_to_come = match &message.reply {
        Reply::Progress(_) => true,
        Reply::Study(reply) => matches!(**reply, StudyReply::Rows(_)),
        _ => false,
    };
    one(message.reply);
    if more_to_come {
        asked.borrow_mut().insert(message.id, one);
    }
}

fn listen(
    channel: &BroadcastChannel,
    on: Listener,
    silence: Rc<RefCell<Option<Timeout>>>,
) -> Closure<dyn Fn(MessageEvent)> {
    let closure = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let field = |name: &str| Reflect::get(&event.data(), &name.into()).ok().filter(|value| !value.is_undefined());
        if let Some(reason) = field("lost") {
            silence.borrow_mut().take();
            let reason = reason.as_string().unwrap_or_default();
            on(failed(0, lost(format!("its last words: {reason}"))));
        }
        for request in field("requests").map(|list| Array::from(&list)).unwrap_or_default() {
            let request = Array::from(&request);
            let number = |index| request.get(index).as_f64().unwrap_or_default();
            requests::note_of_worker(request.get(0).as_string().unwrap_or_default(), number(1), number(2));
        }
    });
    channel.set_onmessage(Some(closure.as_ref().unchecked_ref()));
    closure
}

/// Asks the browser not to clear this site's files when the disk is short. Asked once, when a model has just come:
/// some browsers ask the person in turn, who then knows what for.
fn ask_to_persist() {
    let asked = web_sys::window().and_then(|window| {
        let navigator = window.navigator();
        let here = Reflect::has(&navigator, &"storage".into()).unwrap_or(false);
        here.then(|| navigator.storage().persist().ok()).flatten()
    });
    if let Some(asked) = asked {
        wasm_bindgen_futures::spawn_local(async move {
            // Either answer is fine: it only makes the file's stay more or less likely.
            let _ = wasm_bindgen_futures::JsFuture::from(asked).await;
        });
    }
}

fn lost(message: impl Into<String>) -> Error {
    Error::new(Kind::Lost, message)
}

fn failed(id: u64, error: Error) -> FromWorker {
    FromWorker { id, reply: Reply::Failed(error) }
}

fn has_workers() -> bool {
    let here = |name: &str| Reflect::has(&js_sys::global(), &JsValue::from_str(name)).unwrap_or(false);
    here("Worker") && here("BroadcastChannel") && here("WebAssembly")
}

/// The `blob:` address of the loader, with the addresses it needs in front of it.
fn loader_address(channel: &str, switches: &str) -> Result<String> {
    let search = web_sys::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    let facts = serde_json::json!({
        "script": absolute("worker.js"),
        "wasm": absolute("worker_bg.wasm"),
        "channel": channel,
        "switches": format!("{search}&{switches}"),
    });
    let script = format!("const candor = {facts};\n{}", include_str!("loader.js"));
    let options = BlobPropertyBag::new();
    options.set_type("text/javascript");
    Blob::new_with_str_sequence_and_options(&Array::of1(&script.into()), &options)
        .and_then(|blob| Url::create_object_url_with_blob(&blob))
        .map_err(|_| lost("the browser did not take the engine's first script"))
}

/// An address relative to the page, as an absolute one.
pub fn absolute(path: &str) -> String {
    let base = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    Url::new_with_base(path, &base).map_or_else(|_| path.to_owned(), |url| url.href())
}
