//! How asynchronous work gets to its worker: a queue and a state machine
//! in the cloud, channels in the local cloud, nothing at all in a function
//! that was invoked by hand.
//!
//! Index tasks and scans are sent by functions of their own: an operation links
//! the client of the one service that it needs.

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Timestamp;

/// A piece of work. What it needs stands in the state table, so that a lost
/// message can be sent again and a message that comes twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// Run an index task that is in the state table.
    IndexTask {
        /// The project.
        project: String,
        /// The task.
        task_id: String,
    },
    /// Read the text of a document whose row says that this is to be done.
    Text {
        /// The project.
        project: String,
        /// The dataset.
        dataset: String,
        /// The dataset's id: another one may have its name when this is done.
        dataset_id: String,
        /// The document: `oss://bucket/key`.
        uri: String,
    },
    /// Drive a scan run (full scan, clean-up of a binding, purge of a dataset) to its end.
    Scan {
        /// The run.
        run: String,
    },
    /// Drive a scan run on that nobody drives any more.
    TakeUp {
        /// The run.
        run: String,
    },
}

/// Takes work where there is neither queue nor state machine.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// Enqueues one piece of work. An error means that nothing was sent.
    async fn send(&self, work: Work) -> Result<()>;
}

/// For functions that are invoked by hand, where nobody takes work up.
fn by_hand(work: &Work) {
    tracing::warn!(?work, "nothing takes this work up by itself here; invoke the function for it");
}

/// Enqueues an index task.
///
/// # Errors
/// When nothing was sent.
pub async fn send_index_task(ctx: &Context, project: &str, task_id: &str) -> Result<()> {
    let work = Work::IndexTask { project: project.into(), task_id: task_id.into() };
    if let Some(dispatch) = ctx.dispatch() {
        return dispatch.send(work).await;
    }
    let Some(queue) = &ctx.config.task_queue_url else {
        by_hand(&work);
        return Ok(());
    };
    let body = serde_json::to_string(&work).map_err(Error::internal)?;
    let sent = ctx.sqs().send_message().queue_url(queue).message_body(body).send().await;
    sent.map(|_| ()).map_err(|error| Error::unavailable(error.into_service_error()))
}

/// How the text of a document is sent to its queue.
pub(crate) type SendText = for<'a> fn(&'a Context, Work) -> BoxFuture<'a, Result<()>>;

/// Has the text of a document read. Where nothing takes the work, its row says that
/// the text is pending, and the last step of a scan sends it.
///
/// # Errors
/// When nothing was sent.
pub async fn send_text(ctx: &Context, work: Work) -> Result<()> {
    match (ctx.dispatch(), ctx.text_queue()) {
        (Some(dispatch), _) => dispatch.send(work).await,
        (None, Some(send)) => send(ctx, work).await,
        (None, None) => Ok(()),
    }
}

/// Sends the text of a document to its queue: given to the contexts of those functions
/// that have room for the client.
pub(crate) fn to_text_queue(ctx: &Context, work: Work) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        let Some(queue) = &ctx.config.text_queue_url else {
            by_hand(&work);
            return Ok(());
        };
        let body = serde_json::to_string(&work).map_err(Error::internal)?;
        let sent = ctx.sqs().send_message().queue_url(queue).message_body(body).send().await;
        sent.map(|_| ()).map_err(|error| Error::unavailable(error.into_service_error()))
    })
}

/// Has a scan run driven to its end.
///
/// # Errors
/// When nothing was sent.
pub async fn send_scan(ctx: &Context, run: &str) -> Result<()> {
    // The run is the execution's name: starting it twice starts it once.
    execute(ctx, Work::Scan { run: run.into() }, run, run.to_owned()).await
}

/// Has a scan run driven on that nobody drives any more.
///
/// # Errors
/// When nothing was sent.
pub async fn take_up_scan(ctx: &Context, run: &str) -> Result<()> {
    // A name is used up for 90 days, so that taking a run up takes another, the
    // same within an hour.
    let name = format!("{run}-{}", Timestamp::now().seconds() / 3600);
    execute(ctx, Work::TakeUp { run: run.into() }, run, name).await
}

async fn execute(ctx: &Context, work: Work, run: &str, name: String) -> Result<()> {
    if let Some(dispatch) = ctx.dispatch() {
        return dispatch.send(work).await;
    }
    let Some(machine) = &ctx.config.scan_state_machine_arn else {
        by_hand(&work);
        return Ok(());
    };
    let input = serde_json::json!({ "run": run }).to_string();
    let sent = ctx.sfn().start_execution().state_machine_arn(machine).name(name).input(input).send().await;
    match sent.map_err(aws_sdk_sfn::error::SdkError::into_service_error) {
        Err(error) if !error.is_execution_already_exists() => Err(Error::unavailable(error)),
        _ => Ok(()),
    }
}
