//! A threshold to move, with what it automates, how often that is right, and what it costs.

use std::sync::Arc;

use candor::chart::Chart;
use candor::stats::saved::Input;
use candor::stats::selection::Selection;
use leptos::prelude::*;

use super::run::Remark;
use crate::components::figure::FollowingFigure;
use crate::session::study::{Examining, study};
use crate::state::evaluation::decision::{at_threshold, cheapest, for_promise, promise, promise_rests_on, selection};
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::scores::{Scores, Truth};
use crate::state::format::percent;
use crate::state::notice::sentence;

/// What may be automated.
#[component]
pub fn Decide(
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let (wish, threshold) = (study.wish, study.threshold);
    // All rows are sorted for these: not while texts come in, and not for nobody. What was found last stays meanwhile.
    let found_for = Memo::new_with_compare(
        move |before: Option<&Option<Rows>>| {
            if study.looked_at.get() && !study.is_running() {
                study.with_truth(|truth| study.scores.with(|scores| Rows::of(scores, &material, truth)))
            } else {
                before.cloned().flatten()
            }
        },
        |_, _| true,
    );
    let rows = Memo::new_with_compare(
        move |_| found_for.with(|found| found.as_ref().map(|found| Arc::clone(&found.all))),
        |_, _| true,
    );
    let so_far = Memo::new(move |_| study.scores.with(Scores::so_far));
    let caution = Memo::new(move |_| study.judged.with(Judgements::caution));
    let rests_on =
        Memo::new(move |_| found_for.with(|f| f.as_ref().and_then(|f| promise_rests_on(f.promised.as_ref()?, &f.all))));
    let at = Memo::new(move |_| {
        rows.with(|rows| rows.as_ref().map(|rows| wish.with(|wish| at_threshold(rows, threshold.get(), wish))))
    });
    let found = Memo::new(move |_| {
        found_for.with(|found| {
            let Some(promised) = &found.as_ref()?.promised else {
                let words = "no promise can be made yet: it needs rows that came with a label, or texts drawn by lot in the \
                             Label place";
                return Some((words.to_owned(), None));
            };
            wish.with(|wish| {
                Some(match promise(promised, wish) {
                    Ok(promise) => (promise.summary(), promise.guaranteed.map(|found| found.threshold)),
                    Err(error) => (error.to_string(), None),
                })
            })
        })
    });
    let cheap = Memo::new(move |_| {
        rows.with(|rows| wish.with(|wish| rows.as_ref().and_then(|rows| cheapest(rows, wish).ok())))
    });
    let calibrated = Memo::new(move |_| {
        let calibrator = study.calibrator_of_rows()?;
        let takes_confidence = calibrator.file.input != Input::LabelLogprobs;
        takes_confidence.then(|| calibrator.file.calibrator.apply(threshold.get().clamp(0.0, 1.0)).ok()).flatten()
    });
    let line = move |part: fn(&crate::state::evaluation::decision::AtThreshold) -> String| {
        move || at.with(|at| at.as_ref().map(part).unwrap_or_default())
    };
    view! {
        <Show
            when=move || rows.with(Option::is_some)
            fallback=move || view! { <Waiting/> }
        >
            <section class="card" aria-labelledby="decide-title" data-testid="decide">
                <h2 id="decide-title" tabindex="-1">"What may be automated?"</h2>
                <p class="measure-text">
                    "Rows whose confidence reaches the threshold are left to the model, the others go to a person. Move it: \
                     with the mouse, a finger, or the arrow keys."
                </p>
                <Remark testid="decide-so-far" words=so_far/>
                <Remark testid="decide-caution" words=caution/>
                <div class="threshold">
                    <label for="threshold">
                        "Threshold on the model's own confidence "
                        <strong data-testid="threshold-value">{move || format!("{:.3}", threshold.get())}</strong>
                        {move || {
                            calibrated
                                .get()
                                .map(|value| {
                                    view! {
                                        <span class="soft" data-testid="threshold-calibrated">
                                            " · calibrated, this is " {percent(value)}
                                        </span>
                                    }
                                })
                        }}
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
                <Volume threshold=threshold/>
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
                <Remark testid="promise-caution" words=rests_on/>
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

/// The rows that count, and those that a promise may rest on.
#[derive(Clone)]
struct Rows {
    all: Arc<Selection>,
    promised: Option<Arc<Selection>>,
}

impl Rows {
    fn of(scores: &Scores, material: &Material, truth: Truth<'_>) -> Option<Self> {
        let all = Arc::new(selection(scores, material, truth)?);
        Some(Self { all, promised: for_promise(scores, material, truth).map(Arc::new) })
    }
}

/// Why nothing can be decided yet.
#[component]
fn Waiting() -> impl IntoView {
    let study = study();
    view! {
        <section class="card" aria-labelledby="decide-title" data-testid="decide-waits">
            <h2 id="decide-title" tabindex="-1">"What may be automated?"</h2>
            <p class="soft">
                {move || {
                    if study.is_running() {
                        "Said here when the run has ended or is stopped."
                    } else {
                        "Said here as soon as the model has read rows whose right label is known."
                    }
                }}
            </p>
        </section>
    }
}

/// Accuracy and volume over all thresholds, with the one that stands now.
#[component]
fn Volume(
    /// The threshold.
    threshold: RwSignal<f64>,
) -> impl IntoView {
    let study = study();
    let chart = Memo::new(move |_| {
        study.examination.with(|examination| match examination {
            Examining::Done(found) => {
                let mut figures = found.report.sections.iter().flat_map(|section| &section.figures);
                figures.find_map(|chart| match chart {
                    Chart::AccuracyVolume(volume) => Some(volume.clone()),
                    _ => None,
                })
            }
            _ => None,
        })
    });
    // One that changes is drawn where it stood: the page does not jump under a finger.
    let volume = Signal::derive(move || chart.get().unwrap_or_default());
    view! {
        <Show when=move || chart.with(Option::is_some)>
            <FollowingFigure volume=volume threshold=threshold/>
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
