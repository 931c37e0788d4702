//! The runs side by side: who is best, whether that is real, and what it means for automation.

use candor::chart::Report;
use candor::protocol::ComparisonReport;
use leptos::prelude::*;

use crate::browser;
use crate::components::report_parts::{Highlights, Part, Warnings};
use crate::session::study::{Comparing, study};
use crate::state::notice::sentence;

/// The comparison, as far as it is.
#[component]
pub fn Findings() -> impl IntoView {
    let study = study();
    move || match study.compared.get() {
        Comparing::Not => ().into_any(),
        Comparing::Under => view! {
            <section class="card" data-testid="comparing">
                <p role="status">
                    "Comparing: intervals, paired tests, calibrators that are judged on rows they have not seen…"
                </p>
            </section>
        }
        .into_any(),
        Comparing::Failed(error) => view! {
            <section class="card">
                <div class="notice" role="alert" data-testid="comparison-error">
                    <p class="notice-title">"These runs cannot be compared"</p>
                    <p>{sentence(&error.to_string())}</p>
                </div>
            </section>
        }
        .into_any(),
        Comparing::Done(found) => view! { <SideBySide found=(*found).clone()/> }.into_any(),
    }
}

#[component]
fn SideBySide(
    /// What was found.
    found: ComparisonReport,
) -> impl IntoView {
    let ComparisonReport { report, json } = found;
    let Report { paragraphs, warnings, highlights, sections, .. } = report.clone();
    let (report, json) = (StoredValue::new(report), StoredValue::new(json));
    let failed = RwSignal::new(false);
    let mut paragraphs = paragraphs.into_iter();
    let verdict = paragraphs.next().unwrap_or_default();
    view! {
        <section class="card" aria-labelledby="comparison-title" data-testid="comparison">
            <div class="card-head">
                <h2 id="comparison-title">"Side by side"</h2>
                <div class="buttons">
                    <button
                        type="button"
                        class="button button-quiet button-small"
                        id="export-comparison-json"
                        on:click=move |_| {
                            let saved = json.with_value(|json| browser::save_file("comparison.json", json));
                            failed.set(saved.is_none());
                        }
                    >
                        "comparison.json"
                    </button>
                    <button
                        type="button"
                        class="button button-small"
                        id="export-comparison"
                        on:click=move |_| {
                            let html = report.with_value(Report::to_html);
                            failed.set(browser::save_file("comparison.html", &html).is_none());
                        }
                    >
                        "Take home: comparison.html"
                    </button>
                </div>
            </div>
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
            <p class="comparison-verdict measure-text" data-testid="comparison-verdict">{verdict}</p>
            {paragraphs.map(|words| view! { <p class="soft">{words}</p> }).collect_view()}
            <Highlights highlights=highlights/>
            <Warnings warnings=warnings/>
        </section>
        {sections
            .into_iter()
            .enumerate()
            .map(|(index, section)| view! { <Part prefix="side-by-side" index=index section=section open=true/> })
            .collect_view()}
    }
}
