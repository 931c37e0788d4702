//! Texts that are classified together: the worker's second lane.
//!
//! One batch at a time, in the order in which they came, behind the gate that typed texts close.

use candor::classify::Options;
use candor::engine::Control;
use candor::error::{Error, Kind, Result};
use candor::protocol::{BatchReply, BatchRequest, Reply, Stage, Vectors};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

use super::Desk;
use super::job::Stop;
use super::model::Purpose;

impl Desk {
    /// Takes a batch; it waits for those before it.
    pub(super) fn take_batch(self: Rc<Self>, id: u64, request: BatchRequest) {
        self.batches.borrow_mut().push_back((id, request));
        if !self.batching.replace(true) {
            let gate = Rc::clone(&self.gate);
            spawn_local(gate.behind(self.work_on_batches()));
        }
    }

    /// Stops a batch that waits or is being computed; whether there was one of that number.
    pub(super) fn cancel_batch(&self, target: u64) -> bool {
        let before = self.batches.borrow().len();
        self.batches.borrow_mut().retain(|(id, _)| *id != target);
        if self.batches.borrow().len() < before {
            self.answer(target, Reply::Failed(Error::new(Kind::Cancelled, "cancelled")));
            return true;
        }
        match self.running_batch.borrow().as_ref().filter(|(id, _)| *id == target) {
            Some((_, stop)) => stop.stop(),
            None => return false,
        }
        true
    }

    async fn work_on_batches(self: Rc<Self>) {
        loop {
            let next = self.batches.borrow_mut().pop_front();
            let Some((id, request)) = next else { break };
            let stop = Stop::new();
            *self.running_batch.borrow_mut() = Some((id, stop.clone()));
            let outcome = self.classify_batch(id, &request, &stop).await;
            *self.running_batch.borrow_mut() = None;
            self.answer(id, outcome.map_or_else(Reply::Failed, |reply| Reply::Batch(Box::new(reply))));
            self.tell_backend();
        }
        self.batching.set(false);
    }

    async fn classify_batch(&self, id: u64, request: &BatchRequest, stop: &Stop) -> Result<BatchReply> {
        let model = self.variant(&request.model, request.adapter.as_deref()).await?;
        self.count_texts(request.texts.len() as u64);
        let mut progress = self.reporter(id, Stage::Prefix);
        let mut control = Control::new(stop.cancel(), &mut progress);
        let (task, prefix_tokens) = model.prepare(Purpose::Batch, &request.task, &mut control).await?;
        let mut progress = self.reporter(id, Stage::Classify);
        let mut control = Control::new(stop.cancel(), &mut progress);
        let texts: Vec<&str> = request.texts.iter().map(String::as_str).collect();
        let options = Options { top: request.top, limit_tokens: request.limit_tokens };
        let mut results = model.classifier.classify_with_vectors(&task, &texts, &options, &mut control).await?;
        if matches!(request.vectors, Vectors::Compute(_) | Vectors::Return)
            && results.iter().any(|result| result.vector.is_empty())
        {
            let vectors = model.classifier.vectors(&task, &texts, request.limit_tokens, &mut control).await?;
            let width = (vectors.len() / texts.len().max(1)).max(1);
            let vectors = vectors.chunks(width);
            results.iter_mut().zip(vectors).for_each(|(result, vector)| result.vector = vector.to_vec());
        }
        if let Vectors::Keep(stem) | Vectors::Compute(stem) = &request.vectors {
            // Without room for them the run goes on: whoever trains a probe is told which are missing.
            let _ = self.keep_vectors(stem, &texts, &results).await;
        }
        if request.vectors != Vectors::Return {
            results.iter_mut().for_each(|result| result.vector = Vec::new());
        }
        Ok(BatchReply { results, prefix_tokens, memory: model.classifier.memory() })
    }
}
