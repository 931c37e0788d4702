//! The panel behind the model chip: particulars, what is stored, other models.

use candor::protocol::{ModelInfo, StorageReport};
use leptos::prelude::*;

use super::adapter_panel::AdapterSection;
use super::dialog::Dialog;
use super::model_sources::ModelSources;
use super::notice::{Caution, NoticeBox};
use super::term::Term;
use super::workers::WorkersField;
use crate::models;
use crate::session::{Engine, session};
use crate::state::format;
use crate::state::notice::sentence;
use crate::state::place::Place;

/// The panel.
#[component]
pub fn ModelPanel() -> impl IntoView {
    let session = session();
    view! {
        <Dialog id="model-panel" open=session.model_panel title="Model">
            {move || match session.model.get() {
                Some(model) => view! { <Particulars model=model/> }.into_any(),
                None => view! { <p>"No model is loaded."</p> }.into_any(),
            }}
            <AdapterSection/>
            <section class="stack section-line">
                <WorkersField id="panel-workers"/>
                <p class="small">
                    <a href=Place::Speed.hash() data-testid="go-speed" on:click=move |_| session.model_panel.set(false)>
                        "How fast is it on this device?"
                    </a>
                </p>
            </section>
            <section class="stack section-line">
                <h3>"Kept on this device"</h3>
                {move || match session.storage.get() {
                    Some(storage) => view! { <Storage storage=storage/> }.into_any(),
                    None => view! { <p class="soft">"Looking…"</p> }.into_any(),
                }}
                {move || {
                    session
                        .storage_notice
                        .get()
                        .map(|notice| {
                            view! {
                                <NoticeBox
                                    notice=notice
                                    testid="storage-error"
                                    on_way=move |_| session.ask_storage()
                                />
                            }
                        })
                }}
            </section>
            <section class="stack section-line">
                <h3>"Use another model"</h3>
                <Show when=move || {
                    session.model.with(|model| model.as_ref().is_none_or(|model| model.sha256 != models::DEFAULT.sha256))
                }>
                    <button
                        type="button"
                        class="button"
                        data-testid="load-default"
                        disabled=move || session.engine.get() != Engine::Up
                        on:click=move |_| session.load_default()
                    >
                        {models::DEFAULT.title} " · " {format::bytes(models::DEFAULT.bytes)}
                    </button>
                </Show>
                <ModelSources prefix="panel"/>
            </section>
        </Dialog>
    }
}

#[component]
fn Particulars(
    /// The model in use.
    model: ModelInfo,
) -> impl IntoView {
    let not_kept = model.kept.clone().err();
    let origin = if model.from_cache { "from this device's storage" } else { "freshly fetched" };
    view! {
        <dl class="details" data-testid="model-details">
            <dt>"Name"</dt>
            <dd>{models::title(&model.name).to_owned()}</dd>
            <dt>"Size"</dt>
            <dd>
                {format::bytes(model.bytes)} ", " {format::millions(model.parameters)} " weights in "
                <Term id="quantization">{model.quantization.clone()}</Term>
            </dd>
            <dt>"Runs on"</dt>
            <dd>
                <Term id="backend">{model.backend.clone()}</Term> ", "
                {format::counted(model.threads as u64, "thread")} <br/>
                <span class="small soft">{model.backend_reason.clone()}</span>
            </dd>
            <dt>"Ready after"</dt>
            <dd>{format::duration(model.load_seconds)} ", " {origin}</dd>
            <dt>"Shape"</dt>
            <dd>
                {model.architecture.clone()} ", " {model.layers} " layers, width " {model.width} ", "
                {format::count(model.vocabulary as u64)} " tokens in the vocabulary"
            </dd>
            <dt><Term id="context">"Reads at most"</Term></dt>
            <dd>{format::counted(model.context as u64, "token")}</dd>
            <dt><Term id="chat">"Chat template"</Term></dt>
            <dd>{if model.chat_template { "yes" } else { "none: tasks with chat cannot be used" }}</dd>
            <dt>"SHA-256"</dt>
            <dd><code class="small">{model.sha256.clone()}</code></dd>
        </dl>
        {not_kept
            .map(|reason| {
                view! {
                    <Caution testid="not-kept">
                        <p class="notice-title">"Not kept for the next visit"</p>
                        <p>{sentence(&reason)}</p>
                    </Caution>
                }
            })}
    }
}

#[component]
fn Storage(
    /// What is kept.
    storage: StorageReport,
) -> impl IntoView {
    let session = session();
    if !storage.available {
        return view! {
            <p>
                "This browser gives pages no folder of their own ("
                <Term id="storage">"origin-private file system"</Term>
                "), perhaps because the window is private. Everything works, but the model is fetched on every visit."
            </p>
        }
        .into_any();
    }
    let use_of_space = match (storage.used, storage.quota) {
        (Some(used), Some(quota)) => Some(format!("{} of about {} in use.", format::bytes(used), format::bytes(quota))),
        (Some(used), None) => Some(format!("{} in use.", format::bytes(used))),
        _ => None,
    };
    let rows = storage
        .models
        .iter()
        .map(|(file, bytes)| {
            let name = file.clone();
            let use_name = file.clone();
            let label = format!("Remove {file} from this device");
            let use_label = format!("Use {file}");
            let in_use = session.model.with(|model| {
                model.as_ref().is_some_and(|model| {
                    model.name == *file || (model.sha256 == models::DEFAULT.sha256 && file == models::DEFAULT.file)
                })
            });
            view! {
                <li data-testid="kept-model">
                    <span>{file.clone()} " " <span class="soft">{format::bytes(*bytes)}</span></span>
                    <span class="buttons">
                        {if in_use {
                            view! { <span class="tag">"in use"</span> }.into_any()
                        } else {
                            view! {
                                <button
                                    type="button"
                                    class="button button-small"
                                    aria-label=use_label
                                    on:click=move |_| session.load_kept_file(use_name.clone())
                                >
                                    "Use"
                                </button>
                            }
                                .into_any()
                        }}
                        <button
                            type="button"
                            class="button button-small button-danger"
                            aria-label=label
                            on:click=move |_| session.forget(name.clone())
                        >
                            "Remove"
                        </button>
                    </span>
                </li>
            }
        })
        .collect_view();
    view! {
        {if storage.models.is_empty() {
            view! { <p class="soft">"Nothing yet."</p> }.into_any()
        } else {
            view! { <ul class="rows">{rows}</ul> }.into_any()
        }}
        <p class="small soft">{use_of_space} " Only this page can read it."</p>
    }
    .into_any()
}
