//! Drives scan runs step by step, as the state machine does in the cloud.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use mediadex_core::ingest::{ScanStep, SegmentRef, StepReply, run_step};
use mediadex_core::state::{Run, RunKind};
use mediadex_core::{Context, Error, model};
use tokio_util::sync::CancellationToken;

/// Segments that are walked beside each other.
const BESIDE: usize = 2;
/// Who holds the leases: the state belongs to one process, so one that was
/// killed does not keep its successor waiting.
const HOLDER: &str = "local";

/// The scans that are under way.
#[derive(Clone)]
pub struct Scans {
    ctx: Context,
    stop: CancellationToken,
    running: Arc<Mutex<HashSet<String>>>,
}

impl Scans {
    pub(crate) fn new(ctx: Context, stop: CancellationToken) -> Self {
        Self { ctx, stop, running: Arc::default() }
    }

    /// Drives a run in the background, unless it is driven already.
    pub fn spawn(&self, run: &str) {
        let (this, run) = (self.clone(), run.to_owned());
        tokio::spawn(async move { this.drive(&run).await });
    }

    /// Looks for differences between a dataset and a bucket (or the keys of it
    /// that begin with a prefix), to the end.
    ///
    /// # Errors
    /// When the run cannot be stored.
    pub async fn difference(
        &self,
        project: &str,
        dataset: &str,
        bucket: &str,
        prefix: &str,
    ) -> Result<(), Error> {
        let dataset = self.ctx.db.dataset(project, dataset).await?;
        let run = Run::new(RunKind::Full, &model::run_id(), &dataset, bucket, prefix);
        self.ctx.db.create_run(&run).await?;
        self.drive(&run.run).await;
        Ok(())
    }

    /// Drives a run to its end, or until the local cloud stops.
    pub async fn drive(&self, run: &str) {
        let is_new = self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(run.to_owned());
        if !is_new {
            return;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.steps(run) => {}
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    async fn steps(&self, run: &str) {
        while !self.walk(run).await {}
    }

    /// Plan, all segments, finish; whether the run has ended with it.
    async fn walk(&self, run: &str) -> bool {
        let plan = self.step(ScanStep::Plan { run: run.into() }).await;
        if plan.done {
            return true;
        }
        futures::stream::iter(plan.segments)
            .for_each_concurrent(BESIDE, |segment: SegmentRef| async move {
                loop {
                    let step = ScanStep::ListSegment { run: segment.run.clone(), segment: segment.segment };
                    let reply = self.step(step).await;
                    if reply.done {
                        return;
                    }
                    if reply.busy {
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                }
            })
            .await;
        self.step(ScanStep::Finish { run: run.into() }).await.done
    }

    /// One step, again until it is done: what fails here is the disk or a
    /// folder that is not there, and it may come back.
    async fn step(&self, step: ScanStep) -> StepReply {
        let mut attempt = 0u32;
        loop {
            match run_step(&self.ctx, step.clone(), HOLDER).await {
                Ok(reply) => return reply,
                Err(error) => {
                    let pause = Duration::from_millis((250u64 << attempt.min(7)).min(30_000));
                    tracing::warn!(?step, attempt, error = %error.internal_text(), "a step of a scan failed and is tried again");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
            }
        }
    }
}
