//! Both versions of ListObjects.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;

use crate::api::Endpoint;
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
fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn untoken(token: &str) -> Outcome<String> {
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
    fn new(page: Page, url: bool) -> Self {
        let text = |text: String| if url { encode(&text) } else { text };
        let contents = page.objects.into_iter().map(|listed| Object {
            e_tag: Some(ETag::Strong(listed.etag)),
            key: Some(text(listed.key)),
            last_modified: Some(fsys::timestamp(listed.stamp.modified())),
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
        let url = asked.url;
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
        Ok(Answer::new(page, url))
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
}
