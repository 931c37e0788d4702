//! The whole page: header, navigation, the place, the panels, and what a screen reader is told.

use leptos::mount::{mount_to, mount_to_body};
use leptos::prelude::*;

use crate::browser;
use crate::components::figure::provide_chart_styles;
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
    // Its worker, and what was kept, come with the first look.
    Effect::new(move |_| {
        let place = place.get();
        study.looked_at.set(place == Place::Evaluate);
        study.comparison_looked_at.set(place == Place::Compare);
        if matches!(place, Place::Evaluate | Place::Label | Place::Compare) {
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
                <div class="page-inner" hidden=move || place.with(|place| *place != Place::Evaluate)>
                    <EvaluatePage panel=projects/>
                </div>
                <div class="page-inner" hidden=move || place.with(|place| *place != Place::Label)>
                    <LabelPage place=place panel=projects/>
                </div>
                <div class="page-inner" hidden=move || place.with(|place| *place != Place::Compare)>
                    <ComparePage panel=projects/>
                </div>
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
