//! The rows of a measurement, what Candor's are beside the others', and what they should be.

use std::fmt;

use serde_json::{Value, json};

/// Where an engine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a program of this machine.
    Native,
    /// In a browser's tab, on the processor.
    Browser,
    /// In a browser's tab that has WebGPU.
    Graphics,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Browser => "browser",
            Self::Graphics => "WebGPU",
        }
    }
}

/// One engine with one number of threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub engine: String,
    /// Where it ran.
    pub way: Way,
    /// Threads or workers.
    pub threads: u64,
    /// What else is to be said, such as the instruction set.
    pub note: String,
    /// Whole prompts a second, handed over as they are.
    pub examples_per_s: Option<f64>,
    /// The same where the caller has the shared beginning reused by hand; Candor finds it by itself.
    pub prefix_examples_per_s: Option<f64>,
    /// Tokens a second of one long prompt.
    pub prefill_tokens_per_s: Option<f64>,
    /// The most memory held, in bytes.
    pub peak_bytes: Option<u64>,
}

/// Everything that was measured.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Row>,
    /// The page's whole report.
    pub page: Option<Value>,
}

/// Candor beside another engine.
#[derive(Debug, Clone, PartialEq)]
struct Ratio {
    what: String,
    ours: f64,
    theirs: f64,
    wanted: f64,
}

impl Ratio {
    fn value(&self) -> f64 {
        self.ours / self.theirs
    }
}

/// What is compared: (way, the other engine, its figure, what Candor should be of it).
type Comparison = (Way, &'static str, &'static str, fn(&Row) -> Option<f64>, fn(&Row) -> Option<f64>, f64);

const COMPARISONS: [Comparison; 8] = [
    (Way::Browser, "wllama", "whole prompts", |row| row.examples_per_s, |row| row.examples_per_s, 10.0),
    (Way::Browser, "onnxruntime-web q4", "whole prompts", |row| row.examples_per_s, |row| row.examples_per_s, 7.0),
    (Way::Graphics, "wllama", "whole prompts", |row| row.examples_per_s, |row| row.examples_per_s, 5.0),
    (Way::Native, "llama.cpp", "whole prompts", |row| row.examples_per_s, |row| row.examples_per_s, 15.0),
    (Way::Native, "llama.cpp", "prefix reused", |row| row.examples_per_s, |row| row.prefix_examples_per_s, 4.0),
    (Way::Native, "llama.cpp", "prefill", |row| row.prefill_tokens_per_s, |row| row.prefill_tokens_per_s, 3.0),
    (Way::Native, "onnxruntime q4", "prefill", |row| row.prefill_tokens_per_s, |row| row.prefill_tokens_per_s, 1.5),
    (Way::Native, "torch+peft", "prefill", |row| row.prefill_tokens_per_s, |row| row.prefill_tokens_per_s, 1.5),
];

/// How much sooner than wllama's next answer one short text should be there.
const ONE_TEXT: f64 = 10.0;

impl Table {
    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn row(&self, engine: &str, way: Way, threads: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.engine == engine && row.way == way && row.threads == threads)
    }

    /// Candor beside each other engine, at the same number of threads.
    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        for (way, engine, figure, ours, theirs, wanted) in COMPARISONS {
            for other in self.rows.iter().filter(|row| row.engine == engine && row.way == way) {
                let mine = self.row("candor", way, other.threads).and_then(ours);
                if let (Some(ours), Some(theirs)) = (mine, theirs(other)) {
                    let what = format!("{}, {engine}, {figure}, {} threads", way.name(), other.threads);
                    ratios.push(Ratio { what, ours, theirs, wanted });
                }
            }
        }
        let one_text = self.page.as_ref().and_then(|page| page["one_text"]["seconds"].as_f64());
        let wllama = self.row("wllama", Way::Browser, 1).and_then(|row| row.examples_per_s);
        if let (Some(seconds), Some(theirs)) = (one_text, wllama) {
            let what = "browser, wllama, one short text, 1 threads".to_owned();
            ratios.push(Ratio { what, ours: 1.0 / seconds, theirs, wanted: ONE_TEXT });
        }
        ratios
    }

    /// Rows, ratios and the page's report.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "engine": row.engine, "where": row.way.name(), "threads": row.threads, "note": row.note,
                "examples_per_s": row.examples_per_s, "examples_per_s_prefix_reused": row.prefix_examples_per_s,
                "prefill_tokens_per_s": row.prefill_tokens_per_s, "peak_bytes": row.peak_bytes,
            })
        });
        let ratios = self.ratios();
        let ratios = ratios.iter().map(|ratio| {
            json!({ "what": ratio.what, "candor": ratio.ours, "other": ratio.theirs, "ratio": ratio.value(),
                    "wanted": ratio.wanted })
        });
        json!({ "rows": rows.collect::<Vec<_>>(), "ratios": ratios.collect::<Vec<_>>(), "page": self.page })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let size =
            |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6));
        writeln!(f, "\n| engine | where | threads | prompts/s | prefix reused by hand | prefill tokens/s | memory |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let engine =
                if row.note.is_empty() { row.engine.clone() } else { format!("{} ({})", row.engine, row.note) };
            let by_hand =
                if row.engine == "candor" { "by itself".to_owned() } else { number(row.prefix_examples_per_s) };
            writeln!(
                f,
                "| {engine} | {} | {} | {} | {by_hand} | {} | {} |",
                row.way.name(),
                row.threads,
                number(row.examples_per_s),
                number(row.prefill_tokens_per_s),
                size(row.peak_bytes)
            )?;
        }
        if let Some(page) = &self.page {
            let seconds =
                |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:.3} s"));
            let (first, one) = (seconds(&page["first_answer_seconds"]), seconds(&page["one_text"]["seconds"]));
            writeln!(f, "\nPage opened to first answer, model on the device: {first}. One short text: {one}.")?;
        }
        let ratios = self.ratios();
        if !ratios.is_empty() {
            writeln!(f, "\n| Candor beside | Candor | other | ratio | wanted | |\n|---|---|---|---|---|---|")?;
        }
        for ratio in ratios {
            let verdict = if ratio.value() >= ratio.wanted { "reached" } else { "missed" };
            let (ours, theirs, value) = (ratio.ours, ratio.theirs, ratio.value());
            writeln!(f, "| {} | {ours:.2} | {theirs:.2} | {value:.1}× | {}× | {verdict} |", ratio.what, ratio.wanted)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine: &str, way: Way, threads: u64, examples: f64) -> Row {
        Row {
            engine: engine.to_owned(),
            way,
            threads,
            note: String::new(),
            examples_per_s: Some(examples),
            prefix_examples_per_s: Some(2.0 * examples),
            prefill_tokens_per_s: None,
            peak_bytes: Some(5_000_000),
        }
    }

    #[test]
    fn like_is_compared_with_like() {
        let mut table = Table::default();
        table.push(row("candor", Way::Browser, 1, 6.0));
        table.push(row("candor", Way::Native, 2, 30.0));
        table.push(row("wllama", Way::Browser, 1, 0.5));
        table.push(row("wllama", Way::Browser, 2, 1.0));
        table.push(row("llama.cpp", Way::Native, 2, 2.5));
        table.page = Some(json!({ "one_text": { "seconds": 0.25 }, "first_answer_seconds": 1.5 }));
        let ratios: Vec<(String, f64)> =
            table.ratios().iter().map(|ratio| (ratio.what.clone(), ratio.value())).collect();
        let expected = [
            ("browser, wllama, whole prompts, 1 threads", 12.0),
            ("native, llama.cpp, whole prompts, 2 threads", 12.0),
            ("native, llama.cpp, prefix reused, 2 threads", 6.0),
            ("browser, wllama, one short text, 1 threads", 8.0),
        ];
        assert_eq!(ratios, expected.map(|(what, value)| (what.to_owned(), value)));
        let text = table.to_string();
        for part in ["| 12.0× | 10× | reached |", "| 12.0× | 15× | missed |", "1.500 s", "| 5 MB |", "by itself"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(table.json()["ratios"].as_array().map(Vec::len), Some(4));
    }
}
