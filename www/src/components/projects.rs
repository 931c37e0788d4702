//! The open project's name, and the panel of all projects: what is kept on this device, and how it goes.

use leptos::prelude::*;

use super::confirm::ConfirmButton;
use super::dialog::Dialog;
use super::evaluate::data_source::ReadState;
use super::file_drop::FilePicker;
use crate::browser;
use crate::session::session;
use crate::session::study::study;
use crate::state::evaluation::project::Entry;
use crate::state::format;
use crate::state::notice::sentence;

/// The open project's name, and what can be done with it as a whole.
#[component]
pub fn ProjectBar(
    /// Makes ids unique: this stands in two places.
    prefix: &'static str,
    /// Whether the panel of all projects is open.
    panel: RwSignal<bool>,
) -> impl IntoView {
    let study = study();
    let current = Memo::new(move |_| study.index.with(|index| index.current().cloned()));
    let failed = RwSignal::new(false);
    let id = move |name: &str| format!("{prefix}-{name}");
    let others = move || study.index.with(|index| !index.projects.is_empty());
    view! {
        <div class="project-bar" hidden=move || !others() && current.with(Option::is_none)>
            {move || {
                current
                    .get()
                    .map(|entry| {
                        let Entry { id: own, name, rows } = entry;
                        view! {
                            <div class="field project-name">
                                <label for=id("project-name")>
                                    "Project · " {format::counted(rows as u64, "row")}
                                </label>
                                <input
                                    class="input"
                                    id=id("project-name")
                                    maxlength="80"
                                    prop:value=name
                                    on:change=move |event| study.rename_project(&own, &event_target_value(&event))
                                />
                            </div>
                        }
                    })
            }}
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id=id("projects")
                    on:click=move |_| {
                        study.ask_usage();
                        panel.set(true);
                    }
                >
                    "All projects"
                </button>
                <Show when=move || current.with(Option::is_some)>
                    <button
                        type="button"
                        class="button button-small"
                        id=id("export-project")
                        on:click=move |_| {
                            wasm_bindgen_futures::spawn_local(async move {
                                let made = study.portable().await;
                                let saved = made.and_then(|(name, parts)| browser::save_parts(&name, &parts));
                                failed.set(saved.is_none());
                            });
                        }
                    >
                        "Take this project home"
                    </button>
                    <button
                        type="button"
                        class="button button-small"
                        id=id("new-project")
                        on:click=move |_| study.put_away()
                    >
                        "New project"
                    </button>
                </Show>
            </div>
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
        </div>
        {move || {
            study
                .unreadable
                .get()
                .map(|error| {
                    let help = error.help.clone().unwrap_or_default();
                    view! {
                        <div class="notice" role="alert" data-testid="project-unreadable">
                            <p class="notice-title">"This project's rows are not here"</p>
                            <p>{sentence(&error.message)} " " {sentence(&help)}</p>
                        </div>
                    }
                })
        }}
    }
}

/// All projects of this device.
#[component]
pub fn ProjectsPanel(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let (session, study) = (session(), study());
    let usage = move || {
        let files = study.usage.get().unwrap_or_default();
        let studies: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let models = session.storage.with(|storage| {
            storage.as_ref().map_or(0, |storage| storage.models.iter().map(|(_, bytes)| bytes).sum::<u64>())
        });
        format!("{} of projects and scores, {} of models.", format::bytes(studies), format::bytes(models))
    };
    let on_files = Callback::new(move |files: Vec<web_sys::File>| {
        if let Some(file) = files.into_iter().next() {
            study.import_project(file);
        }
    });
    view! {
        <Dialog id="projects-panel" open=open title="Projects on this device">
            {move || {
                let projects = study.index.with(|index| index.projects.clone());
                if projects.is_empty() {
                    return view! { <p class="soft">"None yet. Bring data, and it becomes one."</p> }.into_any();
                }
                let rows = projects.into_iter().map(|entry| view! { <ProjectRow entry=entry panel=open/> }).collect_view();
                view! { <ul class="rows">{rows}</ul> }.into_any()
            }}
            <section class="stack section-line">
                <FilePicker
                    id="import-project"
                    label="Bring a project from another machine"
                    accept=".json"
                    on_files=on_files
                />
                <ReadState/>
            </section>
            <section class="stack section-line">
                <h3>"Storage"</h3>
                <p data-testid="storage-use">{usage} " Only this page can read it."</p>
                <p class="small soft">
                    "Erasing removes all projects, labels, scores, calibrators, tasks of your own, models and settings from \
                     this device, and the page's copy for use without a network."
                </p>
                <div class="buttons">
                    <ConfirmButton
                        id="erase-everything"
                        words="Erase everything"
                        question="Really erase everything? Nothing can bring it back."
                        on_sure=move |()| study.erase_everything()
                    />
                    <span role="status" hidden=move || study.erasing.with(Option::is_none)>"Erasing…"</span>
                </div>
            </section>
        </Dialog>
    }
}

#[component]
fn ProjectRow(
    /// The project.
    entry: Entry,
    /// Whether the panel is open.
    panel: RwSignal<bool>,
) -> impl IntoView {
    let study = study();
    let Entry { id, name, rows } = entry;
    let open = {
        let id = id.clone();
        Memo::new(move |_| study.index.with(|index| index.open.as_ref() == Some(&id)))
    };
    let (chosen, removed, button) = (id.clone(), id.clone(), format!("delete-project-{id}"));
    let about = name.clone();
    view! {
        <li data-testid="project" data-project=id>
            <span>
                {name.clone()} " " <span class="soft">{format::counted(rows as u64, "row")}</span>
            </span>
            <span class="buttons">
                <Show
                    when=move || !open.get()
                    fallback=|| view! { <span class="tag">"open"</span> }
                >
                    {
                        let chosen = chosen.clone();
                        let label = format!("Open {name}");
                        view! {
                            <button
                                type="button"
                                class="button button-small"
                                aria-label=label
                                data-testid="open-project"
                                on:click=move |_| {
                                    study.open_project(&chosen);
                                    panel.set(false);
                                }
                            >
                                "Open"
                            </button>
                        }
                    }
                </Show>
                <ConfirmButton
                    id=button
                    words="Delete"
                    question="Really delete it, with its labels?"
                    about=about
                    on_sure=move |()| study.remove_project(&removed)
                />
            </span>
        </li>
    }
}
