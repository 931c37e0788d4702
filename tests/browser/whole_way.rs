//! The whole way that a person goes with data of their own: a file is dropped, run, corrected, calibrated, given a
//! threshold with a promise, the rest labelled by keyboard, everything taken home; then the network goes, the page is
//! loaded anew, and all of it is there. The command line reproduces what was taken home.

use std::path::Path;
use std::process::Command;

use fantoccini::Locator;
use serde_json::{Value, json};

use super::chrome;
use super::page::Page;
use super::visit::with_page;
use crate::reference::shared;

/// Rows in all, and those of them that come without a label.
const ROWS: usize = 1000;
const UNLABELLED: usize = 60;

/// Rows of the shared data in the proportions of their files, an even part of both labels, the last ones unlabelled.
fn data(folder: &Path) -> String {
    let mut files: Vec<(String, Vec<String>)> = std::fs::read_dir(folder)
        .expect("the shared data")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text file");
            let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (stem, lines.map(str::to_owned).collect())
        })
        .collect();
    files.sort();
    let total: usize = files.iter().map(|(_, lines)| lines.len()).sum();
    let mut rows: Vec<(String, String)> = Vec::new();
    for (stem, lines) in &files {
        let label = stem.rsplit('_').next().unwrap_or(stem);
        let wanted = lines.len() * ROWS / total;
        let step = lines.len() / wanted.max(1);
        rows.extend(lines.iter().step_by(step).take(wanted).map(|line| (line.clone(), label.to_owned())));
    }
    assert!(rows.len() >= ROWS - 20, "{}", rows.len());
    // Every sixteenth row comes without a label, as it would from somebody who has not got round to it.
    let mut csv = "text,label\n".to_owned();
    for (at, (text, label)) in rows.iter().enumerate() {
        let label = if at % 16 == 7 && at / 16 < UNLABELLED { "" } else { label };
        csv.push_str(&format!("\"{}\",{label}\n", text.replace('"', "\"\"")));
    }
    csv
}

/// Drops a file on an element, as a mouse would.
async fn drop_file(page: &Page, css: &str, name: &str, text: &str) {
    page.wait_until(css, &format!("document.querySelector({css:?})")).await;
    page.script(
        "const [css, name, text] = arguments[0];
         const transfer = new DataTransfer();
         transfer.items.add(new File([text], name, { type: 'text/csv' }));
         const target = document.querySelector(css);
         for (const kind of ['dragenter', 'dragover', 'drop']) {
             target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
         }",
        json!([css, name, text]),
    )
    .await;
}

async fn press(page: &Page, key: &str) {
    let active = page.client.find(Locator::Css("body")).await.expect("a body");
    active.send_keys(key).await.expect("a key is pressed");
}

fn candor(words: &[&str], file: &Path) -> std::process::Output {
    let done = Command::new(env!("CARGO_BIN_EXE_candor"))
        .args(words)
        .arg(file)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("candor runs");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

/// Every number of one document is in the other, to nine decimals.
fn agree(place: &str, here: &Value, there: &Value) -> usize {
    match (here, there) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            assert!((a - b).abs() <= 1e-9, "{place}: {a} here, {b} there");
            1
        }
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().map(|(key, value)| agree(&format!("{place}.{key}"), value, &b[key])).sum()
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).enumerate().map(|(at, (a, b))| agree(&format!("{place}[{at}]"), a, b)).sum()
        }
        _ => {
            assert_eq!(here, there, "{place}");
            0
        }
    }
}

/// `56.3% right [53.2%, 59.4%], n = 940` → 56.3 and 940.
fn tally(words: &str) -> (f64, usize) {
    let percentage = words.split('%').next().and_then(|number| number.trim().parse().ok());
    let n = words.rsplit("n = ").next().map(|number| number.trim().replace(',', ""));
    let n = n.and_then(|number| number.parse().ok());
    (percentage.unwrap_or_else(|| panic!("{words}")), n.unwrap_or_else(|| panic!("{words}")))
}

#[test]
fn from_a_dropped_file_to_labels_and_back_without_a_network() {
    let Some(folder) = shared("data/sentiment-10k") else { return };
    with_page("from_a_dropped_file_to_labels_and_back_without_a_network", async move |mut visit| {
        let page = visit.page.clone();
        page.load_model().await;
        page.click("[data-testid=go-evaluate]").await;
        drop_file(&page, "[data-testid=data-drop]", "reviews.csv", &data(&folder)).await;
        let summary = page.text_of("[data-testid=data-summary]").await;
        println!("whole_way: {summary}");

        // Run.
        page.click("#start-run").await;
        page.text_of("[data-testid=run-complete]").await;
        let (before, known) = tally(&page.text_of("[data-testid=tally]").await);
        assert!(known > ROWS - UNLABELLED - 40 && known < ROWS, "{known} labelled rows");

        // Accuracy before and after bias correction: stated by the report, then taken.
        let report = page.text_of("[data-testid=findings]").await;
        assert!(report.contains("Accuracy with label bias taken out"), "{report}");
        page.click("#correct-bias").await;
        page.text_of("[data-testid=bias-corrected]").await;
        page.wait_until(
            "another tally",
            &format!("!document.querySelector('[data-testid=tally]').innerText.startsWith('{before:.1}%')"),
        )
        .await;
        let (after, same) = tally(&page.text_of("[data-testid=tally]").await);
        println!("whole_way: {before}% right, {after}% with label bias taken out");
        assert_eq!(same, known, "nothing was scored anew, nothing lost");
        // Which way it goes is the data's to say; the report said how far before it was taken out.
        assert!(report.contains(&format!("{after:.1}%")), "{after}% now, but before: {report}");

        // A calibrator.
        page.click("#fit-calibrator").await;
        let summary = page.text_of("[data-testid=calibrator-summary]").await;
        println!("whole_way: {summary}");
        assert!(summary.contains(&format!("{known} rows")), "{summary}");
        page.text_of("[data-testid=calibrator-rows] tbody tr").await;

        // A threshold with a promise.
        page.script(
            "const field = document.querySelector('#wish-accuracy');
             field.value = '74';
             field.dispatchEvent(new Event('change', { bubbles: true }));",
            Value::Null,
        )
        .await;
        page.wait_until("a promise", "document.querySelector('#take-promise')").await;
        page.click("#take-promise").await;
        page.wait_until(
            "the promised threshold",
            "document.querySelector('[data-testid=threshold-value]').innerText !== '0.800'",
        )
        .await;
        let threshold = page.text_of("[data-testid=threshold-value]").await;
        println!("whole_way: {}", page.text_of("[data-testid=promise]").await);

        // Five labels by keyboard, one of them taken back and given again.
        page.go_to("label").await;
        let waiting: usize = page.text_of("[data-testid=waiting-texts]").await.parse().expect("a number");
        let automated: usize = page.text_of("[data-testid=automated-texts]").await.parse().expect("a number");
        assert!(waiting >= 6 && automated >= 1, "{waiting} wait, {automated} are automated");
        let first = page.text_of("[data-testid=label-text]").await;
        for (at, key) in ["1", "2", "s", "1", "u", "2", "1", "2"].into_iter().enumerate() {
            let shown = page.text_of("[data-testid=label-text]").await;
            press(&page, key).await;
            page.wait_until(
                &format!("another text after key {at}"),
                &format!("document.querySelector('[data-testid=label-text]').innerText !== {}", json!(shown)),
            )
            .await;
        }
        assert_ne!(page.text_of("[data-testid=label-text]").await, first);
        page.wait_until("five labels", "document.querySelector('[data-testid=decided-texts]').innerText === '5'").await;

        // They flow into the calibrator at once.
        page.go_to("evaluate").await;
        let labelled = known + 5;
        page.wait_until(
            "a calibrator of more rows",
            &format!(
                "document.querySelector('[data-testid=calibrator-summary]')?.innerText.includes('{labelled} rows')"
            ),
        )
        .await;
        let summary = page.text_of("[data-testid=calibrator-summary]").await;
        page.wait_until(
            "the new report",
            &format!(
                "document.querySelector('#export-metrics:not([disabled])')
                 && document.querySelector('[data-testid=findings]').innerText.includes('n = {labelled}')"
            ),
        )
        .await;

        // Take home, and have the command line reproduce it.
        let home = visit.folder.path();
        let predictions = home.join("predictions.jsonl");
        std::fs::write(&predictions, page.saved_by("#export-predictions").await).expect("a file");
        let here: Value = serde_json::from_str(&page.saved_by("#export-metrics").await).expect("JSON");
        let there = candor(&["metrics", "--json"], &predictions);
        let there: Value = serde_json::from_slice(&there.stdout).expect("JSON");
        assert_eq!(there["n"], labelled);
        let numbers = agree("metrics", &here, &there);
        println!("whole_way: {numbers} numbers agree to 1e-9");
        assert!(numbers > 100, "{numbers}");

        let task = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks/sentiment.toml"));
        let task = task.expect("a task").replace("method = \"none\"", "method = \"batch\"");
        let (task_file, calibrator) = (home.join("task.toml"), home.join("calibrator.json"));
        std::fs::write(&task_file, task).expect("a file");
        let words = ["calibrate", "--model", "smollm2-135m", "--task", &task_file.to_string_lossy(), "--out"];
        let mut words: Vec<&str> = words.to_vec();
        let out = calibrator.to_string_lossy().into_owned();
        words.push(&out);
        candor(&words, &predictions);
        let there = std::fs::read_to_string(&calibrator).expect("a calibrator");
        let here = page.saved_by("#export-calibrator").await;
        assert_eq!(here, there, "calibrator.json, byte for byte");

        page.go_to("label").await;
        let labels = page.saved_by("#export-labels").await;
        let decided = |by: &str| labels.lines().filter(|line| line.contains(&format!(",{by},"))).count();
        assert_eq!(decided("person"), 5);
        assert!(decided("model") >= automated, "{} of {automated}", decided("model"));
        assert!(decided("data") >= known);

        // Without a network, after a reload: all of it is there.
        page.wait_until("a service worker in charge", "navigator.serviceWorker?.controller").await;
        visit.unplug();
        chrome::set_offline(&page.client, true).await;
        page.client.refresh().await.expect("the shell comes from the service worker");
        page.wait_for_model().await;
        page.wait_until("five labels", "document.querySelector('[data-testid=decided-texts]')?.innerText === '5'")
            .await;
        page.go_to("evaluate").await;
        page.text_of("[data-testid=run-complete]").await;
        let (accuracy, rows) = tally(&page.text_of("[data-testid=tally]").await);
        assert_eq!(rows, labelled, "{accuracy}");
        assert_eq!(page.text_of("[data-testid=calibrator-summary]").await, summary);
        assert_eq!(page.text_of("[data-testid=threshold-value]").await, threshold);

        // And what is typed is calibrated too.
        page.go_to("classify").await;
        page.classify("I love this movie!").await;
        let calibrated = page.text_of("[data-testid=calibrated-confidence]").await;
        assert!(calibrated.ends_with('%'), "{calibrated}");
    });
}
