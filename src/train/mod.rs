//! Fine-tuning: a small model is made good at one task (LoRA, Hu 2021; on a quantized base, Dettmers 2023).
//!
//! Native only. The base stays quantized in memory and unchanged; what is learned are low-rank pairs beside its matrices
//! ([`parameters`]), some thousandth of its size. Forward is the engine's arithmetic; backward is written out by hand for
//! the one decoder there is ([`layer`], [`attention`], [`pieces`], [`stack`]) instead of recorded by an autograd library,
//! because that way frozen matrices get no gradients, nothing is padded, and a matrix is float32 only while it is
//! multiplied. Tests hold it against finite differences and against candle's autograd.
//!
//! Three things make it quick on a processor: lower layers are frozen and computed once ([`frozen`]); in the last layer
//! only rows with an answer are computed; and the loss is on the answer's tokens only.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | hyper-parameters |
//! | [`sequences`] | labelled rows → tokens |
//! | [`frozen`] | what enters the first trained layer |
//! | [`passes`] | a step's rows → passes → parts, one a thread |
//! | [`rows`], [`layer`], [`attention`], [`pieces`], [`product`], [`stack`] | loss and gradients |
//! | [`parameters`], [`optimizer`] | what is trained, and how it moves |
//! | [`validation`], [`log`], [`checkpoint`], [`output`], [`picture`] | what is measured and written |
//! | [`run`] | all of it, from the first step to the last |

pub mod attention;
pub mod checkpoint;
pub mod frozen;
pub mod layer;
pub mod log;
pub mod optimizer;
pub mod output;
pub mod parameters;
pub mod passes;
pub mod picture;
pub mod pieces;
pub mod product;
pub mod rows;
pub mod run;
pub mod sequences;
pub mod settings;
pub mod stack;
pub mod validation;

pub use self::run::{Event, Inputs, Outcome, finetune};
pub use self::sequences::{Asked, Labelled};
pub use self::settings::{Criterion, Settings};
