//! The built page in a real Chromium, on the real model.
//!
//! Not here: what can be told without a browser (unit tests beside the code, natively) or without the page (the
//! WebAssembly tests). These tests need the built page (`CANDOR_DIST`, else `dist/`), the default model in the cache
//! folder, Chromium and ChromeDriver; `cargo xtask test` provides all of them. Where one is missing, a test says so in
//! a line and ends, except in continuous integration, where that is a failure.

mod agreement;
mod bad_data;
mod chrome;
mod compare;
mod evaluate;
mod graphics;
mod offline;
mod page;
mod pool;
mod privacy;
mod robustness;
mod speed;
mod visit;
mod whole_way;
