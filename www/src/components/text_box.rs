//! The box for the text.

use leptos::prelude::*;

use crate::browser;
use crate::models;
use crate::session::session;
use crate::state::format;

/// The text to classify, with a sample in turn and a way to empty it.
#[component]
pub fn TextBox() -> impl IntoView {
    let session = session();
    let empty = Memo::new(move |_| session.text.with(|text| text.trim().is_empty()));
    let characters = Memo::new(move |_| session.text.with(|text| text.chars().count() as u64));
    view! {
        <div class="field">
            <label for="text">"Your text"</label>
            <textarea
                class="area text-area"
                id="text"
                rows="3"
                spellcheck="false"
                aria-describedby="text-hint"
                placeholder="Type or paste a text"
                prop:value=move || session.text.get()
                on:input=move |event| session.set_text(event_target_value(&event))
            ></textarea>
            <div class="text-foot">
                <span class="hint" id="text-hint">
                    {move || {
                        if empty.get() {
                            "Classified while you type; nothing is sent anywhere.".to_owned()
                        } else {
                            format::counted(characters.get(), "character")
                        }
                    }}
                </span>
                <span class="buttons">
                    <button
                        type="button"
                        class="button button-quiet button-small"
                        id="sample-text"
                        on:click=move |_| {
                            let task = session.shelf.with_untracked(|shelf| shelf.chosen().id.clone());
                            let next = session.text.with_untracked(|text| models::next_sample(&task, text));
                            session.set_text(next.to_owned());
                        }
                    >
                        {move || if empty.get() { "Put a sample in" } else { "Another sample" }}
                    </button>
                    <button
                        type="button"
                        class="button button-quiet button-small"
                        id="clear-text"
                        disabled=move || empty.get()
                        on:click=move |_| {
                            session.set_text(String::new());
                            browser::focus("text");
                        }
                    >
                        "Clear"
                    </button>
                </span>
            </div>
        </div>
    }
}
