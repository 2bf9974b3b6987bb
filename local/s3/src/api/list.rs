//! Both versions of ListObjects, and ListObjectVersions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;

use crate::api::{Endpoint, NULL, owner};
use crate::error::{Fault, Outcome};
use crate::fsys;
use crate::listing::{self, Page, Query};

/// S3's most keys on a page.
const MAX_KEYS: i32 = 1000;

/// What both versions ask.
struct Asked {
    bucket: String,
    prefix: String,
    delimiter: String,
    after: String,
    max: i32,
    url: bool,
    /// Whether each object's owner is told.
    with_owner: bool,
}

/// Blanks become `%20` and plus signs are encoded, so that it does not matter
/// whether a client takes `+` for a blank.
pub(crate) fn encode(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, &KEPT).to_string()
}

pub(crate) fn is_url(encoding: Option<&EncodingType>) -> Outcome<bool> {
    match encoding.map(EncodingType::as_str) {
        None | Some("") => Ok(false),
        Some(EncodingType::URL) => Ok(true),
        Some(_) => Err(Fault::invalid("Invalid Encoding Method specified in Request")),
    }
}

pub(crate) fn max_keys(asked: Option<i32>, name: &str) -> Outcome<i32> {
    match asked {
        Some(max) if max < 0 => {
            Err(Fault::invalid(format!("Argument {name} must be an integer between 0 and 2147483647")))
        }
        asked => Ok(asked.unwrap_or(MAX_KEYS).min(MAX_KEYS)),
    }
}

/// Tokens are opaque to clients: the last key or common prefix, in base64.
pub(crate) fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

pub(crate) fn untoken(token: &str) -> Outcome<String> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Fault::invalid("The continuation token provided is incorrect"))
}

/// A page as it goes on the wire.
struct Answer {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    truncated: bool,
    last: Option<String>,
}

impl Answer {
    fn new(page: Page, url: bool, with_owner: bool) -> Self {
        let text = |text: String| if url { encode(&text) } else { text };
        let contents = page.objects.into_iter().map(|listed| Object {
            e_tag: Some(ETag::Strong(listed.etag)),
            key: Some(text(listed.key)),
            last_modified: Some(fsys::timestamp(listed.stamp.modified())),
            owner: with_owner.then(owner),
            size: Some(i64::try_from(listed.stamp.size).unwrap_or(i64::MAX)),
            storage_class: Some(match listed.storage_class {
                Some(class) => ObjectStorageClass::from(class),
                None => ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
            }),
            ..Default::default()
        });
        Self {
            contents: contents.collect(),
            prefixes: page.prefixes.into_iter().map(|p| CommonPrefix { prefix: Some(text(p)) }).collect(),
            truncated: page.truncated,
            last: page.last,
        }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.contents.len() + self.prefixes.len()).unwrap_or(i32::MAX)
    }
}

impl Endpoint {
    async fn list(&self, asked: Asked) -> Outcome<Answer> {
        let (url, with_owner) = (asked.url, asked.with_owner);
        let bucket = asked.bucket.clone();
        let page = self
            .on_bucket(&bucket, move |inner, bucket| {
                let query = Query {
                    prefix: &asked.prefix,
                    delimiter: &asked.delimiter,
                    after: &asked.after,
                    max: usize::try_from(asked.max).unwrap_or(0),
                    any_text: asked.url,
                };
                listing::page(bucket, &inner.folders, &inner.sidecar, &query)
            })
            .await?;
        Ok(Answer::new(page, url, with_owner))
    }

    pub(crate) async fn list_v2(&self, input: ListObjectsV2Input) -> Outcome<ListObjectsV2Output> {
        let url = is_url(input.encoding_type.as_ref())?;
        let max = max_keys(input.max_keys, "max-keys")?;
        let after = match &input.continuation_token {
            Some(continuation) => untoken(continuation)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            max,
            url,
            with_owner: input.fetch_owner.unwrap_or(false),
        };
        let answer = self.list(asked).await?;
        let text = |text: Option<String>| if url { text.map(|t| encode(&t)) } else { text };
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: text(Some(input.prefix.unwrap_or_default())),
            max_keys: Some(max),
            key_count: Some(answer.count()),
            continuation_token: input.continuation_token,
            is_truncated: Some(answer.truncated),
            next_continuation_token: answer.last.filter(|_| answer.truncated).map(|last| token(&last)),
            contents: Some(answer.contents),
            common_prefixes: Some(answer.prefixes),
            delimiter: text(input.delimiter.filter(|d| !d.is_empty())),
            encoding_type: input.encoding_type,
            start_after: text(input.start_after),
            request_charged: None,
        })
    }

    pub(crate) async fn list_v1(&self, input: ListObjectsInput) -> Outcome<ListObjectsOutput> {
        let url = is_url(input.encoding_type.as_ref())?;
        let max = max_keys(input.max_keys, "max-keys")?;
        let delimiter = input.delimiter.clone().filter(|d| !d.is_empty());
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            max,
            url,
            with_owner: true,
        };
        let answer = self.list(asked).await?;
        let text = |text: Option<String>| if url { text.map(|t| encode(&t)) } else { text };
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: text(Some(input.prefix.unwrap_or_default())),
            marker: text(Some(input.marker.unwrap_or_default())),
            max_keys: Some(max),
            is_truncated: Some(answer.truncated),
            // Without a delimiter the last key is the marker, says S3.
            next_marker: text(answer.last.filter(|_| answer.truncated && delimiter.is_some())),
            contents: Some(answer.contents),
            common_prefixes: Some(answer.prefixes),
            delimiter: text(delimiter),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }

    /// Buckets are not versioned: each object is the only version of itself.
    pub(crate) async fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> Outcome<ListObjectVersionsOutput> {
        let url = is_url(input.encoding_type.as_ref())?;
        let max = max_keys(input.max_keys, "max-keys")?;
        let key_marker = input.key_marker.clone().unwrap_or_default();
        if key_marker.is_empty() && input.version_id_marker.as_ref().is_some_and(|id| !id.is_empty()) {
            return Err(Fault::invalid("A version-id marker cannot be specified without a key marker."));
        }
        let delimiter = input.delimiter.clone().filter(|d| !d.is_empty());
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone().unwrap_or_default(),
            after: key_marker.clone(),
            max,
            url,
            with_owner: true,
        };
        let answer = self.list(asked).await?;
        let text = |text: Option<String>| if url { text.map(|t| encode(&t)) } else { text };
        let next = answer.last.clone().filter(|_| answer.truncated);
        // After a common prefix there is no version to go on from.
        let is_prefix = next.as_ref().is_some_and(|next| {
            let last = answer.prefixes.last().and_then(|last| last.prefix.clone());
            last == text(Some(next.clone()))
        });
        let versions = answer.contents.into_iter().map(|object| ObjectVersion {
            e_tag: object.e_tag,
            is_latest: Some(true),
            key: object.key,
            last_modified: object.last_modified,
            owner: object.owner,
            size: object.size,
            storage_class: object
                .storage_class
                .map(|class| ObjectVersionStorageClass::from(class.as_str().to_owned())),
            version_id: Some(NULL.to_owned()),
            ..Default::default()
        });
        Ok(ListObjectVersionsOutput {
            versions: Some(versions.collect()),
            common_prefixes: Some(answer.prefixes),
            delimiter: text(delimiter),
            encoding_type: input.encoding_type,
            is_truncated: Some(answer.truncated),
            key_marker: text(Some(key_marker)),
            max_keys: Some(max),
            name: Some(input.bucket),
            next_version_id_marker: next.as_ref().filter(|_| !is_prefix).map(|_| NULL.to_owned()),
            next_key_marker: text(next),
            prefix: text(Some(input.prefix.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            ..Default::default()
        })
    }
}
