//! Any bytes under any name: readers give rows or an error with what to do, in time.
#![no_main]

use candor::dataset::{self, Options, csv, jsonl};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["a", "a.csv", "a.tsv", "a.jsonl", "a.txt", "weak_positive.txt"];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let name = NAMES[usize::from(choice) % NAMES.len()];
    let options = Options { need_labels: choice & 0x40 != 0, strict: choice & 0x80 != 0, ..Options::default() };
    match dataset::read(name, bytes, &options) {
        Ok(dataset) => {
            assert!(!dataset.examples.is_empty());
            // Lines never go back, and what is written reads back.
            assert!(dataset.examples.windows(2).all(|pair| pair[0].line <= pair[1].line));
            let texts = |examples: &[dataset::Example]| examples.iter().map(|e| e.text.clone()).collect::<Vec<_>>();
            let again = jsonl::read(jsonl::write(&dataset.examples).as_bytes(), &Options::default());
            assert_eq!(texts(&again.expect("rows").examples), texts(&dataset.examples));
            let comma = Options { delimiter: Some(b','), ..Options::default() };
            let again = csv::read(csv::write(&dataset.examples).as_bytes(), false, &comma);
            assert_eq!(texts(&again.expect("rows").examples), texts(&dataset.examples));
        }
        Err(error) => assert!(error.help.is_some(), "{error}"),
    }
});
