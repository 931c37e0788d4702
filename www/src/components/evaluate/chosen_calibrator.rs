//! The calibrator in use: what it is, what it does to single predictions, and its file.

use std::sync::Arc;

use candor::chart::{Cell, Table};
use leptos::prelude::*;

use crate::browser;
use crate::components::figure::{Figures, TableFile};
use crate::components::notice::Caution;
use crate::session::study::study;
use crate::state::evaluation::calibration::{InUse, Origin, Seen, telling};
use crate::state::evaluation::material::Material;
use crate::state::format::{percent, shortened};
use crate::state::notice::sentence;

/// Texts among which telling ones are looked for; of more, every so many-th.
const LOOKED_AT: usize = 2000;
/// Characters of a text that are shown.
const CHARACTERS: usize = 90;

/// The calibrator in use.
#[component]
pub fn Chosen(
    /// The calibrator.
    used: InUse,
    /// What was run.
    material: Arc<Material>,
) -> impl IntoView {
    let study = study();
    let failed = RwSignal::new(false);
    let summary = used.summary();
    let raw = used.is_raw();
    let curve = if raw { Vec::new() } else { used.curve() };
    let fitted_here = matches!(used.origin, Origin::Fitted(_));
    let text = StoredValue::new(used.text.clone());
    let quality = used.file.cross_fitted.map(|quality| {
        format!(
            "On rows it was not fitted on: Brier score {:.4}, log loss {:.4}, ECE {}.",
            quality.brier,
            quality.log_loss,
            percent(quality.ece)
        )
    });
    let rows: Vec<(usize, Seen)> = untrack(|| {
        study.scores.with(|scores| {
            let texts = material.different_texts();
            let scored: Vec<usize> = (0..texts).filter(|text| scores.of(*text).is_some()).collect();
            let eye = scored.first().and_then(|text| used.over(&scores.of(*text)?.prediction));
            let seen: Vec<(usize, Seen)> = (scored.iter().copied())
                .step_by(scored.len().div_ceil(LOOKED_AT).max(1))
                .filter_map(|text| Some((text, eye.as_ref()?.see(&scores.of(text)?.prediction)?)))
                .collect();
            let shown = telling(&seen);
            seen.into_iter().filter(|(text, _)| shown.contains(text)).collect()
        })
    });
    let mut rows = rows;
    rows.sort_by(|a, b| a.1.raw.total_cmp(&b.1.raw));
    let file = rows_table(&material, &rows);
    let fallen = rows.iter().find(|(_, seen)| !raw && seen.confidence < 0.5).map(|(_, seen)| seen.explanation());
    view! {
        <div class="stack" data-testid="calibrator-in-use">
            <p>
                <strong data-testid="calibrator-summary">{summary}</strong>
                " "
                <span class="tag">"in use"</span>
            </p>
            {quality.map(|words| view! { <p class="small soft">{words}</p> })}
            {move || {
                study
                    .comparison
                    .get()
                    .map(|report| {
                        let warnings = report.warnings.clone();
                        view! {
                            <p class="measure-text" data-testid="calibrator-why">{sentence(&report.why)}</p>
                            {(!warnings.is_empty())
                                .then(|| {
                                    view! {
                                        <Caution testid="calibrator-cautions">
                                            <ul class="bullets">
                                                {warnings
                                                    .iter()
                                                    .map(|words| view! { <li>{sentence(words)}</li> })
                                                    .collect_view()}
                                            </ul>
                                        </Caution>
                                    }
                                })}
                            <Figures table=report.table.clone() open=true/>
                        }
                    })
            }}
            {(!curve.is_empty())
                .then(|| {
                    view! {
                        <h3>"What it does"</h3>
                        <div class="table-scroll" tabindex="0" role="region" aria-label="What the calibrator does">
                            <table class="table curve-table" data-testid="calibrator-curve">
                                <tbody>
                                    <tr>
                                        <th scope="row">"The model says"</th>
                                        {curve
                                            .iter()
                                            .map(|(before, _)| view! { <td class="number">{percent(*before)}</td> })
                                            .collect_view()}
                                    </tr>
                                    <tr>
                                        <th scope="row">"Right, of such answers"</th>
                                        {curve
                                            .iter()
                                            .map(|(_, after)| view! { <td class="number">{percent(*after)}</td> })
                                            .collect_view()}
                                    </tr>
                                </tbody>
                            </table>
                        </div>
                        <TableFile table=curve_table(&curve)/>
                    }
                })}
            {raw
                .then(|| {
                    view! {
                        <p class="measure-text" data-testid="calibrator-raw-here">
                            "Confidence stays as the model gives it, here and in the Classify place."
                        </p>
                    }
                })}
            <h3>{if raw { "Single predictions" } else { "Single predictions, before and after" }}</h3>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Single predictions">
                <table class="table" data-testid="calibrator-rows">
                    <thead>
                        <tr>
                            <th scope="col">"Text"</th>
                            <th scope="col">"The model answers"</th>
                            <th scope="col" class="number">"It says"</th>
                            {(!raw).then(|| view! { <th scope="col" class="number">"Calibrated"</th> })}
                            <th scope="col">"Not ruled out"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows
                            .into_iter()
                            .map(|(text, seen)| {
                                let words = shortened(material.text(text).unwrap_or_default(), CHARACTERS);
                                view! {
                                    <tr>
                                        <td class="wide"><bdi>{words}</bdi></td>
                                        <td>{seen.label.clone()}</td>
                                        <td class="number">{percent(seen.raw)}</td>
                                        {(!raw)
                                            .then(|| {
                                                view! {
                                                    <td class="number">
                                                        {percent(seen.confidence)} " "
                                                        <span class="soft">{seen.interval_words()}</span>
                                                    </td>
                                                }
                                            })}
                                        <td>{seen.set.as_ref().map(|(set, _)| set.join(", "))}</td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
            <TableFile table=file/>
            {fallen.map(|words| view! { <Caution testid="below-half"><p>{words}</p></Caution> })}
            <div class="buttons">
                <button
                    type="button"
                    class="button button-small"
                    id="export-calibrator"
                    on:click=move |_| {
                        let saved = text.with_value(|text| browser::save_file("calibrator.json", text));
                        failed.set(saved.is_none());
                    }
                >
                    "Take home: calibrator.json"
                </button>
                <button
                    type="button"
                    class="button button-quiet button-small"
                    id="drop-calibrator"
                    on:click=move |_| study.put_calibrator_away()
                >
                    "Do without it"
                </button>
            </div>
            {fitted_here.then(|| view! { <p class="small soft">"New labels fit it anew, by themselves."</p> })}
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
        </div>
    }
}

/// What a calibrator makes of scores, as a table to take home.
fn curve_table(curve: &[(f64, f64)]) -> Table {
    let mut table = Table::new("What the calibrator does", &["the model says#", "right of such answers#"]);
    curve.iter().for_each(|(before, after)| table.push(vec![Cell::number(*before, 6), Cell::number(*after, 6)]));
    table
}

/// Single predictions before and after, as a table to take home.
fn rows_table(material: &Material, rows: &[(usize, Seen)]) -> Table {
    let header = ["text", "model_label", "confidence#", "calibrated_confidence#", "low#", "high#", "not_ruled_out"];
    let mut table = Table::new("Single predictions before and after", &header);
    for (text, seen) in rows {
        let [low, high] = seen.interval.map_or([Cell::Empty, Cell::Empty], |ends| ends.map(|end| Cell::number(end, 6)));
        table.push(vec![
            Cell::text(material.text(*text).unwrap_or_default()),
            Cell::text(&seen.label),
            Cell::number(seen.raw, 6),
            Cell::number(seen.confidence, 6),
            low,
            high,
            Cell::text(seen.set.as_ref().map(|(set, _)| set.join(" ")).unwrap_or_default()),
        ]);
    }
    table
}
