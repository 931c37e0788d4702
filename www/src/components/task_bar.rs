//! The chooser of the task, and a line that says what it is.

use leptos::prelude::*;

use super::icon::{Icon, Shape};
use super::notice::NoticeBox;
use crate::session::session;
use crate::state::format;

/// Labels that are named beneath the chooser.
const SHOWN: usize = 6;

/// Which task, and the way to its editor.
#[component]
pub fn TaskBar(
    /// Whether the editor is open.
    editing: RwSignal<bool>,
) -> impl IntoView {
    let session = session();
    let options = Memo::new(move |_| {
        session.shelf.with(|shelf| {
            let options: Vec<(String, String)> = shelf
                .entries()
                .iter()
                .map(|entry| {
                    let edited = if entry.is_edited() { " (edited)" } else { "" };
                    (entry.id.clone(), format!("{}{edited}", entry.draft.name))
                })
                .collect();
            (options, shelf.chosen().id.clone())
        })
    });
    let summary = Memo::new(move |_| {
        session.shelf.with(|shelf| {
            let task = &shelf.chosen().draft;
            let mut names: Vec<&str> = task.labels.iter().take(SHOWN).map(|label| label.name.as_str()).collect();
            let more = format!("{} more", task.labels.len().saturating_sub(SHOWN));
            if task.labels.len() > SHOWN {
                names.push(&more);
            }
            let examples = match task.examples.len() {
                0 => "no worked examples".to_owned(),
                number => format::counted(number as u64, "worked example"),
            };
            let chat = if task.chat { " · as a chat" } else { "" };
            format!("{} · {examples}{chat}", names.join(", "))
        })
    });
    view! {
        <div class="stack-tight">
            <div class="task-row">
                <div class="field">
                    <label for="task">"What to tell apart"</label>
                    <select
                        class="select"
                        id="task"
                        aria-describedby="task-summary"
                        on:change=move |event| session.choose_task(&event_target_value(&event))
                    >
                        {move || {
                            let (options, chosen) = options.get();
                            options
                                .into_iter()
                                .map(|(id, name)| {
                                    let selected = id == chosen;
                                    view! { <option value=id selected=selected>{name}</option> }
                                })
                                .collect_view()
                        }}
                    </select>
                </div>
                <button
                    type="button"
                    class="button"
                    id="edit-task"
                    aria-expanded=move || if editing.get() { "true" } else { "false" }
                    aria-controls="task-editor"
                    on:click=move |_| editing.update(|editing| *editing = !*editing)
                >
                    <Icon shape=Shape::Edit/>
                    {move || if editing.get() { "Done" } else { "Edit" }}
                </button>
            </div>
            <p class="hint" id="task-summary">{summary}</p>
            {move || {
                let wrong = session.problems.with(|problems| problems.count());
                (wrong > 0 && !editing.get())
                    .then(|| {
                        view! {
                            <p class="wrong" data-testid="task-wrong">
                                "This task has " {format::counted(wrong as u64, "mistake")}
                                ", so the last working version stays in use. Open it with Edit."
                            </p>
                        }
                    })
            }}
            {move || {
                session
                    .task_notice
                    .get()
                    .map(|notice| {
                        view! {
                            <NoticeBox
                                notice=notice
                                testid="task-error"
                                on_way=move |way_on| session.after_classify_failure(way_on)
                            />
                        }
                    })
            }}
        </div>
    }
}
