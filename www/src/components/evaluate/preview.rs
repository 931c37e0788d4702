//! What was read: columns, first rows, what is wrong, and what the labels mean.

use std::sync::Arc;

use candor::error::Error;
use leptos::prelude::*;

use super::data_source::ReadState;
use super::guesses::Guesses;
use super::label_meanings::LabelMeanings;
use crate::components::notice::Caution;
use crate::session::study::study;
use crate::state::evaluation::material::Material;
use crate::state::format;
use crate::state::notice::sentence;

/// Rows that are shown.
const SHOWN: usize = 5;
/// Characters of a text that are shown.
const CHARACTERS: usize = 160;

/// The data set, to be looked at before anything runs.
#[component]
pub fn Preview(
    /// What was read.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let summary = {
        let report = &material.report;
        let mut words = format!(
            "{}, {}",
            format::counted(material.rows.len() as u64, "row"),
            format::counted(material.different_texts() as u64, "different text")
        );
        if report.left_out > 0 {
            words.push_str(&format!("; {} left out", format::counted(report.left_out as u64, "bad row")));
        }
        words
    };
    let said = {
        let material = Arc::clone(&material);
        Memo::new(move |_| {
            let mut said = study.labels.with(|labels| material.cautions(labels));
            // What the reader says of a single label is said above, in the task's own labels.
            let about_texts = |warning: &&String| !warning.starts_with("all labelled rows");
            said.extend(material.report.warnings.iter().filter(about_texts).cloned());
            said.extend(material.report.notes.iter().cloned());
            said
        })
    };
    let rows: Vec<_> = material.rows.iter().take(SHOWN).cloned().collect();
    let has_group = rows.iter().any(|row| row.group.is_some());
    view! {
        <section class="card" aria-labelledby="preview-title" data-testid="data-preview">
            <div class="card-head">
                <div>
                    <h2 id="preview-title">{format::shortened(&material.name, 60)}</h2>
                    <p class="small soft" data-testid="data-summary">{summary}</p>
                </div>
                <button type="button" class="button button-small" id="other-data" on:click=move |_| study.put_away()>
                    "Other data"
                </button>
            </div>
            <Guesses material=Arc::clone(&material)/>
            <ReadState/>
            <div class="table-scroll" tabindex="0" role="region" aria-label="The first rows">
                <table class="table preview-table">
                    <thead>
                        <tr>
                            <th scope="col" class="number">"Line"</th>
                            <th scope="col">"Text"</th>
                            <th scope="col">"Label"</th>
                            {has_group.then(|| view! { <th scope="col">"Group"</th> })}
                        </tr>
                    </thead>
                    <tbody>
                        {rows
                            .into_iter()
                            .map(|row| {
                                view! {
                                    <tr>
                                        <td class="number">{row.line}</td>
                                        <td class="wide"><bdi>{format::shortened(&row.text, CHARACTERS)}</bdi></td>
                                        <td>{row.label.unwrap_or_else(|| format::MISSING.to_owned())}</td>
                                        {has_group
                                            .then(|| {
                                                view! { <td>{row.group.unwrap_or_else(|| format::MISSING.to_owned())}</td> }
                                            })}
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
            <Show when=move || said.with(|said| !said.is_empty())>
                <Caution testid="data-cautions">
                    <p class="notice-title">"Good to know before it runs"</p>
                    <ul class="bullets">
                        {move || said.get().iter().map(|words| view! { <li>{sentence(words)}</li> }).collect_view()}
                    </ul>
                </Caution>
            </Show>
            <Problems left_out=material.report.left_out problems=material.report.problems.clone()/>
            <LabelMeanings/>
        </section>
    }
}

/// Rows that were left out, with their lines.
#[component]
fn Problems(
    /// How many.
    left_out: usize,
    /// What is wrong with the first of them.
    problems: Vec<Error>,
) -> impl IntoView {
    (left_out > 0).then(|| {
        let listed = problems.len().min(100);
        let more = left_out - listed;
        view! {
            <details data-testid="data-problems">
                <summary>{format!("{} left out", format::counted(left_out as u64, "bad row"))}</summary>
                <ul class="bullets small">
                    {problems
                        .into_iter()
                        .take(listed)
                        .map(|problem| view! { <li>{sentence(&problem.to_string())}</li> })
                        .collect_view()}
                    {(more > 0).then(|| view! { <li>{format!("and {} more", format::count(more as u64))}</li> })}
                </ul>
            </details>
        }
    })
}
