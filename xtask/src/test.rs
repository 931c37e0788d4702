//! `cargo xtask test`: everything that must hold, a real browser included, with the time of each step.
//!
//! A step that fails does not hide what the others find: only those that need its result are left out. There is one
//! native profile (dev, optimized) and one for WebAssembly (release), so that no dependency is compiled twice.

use std::path::Path;
use std::process::Command;

use xtask::{browser, place};

use crate::demo;
use crate::setup::{self, Home, cargo};
use crate::step::{self, Done, Failure, Steps};

const WASM: [&str; 3] = ["--target", "wasm32-unknown-unknown", "--release"];
/// Both packages that become WebAssembly, and of each what does: the tests of `main.rs` stay native.
const WASM_PARTS: [&str; 8] = ["--package", "candor", "--package", "candor-web", "--lib", "--bins", "--test", "wasm"];
/// Values that others computed; they stand beside the workspace in some checkouts.
const REFERENCE: &str = "../shared/reference";

/// Runs every check; fails if one of them did. Where a check `must` run (continuous integration), one that cannot is a
/// failure too.
pub fn test(must: bool) -> Result<(), Failure> {
    let home = Home::find()?;
    let mut steps = Steps::default();
    let web = setup::web(&mut steps, &home);
    let browser = setup::browser(&mut steps, must);
    setup::graphics(&mut steps, must);

    steps.run("format", || step::run(cargo().args(["fmt", "--all", "--check"])));
    steps.run("lint, native", || {
        step::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    let built = steps.run("build, native", || step::run(cargo().args(["test", "--workspace", "--no-run"])));
    let model = built && setup::model(&mut steps, &home, &mut built_candor());
    if built {
        steps.run("tests, native", || {
            step::run(told(cargo().args(["test", "--workspace", "--", "--skip", "browser::"]), must))
        });
    } else {
        steps.not_run("tests, native", "the native build");
    }

    if !web {
        for name in ["lint, wasm", "tests, wasm", "page"] {
            steps.not_run(name, "the tools for the web");
        }
        return finish(&steps);
    }
    steps.run("lint, wasm", || {
        step::run(cargo().arg("clippy").args(WASM).args(WASM_PARTS).args(["--", "-D", "warnings"]))
    });
    let page = steps.run("page", || demo::build(&home));
    if browser {
        steps.run("tests, wasm", || wasm_tests(&home, must));
        match (page && built, model) {
            (true, true) => drop(steps.run("tests, browser", || browser_tests(must))),
            (true, false) => steps.not_run("tests, browser", "the model"),
            (false, _) => steps.not_run("tests, browser", "the page and the native build"),
        }
    }
    finish(&steps)
}

/// The `candor` command that the native build has just put beside this program.
fn built_candor() -> Command {
    let name = format!("candor{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().map(|this| this.with_file_name(&name));
    Command::new(beside.unwrap_or_else(|_| name.into()))
}

fn finish(steps: &Steps) -> Result<(), Failure> {
    println!("{}", steps.summary());
    if steps.failed() { Err(Failure::new("not everything holds")) } else { Ok(()) }
}

/// The browser tests of the integration binary; one after the other, for each has a browser and a model of its own.
fn browser_tests(must: bool) -> Result<Done, Failure> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--test", "main", "--", "browser::", "--test-threads", "1", "--nocapture"]);
    step::run(told(command.env("CANDOR_DIST", demo::dist()), must))
}

/// The tests that run as WebAssembly inside the browser, by wasm-bindgen's own runner.
fn wasm_tests(home: &Home, must: bool) -> Result<Done, Failure> {
    let Some(browser) = browser::find() else { return Err(Failure::new("there is no browser")) };
    let runner = home.test_runner()?;
    let assets = Assets::prepare(home, &browser)?;
    // The runner serves the folder it is started in; as a runner of cargo's it would be the package's.
    let this = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    let quoted = |path: &Path| format!("{:?}", path.to_string_lossy());
    let words = [quoted(&this), quoted(Path::new("run-wasm")), quoted(assets.folder()), quoted(&runner)];
    let mut command = cargo();
    command.args(["--config", &format!("target.wasm32-unknown-unknown.runner=[{}]", words.join(","))]);
    command.arg("test").args(WASM).args(["--package", "candor", "--package", "candor-web", "--test", "wasm"]);
    command.env("CHROMEDRIVER", &browser.driver).env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    step::run(told(&mut command, must))
}

/// Tests read from `CI` whether what they need may be missing.
fn told(command: &mut Command, must: bool) -> &mut Command {
    if must { command.env("CI", "true") } else { command.env_remove("CI") }
}

/// What the WebAssembly tests fetch: a folder of its own, removed afterwards.
#[derive(Debug)]
struct Assets {
    folder: std::path::PathBuf,
}

impl Assets {
    fn prepare(home: &Home, browser: &browser::Browser) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("the tests' folder could not be made: {error}"));
        let folder = std::env::temp_dir().join(format!("candor-wasm-tests-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let assets = Self { folder };
        let arguments: Vec<_> = browser::ARGUMENTS.iter().map(|argument| format!("{argument:?}")).collect();
        let capabilities = format!(
            "{{\"goog:chromeOptions\": {{\"binary\": {:?}, \"args\": [{}]}}}}",
            browser.chromium.to_string_lossy(),
            arguments.join(", ")
        );
        std::fs::write(assets.folder.join("webdriver.json"), capabilities).map_err(failed)?;
        let reference = place::workspace().join(REFERENCE);
        match setup::model_file(home) {
            Some(model) if reference.is_dir() => {
                for name in ["tokens.json", "logits.json"] {
                    std::fs::copy(reference.join(name), assets.folder.join(name)).map_err(failed)?;
                }
                let served = assets.folder.join("model.gguf");
                std::fs::hard_link(&model, &served)
                    .or_else(|_| std::fs::copy(&model, &served).map(drop))
                    .map_err(failed)?;
            }
            _ => println!("      {REFERENCE} or the model is not here: those tests have nothing to compare with"),
        }
        Ok(assets)
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Assets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Cargo's runner for WebAssembly tests: `run-wasm FOLDER RUNNER FILE ARGUMENTS…` starts `RUNNER` inside `FOLDER`.
pub fn run_wasm(words: &[std::ffi::OsString]) -> Result<(), Failure> {
    let [folder, runner, file, rest @ ..] = words else {
        return Err(Failure::new("run-wasm is called by cargo, with a folder, a runner and a file"));
    };
    let file = std::path::absolute(file).map_err(|error| Failure::new(error.to_string()))?;
    step::run(Command::new(runner).current_dir(folder).arg(file).args(rest)).map(drop)
}
