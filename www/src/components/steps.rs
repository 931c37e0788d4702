//! The five steps, worked through with this text's numbers.

use leptos::prelude::*;

use super::term::Term;
use crate::state::format::{percent, visible};
use crate::state::steps::{Agreement, FiveSteps};

/// Tokens of the label that are shown one by one.
const SHOWN: usize = 8;

/// From the likeliest token to the decision.
#[component]
pub fn Steps(
    /// The worked example.
    steps: FiveSteps,
) -> impl IntoView {
    let label = steps.label.clone();
    let agreement = match &steps.agreement {
        Agreement::Same => view! { <p>"It spells " <strong>{label.clone()}</strong> "."</p> }.into_any(),
        Agreement::NoLabel => view! {
            <p>
                "It spells no label. So the labels are compared among themselves, and "
                <strong>{label.clone()}</strong> " has the most."
            </p>
        }
        .into_any(),
        Agreement::AddsUpToLess(name) => view! {
            <p>
                "It spells " <strong>{name.clone()}</strong> ", but all the tokens of "
                <strong>{label.clone()}</strong> " together have more."
            </p>
        }
        .into_any(),
        Agreement::Corrected(name) => view! {
            <p>
                "It spells " <strong>{name.clone()}</strong> ". The " <Term id="bias">"bias correction"</Term>
                " takes off what the model gives this label whatever the text says, and then "
                <strong>{label.clone()}</strong> " is ahead."
            </p>
        }
        .into_any(),
    };
    let more = steps.tokens.len().saturating_sub(SHOWN);
    let tokens = steps
        .tokens
        .iter()
        .take(SHOWN)
        .map(|token| {
            view! {
                <li class="token" data-testid="step-token">
                    {visible(&token.text)} <span class="token-number">{percent(token.probability)}</span>
                </li>
            }
        })
        .collect_view();
    let compared = steps.runner_up.clone().map(|(name, sum)| format!("Next is {name} with {}; ", percent(sum)));
    view! {
        <ol class="steps" id="steps">
            <li data-testid="step-1">
                <h3>"The likeliest next " <Term id="token">"token"</Term></h3>
                <p>
                    <span class="token">{visible(&steps.top.token)}</span> " (id " {steps.top.id} ") with "
                    <strong>{percent(steps.top.probability)}</strong> " of all probability."
                </p>
            </li>
            <li data-testid="step-2">
                <h3>"Its " <Term id="label">"label"</Term></h3>
                {agreement}
            </li>
            <li data-testid="step-3">
                <h3>"All tokens that mean " {label.clone()}</h3>
                <ul class="step-tokens">
                    {tokens} {(more > 0).then(|| view! { <li class="soft small">"and " {more} " more"</li> })}
                </ul>
            </li>
            <li data-testid="step-4">
                <h3>"Their sum"</h3>
                <p class="calculation">{steps.calculation.clone()}</p>
            </li>
            <li data-testid="step-5">
                <h3>"The decision"</h3>
                <p>
                    <strong>{label.clone()}</strong> ", with a " <Term id="total">"total probability"</Term> " of "
                    <strong>{percent(steps.sum)}</strong> ". "
                    <span class="soft">{compared}</span>
                    <span class="soft">{percent(steps.other_mass)} " is on no label."</span>
                </p>
            </li>
        </ol>
    }
}
