//! Where data comes from: a file, a folder, or the sample that comes with the page.

use leptos::html;
use leptos::prelude::*;

use crate::components::icon::{Icon, Shape};
use crate::session::study::study;
use crate::state::format;

/// A place to drop files on, two pickers, and the sample.
#[component]
pub fn DataSource() -> impl IntoView {
    let study = study();
    let over = RwSignal::new(false);
    let files = NodeRef::<html::Input>::new();
    let folder = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = folder.get() {
            // Every browser has it; the standard calls it experimental. Where it is missing, single files are picked.
            let _ = input.set_attribute("webkitdirectory", "");
        }
    });
    let take = move |list: Option<web_sys::FileList>| {
        let Some(list) = list else { return };
        let picked: Vec<web_sys::File> = (0..list.length()).filter_map(|index| list.get(index)).collect();
        if !picked.is_empty() {
            study.read_files(picked);
        }
    };
    // A picker keeps its file; emptied, it takes the same one again.
    let picked = move |input: NodeRef<html::Input>| {
        if let Some(input) = input.get() {
            take(input.files());
            input.set_value("");
        }
    };
    view! {
        <section
            class="card drop-card"
            class:drop-target=move || over.get()
            aria-labelledby="data-title"
            data-testid="data-drop"
            on:dragover=move |event| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=move |event| {
                event.prevent_default();
                over.set(false);
                take(event.data_transfer().and_then(|transfer| transfer.files()));
            }
        >
            <h2 id="data-title">"Texts whose right label you know"</h2>
            <p>
                "Drop a file here: CSV, TSV, JSON lines (also chat messages), or a text file a label. It is read in this \
                 tab and stays on this device."
            </p>
            <div class="data-pickers">
                <div class="field">
                    <label for="data-file">"One file, or several text files"</label>
                    <input
                        class="input"
                        type="file"
                        id="data-file"
                        multiple
                        accept=".csv,.tsv,.tab,.jsonl,.ndjson,.json,.txt"
                        node_ref=files
                        on:change=move |_| picked(files)
                    />
                </div>
                <div class="field">
                    <label for="data-folder">"Or a folder of text files"</label>
                    <input
                        class="input"
                        type="file"
                        id="data-folder"
                        multiple
                        node_ref=folder
                        on:change=move |_| picked(folder)
                    />
                </div>
            </div>
            {move || {
                study
                    .read_so_far
                    .get()
                    .map(|rows| {
                        let words = match rows {
                            0 => "Reading…".to_owned(),
                            rows => format!("Reading: {} so far", format::counted(rows as u64, "row")),
                        };
                        view! { <p role="status" data-testid="data-reading">{words}</p> }
                    })
            }}
            {move || {
                study
                    .read_error
                    .get()
                    .map(|error| {
                        let help = error.help.clone().unwrap_or_default();
                        let message = candor::error::Error { help: None, ..error }.to_string();
                        view! {
                            <div class="notice" role="alert" data-testid="data-error">
                                <p class="notice-title">"This data could not be read"</p>
                                <p>
                                    {crate::state::notice::sentence(&message)} " "
                                    {crate::state::notice::sentence(&help)}
                                </p>
                            </div>
                        }
                    })
            }}
            <div class="sample-offer">
                <p>
                    "No data at hand? The sample has about 300 short reviews written for this page, with repeats, noise and \
                     wrong labels on purpose."
                </p>
                <button type="button" class="button" id="read-sample" on:click=move |_| study.read_sample()>
                    <Icon shape=Shape::Evaluate/>
                    "Use the sample"
                </button>
            </div>
        </section>
    }
}
