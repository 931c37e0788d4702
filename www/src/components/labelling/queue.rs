//! One text at a time, and one key a label.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser;
use crate::components::label_colour::Swatch;
use crate::session::study::study;
use crate::state::evaluation::labelling::{Plan, keys};
use crate::state::evaluation::turn::Turn;
use crate::state::format::{count, percent};
use crate::state::place::Place;

/// The text that is shown to the person, with its keys.
#[component]
pub fn Queue(
    /// Who decides what.
    plan: Memo<Plan>,
    /// Where one is: keys count only here.
    place: RwSignal<Place>,
) -> impl IntoView {
    let study = study();
    let text = Memo::new(move |_| study.turn.with(|turn| turn.shown().map(|shown| shown.text)));
    // Also when nobody acts: the first texts are scored, or labels of an earlier visit come.
    Effect::new(move |_| {
        study.turn.track();
        plan.with(|plan| study.show_next(plan));
    });
    let names = Memo::new(move |_| {
        study.scored_with.with(|task| {
            task.as_ref().map(|task| task.labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>())
        })
    });
    let asks = move || text.get().is_some() && names.with(Option::is_some);
    // What the model says is shown after the decision: before, it would decide with the person.
    let last = RwSignal::new(None::<(usize, String)>);
    let note = RwSignal::new(String::new());
    Effect::new(move |_| {
        let noted = text.get().map(|text| study.note_of(text)).unwrap_or_default();
        note.set(noted);
    });
    let keep_note = move || {
        if let Some(text) = text.get_untracked() {
            study.note(text, note.get_untracked().trim().to_owned());
        }
    };
    // The next text takes the place of this one at once, so that the keyboard's focus stays where it is.
    let show_next = move || study.show_next(&plan.get_untracked());
    let decide = move |index: usize| {
        let label = names.with_untracked(|names| names.as_ref().and_then(|names| names.get(index).cloned()));
        let Some(label) = label else { return };
        keep_note();
        if let Some(text) = study.decide(&label) {
            show_next();
            last.set(Some((text, label)));
        }
    };
    let undo = move || {
        keep_note();
        study.undo();
        show_next();
        last.set(None);
    };
    let skip = move || {
        keep_note();
        study.skip();
        show_next();
    };
    let listener = window_event_listener(leptos::ev::keydown, move |event| {
        let elsewhere = place.with_untracked(|place| *place != Place::Label);
        // A key that is held down would label texts that nobody has read.
        if elsewhere || event.repeat() || event.ctrl_key() || event.alt_key() || event.meta_key() || is_writing(&event)
        {
            return;
        }
        let key = event.key().to_lowercase();
        let mut letters = key.chars();
        let (Some(key), None) = (letters.next(), letters.next()) else { return };
        let count = names.with_untracked(|names| names.as_ref().map_or(0, Vec::len));
        match (key, keys(count).iter().position(|known| *known == Some(key))) {
            (_, Some(label)) => decide(label),
            ('u', _) => undo(),
            ('s', _) => skip(),
            ('n', _) => browser::focus("label-note"),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || {
        listener.remove();
        // The place is left with a note half typed.
        if let (Some(Some(text)), Some(note)) = (text.try_get_untracked(), note.try_get_untracked()) {
            study.note(text, note.trim().to_owned());
        }
    });
    let material_text = move || {
        let text = text.get()?;
        study.material.with(|material| Some(material.as_ref()?.text(text)?.to_owned()))
    };
    let done = move || plan.with(|plan| (plan.decided, plan.decided + plan.queue.len()));
    view! {
        <section class="card" aria-labelledby="queue-title" data-testid="label-queue">
            <div class="card-head">
                <h2 id="queue-title">"Your turn"</h2>
                <span class="small soft" data-testid="label-progress">
                    {move || {
                        let (done, all) = done();
                        format!("{} of {} decided", count(done as u64), count(all as u64))
                    }}
                </span>
            </div>
            <div
                class="progress-track"
                role="progressbar"
                aria-label="Texts that you decided"
                aria-valuemin="0"
                aria-valuemax=move || done().1.to_string()
                aria-valuenow=move || done().0.to_string()
            >
                <div
                    class="progress-fill"
                    style:inline-size=move || {
                        let (done, all) = done();
                        format!("{:.1}%", if all > 0 { done as f64 / all as f64 * 100.0 } else { 0.0 })
                    }
                ></div>
            </div>
            <Show
                when=asks
                fallback=move || {
                    view! {
                        <p data-testid="label-finished">
                            {move || {
                                if plan.with(|plan| plan.unscored > 0) {
                                    "Let the model read the texts first: then it is known which of them need you."
                                } else {
                                    "Nothing waits for you: every text reaches the threshold, or has your label. Take the \
                                     labels home, raise the threshold to see more, or have texts drawn by lot."
                                }
                            }}
                        </p>
                    }
                }
            >
                <blockquote class="label-text" data-testid="label-text" aria-live="polite">
                    <bdi>{material_text}</bdi>
                </blockquote>
                <div class="label-keys" role="group" aria-label="Labels">
                    {move || {
                        let names = names.get().unwrap_or_default();
                        let keys = keys(names.len());
                        names
                            .into_iter()
                            .enumerate()
                            .map(|(index, name)| {
                                let key = keys[index];
                                let stands_for = name.clone();
                                view! {
                                    <button
                                        type="button"
                                        class="button label-key"
                                        data-label=stands_for
                                        aria-keyshortcuts=key.map(String::from)
                                        on:click=move |_| decide(index)
                                    >
                                        <Swatch index=Some(index)/>
                                        <span>{name}</span>
                                        {key.map(|key| view! { <kbd aria-hidden="true">{key.to_string()}</kbd> })}
                                    </button>
                                }
                            })
                            .collect_view()
                    }}
                </div>
                <div class="field">
                    <label for="label-note">"Note " <kbd aria-hidden="true">"n"</kbd></label>
                    <input
                        class="input"
                        id="label-note"
                        maxlength="500"
                        placeholder="Why it is hard, who to ask…"
                        prop:value=move || note.get()
                        on:input=move |event| note.set(event_target_value(&event))
                        on:change=move |_| keep_note()
                        on:keydown=move |event| {
                            if event.key() == "Enter" || event.key() == "Escape" {
                                event.prevent_default();
                                keep_note();
                                browser::focus("label-skip");
                            }
                        }
                    />
                </div>
            </Show>
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="label-skip"
                    disabled=move || !asks()
                    on:click=move |_| skip()
                >
                    "Skip " <kbd aria-hidden="true">"s"</kbd>
                </button>
                <button
                    type="button"
                    class="button button-small"
                    id="label-undo"
                    disabled=move || {
                        study.judged.with(|judged| judged.labelled().is_empty()) && !study.turn.with(Turn::has_acted)
                    }
                    on:click=move |_| undo()
                >
                    "Undo " <kbd aria-hidden="true">"u"</kbd>
                </button>
            </div>
            <p class="small soft" role="status" data-testid="label-last">
                {move || {
                    let (text, label) = last.get()?;
                    study
                        .scores
                        .with(|scores| {
                            let Some(scored) = scores.of(text) else {
                                return Some(format!("You: {label}. The model has not read it yet."));
                            };
                            let prediction = &scored.prediction;
                            let same = prediction.label == label;
                            let model = &prediction.label;
                            let sure = percent(prediction.confidence);
                            Some(
                                if same {
                                    format!("You: {label}. The model says the same ({sure}).")
                                } else {
                                    format!("You: {label}. The model says {model} ({sure}).")
                                },
                            )
                        })
                }}
            </p>
        </section>
    }
}

/// Whether a key goes into a field.
fn is_writing(event: &web_sys::KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|target| {
        let name = target.tag_name().to_ascii_lowercase();
        let is_text = name == "input" && target.get_attribute("type").is_none_or(|kind| kind != "range");
        is_text || name == "textarea" || name == "select" || target.closest("dialog").is_ok_and(|found| found.is_some())
    })
}
