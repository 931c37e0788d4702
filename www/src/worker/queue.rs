//! Requests that wait for the engine, which does one thing at a time.
//!
//! Who types faster than the engine reads wants the answer to the last text only: a newer request of a kind makes
//! older ones of the same kind, not yet begun, superfluous. What has begun is left to its end, unless it is cancelled.

use std::collections::VecDeque;
use std::mem;

use candor::protocol::{Request, ToWorker};

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<ToWorker>,
}

impl Queue {
    /// Puts a request at the end; answers with the numbers of those that it makes superfluous, which leave the queue.
    pub fn push(&mut self, request: ToWorker) -> Vec<u64> {
        let kind = mem::discriminant(&request.request);
        let is_older = |other: &ToWorker| mem::discriminant(&other.request) == kind;
        let superseded = self.waiting.iter().filter(|other| is_older(other)).map(|other| other.id).collect();
        self.waiting.retain(|other| !is_older(other));
        self.waiting.push_back(request);
        superseded
    }

    /// Takes a waiting request out; whether it was there.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|request| request.id != id);
        self.waiting.len() < before
    }

    /// The request to do next.
    pub fn take_next(&mut self) -> Option<(u64, Request)> {
        self.waiting.pop_front().map(|ToWorker { id, request }| (id, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(id: u64) -> ToWorker {
        ToWorker { id, request: Request::Classify { text: id.to_string(), top: 1, limit_tokens: 9 } }
    }

    #[test]
    fn the_newest_text_wins_and_other_kinds_stay() {
        let mut queue = Queue::default();
        assert!(queue.push(classify(1)).is_empty());
        assert!(queue.push(ToWorker { id: 2, request: Request::Storage }).is_empty());
        assert_eq!(queue.push(classify(3)), [1]);
        assert_eq!(queue.push(classify(4)), [3]);
        assert_eq!(queue.take_next().map(|(id, _)| id), Some(2));
        assert!(queue.remove(4) && !queue.remove(4));
        assert_eq!(queue.take_next(), None);
    }
}
