//! Scan runs: `SCAN#{run}` / `RUN` and `SEG#{plan}#{n}`, and the list of runs that are
//! open: `RUNS` / `{run}`.
//!
//! A segment's checkpoint moves only after everything up to it is committed,
//! and only by the holder of its lease. Two that plan one run beside each other
//! write segments of two plans, and the run is given one of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::db::{Db, Item, from_item, key, n, s, to_item, ttl_in_days};
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
    /// Whether it stops where too much is missing.
    pub guarded: bool,
    /// Files that the run may remove before it stops; negative: any number.
    pub max_missing: i64,
    /// Files found missing so far, by segment. A page that is read again counts once.
    #[serde(default)]
    pub missing: BTreeMap<String, i64>,
    /// It was walked to its end before, and made room for what it had refused.
    #[serde(default)]
    pub again: bool,
    /// When it was made.
    pub create_time: Timestamp,
    ttl: i64,
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
    /// Files indexed, new or anew.
    pub indexed: i64,
    /// Files removed.
    pub removed: i64,
    /// Files that were missing in what is committed.
    #[serde(default)]
    pub missing: i64,
    /// Files that could not be read and were recorded so.
    pub failed: i64,
    /// Files that the dataset's quota had no room for.
    pub refused: i64,
    /// Who works at it.
    pub lease: String,
    /// Until when, in epoch milliseconds.
    pub lease_until: i64,
    ttl: i64,
}

fn pk(run: &str) -> String {
    format!("SCAN#{run}")
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
            max_missing: -1,
            missing: BTreeMap::new(),
            again: false,
            create_time: Timestamp::now(),
            ttl: ttl_in_days(30),
        }
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
            failed: 0,
            refused: 0,
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

    /// Has a run that was walked to its end planned once more. What it may still
    /// remove is what it has not removed yet. Where the run moved on meanwhile,
    /// nothing is changed.
    pub async fn walk_again(&self, run: &Run) -> Result<()> {
        let mut again = Run { status: RunStatus::Created, again: true, ..run.clone() };
        if run.max_missing >= 0 {
            again.max_missing = (run.max_missing - run.missing.values().sum::<i64>()).max(0);
        }
        again.missing.clear();
        let put = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(to_item(&again)?))
            .condition_expression("#status = :planned AND #plan = :plan")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":planned", status_value(RunStatus::Planned)?)
            .expression_attribute_values(":plan", s(&run.plan));
        self.put_if(put).await.map(|_| ())
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

    /// Takes or renews the lease of a segment; `None` while somebody else has it.
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
            .update_expression("SET lease = :me, lease_until = :until")
            .condition_expression("attribute_exists(PK) AND (lease = :me OR lease_until < :now)")
            .expression_attribute_values(":me", s(holder))
            .expression_attribute_values(":until", n(now + seconds * 1000))
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

    /// Notes how many files of a segment are missing so far, and gives the sum
    /// over all segments.
    pub async fn note_missing(&self, run: &str, segment: u32, count: i64) -> Result<i64> {
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(run), "RUN")))
            .update_expression("SET #missing.#segment = :count")
            // A reserved word.
            .expression_attribute_names("#missing", "missing")
            .expression_attribute_names("#segment", segment.to_string())
            .expression_attribute_values(":count", n(count));
        let run: Run = from_item(self.update_if(update).await?.unwrap_or_default())?;
        Ok(run.missing.values().sum())
    }
}

fn status_value(status: RunStatus) -> Result<aws_sdk_dynamodb::types::AttributeValue> {
    serde_dynamo::to_attribute_value(status).map_err(Error::internal)
}
