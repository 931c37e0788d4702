//! The privacy badge: how many requests this page has made since it was ready, and which.

use leptos::prelude::*;

use super::dialog::Dialog;
use super::icon::{Icon, Shape};
use crate::session::session;
use crate::state::format;

/// The badge in the header.
#[component]
pub fn PrivacyBadge() -> impl IntoView {
    let session = session();
    let open = RwSignal::new(false);
    let count = Memo::new(move |_| session.requests.with(|log| log.count()));
    view! {
        <button
            type="button"
            class="chip"
            id="privacy-badge"
            aria-haspopup="dialog"
            title="Requests since this page was loaded"
            on:click=move |_| open.set(true)
        >
            <Icon shape=Shape::Lock/>
            <span class="chip-text">
                <span data-testid="request-count">{move || format::count(count.get() as u64)}</span>
                {move || if count.get() == 1 { " request" } else { " requests" }}
            </span>
        </button>
        <Dialog id="privacy-panel" open=open title="What has left this device">
            <p>
                "Your texts, tasks and results stay in this tab. The model runs on your own device; there is no server \
                 to send anything to, and no statistics are collected."
            </p>
            {move || {
                let log = session.requests.get();
                if log.count() == 0 {
                    view! {
                        <p data-testid="no-requests">
                            "Since this page was loaded it has made " <strong>"no request"</strong> "."
                        </p>
                    }
                        .into_any()
                } else {
                    let rows = log
                        .requests()
                        .iter()
                        .map(|request| {
                            let size = request.bytes.map(format::bytes);
                            view! {
                                <li data-testid="request">
                                    <span title=request.url.clone()>
                                        {request.file.clone()} " " <span class="soft">"from " {request.host.clone()}</span>
                                    </span>
                                    <span class="small soft">
                                        {size} " after " {format::duration(request.at)}
                                    </span>
                                </li>
                            }
                        })
                        .collect_view();
                    view! {
                        <p>"Since this page was loaded it has asked for:"</p>
                        <ul class="rows">{rows}</ul>
                        <p class="small soft">
                            "These are downloads. No text of yours was part of any of them."
                        </p>
                    }
                        .into_any()
                }
            }}
            {move || {
                let files = session.requests.with(|log| log.own_files().iter().map(|r| r.file.clone()).collect::<Vec<_>>());
                (!files.is_empty())
                    .then(|| {
                        view! {
                            <p class="small soft">
                                "Not counted, because they are this page: its program files ("
                                {files.join(", ")} ")."
                            </p>
                        }
                    })
            }}
            <p class="small soft">
                "You need not take our word for it: load the model, switch off the network, and go on. Or look at the \
                 network tab of your browser's developer tools."
            </p>
        </Dialog>
    }
}
