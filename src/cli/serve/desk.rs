//! The desk where texts wait: requests hand theirs in, one thread computes what waits together.
//!
//! The engine is one computation that uses all cores, so one thread runs it. Between two batches it takes in whatever
//! has arrived; a batch takes texts from the requests in turn, one each, so that a single text is not kept waiting by
//! a thousand of somebody else's. A request whose client has gone away is dropped where it stands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};

use crate::classify::{Classifier, HowSure, quietly};
use crate::cli::scoring::{self, Allowed, BATCH_TEXTS};
use crate::dataset::Example;
use crate::error::{Error, Result};
use crate::evaluate::Finish;
use crate::protocol::Classification;
use crate::task::Task;

/// What the working thread needs beside the classifier.
pub struct Settings<'a> {
    pub task: Task,
    pub calibrator: Option<Allowed>,
    pub scoring: &'a scoring::Arguments,
    pub how_sure: Option<HowSure>,
}

/// Texts of one request on their way.
struct Job {
    texts: Vec<String>,
    calibrated: bool,
    reply: oneshot::Sender<Result<Vec<Classification>>>,
    /// Room in the queue; given back when the job is dropped.
    _room: OwnedSemaphorePermit,
}

/// The working thread's end of the queue.
pub struct Queue {
    jobs: mpsc::UnboundedReceiver<Job>,
    classified: Arc<AtomicU64>,
}

/// Why texts were not taken in.
pub enum Refused {
    /// More texts than the queue can ever hold.
    TooMany,
    /// No room now.
    Full,
}

/// Where requests hand in their texts.
pub struct Desk {
    // Bounded by the permits, which count texts: a channel could only count requests.
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    limit: usize,
    classified: Arc<AtomicU64>,
}

impl Desk {
    /// A desk with room for `limit` texts, and the queue behind it.
    pub fn new(limit: usize) -> (Self, Queue) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let classified = Arc::new(AtomicU64::new(0));
        let queue = Queue { jobs: receiver, classified: Arc::clone(&classified) };
        (Self { jobs: sender, room: Arc::new(Semaphore::new(limit)), limit, classified }, queue)
    }

    /// Texts that wait or are being computed.
    pub fn waiting(&self) -> usize {
        self.limit.saturating_sub(self.room.available_permits())
    }

    /// Whether nobody computes any more: the working thread is gone, and with it its end of the queue.
    pub fn is_abandoned(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Texts that were classified so far.
    pub fn classified(&self) -> u64 {
        self.classified.load(Ordering::Relaxed)
    }

    /// Hands in texts; what comes back is a promise of their results, in order.
    ///
    /// # Errors
    /// No room, now or ever.
    pub fn hand_in(
        &self,
        texts: Vec<String>,
        calibrated: bool,
    ) -> Result<oneshot::Receiver<Result<Vec<Classification>>>, Refused> {
        let count = u32::try_from(texts.len()).ok().filter(|count| *count as usize <= self.limit);
        let count = count.ok_or(Refused::TooMany)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(count).map_err(|error| match error {
            TryAcquireError::NoPermits | TryAcquireError::Closed => Refused::Full,
        })?;
        let (reply, result) = oneshot::channel();
        // A worker that has ended drops the job, and the receiver hears of that.
        let _ = self.jobs.send(Job { texts, calibrated, reply, _room: room });
        Ok(result)
    }
}

/// A job under way.
struct Open {
    job: Job,
    results: Vec<Classification>,
    /// Texts that are in a batch or done.
    taken: usize,
}

impl Open {
    fn new(job: Job) -> Self {
        Self { results: Vec::with_capacity(job.texts.len()), job, taken: 0 }
    }
}

/// Computes what is handed in until the desk is gone and its last job done.
pub fn work(mut queue: Queue, classifier: &Classifier, settings: &Settings<'_>) {
    let finishes = [settings.calibrator.as_ref(), None].map(|with| settings.scoring.finish(with, &settings.task));
    let mut open: VecDeque<Open> = VecDeque::new();
    loop {
        if open.is_empty() {
            let Some(job) = queue.jobs.blocking_recv() else { return };
            open.push_back(Open::new(job));
        }
        while let Ok(job) = queue.jobs.try_recv() {
            open.push_back(Open::new(job));
        }
        open.retain(|open| !open.job.reply.is_closed());
        let owners = draw(&mut open);
        if owners.is_empty() {
            continue;
        }
        let computed = classify(classifier, settings, &open, &owners);
        queue.classified.fetch_add(owners.len() as u64, Ordering::Relaxed);
        hand_out(&mut open, &owners, computed, &finishes);
    }
}

/// Takes up to a batch of texts from the open jobs in turn; gives, for each, the job's place and the text's.
fn draw(open: &mut VecDeque<Open>) -> Vec<(usize, usize)> {
    let mut drawn = Vec::with_capacity(BATCH_TEXTS);
    while drawn.len() < BATCH_TEXTS {
        let before = drawn.len();
        for (place, one) in open.iter_mut().enumerate() {
            if drawn.len() < BATCH_TEXTS && one.taken < one.job.texts.len() {
                drawn.push((place, one.taken));
                one.taken += 1;
            }
        }
        if drawn.len() == before {
            break;
        }
    }
    drawn
}

fn classify(
    classifier: &Classifier,
    settings: &Settings<'_>,
    open: &VecDeque<Open>,
    owners: &[(usize, usize)],
) -> Result<Vec<Classification>> {
    let texts: Vec<&str> = owners.iter().map(|(job, text)| open[*job].job.texts[*text].as_str()).collect();
    let options = settings.scoring.options();
    let compute = || {
        pollster::block_on(quietly(async |control| {
            let mut results = classifier.classify_batch(&texts, &options, control).await?;
            if let Some(question) = &settings.how_sure {
                question.ask(classifier, &mut results, &options, control).await?;
            }
            Ok(results)
        }))
    };
    // On a thread of the pool for as long as the batch takes: from outside, every one of its loops would wait for one.
    rayon::scope(|_| compute())
}

/// Gives each job its results; a job that has all of them, or whose batch failed, is answered.
fn hand_out(
    open: &mut VecDeque<Open>,
    owners: &[(usize, usize)],
    computed: Result<Vec<Classification>>,
    finishes: &[Result<Finish<'_>>; 2],
) {
    let mut failures: Vec<Option<Error>> = vec![None; open.len()];
    match computed {
        Ok(results) => {
            for ((job, text), result) in owners.iter().zip(results) {
                let one = &mut open[*job];
                match finished(&finishes[usize::from(!one.job.calibrated)], &one.job.texts[*text], *text, result) {
                    Ok(result) => one.results.push(result),
                    Err(error) => failures[*job] = Some(error),
                }
            }
        }
        Err(error) => owners.iter().for_each(|(job, _)| failures[*job] = Some(error.clone())),
    }
    for (place, failure) in failures.into_iter().enumerate().rev() {
        let done = open[place].results.len() == open[place].job.texts.len();
        if !done && failure.is_none() {
            continue;
        }
        if let Some(one) = open.remove(place) {
            let answer = failure.map_or(Ok(one.results), Err);
            // Nobody listens any more: then nobody misses it.
            let _ = one.job.reply.send(answer);
        }
    }
}

fn finished(finish: &Result<Finish<'_>>, text: &str, place: usize, result: Classification) -> Result<Classification> {
    let finish = finish.as_ref().map_err(Error::clone)?;
    let row = Example {
        id: (place + 1).to_string(),
        text: text.to_owned(),
        label: None,
        group: None,
        line: place as u64 + 1,
    };
    finish.row(&row, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(desk: &Desk, texts: usize) -> Open {
        let (reply, _) = oneshot::channel();
        let room = Arc::clone(&desk.room).try_acquire_many_owned(texts as u32).unwrap();
        Open::new(Job { texts: vec!["a".into(); texts], calibrated: false, reply, _room: room })
    }

    #[test]
    fn a_batch_takes_from_every_request_in_turn() {
        let (desk, _queue) = Desk::new(1000);
        let mut waiting: VecDeque<Open> = [500, 1, 2].map(|texts| open(&desk, texts)).into();
        let drawn = draw(&mut waiting);
        assert_eq!(drawn.len(), BATCH_TEXTS);
        assert_eq!(&drawn[..6], &[(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]);
        assert_eq!(waiting[0].taken, BATCH_TEXTS - 3);
        assert_eq!(draw(&mut waiting)[0], (0, BATCH_TEXTS - 3));
    }

    #[test]
    fn room_is_counted_in_texts_and_given_back() {
        let (desk, mut queue) = Desk::new(3);
        let texts = |count| vec![String::new(); count];
        assert!(matches!(desk.hand_in(texts(4), false), Err(Refused::TooMany)));
        assert!(desk.hand_in(texts(2), false).is_ok());
        assert!(matches!(desk.hand_in(texts(2), false), Err(Refused::Full)));
        assert_eq!(desk.waiting(), 2);
        drop(queue.jobs.try_recv());
        assert_eq!(desk.waiting(), 0);
        assert!(desk.hand_in(texts(3), false).is_ok());
    }
}
