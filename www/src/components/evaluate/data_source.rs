//! Where data comes from: a file, a folder, or the sample that comes with the page.

use leptos::prelude::*;

use crate::components::file_drop::{DropArea, FilePicker};
use crate::components::icon::{Icon, Shape};
use crate::session::study::study;
use crate::state::format;
use crate::state::notice::sentence;

/// Kinds of files that hold data.
pub const DATA_FILES: &str = ".csv,.tsv,.tab,.jsonl,.ndjson,.json,.txt";

/// A place to drop files on, two pickers, and the sample.
#[component]
pub fn DataSource() -> impl IntoView {
    let study = study();
    let on_files = Callback::new(move |files| study.read_files(files, false));
    view! {
        <DropArea class="card drop-card" testid="data-drop" on_files=on_files>
            <h2>"Texts whose right label you know"</h2>
            <p>
                "Drop a file or a folder here: CSV, TSV, JSON (objects in lines or in a list, also chat messages), or text \
                 files: one a label, or a folder a label. It is read in this tab and stays on this device."
            </p>
            <div class="data-pickers">
                <FilePicker
                    id="data-file"
                    label="One file, or several text files"
                    accept=DATA_FILES
                    multiple=true
                    on_files=on_files
                />
                <FilePicker id="data-folder" label="Or a folder of text files" folder=true on_files=on_files/>
            </div>
            <ReadState/>
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
        </DropArea>
    }
}

/// How far files are read, or why they could not be.
#[component]
pub fn ReadState() -> impl IntoView {
    let study = study();
    view! {
        {move || {
            study
                .read_so_far
                .get()
                .map(|rows| {
                    let words = match rows {
                        0 => "Reading…".to_owned(),
                        rows => format!("Reading: {} so far", format::counted(rows as u64, "row")),
                    };
                    view! {
                        <div class="choice-row choice-row-words">
                            <p role="status" data-testid="data-reading">{words}</p>
                            <button
                                type="button"
                                class="button button-small"
                                data-testid="stop-reading"
                                on:click=move |_| study.stop_reading()
                            >
                                "Stop reading"
                            </button>
                        </div>
                    }
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
                            <p class="notice-title">"This file could not be read"</p>
                            <p>{sentence(&message)} " " {sentence(&help)}</p>
                        </div>
                    }
                })
        }}
    }
}
