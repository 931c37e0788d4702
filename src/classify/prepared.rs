//! A task made ready for a model: its frame as tokens, its labels as a trie, its shared prefix computed.

use crate::engine::{Control, Engine, Prefix};
use crate::error::{Error, Result};
use crate::protocol::{FormReport, LabelReport, TaskReport, Truncation};
use crate::task::Task;
use crate::task::chat::ChatTemplate;
use crate::task::prompt::PromptFrame;
use crate::task::trie::{LabelTokens, LabelTrie};
use crate::tokenizer::Tokenizer;

/// Texts that begin in every way that can merge with the frame's last characters: what the prompts of all of them
/// have in common is safe to compute once.
const PROBES: [&str; 9] = ["", "a", "The", " a", "1", ".", "\n", "é", "日"];

/// A task made ready for a model.
pub struct PreparedTask {
    pub(super) task: Task,
    pub(super) frame: PromptFrame,
    pub(super) trie: LabelTrie,
    pub(super) prefix: Prefix,
    /// Log-prior of each label that is taken off before labels are compared; zeros for no correction.
    pub(super) prior: Vec<f64>,
}

impl PreparedTask {
    /// Checks a task, renders it for a model and computes what its prompts share.
    ///
    /// # Errors
    /// A task that is wrong or cannot be rendered; labels that cannot be told apart; a cancel.
    pub async fn new(
        task: &Task,
        engine: &Engine,
        tokenizer: &Tokenizer,
        template: Option<&ChatTemplate>,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        task.check()?;
        let frame = PromptFrame::new(task, template)?;
        let trie = LabelTrie::build(&label_tokens(task, &frame, tokenizer)?)?;
        let mut shared: Option<Vec<u32>> = None;
        for probe in PROBES {
            let ids = tokenizer.encode_prompt(&frame.pieces(probe))?;
            let common = match &shared {
                None => ids.len(),
                Some(shared) => shared.iter().zip(&ids).take_while(|(a, b)| a == b).count(),
            };
            // Every prompt keeps at least one token of its own: a distribution needs one to follow.
            shared = Some(ids[..common.min(ids.len().saturating_sub(1))].to_vec());
        }
        let mut prefix = Prefix::empty(engine.config());
        engine.extend(&mut prefix, &shared.unwrap_or_default(), control).await?;
        let prior = vec![0.0; task.labels.len()];
        Ok(Self { task: task.clone(), frame, trie, prefix, prior })
    }

    /// The token ids of a text's prompt, cut so that it and the longest answer fit into `limit` tokens.
    ///
    /// # Errors
    /// If the frame alone does not fit.
    pub fn prompt_ids(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        limit: usize,
    ) -> Result<(Vec<u32>, Option<Truncation>)> {
        let answer = self.trie.contexts().iter().map(|context| context.path.len()).max().unwrap_or(0);
        let room = limit.saturating_sub(answer);
        let characters: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let total = characters.len() - 1;
        let encode = |kept: usize| tokenizer.encode_prompt(&self.frame.pieces(&text[..characters[kept]]));
        // No token is longer than a few hundred characters, so a text this long cannot fit whole.
        let mut most = total.min(room.saturating_mul(512));
        let mut ids = encode(most)?;
        if ids.len() <= room && most == total {
            return Ok((ids, None));
        }
        let mut least = 0;
        ids = encode(least)?;
        if ids.len() > room {
            return Err(Error::input(format!(
                "the task alone takes {} tokens, more than the limit of {limit}",
                ids.len() + answer
            ))
            .in_field("template")
            .help("shorten the instruction or the examples, or raise the limit"));
        }
        while least < most {
            let middle = least + (most - least).div_ceil(2);
            let candidate = encode(middle)?;
            if candidate.len() <= room {
                (least, ids) = (middle, candidate);
            } else {
                most = middle - 1;
            }
        }
        Ok((ids, Some(Truncation { kept_characters: least, total_characters: total, limit_tokens: limit })))
    }

    /// What the task's labels became with this tokenizer.
    pub fn report(&self, tokenizer: &Tokenizer) -> TaskReport {
        let form = |used: &crate::task::trie::FormUse| FormReport {
            form: used.form.clone(),
            ids: used.ids.clone(),
            tokens: used.ids.iter().map(|id| tokenizer.token_text(*id)).collect(),
            counted: used.counted,
        };
        let labels = (self.task.labels.iter().enumerate())
            .map(|(index, label)| LabelReport {
                name: label.name.clone(),
                forms: self.trie.forms().iter().filter(|used| used.label == index).map(form).collect(),
            })
            .collect();
        let notes = self.frame.notes.iter().chain(self.trie.collisions()).cloned();
        TaskReport {
            name: self.task.name.clone(),
            labels,
            prefix_tokens: self.prefix.len(),
            warnings: notes.chain(self.task.advice()).collect(),
        }
    }
}

/// Each form's token ids as they follow the prompt: what the prompt with the form has after the prompt's own tokens.
///
/// Where the form's first characters merge with the prompt's last ones, there is no token sequence that follows the
/// prompt, and the form is tokenized by itself.
fn label_tokens(task: &Task, frame: &PromptFrame, tokenizer: &Tokenizer) -> Result<Vec<LabelTokens>> {
    let prompt = tokenizer.encode_prompt(&frame.pieces("a"))?;
    (task.labels.iter())
        .map(|label| {
            let forms = label.forms.iter().map(|form| {
                let mut pieces = frame.pieces("a");
                pieces.push(crate::task::prompt::Piece { text: form.clone(), special: false });
                let whole = tokenizer.encode_prompt(&pieces)?;
                let ids = match whole.strip_prefix(prompt.as_slice()) {
                    Some(rest) if !rest.is_empty() => rest.to_vec(),
                    _ => tokenizer.encode(form, false)?,
                };
                Ok((form.clone(), ids))
            });
            Ok(LabelTokens { name: label.name.clone(), forms: forms.collect::<Result<_>>()? })
        })
        .collect()
}
