//! The table of the likeliest next tokens.

use candor::protocol::NextToken;
use leptos::prelude::*;

use super::label_colour::Swatch;
use super::term::Term;
use crate::state::format;

/// The likeliest tokens, and which label each supports.
#[component]
pub fn NextTokens(
    /// The rows, the likeliest first.
    rows: Vec<NextToken>,
    /// The labels, in the task's order, for their colours.
    labels: Vec<String>,
    /// The table's id.
    #[prop(into, default = "next-tokens".to_owned())]
    id: String,
    /// Whose tokens these are, where several tables stand side by side.
    #[prop(optional, into)]
    of: String,
) -> impl IntoView {
    let name = if of.is_empty() { "Likeliest next tokens".to_owned() } else { format!("Likeliest next tokens, {of}") };
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=name>
            <table class="table" id=id>
                <thead>
                    <tr>
                        <th scope="col" class="number rank">"Rank"</th>
                        <th scope="col"><Term id="token">"Token"</Term></th>
                        <th scope="col" class="number optional">"Id"</th>
                        <th scope="col" class="number optional"><Term id="logprob">"Log-prob."</Term></th>
                        <th scope="col" class="number"><Term id="probability">"Probability"</Term></th>
                        <th scope="col">"Supports"</th>
                    </tr>
                </thead>
                <tbody>
                    {rows
                        .into_iter()
                        .map(|row| {
                            let supports = row
                                .label
                                .as_ref()
                                .map(|name| (labels.iter().position(|label| label == name), name.clone()));
                            view! {
                                <tr data-rank=row.rank.to_string() data-token-id=row.id.to_string()>
                                    <td class="number rank">{row.rank}</td>
                                    <td><span class="token">{format::visible(&row.token)}</span></td>
                                    <td class="number optional">{row.id}</td>
                                    <td class="number optional">{format::logarithm(row.logprob)}</td>
                                    <td class="number">{format::percent(row.probability)}</td>
                                    <td class="supports">
                                        {match supports {
                                            Some((index, name)) => {
                                                view! {
                                                    <span class="supports-inner">
                                                        <Swatch index=index/>
                                                        {name}
                                                    </span>
                                                }
                                                    .into_any()
                                            }
                                            None => view! { <span class="soft">"no label"</span> }.into_any(),
                                        }}
                                    </td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}
