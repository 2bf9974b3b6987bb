//! IndexFileMeta and BatchIndexFileMeta: accept files to index.

use serde::{Deserialize, Serialize};

use super::dataset::DATASET;
use super::params::Kind::{Array, Object, Text};
use super::project::PROJECT;
use super::{Call, Mode, Operation, Param};
use crate::context::Context;
use crate::dispatch::send_index_task;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::{InputFile, Limits, Notification, check_resource_name, event_id};
use crate::state::Task;

const NOTIFICATION: Param =
    Param::optional("Notification", Object, "{MNS: {TopicName}}: where the completion message goes.");
const TOPIC: Param = Param::optional("NotifyTopicName", Text, "The topic's name, as old SDKs send it.");
const ENDPOINT: Param = Param::optional("NotifyEndpoint", Text, "Accepted from old SDKs and ignored.");
const USER_DATA: Param =
    Param::optional("UserData", Text, "Echoed in the completion message; at most 2,048 bytes.");

const EVENT_REPLY: &[Param] =
    &[Param::required("EventId", Text, "The event, which is also the task's id and stands in its message.")];

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventReply {
    event_id: String,
}

/// Where the completion message goes, from either of the two ways to say it.
fn topic_of(notification: Option<Notification>, legacy: Option<String>) -> Result<Option<String>> {
    let notification = notification.unwrap_or_default();
    if notification.rocket_mq.is_some() {
        return Err(Error::invalid("Notification", "RocketMQ is not supported; name a topic with MNS."));
    }
    if notification.extended_message_uri.is_some() {
        return Err(Error::invalid("Notification", "ExtendedMessageURI is not supported."));
    }
    let topic = notification.mns.and_then(|mns| mns.topic_name).or(legacy).filter(|topic| !topic.is_empty());
    if let Some(topic) = &topic {
        check_resource_name("TopicName", topic)?;
    }
    Ok(topic)
}

/// Checks a call, stores its task and enqueues it.
async fn accept(ctx: &Context, call: &Call, kind: &str, prefix: &str, input: Accepted) -> Result<EventReply> {
    if input.files.len() > Limits::BATCH_FILES {
        return Err(Error::limit_exceeded(format!(
            "A call takes at most {} files; this one has {}.",
            Limits::BATCH_FILES,
            input.files.len()
        )));
    }
    if input.user_data.len() > Limits::USER_DATA_BYTES {
        return Err(Error::invalid(
            "UserData",
            format!("It may have at most {} bytes.", Limits::USER_DATA_BYTES),
        ));
    }
    for file in &input.files {
        file.check()?;
    }
    // An item of the state table holds 400 KB; the task is one item.
    let bytes = serde_json::to_vec(&input.files).map_err(Error::internal)?.len();
    if bytes > 300 * 1024 {
        return Err(Error::limit_exceeded("The files of one call may take at most 300 KB together."));
    }
    let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
    let id = event_id(prefix);
    let task = Task::new_index(
        &dataset.project,
        &dataset.name,
        &id,
        kind,
        &call.request_id,
        input.files,
        input.topic,
        &input.user_data,
    );
    ctx.db.create_task(&task).await?;
    send_index_task(ctx, &task.project, &task.id).await?;
    Ok(EventReply { event_id: id })
}

struct Accepted {
    project_name: String,
    dataset_name: String,
    files: Vec<InputFile>,
    topic: Option<String>,
    user_data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IndexInput {
    project_name: String,
    dataset_name: String,
    file: InputFile,
    notification: Option<Notification>,
    notify_topic_name: Option<String>,
    #[serde(default)]
    user_data: String,
}

/// IndexFileMeta.
pub(super) struct IndexFileMeta;

impl Operation for IndexFileMeta {
    const NAME: &'static str = "IndexFileMeta";
    const ACCESS: Access = Access::dataset("imm:IndexFileMeta");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        Param::required("File", Object, "The file: {URI, CustomId, CustomLabels, ...}."),
        NOTIFICATION,
        TOPIC,
        ENDPOINT,
        USER_DATA,
    ];
    const MODE: Mode = Mode::Async;
    const REPLY: &'static [Param] = EVENT_REPLY;
    type Input = IndexInput;
    type Output = EventReply;

    async fn run(ctx: &Context, call: &Call, input: IndexInput) -> Result<EventReply> {
        let accepted = Accepted {
            project_name: input.project_name,
            dataset_name: input.dataset_name,
            files: vec![input.file],
            topic: topic_of(input.notification, input.notify_topic_name)?,
            user_data: input.user_data,
        };
        accept(ctx, call, Self::NAME, "17C", accepted).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchIndexInput {
    project_name: String,
    dataset_name: String,
    files: Vec<InputFile>,
    notification: Option<Notification>,
    notify_topic_name: Option<String>,
    #[serde(default)]
    user_data: String,
}

/// BatchIndexFileMeta.
pub(super) struct BatchIndexFileMeta;

impl Operation for BatchIndexFileMeta {
    const NAME: &'static str = "BatchIndexFileMeta";
    const ACCESS: Access = Access::dataset("imm:BatchIndexFileMeta");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        Param::required("Files", Array, "1 to 100 files: [{URI, CustomId, CustomLabels, ...}]."),
        NOTIFICATION,
        TOPIC,
        ENDPOINT,
        USER_DATA,
    ];
    const MODE: Mode = Mode::Async;
    const REPLY: &'static [Param] = EVENT_REPLY;
    type Input = BatchIndexInput;
    type Output = EventReply;

    async fn run(ctx: &Context, call: &Call, input: BatchIndexInput) -> Result<EventReply> {
        let accepted = Accepted {
            project_name: input.project_name,
            dataset_name: input.dataset_name,
            files: input.files,
            topic: topic_of(input.notification, input.notify_topic_name)?,
            user_data: input.user_data,
        };
        accept(ctx, call, Self::NAME, "16C", accepted).await
    }
}
