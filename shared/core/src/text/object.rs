//! Documents in object storage.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use mediadex_text::{content_type_of_extension, is_supported};

use super::{DOCUMENT_BYTES, DocumentText, TextFailure};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::model::ObjectUri;

/// A document as it is stored.
pub(crate) struct Stored {
    pub(crate) content: Vec<u8>,
    content_type: Option<String>,
}

/// Reads the text of an object. `extension` says what it is, where its key and
/// content do not.
///
/// # Errors
/// `ResourceNotFound`, `NoPermission`, `StatusConflict` (archived), `LimitExceededError`,
/// `InvalidSourceURI` and `InvalidSourceType` for documents that give no text.
pub(crate) async fn read_document(
    ctx: &Context,
    uri: &ObjectUri,
    extension: Option<&str>,
) -> Result<DocumentText> {
    let asked = match extension {
        Some(extension) => Some(of_extension(extension).ok_or_else(|| {
            Error::invalid(
                "SourceType",
                format!("The text of documents with the extension {extension:?} is not read."),
            )
        })?),
        None => None,
    };
    let reader = ctx.text_reader()?;
    let stored = read_object(ctx, uri, None).await?;
    let content_type = match asked {
        Some(content_type) => content_type.to_owned(),
        None => content_type_of(&uri.key, &stored.content, stored.content_type.as_deref()),
    };
    let failure = match reader.read(stored.content, content_type).await? {
        Ok(text) => return Ok(text),
        Err(failure) => failure,
    };
    tracing::info!(%uri, %failure, "a document gave no text");
    Err(match failure {
        TextFailure::Limit(_) => Error::limit_exceeded(format!("{uri}: {failure}.")),
        _ => Error::invalid("SourceURI", format!("{uri}: {failure}.")),
    })
}

fn of_extension(extension: &str) -> Option<&'static str> {
    content_type_of_extension(&extension.trim_start_matches('.').to_ascii_lowercase())
}

/// What kind of document something is: what its first bytes say beyond doubt, then
/// its name's extension, as IMM goes by, then what it was stored as.
pub fn content_type_of(name: &str, content: &[u8], stored_as: Option<&str>) -> String {
    const MAGIC: [(&[u8], &str); 2] = [(b"%PDF-", "application/pdf"), (b"{\\rtf", "application/rtf")];
    if let Some((_, content_type)) = MAGIC.iter().find(|(magic, _)| content.starts_with(magic)) {
        return (*content_type).to_owned();
    }
    let name = name.rsplit('/').next().unwrap_or_default();
    let by_name = name.rsplit_once('.').and_then(|(_, extension)| of_extension(extension));
    let by_name = by_name.filter(|content_type| is_supported(content_type));
    by_name.or(stored_as).unwrap_or("application/octet-stream").to_owned()
}

/// The whole object; with `etag`, only if it is that version.
///
/// # Errors
/// Those of [`read_document`], `StatusConflict` for another version.
pub(crate) async fn read_object(ctx: &Context, uri: &ObjectUri, etag: Option<&str>) -> Result<Stored> {
    let request = ctx.s3().get_object().bucket(&uri.bucket).key(&uri.key);
    let reply = request.set_if_match(etag.map(|etag| format!("\"{etag}\""))).send().await;
    let mut output = match reply {
        Ok(output) => output,
        Err(error) => {
            ctx.usage.s3_get(0);
            let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
            let status = error.raw_response().map(|response| response.status().as_u16());
            return Err(match (code, status) {
                ("NoSuchKey", _) => Error::not_found("Object", &uri.to_string()),
                (_, Some(412)) => Error::status_conflict(format!("{uri} is another version now.")),
                ("NoSuchBucket", _) => Error::not_found("Bucket", &uri.bucket),
                ("InvalidObjectState", _) => Error::status_conflict(format!(
                    "{uri}: the object is archived and must be restored before it can be read."
                )),
                ("AccessDenied" | "AllAccessDisabled", _) | (_, Some(403)) => Error::with_code(
                    Code::NoPermission,
                    format!("The object {uri} may not be read with the permissions of this service."),
                ),
                _ => Error::unavailable(format!("{uri}: {}", DisplayErrorContext(&error))),
            });
        }
    };
    let size = u64::try_from(output.content_length().unwrap_or(0)).unwrap_or(0);
    if size > DOCUMENT_BYTES {
        ctx.usage.s3_get(0);
        return Err(too_large(uri));
    }
    // At once, so that it is never held twice.
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    while let Some(piece) = output.body.try_next().await.map_err(Error::unavailable)? {
        if (content.len() + piece.len()) as u64 > DOCUMENT_BYTES {
            return Err(too_large(uri));
        }
        content.extend_from_slice(&piece);
    }
    ctx.usage.s3_get(content.len() as u64);
    Ok(Stored { content, content_type: output.content_type })
}

fn too_large(uri: &ObjectUri) -> Error {
    let megabytes = DOCUMENT_BYTES / 1_000_000;
    Error::limit_exceeded(format!("{uri}: a document may have at most {megabytes} MB."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_is_its_first_bytes_its_name_and_its_content_type_say() {
        let table = [
            ("a.txt", "words", Some("application/octet-stream"), "text/plain"),
            ("a.TXT", "%PDF-1.7", None, "application/pdf"),
            ("dir.txt/a", "words", Some("text/html"), "text/html"),
            ("a.unheard-of", "words", Some("text/plain"), "text/plain"),
            ("a", "words", None, "application/octet-stream"),
        ];
        for (key, content, content_type, want) in table {
            assert_eq!(content_type_of(key, content.as_bytes(), content_type), want, "{key}");
        }
    }
}
