//! What the person decided, the last first: to look over, to change, to remove.

use leptos::prelude::*;

use crate::browser;
use crate::components::icon::{Icon, Shape};
use crate::session::study::study;
use crate::state::format::{count, shortened};

/// Texts that are listed; earlier ones are only counted.
const LISTED: usize = 200;
/// Characters of a text that are shown.
const CHARACTERS: usize = 90;

/// The decided texts.
#[component]
pub fn Decided() -> impl IntoView {
    let study = study();
    let all = Memo::new(move |_| study.judged.with(|judged| judged.labelled().len()));
    let listed = Memo::new(move |_| {
        study.judged.with(|judged| judged.labelled().iter().rev().take(LISTED).copied().collect::<Vec<usize>>())
    });
    view! {
        <Show when=move || { all.get() > 0 }>
            <details class="card decided" data-testid="label-decided">
                <summary>"Decided by you: " {move || count(all.get() as u64)}</summary>
                <ul class="rows">
                    <For each=move || listed.get() key=|text| *text children=|text| view! { <DecidedText text=text/> }/>
                </ul>
                <Show when=move || { all.get() > LISTED }>
                    <p class="small soft">{move || format!("and {} before these", count((all.get() - LISTED) as u64))}</p>
                </Show>
            </details>
        </Show>
    }
}

/// A decided text, with its label to change.
#[component]
fn DecidedText(
    /// The text.
    text: usize,
) -> impl IntoView {
    let study = study();
    let words = Memo::new(move |_| {
        study.material.with(|material| {
            let words = material.as_ref().and_then(|material| material.text(text)).unwrap_or_default();
            shortened(words, CHARACTERS)
        })
    });
    let label =
        Memo::new(move |_| study.judged.with(|judged| judged.label(text).map(str::to_owned).unwrap_or_default()));
    // A label of another task stays among the choices: it was given, and still is.
    let choices = Memo::new(move |_| {
        let mut names = study.scored_with.with(|task| {
            let labels = task.iter().flat_map(|task| &task.labels);
            labels.map(|label| label.name.clone()).collect::<Vec<String>>()
        });
        label.with(|label| {
            if !names.contains(label) {
                names.push(label.clone());
            }
        });
        names
    });
    let id = format!("decided-{text}");
    let own = id.clone();
    view! {
        <li data-testid="decided-text">
            <bdi class="small">{words}</bdi>
            <span class="decided-choice">
                <select
                    class="select select-small"
                    id=id
                    aria-label=move || format!("Label of: {}", words.get())
                    on:change=move |event| {
                        study.decide_otherwise(text, Some(&event_target_value(&event)));
                        // The row has moved to the front.
                        let own = own.clone();
                        request_animation_frame(move || browser::focus_if_lost(&own));
                    }
                >
                    {move || {
                        choices
                            .get()
                            .into_iter()
                            .map(|name| {
                                let selected = label.with(|label| *label == name);
                                view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
                            })
                            .collect_view()
                    }}
                </select>
                <button
                    type="button"
                    class="button button-quiet button-icon"
                    data-testid="remove-decision"
                    aria-label=move || format!("Remove the label of: {}", words.get())
                    on:click=move |_| {
                        study.decide_otherwise(text, None);
                        request_animation_frame(move || browser::focus_if_lost("label-undo"));
                    }
                >
                    <Icon shape=Shape::Cross/>
                </button>
            </span>
        </li>
    }
}
