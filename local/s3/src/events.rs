//! Event notifications: the record as S3 writes it, who wants it, and the
//! sequencers that order the records of a key.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter, TimestampFormat};
use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::fsys;
use crate::sidecar::Sidecar;

/// What a store tells its owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// An object was written or removed, or its tags changed, and a notification
    /// configuration of its bucket asks for it. One notice for each matching configuration.
    Object {
        /// The bucket.
        bucket: String,
        /// Where the configuration sends it.
        destination: Destination,
        /// The record, to be sent as `{"Records":[record]}`.
        record: Box<EventRecord>,
    },
    /// Something under a prefix changed in a way that cannot be told key by
    /// key (a folder was moved away): compare this prefix with the listing.
    PrefixChanged {
        /// The bucket.
        bucket: String,
        /// The prefix, ending in a slash.
        prefix: String,
    },
    /// Changes of a bucket may have gone unseen (queue overflow, a disk that
    /// was away): compare the whole bucket with the listing.
    BucketChanged {
        /// The bucket.
        bucket: String,
    },
}

/// Where a notification configuration sends its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A queue, topic or function, by its ARN.
    Arn(String),
    /// EventBridge.
    EventBridge,
}

/// Takes notices. Called from many threads, in order for each key, while the
/// key is locked: it must return at once and not call back into the store.
#[derive(Clone)]
pub struct Sink(Arc<dyn Fn(Notice) + Send + Sync>);

impl Sink {
    /// A sink that calls a function.
    pub fn new(take: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// A sink that drops everything.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// A sink that feeds a channel; notices to a closed channel are dropped.
    #[must_use]
    pub fn channel() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Notice>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let sink = Self::new(move |notice| {
            let _closed = sender.send(notice).is_err();
        });
        (sink, receiver)
    }

    pub(crate) fn send(&self, notice: Notice) {
        (self.0)(notice);
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// One entry of `Records` in an S3 event message, version 2.1.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct EventRecord {
    pub event_version: String,
    pub event_source: String,
    pub aws_region: String,
    /// ISO 8601 with milliseconds, UTC.
    pub event_time: String,
    /// Without the `s3:` of the configuration: `ObjectCreated:Put`.
    pub event_name: String,
    pub user_identity: Principal,
    pub request_parameters: RequestParameters,
    pub response_elements: ResponseElements,
    pub s3: S3Entity,
}

/// Who did it, or whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct Principal {
    pub principal_id: String,
}

/// Where the request came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct RequestParameters {
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
}

/// The ids of the response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct ResponseElements {
    #[serde(rename = "x-amz-request-id")]
    pub request_id: String,
    #[serde(rename = "x-amz-id-2")]
    pub id_2: String,
}

/// The bucket and object of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct S3Entity {
    #[serde(rename = "s3SchemaVersion")]
    pub schema_version: String,
    pub configuration_id: String,
    pub bucket: EventBucket,
    pub object: EventObject,
}

/// The bucket of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the S3 message")]
pub struct EventBucket {
    pub name: String,
    pub owner_identity: Principal,
    pub arn: String,
}

/// The object of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventObject {
    /// The key as S3 encodes it: a blank is `+`, UTF-8 is percent-encoded, slashes are kept.
    pub key: String,
    /// Bytes; not there for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Without quotes; not there for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// Hexadecimal; orders the events of one key.
    pub sequencer: String,
}

/// The events that a store produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventName {
    Put,
    Copy,
    CompleteMultipartUpload,
    Delete,
    TaggingPut,
    TaggingDelete,
}

impl EventName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
            Self::TaggingPut => "ObjectTagging:Put",
            Self::TaggingDelete => "ObjectTagging:Delete",
        }
    }
}

/// One configuration that wants events.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    id: String,
    destination: Destination,
    /// As configured, without `s3:`; nothing means all.
    events: Option<Vec<String>>,
    prefix: String,
    suffix: String,
}

impl Rule {
    fn wants(&self, event: EventName, key: &str) -> bool {
        let name = event.as_str();
        let named = self.events.as_ref().is_none_or(|events| {
            events.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => pattern == name,
            })
        });
        named && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }
}

/// Reads the rules out of a bucket's notification configuration.
pub(crate) fn rules(configuration: &NotificationConfiguration) -> Result<Vec<Rule>, Fault> {
    let mut rules = Vec::new();
    let mut add = |id: &Option<String>,
                   arn: &str,
                   events: &[s3s::dto::Event],
                   filter: Option<&NotificationConfigurationFilter>| {
        let events = events
            .iter()
            .map(|event| {
                let name = event.as_ref();
                name.strip_prefix("s3:").map(str::to_owned).ok_or_else(|| {
                    Fault::invalid(format!("the event {name:?} is not supported for notifications"))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut rule = Rule {
            id: id.clone().unwrap_or_default(),
            destination: Destination::Arn(arn.to_owned()),
            events: Some(events),
            prefix: String::new(),
            suffix: String::new(),
        };
        let filters = filter.and_then(|f| f.key.as_ref()).and_then(|k| k.filter_rules.as_ref());
        for filter in filters.into_iter().flatten() {
            let name = filter.name.as_ref().map(FilterRuleName::as_str).unwrap_or_default();
            let value = filter.value.clone().unwrap_or_default();
            // Consoles and older tools write the names with a capital.
            match name.to_ascii_lowercase().as_str() {
                FilterRuleName::PREFIX => rule.prefix = value,
                FilterRuleName::SUFFIX => rule.suffix = value,
                _ => return Err(Fault::invalid("filter rule name must be either prefix or suffix")),
            }
        }
        rules.push(rule);
        Ok(())
    };
    for queue in configuration.queue_configurations.iter().flatten() {
        add(&queue.id, &queue.queue_arn, &queue.events, queue.filter.as_ref())?;
    }
    for topic in configuration.topic_configurations.iter().flatten() {
        add(&topic.id, &topic.topic_arn, &topic.events, topic.filter.as_ref())?;
    }
    for function in configuration.lambda_function_configurations.iter().flatten() {
        add(&function.id, &function.lambda_function_arn, &function.events, function.filter.as_ref())?;
    }
    if configuration.event_bridge_configuration.is_some() {
        rules.push(Rule {
            id: "EventBridge".to_owned(),
            destination: Destination::EventBridge,
            events: None,
            prefix: String::new(),
            suffix: String::new(),
        });
    }
    Ok(rules)
}

/// What a record needs besides the rule.
pub(crate) struct Happening<'a> {
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) event: EventName,
    /// Size and ETag, for everything but a removal.
    pub(crate) object: Option<(u64, String)>,
    pub(crate) sequencer: String,
}

/// The notices for all rules that want what happened.
pub(crate) fn notices(rules: &[Rule], happening: &Happening<'_>) -> Vec<Notice> {
    rules
        .iter()
        .filter(|rule| rule.wants(happening.event, happening.key))
        .map(|rule| Notice::Object {
            bucket: happening.bucket.to_owned(),
            destination: rule.destination.clone(),
            record: Box::new(record(rule, happening)),
        })
        .collect()
}

fn record(rule: &Rule, happening: &Happening<'_>) -> EventRecord {
    let mut time = Vec::new();
    let now: s3s::dto::Timestamp = std::time::SystemTime::now().into();
    // Formatting into memory cannot fail; if it did, the time would be empty.
    let _unlikely = now.format(TimestampFormat::DateTime, &mut time).is_err();
    let owner = || Principal { principal_id: "mediadex".to_owned() };
    let (size, e_tag) = happening.object.clone().unzip();
    EventRecord {
        event_version: "2.1".to_owned(),
        event_source: "aws:s3".to_owned(),
        aws_region: happening.region.to_owned(),
        event_time: String::from_utf8(time).unwrap_or_default(),
        event_name: happening.event.as_str().to_owned(),
        user_identity: owner(),
        request_parameters: RequestParameters { source_ip_address: "127.0.0.1".to_owned() },
        response_elements: ResponseElements {
            request_id: happening.sequencer.clone(),
            id_2: happening.sequencer.clone(),
        },
        s3: S3Entity {
            schema_version: "1.0".to_owned(),
            configuration_id: rule.id.clone(),
            bucket: EventBucket {
                name: happening.bucket.to_owned(),
                owner_identity: owner(),
                arn: format!("arn:aws:s3:::{}", happening.bucket),
            },
            object: EventObject {
                key: encode_key(happening.key),
                size,
                e_tag,
                sequencer: happening.sequencer.clone(),
            },
        },
    }
}

/// Encodes a key as S3 does in events.
fn encode_key(key: &str) -> String {
    const KEPT: AsciiSet =
        NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');
    utf8_percent_encode(key, &KEPT).to_string().replace(' ', "+")
}

/// Gives out sequencers: nanoseconds since 1970, never twice and never back,
/// not even when the clock is set back between two runs.
#[derive(Debug)]
pub(crate) struct Sequencers {
    state: Mutex<SequencerState>,
}

#[derive(Debug)]
struct SequencerState {
    last: u64,
    /// Up to here the database knows that values may have been used.
    reserved: u64,
}

/// How much is reserved at once: the database is written at most about once a second.
const RESERVE_NS: u64 = 1_000_000_000;

impl Sequencers {
    pub(crate) fn new(high_water: u64) -> Self {
        Self { state: Mutex::new(SequencerState { last: high_water, reserved: high_water }) }
    }

    pub(crate) fn next(&self, sidecar: &Sidecar) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = fsys::now_ns().cast_unsigned();
        state.last = now.max(state.last.saturating_add(1));
        if state.last > state.reserved {
            let reserved = state.last.saturating_add(RESERVE_NS);
            match sidecar.set_high_water(reserved) {
                Ok(()) => state.reserved = reserved,
                // The clock almost always goes forward; an event is worth more than this insurance.
                Err(error) => tracing::warn!(%error, "sequencer could not be reserved"),
            }
        }
        format!("{:018X}", state.last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does() {
        for (key, want) in [
            ("a/b c.jpg", "a/b+c.jpg"),
            ("a+b", "a%2Bb"),
            ("50%#", "50%25%23"),
            ("图片/é", "%E5%9B%BE%E7%89%87/%C3%A9"),
            ("x(1)=~", "x%281%29%3D%7E"),
        ] {
            assert_eq!(encode_key(key), want);
        }
    }

    #[test]
    fn rules_match_by_event_and_filter() {
        let rule = |events: &[&str], prefix: &str, suffix: &str| Rule {
            id: String::new(),
            destination: Destination::EventBridge,
            events: Some(events.iter().map(|e| (*e).to_owned()).collect()),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        };
        let all = rule(&["ObjectCreated:*", "ObjectRemoved:*"], "", "");
        let tags = rule(&["ObjectTagging:*"], "", "");
        let jpegs = rule(&["ObjectCreated:Put"], "in/", ".jpg");
        for (rule, event, key, want) in [
            (&all, EventName::Copy, "x", true),
            (&all, EventName::Delete, "x", true),
            (&all, EventName::TaggingPut, "x", false),
            (&tags, EventName::TaggingPut, "x", true),
            (&tags, EventName::TaggingDelete, "x", true),
            (&tags, EventName::Put, "x", false),
            (&jpegs, EventName::Put, "in/a.jpg", true),
            (&jpegs, EventName::Copy, "in/a.jpg", false),
            (&jpegs, EventName::Put, "out/a.jpg", false),
            (&jpegs, EventName::Put, "in/a.png", false),
        ] {
            assert_eq!(rule.wants(event, key), want, "{rule:?} {event:?} {key}");
        }
    }

    #[test]
    fn sequencers_never_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::open(&dir.path().join("db")).unwrap();
        let mut last = String::new();
        let first_run = Sequencers::new(sidecar.high_water().unwrap());
        for _ in 0..1000 {
            let next = first_run.next(&sidecar);
            assert!(next > last && next.len() == 18);
            last = next;
        }
        // As if the clock had been set back by a century.
        sidecar.set_high_water(sidecar.high_water().unwrap() + 3_000_000_000_000_000_000).unwrap();
        let high = format!("{:018X}", sidecar.high_water().unwrap());
        assert!(Sequencers::new(sidecar.high_water().unwrap()).next(&sidecar) > high);
    }

    #[test]
    fn a_record_has_the_shape_of_aws() {
        let rule = Rule {
            id: "cfg".into(),
            destination: Destination::Arn("arn:aws:sqs:us-east-1:000000000000:q".into()),
            events: None,
            prefix: String::new(),
            suffix: String::new(),
        };
        let mut happening = Happening {
            region: "us-east-1",
            bucket: "b",
            key: "a b",
            event: EventName::Put,
            object: Some((3, "e".into())),
            sequencer: "0017".into(),
        };
        let mut value = serde_json::to_value(record(&rule, &happening)).unwrap();
        let time = value["eventTime"].take();
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.', "{time}");
        assert_eq!(
            value,
            serde_json::json!({
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": null,
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "mediadex"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "0017", "x-amz-id-2": "0017"},
                "s3": {
                    "s3SchemaVersion": "1.0", "configurationId": "cfg",
                    "bucket": {"name": "b", "ownerIdentity": {"principalId": "mediadex"}, "arn": "arn:aws:s3:::b"},
                    "object": {"key": "a+b", "size": 3, "eTag": "e", "sequencer": "0017"}
                }
            })
        );
        happening.event = EventName::Delete;
        happening.object = None;
        let value = serde_json::to_value(record(&rule, &happening)).unwrap();
        assert_eq!(value["s3"]["object"], serde_json::json!({"key": "a+b", "sequencer": "0017"}));
    }
}
