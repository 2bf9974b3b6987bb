//! The texts of documents, apart from the rows: each query reads (and pays for) whole
//! rows, and few look at texts.
//!
//! `T#{dataset id}#{partition}` / `{sort key of the row}#{digest of the version}#{n}`:
//! a part of the text, compressed. A text is there before its row says so, and has
//! the version of the object in its key: what a row says is kept is of the row's own
//! version, or it is not found. When a row changes or goes, `commit` removes the text
//! that it had; a process that dies in between leaves items that no row speaks of,
//! which are removed with the dataset.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use xxhash_rust::xxh3::xxh3_64;

use super::row::{Row, Source, Status, TextMark};
use crate::error::{Error, Result};
use crate::state::Db;
use crate::text::TEXT_BYTES;

/// Bytes of one part: an item holds 400 KB.
const PART: usize = 350 * 1024;
/// Bytes of a row's sort key that a part's key repeats: the rest is in its digest.
const CUT: usize = 900;
/// A level that is fast, and small enough.
const LEVEL: i32 = 3;

type Item = HashMap<String, AttributeValue>;

/// A text as it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptText {
    packed: Vec<u8>,
}

impl KeptText {
    /// The text.
    ///
    /// # Errors
    /// `InternalError` when it cannot be unpacked.
    pub(crate) fn unpack(&self) -> Result<String> {
        // One byte more tells a text that is longer than any may be.
        let text = zstd::bulk::decompress(&self.packed, TEXT_BYTES + 1).map_err(Error::internal)?;
        String::from_utf8(text).map_err(Error::internal)
    }
}

/// The partition key of the texts of a row's partition.
pub(super) fn partition_of(row_partition: &str) -> String {
    format!("T#{}", row_partition.strip_prefix("F#").unwrap_or(row_partition))
}

/// The keys of the parts of a row's text.
fn keys(row: &Row, source: &Source, parts: u32) -> impl Iterator<Item = Item> {
    let pk = partition_of(&row.pk);
    let version = format!("{}\n{}\n{:?}\n{}", source.etag, source.modified, source.version, row.sk);
    let mut end = row.sk.len().min(CUT);
    while !row.sk.is_char_boundary(end) {
        end -= 1;
    }
    let stem = format!("{}#{:016x}", row.sk.get(..end).unwrap_or_default(), xxh3_64(version.as_bytes()));
    (0..parts).map(move |part| {
        Item::from([
            ("PK".to_owned(), AttributeValue::S(pk.clone())),
            ("SK".to_owned(), AttributeValue::S(format!("{stem}#{part:04}"))),
        ])
    })
}

/// The keys of the text that a row says is kept.
fn kept_keys(row: &Row) -> Vec<Item> {
    match (row.text, &row.source) {
        (Some(TextMark::Kept(parts)), Some(source)) if row.status == Status::Live => {
            keys(row, source, parts).collect()
        }
        _ => Vec::new(),
    }
}

/// Keeps the text of a row's version of its object; gives what the row is to say of it.
///
/// # Errors
/// When the store does not take it.
pub(crate) async fn keep_text(db: &Db, row: &Row, text: &str) -> Result<TextMark> {
    let Some(source) = row.source.as_ref().filter(|_| !text.is_empty()) else { return Ok(TextMark::Absent) };
    let packed = zstd::bulk::compress(text.as_bytes(), LEVEL).map_err(Error::internal)?;
    let parts = u32::try_from(packed.chunks(PART).len()).unwrap_or(u32::MAX);
    for (mut item, part) in keys(row, source, parts).zip(packed.chunks(PART)) {
        item.insert("z".to_owned(), AttributeValue::B(Blob::new(part)));
        db.put_file_item(item).await?;
    }
    Ok(TextMark::Kept(parts))
}

/// Reads the texts of rows, by sort key; a text of which a part is not there is left
/// out, because its row is about to change.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn read_texts(db: &Db, rows: &[Row]) -> Result<HashMap<String, KeptText>> {
    let wanted: Vec<(&str, Vec<Item>)> = rows.iter().map(|row| (row.sk.as_str(), kept_keys(row))).collect();
    let all: Vec<Item> = wanted.iter().flat_map(|(_, keys)| keys.iter().cloned()).collect();
    let mut parts: HashMap<String, Vec<u8>> = HashMap::with_capacity(all.len());
    for some in all.chunks(100) {
        for mut item in db.batch_get_files(some.to_vec()).await? {
            if let (Some(AttributeValue::S(sk)), Some(AttributeValue::B(part))) =
                (item.remove("SK"), item.remove("z"))
            {
                parts.insert(sk, part.into_inner());
            }
        }
    }
    let whole = |keys: &[Item]| {
        let mut packed = Vec::new();
        for key in keys {
            let Some(AttributeValue::S(sk)) = key.get("SK") else { return None };
            packed.extend_from_slice(parts.get(sk)?);
        }
        (!packed.is_empty()).then_some(KeptText { packed })
    };
    Ok(wanted.iter().filter_map(|(sk, keys)| Some(((*sk).to_owned(), whole(keys)?))).collect())
}

/// Removes the texts that rows had before they were changed. What cannot be removed
/// stays until its dataset goes, and is never found.
pub(crate) async fn remove_texts(db: &Db, changed: impl Iterator<Item = (&Row, &Row)>) {
    let mut gone: Vec<Item> = Vec::new();
    for (old, new) in changed {
        let kept = kept_keys(new);
        gone.extend(kept_keys(old).into_iter().filter(|key| !kept.contains(key)));
    }
    if gone.is_empty() {
        return;
    }
    if let Err(error) = db.delete_batch(db.files_table(), gone).await {
        tracing::warn!(error = %error.internal_text(), "texts of documents that have changed were not removed");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ledger::{Origin, RowKey};
    use crate::model::ObjectUri;

    fn row(key: &str, etag: &str) -> Row {
        let uri = ObjectUri::new("bucket", key);
        let mut row = Row::new(RowKey::of("D", 1, &uri), &uri, Origin::Automatic, 1);
        row.source = Some(Source { etag: etag.into(), size: 1, modified: 1, ..Source::default() });
        row.text = Some(TextMark::Kept(2));
        row
    }

    fn names(row: &Row) -> Vec<String> {
        let name = |item: &Item| match item.get("SK") {
            Some(AttributeValue::S(sk)) => sk.clone(),
            _ => String::new(),
        };
        kept_keys(row).iter().map(name).collect()
    }

    #[test]
    fn each_version_of_each_object_has_keys_of_its_own() {
        let long = "k".repeat(1000);
        let rows = [
            row("a", "1"),
            row("a", "2"),
            row("b", "1"),
            row("a#b", "1"),
            row(&format!("{long}a"), "1"),
            row(&format!("{long}b"), "1"),
        ];
        let mut all: Vec<String> = rows.iter().flat_map(names).collect();
        assert!(all.iter().all(|name| name.len() <= 1024), "{all:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2 * rows.len());
        assert_eq!(partition_of(&rows[0].pk), "T#D#0");
    }

    #[test]
    fn only_a_live_row_has_a_text() {
        let mut row = row("a", "1");
        assert_eq!(names(&row).len(), 2);
        row.status = Status::UserDeleted;
        assert_eq!(names(&row).len(), 0);
        row.status = Status::Live;
        for mark in [None, Some(TextMark::Pending), Some(TextMark::Absent)] {
            row.text = mark;
            assert_eq!(names(&row).len(), 0);
        }
    }
}
