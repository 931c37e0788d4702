//! What a task becomes with a model's tokenizer.

use serde::{Deserialize, Serialize};

/// What a task's labels become with a model's tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task's name.
    pub name: String,
    /// Per label, in the task's order.
    pub labels: Vec<LabelReport>,
    /// Tokens of the shared prefix that is computed once.
    pub prefix_tokens: usize,
    /// Collisions, multi-token forms and whatever else a user should know.
    pub warnings: Vec<String>,
}

/// A label's surface forms as token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// The label's name.
    pub name: String,
    /// Per surface form.
    pub forms: Vec<FormReport>,
}

/// A surface form as token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormReport {
    /// The form as written in the task.
    pub form: String,
    /// All its token ids.
    pub ids: Vec<u32>,
    /// The text of each token.
    pub tokens: Vec<String>,
    /// How many of the ids are needed to tell the form from other labels' (0: another form of the label already
    /// counts this token).
    pub counted: usize,
}
