//! Asynchronous work of the local cloud: a channel instead of queue and
//! state machine. What is in it also stands in the state table, so a process
//! that dies loses nothing.

use std::sync::Arc;

use async_trait::async_trait;
use mediadex_core::dispatch::{Dispatch, Work};
use mediadex_core::ingest::{self, Due};
use mediadex_core::{Context, Error};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::scans::Scans;

/// Index tasks that are done concurrently.
const BESIDE: usize = 4;
/// Documents whose text is read concurrently.
const TEXTS_BESIDE: usize = 2;

/// Sends work down a channel.
pub(crate) struct LocalDispatch {
    sender: mpsc::UnboundedSender<Work>,
}

impl LocalDispatch {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Work>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender }, receiver)
    }
}

#[async_trait]
impl Dispatch for LocalDispatch {
    async fn send(&self, work: Work) -> Result<(), Error> {
        self.sender.send(work).map_err(|_| Error::unavailable("the local cloud is stopping"))
    }
}

/// Takes work up until told to stop, then finishes what it has begun.
pub(crate) fn run(
    tasks: &mut JoinSet<()>,
    ctx: Context,
    scans: Scans,
    mut works: mpsc::UnboundedReceiver<Work>,
    stop: CancellationToken,
) {
    tasks.spawn(async move {
        let free = Arc::new(Semaphore::new(BESIDE));
        let reading = Arc::new(Semaphore::new(TEXTS_BESIDE));
        let mut running = JoinSet::new();
        loop {
            let work = tokio::select! {
                () = stop.cancelled() => break,
                work = works.recv() => work,
            };
            while running.try_join_next().is_some() {}
            match work {
                None => break,
                Some(Work::Scan { run } | Work::TakeUp { run }) => scans.spawn(&run),
                Some(work @ Work::Text { .. }) => {
                    let (ctx, reading, stop) = (ctx.clone(), Arc::clone(&reading), stop.clone());
                    running.spawn(async move {
                        // What is not read when the process ends, the next scan finds.
                        let turn = tokio::select! {
                            () = stop.cancelled() => return,
                            turn = reading.acquire_owned() => turn,
                        };
                        let Ok(_turn) = turn else { return };
                        read_text(&ctx, &work, &stop).await;
                    });
                }
                Some(Work::IndexTask { project, task_id }) => {
                    let (ctx, free, stop) = (ctx.clone(), Arc::clone(&free), stop.clone());
                    running.spawn(async move {
                        let Ok(_turn) = free.acquire_owned().await else { return };
                        index(&ctx, &project, &task_id, &stop).await;
                    });
                }
            }
        }
        while running.join_next().await.is_some() {}
    });
}

/// How often the clock is looked at.
const TICK: std::time::Duration = std::time::Duration::from_secs(600);

/// Does what is due by the clock, until told to stop.
pub(crate) fn tick(tasks: &mut JoinSet<()>, ctx: Context, stop: CancellationToken) {
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
            if let Err(error) = ingest::on_schedule(&ctx, Due::ByClock).await {
                tracing::warn!(error = %error.internal_text(), "what is due by the clock was not begun");
            }
        }
    });
}

/// Reads the text of a document, again while the store does not answer.
async fn read_text(ctx: &Context, work: &Work, stop: &CancellationToken) {
    for attempt in 1..=4u32 {
        let read = tokio::select! {
            () = stop.cancelled() => return,
            read = ingest::run_text(ctx, work, attempt) => read,
        };
        let Err(error) = read else { return };
        tracing::warn!(?work, attempt, error = %error.internal_text(), "the text of a document was not read");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(std::time::Duration::from_millis(200 << attempt)) => {}
        }
    }
}

/// Does an index task, again and again while the store does not answer, as a
/// queue would send it again.
async fn index(ctx: &Context, project: &str, task_id: &str, stop: &CancellationToken) {
    for attempt in 0..8u32 {
        match ingest::run_index_task(ctx, project, task_id).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(task_id, attempt, error = %error.internal_text(), "an index task failed");
                let pause = std::time::Duration::from_millis(200 << attempt);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}
