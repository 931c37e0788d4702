//! Sections of a comparison from what stands beside the runs' predictions: how their adapters were trained, and how far off
//! each of several questions is.

use std::path::Path;

use indexmap::IndexMap;

use crate::chart::{Cell, Heading, Section, Table, format};
use crate::evaluate::compare::Run;
use crate::evaluate::questions::QuestionQuality;
use crate::stats::metrics::report::Estimate;
use crate::train;

/// File of a run folder with the errors of several questions.
pub const QUESTIONS_FILE: &str = "questions.json";

/// The losses of the adapters that the runs used, where their folders are still there.
pub fn losses(runs: &[Run]) -> Vec<Section> {
    let mut adapters: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for run in runs {
        if let Some(adapter) = run.facts.as_ref().and_then(|facts| facts.adapter.as_ref()) {
            adapters.entry(&adapter.name).or_default().push(&run.name);
        }
    }
    let curve = |(folder, names): (&str, Vec<&str>)| {
        // An adapter from elsewhere has no such file; what it had is not this page's to complain about.
        let records = train::log::read(Path::new(folder)).ok()?;
        let mut curve = train::picture::loss_curve(&records);
        let subtitle = std::mem::take(&mut curve.heading.subtitle);
        curve.heading = Heading { subtitle, ..Heading::titled(format!("Training for {}", names.join(", "))) };
        Some(curve.into())
    };
    let figures: Vec<_> = adapters.into_iter().filter_map(curve).collect();
    if figures.is_empty() {
        return Vec::new();
    }
    vec![Section { title: "How did training go?".into(), figures, ..Section::default() }]
}

/// Mean squared error of each question and run; `None` unless a run's folder has them.
pub fn questions<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Option<Table> {
    let found: Vec<(&str, IndexMap<String, QuestionQuality>)> = (runs.into_iter())
        .filter_map(|(name, folder)| {
            let text = std::fs::read_to_string(folder.join(QUESTIONS_FILE)).ok()?;
            Some((name, serde_json::from_str(&text).ok()?))
        })
        .collect();
    let (_, first) = found.first()?;
    let mut header = vec!["question".to_owned(), "n#".to_owned()];
    header.extend(found.iter().map(|(name, _)| format!("{name}#")));
    header.push("always the mean#".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new("Mean squared error of the expected value, by question", &header);
    for (question, quality) in first {
        let mut row = vec![Cell::text(question.as_str()), Cell::count(quality.n as u64)];
        row.extend(found.iter().map(|(_, of)| of.get(question).map_or(Cell::Empty, |quality| shown(&quality.mse))));
        row.push(Cell::number(quality.mse_of_mean, 2));
        table.push(row);
    }
    Some(table)
}

fn shown(estimate: &Estimate) -> Cell {
    let Estimate { value: Some(value), low, high } = *estimate else { return Cell::Empty };
    match (low, high) {
        (Some(low), Some(high)) => {
            let number = |value| format::number(value, 2);
            Cell::shown(value, format!("{} ({}–{})", number(value), number(low), number(high)))
        }
        _ => Cell::number(value, 2),
    }
}
