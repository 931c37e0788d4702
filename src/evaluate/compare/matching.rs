//! Which rows of several runs are the same.
//!
//! A row is known by its id and its text where the runs carry texts: ids alone are often just row numbers, and the
//! seventh row of one file is not the seventh of another. Where ids differ and texts agree (the same texts in a file
//! that numbers them anew), the texts alone decide, repeated ones in the order in which they come.

use std::collections::{HashMap, HashSet};

use super::Run;
use crate::dataset::predictions::Row;
use crate::error::{Error, Result};
use crate::stats::folds::text_key;

/// The rows that all runs have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// Per run, the places of the shared rows, in the first run's order.
    pub rows: Vec<Vec<usize>>,
    /// How they were matched, in words.
    pub by: String,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// What a row is known by.
type Key = (String, u64, usize);

/// Finds the rows that all runs have, and agree on what is right in them.
///
/// # Errors
/// No shared rows.
pub fn shared_rows(runs: &[Run]) -> Result<Matched> {
    let has_text = |run: &Run| run.predictions.rows.iter().all(|row| row.text.is_some());
    let texts = runs.iter().all(has_text);
    let id_and_text = |row: &Row| (row.id.clone(), row.text.as_deref().map_or(0, text_key));
    let text_alone = |row: &Row| (String::new(), row.text.as_deref().map_or(0, text_key));
    let id_alone = |row: &Row| (row.id.clone(), 0);
    let (mut found, mut by) = match texts {
        true => (shared(runs, id_and_text), "id and text"),
        false => (shared(runs, id_alone), "id"),
    };
    if texts {
        let others = shared(runs, text_alone);
        if others[0].len() > found[0].len() {
            (found, by) = (others, "text");
        }
    }
    let mut warnings = Vec::new();
    if !texts {
        warnings.push("not all runs carry texts: rows were matched by their ids alone".to_owned());
    }
    let disputed = leave_out_disputed(runs, &mut found);
    if disputed > 0 {
        warnings.push(format!(
            "{} left out: the runs do not agree on what is right in them",
            crate::chart::format::counted(disputed as u64, "shared row was", "shared rows were")
        ));
    }
    let n = found[0].len();
    if n == 0 {
        return Err(Error::input("the runs share no rows")
            .help("compare runs on the same data; rows are matched by id and text, or by text"));
    }
    let total = |run: &Run| run.predictions.rows.len();
    for run in runs.iter().filter(|run| total(run) > n) {
        warnings.push(format!(
            "\"{}\" has {} rows, of which {} are in all runs: only these are compared",
            run.name,
            crate::chart::format::count(total(run) as u64),
            crate::chart::format::count(n as u64)
        ));
    }
    Ok(Matched { rows: found, by: by.to_owned(), warnings })
}

/// Per run, the places of the rows whose keys all runs have; equal keys are told apart by the order they come in.
fn shared(runs: &[Run], key: impl Fn(&Row) -> (String, u64)) -> Vec<Vec<usize>> {
    let keyed: Vec<HashMap<Key, usize>> = runs.iter().map(|run| keys(run, &key)).collect();
    let mut order: Vec<(&Key, usize)> = keyed[0].iter().map(|(key, place)| (key, *place)).collect();
    order.sort_by_key(|(_, place)| *place);
    let common: Vec<&Key> =
        order.iter().filter(|(key, _)| keyed.iter().all(|run| run.contains_key(*key))).map(|(key, _)| *key).collect();
    keyed.iter().map(|run| common.iter().map(|key| run[*key]).collect()).collect()
}

fn keys(run: &Run, key: impl Fn(&Row) -> (String, u64)) -> HashMap<Key, usize> {
    let mut seen: HashMap<(String, u64), usize> = HashMap::new();
    (run.predictions.rows.iter().enumerate())
        .map(|(place, row)| {
            let (id, text) = key(row);
            let count = seen.entry((id.clone(), text)).or_insert(0);
            *count += 1;
            ((id, text, *count), place)
        })
        .collect()
}

/// Takes out rows whose true label differs between runs; returns how many.
fn leave_out_disputed(runs: &[Run], found: &mut [Vec<usize>]) -> usize {
    let disputed = |at: usize| {
        let truths: HashSet<&str> = (runs.iter().zip(found.iter()))
            .filter_map(|(run, places)| run.predictions.rows[places[at]].expected.as_deref())
            .collect();
        truths.len() > 1
    };
    let bad: HashSet<usize> = (0..found[0].len()).filter(|&at| disputed(at)).collect();
    for places in found.iter_mut() {
        let mut at = 0;
        places.retain(|_| {
            at += 1;
            !bad.contains(&(at - 1))
        });
    }
    bad.len()
}
