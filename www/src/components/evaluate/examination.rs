//! What the run says: the numbers that matter most, then a section a question, with pictures that answer.

use std::sync::Arc;

use candor::chart::Report;
use candor::protocol::Examination as Examined;
use leptos::prelude::*;

use crate::browser;
use crate::components::report_parts::{Highlights, Parts, Warnings};
use crate::session::study::{Examining, study};
use crate::state::evaluation::view::Listing;
use crate::state::notice::sentence;

/// The examination of the scored rows, as far as it is.
#[component]
pub fn Examination() -> impl IntoView {
    let study = study();
    // What was found last: while there is something newer to be found, it stays.
    let found = Memo::new(move |_| match study.examination.get() {
        Examining::Done(found) => Some(found),
        _ => None,
    });
    let failed = Memo::new(move |_| match study.examination.get() {
        Examining::Failed(error) => Some(sentence(&error.to_string())),
        _ => None,
    });
    view! {
        <Show when=move || study.examination.with(|examination| *examination == Examining::Under)>
            <section class="card" data-testid="examining">
                <p role="status">
                    "Computing what these rows say: intervals, calibrators that are judged on rows they have not seen…"
                </p>
            </section>
        </Show>
        <Show when=move || failed.with(Option::is_some)>
            <section class="card">
                <div class="notice" role="alert" data-testid="examination-error">
                    <p class="notice-title">"These rows could not be examined"</p>
                    <p>{move || failed.get()}</p>
                </div>
            </section>
        </Show>
        <Show when=move || found.with(Option::is_some)>
            <Findings found=found/>
        </Show>
    }
}

#[component]
fn Findings(
    /// What was found.
    found: Memo<Option<Arc<Examined>>>,
) -> impl IntoView {
    let study = study();
    let failed = RwSignal::new(false);
    let highlights = Memo::new(move |_| part_of(found, |report| &report.highlights));
    let warnings = Memo::new(move |_| part_of(found, |report| &report.warnings));
    let sections = Signal::derive(move || part_of(found, |report| &report.sections));
    let updating = study.examining;
    let save = move |name: &str, text: fn(&Examined) -> String| {
        let text = found.with_untracked(|found| found.as_ref().map(|found| text(found)));
        failed.set(text.and_then(|text| browser::save_file(name, &text)).is_none());
    };
    let on_mark = Callback::new(move |listing: Listing| {
        study.listing.set(listing);
        browser::show_element("rows");
    });
    view! {
        <section
            class="card"
            aria-labelledby="findings-title"
            data-testid="findings"
            aria-busy=move || updating.get().to_string()
        >
            <div class="card-head">
                <h2 id="findings-title" tabindex="-1">"What these rows say"</h2>
                <div class="buttons">
                    // Its room is always there: nothing moves when it comes.
                    <span
                        class="tag"
                        role="status"
                        data-testid="findings-updating"
                        style:visibility=move || if updating.get() { "visible" } else { "hidden" }
                    >
                        "being updated"
                    </span>
                    // What is taken home is of the rows and prices as they are now.
                    <button
                        type="button"
                        class="button button-quiet button-small"
                        id="export-metrics"
                        disabled=move || updating.get()
                        on:click=move |_| save("metrics.json", |found| found.metrics.clone())
                    >
                        "metrics.json"
                    </button>
                    <button
                        type="button"
                        class="button button-small"
                        id="export-report"
                        disabled=move || updating.get()
                        on:click=move |_| save("report.html", |found| found.report.to_html())
                    >
                        "Take home: report.html"
                    </button>
                </div>
            </div>
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
            {move || view! { <Highlights highlights=highlights.get()/> }}
            {move || view! { <Warnings warnings=warnings.get()/> }}
        </section>
        <Parts prefix="part" sections=sections on_mark=on_mark/>
    }
}

/// A part of the report that was found.
fn part_of<T: Clone>(found: Memo<Option<Arc<Examined>>>, part: fn(&Report) -> &Vec<T>) -> Vec<T> {
    found.with(|found| found.as_ref().map(|found| part(&found.report).clone()).unwrap_or_default())
}
