//! How fast the model in use is on this device, measured here and now.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;
use crate::components::notice::NoticeBox;
use crate::components::progress::{Bar, CancelButton};
use crate::components::workers::WorkersField;
use crate::session::session;
use crate::session::speed::Speed;
use crate::state::format::{self, MISSING};
use crate::state::place::Place;
use crate::state::progress::Reading;
use crate::state::speed::{Plan, Report, Run};

/// The page.
#[component]
pub fn SpeedPage() -> impl IntoView {
    let session = session();
    let speed = expect_context::<Speed>();
    let busy = Memo::new(move |_| speed.doing.with(Option::is_some));
    let ready = Memo::new(move |_| session.is_ready());
    let plan = move || {
        let most = session.workers.with_untracked(|workers| workers.map_or(1, |workers| workers.capacity.most));
        let mut plan = Plan::built_in(most);
        if let Some((name, prompts)) = speed.prompts.get_untracked() {
            plan.set_prompts(&name, prompts);
        }
        plan.obey(&browser::search());
        plan
    };
    view! {
        <header class="page-head">
            <h1>"How fast is it on this device?"</h1>
            <p class="soft">
                "Measured here, with the model in use: one short text as somebody types it, and a list of texts with one \
                 worker, two, and so on. It takes a minute or two and nothing leaves the device."
            </p>
        </header>
        <div class="columns">
            <section class="card" aria-label="What is measured">
                <PromptsField/>
                <WorkersField id="speed-workers"/>
                <div class="buttons">
                    <button
                        type="button"
                        class="button button-primary"
                        id="speed-start"
                        disabled=move || busy.get() || !ready.get()
                        on:click=move |_| speed.start(plan())
                    >
                        "Measure"
                    </button>
                    <span class="small soft" hidden=move || ready.get()>
                        "First load a model: " <a href=Place::Classify.hash()>"Classify"</a>
                    </span>
                </div>
            </section>
            <section class="card" aria-label="What came out" id="speed-result" aria-busy=move || busy.get().to_string()>
                <Show when=move || busy.get()>
                    <Measuring speed=speed/>
                </Show>
                {move || {
                    speed
                        .notice
                        .get()
                        .map(|notice| {
                            view! {
                                <NoticeBox
                                    notice=notice
                                    testid="speed-error"
                                    on_way=move |way_on| session.after_load_failure(way_on)
                                />
                            }
                        })
                }}
                {move || match speed.report.get() {
                    Some(report) => view! { <Outcome report=report/> }.into_any(),
                    None if busy.get() => ().into_any(),
                    None => view! { <p class="soft">"The figures appear here."</p> }.into_any(),
                }}
            </section>
        </div>
    }
}

/// Which prompts are measured, and a way to bring others.
#[component]
fn PromptsField() -> impl IntoView {
    let speed = expect_context::<Speed>();
    let wrong = RwSignal::new(None::<String>);
    let input = NodeRef::<html::Input>::new();
    let take = move |file: web_sys::File| {
        spawn_local(async move {
            let opened = JsFuture::from(file.array_buffer()).await;
            let bytes = opened.map(|buffer| js_sys::Uint8Array::new(&buffer).to_vec()).unwrap_or_default();
            match candor::task::read_prompts(&bytes) {
                Ok(prompts) => {
                    wrong.set(None);
                    speed.prompts.set(Some((file.name(), prompts)));
                }
                Err(error) => wrong.set(Some(error.at_file(file.name()).to_string())),
            }
        });
    };
    view! {
        <div class="field">
            <label for="speed-prompts">"Prompts"</label>
            <p class="small" data-testid="speed-source">
                {move || match speed.prompts.get() {
                    Some((name, prompts)) => format!("{name}: {}", format::counted(prompts.len() as u64, "prompt")),
                    None => "32 reviews that come with the page, after four worked examples each".to_owned(),
                }}
            </p>
            <input
                class="input"
                type="file"
                accept=".json"
                id="speed-prompts"
                node_ref=input
                aria-describedby="speed-prompts-hint"
                on:change=move |_| {
                    if let Some(input) = input.get() {
                        if let Some(file) = input.files().and_then(|files| files.get(0)) {
                            take(file);
                        }
                        // The same file can be picked again after an error.
                        input.set_value("");
                    }
                }
            />
            <p class="hint" id="speed-prompts-hint">
                "Your own: a JSON list of whole prompts. What all of them begin with is computed once."
            </p>
            <p class="wrong" role="alert" data-testid="speed-prompts-wrong">{move || wrong.get()}</p>
        </div>
    }
}

/// The bar while it measures.
#[component]
fn Measuring(
    /// The measurement.
    speed: Speed,
) -> impl IntoView {
    let reading = Memo::new(move |_| {
        let title = speed.doing.get().unwrap_or_default();
        match speed.progress.get() {
            Some(progress) => Reading::of_batch(title, &progress),
            None => Reading { title: title.into(), fraction: None, detail: String::new() },
        }
    });
    view! {
        <Bar reading=reading>
            <CancelButton on_cancel=move |()| speed.cancel()/>
        </Bar>
    }
}

#[component]
fn Outcome(
    /// What was measured so far.
    report: Report,
) -> impl IntoView {
    let json = report.json();
    let saved = json.clone();
    let seconds = |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), format::duration);
    view! {
        <dl class="details">
            <dt>"Page opened to first answer"</dt>
            <dd data-testid="speed-first-answer">
                {match report.first_answer_seconds {
                    Some(value) => format::duration(value),
                    None => "not known: reload the page, with the model kept on this device".to_owned(),
                }}
            </dd>
            <dt>"Model ready after"</dt>
            <dd>{format::duration(report.model_load_seconds)}</dd>
            <dt>"One short text"</dt>
            <dd data-testid="speed-one-text">
                {seconds(report.one_text.map(|text| text.seconds))}
                {report
                    .one_text
                    .map(|text| {
                        format!(
                            ", {} computed, {} reused",
                            format::counted(text.tokens_computed as u64, "token"),
                            format::count(text.tokens_reused as u64),
                        )
                    })}
            </dd>
        </dl>
        <RunTable runs=report.runs.clone()/>
        <div class="buttons">
            <button
                type="button"
                class="button button-small"
                on:click=move |_| {
                    // A browser that does not save still shows the same text below.
                    let _ = browser::save_file("candor-speed.json", &saved);
                }
            >
                "Save as JSON"
            </button>
        </div>
        <details>
            <summary class="small">"As JSON"</summary>
            <pre class="small mono table-scroll" id="speed-json" tabindex="0">{json}</pre>
        </details>
    }
}

/// A row for each number of workers.
#[component]
fn RunTable(
    /// What was measured.
    runs: Vec<Run>,
) -> impl IntoView {
    if runs.is_empty() {
        return ().into_any();
    }
    let size = |bytes: Option<u64>| bytes.map_or_else(|| MISSING.to_owned(), format::bytes);
    let rows = runs
        .into_iter()
        .map(|run| {
            let same = match run.largest_difference {
                Some(0.0) => "the same".to_owned(),
                Some(difference) => format!("within {difference:.1e}"),
                None => MISSING.to_owned(),
            };
            view! {
                <tr data-workers=run.threads.to_string()>
                    <td class="number">{run.threads}</td>
                    <td class="number">{format::rate(run.examples_per_s)}</td>
                    <td class="number">{format::rate(run.tokens_per_s)}</td>
                    <td class="number">{size(run.worker_bytes)}</td>
                    <td class="number optional">{size(run.peak_bytes)}</td>
                    <td class="number optional">{same}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="Speed by number of workers">
            <table class="table" id="speed-table">
                <thead>
                    <tr>
                        <th scope="col" class="number">"Workers"</th>
                        <th scope="col" class="number">"Texts/s"</th>
                        <th scope="col" class="number">"Tokens/s"</th>
                        <th scope="col" class="number">"Memory each"</th>
                        <th scope="col" class="number optional">"Together"</th>
                        <th scope="col" class="number optional">"Answers"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
