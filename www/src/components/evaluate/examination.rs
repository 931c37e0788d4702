//! What the run says: the numbers that matter most, then a section a question, with pictures that answer.

use candor::chart::Report;
use candor::protocol::Examination as Examined;
use leptos::prelude::*;

use crate::browser;
use crate::components::report_parts::{Highlights, Part, Warnings};
use crate::session::study::{Examining, study};
use crate::state::evaluation::view::Listing;
use crate::state::notice::sentence;

/// The examination of the scored rows, as far as it is.
#[component]
pub fn Examination() -> impl IntoView {
    let study = study();
    move || match study.examination.get() {
        Examining::Not => ().into_any(),
        Examining::Under => view! {
            <section class="card" data-testid="examining">
                <p role="status">
                    "Computing what these rows say: intervals, calibrators that are judged on rows they have not seen…"
                </p>
            </section>
        }
        .into_any(),
        Examining::Failed(error) => view! {
            <section class="card">
                <div class="notice" role="alert" data-testid="examination-error">
                    <p class="notice-title">"These rows could not be examined"</p>
                    <p>{sentence(&error.to_string())}</p>
                </div>
            </section>
        }
        .into_any(),
        Examining::Done(found) => view! { <Findings found=(*found).clone()/> }.into_any(),
    }
}

#[component]
fn Findings(
    /// What was found.
    found: Examined,
) -> impl IntoView {
    let study = study();
    let failed = RwSignal::new(false);
    let Examined { report, metrics } = found;
    let Report { warnings, highlights, sections, .. } = report.clone();
    let report = StoredValue::new(report);
    let metrics = StoredValue::new(metrics);
    let on_mark = Callback::new(move |listing: Listing| {
        study.listing.set(listing);
        browser::show_element("rows");
    });
    view! {
        <section class="card" aria-labelledby="findings-title" data-testid="findings">
            <div class="card-head">
                <h2 id="findings-title" tabindex="-1">"What these rows say"</h2>
                <div class="buttons">
                <button
                    type="button"
                    class="button button-quiet button-small"
                    id="export-metrics"
                    on:click=move |_| {
                        let saved = metrics.with_value(|metrics| browser::save_file("metrics.json", metrics));
                        failed.set(saved.is_none());
                    }
                >
                    "metrics.json"
                </button>
                <button
                    type="button"
                    class="button button-small"
                    id="export-report"
                    on:click=move |_| {
                        let html = report.with_value(Report::to_html);
                        failed.set(browser::save_file("report.html", &html).is_none());
                    }
                >
                    "Take home: report.html"
                </button>
                </div>
            </div>
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
            <Highlights highlights=highlights/>
            <Warnings warnings=warnings/>
        </section>
        {sections
            .into_iter()
            .enumerate()
            .map(|(index, section)| view! { <Part prefix="part" index=index section=section on_mark=on_mark/> })
            .collect_view()}
    }
}
