//! `candor eval` as somebody uses it whose machine goes down in the middle.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Rows: enough that a run can be killed before its end.
const ROWS: usize = 4000;

fn data(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("data.csv");
    let row = |at: usize| {
        let label = if at.is_multiple_of(3) { "positive" } else { "negative" };
        format!("{at},\"Text number {}, which repeats at times\",{label}\n", at % (ROWS - 100))
    };
    let text: String = std::iter::once("id,text,label\n".to_owned()).chain((0..ROWS).map(row)).collect();
    std::fs::write(&path, text).unwrap();
    path
}

fn eval(data: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candor"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["eval", "--model", "models/tiny.gguf", "--task", "tasks/sentiment.toml", "--json", "--data"]);
    command.arg(data).arg("--out").arg(out).args(more);
    command
}

fn whole_lines(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));

    let done = eval(&data, &whole, &[]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!whole.join("predictions.jsonl.part").exists() && !whole.join("predictions.jsonl.part.sha256").exists());

    let part = killed.join("predictions.jsonl.part");
    let mut run = eval(&data, &killed, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while whole_lines(&part) == 0 && run.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing was predicted");
        std::thread::sleep(Duration::from_millis(2));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let kept = whole_lines(&part);
    assert!((1..ROWS).contains(&kept), "{kept} rows when it was killed");
    assert!(!killed.join("predictions.jsonl").exists(), "half a run does not have a whole one's name");

    let again = eval(&data, &killed, &[]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.success(), "{said}");
    assert!(said.contains(&format!("{kept} of {ROWS} rows were predicted before")), "{said}");
    let read = |folder: &Path| std::fs::read_to_string(folder.join("predictions.jsonl")).unwrap();
    assert!(read(&whole) == read(&killed), "a killed run gives the same predictions as one that was left alone");
    let metrics = |output: &std::process::Output| {
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["metrics"].clone()
    };
    assert_eq!(metrics(&done), metrics(&again));
}

#[test]
fn another_choice_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let out = folder.path().join("run");
    let done = eval(&data, &out, &["--limit", "40"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // What another run left: its rows are not these.
    std::fs::rename(out.join("predictions.jsonl"), out.join("predictions.jsonl.part")).unwrap();
    std::fs::write(out.join("predictions.jsonl.part.sha256"), "0".repeat(64)).unwrap();
    let done = eval(&data, &out, &["--limit", "50", "--confidence", "share"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && !said.contains("predicted before"), "{said}");
    assert_eq!(whole_lines(&out.join("predictions.jsonl")), 50);
}
