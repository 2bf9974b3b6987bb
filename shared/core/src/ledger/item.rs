//! How a row is stored: few attributes, because each one costs time in transfer
//! to and from the store, and its name is paid for in every row.
//!
//! | attribute | what |
//! |---|---|
//! | `PK`, `SK` | the key |
//! | `k` | the whole `{bucket}/{key}`, where the sort key was cut |
//! | `rev` | the optimistic lock; writes are conditional on it |
//! | `h` | the head, a JSON array: see [`Head`] |
//! | `usr` | what the caller set, JSON |
//! | `meta` | the extracted record, see `pack.rs` |
//! | `ttl` | when a tombstone is forgotten |

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::row::{Origin, Row, STANDARD, Source, Status, TextMark, UserFields};
use crate::error::{Error, Result};

type Item = HashMap<String, AttributeValue>;

/// Status, origin, created, updated (after created), source, sequencer, failed
/// attempts, storage class (empty: `STANDARD`), what is kept of its text (null:
/// nothing is said of it), sidecars (left out where there are none). New members go to the end: heads
/// of older versions have fewer, and those of newer ones have more, which are
/// skipped, so that two versions work while functions are replaced.
#[derive(Debug, Serialize)]
struct Head(
    Status,
    Origin,
    i64,
    i64,
    Option<(String, i64, i64, Option<String>)>,
    Option<String>,
    Option<u32>,
    Option<String>,
    Option<TextMark>,
    #[serde(skip_serializing_if = "Option::is_none")] Option<Vec<(String, String)>>,
);

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the head of a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Head, A::Error> {
        let short = |length| A::Error::invalid_length(length, &"six members or more");
        let head = Head(
            seq.next_element()?.ok_or_else(|| short(0))?,
            seq.next_element()?.ok_or_else(|| short(1))?,
            seq.next_element()?.ok_or_else(|| short(2))?,
            seq.next_element()?.ok_or_else(|| short(3))?,
            seq.next_element()?.ok_or_else(|| short(4))?,
            seq.next_element()?.ok_or_else(|| short(5))?,
            seq.next_element()?.flatten(),
            seq.next_element()?.flatten(),
            seq.next_element()?.flatten(),
            seq.next_element()?.flatten(),
        );
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(head)
    }
}

impl Row {
    /// The row as an item of the files table.
    ///
    /// # Errors
    /// `InternalError` when it cannot be encoded.
    pub fn to_item(&self) -> Result<Item> {
        let source = self
            .source
            .as_ref()
            .map(|source| (source.etag.clone(), source.size, source.modified, source.version.clone()));
        let head = Head(
            self.status,
            self.origin,
            self.created,
            self.updated.saturating_sub(self.created),
            source,
            self.seq.clone(),
            self.failed_attempts,
            // Almost every object has this class: it is stored in two bytes.
            self.source.as_ref().and_then(|source| source.class.as_deref()).map(|class| match class {
                STANDARD => String::new(),
                class => class.to_owned(),
            }),
            self.text,
            Some(self.sidecars.clone()).filter(|sidecars| !sidecars.is_empty()),
        );
        let head = serde_json::to_string(&head).map_err(Error::internal)?;
        let mut item = Item::from([
            ("PK".to_owned(), AttributeValue::S(self.pk.clone())),
            ("SK".to_owned(), AttributeValue::S(self.sk.clone())),
            ("rev".to_owned(), AttributeValue::N(self.rev.to_string())),
            ("h".to_owned(), AttributeValue::S(head)),
        ]);
        if let Some(key) = &self.long_key {
            item.insert("k".to_owned(), AttributeValue::S(key.clone()));
        }
        if !self.user.is_empty() {
            let user = serde_json::to_string(&self.user).map_err(Error::internal)?;
            item.insert("usr".to_owned(), AttributeValue::S(user));
        }
        if let Some(meta) = &self.meta {
            item.insert("meta".to_owned(), AttributeValue::B(Blob::new(meta.clone())));
        }
        if let Some(ttl) = self.ttl {
            item.insert("ttl".to_owned(), AttributeValue::N(ttl.to_string()));
        }
        Ok(item)
    }

    /// Reads an item of the files table, whole or without the attributes that
    /// were not asked for.
    ///
    /// # Errors
    /// `InternalError` for an item that is no row.
    pub fn from_item(item: Item) -> Result<Self> {
        let mut parts = Parts::default();
        for (name, value) in item {
            match (name.as_str(), value) {
                ("PK", AttributeValue::S(text)) => parts.pk = Some(text),
                ("SK", AttributeValue::S(text)) => parts.sk = Some(text),
                ("k", AttributeValue::S(text)) => parts.long_key = Some(text),
                ("h", AttributeValue::S(json)) => {
                    parts.head = Some(serde_json::from_str(&json).map_err(Error::internal)?);
                }
                ("usr", AttributeValue::S(json)) => {
                    parts.user = serde_json::from_str(&json).map_err(Error::internal)?;
                }
                ("rev", AttributeValue::N(digits)) => parts.rev = digits.parse().ok(),
                ("ttl", AttributeValue::N(digits)) => parts.ttl = digits.parse().ok(),
                ("meta", AttributeValue::B(bytes)) => parts.meta = Some(bytes.into_inner()),
                _ => {}
            }
        }
        let missing = |name: &str| Error::internal(format!("a row has no {name}"));
        let Head(status, origin, created, updated, source, seq, failed_attempts, class, text, sidecars) =
            parts.head.ok_or_else(|| missing("h"))?;
        let class = class.map(|class| if class.is_empty() { STANDARD.to_owned() } else { class });
        Ok(Self {
            pk: parts.pk.ok_or_else(|| missing("PK"))?,
            sk: parts.sk.ok_or_else(|| missing("SK"))?,
            long_key: parts.long_key,
            rev: parts.rev.ok_or_else(|| missing("rev"))?,
            ttl: parts.ttl,
            meta: parts.meta,
            seq,
            source: source.map(|(etag, size, modified, version)| Source {
                etag,
                size,
                modified,
                version,
                class,
            }),
            status,
            origin,
            user: parts.user,
            created,
            updated: created.saturating_add(updated),
            failed_attempts,
            text,
            sidecars: sidecars.unwrap_or_default(),
        })
    }
}

/// The attributes of an item that were there.
#[derive(Default)]
struct Parts {
    pk: Option<String>,
    sk: Option<String>,
    long_key: Option<String>,
    rev: Option<i64>,
    head: Option<Head>,
    user: UserFields,
    meta: Option<Vec<u8>>,
    ttl: Option<i64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::row::RowKey;
    use super::*;
    use crate::model::{InputFile, ObjectUri};
    use crate::query::Needs;
    use serde_json::{Map, Value};

    fn row() -> Row {
        let uri = ObjectUri::new("bucket", "k");
        Row::new(RowKey::of("D", 1, &uri), &uri, Origin::Automatic, 1)
    }

    #[test]
    fn a_row_survives() {
        let plain = row();
        let mut full = row();
        full.long_key = Some("bucket/long".into());
        full.seq = Some("0A".into());
        full.status = Status::UserDeleted;
        full.origin = Origin::Manual;
        full.source = Some(Source {
            etag: "e\"".into(),
            size: 7,
            modified: -1,
            version: Some("v".into()),
            class: Some("GLACIER".into()),
        });
        let mut standard = row();
        standard.source = Some(Source { class: Some(STANDARD.into()), ..Source::default() });
        full.failed_attempts = Some(2);
        full.sidecars = vec![("k.xmp".into(), "e2".into())];
        full.ttl = Some(9);
        let input = r#"{"URI":"oss://bucket/k","CustomId":"1","CustomLabels":{"a":"b"},"Title":"T"}"#;
        full.user.merge(&serde_json::from_str::<InputFile>(input).unwrap(), None);
        let record: Map<String, Value> =
            serde_json::from_str(r#"{"ImageWidth":10,"EXIF":{"Make":"Canon"}}"#).unwrap();
        full.set_metadata(&record).unwrap();
        for row in [plain, full, standard] {
            let back = Row::from_item(row.to_item().unwrap()).unwrap();
            assert_eq!(back, row);
        }
        let mut with_record = row();
        with_record.set_metadata(&record).unwrap();
        assert_eq!(with_record.metadata(&Needs::All).unwrap(), record);
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        let mut item = row().to_item().unwrap();
        item.remove("h");
        assert!(Row::from_item(item).is_err());
        assert!(Row::from_item(Item::new()).is_err());
    }

    #[test]
    fn heads_of_today_are_read_for_ever() {
        let table = [
            (r#"["l","a",1,2,["e",3,4,null],"0A"]"#, None, None),
            (r#"["l","a",1,2,["e",3,4,null],"0A",5]"#, Some(5), None),
            (r#"["l","a",1,2,["e",3,4,null],"0A",null,"GLACIER"]"#, None, Some("GLACIER")),
            (r#"["l","a",1,2,["e",3,4,null],"0A",null,""]"#, None, Some(STANDARD)),
            (r#"["l","a",1,2,["e",3,4,null],"0A",5,"",{"t":2}]"#, Some(5), Some(STANDARD)),
            (r#"["l","a",1,2,["e",3,4,null],"0A",5,"","p",[["k.xmp","e2"]]]"#, Some(5), Some(STANDARD)),
            (r#"["l","a",1,2,["e",3,4,null],"0A",5,"",null,[["k.xmp","e2"]]]"#, Some(5), Some(STANDARD)),
            // Of a later version.
            (
                r#"["l","a",1,2,["e",3,4,null],"0A",5,"",null,null,{"new":[1]},"newer"]"#,
                Some(5),
                Some(STANDARD),
            ),
        ];
        for (stored, failed_attempts, class) in table {
            let mut item = row().to_item().unwrap();
            item.insert("h".into(), AttributeValue::S(stored.into()));
            let row = Row::from_item(item).unwrap();
            assert_eq!((row.status, row.created, row.updated), (Status::Live, 1, 3), "{stored}");
            let source = row.source.unwrap();
            assert_eq!((source.size, source.class.as_deref()), (3, class), "{stored}");
            assert_eq!((row.seq.as_deref(), row.failed_attempts), (Some("0A"), failed_attempts), "{stored}");
            let text = match () {
                () if stored.contains("\"t\"") => Some(TextMark::Kept(2)),
                () if stored.contains("\"p\"") => Some(TextMark::Pending),
                () => None,
            };
            assert_eq!((row.text, row.sidecars.len()), (text, stored.matches(".xmp").count()), "{stored}");
        }
    }
}
