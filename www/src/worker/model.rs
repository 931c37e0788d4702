//! The loaded model with the tasks that were made ready for it.
//!
//! Two tasks at most are kept: the one that texts are typed for and the one that a batch is computed with; often they
//! are the same. A task's prefix is the expensive part, so a task that is at hand is not made ready again.

use std::cell::RefCell;
use std::rc::Rc;

use candor::classify::{Classifier, PreparedTask};
use candor::engine::Control;
use candor::error::Result;
use candor::protocol::{AdapterInfo, ModelInfo};
use candor::task::Task;

/// What a prepared task is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Texts as they are typed.
    Typing = 0,
    /// A batch.
    Batch = 1,
}

/// A loaded model, with an adapter or without.
pub struct Model {
    /// The model itself.
    pub classifier: Classifier,
    /// What is said of it.
    pub info: ModelInfo,
    tasks: RefCell<[Option<Rc<PreparedTask>>; 2]>,
}

impl Model {
    /// A model without a task.
    pub fn new(classifier: Classifier, info: ModelInfo) -> Self {
        Self { classifier, info, tasks: RefCell::default() }
    }

    /// The same with an adapter beside it, whose numbers the classifier holds already. What computes, and why, may be
    /// another thing then.
    pub fn adapted(&self, classifier: Classifier, adapter: AdapterInfo) -> Self {
        let now = classifier.model_info();
        let info = ModelInfo {
            backend: now.backend,
            backend_reason: now.backend_reason,
            on_gpu: now.on_gpu,
            memory: now.memory,
            adapter: Some(adapter),
            ..self.info.clone()
        };
        Self::new(classifier, info)
    }

    /// SHA-256 of the adapter, if there is one.
    pub fn adapter(&self) -> Option<&str> {
        self.info.adapter.as_ref().map(|adapter| adapter.sha256.as_str())
    }

    /// The task that was last made ready for this.
    pub fn task(&self, purpose: Purpose) -> Option<Rc<PreparedTask>> {
        self.tasks.borrow()[purpose as usize].clone()
    }

    /// Makes a task ready, unless it is at hand already; answers with how many tokens of its prefix were computed. On
    /// an error the task before it stays.
    ///
    /// # Errors
    /// A task that is wrong or does not fit the model; a cancel.
    pub async fn prepare(
        &self,
        purpose: Purpose,
        task: &Task,
        control: &mut Control<'_>,
    ) -> Result<(Rc<PreparedTask>, usize)> {
        let at_hand = self.tasks.borrow().iter().flatten().find(|kept| kept.task() == task).cloned();
        let (prepared, computed) = match at_hand {
            Some(kept) => (kept, 0),
            None => {
                let prepared = Rc::new(self.classifier.prepare(task, control).await?);
                let computed = prepared.prefix_tokens();
                (prepared, computed)
            }
        };
        self.tasks.borrow_mut()[purpose as usize] = Some(Rc::clone(&prepared));
        Ok((prepared, computed))
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("sha256", &self.info.sha256).finish_non_exhaustive()
    }
}
