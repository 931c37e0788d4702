//! A threshold to move, with what it automates, how often that is right, and what it costs.

use std::sync::Arc;

use leptos::prelude::*;

use crate::session::study::study;
use crate::state::evaluation::decision::{Wish, at_threshold, cheapest, promise, selection};
use crate::state::evaluation::material::Material;
use crate::state::notice::sentence;

/// Where the threshold stands at first.
const USUAL: f64 = 0.8;

/// What may be automated.
#[component]
pub fn Decide(
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let wish = RwSignal::new(Wish::default());
    let threshold = RwSignal::new(USUAL);
    let rows = Memo::new_with_compare(
        move |_| {
            study.labels.with(|labels| {
                study.scores.with(|scores| {
                    // While texts come in, every one would sort all rows anew.
                    scores.is_complete().then(|| selection(scores, &material, labels)).flatten().map(Arc::new)
                })
            })
        },
        |_, _| true,
    );
    let at = Memo::new(move |_| {
        rows.with(|rows| rows.as_ref().map(|rows| wish.with(|wish| at_threshold(rows, threshold.get(), wish))))
    });
    let found = Memo::new(move |_| {
        rows.with(|rows| {
            let rows = rows.as_ref()?;
            wish.with(|wish| {
                Some(match promise(rows, wish) {
                    Ok(promise) => (promise.summary(), promise.guaranteed.map(|found| found.threshold)),
                    Err(error) => (error.to_string(), None),
                })
            })
        })
    });
    let cheap = Memo::new(move |_| {
        rows.with(|rows| wish.with(|wish| rows.as_ref().and_then(|rows| cheapest(rows, wish).ok())))
    });
    let line = move |part: fn(&crate::state::evaluation::decision::AtThreshold) -> String| {
        move || at.with(|at| at.as_ref().map(part).unwrap_or_default())
    };
    view! {
        <Show when=move || rows.with(Option::is_some)>
            <section class="card" aria-labelledby="decide-title" data-testid="decide">
                <h2 id="decide-title">"What may be automated?"</h2>
                <p class="measure-text">
                    "Rows whose confidence reaches the threshold are left to the model, the others go to a person. Move it."
                </p>
                <div class="threshold">
                    <label for="threshold">
                        "Threshold " <strong>{move || format!("{:.3}", threshold.get())}</strong>
                    </label>
                    <input
                        type="range"
                        id="threshold"
                        min="0"
                        max="1"
                        step="0.001"
                        aria-describedby="at-threshold"
                        prop:value=move || threshold.get().to_string()
                        on:input=move |event| {
                            if let Ok(value) = event_target_value(&event).parse() {
                                threshold.set(value);
                            }
                        }
                    />
                </div>
                <dl class="highlights" id="at-threshold">
                    <div>
                        <dt>"Automated"</dt>
                        <dd data-testid="automated">{line(|at| at.automated.clone())}</dd>
                    </div>
                    <div>
                        <dt>"Of these"</dt>
                        <dd data-testid="automated-right">{line(|at| at.right.clone())}</dd>
                    </div>
                    <div>
                        <dt>"Cost"</dt>
                        <dd data-testid="automated-cost">{line(|at| at.cost.clone())}</dd>
                    </div>
                </dl>
                <h3>"A promise"</h3>
                <div class="wishes">
                    <Number
                        id="wish-accuracy"
                        label="Wanted accuracy, %"
                        value=move || wish.with(|wish| wish.accuracy * 100.0)
                        change=move |value: f64| wish.update(|wish| wish.accuracy = value / 100.0)
                    />
                    <Number
                        id="wish-assurance"
                        label="Assurance, %"
                        value=move || wish.with(|wish| wish.assurance * 100.0)
                        change=move |value: f64| wish.update(|wish| wish.assurance = value / 100.0)
                    />
                </div>
                <p data-testid="promise">{move || found.with(|found| found.as_ref().map(|(words, _)| sentence(words)))}</p>
                <Jump
                    words="Take this threshold"
                    id="take-promise"
                    to=move || found.with(|found| found.as_ref().and_then(|(_, threshold)| *threshold))
                    threshold=threshold
                />
                <h3>"A price"</h3>
                <div class="wishes">
                    <Number
                        id="review-cost"
                        label="A review costs"
                        value=move || wish.with(|wish| wish.costs.review_cost)
                        change=move |value: f64| wish.update(|wish| wish.costs.review_cost = value)
                    />
                    <Number
                        id="error-cost"
                        label="An error costs"
                        value=move || wish.with(|wish| wish.costs.error_cost)
                        change=move |value: f64| wish.update(|wish| wish.costs.error_cost = value)
                    />
                    <Number
                        id="volume"
                        label="Rows a day"
                        value=move || wish.with(|wish| wish.costs.volume)
                        change=move |value: f64| wish.update(|wish| wish.costs.volume = value)
                    />
                    <div class="field">
                        <label for="currency">"Currency"</label>
                        <input
                            class="input"
                            id="currency"
                            maxlength="8"
                            placeholder="EUR"
                            prop:value=move || wish.with(|wish| wish.currency.clone())
                            on:input=move |event| {
                                let value = event_target_value(&event);
                                wish.update(|wish| wish.currency = value);
                            }
                        />
                    </div>
                </div>
                <p data-testid="cheapest">
                    {move || cheap.with(|cheap| cheap.as_ref().map(|(_, words)| sentence(words)))}
                </p>
                <Jump
                    words="Take this threshold"
                    id="take-cheapest"
                    to=move || cheap.with(|cheap| cheap.as_ref().map(|(threshold, _)| *threshold))
                    threshold=threshold
                />
            </section>
        </Show>
    }
}

/// A number that a person can change.
#[component]
fn Number<V, C>(
    /// The element's id.
    id: &'static str,
    /// What it is.
    label: &'static str,
    /// Its value.
    value: V,
    /// What a change does.
    change: C,
) -> impl IntoView
where
    V: Fn() -> f64 + Send + Sync + 'static,
    C: Fn(f64) + Send + Sync + 'static,
{
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                class="input"
                type="number"
                inputmode="decimal"
                id=id
                min="0"
                step="any"
                prop:value=move || value().to_string()
                on:change=move |event| {
                    if let Ok(value) = event_target_value(&event).parse::<f64>() {
                        change(value);
                    }
                }
            />
        </div>
    }
}

/// A button that moves the threshold, where there is somewhere to move it.
#[component]
fn Jump<T>(
    /// The words on it.
    words: &'static str,
    /// Its id.
    id: &'static str,
    /// Where to.
    to: T,
    /// What is moved.
    threshold: RwSignal<f64>,
) -> impl IntoView
where
    T: Fn() -> Option<f64> + Copy + Send + Sync + 'static,
{
    view! {
        <Show when=move || to().is_some()>
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id=id
                    on:click=move |_| {
                        if let Some(value) = to() {
                            threshold.set(value);
                        }
                    }
                >
                    {words}
                </button>
            </div>
        </Show>
    }
}
