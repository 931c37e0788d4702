//! The few things the page asks of the browser itself, each answered with nothing where the browser refuses.

use wasm_bindgen::JsCast;

use crate::pool::capacity::Device;

/// What is kept of one visit for the next, on this device only (`localStorage`).
pub mod keep {
    /// Edits of tasks and own tasks.
    pub const TASKS: &str = "candor.tasks";
    /// Saved tasks that this version could not read, kept aside.
    pub const TASKS_UNREADABLE: &str = "candor.tasks.unreadable";
    /// There is an open project.
    pub const PROJECT: &str = "candor.project";
    /// Light, dark or as the system has it.
    pub const THEME: &str = "candor.theme";
    /// The file name of the model that was used last.
    pub const MODEL: &str = "candor.model";
    /// SHA-256 of the model and of the adapter that was applied beside it last.
    pub const ADAPTER: &str = "candor.adapter";
    /// How many workers a person wants jobs to be done with.
    pub const WORKERS: &str = "candor.workers";
}

/// What is kept for a reload of the same tab (`sessionStorage`): it goes when the tab is closed.
pub mod keep_in_tab {
    /// The text in the box.
    pub const TEXT: &str = "candor.text";
    /// An address whose model is to be loaded after the reload that allowed its host.
    pub const PENDING_URL: &str = "candor.pending-url";
}

/// The window.
pub fn window() -> Option<web_sys::Window> {
    web_sys::window()
}

/// What the browser says of the device. Browsers without `deviceMemory` say nothing of the memory.
pub fn device() -> Device {
    let Some(navigator) = window().map(|window| window.navigator()) else {
        return Device { processors: 1, memory: None };
    };
    let gigabytes = js_sys::Reflect::get(&navigator, &"deviceMemory".into()).ok().and_then(|value| value.as_f64());
    Device {
        processors: navigator.hardware_concurrency() as usize,
        memory: gigabytes.map(|count| (count * (1_u64 << 30) as f64) as u64),
    }
}

/// The document.
pub fn document() -> Option<web_sys::Document> {
    window()?.document()
}

fn storage(in_tab: bool) -> Option<web_sys::Storage> {
    let window = window()?;
    if in_tab { window.session_storage() } else { window.local_storage() }.ok()?
}

/// Reads what was kept under this key.
pub fn kept(key: &str) -> Option<String> {
    storage(false)?.get_item(key).ok()?
}

/// Keeps a value for the next visit; answers whether the browser did.
pub fn keep_value(key: &str, value: &str) -> bool {
    storage(false).is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// Forgets what was kept under this key.
pub fn forget_value(key: &str) {
    if let Some(storage) = storage(false) {
        // Where nothing can be removed, nothing was kept.
        let _ = storage.remove_item(key);
    }
}

/// Reads what was kept for this tab.
pub fn kept_in_tab(key: &str) -> Option<String> {
    storage(true)?.get_item(key).ok()?
}

/// Keeps a value for this tab; an empty one is removed.
pub fn keep_value_in_tab(key: &str, value: &str) {
    if let Some(storage) = storage(true) {
        // A full storage only costs the text after a reload; typing must not be disturbed by it.
        let _ = if value.is_empty() { storage.remove_item(key) } else { storage.set_item(key, value) };
    }
}

/// The part of the address that names the place.
pub fn hash() -> String {
    window().and_then(|window| window.location().hash().ok()).unwrap_or_default()
}

/// The switches in the address: `?a=b&c=d`.
pub fn search() -> String {
    window().and_then(|window| window.location().search().ok()).unwrap_or_default()
}

/// Sets the window's title.
pub fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(title);
    }
}

/// Moves the keyboard's focus to the element with this id.
pub fn focus(id: &str) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id))
        && let Ok(element) = element.dyn_into::<web_sys::HtmlElement>()
    {
        let _ = element.focus();
    }
}

/// Moves the keyboard's focus to the element with this id where nothing has it: what had it is gone from the page.
pub fn focus_if_lost(id: &str) {
    let lost = document().is_some_and(|document| {
        document.active_element().is_none_or(|element| element.tag_name().eq_ignore_ascii_case("body"))
    });
    if lost {
        focus(id);
    }
}

/// Brings the element with this id into view and focuses it.
pub fn show_element(id: &str) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
        element.scroll_into_view();
    }
    focus(id);
}

/// Selects part of the text area with this id, counted in UTF-16 units, and scrolls to it.
pub fn select_in_text(id: &str, start: u32, end: u32) {
    let area = document()
        .and_then(|document| document.get_element_by_id(id))
        .and_then(|element| element.dyn_into::<web_sys::HtmlTextAreaElement>().ok());
    if let Some(area) = area {
        let _ = area.focus();
        let _ = area.set_selection_range(start, end);
        // A browser scrolls to the caret only when something is typed; the height of the text says where it is.
        let length = area.value().encode_utf16().count().max(1);
        let height = f64::from(area.scroll_height()) * f64::from(start) / length as f64;
        area.set_scroll_top((height as i32 - area.client_height() / 2).max(0));
    }
}

/// Removes everything that the browser keeps for this page outside the private file system: what is kept by key, and
/// the site's own files for use without a network.
pub async fn forget_everything() {
    for in_tab in [false, true] {
        if let Some(storage) = storage(in_tab) {
            let _ = storage.clear();
        }
    }
    let called = |object: &wasm_bindgen::JsValue, method: &str, argument: &wasm_bindgen::JsValue| {
        let method: js_sys::Function = js_sys::Reflect::get(object, &method.into()).ok()?.dyn_into().ok()?;
        method.call1(object, argument).ok()
    };
    let settled = async |promise: Option<wasm_bindgen::JsValue>| {
        let promise: js_sys::Promise = promise?.dyn_into().ok()?;
        wasm_bindgen_futures::JsFuture::from(promise).await.ok()
    };
    // Where the browser has neither, nothing is kept there.
    let nothing = wasm_bindgen::JsValue::UNDEFINED;
    let caches = js_sys::Reflect::get(&js_sys::global(), &"caches".into()).unwrap_or_default();
    if let Some(names) = settled(called(&caches, "keys", &nothing)).await {
        for name in js_sys::Array::from(&names) {
            settled(called(&caches, "delete", &name)).await;
        }
    }
    let workers = window()
        .and_then(|window| js_sys::Reflect::get(&window.navigator(), &"serviceWorker".into()).ok())
        .unwrap_or_default();
    if let Some(registrations) = settled(called(&workers, "getRegistrations", &nothing)).await {
        for registration in js_sys::Array::from(&registrations) {
            settled(called(&registration, "unregister", &nothing)).await;
        }
    }
}

/// Lets the browser draw and hear the person; goes on after so many milliseconds, or at once where there is no window.
pub async fn pause(milliseconds: i32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let set = window().and_then(|window| {
            window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).ok()
        });
        if set.is_none() {
            let _ = resolve.call0(&wasm_bindgen::JsValue::UNDEFINED);
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// Loads the page anew at its first place.
pub fn go_to_beginning() {
    if let Some(window) = window() {
        let _ = window.location().set_hash("");
        reload();
    }
}

/// Loads the page anew.
pub fn reload() {
    if let Some(window) = window() {
        let _ = window.location().reload();
    }
}

/// Adds rules to the page's style. The page's policy forbids style elements, but not this way, which no markup can take.
pub fn adopt_stylesheet(css: &str) {
    let sheet = || {
        let class: js_sys::Function =
            js_sys::Reflect::get(&js_sys::global(), &"CSSStyleSheet".into()).ok()?.dyn_into().ok()?;
        let sheet = js_sys::Reflect::construct(&class, &js_sys::Array::new()).ok()?;
        let replace: js_sys::Function = js_sys::Reflect::get(&sheet, &"replaceSync".into()).ok()?.dyn_into().ok()?;
        replace.call1(&sheet, &css.into()).ok()?;
        let sheets = js_sys::Array::of1(&sheet);
        js_sys::Reflect::set(&document()?.into(), &"adoptedStyleSheets".into(), &sheets).ok()
    };
    // Browsers without it show the pictures in black on white.
    let _ = sheet();
}

/// Hands a picture to the person as a PNG file, twice as fine as its own size.
pub async fn save_png(name: &str, svg: &str) -> Option<()> {
    const SCALE: f64 = 2.0;
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("image/svg+xml");
    let parts = js_sys::Array::of1(&svg.into());
    let blob = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options).ok()?;
    let url = web_sys::Url::create_object_url_with_blob(&blob).ok()?;
    let image = web_sys::HtmlImageElement::new().ok()?;
    image.set_src(&url);
    let decoded = wasm_bindgen_futures::JsFuture::from(image.decode()).await;
    let _ = web_sys::Url::revoke_object_url(&url);
    decoded.ok()?;
    let canvas: web_sys::HtmlCanvasElement = document()?.create_element("canvas").ok()?.dyn_into().ok()?;
    let (width, height) = (f64::from(image.natural_width()) * SCALE, f64::from(image.natural_height()) * SCALE);
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_html_image_element_and_dw_and_dh(&image, 0.0, 0.0, width, height).ok()?;
    save_url(name, &canvas.to_data_url().ok()?)
}

/// Hands a text to the person as a file.
pub fn save_file(name: &str, contents: &str) -> Option<()> {
    save_parts(name, &[contents])
}

/// Hands a text to the person as a file, given in parts.
pub fn save_parts(name: &str, parts: &[impl AsRef<str>]) -> Option<()> {
    let parts: js_sys::Array = parts.iter().map(|part| wasm_bindgen::JsValue::from_str(part.as_ref())).collect();
    let blob = web_sys::Blob::new_with_str_sequence(&parts).ok()?;
    let url = web_sys::Url::create_object_url_with_blob(&blob).ok()?;
    save_url(name, &url)?;
    web_sys::Url::revoke_object_url(&url).ok()
}

fn save_url(name: &str, url: &str) -> Option<()> {
    let link: web_sys::HtmlAnchorElement = document()?.create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(url);
    link.set_download(name);
    link.click();
    Some(())
}
