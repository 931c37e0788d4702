//! `candor finetune` as it is called: what it leaves alone, which of two settings counts, and where it says an error is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf");

/// A folder with rows to learn from and to validate with.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("train.jsonl"), 24, |_| {});
    write_rows(&folder.path().join("valid.jsonl"), 8, |_| {});
    folder
}

fn write_rows(path: &Path, rows: usize, change: impl Fn(&mut [(String, String)])) {
    let mut all: Vec<(String, String)> = (0..rows)
        .map(|i| (format!("{} {i}", ["fine", "awful"][i % 2]), ["positive", "negative"][i % 2].to_owned()))
        .collect();
    change(&mut all);
    let line =
        |(text, label): &(String, String)| serde_json::json!({ "text": text, "label": label }).to_string() + "\n";
    std::fs::write(path, all.iter().map(line).collect::<String>()).unwrap();
}

/// Runs the command in a folder with these flags before those that are not given otherwise.
fn finetune(folder: &Path, flags: &[&str]) -> Output {
    let usual = [("--model", MODEL), ("--task", "sentiment"), ("--train", "train.jsonl"), ("--out", "out")];
    let missing = usual.iter().filter(|(flag, _)| !flags.contains(flag)).flat_map(|(flag, value)| [*flag, *value]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_candor"));
    command.args(["finetune", "--json"]).args(flags).args(missing).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, flags: &[&str]) -> Value {
    let output = finetune(folder, flags);
    assert!(output.status.success(), "{flags:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn overwrite_deleted_the_checkpoint_before_anything_was_checked() {
    let folder = folder();
    let (folder, out) = (folder.path(), folder.path().join("out"));
    let first = good(folder, &["--epochs", "1"]);
    let before = files(&out);
    write_rows(&folder.join("one.jsonl"), 12, |rows| rows.iter_mut().for_each(|row| row.1 = "positive".to_owned()));
    std::fs::write(folder.join("no.gguf"), "GGUF").unwrap();
    for wrong in [
        ["--train", "absent.jsonl"],
        ["--train", "one.jsonl"],
        ["--valid", "absent.jsonl"],
        ["--task", "absent.toml"],
        ["--model", "no.gguf"],
        ["--layers", "99"],
    ] {
        let output = finetune(folder, &[&wrong[..], &["--epochs", "1", "--overwrite"]].concat());
        assert!(!output.status.success(), "{wrong:?}");
        assert_eq!(files(&out), before, "{wrong:?}: {}", said(&output));
    }
    let second = good(folder, &["--epochs", "1", "--overwrite", "--seed", "2"]);
    assert_ne!(first["adapter_sha256"], second["adapter_sha256"]);
    assert_eq!(good(folder, &["--epochs", "1", "--resume", "--seed", "2"])["adapter_sha256"], second["adapter_sha256"]);
}

#[test]
fn an_adapter_without_a_checkpoint_was_overwritten_unasked() {
    for name in ["adapter_config.json", "adapter_model.safetensors", "adapter.gguf", "checkpoint.safetensors"] {
        let folder = folder();
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join(name), "somebody's").unwrap();
        let refused = finetune(folder.path(), &["--epochs", "1"]);
        assert!(refused.status.code() == Some(2) && said(&refused).contains("--overwrite"), "{}", said(&refused));
        assert_eq!(files(&out), [(out.join(name), b"somebody's".to_vec())]);
        good(folder.path(), &["--epochs", "1", "--overwrite"]);
        assert_ne!(std::fs::read(out.join(name)).unwrap(), b"somebody's");
    }
}

#[test]
fn a_seed_beside_a_settings_file_was_ignored() {
    let folder = folder();
    std::fs::write(folder.path().join("s.toml"), "seed = 3\nepochs = 1\n").unwrap();
    let valid = ["--valid", "valid.jsonl"];
    let adapter =
        |flags: &[&str]| good(folder.path(), &[&valid[..], flags, &["--overwrite"]].concat())["adapter_sha256"].clone();
    let flag = adapter(&["--epochs", "1", "--seed", "7"]);
    let file = adapter(&["--settings", "s.toml"]);
    assert_eq!(adapter(&["--settings", "s.toml", "--seed", "7"]), flag);
    assert_eq!(adapter(&["--epochs", "1", "--seed", "3"]), file);
    assert_ne!(flag, file);
}

#[test]
fn an_error_of_a_validation_row_was_said_of_the_rows_to_learn_from() {
    let folder = folder();
    for (file, other) in [("valid.jsonl", "train.jsonl"), ("train.jsonl", "valid.jsonl")] {
        write_rows(&folder.path().join(file), 12, |rows| rows[4].0 = "word ".repeat(5000));
        write_rows(&folder.path().join(other), 12, |_| {});
        let output = finetune(folder.path(), &["--valid", "valid.jsonl"]);
        assert!(said(&output).contains(&format!("error: {file}:5:")), "{}", said(&output));
    }
}

#[test]
fn one_unknown_label_ended_it() {
    let folder = folder();
    write_rows(&folder.path().join("train.jsonl"), 24, |rows| rows[6].1 = "perhaps".to_owned());
    let output = finetune(folder.path(), &["--epochs", "1"]);
    assert!(output.status.success() && said(&output).contains("\"perhaps\""), "{}", said(&output));
    let strict = finetune(folder.path(), &["--epochs", "1", "--strict", "--overwrite"]);
    assert!(!strict.status.success() && said(&strict).contains("train.jsonl"), "{}", said(&strict));
}
