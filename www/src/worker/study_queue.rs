//! Requests that wait for the statistics lane, which does one thing at a time, in order.
//!
//! An examination is made for who looks on, and takes longest. So it waits until nothing else does, a calibrator that
//! somebody has pressed for among them; and only the newest is made, because an older one is of rows, or of prices, that
//! count no more.

use std::collections::VecDeque;

use candor::protocol::StudyRequest;

/// The queue.
#[derive(Debug, Default)]
pub struct StudyQueue {
    waiting: VecDeque<(u64, StudyRequest)>,
    examination: Option<(u64, StudyRequest)>,
}

impl StudyQueue {
    /// Puts a request where it belongs; answers with the number of the one whose place it takes.
    pub fn push(&mut self, id: u64, request: StudyRequest) -> Option<u64> {
        if matches!(request, StudyRequest::Examine { .. }) {
            return self.examination.replace((id, request)).map(|(older, _)| older);
        }
        self.waiting.push_back((id, request));
        None
    }

    /// The request to do next.
    pub fn take_next(&mut self) -> Option<(u64, StudyRequest)> {
        self.waiting.pop_front().or_else(|| self.examination.take())
    }
}

#[cfg(test)]
mod tests {
    use candor::stats::saved::Binding;

    use super::*;

    fn examine(rows: &str) -> StudyRequest {
        StudyRequest::Examine { name: "rows".to_owned(), predictions: rows.to_owned(), wish: None }
    }

    fn fit() -> StudyRequest {
        StudyRequest::Calibrate { predictions: String::new(), method: None, bound_to: Binding::default() }
    }

    #[test]
    fn a_fit_does_not_wait_for_an_examination_and_old_rows_are_not_examined() {
        let mut queue = StudyQueue::default();
        assert_eq!(queue.push(1, examine("old")), None);
        assert_eq!(queue.push(2, fit()), None);
        assert_eq!(queue.push(3, examine("new")), Some(1));
        assert_eq!(queue.push(4, StudyRequest::Usage), None);
        assert_eq!(queue.push(5, fit()), None);
        let order: Vec<u64> = std::iter::from_fn(|| queue.take_next()).map(|(id, _)| id).collect();
        assert_eq!(order, [2, 4, 5, 3]);
    }
}
