//! What replies carry: projects, datasets, bindings, tasks, in the field order
//! of the API's samples.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Timestamp;

/// A tag as requests carry it: `{Key, Value}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A tag as replies carry it: `{TagKey, TagValue}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagView {
    /// The key.
    pub tag_key: String,
    /// The value.
    pub tag_value: String,
}

/// `Project`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each field is the API's field of that name, see imm-types.json")]
pub struct ProjectView {
    pub project_name: String,
    pub service_role: String,
    pub template_id: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub description: String,
    pub project_max_dataset_count: i64,
    pub dataset_max_bind_count: i64,
    pub dataset_max_file_count: i64,
    pub dataset_max_entity_count: i64,
    pub dataset_max_relation_count: i64,
    pub dataset_max_total_file_size: i64,
    pub project_queries_per_second: i64,
    pub engine_concurrency: i64,
    pub dataset_count: i64,
    pub file_count: i64,
    pub total_file_size: i64,
    pub tags: Vec<TagView>,
}

/// `Dataset`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each field is the API's field of that name, see imm-types.json")]
pub struct DatasetView {
    pub project_name: String,
    pub dataset_name: String,
    pub template_id: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub description: String,
    pub dataset_max_bind_count: i64,
    pub dataset_max_file_count: i64,
    pub dataset_max_entity_count: i64,
    pub dataset_max_relation_count: i64,
    pub dataset_max_total_file_size: i64,
    pub bind_count: i64,
    pub file_count: i64,
    pub total_file_size: i64,
    pub workflow_parameters: Value,
}

/// Where a binding stands (semantics A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingState {
    /// Being prepared after its creation.
    Ready,
    /// The binding is running.
    Running,
    /// Paused, by a caller or by the guard against mass deletion.
    Stopped,
    /// Preparing it failed and is tried again.
    Retrying,
    /// Preparing it failed for good; `Reason` says why.
    Failed,
    /// Gone.
    Deleted,
}

/// What a running binding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingPhase {
    /// Not begun.
    #[serde(rename = "")]
    None,
    /// Objects that are there already are being scanned.
    FullScanning,
    /// All of them are indexed; events are followed.
    IncrementalScanning,
}

/// `Binding`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each field is the API's field of that name, see imm-types.json")]
pub struct BindingView {
    pub project_name: String,
    pub dataset_name: String,
    #[serde(rename = "URI")]
    pub uri: String,
    pub state: BindingState,
    pub phase: BindingPhase,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub reason: String,
    /// The same as `reason`: the only one of the two that the models of some SDKs
    /// have (Java 4.4.0).
    pub detail: String,
    /// An extension; absent where nothing was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Reconcile>,
}

/// How often a binding is compared with its bucket, in case that events were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconcile {
    /// Never.
    Off,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
}

impl Reconcile {
    /// Its words, for parameters.
    pub const WORDS: &'static [&'static str] = &["Off", "Hourly", "Daily"];

    /// Seconds between two scans; `None`: there are none.
    pub fn seconds(self) -> Option<i64> {
        match self {
            Self::Off => None,
            Self::Hourly => Some(3600),
            Self::Daily => Some(86_400),
        }
    }
}

/// State of an asynchronous task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskStatus {
    /// Accepted, not finished.
    Running,
    /// Finished without an error.
    Succeeded,
    /// Finished; `Code` and `Message` say why it failed.
    Failed,
}

/// `TaskInfo`, and the body of `GetTask`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each field is the API's field of that name, see imm-types.json")]
pub struct TaskView {
    pub project_name: String,
    pub task_id: String,
    pub task_type: String,
    pub event_id: String,
    pub status: TaskStatus,
    pub progress: i64,
    pub start_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    pub code: String,
    pub message: String,
    pub user_data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_request_definition: Option<String>,
}
