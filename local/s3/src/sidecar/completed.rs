//! Uploads that were completed: a client that got no answer completes them again.

use rusqlite::{OptionalExtension, params};

use super::{Sidecar, Sql, json, unjson};
use crate::checksums::{SumType, Sums};
use crate::fsys;
use crate::multipart::Named;

/// For so many seconds an upload may be completed again.
const KEPT: i64 = 86_400;

/// What an upload became.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Completed {
    pub(crate) etag: String,
    pub(crate) sums: Sums,
    pub(crate) sum_type: SumType,
    /// Numbers and ETags of its parts.
    pub(crate) parts: Vec<(i32, String)>,
}

impl Completed {
    /// Whether a request names the parts that the object was made of.
    pub(crate) fn is_of(&self, wanted: &[Named]) -> bool {
        let is_same = |((number, etag), part): (&(i32, String), &Named)| {
            part.number == *number && part.etag.as_ref().is_none_or(|named| named == etag)
        };
        self.parts.len() == wanted.len() && self.parts.iter().zip(wanted).all(is_same)
    }
}

impl Sidecar {
    /// Ends an upload, and remembers for a day what it became.
    pub(crate) fn end_upload(&self, id: &str, completed: Option<&Completed>) -> Sql<()> {
        let mut lock = self.lock();
        let transaction = lock.transaction()?;
        let now = fsys::now_ns() / 1_000_000_000;
        if let Some(completed) = completed {
            transaction.execute("DELETE FROM completed WHERE ended < ?1", [now.saturating_sub(KEPT)])?;
            transaction.execute(
                "INSERT OR REPLACE INTO completed(upload, bucket, key, ended, parts, etag, sums, sum_type)
                 SELECT id, bucket, key, ?2, ?3, ?4, ?5, ?6 FROM uploads WHERE id = ?1",
                params![
                    id,
                    now,
                    json(&completed.parts)?,
                    completed.etag,
                    json(&completed.sums)?,
                    json(&completed.sum_type)?
                ],
            )?;
        }
        transaction.execute("DELETE FROM parts WHERE upload = ?1", [id])?;
        transaction.execute("DELETE FROM uploads WHERE id = ?1", [id])?;
        transaction.commit()
    }

    /// What a completed upload became.
    pub(crate) fn completed(&self, bucket: &str, key: &str, id: &str) -> Sql<Option<Completed>> {
        self.lock()
            .prepare_cached(
                "SELECT etag, sums, sum_type, parts FROM completed WHERE upload = ?1 AND bucket = ?2 AND key = ?3",
            )?
            .query_row(params![id, bucket, key], |row| {
                Ok(Completed {
                    etag: row.get(0)?,
                    sums: unjson(&row.get::<_, String>(1)?)?,
                    sum_type: unjson(&row.get::<_, String>(2)?)?,
                    parts: unjson(&row.get::<_, String>(3)?)?,
                })
            })
            .optional()
    }
}
