//! Records of contents that are being written over files in place; see
//! `in_place`.

use rusqlite::params;

use super::{Record, Sidecar, Sql, json, unjson};

/// A content that is to be written over a file.
#[derive(Debug, Clone)]
pub(crate) struct Redo {
    pub(crate) id: i64,
    /// The bucket's folder; names of buckets may change between starts.
    pub(crate) root: String,
    pub(crate) key: String,
    /// The file that is written over.
    pub(crate) inode: u64,
    /// The name of the content's file in the state directory.
    pub(crate) file: String,
    /// What is recorded of the object when it is done.
    pub(crate) record: Record,
}

impl Sidecar {
    /// Records a content before the first byte is written over a file, in the
    /// place of one for the same key that was not finished. It outlasts a power
    /// cut when this returns.
    pub(crate) fn add_redo(&self, redo: &Redo) -> Sql<i64> {
        let attributes = json(&redo.record.attributes)?;
        let mut lock = self.lock();
        lock.pragma_update(None, "synchronous", "FULL")?;
        let mut insert = || {
            let transaction = lock.transaction()?;
            transaction
                .execute("DELETE FROM redo WHERE root = ?1 AND key = ?2", params![redo.root, redo.key])?;
            transaction.execute(
                "INSERT INTO redo(root, key, inode, file, etag, attributes) VALUES(?1,?2,?3,?4,?5,?6)",
                params![
                    redo.root,
                    redo.key,
                    redo.inode.cast_signed(),
                    redo.file,
                    redo.record.etag,
                    attributes
                ],
            )?;
            let id = transaction.last_insert_rowid();
            transaction.commit()?;
            Ok(id)
        };
        let inserted = insert();
        lock.pragma_update(None, "synchronous", "NORMAL")?;
        inserted
    }

    pub(crate) fn remove_redo(&self, id: i64) -> Sql<()> {
        self.lock().execute("DELETE FROM redo WHERE id = ?1", [id]).map(|_| ())
    }

    /// What is to be finished in a folder, the oldest first.
    pub(crate) fn redos(&self, root: &str) -> Sql<Vec<Redo>> {
        self.lock()
            .prepare(
                "SELECT id, root, key, inode, file, etag, attributes FROM redo WHERE root = ?1 ORDER BY id",
            )?
            .query_map([root], |row| {
                Ok(Redo {
                    id: row.get(0)?,
                    root: row.get(1)?,
                    key: row.get(2)?,
                    inode: row.get::<_, i64>(3)?.cast_unsigned(),
                    file: row.get(4)?,
                    record: Record { etag: row.get(5)?, attributes: unjson(&row.get::<_, String>(6)?)? },
                })
            })?
            .collect()
    }

    /// The files of all contents that are to be finished.
    pub(crate) fn redo_files(&self) -> Sql<Vec<String>> {
        self.lock().prepare("SELECT file FROM redo")?.query_map([], |row| row.get(0))?.collect()
    }
}
