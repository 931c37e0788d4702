//! A picture of `candor::chart` with everything around it: its caption, its figures as a table, and its files to take
//! home.

use candor::chart::{AccuracyVolume, Chart, Options, Picture, Press, Table, Theme, stylesheet};
use leptos::prelude::*;

use super::picture_frame::PictureFrame;
use crate::browser;
use crate::state::evaluation::view::{Listing, Mark};

/// Width of a picture that is taken home.
const TAKEN_HOME: f64 = 720.0;
/// Rows of a table that are shown; its CSV has them all.
const SHOWN: usize = 200;

/// Makes the pictures' colours known to the page; once is enough.
pub fn provide_chart_styles() {
    browser::adopt_stylesheet(&stylesheet());
}

/// A picture with its caption, its figures and its files. Another picture that takes its place is drawn where it stood.
#[component]
pub fn Figure(
    /// The picture.
    #[prop(into)]
    chart: Signal<Chart>,
    /// Its id in the page.
    id: String,
    /// What a pressed mark asks to be listed.
    #[prop(into)]
    on_mark: Option<Callback<Listing>>,
) -> impl IntoView {
    let labelled = format!("{id}-title");
    let heading = labelled.clone();
    let title = Memo::new(move |_| chart.with(Chart::title));
    let draw = Callback::new(move |options: Options| chart.with(|chart| chart.to_svg(&options)));
    let press = if on_mark.is_some() { Press::Rows } else { Press::Nothing };
    let on_press = on_mark.map(|on_mark| {
        Callback::new(move |mark: Mark| {
            if let Some(listing) = Listing::of(&mark) {
                on_mark.run(listing);
            }
        })
    });
    let picture = Callback::new(move |()| chart.with_untracked(|chart| chart.to_svg(&taken_home())));
    let table = Signal::derive(move || chart.with(Chart::to_table));
    view! {
        <figure class="figure" aria-labelledby=labelled>
            <h3 id=heading>{title}</h3>
            <PictureFrame draw=draw id=id press=press on_press=on_press/>
            <figcaption class="small soft">{move || chart.with(Chart::description)}</figcaption>
            <PictureFiles stem=Signal::derive(move || file_stem(&title.get())) picture=picture/>
            <Figures table=table/>
        </figure>
    }
}

/// How a picture is drawn that is taken home.
fn taken_home() -> Options {
    Options { width: TAKEN_HOME, theme: Theme::Light, ..Options::default() }
}

/// Buttons that hand a picture over as files.
#[component]
fn PictureFiles(
    /// Their names, without the ending.
    #[prop(into)]
    stem: Signal<String>,
    /// The picture as SVG, drawn when it is asked for.
    picture: Callback<(), String>,
) -> impl IntoView {
    let failed = RwSignal::new(false);
    view! {
        <div class="buttons">
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let name = format!("{}.svg", stem.get_untracked());
                    failed.set(browser::save_file(&name, &picture.run(())).is_none());
                }
            >
                "SVG"
            </button>
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let name = format!("{}.png", stem.get_untracked());
                    let svg = picture.run(());
                    wasm_bindgen_futures::spawn_local(async move {
                        failed.set(browser::save_png(&name, &svg).await.is_none());
                    });
                }
            >
                "PNG"
            </button>
        </div>
        <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
    }
}

/// Accuracy and volume, with a mark at the threshold that stands now: drawn anew as it moves, at most once a frame. A
/// press puts the threshold where it falls.
#[component]
pub fn FollowingFigure(
    /// The picture.
    #[prop(into)]
    volume: Signal<AccuracyVolume>,
    /// The threshold.
    threshold: RwSignal<f64>,
) -> impl IntoView {
    let drawn = RwSignal::new(threshold.get_untracked());
    let waiting = StoredValue::new(false);
    Effect::new(move |_| {
        threshold.track();
        if !waiting.get_value() {
            waiting.set_value(true);
            request_animation_frame(move || {
                // The figure may have gone with its rows.
                if waiting.try_set_value(false).is_none() {
                    drawn.set(threshold.get_untracked());
                }
            });
        }
    });
    let marked = |volume: &AccuracyVolume, threshold: f64, options: &Options| {
        AccuracyVolume { chosen: Some(threshold), ..volume.clone() }.to_svg(options)
    };
    let picture = Callback::new(move |()| {
        volume.with_untracked(|volume| marked(volume, threshold.get_untracked(), &taken_home()))
    });
    let draw = Callback::new(move |options: Options| volume.with(|volume| marked(volume, drawn.get(), &options)));
    let stem = Signal::derive(move || volume.with(|volume| file_stem(&volume.title())));
    let table = Signal::derive(move || volume.with(Picture::to_table));
    let on_press = Callback::new(move |mark: Mark| {
        if let Some(pressed) = mark.number("threshold") {
            threshold.set(pressed);
        }
    });
    view! {
        <PictureFrame
            draw=draw
            id="threshold-picture".to_owned()
            press=Press::Threshold
            on_press=Some(on_press)
            testid="threshold-picture"
        />
        <PictureFiles stem=stem picture=picture/>
        <Figures table=table/>
    }
}

/// A table that unfolds, with its CSV. Another one that takes its place leaves it as it is unfolded.
#[component]
pub fn Figures(
    /// The table.
    #[prop(into)]
    table: Signal<Table>,
    /// Whether it is unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let caption = Memo::new(move |_| table.with(|table| table.caption.clone()));
    let has_rows = Memo::new(move |_| table.with(|table| !table.rows.is_empty()));
    view! {
        <Show when=move || has_rows.get()>
            <details class="figures" open=open>
                <summary>"As a table: " {caption}</summary>
                <div
                    class="table-scroll figures-table"
                    tabindex="0"
                    role="region"
                    aria-label=caption
                    inner_html=move || table.with(|table| table.to_html(SHOWN))
                ></div>
                <TableFile table=table/>
            </details>
        </Show>
    }
}

/// The button that hands a table over as CSV.
#[component]
pub fn TableFile(
    /// The table; its caption becomes the file's name.
    #[prop(into)]
    table: Signal<Table>,
) -> impl IntoView {
    let failed = RwSignal::new(false);
    view! {
        <div class="buttons">
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let saved = table.with_untracked(|table| {
                        browser::save_file(&format!("{}.csv", file_stem(&table.caption)), &table.to_csv())
                    });
                    failed.set(saved.is_none());
                }
            >
                "CSV"
            </button>
        </div>
        <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
    }
}

/// A file name for a picture or a table.
fn file_stem(title: &str) -> String {
    let words: Vec<String> = title
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(8)
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() { "picture".to_owned() } else { words.join("-") }
}
