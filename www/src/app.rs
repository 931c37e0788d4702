//! The whole page: header, navigation, the place, the panels, and what a screen reader is told.

use leptos::mount::{mount_to, mount_to_body};
use leptos::prelude::*;

use crate::browser;
use crate::components::figure::provide_chart_styles;
use crate::components::file_drop::take_stray_drops;
use crate::components::header::Header;
use crate::components::model_panel::ModelPanel;
use crate::components::navigation::Navigation;
use crate::components::projects::ProjectsPanel;
use crate::components::term::{Glossary, GlossaryPanel};
use crate::link;
use crate::pages::classify::ClassifyPage;
use crate::pages::compare::ComparePage;
use crate::pages::evaluate::EvaluatePage;
use crate::pages::help::HelpPage;
use crate::pages::label::LabelPage;
use crate::pages::speed::SpeedPage;
use crate::session::Session;
use crate::session::speed::Speed;
use crate::session::study::Study;
use crate::state::place::Place;

/// The application.
#[component]
pub fn App() -> impl IntoView {
    let session = Session::start();
    provide_context(session);
    let study = Study::new(session);
    provide_context(study);
    provide_chart_styles();
    provide_context(Glossary::new());
    provide_context(Speed::new(session));
    link::watch_requests(move |url, at, bytes| {
        session.requests.update(|log| log.note(&url, &link::origin(), at, bytes));
    });

    let projects = RwSignal::new(false);
    let place = RwSignal::new(Place::from_hash(&browser::hash()));
    // The places of many texts, their worker, and what was kept, come with the first look at one of them.
    let visited = RwSignal::new(false);
    Effect::new(move |_| {
        let place = place.get();
        study.looked_at.set(place == Place::Evaluate);
        study.comparison_looked_at.set(place == Place::Compare);
        if matches!(place, Place::Evaluate | Place::Label | Place::Compare) {
            visited.set(true);
            study.open();
        }
    });
    // A calibrator that was chosen on an earlier visit counts for typed texts too; the first answer does not wait for it.
    Effect::new(move |_| {
        if session.answer.with(Option::is_some) && browser::kept(browser::keep::PROJECT).is_some() {
            study.open();
        }
    });
    let listener = window_event_listener(leptos::ev::hashchange, move |_| {
        let next = Place::from_hash(&browser::hash());
        let moved = place.with_untracked(|place| !place.is_same_page(&next));
        place.set(next);
        if moved {
            browser::focus("main");
        }
    });
    on_cleanup(move || listener.remove());
    take_stray_drops(Callback::new(move |files| match place.get_untracked() {
        Place::Evaluate => study.read_files(files, false),
        Place::Label => study.read_files(files, study.material.with_untracked(Option::is_some)),
        _ => {}
    }));
    Effect::new(move |_| browser::set_title(&place.with(Place::title)));

    view! {
        <div class="shell">
            <a
                class="skip-link"
                href="#main"
                on:click=move |event| {
                    // The address names the place; a jump to an element must not change it.
                    event.prevent_default();
                    browser::focus("main");
                }
            >
                "Skip to the content"
            </a>
            <Header/>
            <Navigation place=place/>
            <main class="page" id="main" tabindex="-1">
                // These places stay in the page, so that nothing typed is lost by looking something up.
                <div class="page-inner" hidden=move || place.with(|place| *place != Place::Classify)>
                    <ClassifyPage/>
                </div>
                <Show when=move || place.with(|place| *place == Place::Speed)>
                    <div class="page-inner">
                        <SpeedPage/>
                    </div>
                </Show>
                <Show when=move || visited.get()>
                    <div class="page-inner" hidden=move || place.with(|place| *place != Place::Evaluate)>
                        <EvaluatePage panel=projects/>
                    </div>
                    <div class="page-inner" hidden=move || place.with(|place| *place != Place::Label)>
                        <LabelPage place=place panel=projects/>
                    </div>
                    <div class="page-inner" hidden=move || place.with(|place| *place != Place::Compare)>
                        <ComparePage panel=projects/>
                    </div>
                </Show>
                <Show when=move || place.with(|place| matches!(place, Place::Help(_)))>
                    <div class="page-inner">
                        <HelpPage place=place/>
                    </div>
                </Show>
            </main>
            <ModelPanel/>
            <GlossaryPanel/>
            <ProjectsPanel open=projects/>
            <div class="visually-hidden" aria-live="polite" id="announcement">
                {move || session.announcement.get()}
            </div>
        </div>
    }
}

/// Puts the application into the page, in place of what stood there while it was fetched.
pub fn start() {
    let root = browser::document().and_then(|document| document.get_element_by_id("app"));
    match root.and_then(|root| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(root).ok()) {
        Some(root) => {
            root.set_inner_html("");
            mount_to(root, App).forget();
        }
        None => mount_to_body(App),
    }
}
