//! A text field of the task, with its problem beneath it.

use candor::task::Task;
use leptos::prelude::*;

use crate::session::session;

/// What is wrong with the field of this path.
#[component]
pub fn Wrong(
    /// The field's path, as task errors write it.
    #[prop(into)]
    path: Signal<String>,
    /// The id by which the field is described.
    #[prop(into)]
    id: String,
) -> impl IntoView {
    let session = session();
    let message = Memo::new(move |_| session.problems.with(|problems| problems.at(&path.get())));
    view! {
        <p class="wrong" id=id hidden=move || message.with(Option::is_none)>
            {message}
        </p>
    }
}

/// Whether the field of this path has a problem, for `aria-invalid`.
pub fn invalid(path: String) -> impl Fn() -> Option<&'static str> + Copy + Send + 'static {
    let session = session();
    let wrong = Memo::new(move |_| session.problems.with(|problems| problems.at(&path).is_some()));
    move || wrong.get().then_some("true")
}

/// A labelled field for one text of the task.
#[component]
pub fn TextField(
    /// The field's path, as task errors write it.
    path: &'static str,
    /// What it is called.
    label: &'static str,
    /// The element's id.
    id: &'static str,
    /// Reads it from the task.
    read: fn(&Task) -> String,
    /// Writes it into the task.
    write: fn(&mut Task, String),
    /// Several lines instead of one.
    #[prop(optional)]
    rows: Option<u32>,
    /// What it is for.
    #[prop(optional)]
    hint: Option<&'static str>,
) -> impl IntoView {
    let session = session();
    let value = Memo::new(move |_| session.shelf.with(|shelf| read(&shelf.chosen().draft)));
    let wrong = invalid(path.to_owned());
    let on_input = move |event: web_sys::Event| {
        let value = event_target_value(&event);
        session.edit_task(move |task| write(task, value));
    };
    let described = format!("{id}-hint {id}-wrong");
    view! {
        <div class="field">
            <label for=id>{label}</label>
            {match rows {
                Some(rows) => {
                    view! {
                        <textarea
                            class="area mono"
                            id=id
                            rows=rows
                            spellcheck="false"
                            aria-describedby=described
                            aria-invalid=wrong
                            prop:value=value
                            on:input=on_input
                        ></textarea>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <input
                            class="input"
                            id=id
                            autocomplete="off"
                            aria-describedby=described
                            aria-invalid=wrong
                            prop:value=value
                            on:input=on_input
                        />
                    }
                        .into_any()
                }
            }}
            <p class="hint" id=format!("{id}-hint")>{hint}</p>
            <Wrong path=path.to_owned() id=format!("{id}-wrong")/>
        </div>
    }
}
