//! Many labelled texts: bring them, look at them, run them, see what came of it.

use leptos::prelude::*;

use crate::components::evaluate::calibrate::Calibrate;
use crate::components::evaluate::data_source::DataSource;
use crate::components::evaluate::decide::Decide;
use crate::components::evaluate::examination::Examination;
use crate::components::evaluate::preview::Preview;
use crate::components::evaluate::row_table::RowTable;
use crate::components::evaluate::run::RunCard;
use crate::components::notice::Caution;
use crate::components::projects::ProjectBar;
use crate::session::study::study;
use crate::state::notice::sentence;

/// The place where many texts say how far the model may be believed.
#[component]
pub fn EvaluatePage(
    /// Whether the panel of all projects is open.
    panel: RwSignal<bool>,
) -> impl IntoView {
    let study = study();
    view! {
        <header class="page-head">
            <h1>"How often is the model right, and may its confidence be believed?"</h1>
            <p class="soft">
                "Bring texts whose right label you know. The model reads them here, in this tab; nothing is sent anywhere."
            </p>
        </header>
        <ProjectBar prefix="evaluate" panel=panel/>
        {move || {
            study
                .not_kept
                .get()
                .map(|reason| {
                    view! {
                        <Caution testid="study-not-kept">
                            <p class="notice-title">"Data and scores are not kept for the next visit"</p>
                            <p>{sentence(&reason)} " Everything works; take the results home before you close the tab."</p>
                        </Caution>
                    }
                })
        }}
        {move || match study.material.get() {
            None => view! { <DataSource/> }.into_any(),
            Some(material) => {
                view! {
                    <div class="columns">
                        <Preview material=material.clone()/>
                        <RunCard material=material.clone()/>
                    </div>
                    <Calibrate material=material.clone()/>
                    <Decide material=material.clone()/>
                    <Examination/>
                    <RowTable material=material/>
                }
                    .into_any()
            }
        }}
    }
}
