//! Records of folders that clients made with an empty object; see
//! `objects::markers`.

use rusqlite::{OptionalExtension, params};

use super::{Attributes, Sidecar, Sql, json, unjson};

/// A folder that was made with an empty object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Marker {
    /// The folder that it is about.
    pub(crate) inode: u64,
    /// When it was put, in nanoseconds since 1970.
    pub(crate) modified_ns: i64,
    pub(crate) attributes: Attributes,
}

impl Sidecar {
    pub(crate) fn put_marker(&self, bucket: &str, key: &str, marker: &Marker) -> Sql<()> {
        let attributes = json(&marker.attributes)?;
        self.lock()
            .prepare_cached(
                "INSERT OR REPLACE INTO markers(bucket, key, inode, modified_ns, attributes) VALUES(?1,?2,?3,?4,?5)",
            )?
            .execute(params![bucket, key, marker.inode.cast_signed(), marker.modified_ns, attributes])
            .map(|_| ())
    }

    pub(crate) fn marker(&self, bucket: &str, key: &str) -> Sql<Option<Marker>> {
        self.lock()
            .prepare_cached(
                "SELECT inode, modified_ns, attributes FROM markers WHERE bucket = ?1 AND key = ?2",
            )?
            .query_row(params![bucket, key], |row| {
                Ok(Marker {
                    inode: row.get::<_, i64>(0)?.cast_unsigned(),
                    modified_ns: row.get(1)?,
                    attributes: unjson(&row.get::<_, String>(2)?)?,
                })
            })
            .optional()
    }

    pub(crate) fn remove_marker(&self, bucket: &str, key: &str) -> Sql<()> {
        self.lock()
            .prepare_cached("DELETE FROM markers WHERE bucket = ?1 AND key = ?2")?
            .execute(params![bucket, key])
            .map(|_| ())
    }

    /// The first marker after a key that starts with a prefix.
    pub(crate) fn marker_after(&self, bucket: &str, prefix: &str, after: &str) -> Sql<Option<String>> {
        let first = self
            .lock()
            .prepare_cached(
                "SELECT key FROM markers WHERE bucket = ?1 AND key >= ?2 AND key > ?3 ORDER BY key LIMIT 1",
            )?
            .query_row(params![bucket, prefix, after], |row| row.get::<_, String>(0))
            .optional()?;
        Ok(first.filter(|key| key.starts_with(prefix)))
    }
}
