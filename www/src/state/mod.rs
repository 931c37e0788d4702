//! What the page knows and decides, without a browser: plain structs and functions, tested natively.
//!
//! | module | question |
//! |---|---|
//! | [`place`] | where am I, and what is the address of that? |
//! | [`typing`] | when is a text classified, and which answer counts? |
//! | [`progress`] | how far is it, how fast, how long still? |
//! | [`reading`] | what does a classification say? |
//! | [`steps`] | how did that number come about? |
//! | [`shelf`], [`draft`] | which tasks are there, and what is being edited? |
//! | [`evaluation`] | what do many labelled texts say? |
//! | [`notice`] | what went wrong, and what now? |
//! | [`speed`] | how fast is it on this device? |
//! | [`network`] | what has left this device? |
//! | [`glossary`] | what does this word mean? |
//! | [`format`] | how is a number written? |

pub mod draft;
pub mod evaluation;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod glossary;
pub mod network;
pub mod notice;
pub mod place;
pub mod progress;
pub mod reading;
pub mod shelf;
pub mod speed;
pub mod steps;
pub mod typing;
