//! Reading an object: its facts from the reply's headers, its metadata from a
//! few ranges of its bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mediadex_media::{Extraction, Features, HEAD_BYTES, ObjectInfo, Record, Step};
use serde_json::{Map, Value};

use super::attributes::{Tags, put_tags, read_tags};
use super::careful;
use crate::context::Context;
use crate::error::Error;
use crate::ledger::{STANDARD, Source};
use crate::model::ObjectUri;

/// The fields of a reply's headers. GET and HEAD have the same ones in two
/// types that share no trait.
macro_rules! header_fields {
    ($facts:expr, $output:expr) => {{
        let mut fields = Fields::new($facts);
        fields.text("OSSStorageClass", $output.storage_class().map(|class| class.as_str()));
        fields.text("CacheControl", $output.cache_control());
        fields.text("ContentDisposition", $output.content_disposition());
        fields.text("ContentEncoding", $output.content_encoding());
        fields.text("ContentLanguage", $output.content_language());
        fields.text("OSSExpiration", $output.expires_string());
        fields.text("ServerSideEncryption", $output.server_side_encryption().map(|sse| sse.as_str()));
        fields.text("ServerSideEncryptionKeyId", $output.ssekms_key_id());
        fields.text("ServerSideEncryptionCustomerAlgorithm", $output.sse_customer_algorithm());
        fields.user_metadata($output.metadata());
        fields.map
    }};
}

/// What object storage says of an object.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Identity of the version.
    pub source: Source,
    /// `File` fields that storage knows, by name; defaults are left out.
    pub fields: Map<String, Value>,
    /// The content type that it was stored with.
    pub content_type: Option<String>,
    /// How many tags it has.
    pub tags: i32,
    /// Storage does not give its tags, whatever their number.
    pub tags_refused: bool,
}

/// Whether an object is a folder's marker and no file: clients and consoles make
/// folders with an empty object whose key ends in a slash.
pub(super) fn is_marker(key: &str, size: i64) -> bool {
    size == 0 && key.ends_with('/')
}

/// What came of reading an object.
#[derive(Debug)]
pub enum Fetched {
    /// There is no such object.
    Gone,
    /// It is the version that the caller knows already.
    Same,
    /// The same content, of which storage may say something else now: only that
    /// was read.
    Attributes {
        /// What storage says.
        facts: Box<Facts>,
    },
    /// It was read, as far as the record says.
    Read {
        /// What storage says.
        facts: Box<Facts>,
        /// What the bytes say; `None` where the template reads none.
        record: Option<Box<Record>>,
    },
    /// Storage refuses to give it, and will again: access denied, archived.
    Refused {
        /// What storage says, where it says anything.
        facts: Option<Box<Facts>>,
        /// Why, for `Reason`.
        why: String,
    },
    /// Storage did not answer; worth another try.
    Failed(Error),
}

/// The `File` fields of an object that was read: what its bytes say over what
/// storage says. What could not be read makes it `Partial`, with a `Reason`.
pub fn describe(mut facts: Facts, record: Option<&Record>) -> (Source, Map<String, Value>) {
    let mut fields = std::mem::take(&mut facts.fields);
    if let Some(content_type) = facts.content_type {
        fields.insert("ContentType".into(), Value::from(content_type));
    }
    if let Some(record) = record {
        if let Ok(Value::Object(metadata)) = serde_json::to_value(&record.metadata) {
            fields.extend(metadata);
        }
        if record.detected.is_some() {
            fields.insert("ExtractionVersion".into(), Value::from(mediadex_media::VERSION));
        }
        if let Some(hash) = &record.content_hash {
            fields.insert("FileHash".into(), Value::from(hash.as_str()));
        }
        if let Some(reason) = record.reason() {
            fields.insert("ObjectStatus".into(), Value::from("Partial"));
            fields.insert("Reason".into(), Value::from(reason));
        }
    }
    (facts.source, fields)
}

/// Reads an object. Where `known` is given and the object is still that
/// version, nothing is extracted; where it is in another storage class, what
/// storage says is read.
pub async fn fetch(ctx: &Context, uri: &ObjectUri, features: Features, known: Option<&Source>) -> Fetched {
    fetch_unless_known(ctx, uri, features, Known { source: known, is_trusted: true }).await
}

/// Reads an object that was written since `known` was read, even where it looks
/// the same: dates are whole seconds, and a content that is written again has
/// the ETag that it had.
pub(super) async fn fetch_again(
    ctx: &Context,
    uri: &ObjectUri,
    features: Features,
    known: Option<&Source>,
) -> Fetched {
    fetch_unless_known(ctx, uri, features, Known { source: known, is_trusted: false }).await
}

async fn fetch_unless_known(ctx: &Context, uri: &ObjectUri, features: Features, known: Known<'_>) -> Fetched {
    if !features.reads_object() {
        return match head(ctx, uri).await {
            Ok(facts) => match known.compare(&facts) {
                Some(Found::Same) => Fetched::Same,
                Some(Found::OtherClass) => attributes(ctx, uri, facts, false).await,
                None => with_tags(ctx, uri, facts, None).await,
            },
            Err(ended) => ended,
        };
    }
    // An object that is overwritten between two reads is read again from the
    // start; one that never holds still is left to its next event.
    for _ in 0..4 {
        match read(ctx, uri, features, known).await {
            Some(fetched) => return fetched,
            None => tracing::debug!(%uri, "the object changed while it was read"),
        }
    }
    Fetched::Failed(Error::unavailable(format!("{uri} kept changing while it was read")))
}

/// Reads again what storage says of an object whose content the caller knows:
/// a HEAD, and the tags. An object that has other content now is read whole.
pub(super) async fn read_attributes(
    ctx: &Context,
    uri: &ObjectUri,
    features: Features,
    known: &Source,
) -> Fetched {
    match head(ctx, uri).await {
        Ok(facts) if known.same_version(&facts.source) => attributes(ctx, uri, facts, true).await,
        Ok(_) => fetch(ctx, uri, features, None).await,
        Err(ended) => ended,
    }
}

/// What the caller knows of an object.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    source: Option<&'a Source>,
    /// Whether an object that looks the same is the same.
    is_trusted: bool,
}

/// How an object that the caller knows was found.
enum Found {
    Same,
    OtherClass,
}

impl Known<'_> {
    /// Whether the object is the version that the caller knows.
    fn compare(self, facts: &Facts) -> Option<Found> {
        let known = self.source.filter(|known| self.is_trusted && known.same_version(&facts.source))?;
        Some(if known.has_other_class(&facts.source) { Found::OtherClass } else { Found::Same })
    }
}

/// One attempt; `None` when the object changed between two ranges.
async fn read(ctx: &Context, uri: &ObjectUri, features: Features, known: Known<'_>) -> Option<Fetched> {
    let first = get(ctx, uri, Some(0..HEAD_BYTES), None).await;
    let (output, whole) = match first {
        Ok(output) => (output, false),
        // An empty object has no byte range at all.
        Err(error) if status_of(&error) == Some(416) => match get(ctx, uri, None, None).await {
            Ok(output) => (output, true),
            Err(error) => return Some(refused(ctx, uri, error, known.source).await),
        },
        Err(error) => return Some(refused(ctx, uri, error, known.source).await),
    };
    let size = if whole { output.content_length().unwrap_or(0) } else { total_size(&output) };
    let facts = facts_of_get(&output, size);
    match known.compare(&facts) {
        Some(Found::Same) => return Some(Fetched::Same),
        Some(Found::OtherClass) => return Some(attributes(ctx, uri, facts, false).await),
        None => {}
    }
    let head = match body(output).await {
        Ok(head) => head,
        Err(error) => return Some(Fetched::Failed(error)),
    };
    let name = uri.key.rsplit('/').next().unwrap_or(&uri.key).to_owned();
    let info = ObjectInfo {
        size: u64::try_from(size).unwrap_or(0),
        content_type: facts.content_type.as_deref(),
        name: &name,
    };
    careful::abort_on_purpose(ctx, &uri.key);
    let mut extraction = Extraction::new(info, features, ctx.config.extraction.clone());
    extraction.supply(0, head);
    loop {
        // Parsing blocks the thread it runs on.
        let stepped = tokio::task::spawn_blocking(move || {
            let step = extraction.step();
            (extraction, step)
        })
        .await;
        let (mut extracting, step) = match stepped {
            Ok(stepped) => stepped,
            Err(error) => {
                return Some(Fetched::Refused {
                    facts: Some(Box::new(facts)),
                    why: format!("the extraction failed: {error}"),
                });
            }
        };
        let ranges = match step {
            Step::Done(record) => return Some(with_tags(ctx, uri, facts, Some(record)).await),
            Step::Need(ranges) => ranges,
        };
        for range in ranges {
            match get(ctx, uri, Some(range.clone()), Some(&facts.source.etag)).await {
                Ok(output) => match body(output).await {
                    Ok(bytes) => extracting.supply(range.start, bytes),
                    Err(error) => return Some(Fetched::Failed(error)),
                },
                Err(error) if matches!(status_of(&error), Some(412 | 404 | 416)) => return None,
                Err(error) => return Some(refused(ctx, uri, error, None).await),
            }
        }
        extraction = extracting;
    }
}

/// Ends a reading: with the tags, which take a request of their own where there
/// are any.
async fn with_tags(ctx: &Context, uri: &ObjectUri, mut facts: Facts, record: Option<Box<Record>>) -> Fetched {
    match add_tags(ctx, uri, &mut facts, false).await {
        None => Fetched::Read { facts: Box::new(facts), record },
        Some(ended) => ended,
    }
}

/// The same for an object whose content is known.
async fn attributes(ctx: &Context, uri: &ObjectUri, mut facts: Facts, always: bool) -> Fetched {
    match add_tags(ctx, uri, &mut facts, always).await {
        None => Fetched::Attributes { facts: Box::new(facts) },
        Some(ended) => ended,
    }
}

/// Adds the tags to the facts: where there are any, or `always`, because storage
/// that leaves out their number may have them still. Gives what the reading ends
/// with where it cannot go on.
async fn add_tags(ctx: &Context, uri: &ObjectUri, facts: &mut Facts, always: bool) -> Option<Fetched> {
    if facts.tags == 0 && !always {
        return None;
    }
    match read_tags(ctx, uri).await {
        Tags::Read(tags) => put_tags(&mut facts.fields, tags),
        Tags::Refused => facts.tags_refused = true,
        Tags::Gone => return Some(Fetched::Gone),
        Tags::Failed(error) => return Some(Fetched::Failed(error)),
    }
    None
}

pub(super) async fn get(
    ctx: &Context,
    uri: &ObjectUri,
    range: Option<Range<u64>>,
    if_match: Option<&str>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
    let reply = ctx
        .s3()
        .get_object()
        .bucket(&uri.bucket)
        .key(&uri.key)
        .set_range(range)
        .set_if_match(if_match.map(|etag| format!("\"{etag}\"")))
        .send()
        .await;
    let bytes = reply.as_ref().ok().and_then(GetObjectOutput::content_length).unwrap_or(0);
    ctx.usage.s3_get(u64::try_from(bytes).unwrap_or(0));
    reply
}

pub(super) async fn body(output: GetObjectOutput) -> Result<Vec<u8>, Error> {
    let bytes = output.body.collect().await.map_err(Error::unavailable)?;
    Ok(bytes.to_vec())
}

pub(super) fn status_of<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Sorts an error of a read into gone, refused for good, and worth a retry. An
/// archived object whose content the caller knows is no error: it keeps its record.
async fn refused(
    ctx: &Context,
    uri: &ObjectUri,
    error: SdkError<GetObjectError>,
    known: Option<&Source>,
) -> Fetched {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
    match (code.as_str(), status_of(&error)) {
        ("NoSuchKey", _) => Fetched::Gone,
        ("InvalidObjectState", _) => {
            let facts = match head(ctx, uri).await {
                Ok(facts) if known.is_some_and(|known| known.same_version(&facts.source)) => {
                    return attributes(ctx, uri, facts, false).await;
                }
                Ok(mut facts) => match add_tags(ctx, uri, &mut facts, false).await {
                    None => Some(Box::new(facts)),
                    Some(ended) => return ended,
                },
                Err(ended @ (Fetched::Gone | Fetched::Failed(_))) => return ended,
                Err(_) => None,
            };
            Fetched::Refused {
                facts,
                why: "the object is archived and must be restored before it can be read".into(),
            }
        }
        ("AccessDenied" | "AllAccessDisabled", _) | (_, Some(403)) => {
            Fetched::Refused { facts: None, why: "access to the object is denied".into() }
        }
        // A bucket that is gone (or a disk that is not mounted) says nothing of its objects.
        _ => Fetched::Failed(Error::unavailable(format!("{uri}: {}", DisplayErrorContext(&error)))),
    }
}

/// Reads the facts alone, without the tags; the error is what the reading ends with.
pub(super) async fn head(ctx: &Context, uri: &ObjectUri) -> Result<Facts, Fetched> {
    let reply = ctx.s3().head_object().bucket(&uri.bucket).key(&uri.key).send().await;
    ctx.usage.s3_head();
    let output = match reply {
        Ok(output) => output,
        Err(error) => {
            return Err(match status_of(&error) {
                // HEAD has no body and so no code: a missing bucket looks the same.
                Some(404) => match ctx.s3().head_bucket().bucket(&uri.bucket).send().await {
                    Ok(_) => Fetched::Gone,
                    Err(_) => {
                        Fetched::Failed(Error::unavailable(format!("the bucket of {uri} does not answer")))
                    }
                },
                Some(403) => Fetched::Refused { facts: None, why: "access to the object is denied".into() },
                _ => Fetched::Failed(Error::unavailable(format!("{uri}: {}", DisplayErrorContext(&error)))),
            });
        }
    };
    let mut facts = Facts {
        source: source_of(
            output.e_tag(),
            output.content_length().unwrap_or(0),
            output.last_modified().map_or(0, |time| time.secs()),
            output.version_id(),
            output.storage_class().map(|class| class.as_str()),
        ),
        content_type: output.content_type().map(str::to_owned),
        tags: output.tag_count().unwrap_or(0),
        ..Facts::default()
    };
    facts.fields = header_fields!(&facts, output);
    Ok(facts)
}

fn source_of(
    etag: Option<&str>,
    size: i64,
    modified: i64,
    version: Option<&str>,
    class: Option<&str>,
) -> Source {
    Source {
        // Headers leave out the class that almost all objects have.
        class: Some(class.unwrap_or(STANDARD).to_owned()),
        etag: etag.unwrap_or_default().trim_matches('"').to_owned(),
        size,
        modified,
        version: version.filter(|version| *version != "null").map(str::to_owned),
    }
}

/// What a listing says of an object.
pub(super) fn listed(object: &aws_sdk_s3::types::Object) -> Source {
    Source {
        etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        size: object.size().unwrap_or(0),
        modified: object.last_modified().map_or(0, |time| time.secs()),
        version: None,
        class: object.storage_class().map(|class| class.as_str().to_owned()),
    }
}

/// The size of the whole object, from `Content-Range: bytes 0-65535/123456`.
fn total_size(output: &GetObjectOutput) -> i64 {
    let total =
        output.content_range().and_then(|range| range.rsplit('/').next()).and_then(|n| n.parse().ok());
    total.unwrap_or_else(|| output.content_length().unwrap_or(0))
}

fn facts_of_get(output: &GetObjectOutput, size: i64) -> Facts {
    let mut facts = Facts {
        source: source_of(
            output.e_tag(),
            size,
            output.last_modified().map_or(0, |time| time.secs()),
            output.version_id(),
            output.storage_class().map(|class| class.as_str()),
        ),
        content_type: output.content_type().map(str::to_owned),
        tags: output.tag_count().unwrap_or(0),
        ..Facts::default()
    };
    facts.fields = header_fields!(&facts, output);
    facts
}

/// Collects `File` fields, leaving out what is absent or a default.
struct Fields {
    map: Map<String, Value>,
}

impl Fields {
    fn new(facts: &Facts) -> Self {
        let mut map = Map::new();
        // An ETag of 32 hex digits is the content's MD5, unless KMS encrypts it.
        if facts.source.etag.len() == 32
            && let Ok(md5) = hex::decode(&facts.source.etag)
        {
            map.insert("ContentMd5".into(), Value::from(BASE64.encode(md5)));
        }
        if let Some(version) = &facts.source.version {
            map.insert("OSSVersionId".into(), Value::from(version.as_str()));
        }
        Self { map }
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        const DEFAULTS: [&str; 3] = ["", STANDARD, "aws-chunked"];
        if let Some(value) = value.filter(|value| !DEFAULTS.contains(value)) {
            self.map.insert(name.into(), Value::from(value));
            if name == "ServerSideEncryption" && value.starts_with("aws:kms") {
                self.map.remove("ContentMd5");
            }
        }
    }

    /// User metadata, under the names that IMM gives it.
    fn user_metadata(&mut self, metadata: Option<&std::collections::HashMap<String, String>>) {
        let sorted: BTreeMap<&String, &String> = metadata.into_iter().flatten().collect();
        if sorted.is_empty() {
            return;
        }
        let map = sorted
            .into_iter()
            .map(|(key, value)| (format!("x-oss-meta-{}", key.to_lowercase()), Value::from(value.as_str())))
            .collect();
        self.map.insert("OSSUserMeta".into(), Value::Object(map));
    }
}
