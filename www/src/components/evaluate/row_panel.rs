//! A listed row by itself: the whole text, what the model would say next, what a calibrator makes of it.

use std::sync::Arc;

use leptos::prelude::*;

use crate::components::dialog::Dialog;
use crate::components::next_tokens::NextTokens;
use crate::session::study::study;
use crate::state::evaluation::material::Material;
use crate::state::format;

/// The panel; `opened` names the row.
#[component]
pub fn RowPanel(
    /// What was run.
    material: StoredValue<Arc<Material>>,
    /// The row that is looked at.
    opened: RwSignal<Option<usize>>,
) -> impl IntoView {
    let study = study();
    let open = RwSignal::new(false);
    // Each follows the other, and sets it only where it differs: two that set blindly would never rest.
    Effect::new(move |_| {
        let wanted = opened.with(Option::is_some);
        if open.get_untracked() != wanted {
            open.set(wanted);
        }
    });
    Effect::new(move |_| {
        if !open.get() && opened.with_untracked(Option::is_some) {
            opened.set(None);
        }
    });
    let title = Signal::derive(move || {
        let id = opened.get().and_then(|row| material.with_value(|material| Some(material.rows.get(row)?.id.clone())));
        id.map_or_else(String::new, |id| format!("Row {id}"))
    });
    let contents = move || {
        let row = opened.get()?;
        let material = material.get_value();
        let (prediction, next, cut) = study.with_truth(|truth| {
            study.scores.with(|scores| {
                let scored = scores.of(material.text_of(row))?;
                Some((scores.row(row, &material, truth)?, scored.next.clone(), scored.cut))
            })
        })?;
        let seen = study.calibrator_of_rows().and_then(|used| used.see(&prediction));
        let names: Vec<String> = prediction.labels.keys().cloned().collect();
        let labels = prediction
            .labels
            .iter()
            .map(|(name, score)| {
                view! {
                    <dt>{name.clone()}</dt>
                    <dd>
                        {format::percent(score.logprob.exp())} " of all words, " {format::percent(score.share)}
                        " of the labels"
                    </dd>
                }
            })
            .collect_view();
        let outcome = match (&prediction.expected, prediction.correct) {
            (Some(expected), Some(true)) => format!("{}: right", expected),
            (Some(expected), _) => format!("{}; the model says {}: wrong", expected, prediction.label),
            (None, _) => "not known".to_owned(),
        };
        Some(view! {
            <p class="row-text"><bdi>{prediction.text.clone()}</bdi></p>
            {cut.then(|| view! { <p class="small soft">"The text was longer than the model reads; its end was left out."</p> })}
            <dl class="details" data-testid="row-details">
                <dt>"True label"</dt>
                <dd>{outcome}</dd>
                <dt>"The model answers"</dt>
                <dd>{prediction.label.clone()} ", " {format::percent(prediction.confidence)}</dd>
                {seen
                    .as_ref()
                    .map(|seen| {
                        view! {
                            <dt>"Calibrated"</dt>
                            <dd>
                                {format::percent(seen.confidence)} " "
                                <span class="soft">{seen.interval_words()}</span>
                            </dd>
                        }
                    })}
                {labels}
            </dl>
            {seen.map(|seen| view! { <p class="small soft">{seen.explanation()}</p> })}
            <h3>"What the model would say next"</h3>
            <NextTokens rows=next labels=names id="row-tokens"/>
        })
    };
    view! {
        <Dialog id="row-panel" open=open title=title>
            {contents}
        </Dialog>
    }
}
