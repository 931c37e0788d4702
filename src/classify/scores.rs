//! From next-token distributions to predictions.

use indexmap::IndexMap;

use super::Options;
use super::prepared::PreparedTask;
use crate::engine::{Control, Engine, PackedBatch, Prefix, Query, SegmentScores};
use crate::error::Result;
use crate::numeric::exp;
use crate::platform;
use crate::protocol::{Classification, LabelProbability, LabelScore, NextToken, Prediction, SequenceScore, Truncation};
use crate::stats::bias::Corrected;
use crate::task::trie::LabelMass;
use crate::tokenizer::Tokenizer;

/// A text's prompt and where its segments went.
pub(super) struct Prompt {
    pub(super) ids: Vec<u32>,
    truncated: Option<Truncation>,
    /// Tokens taken from the shared prefix: all of it, or none where the prompt does not begin with it.
    pub(super) reused: usize,
}

/// Classifies texts together: one segment a text and label-trie context, over the shared prefix.
pub(super) async fn classify(
    task: &PreparedTask,
    engine: &Engine,
    tokenizer: &Tokenizer,
    texts: &[&str],
    options: &Options,
    control: &mut Control<'_>,
) -> Result<(Vec<Classification>, Vec<Vec<f32>>)> {
    let started = platform::now();
    let prompts = prompts(task, engine, tokenizer, texts, options.limit_tokens)?;
    let query = Query { gather: gathered(task), top: options.top };
    let mut scored = score(task, engine, &prompts, &query, control).await?;
    let seconds = (platform::now() - started) / texts.len().max(1) as f64;
    let contexts = task.trie.contexts().len();
    // After the first context, the empty one, stands what the model made of the prompt.
    let vectors = scored.chunks_mut(contexts).map(|scores| std::mem::take(&mut scores[0].last_row)).collect();
    let results = (texts.iter().zip(&prompts).zip(scored.chunks(contexts)).enumerate()).map(
        |(index, ((text, prompt), scores))| {
            let mut result = describe(task, tokenizer, &query, text, prompt, scores)?;
            result.prediction.id = (index + 1).to_string();
            result.seconds = seconds;
            Ok(result)
        },
    );
    Ok((results.collect::<Result<_>>()?, vectors))
}

/// Answers several tasks about one text: what their prompts have in common is computed once, and all their contexts in
/// one short batch.
pub(super) async fn classify_once(
    tasks: &[&PreparedTask],
    engine: &Engine,
    tokenizer: &Tokenizer,
    text: &str,
    options: &Options,
    control: &mut Control<'_>,
) -> Result<Vec<Classification>> {
    let started = platform::now();
    let mut asked = Vec::with_capacity(tasks.len());
    for task in tasks {
        asked.extend(prompts(task, engine, tokenizer, &[text], options.limit_tokens)?);
    }
    let Some(first) = tasks.first() else { return Ok(Vec::new()) };
    // The tasks' own prefixes end where their texts begin, unless a prompt was cut or merges there.
    let shared = asked.iter().all(|prompt| prompt.reused == first.prefix.len() && prompt.reused > 0);
    let prefix = if shared { first.prefix.clone() } else { Prefix::empty(engine.config()) };
    let reused = prefix.len();
    let mut gather: Vec<u32> = tasks.iter().flat_map(|task| gathered(task)).collect();
    gather.sort_unstable();
    gather.dedup();
    let query = Query { gather, top: options.top };
    let endings: Vec<Vec<u32>> = (tasks.iter().zip(&asked))
        .flat_map(|(task, prompt)| {
            task.trie.contexts().iter().map(|context| [&prompt.ids[reused..], &context.path].concat())
        })
        .collect();
    let scored = score_endings(engine, prefix, &endings, &query, control).await?;
    let seconds = (platform::now() - started) / tasks.len() as f64;
    let mut scores = scored.as_slice();
    (tasks.iter().zip(&asked))
        .map(|(task, prompt)| {
            let (own, rest) = scores.split_at(task.trie.contexts().len());
            scores = rest;
            let mut result = describe(task, tokenizer, &query, text, prompt, own)?;
            result.seconds = seconds;
            Ok(result)
        })
        .collect()
}

/// The labels' log-probabilities for each text, before any correction.
pub(super) async fn label_logprobs(
    task: &PreparedTask,
    engine: &Engine,
    tokenizer: &Tokenizer,
    texts: &[&str],
    control: &mut Control<'_>,
) -> Result<Vec<Vec<f64>>> {
    let prompts = prompts(task, engine, tokenizer, texts, usize::MAX)?;
    let query = Query { gather: gathered(task), top: 0 };
    let scored = score(task, engine, &prompts, &query, control).await?;
    let masses = scored.chunks(task.trie.contexts().len()).map(|scores| label_masses(task, &query, scores));
    Ok(masses.map(|masses| masses.into_iter().map(|mass| mass.logprob).collect()).collect())
}

/// The prompts of texts.
pub(super) fn prompts(
    task: &PreparedTask,
    engine: &Engine,
    tokenizer: &Tokenizer,
    texts: &[&str],
    limit_tokens: usize,
) -> Result<Vec<Prompt>> {
    let limit = limit_tokens.min(engine.config().context);
    (texts.iter())
        .map(|text| {
            let (ids, truncated) = task.prompt_ids(tokenizer, text, limit)?;
            let shares = ids.len() > task.prefix.len() && ids.starts_with(task.prefix.tokens());
            Ok(Prompt { ids, truncated, reused: if shares { task.prefix.len() } else { 0 } })
        })
        .collect()
}

/// Each label's probability from the distributions after a prompt's contexts.
pub(super) fn label_masses(task: &PreparedTask, query: &Query, scores: &[SegmentScores]) -> Vec<LabelMass> {
    task.trie.score(|context, token| match query.gather.binary_search(&token) {
        Ok(at) => scores[context].gathered[at],
        Err(_) => f64::NEG_INFINITY,
    })
}

/// Contexts of a label trie from which on a prompt is computed once and kept for all of them: below, computing it again
/// for each is cheaper than giving up the batch of many texts.
const MANY_CONTEXTS: usize = 6;

/// Scores every context of every prompt; results come prompt by prompt, contexts in the trie's order.
async fn score(
    task: &PreparedTask,
    engine: &Engine,
    prompts: &[Prompt],
    query: &Query,
    control: &mut Control<'_>,
) -> Result<Vec<SegmentScores>> {
    let contexts = task.trie.contexts();
    if contexts.len() >= MANY_CONTEXTS {
        return score_each(task, engine, prompts, query, control).await;
    }
    let mut scored = vec![SegmentScores::default(); prompts.len() * contexts.len()];
    let empty = Prefix::empty(engine.config());
    for (prefix, shared) in [(&task.prefix, true), (&empty, false)] {
        let mut batch = PackedBatch::new();
        let mut places = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            if (prompt.reused > 0 || task.prefix.is_empty()) != shared {
                continue;
            }
            for (place, context) in contexts.iter().enumerate() {
                let mut segment = prompt.ids[prompt.reused..].to_vec();
                segment.extend_from_slice(&context.path);
                batch.push(&segment)?;
                places.push(index * contexts.len() + place);
            }
        }
        if batch.segments() > 0 {
            let results = engine.score(prefix, &batch, query, control).await?;
            places.into_iter().zip(results).for_each(|(place, result)| scored[place] = result);
        }
    }
    Ok(scored)
}

/// The same prompt by prompt: each is computed once, then all its contexts in one short batch.
async fn score_each(
    task: &PreparedTask,
    engine: &Engine,
    prompts: &[Prompt],
    query: &Query,
    control: &mut Control<'_>,
) -> Result<Vec<SegmentScores>> {
    let paths: Vec<&[u32]> = task.trie.contexts().iter().map(|context| context.path.as_slice()).collect();
    let mut scored = Vec::with_capacity(prompts.len() * paths.len());
    for prompt in prompts {
        let shared = if prompt.reused > 0 { task.prefix.clone() } else { Prefix::empty(engine.config()) };
        let endings = paths.iter().map(|path| [&prompt.ids[prompt.reused..], path].concat());
        scored.extend(score_endings(engine, shared, &endings.collect::<Vec<_>>(), query, control).await?);
    }
    Ok(scored)
}

/// Next-token distributions after each ending of one beginning: what the endings have in common is computed once.
pub(super) async fn score_endings(
    engine: &Engine,
    mut prefix: Prefix,
    endings: &[Vec<u32>],
    query: &Query,
    control: &mut Control<'_>,
) -> Result<Vec<SegmentScores>> {
    // Every ending keeps a token of its own: a distribution needs one to follow.
    let shortest = endings.iter().map(Vec::len).min().unwrap_or(0).saturating_sub(1);
    let common = (0..shortest).take_while(|&at| endings.iter().all(|ending| ending[at] == endings[0][at])).count();
    if let Some(first) = endings.first() {
        engine.extend(&mut prefix, &first[..common], control).await?;
    }
    let batch = PackedBatch::of(endings.iter().map(|ending| &ending[common..]))?;
    engine.score(&prefix, &batch, query, control).await
}

/// Every token whose log-probability some context needs, ascending.
pub(super) fn gathered(task: &PreparedTask) -> Vec<u32> {
    let mut ids: Vec<u32> = task.trie.contexts().iter().flat_map(|context| &context.tokens).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn describe(
    task: &PreparedTask,
    tokenizer: &Tokenizer,
    query: &Query,
    text: &str,
    prompt: &Prompt,
    scores: &[SegmentScores],
) -> Result<Classification> {
    let masses = label_masses(task, query, scores);
    let logprobs: Vec<f64> = masses.iter().map(|mass| mass.logprob).collect();
    let Corrected { label: winner, shares } = task.bias.correct(&logprobs)?;
    let names: Vec<&str> = task.task.labels.iter().map(|label| label.name.as_str()).collect();
    let label_mass: f64 = masses.iter().map(|mass| exp(mass.logprob)).sum();
    let total_probability = exp(masses[winner].logprob);
    let labels: IndexMap<String, LabelProbability> = (names.iter().zip(&masses).zip(&shares))
        .map(|((name, mass), share)| ((*name).to_owned(), LabelProbability { logprob: mass.logprob, share: *share }))
        .collect();
    let label_of = |id: u32| task.trie.label_of_first_token(id).map(|label| names[label].to_owned());
    let prediction = Prediction {
        id: String::new(),
        text: text.to_owned(),
        group: None,
        expected: None,
        label: names[winner].to_owned(),
        labels,
        total_probability,
        share: shares[winner],
        other_mass: (1.0 - label_mass).max(0.0),
        confidence: total_probability,
        interval: None,
        set: None,
        verbalized: None,
        calibrator_forced: None,
        correct: None,
    };
    let contexts = task.trie.contexts();
    let paths: usize = contexts.iter().map(|context| context.path.len()).sum();
    let own = prompt.ids.len() - prompt.reused;
    let once = contexts.len() >= MANY_CONTEXTS;
    let tokens_computed = if once { own + contexts.len() - 1 } else { own * contexts.len() } + paths;
    Ok(Classification {
        labels: (names.iter().zip(&masses).zip(&shares))
            .map(|((name, mass), share)| label_score(task, tokenizer, name, mass, *share))
            .collect(),
        next: next_tokens(tokenizer, &scores[0].top, label_of),
        prompt_tokens: prompt.ids.len(),
        tokens_computed,
        tokens_reused: prompt.reused * if once { 1 } else { contexts.len() },
        truncated: prompt.truncated.clone(),
        seconds: 0.0,
        warnings: warnings(text),
        vector: Vec::new(),
        prediction,
    })
}

fn label_score(task: &PreparedTask, tokenizer: &Tokenizer, name: &str, mass: &LabelMass, share: f64) -> LabelScore {
    let tokens = (mass.claims.iter())
        .map(|(claim, logprob)| {
            let claim = &task.trie.claims()[*claim];
            SequenceScore {
                ids: claim.ids.clone(),
                text: tokenizer.decode(&claim.ids),
                forms: claim.forms.clone(),
                logprob: *logprob,
                probability: exp(*logprob),
            }
        })
        .collect();
    LabelScore { name: name.to_owned(), logprob: mass.logprob, probability: exp(mass.logprob), share, tokens }
}

/// The next-token table; `label_of` names the label a token supports.
pub(super) fn next_tokens(
    tokenizer: &Tokenizer,
    top: &[(u32, f64)],
    label_of: impl Fn(u32) -> Option<String>,
) -> Vec<NextToken> {
    (top.iter().enumerate())
        .map(|(index, (id, logprob))| NextToken {
            rank: index + 1,
            id: *id,
            token: tokenizer.token_text(*id),
            logprob: *logprob,
            probability: exp(*logprob),
            label: label_of(*id),
        })
        .collect()
}

fn warnings(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        vec!["The text is empty: this is what the model answers to nothing at all.".to_owned()]
    } else {
        Vec::new()
    }
}
