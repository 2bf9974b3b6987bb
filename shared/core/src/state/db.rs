//! The two tables: typed reads and writes, and the transaction.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnConsumedCapacity, ReturnValue, TransactWriteItem, WriteRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::Limits;
use crate::usage::Usage;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The tables, and the counting of what they cost.
#[derive(Clone)]
pub struct Db {
    pub(crate) client: Client,
    pub(crate) usage: Arc<Usage>,
    state_table: Arc<str>,
    files_table: Arc<str>,
}

/// Why one action of a transaction was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// Nothing was wrong with this one.
    None,
    /// Its condition did not hold.
    Condition,
    /// Another transaction was at the same item, or the table is throttled: try again.
    Again,
}

/// Why a transaction was not carried out.
#[derive(Debug)]
pub enum TransactError {
    /// One entry per action, in their order.
    Cancelled(Vec<Cancel>),
    /// Anything else.
    Other(Error),
}

impl From<TransactError> for Error {
    fn from(error: TransactError) -> Self {
        match error {
            TransactError::Other(error) => error,
            TransactError::Cancelled(reasons) => {
                Error::internal(format!("transaction cancelled: {reasons:?}"))
            }
        }
    }
}

/// Turns an SDK error into ours: what may pass becomes `ServiceUnavailable`.
pub(crate) fn store_error<E>(error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let transient = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => matches!(
            service.err().code().unwrap_or_default(),
            "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "InternalServerError"
                | "TransactionInProgressException"
                | "TransactionConflictException"
                | "ServiceUnavailable"
                | "SlowDown"
                | "InternalError"
        ),
        _ => false,
    };
    let text = aws_sdk_dynamodb::error::DisplayErrorContext(&error).to_string();
    if transient { Error::unavailable(text) } else { Error::internal(text) }
}

/// Text as an attribute value.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number as an attribute value.
pub(crate) fn n(number: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The key of an item.
pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("PK".to_owned(), s(pk)), ("SK".to_owned(), s(sk))])
}

/// Reads an item into its type.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}

/// Writes a value as an item.
pub(crate) fn to_item<T: Serialize>(value: &T) -> Result<Item> {
    serde_dynamo::to_item(value).map_err(Error::internal)
}

/// A pause that grows with the attempt and differs between writers.
pub(crate) async fn pause(attempt: u32) {
    let ceiling = 20u32.saturating_mul(1 << attempt.min(7));
    let millis = u64::from(crate::model::random_below(ceiling) + ceiling / 4);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Bytes of a sort key.
const MAX_KEY: usize = 1024;

/// A page of a query: the items, and whether there is more.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

impl Db {
    /// Binds a client to the tables that the configuration names.
    pub fn new(client: Client, config: &Config, usage: Arc<Usage>) -> Self {
        Self {
            client,
            usage,
            state_table: config.state_table.as_str().into(),
            files_table: config.files_table.as_str().into(),
        }
    }

    /// The same tables, counted elsewhere.
    pub(crate) fn with_usage(&self, usage: Arc<Usage>) -> Self {
        Self { usage, ..self.clone() }
    }

    pub(crate) fn state_table(&self) -> &str {
        &self.state_table
    }

    pub(crate) fn files_table(&self) -> &str {
        &self.files_table
    }

    /// Reads one item of the state table, consistently.
    pub(crate) async fn get<T: DeserializeOwned>(&self, pk: &str, sk: &str) -> Result<Option<T>> {
        let reply = self
            .client
            .get_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk, sk)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.usage.reads(&reply.consumed_capacity);
        reply.item.map(from_item).transpose()
    }

    /// Reads items of one partition of the state table in the order of their
    /// sort keys: those that begin with `prefix` and come after `after`.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<T>> {
        self.list_in(None, pk, prefix, after, limit).await
    }

    /// The same over the index for lists.
    pub(crate) async fn list_in<T: DeserializeOwned>(
        &self,
        index: Option<&str>,
        pk: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<T>> {
        // A longer one names no item, and the store would refuse it.
        if after.len() > MAX_KEY {
            return Err(Error::invalid("NextToken", "It is not one that a page before gave."));
        }
        let (pk_name, sk_name) = match index {
            Some(_) => ("GSI1PK", "GSI1SK"),
            None => ("PK", "SK"),
        };
        let mut items = Vec::new();
        let mut start: Option<Item> = None;
        // begins_with and > cannot stand together in one key condition: the
        // range runs from what comes after to the end of the prefix.
        // A key is never empty, so an empty bound is not allowed.
        let from = match (after > prefix, prefix.is_empty()) {
            (true, _) => after,
            (false, false) => prefix,
            (false, true) => "\u{1}",
        };
        let to = format!("{prefix}\u{10FFFF}");
        loop {
            let wanted = limit.saturating_add(2).saturating_sub(items.len());
            let reply = self
                .client
                .query()
                .table_name(self.state_table())
                .set_index_name(index.map(str::to_owned))
                .consistent_read(index.is_none())
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                .expression_attribute_names("#pk", pk_name)
                .expression_attribute_names("#sk", sk_name)
                .expression_attribute_values(":pk", s(pk))
                .expression_attribute_values(":from", s(from))
                .expression_attribute_values(":to", s(to.as_str()))
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(store_error)?;
            self.usage.reads(&reply.consumed_capacity);
            for item in reply.items.unwrap_or_default() {
                let is_start = matches!(item.get(sk_name), Some(AttributeValue::S(sk)) if sk == after && !after.is_empty());
                if !is_start {
                    items.push(item);
                }
            }
            start = reply.last_evaluated_key;
            if start.is_none() || items.len() > limit {
                break;
            }
        }
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items: items.into_iter().map(from_item).collect::<Result<_>>()?, more })
    }

    /// Reads all items of one partition of the state table that begin with a
    /// prefix. For partitions that are small by design.
    pub(crate) async fn list_all<T: DeserializeOwned>(&self, pk: &str, prefix: &str) -> Result<Vec<T>> {
        Ok(self.list(pk, prefix, "", usize::MAX - 8).await?.items)
    }

    /// Carries out a transaction. The SDK sends the same token with each of
    /// its own retries, so a write that timed out and took effect is
    /// recognised and not repeated.
    ///
    /// # Errors
    /// [`TransactError`].
    pub async fn transact(&self, actions: Vec<TransactWriteItem>) -> Result<(), TransactError> {
        let reply = self
            .client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match reply {
            Ok(reply) => {
                self.usage.writes(reply.consumed_capacity());
                Ok(())
            }
            Err(SdkError::ServiceError(service)) => match service.err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    Err(TransactError::Cancelled(
                        cancelled.cancellation_reasons().iter().map(cancel_of).collect(),
                    ))
                }
                _ => Err(TransactError::Other(store_error(SdkError::ServiceError(service)))),
            },
            Err(error) => Err(TransactError::Other(store_error(error))),
        }
    }

    /// Carries out a small transaction on the state table, trying again while
    /// another worker is at the same items.
    ///
    /// # Errors
    /// [`TransactError::Cancelled`] only when a condition did not hold.
    pub(crate) async fn transact_again(&self, actions: Vec<TransactWriteItem>) -> Result<(), TransactError> {
        let mut attempt = 0;
        loop {
            match self.transact(actions.clone()).await {
                Err(TransactError::Cancelled(reasons))
                    if !reasons.contains(&Cancel::Condition) && attempt < 8 =>
                {
                    pause(attempt).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    /// Writes attributes of an item of the state table that must exist, and
    /// gives it back; `None` where it does not.
    pub(crate) async fn set_attributes<T: serde::de::DeserializeOwned>(
        &self,
        pk: &str,
        sk: &str,
        attributes: Item,
    ) -> Result<Option<T>> {
        let mut update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk, sk)))
            .condition_expression("attribute_exists(PK)");
        let mut expression = Vec::with_capacity(attributes.len());
        for (index, (name, value)) in attributes.into_iter().enumerate() {
            expression.push(format!("#a{index} = :a{index}"));
            update = update
                .expression_attribute_names(format!("#a{index}"), name)
                .expression_attribute_values(format!(":a{index}"), value);
        }
        let update = update.update_expression(format!("SET {}", expression.join(", ")));
        self.update_if(update).await?.map(from_item).transpose()
    }

    /// Sends a write with a condition; `false` when the condition did not hold.
    pub(crate) async fn put_if(&self, put: PutItemFluentBuilder) -> Result<bool> {
        match put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await {
            Ok(reply) => {
                self.usage.writes(&reply.consumed_capacity);
                Ok(true)
            }
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// Sends a change of an item; gives the item as it is now, or `None` when
    /// the change's condition did not hold.
    pub(crate) async fn update_if(&self, update: UpdateItemFluentBuilder) -> Result<Option<Item>> {
        let update =
            update.return_values(ReturnValue::AllNew).return_consumed_capacity(ReturnConsumedCapacity::Total);
        match update.send().await {
            Ok(reply) => {
                self.usage.writes(&reply.consumed_capacity);
                Ok(Some(reply.attributes.unwrap_or_default()))
            }
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(None)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// Writes an item under a key only if nothing is there; says whether it was
    /// written. One that took effect while its answer was lost knows itself by a
    /// mark when it is sent again.
    pub(crate) async fn put_new(&self, mut item: Item) -> Result<bool> {
        let mark = s(crate::model::run_id());
        item.insert("mark".into(), mark.clone());
        let put = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK) OR mark = :mark")
            .expression_attribute_values(":mark", mark);
        self.put_if(put).await
    }

    /// Writes an item whatever is there.
    pub(crate) async fn put(&self, item: Item) -> Result<()> {
        let reply = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.usage.writes(&reply.consumed_capacity);
        Ok(())
    }

    /// Deletes an item, there or not.
    pub(crate) async fn delete(&self, pk: &str, sk: &str) -> Result<()> {
        let reply = self
            .client
            .delete_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk, sk)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.usage.writes(&reply.consumed_capacity);
        Ok(())
    }

    /// Reads up to 100 items of the files table, consistently, in no order.
    pub(crate) async fn batch_get_files(&self, keys: Vec<Item>) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        let mut request = keys;
        let mut attempt = 0;
        while !request.is_empty() {
            let ask = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut request)))
                .consistent_read(true)
                .build()
                .map_err(Error::internal)?;
            let reply = self
                .client
                .batch_get_item()
                .request_items(self.files_table(), ask)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(store_error)?;
            self.usage.reads(reply.consumed_capacity());
            items.extend(reply.responses.unwrap_or_default().into_values().flatten());
            if let Some(left) = reply.unprocessed_keys.unwrap_or_default().remove(self.files_table()) {
                request = left.keys;
                if attempt >= 8 {
                    return Err(Error::unavailable("batch read: keys stay unprocessed"));
                }
                pause(attempt).await;
                attempt += 1;
            }
        }
        Ok(items)
    }

    /// Writes an item of the files table that is no row.
    pub(crate) async fn put_file_item(&self, item: Item) -> Result<()> {
        let put = self.client.put_item().table_name(self.files_table()).set_item(Some(item));
        let reply = put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        self.usage.writes(&reply.map_err(store_error)?.consumed_capacity);
        Ok(())
    }

    /// Deletes all items of a partition of the files table that holds no rows.
    pub(crate) async fn purge_file_items(&self, pk: &str) -> Result<()> {
        loop {
            let reply = self
                .client
                .query()
                .table_name(self.files_table())
                .key_condition_expression("PK = :pk")
                .expression_attribute_values(":pk", s(pk))
                .projection_expression("PK, SK")
                .limit(1000)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(store_error)?;
            self.usage.reads(&reply.consumed_capacity);
            let items = reply.items.unwrap_or_default();
            if items.is_empty() && reply.last_evaluated_key.is_none() {
                return Ok(());
            }
            self.delete_batch(self.files_table(), items).await?;
        }
    }

    /// Deletes items by key, in batches, without a condition.
    pub(crate) async fn delete_batch(&self, table: &str, keys: Vec<Item>) -> Result<()> {
        for chunk in keys.chunks(25) {
            let mut requests: Vec<WriteRequest> = Vec::with_capacity(chunk.len());
            for key in chunk {
                let delete = aws_sdk_dynamodb::types::DeleteRequest::builder()
                    .set_key(Some(key.clone()))
                    .build()
                    .map_err(Error::internal)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            let mut attempt = 0;
            while !requests.is_empty() {
                let reply = self
                    .client
                    .batch_write_item()
                    .request_items(table, std::mem::take(&mut requests))
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                    .map_err(store_error)?;
                self.usage.writes(reply.consumed_capacity());
                requests = reply.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
                if !requests.is_empty() {
                    if attempt >= 8 {
                        return Err(Error::unavailable("batch write: items stay unprocessed"));
                    }
                    pause(attempt).await;
                    attempt += 1;
                }
            }
        }
        Ok(())
    }
}

fn cancel_of(reason: &aws_sdk_dynamodb::types::CancellationReason) -> Cancel {
    match reason.code() {
        None | Some("None") => Cancel::None,
        Some("ConditionalCheckFailed") => Cancel::Condition,
        Some(_) => Cancel::Again,
    }
}

/// An epoch second, some days from now, for the tables' time to live.
pub(crate) fn ttl_in_days(days: i64) -> i64 {
    crate::model::Timestamp::now().seconds() + days * 86_400
}

/// When a task is forgotten.
pub(crate) fn task_ttl() -> i64 {
    ttl_in_days(Limits::TASK_DAYS)
}
