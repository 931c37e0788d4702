//! The parts of the Label place.

pub mod decided;
pub mod overview;
pub mod queue;
