//! The editor of the chosen task. Every edit is kept at once; the engine takes the task when it is free of mistakes.
//!
//! | part | edits |
//! |---|---|
//! | [`labels`] | labels and their spellings, with token ids |
//! | [`prompt`] | chat, system text, instruction, template; shows the whole prompt |
//! | [`examples`] | worked examples |
//! | [`bias`] | the correction of label bias |
//! | [`files`] | copy, import, export, undo, delete |

mod bias;
mod examples;
mod field;
mod files;
mod labels;
mod prompt;

use leptos::prelude::*;

use super::notice::Caution;
use crate::session::session;
use field::TextField;

/// The editor.
#[component]
pub fn TaskEditor() -> impl IntoView {
    let session = session();
    let remarks = Memo::new(move |_| {
        let mut remarks = session.shelf.with(|shelf| shelf.chosen().draft.advice());
        let used =
            session.task_in_use.with(|task| session.shelf.with(|shelf| task.as_ref() == Some(&shelf.chosen().draft)));
        // What the engine says about an earlier version of the task would only mislead.
        if used {
            session.report.with(|report| {
                remarks.extend(report.iter().flat_map(|report| report.warnings.iter().cloned()));
            });
        }
        remarks
    });
    let elsewhere = Memo::new(move |_| session.problems.with(|problems| problems.elsewhere(has_a_place)));
    view! {
        <section class="card editor" id="task-editor" aria-labelledby="task-editor-title">
            <h2 id="task-editor-title">"Edit the task"</h2>
            <TextField
                path="name"
                label="Name"
                id="task-name"
                read=|task| task.name.clone()
                write=|task, value| task.name = value
            />
            {move || {
                let elsewhere = elsewhere.get();
                (!elsewhere.is_empty())
                    .then(|| {
                        view! {
                            <ul class="wrong" data-testid="task-problems">
                                {elsewhere.into_iter().map(|message| view! { <li>{message}</li> }).collect_view()}
                            </ul>
                        }
                    })
            }}
            <labels::Labels/>
            {move || {
                let remarks = remarks.get();
                (!remarks.is_empty())
                    .then(|| {
                        view! {
                            <Caution testid="task-warnings">
                                <h3>"Worth knowing"</h3>
                                {remarks
                                    .into_iter()
                                    .map(|remark| view! { <p>{super::term::capital(&remark)}</p> })
                                    .collect_view()}
                            </Caution>
                        }
                    })
            }}
            <prompt::Prompt/>
            <examples::Examples/>
            <bias::BiasCorrection/>
            <files::Files/>
        </section>
    }
}

/// Whether the editor shows a problem of this field beside the field itself.
fn has_a_place(path: &str) -> bool {
    ["name", "template", "labels[", "examples["]
        .iter()
        .any(|known| path == *known || (known.ends_with('[') && path.starts_with(known)))
}
