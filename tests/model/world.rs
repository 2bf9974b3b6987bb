//! The world of one run: the services, the real code over them, and the parts
//! that the cloud plays: the queue that delivers events, the state machine that
//! drives scans, the queue of tasks. Any worker may be killed at any moment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dynoxide::Database;
use mediadex_core::dispatch::{Dispatch, Work};
use mediadex_core::ingest::{
    Due, ScanStep, StepReply, on_object_event, on_schedule, run_index_task, run_step, run_text,
};
use mediadex_core::keys::{Keys, SealingKey};
use mediadex_core::operation::{Call, Params, operation};
use mediadex_core::simulation::{self, Safeguard};
use mediadex_core::text::InProcess;
use mediadex_core::{Code, Config, Context, Error};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::aws::Services;
use crate::bucket::Sent;

pub(crate) const BUCKET: &str = "bucket";
pub(crate) const PROJECT: &str = "p";
/// When the model's time begins.
const EPOCH: i64 = 1_780_000_000;
/// Seconds until a message that was not processed comes again.
const VISIBILITY: u64 = 30;
/// Deliveries of a message before it goes to the dead-letter queue.
const MAX_RECEIVES: u32 = 5;

/// Collects what the operations enqueue.
#[derive(Default)]
struct Outbox {
    works: Mutex<Vec<Work>>,
}

#[async_trait]
impl Dispatch for Outbox {
    async fn send(&self, work: Work) -> Result<(), Error> {
        self.works.lock().unwrap().push(work);
        Ok(())
    }
}

/// What a run may do to workers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disorder {
    /// One worker in so many is killed at work; 0: none.
    pub(crate) kill_one_in: u32,
}

pub(crate) struct World {
    pub(crate) services: Services,
    pub(crate) ctx: Context,
    pub(crate) chance: SmallRng,
    pub(crate) disorder: Disorder,
    outbox: Arc<Outbox>,
    pub(crate) started: tokio::time::Instant,
    /// Messages that were given up.
    pub(crate) dead: Arc<Mutex<Vec<Sent>>>,
    /// Scans that could not be driven to their end.
    pub(crate) stuck: Arc<Mutex<Vec<String>>>,
    working: Vec<JoinHandle<()>>,
}

impl World {
    /// The world of a seed. The database is shared with other runs: its tables
    /// are named after the run.
    pub(crate) async fn new(
        seed: u64,
        database: &Database,
        off: Option<Safeguard>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let started = tokio::time::Instant::now();
        let clock = move || EPOCH * 1_000_000_000 + i64::try_from(started.elapsed().as_nanos()).unwrap();
        simulation::enter(seed, clock, off);
        fastrand::seed(seed);
        let services = Services::new(seed, database);
        let outbox = Arc::new(Outbox::default());
        let mut config = Config {
            partitions: 2,
            counter_shards: 2,
            object_queue_arn: Some("arn:aws:sqs:us-east-1:000000000000:objects".into()),
            s3_path_style: true,
            // Every page is a step of its own, and a few keys are pages.
            step_seconds: 0,
            scan_page: 3,
            scan_segments: 3,
            max_attempts: MAX_RECEIVES,
            ..Config::default()
        };
        change(&mut config);
        let sealing = SealingKey::parse("a sealing key for the model's worlds").unwrap();
        let keys = Keys::default().sealed_with(sealing);
        let ctx = services.context(config, outbox.clone()).with_keys(keys);
        let ctx = ctx.with_text_reader(Arc::new(InProcess));
        Self {
            services,
            ctx,
            chance: SmallRng::seed_from_u64(seed),
            disorder: Disorder { kill_one_in: 0 },
            outbox,
            started,
            dead: Arc::default(),
            stuck: Arc::default(),
            working: Vec::new(),
        }
    }

    /// The model's time, in whole seconds.
    pub(crate) fn now(&self) -> i64 {
        EPOCH + i64::try_from(self.started.elapsed().as_secs()).unwrap()
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, name: &str, params: Value) -> Result<Params, Error> {
        call(&self.ctx, name, params).await
    }

    /// Calls an operation that must succeed, without faults.
    pub(crate) async fn must(&self, name: &str, params: Value) -> Params {
        match self.call(name, params.clone()).await {
            Ok(reply) => reply,
            Err(error) => panic!("{name} {params}: {}", error.internal_text()),
        }
    }

    /// When a worker that starts now is killed.
    fn death(&mut self) -> Option<Duration> {
        let rate = self.disorder.kill_one_in;
        let dies = rate > 0 && self.chance.random_range(0..rate) == 0;
        dies.then(|| Duration::from_millis(self.chance.random_range(0..400)))
    }

    /// Delivers an event after a while, and again while it is not processed.
    pub(crate) fn deliver(&mut self, events: Vec<Sent>, after: Duration) {
        let deaths: Vec<_> = (0..MAX_RECEIVES).map(|_| self.death()).collect();
        let (ctx, dead) = (self.ctx.clone(), Arc::clone(&self.dead));
        self.working.push(tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let mut open = events;
            for (received, death) in (1..).zip(deaths) {
                open = receive(&ctx, open, received, death).await;
                if open.is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(VISIBILITY)).await;
            }
            dead.lock().unwrap().extend(open);
        }));
    }

    /// Takes up what operations have enqueued; sometimes twice, as queues do.
    pub(crate) fn take_up(&mut self) {
        let works: Vec<Work> = std::mem::take(&mut *self.outbox.works.lock().unwrap());
        for work in works {
            let twice = self.disorder.kill_one_in > 0 && self.chance.random_range(0..4) == 0;
            for _ in 0..1 + u32::from(twice) {
                match &work {
                    Work::Scan { run } | Work::TakeUp { run } => self.drive(run),
                    Work::IndexTask { project, task_id } => self.index(project, task_id),
                    Work::Text { .. } => self.read_text(&work),
                }
            }
        }
    }

    /// Reads a text as the queue has it read: again after each death, and no more after
    /// the last delivery.
    fn read_text(&mut self, work: &Work) {
        let deaths: Vec<_> = (0..MAX_RECEIVES).map(|_| self.death()).collect();
        let (ctx, work) = (self.ctx.clone(), work.clone());
        self.working.push(tokio::spawn(async move {
            for (delivery, death) in (1..).zip(deaths) {
                let (ctx, work) = (ctx.clone(), work.clone());
                let read = async move { run_text(&ctx, &work, delivery).await };
                if let Some(Ok(())) = mortal(read, death).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(VISIBILITY)).await;
            }
        }));
    }

    fn index(&mut self, project: &str, task_id: &str) {
        let deaths: Vec<_> = (0..MAX_RECEIVES).map(|_| self.death()).collect();
        let (ctx, project, task_id) = (self.ctx.clone(), project.to_owned(), task_id.to_owned());
        self.working.push(tokio::spawn(async move {
            for death in deaths.into_iter().chain(std::iter::repeat_n(None, 20)) {
                let work = {
                    let (ctx, project, task_id) = (ctx.clone(), project.clone(), task_id.clone());
                    async move { run_index_task(&ctx, &project, &task_id).await }
                };
                if let Some(Ok(())) = mortal(work, death).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(VISIBILITY)).await;
            }
        }));
    }

    /// Drives a scan as the state machine does: each step is a call of its own
    /// that may die and is tried again.
    pub(crate) fn drive(&mut self, run: &str) {
        let seed = self.chance.random();
        let rate = self.disorder.kill_one_in;
        let (ctx, run, stuck) = (self.ctx.clone(), run.to_owned(), Arc::clone(&self.stuck));
        self.working.push(tokio::spawn(async move {
            let machine = Machine { ctx, chance: Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))), rate };
            if !machine.run(&run).await {
                stuck.lock().unwrap().push(run);
            }
        }));
    }

    /// What operations have enqueued does not arrive.
    pub(crate) fn forget_work(&self) {
        self.outbox.works.lock().unwrap().clear();
    }

    /// Lets time pass until the schedule comes round, and does what it begins.
    pub(crate) async fn schedule(&mut self) {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        if let Err(error) = on_schedule(&self.ctx, Due::ByClock).await {
            panic!("the schedule: {}", error.internal_text());
        }
        self.settle().await;
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn settle(&mut self) {
        loop {
            self.take_up();
            let working = std::mem::take(&mut self.working);
            if working.is_empty() {
                return;
            }
            for task in working {
                task.await.unwrap();
            }
        }
    }
}

pub(crate) async fn call(ctx: &Context, name: &str, params: Value) -> Result<Params, Error> {
    let Value::Object(params) = params else { panic!("parameters must be an object") };
    let call = Call::new("R".into());
    operation(name).unwrap().run(ctx, &call, params).await
}

/// Runs work that may be killed after a while; `None`: it was.
async fn mortal<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    death: Option<Duration>,
) -> Option<T> {
    // No worker lives longer than this.
    let death = death.unwrap_or(Duration::from_secs(900));
    let task = tokio::spawn(work);
    let handle = task.abort_handle();
    tokio::select! {
        done = task => Some(done.unwrap()),
        () = tokio::time::sleep(death) => {
            handle.abort();
            None
        }
    }
}

/// One delivery of messages; gives those that must come again.
async fn receive(ctx: &Context, messages: Vec<Sent>, received: u32, death: Option<Duration>) -> Vec<Sent> {
    let records: Vec<Value> = (0..)
        .zip(&messages)
        .map(|(index, sent): (usize, &Sent)| {
            json!({"messageId": index.to_string(), "eventSource": "aws:sqs", "body": sent.record.to_string(),
                "attributes": {"ApproximateReceiveCount": received.to_string()}})
        })
        .collect();
    let ctx = ctx.clone();
    let work = async move { on_object_event(&ctx, json!({ "Records": records })).await };
    match mortal(work, death).await {
        Some(Ok(reply)) => {
            let failed: Vec<usize> = reply
                .batch_item_failures
                .iter()
                .map(|failure| failure.item_identifier.parse().unwrap())
                .collect();
            messages
                .into_iter()
                .enumerate()
                .filter(|(index, _)| failed.contains(index))
                .map(|(_, sent)| sent)
                .collect()
        }
        _ => messages,
    }
}

/// Delivers messages now, to a worker that does not die.
pub(crate) async fn deliver_now(ctx: &Context, messages: Vec<Sent>) -> Vec<Sent> {
    receive(ctx, messages, 1, None).await
}

/// The state machine of scans.
#[derive(Clone)]
struct Machine {
    ctx: Context,
    chance: Arc<Mutex<SmallRng>>,
    rate: u32,
}

impl Machine {
    fn death(&self) -> Option<Duration> {
        let mut chance = self.chance.lock().unwrap();
        let dies = self.rate > 0 && chance.random_range(0..self.rate) == 0;
        dies.then(|| Duration::from_millis(chance.random_range(0..1500)))
    }

    /// Walks a run until it has ended; whether it came to that.
    async fn run(&self, run: &str) -> bool {
        // Once more for what is gone, again for what goes meanwhile, once more where
        // it made room.
        for _ in 0..12 {
            match self.walk(run).await {
                Some(false) => {}
                ended => return ended.is_some(),
            }
        }
        false
    }

    /// Plan, all segments concurrently, finish; whether the run has ended.
    async fn walk(&self, run: &str) -> Option<bool> {
        let plan = self.step(ScanStep::Plan { run: run.into() }).await?;
        if plan.done {
            return Some(true);
        }
        let segments: Vec<_> = plan
            .segments
            .into_iter()
            .map(|segment| {
                let this = self.clone();
                tokio::spawn(async move {
                    // A lease that nobody gives back runs out.
                    for _ in 0..100 {
                        let step =
                            ScanStep::ListSegment { run: segment.run.clone(), segment: segment.segment };
                        match this.step(step).await {
                            Some(reply) if reply.done => return true,
                            Some(reply) if reply.busy => tokio::time::sleep(Duration::from_secs(30)).await,
                            Some(_) => {}
                            None => return false,
                        }
                    }
                    false
                })
            })
            .collect();
        for segment in segments {
            if !segment.await.unwrap() {
                return None;
            }
        }
        self.step(ScanStep::Finish { run: run.into() }).await.map(|reply| reply.done)
    }

    /// One step, with the retries that the state machine has.
    async fn step(&self, step: ScanStep) -> Option<StepReply> {
        for attempt in 0..12 {
            let death = if attempt < 8 { self.death() } else { None };
            let holder = format!("{:x}", self.chance.lock().unwrap().random::<u64>());
            let (ctx, step) = (self.ctx.clone(), step.clone());
            let work = async move { run_step(&ctx, step, &holder).await };
            match mortal(work, death).await {
                Some(Ok(reply)) => return Some(reply),
                // What the state machine does not try again.
                Some(Err(error)) if matches!(error.code(), Code::ResourceNotFound | Code::StatusConflict) => {
                    return None;
                }
                _ => {}
            }
            // A killed function's step is tried again when its time is over.
            tokio::time::sleep(Duration::from_secs(2 << attempt.min(6))).await;
        }
        None
    }
}
