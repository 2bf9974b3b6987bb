//! Writing over a file that has more than one name (hard links): all of them
//! must show the new content, so the file itself is written over instead of
//! being replaced.
//!
//! That cannot be done in one step, so it is made sure that it is done in the
//! end: the whole content lies in the state directory, with a record of what it
//! is for, before the first byte is written. After a crash the next start
//! writes it again, if the file is still the same one.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::bucket::Bucket;
use crate::error::{Doing, Fault, Outcome, StoreError};
use crate::fsys::{self, Stamp};
use crate::keys::{self, Key};
use crate::sidecar::{Record, Redo};
use crate::staging::Staged;
use crate::store::Inner;

/// What has been done so far; tests stop after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The content lies in the state directory.
    Kept,
    /// It is recorded what it is for.
    Noted,
    /// Half of it is written.
    Half,
    /// All of it is written; more of the old content may follow.
    Written,
    /// The file has its length, and is on disk.
    Synced,
    /// The object's record is written.
    Recorded,
}

/// Told of each step; an error ends the work there, as a crash would.
pub(crate) type Reached<'a> = &'a dyn Fn(Step) -> io::Result<()>;

/// An object whose content was written at a start, to be announced.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) key: String,
    pub(crate) stamp: Stamp,
    pub(crate) etag: String,
}

impl Inner {
    /// Writes a received file over the one at a key, which is locked.
    pub(crate) fn write_over(
        &self,
        bucket: &Bucket,
        path: Key<'_>,
        folder: &OwnedFd,
        staged: Staged,
        record: &Record,
        reached: Reached<'_>,
    ) -> Outcome<()> {
        let (target, before) = fsys::open_to_write(folder, path.name()).doing("writing over a file")?;
        let size = staged.file.metadata().doing("writing over a file")?.len();
        make_room(&target, size).doing("making room for an object")?;
        let root = bucket
            .path
            .to_str()
            .ok_or_else(|| Fault::internal("writing over a file", "the folder's path is not UTF-8"))?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        staged.file.sync_all().doing("writing over a file")?;
        staged.keep_copy(self, &self.redo, &name).doing("keeping a received file")?;
        reached(Step::Kept).doing("writing over a file")?;
        let mut redo = Redo {
            id: 0,
            root: root.to_owned(),
            key: path.text().to_owned(),
            inode: before.stamp.inode,
            file: name,
            record: record.clone(),
        };
        redo.id = match self.sidecar.add_redo(&redo) {
            Ok(id) => id,
            Err(error) => {
                self.remove_redo_file(&redo.file);
                return Err(error.into());
            }
        };
        reached(Step::Noted).doing("writing over a file")?;
        let lock = self.inode_lock(before.device, before.stamp.inode);
        let _nobody_reads = lock.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = self
            .write_content(&redo, &target, before.stamp.mtime_ns, reached)
            .doing("writing over a file")
            .and_then(|stamp| Ok(self.sidecar.put(&bucket.name, path.text(), bucket.stamp(stamp), record)?))
            .and_then(|()| reached(Step::Recorded).doing("writing over a file"));
        if let Err(fault) = done {
            tracing::error!(
                bucket = %bucket.name,
                key = path.text(),
                "a file with hard links was not written to its end; that is done at the next start"
            );
            return Err(fault);
        }
        self.drop_redo(&redo);
        Ok(())
    }

    /// Copies a kept content over a file and answers the file's new state.
    fn write_content(
        &self,
        redo: &Redo,
        mut target: &File,
        before_ns: i64,
        reached: Reached<'_>,
    ) -> io::Result<Stamp> {
        let (mut content, status) = fsys::open_file(&self.redo, &redo.file)?;
        let size = status.stamp.size;
        io::copy(&mut (&mut content).take(size / 2), &mut target)?;
        reached(Step::Half)?;
        io::copy(&mut content, &mut target)?;
        reached(Step::Written)?;
        target.set_len(size)?;
        // Readers that have the file open see by its time that it changed.
        fsys::touch_after(target, before_ns)?;
        target.sync_all()?;
        reached(Step::Synced)?;
        Ok(fsys::status_of(target)?.stamp)
    }

    /// Finishes what a crash interrupted in a bucket that is about to be served.
    pub(crate) fn finish_writes(&self, bucket: &Bucket) -> Result<Vec<Finished>, StoreError> {
        let Some(root) = bucket.path.to_str() else { return Ok(Vec::new()) };
        let mut finished = Vec::new();
        for redo in self.sidecar.redos(root)? {
            match self.finish_write(bucket, &redo) {
                Ok(Some(stamp)) => {
                    let stamp = bucket.stamp(stamp);
                    self.sidecar.put(&bucket.name, &redo.key, stamp, &redo.record)?;
                    let etag = redo.record.etag.clone().unwrap_or_else(|| stamp.etag());
                    tracing::info!(bucket = %bucket.name, key = %redo.key, "an interrupted write was finished");
                    finished.push(Finished { key: redo.key.clone(), stamp, etag });
                }
                // Replaced or removed since: there is nothing half-written at this key.
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(bucket = %bucket.name, key = %redo.key, %error, "an interrupted write could not be finished");
                    continue;
                }
            }
            self.drop_redo(&redo);
        }
        Ok(finished)
    }

    fn finish_write(&self, bucket: &Bucket, redo: &Redo) -> io::Result<Option<Stamp>> {
        let Ok(path) = Key::parse(&redo.key) else { return Ok(None) };
        let components = keys::folder_components(path.folder()).unwrap_or_default();
        let opened = fsys::open_root(&bucket.path)
            .and_then(|root| fsys::descend(root, components))
            .and_then(|folder| fsys::open_to_write(&folder, path.name()));
        let (target, before) = match opened {
            Ok(opened) => opened,
            Err(error) if fsys::is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if before.stamp.inode != redo.inode {
            return Ok(None);
        }
        self.write_content(redo, &target, before.stamp.mtime_ns, &|_| Ok(())).map(Some)
    }

    fn drop_redo(&self, redo: &Redo) {
        if let Err(error) = self.sidecar.remove_redo(redo.id) {
            tracing::warn!(%error, "the record of a finished write could not be removed");
            return;
        }
        self.remove_redo_file(&redo.file);
    }

    fn remove_redo_file(&self, name: &str) {
        if let Err(error) = fsys::remove_file(&self.redo, name) {
            tracing::warn!(%error, "the file of a finished write could not be removed");
        }
    }
}

/// Removes contents without a record: nothing was written of them yet, or all.
pub(crate) fn clear(path: &Path, recorded: &[String]) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_recorded =
            entry.file_name().to_str().is_some_and(|name| recorded.iter().any(|one| one == name));
        if !is_recorded {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Takes the space that a longer content needs before anything is changed.
#[cfg(target_os = "linux")]
fn make_room(target: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    if size == 0 {
        return Ok(());
    }
    match fallocate(target, FallocateFlags::KEEP_SIZE, 0, size) {
        // Not every file system can.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes the space that a longer content needs before anything is changed.
#[cfg(not(target_os = "linux"))]
fn make_room(_target: &File, _size: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::access::Access;
    use crate::store::{Options, Store, Watch};

    const STEPS: [Step; 6] =
        [Step::Kept, Step::Noted, Step::Half, Step::Written, Step::Synced, Step::Recorded];

    fn open(state: &Path, folder: &Path) -> Store {
        let store = Store::open(state, Options { watch: Watch::Off, ..Options::default() }).unwrap();
        store.add_bucket("bucket", folder, Access::ReadWrite).unwrap();
        store
    }

    /// Writes over `d/k` until a step, as if the process ended there.
    fn write_until(store: &Store, content: &[u8], last: Step) {
        let inner = &store.inner;
        let bucket = inner.find("bucket").unwrap();
        let mut staged = Staged::new(inner, &bucket).unwrap();
        staged.file.write_all(content).unwrap();
        let folder = fsys::descend(bucket.root().unwrap(), ["d"]).unwrap();
        let record = Record { etag: Some("e".repeat(32)), ..Record::default() };
        let stop = |step| if step == last { Err(io::Error::other("stopped")) } else { Ok(()) };
        let path = Key::parse("d/k").unwrap();
        assert!(inner.write_over(&bucket, path, &folder, staged, &record, &stop).is_err());
    }

    #[test]
    fn a_crash_at_any_step_leaves_a_whole_file_after_the_next_start() {
        let (short, long) = (vec![b's'; 10], vec![b'l'; 3_000_000]);
        for step in STEPS {
            for (old, new) in [(&short, &long), (&long, &short)] {
                let root = tempfile::tempdir().unwrap();
                let (state, folder) = (root.path().join("state"), root.path().join("folder"));
                std::fs::create_dir_all(folder.join("d")).unwrap();
                let (path, link) = (folder.join("d/k"), root.path().join("link"));
                std::fs::write(&path, old).unwrap();
                std::fs::hard_link(&path, &link).unwrap();
                let inode = path.metadata().unwrap().ino();
                let store = open(&state, &folder);
                write_until(&store, new, step);
                drop(store);

                let store = open(&state, &folder);
                let want = if step == Step::Kept { old } else { new };
                assert!(std::fs::read(&path).unwrap() == *want, "{step:?}");
                assert!(std::fs::read(&link).unwrap() == *want, "{step:?}");
                assert_eq!((path.metadata().unwrap().ino(), path.metadata().unwrap().nlink()), (inode, 2));
                let object = store.inner.stat_object(&store.inner.find("bucket").unwrap(), "d/k").unwrap();
                assert_eq!(object.etag == "e".repeat(32), step != Step::Kept, "{step:?}");
                assert_eq!(std::fs::read_dir(state.join("redo")).unwrap().count(), 0, "{step:?}");
                assert!(store.inner.sidecar.redo_files().unwrap().is_empty());
            }
        }
    }

    #[test]
    fn a_file_that_was_replaced_since_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let (state, folder) = (root.path().join("state"), root.path().join("folder"));
        std::fs::create_dir_all(folder.join("d")).unwrap();
        let path = folder.join("d/k");
        std::fs::write(&path, "old").unwrap();
        std::fs::hard_link(&path, root.path().join("link")).unwrap();
        let store = open(&state, &folder);
        write_until(&store, b"new", Step::Half);
        drop(store);
        std::fs::write(folder.join("d/other"), "other").unwrap();
        std::fs::rename(folder.join("d/other"), &path).unwrap();
        drop(open(&state, &folder));
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
        assert_eq!(std::fs::read_dir(state.join("redo")).unwrap().count(), 0);
    }
}
