//! Many labelled texts at once: what was read, what is run, what came of it. Plain data; tested natively.
//!
//! | module | question |
//! |---|---|
//! | [`labels`] | which label of the data is which label of the task? |
//! | [`material`] | which rows are there, and what should be known before they run? |
//! | [`scores`] | which texts are scored, and what do their rows look like as predictions? |
//! | [`calibration`] | what does a calibrator make of single predictions, and why? |
//! | [`calibrated`] | what are predictions with a calibrator, to take home? |
//! | [`judgements`] | what did a person decide about texts without a label? |
//! | [`labelling`] | which of these may the model decide, and which should a person see next? |
//! | [`turn`] | which text is the person looking at, and what can be taken back? |
//! | [`lot`] | which texts are drawn by lot? |
//! | [`unsaved`] | which lines could not be written yet? |
//! | [`project`] | what is kept under one name, and how does it travel? |
//! | [`runs`] | what were the texts scored with, and which two stand side by side? |
//! | [`decision`] | what may be automated, at which promise and price? |
//! | [`wanted`] | what of that is asked of the report? |
//! | [`view`] | which rows are listed, and which of them are on the screen? |

pub mod calibrated;
pub mod calibration;
pub mod decision;
pub mod judgements;
pub mod labelling;
pub mod labels;
pub mod lot;
pub mod material;
pub mod project;
pub mod runs;
pub mod scores;
pub mod turn;
pub mod unsaved;
pub mod view;
pub mod wanted;
