//! The engine that reads the rows: all partitions of a dataset beside each
//! other, evaluated in process. It needs no index and is always exact; it is
//! the default and the reference for any other.
//!
//! It reads no more than it must: the rows that conditions on the URI allow, the
//! columns and fields that the query looks at, and by URI only as far as the page
//! goes. It holds no more than one page of files for each partition, however many
//! match.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tokio::sync::OnceCell;

use super::access::Access;
use super::aggregate::{Aggregation, Aggregator};
use super::engine::{Engine, Search, SearchReply};
use super::evaluate::matches;
use super::needs::Needs;
use super::order::SortSpec;
use super::plan::Plan;
use super::text::DOCUMENT_TEXT;
use super::token::Cursor;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::file::FileView;
use crate::ledger::{
    Columns, KeptText, Range, Row, RowKey, Status, TextMark, range_partition, read_rows, read_texts,
};
use crate::model::ObjectUri;

/// Partitions that are read concurrently.
const BESIDE: usize = 16;

/// Reads and evaluates.
pub(super) struct ScanEngine;

/// What evaluating a page of rows needs; shared with the threads that do it.
struct Job {
    view: FileView,
    plan: Plan,
    sort: SortSpec,
    aggregations: Vec<Aggregation>,
    after: Option<Cursor>,
    limit: usize,
    needs: Needs,
}

/// The best files so far, and what was counted on the way.
struct Found {
    /// In order after [`Found::cut`], and then never more than one page and one.
    rows: Vec<(Cursor, Row)>,
    /// The last file that can still be in the page.
    bound: Option<Cursor>,
    total: u64,
    aggregator: Aggregator,
}

impl Found {
    fn new(job: &Job) -> Self {
        Self { rows: Vec::new(), bound: None, total: 0, aggregator: Aggregator::new(&job.aggregations) }
    }

    fn add(&mut self, job: &Job, key: Cursor, row: Row) {
        let is_behind =
            self.bound.as_ref().is_some_and(|bound| job.sort.compare(bound, &key) == Ordering::Less);
        if !is_behind {
            self.rows.push((key, row));
            // Sorted once a page, not with every file.
            if self.rows.len() > 2 * job.limit + 1 {
                self.cut(job);
            }
        }
    }

    /// Leaves the best files, in order.
    fn cut(&mut self, job: &Job) {
        self.rows.sort_unstable_by(|(a, _), (b, _)| job.sort.compare(a, b));
        self.rows.truncate(job.limit + 1);
        self.bound = self.rows.get(job.limit).map(|(key, _)| key.clone());
    }

    fn merge(&mut self, job: &Job, other: Self) -> Result<()> {
        self.total += other.total;
        for (key, row) in other.rows {
            self.add(job, key, row);
        }
        self.cut(job);
        self.aggregator.merge(&job.aggregations, other.aggregator)
    }

    /// Whether no row behind the sort key `next` can still come into the page.
    /// Sort keys of long paths are cut, so that they say less than paths.
    fn is_full_before(&self, job: &Job, next: &str) -> bool {
        let last = self.rows.get(job.limit).and_then(|(key, _)| key.uri.strip_prefix("oss://"));
        last.is_some_and(|last| {
            let (cut, _) = RowKey::path_range(last, "");
            let (next_cut, _) = RowKey::path_range(next, "");
            cut < next_cut || (cut == last && last <= next)
        })
    }
}

#[async_trait]
impl Engine for ScanEngine {
    async fn search(&self, ctx: &Context, search: Search<'_>) -> Result<SearchReply> {
        let dataset = search.dataset;
        // The counters know how many files there are, where they are not all read anyway.
        let reads_all = !search.sort.is_by_uri() || !search.aggregations.is_empty();
        let counted = match search.plan {
            Plan::All if search.with_total && !reads_all => {
                let counts = ctx.db.counts(&dataset.id, dataset.shards).await?;
                Some(u64::try_from(counts.files).unwrap_or(0))
            }
            _ => None,
        };
        let counts_matches = search.with_total && counted.is_none();
        let needs = Needs::of(search.plan, search.sort, search.aggregations);
        let by_uri = search.sort.is_by_uri() && !counts_matches && search.aggregations.is_empty();
        // A page by URI is little: its rows are read whole at once.
        let columns = if needs.record() || by_uri { Columns::All } else { Columns::WithoutRecord };
        let job = Arc::new(Job {
            view: search.view.clone(),
            plan: search.plan.clone(),
            sort: search.sort.clone(),
            aggregations: search.aggregations.to_vec(),
            after: search.after.cloned(),
            limit: search.limit,
            needs,
        });
        let mut found = match Access::of(search.plan) {
            Access::Keys(uris) => {
                let rows = read_rows(&ctx.db, &dataset.id, dataset.partitions, &uris).await?;
                evaluate_all(ctx, &job, rows.into_values().collect()).await?
            }
            Access::Paths(low, high) => {
                let (low, high) = RowKey::path_range(&low, &high);
                let reading = Reading {
                    ctx,
                    job: &job,
                    dataset_id: &dataset.id,
                    partitions: dataset.partitions,
                    shards: dataset.shards,
                    low,
                    high,
                    columns,
                    checked: OnceCell::new(),
                };
                if by_uri { reading.page_by_uri().await? } else { reading.all().await? }
            }
        };
        let more = found.rows.len() > search.limit;
        found.rows.truncate(search.limit);
        if columns == Columns::WithoutRecord && search.view.shown().record() {
            found.rows = complete(ctx, &job, dataset, found.rows).await?;
        }
        Ok(SearchReply {
            rows: found.rows,
            more,
            total: search.with_total.then_some(counted.unwrap_or(found.total)),
            aggregations: found.aggregator.finish(search.aggregations, search.groups),
        })
    }
}

/// Reads the rows of a page whole. One that was changed since is shown as it is
/// now, and left out where it no longer belongs.
async fn complete(
    ctx: &Context,
    job: &Job,
    dataset: &crate::state::Dataset,
    found: Vec<(Cursor, Row)>,
) -> Result<Vec<(Cursor, Row)>> {
    let uris: Vec<ObjectUri> = found.iter().map(|(_, row)| row.uri()).collect();
    let mut rows = read_rows(&ctx.db, &dataset.id, dataset.partitions, &uris).await?;
    let mut complete = Vec::with_capacity(found.len());
    for ((key, before), uri) in found.into_iter().zip(uris) {
        let Some(row) = rows.remove(&uri).filter(|row| row.status == Status::Live) else { continue };
        let same = row.rev == before.rev || matches(&job.plan, &job.view.document(&row, &job.needs)?);
        if same {
            complete.push((key, row));
        }
    }
    Ok(complete)
}

/// A search over ranges of all partitions.
struct Reading<'a> {
    ctx: &'a Context,
    job: &'a Arc<Job>,
    dataset_id: &'a str,
    partitions: u32,
    shards: u32,
    low: String,
    high: String,
    columns: Columns,
    /// Whether the dataset is small enough to be read, once that was looked up.
    checked: OnceCell<()>,
}

impl Reading<'_> {
    fn range<'b>(&'b self, partition: u32, low: &'b str, limit: Option<i32>) -> Range<'b> {
        Range { dataset_id: self.dataset_id, partition, low, high: &self.high, columns: self.columns, limit }
    }

    /// Everything in the range.
    async fn all(&self) -> Result<Found> {
        let mut found = Found::new(self.job);
        let mut partitions = futures::stream::iter(0..self.partitions)
            .map(|partition| self.partition(partition))
            .buffer_unordered(BESIDE);
        while let Some(part) = partitions.next().await {
            found.merge(self.job, part?)?;
        }
        Ok(found)
    }

    async fn partition(&self, partition: u32) -> Result<Found> {
        let mut found = Found::new(self.job);
        let mut start = None;
        loop {
            let range = self.range(partition, &self.low, None);
            let (rows, next) = range_partition(&self.ctx.db, range, start).await?;
            found.merge(self.job, self.evaluate(rows).await?)?;
            match next {
                Some(next) => start = Some(next),
                None => return Ok(found),
            }
            // Small datasets are read without looking up how many files they have.
            self.checked.get_or_try_init(|| self.check_cost()).await?;
        }
    }

    /// The first page by URI: a few rows of each partition at a time, until no
    /// partition can add to the page.
    async fn page_by_uri(&self) -> Result<Found> {
        let from = self.job.after.as_ref().and_then(|after| after.uri.strip_prefix("oss://"));
        let low = match from {
            Some(path) => RowKey::path_range(path, "").0.max(self.low.clone()),
            None => self.low.clone(),
        };
        let mut found = Found::new(self.job);
        let mut open: Vec<(u32, Option<String>)> =
            (0..self.partitions).map(|number| (number, None)).collect();
        let share = self.job.limit / usize::try_from(self.partitions.max(1)).unwrap_or(1);
        // A fifth more than its share: most often no second round is needed.
        let mut rows_each = i32::try_from(share + share / 5 + 4).unwrap_or(i32::MAX);
        while !open.is_empty() {
            let mut round = futures::stream::iter(std::mem::take(&mut open))
                .map(|(partition, start)| {
                    let range = self.range(partition, &low, Some(rows_each));
                    async move {
                        let (rows, next) = range_partition(&self.ctx.db, range, start).await?;
                        Ok::<_, Error>((partition, next, self.evaluate(rows).await?))
                    }
                })
                .buffer_unordered(BESIDE);
            while let Some(part) = round.next().await {
                let (partition, next, part) = part?;
                found.merge(self.job, part)?;
                if next.is_some() {
                    open.push((partition, next));
                }
            }
            drop(round);
            open.retain(|(_, next)| next.as_ref().is_none_or(|next| !found.is_full_before(self.job, next)));
            // Few of the rows match: ask for more of them.
            rows_each = rows_each.saturating_mul(2);
            if rows_each > 10_000 && !open.is_empty() {
                self.checked.get_or_try_init(|| self.check_cost()).await?;
            }
        }
        Ok(found)
    }

    async fn evaluate(&self, rows: Vec<Row>) -> Result<Found> {
        evaluate_all(self.ctx, self.job, rows).await
    }

    /// Refuses to read through a dataset that is too large for it.
    async fn check_cost(&self) -> Result<()> {
        let files = self.ctx.db.counts(self.dataset_id, self.shards).await?.files;
        let limit = self.ctx.config.max_query_files;
        // A range of the URIs may be any part of the dataset.
        let is_part = self.low != "!" || !self.high.starts_with('\u{10FFFF}');
        if files <= limit || is_part {
            return Ok(());
        }
        Err(Error::limit_exceeded(format!(
            "The query would have to read all {files} files of the dataset, and one query may read {limit}. \
             Narrow it down by URI (eq, prefix or a range), page through it by URI with WithoutTotalHits, or \
             raise MEDIADEX_MAX_QUERY_FILES."
        )))
    }
}

/// Parts of texts that are held at once, for each partition that is read.
const TEXT_PARTS: u32 = 50;

/// Evaluates rows, with their texts where the query looks at these: so many at a time
/// that memory stays flat.
async fn evaluate_all(ctx: &Context, job: &Arc<Job>, mut rows: Vec<Row>) -> Result<Found> {
    let with_texts = job.needs.wants(DOCUMENT_TEXT);
    let mut found: Option<Found> = None;
    loop {
        let mut parts = 0;
        let many = rows.iter().position(|row| {
            parts += match row.text {
                Some(TextMark::Kept(count)) if with_texts => count,
                _ => 0,
            };
            parts > TEXT_PARTS
        });
        let rest = many.map(|at| rows.split_off(at.max(1))).unwrap_or_default();
        let texts = if parts > 0 { read_texts(&ctx.db, &rows).await? } else { HashMap::new() };
        let shared = Arc::clone(job);
        // Decompressing and parsing a page of rows takes milliseconds.
        let some = tokio::task::spawn_blocking(move || evaluate(&shared, rows, &texts));
        let some = some.await.map_err(Error::internal)??;
        match &mut found {
            Some(found) => found.merge(job, some)?,
            None => found = Some(some),
        }
        if rest.is_empty() {
            return Ok(found.unwrap_or_else(|| Found::new(job)));
        }
        rows = rest;
    }
}

fn evaluate(job: &Job, rows: Vec<Row>, texts: &HashMap<String, KeptText>) -> Result<Found> {
    let mut found = Found::new(job);
    // Every file, by URI: nothing of it needs to be looked at.
    let needs_document = job.plan != Plan::All || !job.sort.is_by_uri() || !job.aggregations.is_empty();
    for row in rows {
        if row.status != Status::Live {
            continue;
        }
        let uri = row.uri().to_string();
        let key = if needs_document {
            let mut document = job.view.document(&row, &job.needs)?;
            if let Some(text) = texts.get(&row.sk) {
                document.insert(DOCUMENT_TEXT.to_owned(), text.unpack()?.into());
            }
            if !matches(&job.plan, &document) {
                continue;
            }
            found.aggregator.add(&job.aggregations, &document)?;
            job.sort.key(&document, uri)
        } else {
            Cursor { values: Vec::new(), uri }
        };
        found.total += 1;
        let is_after =
            job.after.as_ref().is_none_or(|after| job.sort.compare(&key, after) == Ordering::Greater);
        if is_after && job.limit > 0 {
            found.add(job, key, row);
        }
    }
    found.cut(job);
    Ok(found)
}
