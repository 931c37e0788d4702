//! The picture of a fine-tune.

use super::log::Record;
use crate::chart::{Heading, LossCurve, LossPoint};

/// Losses by step: of the rows it learned from (over the whole vocabulary) and of the validation rows (among the labels).
pub fn loss_curve(records: &[Record]) -> LossCurve {
    let mut curve = LossCurve {
        heading: Heading {
            subtitle: "Of the rows to learn from over the whole vocabulary, of the validation rows among the labels."
                .to_owned(),
            ..Heading::default()
        },
        ..LossCurve::default()
    };
    for record in records {
        match record {
            Record::Step { step, loss, .. } => {
                curve.training.push(LossPoint { step: *step as u64, loss: *loss });
            }
            Record::Validation { step, best, validation, .. } => {
                if *best {
                    curve.best = Some(curve.validation.len());
                }
                curve.validation.push(LossPoint { step: *step as u64, loss: validation.log_loss });
            }
        }
    }
    curve
}
