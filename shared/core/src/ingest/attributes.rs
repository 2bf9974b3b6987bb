//! What object storage knows of an object beside its content: tags, storage
//! class, headers. They change without a new version of the object, so they are
//! read again on their own, put into the record that the row has, and (where the
//! template asks for it) compared by scans, because their events can be lost.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use futures::StreamExt;
use serde_json::{Map, Value};

use super::hint::Hint;
use super::object::{Facts, status_of};
use super::reconcile::Target;
use crate::context::Context;
use crate::error::Error;
use crate::ledger::{Row, Source, Status};
use crate::model::ObjectUri;
use crate::query::Needs;

/// The fields of a record that storage gives. `ContentType` is not one of them:
/// the content decides it where it is read.
const FIELDS: [&str; 14] = [
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentMd5",
    "OSSExpiration",
    "OSSStorageClass",
    "OSSTagging",
    "OSSTaggingCount",
    "OSSUserMeta",
    "OSSVersionId",
    "ServerSideEncryption",
    "ServerSideEncryptionCustomerAlgorithm",
    "ServerSideEncryptionKeyId",
];

/// What came of reading an object's tags.
#[derive(Debug)]
pub(super) enum Tags {
    /// The tags, as texts by name.
    Read(Map<String, Value>),
    /// Storage does not give them: no permission, or it has no tags at all.
    Refused,
    /// There is no such object.
    Gone,
    /// Storage did not answer; worth another try.
    Failed(Error),
}

/// Reads the tags of an object, with one request.
pub(super) async fn read_tags(ctx: &Context, uri: &ObjectUri) -> Tags {
    let reply = ctx.s3().get_object_tagging().bucket(&uri.bucket).key(&uri.key).send().await;
    ctx.usage.s3_get(0);
    let error = match reply {
        Ok(reply) => {
            let tags = reply.tag_set().iter();
            return Tags::Read(tags.map(|tag| (tag.key().to_owned(), Value::from(tag.value()))).collect());
        }
        Err(error) => error,
    };
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    match (code, status_of(&error)) {
        ("NoSuchKey", _) => Tags::Gone,
        // Ceph's answer for an object that has none.
        ("NoSuchTagSet" | "NoSuchTagSetError", _) => Tags::Read(Map::new()),
        (_, Some(403 | 405 | 501)) => {
            tracing::warn!(%uri, error = %DisplayErrorContext(&error), "the tags of an object cannot be read");
            Tags::Refused
        }
        _ => Tags::Failed(Error::unavailable(format!("the tags of {uri}: {}", DisplayErrorContext(&error)))),
    }
}

/// Adds tags to the fields of an object; none are no fields.
pub(super) fn put_tags(fields: &mut Map<String, Value>, tags: Map<String, Value>) {
    if !tags.is_empty() {
        fields.insert("OSSTaggingCount".into(), Value::from(tags.len()));
        fields.insert("OSSTagging".into(), Value::Object(tags));
    }
}

/// Replaces what storage said in a record by what it says now. What the content
/// said is kept, and so are the tags where storage does not give them.
pub(super) fn replace(record: &mut Map<String, Value>, facts: &Facts) {
    for name in FIELDS {
        if facts.tags_refused && name.starts_with("OSSTagging") {
            continue;
        }
        match facts.fields.get(name) {
            Some(value) => record.insert(name.into(), value.clone()),
            None => record.remove(name),
        };
    }
}

/// How an object of a listing compares with its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Nothing that a listing shows has changed.
    Same,
    /// The content is the same, the storage class is another one.
    OtherAttributes,
    /// Another version, or one that could not be read before.
    OtherContent,
}

/// Compares an object of a listing with its row.
pub(super) fn compare_listed(row: &Row, listed: &Source) -> Compared {
    let is_settled = row.status != Status::Tombstone && row.failed_attempts.is_none();
    match &row.source {
        Some(source) if is_settled && source.same_object(listed) => {
            if row.status == Status::Live && source.has_other_class(listed) {
                Compared::OtherAttributes
            } else {
                Compared::Same
            }
        }
        _ => Compared::OtherContent,
    }
}

/// Whether a scan for this dataset reads the tags of the objects that have not
/// changed: one request for each.
pub(super) fn compares_tags(ctx: &Context, target: &Target) -> bool {
    ctx.config.reconcile_tags && target.template.tags_by_scan
}

/// Hints for those rows whose objects have other tags now. The rows must be
/// whole, with their records.
pub(super) async fn hints_of_other_tags(ctx: &Context, rows: Vec<Row>) -> Vec<Hint> {
    let live = rows.into_iter().filter(|row| row.status == Status::Live);
    futures::stream::iter(live)
        .map(|row| async move {
            let uri = row.uri();
            let tags = match read_tags(ctx, &uri).await {
                Tags::Read(tags) => tags,
                // Asking again would give the same answer.
                Tags::Refused => return None,
                Tags::Gone => return Some(Hint::new(uri)),
                Tags::Failed(_) => return Some(Hint { attributes: true, ..Hint::new(uri) }),
            };
            let is_same = row.metadata(&Needs::All).is_ok_and(|record| {
                match record.get("OSSTagging").and_then(Value::as_object) {
                    Some(known) => *known == tags,
                    None => tags.is_empty(),
                }
            });
            (!is_same).then(|| Hint { attributes: true, ..Hint::new(uri) })
        })
        .buffer_unordered(ctx.config.read_concurrency)
        .filter_map(std::future::ready)
        .collect()
        .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ledger::{Origin, RowKey};
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_storage_says_is_replaced_and_what_the_content_says_is_kept() {
        let old = json!({"ContentType": "image/jpeg", "ImageWidth": 3, "Reason": "r", "CacheControl": "no-store",
            "OSSStorageClass": "STANDARD_IA", "OSSTagging": {"a": "1"}, "OSSTaggingCount": 1});
        let table = [
            (
                json!({"OSSStorageClass": "GLACIER", "OSSTagging": {"b": "2", "c": "3"}, "OSSTaggingCount": 2}),
                false,
                json!({"ContentType": "image/jpeg", "ImageWidth": 3, "Reason": "r",
                    "OSSStorageClass": "GLACIER", "OSSTagging": {"b": "2", "c": "3"}, "OSSTaggingCount": 2}),
            ),
            (json!({}), false, json!({"ContentType": "image/jpeg", "ImageWidth": 3, "Reason": "r"})),
            (
                json!({"OSSStorageClass": "STANDARD_IA"}),
                true,
                json!({"ContentType": "image/jpeg", "ImageWidth": 3, "Reason": "r",
                    "OSSStorageClass": "STANDARD_IA", "OSSTagging": {"a": "1"}, "OSSTaggingCount": 1}),
            ),
        ];
        for (fields, tags_refused, want) in table {
            let mut record = map(old.clone());
            replace(&mut record, &Facts { fields: map(fields), tags_refused, ..Facts::default() });
            assert_eq!(Value::Object(record), want);
        }
    }

    #[test]
    fn a_listing_shows_other_content_before_another_class() {
        let source = |etag: &str, class: Option<&str>| Source {
            etag: etag.into(),
            size: 1,
            modified: 1,
            version: None,
            class: class.map(str::to_owned),
        };
        let uri = ObjectUri::new("bucket", "k");
        let mut row = Row::new(RowKey::of("D", 1, &uri), &uri, Origin::Automatic, 1);
        row.source = Some(source("e", Some("STANDARD")));
        let table = [
            (Status::Live, None, source("e", Some("STANDARD")), Compared::Same),
            (Status::Live, None, source("e", None), Compared::Same),
            (Status::Live, None, source("e", Some("GLACIER")), Compared::OtherAttributes),
            (Status::Live, None, source("f", Some("GLACIER")), Compared::OtherContent),
            (Status::Live, Some(1), source("e", Some("STANDARD")), Compared::OtherContent),
            (Status::Tombstone, None, source("e", Some("STANDARD")), Compared::OtherContent),
            (Status::UserDeleted, None, source("e", Some("GLACIER")), Compared::Same),
            (Status::UserDeleted, None, source("f", Some("GLACIER")), Compared::OtherContent),
        ];
        for (status, failed_attempts, listed, want) in table {
            row.status = status;
            row.failed_attempts = failed_attempts;
            assert_eq!(compare_listed(&row, &listed), want, "{status:?} {listed:?}");
        }
    }
}
