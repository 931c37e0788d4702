//! The page as a person uses it: load the model, type, read the answer. One place knows its ids.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use fantoccini::{Client, Locator};
use serde_json::{Value, json};

/// Long enough for the longest prompt on a slow machine under load; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// A tab that shows the page.
#[derive(Clone)]
pub struct Page {
    pub client: Client,
    pub url: String,
}

/// The answer to a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The label that won.
    pub label: String,
    /// Per label its probability over the whole vocabulary.
    pub probabilities: BTreeMap<String, f64>,
}

impl Page {
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Runs a script's body; `arguments[0]` is `argument`.
    pub async fn script(&self, body: &str, argument: impl Into<Value>) -> Value {
        let result = self.client.execute(body, vec![argument.into()]).await;
        result.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// What a click on a button saves, caught on its way to the disk.
    pub async fn saved_by(&self, css: &str) -> String {
        self.wait_until(css, &format!("document.querySelector({css:?})")).await;
        let catch = "const saved = [];
            const make = URL.createObjectURL.bind(URL);
            URL.createObjectURL = blob => { saved.push(blob); return make(blob); };
            document.querySelector(argument).click();
            while (!saved.length) await new Promise(resolve => setTimeout(resolve, 20));
            URL.createObjectURL = make;
            return await saved[0].text();";
        let text = self.script_later(catch, css).await;
        text.as_str().unwrap_or_else(|| panic!("{css}: {text}")).to_owned()
    }

    /// Runs the body of an asynchronous function, and answers with what it returns, or `{"refused": why}`.
    pub async fn script_later(&self, body: &str, argument: impl Into<Value>) -> Value {
        let whole = format!(
            "const done = arguments[arguments.length - 1];
             (async (argument) => {{ {body} }})(arguments[0]).then(done, why => done({{ refused: String(why) }}));"
        );
        let result = self.client.execute_async(&whole, vec![argument.into()]).await;
        result.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Waits until `condition`, an expression, holds; says `what` was waited for if it never does.
    pub async fn wait_until(&self, what: &str, condition: &str) {
        let begun = Instant::now();
        let body = format!("return Boolean({condition});");
        while self.script(&body, Value::Null).await != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for an element and its text.
    pub async fn text_of(&self, css: &str) -> String {
        self.wait_until(css, &format!("document.querySelector({css:?})?.innerText")).await;
        let text = self.script("return document.querySelector(arguments[0]).innerText;", css).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a person does: where the page moves between aiming and pressing, and the click falls beside the
    /// element, once more.
    pub async fn click(&self, css: &str) {
        for _ in 0..3 {
            self.wait_until(
                css,
                &format!("document.querySelector({css:?}) && !document.querySelector({css:?}).disabled"),
            )
            .await;
            let listen = "window.wasClicked = false;
                document.querySelector(arguments[0])?.addEventListener(
                    'click', () => { window.wasClicked = true; }, { once: true, capture: true });";
            self.script(listen, css).await;
            let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
            element.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
            // A click that leads to another page takes the mark with it.
            let reached = self.client.execute("return window.wasClicked;", Vec::new()).await;
            if !matches!(reached, Ok(Value::Bool(false))) {
                return;
            }
            println!("{css}: the click fell beside it");
        }
        panic!("{css}: no click reached it");
    }

    /// Goes to a place of the page, as its navigation does.
    pub async fn go_to(&self, place: &str) {
        self.script("location.hash = '#/' + arguments[0];", place).await;
    }

    /// Picks a file in a file field.
    pub async fn choose_file(&self, css: &str, path: &Path) {
        self.wait_until(css, &format!("document.querySelector({css:?})")).await;
        let field = self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.send_keys(&path.to_string_lossy()).await.expect("the file is chosen");
    }

    /// Has the speed page measure the prompts of a file.
    pub async fn choose_prompts(&self, path: &Path) {
        self.choose_file("#speed-prompts", path).await;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shown = "document.querySelector('[data-testid=speed-source]').innerText";
        self.wait_until("the file's prompts", &format!("{shown}.startsWith({name:?})")).await;
    }

    /// Presses the speed page's button and waits for its report.
    pub async fn measure(&self) -> Value {
        self.click("#speed-start").await;
        let ended = "document.querySelector('#speed-result')?.ariaBusy === 'false'
                     && (document.querySelector('#speed-json') || document.querySelector('[data-testid=speed-error]'))";
        self.wait_until("the measurement's end", ended).await;
        let text = self.script("return document.querySelector('#speed-json')?.textContent;", Value::Null).await;
        let Some(text) = text.as_str() else { panic!("{}", self.text_of("[data-testid=speed-error]").await) };
        serde_json::from_str(text).expect("the report is JSON")
    }

    /// Loads the default model as a first visitor does.
    pub async fn load_model(&self) {
        self.click("#load-model").await;
        self.wait_for_model().await;
    }

    pub async fn wait_for_model(&self) {
        self.wait_until("a loaded model", "document.querySelector('#model-chip .dot-ready')").await;
    }

    /// Puts a text into the box as if it had been pasted. ChromeDriver cannot type characters beyond the first plane.
    pub async fn enter(&self, text: &str) {
        self.script(
            "const area = document.querySelector('#text');
             area.value = arguments[0];
             area.dispatchEvent(new Event('input', { bubbles: true }));",
            text,
        )
        .await;
    }

    /// Waits until the page shows the answer to what stands in the box.
    pub async fn settle(&self) {
        self.wait_until("a settled answer", "document.querySelector('#result')?.getAttribute('aria-busy') === 'false'")
            .await;
    }

    /// What the page shows, settled.
    pub async fn answer(&self) -> Answer {
        self.settle().await;
        let label = self.text_of("[data-testid=decision-label]").await;
        let bars = self
            .script(
                "return Array.from(document.querySelectorAll('#bars [data-label]'),
                     bar => [bar.dataset.label, Number(bar.dataset.probability)]);",
                Value::Null,
            )
            .await;
        let bars: Vec<(String, f64)> = serde_json::from_value(bars).expect("every bar carries its probability");
        Answer { label, probabilities: bars.into_iter().collect() }
    }

    /// Types and reads.
    pub async fn classify(&self, text: &str) -> Answer {
        self.enter(text).await;
        self.answer().await
    }
}
