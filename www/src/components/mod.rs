//! The parts that places are made of. Each reads signals of [`crate::session`] and decides nothing itself.

pub mod confirm;
pub mod dialog;
pub mod evaluate;
pub mod figure;
pub mod file_drop;
pub mod header;
pub mod icon;
pub mod label_colour;
pub mod labelling;
pub mod model_offer;
pub mod model_panel;
pub mod model_sources;
pub mod navigation;
pub mod next_tokens;
pub mod notice;
pub mod privacy;
pub mod progress;
pub mod projects;
pub mod steps;
pub mod task_bar;
pub mod task_editor;
pub mod term;
pub mod text_box;
pub mod theme;
pub mod verdict;
pub mod workers;
