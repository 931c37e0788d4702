//! The parts of the Evaluate place.

pub mod calibrate;
pub mod chosen_calibrator;
pub mod data_source;
pub mod decide;
pub mod examination;
pub mod guesses;
pub mod label_meanings;
pub mod preview;
pub mod row_panel;
pub mod row_table;
pub mod run;
