//! What events of object storage come in: SQS messages, SNS notifications,
//! arrays of EventBridge Pipes, any of them in another. Each is opened on its
//! own, so that what cannot be read keeps nothing else from being read.

use serde_json::Value;

use super::notification::{Told, is_detail, of_bridge, of_detail, of_record};

/// How deep envelopes may lie in each other. A notification in a topic in a queue
/// in a pipe has five.
const MAX_DEPTH: u32 = 10;

/// A message: what succeeds or fails as one, because its sender keeps it as one.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The id of an SQS message. Anything else has none: its failure is the
    /// failure of the whole call.
    pub(super) id: Option<String>,
    /// What could be read.
    pub(super) told: Vec<Told>,
    /// What could not be read, and why; the first of several.
    pub(super) malformed: Option<String>,
}

/// Opens an event of any shape. The first message is the one that everything
/// outside of SQS messages belongs to.
pub(super) fn open(event: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = Message::default();
    Opening { messages: Some(&mut messages), into: &mut rest, attempt: 0 }.open(event, "the event", 0);
    messages.insert(0, rest);
    messages
}

/// Where what is found goes.
struct Opening<'a> {
    /// Takes SQS messages; inside of one there are no others.
    messages: Option<&'a mut Vec<Message>>,
    /// Takes everything else.
    into: &'a mut Message,
    /// How often it was tried before.
    attempt: u32,
}

impl Opening<'_> {
    /// Opens one value; `place` says where it lies, for errors.
    fn open(&mut self, value: &Value, place: &str, depth: u32) {
        if depth > MAX_DEPTH {
            return self.refuse(place, "it lies too deep in others");
        }
        let text = |path: &str| value.pointer(path).and_then(Value::as_str);
        if let Some(list) = value.as_array() {
            return self.each(list, place, depth);
        }
        if let Some(records) = value.get("Records") {
            return match records.as_array() {
                Some(list) => self.each(list, &format!("{place}.Records"), depth),
                None => self.refuse(place, "its Records are no list"),
            };
        }
        // Sent once, when a notification is configured.
        if text("/Event") == Some("s3:TestEvent") {
            return;
        }
        if text("/eventSource") == Some("aws:sqs") {
            return self.message(value, place, depth);
        }
        if value.get("Sns").is_some() {
            return match text("/Sns/Message") {
                Some(inner) => self.text(inner, &format!("{place}.Sns.Message"), depth),
                None => self.refuse(place, "its Sns has no Message"),
            };
        }
        if text("/Type") == Some("Notification") {
            return match text("/Message") {
                Some(inner) => self.text(inner, &format!("{place}.Message"), depth),
                None => self.refuse(place, "it has no Message"),
            };
        }
        let told = if value.get("eventName").is_some() || value.get("s3").is_some() {
            of_record(value, self.attempt)
        } else if value.get("detail-type").is_some() && text("/source") == Some("aws.s3") {
            of_bridge(value, self.attempt)
        } else if is_detail(value) {
            of_detail(value, self.attempt)
        } else {
            Err("it is no event of object storage")
        };
        match told {
            Ok(told) => self.into.told.extend(told),
            Err(why) => self.refuse(place, why),
        }
    }

    fn each(&mut self, list: &[Value], place: &str, depth: u32) {
        for (index, value) in list.iter().enumerate() {
            self.open(value, &format!("{place}[{index}]"), depth + 1);
        }
    }

    fn text(&mut self, text: &str, place: &str, depth: u32) {
        match serde_json::from_str(text) {
            Ok(value) => self.open(&value, place, depth + 1),
            Err(_) => self.refuse(place, "it is not JSON"),
        }
    }

    fn message(&mut self, value: &Value, place: &str, depth: u32) {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str);
        let Some(messages) = self.messages.as_deref_mut() else {
            return self.refuse(place, "it is a message in a message");
        };
        let received: u32 =
            text("/attributes/ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1);
        let mut message = Message { id: text("/messageId").map(str::to_owned), ..Message::default() };
        let mut inside = Opening { messages: None, into: &mut message, attempt: received.saturating_sub(1) };
        match text("/body") {
            Some(body) => inside.text(body, "its body", depth),
            None => inside.refuse(place, "it has no body"),
        }
        messages.push(message);
    }

    fn refuse(&mut self, place: &str, why: &str) {
        self.into.malformed.get_or_insert_with(|| format!("{place}: {why}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(key: &str) -> Value {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventTime": "2026-11-21T20:31:33.000Z", "eventName": "ObjectCreated:Put",
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "bucket", "arn": "arn:aws:s3:::bucket"},
                "object": {"key": key, "size": 3, "eTag": "abc", "sequencer": "0055AED6DCD90281E5"}}})
    }

    fn notification(keys: &[&str]) -> Value {
        json!({"Records": keys.iter().map(|key| record(key)).collect::<Vec<_>>()})
    }

    fn message(id: &str, body: &str) -> Value {
        json!({"messageId": id, "receiptHandle": "h", "body": body, "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "3"}})
    }

    fn sqs(body: &Value) -> Value {
        json!({"Records": [message("1", &body.to_string())]})
    }

    fn topic(inner: &Value) -> Value {
        json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:000000000000:t",
            "Subject": "Amazon S3 Notification", "Message": inner.to_string()})
    }

    fn bridge(key: &str) -> Value {
        json!({"version": "0", "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-21T20:31:33Z",
            "detail": {"version": "0", "bucket": {"name": "bucket"}, "reason": "PutObject",
                "object": {"key": key, "size": 1, "etag": "x", "sequencer": "00"}}})
    }

    fn keys(messages: &[Message]) -> Vec<&str> {
        messages.iter().flat_map(|message| &message.told).map(|told| told.hint.uri.key.as_str()).collect()
    }

    #[test]
    fn every_shape_is_opened() {
        let sns = |inner: &Value| {
            json!({"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "arn",
                "Sns": {"Type": "Notification", "MessageId": "m", "Message": inner.to_string()}}]})
        };
        let minio = json!({"EventName": "s3:ObjectCreated:Put", "Key": "bucket/m", "Records": [{
            "eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "", "eventTime": "2026-11-21T20:31:33.123Z",
            "eventName": "s3:ObjectCreated:Put", "userIdentity": {"principalId": "minio"},
            "requestParameters": {"principalId": "minio", "region": "", "sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-id-2": "x", "x-amz-request-id": "y", "x-minio-deployment-id": "z"},
            "s3": {"s3SchemaVersion": "1.0", "configurationId": "Config",
                "bucket": {"name": "bucket", "ownerIdentity": {"principalId": "minio"}, "arn": "arn:aws:s3:::bucket"},
                "object": {"key": "m", "size": 5, "eTag": "e", "contentType": "text/plain",
                    "userMetadata": {"content-type": "text/plain"}, "sequencer": "17D8D5F9B9D8C0F0"}},
            "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO"}}]});
        let ceph = json!({"Records": [{
            "eventVersion": "2.2", "eventSource": "ceph:s3", "awsRegion": "zonegroup1", "eventTime": "2026-11-21T20:31:33.123Z",
            "eventName": "ObjectLifecycle:Expiration:Current", "userIdentity": {"principalId": "tester"},
            "requestParameters": {"sourceIPAddress": ""},
            "responseElements": {"x-amz-request-id": "a", "x-amz-id-2": "b"},
            "s3": {"s3SchemaVersion": "1.0", "configurationId": "notif1",
                "bucket": {"name": "bucket", "ownerIdentity": {"principalId": "tester"}, "arn": "arn:aws:s3:zg::bucket", "id": "i"},
                "object": {"key": "c d", "size": 1024, "etag": "37b51d194a7513e45b56f6524f2d51f2", "versionId": "",
                    "sequencer": "F7E6D75DC742D108", "metadata": [], "tags": []}},
            "eventId": "1575221657.102001.80dcbb3ae3b3", "opaqueData": "me@example.com"}]});
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"});
        let raw = notification(&["a", "b"]);
        let table: Vec<(&str, Value, Vec<&str>)> = vec![
            ("S3", raw.clone(), vec!["a", "b"]),
            ("S3 in SQS", sqs(&raw), vec!["a", "b"]),
            ("S3 in SNS", sns(&raw), vec!["a", "b"]),
            ("S3 in SNS in SQS", sqs(&topic(&raw)), vec!["a", "b"]),
            ("EventBridge", bridge("a+b c"), vec!["a+b c"]),
            ("EventBridge in SQS", sqs(&bridge("e")), vec!["e"]),
            ("EventBridge in SNS in SQS", sqs(&topic(&bridge("e"))), vec!["e"]),
            ("a bare detail", bridge("e")["detail"].clone(), vec!["e"]),
            ("a bare detail in SQS", sqs(&bridge("e")["detail"]), vec!["e"]),
            (
                "Pipes: messages",
                json!([message("1", &raw.to_string()), message("2", &bridge("e").to_string())]),
                vec!["a", "b", "e"],
            ),
            ("Pipes: events", json!([bridge("e"), raw, bridge("f")["detail"]]), vec!["e", "a", "b", "f"]),
            ("a list in SQS", sqs(&json!([bridge("e"), bridge("f")])), vec!["e", "f"]),
            ("MinIO", minio.clone(), vec!["m"]),
            ("MinIO in SQS", sqs(&minio), vec!["m"]),
            ("Ceph", ceph.clone(), vec!["c d"]),
            ("Ceph in SNS", sns(&ceph), vec!["c d"]),
            ("a test", test.clone(), vec![]),
            ("a test in SNS in SQS", sqs(&topic(&test)), vec![]),
            ("no records", json!({"Records": []}), vec![]),
        ];
        for (name, event, want) in table {
            let messages = open(&event);
            assert_eq!(keys(&messages), want, "{name}");
            assert!(messages.iter().all(|message| message.malformed.is_none()), "{name}: {messages:?}");
        }
    }

    #[test]
    fn messages_fail_one_by_one_and_know_how_often_they_came() {
        let broken = |body: &str| message("broken", body);
        let mut partly = notification(&["a", "b"]);
        partly["Records"][0]["s3"]["object"] = json!({});
        let event = json!({"Records": [
            message("good", &notification(&["k"]).to_string()),
            message("partly", &partly.to_string()),
            broken("Hello from SQS!"), broken("null"), broken("{}"), broken("[1]"), broken("\"text\""),
            broken(r#"{"Type":"Notification","Message":"no JSON"}"#),
            broken(&sqs(&notification(&["nested"])).to_string()),
            {"messageId": "broken", "eventSource": "aws:sqs"},
        ]});
        let messages = open(&event);
        assert_eq!(keys(&messages), ["k", "b"], "what is good beside something bad is kept");
        assert!(messages[0].malformed.is_none() && messages[0].id.is_none());
        for message in &messages[1..] {
            assert_eq!(message.malformed.is_none(), message.id.as_deref() == Some("good"), "{message:?}");
        }
        let partly = messages.iter().find(|message| message.id.as_deref() == Some("partly")).unwrap();
        assert_eq!(partly.malformed.as_deref(), Some("its body.Records[0]: its object has no key"));
        assert_eq!(partly.told[0].hint.attempt, 2);
    }

    #[test]
    fn a_bad_record_of_a_direct_event_is_named() {
        let mut event = notification(&["a", "b", "%FF", "d"]);
        event["Records"][1] = json!({"hello": 1});
        let messages = open(&event);
        assert_eq!(keys(&messages), ["a", "d"]);
        let why = messages[0].malformed.as_deref();
        assert_eq!(why, Some("the event.Records[1]: it is no event of object storage"));
        let table = [
            json!({"hello": 1}),
            json!({"Records": 1}),
            json!(null),
            json!({"Sns": {}}),
            json!([[[[[[[[[[[[[]]]]]]]]]]]]]),
        ];
        for event in table {
            assert!(open(&event)[0].malformed.is_some(), "{event}");
        }
    }
}
