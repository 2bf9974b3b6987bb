//! The guard against mass removal. What a guarded scan found missing is removed
//! only when this grants it, in a walk of its own; until then nothing is removed.
//!
//! It grants what the binding's budget has room for ([`Budget`]). A file whose
//! content is there under another key was moved and takes nothing from the budget.
//! Where the budget does not reach, the removals are held back ([`Held`]): the
//! binding says so, everything else is indexed, and every later scan asks again.
//! ResumeBinding lets them through. So does a second complete listing some time
//! later, where the configuration says that listings prove it: a local folder is
//! listed by the file system itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::ledger::{Columns, Range, Row, RowKey, Status, range_partition};
use crate::model::Timestamp;
use crate::simulation::{Safeguard, is_off};
use crate::state::{Binding, Budget, Dataset, Held, Run, Stage, Totals};

/// Moves are looked for when more than this part of the budget is at stake: it
/// takes reading the whole dataset once.
const WORTH_LOOKING: i64 = 8;
/// Digests that are compared, at most: of more, a sample.
const SAMPLE: usize = 1_000_000;
/// Partitions that are read concurrently.
const PARTITIONS: usize = 8;
/// Attempts at a budget that others change at the same time.
const ATTEMPTS: u32 = 10;

/// What may be done with the files that a run found missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The run was given its walk for removals.
    Granted,
    /// They stay.
    Held,
}

/// The bit of a digest that says that the row was written within the period.
const RECENT: u64 = 1;

/// What identifies the content of a row's object, for the question whether it was
/// moved, and whether the row was written within the period before the run. A local
/// object that nobody wrote through the endpoint has an ETag of its size, date and
/// inode, which a rename keeps.
pub(super) fn digest(ctx: &Context, run: &Run, row: &Row) -> Option<u64> {
    let source = row.source.as_ref()?;
    let digest = xxhash_rust::xxh3::xxh3_64(format!("{}/{}", source.size, source.etag).as_bytes());
    let since = run.create_time.0.saturating_sub(ctx.config.guard_period.saturating_mul(1_000_000_000));
    Some(digest & !RECENT | if row.updated >= since { RECENT } else { 0 })
}

/// Decides on what a run found missing and did not remove, at the end of a walk.
/// `totals` are those of all its walks.
pub(super) async fn decide(ctx: &Context, run: &Run, dataset: &Dataset, totals: Totals) -> Result<Verdict> {
    let missing = totals.missing;
    let binding = match ctx.db.binding(&run.dataset_id, &run.bucket).await {
        Ok(binding) => binding,
        // Deleted: the run is not wanted any more.
        Err(error) if error.code() == &Code::ResourceNotFound => return Ok(Verdict::Held),
        Err(error) => return Err(error),
    };
    let files = ctx.db.counts(&dataset.id, dataset.shards).await?.files;
    let complete = ctx.listing_is_complete(&run.bucket);
    let mut moved = None;
    for attempt in 0..ATTEMPTS {
        let now = Timestamp::now();
        let seen = ctx.db.budget(&run.dataset_id, &run.bucket).await?;
        let names = (run.dataset_id.as_str(), run.bucket.as_str());
        let mut budget = Budget::at(seen.as_ref(), names, files, now.seconds(), &ctx.config);
        if moved.is_none() && missing.saturating_mul(WORTH_LOOKING) > budget.left() {
            moved = Some(moves(ctx, run, dataset).await?.min(missing));
        }
        let lost = missing - moved.unwrap_or(0);
        let fits = lost <= budget.left() || is_off(Safeguard::Guard);
        let confirmed = !fits && complete && is_confirmed(ctx, &binding, lost, now);
        if !fits && !confirmed {
            hold(ctx, run, &binding, &budget, (files, lost, moved.unwrap_or(0)), complete, now).await?;
            return Ok(Verdict::Held);
        }
        if fits {
            budget.used += lost;
        }
        if ctx.db.grant_removals(run, totals, missing, (seen.as_ref(), &budget)).await? {
            tracing::info!(run = %run.run, bucket = %run.bucket, missing, moved, confirmed, "files are gone and are removed");
            return Ok(Verdict::Granted);
        }
        crate::state::pause(attempt).await;
    }
    Err(Error::unavailable("the budget for removals kept changing"))
}

/// Whether an earlier complete listing, long enough ago, showed as many missing.
fn is_confirmed(ctx: &Context, binding: &Binding, lost: i64, now: Timestamp) -> bool {
    let (Some(seconds), Some(held)) = (ctx.config.guard_confirm, &binding.held) else { return false };
    lost <= held.missing && held.shown.is_some_and(|shown| now.seconds() - shown >= seconds)
}

async fn hold(
    ctx: &Context,
    run: &Run,
    binding: &Binding,
    budget: &Budget,
    (files, missing, moved): (i64, i64, i64),
    complete: bool,
    now: Timestamp,
) -> Result<()> {
    // A listing that shows more missing than the one before proves nothing yet.
    let before = binding.held.as_ref().filter(|held| missing <= held.missing);
    let shown = complete.then(|| before.and_then(|held| held.shown).unwrap_or(now.seconds()));
    let held = Held {
        since: before.map_or(now.seconds(), |held| held.since),
        at: now.millis(),
        missing: before.map_or(missing, |held| held.missing),
        moved,
        files,
        limit: budget.limit,
        used: budget.used,
        hours: (ctx.config.guard_period + 3599) / 3600,
        shown,
        until: shown.and_then(|shown| Some(shown + ctx.config.guard_confirm?)),
    };
    tracing::warn!(run = %run.run, bucket = %run.bucket, missing, moved, limit = budget.limit, used = budget.used, "removals are held back");
    ctx.db.hold_removals(&run.dataset_id, &run.bucket, &binding.run, &held).await
}

/// How often a content is missing, how many of these rows are recent, and how many
/// recent rows have it in all. Nothing was removed yet: missing rows are rows.
#[derive(Default)]
struct Counts {
    missing: i64,
    missing_recent: i64,
    recent: i64,
}

/// The contents that are missing, by digest.
#[derive(Default)]
struct Contents {
    counts: HashMap<u64, Counts>,
    /// Digests that have one of these bits are left out.
    mask: u64,
}

impl Contents {
    fn add_missing(&mut self, digest: u64) {
        if digest & self.mask != 0 {
            return;
        }
        let counts = self.counts.entry(digest & !RECENT).or_default();
        counts.missing += 1;
        counts.missing_recent += i64::from(digest & RECENT != 0);
        while self.counts.len() > SAMPLE {
            self.mask = self.mask << 1 | RECENT << 1;
            let mask = self.mask;
            self.counts.retain(|digest, _| digest & mask == 0);
        }
    }

    fn add_row(&mut self, digest: u64) {
        if digest & RECENT != 0
            && let Some(counts) = self.counts.get_mut(&(digest & !RECENT))
        {
            counts.recent += 1;
        }
    }

    /// Missing rows that a recent row under another key stands for. One that is
    /// recent itself was a stop on the way of an object that was moved twice.
    fn moved(&self) -> i64 {
        let of = |counts: &Counts| {
            let others = (counts.recent - counts.missing_recent).max(0);
            let stops = if others > 0 { counts.missing_recent } else { 0 };
            stops + others.min(counts.missing - counts.missing_recent)
        };
        let moved: i64 = self.counts.values().map(of).sum();
        moved.saturating_mul(1 << self.mask.count_ones().min(40))
    }
}

/// How many of the missing files were moved: their content is there under another
/// key, in a row that was written within the period.
async fn moves(ctx: &Context, run: &Run, dataset: &Dataset) -> Result<i64> {
    let mut contents = Contents::default();
    ctx.db.kept_missing(run, |digest| contents.add_missing(digest)).await?;
    let (low, high) = RowKey::sort_range(&run.bucket, "", None);
    let contents = Mutex::new(contents);
    let partitions = futures::stream::iter(0..dataset.partitions).map(|partition| {
        let (low, high, contents) = (&low, &high, &contents);
        async move {
            let range =
                Range { dataset_id: &dataset.id, partition, low, high, columns: Columns::Heads, limit: None };
            let mut start = None;
            loop {
                let (rows, next) = range_partition(&ctx.db, range, start).await?;
                let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
                rows.iter()
                    .filter(|row| row.status == Status::Live)
                    .filter_map(|row| digest(ctx, run, row))
                    .for_each(|digest| contents.add_row(digest));
                drop(contents);
                match next {
                    Some(next) => start = Some(next),
                    None => return Ok::<(), Error>(()),
                }
            }
        }
    });
    partitions.buffer_unordered(PARTITIONS).try_collect::<Vec<()>>().await?;
    Ok(contents.into_inner().unwrap_or_else(PoisonError::into_inner).moved())
}

/// What all walks of a run came to. Each walk counts what it did; what could not be
/// read or had no room was last seen by the last walk over everything.
pub(super) fn totals(run: &Run, walk: Totals) -> Totals {
    let before = run.before;
    let sum = Totals {
        listed: before.listed + walk.listed,
        indexed: before.indexed + walk.indexed,
        removed: before.removed + walk.removed,
        ..walk
    };
    match run.stage {
        Stage::Remove => Totals { failed: before.failed, refused: before.refused, ..sum },
        Stage::Index | Stage::Fill => sum,
    }
}

/// Ends a walk over a bucket; `true` where the run is to walk once more.
pub(super) async fn end_walk(ctx: &Context, run: &Run, dataset: &Dataset, totals: Totals) -> Result<bool> {
    // A walk for removals finds more missing than it was granted where objects go
    // while it runs: the guard is asked again.
    if run.stage != Stage::Fill && totals.missing > 0 {
        if decide(ctx, run, dataset, totals).await? == Verdict::Granted {
            return Ok(true);
        }
    } else if totals.missing == 0 && run.prefix.is_empty() {
        ctx.db.release_removals(&run.dataset_id, &run.bucket, run.create_time).await?;
    }
    if totals.refused > 0 && totals.removed > 0 && run.stage != Stage::Fill {
        // What it removed may have made room for what it refused before that.
        tracing::info!(run = %run.run, bucket = %run.bucket, refused = totals.refused, "the scan removed files and found no room for others: once more");
        ctx.db.walk_again(run, Stage::Fill, totals).await?;
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_moved_once_for_each_recent_row_with_its_content() {
        const OLD: u64 = 8;
        const OTHER: u64 = 16;
        // Missing digests; digests of all rows, the missing ones too; moved.
        let table: [(&[u64], &[u64], i64); 8] = [
            (&[OLD], &[OLD], 0),
            (&[OLD], &[OLD, OLD | RECENT], 1),
            // A copy that was there before says nothing.
            (&[OLD], &[OLD, OLD], 0),
            (&[OLD, OLD, OLD], &[OLD, OLD, OLD, OLD | RECENT], 1),
            (&[OLD, OTHER], &[OLD, OTHER, OLD | RECENT, OLD | RECENT, OLD | RECENT], 1),
            // Moved twice within the period.
            (&[OLD | RECENT], &[OLD | RECENT, OLD | RECENT], 1),
            (&[OLD, OLD | RECENT], &[OLD, OLD | RECENT, OLD | RECENT], 2),
            (&[OLD | RECENT], &[OLD | RECENT], 0),
        ];
        for (missing, rows, moved) in table {
            let mut contents = Contents::default();
            missing.iter().for_each(|digest| contents.add_missing(*digest));
            rows.iter().for_each(|digest| contents.add_row(*digest));
            assert_eq!(contents.moved(), moved, "{missing:?} {rows:?}");
        }
    }

    #[test]
    fn of_many_a_sample_is_counted() {
        let mut contents = Contents::default();
        let many = 3 * SAMPLE as u64;
        let digest = |number: u64| xxhash_rust::xxh3::xxh3_64(&number.to_be_bytes()) & !RECENT;
        (0..many).for_each(|number| contents.add_missing(digest(number)));
        (0..many / 2).for_each(|number| contents.add_row(digest(number) | RECENT));
        assert!(contents.counts.len() <= SAMPLE);
        let share = contents.moved() as f64 / many as f64;
        assert!((0.49..0.51).contains(&share), "{share}");
    }
}
