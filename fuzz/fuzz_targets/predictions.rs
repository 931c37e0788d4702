//! Any bytes as a predictions file: what comes out is finite and in its range, or an error says what to do.
#![no_main]

use candor::dataset::predictions::{Options, read};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 3] = ["p", "p.csv", "p.jsonl"];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let name = NAMES[usize::from(choice) % NAMES.len()];
    match read(name, bytes, Options { need_outcome: choice & 0x40 != 0, strict: choice & 0x80 != 0 }) {
        Ok(predictions) => {
            for row in &predictions.rows {
                let rates = [Some(row.confidence), row.share, row.total_probability, row.other_mass];
                assert!(rates.into_iter().flatten().all(|rate| (0.0..=1.0).contains(&rate)));
                assert!(choice & 0x40 == 0 || row.correct.is_some());
                let scores = row.labels.iter().flat_map(|labels| labels.values());
                assert!(scores.filter_map(|score| score.logprob).all(|logprob| logprob <= 0.0));
            }
        }
        Err(error) => assert!(error.help.is_some(), "{error}"),
    }
});
