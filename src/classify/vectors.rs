//! What the model knows of a text: the last hidden state after its prompt, which the head reads.
//!
//! A probe (`stats::probe`) learns from these vectors. They are those of the prompt itself, before any of an answer.

use super::prepared::PreparedTask;
use super::scores::prompts;
use crate::engine::{Control, Engine, PackedBatch, Prefix};
use crate::error::Result;
use crate::tokenizer::Tokenizer;

/// Tokens that are computed together.
const PASS_TOKENS: usize = 512;

/// One vector a text, in order: texts × width.
pub(super) async fn vectors(
    task: &PreparedTask,
    engine: &Engine,
    tokenizer: &Tokenizer,
    texts: &[&str],
    limit_tokens: usize,
    control: &mut Control<'_>,
) -> Result<Vec<f32>> {
    let prompts = prompts(task, engine, tokenizer, texts, limit_tokens)?;
    let empty = Prefix::empty(engine.config());
    let mut rows = Vec::with_capacity(texts.len() * engine.config().width);
    let mut first = 0;
    while first < prompts.len() {
        let reused = prompts[first].reused;
        let mut batch = PackedBatch::new();
        let mut next = first;
        while let Some(prompt) = prompts.get(next).filter(|prompt| prompt.reused == reused) {
            let own = &prompt.ids[reused..];
            if next > first && batch.tokens().len() + own.len() > PASS_TOKENS {
                break;
            }
            batch.push(own)?;
            next += 1;
        }
        let prefix = if reused > 0 { &task.prefix } else { &empty };
        rows.extend(engine.last_rows(prefix, &batch, control).await?);
        first = next;
        control.report(first as u64, Some(prompts.len() as u64));
    }
    Ok(rows)
}
