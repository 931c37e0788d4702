//! A calibrator: label bias first, then a method, what it does to single predictions, and its file.

use std::sync::Arc;

use candor::stats::calibrators::Method;
use candor::task::BiasMethod;
use leptos::prelude::*;

use crate::browser;
use crate::components::figure::Figures;
use crate::components::file_drop::FilePicker;
use crate::components::notice::Caution;
use crate::components::term::Term;
use crate::session::session;
use crate::session::study::{Calibrating, study};
use crate::state::evaluation::calibration::{InUse, Origin, Seen, about_size, telling};
use crate::state::evaluation::material::Material;
use crate::state::format::{percent, shortened};
use crate::state::notice::sentence;

/// Methods that a person can ask for; nothing stands for the one that does best.
const METHODS: [Option<Method>; 14] = [
    None,
    Some(Method::None),
    Some(Method::Temperature),
    Some(Method::Platt),
    Some(Method::Beta),
    Some(Method::Isotonic),
    Some(Method::CenteredIsotonic),
    Some(Method::HistogramBinning),
    Some(Method::ScalingBinning),
    Some(Method::VennAbers),
    Some(Method::CrossVennAbers),
    Some(Method::LabelTemperature),
    Some(Method::Vector),
    Some(Method::Dirichlet),
];
/// Texts among which telling ones are looked for; of more, every so many-th.
const LOOKED_AT: usize = 2000;
/// Characters of a text that are shown.
const CHARACTERS: usize = 90;

/// What makes the confidence honest.
#[component]
pub fn Calibrate(
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let known = {
        let material = Arc::clone(&material);
        Memo::new(move |_| study.with_truth(|truth| study.scores.with(|scores| scores.tally(&material, truth).0)))
    };
    let ready = move || study.scores.with(|scores| scores.is_complete() && scores.done() > 0) && !study.is_running();
    let method = RwSignal::new(None::<Method>);
    let busy = move || study.calibrating.with(|state| *state == Calibrating::Under);
    let material = StoredValue::new(material);
    let on_files = Callback::new(move |files: Vec<web_sys::File>| {
        if let Some(file) = files.into_iter().next() {
            study.load_calibrator(file);
        }
    });
    view! {
        <Show when=ready>
            <section class="card" aria-labelledby="calibrate-title" data-testid="calibrate">
                <h2 id="calibrate-title">"Make the confidence honest"</h2>
                <p class="measure-text">
                    "A " <Term id="calibrator">"calibrator"</Term>
                    " learns from your labelled rows how often answers of each confidence are right. It never changes an \
                     answer, only the number beside it."
                </p>
                <LabelBias/>
                {move || {
                    about_size(known.get())
                        .map(|words| view! { <Caution testid="calibrate-size"><p>{words}</p></Caution> })
                }}
                <div class="choice-row">
                    <div class="field">
                        <label for="calibrator-method">"Method"</label>
                        <select
                            class="select"
                            id="calibrator-method"
                            on:change=move |event| {
                                let value = event_target_value(&event);
                                method.set(METHODS.into_iter().flatten().find(|method| method.name() == value));
                            }
                        >
                            {METHODS
                                .map(|method| {
                                    view! {
                                        <option value=method.map_or("auto", Method::name)>
                                            {method.map_or_else(|| "the one that does best (auto)".to_owned(), title)}
                                        </option>
                                    }
                                })
                                .collect_view()}
                        </select>
                    </div>
                    <button
                        type="button"
                        class="button button-primary"
                        id="fit-calibrator"
                        disabled=move || busy() || known.get() == 0 || study.task_is_changing()
                        on:click=move |_| study.fit(method.get_untracked())
                    >
                        {move || if busy() { "Fitting…" } else { "Fit on the labelled rows" }}
                    </button>
                </div>
                {move || match study.calibrating.get() {
                    Calibrating::Failed(error) => {
                        let help = error.help.clone().unwrap_or_default();
                        let message = candor::error::Error { help: None, ..error }.to_string();
                        Some(
                            view! {
                                <div class="notice" role="alert" data-testid="calibrate-error">
                                    <p class="notice-title">"This calibrator is not used"</p>
                                    <p>{sentence(&message)} " " {sentence(&help)}</p>
                                </div>
                            },
                        )
                    }
                    _ => None,
                }}
                {move || {
                    let material = material.get_value();
                    study
                        .calibrator
                        .get()
                        .map(|used| match used.belongs(&study.binding()) {
                            Ok(()) => view! { <Chosen used=used material=material/> }.into_any(),
                            Err(error) => {
                                view! {
                                    <Caution testid="calibrator-elsewhere">
                                        <p class="notice-title">"The chosen calibrator belongs elsewhere"</p>
                                        <p>{sentence(&error.message)} " It is kept, and used again there."</p>
                                    </Caution>
                                }
                                    .into_any()
                            }
                        })
                }}
                <FilePicker
                    id="calibrator-file"
                    label="Or use a calibrator.json of this model and task"
                    accept=".json"
                    on_files=on_files
                />
            </section>
        </Show>
    }
}

fn title(method: Method) -> String {
    crate::components::term::capital(method.title())
}

/// The model's leaning to some labels, and the switch that takes it out.
#[component]
fn LabelBias() -> impl IntoView {
    let (session, study) = (session(), study());
    // What the answers are read with, which follows the task a moment after it has changed.
    let method = Memo::new(move |_| study.scored_with.with(|task| task.as_ref().map(|task| task.bias.method)));
    let change = move |to: BiasMethod| session.edit_task(move |task| task.bias.method = to);
    move || {
        match method.get() {
        Some(BiasMethod::None) => Some(
            view! {
                <div class="choice-row choice-row-words">
                    <p class="measure-text">
                        "First look at the model's leaning: small models prefer some labels whatever they read. Taking that "
                        <Term id="bias">"label bias"</Term> " out may change answers, and needs no computing anew."
                    </p>
                    <button
                        type="button"
                        class="button"
                        id="correct-bias"
                        disabled=move || study.task_is_changing()
                        on:click=move |_| change(BiasMethod::Batch)
                    >
                        {move || if study.task_is_changing() { "Taking it out…" } else { "Take label bias out" }}
                    </button>
                </div>
            }
            .into_any(),
        ),
        Some(BiasMethod::Batch) => Some(
            view! {
                <div class="choice-row choice-row-words" data-testid="bias-corrected">
                    <p class="measure-text">
                        "Label bias is taken out: answers are compared after each label's average over these rows, and the \
                         confidence is the share among the labels."
                    </p>
                    <button
                        type="button"
                        class="button"
                        id="restore-bias"
                        disabled=move || study.task_is_changing()
                        on:click=move |_| change(BiasMethod::None)
                    >
                        "As the model gives it"
                    </button>
                </div>
            }
            .into_any(),
        ),
        // Corrected by the engine already, as the task says.
        _ => None,
    }
    }
}

/// The calibrator in use.
#[component]
fn Chosen(
    /// The calibrator.
    used: InUse,
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let failed = RwSignal::new(false);
    let summary = used.summary();
    let curve = used.curve();
    let fitted_here = matches!(used.origin, Origin::Fitted(_));
    let text = StoredValue::new(used.text.clone());
    let quality = used.file.cross_fitted.map(|quality| {
        format!(
            "On rows it was not fitted on: Brier score {:.4}, log loss {:.4}, ECE {}.",
            quality.brier,
            quality.log_loss,
            percent(quality.ece)
        )
    });
    let rows: Vec<(usize, Seen)> = untrack(|| {
        study.scores.with(|scores| {
            let texts = material.different_texts();
            let seen: Vec<(usize, Seen)> = (0..texts)
                .step_by(texts.div_ceil(LOOKED_AT).max(1))
                .filter_map(|text| Some((text, used.see(&scores.of(text)?.prediction)?)))
                .collect();
            let shown = telling(&seen);
            seen.into_iter().filter(|(text, _)| shown.contains(text)).collect()
        })
    });
    let mut rows = rows;
    rows.sort_by(|a, b| a.1.raw.total_cmp(&b.1.raw));
    let fallen = rows.iter().find(|(_, seen)| seen.confidence < 0.5).map(|(_, seen)| seen.explanation());
    view! {
        <div class="stack" data-testid="calibrator-in-use">
            <p>
                <strong data-testid="calibrator-summary">{summary}</strong>
                <span class="tag">"in use"</span>
            </p>
            {quality.map(|words| view! { <p class="small soft">{words}</p> })}
            {move || {
                study
                    .comparison
                    .get()
                    .map(|report| {
                        let warnings = report.warnings.clone();
                        view! {
                            <p class="measure-text" data-testid="calibrator-why">{sentence(&report.why)}</p>
                            {(!warnings.is_empty())
                                .then(|| {
                                    view! {
                                        <Caution testid="calibrator-cautions">
                                            <ul class="bullets">
                                                {warnings
                                                    .iter()
                                                    .map(|words| view! { <li>{sentence(words)}</li> })
                                                    .collect_view()}
                                            </ul>
                                        </Caution>
                                    }
                                })}
                            <Figures table=report.table.clone() open=true/>
                        }
                    })
            }}
            {(!curve.is_empty())
                .then(|| {
                    view! {
                        <h3>"What it does"</h3>
                        <div class="table-scroll" tabindex="0" role="region" aria-label="What the calibrator does">
                            <table class="table curve-table" data-testid="calibrator-curve">
                                <tbody>
                                    <tr>
                                        <th scope="row">"The model says"</th>
                                        {curve
                                            .iter()
                                            .map(|(before, _)| view! { <td class="number">{percent(*before)}</td> })
                                            .collect_view()}
                                    </tr>
                                    <tr>
                                        <th scope="row">"Right, of such answers"</th>
                                        {curve
                                            .iter()
                                            .map(|(_, after)| view! { <td class="number">{percent(*after)}</td> })
                                            .collect_view()}
                                    </tr>
                                </tbody>
                            </table>
                        </div>
                    }
                })}
            <h3>"Single predictions, before and after"</h3>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Single predictions">
                <table class="table" data-testid="calibrator-rows">
                    <thead>
                        <tr>
                            <th scope="col">"Text"</th>
                            <th scope="col">"The model answers"</th>
                            <th scope="col" class="number">"It says"</th>
                            <th scope="col" class="number">"Calibrated"</th>
                            <th scope="col">"Not ruled out"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows
                            .into_iter()
                            .map(|(text, seen)| {
                                let words = shortened(material.text(text).unwrap_or_default(), CHARACTERS);
                                view! {
                                    <tr>
                                        <td class="wide"><bdi>{words}</bdi></td>
                                        <td>{seen.label.clone()}</td>
                                        <td class="number">{percent(seen.raw)}</td>
                                        <td class="number">
                                            {percent(seen.confidence)} " "
                                            <span class="soft">{seen.interval_words()}</span>
                                        </td>
                                        <td>{seen.set.as_ref().map(|(set, _)| set.join(", "))}</td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
            {fallen.map(|words| view! { <Caution testid="below-half"><p>{words}</p></Caution> })}
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="export-calibrator"
                    on:click=move |_| {
                        let saved = text.with_value(|text| browser::save_file("calibrator.json", text));
                        failed.set(saved.is_none());
                    }
                >
                    "Take home: calibrator.json"
                </button>
                <button
                    type="button"
                    class="button button-quiet button-small"
                    id="drop-calibrator"
                    on:click=move |_| study.put_calibrator_away()
                >
                    "Do without it"
                </button>
            </div>
            {fitted_here.then(|| view! { <p class="small soft">"New labels fit it anew, by themselves."</p> })}
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
        </div>
    }
}
