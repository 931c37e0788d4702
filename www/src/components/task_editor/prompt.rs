//! The words around the text, and the whole prompt as the model reads it.

use candor::task::prompt::PromptFrame;
use leptos::prelude::*;

use super::field::TextField;
use crate::components::term::Term;
use crate::session::session;

/// Chat switch, system text, instruction, template, preview.
#[component]
pub fn Prompt() -> impl IntoView {
    let session = session();
    let chat = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.chat));
    let no_template = Memo::new(move |_| {
        chat.get() && session.model.with(|model| model.as_ref().is_some_and(|model| !model.chat_template))
    });
    view! {
        <section class="editor-part" aria-labelledby="prompt-title">
            <h3 id="prompt-title">"The words around the text"</h3>
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    id="task-chat"
                    prop:checked=chat
                    on:change=move |event| {
                        let chat = event_target_checked(&event);
                        session.edit_task(move |task| task.chat = chat);
                    }
                />
                <span>
                    "Ask as in a chat" <br/>
                    <span class="hint">
                        "Uses the model's own " <Term id="chat">"chat template"</Term> "; answers then begin without a space."
                    </span>
                </span>
            </label>
            <p class="wrong" hidden=move || !no_template.get()>
                "The model in use has no chat template, so this task cannot be used with it. Switch chat off."
            </p>
            <TextField
                path="system"
                label="System text"
                id="task-system"
                rows=2
                read=|task| task.system.clone()
                write=|task, value| task.system = value
                hint="Who the model is. May stay empty."
            />
            <TextField
                path="instruction"
                label="Instruction"
                id="task-instruction"
                rows=2
                read=|task| task.instruction.clone()
                write=|task, value| task.instruction = value
                hint="What to do, before the examples. May stay empty."
            />
            <TextField
                path="template"
                label="Template"
                id="task-template"
                rows=3
                read=|task| task.template.clone()
                write=|task, value| task.template = value
                hint="The frame of each text, with {text} once. The answer comes right after its end."
            />
            <details>
                <summary id="show-prompt">"The whole prompt, as the model reads it"</summary>
                <Preview/>
            </details>
        </section>
    }
}

/// The prompt with the text of the box in it. A chat prompt is written by the model's own template, which only the
/// engine has.
#[component]
fn Preview() -> impl IntoView {
    let session = session();
    let prompt = Memo::new(move |_| {
        let task = session.shelf.with(|shelf| shelf.chosen().draft.clone());
        if task.chat {
            return Err("In a chat, the model's own template writes the markers around each turn.".to_owned());
        }
        PromptFrame::new(&task, None)
            .map(|frame| {
                let whole = |pieces: &[candor::task::prompt::Piece]| {
                    pieces.iter().map(|piece| piece.text.as_str()).collect::<String>()
                };
                (whole(&frame.before), whole(&frame.after))
            })
            .map_err(|_| "Once the mistakes above are mended, the prompt stands here.".to_owned())
    });
    // A very long text is not worth showing twice.
    let text = move || session.text.with(|text| text.chars().take(2000).collect::<String>());
    view! {
        {move || match prompt.get() {
            Ok((before, after)) => {
                view! {
                    <div class="prompt-preview" tabindex="0" role="region" aria-label="The whole prompt" id="prompt-preview">
                        {before} <mark>{text}</mark> {after}
                    </div>
                }
                    .into_any()
            }
            Err(message) => view! { <p class="hint">{message}</p> }.into_any(),
        }}
    }
}
