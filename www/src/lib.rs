//! The page and its worker.
//!
//! Two programs are built from this crate: `candor-web`, the page (leptos), and `worker`, the engine. They talk in
//! the plain messages of [`candor::protocol`]; this library holds both ends of that line, what the worker keeps on
//! the device, and the page's own parts.
//!
//! | module | runs in | what |
//! |---|---|---|
//! | [`codec`] | both | messages ↔ JavaScript values, without panics |
//! | [`link`] | page | starts the worker, sends requests, hears replies, notices its end |
//! | [`pool`] | page | several engines over one job: hands out rows, puts results in order |
//! | [`hosts`] | page | which hosts the page may talk to, and how a person allows one more |
//! | [`worker`](mod@worker) | worker | takes requests in turn, holds model and task |
//! | [`store`] | worker | model files on this device |
//! | [`switches`] | both | switches in the page's address that force rare states |
//! | [`throttle`] | worker | progress, not more often than a person can see |
//! | [`requests`] | page | every network request of page and worker, as the browser itself reports it |
//! | [`state`] | page, natively in tests | what the page decides, as plain structs |
//! | [`models`] | page | the model, tasks and sample texts that come with the page |
//! | [`session`] | page | the page's signals, joined to the engine's messages and the clock |
//! | [`app`], [`pages`], [`components`] | page | what is seen |
//! | [`browser`] | page | the few things asked of the browser itself |
//! | [`file_path`] | page | where a picked or dropped file lay in its folder |

pub mod app;
pub mod browser;
pub mod codec;
pub mod components;
pub mod file_path;
pub mod hosts;
pub mod link;
pub mod models;
pub mod pages;
pub mod pool;
pub mod requests;
pub mod session;
pub mod state;
pub mod store;
pub mod switches;
pub mod throttle;
pub mod worker;
