//! ExtractDocumentText.

use serde::{Deserialize, Serialize};

use super::params::Kind::{Object, Text};
use super::project::PROJECT;
use super::{Call, Mode, Operation, Param};
use crate::context::Context;
use crate::error::Result;
use crate::gateway::Access;
use crate::model::ObjectUri;
use crate::text::read_document;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExtractInput {
    #[serde(rename = "SourceURI")]
    source_uri: String,
    #[serde(default)]
    source_type: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExtractReply {
    document_text: String,
}

/// ExtractDocumentText: the text of a document, at once.
pub(super) struct ExtractDocumentText;

impl Operation for ExtractDocumentText {
    const NAME: &'static str = "ExtractDocumentText";
    const ACCESS: Access = Access::project("imm:ExtractDocumentText");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        Param::required(
            "SourceURI",
            Text,
            "The document: oss://bucket/key or s3://bucket/key; at most 200 MB.",
        ),
        Param::optional(
            "SourceType",
            Text,
            "Its type as a file's extension (docx, pdf, ...), where its name and content do not say it.",
        ),
        Param::optional(
            "CredentialConfig",
            Object,
            "Accepted and ignored: objects are read with the permissions of this service.",
        ),
    ];
    const MODE: Mode = Mode::Remote;
    const REPLY: &'static [Param] =
        &[Param::required("DocumentText", Text, "The text; what is beyond 2 MB is cut.")];
    type Input = ExtractInput;
    type Output = ExtractReply;

    async fn run(ctx: &Context, call: &Call, input: ExtractInput) -> Result<ExtractReply> {
        let uri = ObjectUri::parse("SourceURI", &input.source_uri)?;
        let extension = Some(input.source_type.as_str()).filter(|extension| !extension.is_empty());
        let read = read_document(ctx, &uri, extension).await?;
        if read.truncated || !read.notes.is_empty() {
            tracing::warn!(
                request_id = call.request_id, %uri, truncated = read.truncated, notes = ?read.notes,
                "the text of a document is not whole"
            );
        }
        Ok(ExtractReply { document_text: read.text })
    }
}
