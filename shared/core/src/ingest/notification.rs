//! One event of object storage, read into hints: a record of a notification in
//! the format of S3 (which MinIO and Ceph send as well, each in its own way), or
//! what EventBridge makes of it.

use serde_json::Value;

use super::hint::Hint;
use crate::ledger::Source;
use crate::model::{ObjectUri, Timestamp};

/// What an event asks to be looked at.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The object.
    pub(super) hint: Hint,
    /// The object that is looked at where that one is not there: an event's key
    /// may have come without the encoding that S3 gives it.
    pub(super) otherwise: Option<Hint>,
}

/// What kinds of events tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An object came, was overwritten or went.
    Content,
    /// Tags, access or storage class of an object may have changed, or whether it
    /// can be read.
    Attributes,
    /// Nothing that an index has.
    Nothing,
}

/// Events of notifications by how their names begin, without `s3:`; the first
/// that fits decides. Others tell nothing: tests, replication, access.
const NAMES: &[(&str, Kind)] = &[
    // MinIO's names for changes of tags and of what only object locks know.
    ("ObjectCreated:PutTagging", Kind::Attributes),
    ("ObjectCreated:DeleteTagging", Kind::Attributes),
    ("ObjectCreated:PutRetention", Kind::Nothing),
    ("ObjectCreated:PutLegalHold", Kind::Nothing),
    ("ObjectCreated:", Kind::Content),
    ("ObjectRemoved:", Kind::Content),
    ("LifecycleExpiration:", Kind::Content),
    ("LifecycleDelMarkerExpiration:", Kind::Content),
    ("LifecycleTransition", Kind::Attributes),
    ("ObjectTagging:", Kind::Attributes),
    ("ObjectAcl:", Kind::Attributes),
    ("ObjectRestore:", Kind::Attributes),
    // MinIO's.
    ("ObjectTransition:", Kind::Attributes),
    // Ceph's.
    ("ObjectLifecycle:Expiration:", Kind::Content),
    ("ObjectLifecycle:Transition:", Kind::Attributes),
    ("ObjectSynced:", Kind::Content),
];

/// Events of EventBridge by their `detail-type`. Others tell nothing, such as
/// "Object Access Tier Changed": the storage class stays the same.
const DETAIL_TYPES: &[(&str, Kind)] = &[
    ("Object Created", Kind::Content),
    ("Object Deleted", Kind::Content),
    ("Object Tags Added", Kind::Attributes),
    ("Object Tags Deleted", Kind::Attributes),
    ("Object ACL Updated", Kind::Attributes),
    ("Object Storage Class Changed", Kind::Attributes),
    ("Object Restore Initiated", Kind::Attributes),
    ("Object Restore Completed", Kind::Attributes),
    ("Object Restore Expired", Kind::Attributes),
];

/// Reads one record of a notification.
///
/// # Errors
/// What is wrong with it.
pub(super) fn of_record(record: &Value, attempt: u32) -> Result<Vec<Told>, &'static str> {
    let name = record.get("eventName").and_then(Value::as_str).ok_or("it has no eventName")?;
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let kind = NAMES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, kind)| *kind);
    let kind = kind.unwrap_or(Kind::Nothing);
    if kind == Kind::Nothing {
        return Ok(Vec::new());
    }
    let part = record.get("s3").ok_or("it has no s3")?;
    let (bucket, object, raw) = named(part)?;
    let at = record.get("eventTime").and_then(Value::as_str).and_then(Timestamp::parse);
    let make = |key: String| hint(kind, ObjectUri::new(bucket, key), object, at, attempt);
    if is_surely_plain(raw) {
        return Ok(vec![Told { hint: make(raw.to_owned()), otherwise: None }]);
    }
    let decoded = decode_key(raw)?;
    if decoded == raw {
        return Ok(vec![Told { hint: make(decoded), otherwise: None }]);
    }
    // A sequencer orders the events of one key. The second reading may be
    // another object, whose row must not get it.
    let guess = Hint { is_guess: true, seq: None, ..make(raw.to_owned()) };
    // S3 itself always encodes, so where the first reading finds its object,
    // that is the one. From others both readings are likely.
    let is_from_s3 = record.get("eventSource").and_then(Value::as_str).is_none_or(|from| from == "aws:s3");
    let first = make(decoded);
    Ok(if is_from_s3 {
        vec![Told { hint: first, otherwise: Some(guess) }]
    } else {
        let first = Hint { seq: None, ..first };
        vec![Told { hint: first, otherwise: None }, Told { hint: guess, otherwise: None }]
    })
}

/// Reads an event of EventBridge, whose keys are not encoded.
///
/// # Errors
/// What is wrong with it.
pub(super) fn of_bridge(event: &Value, attempt: u32) -> Result<Vec<Told>, &'static str> {
    let name = event.get("detail-type").and_then(Value::as_str).ok_or("its detail-type is no text")?;
    let kind = DETAIL_TYPES.iter().find(|(wanted, _)| *wanted == name).map(|(_, kind)| *kind);
    let at = event.get("time").and_then(Value::as_str).and_then(Timestamp::parse);
    match kind.unwrap_or(Kind::Nothing) {
        Kind::Nothing => Ok(Vec::new()),
        kind => of_details(event.get("detail").ok_or("it has no detail")?, kind, at, attempt),
    }
}

/// Reads the `detail` of an event of EventBridge on its own. Only those of
/// content give a `reason`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn of_detail(detail: &Value, attempt: u32) -> Result<Vec<Told>, &'static str> {
    let kind = if detail.get("reason").is_some() { Kind::Content } else { Kind::Attributes };
    of_details(detail, kind, None, attempt)
}

/// Whether this looks like such a `detail`.
pub(super) fn is_detail(value: &Value) -> bool {
    value.pointer("/bucket/name").is_some() && value.pointer("/object/key").is_some()
}

fn of_details(
    detail: &Value,
    kind: Kind,
    at: Option<Timestamp>,
    attempt: u32,
) -> Result<Vec<Told>, &'static str> {
    let (bucket, object, key) = named(detail)?;
    let hint = hint(kind, ObjectUri::new(bucket, key), object, at, attempt);
    Ok(vec![Told { hint, otherwise: None }])
}

/// The bucket's name, the object and its key.
fn named(part: &Value) -> Result<(&str, &Value, &str), &'static str> {
    let text = |path: &str| part.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let bucket = text("/bucket/name").ok_or("it names no bucket")?;
    let object = part.get("object").ok_or("it has no object")?;
    let key = text("/object/key").ok_or("its object has no key")?;
    Ok((bucket, object, key))
}

fn hint(kind: Kind, uri: ObjectUri, object: &Value, at: Option<Timestamp>, attempt: u32) -> Hint {
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let attributes = kind == Kind::Attributes;
    let mut hint = Hint { at, attempt, careful: attempt > 0, attributes, ..Hint::new(uri) };
    if kind != Kind::Content {
        return hint;
    }
    hint.seq = text("sequencer").map(str::to_owned);
    // EventBridge and Ceph write the name without a capital.
    let etag = text("eTag").or_else(|| text("etag"));
    hint.listed = etag.zip(object.get("size").and_then(Value::as_i64)).map(|(etag, size)| Source {
        etag: etag.trim_matches('"').to_owned(),
        size,
        modified: at.map_or(0, Timestamp::seconds),
        ..Source::default()
    });
    hint
}

/// Decodes a key of a notification or a listing: `+` is a blank, `%XX` a byte.
///
/// # Errors
/// The bytes are not UTF-8.
pub(super) fn decode_key(key: &str) -> Result<String, &'static str> {
    let blanks = key.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&blanks).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "its object's key is not UTF-8")
}

/// Whether a key was surely not encoded: it has a character that every encoder
/// replaces, or a percent sign that begins no `%XX`.
fn is_surely_plain(key: &str) -> bool {
    let is_plain = |c: char| c <= ' ' || !c.is_ascii() || "\"<>\\^`{|}\u{7f}".contains(c);
    let is_stray = |rest: &str| {
        let mut digits = rest.bytes();
        !(0..2).all(|_| digits.next().is_some_and(|digit| digit.is_ascii_hexdigit()))
    };
    key.chars().any(is_plain) || key.split('%').skip(1).any(is_stray)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(source: &str, name: &str, key: &str) -> Value {
        json!({"eventVersion": "2.1", "eventSource": source, "awsRegion": "us-east-1",
            "eventTime": "2026-11-21T20:31:33.000Z", "eventName": name,
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "bucket", "arn": "arn:aws:s3:::bucket"},
                "object": {"key": key, "size": 3, "eTag": "abc", "sequencer": "0055AED6DCD90281E5"}}})
    }

    #[test]
    fn kinds_of_records() {
        let table = [
            ("ObjectCreated:Put", Kind::Content),
            ("s3:ObjectCreated:CompleteMultipartUpload", Kind::Content),
            ("ObjectRemoved:DeleteMarkerCreated", Kind::Content),
            ("s3:LifecycleExpiration:Delete", Kind::Content),
            ("s3:ObjectLifecycle:Expiration:Current", Kind::Content),
            ("ObjectLifecycle:Expiration:NonCurrent", Kind::Content),
            ("s3:ObjectSynced:Create", Kind::Content),
            ("LifecycleTransition", Kind::Attributes),
            ("s3:ObjectLifecycle:Transition:Current", Kind::Attributes),
            ("ObjectTagging:Put", Kind::Attributes),
            ("ObjectTagging:Delete", Kind::Attributes),
            ("s3:ObjectCreated:PutTagging", Kind::Attributes),
            ("ObjectAcl:Put", Kind::Attributes),
            ("ObjectRestore:Completed", Kind::Attributes),
            ("s3:ObjectTransition:Complete", Kind::Attributes),
            ("s3:ObjectCreated:PutRetention", Kind::Nothing),
            ("ReducedRedundancyLostObject", Kind::Nothing),
            ("Replication:OperationFailedReplication", Kind::Nothing),
            ("s3:ObjectAccessed:Get", Kind::Nothing),
        ];
        for (name, kind) in table {
            let told = of_record(&record("aws:s3", name, "k"), 2).unwrap();
            let got = told.first().map_or(Kind::Nothing, |told| match told.hint.attributes {
                true => Kind::Attributes,
                false => Kind::Content,
            });
            assert_eq!(got, kind, "{name}");
            let seq = told.first().and_then(|told| told.hint.seq.clone());
            assert_eq!(seq.is_some(), kind == Kind::Content, "{name}: only content is ordered");
            assert!(told.iter().all(|told| told.hint.attempt == 2 && told.otherwise.is_none()));
        }
    }

    #[test]
    fn keys_are_decoded_and_where_they_may_not_be_encoded_both_readings_are_kept() {
        // By sender and key: the first reading, whether a second one is looked at
        // always, only where the first is not there, or not at all.
        let table = [
            ("aws:s3", "a/b.jpg", "a/b.jpg", ""),
            ("aws:s3", "a%2Bb+c/%E6%96%87%25.jpg", "a+b c/文%.jpg", "otherwise"),
            ("aws:s3", "red+flower.jpg", "red flower.jpg", "otherwise"),
            ("ceph:s3", "red+flower.jpg", "red flower.jpg", "always"),
            ("minio:s3", "dir%2Fa%2Bb", "dir/a+b", "always"),
            ("ceph:s3", "a b+c", "a b+c", ""),
            ("ceph:s3", "100%", "100%", ""),
            ("ceph:s3", "100%+tax", "100%+tax", ""),
            ("ceph:s3", "文+%41", "文+%41", ""),
        ];
        for (source, key, first, second) in table {
            let told = of_record(&record(source, "ObjectCreated:Put", key), 0).unwrap();
            let seen = told.first().unwrap();
            assert_eq!(seen.hint.uri.key, first, "{source} {key}");
            assert!(!seen.hint.is_guess);
            // Where it is not sure which key an event is of, it orders nothing.
            assert_eq!(seen.hint.seq.is_some(), second != "always", "{source} {key}");
            let guess = match second {
                "otherwise" => seen.otherwise.clone(),
                _ => told.get(1).map(|told| told.hint.clone()),
            };
            assert_eq!(guess.is_some(), !second.is_empty(), "{source} {key}");
            if let Some(guess) = guess {
                assert_eq!((guess.uri.key.as_str(), guess.is_guess, guess.seq), (key, true, None));
            }
        }
    }

    #[test]
    fn what_is_not_whole_is_an_error_and_what_tells_nothing_is_not_looked_at() {
        let without = |path: &str, name: &str| {
            let mut record = record("aws:s3", "ObjectCreated:Put", "k");
            record.pointer_mut(path).and_then(Value::as_object_mut).unwrap().remove(name);
            record
        };
        let broken = [
            without("", "eventName"),
            without("", "s3"),
            without("/s3", "bucket"),
            without("/s3", "object"),
            without("/s3/object", "key"),
            record("aws:s3", "ObjectCreated:Put", ""),
            record("aws:s3", "ObjectCreated:Put", "%FF%FE"),
            json!({"eventName": 1}),
            json!(1),
        ];
        for record in broken {
            assert!(of_record(&record, 0).is_err(), "{record}");
        }
        assert!(of_record(&json!({"eventName": "s3:BucketCreated:*"}), 0).unwrap().is_empty());
        for path in ["/s3/object/size", "/s3/object/eTag", "/s3/object/sequencer"] {
            let mut record = record("aws:s3", "ObjectCreated:Put", "k");
            *record.pointer_mut(path).unwrap() = Value::Null;
            let told = of_record(&record, 0).unwrap();
            assert_eq!(told.len(), 1, "{path} may be missing");
        }
        let mut ceph = record("ceph:s3", "ObjectCreated:Put", "k");
        ceph["s3"]["object"] = json!({"key": "k", "size": 7, "etag": "\"e\"", "sequencer": "0A"});
        let listed = of_record(&ceph, 0).unwrap().first().unwrap().hint.listed.clone().unwrap();
        assert_eq!((listed.etag.as_str(), listed.size), ("e", 7));
    }

    #[test]
    fn events_of_eventbridge() {
        let detail = json!({"version": "0", "bucket": {"name": "bucket"},
            "object": {"key": "a+b%41 c", "size": 1, "etag": "x", "sequencer": "00"}});
        let table = [
            ("Object Created", Some((false, true))),
            ("Object Deleted", Some((false, true))),
            ("Object Tags Added", Some((true, false))),
            ("Object Tags Deleted", Some((true, false))),
            ("Object ACL Updated", Some((true, false))),
            ("Object Storage Class Changed", Some((true, false))),
            ("Object Restore Completed", Some((true, false))),
            ("Object Access Tier Changed", None),
        ];
        for (kind, want) in table {
            let event = json!({"source": "aws.s3", "detail-type": kind, "time": "2026-11-21T20:31:33Z", "detail": detail});
            let told = of_bridge(&event, 0).unwrap();
            let got = told.first().map(|told| (told.hint.attributes, told.hint.seq.is_some()));
            assert_eq!(got, want, "{kind}");
            assert!(told.iter().all(|told| told.hint.uri.key == "a+b%41 c" && told.otherwise.is_none()));
        }
        // On its own, a detail of content is known by its reason.
        let mut created = detail.clone();
        created["reason"] = json!("PutObject");
        assert!(of_detail(&created, 0).unwrap().iter().all(|told| told.hint.seq.is_some()));
        assert!(of_detail(&detail, 0).unwrap().iter().all(|told| told.hint.attributes));
        assert!(of_bridge(&json!({"detail-type": "Object Created"}), 0).is_err());
        assert!(
            of_bridge(&json!({"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}}}), 0)
                .is_err()
        );
    }
}
