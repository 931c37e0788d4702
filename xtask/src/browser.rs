//! Which Chromium and which ChromeDriver the tests use, and how Chromium is started.

use std::path::{Path, PathBuf};

use crate::place;

/// A browser and the driver that steers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// ChromeDriver of the same major version.
    pub driver: PathBuf,
}

/// Chromium runs headless, sends nothing of its own accord, and needs no sandbox: it loads this project's page only,
/// and its sandbox refuses to start for root, as whom containers run.
pub const ARGUMENTS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
];

/// The browser on this machine; `CHROMIUM` and `CHROMEDRIVER` name others than those found.
pub fn find() -> Option<Browser> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|file| file.is_file());
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let elsewhere = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    ];
    let installed = || elsewhere.iter().map(Path::new).find(|file| file.is_file()).map(Path::to_path_buf);
    Some(Browser {
        chromium: named("CHROMIUM")
            .or_else(|| names.iter().find_map(|name| place::program(name, &[])))
            .or_else(installed)?,
        driver: named("CHROMEDRIVER").or_else(|| place::program("chromedriver", &[]))?,
    })
}
