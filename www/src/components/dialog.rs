//! A panel over the page, on the browser's own `dialog`: it traps focus, closes with Escape and gives focus back.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::icon::{Icon, Shape};

/// A panel. Its contents exist only while it is open.
#[component]
pub fn Dialog(
    /// Its id; the heading gets `ID-title`.
    id: &'static str,
    /// Whether it is open.
    open: RwSignal<bool>,
    /// The heading.
    #[prop(into)]
    title: Signal<String>,
    /// What is in it.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        if open.get() {
            if !dialog.open() {
                // It fails only when the element is not in the page; then there is nothing to show it in.
                let _ = dialog.show_modal();
            }
        } else if dialog.open() {
            dialog.close();
        }
    });
    let children = StoredValue::new(children);
    let heading = format!("{id}-title");
    let labelled = heading.clone();
    view! {
        <dialog
            class="dialog"
            id=id
            node_ref=node
            aria-labelledby=labelled
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // The backdrop belongs to the element itself; its contents are in the inner one.
                let on_backdrop = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok());
                if on_backdrop.is_some() {
                    open.set(false);
                }
            }
        >
            <div class="dialog-inner">
                <div class="dialog-head">
                    <h2 id=heading>{move || title.get()}</h2>
                    <button
                        type="button"
                        class="button button-quiet button-icon"
                        data-testid="close-dialog"
                        aria-label="Close"
                        on:click=move |_| open.set(false)
                    >
                        <Icon shape=Shape::Cross/>
                    </button>
                </div>
                <Show when=move || open.get()>{children.with_value(|children| children())}</Show>
            </div>
        </dialog>
    }
}
