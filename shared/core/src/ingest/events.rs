//! Events of object storage: each is read, and the objects that it tells of are
//! looked at for every dataset that follows their bucket.
//!
//! `envelope.rs` opens what events come in, `notification.rs` reads one of them.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::envelope::open;
use super::hint::{Hint, Outcome};
use super::notification::Told;
use super::reconcile::{Target, expect_the_worst, reconcile};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Timestamp;

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

/// Processes an event of any shape: notifications of S3, MinIO and Ceph, events
/// of EventBridge or only their `detail`, by themselves, in SQS messages, in
/// topics, or in the arrays of EventBridge Pipes. A message of which some part
/// cannot be read fails, so that its queue keeps it with the dead letters; what
/// can be read of it is processed all the same.
///
/// # Errors
/// `InvalidArgument` that names the first part that cannot be read, and the first
/// failure, of an event that did not come through SQS: after all that is good in
/// it was processed.
pub fn on_object_event(ctx: &Context, event: Value) -> BoxFuture<'_, Result<BatchReply>> {
    Box::pin(process(ctx, event))
}

async fn process(ctx: &Context, event: Value) -> Result<BatchReply> {
    let messages = open(&event);
    let mut by_bucket: BTreeMap<&str, Vec<(usize, &Told)>> = BTreeMap::new();
    for (index, message) in messages.iter().enumerate() {
        for told in &message.told {
            by_bucket.entry(&told.hint.uri.bucket).or_default().push((index, told));
        }
    }
    let mut failed: Vec<Option<Error>> = messages
        .iter()
        .map(|message| message.malformed.as_ref().map(|why| Error::invalid_argument(why.clone())))
        .collect();
    let mut fail = |index: usize, error: Error| {
        if let Some(place) = failed.get_mut(index) {
            place.get_or_insert(error);
        }
    };
    for (bucket, told) in by_bucket {
        let targets = match targets_of(ctx, bucket).await {
            Ok(targets) => targets,
            Err(error) => {
                let text = error.internal_text();
                told.iter().for_each(|(index, _)| fail(*index, Error::unavailable(text.clone())));
                continue;
            }
        };
        for target in targets {
            for (index, error) in look_at(ctx, &target, &told).await {
                fail(index, error);
            }
        }
    }
    let mut reply = BatchReply::default();
    let mut whole = None;
    for (message, error) in messages.iter().zip(failed) {
        let Some(error) = error else { continue };
        match &message.id {
            None => whole = whole.or(Some(error)),
            Some(id) => {
                tracing::warn!(message_id = %id, error = %error.internal_text(), "an event failed and will come again");
                reply.batch_item_failures.push(ItemFailure { item_identifier: id.clone() });
            }
        }
    }
    match whole {
        Some(error) => Err(error),
        None => Ok(reply),
    }
}

/// Looks at objects for one dataset; gives the failures with the messages that
/// they are of.
async fn look_at(ctx: &Context, target: &Target, told: &[(usize, &Told)]) -> Vec<(usize, Error)> {
    let hints: Vec<Hint> = told.iter().map(|(_, told)| told.hint.clone()).collect();
    let last: Vec<Hint> = hints
        .iter()
        .filter(|hint| hint.attempt > 0 && hint.attempt + 1 >= ctx.config.max_attempts)
        .cloned()
        .collect();
    if !last.is_empty() {
        expect_the_worst(ctx, target, &last).await;
    }
    let mut outcomes = reconcile(ctx, target, hints).await;
    // Where there is no such object, the other reading of the key is looked at.
    let others: Vec<(usize, Hint)> = (0..)
        .zip(told.iter().zip(&outcomes))
        .filter(|(_, (_, outcome))| matches!(outcome, Outcome::Removed))
        .filter_map(|(place, ((_, told), _))| Some((place, told.otherwise.clone()?)))
        .collect();
    if !others.is_empty() {
        let (places, hints): (Vec<usize>, Vec<Hint>) = others.into_iter().unzip();
        for (place, outcome) in places.into_iter().zip(reconcile(ctx, target, hints).await) {
            if let Some(first) = outcomes.get_mut(place) {
                *first = outcome;
            }
        }
    }
    let mut failures = Vec::new();
    for ((index, Told { hint, .. }), outcome) in told.iter().zip(outcomes) {
        if let (Outcome::Indexed | Outcome::Removed, Some(at)) = (&outcome, hint.at) {
            ctx.usage.committed_after(Timestamp::now().millis() - at.millis());
        }
        match outcome {
            Outcome::Failed(error) => failures.push((*index, error)),
            // It has come for the last time: the queue keeps it with the dead letters.
            Outcome::GivenUp(why) => failures.push((*index, Error::unavailable(why))),
            Outcome::LimitExceeded => {
                tracing::warn!(uri = %hint.uri, dataset = %target.dataset_id, "the quota of the dataset is used up");
            }
            outcome => tracing::debug!(uri = %hint.uri, ?outcome, "event processed"),
        }
    }
    failures
}

/// The datasets that follow a bucket.
async fn targets_of(ctx: &Context, bucket: &str) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for route in ctx.db.routes(bucket).await?.into_iter().filter(|route| !route.stopped) {
        match ctx.db.dataset(&route.project, &route.dataset).await {
            // A new dataset of the same name is not the one that was bound.
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
