//! Reading rows: by key, and by range.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use super::row::{Row, RowKey, partition_key};
use super::text::partition_of;
use crate::error::{Error, Result};
use crate::model::ObjectUri;
use crate::state::Db;

/// Reads the rows of up to any number of objects, consistently. Objects
/// without a row are not in the answer.
pub async fn read_rows(
    db: &Db,
    dataset_id: &str,
    partitions: u32,
    uris: &[ObjectUri],
) -> Result<HashMap<ObjectUri, Row>> {
    let mut rows = HashMap::with_capacity(uris.len());
    for chunk in uris.chunks(100) {
        let keys = chunk
            .iter()
            .map(|uri| {
                let key = RowKey::of(dataset_id, partitions, uri);
                HashMap::from([
                    ("PK".to_owned(), AttributeValue::S(key.pk)),
                    ("SK".to_owned(), AttributeValue::S(key.sk)),
                ])
            })
            .collect();
        for item in db.batch_get_files(keys).await? {
            let row = Row::from_item(item)?;
            rows.insert(row.uri(), row);
        }
    }
    Ok(rows)
}

/// Rows of a page where nothing else is asked: about the 1 MB that a page has at
/// most. Without it the embedded store reads the whole rest of the partition for
/// every page.
const PAGE_ROWS: i32 = 2000;

/// Which rows of one partition to read.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// The dataset's id.
    pub dataset_id: &'a str,
    /// The partition.
    pub partition: u32,
    /// Lowest sort key.
    pub low: &'a str,
    /// Highest sort key.
    pub high: &'a str,
    /// Which columns.
    pub columns: Columns,
    /// Rows of a page, at most; otherwise about as many as 1 MB holds.
    pub limit: Option<i32>,
}

/// Which columns to read. The store reads (and bills) whole rows either way;
/// fewer columns save the way from it and the decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// All of them.
    All,
    /// All but the extracted record.
    WithoutRecord,
    /// What a scan compares: neither the record nor what the caller set.
    Heads,
}

impl Columns {
    /// The projection, where there is one.
    fn projection(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::WithoutRecord => Some("PK, SK, #k, rev, h, usr"),
            Self::Heads => Some("PK, SK, #k, rev, h"),
        }
    }
}

/// Reads one page (at most 1 MB of the table) of a range; `start` is where the
/// page before ended. Gives the rows and where the next page starts.
pub async fn range_partition(
    db: &Db,
    range: Range<'_>,
    start: Option<String>,
) -> Result<(Vec<Row>, Option<String>)> {
    // The store takes no range that ends before it begins.
    if range.low > range.high {
        return Ok((Vec::new(), None));
    }
    let pk = partition_key(range.dataset_id, range.partition);
    let start_key = start.map(|sk| {
        HashMap::from([
            ("PK".to_owned(), AttributeValue::S(pk.clone())),
            ("SK".to_owned(), AttributeValue::S(sk)),
        ])
    });
    let mut query = db
        .client
        .query()
        .table_name(db.files_table())
        .key_condition_expression("PK = :pk AND SK BETWEEN :low AND :high")
        .expression_attribute_values(":pk", AttributeValue::S(pk))
        .expression_attribute_values(":low", AttributeValue::S(range.low.into()))
        .expression_attribute_values(":high", AttributeValue::S(range.high.into()))
        .set_exclusive_start_key(start_key)
        .limit(range.limit.unwrap_or(PAGE_ROWS))
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    if let Some(projection) = range.columns.projection() {
        query = query.projection_expression(projection).expression_attribute_names("#k", "k");
    }
    let usage = db.usage.clone();
    // A task of its own: reading the reply takes milliseconds, and the pages of
    // other partitions come in meanwhile.
    let read = tokio::spawn(async move {
        let reply = query.send().await.map_err(crate::state::store_error)?;
        usage.reads(&reply.consumed_capacity);
        let rows = reply.items.unwrap_or_default().into_iter().map(Row::from_item).collect::<Result<_>>()?;
        let next = reply.last_evaluated_key.and_then(|mut key| match key.remove("SK") {
            Some(AttributeValue::S(sk)) => Some(sk),
            _ => None,
        });
        Ok((rows, next))
    });
    read.await.map_err(Error::internal)?
}

/// Deletes rows of one partition without counting, and the texts of their objects:
/// only for a dataset that is gone. Gives how many rows.
pub async fn purge_partition(db: &Db, dataset_id: &str, partition: u32) -> Result<u64> {
    db.purge_file_items(&partition_of(&partition_key(dataset_id, partition))).await?;
    let mut purged = 0;
    let mut start = None;
    loop {
        let range = Range {
            dataset_id,
            partition,
            low: "!",
            high: "\u{10FFFF}",
            columns: Columns::Heads,
            limit: None,
        };
        let (rows, next) = range_partition(db, range, start).await?;
        purged += rows.len() as u64;
        let keys = rows
            .into_iter()
            .map(|row| {
                HashMap::from([
                    ("PK".to_owned(), AttributeValue::S(row.pk)),
                    ("SK".to_owned(), AttributeValue::S(row.sk)),
                ])
            })
            .collect();
        db.delete_batch(db.files_table(), keys).await?;
        match next {
            Some(next) => start = Some(next),
            None => return Ok(purged),
        }
    }
}
