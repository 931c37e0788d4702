//! Other models: a file of this device, picked or dropped, or an address.

use leptos::prelude::*;

use super::file_drop::{DropArea, FilePicker};
use crate::session::session;
use crate::state::network::model_host;

/// A file picker that also takes drops, and a field for an address.
#[component]
pub fn ModelSources(
    /// Makes ids unique: this stands in two places.
    prefix: &'static str,
) -> impl IntoView {
    let session = session();
    let wrong = RwSignal::new(None::<String>);
    let take = Callback::new(move |files: Vec<web_sys::File>| {
        let Some(file) = files.first() else { return };
        if !file.name().to_ascii_lowercase().ends_with(".gguf") {
            wrong.set(Some(format!(
                "“{}” is no GGUF file. Choose a file whose name ends in .gguf; other formats have to be converted first.",
                file.name()
            )));
            return;
        }
        wrong.set(None);
        session.load_file(file);
    });
    let id = move |name: &str| format!("{prefix}-{name}");
    view! {
        <DropArea class="stack" testid="model-drop" on_files=take>
            <FilePicker
                id=id("model-file")
                label="A GGUF file of a Llama-type model: choose it, or drop it here"
                accept=".gguf"
                testid="model-file"
                described_by=id("model-file-wrong")
                on_files=take
            />
            <p class="wrong" id=id("model-file-wrong") role="alert" data-testid="model-file-wrong">
                {move || wrong.get()}
            </p>
            <UrlForm prefix=prefix/>
        </DropArea>
    }
}

#[component]
fn UrlForm(prefix: &'static str) -> impl IntoView {
    let session = session();
    let url = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let asks = RwSignal::new(false);
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let address = url.get_untracked();
        match session.url_is_allowed(&address) {
            Err(message) => wrong.set(Some(message.to_owned())),
            Ok(true) => session.load_url(&address),
            Ok(false) => asks.set(true),
        }
    };
    let id = move |name: &str| format!("{prefix}-{name}");
    view! {
        <form class="url-form" on:submit=submit novalidate>
            <div class="field">
                <label for=id("model-url")>"Or the address of one"</label>
                <input
                    class="input"
                    type="url"
                    inputmode="url"
                    autocomplete="off"
                    id=id("model-url")
                    data-testid="model-url"
                    placeholder="https://…/model.gguf"
                    aria-describedby=id("model-url-wrong")
                    aria-invalid=move || wrong.get().is_some().then_some("true")
                    prop:value=move || url.get()
                    on:input=move |event| {
                        url.set(event_target_value(&event));
                        wrong.set(None);
                        asks.set(false);
                    }
                />
            </div>
            <button type="submit" class="button" data-testid="load-url">"Load"</button>
        </form>
        <p class="wrong" id=id("model-url-wrong") role="alert">{move || wrong.get()}</p>
        <Show when=move || asks.get()>
            <AllowHost url=url/>
        </Show>
    }
}

/// Asks whether the page may talk to the host of an address, and says what that means.
#[component]
pub fn AllowHost(
    /// The address.
    #[prop(into)]
    url: Signal<String>,
) -> impl IntoView {
    let session = session();
    let host = Memo::new(move |_| model_host(&url.get()).unwrap_or_default());
    view! {
        <div class="notice notice-caution" data-testid="allow-host">
            <p class="notice-title">"Fetch the model from " {host} "?"</p>
            <p>
                "So far the browser keeps this page from reaching any other site. If you allow " {host}
                ", it sees your network address and which file you ask for, and nothing else: your texts are never \
                 sent. The page is then loaded anew; text and tasks are kept."
            </p>
            <button
                type="button"
                class="button button-small"
                data-testid="allow-host-reload"
                on:click=move |_| session.allow_and_reload(&url.get_untracked())
            >
                "Allow and reload"
            </button>
        </div>
    }
}
