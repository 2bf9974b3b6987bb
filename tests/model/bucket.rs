//! Object storage of the model: buckets in memory that answer the requests which
//! the S3 client sends, strongly consistent as S3 is, and that know which events
//! they would have sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

/// What S3 encodes in the keys of its replies.
const KEY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'%').add(b'+').add(b'&').add(b'<').add(b'>').add(b'"').add(b'/');

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    pub(crate) modified: i64,
    pub(crate) tags: BTreeMap<String, String>,
    /// The storage class; empty: `STANDARD`.
    pub(crate) class: String,
}

impl Object {
    pub(crate) fn etag(&self) -> String {
        hex::encode(Md5::digest(&self.body))
    }
}

/// One bucket: the versions of each key, the last of them the present one;
/// `None` is a delete marker.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) versioned: bool,
    keys: BTreeMap<String, Vec<Option<Object>>>,
    events: u64,
    notification: Option<Vec<u8>>,
    /// Asked for: GETs and HEADs of objects.
    pub(crate) reads: u64,
    /// Keys that storage has trouble with.
    pub(crate) broken: BTreeSet<String>,
    /// Archived keys that were restored.
    restored: BTreeSet<String>,
    /// Listings are empty, as after an error.
    pub(crate) blind: bool,
    /// The key of an object that whichever code reads it dies of.
    pub(crate) fatal: Option<String>,
}

/// An event that the bucket sends.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) seq: String,
    pub(crate) record: Value,
}

impl Bucket {
    /// What is there, by key.
    pub(crate) fn present(&self) -> BTreeMap<&str, &Object> {
        self.keys
            .iter()
            .filter_map(|(key, versions)| Some((key.as_str(), versions.last()?.as_ref()?)))
            .collect()
    }

    /// Whether an object must be restored before it can be read.
    pub(crate) fn is_archived(&self, key: &str) -> bool {
        self.get(key).is_some_and(|object| object.class == "GLACIER") && !self.restored.contains(key)
    }

    fn get(&self, key: &str) -> Option<&Object> {
        self.keys.get(key)?.last()?.as_ref()
    }

    pub(crate) fn put(&mut self, bucket: &str, key: &str, body: Vec<u8>, now: i64) -> Sent {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if !self.versioned {
            versions.clear();
        }
        let object = Object { body, modified: now, tags: BTreeMap::new(), class: String::new() };
        let (size, etag) = (object.body.len(), object.etag());
        versions.push(Some(object));
        self.event(bucket, key, "ObjectCreated:Put", json!({"size": size, "eTag": etag}))
    }

    /// Deletes: a marker on top of the versions, where they are kept.
    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Sent {
        if self.versioned {
            self.keys.entry(key.to_owned()).or_default().push(None);
            return self.event(bucket, key, "ObjectRemoved:DeleteMarkerCreated", json!({}));
        }
        self.keys.remove(key);
        self.event(bucket, key, "ObjectRemoved:Delete", json!({}))
    }

    /// Deletes the present version, object or marker: the one under it is back.
    pub(crate) fn delete_version(&mut self, bucket: &str, key: &str) -> Option<Sent> {
        let versions = self.keys.get_mut(key)?;
        versions.pop()?;
        if versions.is_empty() {
            self.keys.remove(key);
        }
        Some(self.event(bucket, key, "ObjectRemoved:Delete", json!({"versionId": "v"})))
    }

    /// Sets the tags of an object; none where there is no object.
    pub(crate) fn tag(&mut self, bucket: &str, key: &str, tags: BTreeMap<String, String>) -> Option<Sent> {
        let object = self.keys.get_mut(key)?.last_mut()?.as_mut()?;
        let name = if tags.is_empty() { "ObjectTagging:Delete" } else { "ObjectTagging:Put" };
        object.tags = tags;
        let etag = object.etag();
        Some(self.event(bucket, key, name, json!({"eTag": etag})))
    }

    /// Moves an object to another storage class, as a lifecycle rule does.
    pub(crate) fn transition(&mut self, bucket: &str, key: &str, class: &str) -> Option<Sent> {
        let object = self.keys.get_mut(key)?.last_mut()?.as_mut()?;
        class.clone_into(&mut object.class);
        Some(self.event(bucket, key, "LifecycleTransition", json!({})))
    }

    /// Makes an archived object readable.
    pub(crate) fn restore(&mut self, bucket: &str, key: &str) -> Sent {
        self.restored.insert(key.to_owned());
        self.event(bucket, key, "ObjectRestore:Completed", json!({}))
    }

    fn event(&mut self, bucket: &str, key: &str, name: &str, mut object: Value) -> Sent {
        self.events += 1;
        // Sequencers have no fixed length; they compare padded with zeros.
        let full = format!("0055AED6DC{:06X}", self.events * 16);
        let seq = full.trim_end_matches('0').to_owned();
        object["key"] = Value::from(utf8_percent_encode(key, KEY).to_string());
        object["sequencer"] = Value::from(seq.as_str());
        let record = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
            "eventTime": "2026-01-01T00:00:00.000Z", "s3": {"bucket": {"name": bucket}, "object": object}}]});
        Sent { key: key.to_owned(), seq, record }
    }

    fn list(&self, bucket: &str, query: &BTreeMap<String, String>) -> HttpResponse {
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after, delimiter) = (text("prefix"), text("start-after"), text("delimiter"));
        let limit: usize = text("max-keys").parse().unwrap_or(1000);
        let mut body = format!("<ListBucketResult><Name>{bucket}</Name><EncodingType>url</EncodingType>");
        let (mut count, mut truncated, mut group) = (0, false, String::new());
        for (key, object) in self.present() {
            if self.blind || !key.starts_with(prefix) || key <= after {
                continue;
            }
            let directory = match delimiter {
                "" => None,
                _ => key[prefix.len()..]
                    .split_once(delimiter)
                    .map(|(name, _)| format!("{prefix}{name}{delimiter}")),
            };
            if directory.as_ref().is_some_and(|directory| *directory == group) {
                continue;
            }
            if count == limit {
                truncated = true;
                break;
            }
            count += 1;
            match directory {
                Some(directory) => {
                    let name = utf8_percent_encode(&directory, KEY);
                    write!(body, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>").unwrap();
                    group = directory;
                }
                None => write!(
                    body,
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>{}</StorageClass></Contents>",
                    utf8_percent_encode(key, KEY),
                    rfc3339(object.modified),
                    object.etag(),
                    object.body.len(),
                    if object.class.is_empty() { "STANDARD" } else { &object.class }
                )
                .unwrap(),
            }
        }
        write!(body, "<KeyCount>{count}</KeyCount><IsTruncated>{truncated}</IsTruncated></ListBucketResult>")
            .unwrap();
        xml(200, body)
    }

    fn object(&mut self, key: &str, query: &BTreeMap<String, String>, request: &HttpRequest) -> HttpResponse {
        self.reads += 1;
        if self.broken.contains(key) {
            return error(500, "InternalError");
        }
        let Some(object) = self.get(key) else { return error(404, "NoSuchKey") };
        if query.contains_key("tagging") {
            let mut body = String::from("<Tagging><TagSet>");
            for (key, value) in &object.tags {
                write!(body, "<Tag><Key>{key}</Key><Value>{value}</Value></Tag>").unwrap();
            }
            return xml(200, body + "</TagSet></Tagging>");
        }
        if self.is_archived(key) && request.method() == "GET" {
            return error(403, "InvalidObjectState");
        }
        let etag = format!("\"{}\"", object.etag());
        if request.headers().get("if-match").is_some_and(|wanted| wanted != etag) {
            return error(412, "PreconditionFailed");
        }
        let size = object.body.len();
        let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
        if request.method() == "GET" {
            let range = request.headers().get("range").and_then(|range| {
                let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
                Some((start.parse::<usize>().ok()?, end.parse::<usize>().unwrap_or(usize::MAX)))
            });
            if let Some((start, end)) = range {
                if start >= size {
                    return error(416, "InvalidRange");
                }
                let end = end.min(size - 1);
                let part = object.body[start..=end].to_vec();
                response = HttpResponse::new(206.try_into().unwrap(), SdkBody::from(part));
                response.headers_mut().insert("content-range", format!("bytes {start}-{end}/{size}"));
                response.headers_mut().insert("content-length", (end + 1 - start).to_string());
            } else {
                response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(object.body.clone()));
            }
        }
        let headers = response.headers_mut();
        if headers.get("content-length").is_none() {
            headers.insert("content-length", size.to_string());
        }
        headers.insert("etag", etag);
        if !object.tags.is_empty() {
            headers.insert("x-amz-tagging-count", object.tags.len().to_string());
        }
        if !object.class.is_empty() {
            headers.insert("x-amz-storage-class", object.class.clone());
        }
        headers.insert("content-type", "text/plain");
        headers.insert("last-modified", rfc2822(object.modified));
        response
    }
}

/// All buckets of a run.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

impl Storage {
    /// Whether the request is for an object that kills.
    pub(crate) fn is_fatal(&self, request: &HttpRequest) -> bool {
        self.buckets.values().any(|bucket| {
            bucket.fatal.as_ref().is_some_and(|key| request.uri().contains(&format!("/{key}?")))
        })
    }

    pub(crate) fn answer(&mut self, request: &HttpRequest) -> HttpResponse {
        let uri: http::Uri = request.uri().parse().unwrap();
        let (bucket, key) = match uri.path().trim_start_matches('/').split_once('/') {
            Some((bucket, key)) => {
                (bucket.to_owned(), percent_decode_str(key).decode_utf8_lossy().into_owned())
            }
            None => (uri.path().trim_matches('/').to_owned(), String::new()),
        };
        let query: BTreeMap<String, String> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
            .map(|(name, value)| {
                (name.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned())
            })
            .collect();
        let Some(found) = self.buckets.get_mut(&bucket) else { return error(404, "NoSuchBucket") };
        match (request.method(), key.as_str()) {
            ("HEAD", "") => xml(200, String::new()),
            ("GET", "") if query.contains_key("notification") => match &found.notification {
                Some(body) => xml(200, String::from_utf8(body.clone()).unwrap()),
                None => xml(200, "<NotificationConfiguration/>".into()),
            },
            ("PUT", "") if query.contains_key("notification") => {
                found.notification = request.body().bytes().map(<[u8]>::to_vec);
                xml(200, String::new())
            }
            ("GET", "") => found.list(&bucket, &query),
            ("GET" | "HEAD", _) => found.object(&key, &query, request),
            (method, _) => panic!("the model's storage has no {method} {}", request.uri()),
        }
    }
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn rfc2822(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn xml(status: u16, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/xml");
    response
}

pub(crate) fn error(status: u16, code: &str) -> HttpResponse {
    xml(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}
