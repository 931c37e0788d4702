//! Adapters in the model's panel: the one in use, those that are kept, and a way to bring one.

use candor::protocol::{AdapterInfo, StorageReport};
use leptos::prelude::*;

use super::file_drop::{DropArea, FilePicker};
use super::notice::{Caution, NoticeBox};
use super::term::Term;
use crate::session::session;
use crate::state::format;
use crate::state::notice::sentence;

/// The section about adapters; there is none without a model.
#[component]
pub fn AdapterSection() -> impl IntoView {
    let session = session();
    let has_model = Memo::new(move |_| session.model.with(Option::is_some));
    view! {
        <Show when=move || has_model.get()>
            <section class="stack section-line" data-testid="adapter-section">
                <h3><Term id="adapter">"Adapter"</Term></h3>
                <p class="small soft">
                    "What fine-tuning has learnt about one task, applied beside the model and taken off again in a moment. \
                     candor finetune makes one; so does Python's PEFT library."
                </p>
                {move || match session.adapter() {
                    Some(adapter) => view! { <InUse adapter=adapter/> }.into_any(),
                    None => view! { <p data-testid="no-adapter">"None is in use: this is the model as it is."</p> }.into_any(),
                }}
                <p role="status" class="small soft" hidden=move || !session.is_adapting()>"Applying…"</p>
                {move || {
                    session
                        .adapter_notice
                        .get()
                        .map(|notice| {
                            view! {
                                <NoticeBox
                                    notice=notice
                                    testid="adapter-error"
                                    on_way=move |_| ()
                                    on_dismiss=move |()| session.adapter_notice.set(None)
                                />
                            }
                        })
                }}
                {move || session.storage.get().map(|storage| view! { <KeptAdapters storage=storage/> })}
                <DropArea class="stack" testid="adapter-drop" on_files=move |files| session.use_adapter_files(files)>
                    <FilePicker
                        id="adapter-file"
                        label="adapter.gguf, or adapter_config.json with adapter_model.safetensors: choose, or drop here"
                        accept=".gguf,.json,.safetensors"
                        multiple=true
                        testid="adapter-file"
                        on_files=move |files| session.use_adapter_files(files)
                    />
                    <FilePicker
                        id="adapter-folder"
                        label="Or the folder that holds them"
                        folder=true
                        testid="adapter-folder"
                        on_files=move |files| session.use_adapter_files(files)
                    />
                </DropArea>
            </section>
        </Show>
    }
}

#[component]
fn InUse(
    /// The adapter.
    adapter: AdapterInfo,
) -> impl IntoView {
    let session = session();
    let not_kept = adapter.kept.clone().err();
    let known = adapter.base_sha256.is_some();
    let layers = format::counted(adapter.layers as u64, "layer");
    view! {
        <dl class="details" data-testid="adapter-details">
            <dt>"In use"</dt>
            <dd><strong>{adapter.name.clone()}</strong></dd>
            <dt>"Size"</dt>
            <dd>
                {format::bytes(adapter.bytes)} ", " {format::millions(adapter.parameters)} " trained weights: rank "
                {adapter.rank} " in " {layers}
            </dd>
            <dt>"Made for"</dt>
            <dd>
                {if known {
                    "this very model file"
                } else {
                    "a model of this shape; it does not say which, so that could not be checked"
                }}
            </dd>
            <dt>"SHA-256"</dt>
            <dd><code class="small">{adapter.sha256.clone()}</code></dd>
        </dl>
        {not_kept
            .map(|reason| {
                view! {
                    <Caution testid="adapter-not-kept">
                        <p>"Not kept for the next visit: " {sentence(&reason)}</p>
                    </Caution>
                }
            })}
        <div class="buttons">
            <button
                type="button"
                class="button button-small"
                id="remove-adapter"
                disabled=move || session.is_adapting()
                on:click=move |_| session.put_adapter_away()
            >
                "Take it off"
            </button>
        </div>
    }
}

#[component]
fn KeptAdapters(
    /// What is kept.
    storage: StorageReport,
) -> impl IntoView {
    let session = session();
    let loaded = session.model.with(|model| model.as_ref().map(|model| model.sha256.clone()));
    let rows = storage
        .adapters
        .into_iter()
        .map(|adapter| {
            let AdapterInfo { name, sha256, bytes, model_sha256, .. } = adapter;
            let here = loaded.as_ref() == Some(&model_sha256);
            let in_use = session.adapter_sha256().as_ref() == Some(&sha256);
            let (use_label, label) = (format!("Use {name}"), format!("Remove {name} from this device"));
            let wanted = sha256.clone();
            view! {
                <li data-testid="kept-adapter">
                    <span>{name} " " <span class="soft">{format::bytes(bytes)}</span></span>
                    <span class="buttons">
                        {match (in_use, here) {
                            (true, _) => view! { <span class="tag">"in use"</span> }.into_any(),
                            (false, false) => view! { <span class="tag">"for another model"</span> }.into_any(),
                            (false, true) => {
                                view! {
                                    <button
                                        type="button"
                                        class="button button-small"
                                        aria-label=use_label
                                        on:click=move |_| session.use_kept_adapter(wanted.clone())
                                    >
                                        "Use"
                                    </button>
                                }
                                    .into_any()
                            }
                        }}
                        <button
                            type="button"
                            class="button button-small button-danger"
                            aria-label=label
                            on:click=move |_| session.forget_adapter(sha256.clone())
                        >
                            "Remove"
                        </button>
                    </span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="rows">{rows}</ul> }
}
