//! Completion messages of index calls, to an SNS topic by name.

use std::collections::BTreeMap;

use aws_sdk_sns::error::ProvideErrorMetadata;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Timestamp;

/// The message, in the shape of the seed guide (semantics C.1).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompletionMessage {
    /// The project.
    pub project_name: String,
    /// The dataset.
    pub dataset_name: String,
    /// The request id of the index call.
    pub request_id: String,
    /// When the call was accepted.
    pub start_time: Timestamp,
    /// When the last file was done.
    pub end_time: Timestamp,
    /// Whether the index was made, for one file at least.
    pub success: bool,
    /// What went wrong, in words.
    pub message: String,
    /// Each file of the call, in its order.
    pub files: Vec<CompletionFile>,
    /// What the caller gave to be echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// One file of a [`CompletionMessage`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompletionFile {
    /// The URI, as the caller wrote it.
    #[serde(rename = "URI")]
    pub uri: String,
    /// The caller's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// The caller's labels.
    pub custom_labels: BTreeMap<String, String>,
    /// Empty: indexed. Else code and text of what went wrong.
    pub error: String,
}

/// Publishes a message to a topic of this account and region.
///
/// # Errors
/// `ServiceUnavailable` when it is worth another try; another one when it is not.
pub async fn publish(ctx: &Context, topic: &str, message: &CompletionMessage) -> Result<()> {
    let config = &ctx.config;
    let arn = format!("arn:{}:sns:{}:{}:{topic}", config.partition, config.region, config.account_id);
    let body = serde_json::to_string(message).map_err(Error::internal)?;
    ctx.sns().publish().topic_arn(arn).message(body).send().await.map_err(|error| {
        // A topic that is gone, or that may not be written to, stays so.
        let status = error.raw_response().map(|response| response.status().as_u16());
        let is_throttled = error.code().is_some_and(|code| code.starts_with("Throttl"));
        let is_lasting = status != Some(429) && matches!(status, Some(400..500)) && !is_throttled;
        let text = aws_sdk_sns::error::DisplayErrorContext(&error).to_string();
        if is_lasting { Error::invalid("Notification", text) } else { Error::unavailable(text) }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_guides() {
        let message = CompletionMessage {
            project_name: "test-project".into(),
            dataset_name: "test-dataset".into(),
            request_id: "658FFD57".into(),
            start_time: Timestamp(0),
            end_time: Timestamp(1),
            success: true,
            message: String::new(),
            files: vec![CompletionFile {
                uri: "oss://test-bucket/test-object1.jpg".into(),
                custom_id: None,
                custom_labels: BTreeMap::from([("category".into(), "Persons".into())]),
                error: String::new(),
            }],
            user_data: None,
        };
        let json = serde_json::to_string(&message).unwrap_or_default();
        assert_eq!(
            json,
            r#"{"ProjectName":"test-project","DatasetName":"test-dataset","RequestId":"658FFD57","StartTime":"1970-01-01T00:00:00.000000000Z","EndTime":"1970-01-01T00:00:00.000000001Z","Success":true,"Message":"","Files":[{"URI":"oss://test-bucket/test-object1.jpg","CustomLabels":{"category":"Persons"},"Error":""}]}"#
        );
    }
}
