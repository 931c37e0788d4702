//! One text, asked of every run that the loaded model can answer for: the same words, with and without what was learnt.

use candor::dataset::Example;
use candor::error::{Error, Result};
use candor::protocol::{BatchRequest, Classification, Reply, Request, Vectors};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::Study;
use super::probing::read_probe;
use crate::state::evaluation::runs::Run;

/// Rows of a next-token table.
const TOP: usize = 10;
/// The longest prompt, in tokens.
const LIMIT: usize = 2048;

/// What a run says of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The run's name.
    pub name: String,
    /// Whether a probe answers, which knows no tokens.
    pub is_probe: bool,
    /// What it says, once it has.
    pub outcome: Option<Result<Classification>>,
}

impl Study {
    /// Asks the runs that take part about a text, one after the other.
    pub fn ask_runs(self, text: String) {
        let chosen: Vec<(String, Run)> =
            self.runs.with_untracked(|runs| runs.chosen().into_iter().map(|(name, run)| (name, run.clone())).collect());
        let waiting =
            chosen.iter().map(|(name, run)| Asked { name: name.clone(), is_probe: run.probe.is_some(), outcome: None });
        let all: Vec<Asked> = waiting.collect();
        self.asked.set(all.clone());
        spawn_local(async move {
            let mut known = all;
            for (place, (_, run)) in chosen.into_iter().enumerate() {
                known[place].outcome = Some(self.ask_run(&run, &text).await);
                // Meanwhile another text may have been asked about, of other runs.
                let same = self.asked.with_untracked(|asked| {
                    asked.len() == known.len() && asked.iter().zip(&known).take(place).all(|(a, b)| a == b)
                });
                if !same {
                    return;
                }
                self.asked.set(known.clone());
            }
        });
    }

    async fn ask_run(self, run: &Run, text: &str) -> Result<Classification> {
        let loaded = self.session.model.with_untracked(|model| {
            model
                .as_ref()
                .map(|model| (model.sha256.clone(), model.context))
                .filter(|(sha256, _)| *sha256 == run.model.sha256)
        });
        let (model, context) = loaded.ok_or_else(|| {
            Error::usage("another model is loaded, or none").help("load this run's model to ask it about a text")
        })?;
        let request = BatchRequest {
            model,
            adapter: run.adapter_sha256().map(str::to_owned),
            task: run.task.clone(),
            texts: vec![text.to_owned()],
            top: TOP,
            limit_tokens: context.min(LIMIT),
            vectors: if run.probe.is_some() { Vectors::Return } else { Vectors::Drop },
        };
        let reply = self.session.ask(Request::Batch(Box::new(request))).await?;
        let mut result = match reply {
            Reply::Batch(reply) => reply.results.into_iter().next(),
            _ => None,
        }
        .ok_or_else(|| Error::internal("a text was answered with something else"))?;
        if let Some(facts) = &run.probe {
            let probe = read_probe(self, &facts.file).await?;
            let row = Example { id: String::new(), text: text.to_owned(), label: None, group: None, line: 0 };
            result.prediction = probe.predict(&row, &result.vector)?;
        }
        Ok(result)
    }
}
