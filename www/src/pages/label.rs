//! Texts without a label: the model decides those it is sure of, a person the rest.

use leptos::prelude::*;

use crate::components::evaluate::data_source::{DATA_FILES, ReadState};
use crate::components::evaluate::run::RunCard;
use crate::components::file_drop::{DropArea, FilePicker};
use crate::components::icon::{Icon, Shape};
use crate::components::labelling::decided::Decided;
use crate::components::labelling::overview::Overview;
use crate::components::labelling::queue::Queue;
use crate::components::notice::Caution;
use crate::components::projects::ProjectBar;
use crate::session::study::study;
use crate::state::evaluation::labelling::Plan;
use crate::state::evaluation::scores::Scores;
use crate::state::notice::sentence;
use crate::state::place::Place;

/// The place where a person labels what the model should not.
#[component]
pub fn LabelPage(
    /// Where one is.
    place: RwSignal<Place>,
    /// Whether the panel of all projects is open.
    panel: RwSignal<bool>,
) -> impl IntoView {
    let study = study();
    let plan = Memo::new(move |_| {
        // A plan of many texts is made for who looks at it.
        if place.with(|place| *place == Place::Label) { study.plan() } else { Plan::default() }
    });
    let here = move || place.with(|place| *place == Place::Label);
    let has_texts = Memo::new(move |_| plan.with(|plan| plan.texts > 0));
    let unscored = Memo::new(move |_| study.scores.with(|scores: &Scores| !scores.is_complete()) || study.is_running());
    view! {
        <header class="page-head">
            <h1>"Which texts need a person?"</h1>
            <p class="soft">
                "The model labels what it is sure of; the rest waits here for you, one key a label. What you decide teaches \
                 the calibrator at once."
            </p>
        </header>
        <ProjectBar prefix="label" panel=panel/>
        <NotKept/>
        <Show when=move || here() && has_texts.get()>
            <Show when=move || unscored.get()>
                {move || study.material.get().map(|material| view! { <RunCard material=material prefix="label-"/> })}
            </Show>
            <div class="columns">
                <Queue plan=plan place=place/>
                <div class="column">
                    <Overview plan=plan/>
                    <Decided/>
                </div>
            </div>
        </Show>
        <Show when=here>
            <TextSource has_texts=has_texts/>
        </Show>
    }
}

/// What of the person's work would not be there on the next visit.
#[component]
fn NotKept() -> impl IntoView {
    let study = study();
    move || {
        let (reason, what_now) = match (study.labels_not_kept.get(), study.not_kept.get()) {
            (Some(reason), _) => (reason, "They are tried again until they are. Leave this tab open meanwhile."),
            (None, Some(reason)) => (reason, "Take labels.csv home before you close the tab."),
            (None, None) => return None,
        };
        Some(view! {
            <Caution testid="labels-not-kept">
                <p class="notice-title">"Not everything is kept for the next visit"</p>
                <p>{sentence(&reason)} " " {what_now}</p>
            </Caution>
        })
    }
}

/// Where texts without labels come from.
#[component]
fn TextSource(
    /// Whether some are here already.
    has_texts: Memo<bool>,
) -> impl IntoView {
    let study = study();
    let on_files = Callback::new(move |files| {
        study.read_files(files, study.material.with_untracked(Option::is_some));
    });
    view! {
        <DropArea class="card drop-card" testid="label-drop" on_files=on_files>
            <h2>{move || if has_texts.get() { "More texts to label" } else { "Texts without a label" }}</h2>
            <p>
                {move || match (has_texts.get(), study.material.with(Option::is_some)) {
                    (true, _) => "They come behind the rows of this project.",
                    (false, true) => {
                        "Every row of this project has a label already. Drop the texts that have none: they come behind its \
                         rows, so that its labelled rows say how far the model may be believed."
                    }
                    (false, false) => {
                        "Drop a file whose label column is empty, or missing. Labelled rows of the same kind belong in the \
                         Evaluate place first: they say from which confidence on the model may decide."
                    }
                }}
            </p>
            <FilePicker
                id="label-file"
                label="A file of texts"
                accept=DATA_FILES
                multiple=true
                on_files=on_files
            />
            <ReadState/>
            <Show when=move || !has_texts.get()>
                <div class="sample-offer">
                    <p>"No texts at hand? Forty short reviews without labels, written for this page, come with it."</p>
                    <button
                        type="button"
                        class="button"
                        id="read-sample-to-label"
                        on:click=move |_| study.read_sample_to_label()
                    >
                        <Icon shape=Shape::Label/>
                        "Use the sample"
                    </button>
                </div>
            </Show>
        </DropArea>
    }
}
