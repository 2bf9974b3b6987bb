//! Scans: bring a dataset in line with a bucket, in steps that a state machine
//! (or the local cloud's loop) drives.
//!
//! `plan` splits the key space into segments; `list-segment` walks one of them
//! page by page beside the ledger and reconciles what is new, changed or
//! missing; `finish` moves the binding on, or has the run walk once more. A page's
//! checkpoint is stored only after everything in it is committed, so a step may die
//! anywhere and be run again.
//!
//! A guarded run counts in its first walk what is missing and removes nothing. Where
//! the guard grants it (`guard.rs`), a second walk over those ranges removes it.
//! A run that made room in the dataset after it had refused files walks once more.
//!
//! A listing is never taken as proof that an object is gone: what it misses is
//! looked up by key before it is removed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::attributes::{Compared, compare_listed, compares_tags, hints_of_other_tags};
use super::guard;
use super::hint::{Hint, Outcome};
use super::object::{is_marker, listed};
use super::reconcile::{Target, reconcile};
use super::sidecars::{OnPage, hint_of_difference, is_sidecar};
use super::split::{list, split};
use super::text::lacks_text;
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::ledger::{
    Change, Columns, Committed, Origin, Range, Row, RowKey, Source, Status, commit, purge_partition,
    range_partition,
};
use crate::model::{BindingPhase, BindingState, ObjectUri, Timestamp};
use crate::simulation::{Safeguard, is_off};
use crate::state::{Dataset, Run, RunKind, RunStatus, Segment, Stage, Totals};

/// Seconds after which a segment whose holder is silent can be taken over.
const LEASE_SECONDS: i64 = 120;

/// What a function of the state machine is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum ScanStep {
    /// Split a run into segments.
    Plan {
        /// The run.
        run: String,
    },
    /// Work at one segment for a while.
    ListSegment {
        /// The run.
        run: String,
        /// The segment.
        segment: u32,
    },
    /// End a run whose segments are all done.
    Finish {
        /// The run.
        run: String,
    },
}

/// What a step answers: the state machine decides by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReply {
    /// The run.
    pub run: String,
    /// Segments to walk (of `plan`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentRef>,
    /// Whether the segment, or the run, needs no more steps.
    pub done: bool,
    /// Another worker holds the segment: wait before asking again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub busy: bool,
}

/// Names a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// The run.
    pub run: String,
    /// The segment.
    pub segment: u32,
}

/// Runs one step. `holder` names the worker that runs it, for the lease.
pub fn run_step<'a>(ctx: &'a Context, step: ScanStep, holder: &'a str) -> BoxFuture<'a, Result<StepReply>> {
    Box::pin(async move {
        match step {
            ScanStep::Plan { run } => plan(ctx, &run).await,
            ScanStep::ListSegment { run, segment } => list_segment(ctx, &run, segment, holder).await,
            ScanStep::Finish { run } => finish(ctx, &run).await,
        }
    })
}

fn reply(run: &str, done: bool) -> StepReply {
    StepReply { run: run.into(), segments: Vec::new(), done, busy: false }
}

fn planned(run: &Run) -> StepReply {
    let segments = (0..run.segments).map(|segment| SegmentRef { run: run.run.clone(), segment }).collect();
    StepReply { run: run.run.clone(), segments, done: false, busy: false }
}

/// Whether a run still has a purpose: its binding is there, runs, and (for the
/// binding's own run) has not been given to another run.
async fn is_wanted(ctx: &Context, run: &Run) -> Result<bool> {
    match run.kind {
        RunKind::Purge => Ok(true),
        RunKind::Cleanup => match ctx.db.binding(&run.dataset_id, &run.bucket).await {
            // Bound again: what is there is that binding's now.
            Ok(_) => Ok(false),
            Err(error) if error.code() == &crate::error::Code::ResourceNotFound => Ok(true),
            Err(error) => Err(error),
        },
        RunKind::Full => match ctx.db.binding(&run.dataset_id, &run.bucket).await {
            Ok(binding) => {
                Ok(binding.state != BindingState::Stopped && (!run.current || binding.run == run.run))
            }
            Err(error) if error.code() == &crate::error::Code::ResourceNotFound => Ok(false),
            Err(error) => Err(error),
        },
    }
}

async fn plan(ctx: &Context, run_id: &str) -> Result<StepReply> {
    let mut run = ctx.db.run(run_id).await?;
    match run.status {
        RunStatus::Done | RunStatus::Stopped => return Ok(reply(run_id, true)),
        RunStatus::Planned => return Ok(planned(&run)),
        RunStatus::Created => {}
    }
    if !is_wanted(ctx, &run).await? {
        ctx.db.end_run(run_id, RunStatus::Stopped).await?;
        return Ok(reply(run_id, true));
    }
    let ranges = match run.kind {
        RunKind::Cleanup | RunKind::Purge => vec![(String::new(), String::new()); run.partitions as usize],
        // What the first walk found missing, and nothing else.
        RunKind::Full if run.stage == Stage::Remove => {
            let segments = ctx.db.segments(&run).await?;
            let missing = |segment: Segment| Some((segment.missing_after?, segment.missing_upto));
            segments.into_iter().filter_map(missing).collect()
        }
        RunKind::Full => {
            // Events first: what is uploaded during the scan is not missed then.
            if let Err(error) = crate::bucket::follow(ctx, &run.bucket).await {
                let reason = format!("the bucket's events cannot be followed: {}", error.message());
                set_state(ctx, &run, BindingState::Retrying, BindingPhase::None, &reason).await?;
                return Err(error);
            }
            set_state(ctx, &run, BindingState::Running, BindingPhase::FullScanning, "").await?;
            split(ctx, &run.bucket, &run.prefix, ctx.config.scan_segments).await?
        }
    };
    run.plan = crate::model::run_id();
    let segments: Vec<Segment> = (0u32..)
        .zip(&ranges)
        .map(|(index, (start_after, end))| Segment::new(&run, index, start_after, end))
        .collect();
    if !ctx.db.plan_run(&mut run, &segments).await? {
        // Another worker planned it, or ended it, meanwhile.
        let run = ctx.db.run(run_id).await?;
        return Ok(if run.status == RunStatus::Planned { planned(&run) } else { reply(run_id, true) });
    }
    tracing::info!(run = run_id, bucket = %run.bucket, segments = run.segments, "scan planned");
    Ok(planned(&run))
}

/// Moves the binding of a run, if the run is its current one.
async fn set_state(
    ctx: &Context,
    run: &Run,
    state: BindingState,
    phase: BindingPhase,
    reason: &str,
) -> Result<bool> {
    if !run.current {
        return Ok(false);
    }
    ctx.db.set_binding_state(&run.dataset_id, &run.bucket, &run.run, state, phase, reason).await
}

async fn list_segment(ctx: &Context, run_id: &str, index: u32, holder: &str) -> Result<StepReply> {
    let run = ctx.db.run(run_id).await?;
    if matches!(run.status, RunStatus::Done | RunStatus::Stopped) {
        return Ok(reply(run_id, true));
    }
    // Of an earlier plan that had more: another worker walks the run once more.
    if index >= run.segments {
        return Ok(reply(run_id, true));
    }
    let Some(mut segment) = ctx.db.lease_segment(&run, index, holder, LEASE_SECONDS).await? else {
        return Ok(StepReply { busy: true, ..reply(run_id, false) });
    };
    if segment.done {
        return Ok(reply(run_id, true));
    }
    match run.kind {
        RunKind::Purge => {
            let purged = purge_partition(&ctx.db, &run.dataset_id, index).await?;
            segment.removed += i64::try_from(purged).unwrap_or(0);
            segment.done = true;
            ctx.db.checkpoint_segment(&segment, LEASE_SECONDS).await?;
            Ok(reply(run_id, true))
        }
        RunKind::Cleanup => clean_partition(ctx, &run, segment).await,
        RunKind::Full => walk_segment(ctx, &run, segment).await,
    }
}

async fn walk_segment(ctx: &Context, run: &Run, mut segment: Segment) -> Result<StepReply> {
    let started = Instant::now();
    let budget = Duration::from_secs(ctx.config.step_seconds);
    let Some(dataset) = dataset_of(ctx, run).await? else { return stop(ctx, run).await };
    let project = ctx.db.project(&run.project).await?;
    let target = Target::new(&dataset, &project.template_id);
    loop {
        // Asked at every page: a deleted or stopped binding ends the scan here.
        if !is_wanted(ctx, run).await? {
            return stop(ctx, run).await;
        }
        let mut page = page_of(ctx, run, &segment).await?;
        let difference = compare(ctx, run, &target, &segment, &mut page).await?;
        segment.listed += i64::try_from(page.objects.len()).unwrap_or(0);
        ctx.usage.settled(page.objects.len() - difference.hints.len().min(page.objects.len()));
        let mut hints = difference.forgotten;
        if removes(ctx, run, &mut segment, difference.missing.len()).await? {
            // What is gone makes room for what came.
            hints.extend(difference.missing.into_iter().map(|(hint, _)| hint));
        } else if !difference.missing.is_empty() {
            let digests: Vec<u64> = difference.missing.iter().filter_map(|(_, digest)| *digest).collect();
            ctx.db.keep_missing(run, &segment, &digests).await?;
            segment.missing += i64::try_from(difference.missing.len()).unwrap_or(i64::MAX);
            segment.missing_after.get_or_insert(segment.checkpoint.clone());
            segment.missing_upto = page.upto.clone().unwrap_or_default();
        }
        hints.extend(difference.hints);
        // This page was begun before and has not ended: an object in it may be why.
        let careful = segment.tries > 1;
        hints.iter_mut().for_each(|hint| hint.careful = careful);
        if !reconcile_page(ctx, &target, hints, &mut segment).await? {
            return stop(ctx, run).await;
        }
        segment.tries = 0;
        match &page.upto {
            Some(upto) if *upto != segment.end => segment.checkpoint = upto.clone(),
            _ => segment.done = true,
        }
        if !ctx.db.checkpoint_segment(&segment, LEASE_SECONDS).await? {
            // Another holder took over; what was committed here stands.
            return Ok(StepReply { busy: true, ..reply(&run.run, false) });
        }
        if segment.done {
            return Ok(reply(&run.run, true));
        }
        if started.elapsed() > budget {
            return Ok(reply(&run.run, false));
        }
    }
}

/// A page of a listing: the objects by key, and how far it reaches.
struct Page {
    objects: HashMap<String, Source>,
    /// The last key that the page speaks of; `None`: to the end of the bucket.
    upto: Option<String>,
}

async fn page_of(ctx: &Context, run: &Run, segment: &Segment) -> Result<Page> {
    let mut attempt = 0;
    let listing = loop {
        match list(ctx, &run.bucket, &run.prefix, &segment.checkpoint, ctx.config.scan_page).await {
            Ok(listing) => break listing,
            Err(error) if attempt >= 5 => return Err(error),
            Err(_) => crate::state::pause(attempt + 3).await,
        }
        attempt += 1;
    };
    let last = listing.keys.last().cloned();
    let objects: HashMap<String, Source> = listing
        .keys
        .into_iter()
        .zip(&listing.objects)
        .filter(|(key, _)| segment.end.is_empty() || *key <= segment.end)
        .filter(|(key, object)| !is_marker(key, object.size().unwrap_or(0)))
        .map(|(key, object)| (key, listed(object)))
        .collect();
    let end = Some(segment.end.clone()).filter(|end| !end.is_empty());
    let upto = match (listing.truncated, last) {
        (true, Some(last)) if end.as_ref().is_none_or(|end| last < *end) => Some(last),
        _ => end,
    };
    Ok(Page { objects, upto })
}

/// What a page and the ledger disagree on.
#[derive(Default)]
struct Difference {
    /// New and changed objects.
    hints: Vec<Hint>,
    /// Files that the page does not have, with digests of their content.
    missing: Vec<(Hint, Option<u64>)>,
    /// Rows of objects that the page does not have, and that are no files any more.
    forgotten: Vec<Hint>,
}

/// Joins a page with the rows of its range, partition by partition. Where the
/// ledger has far more rows than the page has keys (a bucket that was emptied),
/// the page is cut short to what is read, so that memory stays flat.
async fn compare(
    ctx: &Context,
    run: &Run,
    target: &Target,
    segment: &Segment,
    page: &mut Page,
) -> Result<Difference> {
    let after = segment.checkpoint.as_str().max(cut_last(&run.prefix));
    let (low, high) = RowKey::sort_range(&run.bucket, after, page.upto.as_deref());
    let with_tags = compares_tags(ctx, target);
    let partitions = futures::stream::iter(0..target.partitions)
        .map(|partition| {
            let range = Range {
                dataset_id: &target.dataset_id,
                partition,
                low: low.as_str(),
                high: high.as_str(),
                // The tags are in the record.
                columns: if with_tags { Columns::All } else { Columns::Heads },
                limit: None,
            };
            rows_of(ctx, range)
        })
        .buffer_unordered(8)
        .collect::<Vec<Result<(Vec<Row>, bool)>>>()
        .await;
    let mut rows = Vec::new();
    for partition in partitions {
        let (part, complete) = partition?;
        if !complete && let Some(last) = part.last() {
            let last = last.uri().key;
            if page.upto.as_ref().is_none_or(|upto| last < *upto) {
                page.upto = Some(last);
            }
        }
        rows.extend(part);
    }
    if let Some(upto) = &page.upto {
        page.objects.retain(|key, _| key <= upto);
    }
    let in_range = |key: &str| {
        key > segment.checkpoint.as_str()
            && page.upto.as_deref().is_none_or(|upto| key <= upto)
            && key.starts_with(&run.prefix)
    };
    let mut new: HashMap<&str, &Source> =
        page.objects.iter().map(|(key, source)| (key.as_str(), source)).collect();
    let reach = (segment.checkpoint.as_str(), page.upto.as_deref());
    let shown = OnPage::new(target, page.objects.iter(), reach, &run.prefix);
    let beside = |key: &str| shown.as_ref().and_then(|page| page.beside(key));
    let mut difference = Difference::default();
    let mut same = Vec::new();
    for row in rows {
        let uri = row.uri();
        if uri.bucket != run.bucket || !in_range(&uri.key) {
            continue;
        }
        match new.remove(uri.key.as_str()) {
            Some(listed) => match compare_listed(&row, listed) {
                Compared::Same => match hint_of_difference(shown.as_ref(), &row, &uri) {
                    Some(hint) => difference.hints.push(hint),
                    None if lacks_text(target, &row) => difference.hints.push(Hint {
                        listed: Some(listed.clone()),
                        text: true,
                        ..Hint::new(uri)
                    }),
                    None if with_tags => same.push(row),
                    None => {}
                },
                compared => difference.hints.push(Hint {
                    listed: Some(listed.clone()),
                    attributes: compared == Compared::OtherAttributes,
                    // The sidecars of an object with a row are asked for.
                    beside: beside(&uri.key).filter(|_| is_sidecar(target, &uri)),
                    ..Hint::new(uri)
                }),
            },
            None if row.status == Status::Tombstone || ctx.listing_hides(&run.bucket, &uri.key) => {}
            None if row.status == Status::Live => {
                difference.missing.push((Hint::new(uri), guard::digest(ctx, run, &row)));
            }
            None => difference.forgotten.push(Hint::new(uri)),
        }
    }
    difference.hints.extend(hints_of_other_tags(ctx, same).await);
    let mut new: Vec<_> = new.into_iter().collect();
    new.sort_unstable_by_key(|(key, _)| *key);
    for (key, listed) in new {
        let uri = ObjectUri::new(run.bucket.as_str(), key);
        // Nothing is there: the write says so itself, and needs no read before.
        let beside = beside(key);
        let listed = Some(listed.clone());
        difference.hints.push(Hint { listed, seen: Some(None), beside, ..Hint::new(uri) });
    }
    Ok(difference)
}

/// Rows of one partition, as many as fit into memory beside the others', and
/// whether these are all.
async fn rows_of(ctx: &Context, range: Range<'_>) -> Result<(Vec<Row>, bool)> {
    const MANY: usize = 5000;
    let mut rows = Vec::new();
    let mut start = None;
    loop {
        let (page, next) = range_partition(&ctx.db, range, start).await?;
        rows.extend(page);
        match next {
            None => return Ok((rows, true)),
            Some(_) if rows.len() >= MANY => return Ok((rows, false)),
            Some(next) => start = Some(next),
        }
    }
}

/// A bound that all keys with the prefix come after.
fn cut_last(prefix: &str) -> &str {
    match prefix.char_indices().next_back() {
        Some((position, _)) => prefix.get(..position).unwrap_or_default(),
        None => "",
    }
}

/// Whether a run removes the files that a page is missing: not in the first walk of
/// a guarded one, and in its walk for removals not more than it was granted.
async fn removes(ctx: &Context, run: &Run, segment: &mut Segment, missing: usize) -> Result<bool> {
    if !run.guarded {
        return Ok(true);
    }
    if run.stage != Stage::Remove || missing == 0 {
        return Ok(false);
    }
    let missing = i64::try_from(missing).unwrap_or(i64::MAX);
    let (taken, all) = ctx.db.note_taken(&run.run, segment.index, segment.taken + missing).await?;
    segment.taken = taken;
    if all <= run.granted || is_off(Safeguard::Guard) {
        return Ok(true);
    }
    tracing::warn!(run = %run.run, bucket = %run.bucket, all, granted = run.granted, "more files are missing than a moment ago; they stay");
    Ok(false)
}

/// Reconciles hints until each is settled; `false` when the dataset is gone.
async fn reconcile_page(
    ctx: &Context,
    target: &Target,
    hints: Vec<Hint>,
    segment: &mut Segment,
) -> Result<bool> {
    let mut open = hints;
    let mut attempt = 0;
    while !open.is_empty() {
        let tried: Vec<Hint> = open.into_iter().map(|hint| Hint { attempt, ..hint }).collect();
        let outcomes = reconcile(ctx, target, tried.clone()).await;
        open = Vec::new();
        for (mut hint, outcome) in tried.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Indexed => segment.indexed += 1,
                Outcome::Removed => segment.removed += 1,
                Outcome::Unreadable(_) | Outcome::GivenUp(_) => segment.failed += 1,
                Outcome::LimitExceeded => segment.refused += 1,
                Outcome::Unchanged | Outcome::Stale => {}
                Outcome::DatasetGone => return Ok(false),
                Outcome::Failed(error) => {
                    tracing::warn!(uri = %hint.uri, attempt, error = %error.internal_text(), "an object will be tried again");
                    hint.seen = None;
                    hint.beside = None;
                    open.push(hint);
                }
            }
        }
        if attempt + 1 >= ctx.config.max_attempts && !open.is_empty() {
            // The store itself does not answer: the step fails and is run
            // again, from its last checkpoint.
            return Err(Error::unavailable(format!(
                "{} object(s) of a page could not be settled",
                open.len()
            )));
        }
        if !open.is_empty() {
            crate::state::pause(attempt + 3).await;
        }
        attempt += 1;
    }
    Ok(true)
}

/// The dataset that a run is for; `None` when it went, whatever has its name now.
async fn dataset_of(ctx: &Context, run: &Run) -> Result<Option<Dataset>> {
    match ctx.db.dataset(&run.project, &run.dataset).await {
        Ok(dataset) => Ok(Some(dataset).filter(|dataset| dataset.id == run.dataset_id)),
        Err(error) if error.code() == &Code::ResourceNotFound => Ok(None),
        // Not an answer: the step is run again.
        Err(error) => Err(error),
    }
}

/// Ends a run that has nothing left to do: without it the last step would find
/// segments that nobody finished.
async fn stop(ctx: &Context, run: &Run) -> Result<StepReply> {
    ctx.db.end_run(&run.run, RunStatus::Stopped).await?;
    Ok(reply(&run.run, true))
}

/// Removes the rows that a deleted binding made, in one partition.
async fn clean_partition(ctx: &Context, run: &Run, mut segment: Segment) -> Result<StepReply> {
    let Some(dataset) = dataset_of(ctx, run).await? else { return stop(ctx, run).await };
    let (low, high) = RowKey::sort_range(&run.bucket, "", None);
    let mut start = Some(segment.checkpoint.clone()).filter(|sk| !sk.is_empty());
    loop {
        if !is_wanted(ctx, run).await? {
            return stop(ctx, run).await;
        }
        let range = Range {
            dataset_id: &run.dataset_id,
            partition: segment.index,
            low: &low,
            high: &high,
            columns: Columns::Heads,
            limit: None,
        };
        let (rows, next) = range_partition(&ctx.db, range, start).await?;
        let now = Timestamp::now();
        let changes: Vec<Change> = rows
            .into_iter()
            .filter(|row| row.origin == Origin::Automatic && row.status != Status::Tombstone)
            .map(|row| {
                let key = RowKey { pk: row.pk.clone(), sk: row.sk.clone() };
                let mut new = Row::new(key, &row.uri(), row.origin, now.0);
                new.status = Status::Tombstone;
                new.seq = row.seq.clone();
                new.ttl = Some(now.seconds() + 86_400);
                Change { old: Some(row), new }
            })
            .collect();
        for committed in commit(&ctx.db, &dataset.id, dataset.shards, &changes).await {
            match committed {
                Committed::Written => segment.removed += 1,
                // A caller asked for the file by hand meanwhile: it stays.
                Committed::Conflict | Committed::NoRoom => {}
                Committed::Gone => return stop(ctx, run).await,
                Committed::Failed(error) => return Err(error),
            }
        }
        match next {
            Some(next) => segment.checkpoint = next,
            None => segment.done = true,
        }
        if !ctx.db.checkpoint_segment(&segment, LEASE_SECONDS).await? {
            return Ok(StepReply { busy: true, ..reply(&run.run, false) });
        }
        if segment.done {
            return Ok(reply(&run.run, true));
        }
        start = Some(segment.checkpoint.clone());
    }
}

/// Ends a run whose segments are all done. The reply is not `done` where the run
/// is to be planned and walked once more.
async fn finish(ctx: &Context, run_id: &str) -> Result<StepReply> {
    let run = ctx.db.run(run_id).await?;
    match run.status {
        RunStatus::Done | RunStatus::Stopped => return Ok(reply(run_id, true)),
        // This step was here before, and its answer was lost.
        RunStatus::Created => return Ok(reply(run_id, false)),
        RunStatus::Planned => {}
    }
    let segments = ctx.db.segments(&run).await?;
    let open = segments.iter().filter(|segment| !segment.done).count();
    if open > 0 && run.stage != Stage::Index {
        // Another driver walks it once more: the caller can help.
        return Ok(reply(run_id, false));
    }
    if open > 0 || segments.len() < run.segments as usize {
        return Err(Error::status_conflict(format!("{open} segment(s) of the scan are not done")));
    }
    let totals = guard::totals(&run, Totals::of(&segments));
    if run.kind == RunKind::Full
        && let Some(dataset) = dataset_of(ctx, &run).await?
        && guard::end_walk(ctx, &run, &dataset, totals).await?
    {
        return Ok(reply(run_id, false));
    }
    let Totals { listed, indexed, removed, missing, failed, refused } = totals;
    let mut reasons = Vec::new();
    if refused > 0 {
        reasons.push(format!("{refused} object(s) are not indexed: the quota of the dataset is used up"));
    }
    if failed > 0 {
        reasons.push(format!("{failed} object(s) could not be read; query ObjectStatus = Failed"));
    }
    set_state(ctx, &run, BindingState::Running, BindingPhase::IncrementalScanning, &reasons.join("; "))
        .await?;
    ctx.db.end_run(run_id, RunStatus::Done).await?;
    tracing::info!(
        run = run_id,
        bucket = %run.bucket,
        listed,
        indexed,
        removed,
        missing,
        failed,
        refused,
        "scan finished"
    );
    Ok(reply(run_id, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_names_of_the_state_machine() {
        let step: ScanStep = serde_json::from_str(r#"{"step":"list-segment","run":"R","segment":3}"#)
            .unwrap_or(ScanStep::Plan { run: String::new() });
        assert_eq!(step, ScanStep::ListSegment { run: "R".into(), segment: 3 });
    }
}
