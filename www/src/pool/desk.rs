//! The pool's books: who is there, what each does, and what becomes of what they say.
//!
//! Every method changes the books and answers with what is to be told; it is told by the caller once the books are
//! closed again ([`Told::tell`]), because whoever hears it may open them.

use std::rc::Rc;

use candor::error::{Error, Kind, Result};
use candor::platform;
use candor::protocol::{BatchReply, PROTOCOL_VERSION, Reply, Request};

use super::capacity::{Capacity, Device};
use super::job::{BatchEvent, BatchJob, Running};
use super::member::{Duty, Member};
use super::pace::Pace;
use super::schedule::{Chunk, Chunking};
use super::{Pool, PoolModel};
use crate::link::Link;

/// Workers that are replaced in a job; after that it goes on with fewer.
const REPLACED: usize = 2;
/// Seconds between two reports of progress.
const PERIOD: f64 = 0.1;

type Listener = Rc<dyn Fn(BatchEvent)>;

/// What is to be told, and to whom.
#[must_use]
#[derive(Default)]
pub(super) struct Told(Vec<(Listener, BatchEvent)>);

impl Told {
    pub(super) fn tell(self) {
        for (listener, event) in self.0 {
            listener(event);
        }
    }
}

/// The books.
pub(super) struct Desk {
    device: Device,
    pub(super) wanted: Option<usize>,
    model: Option<PoolModel>,
    members: Vec<Member>,
    running: Option<Running>,
    /// Workers that this job can have at most, after some could not be started or replaced.
    limit: usize,
    /// The switch that makes a worker trap; used once.
    stops_after: Option<u64>,
    numbers: u64,
}

impl Desk {
    pub(super) fn new(device: Device, stops_after: Option<u64>) -> Self {
        let (wanted, model, members, running) = (None, None, Vec::new(), None);
        Self { device, wanted, model, members, running, limit: usize::MAX, stops_after, numbers: 0 }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn capacity(&self) -> Option<Capacity> {
        let model = self.model.as_ref()?;
        Some(Capacity::new(self.device, model.memory, model.kept_as.is_some(), model.on_gpu))
    }

    pub(super) fn workers(&self) -> usize {
        self.capacity().map_or(1, |capacity| capacity.workers(self.wanted))
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn begin(&mut self, job: BatchJob, on: Listener) -> Result<u64> {
        if self.running.is_some() {
            return Err(Error::usage("another job is running").help("wait for its end, or cancel it"));
        }
        let model = self.model.as_ref().ok_or_else(|| Error::usage("no model is loaded").help("load a model first"))?;
        let chunking = if model.on_gpu { Chunking::OF_GRAPHICS } else { Chunking::OF_PROCESSORS };
        let model = model.sha256.clone();
        let number = self.number();
        self.limit = if job.alone { 1 } else { usize::MAX };
        self.members.iter_mut().for_each(|member| member.chunks = 0);
        self.running = Some(Running::new(number, job, model, chunking, on));
        Ok(number)
    }

    pub(super) fn session_started(&mut self, link: &Rc<Link>) {
        let number = self.number();
        self.members.retain(Member::is_own);
        self.members.insert(0, Member::of_session(number, link));
    }

    pub(super) fn session_lost(&mut self) -> Told {
        match self.members.iter().find(|member| !member.is_own()).map(|member| member.number) {
            Some(number) => self.lose(number, &Error::new(Kind::Lost, "the engine stopped")),
            None => Told::default(),
        }
    }

    pub(super) fn session_loaded(&mut self, model: PoolModel) -> Told {
        let mut told = Told::default();
        if self.model.as_ref().is_some_and(|before| before.sha256 != model.sha256) {
            let error = Error::usage("another model was loaded while the job was running").help("run the job again");
            told = self.end_with(None, error);
            self.members.retain(|member| !member.is_own());
        }
        if let Some(member) = self.members.iter_mut().find(|member| !member.is_own()) {
            member.memory = model.memory;
            if member.is_loading() {
                member.duty = Duty::Free;
            }
        }
        self.model = Some(model);
        told
    }

    pub(super) fn session_moved(&mut self, on_gpu: bool) {
        if let Some(model) = &mut self.model {
            model.on_gpu = on_gpu;
        }
    }

    pub(super) fn let_go_if_idle(&mut self) {
        if self.running.is_none() {
            self.members.retain(|member| !member.is_own());
        }
    }

    pub(super) fn rest(&mut self, number: u64, rests: bool) -> Told {
        if let Some(running) = self.running.as_mut().filter(|running| running.number == number) {
            running.paused = rests;
            running.told = f64::NEG_INFINITY;
            if let Some(pace) = &mut running.pace {
                pace.rest(platform::now(), rests);
            }
        }
        self.progress()
    }

    /// Ends the job, if it is the one of this number or none is named, and has its workers stop.
    pub(super) fn end_with(&mut self, number: Option<u64>, error: Error) -> Told {
        let Some(running) = self.running.take_if(|running| number.is_none_or(|number| running.number == number)) else {
            return Told::default();
        };
        for member in &self.members {
            member.cancel();
        }
        Told(vec![(running.on, BatchEvent::Ended(Err(error)))])
    }

    /// Takes what a worker says.
    pub(super) fn hear(&mut self, number: u64, reply: Reply) -> Told {
        let Some(at) = self.members.iter().position(|member| member.number == number) else { return Told::default() };
        match reply {
            Reply::Failed(error) if error.kind == Kind::Lost => self.lose(number, &error),
            Reply::Failed(error) => match std::mem::replace(&mut self.members[at].duty, Duty::Free) {
                Duty::Busy { job, chunk, .. } => self.refused(job, &chunk, error),
                Duty::Loading => self.lose(number, &error),
                Duty::Free => Told::default(),
            },
            Reply::Model(info) if self.members[at].is_own() => {
                if self.model.as_ref().is_none_or(|model| model.sha256 != info.sha256) {
                    return self.lose(number, &Error::internal("the kept file is another model"));
                }
                self.members[at].memory = info.memory;
                self.members[at].duty = Duty::Free;
                self.progress()
            }
            Reply::Hello { protocol } if protocol != PROTOCOL_VERSION => {
                let error = Error::new(Kind::Lost, "page and engine are of different versions").help("reload the page");
                self.lose(number, &error)
            }
            Reply::Batch(reply) => {
                self.members[at].memory = reply.memory;
                self.members[at].chunks += 1;
                match std::mem::replace(&mut self.members[at].duty, Duty::Free) {
                    Duty::Busy { job, chunk, .. } => self.computed(job, &chunk, *reply),
                    Duty::Loading | Duty::Free => Told::default(),
                }
            }
            // Greetings, and how far it is with its chunk.
            _ => Told::default(),
        }
    }

    /// A chunk was not computed, though its worker lives: the job was cancelled, or the task is wrong.
    fn refused(&mut self, job: u64, chunk: &Chunk, error: Error) -> Told {
        let Some(running) = self.running.as_mut().filter(|running| running.number == job) else {
            return Told::default();
        };
        if error.kind == Kind::Cancelled {
            // Not by us, or the job would be gone.
            let _ = running.schedule.give_back(chunk, false);
            return Told::default();
        }
        self.end_with(Some(job), error)
    }

    fn computed(&mut self, job: u64, chunk: &Chunk, reply: BatchReply) -> Told {
        let Some(running) = self.running.as_mut().filter(|running| running.number == job) else {
            return Told::default();
        };
        if reply.results.len() != chunk.rows.len() {
            return self.end_with(Some(job), Error::internal("a worker gave another number of results than rows"));
        }
        running.tokens.0 += reply.prefix_tokens as u64;
        for result in &reply.results {
            running.tokens.0 += result.tokens_computed as u64;
            running.tokens.1 += result.tokens_reused as u64;
        }
        let delivered = running.schedule.complete(chunk, reply.results);
        let (cost, _) = running.schedule.cost();
        if let Some(pace) = &mut running.pace {
            pace.push(platform::now(), running.schedule.done(), cost);
        }
        let mut told = Told::default();
        if let Some((first, results)) = delivered {
            told.0.push((Rc::clone(&running.on), BatchEvent::Results { first, results }));
        }
        told.0.extend(self.progress().0);
        told
    }

    /// A worker is gone; its chunk goes to another.
    fn lose(&mut self, number: u64, error: &Error) -> Told {
        let Some(at) = self.members.iter().position(|member| member.number == number) else { return Told::default() };
        let member = self.members.remove(at);
        let Some(running) = self.running.as_mut() else { return Told::default() };
        let mut failed = None;
        match &member.duty {
            Duty::Busy { job, chunk, .. } if *job == running.number => {
                running.lost += 1;
                running.note = Some(format!("a worker stopped and its rows were given to another: {}", error.message));
                if let Err(rows) = running.schedule.give_back(chunk, true) {
                    let message = format!(
                        "rows {} to {} have stopped every worker that tried them: {}",
                        rows.start + 1,
                        rows.end,
                        error.message
                    );
                    failed = Some(Error::new(Kind::Lost, message).help("leave these rows out, and run the others"));
                }
                if running.lost > REPLACED {
                    self.limit = self.members.len();
                }
            }
            Duty::Loading if member.is_own() => {
                running.note = Some(format!("a worker could not be started: {}", error.message));
                self.limit = self.members.len();
            }
            _ => {}
        }
        let nobody_left = self.members.is_empty() && self.limit == 0;
        match failed.or_else(|| nobody_left.then(|| error.clone())) {
            Some(error) => self.end_with(None, error),
            None => self.progress(),
        }
    }

    /// Starts the workers that the job wants, hands out chunks, and sees whether it is finished.
    pub(super) fn go_on(&mut self, pool: &Pool) -> Told {
        if self.running.is_none() {
            return Told::default();
        }
        let workers = self.workers().min(self.limit);
        let mut told = self.recruit(workers, pool);
        let Some(running) = self.running.as_mut() else { return told };
        if running.schedule.is_finished() {
            told.0.extend(self.finish(pool).0);
            return told;
        }
        let ready = self.members.iter().filter(|member| !member.is_loading()).count();
        let waits = running.job.together && running.pace.is_none() && ready < workers.max(1);
        if running.paused || waits {
            return told;
        }
        for member in self.members.iter_mut().filter(|member| member.is_free()) {
            let Some(link) = member.link() else { continue };
            let Some(chunk) = running.schedule.take(ready) else { break };
            running.pace.get_or_insert_with(|| Pace::new(platform::now()));
            let (pool, number) = (pool.clone(), member.number);
            let request = link.ask(Request::Batch(Box::new(running.request(&chunk))), move |reply| match reply {
                // Nobody counts a chunk's tokens.
                Reply::Progress(_) => {}
                reply => pool.hear(number, reply),
            });
            member.duty = Duty::Busy { job: running.number, chunk, request };
        }
        told
    }

    /// Has as many workers as the job wants: starts what is missing, lets go who is too many and free.
    fn recruit(&mut self, workers: usize, pool: &Pool) -> Told {
        while self.members.len() > workers
            && let Some(at) = self.members.iter().rposition(|member| member.is_own() && !is_busy(member))
        {
            self.members.remove(at);
        }
        let Some(source) = self.model.as_ref().and_then(|model| model.kept_as.clone()) else { return Told::default() };
        let mut told = Told::default();
        while self.members.len() < workers {
            let number = self.number();
            // Where several compute, the processor does: none has to find that out again.
            let stops = self.stops_after.take().map(|texts| format!("&engine-stops-after={texts}"));
            let switches = format!("backend=cpu{}", stops.unwrap_or_default());
            let pool = pool.clone();
            let hear = move |reply| pool.hear(number, reply);
            match Member::start(number, source.clone(), &switches, hear) {
                Ok(member) => self.members.push(member),
                Err(error) => {
                    self.limit = self.members.len();
                    if self.members.is_empty() {
                        return self.end_with(None, error);
                    }
                    break;
                }
            }
            told = self.progress();
        }
        told
    }

    fn finish(&mut self, pool: &Pool) -> Told {
        let Some(running) = self.running.take() else { return Told::default() };
        let memory = self.members.iter().filter(|member| member.chunks > 0).map(|member| member.memory).collect();
        let summary = running.summary(platform::now(), memory);
        pool.linger();
        let (ready, starting) = self.counts();
        let progress = BatchEvent::Progress(running.progress(ready, starting));
        Told(vec![(Rc::clone(&running.on), progress), (running.on, BatchEvent::Ended(Ok(summary)))])
    }

    fn counts(&self) -> (usize, usize) {
        let starting = self.members.iter().filter(|member| member.is_loading()).count();
        (self.members.len() - starting, starting)
    }

    /// How far the job is, unless that was told a moment ago.
    fn progress(&mut self) -> Told {
        let (ready, starting) = self.counts();
        let now = platform::now();
        let Some(running) = self.running.as_mut().filter(|running| now - running.told >= PERIOD) else {
            return Told::default();
        };
        running.told = now;
        Told(vec![(Rc::clone(&running.on), BatchEvent::Progress(running.progress(ready, starting)))])
    }
}

fn is_busy(member: &Member) -> bool {
    matches!(member.duty, Duty::Busy { .. })
}

#[cfg(test)]
mod tests {
    use candor::protocol::{MemoryUse, ModelSource};

    use super::*;

    #[test]
    fn a_graphics_device_that_is_lost_leaves_room_for_more_workers() {
        let mut desk = Desk::new(Device { processors: 4, memory: Some(8 << 30) }, None);
        let kept_as = Some(ModelSource::Kept { file: "model.gguf".to_owned() });
        let memory = MemoryUse { weights: 100 << 20, peak: None };
        desk.session_loaded(PoolModel { sha256: "ab".to_owned(), kept_as, memory, on_gpu: true }).tell();
        assert_eq!(desk.workers(), 1);
        desk.session_moved(false);
        assert_eq!(desk.workers(), 3);
        desk.session_moved(true);
        assert_eq!(desk.workers(), 1);
    }
}
