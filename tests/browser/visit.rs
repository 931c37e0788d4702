//! One visit: a server, a driver, a browser with a clean profile, and what is left behind when a test fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::Client;
use xtask::browser::Browser;
use xtask::place;
use xtask::serve::{Server, Site};

use super::chrome::{self, Driver};
use super::page::Page;

/// The default model's file, as `models/manifest.toml` has it.
pub const MODEL_FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// Its size.
pub const MODEL_BYTES: u64 = 98_362_432;

/// What the tests need of this machine.
struct Needs {
    dist: PathBuf,
    models: PathBuf,
    browser: Browser,
}

impl Needs {
    fn find() -> Result<Self, String> {
        let dist = std::env::var_os("CANDOR_DIST").map_or_else(|| place::workspace().join("dist"), PathBuf::from);
        if !dist.join("index.html").is_file() {
            return Err(format!("the page is not built in {}: run `cargo xtask test`", dist.display()));
        }
        let models = place::home().ok_or("there is no cache folder")?.join("models");
        if !models.join(MODEL_FILE).is_file() {
            return Err(format!("{MODEL_FILE} is not in {}: run `cargo xtask setup`", models.display()));
        }
        let browser = xtask::browser::find().ok_or("there is no Chromium with its ChromeDriver")?;
        Ok(Self { dist, models, browser })
    }
}

/// What a test works with.
pub struct Visit {
    /// The page in its first tab.
    pub page: Page,
    /// The server of the page; taken to stop it.
    pub server: Option<Server>,
    /// A second server, another origin, that also stands in for every host of the outside world.
    pub elsewhere: Server,
    /// A folder for the test's own files.
    pub folder: tempfile::TempDir,
}

impl Visit {
    /// Stops the server of the page.
    pub fn unplug(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    /// What the server of the page was asked for so far.
    pub fn served(&self) -> Vec<String> {
        self.server.as_ref().map(Server::requests).unwrap_or_default()
    }
}

/// Runs `test` on a fresh visit. However it ends, the browser is closed; when it fails, a picture of the page is
/// left in the folder for temporary files of tests, and its words and its console are printed.
pub fn with_page<F: Future<Output = ()> + Send + 'static>(name: &'static str, test: impl FnOnce(Visit) -> F) {
    visit(name, false, test);
}

/// [`with_page`] in a browser that has WebGPU.
pub fn with_graphics<F: Future<Output = ()> + Send + 'static>(name: &'static str, test: impl FnOnce(Visit) -> F) {
    visit(name, true, test);
}

fn visit<F: Future<Output = ()> + Send + 'static>(name: &'static str, graphics: bool, test: impl FnOnce(Visit) -> F) {
    let needs = match Needs::find() {
        Ok(needs) => needs,
        Err(missing) if place::is_set("CI") => panic!("{name}: {missing}"),
        Err(missing) => return println!("{name}: not run: {missing}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = Site::new(&needs.dist).mount("/models", &needs.models);
        let server = Server::start(site, 0).expect("a free port");
        let elsewhere = Server::start(Site::new(folder.path()), 0).expect("a free port");
        let url = server.url();
        let driver = Driver::start(&needs.browser);
        let profile = tempfile::tempdir().expect("a temporary folder");
        let proxy = elsewhere.url();
        let client = driver.open(&needs.browser, profile.path(), proxy.trim_end_matches('/'), graphics).await;
        client.goto(&url).await.expect("the page opens");

        let page = Page::new(client.clone(), url);
        let outcome = tokio::spawn(test(Visit { page, server: Some(server), elsewhere, folder })).await;
        if outcome.is_err() {
            leave_behind(name, &client).await;
        }
        let closed = tokio::time::timeout(Duration::from_secs(10), client.close()).await;
        if let Err(failure) = outcome {
            std::panic::resume_unwind(failure.into_panic());
        }
        closed.expect("the browser closes in time").expect("the browser closes");
    });
}

async fn leave_behind(name: &str, client: &Client) {
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    if let Ok(bytes) = client.screenshot().await
        && std::fs::write(&picture, bytes).is_ok()
    {
        println!("{name}: how the page looked: {}", picture.display());
    }
    // Where only the printed words outlive the run, they say what the picture would have shown.
    if let Ok(words) = client.execute("return document.body.innerText;", Vec::new()).await {
        let words = words.as_str().unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
        println!("{name}: what the page said: {}", words.collect::<Vec<_>>().join(" | "));
    }
    for line in chrome::console(client).await {
        println!("{name}: console: {line}");
    }
}
