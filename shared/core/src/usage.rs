//! What the services behind us were asked for, counted: the figures of the
//! benchmarks, the metrics and the cost estimate come from here.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;
use serde::Serialize;

/// Counters of one process. Capacity units are the ones that the store
/// reported, kept in thousandths because they come in halves.
#[derive(Debug, Default)]
pub struct Usage {
    s3_gets: AtomicU64,
    s3_heads: AtomicU64,
    s3_lists: AtomicU64,
    s3_bytes: AtomicU64,
    read_milliunits: AtomicU64,
    write_milliunits: AtomicU64,
    store_calls: AtomicU64,
    objects: AtomicU64,
    indexed: AtomicU64,
    failed: AtomicU64,
    /// Milliseconds from events to the commits that they led to.
    latencies: Mutex<Vec<u64>>,
    /// Counts along: what a part of the work uses, all of it uses.
    whole: Option<std::sync::Arc<Usage>>,
}

/// A reading of [`Usage`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct UsageReading {
    /// GetObject calls.
    pub s3_gets: u64,
    /// HeadObject calls.
    pub s3_heads: u64,
    /// ListObjectsV2 calls.
    pub s3_lists: u64,
    /// Bytes of objects that were received.
    pub s3_bytes: u64,
    /// Read request units of DynamoDB.
    pub read_units: f64,
    /// Write request units of DynamoDB.
    pub write_units: f64,
    /// Calls of DynamoDB.
    pub store_calls: u64,
    /// Objects that were looked at, whatever came of it.
    pub objects: u64,
    /// Objects whose rows were written.
    pub indexed: u64,
    /// Objects that could not be read, or are to be tried again.
    pub failed: u64,
}

impl UsageReading {
    /// What was used since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            s3_gets: self.s3_gets - earlier.s3_gets,
            s3_heads: self.s3_heads - earlier.s3_heads,
            s3_lists: self.s3_lists - earlier.s3_lists,
            s3_bytes: self.s3_bytes - earlier.s3_bytes,
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
            store_calls: self.store_calls - earlier.store_calls,
            objects: self.objects - earlier.objects,
            indexed: self.indexed - earlier.indexed,
            failed: self.failed - earlier.failed,
        }
    }
}

impl Usage {
    /// Counters of a part of the work, from 0; what they count is counted in
    /// `whole` as well.
    pub fn part_of(whole: std::sync::Arc<Self>) -> Self {
        Self { whole: Some(whole), ..Self::default() }
    }

    fn count(&self, counter: impl Fn(&Self) -> &AtomicU64, number: u64) {
        counter(self).fetch_add(number, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            counter(whole).fetch_add(number, Ordering::Relaxed);
        }
    }

    /// The present values.
    pub fn read(&self) -> UsageReading {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UsageReading {
            s3_gets: load(&self.s3_gets),
            s3_heads: load(&self.s3_heads),
            s3_lists: load(&self.s3_lists),
            s3_bytes: load(&self.s3_bytes),
            read_units: load(&self.read_milliunits) as f64 / 1000.0,
            write_units: load(&self.write_milliunits) as f64 / 1000.0,
            store_calls: load(&self.store_calls),
            objects: load(&self.objects),
            indexed: load(&self.indexed),
            failed: load(&self.failed),
        }
    }

    pub(crate) fn s3_get(&self, bytes: u64) {
        self.count(|usage| &usage.s3_gets, 1);
        self.count(|usage| &usage.s3_bytes, bytes);
    }

    pub(crate) fn settled(&self, objects: usize) {
        self.count(|usage| &usage.objects, objects as u64);
    }

    pub(crate) fn indexed(&self, objects: usize) {
        self.count(|usage| &usage.indexed, objects as u64);
    }

    pub(crate) fn failed(&self, objects: usize) {
        self.count(|usage| &usage.failed, objects as u64);
    }

    /// Notes how long after its event an object's row was committed. Kept by
    /// the part of the work only, which ends: a whole process would grow.
    pub(crate) fn committed_after(&self, millis: i64) {
        if self.whole.is_some()
            && let Ok(mut latencies) = self.latencies.lock()
        {
            // A clock of object storage that is ahead of ours.
            latencies.push(u64::try_from(millis).unwrap_or(0));
        }
    }

    /// Milliseconds from events to their commits, of this part of the work.
    pub fn latencies(&self) -> Vec<u64> {
        self.latencies.lock().map(|latencies| latencies.clone()).unwrap_or_default()
    }

    pub(crate) fn s3_head(&self) {
        self.count(|usage| &usage.s3_heads, 1);
    }

    pub(crate) fn s3_list(&self) {
        self.count(|usage| &usage.s3_lists, 1);
    }

    pub(crate) fn reads<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.add(|usage| &usage.read_milliunits, capacity);
    }

    pub(crate) fn writes<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.add(|usage| &usage.write_milliunits, capacity);
    }

    fn add<'a>(
        &self,
        counter: impl Fn(&Self) -> &AtomicU64,
        capacity: impl IntoIterator<Item = &'a ConsumedCapacity>,
    ) {
        self.count(|usage| &usage.store_calls, 1);
        let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
        self.count(counter, (units * 1000.0).round() as u64);
    }
}
