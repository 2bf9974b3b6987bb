//! Events of object storage, in the three shapes that they come in: S3
//! notifications, the same inside of SQS messages, and EventBridge.

use std::collections::BTreeMap;

use aws_lambda_events::sqs::SqsEvent;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hint::{Hint, Outcome};
use super::reconcile::{Target, expect_the_worst, reconcile};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ledger::Source;
use crate::model::{ObjectUri, Timestamp};

/// The answer to a batch of messages: those that must come again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// Messages that failed; SQS deletes the others.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// One message that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The message's id.
    pub item_identifier: String,
}

/// A message with the hints in it. An event that did not come through SQS has
/// no id: its failure is the failure of the whole call.
struct Message {
    id: Option<String>,
    hints: Vec<Hint>,
}

/// Works off an event of any of the three shapes.
///
/// # Errors
/// `InvalidArgument` for an event that is none of them; the first failure of
/// an event that did not come through SQS.
pub fn on_object_event(ctx: &Context, event: Value) -> BoxFuture<'_, Result<BatchReply>> {
    Box::pin(work_off(ctx, event))
}

async fn work_off(ctx: &Context, event: Value) -> Result<BatchReply> {
    let messages = parse(event)?;
    let mut by_bucket: BTreeMap<String, Vec<(usize, Hint)>> = BTreeMap::new();
    for (index, message) in messages.iter().enumerate() {
        for hint in &message.hints {
            by_bucket.entry(hint.uri.bucket.clone()).or_default().push((index, hint.clone()));
        }
    }
    let mut failed: Vec<Option<Error>> = messages.iter().map(|_| None).collect();
    let mut fail = |index: usize, error: Error| {
        if let Some(place) = failed.get_mut(index) {
            place.get_or_insert(error);
        }
    };
    for (bucket, hints) in by_bucket {
        let targets = match targets_of(ctx, &bucket).await {
            Ok(targets) => targets,
            Err(error) => {
                let text = error.internal_text();
                hints.iter().for_each(|(index, _)| fail(*index, Error::unavailable(text.clone())));
                continue;
            }
        };
        let last: Vec<Hint> = hints
            .iter()
            .filter(|(_, hint)| hint.attempt > 0 && hint.attempt + 1 >= ctx.config.max_attempts)
            .map(|(_, hint)| hint.clone())
            .collect();
        for target in targets {
            if !last.is_empty() {
                expect_the_worst(ctx, &target, &last).await;
            }
            let outcomes =
                reconcile(ctx, &target, hints.iter().map(|(_, hint)| hint.clone()).collect()).await;
            for ((index, hint), outcome) in hints.iter().zip(outcomes) {
                if let (Outcome::Indexed | Outcome::Removed, Some(at)) = (&outcome, hint.at) {
                    ctx.usage.committed_after(Timestamp::now().millis() - at.millis());
                }
                match outcome {
                    Outcome::Failed(error) => fail(*index, error),
                    // It has come for the last time: the queue keeps it with the dead letters.
                    Outcome::GivenUp(why) => fail(*index, Error::unavailable(why)),
                    Outcome::LimitExceeded => {
                        tracing::warn!(uri = %hint.uri, dataset = %target.dataset_id, "the quota of the dataset is used up");
                    }
                    outcome => tracing::debug!(uri = %hint.uri, ?outcome, "event worked off"),
                }
            }
        }
    }
    let mut reply = BatchReply::default();
    for (message, error) in messages.iter().zip(failed) {
        let Some(error) = error else { continue };
        match &message.id {
            None => return Err(error),
            Some(id) => {
                tracing::warn!(message_id = %id, error = %error.internal_text(), "an event failed and will come again");
                reply.batch_item_failures.push(ItemFailure { item_identifier: id.clone() });
            }
        }
    }
    Ok(reply)
}

/// The datasets that follow a bucket.
async fn targets_of(ctx: &Context, bucket: &str) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for route in ctx.db.routes(bucket).await?.into_iter().filter(|route| !route.stopped) {
        match ctx.db.dataset(&route.project, &route.dataset).await {
            // A dataset made anew under the name is not the one that was bound.
            Ok(dataset) if dataset.id == route.dataset_id => {
                let project = ctx.db.project(&route.project).await?;
                targets.push(Target::new(&dataset, &project.template_id));
            }
            Ok(_) => {}
            Err(error) if error.code() == &crate::error::Code::ResourceNotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(targets)
}

/// Reads an event of any of the three shapes.
fn parse(event: Value) -> Result<Vec<Message>> {
    let is_sqs = event
        .pointer("/Records/0/eventSource")
        .and_then(Value::as_str)
        .is_some_and(|source| source == "aws:sqs");
    if !is_sqs {
        return Ok(vec![Message { id: None, hints: hints_of(event, 0)? }]);
    }
    let event: SqsEvent = serde_json::from_value(event)
        .map_err(|error| Error::invalid_argument(format!("not an SQS event: {error}")))?;
    let mut messages = Vec::with_capacity(event.records.len());
    for record in event.records {
        let received: u32 = record
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let id = record.message_id.unwrap_or_default();
        let body: Value = match serde_json::from_str(record.body.as_deref().unwrap_or_default()) {
            Ok(body) => body,
            Err(error) => {
                // It will never be readable: it is logged and let go.
                tracing::error!(message_id = %id, %error, "a message is not JSON");
                Value::Null
            }
        };
        let hints = hints_of(body, received.saturating_sub(1)).unwrap_or_else(|error| {
            tracing::error!(message_id = %id, error = %error.internal_text(), "a message is not an event");
            Vec::new()
        });
        messages.push(Message { id: Some(id), hints });
    }
    Ok(messages)
}

/// The hints in one S3 notification or EventBridge event.
fn hints_of(event: Value, attempt: u32) -> Result<Vec<Hint>> {
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") || event.is_null() {
        return Ok(Vec::new());
    }
    // A notification that went through a topic: the event is its text.
    if event.get("Type").and_then(Value::as_str) == Some("Notification")
        && let Some(inner) = event.get("Message").and_then(Value::as_str)
    {
        let inner: Value = serde_json::from_str(inner)
            .map_err(|error| Error::invalid_argument(format!("not an S3 event in a topic: {error}")))?;
        return hints_of(inner, attempt);
    }
    if event.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return Ok(bridge_hint(&event, attempt).into_iter().collect());
    }
    let event: Notification = serde_json::from_value(event)
        .map_err(|error| Error::invalid_argument(format!("not an S3, SQS or EventBridge event: {error}")))?;
    let mut hints = Vec::with_capacity(event.records.len());
    for record in event.records {
        // Test notifications, restores and tag changes say nothing of content.
        let counts = ["ObjectCreated:", "ObjectRemoved:", "LifecycleExpiration:"];
        if !counts.iter().any(|kind| record.event_name.trim_start_matches("s3:").starts_with(kind)) {
            continue;
        }
        let object = record.s3.object;
        let mut hint = Hint::new(ObjectUri::new(record.s3.bucket.name, decode_key(&object.key)));
        hint.seq = object.sequencer;
        hint.attempt = attempt;
        hint.at = record.event_time.as_deref().and_then(Timestamp::parse);
        hint.listed = object.e_tag.map(|etag| Source {
            etag,
            size: object.size.unwrap_or(0),
            modified: hint.at.map_or(0, Timestamp::seconds),
            version: None,
        });
        hints.push(hint);
    }
    Ok(hints)
}

/// An S3 notification, as far as it matters. (The type of aws_lambda_events
/// insists on fields that other senders of the format leave out.)
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<S3Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record {
    event_name: String,
    event_time: Option<String>,
    s3: S3Part,
}

#[derive(Deserialize)]
struct S3Part {
    bucket: BucketPart,
    object: ObjectPart,
}

#[derive(Deserialize)]
struct BucketPart {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectPart {
    key: String,
    size: Option<i64>,
    e_tag: Option<String>,
    sequencer: Option<String>,
}

/// A hint from an EventBridge event. Its key is not URL-encoded.
fn bridge_hint(event: &Value, attempt: u32) -> Option<Hint> {
    let kind = event.get("detail-type")?.as_str()?;
    if !matches!(kind, "Object Created" | "Object Deleted") {
        return None;
    }
    let detail = event.get("detail")?;
    let bucket = detail.pointer("/bucket/name")?.as_str()?;
    let object = detail.get("object")?;
    let mut hint = Hint::new(ObjectUri::new(bucket, object.get("key")?.as_str()?));
    hint.seq = object.get("sequencer").and_then(Value::as_str).map(str::to_owned);
    hint.attempt = attempt;
    hint.at = event.get("time").and_then(Value::as_str).and_then(Timestamp::parse);
    hint.listed = object.get("etag").and_then(Value::as_str).map(|etag| Source {
        etag: etag.to_owned(),
        size: object.get("size").and_then(Value::as_i64).unwrap_or(0),
        modified: hint.at.map_or(0, Timestamp::seconds),
        version: None,
    });
    Some(hint)
}

/// Decodes a key of an S3 notification: `+` is a blank, `%XX` a byte.
pub(crate) fn decode_key(key: &str) -> String {
    let blanks = key.replace('+', " ");
    percent_encoding::percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn s3(name: &str, key: &str) -> Value {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventTime": "2026-11-21T20:31:33.000Z", "eventName": name,
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "bucket", "arn": "arn:aws:s3:::bucket"},
                   "object": {"key": key, "size": 3, "eTag": "abc", "sequencer": "0055AED6DCD90281E5"}}
        }]})
    }

    fn keys(event: Value) -> Vec<String> {
        parse(event).unwrap().into_iter().flat_map(|m| m.hints).map(|h| h.uri.key).collect()
    }

    #[test]
    fn three_shapes_and_the_test_event() {
        let sqs = |body: Value| {
            json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": body.to_string(),
                "attributes": {"ApproximateReceiveCount": "3"}}]})
        };
        let bridge = json!({"version": "0", "source": "aws.s3", "detail-type": "Object Created",
            "time": "2026-11-21T20:31:33Z",
            "detail": {"bucket": {"name": "bucket"}, "object": {"key": "a+b c", "size": 1, "etag": "x", "sequencer": "00"}}});
        let topic = json!({"Type": "Notification", "Message": s3("ObjectCreated:Put", "t").to_string()});
        let table: Vec<(Value, Vec<&str>)> = vec![
            (s3("ObjectCreated:Put", "a%2Bb+c/%E6%96%87%25.jpg"), vec!["a+b c/文%.jpg"]),
            (s3("s3:ObjectRemoved:Delete", "k"), vec!["k"]),
            (s3("ObjectRestore:Post", "k"), vec![]),
            (sqs(s3("ObjectCreated:Copy", "k")), vec!["k"]),
            (sqs(bridge.clone()), vec!["a+b c"]),
            (sqs(topic), vec!["t"]),
            (bridge, vec!["a+b c"]),
            (sqs(json!({"Service": "Amazon S3", "Event": "s3:TestEvent"})), vec![]),
            (sqs(json!("nonsense")), vec![]),
        ];
        for (event, want) in table {
            assert_eq!(keys(event.clone()), want, "{event}");
        }
        let attempts = parse(sqs(s3("ObjectCreated:Put", "k"))).unwrap();
        assert_eq!(attempts.first().unwrap().hints.first().unwrap().attempt, 2);
        assert!(parse(json!({"hello": 1})).is_err());
    }
}
