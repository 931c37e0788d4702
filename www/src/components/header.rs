//! The header: mark, model chip, privacy badge, theme.

use leptos::prelude::*;

use super::icon::{Icon, Mark, Shape};
use super::privacy::PrivacyBadge;
use super::theme::ThemeSwitch;
use crate::models;
use crate::session::{Engine, Session, session};
use crate::state::format;
use crate::state::place::Place;

/// The header.
#[component]
pub fn Header() -> impl IntoView {
    view! {
        <header class="header">
            <a class="brand" href=Place::Classify.hash()>
                <Mark/>
                <span>"Candor"</span>
            </a>
            <ModelChip/>
            <PrivacyBadge/>
            <ThemeSwitch/>
        </header>
    }
}

fn chip_words(session: Session) -> String {
    if let Some(loading) = session.loading.get() {
        let percentage = session.load_meter.with(|meter| meter.reading().fraction);
        return match percentage {
            Some(fraction) => format!("Loading {} · {:.0}%", loading.name(), fraction * 100.0),
            None => format!("Loading {}", loading.name()),
        };
    }
    if let Some(model) = session.model.get() {
        let adapter = model.adapter.as_ref().map_or_else(String::new, |adapter| format!(" + {}", adapter.name));
        let (name, size) = (models::title(&model.name), format::bytes(model.bytes));
        let mut words = format!("{name}{adapter} · {size} · {}", model.backend);
        if let Some(pace) = session.pace.with(|pace| pace.texts_per_second()) {
            words.push_str(&format!(" · {} texts/s", format::rate(pace)));
        }
        return words;
    }
    match session.engine.get() {
        Engine::Starting => "Starting".to_owned(),
        Engine::Up => "No model loaded".to_owned(),
        Engine::Down(_) => "Engine stopped".to_owned(),
    }
}

/// The model in use: name, size, backend and pace. Opens the panel with the particulars.
#[component]
fn ModelChip() -> impl IntoView {
    let session = session();
    let words = Memo::new(move |_| chip_words(session));
    let idle = move || {
        session.engine.get() == Engine::Up
            && session.model.with(Option::is_none)
            && session.loading.with(Option::is_none)
    };
    let reason = move || session.model.with(|model| model.as_ref().map(|model| model.backend_reason.clone()));
    view! {
        <button
            type="button"
            class="chip chip-model"
            class:chip-idle=idle
            id="model-chip"
            aria-haspopup="dialog"
            title=reason
            on:click=move |_| session.choose_model()
        >
            <Icon shape=Shape::Device/>
            <span class="visually-hidden">"Model: "</span>
            <span class="chip-text">{words}</span>
            <span class="dot" class:dot-ready=move || session.model.with(Option::is_some)></span>
        </button>
    }
}
