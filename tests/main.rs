//! The one native integration binary: each topic is a module beside this file.

mod architecture;
mod browser;
mod calibrators_reference;
mod datasets;
mod golden_sentiment;
mod statistics_reference;
mod tiny_model;
