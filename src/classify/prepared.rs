//! A task made ready for a model: its frame as tokens, its labels as a trie, its shared prefix computed.

use rand::SeedableRng;
use rand::seq::SliceRandom;

use crate::engine::{Control, Engine, Prefix, Query, SegmentScores};
use crate::error::{Error, Result};
use crate::protocol::{FormReport, LabelReport, TaskReport, Truncation};
use crate::stats::bias::LabelBias;
use crate::task::chat::ChatTemplate;
use crate::task::prompt::PromptFrame;
use crate::task::trie::{LabelTokens, LabelTrie};
use crate::task::{BiasMethod, Task};
use crate::tokenizer::Tokenizer;

/// Texts that begin in every way that can merge with the frame's last characters: what the prompts of all of them
/// have in common is safe to compute once.
const PROBES: [&str; 9] = ["", "a", "The", " a", "1", ".", "\n", "é", "日"];

/// Texts of shuffled words for domain-context correction: enough that their mean is steady, quick at load.
const DOMAIN_TEXTS: usize = 20;
const DOMAIN_SEED: u64 = 2023;

/// A task made ready for a model.
pub struct PreparedTask {
    pub(super) task: Task,
    pub(super) frame: PromptFrame,
    pub(super) trie: LabelTrie,
    pub(super) prefix: Prefix,
    /// What the model thinks of the labels before it reads; taken out before labels are compared.
    pub(super) bias: LabelBias,
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
        let bias = LabelBias::none(task.labels.len());
        let mut prepared = Self { task: task.clone(), frame, trie, prefix, bias };
        prepared.estimate_bias(engine, tokenizer, control).await?;
        Ok(prepared)
    }

    /// Reads the label bias off texts that say nothing of the label, as the task's method wants it. Batch correction
    /// needs rows, which come later ([`super::Classifier::fit_batch_bias`]).
    async fn estimate_bias(&mut self, engine: &Engine, tokenizer: &Tokenizer, control: &mut Control<'_>) -> Result<()> {
        let method = self.task.bias.method;
        let texts = match method {
            BiasMethod::None | BiasMethod::Batch => return Ok(()),
            BiasMethod::Contextual => self.task.bias.content_free.clone(),
            BiasMethod::Domain => domain_texts(&self.task),
            BiasMethod::Pmi => vec![String::new()],
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let masses = super::scores::label_logprobs(self, engine, tokenizer, &texts, control).await?;
        self.bias = LabelBias::estimate(method_of_statistics(method), &masses)?;
        Ok(())
    }

    /// The task as it was given.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// What all its prompts begin with, computed.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What has to follow a prompt before a distribution is read: the label trie's paths, the empty one first.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.trie.contexts().iter().map(|context| context.path.as_slice())
    }

    /// What to read of the distributions after a prompt's paths.
    pub fn query(&self) -> Query {
        Query { gather: super::scores::gathered(self), top: 0 }
    }

    /// Each label's log-probability, before any correction, from what [`Self::query`] read after each path.
    pub fn label_logprobs(&self, query: &Query, scores: &[SegmentScores]) -> Vec<f64> {
        super::scores::label_masses(self, query, scores).into_iter().map(|mass| mass.logprob).collect()
    }

    /// A label's answer: the tokens of its first form, as far as they are needed to tell labels apart.
    pub fn answer(&self, label: usize) -> &[u32] {
        let first = self.trie.forms().iter().find(|form| form.label == label && form.counted > 0);
        first.map_or(&[], |form| &form.ids[..form.counted])
    }

    /// Whether another label's answer goes on where this label's ends (`1` and `10`), so that the label only has what
    /// does not go on like that.
    pub fn answer_must_end(&self, label: usize) -> bool {
        let answer = self.answer(label);
        self.trie.claims().iter().any(|claim| claim.label == label && claim.ids == answer && !claim.except.is_empty())
    }

    /// Tokens of the shared prefix.
    pub fn prefix_tokens(&self) -> usize {
        self.prefix.len()
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
        let names: Vec<&str> = self.task.labels.iter().map(|label| label.name.as_str()).collect();
        let leaning = (self.bias.texts > 0).then(|| self.bias.summary(&names));
        TaskReport {
            name: self.task.name.clone(),
            labels,
            prefix_tokens: self.prefix.len(),
            warnings: notes.chain(self.task.advice()).chain(leaning).collect(),
        }
    }
}

/// Random sentences of the domain's words (Fei 2023): the words of the task's examples, shuffled, as long as an
/// example. The same task always gives the same texts.
fn domain_texts(task: &Task) -> Vec<String> {
    let mut words: Vec<&str> = task.examples.iter().flat_map(|example| example.text.split_whitespace()).collect();
    let length = words.len().div_ceil(task.examples.len().max(1));
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(DOMAIN_SEED);
    (0..DOMAIN_TEXTS)
        .map(|_| {
            words.shuffle(&mut random);
            words[..length.min(words.len())].join(" ")
        })
        .collect()
}

/// The statistics floor names the same methods; neither floor imports the other.
pub(super) fn method_of_statistics(method: BiasMethod) -> crate::stats::bias::BiasMethod {
    use crate::stats::bias::BiasMethod as Method;
    match method {
        BiasMethod::None => Method::None,
        BiasMethod::Contextual => Method::Contextual,
        BiasMethod::Batch => Method::Batch,
        BiasMethod::Domain => Method::Domain,
        BiasMethod::Pmi => Method::Pmi,
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
