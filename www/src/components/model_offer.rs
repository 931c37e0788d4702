//! What stands where the answer will be, while there is no model: the offer to load one, and how far that is.

use leptos::prelude::*;

use super::icon::{Icon, Shape};
use super::model_sources::{AllowHost, ModelSources};
use super::notice::NoticeBox;
use super::progress::ProgressBar;
use crate::models;
use crate::session::{Engine, session};
use crate::state::format;

/// The first thing a stranger is asked to do, with what it costs.
#[component]
pub fn ModelOffer() -> impl IntoView {
    let session = session();
    let available = move || session.storage.with(|storage| storage.as_ref().is_none_or(|storage| storage.available));
    let cost = move || {
        if available() { "once, stays on this device" } else { "on each visit: this browser keeps no files" }
    };
    view! {
        <div class="offer" id="model-offer">
            <h2>"The answer appears here"</h2>
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
                            />
                        }
                    })
            }}
            <Show when=move || session.could_come_from_elsewhere()>
                <AllowHost url=Signal::derive(|| models::DEFAULT.elsewhere.to_owned())/>
            </Show>
            <button
                type="button"
                class="button button-primary"
                id="load-model"
                disabled=move || session.engine.get() != Engine::Up
                on:click=move |_| session.load_default()
            >
                <Icon shape=Shape::Download/>
                <span>"Load the model · " {format::bytes(models::DEFAULT.bytes)} ", " {cost}</span>
            </button>
            <p>
                "First the model has to come to you: a small language model that then runs inside this tab, on your own \
                 device."
            </p>
            <ul class="offer-promises">
                <li>
                    <Icon shape=Shape::Lock/>
                    <span>"Your texts stay in this tab. There is no server."</span>
                </li>
                <li>
                    <Icon shape=Shape::Device/>
                    <span>{models::DEFAULT.title} ", open weights, Apache-2.0"</span>
                </li>
            </ul>
            <details class="offer-other">
                <summary id="other-model">"Use another model"</summary>
                <ModelSources prefix="offer"/>
            </details>
        </div>
    }
}

/// How far a model on its way is.
#[component]
pub fn ModelProgress() -> impl IntoView {
    let session = session();
    view! {
        <div class="stack" data-testid="model-loading">
            <h2>
                {move || session.loading.with(|loading| loading.as_ref().map(|loading| loading.name()))}
            </h2>
            <ProgressBar meter=session.load_meter on_cancel=move |()| session.cancel_loading()/>
        </div>
    }
}
