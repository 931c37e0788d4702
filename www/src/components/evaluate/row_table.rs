//! The scored rows as a long table, of which only what is in sight is in the page.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;

use super::row_panel::RowPanel;
use crate::browser;
use crate::components::label_colour::Swatch;
use crate::session::session;
use crate::session::study::{Which, study};
use crate::state::evaluation::material::Material;
use crate::state::evaluation::view::{Listing, RowWords, Window};
use crate::state::format;

/// Height of a row in pixels, as the style sheet has it.
const ROW: f64 = 44.0;
/// Height of the frame in pixels, as the style sheet has it.
const FRAME: f64 = 440.0;
/// Characters of a text that are shown.
const CHARACTERS: usize = 140;
/// What is said where a file could not be handed over.
const NOT_SAVED: &str = "The browser did not save the file.";

/// The scored rows.
#[component]
pub fn RowTable(
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let (session, study) = (session(), study());
    let frame = NodeRef::<html::Div>::new();
    let top = RwSignal::new(0.0);
    let material = StoredValue::new(material);
    let opened = RwSignal::new(None::<usize>);
    let listed = Memo::new(move |_| {
        let listing = study.listing.get();
        material.with_value(|material| {
            study.with_truth(|truth| {
                study.scores.with(|scores| {
                    (0..material.rows.len())
                        .filter(|&row| {
                            let expected = scores.outcome(row, material, truth).map(|(_, expected)| expected);
                            scores
                                .of(material.text_of(row))
                                .is_some_and(|scored| listing.takes(&scored.prediction, expected))
                        })
                        .collect::<Vec<usize>>()
                })
            })
        })
    });
    let calibrator = Memo::new(move |_| study.calibrator_of_rows());
    let window = Memo::new(move |_| listed.with(|rows| Window::new(rows.len(), ROW, top.get(), FRAME)));
    Effect::new(move |_| {
        study.listing.track();
        if let Some(frame) = frame.get_untracked() {
            frame.set_scroll_top(0);
        }
    });
    let colour = move |name: &str| {
        study.scored_with.with(|task| task.as_ref()?.labels.iter().position(|label| label.name == name))
    };
    let shown = move || {
        let Window { first, end } = window.get();
        calibrator.with(|calibrator| {
            listed.with(|rows| {
                let end = end.min(rows.len());
                let words = |&row: &usize| {
                    let found = material.with_value(|material| {
                        study.with_truth(|truth| study.scores.with(|scores| scores.row(row, material, truth)))
                    });
                    found.map(|found| RowWords::new(row, &found, calibrator.as_ref(), CHARACTERS))
                };
                rows[first.min(end)..end].iter().filter_map(words).collect::<Vec<_>>()
            })
        })
    };
    // Rows before it may come in later than itself.
    let place = move |row: usize| listed.with(|rows| rows.binary_search(&row).unwrap_or_default());
    let row_view = move |words: RowWords| {
        let RowWords { row, id, text, expected, label, confidence, calibrated, correct } = words;
        let mark = match correct {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "",
        };
        let or_missing = |value: Option<String>| value.unwrap_or_else(|| format::MISSING.to_owned());
        view! {
            <tr aria-rowindex=move || (place(row) + 2).to_string() class:row-wrong=correct == Some(false)>
                <td class="number">{id}</td>
                <td class="long-text">
                    <button type="button" class="row-open" on:click=move |_| opened.set(Some(row))>
                        <bdi>{text}</bdi>
                    </button>
                </td>
                <td>{or_missing(expected)}</td>
                <td>
                    <span class="supports-inner">
                        <Swatch index=untrack(|| colour(&label))/>
                        {label}
                    </span>
                </td>
                <td class="number">{confidence}</td>
                {calibrated.map(|value| view! { <td class="number">{or_missing(value)}</td> })}
                <td>{mark}</td>
            </tr>
        }
    };
    let columns = move || if calibrator.with(Option::is_some) { "7" } else { "6" };
    let count = move || listed.with(Vec::len);
    let exported = RwSignal::new(None::<String>);
    let save = move |name: &'static str, which: Which| {
        wasm_bindgen_futures::spawn_local(async move {
            let saved = study.predictions(which).await.ok().and_then(|text| browser::save_file(name, &text));
            exported.set(saved.is_none().then(|| NOT_SAVED.to_owned()));
        });
    };
    let has_uncounted = move || {
        let rows = material.with_value(|material| material.rows.len());
        let counted = material.with_value(|material| {
            study.with_truth(|truth| study.scores.with(|scores| scores.tally(material, truth).0))
        });
        (1..rows).contains(&counted)
    };
    view! {
        <Show when=move || { study.scores.with(|scores| scores.done() > 0) }>
            <section class="card" aria-labelledby="rows-title" id="rows" tabindex="-1">
                <div class="card-head">
                    <h2 id="rows-title" data-testid="rows-title">
                        {move || study.listing.with(Listing::words)} " "
                        <span class="soft">{move || format::count(count() as u64)}</span>
                    </h2>
                    <div class="buttons">
                        <label class="visually-hidden" for="listing">"Which rows"</label>
                        <select
                            class="select select-small"
                            id="listing"
                            on:change=move |event| {
                                study.listing.set(match event_target_value(&event).as_str() {
                                    "right" => Listing::Right,
                                    "wrong" => Listing::Wrong,
                                    _ => Listing::All,
                                });
                            }
                        >
                            <option value="all" selected=move || study.listing.with(|l| *l == Listing::All)>"All"</option>
                            <option value="wrong" selected=move || study.listing.with(|l| *l == Listing::Wrong)>"Wrong"</option>
                            <option value="right" selected=move || study.listing.with(|l| *l == Listing::Right)>"Right"</option>
                            <option
                                value="picture"
                                hidden
                                selected=move || study.listing.with(|l| matches!(l, Listing::Stripe(..) | Listing::Cell(..)))
                            >
                                "From a picture"
                            </option>
                        </select>
                        <button
                            type="button"
                            class="button button-quiet button-small"
                            id="export-rows"
                            on:click=move |_| {
                                let table = study.labels_table(Some(listed.get_untracked()));
                                let saved = table.and_then(|table| browser::save_file("rows.csv", &table.to_csv()));
                                exported.set(saved.is_none().then(|| NOT_SAVED.to_owned()));
                            }
                        >
                            "rows.csv"
                        </button>
                        <button
                            type="button"
                            class="button button-small"
                            id="export-predictions"
                            on:click=move |_| save("predictions.jsonl", Which::Known)
                        >
                            "Take home: predictions.jsonl"
                        </button>
                        <Show when=move || calibrator.with(Option::is_some)>
                            <button
                                type="button"
                                class="button button-quiet button-small"
                                id="export-calibrated"
                                on:click=move |_| save("calibrated-predictions.jsonl", Which::Calibrated)
                            >
                                "with calibrated confidence"
                            </button>
                        </Show>
                        <Show when=has_uncounted>
                            <button
                                type="button"
                                class="button button-quiet button-small"
                                id="export-all"
                                on:click=move |_| save("all-predictions.jsonl", Which::All)
                            >
                                "with rows that do not count"
                            </button>
                        </Show>
                    </div>
                </div>
                <p class="wrong" role="alert" hidden=move || exported.with(Option::is_none)>{move || exported.get()}</p>
                <div
                    class="row-frame"
                    tabindex="0"
                    role="region"
                    aria-label="Scored rows"
                    node_ref=frame
                    on:scroll=move |_| {
                        if let Some(frame) = frame.get_untracked() {
                            top.set(f64::from(frame.scroll_top()));
                        }
                    }
                >
                    <table class="table row-table" aria-rowcount=move || (count() + 1).to_string()>
                        <thead>
                            <tr aria-rowindex="1">
                                <th scope="col" class="number">"Row"</th>
                                <th scope="col">"Text"</th>
                                <th scope="col">"Label"</th>
                                <th scope="col">"Model"</th>
                                <th scope="col" class="number">"Confidence"</th>
                                <Show when=move || calibrator.with(Option::is_some)>
                                    <th scope="col" class="number">"Calibrated"</th>
                                </Show>
                                <th scope="col">"Outcome"</th>
                            </tr>
                        </thead>
                        <tbody>
                            <tr class="row-space" aria-hidden="true">
                                <td colspan=columns style:block-size=move || format!("{}px", window.get().first as f64 * ROW)></td>
                            </tr>
                            <For each=shown key=RowWords::clone children=row_view/>
                            <tr class="row-space" aria-hidden="true">
                                <td
                                    colspan=columns
                                    style:block-size=move || {
                                        format!("{}px", count().saturating_sub(window.get().end) as f64 * ROW)
                                    }
                                ></td>
                            </tr>
                        </tbody>
                    </table>
                </div>
                <RowPanel material=material opened=opened/>
                <Show when=move || !session.is_ready()>
                    <p class="small soft">"These scores were kept from an earlier visit."</p>
                </Show>
            </section>
        </Show>
    }
}
