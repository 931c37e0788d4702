//! Light, dark, or as the system has it.

use leptos::prelude::*;

use super::icon::{Icon, Shape};
use crate::browser::{self, keep};

/// The three choices: value, words, icon.
const CHOICES: [(&str, &str, Shape); 3] = [
    ("system", "Colours as the system has them", Shape::System),
    ("light", "Light colours", Shape::Light),
    ("dark", "Dark colours", Shape::Dark),
];

fn kept_theme() -> String {
    let kept = browser::kept(keep::THEME).unwrap_or_default();
    if CHOICES.iter().any(|(value, ..)| *value == kept) { kept } else { "system".to_owned() }
}

/// The theme switch. The choice stands on the root element as `data-theme` and is kept for the next visit.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(kept_theme());
    Effect::new(move |_| {
        let theme = theme.get();
        if let Some(root) = browser::document().and_then(|document| document.document_element()) {
            let _ = root.set_attribute("data-theme", &theme);
        }
    });
    view! {
        <fieldset class="theme" id="theme">
            <legend class="visually-hidden">"Colours"</legend>
            {CHOICES
                .map(|(value, words, shape)| {
                    view! {
                        <label title=words>
                            <input
                                class="visually-hidden"
                                type="radio"
                                name="theme"
                                value=value
                                data-testid=format!("theme-{value}")
                                prop:checked=move || theme.get() == value
                                on:change=move |_| {
                                    theme.set(value.to_owned());
                                    browser::keep_value(keep::THEME, value);
                                }
                            />
                            <span class="visually-hidden">{words}</span>
                            <Icon shape=shape/>
                        </label>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}
