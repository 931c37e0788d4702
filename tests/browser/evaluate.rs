//! Many labelled texts, as a person brings them: looked at, run over the workers, found again after a reload.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use fantoccini::Locator;
use serde_json::{Value, json};

use super::page::Page;
use super::visit::with_page;

/// A few rows with everything that data has: a repeat, a bad row, a label that the task does not have, markup.
const DATA: &str = "text;stars\n\
    I love this movie!;pos\n\
    The worst meal I have ever paid for.;neg\n\
    I love this movie!;pos\n\
    only one field\n\
    \"<b>Great</b>; truly, a joy from start to finish.\";pos\n\
    It works.;neutral\n\
    Broken after two days, and nobody answers my mails.;neg\n";

async fn open_with_data(page: &Page, folder: &std::path::Path) {
    page.load_model().await;
    page.click("[data-testid=go-evaluate]").await;
    let path = folder.join("reviews.csv");
    std::fs::write(&path, DATA).expect("a file");
    page.wait_until("the file field", "document.querySelector('#data-file')").await;
    let field = page.client.find(Locator::Css("#data-file")).await.expect("a file field");
    field.send_keys(&path.to_string_lossy()).await.expect("the file is chosen");
}

/// What the table shows: text → label that the model gave, outcome.
async fn rows(page: &Page) -> Vec<(String, String, String)> {
    let script = "return Array.from(document.querySelectorAll('.row-table tbody tr:not(.row-space)'), row => {
        const cells = Array.from(row.cells, cell => cell.innerText.trim());
        return [cells[1], cells[3], cells[5]];
    });";
    serde_json::from_value(page.script(script, Value::Null).await).expect("three texts a row")
}

#[test]
fn data_is_looked_at_run_and_found_again() {
    with_page("data_is_looked_at_run_and_found_again", async |visit| {
        let page = &visit.page;
        open_with_data(page, visit.folder.path()).await;
        let summary = page.text_of("[data-testid=data-summary]").await;
        assert_eq!(summary, "6 rows, 5 different texts; 1 bad row left out");
        let said = page.text_of("[data-testid=data-cautions]").await;
        assert!(said.contains("1 row with a label that the task does not have"), "{said}");
        assert!(said.contains("repeat an earlier text"), "{said}");
        page.click("[data-testid=data-problems] summary").await;
        let problem = page.text_of("[data-testid=data-problems] li").await;
        assert!(problem.contains("reviews.csv:5"), "the bad row's line: {problem}");
        let meaning = "return document.querySelector('[data-found=pos] select').value;";
        assert_eq!(page.script(meaning, Value::Null).await, "positive", "a guess that needs no help");

        page.click("#start-run").await;
        page.text_of("[data-testid=run-complete]").await;
        let tally = page.text_of("[data-testid=tally]").await;
        assert!(tally.ends_with("n = 5"), "five rows count: {tally}");
        let shown = rows(page).await;
        assert_eq!(shown.len(), 6, "{shown:?}");
        assert_eq!(shown[0], shown[2], "the same text has the same answer");
        assert!(shown[3].0.starts_with("<b>Great</b>"), "markup is text: {:?}", shown[3]);
        assert_eq!(shown[4].2, "", "a row without one of the task's labels is neither right nor wrong");

        page.client.refresh().await.expect("the page comes again");
        page.wait_for_model().await;
        page.text_of("[data-testid=run-complete]").await;
        assert_eq!(rows(page).await, shown, "nothing was computed again, and nothing lost");
    });
}

#[test]
fn a_run_agrees_with_the_command_line() {
    with_page("a_run_agrees_with_the_command_line", async |visit| {
        let page = &visit.page;
        open_with_data(page, visit.folder.path()).await;
        page.click("#start-run").await;
        page.text_of("[data-testid=run-complete]").await;
        let home = page.saved_by("#export-predictions").await;
        let text = page.saved_by("#export-all").await;
        let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a prediction")).collect();
        assert_eq!(found.len(), 6);

        let data = visit.folder.path().join("reviews.csv");
        let output = Command::new(env!("CARGO_BIN_EXE_candor"))
            .args(["classify", "--model", "smollm2-135m", "--task", "tasks/sentiment.toml", "--json", "--input"])
            .arg(&data)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("candor runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let expected = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let expected: BTreeMap<String, Value> = expected
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a prediction"))
            .map(|row| (row["id"].to_string(), row))
            .collect();
        for row in &found {
            let other = &expected[&row["id"].to_string()];
            assert_eq!((&row["text"], &row["label"]), (&other["text"], &other["label"]));
            let (here, there) = (row["total_probability"].as_f64(), other["total_probability"].as_f64());
            let difference = (here.expect("a number") - there.expect("a number")).abs();
            assert!(difference <= 1e-4, "{row} {other}");
        }
        // What is taken home says the same there: every row that counts, and as often right.
        let file = visit.folder.path().join("predictions.jsonl");
        std::fs::write(&file, &home).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_candor"))
            .args(["metrics", "--json"])
            .arg(&file)
            .output()
            .expect("candor runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metrics: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(metrics["n"], 5);
        let accuracy = metrics["metrics"]["accuracy"]["value"].as_f64().expect("a number");
        let tally = page.text_of("[data-testid=tally]").await;
        assert!(tally.starts_with(&format!("{:.1}%", accuracy * 100.0)), "{tally}: {accuracy}");
        page.text_of("[data-testid=findings]").await;

        let outcomes: Vec<&Value> = found.iter().map(|row| &row["expected"]).collect();
        let names = ["positive", "negative", "positive", "positive", "", "negative"];
        let names = names.map(|name| if name.is_empty() { Value::Null } else { json!(name) });
        assert_eq!(outcomes, names.iter().collect::<Vec<_>>(), "labels as they were understood");
    });
}

/// Writes into a field, and leaves it, as a person does.
async fn write_into(page: &Page, css: &str, value: &str) {
    page.script(
        "const [css, value] = arguments[0];
         const field = document.querySelector(css);
         field.value = value;
         for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));",
        json!([css, value]),
    )
    .await;
}

#[test]
fn prices_reach_the_report_and_pictures_answer() {
    with_page("prices_reach_the_report_and_pictures_answer", async |visit| {
        let page = &visit.page;
        page.click("#other-model").await;
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny.gguf");
        page.choose_file("#model-offer [data-testid=model-file]", &tiny).await;
        page.wait_for_model().await;
        page.click("[data-testid=go-evaluate]").await;
        page.click("#read-sample").await;
        page.click("#start-run").await;
        page.text_of("[data-testid=run-complete]").await;
        let done = "document.querySelector('#export-report:not([disabled])')";
        page.wait_until("findings", done).await;
        let before = page.saved_by("#export-report").await;
        assert!(before.contains("No prices were given"));
        page.script("document.querySelector('[data-testid=findings]').dataset.kept = 'yes';", Value::Null).await;

        // Prices and the wanted accuracy are those of the report, and what was found stays where it stood meanwhile.
        write_into(page, "#error-cost", "40").await;
        write_into(page, "#currency", "EUR").await;
        write_into(page, "#wish-accuracy", "74").await;
        let section = "document.querySelector('#part-2')?.closest('section').innerText";
        for words in ["an error 40.00 EUR", "at least 74% accurate"] {
            page.wait_until("the person's wishes", &format!("{section}.includes('{words}')")).await;
        }
        page.wait_until("the newest report", done).await;
        let after = page.saved_by("#export-report").await;
        assert!(after.contains("an error 40.00 EUR") && !after.contains("No prices were given"));
        assert!(after.contains("at least 74% accurate"), "the wanted accuracy");
        let kept = "return document.querySelector('[data-testid=findings]').dataset.kept ?? 'made anew';";
        assert_eq!(page.script(kept, Value::Null).await, "yes");

        // A press on the picture beside the threshold puts it there; it says its numbers to a pointer.
        let pressed = page
            .script(
                "const marks = document.querySelectorAll('[data-testid=threshold-picture] [data-mark=threshold]');
                 const mark = marks[Math.floor(marks.length / 3)];
                 mark.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
                 return [Number(mark.dataset.threshold), mark.getAttribute('role')];",
                Value::Null,
            )
            .await;
        assert_eq!(pressed[1], "button");
        let threshold = format!("{:.3}", pressed[0].as_f64().expect("a threshold"));
        page.wait_until(
            "the pressed threshold",
            &format!("document.querySelector('[data-testid=threshold-value]').innerText === '{threshold}'"),
        )
        .await;
        // Pointed at again: where the pointer of the test itself lies over the picture, it was drawn anew under that.
        let says = "(() => {
            const marks = [...document.querySelectorAll('[data-testid=threshold-picture] [data-mark=threshold]')];
            const mark = marks[Math.floor(marks.length / 3)];
            mark.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
            return document.body.innerText.includes(mark.getAttribute('aria-label'));
        })()";
        page.wait_until("what the mark says", says).await;

        // Of a diagram before and after calibration, only the one before lists rows.
        page.wait_until("both diagrams", "document.querySelector('.figure [data-mark=stripe-after]')").await;
        let roles = "return ['stripe', 'stripe-after'].map(kind =>
                         document.querySelector(`.figure [data-mark=${kind}]`).getAttribute('role'));";
        assert_eq!(page.script(roles, Value::Null).await, json!(["button", "img"]));

        // A label column that was guessed is none, and is one again.
        write_into(page, "#label-column", "").await;
        page.wait_until(
            "no labels",
            "document.querySelector('[data-testid=data-cautions]')?.innerText.includes('No row has a label')",
        )
        .await;
        write_into(page, "#label-column", "label").await;
        page.text_of("[data-found=positive]").await;
    });
}
