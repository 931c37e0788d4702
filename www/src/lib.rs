//! What the page and its worker share.
//!
//! Two programs are built from this crate: `candor-web`, the page (leptos), and `worker`, the engine. They talk in
//! the plain messages of [`candor::protocol`]; this library holds both ends of that line and what the worker keeps on
//! the device. The page's own components are not here: they belong to the page's program only.
//!
//! | module | runs in | what |
//! |---|---|---|
//! | [`codec`] | both | messages ↔ JavaScript values, without panics |
//! | [`link`] | page | starts the worker, sends requests, hears replies, notices its end |
//! | [`hosts`] | page | which hosts the page may talk to, and how a person allows one more |
//! | [`worker`](mod@worker) | worker | takes requests in turn, holds model and task |
//! | [`store`] | worker | model files on this device |
//! | [`switches`] | worker | switches in the page's address that force rare states |
//! | [`throttle`] | worker | progress, not more often than a person can see |
//! | [`requests`] | page | every network request of page and worker, as the browser itself reports it |

pub mod codec;
pub mod hosts;
pub mod link;
pub mod requests;
pub mod store;
pub mod switches;
pub mod throttle;
pub mod worker;
