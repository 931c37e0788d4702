//! ChromeDriver and the commands that it has beyond the WebDriver standard.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use http::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};
use xtask::browser::{self, Browser};

/// A ChromeDriver of its own; it ends with the value.
pub struct Driver {
    process: Child,
    url: String,
}

/// Times that a driver is started: the port that it finds free for one of the two versions of IP may be taken for the
/// other, or by somebody else a moment later, and then it ends.
const STARTS: usize = 5;

impl Driver {
    /// Starts ChromeDriver on a port that it chooses itself.
    pub fn start(browser: &Browser) -> Self {
        let mut said = Vec::new();
        for _ in 0..STARTS {
            match Self::start_once(browser) {
                Ok(driver) => return driver,
                Err(words) => said.push(words),
            }
        }
        panic!("ChromeDriver did not say on which port it listens, but: {}", said.join("; then: "));
    }

    /// One try; what it said instead, where it ends without a port.
    fn start_once(browser: &Browser) -> Result<Self, String> {
        let mut process = Command::new(&browser.driver)
            .args(["--port=0", "--log-level=WARNING"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ChromeDriver starts");
        let mut errors = process.stderr.take().expect("its errors are piped");
        // What it writes is read to the end, or it would wait for a reader one day.
        let errors = std::thread::spawn(move || {
            let mut words = Vec::new();
            let _ = errors.read_to_end(&mut words);
            String::from_utf8_lossy(&words).into_owned()
        });
        let output = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                let url = format!("http://127.0.0.1:{}", port.trim_matches('.'));
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { process, url });
            }
            said.push(line);
        }
        let ended = process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        said.extend([errors.join().unwrap_or_default(), ended]);
        Err(said.join(" | "))
    }

    /// Opens a browser with a clean profile, which records its network and its console, and whose requests to any host
    /// but this machine go to `proxy`, where they are seen and refused.
    /// With `graphics` it has WebGPU, computed by SwiftShader on the processor; without, none at all.
    pub async fn open(&self, browser: &Browser, profile: &std::path::Path, proxy: &str, graphics: bool) -> Client {
        let disabled = "OptimizationHints,MediaRouter,Translate,InterestFeedContentSuggestions";
        let of_graphics: &[&str] = match graphics {
            true => &["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
            false => &[],
        };
        let arguments: Vec<String> = browser::ARGUMENTS
            .iter()
            .filter(|argument| !(graphics && **argument == "--disable-gpu"))
            .chain(of_graphics)
            .map(ToString::to_string)
            .chain([
                format!("--user-data-dir={}", profile.display()),
                format!("--proxy-server={proxy}"),
                "--window-size=1280,900".to_owned(),
                "--disable-default-apps".to_owned(),
                "--disable-domain-reliability".to_owned(),
                "--disable-client-side-phishing-detection".to_owned(),
                format!("--disable-features={disabled}"),
                "--no-pings".to_owned(),
            ])
            .collect();
        let capabilities: Capabilities = [
            (
                "goog:chromeOptions".to_owned(),
                json!({ "binary": browser.chromium, "args": arguments, "perfLoggingPrefs": { "enableNetwork": true } }),
            ),
            ("goog:loggingPrefs".to_owned(), json!({ "performance": "ALL", "browser": "ALL" })),
        ]
        .into_iter()
        .collect();
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        ClientBuilder::new(connector).capabilities(capabilities).connect(&self.url).await.expect("a browser opens")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command below the session's address.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    method: Method,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(ToString::to_string))
    }
}

async fn post(client: &Client, path: &'static str, body: Value) -> Value {
    let command = Extension { path, method: Method::POST, body: Some(body) };
    client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Takes the page off the network, or puts it back. Workers have connections of their own: stop the server for those.
pub async fn set_offline(client: &Client, offline: bool) {
    let conditions = json!({ "offline": offline, "latency": 0, "throughput": -1 });
    post(client, "chromium/network_conditions", json!({ "network_conditions": conditions })).await;
}

/// Addresses that the page asked for since this was called last, other than its own `data:` and `blob:` ones.
pub async fn requests(client: &Client) -> Vec<String> {
    let entries = post(client, "se/log", json!({ "type": "performance" })).await;
    let entries = entries.as_array().cloned().unwrap_or_default();
    let events = entries.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
    events
        .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
        .filter_map(|event| Some(event["message"]["params"]["request"]["url"].as_str()?.to_owned()))
        .filter(|url| !url.starts_with("data:") && !url.starts_with("blob:"))
        .collect()
}

/// What the page wrote to its console since this was called last.
pub async fn console(client: &Client) -> Vec<String> {
    let entries = post(client, "se/log", json!({ "type": "browser" })).await;
    let entries = entries.as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
}
