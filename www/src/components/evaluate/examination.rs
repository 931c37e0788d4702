//! What the run says: the numbers that matter most, then a section a question, with pictures that answer.

use candor::chart::{Chart, Highlight, Report, Section};
use candor::protocol::Examination as Examined;
use leptos::prelude::*;

use crate::browser;
use crate::components::figure::{Figure, Figures};
use crate::components::notice::Caution;
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
            <dl class="highlights">
                {highlights
                    .into_iter()
                    .map(|Highlight { name, value, beside }| {
                        view! {
                            <div>
                                <dt>{name}</dt>
                                <dd>
                                    <span class="highlight-value">{value}</span>
                                    <span class="small soft">{beside}</span>
                                </dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
            <Warnings warnings=warnings/>
        </section>
        {sections
            .into_iter()
            .enumerate()
            .map(|(index, section)| view! { <Part index=index section=section on_mark=on_mark/> })
            .collect_view()}
    }
}

#[component]
fn Warnings(
    /// What a reader must know first.
    warnings: Vec<String>,
) -> impl IntoView {
    (!warnings.is_empty()).then(|| {
        view! {
            <Caution testid="findings-cautions">
                <ul class="bullets">
                    {warnings.iter().map(|words| view! { <li>{sentence(words)}</li> }).collect_view()}
                </ul>
            </Caution>
        }
    })
}

/// One question with its answer.
#[component]
fn Part(
    /// Its place.
    index: usize,
    /// What it says.
    section: Section,
    /// What a pressed mark asks to be listed.
    on_mark: Callback<Listing>,
) -> impl IntoView {
    let Section { title, paragraphs, warnings, figures, tables } = section;
    let id = format!("part-{index}");
    let labelled = id.clone();
    view! {
        <section class="card" aria-labelledby=labelled>
            <h2 id=id.clone()>{title}</h2>
            {paragraphs.into_iter().map(|words| view! { <p class="measure-text">{words}</p> }).collect_view()}
            <Warnings warnings=warnings/>
            <div class="figure-grid">
                {figures
                    .into_iter()
                    .enumerate()
                    // It stands beside the threshold that it shows.
                    .filter(|(_, chart)| !matches!(chart, Chart::AccuracyVolume(_)))
                    .map(|(number, chart)| {
                        view! { <Figure chart=chart id=format!("{id}-{number}") on_mark=on_mark/> }
                    })
                    .collect_view()}
            </div>
            {tables.into_iter().map(|table| view! { <Figures table=table/> }).collect_view()}
        </section>
    }
}
