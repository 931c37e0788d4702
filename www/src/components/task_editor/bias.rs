//! The correction of label bias.

use candor::task::BiasMethod;
use leptos::prelude::*;

use crate::components::term::Term;
use crate::session::session;

/// The methods: what each does, in words.
const METHODS: [(BiasMethod, &str, &str); 5] = [
    (BiasMethod::None, "None", "The probabilities as the model gives them."),
    (BiasMethod::Contextual, "Contextual", "Takes off what the labels get for texts without content, such as “N/A”."),
    (BiasMethod::Domain, "Domain", "Takes off what the labels get for random words of the worked examples."),
    (BiasMethod::Batch, "Batch", "Takes off the labels' average over many texts; for single texts it has no effect."),
    (BiasMethod::Pmi, "PMI", "Takes off what the labels get when the text is left out."),
];

/// Method and texts without content.
#[component]
pub fn BiasCorrection() -> impl IntoView {
    let session = session();
    let method = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.bias.method));
    let content_free =
        Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.bias.content_free.join("\n")));
    let explanation =
        move || METHODS.iter().find(|(known, ..)| *known == method.get()).map_or("", |(.., explanation)| explanation);
    view! {
        <section class="editor-part" aria-labelledby="bias-title">
            <h3 id="bias-title"><Term id="bias">"Bias correction"</Term></h3>
            <div class="field">
                <label for="task-bias">"Method"</label>
                <select
                    class="select"
                    id="task-bias"
                    aria-describedby="task-bias-hint"
                    on:change=move |event| {
                        let value = event_target_value(&event);
                        if let Some((method, ..)) = METHODS.iter().find(|(method, ..)| method.as_str() == value) {
                            session.edit_task(move |task| task.bias.method = *method);
                        }
                    }
                >
                    {METHODS
                        .map(|(known, name, _)| {
                            view! {
                                <option value=known.as_str() selected=move || method.get() == known>
                                    {name}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
                <p class="hint" id="task-bias-hint">{explanation}</p>
            </div>
            <Show when=move || method.get() == BiasMethod::Contextual>
                <div class="field">
                    <label for="task-content-free">"Texts without content, one a line; an empty line is the empty text"</label>
                    <textarea
                        class="area mono"
                        id="task-content-free"
                        rows="3"
                        spellcheck="false"
                        prop:value=content_free
                        on:input=move |event| {
                            let texts = event_target_value(&event).split('\n').map(str::to_owned).collect();
                            session.edit_task(move |task| task.bias.content_free = texts);
                        }
                    ></textarea>
                </div>
            </Show>
        </section>
    }
}
