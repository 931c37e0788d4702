//! The worker: takes requests in turn, holds the model and the task.
//!
//! A gloo actor on the outside, so that page and worker agree on how messages travel; inside, two lanes. What a person
//! waits for (a model, a task, a typed text) is done one at a time ([`queue`]); batches are done one at a time beside
//! it ([`batch`]) and rest while there is anything in the first lane ([`gate`]). The engine gives way now and then
//! ([`candor::platform::breathe`]), and then messages come in: a cancel stops the running job, a question about
//! storage is answered beside it, a newer text takes the place of one that waits.
//!
//! On a failure everything that was there before still is: a new model replaces the old one only when it is ready.

mod adapters;
pub mod batch;
mod comparing;
mod examining;
pub mod gate;
pub mod job;
pub mod model;
mod picked;
mod probing;
pub mod queue;
pub mod study;
mod study_queue;
mod vectors;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use candor::classify::{Classifier, Options};
use candor::engine::{Choice, Control, Phase};
use candor::error::{Error, Kind, Result};
use candor::platform;
use candor::protocol::{
    BackendInfo, BatchRequest, FromWorker, ModelInfo, ModelSource, PROTOCOL_VERSION, Progress, Reply, Request, Stage,
    ToWorker,
};
use gloo::worker::{HandlerId, Worker, WorkerScope};
use wasm_bindgen_futures::spawn_local;

use self::examining::Examined;
use self::gate::Gate;
use self::job::Stop;
use self::model::{Model, Purpose};
use self::queue::Queue;
use self::study_queue::StudyQueue;
use crate::codec::Packet;
use crate::store::obtain::Facts;
use crate::store::reader::ModelReader;
use crate::store::{Obtained, Store, Wanted, Watch, is_intact, obtain};
use crate::switches::Switches;
use crate::throttle::Throttle;

/// The actor: gloo's end of it.
pub struct EngineWorker {
    desk: Rc<Desk>,
}

impl std::fmt::Debug for EngineWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EngineWorker")
    }
}

impl Worker for EngineWorker {
    type Message = ();
    type Input = Packet;
    type Output = Packet;

    fn create(scope: &WorkerScope<Self>) -> Self {
        Self { desk: Rc::new(Desk::new(scope.clone())) }
    }

    fn update(&mut self, _scope: &WorkerScope<Self>, (): ()) {}

    fn received(&mut self, _scope: &WorkerScope<Self>, packet: Packet, from: HandlerId) {
        *self.desk.page.borrow_mut() = Some(from);
        match packet.unpack::<ToWorker>() {
            Ok(message) => Rc::clone(&self.desk).take(message),
            Err(error) => self.desk.answer(0, Reply::Failed(error)),
        }
    }
}

/// Everything the worker has.
struct Desk {
    scope: WorkerScope<EngineWorker>,
    page: RefCell<Option<HandlerId>>,
    queue: RefCell<Queue>,
    working: Cell<bool>,
    running: RefCell<Option<(u64, Stop)>>,
    gate: Rc<Gate>,
    batches: RefCell<VecDeque<(u64, BatchRequest)>>,
    batching: Cell<bool>,
    running_batch: RefCell<Option<(u64, Stop)>>,
    studies: RefCell<StudyQueue>,
    examined: RefCell<Option<Examined>>,
    studying: Cell<bool>,
    /// What typed texts are classified with.
    model: RefCell<Option<Rc<Model>>>,
    /// The loaded model without an adapter first, then with those that were used last.
    variants: RefCell<Vec<Rc<Model>>>,
    told_backend: RefCell<Option<BackendInfo>>,
    store: RefCell<Option<Rc<Store>>>,
    /// The file of each stem that this worker writes vectors to.
    vector_files: RefCell<BTreeMap<String, String>>,
    switches: Switches,
    texts: Cell<u64>,
}

impl Desk {
    fn new(scope: WorkerScope<EngineWorker>) -> Self {
        Self {
            scope,
            page: RefCell::default(),
            queue: RefCell::default(),
            working: Cell::new(false),
            running: RefCell::default(),
            gate: Rc::default(),
            batches: RefCell::default(),
            batching: Cell::new(false),
            running_batch: RefCell::default(),
            studies: RefCell::default(),
            examined: RefCell::default(),
            studying: Cell::new(false),
            model: RefCell::default(),
            variants: RefCell::default(),
            told_backend: RefCell::default(),
            store: RefCell::default(),
            vector_files: RefCell::default(),
            switches: Switches::of_worker(),
            texts: Cell::new(0),
        }
    }

    fn answer(&self, id: u64, reply: Reply) {
        let Some(page) = *self.page.borrow() else { return };
        let packet = Packet::pack(&FromWorker { id, reply })
            .or_else(|error| Packet::pack(&FromWorker { id, reply: Reply::Failed(error) }));
        if let Ok(packet) = packet {
            self.scope.respond(page, packet);
        }
    }

    fn take(self: Rc<Self>, message: ToWorker) {
        let id = message.id;
        match message.request {
            Request::Hello { .. } => self.answer(id, Reply::Hello { protocol: PROTOCOL_VERSION }),
            Request::Cancel { target } => self.cancel(target),
            Request::Storage => spawn_local(async move {
                let store = self.store().await;
                self.answer(id, store.report().await.map_or_else(Reply::Failed, Reply::Storage));
            }),
            Request::Forget { file } => spawn_local(async move {
                let store = self.store().await;
                let report = match store.forget(&file).await {
                    Ok(()) => store.report().await,
                    Err(error) => Err(error),
                };
                self.answer(id, report.map_or_else(Reply::Failed, Reply::Storage));
            }),
            Request::ForgetAdapter { sha256 } => spawn_local(async move {
                let store = self.store().await;
                let report = match store.adapters.forget(&sha256).await {
                    Ok(()) => store.report().await,
                    Err(error) => Err(error),
                };
                self.answer(id, report.map_or_else(Reply::Failed, Reply::Storage));
            }),
            Request::Batch(request) => self.take_batch(id, *request),
            Request::Study(request) => self.study(id, *request),
            Request::LoadModel { .. }
            | Request::SetAdapter { .. }
            | Request::SetTask { .. }
            | Request::Classify { .. } => {
                let superseded = self.queue.borrow_mut().push(message);
                for older in superseded {
                    self.answer(older, Reply::Failed(Error::new(Kind::Cancelled, "a newer request took its place")));
                }
                if !self.working.replace(true) {
                    spawn_local(self.work());
                }
            }
        }
    }

    fn cancel(&self, target: u64) {
        if self.queue.borrow_mut().remove(target) {
            self.answer(target, Reply::Failed(Error::new(Kind::Cancelled, "cancelled")));
        } else if let Some((_, stop)) = self.running.borrow().as_ref().filter(|(id, _)| *id == target) {
            stop.stop();
        } else {
            self.cancel_batch(target);
        }
    }

    /// Does what waits, one after the other; batches rest meanwhile.
    async fn work(self: Rc<Self>) {
        let _hold = self.gate.hold();
        loop {
            let next = self.queue.borrow_mut().take_next();
            let Some((id, request)) = next else { break };
            let stop = Stop::new();
            *self.running.borrow_mut() = Some((id, stop.clone()));
            let outcome = self.run(id, request, &stop).await;
            *self.running.borrow_mut() = None;
            self.answer(id, outcome.unwrap_or_else(Reply::Failed));
            self.tell_backend();
        }
        self.working.set(false);
    }

    async fn run(&self, id: u64, request: Request, stop: &Stop) -> Result<Reply> {
        match request {
            Request::LoadModel { source } => {
                self.load(id, &source, stop).await.map(|info| Reply::Model(Box::new(info)))
            }
            Request::SetAdapter { source } => self.set_adapter(source).await.map(|info| Reply::Adapter(Box::new(info))),
            Request::SetTask { task } => {
                let model = self.model()?;
                let mut progress = self.reporter(id, Stage::Prefix);
                let mut control = Control::new(stop.cancel(), &mut progress);
                let (prepared, _) = model.prepare(Purpose::Typing, &task, &mut control).await?;
                Ok(Reply::Task(model.classifier.report(&prepared)))
            }
            Request::Classify { text, top, limit_tokens } => {
                self.count_texts(1);
                let model = self.model()?;
                let no_task = || Error::usage("no task is set").help("set a task first");
                let task = model.task(Purpose::Typing).ok_or_else(no_task)?;
                let mut progress = self.reporter(id, Stage::Classify);
                let mut control = Control::new(stop.cancel(), &mut progress);
                let options = Options { top, limit_tokens };
                let results = model.classifier.classify_with_vectors(&task, &[&text], &options, &mut control).await?;
                let result = results.into_iter().next().ok_or_else(|| Error::internal("a text gave no result"))?;
                Ok(Reply::Classified(Box::new(result)))
            }
            _ => Err(Error::internal("a request was queued that needs no engine")),
        }
    }

    async fn load(&self, id: u64, source: &ModelSource, stop: &Stop) -> Result<ModelInfo> {
        let started = platform::now();
        let wanted = Wanted::new(source)?;
        let store = self.store().await;
        let mut tell = |progress| self.answer(id, Reply::Progress(progress));
        let mut watch = Watch::new(stop.signal()?, &mut tell);
        let Obtained { reader, mut facts } = obtain(&store, &wanted, &mut watch).await?;
        let mut loaded = self.read_model(id, reader, &wanted, stop).await;
        if let Err(error) = &loaded
            && facts.from_cache
            && matches!(error.kind, Kind::Format | Kind::Io)
            && !is_intact(&store, &wanted, &mut watch).await?
        {
            store.forget(&wanted.file).await?;
            let again = obtain(&store, &wanted, &mut watch).await?;
            facts = again.facts;
            loaded = self.read_model(id, again.reader, &wanted, stop).await;
        }
        if let Err(error) = &loaded
            && wanted.sha256.is_none()
            && matches!(error.kind, Kind::Format | Kind::Unsupported | Kind::Input)
        {
            // Nobody is helped by keeping what this engine cannot use.
            let _ = store.forget(&wanted.file).await;
        }
        let classifier = loaded.map_err(|error| error.at_file(&wanted.file))?;
        let load_seconds = platform::now() - started;
        let Facts { bytes, sha256, from_cache, kept } = facts;
        let info = ModelInfo { bytes, sha256, from_cache, kept, load_seconds, ..classifier.model_info() };
        *self.told_backend.borrow_mut() = Some(classifier.backend());
        let base = Rc::new(Model::new(classifier, info.clone()));
        *self.variants.borrow_mut() = vec![Rc::clone(&base)];
        *self.model.borrow_mut() = Some(base);
        Ok(info)
    }

    async fn read_model(&self, id: u64, reader: ModelReader, wanted: &Wanted, stop: &Stop) -> Result<Classifier> {
        let stage = Cell::new(Stage::Load);
        let mut throttle = Throttle::default();
        let mut progress = |done, total| {
            if throttle.is_due(done, total) {
                self.answer(id, Reply::Progress(Progress { stage: stage.get(), done, total }));
            }
        };
        let mut phases = |phase| stage.set(stage_of(phase));
        let mut control = Control::new(stop.cancel(), &mut progress).telling(&mut phases);
        // A name that is none is left to the choice of the engine.
        let choice = self.switches.backend.as_ref().and_then(|name| name.parse().ok()).unwrap_or(Choice::Auto);
        Classifier::load_on(choice, reader, &wanted.name, &mut control).await
    }

    /// Says where the model computes, if that has changed since it was said last.
    fn tell_backend(&self) {
        let Some(model) = self.model.borrow().clone() else { return };
        let now = model.classifier.backend();
        let before = self.told_backend.replace(Some(now.clone()));
        if before.is_some_and(|before| before != now) {
            self.answer(0, Reply::Backend(now));
        }
    }

    /// Turns the engine's counts into messages.
    fn reporter(&self, id: u64, stage: Stage) -> impl FnMut(u64, Option<u64>) {
        let mut throttle = Throttle::default();
        move |done, total| {
            if throttle.is_due(done, total) {
                self.answer(id, Reply::Progress(Progress { stage, done, total }));
            }
        }
    }

    fn model(&self) -> Result<Rc<Model>> {
        let none = || Error::usage("no model is loaded").help("load a model first");
        self.model.borrow().clone().ok_or_else(none)
    }

    fn count_texts(&self, more: u64) {
        let before = self.texts.get();
        let texts = before + more;
        self.texts.set(texts);
        let crossed = |limit: u64| before <= limit && texts > limit;
        if self.switches.graphics_lost_after.is_some_and(crossed)
            && let Some(gpu) = self.model.borrow().as_ref().and_then(|model| model.classifier.engine().gpu())
        {
            gpu.device().destroy();
        }
        if self.switches.stops_after.is_some_and(|limit| texts > limit) {
            panic!("stopped by the page's address after {} texts", texts - more);
        }
    }

    async fn store(&self) -> Rc<Store> {
        if let Some(store) = self.store.borrow().clone() {
            return store;
        }
        let store = Rc::new(Store::open(&self.switches).await);
        self.store.borrow_mut().get_or_insert(store).clone()
    }
}

/// The stage that the page is told of.
fn stage_of(phase: Phase) -> Stage {
    match phase {
        Phase::Read => Stage::Load,
        Phase::Upload => Stage::Upload,
        Phase::Compile => Stage::Compile,
    }
}
