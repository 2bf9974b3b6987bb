//! The bucket's side of a binding: that its events come to us.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::types::{
    EncodingType, Event, EventBridgeConfiguration, NotificationConfiguration, QueueConfiguration,
};

use crate::context::Context;
use crate::error::{Error, Result};

/// The id of our entry in a bucket's notification configuration.
const ENTRY: &str = "mediadex";

/// The events that it asks for: of content, and of what changes without it. Of an
/// object's access only whether it can be read matters.
const EVENTS: [&str; 7] = [
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleTransition",
    "s3:ObjectTagging:*",
    "s3:ObjectAcl:Put",
    "s3:ObjectRestore:*",
];

/// Whether an entry is ours and asks for all of them: those of older versions
/// ask for fewer, and are replaced.
fn is_complete(entry: &QueueConfiguration, queue: &str) -> bool {
    let asked = |event: &&str| entry.events().iter().any(|asked| asked.as_str() == *event);
    entry.id() == Some(ENTRY) && entry.queue_arn() == queue && EVENTS.iter().all(asked)
}

/// Has the bucket send its events to our queue, beside whatever it sends
/// already. Where another entry overlaps with ours and S3 refuses, EventBridge
/// is turned on for the bucket instead; the template has a rule that leads
/// from there to the same queue.
///
/// # Errors
/// When S3 does not take either.
pub async fn follow(ctx: &Context, bucket: &str) -> Result<()> {
    let Some(queue) = &ctx.config.object_queue_arn else {
        tracing::warn!(bucket, "no queue is configured: the bucket's events are not followed");
        return Ok(());
    };
    let present = read(ctx, bucket).await?;
    let queues = present.queue_configurations();
    let is_complete = queues.iter().any(|entry| is_complete(entry, queue));
    let is_bridged = present.event_bridge_configuration().is_some();
    let is_ours = |entry: &QueueConfiguration| entry.id() == Some(ENTRY);
    if is_complete || (is_bridged && !queues.iter().any(is_ours)) {
        return Ok(());
    }
    let entry = QueueConfiguration::builder()
        .id(ENTRY)
        .queue_arn(queue)
        .set_events(Some(EVENTS.into_iter().map(Event::from).collect()))
        .build()
        .map_err(Error::internal)?;
    let others: Vec<_> = queues.iter().filter(|entry| !is_ours(entry)).cloned().collect();
    let mut with_queue = present.clone();
    with_queue.queue_configurations = Some(others.iter().cloned().chain([entry]).collect());
    match write(ctx, bucket, with_queue).await {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::info!(bucket, error = %error.internal_text(), "the bucket takes no entry of ours; trying EventBridge");
            let mut with_bridge = present;
            // What an older version put there would bring some events twice.
            with_bridge.queue_configurations = Some(others);
            with_bridge.event_bridge_configuration = Some(EventBridgeConfiguration::builder().build());
            write(ctx, bucket, with_bridge).await
        }
    }
}

/// Takes our entry out again, when no binding is left on the bucket. What
/// others put there stays, and so does EventBridge: others may listen to it.
///
/// # Errors
/// When S3 does not take it.
pub async fn unfollow(ctx: &Context, bucket: &str) -> Result<()> {
    if ctx.config.object_queue_arn.is_none() {
        return Ok(());
    }
    let mut present = read(ctx, bucket).await?;
    let entries = present.queue_configurations.unwrap_or_default();
    if !entries.iter().any(|entry| entry.id() == Some(ENTRY)) {
        return Ok(());
    }
    present.queue_configurations =
        Some(entries.into_iter().filter(|entry| entry.id() != Some(ENTRY)).collect());
    write(ctx, bucket, present).await
}

/// What one call says of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Sizes of its first objects in bytes, a thousand at most.
    pub sizes: Vec<i64>,
    /// Whether it has more.
    pub more: bool,
}

/// Looks whether the bucket is there and ours to read.
///
/// # Errors
/// `ResourceNotFound`, `NoPermission`, `ServiceUnavailable`.
pub async fn look(ctx: &Context, bucket: &str) -> Result<Look> {
    ctx.usage.s3_list();
    // Keys that XML cannot carry would spoil the answer.
    let request = ctx.s3().list_objects_v2().bucket(bucket).encoding_type(EncodingType::Url);
    let error = match request.send().await {
        Ok(reply) => {
            let sizes = reply.contents().iter().map(|object| object.size().unwrap_or(0)).collect();
            return Ok(Look { sizes, more: reply.is_truncated.unwrap_or(false) });
        }
        Err(error) => error,
    };
    match error.raw_response().map(|response| response.status().as_u16()) {
        Some(404) => Err(Error::not_found("Bucket", bucket)),
        Some(403) => Err(Error::with_code(
            crate::error::Code::NoPermission,
            format!("The bucket {bucket} may not be read with the permissions of this service."),
        )),
        Some(301) => Err(Error::invalid("URI", "The bucket is in another region.")),
        _ => Err(Error::unavailable(DisplayErrorContext(&error).to_string())),
    }
}

async fn read(ctx: &Context, bucket: &str) -> Result<NotificationConfiguration> {
    let reply = ctx.s3().get_bucket_notification_configuration().bucket(bucket).send().await;
    let reply = reply.map_err(|error| {
        refused(&error.code().map(str::to_owned), DisplayErrorContext(&error).to_string())
    })?;
    Ok(NotificationConfiguration::builder()
        .set_topic_configurations(reply.topic_configurations)
        .set_queue_configurations(reply.queue_configurations)
        .set_lambda_function_configurations(reply.lambda_function_configurations)
        .set_event_bridge_configuration(reply.event_bridge_configuration)
        .build())
}

async fn write(ctx: &Context, bucket: &str, configuration: NotificationConfiguration) -> Result<()> {
    let reply = ctx
        .s3()
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(configuration)
        .send()
        .await;
    reply.map_err(|error| {
        refused(&error.code().map(str::to_owned), DisplayErrorContext(&error).to_string())
    })?;
    Ok(())
}

fn refused(code: &Option<String>, text: String) -> Error {
    match code.as_deref() {
        Some("AccessDenied") => Error::with_code(
            crate::error::Code::NoPermission,
            "The notification configuration of the bucket may not be read or written.",
        ),
        _ => Error::unavailable(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_an_older_version_is_not_complete() {
        let old = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"];
        let table: [(&str, &str, &[&str], bool); 4] = [
            (ENTRY, "queue", &EVENTS, true),
            (ENTRY, "queue", &old, false),
            (ENTRY, "other queue", &EVENTS, false),
            ("of others", "queue", &EVENTS, false),
        ];
        for (id, queue, events, complete) in table {
            let events = events.iter().copied().map(Event::from).collect();
            let entry = QueueConfiguration::builder().id(id).queue_arn(queue).set_events(Some(events));
            assert_eq!(is_complete(&entry.build().unwrap(), "queue"), complete, "{id} {queue}");
        }
    }
}
