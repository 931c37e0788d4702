//! A task: what to ask, in which words, and which words count as which answer.
//!
//! The task file (TOML) is the one thing a user writes. This floor turns it and a text into the prompt's characters
//! and into the labels' surface forms; it knows no tokenizer and no model (the label trie takes token ids that
//! somebody above computed).
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`mod@file`] | TOML text | a checked [`Task`], and back; its SHA-256 |
//! | [`check`] | a [`Task`] | everything that is wrong with it |
//! | [`prompt`] | a [`Task`] (and a model's chat template) | the characters around a text |
//! | [`chat`] | a chat template and messages | a rendered conversation |
//! | [`questions`] | TOML with several questions about one text | a task for each |
//! | `whole` | whole prompts | a task and its texts |
//! | [`trie`] | labels' token ids | which token sequences to add up for which label |

pub mod chat;
pub mod check;
pub mod file;
pub mod prompt;
pub mod questions;
pub mod trie;
mod whole;

pub use whole::{BUILT_IN_PROMPTS, read_prompts};

use serde::{Deserialize, Serialize};

/// Where the text goes in a template.
pub const TEXT_PLACE: &str = "{text}";

/// A classification task, as written in a task file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Short name, shown in lists.
    pub name: String,
    /// System message of a chat prompt; text before everything otherwise. Empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Text before the examples. Empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instruction: String,
    /// The text's frame, with `{text}` exactly once.
    pub template: String,
    /// Render through the model's own chat template.
    #[serde(default)]
    pub chat: bool,
    /// Whether the labels are an unordered set or a scale.
    #[serde(default)]
    pub kind: TaskKind,
    /// Few-shot examples, rendered with the same template plus the label's first form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<FewShotExample>,
    /// The labels, at least two.
    pub labels: Vec<Label>,
    /// Label-bias correction.
    #[serde(default)]
    pub bias: Bias,
}

/// The task files that come with the project, the default one first: name and TOML text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("sentiment", include_str!("../../tasks/sentiment.toml")),
    ("sentiment-yes-no", include_str!("../../tasks/sentiment-yes-no.toml")),
    ("topic", include_str!("../../tasks/topic.toml")),
];

impl Task {
    /// The label of that name.
    pub fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|label| label.name == name)
    }

    /// The template's characters before and after the text's place; `None` unless it has exactly one.
    pub fn template_parts(&self) -> Option<(&str, &str)> {
        self.template.split_once(TEXT_PLACE).filter(|(_, after)| !after.contains(TEXT_PLACE))
    }
}

/// Whether the labels are an unordered set or a scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Names without order.
    #[default]
    Nominal,
    /// Steps of a scale; every label carries a value.
    Ordinal,
}

/// A worked example shown to the model before the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShotExample {
    /// The example's text.
    pub text: String,
    /// The name of its label.
    pub label: String,
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The label's name, as it stands in data and predictions.
    pub name: String,
    /// The spellings that count as this answer, the first one being shown in examples. A leading space matters.
    pub forms: Vec<String>,
    /// Its place on the scale, for ordinal tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// How the labels' prior probability is corrected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bias {
    /// The method.
    #[serde(default)]
    pub method: BiasMethod,
    /// Texts without content, for the contextual method.
    #[serde(default = "content_free")]
    pub content_free: Vec<String>,
}

impl Default for Bias {
    fn default() -> Self {
        Self { method: BiasMethod::None, content_free: content_free() }
    }
}

fn content_free() -> Vec<String> {
    ["N/A", "[MASK]", ""].map(String::from).to_vec()
}

/// Methods of label-bias correction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BiasMethod {
    /// No correction.
    #[default]
    None,
    /// Contextual calibration (Zhao 2021): divide by what texts without content score.
    Contextual,
    /// Batch calibration (Zhou 2023): divide by the mean score over the batch.
    Batch,
    /// Domain-context calibration (Fei 2023): divide by what random words of the domain score.
    Domain,
    /// Domain-conditional pointwise mutual information (Holtzman 2021).
    Pmi,
}

impl TaskKind {
    /// The word in task files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Ordinal => "ordinal",
        }
    }
}

impl BiasMethod {
    /// The word in task files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Contextual => "contextual",
            Self::Batch => "batch",
            Self::Domain => "domain",
            Self::Pmi => "pmi",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_tasks_are_right_and_named_like_their_files() {
        for (name, text) in BUILT_IN {
            let task = Task::from_toml(text).unwrap();
            assert_eq!(task.name, name);
            assert!(task.advice().is_empty(), "{name}: {:?}", task.advice());
            assert_eq!(Task::from_toml(task.to_toml()).unwrap(), task);
        }
    }

    #[test]
    fn json_keeps_an_empty_list_of_content_free_texts() {
        let mut task = Task::from_toml(BUILT_IN[0].1).unwrap();
        task.bias.content_free.clear();
        let json = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
    }
}
