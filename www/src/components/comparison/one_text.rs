//! One text with every run: what the model would say next as it is, and what it says with what it has learnt.

use candor::protocol::Classification;
use leptos::prelude::*;

use crate::components::label_colour::{Swatch, colour_class};
use crate::components::next_tokens::NextTokens;
use crate::components::term::Term;
use crate::session::session;
use crate::session::study::{Asked, study};
use crate::state::format;
use crate::state::notice::sentence;

/// A text and the answers to it, side by side.
#[component]
pub fn OneText() -> impl IntoView {
    let (session, study) = (session(), study());
    let text = RwSignal::new(session.text.get_untracked());
    let known = Memo::new(move |_| study.runs.with(|runs| !runs.list().is_empty()));
    view! {
        <Show when=move || known.get()>
            <section class="card" aria-labelledby="one-text-title" data-testid="one-text">
                <h2 id="one-text-title">"The same text, side by side"</h2>
                <p class="measure-text soft">
                    "A model that was not made for a task likes to go on with something else: look at the likeliest "
                    <Term id="token">"tokens"</Term> ", and at how much of the probability is on no label at all."
                </p>
                <div class="field">
                    <label for="compare-text">"Text"</label>
                    <textarea
                        class="input text-area-small"
                        id="compare-text"
                        rows="2"
                        prop:value=move || text.get()
                        on:input=move |event| text.set(event_target_value(&event))
                    ></textarea>
                </div>
                <div class="buttons">
                    <button
                        type="button"
                        class="button"
                        id="ask-runs"
                        disabled=move || !session.is_ready() || text.with(|text| text.trim().is_empty())
                        on:click=move |_| study.ask_runs(text.get_untracked())
                    >
                        "Ask every run"
                    </button>
                </div>
                <div class="answers" aria-live="polite">
                    {move || {
                        study
                            .asked
                            .get()
                            .into_iter()
                            .enumerate()
                            .map(|(place, asked)| view! { <Answer place=place asked=asked/> })
                            .collect_view()
                    }}
                </div>
            </section>
        </Show>
    }
}

#[component]
fn Answer(
    /// Its place.
    place: usize,
    /// The run and what it says.
    asked: Asked,
) -> impl IntoView {
    let Asked { name, is_probe, outcome } = asked;
    let content = match outcome {
        None => view! { <p class="soft" role="status">"Reading…"</p> }.into_any(),
        Some(Err(error)) => view! { <p class="soft">{sentence(&error.to_string())}</p> }.into_any(),
        Some(Ok(found)) => view! { <Said place=place of=name.clone() found=found is_probe=is_probe/> }.into_any(),
    };
    view! {
        <article class="answer" data-testid="answer" data-run=name.clone()>
            <h3>{name.clone()}</h3>
            {content}
        </article>
    }
}

#[component]
fn Said(
    /// Its place.
    place: usize,
    /// The run's name.
    of: String,
    /// What the run says.
    found: Classification,
    /// Whether a probe says it.
    is_probe: bool,
) -> impl IntoView {
    let Classification { prediction, next, .. } = found;
    let names: Vec<String> = prediction.labels.keys().cloned().collect();
    let shown = |logprob: f64, share: f64| if is_probe { share } else { logprob.exp() };
    let bars = prediction.labels.iter().enumerate().map(|(index, (label, score))| {
        let probability = shown(score.logprob, score.share);
        view! {
            <li class=format!("answer-bar {}", colour_class(index)) data-label=label.clone() data-probability=probability.to_string()>
                <span class="bar-name"><Swatch index=Some(index)/><span>{label.clone()}</span></span>
                <span class="value">{format::percent(probability)}</span>
                <span class="bar-track" aria-hidden="true">
                    <span class="bar-fill" style:inline-size=format!("{:.2}%", probability.clamp(0.0, 1.0) * 100.0)></span>
                </span>
            </li>
        }
    });
    let bars = bars.collect_view();
    view! {
        <p>"Answers " <strong data-testid="answer-label">{prediction.label.clone()}</strong></p>
        <ul class="answer-bars">
            {bars}
            {(!is_probe)
                .then(|| {
                    view! {
                        <li class="answer-bar label-none">
                            <span class="bar-name"><Swatch index=None/><span>"on no label"</span></span>
                            <span class="value" data-testid="answer-other">{format::percent(prediction.other_mass)}</span>
                            <span class="bar-track" aria-hidden="true">
                                <span
                                    class="bar-fill"
                                    style:inline-size=format!("{:.2}%", prediction.other_mass.clamp(0.0, 1.0) * 100.0)
                                ></span>
                            </span>
                        </li>
                    }
                })}
        </ul>
        {if is_probe {
            view! { <p class="small soft">"A probe reads the model's last hidden state, not its words: it has no tokens to show."</p> }
                .into_any()
        } else {
            view! { <NextTokens rows=next labels=names id=format!("answer-tokens-{place}") of=of/> }.into_any()
        }}
    }
}
