//! A worker of the pool, as the page sees it.

use std::rc::{Rc, Weak};

use candor::error::Result;
use candor::protocol::{FromWorker, MemoryUse, ModelSource, PROTOCOL_VERSION, Reply, Request};

use super::schedule::Chunk;
use crate::link::Link;

/// Who holds the line to a worker.
pub(super) enum Line {
    /// The page's session: typed texts go over it too, and the session starts it anew.
    Session(Weak<Link>),
    /// The pool.
    Own(Rc<Link>),
}

/// What a worker is doing for the pool.
#[derive(Debug)]
pub(super) enum Duty {
    /// It starts and loads the model.
    Loading,
    /// Nothing.
    Free,
    /// A chunk of a job; the request's number, to cancel it.
    Busy { job: u64, chunk: Chunk, request: u64 },
}

/// A worker.
pub(super) struct Member {
    pub(super) number: u64,
    pub(super) line: Line,
    pub(super) duty: Duty,
    pub(super) memory: MemoryUse,
    /// Chunks it has computed.
    pub(super) chunks: usize,
}

impl Member {
    /// Starts a worker of the pool's own and has it load a kept model; `hear` hears how that goes.
    pub(super) fn start(
        number: u64,
        source: ModelSource,
        switches: &str,
        hear: impl Fn(Reply) + Clone + 'static,
    ) -> Result<Self> {
        let heard = hear.clone();
        let link = Link::start_with(switches, move |message: FromWorker| heard(message.reply))?;
        link.send(Request::Hello { protocol: PROTOCOL_VERSION });
        link.ask(Request::LoadModel { source }, hear);
        let line = Line::Own(Rc::new(link));
        Ok(Self { number, line, duty: Duty::Loading, memory: MemoryUse::default(), chunks: 0 })
    }

    /// The session's worker.
    pub(super) fn of_session(number: u64, link: &Rc<Link>) -> Self {
        let line = Line::Session(Rc::downgrade(link));
        Self { number, line, duty: Duty::Loading, memory: MemoryUse::default(), chunks: 0 }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self.line, Line::Own(_))
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(self.duty, Duty::Free)
    }

    pub(super) fn is_loading(&self) -> bool {
        matches!(self.duty, Duty::Loading)
    }

    /// The line, while there is one.
    pub(super) fn link(&self) -> Option<Rc<Link>> {
        match &self.line {
            Line::Session(link) => link.upgrade(),
            Line::Own(link) => Some(Rc::clone(link)),
        }
    }

    /// Asks it to stop what it computes for the pool; its answer makes it free.
    pub(super) fn cancel(&self) {
        if let (Duty::Busy { request, .. }, Some(link)) = (&self.duty, self.link()) {
            link.send(Request::Cancel { target: *request });
        }
    }
}
