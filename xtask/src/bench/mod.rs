//! `cargo xtask bench`: how fast Candor is on this machine, natively and in a browser, and beside others if they are here.
//!
//! The native rows are `candor bench`, built in release; the browser's rows are what the page measures of itself, driven
//! by the browser test of that name. Peers ([`peers`]) run in the same command, one after the other, because a ratio of
//! numbers from two days is worth nothing. One table is printed, and one JSON file written if asked for.

mod peers;
mod table;

use std::path::{Path, PathBuf};

use serde_json::Value;
use xtask::{browser, place};

use self::table::{Row, Table, Way};
use crate::demo;
use crate::setup::{self, Home, cargo};
use crate::step::{self, Done, Failure, Steps};

/// The prompts that come with the project.
const PROMPTS: &str = "benches/prompts.json";
/// The browser test that has the page measure itself.
const PAGE_TEST: &str = "browser::speed::the_page_measures_itself";

/// What the user may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// A JSON list of whole prompts; the project's own if not given.
    pub prompts: Option<PathBuf>,
    /// Threads natively and workers in the browser, one after the other.
    pub threads: Vec<usize>,
    /// Times that each is measured.
    pub repeats: usize,
    /// The folder with the peers' programs.
    pub peers: Option<PathBuf>,
    /// The Python that has the peers' packages.
    pub python: String,
    /// Where the JSON goes.
    pub out: Option<PathBuf>,
    /// Measure the browser's graphics rung too, played by a program on the processor.
    pub webgpu: bool,
}

impl Default for Options {
    fn default() -> Self {
        let python = "python3".to_owned();
        Self { prompts: None, threads: vec![1, 2], repeats: 3, peers: None, python, out: None, webgpu: false }
    }
}

/// Measures, prints the table, writes the file.
pub fn bench(options: &Options) -> Result<(), Failure> {
    let home = Home::find()?;
    let mut steps = Steps::default();
    let web = setup::web(&mut steps, &home) && setup::browser(&mut steps, false);
    let built = steps.run("build, release", || step::run(cargo().args(["build", "--release", "--package", "candor"])));
    let model = built && setup::model(&mut steps, &home, &mut step::release_candor());
    let page = web && model && steps.run("page", || demo::build(&home));
    let Some(model_file) = setup::model_file(&home).filter(|_| model) else {
        return Err(Failure::new("nothing was measured: see the step that failed above"));
    };
    let prompts = options.prompts.clone().unwrap_or_else(|| place::workspace().join(PROMPTS));
    let prompts = std::path::absolute(&prompts).map_err(|error| Failure::new(error.to_string()))?;

    let folder = Folder::make()?;
    let mut table = Table::default();
    steps.run("candor, native", || native(&mut table, options, &prompts));
    if page {
        steps.run("candor, browser", || in_browser(&mut table, Way::Browser, options, &prompts, folder.path()));
        if options.webgpu {
            steps.run("candor, WebGPU", || in_browser(&mut table, Way::Graphics, options, &prompts, folder.path()));
        }
    } else {
        steps.not_run("candor, browser", "the page, the model and a browser");
    }
    if let Some(peers) = &options.peers {
        let peers = peers::Peers { folder: peers, python: &options.python, model: &model_file, prompts: &prompts };
        peers.run(&mut steps, &mut table, &options.threads, folder.path());
        if options.webgpu {
            peers.run_webgpu(&mut steps, &mut table);
        }
    }
    println!("{table}");
    if let Some(out) = &options.out {
        let text = serde_json::to_string_pretty(&table.json()).map_err(|error| Failure::new(error.to_string()))?;
        std::fs::write(out, text).map_err(|error| Failure::new(format!("{}: {error}", out.display())))?;
    }
    if steps.failed() { Err(Failure::new("not everything could be measured: see above")) } else { Ok(()) }
}

/// `candor bench` for each number of threads.
fn native(table: &mut Table, options: &Options, prompts: &Path) -> Result<Done, Failure> {
    for threads in &options.threads {
        let mut command = step::release_candor();
        command.args(["bench", "--json", "--model", setup::MODEL, "--threads", &threads.to_string()]);
        command.args(["--repeats", &options.repeats.to_string(), "--prompts"]).arg(prompts);
        for report in step::json_lines(&mut command)? {
            table.push(candor_row(Way::Native, &report));
        }
    }
    Ok(Done::Worked)
}

/// The page's own measurement.
fn in_browser(table: &mut Table, way: Way, options: &Options, prompts: &Path, folder: &Path) -> Result<Done, Failure> {
    let out = folder.join("page.json");
    let mut workers: Vec<String> = options.threads.iter().map(ToString::to_string).collect();
    let mut command = cargo();
    command.args(["test", "--workspace", "--test", "main", "--", "--exact", PAGE_TEST, "--nocapture"]);
    command.env("CANDOR_DIST", demo::dist()).env("CI", "true");
    if way == Way::Graphics {
        // All workers would share the one device.
        workers = vec!["1".to_owned()];
        command.env("CANDOR_BENCH_GRAPHICS", "1");
    }
    command.env("CANDOR_BENCH_PROMPTS", prompts).env("CANDOR_BENCH_OUT", &out);
    command.env("CANDOR_BENCH_WORKERS", workers.join(",")).env("CANDOR_BENCH_REPEATS", options.repeats.to_string());
    step::run(&mut command)?;
    let unreadable = |error: String| Failure::new(format!("the page's report: {error}"));
    let text = std::fs::read_to_string(&out).map_err(|error| unreadable(error.to_string()))?;
    let report: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    for run in report["runs"].as_array().into_iter().flatten() {
        table.push(candor_row(way, run));
    }
    if way == Way::Browser {
        table.page = Some(report);
    }
    Ok(Done::Worked)
}

fn candor_row(way: Way, report: &Value) -> Row {
    let number = |name: &str| report[name].as_f64();
    Row {
        engine: "candor".to_owned(),
        way,
        threads: report["threads"].as_u64().unwrap_or(0),
        note: report["backend"].as_str().unwrap_or_default().to_owned(),
        examples_per_s: number("examples_per_s"),
        prefix_examples_per_s: number("examples_per_s"),
        prefill_tokens_per_s: number("prefill_tokens_per_s"),
        peak_bytes: report["peak_bytes"].as_u64(),
    }
}

/// A folder for what passes between the steps, removed afterwards.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("candor-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The browser that the peers' programs start.
fn chromium() -> Option<PathBuf> {
    browser::find().map(|browser| browser.chromium)
}
