//! What the reader guessed of a file, to be set right: columns, the first line, what is between the fields, where labels
//! come from, and which of them say that a row has none.

use std::sync::Arc;

use candor::dataset::{LabelFrom, Options};
use leptos::prelude::*;

use crate::session::study::study;
use crate::state::evaluation::material::Material;
use crate::state::format;

/// What may stand between the fields of a table.
const DELIMITERS: [(u8, &str); 4] = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "bar")];
/// What of a text file's place may be its label.
const LABELS_FROM: [(LabelFrom, &str, &str); 3] = [
    (LabelFrom::Stem, "stem", "the file's name"),
    (LabelFrom::StemSuffix, "suffix", "the last word of the file's name"),
    (LabelFrom::Folder, "folder", "the folder's name"),
];

/// Everything that was guessed and can be changed while the files are at hand.
#[component]
pub fn Guesses(
    /// What was read.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    if !study.can_read_again() {
        return None;
    }
    let layout = &material.report.layout;
    let is_table = layout.delimiter.is_some();
    let has_fields = !layout.fields.is_empty();
    let are_texts = !has_fields && study.files_at_hand() > 1;
    Some(view! {
        {has_fields.then(|| view! { <Columns material=Arc::clone(&material)/> })}
        {is_table.then(|| view! { <TableForm delimiter=layout.delimiter/> })}
        {are_texts.then(|| view! { <LabelsFrom chosen=layout.label_from/> })}
        <Unlabelled material=material/>
    })
}

/// A list to choose one of; each has a value and words.
#[component]
fn Choice(
    /// Its id.
    id: &'static str,
    /// What is chosen.
    label: &'static str,
    /// Values with their words.
    options: Vec<(String, String)>,
    /// The value of the one that is chosen.
    chosen: String,
    /// What a choice does.
    on_choice: Callback<String>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <select class="select" id=id on:change=move |event| on_choice.run(event_target_value(&event))>
                {options}
            </select>
        </div>
    }
}

/// Which column is the text, and which the label.
#[component]
fn Columns(
    /// What was read.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let layout = &material.report.layout;
    // A name that could be taken for no choice is shown, not chosen.
    let fields = || {
        let named = layout.fields.iter().filter(|name| !name.is_empty());
        named.map(|name| (name.clone(), format::shortened(name, 40)))
    };
    let none = |words: &str| (String::new(), words.to_owned());
    // In conversations the label is what the assistant answers, and in no field.
    let is_chat =
        layout.text.as_deref() == Some("messages") && layout.label.is_none() && !material.report.labels.is_empty();
    let no_field = if is_chat { "the assistant's answer" } else { "no label column" };
    let texts = layout.text.is_none().then(|| none("none found")).into_iter().chain(fields()).collect();
    let labels = std::iter::once(none(no_field)).chain(fields()).collect();
    let named = |value: String| (!value.is_empty()).then_some(value);
    view! {
        <div class="columns-choice">
            <Choice
                id="text-column"
                label="Column of the text"
                options=texts
                chosen=layout.text.clone().unwrap_or_default()
                on_choice=Callback::new(move |value| study.read_with(|options| options.text_field = named(value)))
            />
            <Choice
                id="label-column"
                label="Column of the label"
                options=labels
                chosen=layout.label.clone().unwrap_or_default()
                on_choice=Callback::new(move |value| {
                    study
                        .read_with(|options| {
                            options.label_field = named(value);
                            options.no_label = options.label_field.is_none() && !is_chat;
                        });
                })
            />
        </div>
    }
}

/// What a table looks like: what is between its fields, and whether its first line has their names.
#[component]
fn TableForm(
    /// What was taken for what is between its fields.
    delimiter: Option<u8>,
) -> impl IntoView {
    let study = study();
    let no_header = study.options.with_untracked(|options| options.no_header);
    let value = |byte: u8| byte.to_string();
    let known = DELIMITERS.iter().map(|(byte, words)| (value(*byte), (*words).to_owned())).collect();
    view! {
        <div class="columns-choice">
            <Choice
                id="delimiter"
                label="Between the fields"
                options=known
                chosen=delimiter.map(value).unwrap_or_default()
                on_choice=Callback::new(move |value: String| {
                    study
                        .read_with(|options| {
                            options.delimiter = value.parse().ok();
                            forget_columns(options);
                        });
                })
            />
            <label class="switch" for="first-line-is-data">
                <input
                    type="checkbox"
                    id="first-line-is-data"
                    checked=no_header
                    on:change=move |event| {
                        let no_header = event_target_checked(&event);
                        study
                            .read_with(|options| {
                                options.no_header = no_header;
                                forget_columns(options);
                            });
                    }
                />
                " The first line is data, not the columns' names"
            </label>
        </div>
    }
}

/// Columns have other names: those that were chosen are guessed anew.
fn forget_columns(options: &mut Options) {
    (options.text_field, options.label_field) = (None, None);
}

/// Where the labels of text files come from.
#[component]
fn LabelsFrom(
    /// What was taken for it.
    chosen: Option<LabelFrom>,
) -> impl IntoView {
    let study = study();
    let ways = LABELS_FROM.iter().map(|(_, value, words)| ((*value).to_owned(), (*words).to_owned()));
    let options = std::iter::once((String::new(), "nothing: no labels".to_owned())).chain(ways).collect();
    let chosen = LABELS_FROM.iter().find(|(from, ..)| Some(*from) == chosen).map(|(_, value, _)| (*value).to_owned());
    view! {
        <div class="columns-choice">
            <Choice
                id="label-from"
                label="The label is"
                options=options
                chosen=chosen.unwrap_or_default()
                on_choice=Callback::new(move |value: String| {
                    study
                        .read_with(|options| {
                            options.label_from =
                                LABELS_FROM.iter().find(|(_, other, _)| *other == value).map(|(from, ..)| *from);
                            options.no_label = options.label_from.is_none();
                        });
                })
            />
        </div>
    }
}

/// Labels that may say that a row has none.
#[component]
fn Unlabelled(
    /// What was read.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let taken = study.options.with_untracked(|options| options.unlabelled.clone());
    let is_taken = !taken.is_empty();
    let words = taken.iter().map(|label| format!("\"{label}\"")).collect::<Vec<_>>().join(", ");
    let offered = move || study.labels.with(|labels| material.perhaps_unlabelled(labels));
    view! {
        {move || {
            offered()
                .into_iter()
                .map(|(label, rows)| {
                    let words = format!("\"{label}\" stands in {}.", format::counted(rows as u64, "row"));
                    let value = label.clone();
                    view! {
                        <div class="choice-row choice-row-words" data-unlabelled=label>
                            <p>{words} " Does it mean that there is no label yet?"</p>
                            <button
                                type="button"
                                class="button button-small"
                                on:click=move |_| {
                                    study.read_with(|options| options.unlabelled.push(value.clone()));
                                }
                            >
                                "Leave unlabelled"
                            </button>
                        </div>
                    }
                })
                .collect_view()
        }}
        {is_taken
            .then(|| {
                view! {
                    <div class="choice-row choice-row-words" data-testid="read-as-unlabelled">
                        <p>"Rows that say " {words} " are left unlabelled."</p>
                        <button
                            type="button"
                            class="button button-quiet button-small"
                            on:click=move |_| study.read_with(|options| options.unlabelled.clear())
                        >
                            "Read as labels again"
                        </button>
                    </div>
                }
            })}
    }
}
