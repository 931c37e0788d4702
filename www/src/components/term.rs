//! A word with an entry in the glossary, one tap away.

use leptos::prelude::*;

use super::dialog::Dialog;
use crate::state::glossary::{self, Entry};
use crate::state::place::Place;

/// Which entry is open. Provided once, at the top.
#[derive(Clone, Copy)]
pub struct Glossary {
    entry: RwSignal<Option<&'static Entry>>,
    open: RwSignal<bool>,
}

impl Glossary {
    /// No entry open.
    pub fn new() -> Self {
        Self { entry: RwSignal::new(None), open: RwSignal::new(false) }
    }

    /// Opens an entry.
    pub fn show(self, id: &str) {
        if let Some(entry) = glossary::entry(id) {
            self.entry.set(Some(entry));
            self.open.set(true);
        }
    }
}

impl Default for Glossary {
    fn default() -> Self {
        Self::new()
    }
}

/// A word of the running text that opens its entry.
#[component]
pub fn Term(
    /// The entry's id.
    id: &'static str,
    /// The word.
    children: Children,
) -> impl IntoView {
    let glossary = expect_context::<Glossary>();
    view! {
        <button type="button" class="term" data-term=id aria-haspopup="dialog" on:click=move |_| glossary.show(id)>
            {children()}
        </button>
    }
}

/// The panel in which entries open.
#[component]
pub fn GlossaryPanel() -> impl IntoView {
    let glossary = expect_context::<Glossary>();
    let title = Signal::derive(move || glossary.entry.get().map_or_else(String::new, |entry| capital(entry.plain)));
    view! {
        <Dialog id="glossary-panel" open=glossary.open title=title>
            {move || {
                glossary
                    .entry
                    .get()
                    .map(|entry| {
                        view! {
                            <p class="soft">"Term: " <strong>{entry.term}</strong></p>
                            <EntryBody entry=entry/>
                            <p>
                                <a
                                    href=Place::Help(Some(entry.id.to_owned())).hash()
                                    on:click=move |_| glossary.open.set(false)
                                >
                                    "All words in the glossary"
                                </a>
                            </p>
                        }
                    })
            }}
        </Dialog>
    }
}

/// An entry's explanation, formula and source.
#[component]
pub fn EntryBody(
    /// The entry.
    entry: &'static Entry,
) -> impl IntoView {
    view! {
        <p>{entry.text}</p>
        {entry.formula.map(|formula| view! { <p class="formula">{formula}</p> })}
        {entry.source.map(|source| view! { <p class="small soft">"Source: " {source}</p> })}
    }
}

/// Plain words with a capital at their front.
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
