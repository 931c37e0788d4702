//! The places of the page.

pub mod classify;
pub mod compare;
pub mod evaluate;
pub mod help;
pub mod label;
pub mod speed;
