//! The bar of a long job.

use leptos::prelude::*;

use crate::state::progress::{Meter, Reading};

/// Title, bar, amount, rate and time left, and a way to stop.
#[component]
pub fn ProgressBar(
    /// How far it is.
    #[prop(into)]
    meter: Signal<Meter>,
    /// What the cancel button does.
    #[prop(into)]
    on_cancel: Callback<()>,
) -> impl IntoView {
    let reading = Memo::new(move |_| meter.with(Meter::reading));
    view! {
        <Bar reading=reading>
            <CancelButton on_cancel=on_cancel/>
        </Bar>
    }
}

/// The button that stops a long job.
#[component]
pub fn CancelButton(
    /// What it does.
    #[prop(into)]
    on_cancel: Callback<()>,
) -> impl IntoView {
    view! {
        <button type="button" class="button button-small" data-testid="cancel" on:click=move |_| on_cancel.run(())>
            "Cancel"
        </button>
    }
}

/// The bar itself, with what it shows in words; its buttons are its children.
#[component]
pub fn Bar(
    /// What it shows.
    #[prop(into)]
    reading: Signal<Reading>,
    /// The buttons.
    children: Children,
) -> impl IntoView {
    let percentage = move || reading.with(|reading| reading.fraction.map(|fraction| fraction * 100.0));
    view! {
        <div class="progress" class:progress-unknown=move || percentage().is_none() data-testid="progress">
            <div class="progress-head">
                <span class="progress-title">{move || reading.with(|reading| reading.title.clone())}</span>
                <span class="small soft" data-testid="progress-percent">
                    {move || percentage().map(|percentage| format!("{percentage:.0}%"))}
                </span>
            </div>
            <div
                class="progress-track"
                role="progressbar"
                aria-label=move || reading.with(|reading| reading.title.to_string())
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || percentage().map(|percentage| format!("{percentage:.0}"))
                aria-valuetext=move || reading.with(|reading| reading.detail.clone())
            >
                <div
                    class="progress-fill"
                    style:inline-size=move || percentage().map_or_else(String::new, |percentage| format!("{percentage:.1}%"))
                ></div>
            </div>
            <div class="progress-head">
                <span class="small soft" data-testid="progress-detail">
                    {move || reading.with(|reading| reading.detail.clone())}
                </span>
                <span class="buttons">{children()}</span>
            </div>
        </div>
    }
}
