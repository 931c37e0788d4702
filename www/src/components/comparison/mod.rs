//! The parts of the Compare place.

pub mod findings;
pub mod one_text;
pub mod probe;
pub mod runs;
