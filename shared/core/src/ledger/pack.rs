//! The packed form of a record: a byte that names the form, then zstd of JSON
//! with a dictionary: the fields, and behind them the tags of EXIF, which are most
//! of a photo's record and which few queries look at. Records are small and alike: what they have in common (names
//! of fields and tags, of formats and codecs) is in the dictionary, and a packed
//! record has little more than half of the bytes that it would have without.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::query::Needs;

/// zstd of JSON with [`DICTIONARY`].
const ZSTD_JSON: u8 = 1;
/// Part of the stored format: it never changes. A better one is another form.
const DICTIONARY: &[u8] = include_bytes!("record.dict");
const LEVEL: i32 = 3;
/// The member that is stored behind the others.
const EXIF: &str = "EXIF";
/// A record never has more; a frame that claims more is not ours.
const MAX_RECORD: usize = 4 * 1024 * 1024;

/// A thread's compressor, decompressor and buffer: making them costs more than a
/// record.
struct Workspace {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
    json: Vec<u8>,
}

thread_local! {
    static WORKSPACE: RefCell<Option<Workspace>> = const { RefCell::new(None) };
}

fn with_workspace<T>(run: impl FnOnce(&mut Workspace) -> Result<T>) -> Result<T> {
    WORKSPACE.with_borrow_mut(|workspace| match workspace {
        Some(workspace) => run(workspace),
        none => {
            let new = Workspace {
                compressor: zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY)
                    .map_err(Error::internal)?,
                decompressor: zstd::bulk::Decompressor::with_dictionary(DICTIONARY)
                    .map_err(Error::internal)?,
                json: Vec::new(),
            };
            run(none.insert(new))
        }
    })
}

pub(super) fn encode(record: &Map<String, Value>) -> Result<Vec<u8>> {
    let tags = record.get(EXIF).and_then(Value::as_object);
    let mut json = Vec::with_capacity(1024);
    let fields = record.iter().filter(|(name, _)| tags.is_none() || *name != EXIF);
    serde_json::Serializer::new(&mut json).collect_map(fields).map_err(Error::internal)?;
    if let Some(tags) = tags {
        serde_json::to_writer(&mut json, tags).map_err(Error::internal)?;
    }
    let mut packed = vec![ZSTD_JSON];
    packed.extend(with_workspace(|workspace| workspace.compressor.compress(&json).map_err(Error::internal))?);
    Ok(packed)
}

/// Decodes the fields of a record that are needed, and passes over the others.
pub(super) fn decode(packed: &[u8], needs: &Needs) -> Result<Map<String, Value>> {
    let Some((&ZSTD_JSON, frame)) = packed.split_first() else {
        return Err(Error::internal("a row's record has an unknown form"));
    };
    with_workspace(|workspace| {
        let Workspace { decompressor, json, .. } = workspace;
        let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(MAX_RECORD);
        if size > MAX_RECORD {
            return Err(Error::internal("a row's record is larger than any record"));
        }
        json.clear();
        json.reserve(size);
        decompressor.decompress_to_buffer(frame, json).map_err(Error::internal)?;
        let record = read(json, needs).map_err(Error::internal);
        // A buffer that one large record has grown is not kept for all others.
        if json.capacity() > 256 * 1024 {
            *json = Vec::new();
        }
        record
    })
}

fn read(json: &[u8], needs: &Needs) -> serde_json::Result<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut record = Members(|name: &str| needs.wants(name)).deserialize(&mut deserializer)?;
    if needs.wants(EXIF) && deserializer.end().is_err() {
        let tags = match needs.tags() {
            Some(tags) => Members(|name: &str| tags.iter().any(|tag| tag.eq_ignore_ascii_case(name)))
                .deserialize(&mut deserializer)?,
            None => Map::deserialize(&mut deserializer)?,
        };
        record.insert(EXIF.to_owned(), Value::Object(tags));
    }
    Ok(record)
}

/// Reads the members of an object that are wanted, and passes over the others.
struct Members<F>(F);

impl<'de, F: Fn(&str) -> bool> DeserializeSeed<'de> for Members<F> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Members<F> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<std::borrow::Cow<'de, str>>()? {
            if (self.0)(&name) {
                map.insert(name.into_owned(), access.next_value()?);
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_dictionary_is_part_of_the_format() {
        use sha2::{Digest, Sha256};
        let digest = hex::encode(Sha256::digest(DICTIONARY));
        assert!(
            digest.starts_with("55ca9a6b60e1c864"),
            "rows that were written with another one cannot be read"
        );
    }

    #[test]
    fn only_what_is_needed_is_decoded() {
        let record = json!({"Title": "a \"quoted\" title", "EXIF": {"Make": "Canon", "FNumber": "28/10"},
            "VideoStreams": [{"CodecName": "h264"}], "ImageWidth": 4000});
        let packed = encode(record.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(decode(&packed, &Needs::All).unwrap()), record);
        let some = |fields: &[&str], tags: &[&str]| Needs::Some {
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
            tags: tags.iter().map(|name| (*name).to_owned()).collect(),
        };
        let table = [
            (some(&[], &[]), json!({})),
            (some(&["Title"], &[]), json!({"Title": "a \"quoted\" title"})),
            (some(&["ImageWidth"], &["fnumber"]), json!({"ImageWidth": 4000, "EXIF": {"FNumber": "28/10"}})),
            (some(&["EXIF"], &["fnumber"]), json!({"EXIF": {"Make": "Canon", "FNumber": "28/10"}})),
        ];
        for (needs, want) in table {
            assert_eq!(Value::Object(decode(&packed, &needs).unwrap()), want, "{needs:?}");
        }
        assert!(decode(&[9, 1, 2], &Needs::All).is_err());
        assert!(decode(&packed[..packed.len() / 2], &Needs::All).is_err());
    }
}
