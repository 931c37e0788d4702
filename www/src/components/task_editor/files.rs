//! What can be done with a task as a whole: copy, import, export, undo, delete.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;
use crate::session::session;
use crate::state::draft;

/// The buttons at the editor's end.
#[component]
pub fn Files() -> impl IntoView {
    let session = session();
    let edited = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().is_edited()));
    let own = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().is_own()));
    let chosen = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().id.clone()));
    let wrong = RwSignal::new(None::<String>);
    let sure = RwSignal::new(false);
    Effect::new(move |_| {
        chosen.track();
        sure.set(false);
    });
    let input = NodeRef::<html::Input>::new();
    let import = move |file: web_sys::File| {
        spawn_local(async move {
            let name = file.name();
            let outcome = match JsFuture::from(file.array_buffer()).await {
                Ok(buffer) => session.import_task(&name, &js_sys::Uint8Array::new(&buffer).to_vec()),
                Err(_) => Err(candor::error::Error::new(candor::error::Kind::Io, "the browser did not open the file")),
            };
            wrong.set(outcome.err().map(|error| error.to_string()));
        });
    };
    view! {
        <section class="editor-part" aria-label="This task as a whole">
            <p class="hint">
                {move || {
                    if session.tasks_are_kept.get() {
                        "Every change is kept on this device. Export the task to use it elsewhere, for example with the command line."
                    } else {
                        "This browser does not keep changes for the next visit. Export the task to keep it."
                    }
                }}
            </p>
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="copy-task"
                    on:click=move |_| session.change_shelf(|shelf| shelf.duplicate())
                >
                    "Copy"
                </button>
                <button
                    type="button"
                    class="button button-small"
                    id="export-task"
                    on:click=move |_| {
                        let task = session.shelf.with_untracked(|shelf| shelf.chosen().draft.clone());
                        let saved = browser::save_file(&draft::file_name(&task), &task.to_toml());
                        wrong.set(saved.is_none().then(|| "The browser did not save the file.".to_owned()));
                    }
                >
                    "Export"
                </button>
                <button
                    type="button"
                    class="button button-small"
                    id="import-task"
                    on:click=move |_| {
                        if let Some(input) = input.get() {
                            input.click();
                        }
                    }
                >
                    "Import"
                </button>
                <input
                    class="visually-hidden"
                    type="file"
                    accept=".toml"
                    tabindex="-1"
                    aria-label="Task file to import"
                    data-testid="task-file"
                    node_ref=input
                    on:change=move |_| {
                        if let Some(input) = input.get() {
                            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                                import(file);
                            }
                            input.set_value("");
                        }
                    }
                />
                <Show when=move || edited.get()>
                    <button
                        type="button"
                        class="button button-small button-danger"
                        id="undo-task"
                        on:click=move |_| {
                            if sure.get_untracked() {
                                session.change_shelf(|shelf| shelf.reset());
                                sure.set(false);
                            } else {
                                sure.set(true);
                            }
                        }
                    >
                        {move || if sure.get() { "Really undo all changes?" } else { "Undo all changes" }}
                    </button>
                </Show>
                <Show when=move || own.get()>
                    <button
                        type="button"
                        class="button button-small button-danger"
                        id="delete-task"
                        on:click=move |_| {
                            if sure.get_untracked() {
                                session.change_shelf(|shelf| shelf.remove());
                            } else {
                                sure.set(true);
                            }
                        }
                    >
                        {move || if sure.get() { "Really delete this task?" } else { "Delete" }}
                    </button>
                </Show>
            </div>
            <p class="wrong" role="alert" data-testid="task-file-wrong">{move || wrong.get()}</p>
        </section>
    }
}
