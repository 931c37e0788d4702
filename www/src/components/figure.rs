//! A picture of `candor::chart`, that answers: what is pointed at says its numbers, what is pressed is told to the page,
//! and picture and figures can be taken home.
//!
//! The picture is drawn at the width it has on the screen, so its text keeps its size on a phone.

use candor::chart::{AccuracyVolume, Chart, Options, Picture, Table, Theme, stylesheet};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::browser;
use crate::state::evaluation::view::Listing;

/// Width of a picture that is taken home.
const TAKEN_HOME: f64 = 720.0;
/// Rows of a table that are shown; its CSV has them all.
const SHOWN: usize = 200;

/// Makes the pictures' colours known to the page; once is enough.
pub fn provide_chart_styles() {
    browser::adopt_stylesheet(&stylesheet());
}

/// A picture with its caption, its figures and its files.
#[component]
pub fn Figure(
    /// The picture.
    chart: Chart,
    /// Its id in the page.
    id: String,
    /// What a pressed mark asks to be listed.
    #[prop(into)]
    on_mark: Option<Callback<Listing>>,
) -> impl IntoView {
    let title = chart.title();
    let description = chart.description();
    let table = chart.to_table();
    let file = file_stem(&title);
    let labelled = format!("{id}-title");
    let heading = labelled.clone();
    let chart = StoredValue::new(chart);
    let frame = NodeRef::<html::Div>::new();
    let width = RwSignal::new(None::<f64>);
    follow_width(frame, width);
    let svg = Memo::new(move |_| {
        let width = width.get()?;
        let options = Options {
            width,
            id_prefix: id.clone(),
            theme: Theme::Auto,
            interactive: true,
            title: false,
            description: false,
            style: false,
            height: None,
        };
        Some(chart.with_value(|chart| chart.to_svg(&options)))
    });
    let answers = move || svg.with(|svg| svg.as_ref().is_some_and(|svg| svg.contains("data-mark")));
    let said = RwSignal::new(None::<String>);
    let hint = match on_mark {
        Some(_) => "Point at a mark for its numbers; press it to list its rows.",
        None => "Point at a mark for its numbers.",
    };
    let say = move |event: &web_sys::Event| {
        said.set(mark_of(event).and_then(|mark| mark.get_attribute("aria-label")));
    };
    let press = move |event: &web_sys::Event| {
        if let (Some(on_mark), Some(listing)) = (on_mark, mark_of(event).as_ref().and_then(listing_of)) {
            event.prevent_default();
            on_mark.run(listing);
        }
    };
    let picture = Callback::new(move |()| chart.with_value(|chart| chart.to_svg(&taken_home())));
    view! {
        <figure class="figure" aria-labelledby=labelled>
            <h3 id=heading>{title}</h3>
            <div
                class="figure-frame"
                node_ref=frame
                inner_html=move || svg.get().unwrap_or_default()
                on:mouseover=move |event| say(&event)
                on:focusin=move |event| say(&event)
                on:mouseleave=move |_| said.set(None)
                on:click=move |event| press(&event)
                on:keydown=move |event| {
                    if event.key() == "Enter" || event.key() == " " {
                        press(&event);
                    }
                }
            ></div>
            // Screen readers are told by the mark itself.
            <p class="figure-said small" aria-hidden="true" hidden=move || !answers()>
                {move || said.get().unwrap_or_else(|| hint.to_owned())}
            </p>
            <figcaption class="small soft">{description}</figcaption>
            <PictureFiles stem=file picture=picture/>
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
    stem: String,
    /// The picture as SVG, drawn when it is asked for.
    picture: Callback<(), String>,
) -> impl IntoView {
    let failed = RwSignal::new(false);
    let stem = StoredValue::new(stem);
    view! {
        <div class="buttons">
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let name = format!("{}.svg", stem.get_value());
                    failed.set(browser::save_file(&name, &picture.run(())).is_none());
                }
            >
                "SVG"
            </button>
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let name = format!("{}.png", stem.get_value());
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

/// Accuracy and volume, with a mark at the threshold that stands now: drawn anew as it moves, at most once a frame.
#[component]
pub fn FollowingFigure(
    /// The picture.
    volume: AccuracyVolume,
    /// The threshold.
    threshold: RwSignal<f64>,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = RwSignal::new(None::<f64>);
    follow_width(frame, width);
    let chart = Chart::AccuracyVolume(volume.clone());
    let (stem, table) = (file_stem(&chart.title()), chart.to_table());
    let volume = StoredValue::new(volume);
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
    let marked = move |threshold: f64, options: &Options| {
        volume.with_value(|volume| AccuracyVolume { chosen: Some(threshold), ..volume.clone() }.to_svg(options))
    };
    let picture = Callback::new(move |()| marked(threshold.get_untracked(), &taken_home()));
    let svg = move || {
        let options = Options {
            width: width.get()?,
            id_prefix: "threshold-picture".to_owned(),
            theme: Theme::Auto,
            interactive: false,
            title: false,
            description: false,
            style: false,
            height: None,
        };
        Some(marked(drawn.get(), &options))
    };
    view! {
        <div
            class="figure-frame"
            data-testid="threshold-picture"
            node_ref=frame
            inner_html=move || svg().unwrap_or_default()
        ></div>
        <PictureFiles stem=stem picture=picture/>
        <Figures table=table/>
    }
}

/// A table that unfolds, with its CSV.
#[component]
pub fn Figures(
    /// The table.
    table: Table,
    /// Whether it is unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let html = table.to_html(SHOWN);
    let caption = table.caption.clone();
    let rows = table.rows.len();
    (rows > 0).then(|| {
        view! {
            <details class="figures" open=open>
                <summary>"As a table: " {caption.clone()}</summary>
                <div class="table-scroll figures-table" tabindex="0" role="region" aria-label=caption inner_html=html></div>
                <TableFile table=table/>
            </details>
        }
    })
}

/// The button that hands a table over as CSV.
#[component]
pub fn TableFile(
    /// The table; its caption becomes the file's name.
    table: Table,
) -> impl IntoView {
    let name = format!("{}.csv", file_stem(&table.caption));
    let table = StoredValue::new(table);
    let failed = RwSignal::new(false);
    view! {
        <div class="buttons">
            <button
                type="button"
                class="button button-quiet button-small"
                on:click=move |_| {
                    let csv = table.with_value(Table::to_csv);
                    failed.set(browser::save_file(&name, &csv).is_none());
                }
            >
                "CSV"
            </button>
        </div>
        <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
    }
}

/// Keeps `width` at the frame's width, also when it is shown after having been hidden.
fn follow_width(frame: NodeRef<html::Div>, width: RwSignal<Option<f64>>) {
    let observers = StoredValue::new_local(Vec::new());
    Effect::new(move |_| {
        let Some(element) = frame.get() else { return };
        let measured = element.clone();
        let on_change = Closure::<dyn FnMut()>::new(move || {
            let now = f64::from(measured.client_width());
            if now > 0.0 && width.get_untracked() != Some(now) {
                width.set(Some(now));
            }
        });
        if let Ok(observer) = web_sys::ResizeObserver::new(on_change.as_ref().unchecked_ref()) {
            observer.observe(&element);
            observers.update_value(|observers| observers.push((observer, on_change)));
        }
    });
    on_cleanup(move || {
        observers.update_value(|observers| observers.iter().for_each(|(observer, _)| observer.disconnect()));
    });
}

/// The mark that an event is about.
fn mark_of(event: &web_sys::Event) -> Option<web_sys::Element> {
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    target.closest("[data-mark]").ok()?
}

/// The rows behind a mark, where it stands for some.
fn listing_of(mark: &web_sys::Element) -> Option<Listing> {
    let text = |name: &str| mark.get_attribute(&format!("data-{name}"));
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    match text("mark")?.as_str() {
        "stripe" | "bin" => Some(Listing::Stripe(number("low")?, number("high")?)),
        "cell" => Some(Listing::Cell(text("expected")?, text("predicted")?)),
        _ => None,
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
