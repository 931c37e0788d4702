//! The places of the page: a rail on wide screens, a tab bar on phones.

use leptos::prelude::*;

use super::icon::{Icon, Shape};
use crate::state::place::{NAVIGATION, Place};

fn shape(place: &Place) -> Shape {
    match place {
        Place::Classify => Shape::Classify,
        Place::Speed => Shape::Device,
        Place::Evaluate => Shape::Evaluate,
        Place::Label => Shape::Label,
        Place::Compare => Shape::Compare,
        Place::Help(_) => Shape::Help,
    }
}

/// The navigation.
#[component]
pub fn Navigation(
    /// Where one is.
    place: RwSignal<Place>,
) -> impl IntoView {
    view! {
        <nav class="navigation" aria-label="Places">
            <ul>
                {NAVIGATION
                    .into_iter()
                    .map(|entry| {
                        let icon = shape(&entry);
                        let here = {
                            let entry = entry.clone();
                            move || place.with(|place| place.is_same_page(&entry)).then_some("page")
                        };
                        view! {
                            <li>
                                <a
                                    href=entry.hash()
                                    aria-current=here
                                    data-testid=format!("go-{}", entry.name().to_lowercase())
                                >
                                    <Icon shape=icon/>
                                    {entry.name()}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}
