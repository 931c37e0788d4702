//! Many labelled texts at once: what was read, what is run, what came of it. Plain data; tested natively.
//!
//! | module | question |
//! |---|---|
//! | [`labels`] | which label of the data is which label of the task? |
//! | [`material`] | which rows are there, and what should be known before they run? |
//! | [`scores`] | which texts are scored, and what do their rows look like as predictions? |
//! | [`decision`] | what may be automated, at which promise and price? |
//! | [`view`] | which rows are listed, and which of them are on the screen? |

pub mod decision;
pub mod labels;
pub mod material;
pub mod scores;
pub mod view;
