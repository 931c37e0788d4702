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
) -> impl IntoView {
    let way_on = notice.way_on;
    view! {
        <div class="notice" role="alert" data-testid=testid>
            <h3>{notice.title}</h3>
            <p>{notice.message} " " {notice.help}</p>
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
