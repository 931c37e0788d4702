//! The run: what it will take, how far it is, and what it said so far.

use std::sync::Arc;

use leptos::prelude::*;

use crate::browser;
use crate::components::icon::{Icon, Shape};
use crate::models;
use crate::pool::BatchProgress;
use crate::session::study::{Running, study};
use crate::session::{Engine, session};
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::Scores;
use crate::state::format;
use crate::state::notice::sentence;
use crate::state::place::Place;

/// Texts from which on a sample is offered first.
const MANY: usize = 2000;
/// Texts of such a sample.
const SAMPLES: [usize; 2] = [500, 1000];

/// The task, and the button that starts the run; while it runs, how far it is.
#[component]
pub fn RunCard(
    /// What is run.
    material: Arc<Material>,
    /// Makes ids unique: this stands in two places.
    #[prop(default = "")]
    prefix: &'static str,
) -> impl IntoView {
    let (session, study) = (session(), study());
    let task = move || {
        session.shelf.with(|shelf| {
            let task = &shelf.chosen().draft;
            let labels: Vec<&str> = task.labels.iter().take(6).map(|label| label.name.as_str()).collect();
            format!("{} ({})", task.name, labels.join(", "))
        })
    };
    let title = format!("{prefix}run-title");
    let labelled = title.clone();
    view! {
        <section class="card" aria-labelledby=labelled data-testid=format!("{prefix}run-card")>
            <h2 id=title>"Let the model read them"</h2>
            <p>
                "Task: " <strong>{task}</strong> ". "
                <a href=Place::Classify.hash()>"Choose or edit the task"</a>
            </p>
            {move || {
                if !session.is_ready() {
                    return view! { <NeedsModel/> }.into_any();
                }
                match study.running.get() {
                    Running::Under(progress) => view! { <Progress progress=progress prefix=prefix/> }.into_any(),
                    Running::Failed(error) => {
                        let message = sentence(&error.to_string());
                        view! {
                            <div class="notice" role="alert" data-testid="run-error">
                                <p class="notice-title">"The run stopped"</p>
                                <p>{message} " What is scored stays."</p>
                            </div>
                            <Start prefix=prefix/>
                        }
                            .into_any()
                    }
                    Running::Not => view! { <Start prefix=prefix/> }.into_any(),
                }
            }}
            <Tally material=material/>
        </section>
    }
}

/// Without a model nothing can run: how to get one.
#[component]
fn NeedsModel() -> impl IntoView {
    let session = session();
    move || {
        let loading = session.loading.with(|loading| loading.as_ref().map(|loading| loading.name()));
        let fraction = session.load_meter.with(|meter| meter.reading().fraction);
        match (session.engine.get(), loading) {
            (Engine::Down(notice), _) => view! {
                <p class="soft">{notice.title} ". " <a href=Place::Classify.hash()>"See why, and restart it"</a></p>
            }
            .into_any(),
            (_, Some(name)) => {
                let percent = fraction.map(|fraction| format!(" · {:.0}%", fraction * 100.0)).unwrap_or_default();
                view! { <p role="status">"Loading " {name} {percent} "…"</p> }.into_any()
            }
            (_, None) if session.model.with(Option::is_some) => {
                view! { <p class="soft">"Preparing the task…"</p> }.into_any()
            }
            (engine, None) => view! {
                <div class="buttons">
                    <button
                        type="button"
                        class="button button-primary"
                        data-testid="evaluate-load-model"
                        disabled=engine != Engine::Up
                        on:click=move |_| session.load_default()
                    >
                        <Icon shape=Shape::Download/>
                        <span>"Load the model · " {format::bytes(models::DEFAULT.bytes)}</span>
                    </button>
                </div>
            }
            .into_any(),
        }
    }
}

/// The button that starts, or goes on with, the run.
#[component]
fn Start(
    /// Makes ids unique.
    prefix: &'static str,
) -> impl IntoView {
    let study = study();
    let counts = Memo::new(move |_| study.scores.with(|scores| (scores.done(), scores.missing().len())));
    let start = move |run: &dyn Fn()| {
        run();
        request_animation_frame(move || browser::focus_if_lost(&format!("{prefix}pause-run")));
    };
    move || match counts.get() {
        _ if study.restoring.get() => view! {
            <div class="buttons">
                <button type="button" class="button button-primary" id=format!("{prefix}start-run") disabled=true>
                    "Looking for kept scores…"
                </button>
            </div>
        }
        .into_any(),
        (_, 0) => view! {
            <p data-testid="run-complete">"Every text is scored. Scores are kept on this device."</p>
            {prefix.is_empty().then(|| view! { <NextSteps/> })}
        }
        .into_any(),
        (done, missing) => {
            let texts = format::counted(missing as u64, "text");
            let words = if done == 0 { format!("Score {texts}") } else { format!("Go on: {texts} to score") };
            view! {
                <div class="buttons">
                    <button
                        type="button"
                        class="button button-primary"
                        id=format!("{prefix}start-run")
                        on:click=move |_| start(&|| study.run())
                    >
                        {words}
                    </button>
                </div>
                {(missing > MANY)
                    .then(|| {
                        view! {
                            <div class="buttons" data-testid=format!("{prefix}first-samples")>
                                <span class="small soft">"Or a sample first, drawn by lot:"</span>
                                {SAMPLES
                                    .map(|size| {
                                        view! {
                                            <button
                                                type="button"
                                                class="button button-small"
                                                id=format!("{prefix}sample-{size}")
                                                on:click=move |_| start(&|| study.run_sample(size))
                                            >
                                                {format::counted(size as u64, "text")}
                                            </button>
                                        }
                                    })
                                    .collect_view()}
                            </div>
                        }
                    })}
            }
            .into_any()
        }
    }
}

/// Where to go on once every text is scored: the answers to it stand far below each other.
#[component]
fn NextSteps() -> impl IntoView {
    let study = study();
    let unlabelled = Memo::new(move |_| {
        study.material.with(|material| {
            material.as_ref().map_or(0, |m| (0..m.rows.len()).filter(|&row| m.is_unlabelled(row)).count())
        })
    });
    let steps = [
        ("calibrate-title", "Make the confidence honest"),
        ("decide-title", "Choose what may be automated"),
        ("findings-title", "See what these rows say"),
        ("rows", "Look at single rows"),
    ];
    view! {
        <nav class="stack-tight" aria-label="What to do next" data-testid="next-steps">
            <p class="small soft">"What to do next:"</p>
            <div class="buttons">
                {steps
                    .map(|(id, words)| {
                        view! {
                            <button
                                type="button"
                                class="button button-small"
                                on:click=move |_| browser::show_element(id)
                            >
                                {words}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
            <Show when=move || { unlabelled.get() > 0 }>
                <p>
                    <a href=Place::Label.hash()>
                        {move || format!("Label the {} without one", format::counted(unlabelled.get() as u64, "row"))}
                    </a>
                </p>
            </Show>
        </nav>
    }
}

/// How far the run is.
#[component]
fn Progress(
    /// What the pool says.
    progress: BatchProgress,
    /// Makes ids unique.
    prefix: &'static str,
) -> impl IntoView {
    let study = study();
    let paused = progress.paused;
    let percentage = if progress.total > 0 { progress.done as f64 / progress.total as f64 * 100.0 } else { 0.0 };
    let mut detail =
        format!("{} of {}", format::count(progress.done as u64), format::counted(progress.total as u64, "text"));
    if let Some(rate) = progress.rows_per_second.filter(|_| !paused) {
        detail.push_str(&format!(" · {} texts/s", format::rate(rate)));
    }
    if let Some(seconds) = progress.seconds_left.filter(|_| !paused) {
        detail.push_str(&format!(" · {}", format::time_left(seconds)));
    }
    if progress.workers > 1 {
        detail.push_str(&format!(" · {} workers", progress.workers));
    }
    view! {
        <div class="progress" data-testid="run-progress">
            <div class="progress-head">
                <span class="progress-title" id=format!("{prefix}run-progress-title")>
                    {if paused { "Paused" } else { "The model reads" }}
                </span>
                <span class="small soft">{format!("{percentage:.0}%")}</span>
            </div>
            <div
                class="progress-track"
                role="progressbar"
                aria-labelledby=format!("{prefix}run-progress-title")
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=format!("{percentage:.0}")
                aria-valuetext=detail.clone()
            >
                <div class="progress-fill" style:inline-size=format!("{percentage:.1}%")></div>
            </div>
            <div class="progress-head">
                <span class="small soft" data-testid="run-detail">{detail}</span>
                <span class="buttons">
                    <button
                        type="button"
                        class="button button-small"
                        id=format!("{prefix}pause-run")
                        on:click=move |_| {
                            study.pause(!paused);
                            request_animation_frame(move || browser::focus_if_lost(&format!("{prefix}pause-run")));
                        }
                    >
                        {if paused { "Go on" } else { "Pause" }}
                    </button>
                    <button type="button" class="button button-small" id=format!("{prefix}cancel-run") on:click=move |_| study.cancel()>
                        "Stop"
                    </button>
                </span>
            </div>
            {progress.note.map(|note| view! { <p class="small soft">{sentence(&note)}</p> })}
        </div>
    }
}

/// How many of the rows that count are right so far.
#[component]
fn Tally(
    /// What is run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let tally = Memo::new(move |_| {
        study.with_truth(|truth| study.scores.with(|scores: &Scores| scores.tally(&material, truth)))
    });
    let caution = Memo::new(move |_| study.judged.with(Judgements::caution));
    move || {
        let (known, right) = tally.get();
        (known > 0).then(|| {
            let interval = candor::stats::intervals::clopper_pearson(right as u64, known as u64, 0.95);
            view! {
                <p data-testid="tally">
                    <strong>{format::percent(right as f64 / known as f64)}</strong>
                    " right "
                    <span class="soft">
                        {format!(
                            "[{}, {}], n = {}",
                            format::percent(interval.low),
                            format::percent(interval.high),
                            format::count(known as u64),
                        )}
                    </span>
                </p>
                <Remark testid="tally-caution" words=caution/>
            }
        })
    }
}

/// A sentence beside numbers, where there is something to say of them.
#[component]
pub fn Remark(
    /// Its id for tests.
    testid: &'static str,
    /// The sentence.
    words: Memo<Option<String>>,
) -> impl IntoView {
    move || words.get().map(|words| view! { <p class="small soft" data-testid=testid>{words}</p> })
}
