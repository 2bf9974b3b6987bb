//! The engine that reads the rows: all partitions of a dataset beside each
//! other, evaluated in process. It needs no index and is always exact; it is
//! the default and the reference for any other.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;

use super::engine::{Engine, Search, SearchReply};
use super::evaluate::matches;
use super::order::SortSpec;
use super::plan::Plan;
use super::token::Cursor;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::file::FileView;
use crate::ledger::{Range, Row, RowKey, Status, range_partition};

/// Partitions that are read beside each other.
const BESIDE: usize = 16;

/// Reads and evaluates.
pub(super) struct ScanEngine;

/// What evaluating a page of rows needs; shared with the threads that do it.
struct Job {
    view: FileView,
    plan: Plan,
    sort: SortSpec,
    after: Option<Cursor>,
    limit: usize,
}

/// The best files so far, in order, never more than one page and one.
#[derive(Default)]
struct Best {
    rows: Vec<(Cursor, Row)>,
    total: u64,
}

impl Best {
    fn add(&mut self, job: &Job, key: Cursor, row: Row) {
        let place = self.rows.partition_point(|(other, _)| job.sort.compare(other, &key) == Ordering::Less);
        if place <= job.limit {
            self.rows.insert(place, (key, row));
            self.rows.truncate(job.limit + 1);
        }
    }

    fn merge(&mut self, job: &Job, other: Self) {
        self.total += other.total;
        for (key, row) in other.rows {
            self.add(job, key, row);
        }
    }
}

#[async_trait]
impl Engine for ScanEngine {
    async fn search(&self, ctx: &Context, search: Search<'_>) -> Result<SearchReply> {
        let job = Arc::new(Job {
            view: search.view.clone(),
            plan: search.plan.clone(),
            sort: search.sort.clone(),
            after: search.after.cloned(),
            limit: search.limit,
        });
        // By URI and without a total, each partition is read from where the
        // page begins only as far as it can add to it.
        let stops_early = job.sort.is_by_uri() && !search.with_total;
        let low = match &job.after {
            Some(after) if stops_early => {
                let path = after.uri.strip_prefix("oss://").unwrap_or_default();
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                RowKey::sort_range(bucket, key, None).0
            }
            _ => "!".to_owned(),
        };
        let dataset = search.dataset;
        let mut best = Best::default();
        let mut partitions = futures::stream::iter(0..dataset.partitions)
            .map(|partition| {
                let range = Range {
                    dataset_id: &dataset.id,
                    partition,
                    low: &low,
                    high: "\u{10FFFF}",
                    heads_only: false,
                };
                scan_partition(ctx, range, Arc::clone(&job), stops_early)
            })
            .buffer_unordered(BESIDE);
        while let Some(found) = partitions.next().await {
            best.merge(&job, found?);
        }
        let more = best.rows.len() > search.limit;
        best.rows.truncate(search.limit);
        Ok(SearchReply { rows: best.rows, more, total: search.with_total.then_some(best.total) })
    }
}

async fn scan_partition(ctx: &Context, range: Range<'_>, job: Arc<Job>, stops_early: bool) -> Result<Best> {
    let mut best = Best::default();
    let mut start = None;
    loop {
        let (rows, next) = range_partition(&ctx.db, range, start).await?;
        let for_thread = Arc::clone(&job);
        // Decompressing and parsing a page of rows takes milliseconds.
        let found = tokio::task::spawn_blocking(move || evaluate(&for_thread, rows))
            .await
            .map_err(Error::internal)??;
        best.merge(&job, found);
        let full = stops_early && best.rows.len() > job.limit;
        match next {
            Some(next) if !full => start = Some(next),
            _ => return Ok(best),
        }
    }
}

fn evaluate(job: &Job, rows: Vec<Row>) -> Result<Best> {
    let mut best = Best::default();
    // Every file, by URI: nothing of a record needs to be looked at.
    let needs_document = job.plan != Plan::All || !job.sort.is_by_uri();
    for row in rows {
        if row.status != Status::Live {
            continue;
        }
        let uri = row.uri().to_string();
        let key = if needs_document {
            let document = job.view.document(&row)?;
            if !matches(&job.plan, &document) {
                continue;
            }
            job.sort.key(&document, uri)
        } else {
            Cursor { values: Vec::new(), uri }
        };
        best.total += 1;
        let is_after =
            job.after.as_ref().is_none_or(|after| job.sort.compare(&key, after) == Ordering::Greater);
        if is_after {
            best.add(job, key, row);
        }
    }
    Ok(best)
}
