//! Statistics against the Python packages that people use for them, on the same rows in one run.
//!
//! `cargo bench --profile dev --bench statistics` (the tests' profile, so that nothing is compiled twice) makes the
//! rows, times Candor on them, then lets `benches/statistics_python.py` time scikit-learn and relplot on the very same
//! files, and prints both with their ratio. `CANDOR_PYTHON` names the Python that has the packages (`python3`
//! otherwise); without them only Candor's side is printed. The best of several rounds counts on both sides: what
//! disturbs a measurement only ever makes it slower.
//!
//! Each line says what it promises; a promise that is not kept makes the run fail.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use candor::stats::calibrators::{Calibrator, FitOptions, Method};
use candor::stats::metrics::Sample;
use candor::stats::metrics::report::{Options, Row, report};
use candor::stats::metrics::smece::smece;
use candor::stats::pava::isotonic;
use candor::stats::resampling::stream;
use candor::stats::rows::Rows;
use rand::RngExt;

/// Rows for which Python's side is timed too.
const LARGE: usize = 1_000_000;
const MEDIUM: usize = 10_000;
const SMALL: usize = 1_000;

/// The best of several rounds, in seconds.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    (0..rounds)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// An overconfident model's rows: scores crowded towards 1, right less often than they say.
fn rows(n: usize) -> (Vec<f64>, Vec<bool>) {
    let mut random = stream(1, n as u64);
    (0..n)
        .map(|_| {
            let score = 1.0 - random.random::<f64>().powi(3) * 0.999;
            let logit = 0.5 * (score / (1.0 - score).max(1e-9)).ln();
            (score, random.random::<f64>() < 1.0 / (1.0 + (-logit).exp()))
        })
        .unzip()
}

/// What a line of the table promises.
enum Promise {
    /// At least so many times Python's speed.
    Times(f64),
    /// At most so many seconds.
    Seconds(f64),
}

struct Line {
    name: &'static str,
    rows: usize,
    seconds: f64,
    promise: Promise,
}

fn main() {
    // `cargo test --benches` asks benches to list or run tests; there are none here.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the rows");
    let mut lines = Vec::new();
    for n in [LARGE, MEDIUM] {
        let (scores, correct) = rows(n);
        write(folder.path(), n, &scores, &correct);
        let outcomes: Vec<f64> = correct.iter().map(|right| f64::from(u8::from(*right))).collect();
        let seconds = best(5, || {
            let fit = isotonic(&scores, &outcomes, None).expect("rows");
            std::hint::black_box(fit.predict(0.5));
        });
        lines.push(Line { name: "isotonic", rows: n, seconds, promise: Promise::Times(3.0) });
        let known = Rows::new(scores.clone(), correct.clone()).expect("rows");
        let seconds = best(5, || {
            std::hint::black_box(Calibrator::fit(Method::Platt, &known, &FitOptions::default()).expect("a fit"));
        });
        lines.push(Line { name: "platt", rows: n, seconds, promise: Promise::Times(5.0) });
        let seconds = best(5, || {
            let sample = Sample::new(&scores, &correct).expect("rows");
            std::hint::black_box(smece(sample.view()));
        });
        lines.push(Line { name: "smece", rows: n, seconds, promise: Promise::Times(3.0) });
    }
    lines.push(bootstrap());
    lines.push(command(folder.path()));
    let python = python(folder.path());
    assert!(print(&lines, python.as_ref()), "a promise is not kept");
}

/// 2,000 resamples of every metric of confidence and correctness, with intervals and nulls.
fn bootstrap() -> Line {
    let (scores, correct) = rows(MEDIUM);
    let rows: Vec<Row> = (scores.iter().zip(&correct))
        .map(|(&confidence, &correct)| Row { confidence, correct, ..Row::default() })
        .collect();
    let seconds = best(3, || {
        std::hint::black_box(report(&rows, &Options::default()).expect("a report"));
    });
    Line { name: "bootstrap, 2,000 resamples of every metric", rows: MEDIUM, seconds, promise: Promise::Seconds(2.0) }
}

/// The whole command, from the start of the process to its end.
fn command(folder: &Path) -> Line {
    let (scores, correct) = rows(SMALL);
    let line = |(i, (score, right)): (usize, (&f64, &bool))| {
        let (expected, other) = if i % 2 == 0 { ("positive", "negative") } else { ("negative", "positive") };
        let label = if *right { expected } else { other };
        format!(
            "{{\"text\": \"row {i}\", \"expected\": \"{expected}\", \"prediction\": \"{label}\", \"confidence\": {score}, \
             \"correct\": {right}}}\n"
        )
    };
    let text: String = scores.iter().zip(&correct).enumerate().map(line).collect();
    let path = folder.join("predictions.jsonl");
    std::fs::write(&path, text).expect("a file of rows");
    let seconds = best(10, || {
        let done = Command::new(env!("CARGO_BIN_EXE_candor")).arg("metrics").arg(&path).arg("--json").output();
        assert!(done.expect("candor runs").status.success());
    });
    Line { name: "candor metrics, the whole command", rows: SMALL, seconds, promise: Promise::Seconds(0.3) }
}

/// Rows as files that Python reads: little-endian numbers, and a byte an outcome.
fn write(folder: &Path, n: usize, scores: &[f64], correct: &[bool]) {
    let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    std::fs::write(folder.join(format!("{n}.scores")), bytes).expect("a file of scores");
    let bytes: Vec<u8> = correct.iter().map(|right| u8::from(*right)).collect();
    std::fs::write(folder.join(format!("{n}.outcomes")), bytes).expect("a file of outcomes");
}

/// What Python's side printed, or `None` (with a line saying so) where it cannot run.
fn python(folder: &Path) -> Option<serde_json::Value> {
    let python = std::env::var("CANDOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/statistics_python.py");
    let sizes = [LARGE, MEDIUM].map(|n| n.to_string());
    let done = Command::new(&python).arg(script).arg(folder).args(sizes).output();
    match done {
        Ok(done) if done.status.success() => serde_json::from_slice(&done.stdout).ok(),
        Ok(done) => {
            println!("{python} could not run its side: {}", String::from_utf8_lossy(&done.stderr).trim());
            None
        }
        Err(error) => {
            println!("{python} could not be started: {error}");
            None
        }
    }
}

/// Prints the table; whether every promise that could be looked at is kept.
fn print(lines: &[Line], python: Option<&serde_json::Value>) -> bool {
    if let Some(packages) = python.and_then(|found| found["packages"].as_object()) {
        let packages: Vec<String> = packages.iter().map(|(name, version)| format!("{name} {version}")).collect();
        println!("against {}", packages.join(", ").replace('"', ""));
    }
    println!("{:<44} {:>9} {:>11} {:>11} {:>7}  promised", "", "rows", "Candor", "Python", "ratio");
    let mut kept = true;
    for line in lines {
        let theirs = python.and_then(|found| found["seconds"][line.name][line.rows.to_string()].as_f64());
        let shown = theirs.map_or_else(|| "–".to_owned(), |seconds| format!("{:.2} ms", seconds * 1e3));
        let ratio = theirs.map(|seconds| seconds / line.seconds);
        let (promised, holds) = match line.promise {
            Promise::Times(times) => (format!("{times}×"), ratio.is_none_or(|ratio| ratio >= times)),
            Promise::Seconds(most) => (format!("under {most} s"), line.seconds < most),
        };
        kept &= holds;
        println!(
            "{:<44} {:>9} {:>8.2} ms {:>11} {:>7}  {promised}{}",
            line.name,
            line.rows,
            line.seconds * 1e3,
            shown,
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1}×")),
            if holds { "" } else { "  NOT KEPT" }
        );
    }
    kept
}
