//! A text becomes probabilities: the task, the text, the answer, and how it came about.

use leptos::prelude::*;

use crate::browser;
use crate::components::model_offer::{ModelOffer, ModelProgress};
use crate::components::next_tokens::NextTokens;
use crate::components::notice::{Caution, NoticeBox};
use crate::components::progress::ProgressBar;
use crate::components::steps::Steps;
use crate::components::task_bar::TaskBar;
use crate::components::task_editor::TaskEditor;
use crate::components::term::Term;
use crate::components::text_box::TextBox;
use crate::components::verdict::Verdict;
use crate::session::{Answer, Engine, session};
use crate::state::notice::{WayOn, sentence};
use crate::state::steps::FiveSteps;

/// What the right-hand card shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Down,
    Looking,
    Loading,
    Offer,
    Result,
}

/// The place where a text becomes probabilities.
#[component]
pub fn ClassifyPage() -> impl IntoView {
    let session = session();
    let editing = RwSignal::new(false);
    let card = Memo::new(move |_| {
        let has_model = session.model.with(Option::is_some);
        match session.engine.get() {
            Engine::Down(_) => Card::Down,
            _ if session.loading.with(Option::is_some) => Card::Loading,
            _ if has_model => Card::Result,
            _ if session.storage.with(Option::is_none) && session.load_notice.with(Option::is_none) => Card::Looking,
            _ => Card::Offer,
        }
    });
    // The button that was pressed goes with its card; the keyboard goes on in the card that takes its place.
    Effect::new(move |before: Option<Card>| {
        let now = card.get();
        if before.is_some_and(|before| before != now) {
            request_animation_frame(|| browser::focus_if_lost("result"));
        }
        now
    });
    view! {
        <header class="page-head">
            <h1>"What is this text, and how sure is the model?"</h1>
            <p class="soft">
                "Candor sorts a text into labels with a small language model that runs in this tab, and shows how likely \
                 each answer is."
            </p>
        </header>
        <div class="columns">
            <div class="column">
                <section class="card" aria-label="Task and text">
                    <TaskBar editing=editing/>
                    <TextBox/>
                </section>
                <Show when=move || editing.get()>
                    <TaskEditor/>
                </Show>
            </div>
            <section
                class="card result stays"
                id="result"
                tabindex="-1"
                aria-label="Answer"
                aria-busy=move || {
                    let stale = session.typing.with(|typing| typing.is_stale());
                    if card.get() == Card::Result && stale { "true" } else { "false" }
                }
            >
                {move || match card.get() {
                    Card::Down => view! { <EngineDown/> }.into_any(),
                    Card::Looking => view! { <p class="soft">"Looking for a model on this device…"</p> }.into_any(),
                    Card::Loading => view! { <ModelProgress/> }.into_any(),
                    Card::Offer => view! { <ModelOffer/> }.into_any(),
                    Card::Result => view! { <Outcome/> }.into_any(),
                }}
            </section>
        </div>
        <Explanation/>
    }
}

#[component]
fn EngineDown() -> impl IntoView {
    let session = session();
    move || match session.engine.get() {
        Engine::Down(notice) => Some(view! {
            <NoticeBox
                notice=notice
                testid="engine-error"
                on_way=move |way_on| match way_on {
                    WayOn::Reload => browser::reload(),
                    _ => session.restart(),
                }
            />
        }),
        _ => None,
    }
}

/// The answer, or why there is none.
#[component]
fn Outcome() -> impl IntoView {
    let session = session();
    let empty = Memo::new(move |_| session.text.with(|text| text.trim().is_empty()));
    let working = Memo::new(move |_| session.work_meter.with(Option::is_some));
    let meter = Signal::derive(move || session.work_meter.get().unwrap_or_default());
    view! {
        {move || {
            session
                .load_notice
                .get()
                .map(|notice| {
                    view! {
                        <NoticeBox
                            notice=notice
                            testid="load-error"
                            on_way=move |way_on| session.after_load_failure(way_on)
                            on_dismiss=move |()| session.load_notice.set(None)
                        />
                    }
                })
        }}
        {move || {
            // In the panel it stands beside the files that were chosen; here, where one did not come back by itself.
            let notice = session.adapter_notice.get().filter(|_| !session.model_panel.get())?;
            Some(view! {
                <NoticeBox
                    notice=notice
                    testid="adapter-error-here"
                    on_way=move |_| ()
                    on_dismiss=move |()| session.adapter_notice.set(None)
                />
            })
        }}
        <NotKept/>
        {move || {
            session
                .classify_notice
                .get()
                .map(|notice| {
                    view! {
                        <NoticeBox
                            notice=notice
                            testid="classify-error"
                            on_way=move |way_on| session.after_classify_failure(way_on)
                        />
                    }
                })
        }}
        <Show when=move || working.get()>
            <ProgressBar meter=meter on_cancel=move |()| session.cancel_work()/>
        </Show>
        {move || match session.answer.get() {
            Some(answer) => view! { <Verdict answer=answer/> }.into_any(),
            None if empty.get() => {
                view! {
                    <div class="stack" data-testid="empty-text">
                        <h2>"Nothing to classify yet"</h2>
                        <p>
                            "The box is empty. Type or paste a text, or put a sample in; the answer appears here while \
                             you type."
                        </p>
                    </div>
                }
                    .into_any()
            }
            None if session.task_notice.with(Option::is_some) => {
                view! { <p class="soft">"The answer appears here once the task can be used."</p> }.into_any()
            }
            None => {
                view! {
                    <p class="soft" hidden=move || working.get() || session.classify_notice.with(Option::is_some)>
                        "Reading…"
                    </p>
                }
                    .into_any()
            }
        }}
    }
}

/// A model that the browser could not keep although it keeps files: known before the next visit, not at it.
#[component]
fn NotKept() -> impl IntoView {
    let session = session();
    let reason = Memo::new(move |_| {
        let keeps = session.storage.with(|storage| storage.as_ref().is_some_and(|storage| storage.available));
        let reason = session.model.with(|model| model.as_ref().and_then(|model| model.kept.clone().err()));
        reason.filter(|_| keeps && !session.not_kept_seen.get())
    });
    move || {
        reason.get().map(|reason| {
            view! {
                <Caution testid="not-kept-here">
                    <p class="notice-title">"The model works, but was not kept for the next visit"</p>
                    <p>{sentence(&reason)} " Remove what you no longer need, and load it again."</p>
                    <div class="buttons">
                        <button type="button" class="button button-small" on:click=move |_| session.choose_model()>
                            "See what is stored"
                        </button>
                        <button
                            type="button"
                            class="button button-quiet button-small"
                            on:click=move |_| session.not_kept_seen.set(true)
                        >
                            "Dismiss"
                        </button>
                    </div>
                </Caution>
            }
        })
    }
}

/// How the number came about: the five steps and the next-token table.
#[component]
fn Explanation() -> impl IntoView {
    let session = session();
    let visible = Memo::new(move |_| session.model.with(Option::is_some) && session.answer.with(Option::is_some));
    move || {
        let answer = session.answer.get().filter(|_| visible.get())?;
        let Answer { classification, .. } = answer;
        let steps = FiveSteps::new(&classification);
        let labels = classification.labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>();
        Some(view! {
            <div class="columns">
                <section class="card" aria-labelledby="steps-title">
                    <h2 id="steps-title">"How this number came about"</h2>
                    {steps.map(|steps| view! { <Steps steps=steps/> })}
                </section>
                <section class="card" aria-labelledby="next-title">
                    <div>
                        <h2 id="next-title">"What the model would say next"</h2>
                        <p class="small soft">
                            "The likeliest " <Term id="token">"tokens"</Term>
                            " after the prompt, of the whole vocabulary. ␣ is a space."
                        </p>
                    </div>
                    <NextTokens rows=classification.next labels=labels/>
                </section>
            </div>
        })
    }
}
