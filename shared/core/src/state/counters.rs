//! Exact counters: each dataset has a few shards, and a writer moves any one
//! of them in the same transaction as the files. The sum is exact at every
//! moment, no shard is hot, and each holds a share of the quota ("room").
//!
//! Invariants: the sum of `files` over the shards is the number of live rows;
//! `files + room_files` summed is the quota; a closed shard takes no writes.

use aws_sdk_dynamodb::types::{
    Delete, Get, Put, ReturnConsumedCapacity, TransactGetItem, TransactWriteItem, Update,
};
use serde::{Deserialize, Serialize};

use super::db::{Cancel, Db, TransactError, from_item, key, n, store_error, to_item};
use crate::error::{Error, Result};

/// A change of the counters: files and bytes, more or less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CounterDelta {
    /// Live files.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
}

impl CounterDelta {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

/// What a dataset holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live files.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// Where a change fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// In this shard.
    Shard(u32),
    /// In no shard as it is, but in several together.
    Scattered,
    /// Nowhere: the quota is used up.
    None,
    /// There are no shards: the dataset is gone.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Shard {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    files: i64,
    size: i64,
    room_files: i64,
    room_size: i64,
    open: bool,
}

fn shard_key(dataset_id: &str, shard: u32) -> (String, String) {
    (format!("CTR#{dataset_id}#{shard}"), "C".into())
}

/// Splits a total into `parts` shares that differ by one at most.
fn share(total: i64, parts: u32, index: u32) -> i64 {
    let (parts, index) = (i64::from(parts.max(1)), i64::from(index));
    total.div_euclid(parts) + i64::from(index < total.rem_euclid(parts))
}

impl Db {
    /// The puts of a new dataset's shards.
    pub(super) fn new_counters(
        &self,
        dataset_id: &str,
        shards: u32,
        files: i64,
        bytes: i64,
    ) -> Result<Vec<TransactWriteItem>> {
        (0..shards)
            .map(|index| {
                let (pk, sk) = shard_key(dataset_id, index);
                let shard = Shard {
                    pk,
                    sk,
                    files: 0,
                    size: 0,
                    room_files: share(files, shards, index),
                    room_size: share(bytes, shards, index),
                    open: true,
                };
                let put = Put::builder()
                    .table_name(self.state_table())
                    .set_item(Some(to_item(&shard)?))
                    .build()
                    .map_err(Error::internal)?;
                Ok(TransactWriteItem::builder().put(put).build())
            })
            .collect()
    }

    /// The action that moves one shard within a transaction. It fails where
    /// the dataset is gone, the shard is closed, or the change has no room.
    pub(crate) fn move_counter(
        &self,
        dataset_id: &str,
        shard: u32,
        delta: CounterDelta,
    ) -> Result<TransactWriteItem> {
        let (pk, sk) = shard_key(dataset_id, shard);
        let mut condition = "#open = :true".to_owned();
        let mut update = Update::builder()
            .table_name(self.state_table())
            .set_key(Some(key(pk, sk)))
            .update_expression("ADD files :f, #size :b, room_files :nf, room_size :nb")
            .expression_attribute_names("#size", "size")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":true", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":f", n(delta.files))
            .expression_attribute_values(":b", n(delta.bytes))
            .expression_attribute_values(":nf", n(-delta.files))
            .expression_attribute_values(":nb", n(-delta.bytes));
        if delta.files > 0 {
            condition.push_str(" AND room_files >= :f");
        }
        if delta.bytes > 0 {
            condition.push_str(" AND room_size >= :b");
        }
        update = update.condition_expression(condition);
        Ok(TransactWriteItem::builder().update(update.build().map_err(Error::internal)?).build())
    }

    async fn shards(&self, dataset_id: &str, shards: u32) -> Result<Vec<Shard>> {
        let mut gets = Vec::new();
        for index in 0..shards {
            let (pk, sk) = shard_key(dataset_id, index);
            let get = Get::builder()
                .table_name(self.state_table())
                .set_key(Some(key(pk, sk)))
                .build()
                .map_err(Error::internal)?;
            gets.push(TransactGetItem::builder().get(get).build());
        }
        let mut attempt = 0;
        let reply = loop {
            let reply = self
                .client
                .transact_get_items()
                .set_transact_items(Some(gets.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            match reply {
                Ok(reply) => break reply,
                Err(error) => {
                    let cancelled =
                        error.as_service_error().is_some_and(|e| e.is_transaction_canceled_exception());
                    if !cancelled || attempt >= 10 {
                        return Err(store_error(error));
                    }
                    super::db::pause(attempt).await;
                    attempt += 1;
                }
            }
        };
        self.usage.reads(reply.consumed_capacity());
        reply.responses.unwrap_or_default().into_iter().filter_map(|r| r.item).map(from_item).collect()
    }

    /// The counts of a dataset at one moment, exactly.
    pub async fn counts(&self, dataset_id: &str, shards: u32) -> Result<Counts> {
        let shards = self.shards(dataset_id, shards).await?;
        Ok(shards.iter().fold(Counts::default(), |sum, shard| Counts {
            files: sum.files + shard.files,
            bytes: sum.bytes + shard.size,
        }))
    }

    /// Looks for room for a change that a shard refused.
    pub async fn find_room(&self, dataset_id: &str, shards: u32, delta: CounterDelta) -> Result<Room> {
        let all = self.shards(dataset_id, shards).await?;
        if all.is_empty() {
            return Ok(Room::Gone);
        }
        // What takes no room fits, whatever is owed.
        let has = |room: i64, wanted: i64| wanted <= 0 || room >= wanted;
        let mut sum = (0, 0);
        let mut best: Option<(u32, i64)> = None;
        for (index, shard) in (0u32..).zip(all.iter()) {
            sum = (sum.0 + shard.room_files, sum.1 + shard.room_size);
            let fits = shard.open && has(shard.room_files, delta.files) && has(shard.room_size, delta.bytes);
            if fits && best.is_none_or(|(_, room)| shard.room_files > room) {
                best = Some((index, shard.room_files));
            }
        }
        Ok(match best {
            Some((index, _)) => Room::Shard(index),
            None if has(sum.0, delta.files) && has(sum.1, delta.bytes) => Room::Scattered,
            None => Room::None,
        })
    }

    /// Brings all the room of a dataset into one shard, so that a change that
    /// fits into the quota but into no shard gets its place.
    pub async fn gather_room(&self, dataset_id: &str, shards: u32) -> Result<()> {
        self.redistribute(dataset_id, shards, CounterDelta::default(), &[]).await.map(|_| ())
    }

    /// Changes the quota by a difference, in one transaction with `also`.
    /// Says `false` when something moved meanwhile and nothing was done.
    pub(super) async fn change_quota(
        &self,
        dataset_id: &str,
        shards: u32,
        by: CounterDelta,
        also: &[TransactWriteItem],
    ) -> Result<bool> {
        self.redistribute(dataset_id, shards, by, also).await
    }

    /// Computes all rooms again: an even share where there is any, and all of a
    /// debt (a quota lowered under what is in use) in one shard, the others
    /// closed, so that a later delete cannot free room that is still owed.
    async fn redistribute(
        &self,
        dataset_id: &str,
        shards: u32,
        by: CounterDelta,
        also: &[TransactWriteItem],
    ) -> Result<bool> {
        let gathering = by == CounterDelta::default();
        let all = self.shards(dataset_id, shards).await?;
        let count = u32::try_from(all.len()).unwrap_or(1);
        let files: i64 = all.iter().map(|shard| shard.room_files).sum::<i64>() + by.files;
        let bytes: i64 = all.iter().map(|shard| shard.room_size).sum::<i64>() + by.bytes;
        let single = gathering || files < i64::from(count) || bytes < i64::from(count);
        let mut actions = also.to_vec();
        for (index, shard) in (0u32..).zip(all.iter()) {
            let (room_files, room_size, open) = match (single, index) {
                (true, 0) => (files, bytes, true),
                (true, _) => (0, 0, false),
                (false, _) => (share(files, count, index), share(bytes, count, index), true),
            };
            let update = Update::builder()
                .table_name(self.state_table())
                .set_key(Some(key(&shard.pk, &shard.sk)))
                .update_expression("SET room_files = :rf, room_size = :rb, #open = :open")
                .condition_expression("room_files = :orf AND room_size = :orb")
                .expression_attribute_names("#open", "open")
                .expression_attribute_values(":rf", n(room_files))
                .expression_attribute_values(":rb", n(room_size))
                .expression_attribute_values(":open", aws_sdk_dynamodb::types::AttributeValue::Bool(open))
                .expression_attribute_values(":orf", n(shard.room_files))
                .expression_attribute_values(":orb", n(shard.room_size))
                .build()
                .map_err(Error::internal)?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        match self.transact_again(actions).await {
            Ok(()) => Ok(true),
            Err(TransactError::Cancelled(reasons)) => {
                // The caller's own conditions come first and are its business.
                let own = reasons.iter().take(also.len()).any(|reason| *reason == Cancel::Condition);
                if own { Err(TransactError::Cancelled(reasons).into()) } else { Ok(false) }
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The deletes of a dataset's shards, holding only while the sum is zero:
    /// each shard must still be what was read when the sum was taken. The
    /// counts are given when they are not zero.
    pub(super) async fn delete_counters(
        &self,
        dataset_id: &str,
        shards: u32,
    ) -> Result<Result<Vec<TransactWriteItem>, Counts>> {
        let all = self.shards(dataset_id, shards).await?;
        let files: i64 = all.iter().map(|shard| shard.files).sum();
        let bytes: i64 = all.iter().map(|shard| shard.size).sum();
        if files != 0 || bytes != 0 {
            return Ok(Err(Counts { files, bytes }));
        }
        let mut actions = Vec::new();
        for shard in &all {
            let delete = Delete::builder()
                .table_name(self.state_table())
                .set_key(Some(key(&shard.pk, &shard.sk)))
                .condition_expression("files = :f AND #size = :b")
                .expression_attribute_names("#size", "size")
                .expression_attribute_values(":f", n(shard.files))
                .expression_attribute_values(":b", n(shard.size))
                .build()
                .map_err(Error::internal)?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(Ok(actions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (total, parts) in [(10, 3), (1, 8), (0, 8), (100_000_000, 7), (7, 7)] {
            let shares: Vec<i64> = (0..parts).map(|index| share(total, parts, index)).collect();
            assert_eq!(shares.iter().sum::<i64>(), total);
            assert!(shares.iter().all(|s| *s >= 0));
        }
    }
}
