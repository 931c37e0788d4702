//! What the project's automation and its browser tests share: where things lie, which browser there is, and the server.
//!
//! The commands themselves (`cargo xtask setup | demo | test | …`) are in the binary. Nothing here knows the classifier:
//! this crate must compile in seconds on a machine that has nothing yet, and asks the built `candor` for the rest.

pub mod browser;
pub mod place;
pub mod serve;
