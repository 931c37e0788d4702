//! Which token sequences to add up for which label.
//!
//! **The idea.** After the prompt a model would write some sequence of tokens. Each label claims a part of all possible
//! sequences, no part is claimed twice, and what nobody claims is the mass on no label. A label nearly always claims
//! "whatever begins with the token ` positive`": one token, no extra computation, and however many of its forms begin
//! with that token it counts once. Only where a first token is shared by two labels does more have to be read.
//!
//! **The rule.** All forms' token ids are put into a trie. Going down from its root:
//!
//! 1. Where every form through a node belongs to one label, that label claims the node: everything that begins with
//!    these tokens. Nothing below is looked at.
//! 2. Where forms of several labels go through a node, the walk goes on to its children, so labels are told apart by
//!    exactly as many tokens as that takes.
//! 3. Where moreover a form *ends* at such a node, its label claims the node *except* for what other labels claim
//!    below. With A = `pos` and B = `pos` + `itive`, the label A has `P(pos) − P(pos, itive)` and B has
//!    `P(pos, itive)`: a form is its label's unless the answer goes on as another label's form.
//!
//! A label's probability is the sum over its claims of the claim's probability minus that of its exceptions. Claims
//! are disjoint by construction, so labels and the mass on no label add up to one; a test checks this against a model
//! small enough to enumerate.
//!
//! Two labels with the same token sequence cannot be told apart at all: that is an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::numeric::{exp, ln, ln_1p, log_sum_exp};

/// A label's surface forms as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelTokens {
    /// The label's name.
    pub name: String,
    /// Each form with all its token ids, as they follow the prompt.
    pub forms: Vec<(String, Vec<u32>)>,
}

/// Token sequences that count for a label: everything that begins with `ids`, except what begins with one of the
/// claims in `except`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The label's place in the list the trie was built from.
    pub label: usize,
    /// The tokens, at least one.
    pub ids: Vec<u32>,
    /// The forms that this claim counts.
    pub forms: Vec<String>,
    /// Claims of other labels inside this one, as places in [`LabelTrie::claims`].
    pub except: Vec<usize>,
}

/// A path whose next-token distribution is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The tokens after the prompt; empty for the prompt itself.
    pub path: Vec<u32>,
    /// The next tokens whose log-probabilities are needed, ascending.
    pub tokens: Vec<u32>,
}

/// How a form is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormUse {
    /// The label's place.
    pub label: usize,
    /// The form.
    pub form: String,
    /// All its token ids.
    pub ids: Vec<u32>,
    /// How many of them are needed; 0 where an earlier form of the label already counts them.
    pub counted: usize,
}

/// What [`LabelTrie::score`] gives for one label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMass {
    /// Natural logarithm of the label's probability.
    pub logprob: f64,
    /// The label's claims (places in [`LabelTrie::claims`]) with their log-probabilities, exceptions taken off.
    pub claims: Vec<(usize, f64)>,
}

/// The token sequences to add up for each label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelTrie {
    labels: Vec<String>,
    claims: Vec<Claim>,
    contexts: Vec<Context>,
    forms: Vec<FormUse>,
    collisions: Vec<String>,
}

/// A node: what ends here, what goes on.
#[derive(Default)]
struct Node {
    children: BTreeMap<u32, Node>,
    /// Labels of all forms through this node.
    labels: BTreeSet<usize>,
    /// The label whose form ends here.
    end: Option<usize>,
}

impl LabelTrie {
    /// Builds the trie. Forms of one label may repeat each other's tokens; order is kept.
    ///
    /// # Errors
    /// `Kind::Input` where a form has no tokens, or where forms of two labels have the same ones.
    pub fn build(labels: &[LabelTokens]) -> Result<Self> {
        let mut root = Node::default();
        for (index, label) in labels.iter().enumerate() {
            for (form, ids) in &label.forms {
                insert(&mut root, index, form, ids, labels)?;
            }
        }
        let mut claims = Vec::new();
        for (&id, child) in &root.children {
            claim(child, &mut vec![id], None, &mut claims);
        }
        let forms = count_forms(labels, &mut claims);
        let contexts = contexts(&claims);
        let collisions = collisions(labels, &claims, &forms);
        Ok(Self {
            labels: labels.iter().map(|label| label.name.clone()).collect(),
            claims,
            contexts,
            forms,
            collisions,
        })
    }

    /// The labels' names, in the order they were given.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// All claims, ascending by their tokens.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The paths whose next-token distribution is needed: the empty one first, shorter before longer. Every path after
    /// the first costs a forward pass of its tokens.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// How each form is counted, labels and forms in the order they were given.
    pub fn forms(&self) -> &[FormUse] {
        &self.forms
    }

    /// What a user should know about labels that begin alike, as sentences.
    pub fn collisions(&self) -> &[String] {
        &self.collisions
    }

    /// The label that a first token supports, where it supports exactly one.
    pub fn label_of_first_token(&self, id: u32) -> Option<usize> {
        let mut owners = self.claims.iter().filter(|claim| claim.ids[0] == id).map(|claim| claim.label);
        let first = owners.next()?;
        owners.all(|label| label == first).then_some(first)
    }

    /// Adds up each label's probability.
    ///
    /// `logprob(context, token)` is the natural logarithm of the token's probability over the whole vocabulary after
    /// the path `self.contexts()[context]`; it is asked only for that context's `tokens`. A remainder that rounding
    /// leaves at or below zero counts as 2⁻⁵³ of its claim, so that a logarithm stays finite.
    pub fn score(&self, logprob: impl Fn(usize, u32) -> f64) -> Vec<LabelMass> {
        let whole: Vec<f64> = self.claims.iter().map(|claim| self.path_logprob(&claim.ids, &logprob)).collect();
        let mut masses: Vec<_> =
            self.labels.iter().map(|_| LabelMass { logprob: f64::NEG_INFINITY, claims: Vec::new() }).collect();
        for (index, claim) in self.claims.iter().enumerate() {
            let taken: f64 = claim.except.iter().map(|&other| exp(whole[other] - whole[index])).sum();
            let own = if taken > 0.0 {
                whole[index] + ln_1p(-taken).max(ln(f64::EPSILON) - std::f64::consts::LN_2)
            } else {
                whole[index]
            };
            // The logarithm of a negative remainder is no number; `max` above has chosen the floor for it.
            masses[claim.label].claims.push((index, own));
        }
        for mass in &mut masses {
            let parts: Vec<f64> = mass.claims.iter().map(|(_, logprob)| *logprob).collect();
            mass.logprob = log_sum_exp(&parts);
        }
        masses
    }

    /// Log-probability of a token sequence after the prompt.
    fn path_logprob(&self, ids: &[u32], logprob: &impl Fn(usize, u32) -> f64) -> f64 {
        (0..ids.len())
            .map(|depth| {
                let context = self.contexts.iter().position(|context| context.path == ids[..depth]);
                logprob(context.expect("contexts hold every proper prefix of every claim"), ids[depth])
            })
            .sum()
    }
}

/// The mass on no label: what the labels leave of one, never below zero.
pub fn other_mass(masses: &[LabelMass]) -> f64 {
    (1.0 - masses.iter().map(|mass| exp(mass.logprob)).sum::<f64>()).max(0.0)
}

fn insert(root: &mut Node, label: usize, form: &str, ids: &[u32], labels: &[LabelTokens]) -> Result<()> {
    if ids.is_empty() {
        return Err(Error::input(format!("the form {form:?} of {:?} has no tokens in this model", labels[label].name))
            .in_field("labels.forms")
            .help("write a spelling that holds at least one character the model knows"));
    }
    let mut node = root;
    for &id in ids {
        node = node.children.entry(id).or_default();
        node.labels.insert(label);
    }
    match node.end {
        Some(other) if other != label => {
            let name = &labels[label].name;
            let same = labels[other].forms.iter().find(|(_, theirs)| theirs == ids);
            let same = same.map_or("", |(form, _)| form.as_str());
            Err(Error::input(format!(
                "{form:?} of {name:?} and {same:?} of {:?} are the same tokens in this model",
                labels[other].name
            ))
            .in_field("labels.forms")
            .help("keep the spelling in one of the two labels, or choose words that differ"))
        }
        _ => {
            node.end = Some(label);
            Ok(())
        }
    }
}

/// Walks down from a node; `owner` is the claim that the node lies in. Gives the node's own claim, if it makes one.
fn claim(node: &Node, path: &mut Vec<u32>, owner: Option<usize>, claims: &mut Vec<Claim>) {
    let mut owner = owner;
    let sole = (node.labels.len() == 1).then(|| node.labels.first().copied()).flatten();
    if let Some(label) = sole.or(node.end)
        && owner.is_none_or(|outer| claims[outer].label != label)
    {
        let place = claims.len();
        claims.push(Claim { label, ids: path.clone(), forms: Vec::new(), except: Vec::new() });
        if let Some(outer) = owner {
            claims[outer].except.push(place);
        }
        owner = Some(place);
    }
    if sole.is_some() {
        return;
    }
    for (&id, child) in &node.children {
        path.push(id);
        claim(child, path, owner, claims);
        path.pop();
    }
}

/// Gives each form to the claim that counts it: the longest one of its label that it begins with.
fn count_forms(labels: &[LabelTokens], claims: &mut [Claim]) -> Vec<FormUse> {
    let mut uses = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        for (form, ids) in &label.forms {
            let found = (claims.iter_mut())
                .filter(|claim| claim.label == index && ids.starts_with(&claim.ids))
                .max_by_key(|claim| claim.ids.len());
            let counted = found.map_or(0, |claim| {
                claim.forms.push(form.clone());
                if claim.forms.len() == 1 { claim.ids.len() } else { 0 }
            });
            uses.push(FormUse { label: index, form: form.clone(), ids: ids.clone(), counted });
        }
    }
    uses
}

fn contexts(claims: &[Claim]) -> Vec<Context> {
    let mut needed: BTreeMap<(usize, Vec<u32>), BTreeSet<u32>> = BTreeMap::new();
    needed.insert((0, Vec::new()), BTreeSet::new());
    for claim in claims {
        for (depth, &id) in claim.ids.iter().enumerate() {
            needed.entry((depth, claim.ids[..depth].to_vec())).or_default().insert(id);
        }
    }
    needed.into_iter().map(|((_, path), tokens)| Context { path, tokens: tokens.into_iter().collect() }).collect()
}

/// A sentence for each group of labels that begin with one token.
fn collisions(labels: &[LabelTokens], claims: &[Claim], forms: &[FormUse]) -> Vec<String> {
    let mut by_first: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, claim) in claims.iter().enumerate() {
        by_first.entry(claim.ids[0]).or_default().push(index);
    }
    let mut messages = Vec::new();
    for (first, group) in by_first.into_iter().filter(|(_, group)| group.len() > 1) {
        let sharing: Vec<_> = forms.iter().filter(|form| form.ids[0] == first).collect();
        let named: Vec<_> =
            sharing.iter().map(|use_| format!("{:?} ({})", use_.form, labels[use_.label].name)).collect();
        let depth = group.iter().map(|&index| claims[index].ids.len()).max().unwrap_or(1);
        let mut message = format!(
            "{} begin with the same token; {depth} tokens are read to tell them apart, which takes longer",
            list(&named)
        );
        for &index in group.iter().filter(|&&index| !claims[index].except.is_empty()) {
            let inner: BTreeSet<_> =
                claims[index].except.iter().map(|&other| labels[claims[other].label].name.as_str()).collect();
            let inner: Vec<_> = inner.into_iter().map(|name| format!("{name:?}")).collect();
            let name = &labels[claims[index].label].name;
            let own: Vec<_> = claims[index].forms.iter().map(|form| format!("{form:?}")).collect();
            message.push_str(&format!(
                "; {} counts for {name:?} except where the answer goes on as {}",
                list(&own),
                list(&inner)
            ));
        }
        messages.push(message);
    }
    messages
}

/// `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests;
