//! The comparison as one self-contained page: who is best, whether that is real, and what it means for automation.

mod trust;

pub use self::trust::calibrations;
use super::{Compared, ComparedPair, Criterion, Side};
use crate::chart::{self, Cell, Chart, Heading, Highlight, Section, Table, format};
use crate::error::Result;
use crate::evaluate::pictures;
use crate::stats::metrics::paired::Difference;
use crate::stats::metrics::report::{self as metrics, Estimate};
use crate::stats::selection::ThresholdRow;

/// The metrics of the ranking, with their titles; whether a metric is a share decides how it is written.
const RANKED: [(&str, &str, bool); 6] = [
    ("accuracy", "accuracy", true),
    ("macro_f1", "macro-F1", true),
    ("ece", "ECE", true),
    ("brier", "Brier", false),
    ("log_loss", "log loss", false),
    ("mse", "MSE", false),
];

/// `92.4%` or `0.1930`, as the criterion is written; `–` where there is no number.
pub fn shown_value(value: Option<f64>, by: Criterion) -> String {
    let share = RANKED.iter().any(|(name, _, share)| *name == by.metric() && *share);
    match value {
        Some(value) if share => format::percent(value),
        Some(value) => format::number(value, 4),
        None => "–".to_owned(),
    }
}

/// A difference with its interval, as in `20.2 points (17.3–23.1)`.
pub fn difference(difference: &Difference, by: Criterion) -> String {
    let share = RANKED.iter().any(|(name, _, share)| *name == by.metric() && *share);
    let number = |value: f64| if share { format::number(value * 100.0, 1) } else { format::number(value, 4) };
    let unit = if share { " points" } else { "" };
    let Estimate { value, low, high } = difference.estimate;
    let value = value.map_or_else(|| "–".to_owned(), |value| format!("{}{unit}", number(value)));
    match (low, high) {
        (Some(low), Some(high)) => format!("{value} ({} to {})", number(low), number(high)),
        _ => value,
    }
}

/// `0.034`, `< 0.001`, or `–`.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) => format::number(p, 3),
        None => "–".to_owned(),
    }
}

/// The report of a comparison; `extra` sections (a sweep's failures, loss curves) come before the facts.
///
/// # Errors
/// Confidence that cannot be judged.
pub fn report_of(compared: &Compared, title: &str, extra: Vec<Section>) -> Result<chart::Report> {
    let mut sections =
        vec![best(compared), real(compared), by_label(compared), trust::section(compared)?, automate(compared)];
    sections.retain(|section| !section.tables.is_empty() || !section.figures.is_empty());
    sections.extend(extra);
    let mut facts: Vec<(String, String)> = (compared.runs.iter())
        .filter_map(|side| {
            let run = side.run.as_ref()?;
            let adapter =
                run.adapter.as_ref().map_or_else(String::new, |adapter| format!(", adapter {}", adapter.name));
            let calibrator = run.calibrator.as_ref().map_or_else(String::new, |name| format!(", calibrator {name}"));
            let (model, task, data) = (&run.model.name, &run.task.name, &run.data.name);
            Some((side.name.clone(), format!("{model}{adapter}, task {task}, data {data}{calibrator}")))
        })
        .collect();
    facts.push(("rows matched by".to_owned(), compared.matched_by.clone()));
    facts.push(("made by".to_owned(), format!("candor {}", env!("CARGO_PKG_VERSION"))));
    Ok(chart::Report {
        title: title.to_owned(),
        paragraphs: vec![
            compared.verdict.sentence.clone(),
            format!(
                "{} on the {} that all of them have.",
                format::counted(compared.runs.len() as u64, "run", "runs"),
                format::counted(compared.n as u64, "row", "rows")
            ),
        ],
        warnings: compared.warnings.clone(),
        highlights: highlights(compared),
        sections,
        facts,
        footer: String::new(),
    })
}

fn highlights(compared: &Compared) -> Vec<Highlight> {
    let metric = compared.by.metric();
    (compared.runs.iter().take(4).enumerate())
        .map(|(rank, side)| Highlight {
            name: format!("{}. {}", rank + 1, side.name),
            value: shown_value(side.report.metrics.get(metric).and_then(|found| found.value), compared.by),
            beside: format!("{}, n = {}", compared.by.title(), format::count(compared.n as u64)),
        })
        .collect()
}

/// An estimate with its interval, as a share or as a number.
fn cell(estimate: Option<&Estimate>, share: bool) -> Cell {
    let Some(Estimate { value: Some(value), low, high }) = estimate else { return Cell::Empty };
    let shown = match (share, low, high) {
        (true, Some(low), Some(high)) => format::percent_interval(*value, *low, *high),
        (true, _, _) => format::percent(*value),
        (false, Some(low), Some(high)) => format!("{value:.4} ({low:.3}–{high:.3})"),
        (false, _, _) => format::number(*value, 4),
    };
    Cell::shown(*value, shown)
}

/// The metrics that at least one run has.
fn present(compared: &Compared) -> Vec<(&'static str, &'static str, bool)> {
    let has =
        |name: &str| compared.runs.iter().any(|side| side.report.metrics.get(name).is_some_and(|e| e.value.is_some()));
    RANKED.into_iter().filter(|(name, _, _)| has(name)).collect()
}

/// The runs, best first: also what the command line prints.
pub fn ranking(compared: &Compared) -> Table {
    let metrics = present(compared);
    let from = format!("from {} on#", format::percent(compared.threshold));
    let mut header = vec!["rank#".to_owned(), "run".to_owned()];
    header.extend(metrics.iter().map(|(_, title, _)| format!("{title}#")));
    header.extend([from, "right of these#".to_owned()]);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(format!("Runs by {}, best first, with 95% intervals", compared.by.title()), &header);
    for (rank, side) in compared.runs.iter().enumerate() {
        let mut row = vec![Cell::count(rank as u64 + 1), Cell::text(side.name.as_str())];
        row.extend(metrics.iter().map(|(name, _, share)| cell(side.report.metrics.get(*name), *share)));
        row.extend(automated(Some(&side.automated)));
        table.push(row);
    }
    table
}

fn best(compared: &Compared) -> Section {
    let null = compared.runs.first().and_then(|side| side.report.ece_null.as_ref()).map(|null| {
        format!(
            "A calibrated model would show an ECE of {} on average on these rows, and up to {} in 95 of 100 samples.",
            format::percent(null.mean),
            format::percent(null.p95)
        )
    });
    Section {
        title: "Which is best?".into(),
        paragraphs: std::iter::once(compared.verdict.sentence.clone()).chain(null).collect(),
        tables: vec![ranking(compared)],
        ..Section::default()
    }
}

/// Every two runs with their tests: also what the command line prints.
pub fn pairs(compared: &Compared) -> Table {
    let by = compared.by;
    let ahead = format!("ahead in {}#", by.title());
    let header = [
        "better",
        "worse",
        ahead.as_str(),
        "p#",
        "p, corrected#",
        "only the better right#",
        "only the worse right#",
        "McNemar p#",
    ];
    let mut table = Table::new("Every two runs on the same rows", &header);
    for pair in &compared.pairs {
        let (tests, margin) = (&pair.pair.comparison.mcnemar, margin(pair, by));
        table.push(vec![
            Cell::text(pair.better.as_str()),
            Cell::text(pair.worse.as_str()),
            margin.map_or(Cell::Empty, |found| {
                Cell::shown(found.estimate.value.unwrap_or(f64::NAN), difference(&found, by))
            }),
            p_cell(pair.p_value),
            p_cell(pair.p_holm),
            Cell::count(tests.only_first),
            Cell::count(tests.only_second),
            p_cell(Some(tests.p_value)),
        ]);
    }
    table
}

fn p_cell(p: Option<f64>) -> Cell {
    p.map_or(Cell::Empty, |p| Cell::shown(p, p_value(Some(p))))
}

/// How far the better run of a pair is ahead: positive where it is better.
pub(super) fn margin(pair: &ComparedPair, by: Criterion) -> Option<Difference> {
    let found = pair.pair.comparison.differences.get(by.metric())?;
    // Differences are second minus first: already a lead where less is better.
    Some(if by.higher_is_better() { super::turned(found) } else { *found })
}

fn real(compared: &Compared) -> Section {
    let mut tables = vec![pairs(compared)];
    let names = ["accuracy", "macro_f1", "brier", "log_loss", "ece"];
    let header = ["worse minus better", "accuracy#", "macro-F1#", "Brier#", "log loss#", "ECE#"];
    let mut table = Table::new("Differences of every metric, with intervals of the paired bootstrap", &header);
    for pair in &compared.pairs {
        let mut row = vec![Cell::text(format!("{} − {}", pair.worse, pair.better))];
        row.extend(names.map(|name| cell(pair.pair.comparison.differences.get(name).map(|d| &d.estimate), false)));
        table.push(row);
    }
    tables.push(table);
    Section {
        title: "Are the differences real?".into(),
        paragraphs: vec![format!(
            "Both runs of a pair saw the same rows, so they are compared row by row: {}. The corrected p-value accounts \
             for all {} together (Holm).",
            match compared.by {
                Criterion::Accuracy => "McNemar's exact test of the rows that only one of them got right",
                _ => "the bootstrap draws the rows once for both",
            },
            format::counted(compared.pairs.len() as u64, "pair", "pairs")
        )],
        tables,
        ..Section::default()
    }
}

/// How lopsided the errors between two labels are; `None` of more labels.
pub fn balance(compared: &Compared) -> Option<Table> {
    let first = compared
        .runs
        .iter()
        .find_map(|side| side.report.per_class.first().filter(|_| side.report.per_class.len() == 2))?;
    let recall = format!("recall of {}#", first.label);
    let header = ["run", recall.as_str(), "specificity#", "gap between the two#"];
    let mut table = Table::new(format!("Rows that are {}, and rows that are not", first.label), &header);
    for side in &compared.runs {
        let own = side.report.per_class.iter().find(|class| class.label == first.label);
        table.push(vec![
            Cell::text(side.name.as_str()),
            cell(own.map(|class| &class.recall), true),
            cell(own.map(|class| &class.specificity), true),
            cell(side.report.metrics.get("balance_gap"), true),
        ]);
    }
    Some(table)
}

fn by_label(compared: &Compared) -> Section {
    let mut header = vec!["label".to_owned(), "n#".to_owned()];
    header.extend(compared.runs.iter().map(|side| format!("{}#", side.name)));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let of = |title: &str, part: fn(&metrics::ClassReport) -> &Estimate| {
        let mut table = Table::new(title, &header);
        let labels = compared.runs.iter().map(|side| &side.report.per_class).find(|classes| !classes.is_empty())?;
        for class in labels {
            let mut row = vec![Cell::text(class.label.as_str()), Cell::count(class.support)];
            row.extend(compared.runs.iter().map(|side| {
                let own = side.report.per_class.iter().find(|own| own.label == class.label);
                cell(own.map(part), true)
            }));
            table.push(row);
        }
        Some(table)
    };
    let tables = [
        of("F1 by label", |class| &class.f1),
        of("Recall by label", |class| &class.recall),
        of("Specificity by label", |class| &class.specificity),
    ];
    let tables = tables.into_iter().chain([balance(compared)]);
    let matrices = compared.runs.iter().filter_map(|side| match pictures::confusion(&side.report)? {
        Chart::Confusion(mut matrix) => {
            matrix.heading = Heading::titled(side.name.as_str());
            Some(Chart::Confusion(matrix))
        }
        other => Some(other),
    });
    Section {
        title: "Where are they right and wrong?".into(),
        figures: matrices.collect(),
        tables: tables.into_iter().flatten().collect(),
        ..Section::default()
    }
}

/// Share and accuracy of the rows from a threshold on.
fn automated(row: Option<&ThresholdRow>) -> [Cell; 2] {
    let Some(row) = row else { return [Cell::Empty, Cell::Empty] };
    let share = Cell::shown(row.share, format!("{} ({})", format::percent(row.share), format::count(row.n as u64)));
    let right = Estimate { value: row.accuracy, low: row.low, high: row.high };
    [share, cell(Some(&right), true)]
}

fn automate(compared: &Compared) -> Section {
    let threshold = format::percent(compared.threshold);
    let promise = |side: &Side| match &side.promise.guaranteed {
        Some(found) => Cell::shown(found.coverage, format!("{} ({})", format::percent(found.coverage), found.n)),
        None => Cell::text("none"),
    };
    let promised = compared.runs.first().map(|side| &side.promise);
    let promised = promised.map_or_else(String::new, |promise| {
        format!("{} right, promised with {}#", format::percent(promise.accuracy), format::percent(promise.assurance))
    });
    let header = [
        "run",
        "automated#",
        "right of these#",
        "automated, calibrated#",
        "right of these, calibrated#",
        promised.as_str(),
    ];
    let mut table = Table::new(format!("Rows with a confidence of at least {threshold}"), &header);
    for side in &compared.runs {
        let mut row = vec![Cell::text(side.name.as_str())];
        row.extend(automated(Some(&side.automated)));
        row.extend(automated(side.calibration.as_ref().and_then(|found| found.automated.as_ref())));
        row.push(promise(side));
        table.push(row);
    }
    Section {
        title: "What can be automated?".into(),
        paragraphs: vec![format!(
            "Rows that a confidence of at least {threshold} would let pass without a person, by each run's own confidence \
             and by the calibrated one (cross-fitted). The last column is the share for which the accuracy can be \
             promised from these rows, whatever the threshold."
        )],
        tables: vec![table],
        ..Section::default()
    }
}
