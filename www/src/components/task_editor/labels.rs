//! Labels and their spellings, with the tokens each becomes.

use candor::protocol::FormReport;
use candor::task::TaskKind;
use leptos::prelude::*;

use super::field::{Wrong, invalid};
use crate::browser;
use crate::components::icon::{Icon, Shape};
use crate::components::label_colour::colour_class;
use crate::components::term::Term;
use crate::session::session;
use crate::state::draft;
use crate::state::format;

/// All labels.
#[component]
pub fn Labels() -> impl IntoView {
    let session = session();
    let count = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.labels.len()));
    let ordinal = Memo::new(move |_| session.shelf.with(|shelf| shelf.chosen().draft.kind == TaskKind::Ordinal));
    view! {
        <section class="editor-part" aria-labelledby="labels-title">
            <h3 id="labels-title">
                <Term id="label">"Labels"</Term> " and their " <Term id="form">"spellings"</Term>
            </h3>
            <p class="hint">
                "What the model may write for each answer. A space at the front (␣) makes another token: after a colon \
                 or a word the answer usually begins with one."
            </p>
            <For each=move || 0..count.get() key=|index| *index let:index>
                <LabelCard index=index ordinal=ordinal/>
            </For>
            <Wrong path="labels".to_owned() id="labels-wrong"/>
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="add-label"
                    on:click=move |_| {
                        session.edit_task(draft::add_label);
                        let id = format!("label-name-{}", count.get_untracked().saturating_sub(1));
                        request_animation_frame(move || browser::focus(&id));
                    }
                >
                    <Icon shape=Shape::Plus/>
                    "Add a label"
                </button>
            </div>
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    id="task-ordinal"
                    prop:checked=ordinal
                    on:change=move |event| {
                        let ordinal = event_target_checked(&event);
                        session.edit_task(move |task| {
                            task.kind = if ordinal { TaskKind::Ordinal } else { TaskKind::Nominal };
                            for (index, label) in task.labels.iter_mut().enumerate() {
                                if ordinal && label.value.is_none() {
                                    label.value = Some(index as f64 + 1.0);
                                } else if !ordinal {
                                    label.value = None;
                                }
                            }
                        });
                    }
                />
                <span>
                    "The labels are steps of a scale" <br/>
                    <span class="hint">"Then each has a value, such as 1 to 5."</span>
                </span>
            </label>
        </section>
    }
}

#[component]
fn LabelCard(
    /// Its place in the task.
    index: usize,
    /// Whether labels carry values.
    ordinal: Memo<bool>,
) -> impl IntoView {
    let session = session();
    let with_label = move |read: fn(&candor::task::Label) -> String| {
        session.shelf.with(|shelf| shelf.chosen().draft.labels.get(index).map(read).unwrap_or_default())
    };
    let name = Memo::new(move |_| with_label(|label| label.name.clone()));
    let value =
        Memo::new(move |_| with_label(|label| label.value.map_or_else(String::new, |value| format!("{value}"))));
    let forms = Memo::new(move |_| {
        session.shelf.with(|shelf| shelf.chosen().draft.labels.get(index).map_or(0, |label| label.forms.len()))
    });
    let name_id = format!("label-name-{index}");
    let value_id = format!("label-value-{index}");
    view! {
        <div class=format!("label-card {}", colour_class(index)) data-testid="label-card">
            <div class="label-head">
                <div class="field">
                    <label for=name_id.clone()>"Label " {index + 1}</label>
                    <input
                        class="input"
                        id=name_id
                        autocomplete="off"
                        aria-describedby=format!("label-wrong-{index}")
                        aria-invalid=invalid(format!("labels[{index}].name"))
                        prop:value=name
                        on:input=move |event| {
                            let name = event_target_value(&event);
                            session.edit_task(move |task| draft::rename_label(task, index, &name));
                        }
                    />
                </div>
                <Show when=move || ordinal.get()>
                    <div class="field field-value">
                        <label for=value_id.clone()>"Value"</label>
                        <input
                            class="input"
                            type="number"
                            step="any"
                            id=value_id.clone()
                            aria-invalid=invalid(format!("labels[{index}].value"))
                            prop:value=value
                            on:input=move |event| {
                                let value = event_target_value(&event).trim().parse::<f64>().ok();
                                session.edit_task(move |task| {
                                    if let Some(label) = task.labels.get_mut(index) {
                                        label.value = value.filter(|value| value.is_finite());
                                    }
                                });
                            }
                        />
                    </div>
                </Show>
                <button
                    type="button"
                    class="button button-quiet button-icon button-danger"
                    aria-label=move || format!("Remove the label {}", name.get())
                    on:click=move |_| session.edit_task(move |task| draft::remove_label(task, index))
                >
                    <Icon shape=Shape::Cross/>
                </button>
            </div>
            <Wrong path=format!("labels[{index}].name") id=format!("label-wrong-{index}")/>
            <Wrong path=format!("labels[{index}].value") id=format!("label-value-wrong-{index}")/>
            <Wrong path=format!("labels[{index}]") id=format!("label-whole-wrong-{index}")/>
            <div class="forms" role="group" aria-label=move || format!("Spellings of {}", name.get())>
                <For each=move || 0..forms.get() key=|form| *form let:form>
                    <FormRow label=index form=form name=name/>
                </For>
                <Wrong path=format!("labels[{index}].forms") id=format!("label-forms-wrong-{index}")/>
                <div class="buttons">
                    <button
                        type="button"
                        class="button button-quiet button-small"
                        on:click=move |_| {
                            session.edit_task(move |task| draft::add_form(task, index));
                            let id = format!("form-{index}-{}", forms.get_untracked().saturating_sub(1));
                            request_animation_frame(move || browser::focus(&id));
                        }
                    >
                        <Icon shape=Shape::Plus/>
                        "Add a spelling"
                        <span class="visually-hidden">{move || format!(" of {}", name.get())}</span>
                    </button>
                </div>
            </div>
        </div>
    }
}

#[component]
fn FormRow(
    /// The label's place.
    label: usize,
    /// The spelling's place.
    form: usize,
    /// The label's name.
    name: Memo<String>,
) -> impl IntoView {
    let session = session();
    let text = Memo::new(move |_| {
        session.shelf.with(|shelf| {
            let label = shelf.chosen().draft.labels.get(label);
            label.and_then(|label| label.forms.get(form)).cloned().unwrap_or_default()
        })
    });
    // The engine's report is of the task in use: it is looked up by the spelling itself, not by its place.
    let report = Memo::new(move |_| {
        session.report.with(|report| {
            let label = report.as_ref()?.labels.iter().find(|label| label.name == name.get())?;
            label.forms.iter().find(|form| form.form == text.get()).cloned()
        })
    });
    let id = format!("form-{label}-{form}");
    let path = format!("labels[{label}].forms[{form}]");
    let wrong_id = format!("{id}-wrong");
    view! {
        <div class="form-row">
            <input
                class="input mono"
                id=id.clone()
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-label=move || format!("Spelling {} of {}", form + 1, name.get())
                aria-describedby=format!("{id}-tokens {wrong_id}")
                aria-invalid=invalid(path.clone())
                prop:value=text
                on:input=move |event| {
                    let value = event_target_value(&event);
                    session.edit_task(move |task| {
                        if let Some(form) = task.labels.get_mut(label).and_then(|label| label.forms.get_mut(form)) {
                            *form = value;
                        }
                    });
                }
            />
            <button
                type="button"
                class="button button-quiet button-icon button-danger"
                aria-label=move || format!("Remove the spelling {}", format::visible(&text.get()))
                on:click=move |_| session.edit_task(move |task| draft::remove_form(task, label, form))
            >
                <Icon shape=Shape::Cross/>
            </button>
            <div class="under" id=format!("{id}-tokens")>
                <span class="token">{move || format::visible(&text.get())}</span>
                {move || report.get().map(|report| view! { <Tokens report=report/> })}
            </div>
            <Wrong path=path id=wrong_id/>
        </div>
    }
}

#[component]
fn Tokens(
    /// What the spelling becomes.
    report: FormReport,
) -> impl IntoView {
    let ids: Vec<String> = report.ids.iter().map(u32::to_string).collect();
    let words = match (report.ids.len(), report.counted) {
        (_, 0) => "its token is counted already".to_owned(),
        (1, _) => format!("token {}", ids[0]),
        (all, counted) if counted >= all => format!("tokens {}", ids.join(", ")),
        (_, 1) => {
            format!("its first token counts: {} {}", format::visible(report.tokens.first().map_or("", |t| t)), ids[0])
        }
        (_, counted) => format!("its first {counted} tokens count: {}", ids[..counted].join(", ")),
    };
    view! { <span data-testid="form-tokens" data-ids=ids.join(",")>{words}</span> }
}
