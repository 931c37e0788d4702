//! The five steps from next-token probabilities to a decision, worked through with one text's own numbers.
//!
//! The likeliest token, the label it spells, every token that means that label, their sum, the decision. The engine compares the labels' sums directly; the steps tell the same story from the top token, and say
//! so where the two differ: the likeliest token may spell no label, another label's tokens may add up to more, or the
//! bias correction may turn the order round.

use candor::protocol::{Classification, NextToken, SequenceScore};

use super::format::percent;

/// How the likeliest token and the decision go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// The likeliest token spells the decided label.
    Same,
    /// The likeliest token spells no label, so the labels are compared among themselves.
    NoLabel,
    /// It spells this label, but the decided label's tokens add up to more.
    AddsUpToLess(String),
    /// It spells this label, which also adds up to more, but bias correction decides for another.
    Corrected(String),
}

/// The worked example.
#[derive(Debug, Clone, PartialEq)]
pub struct FiveSteps {
    /// Step 1.
    pub top: NextToken,
    /// Step 2.
    pub agreement: Agreement,
    /// The decided label, whose tokens are added up.
    pub label: String,
    /// Step 3: its token sequences, the likeliest first.
    pub tokens: Vec<SequenceScore>,
    /// Step 4: their sum, as a calculation.
    pub calculation: String,
    /// The sum.
    pub sum: f64,
    /// Step 5: the runner-up and its sum.
    pub runner_up: Option<(String, f64)>,
    /// Probability on no label.
    pub other_mass: f64,
    /// The decision's probability among the labels.
    pub share: f64,
}

/// Terms of the sum that are written out; the rest is put together.
const TERMS: usize = 4;

impl FiveSteps {
    /// Works the steps through; nothing where the engine reported no next token or not the decided label.
    pub fn new(classification: &Classification) -> Option<Self> {
        let prediction = &classification.prediction;
        let top = classification.next.first()?.clone();
        let decided = classification.labels.iter().find(|label| label.name == prediction.label)?;
        let mut tokens = decided.tokens.clone();
        tokens.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let runner_up = classification
            .labels
            .iter()
            .filter(|label| label.name != decided.name)
            .max_by(|a, b| a.probability.total_cmp(&b.probability))
            .map(|label| (label.name.clone(), label.probability));
        let agreement = match &top.label {
            None => Agreement::NoLabel,
            Some(name) if *name == decided.name => Agreement::Same,
            Some(name) => {
                let sum = classification.labels.iter().find(|label| label.name == *name).map(|label| label.probability);
                if sum.is_some_and(|sum| sum > decided.probability) {
                    Agreement::Corrected(name.clone())
                } else {
                    Agreement::AddsUpToLess(name.clone())
                }
            }
        };
        Some(Self {
            top,
            agreement,
            label: decided.name.clone(),
            calculation: calculation(&tokens, decided.probability),
            tokens,
            sum: decided.probability,
            runner_up,
            other_mass: prediction.other_mass,
            share: prediction.share,
        })
    }
}

/// `50.0% + 8.0% = 58.0%`; long sums end in `12 more`.
fn calculation(tokens: &[SequenceScore], sum: f64) -> String {
    let (written, rest) = tokens.split_at(tokens.len().min(if tokens.len() == TERMS + 1 { TERMS + 1 } else { TERMS }));
    let mut terms: Vec<String> = written.iter().map(|token| percent(token.probability)).collect();
    if !rest.is_empty() {
        let together: f64 = rest.iter().map(|token| token.probability).sum();
        terms.push(format!("{} ({} more)", percent(together), rest.len()));
    }
    match terms.len() {
        0 => percent(sum),
        1 if rest.is_empty() => format!("{} (one token only)", percent(sum)),
        _ => format!("{} = {}", terms.join(" + "), percent(sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::classification;
    use super::*;

    #[test]
    fn steps_follow_the_text_s_numbers() {
        let steps = FiveSteps::new(&classification()).expect("complete");
        assert_eq!((steps.top.token.as_str(), &steps.agreement), (" negative", &Agreement::Same));
        let tokens: Vec<&str> = steps.tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(tokens, [" negative", " Negative", " neg"]);
        assert_eq!(steps.calculation, "50.0% + 8.0% + 2.0% = 60.0%");
        assert_eq!(steps.runner_up, Some(("positive".to_owned(), 0.2)));
    }

    #[test]
    fn a_top_token_that_does_not_decide_is_explained() {
        let cases = [
            (None, "negative", Agreement::NoLabel),
            (Some("positive"), "negative", Agreement::AddsUpToLess("positive".to_owned())),
            (Some("negative"), "positive", Agreement::Corrected("negative".to_owned())),
        ];
        for (top, decided, expected) in cases {
            let mut made = classification();
            made.next[0].label = top.map(str::to_owned);
            made.prediction.label = decided.to_owned();
            assert_eq!(FiveSteps::new(&made).expect("complete").agreement, expected);
        }
    }

    #[test]
    fn long_sums_are_put_together() {
        let mut made = classification();
        let token = made.labels[1].tokens[1].clone();
        for (tokens, expected) in [
            (0, "60.0%"),
            (1, "60.0% (one token only)"),
            (5, "50.0% + 50.0% + 50.0% + 50.0% + 50.0% = 60.0%"),
            (6, "50.0% + 50.0% + 50.0% + 50.0% + 100.0% (2 more) = 60.0%"),
        ] {
            made.labels[1].tokens = vec![token.clone(); tokens];
            assert_eq!(FiveSteps::new(&made).expect("complete").calculation, expected);
        }
    }

    #[test]
    fn an_incomplete_answer_has_no_steps() {
        let mut made = classification();
        made.next.clear();
        assert_eq!(FiveSteps::new(&made), None);
        let mut made = classification();
        made.prediction.label = "gone".to_owned();
        assert_eq!(FiveSteps::new(&made), None);
    }
}
