//! Minimizers for the small convex problems of calibration: logistic regression by Newton's method, and L-BFGS with the
//! line search of Moré and Thuente for matrices of coefficients.
//!
//! Not a general optimization library: the objectives are smooth and convex, and the caller says when to stop.

mod lbfgs;
mod line_search;
mod logistic;

pub use lbfgs::{Minimum, Stopping, lbfgs};
pub use logistic::{LogisticFit, Targets, logistic_loss, logistic_regression, separates};
