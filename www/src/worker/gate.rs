//! Urgent work first, on one thread.
//!
//! A worker computes a batch for minutes, and meanwhile somebody types. What is typed must not wait for the batch, nor
//! may the batch lose what it has done. Both are futures, and a future goes on only when it is polled: [`Gate::behind`]
//! wraps the batch's and leaves it unpolled while a [`Hold`] is out. The engine gives way between two layers
//! ([`candor::platform::breathe`]), so the batch rests within a tenth of a second, and goes on where it was.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Closed while somebody has a hold on it.
#[derive(Debug, Default)]
pub struct Gate {
    holds: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

/// Keeps a gate closed until it is dropped.
#[derive(Debug)]
pub struct Hold(Rc<Gate>);

impl Gate {
    /// Closes the gate.
    pub fn hold(self: &Rc<Self>) -> Hold {
        self.holds.set(self.holds.get() + 1);
        Hold(Rc::clone(self))
    }

    /// Work that rests while the gate is closed.
    pub fn behind<F: Future>(self: &Rc<Self>, work: F) -> Behind<F> {
        Behind { gate: Rc::clone(self), work: Box::pin(work) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let holds = self.0.holds.get() - 1;
        self.0.holds.set(holds);
        if holds == 0 {
            self.0.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// Work behind a gate.
pub struct Behind<F> {
    gate: Rc<Gate>,
    work: Pin<Box<F>>,
}

impl<F> std::fmt::Debug for Behind<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behind").field("gate", &self.gate).finish_non_exhaustive()
    }
}

impl<F: Future> Future for Behind<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.gate.holds.get() > 0 {
            self.gate.waiting.borrow_mut().push(context.waker().clone());
            return Poll::Pending;
        }
        self.work.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn work_rests_while_the_gate_is_held_and_is_woken_when_the_last_hold_goes() {
        let gate = Rc::new(Gate::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let steps = Cell::new(0);
        let mut work = gate.behind(std::future::poll_fn(|_| {
            steps.set(steps.get() + 1);
            if steps.get() == 2 { Poll::Ready(7) } else { Poll::Pending }
        }));
        let mut poll = |context: &mut Context<'_>| Pin::new(&mut work).poll(context);
        assert_eq!((poll(&mut context), steps.get()), (Poll::Pending, 1));
        let (first, second) = (gate.hold(), gate.hold());
        assert_eq!((poll(&mut context), steps.get()), (Poll::Pending, 1), "it was not touched");
        drop(first);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "one hold is left");
        drop(second);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!((poll(&mut context), steps.get()), (Poll::Ready(7), 2));
    }
}
