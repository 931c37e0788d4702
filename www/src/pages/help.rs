//! What this is, how it works, and the glossary.

use leptos::prelude::*;

use crate::browser;
use crate::components::term::{EntryBody, capital};
use crate::state::glossary::ENTRIES;
use crate::state::place::Place;

/// The help page; an address such as `#/help/token` opens at that word.
#[component]
pub fn HelpPage(
    /// Where one is.
    place: RwSignal<Place>,
) -> impl IntoView {
    Effect::new(move |_| {
        if let Place::Help(Some(entry)) = place.get() {
            // The page has to stand before it can be scrolled.
            request_animation_frame(move || browser::show_element(&format!("entry-{entry}")));
        }
    });
    view! {
        <header class="page-head">
            <h1>"Help"</h1>
            <p class="soft">"What Candor does, what it does not, and what the words mean."</p>
        </header>
        <section class="card" aria-labelledby="about-title">
            <div class="prose">
                <h2 id="about-title">"What this is"</h2>
                <p>
                    "A classifier that shows its hand. You say which labels there are and how the model would spell \
                     them. A small language model reads your text up to the point where the answer would begin, and \
                     Candor looks at one thing: how likely it holds every possible next word. It adds up the words \
                     that mean the same label, and shows you the sums."
                </p>
                <p>
                    "Nothing is generated, and nothing leaves your device: model, text and result stay in this tab. The \
                     badge with the lock counts every request the page makes."
                </p>
                <h2>"In three steps"</h2>
                <ol>
                    <li>"Load the model, once. The browser keeps it; after that the page also works offline."</li>
                    <li>"Type or paste a text. The answer follows while you type."</li>
                    <li>
                        "Choose another task or press Edit to make your own: labels, their spellings, worked examples. \
                         Token ids and collisions are shown as you go."
                    </li>
                </ol>
                <h2>"What the number is not"</h2>
                <p>
                    "The probability is the model's own. Small models are often more sure than they should be, and \
                     prefer some answers whatever the text says. A bias correction in the task helps with the second; \
                     for the first, the number has to be compared with labelled examples. Until that is done it says \
                     “uncalibrated”."
                </p>
                <h2>"How fast is it?"</h2>
                <p>
                    "That depends on the device. " <a href=Place::Speed.hash()>"Measure it on this one"</a>
                    ": texts a second with one worker and with several, the time for one short text, and memory."
                </p>
                <h2>"With the keyboard"</h2>
                <p>
                    "Everything can be reached with the Tab key. Escape closes a panel. A word with a dotted line under \
                     it opens its explanation."
                </p>
            </div>
        </section>
        <section class="glossary-part" aria-labelledby="glossary-title">
            <h2 id="glossary-title">"Glossary"</h2>
            <div class="glossary">
                {ENTRIES
                    .iter()
                    .map(|entry| {
                        view! {
                            <article class="glossary-entry" id=format!("entry-{}", entry.id) tabindex="-1">
                                <h3>
                                    {capital(entry.plain)} <span class="glossary-term">{entry.term}</span>
                                </h3>
                                <EntryBody entry=entry/>
                            </article>
                        }
                    })
                    .collect_view()}
            </div>
        </section>
    }
}
