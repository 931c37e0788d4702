//! Where tests find what nobody here wrote: the default model and the reference values beside the project; and how a
//! table of differences from them is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the reference folder beside the project, or `None` (with a line saying so) where there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !file.exists() {
        eprintln!("skipped: {path} is not beside the project");
        return None;
    }
    Some(file)
}

/// The default model in the cache folder, or `None` (with a line saying so). In CI its absence is a failure.
pub fn default_model() -> Option<PathBuf> {
    let found = candor::cli::store::resolve("smollm2-135m");
    match found {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("CI").is_some() => panic!("the default model is needed in CI: {error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// The cases of the statistics' reference values, each with its seed and name. `CANDOR_REFERENCE` names other files,
/// separated by `:`, that `calibration_reference.py SEED OUT` made.
pub fn statistics_cases() -> Vec<(String, Value)> {
    let files: Vec<PathBuf> = match std::env::var("CANDOR_REFERENCE") {
        Ok(list) => list.split(':').map(PathBuf::from).collect(),
        Err(_) => shared("reference/calibration.json").into_iter().collect(),
    };
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut reference: Value = serde_json::from_str(&text).expect("the reference is JSON");
        let seed = reference["seed"].clone();
        let Value::Array(cases) = reference["cases"].take() else { panic!("{}: no cases", file.display()) };
        found.extend(cases.into_iter().map(|case| {
            let name = case["name"].as_str().expect("a name");
            (format!("seed {seed} {name}"), case)
        }));
    }
    found
}

/// A JSON list as numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// The largest difference of each quantity, with where it was seen.
#[derive(Default)]
pub struct Differences(BTreeMap<String, (f64, f64, String)>);

impl Differences {
    /// Takes in one value and what it should be; a value that is no number differs infinitely.
    pub fn add(&mut self, quantity: &str, place: &str, got: f64, want: f64, tolerance: f64) {
        let difference = (got - want).abs();
        let difference = if difference.is_finite() { difference } else { f64::INFINITY };
        let entry = self.0.entry(quantity.to_owned()).or_insert((-1.0, tolerance, String::new()));
        if difference > entry.0 {
            (entry.0, entry.2) = (difference, format!("{place}: {got} for {want}"));
        }
    }

    /// Prints every quantity's largest difference and fails if one is beyond its tolerance.
    pub fn judge(self) {
        let mut beyond = Vec::new();
        for (quantity, (difference, tolerance, place)) in &self.0 {
            println!("{quantity:<28} {difference:>9.2e} (allowed {tolerance:.0e})  {place}");
            if difference > tolerance {
                beyond.push(quantity.clone());
            }
        }
        assert!(beyond.is_empty(), "beyond their tolerance: {beyond:?}");
    }
}
