//! The runs of the project: which take part, and what they are ranked by; and how another one is made.

use std::sync::Arc;

use candor::stats::metrics::criterion::Criterion;
use leptos::prelude::*;

use super::probe::ProbeTraining;
use crate::browser;
use crate::components::evaluate::run::RunCard;
use crate::session::session;
use crate::session::study::study;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::runs::Run;
use crate::state::format;

/// The list of runs.
#[component]
pub fn RunList() -> impl IntoView {
    let study = study();
    let listed = Memo::new(move |_| {
        study.runs.with(|runs| runs.names().into_iter().zip(runs.list().iter().cloned()).collect::<Vec<_>>())
    });
    view! {
        <section class="card" aria-labelledby="runs-title" data-testid="runs">
            <h2 id="runs-title">"What these rows were read with"</h2>
            {move || {
                let listed = listed.get();
                if listed.is_empty() {
                    return view! {
                        <p class="soft" data-testid="no-runs">
                            "Nothing yet. Have the model read the rows, then read them again with an adapter, another task \
                             or a probe: each becomes a run here."
                        </p>
                    }
                        .into_any();
                }
                let alone = listed.len() == 1;
                let rows = listed.into_iter().map(|(name, run)| view! { <RunRow name=name run=run/> }).collect_view();
                view! {
                    <ul class="rows">{rows}</ul>
                    {alone
                        .then(|| {
                            view! {
                                <p class="soft" data-testid="one-run">
                                    "One run so far. It takes a second one, on the same rows, to compare."
                                </p>
                            }
                        })}
                    <RankedBy/>
                }
                    .into_any()
            }}
            <ProbeTraining/>
        </section>
    }
}

#[component]
fn RunRow(
    /// Its name.
    name: String,
    /// The run.
    run: Run,
) -> impl IntoView {
    let study = study();
    let id = run.id();
    let (checked, chosen, removed) = (id.clone(), id.clone(), id.clone());
    let label = format!("Remove {name} from the list");
    view! {
        <li data-testid="run" data-run=name.clone()>
            <label class="switch run-choice">
                <input
                    type="checkbox"
                    prop:checked=move || study.runs.with(|runs| runs.takes_part(&checked))
                    on:change=move |event| {
                        study.runs.update(|runs| runs.set_part(&chosen, event_target_checked(&event)));
                    }
                />
                <span>
                    <strong>{name.clone()}</strong>
                    <span class="small soft run-made-of">{run.made_of()}</span>
                </span>
            </label>
            <button
                type="button"
                class="button button-small button-quiet"
                aria-label=label
                on:click=move |_| study.remove_run(&removed)
            >
                "Remove"
            </button>
        </li>
    }
}

#[component]
fn RankedBy() -> impl IntoView {
    let study = study();
    view! {
        <div class="choice-row">
            <div class="field">
                <label for="compare-by">"Ranked by"</label>
                <select
                    class="select"
                    id="compare-by"
                    prop:value=move || study.runs.with(|runs| runs.by.metric())
                    on:change=move |event| {
                        let value = event_target_value(&event);
                        if let Some(by) = Criterion::ALL.into_iter().find(|by| by.metric() == value) {
                            study.runs.update(|runs| runs.by = by);
                        }
                    }
                >
                    {Criterion::ALL
                        .map(|by| {
                            let chosen = move || study.runs.with(|runs| runs.by == by);
                            view! { <option value=by.metric() prop:selected=chosen>{by.title()}</option> }
                        })
                        .collect_view()}
                </select>
            </div>
            <div class="field">
                <label for="compare-threshold">"Automated from (%)"</label>
                <input
                    class="input"
                    type="number"
                    id="compare-threshold"
                    min="0"
                    max="100"
                    step="0.1"
                    prop:value=move || format!("{:.1}", study.threshold.get() * 100.0)
                    on:change=move |event| {
                        if let Ok(percentage) = event_target_value(&event).parse::<f64>()
                            && (0.0..=100.0).contains(&percentage)
                        {
                            study.threshold.set(percentage / 100.0);
                        }
                    }
                />
            </div>
        </div>
    }
}

/// Which adapter is in use, and the button that has the rows read with it.
#[component]
pub fn AnotherRun(
    /// The rows.
    material: Arc<Material>,
) -> impl IntoView {
    view! {
        <div class="column">
            <RunCard material=material prefix="compare-"/>
            <AdapterChoice/>
        </div>
    }
}

#[component]
fn AdapterChoice() -> impl IntoView {
    let session = session();
    let kept = Memo::new(move |_| {
        let model = session.model.with(|model| model.as_ref().map(|model| model.sha256.clone()));
        let storage = session.storage.get().unwrap_or_default();
        let here = storage.adapters.into_iter().filter(|adapter| Some(&adapter.model_sha256) == model.as_ref());
        // One that could not be kept is in use all the same.
        let mut all: Vec<(String, String)> = here.map(|adapter| (adapter.sha256, adapter.name)).collect();
        if let Some(adapter) = session.adapter().filter(|adapter| all.iter().all(|(known, _)| *known != adapter.sha256))
        {
            all.push((adapter.sha256, adapter.name));
        }
        all
    });
    view! {
        <Show when=move || session.model.with(Option::is_some)>
            <section class="card" aria-labelledby="adapter-choice-title">
                <h2 id="adapter-choice-title">"Read with or without an adapter"</h2>
                <div class="choice-row">
                    <div class="field">
                        <label for="compare-adapter">"Beside the model"</label>
                        <select
                            class="select"
                            id="compare-adapter"
                            disabled=move || session.is_adapting()
                            on:change=move |event| match event_target_value(&event) {
                                none if none.is_empty() => session.put_adapter_away(),
                                sha256 => session.use_kept_adapter(sha256),
                            }
                        >
                            <option value="" prop:selected=move || session.adapter_sha256().is_none()>
                                "no adapter: the model as it is"
                            </option>
                            {move || {
                                kept.get()
                                    .into_iter()
                                    .map(|(sha256, name)| {
                                        let value = sha256.clone();
                                        view! {
                                            <option
                                                value=value
                                                prop:selected=move || session.adapter_sha256().as_ref() == Some(&sha256)
                                            >
                                                {name}
                                            </option>
                                        }
                                    })
                                    .collect_view()
                            }}
                        </select>
                    </div>
                    <button
                        type="button"
                        class="button"
                        id="compare-bring-adapter"
                        on:click=move |_| {
                            session.choose_model();
                            request_animation_frame(|| browser::show_element("adapter-file"));
                        }
                    >
                        "Bring one"
                    </button>
                </div>
                {move || {
                    session
                        .adapter()
                        .map(|adapter| {
                            view! {
                                <p class="small soft">
                                    {format!("{} is applied to everything on this page.", adapter.name)}
                                    " " {format::millions(adapter.parameters)} " trained weights."
                                </p>
                            }
                        })
                }}
            </section>
        </Show>
    }
}
