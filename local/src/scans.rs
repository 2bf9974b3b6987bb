//! Drives scan runs step by step, as the state machine does in the cloud.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use mediadex_core::ingest::{ScanStep, SegmentRef, StepReply, run_step};
use mediadex_core::model::Timestamp;
use mediadex_core::state::{Held, Run, RunKind};
use mediadex_core::{Context, Error, model};
use tokio_util::sync::CancellationToken;

/// Segments that are walked concurrently.
const BESIDE: usize = 2;
/// Who holds the leases: the state belongs to one process, so one that was
/// killed does not keep its successor waiting.
const HOLDER: &str = "local";

/// Seconds after removals were held back at which the bucket is looked at again,
/// whatever the configuration: the events of a move may come after the scan that
/// found its files missing.
const SOON: [i64; 2] = [10, 60];
/// Seconds between two looks where there is no sooner reason.
const LATER: i64 = 300;

/// The scans that are under way.
#[derive(Clone)]
pub struct Scans {
    ctx: Context,
    stop: CancellationToken,
    running: Arc<Mutex<HashSet<String>>>,
    /// Bindings that will be looked at again, as dataset id and bucket.
    waiting: Arc<Mutex<HashSet<(String, String)>>>,
}

/// Seconds until a binding that holds removals back is looked at again.
fn until_next_look(held: &Held, now: i64, confirm: Option<i64>) -> i64 {
    let proof = held.shown.zip(confirm).map(|(shown, seconds)| shown + seconds + 1);
    let looks = SOON.into_iter().map(|after| held.since + after).chain(proof);
    let next = looks.map(|at| at - now).filter(|pause| *pause > 0).min();
    // Where something may not be read, that may change at any time.
    let later = if held.shown.is_some() { LATER } else { (now - held.since).clamp(10, LATER) };
    next.unwrap_or(later)
}

impl Scans {
    pub(crate) fn new(ctx: Context, stop: CancellationToken) -> Self {
        Self { ctx, stop, running: Arc::default(), waiting: Arc::default() }
    }

    /// Whether no scan is under way.
    pub(crate) fn are_idle(&self) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
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
            () = self.steps(run) => self.look_again(run).await,
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    /// Where the binding of a run holds removals back, looks at the bucket again
    /// after a while. A process that ends meanwhile scans at its next start.
    async fn look_again(&self, run: &str) {
        let Ok(run) = self.ctx.db.run(run).await else { return };
        let Ok(binding) = self.ctx.db.binding(&run.dataset_id, &run.bucket).await else { return };
        let Some(held) = binding.held.as_ref().filter(|_| binding.follows()) else { return };
        let place = (run.dataset_id.clone(), run.bucket.clone());
        if !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
            return;
        }
        let now = Timestamp::now().seconds();
        let pause = until_next_look(held, now, self.ctx.config.guard_confirm).unsigned_abs();
        tokio::spawn(self.clone().difference_after(Duration::from_secs(pause), run, place));
    }

    /// Boxed: a look may lead to the next one.
    fn difference_after(self, pause: Duration, run: Run, place: (String, String)) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
            // Resumed or stopped meanwhile: there is nothing to look at.
            match self.ctx.db.binding(&run.dataset_id, &run.bucket).await {
                Ok(binding) if binding.follows() && binding.held.is_some() => {}
                _ => return,
            }
            if let Err(error) = self.difference(&run.project, &run.dataset, &run.bucket, "").await {
                tracing::warn!(bucket = run.bucket, error = %error.internal_text(), "a bucket was not looked at again");
            }
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_looked_at_soon_then_when_it_may_go_then_now_and_then() {
        let held = Held {
            since: 1000,
            at: 0,
            missing: 1,
            moved: 0,
            files: 1,
            limit: 0,
            used: 0,
            hours: 24,
            shown: Some(1000),
            until: None,
        };
        let table = [
            (1000, Some(300), 10),
            (1009, Some(300), 1),
            (1010, Some(300), 50),
            (1061, Some(300), 240),
            (1301, Some(300), LATER),
            (1001, Some(2), 2),
            (1061, None, LATER),
        ];
        for (now, confirm, pause) in table {
            assert_eq!(until_next_look(&held, now, confirm), pause, "at {now} with {confirm:?}");
        }
        let incomplete = Held { shown: None, ..held };
        for (now, pause) in [(1000, 10), (1070, 70), (5000, LATER)] {
            assert_eq!(until_next_look(&incomplete, now, Some(300)), pause, "at {now}");
        }
    }
}
