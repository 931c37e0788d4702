//! A place to drop files on, with a picker beside it: one for data, models, calibrators and projects.
//!
//! A dropped folder is walked ([`dropped_files`]), and where in it each file lay is noted; a picker
//! keeps its file, so it is emptied after each choice and takes the same file again.

use js_sys::{Array, Function, Promise, Reflect};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::file_path::{note_path, path_of};

/// Files of a dropped folder beyond which nothing more is taken: a folder by mistake (a home folder) ends in time. More
/// than are read of one, so that who reads them can say that there are more.
const MOST_FILES: usize = 2001;

/// A picker with its label.
#[component]
pub fn FilePicker(
    /// Its id.
    #[prop(into)]
    id: String,
    /// What is to be picked.
    label: &'static str,
    /// Kinds of files, as the browser's `accept` has them.
    #[prop(optional)]
    accept: &'static str,
    /// Whether several can be picked.
    #[prop(optional)]
    multiple: bool,
    /// Whether a folder is picked.
    #[prop(optional)]
    folder: bool,
    /// Its id for tests.
    #[prop(optional)]
    testid: &'static str,
    /// The id of what describes it.
    #[prop(optional, into)]
    described_by: String,
    /// Takes the files.
    #[prop(into)]
    on_files: Callback<Vec<web_sys::File>>,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get().filter(|_| folder) {
            // Every browser has it; the standard calls it experimental. Where it is missing, single files are picked.
            let _ = input.set_attribute("webkitdirectory", "");
        }
    });
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                type="file"
                id=id
                multiple=multiple || folder
                accept=(!accept.is_empty()).then_some(accept)
                data-testid=(!testid.is_empty()).then_some(testid)
                aria-describedby=(!described_by.is_empty()).then_some(described_by)
                node_ref=input
                on:change=move |_| {
                    if let Some(input) = input.get() {
                        take(files_of(input.files()), on_files);
                        input.set_value("");
                    }
                }
            />
        </div>
    }
}

/// An area that takes dropped files and folders.
#[component]
pub fn DropArea(
    /// Its classes.
    class: &'static str,
    /// Its id for tests.
    testid: &'static str,
    /// Takes the files.
    #[prop(into)]
    on_files: Callback<Vec<web_sys::File>>,
    /// What stands in it.
    children: Children,
) -> impl IntoView {
    let over = RwSignal::new(false);
    view! {
        <div
            class=class
            class:drop-target=move || over.get()
            data-testid=testid
            on:dragover=move |event| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=move |event| {
                event.prevent_default();
                over.set(false);
                if let Some(transfer) = event.data_transfer() {
                    // Asked for now: the browser empties the transfer when this event is over.
                    let dropped = dropped_files(&transfer);
                    spawn_local(async move { take(dropped.await, on_files) });
                }
            }
        >
            {children()}
        </div>
    }
}

/// Takes files that are dropped where no area waits for them: a browser would leave the page for such a file.
pub fn take_stray_drops(on_files: Callback<Vec<web_sys::File>>) {
    let has_files = |event: &web_sys::DragEvent| {
        event.data_transfer().is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
    };
    let over = window_event_listener(leptos::ev::dragover, move |event| {
        if has_files(&event) {
            event.prevent_default();
        }
    });
    let dropped = window_event_listener(leptos::ev::drop, move |event| {
        if event.default_prevented() || !has_files(&event) {
            return;
        }
        event.prevent_default();
        if let Some(transfer) = event.data_transfer() {
            let dropped = dropped_files(&transfer);
            spawn_local(async move { take(dropped.await, on_files) });
        }
    });
    on_cleanup(move || {
        over.remove();
        dropped.remove();
    });
}

fn take(files: Vec<web_sys::File>, on_files: Callback<Vec<web_sys::File>>) {
    if !files.is_empty() {
        on_files.run(files);
    }
}

fn files_of(list: Option<web_sys::FileList>) -> Vec<web_sys::File> {
    list.map(|list| (0..list.length()).filter_map(|index| list.get(index)).collect()).unwrap_or_default()
}

/// The files of a drop, those of dropped folders included, in the order of their names.
fn dropped_files(transfer: &web_sys::DataTransfer) -> impl Future<Output = Vec<web_sys::File>> + 'static {
    let plain = files_of(transfer.files());
    let items = Reflect::get(transfer, &"items".into()).unwrap_or_default();
    let length = Reflect::get(&items, &"length".into()).ok().and_then(|length| length.as_f64()).unwrap_or_default();
    let entries: Vec<JsValue> = (0..length as u32)
        .filter_map(|index| Reflect::get_u32(&items, index).ok())
        .filter_map(|item| call(&item, "webkitGetAsEntry", &[]))
        .filter(|entry| entry.is_object())
        .collect();
    async move {
        let has_folder = entries.iter().any(|entry| is(entry, "isDirectory"));
        if !has_folder {
            return plain;
        }
        let mut files = Vec::new();
        let mut waiting = entries;
        while let Some(entry) = waiting.pop() {
            if files.len() >= MOST_FILES {
                break;
            }
            if is(&entry, "isDirectory") {
                waiting.extend(children_of(&entry).await);
            } else if let Some(file) = answered(&entry, "file").await {
                let file = file.unchecked_into::<web_sys::File>();
                if file.name().starts_with('.') {
                    continue;
                }
                let path = Reflect::get(&entry, &"fullPath".into()).ok().and_then(|path| path.as_string());
                note_path(&file, &path.unwrap_or_default());
                files.push(file);
            }
        }
        files.sort_by_cached_key(path_of);
        files
    }
}

/// What is in a folder: the browser hands it over in parts, and an empty part is the end.
async fn children_of(folder: &JsValue) -> Vec<JsValue> {
    let mut children = Vec::new();
    let Some(reader) = call(folder, "createReader", &[]) else { return children };
    while children.len() < MOST_FILES {
        let part = answered(&reader, "readEntries").await.map(|part| Array::from(&part)).unwrap_or_default();
        if part.length() == 0 {
            break;
        }
        children.extend(part);
    }
    children
}

fn is(object: &JsValue, property: &str) -> bool {
    Reflect::get(object, &property.into()).is_ok_and(|value| value.is_truthy())
}

fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Option<JsValue> {
    let method: Function = Reflect::get(object, &method.into()).ok()?.dyn_into().ok()?;
    method.apply(object, &arguments.iter().collect()).ok()
}

/// What a method answers that takes two callbacks: one for the answer, one for a failure.
async fn answered(object: &JsValue, method: &str) -> Option<JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        let failed = Closure::once_into_js(move |_: JsValue| {
            let _ = reject.call0(&JsValue::UNDEFINED);
        });
        call(object, method, &[resolve.into(), failed]);
    });
    JsFuture::from(promise).await.ok()
}
