//! A button that asks once more before it does what cannot be undone.

use leptos::prelude::*;

/// Asks once more; the question goes when the keyboard leaves it.
#[component]
pub fn ConfirmButton(
    /// Its id.
    #[prop(into)]
    id: String,
    /// The words on it.
    words: &'static str,
    /// The question.
    question: &'static str,
    /// What a screen reader is told of it beyond its words.
    #[prop(optional, into)]
    about: String,
    /// What it does.
    #[prop(into)]
    on_sure: Callback<()>,
) -> impl IntoView {
    let sure = RwSignal::new(false);
    view! {
        <button
            type="button"
            class="button button-small button-danger"
            id=id
            on:blur=move |_| sure.set(false)
            on:click=move |_| {
                if sure.get_untracked() {
                    sure.set(false);
                    on_sure.run(());
                } else {
                    sure.set(true);
                }
            }
        >
            {move || if sure.get() { question } else { words }}
            {(!about.is_empty()).then(|| view! { <span class="visually-hidden">" " {about}</span> })}
        </button>
    }
}
