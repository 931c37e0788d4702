//! Worked examples that the model reads before the text.

use leptos::prelude::*;

use super::field::{Wrong, invalid};
use crate::browser;
use crate::components::icon::{Icon, Shape};
use crate::components::term::Term;
use crate::session::session;
use crate::state::draft;

/// All worked examples.
#[component]
pub fn Examples() -> impl IntoView {
    let session = session();
    let count = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.examples.len()));
    view! {
        <section class="editor-part" aria-labelledby="examples-title">
            <h3 id="examples-title"><Term id="examples">"Worked examples"</Term></h3>
            <p class="hint">
                "Texts with their right answer. Two to eight, as many for each label, help a small model most."
            </p>
            <For each=move || 0..count.get() key=|index| *index let:index>
                <Example index=index/>
            </For>
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="add-example"
                    on:click=move |_| {
                        session.edit_task(draft::add_example);
                        let id = format!("example-{}", count.get_untracked().saturating_sub(1));
                        request_animation_frame(move || browser::focus(&id));
                    }
                >
                    <Icon shape=Shape::Plus/>
                    "Add an example"
                </button>
            </div>
        </section>
    }
}

#[component]
fn Example(
    /// Its place in the task.
    index: usize,
) -> impl IntoView {
    let session = session();
    let text = Memo::new(move |_| {
        session.shelf.with(|shelf| {
            shelf.chosen().draft.examples.get(index).map(|example| example.text.clone()).unwrap_or_default()
        })
    });
    let labels = Memo::new(move |_| {
        session.shelf.with(|shelf| {
            let task = &shelf.chosen().draft;
            let chosen = task.examples.get(index).map(|example| example.label.clone()).unwrap_or_default();
            let mut names: Vec<String> = task.labels.iter().map(|label| label.name.clone()).collect();
            // An example whose label is gone keeps saying which it was.
            if !names.contains(&chosen) {
                names.insert(0, chosen.clone());
            }
            (names, chosen)
        })
    });
    let id = format!("example-{index}");
    view! {
        <div class="example" data-testid="example">
            <textarea
                class="area"
                id=id.clone()
                rows="2"
                aria-label=format!("Text of example {}", index + 1)
                aria-describedby=format!("{id}-wrong")
                aria-invalid=invalid(format!("examples[{index}].text"))
                prop:value=text
                on:input=move |event| {
                    let value = event_target_value(&event);
                    session.edit_task(move |task| {
                        if let Some(example) = task.examples.get_mut(index) {
                            example.text = value;
                        }
                    });
                }
            ></textarea>
            <select
                class="select"
                aria-label=format!("Label of example {}", index + 1)
                aria-invalid=invalid(format!("examples[{index}].label"))
                on:change=move |event| {
                    let value = event_target_value(&event);
                    session.edit_task(move |task| {
                        if let Some(example) = task.examples.get_mut(index) {
                            example.label = value;
                        }
                    });
                }
            >
                {move || {
                    let (names, chosen) = labels.get();
                    names
                        .into_iter()
                        .map(|name| {
                            let selected = name == chosen;
                            view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
                        })
                        .collect_view()
                }}
            </select>
            <button
                type="button"
                class="button button-quiet button-icon button-danger"
                aria-label=format!("Remove example {}", index + 1)
                on:click=move |_| session.edit_task(move |task| draft::remove_example(task, index))
            >
                <Icon shape=Shape::Cross/>
            </button>
            <Wrong path=format!("examples[{index}].text") id=format!("{id}-wrong")/>
            <Wrong path=format!("examples[{index}].label") id=format!("{id}-label-wrong")/>
            <Wrong path=format!("examples[{index}]") id=format!("{id}-whole-wrong")/>
        </div>
    }
}
