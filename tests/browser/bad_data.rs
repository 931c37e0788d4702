//! Files that are not what they should be, brought to the places of many texts: each gets words that say what it is and
//! what to do, and what was there before is still there.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::page::Page;
use super::visit::with_page;

fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// Picks a file, and waits for what is said about it, which names it.
async fn refused(page: &Page, field: &str, path: &Path, notice: &str) -> String {
    page.choose_file(field, path).await;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let notice = format!("main {notice}");
    let said = format!("document.querySelector({notice:?})?.innerText.includes({name:?})");
    page.wait_until(&format!("what is said of {name}"), &said).await;
    let words = page.text_of(&notice).await;
    println!("{name}: {}", words.replace('\n', " · "));
    words
}

async fn projects(page: &Page) -> Value {
    page.click("#evaluate-projects").await;
    page.wait_until("the panel", "document.querySelector('#projects-panel[open]')").await;
    let names = page
        .script(
            "return Array.from(document.querySelectorAll('[data-testid=project]'), row => row.innerText.split('\\n')[0]);",
            Value::Null,
        )
        .await;
    page.click("#projects-panel [data-testid=close-dialog]").await;
    names
}

#[test]
fn what_is_no_data_is_refused_and_nothing_is_lost() {
    with_page("what_is_no_data_is_refused_and_nothing_is_lost", async |visit| {
        let (page, folder) = (&visit.page, visit.folder.path());
        page.click("[data-testid=go-evaluate]").await;
        page.click("#read-sample").await;
        page.text_of("[data-testid=data-summary]").await;
        page.click("#evaluate-new-project").await;

        let utf16: Vec<u8> = "text,label\na,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases: [(&str, &[u8], &[&str]); 8] = [
            ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &["a picture", "Choose the CSV or JSONL"]),
            ("archive.csv", b"PK\x03\x04\x14\0\0\0", &["zip archive", "CSV UTF-8"]),
            ("login.csv", b"<!DOCTYPE html>\n<html></html>", &["a web page", "log in"]),
            ("lines.csv", b"{\"text\": \"a\", \"label\": \"b\"}\n", &["lines.csv:1", "holds JSON", ".jsonl"]),
            ("wide.csv", &[b"\xff\xfe", &utf16[..]].concat(), &["UTF-16", "CSV UTF-8"]),
            ("latin.csv", b"text,label\ncaf\xe9,pos\n", &["latin.csv:2", "not UTF-8", "CSV UTF-8"]),
            ("empty.csv", b"", &["empty"]),
            (
                "half.candor.json",
                b"{\"format\": \"candor-project/1\", \"name\"",
                &["no project", "Take this project home"],
            ),
        ];
        for (name, content, wanted) in cases {
            let words = refused(page, "#data-file", &file(folder, name, content), "[data-testid=data-error]").await;
            for part in wanted {
                assert!(words.contains(part), "{name}: {part:?} is not in {words}");
            }
        }
        assert_eq!(projects(page).await.as_array().map(Vec::len), Some(1), "the sample's project is still there");

        // A file that is dropped beside the areas that wait for one: the page stays, and takes it.
        page.script(
            "const transfer = new DataTransfer();
             transfer.items.add(new File(['text,label\\nfine,pos\\nbad,neg\\n'], 'beside.csv', { type: 'text/csv' }));
             const drop = new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer });
             document.querySelector('header').dispatchEvent(drop);
             window.taken = drop.defaultPrevented;",
            Value::Null,
        )
        .await;
        assert_eq!(page.text_of("[data-testid=data-summary]").await, "2 rows, 2 different texts");
        assert_eq!(page.script("return window.taken;", Value::Null).await, json!(true));
    });
}

#[test]
fn reading_stops_when_it_is_told_to() {
    with_page("reading_stops_when_it_is_told_to", async |visit| {
        let (page, folder) = (&visit.page, visit.folder.path());
        let rows = "a sentence that stands in a large file,positive\n".repeat(600_000);
        let large = file(folder, "large.csv", format!("text,label\n{rows}").as_bytes());
        page.click("[data-testid=go-evaluate]").await;
        page.choose_file("#data-file", &large).await;
        page.click("[data-testid=stop-reading]").await;
        page.wait_until("an end", "!document.querySelector('[data-testid=stop-reading]')").await;
        // Nothing of it comes later, and the next file is read as if nothing had been.
        page.click("#read-sample").await;
        let summary = page.text_of("[data-testid=data-summary]").await;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(page.text_of("[data-testid=data-summary]").await, summary);
        assert_eq!(projects(page).await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn a_calibrator_of_something_else_is_refused_and_no_calibration_is_called_so() {
    let name = "a_calibrator_of_something_else_is_refused_and_no_calibration_is_called_so";
    with_page(name, async |visit| {
        let (page, folder) = (&visit.page, visit.folder.path());
        page.click("#other-model").await;
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny.gguf");
        page.choose_file("#model-offer [data-testid=model-file]", &tiny).await;
        page.wait_for_model().await;
        page.click("[data-testid=go-evaluate]").await;
        page.click("#read-sample").await;
        page.click("#start-run").await;
        page.text_of("[data-testid=run-complete]").await;
        page.click("#fit-calibrator").await;
        let chosen = page.text_of("[data-testid=calibrator-summary]").await;
        let text = page.saved_by("#export-calibrator").await;

        let mut other: Value = serde_json::from_str(&text).expect("JSON");
        other["bound_to"]["model_sha256"] = json!("b".repeat(64));
        let mut task: Value = serde_json::from_str(&text).expect("JSON");
        task["bound_to"]["task_sha256"] = json!("c".repeat(64));
        let mut adapter: Value = serde_json::from_str(&text).expect("JSON");
        adapter["bound_to"]["adapter_sha256"] = json!("d".repeat(64));
        for (name, content, wanted) in [
            ("other-model.json", other.to_string(), "the model bbbb"),
            ("other-task.json", task.to_string(), "the task cccc"),
            ("other-adapter.json", adapter.to_string(), "adapter"),
            ("half.json", text[..text.len() / 2].to_owned(), "half.json"),
            ("no-calibrator.json", "{\"hello\": 1}".to_owned(), "no-calibrator.json"),
        ] {
            let path = file(folder, name, content.as_bytes());
            let words = refused(page, "#calibrator-file", &path, "[data-testid=calibrate-error]").await;
            assert!(words.contains(wanted), "{name}: {wanted:?} is not in {words}");
            assert_eq!(page.text_of("[data-testid=calibrator-summary]").await, chosen, "what was in use stays");
        }

        // "No calibration" is a choice like another, but nothing that is called calibrated.
        page.script(
            "const select = document.querySelector('#calibrator-method');
             select.value = 'none';
             select.dispatchEvent(new Event('change', { bubbles: true }));",
            Value::Null,
        )
        .await;
        page.click("#fit-calibrator").await;
        page.text_of("[data-testid=calibrator-raw-here]").await;
        page.go_to("classify").await;
        page.classify("I love this movie!").await;
        page.text_of("[data-testid=calibrator-raw]").await;
        let called = "return document.querySelector('[data-testid=calibrated-confidence]')?.innerText ?? '';";
        assert_eq!(page.script(called, Value::Null).await, "");
    });
}
