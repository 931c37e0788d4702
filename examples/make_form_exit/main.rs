//! Writes labelled traces of web forms that were left: `cargo run --example make_form_exit -- [ROWS] [SEED] > FILE.jsonl`.
//!
//! The task: why did this visitor leave? Six labels, equally many rows of each, no trace twice. See `forms.rs` for the
//! forms that are filled in and `traces.rs` for what visitors do.

mod forms;
mod traces;

use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;

fn main() {
    let number =
        |at: usize, default: u64| std::env::args().nth(at).and_then(|word| word.parse().ok()).unwrap_or(default);
    let (rows, seed) = (number(1, 900), number(2, 1));
    for (label, trace) in make(rows as usize, seed) {
        println!("{}", serde_json::json!({ "text": trace, "label": label }));
    }
}

/// `rows` different traces with their labels, shuffled; the same for the same seed.
fn make(rows: usize, seed: u64) -> Vec<(&'static str, String)> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut seen = HashSet::new();
    let mut made = Vec::with_capacity(rows);
    while made.len() < rows {
        let (label, visit) = traces::LABELS[made.len() % traces::LABELS.len()];
        let events = visit(&mut random);
        let trace = events.join(", ");
        if events.len() <= traces::MOST_EVENTS && seen.insert(trace.clone()) {
            made.push((label, trace));
        }
    }
    made.shuffle(&mut random);
    made
}
