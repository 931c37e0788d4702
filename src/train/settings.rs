//! Hyper-parameters of a fine-tune, from a TOML file or flags.

use serde::{Deserialize, Serialize};

use crate::engine::adapter::Projection;
use crate::engine::config::ModelConfig;
use crate::error::{Error, Result};

/// Which number on the validation rows decides which epoch is the best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// The lowest log loss among the labels: a proper score, which also wants honest confidence.
    #[default]
    LogLoss,
    /// The highest macro-F1.
    MacroF1,
}

/// Hyper-parameters. The defaults suit a few hundred to a few thousand short rows and a model of some 100 M parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Rank of every low-rank pair.
    pub rank: usize,
    /// The pairs' result is multiplied with `alpha / rank`.
    pub alpha: f64,
    /// Share of a pair's inputs that each step leaves out.
    pub dropout: f64,
    /// Which matrices get a pair.
    pub projections: Vec<Projection>,
    /// How many layers, counted from the top; the lower ones are computed once and reused. All of them for the number of
    /// the model's layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// Share of all steps in which the learning rate rises from 0; afterwards it falls to 0 along a cosine.
    pub warmup: f64,
    /// Decay of the weights, as AdamW has it: off the value, not through the gradient.
    pub weight_decay: f64,
    /// Longest gradient; a longer one is scaled down to it.
    pub clip: f64,
    /// Epochs without a better validation before it stops.
    pub patience: usize,
    /// What a better validation is.
    pub criterion: Criterion,
    /// Seed of everything random: start, order of rows, dropout.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            projections: Projection::ALL.to_vec(),
            layers: None,
            epochs: 3,
            batch: 16,
            lr: 8e-4,
            warmup: 0.1,
            weight_decay: 0.0,
            clip: 1.0,
            patience: 2,
            criterion: Criterion::LogLoss,
            seed: 1,
        }
    }
}

impl Settings {
    /// Settings from TOML; what it does not say has its default.
    ///
    /// # Errors
    /// TOML that is none, or keys that do not exist, with the line.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() as u64 + 1);
            let wrong = Error::input(error.message().to_owned());
            line.map_or(wrong.clone(), |line| wrong.at_line(line))
        })
    }

    /// Refuses numbers that cannot be meant.
    ///
    /// # Errors
    /// The first such setting, by name.
    pub fn check(&self, config: &ModelConfig) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let layers = self.layers.is_none_or(|layers| (1..=config.layers).contains(&layers));
        let checks = [
            ((1..=512).contains(&self.rank), "rank", "must be between 1 and 512".to_owned()),
            (positive(self.alpha), "alpha", "must be a positive number".to_owned()),
            (share(self.dropout), "dropout", "must be at least 0 and below 1".to_owned()),
            (!self.projections.is_empty(), "projections", "must name at least one matrix".to_owned()),
            (layers, "layers", format!("must be between 1 and the model's {}", config.layers)),
            (self.epochs > 0, "epochs", "must be at least 1".to_owned()),
            (self.batch > 0, "batch", "must be at least 1".to_owned()),
            (positive(self.lr), "lr", "must be a positive number".to_owned()),
            (share(self.warmup), "warmup", "must be at least 0 and below 1".to_owned()),
            (
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "weight-decay",
                "must be at least 0".to_owned(),
            ),
            (positive(self.clip), "clip", "must be a positive number".to_owned()),
            (self.patience > 0, "patience", "must be at least 1".to_owned()),
        ];
        match checks.into_iter().find(|(right, ..)| !right) {
            Some((_, name, message)) => Err(Error::usage(message).in_field(name)),
            None => Ok(()),
        }
    }

    /// How many layers are trained in a model of `layers`: as asked for, or else the upper third. What the
    /// layers below make of each text is then computed once, and no step passes through them. That saves time and memory on
    /// many or long rows; on a few hundred short ones all layers end better: on 400 reviews the upper third reaches a
    /// validation log loss of 0.25 in 70 s, all layers 0.25 in about 77 s and 0.18 in 131 s.
    pub fn trained_layers(&self, layers: usize) -> usize {
        self.layers.unwrap_or(layers.div_ceil(3)).clamp(1, layers)
    }

    /// The learning rate of a step (counted from 0) of `steps`.
    pub fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        let rising = (self.warmup * steps as f64).ceil();
        let step = step as f64;
        if step < rising {
            return self.lr * (step + 1.0) / rising;
        }
        let progress = (step - rising) / (steps as f64 - rising).max(1.0);
        self.lr * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_says_what_it_changes_and_where_it_is_wrong() {
        let settings =
            Settings::from_toml("rank = 4\nprojections = [\"query\", \"down\"]\ncriterion = \"macro-f1\"").unwrap();
        assert_eq!((settings.rank, settings.alpha), (4, 16.0));
        assert_eq!(settings.projections, [Projection::Query, Projection::Down]);
        let wrong = Settings::from_toml("rank = 4\nlearning_rate = 1").unwrap_err();
        assert!(wrong.line == Some(2) && wrong.message.contains("learning_rate"), "{wrong}");
        let text = toml::to_string(&Settings::default()).unwrap();
        assert_eq!(Settings::from_toml(&text).unwrap(), Settings::default());
    }

    #[test]
    fn the_learning_rate_rises_and_falls() {
        let settings = Settings { lr: 1.0, warmup: 0.1, ..Settings::default() };
        let rates: Vec<f64> = (0..100).map(|step| settings.learning_rate(step, 100)).collect();
        assert!((rates[0] - 0.1).abs() < 1e-12 && rates[9] == 1.0 && rates[10] == 1.0);
        assert!(rates[..10].is_sorted() && rates[10..].is_sorted_by(|a, b| a >= b) && rates[99] < 1e-3);
        assert!(Settings { warmup: 0.0, ..settings }.learning_rate(0, 1) > 0.99);
    }
}
