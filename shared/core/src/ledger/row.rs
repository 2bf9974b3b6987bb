//! A row and its key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::pack;
use super::place::Addresses;
use crate::error::Result;
use crate::model::{InputFile, ObjectUri};
use crate::query::Needs;

/// DynamoDB's limit for a sort key, in bytes.
const MAX_SORT_KEY: usize = 1024;
/// Where a sort key that is too long is cut; `#` and 32 hex digits follow.
const CUT: usize = MAX_SORT_KEY - 33;

/// Where a row is: `F#{dataset id}#{partition}` / `{bucket}/{key}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// Partition key.
    pub pk: String,
    /// Sort key; S3 lists in its order, but for keys that had to be cut.
    pub sk: String,
}

/// The longest prefix of `text` that has at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The partition key of one partition of a dataset.
pub(crate) fn partition_key(dataset_id: &str, partition: u32) -> String {
    format!("F#{dataset_id}#{partition}")
}

fn sort_key(bucket: &str, key: &str) -> String {
    let whole = format!("{bucket}/{key}");
    if whole.len() <= MAX_SORT_KEY {
        return whole;
    }
    let digest = hex::encode(Sha256::digest(whole.as_bytes()));
    format!("{}#{}", cut(&whole, CUT), cut(&digest, 32))
}

impl RowKey {
    /// The key of an object's row. The hash that chooses the partition is part
    /// of the stored format: it must never change.
    pub fn of(dataset_id: &str, partitions: u32, uri: &ObjectUri) -> Self {
        let sk = sort_key(&uri.bucket, &uri.key);
        let whole = format!("{}/{}", uri.bucket, uri.key);
        let partition = xxh3_64(whole.as_bytes()) % u64::from(partitions.max(1));
        Self { pk: partition_key(dataset_id, u32::try_from(partition).unwrap_or(0)), sk }
    }

    /// Sort keys between which the rows of all paths (`bucket/key`) in
    /// `[low, high]` lie, and of those that begin with `high`. It may take in a
    /// few rows more, where long keys were cut.
    pub fn path_range(low: &str, high: &str) -> (String, String) {
        (cut(low, CUT).to_owned(), format!("{}\u{10FFFF}", cut(high, CUT)))
    }

    /// Sort keys between which all rows of a bucket's keys in `(after, upto]`
    /// lie. It may take in a few rows more, where long keys were cut.
    pub fn sort_range(bucket: &str, after: &str, upto: Option<&str>) -> (String, String) {
        let low = cut(&format!("{bucket}/{after}"), CUT).to_owned();
        let high = match upto {
            None => format!("{bucket}/\u{10FFFF}"),
            Some(upto) => {
                let whole = format!("{bucket}/{upto}");
                if whole.len() > CUT { format!("{}\u{10FFFF}", cut(&whole, CUT)) } else { whole }
            }
        };
        (low, high)
    }
}

/// What is kept of the text of a document, of a dataset whose template asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextMark {
    /// It is still to be read.
    #[serde(rename = "p")]
    Pending,
    /// There is none: the object is no document with a text, or gave none.
    #[serde(rename = "n")]
    Absent,
    /// It is kept in so many items (see `ledger/text.rs`).
    #[serde(rename = "t")]
    Kept(u32),
}

/// What object storage said of the version that a row describes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The ETag, without quotes.
    #[serde(rename = "e")]
    pub etag: String,
    /// Bytes.
    #[serde(rename = "s")]
    pub size: i64,
    /// Last modified, in seconds since the epoch (listings have no finer).
    #[serde(rename = "m")]
    pub modified: i64,
    /// Version id, in versioned buckets.
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Storage class, `STANDARD` included. Listings tell it, and it changes
    /// without new content. `None`: not known, as in rows of older versions and
    /// listings of storage that has no classes.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none", default)]
    pub class: Option<String>,
}

/// The storage class that headers leave out.
pub(crate) const STANDARD: &str = "STANDARD";

impl Source {
    /// Whether both describe the same content. Listings do not tell versions.
    pub fn same_object(&self, other: &Self) -> bool {
        self.etag == other.etag && self.size == other.size && self.modified == other.modified
    }

    /// The same of what a request for the object itself was answered: that names
    /// the version, and two versions of one second may have the same content.
    pub fn same_version(&self, other: &Self) -> bool {
        self.same_object(other) && self.version == other.version
    }

    /// Whether `present` has another storage class than this row remembers. A
    /// class that one of the two does not know is no difference, with one
    /// exception: a row without a class is read again once where its object is
    /// not `STANDARD`, because nobody else would notice that it changed.
    pub fn has_other_class(&self, present: &Self) -> bool {
        match (&self.class, &present.class) {
            (Some(remembered), Some(present)) => remembered != present,
            (None, Some(present)) => present != STANDARD,
            (_, None) => false,
        }
    }
}

/// Whether a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Indexed, counted, queried.
    #[serde(rename = "l")]
    Live,
    /// The object is gone. Kept for a day, so that a late hint of it loses.
    #[serde(rename = "t")]
    Tombstone,
    /// Deleted by hand while its object lives: the next scan must not bring it
    /// back. A new version of the object does.
    #[serde(rename = "u")]
    UserDeleted,
}

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// From the binding of its bucket.
    #[serde(rename = "a")]
    Automatic,
    /// From a call that named it.
    #[serde(rename = "m")]
    Manual,
}

/// The field of the addresses of a file's place.
const ADDRESSES: &str = "Addresses";

/// What the caller set. A re-index never touches it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserFields {
    /// The caller's identifier.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", default)]
    pub custom_id: Option<String>,
    /// The caller's labels.
    #[serde(rename = "l", skip_serializing_if = "BTreeMap::is_empty", default)]
    pub custom_labels: BTreeMap<String, String>,
    /// Values that stand instead of extracted ones, as JSON under their
    /// `File` names.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none", default)]
    overrides: Option<String>,
    /// The addresses of the place that the caller set, where it gave none itself.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty", default)]
    addresses: Addresses,
}

impl UserFields {
    /// Replaces what was there by what a call gave; what it did not
    /// give stays. Only the addresses of another place do not: those of the place
    /// that the call gives are `addresses`.
    pub fn merge(&mut self, file: &InputFile, addresses: Option<&Addresses>) {
        if let Some(id) = &file.custom_id {
            self.custom_id = Some(id.clone()).filter(|id| !id.is_empty());
        }
        if let Some(labels) = &file.custom_labels {
            self.custom_labels = labels.clone();
        }
        let mut overrides = self.overrides();
        if file.place().is_some() {
            overrides.remove(ADDRESSES);
            self.addresses = addresses.cloned().unwrap_or_default();
        }
        overrides.extend(file.overrides());
        self.overrides = (!overrides.is_empty()).then(|| Value::Object(overrides).to_string());
    }

    /// The values instead of extracted ones, by `File` name.
    pub fn overrides(&self) -> Map<String, Value> {
        self.overrides.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Puts the values over those of a file, and the addresses of a place with
    /// the place.
    pub fn put_over(&self, file: &mut Map<String, Value>) {
        let overrides = self.overrides();
        if overrides.contains_key("LatLong") {
            // The file's own are those of another place.
            file.remove(ADDRESSES);
            if let (false, Ok(found)) = (self.addresses.is_empty(), serde_json::to_value(&self.addresses)) {
                file.insert(ADDRESSES.to_owned(), found);
            }
        }
        // Figures that the caller gives replace the file's own, and are counted.
        if let Some(figures) = overrides.get("Figures").and_then(Value::as_array) {
            file.insert("FigureCount".to_owned(), Value::from(figures.len()));
        }
        file.extend(overrides);
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A row. How it is stored, `item.rs` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// The whole `{bucket}/{key}` where the sort key was cut.
    pub long_key: Option<String>,
    /// Optimistic lock; grows with every write.
    pub rev: i64,
    /// The latest sequencer of an event of content that was processed. Events of
    /// tags, access and storage class never move it.
    pub seq: Option<String>,
    /// The version of the object that it describes.
    pub source: Option<Source>,
    /// Whether it counts.
    pub status: Status,
    /// Where it came from.
    pub origin: Origin,
    /// What the caller set.
    pub user: UserFields,
    /// The extracted record, packed; see [`Row::metadata`].
    pub(super) meta: Option<Vec<u8>>,
    /// What is kept of its text; `None`: nobody has looked yet, or is to look.
    pub text: Option<TextMark>,
    /// When the row was made, in nanoseconds since the epoch.
    pub created: i64,
    /// When it was changed last, in nanoseconds since the epoch.
    pub updated: i64,
    /// Attempts that failed, while its object could not be read.
    pub failed_attempts: Option<u32>,
    /// Names and ETags of the sidecars that the record was made with, in the order of the
    /// names; the ETag is empty where one could not be read.
    pub sidecars: Vec<(String, String)>,
    /// When it is forgotten (tombstones only), in seconds since the epoch.
    pub ttl: Option<i64>,
}

impl Row {
    /// A live row without a record yet.
    pub fn new(key: RowKey, uri: &ObjectUri, origin: Origin, now: i64) -> Self {
        let whole = format!("{}/{}", uri.bucket, uri.key);
        let long_key = (whole != key.sk).then_some(whole);
        Self {
            pk: key.pk,
            sk: key.sk,
            long_key,
            rev: 0,
            seq: None,
            source: None,
            status: Status::Live,
            origin,
            user: UserFields::default(),
            meta: None,
            text: None,
            created: now,
            updated: now,
            failed_attempts: None,
            sidecars: Vec::new(),
            ttl: None,
        }
    }

    /// `{bucket}/{key}`.
    pub fn path(&self) -> &str {
        self.long_key.as_deref().unwrap_or(&self.sk)
    }

    /// The object that the row is of.
    pub fn uri(&self) -> ObjectUri {
        match self.path().split_once('/') {
            Some((bucket, key)) => ObjectUri::new(bucket, key),
            None => ObjectUri::new("", self.path()),
        }
    }

    /// What it adds to the counters.
    pub fn counted(&self) -> (i64, i64) {
        match (self.status, &self.source) {
            (Status::Live, Some(source)) => (1, source.size),
            (Status::Live, None) => (1, 0),
            _ => (0, 0),
        }
    }

    /// Stores the record.
    ///
    /// # Errors
    /// `InternalError` when it cannot be encoded.
    pub fn set_metadata(&mut self, record: &Map<String, Value>) -> Result<()> {
        self.meta = Some(pack::encode(record)?);
        Ok(())
    }

    /// Bytes of the packed record.
    pub(crate) fn metadata_size(&self) -> usize {
        self.meta.as_ref().map_or(0, Vec::len)
    }

    /// Forgets the record.
    pub fn clear_metadata(&mut self) {
        self.meta = None;
    }

    /// The record: `File` fields by name, with EXIF as an object; only those
    /// that are needed.
    ///
    /// # Errors
    /// `InternalError` when it cannot be decoded.
    pub fn metadata(&self, needs: &Needs) -> Result<Map<String, Value>> {
        match &self.meta {
            Some(bytes) => pack::decode(bytes, needs),
            None => Ok(Map::new()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_cut_and_kept() {
        let key = format!("{}/文件.jpg", "目".repeat(335));
        assert!(key.len() <= 1024 && key.len() > 1010);
        let uri = ObjectUri::new("a-bucket-with-a-name", key.as_str());
        let row_key = RowKey::of("01D", 8, &uri);
        assert!(row_key.sk.len() <= MAX_SORT_KEY);
        let row = Row::new(row_key, &uri, Origin::Manual, 1);
        assert_eq!(row.uri(), uri);
        let (low, high) = RowKey::sort_range(&uri.bucket, "", Some(&uri.key));
        assert!(low <= row.sk && row.sk <= high);
        let (low, high) = RowKey::sort_range(&uri.bucket, &uri.key, None);
        assert!(low <= row.sk && row.sk <= high, "a cut key may be taken in, never left out");
    }

    #[test]
    fn short_keys_keep_the_order_of_listings() {
        let keys = ["a", "a b", "a/b", "a0", "b", "é", "文"];
        let sorted: Vec<String> = keys.iter().map(|k| sort_key("bucket", k)).collect();
        assert!(sorted.is_sorted());
    }

    #[test]
    fn classes_differ_only_where_both_are_known() {
        let of = |class: Option<&str>| Source { class: class.map(str::to_owned), ..Source::default() };
        let table = [
            (Some("STANDARD"), Some("STANDARD"), false),
            (Some("STANDARD"), Some("GLACIER"), true),
            (Some("GLACIER"), Some("STANDARD"), true),
            (Some("GLACIER"), None, false),
            (None, Some("STANDARD"), false),
            (None, Some("GLACIER"), true),
            (None, None, false),
        ];
        for (row, listed, other) in table {
            assert_eq!(of(row).has_other_class(&of(listed)), other, "{row:?} {listed:?}");
        }
    }

    #[test]
    fn user_fields_merge_and_do_not_clobber() {
        let mut user = UserFields::default();
        let first: InputFile = serde_json::from_str(
            r#"{"URI":"oss://b/k","CustomId":"1","CustomLabels":{"a":"b"},"Title":"T"}"#,
        )
        .unwrap();
        user.merge(&first, None);
        let second: InputFile = serde_json::from_str(r#"{"URI":"oss://b/k","Artist":"A"}"#).unwrap();
        user.merge(&second, None);
        assert_eq!(user.custom_id.as_deref(), Some("1"));
        assert_eq!(user.custom_labels.get("a").map(String::as_str), Some("b"));
        assert_eq!(user.overrides().len(), 2);
    }

    #[test]
    fn addresses_follow_the_place_that_a_caller_gives() {
        use crate::model::Address;
        use serde_json::json;

        let city = |name: &str| Address { city: Some(name.into()), ..Address::default() };
        let own = json!({"LatLong": "1,1", "Addresses": [{"City": "Own"}], "Title": "T"});
        // The calls, each with what is found at its place, and what replies show then.
        type Call<'a> = (Value, Option<&'a str>);
        let table: [(&[Call<'_>], Value); 6] = [
            (&[(json!({"Title": "U"}), None)], json!([{"City": "Own"}])),
            (&[(json!({"LatLong": "2,2"}), Some("Paris"))], json!([{"City": "Paris"}])),
            (&[(json!({"LatLong": "2,2"}), None)], Value::Null),
            (
                &[(json!({"LatLong": "2,2"}), Some("Paris")), (json!({"LatLong": "3,3"}), Some("Rome"))],
                json!([{"City": "Rome"}]),
            ),
            (
                &[(json!({"LatLong": "2,2", "Addresses": [{"City": "Home"}]}), Some("Paris"))],
                json!([{"City": "Home"}]),
            ),
            (
                &[
                    (json!({"Addresses": [{"City": "Home"}]}), None),
                    (json!({"LatLong": "2,2"}), Some("Paris")),
                ],
                json!([{"City": "Paris"}]),
            ),
        ];
        for (calls, want) in table {
            let mut user = UserFields::default();
            for (call, found) in calls {
                let file: InputFile = serde_json::from_value(call.clone()).unwrap();
                let found = found.map(|name| vec![city(name)]);
                user.merge(&file, found.as_ref());
            }
            let stored = serde_json::to_string(&user).unwrap();
            let user: UserFields = serde_json::from_str(&stored).unwrap();
            let mut file = own.as_object().cloned().unwrap();
            user.put_over(&mut file);
            assert_eq!(file.get("Addresses").cloned().unwrap_or_default(), want, "{calls:?}");
        }
    }
}
