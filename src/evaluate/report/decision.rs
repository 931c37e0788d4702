//! What can be automated: the promise, the thresholds, and what they cost.

use super::{Settings, measure, pictures};
use crate::chart::{Cell, Section, Table, format};
use crate::error::Result;
use crate::stats::costs::{BestCost, REVIEW_ALL, best_threshold};
use crate::stats::guarantee::guaranteed_threshold;
use crate::stats::metrics::report::Report;
use crate::stats::selection::{Selection, USUAL_THRESHOLDS};

/// The section.
///
/// # Errors
/// An accuracy or assurance out of range.
pub(super) fn section(selection: &Selection, computed: &Report, settings: &Settings) -> Result<Section> {
    let guarantee = guaranteed_threshold(selection, settings.accuracy, settings.assurance)?;
    let cheapest = best_threshold(selection, &settings.costs)?;
    let aurc = measure(computed, "aurc", "AURC, the area under it");
    Ok(Section {
        title: "What can be automated?".into(),
        paragraphs: vec![guarantee.summary(), prices(&cheapest, settings)],
        figures: vec![
            pictures::accuracy_volume(selection, &guarantee),
            pictures::cost(selection, &settings.costs, cheapest.best.threshold, &settings.currency),
            pictures::risk_coverage(selection, vec![aurc]),
        ],
        tables: vec![thresholds(selection, settings)],
        ..Section::default()
    })
}

/// The cheapest threshold in a sentence, and where the prices come from.
fn prices(found: &BestCost, settings: &Settings) -> String {
    let unit = if settings.example_costs { "reviews" } else { settings.currency.as_str() };
    let money = |value: f64| format::money(value, unit);
    let prices = if settings.example_costs {
        "No prices were given, so costs are counted in reviews, an error taken to cost as much as ten. ".to_owned()
    } else {
        format!("A review costs {}, an error {}. ", money(settings.costs.review_cost), money(settings.costs.error_cost))
    };
    let from = if found.best.threshold >= REVIEW_ALL {
        "to automate nothing".to_owned()
    } else {
        format!("to automate from a confidence of {:.4} on", found.best.threshold)
    };
    format!(
        "{prices}Cheapest on these rows is {from}: {} a day ({}–{}) for {}; reviewing everything costs {}, automating \
         everything {}.",
        money(found.best.cost),
        format::money(found.low, ""),
        money(found.high),
        format::counted(settings.costs.volume.round() as u64, "text", "texts"),
        money(found.review_all),
        money(found.automate_all)
    )
}

fn thresholds(selection: &Selection, settings: &Settings) -> Table {
    let header = ["threshold", "rows#", "share#", "right#", "accuracy#", "95% interval#", "review cost a day#"];
    let mut table = Table::new("Thresholds", &header);
    for row in selection.table(&USUAL_THRESHOLDS, 0.95, Some(settings.costs.review_all())) {
        let share = |value: Option<f64>| value.map_or(Cell::Empty, Cell::percent);
        table.push(vec![
            Cell::number(row.threshold, 3),
            Cell::count(row.n as u64),
            Cell::percent(row.share),
            Cell::count(row.correct as u64),
            share(row.accuracy),
            match (row.low, row.high) {
                (Some(low), Some(high)) => Cell::text(format!("{}–{}", format::percent(low), format::percent(high))),
                _ => Cell::Empty,
            },
            row.review_cost.map_or(Cell::Empty, |cost| Cell::number(cost, 0)),
        ]);
    }
    table
}
