//! Adapters trained here, held against Python's peft.
//!
//! Needs a Python with torch, transformers, peft and gguf (`python3`, or what `CANDOR_PYTHON` names) and the default model
//! in the cache folder; where one is missing, the test says so in a line and ends.

use std::process::Command;

use crate::reference::default_model;

#[test]
fn peft_gives_an_adapter_the_same_probabilities() {
    let python = std::env::var("CANDOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imported = Command::new(&python).args(["-c", "import peft, transformers, gguf, torch"]).output();
    if !imported.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: {python} has no peft, transformers, gguf and torch (CANDOR_PYTHON names another)");
        return;
    }
    let Some(model) = default_model() else { return };
    let root = env!("CARGO_MANIFEST_DIR");
    let task = format!("{root}/tasks/fine-tuning/sentiment.toml");
    let folder = tempfile::tempdir().unwrap();
    let [rows, adapter] = ["rows.jsonl", "adapter"].map(|name| folder.path().join(name));
    let words = [["lovely", "warm", "brilliant"], ["awful", "cold", "broken"]];
    let lines: String = (0..48)
        .map(|i| {
            let text = format!("A {} thing, number {i}, and {} too.", words[i % 2][i / 2 % 3], words[i % 2][i / 6 % 3]);
            let label = ["positive", "negative"][i % 2];
            serde_json::json!({ "text": text, "label": label }).to_string() + "\n"
        })
        .collect();
    std::fs::write(&rows, lines).unwrap();
    let candor = env!("CARGO_BIN_EXE_candor");
    let trained = Command::new(candor)
        .args(["finetune", "--layers", "3", "--batch", "8", "--lr", "0.005", "--task", &task])
        .arg("--model")
        .arg(&model)
        .arg("--train")
        .arg(&rows)
        .arg("--out")
        .arg(&adapter)
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let checked = Command::new(&python)
        .arg(format!("{root}/tests/peft/check.py"))
        .arg(&model)
        .arg(&task)
        .arg(&adapter)
        .arg(&rows)
        .args(["12", candor])
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&checked.stdout));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
