//! Scan runs: `SCAN#{run}` / `RUN`, `SEG#{plan}#{n}` and `MISSING#{plan}#{n}#...`, and
//! the list of runs that are open: `RUNS` / `{run}`.
//!
//! A segment's checkpoint moves only after everything up to it is committed,
//! and only by the holder of its lease. Two that plan one run concurrently
//! write segments of two plans, and the run is given one of them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::db::{Cancel, Db, Item, TransactError, from_item, key, n, s, to_item, ttl_in_days};
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::simulation::{Safeguard, is_off};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunKind {
    /// Bring the dataset in line with the bucket.
    Full,
    /// Remove what a deleted binding made (`Cleanup=true`).
    Cleanup,
    /// Remove the rows that a deleted dataset leaves behind.
    Purge,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunStatus {
    /// Made, not split yet.
    Created,
    /// Split into segments.
    Planned,
    /// Finished.
    Done,
    /// Stopped by the guard or because another run took its place.
    Stopped,
}

/// Which walk over the bucket a scan is at. Removals have a walk of their own:
/// whether files are missing or were moved is known only when all is indexed, and
/// a scan that finds too much missing must have removed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The first: what is new and changed is indexed, what is missing is counted.
    #[default]
    Index,
    /// The ranges with missing files again, to remove them.
    Remove,
    /// All of it once more: what was removed made room for what had been refused.
    Fill,
}

/// A run, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// Its id, a ULID.
    pub run: String,
    /// What it is for.
    pub kind: RunKind,
    /// Where it stands.
    pub status: RunStatus,
    /// The project.
    pub project: String,
    /// The dataset's name.
    pub dataset: String,
    /// The dataset's id.
    pub dataset_id: String,
    /// Partitions of the dataset, for when it is gone.
    pub partitions: u32,
    /// The bucket; empty for a purge.
    pub bucket: String,
    /// Only keys that begin with it.
    pub prefix: String,
    /// The plan that its segments belong to; empty before it is planned.
    #[serde(default)]
    pub plan: String,
    /// Segments, once planned.
    pub segments: u32,
    /// Whether it is the binding's own run, which moves its state; a run that
    /// only looks for differences is not.
    pub current: bool,
    /// Whether its removals must be granted first. One that is not guarded removes
    /// what is missing as it finds it.
    pub guarded: bool,
    /// Which walk it is at.
    #[serde(default)]
    pub stage: Stage,
    /// Files that a guarded run was granted to remove.
    #[serde(default)]
    pub granted: i64,
    /// Files that the walk for removals was about to remove so far, by segment. A
    /// page that is read again counts once.
    #[serde(default)]
    pub missing: BTreeMap<String, i64>,
    /// What the walks before this one came to.
    #[serde(default)]
    pub before: Totals,
    /// When it was made.
    pub create_time: Timestamp,
    ttl: i64,
}

/// What the segments of a walk came to together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Keys listed.
    pub listed: i64,
    /// Files indexed, new or again.
    pub indexed: i64,
    /// Files removed.
    pub removed: i64,
    /// Files that were missing and not removed.
    pub missing: i64,
    /// Files that could not be read and were recorded so.
    pub failed: i64,
    /// Files that the dataset's quota had no room for.
    pub refused: i64,
}

impl Totals {
    /// The sum over segments.
    pub fn of(segments: &[Segment]) -> Self {
        let sum = |part: fn(&Segment) -> i64| segments.iter().map(part).sum::<i64>();
        Self {
            listed: sum(|s| s.listed),
            indexed: sum(|s| s.indexed),
            removed: sum(|s| s.removed),
            missing: sum(|s| s.missing),
            failed: sum(|s| s.failed),
            refused: sum(|s| s.refused),
        }
    }
}

/// A part of a run's key space, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// Its number.
    pub index: u32,
    /// Keys after this one belong to it.
    pub start_after: String,
    /// Keys up to and with this one belong to it; empty: to the end.
    pub end: String,
    /// Everything up to and with this key is committed.
    pub checkpoint: String,
    /// Finished.
    pub done: bool,
    /// Keys listed.
    pub listed: i64,
    /// Files indexed, for the first time or again.
    pub indexed: i64,
    /// Files removed.
    pub removed: i64,
    /// Files that were missing in what is committed, and not removed.
    #[serde(default)]
    pub missing: i64,
    /// Where missing files begin: after this key.
    #[serde(default)]
    pub missing_after: Option<String>,
    /// And where they end: not after this key; empty: to the end.
    #[serde(default)]
    pub missing_upto: String,
    /// Files that the walk for removals removed or was about to.
    #[serde(default)]
    pub taken: i64,
    /// Files that could not be read and were recorded so.
    pub failed: i64,
    /// Files that the dataset's quota had no room for.
    pub refused: i64,
    /// How often work at it was begun since its checkpoint moved.
    #[serde(default)]
    pub tries: u32,
    /// Who works at it.
    pub lease: String,
    /// Until when, in epoch milliseconds.
    pub lease_until: i64,
    ttl: i64,
}

fn pk(run: &str) -> String {
    format!("SCAN#{run}")
}

fn missing_prefix(plan: &str) -> String {
    format!("MISSING#{plan}#")
}

fn segment_sk(plan: &str, index: u32) -> String {
    format!("SEG#{plan}#{index:05}")
}

impl Run {
    /// A run that has not begun.
    pub fn new(kind: RunKind, run: &str, dataset: &super::Dataset, bucket: &str, prefix: &str) -> Self {
        Self {
            pk: pk(run),
            sk: "RUN".into(),
            run: run.into(),
            kind,
            status: RunStatus::Created,
            project: dataset.project.clone(),
            dataset: dataset.name.clone(),
            dataset_id: dataset.id.clone(),
            partitions: dataset.partitions,
            bucket: bucket.into(),
            prefix: prefix.into(),
            plan: String::new(),
            segments: 0,
            current: false,
            guarded: true,
            stage: Stage::Index,
            granted: 0,
            missing: BTreeMap::new(),
            before: Totals::default(),
            create_time: Timestamp::now(),
            ttl: ttl_in_days(30),
        }
    }

    /// The run as it is before another walk.
    fn next_walk(&self, stage: Stage, before: Totals) -> Self {
        Self { status: RunStatus::Created, stage, before, missing: BTreeMap::new(), ..self.clone() }
    }
}

impl Segment {
    /// A segment that has not begun.
    pub fn new(run: &Run, index: u32, start_after: &str, end: &str) -> Self {
        Self {
            pk: pk(&run.run),
            sk: segment_sk(&run.plan, index),
            index,
            start_after: start_after.into(),
            end: end.into(),
            checkpoint: start_after.into(),
            done: false,
            listed: 0,
            indexed: 0,
            removed: 0,
            missing: 0,
            missing_after: None,
            missing_upto: String::new(),
            taken: 0,
            failed: 0,
            refused: 0,
            tries: 0,
            lease: String::new(),
            lease_until: 0,
            ttl: ttl_in_days(30),
        }
    }
}

impl Db {
    /// Stores a new run, and that it is open.
    pub async fn create_run(&self, run: &Run) -> Result<()> {
        let mut open = key("RUNS", &run.run);
        open.insert("bucket".into(), s(&run.bucket));
        self.put(open).await?;
        self.put(to_item(run)?).await
    }

    /// Reads a run.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn run(&self, run: &str) -> Result<Run> {
        self.get(&pk(run), "RUN").await?.ok_or_else(|| Error::not_found("Run", run))
    }

    /// Stores a plan: the segments first, then the run that points to them.
    /// `false` when the run has a plan already, or has ended.
    pub async fn plan_run(&self, run: &mut Run, segments: &[Segment]) -> Result<bool> {
        for segment in segments {
            self.put(to_item(segment)?).await?;
        }
        run.segments = u32::try_from(segments.len()).unwrap_or(u32::MAX);
        run.status = RunStatus::Planned;
        let put = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(to_item(run)?))
            // A write that took effect and whose answer was lost is its own.
            .condition_expression("#status = :created OR #plan = :plan")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":created", status_value(RunStatus::Created)?)
            .expression_attribute_values(":plan", s(&run.plan));
        self.put_if(put).await
    }

    /// Has a run that was walked to its end planned for another walk. Where the run
    /// moved on meanwhile, nothing is changed.
    pub async fn walk_again(&self, run: &Run, stage: Stage, before: Totals) -> Result<()> {
        let put = self.put_next_walk(run, &run.next_walk(stage, before))?;
        match self.transact_again(vec![TransactWriteItem::builder().put(put).build()]).await {
            Err(TransactError::Cancelled(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The write of a run that is to be walked once more, if it is still at the walk
    /// that came to its end.
    fn put_next_walk(&self, run: &Run, next: &Run) -> Result<Put> {
        Put::builder()
            .table_name(self.state_table())
            .set_item(Some(to_item(next)?))
            .condition_expression("#status = :planned AND #plan = :plan")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":planned", status_value(RunStatus::Planned)?)
            .expression_attribute_values(":plan", s(&run.plan))
            .build()
            .map_err(Error::internal)
    }

    /// Grants a run the removal of `files` and stores the binding's budget, which was
    /// charged for them, in one transaction: the run is planned for its walk for
    /// removals, or nothing is changed. `seen` is the budget as it was read.
    /// `false` when the budget changed meanwhile.
    pub(crate) async fn grant_removals(
        &self,
        run: &Run,
        before: Totals,
        files: i64,
        (seen, budget): (Option<&Budget>, &Budget),
    ) -> Result<bool> {
        let next = Run { granted: files, ..run.next_walk(Stage::Remove, before) };
        let put = self.put_next_walk(run, &next)?;
        let actions = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().put(self.put_budget(seen, budget)?).build(),
        ];
        match self.transact_again(actions).await {
            // The run was granted before, and its answer was lost; or another
            // driver moved it on. Either way it says itself where it stands.
            Err(TransactError::Cancelled(reasons)) if reasons.first() == Some(&Cancel::Condition) => Ok(true),
            Err(TransactError::Cancelled(_)) => Ok(false),
            other => {
                other?;
                Ok(true)
            }
        }
    }

    /// Keeps what a page of a walk found missing: a digest of each file's content.
    pub(crate) async fn keep_missing(&self, run: &Run, segment: &Segment, digests: &[u64]) -> Result<()> {
        // An item of DynamoDB has 400 KB.
        const MANY: usize = 20_000;
        for (part, chunk) in digests.chunks(MANY).enumerate() {
            let page = xxhash_rust::xxh3::xxh3_64(segment.checkpoint.as_bytes());
            let sk = format!("{}{:05}#{page:016x}#{part}", missing_prefix(&run.plan), segment.index);
            let mut item = key(pk(&run.run), sk);
            let bytes: Vec<u8> = chunk.iter().flat_map(|digest| digest.to_be_bytes()).collect();
            item.insert("digests".into(), s(STANDARD_NO_PAD.encode(bytes)));
            item.insert("ttl".into(), n(ttl_in_days(2)));
            self.put(item).await?;
        }
        Ok(())
    }

    /// Gives `take` what [`Self::keep_missing`] has kept of a run's walk.
    pub(crate) async fn kept_missing(&self, run: &Run, mut take: impl FnMut(u64)) -> Result<()> {
        #[derive(Deserialize)]
        struct Kept {
            #[serde(rename = "SK")]
            sk: String,
            digests: String,
        }
        let prefix = missing_prefix(&run.plan);
        let mut after = String::new();
        loop {
            let page = self.list::<Kept>(&pk(&run.run), &prefix, &after, 8).await?;
            for kept in &page.items {
                let bytes = STANDARD_NO_PAD.decode(&kept.digests).map_err(Error::internal)?;
                let (digests, _) = bytes.as_chunks::<8>();
                digests.iter().for_each(|digest| take(u64::from_be_bytes(*digest)));
            }
            match page.items.last() {
                Some(last) if page.more => after.clone_from(&last.sk),
                _ => return Ok(()),
            }
        }
    }

    /// Stores how a run ended, and that it is open no more.
    pub async fn end_run(&self, run: &str, status: RunStatus) -> Result<()> {
        let attributes = Item::from([("status".to_owned(), status_value(status)?)]);
        let _: Option<Run> = self.set_attributes(&pk(run), "RUN", attributes).await?;
        self.forget_open_run(run).await
    }

    /// Takes a run off the list of open ones.
    pub async fn forget_open_run(&self, run: &str) -> Result<()> {
        self.delete("RUNS", run).await
    }

    /// Runs that were made and have not ended.
    pub async fn open_runs(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Open {
            #[serde(rename = "SK")]
            run: String,
        }
        let open: Vec<Open> = self.list_all("RUNS", "").await?;
        Ok(open.into_iter().map(|o| o.run).collect())
    }

    /// The segments of a run.
    pub async fn segments(&self, run: &Run) -> Result<Vec<Segment>> {
        self.list_all(&pk(&run.run), &format!("SEG#{}#", run.plan)).await
    }

    /// Takes or renews the lease of a segment; `None` while another worker has it.
    pub async fn lease_segment(
        &self,
        run: &Run,
        index: u32,
        holder: &str,
        seconds: i64,
    ) -> Result<Option<Segment>> {
        let now = Timestamp::now().millis();
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(&run.run), segment_sk(&run.plan, index))))
            .update_expression("SET lease = :me, lease_until = :until ADD tries :one")
            .condition_expression("attribute_exists(PK) AND (lease = :me OR lease_until < :now)")
            .expression_attribute_values(":me", s(holder))
            .expression_attribute_values(":until", n(now + seconds * 1000))
            .expression_attribute_values(":one", n(1))
            // Without the safeguard every lease has always run out.
            .expression_attribute_values(":now", n(if is_off(Safeguard::Lease) { i64::MAX } else { now }));
        self.update_if(update).await?.map(from_item).transpose()
    }

    /// Moves a segment's checkpoint; `false` when the lease was lost.
    pub async fn checkpoint_segment(&self, segment: &Segment, seconds: i64) -> Result<bool> {
        let mut stored = segment.clone();
        stored.lease_until = if segment.done { 0 } else { Timestamp::now().millis() + seconds * 1000 };
        let mut put = self.client.put_item().table_name(self.state_table()).set_item(Some(to_item(&stored)?));
        if !is_off(Safeguard::Lease) {
            put =
                put.condition_expression("lease = :me").expression_attribute_values(":me", s(&segment.lease));
        }
        self.put_if(put).await
    }

    /// Notes how many files of a segment the walk for removals takes, with those of
    /// the page at hand, and gives the number for the segment and the sum over all
    /// segments. The number never goes back: what a step that died has noted, it may
    /// have removed.
    pub async fn note_taken(&self, run: &str, segment: u32, count: i64) -> Result<(i64, i64)> {
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(run), "RUN")))
            .update_expression("SET #missing.#segment = :count")
            .condition_expression("attribute_not_exists(#missing.#segment) OR #missing.#segment < :count")
            // A reserved word.
            .expression_attribute_names("#missing", "missing")
            .expression_attribute_names("#segment", segment.to_string())
            .expression_attribute_values(":count", n(count));
        let run: Run = match self.update_if(update).await? {
            Some(item) => from_item(item)?,
            None => self.run(run).await?,
        };
        let noted = run.missing.get(&segment.to_string()).copied().unwrap_or(count);
        Ok((noted, run.missing.values().sum()))
    }
}

fn status_value(status: RunStatus) -> Result<aws_sdk_dynamodb::types::AttributeValue> {
    serde_dynamo::to_attribute_value(status).map_err(Error::internal)
}
