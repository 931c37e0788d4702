//! A calibrator: label bias first, then a method, what it does to single predictions, and its file.

use std::sync::Arc;

use candor::stats::calibrators::Method;
use candor::task::BiasMethod;
use leptos::prelude::*;

use super::chosen_calibrator::Chosen;
use super::run::Remark;
use crate::components::file_drop::FilePicker;
use crate::components::notice::Caution;
use crate::components::term::Term;
use crate::session::session;
use crate::session::study::{Calibrating, study};
use crate::state::evaluation::calibration::about_size;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::{BIAS_ROWS, Scores};
use crate::state::format::count;
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

/// What makes the confidence honest.
#[component]
pub fn Calibrate(
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let known = {
        let material = Arc::clone(&material);
        // Counted for who looks: texts come in many times a second.
        Memo::new(move |before: Option<&usize>| {
            if study.looked_at.get() {
                study.with_truth(|truth| study.scores.with(|scores| scores.tally(&material, truth).0))
            } else {
                before.copied().unwrap_or_default()
            }
        })
    };
    let ready = Memo::new(move |_| study.scores.with(|scores| scores.done() > 0));
    let so_far = Memo::new(move |_| study.scores.with(Scores::so_far));
    let method = RwSignal::new(None::<Method>);
    let busy = move || study.calibrating.with(|state| *state == Calibrating::Under);
    let material = StoredValue::new(material);
    let on_files = Callback::new(move |files: Vec<web_sys::File>| {
        if let Some(file) = files.into_iter().next() {
            study.load_calibrator(file);
        }
    });
    view! {
        <Show when=move || ready.get() fallback=|| view! { <Waiting/> }>
            <section class="card" aria-labelledby="calibrate-title" data-testid="calibrate">
                <h2 id="calibrate-title" tabindex="-1">"Make the confidence honest"</h2>
                <p class="measure-text">
                    "A " <Term id="calibrator">"calibrator"</Term>
                    " learns from your labelled rows how often answers of each confidence are right. It never changes an \
                     answer, only the number beside it."
                </p>
                <Remark testid="calibrate-so-far" words=so_far/>
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
                        disabled=move || busy() || known.get() == 0 || study.is_running() || study.task_is_changing()
                        on:click=move |_| study.fit(method.get_untracked())
                    >
                        {move || if busy() { "Fitting…" } else { "Fit on the labelled rows" }}
                    </button>
                </div>
                {move || {
                    (study.is_running() && !busy())
                        .then(|| view! { <p class="small soft">"It can be fitted when the run has ended or is stopped."</p> })
                }}
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

/// Why nothing can be calibrated yet.
#[component]
fn Waiting() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="calibrate-title" data-testid="calibrate-waits">
            <h2 id="calibrate-title" tabindex="-1">"Make the confidence honest"</h2>
            <p class="soft">
                "A calibrator learns from rows whose right label is known, once the model has read some of them."
            </p>
        </section>
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
    let taken_out = Memo::new(move |_| session.batch_bias.with(Option::is_some));
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
                        {move || {
                            if taken_out.get() {
                                "Label bias is taken out: answers are compared after each label's average over these rows, \
                                 and the confidence is the share among the labels."
                                    .to_owned()
                            } else {
                                format!(
                                    "Label bias is taken out as soon as the first {} rows are scored: the average is theirs. \
                                     Until then confidence is as the model gives it.",
                                    count(BIAS_ROWS as u64),
                                )
                            }
                        }}
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
