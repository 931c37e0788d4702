//! A label's colour: decided by its place in the task, so that it is the same everywhere.

use leptos::prelude::*;

/// Colours before they repeat; `styles/tokens.css` has as many.
const COLOURS: usize = 8;

/// The classes that give an element its label's colour: the ninth label takes the first colour again, striped.
pub fn colour_class(index: usize) -> String {
    let striped = if index >= COLOURS { " striped" } else { "" };
    format!("label-{}{striped}", index % COLOURS + 1)
}

/// A small square in a label's colour, beside its name.
#[component]
pub fn Swatch(
    /// The label's place in the task; nothing for "no label".
    index: Option<usize>,
) -> impl IntoView {
    let colour = index.map_or_else(|| "label-none".to_owned(), colour_class);
    view! { <span class=format!("swatch {colour}") aria-hidden="true"></span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_labels_look_different() {
        let classes: std::collections::HashSet<String> = (0..12).map(colour_class).collect();
        assert_eq!(classes.len(), 12);
        assert_eq!(colour_class(0), "label-1");
        assert_eq!(colour_class(8), "label-1 striped");
    }
}
