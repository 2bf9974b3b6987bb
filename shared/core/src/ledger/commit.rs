//! Writing rows: up to 99 of them and one counter shard in one transaction.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use super::row::{Row, Status};
use super::text::remove_texts;
use crate::error::{Error, Result};
use crate::simulation::{Safeguard, is_off};
use crate::state::{Cancel, CounterDelta, Db, Room, TransactError};

/// Rows of one transaction; the hundredth action is the counter.
const MAX_ROWS: usize = 99;
/// Bytes of one transaction, well under DynamoDB's 4 MB.
const MAX_BYTES: usize = 3 * 1024 * 1024;
/// How often a transaction is tried before the caller hears of it.
const MAX_ATTEMPTS: u32 = 12;

/// A row to write, and the one that was read.
#[derive(Debug, Clone)]
pub struct Change {
    /// What was read: `None` where there was no row.
    pub old: Option<Row>,
    /// What is to be written; its `rev` is set here.
    pub new: Row,
}

/// What became of a change.
#[derive(Debug)]
pub enum Committed {
    /// Written.
    Written,
    /// Another worker wrote the row meanwhile: read it again.
    Conflict,
    /// The dataset's quota has no room for it.
    NoRoom,
    /// The dataset is gone.
    Gone,
    /// The store did not take it; it may or may not be written.
    Failed(Error),
}

impl Change {
    fn delta(&self) -> CounterDelta {
        let (files, bytes) = self.new.counted();
        let (old_files, old_bytes) = self.old.as_ref().map_or((0, 0), Row::counted);
        CounterDelta { files: files - old_files, bytes: bytes - old_bytes }
    }

    fn size(&self) -> usize {
        let user = self.new.user.overrides().len() * 64 + self.new.user.custom_labels.len() * 64;
        2048 + self.new.sk.len() + self.new.metadata_size() + user
    }

    fn action(&self, db: &Db) -> Result<TransactWriteItem> {
        let now_ms = self.new.updated / 1_000_000;
        let mut new = self.new.clone();
        new.rev = self.old.as_ref().map_or(now_ms, |old| now_ms.max(old.rev + 1));
        if new.status == Status::Tombstone && is_off(Safeguard::Tombstone) {
            let item = new.to_item()?.into_iter().filter(|(name, _)| name == "PK" || name == "SK");
            let delete = Delete::builder().table_name(db.files_table()).set_key(Some(item.collect()));
            let delete = delete.build().map_err(Error::internal)?;
            return Ok(TransactWriteItem::builder().delete(delete).build());
        }
        let mut put = Put::builder().table_name(db.files_table()).set_item(Some(new.to_item()?));
        if is_off(Safeguard::Rev) {
            return Ok(TransactWriteItem::builder().put(put.build().map_err(Error::internal)?).build());
        }
        put = match &self.old {
            Some(old) => put
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", AttributeValue::N(old.rev.to_string())),
            None => put.condition_expression("attribute_not_exists(PK)"),
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(Error::internal)?).build())
    }
}

/// Writes changes, each with its counters, removes the texts that rows had before, and says of each what became of it,
/// in their order. Changes must be of different rows.
pub async fn commit(db: &Db, dataset_id: &str, shards: u32, changes: &[Change]) -> Vec<Committed> {
    let mut outcomes: Vec<Option<Committed>> = changes.iter().map(|_| None).collect();
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for (index, change) in changes.iter().enumerate() {
        let size = change.size();
        if batch.len() == MAX_ROWS || (!batch.is_empty() && bytes + size > MAX_BYTES) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        batch.push(index);
        bytes += size;
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    // A batch that finds no room is split: what fits is still admitted.
    while let Some(batch) = batches.pop() {
        if let Some((first, second)) =
            commit_batch(db, dataset_id, shards, changes, batch, &mut outcomes).await
        {
            batches.push(second);
            batches.push(first);
        }
    }
    let written = changes.iter().zip(&outcomes).filter_map(|(change, outcome)| match outcome {
        Some(Committed::Written) => Some((change.old.as_ref()?, &change.new)),
        _ => None,
    });
    remove_texts(db, written).await;
    outcomes
        .into_iter()
        .map(|outcome| {
            outcome.unwrap_or_else(|| Committed::Failed(Error::internal("a change was not committed")))
        })
        .collect()
}

/// Commits one batch, or gives two halves to commit instead.
async fn commit_batch(
    db: &Db,
    dataset_id: &str,
    shards: u32,
    changes: &[Change],
    mut batch: Vec<usize>,
    outcomes: &mut [Option<Committed>],
) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut shard = crate::model::random_below(shards);
    let mut attempt = 0;
    let settle = |outcomes: &mut [Option<Committed>], batch: &[usize], make: &dyn Fn() -> Committed| {
        for index in batch {
            if let Some(place) = outcomes.get_mut(*index) {
                *place = Some(make());
            }
        }
    };
    while !batch.is_empty() {
        let chosen: Vec<&Change> = batch.iter().filter_map(|index| changes.get(*index)).collect();
        let delta = chosen.iter().fold(CounterDelta::default(), |sum, change| sum.plus(change.delta()));
        let actions: Result<Vec<TransactWriteItem>> = chosen
            .iter()
            .map(|change| change.action(db))
            .chain(std::iter::once(db.move_counter(dataset_id, shard, delta)))
            .collect();
        let actions = match actions {
            Ok(actions) => actions,
            Err(error) => {
                settle(outcomes, &batch, &|| Committed::Failed(error.clone()));
                return None;
            }
        };
        let reasons = match db.transact(actions).await {
            Ok(()) => {
                settle(outcomes, &batch, &|| Committed::Written);
                return None;
            }
            Err(TransactError::Cancelled(reasons)) => reasons,
            Err(TransactError::Other(error)) => {
                settle(outcomes, &batch, &|| Committed::Failed(error.clone()));
                return None;
            }
        };
        let counter = reasons.get(batch.len()).copied().unwrap_or(Cancel::Again);
        let conflicting: Vec<usize> = batch
            .iter()
            .zip(&reasons)
            .filter(|(_, reason)| **reason == Cancel::Condition)
            .map(|(index, _)| *index)
            .collect();
        if !conflicting.is_empty() {
            settle(outcomes, &conflicting, &|| Committed::Conflict);
            batch.retain(|index| !conflicting.contains(index));
            continue;
        }
        if counter == Cancel::Condition {
            match db.find_room(dataset_id, shards, delta).await {
                Ok(Room::Gone) => {
                    settle(outcomes, &batch, &|| Committed::Gone);
                    return None;
                }
                Ok(Room::Shard(found)) => shard = found,
                Ok(Room::Scattered) => {
                    if let Err(error) = db.gather_room(dataset_id, shards).await {
                        tracing::warn!(error = %error.internal_text(), "room of a dataset could not be gathered");
                    }
                }
                Ok(Room::None) if batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    return Some((batch, second));
                }
                Ok(Room::None) => {
                    settle(outcomes, &batch, &|| Committed::NoRoom);
                    return None;
                }
                Err(error) => {
                    settle(outcomes, &batch, &|| Committed::Failed(error.clone()));
                    return None;
                }
            }
        }
        if attempt >= MAX_ATTEMPTS {
            settle(outcomes, &batch, &|| {
                Committed::Failed(Error::unavailable("a transaction kept meeting others"))
            });
            return None;
        }
        crate::state::pause(attempt.min(5)).await;
        attempt += 1;
    }
    None
}
