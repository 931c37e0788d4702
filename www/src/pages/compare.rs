//! Two runs or more on the same rows: the model as it is, with an adapter, with another task, read by a probe.

use leptos::prelude::*;

use crate::components::comparison::findings::Findings;
use crate::components::comparison::one_text::OneText;
use crate::components::comparison::runs::{AnotherRun, RunList};
use crate::components::icon::{Icon, Shape};
use crate::components::projects::ProjectBar;
use crate::session::study::study;
use crate::state::place::Place;

/// The place where runs stand side by side.
#[component]
pub fn ComparePage(
    /// Whether the panel of all projects is open.
    panel: RwSignal<bool>,
) -> impl IntoView {
    let study = study();
    view! {
        <header class="page-head">
            <h1>"Which is better, and can that be known?"</h1>
            <p class="soft">
                "The same rows, read by the model as it is and by something made from it: an adapter, another task, a probe. \
                 Row by row, with the uncertainty that so few rows leave."
            </p>
        </header>
        <ProjectBar prefix="compare" panel=panel/>
        {move || match study.material.get() {
            None => {
                view! {
                    <section class="card" data-testid="compare-empty">
                        <h2>"First, rows whose right label you know"</h2>
                        <p>
                            "Bring them under " <a href=Place::Evaluate.hash()>"Evaluate"</a>
                            ", or take the sample: about 300 short reviews written for this page."
                        </p>
                        <div class="buttons">
                            <button type="button" class="button" id="compare-read-sample" on:click=move |_| study.read_sample()>
                                <Icon shape=Shape::Evaluate/>
                                "Use the sample"
                            </button>
                        </div>
                    </section>
                }
                    .into_any()
            }
            Some(material) => {
                view! {
                    <div class="columns">
                        <RunList/>
                        <AnotherRun material=material/>
                    </div>
                    <Findings/>
                    <OneText/>
                }
                    .into_any()
            }
        }}
    }
}
