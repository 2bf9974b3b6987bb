//! The sidecar database: everything about an object that its file cannot say.
//!
//! A row counts only while the file is in the state that was recorded (size,
//! modification time, inode); a file that another program wrote since is a
//! different object, whose row is ignored and later replaced.

mod completed;
mod configurations;
mod markers;
mod redo;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use s3s::dto::NotificationConfiguration;
use serde::{Deserialize, Serialize};

use crate::checksums::{Plan, SumType, Sums};
use crate::fsys::Stamp;
use crate::parts::Layout;
pub(crate) use completed::Completed;
pub(crate) use configurations::{Configuration, PublicAccess};
pub(crate) use markers::Marker;
pub(crate) use redo::Redo;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS objects(
  bucket TEXT NOT NULL, key TEXT NOT NULL,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  etag TEXT, attributes TEXT NOT NULL,
  PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS buckets(name TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notifications(bucket TEXT PRIMARY KEY, configuration TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS configurations(bucket TEXT PRIMARY KEY, configuration TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_folders(
  bucket TEXT NOT NULL, folder TEXT NOT NULL, inode INTEGER NOT NULL,
  PRIMARY KEY(bucket, folder)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS strays(id INTEGER PRIMARY KEY, root TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS redo(
  id INTEGER PRIMARY KEY, root TEXT NOT NULL, key TEXT NOT NULL, inode INTEGER NOT NULL,
  file TEXT NOT NULL, etag TEXT, attributes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads(
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL,
  initiated INTEGER NOT NULL, attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads(bucket, key, id);
CREATE TABLE IF NOT EXISTS parts(
  upload TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL,
  etag TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, sums TEXT NOT NULL,
  PRIMARY KEY(upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS completed(
  upload TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, ended INTEGER NOT NULL,
  parts TEXT NOT NULL, etag TEXT NOT NULL, sums TEXT NOT NULL, sum_type TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS markers(
  bucket TEXT NOT NULL, key TEXT NOT NULL, inode INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
  attributes TEXT NOT NULL,
  PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock(id INTEGER PRIMARY KEY CHECK(id = 0), high_water INTEGER NOT NULL) WITHOUT ROWID;
";

/// Headers, metadata, tags and checksums of an object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Sums::is_empty")]
    pub(crate) sums: Sums,
    /// How the checksum of an object in parts was made.
    #[serde(skip_serializing_if = "SumType::is_full")]
    pub(crate) sum_type: SumType,
    /// How many parts the object was uploaded in, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<i32>,
    /// Where these parts meet; not there in records of older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layout: Option<Layout>,
    /// The checksums that an upload's object will have, if the client asked for some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Plan>,
}

/// What the database knows about an object in its present state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Nothing if the content was never hashed.
    pub(crate) etag: Option<String>,
    pub(crate) attributes: Attributes,
}

/// A row for a listing: the recorded state, the ETag and the storage class.
#[derive(Debug)]
pub(crate) struct Brief {
    pub(crate) stamp: Stamp,
    pub(crate) etag: Option<String>,
    pub(crate) storage_class: Option<String>,
}

/// A multipart upload in progress.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Seconds since 1970.
    pub(crate) initiated: i64,
    pub(crate) attributes: Attributes,
}

/// An uploaded part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) number: i32,
    /// Its file in the upload's directory; each upload of a part has a fresh one.
    pub(crate) file: String,
    /// MD5 in hex.
    pub(crate) etag: String,
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) modified: i64,
    pub(crate) sums: Sums,
}

/// An unfinished file that was put into a user's folder.
#[derive(Debug)]
pub(crate) struct Stray {
    pub(crate) id: i64,
    pub(crate) root: String,
    pub(crate) folder: String,
    pub(crate) name: String,
}

/// The database. Its methods block; call them from blocking code.
#[derive(Debug)]
pub(crate) struct Sidecar {
    connection: Mutex<Connection>,
}

type Sql<T> = rusqlite::Result<T>;

fn json<T: Serialize>(value: &T) -> Sql<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn unjson<T: for<'a> Deserialize<'a>>(text: &str) -> Sql<T> {
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

fn stamp(row: &rusqlite::Row<'_>, first: usize) -> Sql<Stamp> {
    Ok(Stamp {
        size: row.get::<_, i64>(first)?.cast_unsigned(),
        mtime_ns: row.get(first + 1)?,
        inode: row.get::<_, i64>(first + 2)?.cast_unsigned(),
    })
}

impl Sidecar {
    pub(crate) fn open(path: &Path) -> Sql<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A power cut may lose the last rows, never corrupt; a lost row only
        // means that the ETag is derived from the file's state instead.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls back what a panicking thread left open.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of an object, if it is about the file's present state.
    pub(crate) fn record(&self, bucket: &str, key: &str, now: Stamp) -> Sql<Option<Record>> {
        let row = self
            .lock()
            .prepare_cached(
                "SELECT size, mtime_ns, inode, etag, attributes FROM objects WHERE bucket = ?1 AND key = ?2",
            )?
            .query_row(params![bucket, key], |row| {
                Ok((stamp(row, 0)?, row.get::<_, Option<String>>(3)?, row.get::<_, String>(4)?))
            })
            .optional()?;
        match row {
            Some((then, etag, attributes)) if then == now => {
                Ok(Some(Record { etag, attributes: unjson(&attributes)? }))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, now: Stamp, record: &Record) -> Sql<()> {
        let attributes = json(&record.attributes)?;
        self.lock()
            .prepare_cached(
                "INSERT OR REPLACE INTO objects(bucket, key, size, mtime_ns, inode, etag, attributes) VALUES(?1,?2,?3,?4,?5,?6,?7)",
            )?
            .execute(params![
                bucket,
                key,
                now.size.cast_signed(),
                now.mtime_ns,
                now.inode.cast_signed(),
                record.etag,
                attributes
            ])
            .map(|_| ())
    }

    pub(crate) fn delete(&self, bucket: &str, key: &str) -> Sql<()> {
        self.lock()
            .prepare_cached("DELETE FROM objects WHERE bucket = ?1 AND key = ?2")?
            .execute(params![bucket, key])
            .map(|_| ())
    }

    /// Forgets everything under a folder that was moved away.
    pub(crate) fn delete_under(&self, bucket: &str, prefix: &str) -> Sql<()> {
        // '0' is the byte after '/', so this is the range of keys that start with the prefix.
        let end = format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix));
        let lock = self.lock();
        for table in ["objects", "markers"] {
            lock.prepare_cached(&format!(
                "DELETE FROM {table} WHERE bucket = ?1 AND key >= ?2 AND key < ?3"
            ))?
            .execute(params![bucket, prefix, end])?;
        }
        Ok(())
    }

    /// What a page of a listing needs, for the keys from first to last.
    pub(crate) fn briefs(&self, bucket: &str, first: &str, last: &str) -> Sql<HashMap<String, Brief>> {
        let lock = self.lock();
        let mut statement = lock.prepare_cached(
            "SELECT key, size, mtime_ns, inode, etag, json_extract(attributes, '$.storage_class') FROM objects
             WHERE bucket = ?1 AND key >= ?2 AND key <= ?3",
        )?;
        let rows = statement.query_map(params![bucket, first, last], |row| {
            Ok((row.get(0)?, Brief { stamp: stamp(row, 1)?, etag: row.get(4)?, storage_class: row.get(5)? }))
        })?;
        rows.collect()
    }

    /// The same for one key.
    pub(crate) fn brief(&self, bucket: &str, key: &str) -> Sql<Option<Brief>> {
        Ok(self.briefs(bucket, key, key)?.remove(key))
    }

    pub(crate) fn buckets(&self) -> Sql<Vec<(String, i64)>> {
        self.lock()
            .prepare_cached("SELECT name, created FROM buckets ORDER BY name")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }

    pub(crate) fn add_bucket(&self, name: &str, created: i64) -> Sql<()> {
        self.lock()
            .execute("INSERT OR REPLACE INTO buckets(name, created) VALUES(?1, ?2)", params![name, created])
            .map(|_| ())
    }

    /// Removes a bucket with everything that belongs to it; answers its uploads' ids.
    pub(crate) fn remove_bucket(&self, name: &str) -> Sql<Vec<String>> {
        let mut lock = self.lock();
        let transaction = lock.transaction()?;
        let uploads = transaction
            .prepare("SELECT id FROM uploads WHERE bucket = ?1")?
            .query_map([name], |row| row.get(0))?
            .collect::<Sql<Vec<String>>>()?;
        transaction.execute(
            "DELETE FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?1)",
            [name],
        )?;
        for table in
            ["uploads", "objects", "notifications", "configurations", "made_folders", "completed", "markers"]
        {
            transaction.execute(&format!("DELETE FROM {table} WHERE bucket = ?1"), [name])?;
        }
        transaction.execute("DELETE FROM buckets WHERE name = ?1", [name])?;
        transaction.commit()?;
        Ok(uploads)
    }

    pub(crate) fn notification(&self, bucket: &str) -> Sql<Option<NotificationConfiguration>> {
        self.lock()
            .prepare_cached("SELECT configuration FROM notifications WHERE bucket = ?1")?
            .query_row([bucket], |row| row.get::<_, String>(0))
            .optional()?
            .map(|text| unjson(&text))
            .transpose()
    }

    pub(crate) fn set_notification(
        &self,
        bucket: &str,
        configuration: &NotificationConfiguration,
    ) -> Sql<()> {
        let text = json(configuration)?;
        self.lock()
            .execute(
                "INSERT OR REPLACE INTO notifications(bucket, configuration) VALUES(?1, ?2)",
                params![bucket, text],
            )
            .map(|_| ())
    }

    /// Remembers a folder that was made for a client's key.
    pub(crate) fn made_folder(&self, bucket: &str, folder: &str, inode: u64) -> Sql<()> {
        self.lock()
            .prepare_cached("INSERT OR REPLACE INTO made_folders(bucket, folder, inode) VALUES(?1, ?2, ?3)")?
            .execute(params![bucket, folder, inode.cast_signed()])
            .map(|_| ())
    }

    /// The inode of a folder that was made for a client's key.
    pub(crate) fn is_made_folder(&self, bucket: &str, folder: &str) -> Sql<Option<u64>> {
        self.lock()
            .prepare_cached("SELECT inode FROM made_folders WHERE bucket = ?1 AND folder = ?2")?
            .query_row(params![bucket, folder], |row| row.get::<_, i64>(0))
            .optional()
            .map(|inode| inode.map(i64::cast_unsigned))
    }

    pub(crate) fn forget_folder(&self, bucket: &str, folder: &str) -> Sql<()> {
        self.lock()
            .prepare_cached("DELETE FROM made_folders WHERE bucket = ?1 AND folder = ?2")?
            .execute(params![bucket, folder])
            .map(|_| ())
    }

    /// Records an unfinished file before it is created.
    pub(crate) fn add_stray(&self, root: &str, folder: &str, name: &str) -> Sql<i64> {
        let lock = self.lock();
        lock.execute(
            "INSERT INTO strays(root, folder, name) VALUES(?1, ?2, ?3)",
            params![root, folder, name],
        )?;
        Ok(lock.last_insert_rowid())
    }

    pub(crate) fn remove_stray(&self, id: i64) -> Sql<()> {
        self.lock().execute("DELETE FROM strays WHERE id = ?1", [id]).map(|_| ())
    }

    pub(crate) fn strays(&self, root: &str) -> Sql<Vec<Stray>> {
        self.lock()
            .prepare("SELECT id, root, folder, name FROM strays WHERE root = ?1")?
            .query_map([root], |row| {
                Ok(Stray { id: row.get(0)?, root: row.get(1)?, folder: row.get(2)?, name: row.get(3)? })
            })?
            .collect()
    }

    /// The folders in which unfinished files may lie.
    pub(crate) fn stray_roots(&self) -> Sql<Vec<String>> {
        self.lock().prepare("SELECT DISTINCT root FROM strays")?.query_map([], |row| row.get(0))?.collect()
    }

    pub(crate) fn add_upload(&self, upload: &Upload) -> Sql<()> {
        let attributes = json(&upload.attributes)?;
        self.lock()
            .execute(
                "INSERT INTO uploads(id, bucket, key, initiated, attributes) VALUES(?1,?2,?3,?4,?5)",
                params![upload.id, upload.bucket, upload.key, upload.initiated, attributes],
            )
            .map(|_| ())
    }

    pub(crate) fn upload(&self, bucket: &str, key: &str, id: &str) -> Sql<Option<Upload>> {
        self.lock()
            .prepare_cached("SELECT id, bucket, key, initiated, attributes FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
            .query_row(params![id, bucket, key], upload)
            .optional()
    }

    /// Uploads of a bucket in order of key and id.
    pub(crate) fn uploads(&self, bucket: &str) -> Sql<Vec<Upload>> {
        self.lock()
            .prepare_cached("SELECT id, bucket, key, initiated, attributes FROM uploads WHERE bucket = ?1 ORDER BY key, id")?
            .query_map([bucket], upload)?
            .collect()
    }

    pub(crate) fn upload_ids(&self) -> Sql<Vec<String>> {
        self.lock().prepare("SELECT id FROM uploads")?.query_map([], |row| row.get(0))?.collect()
    }

    /// Ends an upload without an object.
    pub(crate) fn remove_upload(&self, id: &str) -> Sql<()> {
        self.end_upload(id, None)
    }

    /// Records a part; answers the file of the part it replaces. Nothing is
    /// recorded, and `None` answered, if the upload ended meanwhile.
    pub(crate) fn put_part(&self, id: &str, part: &Part) -> Sql<Option<Option<String>>> {
        let sums = json(&part.sums)?;
        let mut lock = self.lock();
        let transaction = lock.transaction()?;
        let alive = transaction
            .query_row("SELECT 1 FROM uploads WHERE id = ?1", [id], |_| Ok(()))
            .optional()?
            .is_some();
        if !alive {
            return Ok(None);
        }
        let old = transaction
            .query_row(
                "SELECT file FROM parts WHERE upload = ?1 AND number = ?2",
                params![id, part.number],
                |row| row.get(0),
            )
            .optional()?;
        transaction.execute(
            "INSERT OR REPLACE INTO parts(upload, number, file, etag, size, modified, sums) VALUES(?1,?2,?3,?4,?5,?6,?7)",
            params![id, part.number, part.file, part.etag, part.size.cast_signed(), part.modified, sums],
        )?;
        transaction.commit()?;
        Ok(Some(old))
    }

    pub(crate) fn parts(&self, id: &str) -> Sql<Vec<Part>> {
        self.lock()
            .prepare_cached("SELECT number, file, etag, size, modified, sums FROM parts WHERE upload = ?1 ORDER BY number")?
            .query_map([id], |row| {
                Ok(Part {
                    number: row.get(0)?,
                    file: row.get(1)?,
                    etag: row.get(2)?,
                    size: row.get::<_, i64>(3)?.cast_unsigned(),
                    modified: row.get(4)?,
                    sums: unjson(&row.get::<_, String>(5)?)?,
                })
            })?
            .collect()
    }

    /// The value below which every sequencer was possibly given out.
    pub(crate) fn high_water(&self) -> Sql<u64> {
        let value: Option<i64> =
            self.lock().query_row("SELECT high_water FROM clock", [], |row| row.get(0)).optional()?;
        Ok(value.unwrap_or(0).cast_unsigned())
    }

    pub(crate) fn set_high_water(&self, value: u64) -> Sql<()> {
        self.lock()
            .prepare_cached("INSERT OR REPLACE INTO clock(id, high_water) VALUES(0, ?1)")?
            .execute([value.cast_signed()])
            .map(|_| ())
    }
}

fn upload(row: &rusqlite::Row<'_>) -> Sql<Upload> {
    Ok(Upload {
        id: row.get(0)?,
        bucket: row.get(1)?,
        key: row.get(2)?,
        initiated: row.get(3)?,
        attributes: unjson(&row.get::<_, String>(4)?)?,
    })
}
