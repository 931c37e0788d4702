//! The answer: the decision in words, a bar for each label, what to be careful about, and what it cost.

use candor::protocol::Prediction;
use leptos::prelude::*;

use super::label_colour::{Swatch, colour_class};
use super::notice::Caution;
use super::term::Term;
use crate::browser;
use crate::session::study::study;
use crate::session::{Answer, session};
use crate::state::format;
use crate::state::reading::{Bar, Basis, Reading};

/// Characters beyond which a label's name is set smaller.
const LONG_NAME: usize = 22;

/// A classified text.
#[component]
pub fn Verdict(
    /// The answer.
    answer: Answer,
) -> impl IntoView {
    let session = session();
    let Answer { classification, reading } = answer;
    let corrected = reading.basis == Basis::LabelsOnly;
    let long = reading.label.chars().count() > LONG_NAME;
    let number = if corrected { reading.share } else { reading.total_probability };
    let backend = move || session.model.with(|model| model.as_ref().map(|model| model.backend.clone()));
    let facts = [
        ("time", format::duration(classification.seconds)),
        ("tokens-computed", format!("{} computed", format::counted(classification.tokens_computed as u64, "token"))),
        ("tokens-reused", format!("{} reused", format::count(classification.tokens_reused as u64))),
    ];
    view! {
        <div class="verdict fades" id="decision">
            <div>
                <p class="verdict-caption">"The model answers"</p>
                <p class="verdict-label" class:verdict-label-long=long>
                    <Swatch index=Some(reading.index)/>
                    <span data-testid="decision-label">{reading.label.clone()}</span>
                </p>
            </div>
            <div>
                <p class="verdict-caption">
                    {if corrected {
                        view! { <Term id="share">"of the labels, corrected"</Term> }.into_any()
                    } else {
                        view! { <Term id="total">"total probability"</Term> }.into_any()
                    }}
                    <span class="tag">
                        <Term id="raw">"uncalibrated"</Term>
                    </span>
                </p>
                <p class="verdict-number" data-testid="decision-probability">{format::percent(number)}</p>
            </div>
        </div>
        <CalibratedConfidence prediction=classification.prediction.clone()/>
        <ProbeAnswer text=classification.prediction.text.clone() vector=classification.vector.clone()/>
        <p class="small soft fades" data-testid="decision-sentence">{reading.sentence()}</p>
        <Bars reading=reading.clone()/>
        {classification
            .truncated
            .clone()
            .map(|cut| {
                let text = classification.prediction.text.clone();
                let kept: String = text.chars().take(cut.kept_characters).collect();
                let from = format::utf16_position(&text, cut.kept_characters);
                let to = format::utf16_position(&text, cut.total_characters);
                view! {
                    <Caution testid="truncated">
                        <p class="notice-title">"The text was longer than the model reads"</p>
                        <p>
                            "Read: the first " {format::count(cut.kept_characters as u64)} " of "
                            {format::count(cut.total_characters as u64)} " characters, up to “"
                            {format::ending(&kept, 40)} "”. A prompt may have "
                            {format::count(cut.limit_tokens as u64)} " tokens here (" <Term id="context">"context"</Term>
                            ")."
                        </p>
                        <button
                            type="button"
                            class="button button-small"
                            data-testid="show-cut"
                            on:click=move |_| browser::select_in_text("text", from, to)
                        >
                            "Select the part that was not read"
                        </button>
                    </Caution>
                }
            })}
        {(!reading.cautions.is_empty())
            .then(|| {
                view! {
                    <Caution testid="cautions">
                        {reading.cautions.iter().map(|caution| view! { <p>{caution.clone()}</p> }).collect_view()}
                    </Caution>
                }
            })}
        <p class="facts" data-testid="facts">
            {facts.map(|(id, words)| view! { <span data-testid=id>{words}</span> }).collect_view()}
            <span data-testid="backend"><Term id="backend">{backend}</Term></span>
        </p>
    }
}

/// What the chosen calibrator makes of the answer, where one is chosen.
#[component]
fn CalibratedConfidence(
    /// The answer.
    prediction: Prediction,
) -> impl IntoView {
    let study = study();
    move || {
        match study.calibrator_of_texts() {
        Ok(None) => None,
        Ok(Some(used)) => used.see(&prediction).map(|seen| {
            let set = seen.set.clone();
            let number = match used.is_raw() {
                true => view! {
                    <p class="small" data-testid="calibrator-raw">
                        "This number is the model's own. The chosen calibrator is “no calibration”, which changes none."
                    </p>
                }
                .into_any(),
                false => view! {
                    <p class="verdict-caption"><Term id="calibrated">"calibrated confidence"</Term></p>
                    <p>
                        <span class="calibrated-number" data-testid="calibrated-confidence">
                            {format::percent(seen.confidence)}
                        </span>
                        {seen
                            .interval_words()
                            .map(|words| view! { <span class="soft" data-testid="calibrated-interval">" " {words}</span> })}
                    </p>
                    <p class="small soft">{seen.explanation()}</p>
                }
                .into_any(),
            };
            view! {
                <div class="calibrated fades" data-testid="calibrated">
                    {number}
                    {set
                        .map(|(labels, coverage)| {
                            view! {
                                <p class="small soft" data-testid="calibrated-set">
                                    <Term id="conformal">"Not ruled out"</Term>
                                    {format!(" ({} of such sets hold the true label): ", format::percent(coverage))}
                                    <strong>{labels.join(", ")}</strong>
                                </p>
                            }
                        })}
                    <p class="small soft">{used.summary()}</p>
                </div>
            }
            .into_any()
        }),
        Err(error) => Some(
            view! {
                <p class="small soft" data-testid="calibrator-not-here">
                    "The chosen calibrator is not used here: " {error.message}
                </p>
            }
            .into_any(),
        ),
    }
    }
}

/// What the probe in use says of the text, where one was trained on what answers here.
#[component]
fn ProbeAnswer(
    /// The text.
    text: String,
    /// The model's last hidden state.
    vector: Vec<f32>,
) -> impl IntoView {
    let study = study();
    move || {
        let (prediction, probe) = study.probe_of_texts(&text, &vector)?;
        let index = probe.labels.iter().position(|label| *label == prediction.label);
        Some(view! {
            <div class="calibrated fades" data-testid="probe-answer">
                <p class="verdict-caption"><Term id="probe">"the probe answers"</Term></p>
                <p>
                    <Swatch index=index/>
                    " "
                    <strong data-testid="probe-label">{prediction.label.clone()}</strong>
                    " "
                    <span class="calibrated-number" data-testid="probe-share">{format::percent(prediction.share)}</span>
                </p>
                <p class="small soft">
                    "Trained on " {format::counted(probe.rows as u64, "row")} " of this project."
                </p>
            </div>
        })
    }
}

/// A bar for each label, and one for what is on no label.
#[component]
fn Bars(
    /// What they show.
    reading: Reading,
) -> impl IntoView {
    let bars = reading.bars.into_iter().map(|bar| view! { <LabelBar bar=bar/> }).collect_view();
    let whole = reading.basis == Basis::AllTokens;
    let other = reading.other_mass;
    view! {
        <div class="fades">
            <div class="bars-head-note">
                {(!whole)
                    .then(|| {
                        view! {
                            <p class="small soft">
                                "The bars show what decided: shares among the labels after "
                                <Term id="bias">"bias correction"</Term> "."
                            </p>
                        }
                    })}
            </div>
            <ul class="bars" id="bars" aria-label="Labels and their probability">
                <li class="bars-head" aria-hidden="true">
                    <span>"Label"</span>
                    <span>"of all words"</span>
                    <span>"of the labels"</span>
                </li>
                {bars}
                <li class="bar bar-other" data-testid="no-label">
                    <span class="bar-name">
                        <Swatch index=None/>
                        <span><Term id="other">"on no label"</Term></span>
                    </span>
                    <span class="value">{format::percent(other)}</span>
                    <span class="share"></span>
                    {whole
                        .then(|| {
                            view! {
                                <span class="bar-track label-none" aria-hidden="true">
                                    <span class="bar-fill" style:inline-size=width(other)></span>
                                </span>
                            }
                        })}
                </li>
            </ul>
        </div>
    }
}

#[component]
fn LabelBar(
    /// The bar.
    bar: Bar,
) -> impl IntoView {
    view! {
        <li
            class=format!("bar {}", colour_class(bar.index))
            class:is-winner=bar.winner
            data-label=bar.name.clone()
            data-probability=bar.probability.to_string()
            data-share=bar.share.to_string()
        >
            <span class="bar-name">
                <Swatch index=Some(bar.index)/>
                <span>{bar.name.clone()}</span>
            </span>
            <span class="value">{format::percent(bar.probability)}</span>
            <span class="share">
                {format::percent(bar.share)} <span class="visually-hidden">" of the labels"</span>
            </span>
            <span class="bar-track" aria-hidden="true">
                <span class="bar-fill" style:inline-size=width(bar.length)></span>
            </span>
        </li>
    }
}

fn width(part: f64) -> String {
    format!("{:.2}%", part.clamp(0.0, 1.0) * 100.0)
}
