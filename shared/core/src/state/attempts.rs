//! Attempts at objects that have not ended: `ATTEMPTS#{dataset id}` / the sort key
//! of the object's row.
//!
//! An attempt is noted before an object is read and forgotten afterwards, by those
//! who have reason to be careful. So what is left over says how often the process
//! ended while it read the object.

use serde::{Deserialize, Serialize};

use super::db::{Db, to_item, ttl_in_days};
use crate::error::Result;
use crate::ledger::{RowKey, Source};
use crate::model::ObjectUri;

/// How long attempts are remembered: an object that ended the process is left
/// alone for this long, unless it changes.
const DAYS: i64 = 365;
/// Another version of the program may read what this one could not.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The attempts at an object that have not ended, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// The content that was read.
    source: Source,
    /// The version of the program that read it.
    program: String,
    /// Attempts that have not ended.
    pub(crate) count: u32,
    ttl: i64,
}

impl Attempts {
    /// Whether they are this program's, at this content.
    pub(crate) fn are_of(&self, source: &Source) -> bool {
        self.program == PROGRAM && self.source.same_object(source)
    }
}

fn key_of(dataset_id: &str, uri: &ObjectUri) -> (String, String) {
    // Partitions make no difference to the sort key.
    (format!("ATTEMPTS#{dataset_id}"), RowKey::of(dataset_id, 1, uri).sk)
}

impl Db {
    /// Reads the attempts at an object that have not ended.
    pub(crate) async fn attempts(&self, dataset_id: &str, uri: &ObjectUri) -> Result<Option<Attempts>> {
        let (pk, sk) = key_of(dataset_id, uri);
        self.get(&pk, &sk).await
    }

    /// Notes that an object is about to be read; `before` is what was read of it.
    pub(crate) async fn note_attempt(
        &self,
        dataset_id: &str,
        uri: &ObjectUri,
        source: &Source,
        before: Option<Attempts>,
    ) -> Result<()> {
        let (pk, sk) = key_of(dataset_id, uri);
        let count = before.filter(|before| before.are_of(source)).map_or(0, |before| before.count);
        self.put(to_item(&Attempts {
            pk,
            sk,
            source: source.clone(),
            program: PROGRAM.to_owned(),
            count: count.saturating_add(1),
            ttl: ttl_in_days(DAYS),
        })?)
        .await
    }

    /// Notes that an attempt has ended, well or not.
    pub(crate) async fn forget_attempts(&self, dataset_id: &str, uri: &ObjectUri) -> Result<()> {
        let (pk, sk) = key_of(dataset_id, uri);
        self.delete(&pk, &sk).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_count_for_one_content_and_one_program() {
        let source = Source { etag: "e".into(), size: 1, modified: 2, ..Source::default() };
        let attempts = Attempts {
            pk: "p".into(),
            sk: "s".into(),
            source: source.clone(),
            program: PROGRAM.into(),
            count: 1,
            ttl: 0,
        };
        let table = [
            (attempts.clone(), source.clone(), true),
            (attempts.clone(), Source { etag: "f".into(), ..source.clone() }, false),
            (Attempts { program: "0.0.0-older".into(), ..attempts.clone() }, source, false),
        ];
        for (attempts, present, want) in table {
            assert_eq!(attempts.are_of(&present), want, "{attempts:?} {present:?}");
        }
    }
}
