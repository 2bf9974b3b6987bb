//! What is done by the clock: bindings are compared with their buckets from time
//! to time, in case that events were lost; and work whose worker died before it
//! began, or for good, is enqueued again.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::dispatch::{send_index_task, send_scan, take_up_scan};
use crate::error::{Code, Result};
use crate::model::{BindingPhase, BindingState, Timestamp, run_id};
use crate::state::{Binding, Dataset, Run, RunKind, RunStatus};

/// Seconds after which work that nobody holds counts as left behind.
const LEFT_BEHIND: i64 = 15 * 60;
/// A schedule does not come to the second: so much earlier is due as well.
const SLACK: i64 = 5 * 60;
/// Projects and datasets of one page.
const PAGE: usize = 100;

/// What was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleReply {
    /// Scans for differences.
    pub scans: u32,
    /// Scans and index tasks that were left behind.
    pub taken_up: u32,
}

/// Which bindings are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Those whose time has come.
    ByClock,
    /// All that follow their buckets, but for these buckets: for a start after
    /// events may have been lost.
    AllBut(BTreeSet<String>),
}

/// Begins what is due. Doing it twice at a time begins nothing twice.
///
/// # Errors
/// When the store does not answer; what was begun goes on.
pub fn on_schedule(ctx: &Context, due: Due) -> BoxFuture<'_, Result<ScheduleReply>> {
    Box::pin(async move {
        let taken_up = take_up(ctx).await?;
        let mut scans = 0;
        let mut project = String::new();
        loop {
            let (projects, more) = ctx.db.list_projects("", &project, PAGE).await?;
            for found in &projects {
                scans += project_scans(ctx, &found.name, &due).await?;
            }
            match projects.last() {
                Some(last) if more => project = last.name.clone(),
                _ => return Ok(ScheduleReply { scans, taken_up }),
            }
        }
    })
}

async fn project_scans(ctx: &Context, project: &str, due: &Due) -> Result<u32> {
    let mut scans = 0;
    let mut after = String::new();
    loop {
        let (datasets, more) = ctx.db.list_datasets(project, "", &after, PAGE).await?;
        for dataset in &datasets {
            for binding in ctx.db.list_bindings(&dataset.id).await? {
                let begun = match is_due(ctx, &binding, due) {
                    true => begin(ctx, dataset, &binding).await?,
                    false => mend(ctx, dataset, binding).await?,
                };
                scans += u32::from(begun);
            }
        }
        match datasets.last() {
            Some(last) if more => after = last.name.clone(),
            _ => return Ok(scans),
        }
    }
}

fn is_due(ctx: &Context, binding: &Binding, due: &Due) -> bool {
    let last = binding.reconciled.max(binding.update_time.seconds());
    let period = binding.reconcile.unwrap_or(ctx.config.reconcile).seconds();
    let has_come = period.is_some_and(|period| Timestamp::now().seconds() - last >= period - SLACK);
    let is_due = match due {
        Due::ByClock => has_come,
        Due::AllBut(buckets) => !buckets.contains(&binding.bucket),
    };
    binding.follows() && is_due
}

async fn begin(ctx: &Context, dataset: &Dataset, binding: &Binding) -> Result<bool> {
    if !ctx.db.claim_reconcile(binding, Timestamp::now().seconds()).await? {
        return Ok(false);
    }
    let run = Run::new(RunKind::Full, &run_id(), dataset, &binding.bucket, "");
    ctx.db.create_run(&run).await?;
    send_scan(ctx, &run.run).await?;
    Ok(true)
}

/// Begins the full scan of a binding again whose run has ended without it: the
/// write of the binding came later than the run's look at it. So it does for one
/// that an earlier version stopped because too much was missing.
async fn mend(ctx: &Context, dataset: &Dataset, mut binding: Binding) -> Result<bool> {
    let scans = binding.state != BindingState::Stopped && binding.phase != BindingPhase::IncrementalScanning;
    let is_old = Timestamp::now().seconds() - binding.update_time.seconds() >= LEFT_BEHIND;
    let is_left_behind = scans && is_old;
    if !is_left_behind && !binding.stopped_by_guard {
        return Ok(false);
    }
    let guarded = match ctx.db.run(&binding.run).await {
        _ if binding.stopped_by_guard => true,
        Ok(run) if matches!(run.status, RunStatus::Created | RunStatus::Planned) => return Ok(false),
        Ok(run) => run.guarded,
        Err(error) if error.code() == &Code::ResourceNotFound => true,
        Err(error) => return Err(error),
    };
    let mut run = Run::new(RunKind::Full, &run_id(), dataset, &binding.bucket, "");
    (run.current, run.guarded) = (true, guarded);
    ctx.db.create_run(&run).await?;
    let old = std::mem::replace(&mut binding.run, run.run.clone());
    if std::mem::take(&mut binding.stopped_by_guard) {
        binding.state = BindingState::Ready;
        binding.reason = String::new();
    }
    binding.phase = BindingPhase::None;
    binding.update_time = Timestamp::now();
    match ctx.db.replace_binding(&binding, &old, false).await {
        Ok(()) => {
            tracing::warn!(run = old, bucket = %binding.bucket, "a scan ended without its binding and begins again");
            send_scan(ctx, &run.run).await?;
            Ok(true)
        }
        Err(error) if error.code() == &Code::StatusConflict => {
            ctx.db.end_run(&run.run, RunStatus::Stopped).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Enqueues work that was left behind again.
async fn take_up(ctx: &Context) -> Result<u32> {
    let mut taken = 0;
    let now = Timestamp::now();
    for id in ctx.db.open_runs().await? {
        let run = match ctx.db.run(&id).await {
            Ok(run) => run,
            Err(error) if error.code() == &Code::ResourceNotFound => {
                ctx.db.forget_open_run(&id).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if matches!(run.status, RunStatus::Done | RunStatus::Stopped) {
            // It ended, and the worker that ended it died before this.
            ctx.db.forget_open_run(&id).await?;
            continue;
        }
        let segments = ctx.db.segments(&run).await?;
        let is_held = segments.iter().any(|segment| segment.lease_until > now.millis());
        if !is_held && now.seconds() - run.create_time.seconds() >= LEFT_BEHIND {
            tracing::warn!(run = id, bucket = %run.bucket, "a scan was left behind and is taken up");
            take_up_scan(ctx, &id).await?;
            taken += 1;
        }
    }
    for (project, task_id) in ctx.db.open_tasks().await? {
        let started = match ctx.db.task(&project, &task_id).await {
            Ok(task) => task.start_time.seconds(),
            Err(error) if error.code() == &Code::ResourceNotFound => {
                ctx.db.forget_open_task(&project, &task_id).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if now.seconds() - started >= LEFT_BEHIND {
            tracing::warn!(task = task_id, "an index task was left behind and is taken up");
            send_index_task(ctx, &project, &task_id).await?;
            taken += 1;
        }
    }
    Ok(taken)
}
