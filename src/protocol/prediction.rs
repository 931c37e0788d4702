//! Predictions: a row of `predictions.jsonl`, and everything that the page shows of one text.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// One classified text: a row of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The row's id: the data's own, or its number counted from 1.
    pub id: String,
    /// The text as it was given.
    pub text: String,
    /// A subgroup of the data (a file stem, a category).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The true label, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The predicted label.
    pub label: String,
    /// Per label, in the task's order.
    pub labels: IndexMap<String, LabelProbability>,
    /// The winner's probability summed over its tokens, over the whole vocabulary.
    pub total_probability: f64,
    /// The winner's probability among the labels only.
    pub share: f64,
    /// Probability on no label.
    pub other_mass: f64,
    /// Calibrated where a calibrator is given, else `total_probability` (or `share`, if asked for).
    pub confidence: f64,
    /// Venn–Abers interval `[low, high]` of the confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Conformal set of labels, most likely first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
    /// What the model said when it was asked how sure it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbalized: Option<Verbalized>,
    /// Why the calibrator behind `confidence` does not belong here, where it was forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrator_forced: Option<String>,
    /// Whether `label` equals `expected`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

/// A model's own word for how sure it is, from 0 to 100: read off the probabilities of all 101 numbers, not sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verbalized {
    /// The expected number, given that it answers with one, divided by 100.
    pub expected: f64,
    /// The likeliest number divided by 100.
    pub mode: f64,
    /// The probability that it answers with a number at all.
    pub mass: f64,
}

/// A label's part of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelProbability {
    /// Natural logarithm of the label's total probability over the whole vocabulary.
    pub logprob: f64,
    /// Its probability among the labels only, after bias correction.
    pub share: f64,
}

/// A prediction with everything the page shows about how it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The prediction itself.
    pub prediction: Prediction,
    /// Per label, in the task's order, with the tokens that were added up.
    pub labels: Vec<LabelScore>,
    /// The most likely next tokens of the whole vocabulary, most likely first.
    pub next: Vec<NextToken>,
    /// Tokens of the whole prompt.
    pub prompt_tokens: usize,
    /// Tokens computed for this text.
    pub tokens_computed: usize,
    /// Tokens taken from the cached prefix.
    pub tokens_reused: usize,
    /// Set when the text was longer than fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncation>,
    /// Wall seconds of the engine for this text.
    pub seconds: f64,
    /// What a user should know: an empty text, forms that are not told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The model's last hidden state after the prompt, where it was asked for: what a probe reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vector: Vec<f32>,
}

/// How a label's probability is made up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    /// The label's name.
    pub name: String,
    /// Natural logarithm of the label's total probability over the whole vocabulary.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
    /// Probability among the labels only, after bias correction.
    pub share: f64,
    /// The token sequences that count for the label, each once.
    pub tokens: Vec<SequenceScore>,
}

/// One token sequence (nearly always a single token) that counts for a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceScore {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The tokens' text.
    pub text: String,
    /// The surface forms that begin with this sequence.
    pub forms: Vec<String>,
    /// Natural logarithm of the sequence's probability.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
}

/// A row of the next-token table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextToken {
    /// 1 for the most likely.
    pub rank: usize,
    /// Token id.
    pub id: u32,
    /// The token's text; bytes that are no UTF-8 by themselves are shown as `\xNN`.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// `exp(logprob)`.
    pub probability: f64,
    /// The label this token supports, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Where a too long text was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncation {
    /// Characters that were read.
    pub kept_characters: usize,
    /// Characters of the whole text.
    pub total_characters: usize,
    /// Tokens a whole prompt may have.
    pub limit_tokens: usize,
}
