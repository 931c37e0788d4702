//! The parts of the Label place.

pub mod overview;
pub mod queue;
