//! Index tasks: what IndexFileMeta and BatchIndexFileMeta accepted, done and
//! announced.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde_json::Value;

use super::hint::{Hint, Outcome};
use super::reconcile::{Target, reconcile};
use crate::context::Context;
use crate::dispatch::Work;
use crate::error::{Error, Result};
use crate::ingest::events::{BatchReply, ItemFailure};
use crate::model::{InputFile, ObjectUri, TaskStatus, Timestamp};
use crate::notify::{self, CompletionFile, CompletionMessage};
use crate::state::Task;

/// Takes index tasks from the task queue: an SQS event whose bodies are [`Work`],
/// or one piece of work as it is. Scans are not done here, so they are refused.
pub fn run_work_event(ctx: &Context, event: Value) -> BoxFuture<'_, Result<BatchReply>> {
    Box::pin(run_event(ctx, event))
}

async fn run_event(ctx: &Context, event: Value) -> Result<BatchReply> {
    if let Ok(work) = serde_json::from_value::<Work>(event.clone()) {
        run_work(ctx, work, false).await?;
        return Ok(BatchReply::default());
    }
    let event: aws_lambda_events::sqs::SqsEvent = serde_json::from_value(event)
        .map_err(|error| Error::invalid_argument(format!("not a work event: {error}")))?;
    let mut reply = BatchReply::default();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        let body = message.body.unwrap_or_default();
        // It came before: its worker may have died of one of its objects.
        let received = message.attributes.get("ApproximateReceiveCount");
        let careful = received.is_some_and(|count| count != "1");
        let done = match serde_json::from_str::<Work>(&body) {
            Ok(work) => run_work(ctx, work, careful).await,
            Err(error) => Err(Error::internal(error)),
        };
        if let Err(error) = done {
            tracing::error!(message_id = %id, error = %error.internal_text(), "work failed");
            reply.batch_item_failures.push(ItemFailure { item_identifier: id });
        }
    }
    Ok(reply)
}

async fn run_work(ctx: &Context, work: Work, careful: bool) -> Result<()> {
    match work {
        Work::IndexTask { project, task_id } => index(ctx, &project, &task_id, careful).await,
        Work::Scan { .. } | Work::TakeUp { .. } | Work::Text { .. } => Err(Error::invalid_argument(
            "this function does index tasks; scans and texts are the work of scan and on-text-work",
        )),
    }
}

/// Does an index task that was accepted: looks at each file, announces the
/// result, marks the task finished. Doing it twice does no harm; the
/// completion message may then come twice, but is never lost.
pub async fn run_index_task(ctx: &Context, project: &str, task_id: &str) -> Result<()> {
    index(ctx, project, task_id, false).await
}

async fn index(ctx: &Context, project: &str, task_id: &str, careful: bool) -> Result<()> {
    let mut task = match ctx.db.task(project, task_id).await {
        Ok(task) => task,
        // Seven days old, or its project is gone: there is nothing to do.
        Err(error) if error.code() == &crate::error::Code::ResourceNotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if task.status != TaskStatus::Running {
        return Ok(());
    }
    let results = match target_of(ctx, &task).await {
        Ok(target) => index_files(ctx, &target, &task.files, careful).await,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => task.files.iter().map(|_| Err(error.to_string())).collect(),
    };
    let failed = results.iter().filter(|result| result.is_err()).count();
    let success = failed < results.len();
    let mut message = match failed {
        0 => String::new(),
        _ => format!("{failed} of {} files could not be indexed", results.len()),
    };
    let end_time = Timestamp::now();
    if let Some(topic) = &task.topic {
        let files = task
            .files
            .iter()
            .zip(&results)
            .map(|(file, result)| CompletionFile {
                uri: file.uri.clone(),
                custom_id: file.custom_id.clone(),
                custom_labels: file.custom_labels.clone().unwrap_or_else(BTreeMap::new),
                error: result.as_ref().err().cloned().unwrap_or_default(),
            })
            .collect();
        let completion = CompletionMessage {
            project_name: task.project.clone(),
            dataset_name: task.dataset.clone(),
            request_id: task.request_id.clone(),
            start_time: task.start_time,
            end_time,
            success,
            message: message.clone(),
            files,
            user_data: Some(task.user_data.clone()).filter(|data| !data.is_empty()),
        };
        if let Err(error) = notify::publish(ctx, topic, &completion).await {
            if error.is_transient() {
                return Err(error);
            }
            // The files are indexed; a topic that is gone must not undo that.
            tracing::warn!(
                task = %task.id, topic, error = %error.internal_text(),
                "the completion message could not be published"
            );
            if !message.is_empty() {
                message.push_str("; ");
            }
            message.push_str(&format!(
                "the completion message could not be sent: there is no topic {topic} that may be written to"
            ));
        }
    }
    task.status = if success { TaskStatus::Succeeded } else { TaskStatus::Failed };
    task.progress = 100;
    task.end_time = Some(end_time);
    task.message = message;
    task.code = if success { String::new() } else { first_code(&results) };
    ctx.db.finish_task(&task).await?;
    Ok(())
}

async fn target_of(ctx: &Context, task: &Task) -> Result<Target> {
    let dataset = ctx.db.dataset(&task.project, &task.dataset).await?;
    let project = ctx.db.project(&task.project).await?;
    Ok(Target::new(&dataset, &project.template_id))
}

/// The error code at the head of the first error text.
fn first_code(results: &[std::result::Result<(), String>]) -> String {
    let first = results.iter().find_map(|result| result.as_ref().err());
    first.and_then(|text| text.split(':').next()).unwrap_or_default().to_owned()
}

/// Looks at each file, again while object storage or the store do not answer.
async fn index_files(
    ctx: &Context,
    target: &Target,
    files: &[InputFile],
    careful: bool,
) -> Vec<std::result::Result<(), String>> {
    let mut results: Vec<Option<std::result::Result<(), String>>> = files.iter().map(|_| None).collect();
    let mut open: Vec<(usize, Hint)> = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        match ObjectUri::parse("URI", &file.uri) {
            Ok(uri) => {
                open.push((index, Hint { manual: Some(file.clone()), careful, ..Hint::new(uri) }));
            }
            Err(error) => {
                if let Some(place) = results.get_mut(index) {
                    *place = Some(Err(error.to_string()));
                }
            }
        }
    }
    let mut attempt = 0;
    while !open.is_empty() {
        let hints = open.iter().map(|(_, hint)| Hint { attempt, ..hint.clone() }).collect();
        let outcomes = reconcile(ctx, target, hints).await;
        let mut again = Vec::new();
        for ((index, hint), outcome) in open.into_iter().zip(outcomes) {
            let result = match outcome {
                Outcome::Indexed | Outcome::Unchanged | Outcome::Stale => Ok(()),
                Outcome::Removed => Err(Error::not_found("Object", &hint.uri.to_string()).to_string()),
                Outcome::Unreadable(why) | Outcome::GivenUp(why) => {
                    Err(format!("FileAccessForbidden: {why}"))
                }
                Outcome::LimitExceeded => Err(Error::limit_exceeded(
                    "The dataset has reached DatasetMaxFileCount or DatasetMaxTotalFileSize.",
                )
                .to_string()),
                Outcome::DatasetGone => Err(Error::not_found("Dataset", "deleted meanwhile").to_string()),
                Outcome::Failed(error) => {
                    if attempt + 1 < ctx.config.max_attempts {
                        again.push((index, hint));
                        continue;
                    }
                    tracing::warn!(uri = %hint.uri, error = %error.internal_text(), "a file could not be indexed");
                    Err(error.to_string())
                }
            };
            if let Some(place) = results.get_mut(index) {
                *place = Some(result);
            }
        }
        open = again;
        if !open.is_empty() {
            crate::state::pause(attempt + 3).await;
            attempt += 1;
        }
    }
    results.into_iter().map(|result| result.unwrap_or(Ok(()))).collect()
}
