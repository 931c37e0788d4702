//! All numbers of a report as tables: every metric beside its null and its baseline, labels, groups.

use super::{number, pictures};
use crate::chart::{Cell, Section, Table, format};
use crate::stats::metrics::glossary;
use crate::stats::metrics::report::{Estimate, Report};

/// The section.
pub(super) fn section(computed: &Report) -> Section {
    let mut tables = vec![metrics(computed)];
    tables.extend(by_label(computed));
    tables.extend(by_group(computed));
    tables.push(words(computed));
    let paragraphs = match &computed.baselines.majority {
        Some(majority) => vec![format!(
            "Always answering \"{}\" would be right {} of the time.",
            majority.label,
            pictures::estimate(&majority.accuracy)
        )],
        None => Vec::new(),
    };
    Section {
        title: "All numbers".into(),
        paragraphs,
        figures: pictures::confusion(computed).into_iter().collect(),
        tables,
        ..Section::default()
    }
}

fn metrics(computed: &Report) -> Table {
    let header = ["metric", "value#", "low#", "high#", "a calibrated model#", "no model at all#", "n#"];
    let mut table = Table::new("Every metric", &header);
    let cell = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::number(value, 4));
    for (name, estimate) in &computed.metrics {
        if estimate.value.is_none() {
            continue;
        }
        let null = computed.nulls.get(name).copied().flatten();
        let null = null.map_or(Cell::Empty, |null| {
            Cell::shown(null.mean, format!("{} (95%: {})", number(Some(null.mean)), number(Some(null.p95))))
        });
        table.push(vec![
            Cell::text(glossary::describe(name).map_or(name.as_str(), |entry| entry.title)),
            cell(estimate.value),
            cell(estimate.low),
            cell(estimate.high),
            null,
            cell(baseline(computed, name)),
            Cell::count(computed.n as u64),
        ]);
    }
    table
}

/// What always answering the most frequent label, or always stating the base rate, would score.
fn baseline(computed: &Report, name: &str) -> Option<f64> {
    let (majority, prior) = (computed.baselines.majority.as_ref(), &computed.baselines.prior);
    match name {
        "accuracy" => majority.and_then(|majority| majority.accuracy.value),
        "macro_f1" => majority.map(|majority| majority.macro_f1),
        "weighted_f1" => majority.map(|majority| majority.weighted_f1),
        "brier" => Some(prior.brier),
        "log_loss" => Some(prior.log_loss),
        "brier_multiclass" => prior.brier_multiclass,
        "log_loss_multiclass" => prior.log_loss_multiclass,
        "roc_auc" => Some(0.5),
        _ => None,
    }
}

/// What each of these metrics says, how it is computed and where it comes from.
fn words(computed: &Report) -> Table {
    let mut table = Table::new("What the metrics say", &["metric", "in plain words", "formula", "source"]);
    let shown = |name: &str| computed.metrics.get(name).is_some_and(|estimate| estimate.value.is_some());
    for entry in glossary::GLOSSARY.iter().filter(|entry| shown(entry.name)) {
        table.push([entry.title, entry.plain, entry.formula, entry.source].map(Cell::text).to_vec());
    }
    table
}

fn by_label(computed: &Report) -> Option<Table> {
    let header = ["label", "n#", "precision#", "recall#", "F1#", "specificity#"];
    let mut table = Table::new("By label", &header);
    for class in &computed.per_class {
        let cell = |estimate: &Estimate| Cell::text(pictures::estimate(estimate));
        table.push(vec![
            Cell::text(class.label.as_str()),
            Cell::count(class.support),
            cell(&class.precision),
            cell(&class.recall),
            cell(&class.f1),
            cell(&class.specificity),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

fn by_group(computed: &Report) -> Option<Table> {
    let mut table = Table::new("By group", &["group", "n#", "accuracy#", "mean confidence#", "Brier#", "ECE#"]);
    for group in &computed.groups {
        table.push(vec![
            Cell::text(group.group.as_deref().unwrap_or("(none)")),
            Cell::count(group.n as u64),
            Cell::text(pictures::estimate(&group.accuracy)),
            Cell::text(pictures::estimate(&group.mean_confidence)),
            Cell::text(score(&group.brier)),
            Cell::text(pictures::estimate(&group.ece)),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// A score that is no percentage, as `0.1790 (0.1624–0.1976)`.
fn score(estimate: &Estimate) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format::number(value, 4));
    match (estimate.low, estimate.high) {
        (None, None) => number(estimate.value),
        (low, high) => format!("{} ({}–{})", number(estimate.value), number(low), number(high)),
    }
}
