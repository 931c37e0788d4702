//! An error where it happened, with its way on.

use leptos::prelude::*;

use crate::state::notice::{Notice, WayOn};

/// A notice with one button.
#[component]
pub fn NoticeBox(
    /// What happened.
    notice: Notice,
    /// Its id for tests.
    testid: &'static str,
    /// What the button does.
    #[prop(into)]
    on_way: Callback<WayOn>,
    /// Takes the notice away; without it, it stays until its cause is gone.
    #[prop(optional, into)]
    on_dismiss: Option<Callback<()>>,
) -> impl IntoView {
    let way_on = notice.way_on;
    view! {
        <div class="notice" role="alert" data-testid=testid>
            <p class="notice-title">{notice.title}</p>
            <p>{notice.message} " " {notice.help}</p>
            <div class="buttons">
                {way_on
                    .button()
                    .map(|words| {
                        view! {
                            <button
                                type="button"
                                class="button button-small"
                                data-testid="way-on"
                                on:click=move |_| on_way.run(way_on)
                            >
                                {words}
                            </button>
                        }
                    })}
                {on_dismiss
                    .map(|dismiss| {
                        view! {
                            <button
                                type="button"
                                class="button button-quiet button-small"
                                data-testid="dismiss"
                                on:click=move |_| dismiss.run(())
                            >
                                "Dismiss"
                            </button>
                        }
                    })}
            </div>
        </div>
    }
}

/// Something a careful reader should know; no error.
#[component]
pub fn Caution(
    /// Its id for tests.
    testid: &'static str,
    /// What it says.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="notice notice-caution" data-testid=testid>
            {children()}
        </div>
    }
}
