//! What a classification says, arranged for the eye: bars, a decision in words, and what to be careful about.
//!
//! No number is computed that the engine did not give; here it is only decided which one a bar shows and which words
//! stand beside it.

use candor::protocol::Classification;
use candor::task::BiasMethod;

use super::format;

/// Which number the bars show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Probability over all tokens of the vocabulary; with the mass on no label they fill the whole.
    AllTokens,
    /// Probability among the labels only, after bias correction: what the decision was made with.
    LabelsOnly,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The label's name.
    pub name: String,
    /// Its place in the task, which decides its colour.
    pub index: usize,
    /// The bar's length, 0 to 1.
    pub length: f64,
    /// Probability over the whole vocabulary.
    pub probability: f64,
    /// Probability among the labels only.
    pub share: f64,
    /// Whether it is the decision.
    pub winner: bool,
}

/// How far the decision is ahead of the next label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Less than a tenth of the labels' probability apart.
    Narrow,
    /// In between.
    Plain,
    /// More than eight tenths apart.
    Wide,
}

/// A classification, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The decided label.
    pub label: String,
    /// Its place in the task.
    pub index: usize,
    /// Its probability over the whole vocabulary.
    pub total_probability: f64,
    /// Its probability among the labels.
    pub share: f64,
    /// How far it is ahead.
    pub lead: Lead,
    /// The next label and its share.
    pub runner_up: Option<(String, f64)>,
    /// Per label, in the task's order.
    pub bars: Vec<Bar>,
    /// What the bars show.
    pub basis: Basis,
    /// Probability on no label.
    pub other_mass: f64,
    /// What a careful reader should know.
    pub cautions: Vec<String>,
}

impl Reading {
    /// Arranges a classification that was made with this bias correction.
    pub fn new(classification: &Classification, bias: BiasMethod) -> Self {
        let prediction = &classification.prediction;
        let basis = if bias == BiasMethod::None { Basis::AllTokens } else { Basis::LabelsOnly };
        let bars: Vec<Bar> = classification
            .labels
            .iter()
            .enumerate()
            .map(|(index, label)| {
                let length = if basis == Basis::AllTokens { label.probability } else { label.share };
                Bar {
                    name: label.name.clone(),
                    index,
                    length: if length.is_finite() { length.clamp(0.0, 1.0) } else { 0.0 },
                    probability: label.probability,
                    share: label.share,
                    winner: label.name == prediction.label,
                }
            })
            .collect();
        let runner_up = bars
            .iter()
            .filter(|bar| !bar.winner)
            .max_by(|a, b| a.share.total_cmp(&b.share))
            .map(|bar| (bar.name.clone(), bar.share));
        let ahead = prediction.share - runner_up.as_ref().map_or(0.0, |(_, share)| *share);
        Self {
            label: prediction.label.clone(),
            index: bars.iter().position(|bar| bar.winner).unwrap_or(0),
            total_probability: prediction.total_probability,
            share: prediction.share,
            lead: match ahead {
                ahead if ahead < 0.1 => Lead::Narrow,
                ahead if ahead > 0.8 => Lead::Wide,
                _ => Lead::Plain,
            },
            runner_up,
            bars,
            basis,
            other_mass: prediction.other_mass,
            cautions: cautions(classification),
        }
    }

    /// How far the decision is ahead, as one sentence.
    pub fn sentence(&self) -> String {
        let Some((name, share)) = &self.runner_up else {
            return format!("{} of the probability is on this label.", format::percent(self.total_probability));
        };
        let margin = match self.lead {
            Lead::Narrow => "Only just ahead of",
            Lead::Plain => "Ahead of",
            Lead::Wide => "Far ahead of",
        };
        format!(
            "{margin} {name}: among the labels alone, {} against {}.",
            format::percent(self.share),
            format::percent(*share)
        )
    }

    /// The decision in as few words as can be, for a live region.
    pub fn announcement(&self) -> String {
        format!("{}, {}", self.label, format::percent(self.total_probability))
    }
}

fn cautions(classification: &Classification) -> Vec<String> {
    let mut cautions = classification.warnings.clone();
    let other = classification.prediction.other_mass;
    if other >= 0.5 {
        cautions.push(format!(
            "Most of the probability, {}, is on words that are no label. The model would rather say something else: \
             add a worked example, or add the spellings that lead the next-token table.",
            format::percent(other)
        ));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::super::fixture::classification;
    use super::*;

    #[test]
    fn bars_show_all_tokens_without_bias_correction() {
        let reading = Reading::new(&classification(), BiasMethod::None);
        assert_eq!(reading.basis, Basis::AllTokens);
        let lengths: Vec<f64> = reading.bars.iter().map(|bar| bar.length).collect();
        assert!((lengths.iter().sum::<f64>() + reading.other_mass - 1.0).abs() < 1e-9);
        assert_eq!(reading.index, 1);
        assert_eq!(reading.runner_up.as_ref().map(|(name, _)| name.as_str()), Some("positive"));
        assert_eq!(reading.sentence(), "Ahead of positive: among the labels alone, 75.0% against 25.0%.");
        assert!(reading.cautions.is_empty());
    }

    #[test]
    fn bars_show_what_decided_with_bias_correction() {
        let mut made = classification();
        made.prediction.label = "positive".to_owned();
        made.prediction.share = 0.52;
        made.labels[0].share = 0.52;
        made.labels[1].share = 0.48;
        let reading = Reading::new(&made, BiasMethod::Contextual);
        assert_eq!(reading.basis, Basis::LabelsOnly);
        assert_eq!(reading.bars[0].length, 0.52);
        assert_eq!(reading.lead, Lead::Narrow);
        assert_eq!(reading.sentence(), "Only just ahead of negative: among the labels alone, 52.0% against 48.0%.");
    }

    #[test]
    fn mass_elsewhere_is_pointed_out() {
        let mut made = classification();
        made.prediction.other_mass = 0.62;
        made.warnings.push("first".to_owned());
        let reading = Reading::new(&made, BiasMethod::None);
        assert_eq!(reading.cautions.len(), 2);
        assert!(reading.cautions[1].contains("62.0%"));
    }

    #[test]
    fn numbers_that_do_not_exist_make_no_bar() {
        let mut made = classification();
        made.labels[0].probability = f64::NAN;
        assert_eq!(Reading::new(&made, BiasMethod::None).bars[0].length, 0.0);
        made.labels.clear();
        assert_eq!(Reading::new(&made, BiasMethod::None).index, 0);
    }
}
