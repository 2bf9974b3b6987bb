//! Objects: looking at one, putting one in place, removing one. All of it
//! blocks.

pub(crate) mod markers;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{PoisonError, RwLockReadGuard};

use s3s::S3ErrorCode;

use crate::bucket::{Bucket, BucketKind};
use crate::conditions::WriteConditions;
use crate::error::{Doing, Fault, Outcome};
use crate::events::EventName;
use crate::fsys::{self, Kind, Stamp, Status};
use crate::keys::{self, Key};
use crate::parts::Layout;
use crate::sidecar::{Attributes, Marker, Record};
use crate::staging::{Outfit, Staged, Unmoved};
use crate::store::Inner;

/// An object in its present state.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) stamp: Stamp,
    pub(crate) etag: String,
    pub(crate) attributes: Attributes,
    /// Whether the file has other names, and so may be written over in place.
    pub(crate) linked: bool,
}

impl Object {
    /// Where its parts meet, if it was uploaded in parts.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.attributes.layout.as_ref().filter(|layout| layout.size() == self.stamp.size)
    }
}

/// How often placing a file is tried again when its folder is removed under it.
const TRIES: usize = 16;

impl Inner {
    /// Opens an object for reading.
    pub(crate) fn open_object(&self, bucket: &Bucket, key: &str) -> Outcome<(File, Object)> {
        self.open_still(bucket, key).map(|(file, object, _)| (file, object))
    }

    /// Opens an object for reading. While the guard is held, which there is for a
    /// file with other names, nobody writes over it through this endpoint.
    pub(crate) fn open_still(
        &self,
        bucket: &Bucket,
        key: &str,
    ) -> Outcome<(File, Object, Option<RwLockReadGuard<'_, ()>>)> {
        if markers::is_folder(key) {
            return self.open_marker(bucket, key).map(|(folder, object)| (folder, object, None));
        }
        let root = bucket.root()?;
        // No such file can exist, so no such object does.
        let Ok(path) = Key::parse(key) else { return Err(Fault::no_such_key()) };
        let opened = folder_of(bucket, root, path).and_then(|folder| {
            fsys::open_file(&folder, path.name())
                .inspect_err(|error| note_denied(bucket, path, &folder, error))
        });
        match opened {
            Ok((file, mut status)) => {
                // A file that may be read again is left to the watcher, which announces it.
                let guard = (status.links > 1).then(|| self.hold_still(&status));
                if guard.is_some() {
                    status = fsys::status_of(&file).doing("opening an object")?;
                }
                let object = self.object(bucket, key, &status)?;
                Ok((file, object, guard))
            }
            Err(e) if fsys::is_missing(&e) => Err(Fault::no_such_key()),
            Err(e) if fsys::is_denied(&e) => Err(Fault::unreadable()),
            Err(e) => Err(e).doing("opening an object"),
        }
    }

    fn hold_still(&self, status: &Status) -> RwLockReadGuard<'_, ()> {
        let lock = self.inode_lock(status.device, status.stamp.inode);
        lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at an object.
    pub(crate) fn stat_object(&self, bucket: &Bucket, key: &str) -> Outcome<Object> {
        if markers::is_folder(key) {
            return self.open_marker(bucket, key).map(|(_, object)| object);
        }
        let root = bucket.root()?;
        let Ok(path) = Key::parse(key) else { return Err(Fault::no_such_key()) };
        let status = folder_of(bucket, root, path).and_then(|folder| {
            let look = || fsys::status_at(&folder, path.name());
            match look() {
                // Not while it is written over.
                Ok(status) if status.kind == Kind::File && status.links > 1 => {
                    let _guard = self.hold_still(&status);
                    look()
                }
                Err(error) => {
                    note_denied(bucket, path, &folder, &error);
                    Err(error)
                }
                done => done,
            }
        });
        match status {
            Ok(status) if status.kind == Kind::File => self.object(bucket, key, &status),
            Ok(_) => Err(Fault::no_such_key()),
            Err(e) if fsys::is_missing(&e) => Err(Fault::no_such_key()),
            Err(e) if fsys::is_denied(&e) => Err(Fault::unreadable()),
            Err(e) => Err(e).doing("looking at an object"),
        }
    }

    /// What is known about a file in a state.
    fn object(&self, bucket: &Bucket, key: &str, status: &Status) -> Outcome<Object> {
        let stamp = bucket.stamp(status.stamp);
        let record = self.sidecar.record(&bucket.name, key, stamp)?.unwrap_or_default();
        Ok(Object {
            stamp,
            etag: record.etag.unwrap_or_else(|| stamp.etag()),
            attributes: record.attributes,
            linked: status.links > 1,
        })
    }

    fn check_write(&self, bucket: &Bucket, key: &str, conditions: &WriteConditions) -> Outcome<()> {
        if conditions.is_empty() {
            return Ok(());
        }
        let present = match self.stat_object(bucket, key) {
            Ok(object) => Some(object.etag),
            Err(fault) if fault.is_missing() => None,
            Err(fault) => return Err(fault),
        };
        conditions.check(present.as_deref())
    }

    /// Checks what can be checked before a body is received.
    pub(crate) fn check_put(&self, bucket: &Bucket, key: &str, conditions: &WriteConditions) -> Outcome<()> {
        if markers::is_folder(key) { Key::parse_folder(key) } else { Key::parse(key) }
            .map_err(|refusal| refusal.fault(key))?;
        let _root = bucket.root()?;
        self.check_write(bucket, key, conditions)
    }

    /// Puts a received file in place: conditions, move, record and event in one step.
    pub(crate) fn commit(
        &self,
        bucket: &Bucket,
        key: &str,
        staged: Staged,
        record: &Record,
        conditions: &WriteConditions,
        event: EventName,
    ) -> Outcome<Object> {
        let path = Key::parse(key).map_err(|refusal| refusal.fault(key))?;
        let _guard = self.lock_key(&bucket.name, key);
        self.check_write(bucket, key, conditions)?;
        let folder = match self.place(bucket, path, staged, record) {
            Ok(folder) => folder,
            Err(fault) => {
                // Folders may have been made for it that nobody needs now.
                self.prune(bucket, path.folder());
                return Err(fault);
            }
        };
        let status = fsys::status_at(&folder, path.name()).doing("looking at a new object")?;
        let stamp = bucket.stamp(status.stamp);
        self.sidecar.put(&bucket.name, key, stamp, record)?;
        let etag = record.etag.clone().unwrap_or_else(|| stamp.etag());
        note(bucket, key, Some(stamp));
        self.announce(bucket, key, event, Some((stamp.size, etag.clone())));
        Ok(Object { stamp, etag, attributes: record.attributes.clone(), linked: status.links > 1 })
    }

    fn place(&self, bucket: &Bucket, path: Key<'_>, mut staged: Staged, record: &Record) -> Outcome<OwnedFd> {
        for _ in 0..TRIES {
            let folder = match self.make_folders(bucket, path) {
                Ok(folder) => folder,
                // Another request removed a folder it had just emptied.
                Err(MakeFolders::Refused(e)) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(MakeFolders::Refused(e)) => return Err(refused(e, path)),
                Err(MakeFolders::Fault(fault)) => return Err(fault),
            };
            let outfit = match fsys::status_at(&folder, path.name()) {
                Ok(status) if status.kind != Kind::File => return Err(conflict(path)),
                _ if bucket.kind == BucketKind::Created => Outfit::Private,
                Ok(status) if status.links > 1 => {
                    self.write_over(bucket, path, &folder, staged, record, &|_| Ok(()))?;
                    return Ok(folder);
                }
                Ok(status) => Outfit::After(status),
                Err(_) => Outfit::Mode(0o666 & !self.umask),
            };
            match staged.rename(&self.sidecar, bucket, &folder, path.folder(), path.name(), &outfit) {
                Ok(()) => return Ok(folder),
                Err(Unmoved::Refused(again, e)) if e.kind() == io::ErrorKind::NotFound => staged = again,
                Err(Unmoved::Refused(_, e)) => return Err(refused(e, path)),
                Err(Unmoved::Failed(fault)) => return Err(fault),
            }
        }
        Err(Fault::internal("placing an object", "its folder is removed again and again"))
    }

    /// Opens the folder of a key, making what is missing.
    fn make_folders(&self, bucket: &Bucket, path: Key<'_>) -> Result<OwnedFd, MakeFolders> {
        let mut folder = bucket.root().map_err(MakeFolders::Fault)?;
        let components = keys::folder_components(path.folder()).unwrap_or_default();
        let mut key = String::new();
        for name in components {
            key.push_str(name);
            key.push('/');
            folder = match fsys::open_folder(&folder, name) {
                Ok(inner) => inner,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    let made = fsys::make_folder(&folder, name).map_err(MakeFolders::Refused)?;
                    let inner = fsys::open_folder(&folder, name).map_err(MakeFolders::Refused)?;
                    if made && bucket.kind == BucketKind::Folder {
                        let status = fsys::status_of(&inner).map_err(MakeFolders::Refused)?;
                        // The umask that the process has is perhaps not the user's.
                        let mode = (status.mode & 0o7000) | (0o777 & !self.umask);
                        if let Err(error) = fsys::set_mode(&inner, mode) {
                            tracing::debug!(%error, "the permissions of a folder could not be set");
                        }
                        self.sidecar
                            .made_folder(&bucket.name, &key, bucket.stamp(status.stamp).inode)
                            .map_err(|e| MakeFolders::Fault(e.into()))?;
                    }
                    inner
                }
                Err(e) => return Err(MakeFolders::Refused(e)),
            };
        }
        Ok(folder)
    }

    /// Removes an object; nothing there is fine.
    pub(crate) fn delete_object(
        &self,
        bucket: &Bucket,
        key: &str,
        conditions: &WriteConditions,
    ) -> Outcome<()> {
        if markers::is_folder(key) {
            return self.delete_marker(bucket, key, conditions);
        }
        let root = bucket.root()?;
        let Ok(path) = Key::parse(key) else { return conditions.check(None) };
        let _guard = self.lock_key(&bucket.name, key);
        self.check_write(bucket, key, conditions)?;
        let removed = folder_of(bucket, root, path).and_then(|folder| {
            // A folder or a link of that name is not an object.
            match fsys::status_at(&folder, path.name())?.kind {
                Kind::File => fsys::remove_file(&folder, path.name()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        });
        match removed {
            Ok(()) => {}
            Err(e) if fsys::is_missing(&e) => return Ok(()),
            Err(e) => return Err(e).doing("removing an object"),
        }
        self.sidecar.delete(&bucket.name, key)?;
        bucket.unreadable.forget(&bucket.name, key);
        note(bucket, key, None);
        self.announce(bucket, key, EventName::Delete, None);
        self.prune(bucket, path.folder());
        Ok(())
    }

    /// Removes the empty folders that clients' keys had made, from the inside out.
    fn prune(&self, bucket: &Bucket, folder: &str) {
        let mut folder = folder;
        while let Some(inner) = folder.strip_suffix('/') {
            let (outer, name) = match inner.rfind('/') {
                Some(at) => inner.split_at(at + 1),
                None => ("", inner),
            };
            if !self.prune_one(bucket, folder, outer, name) {
                return;
            }
            folder = outer;
        }
    }

    fn prune_one(&self, bucket: &Bucket, folder: &str, outer: &str, name: &str) -> bool {
        let Ok(root) = bucket.root() else { return false };
        let Some(components) = keys::folder_components(outer) else { return false };
        let Ok(parent) = fsys::descend(root, components) else { return false };
        if fsys::status_at(&parent, name)
            .is_ok_and(|status| self.is_marked(bucket, folder, bucket.stamp(status.stamp).inode))
        {
            return false;
        }
        if bucket.kind == BucketKind::Folder {
            let Ok(Some(inode)) = self.sidecar.is_made_folder(&bucket.name, folder) else { return false };
            let ours = fsys::status_at(&parent, name)
                .is_ok_and(|status| status.kind == Kind::Folder && bucket.stamp(status.stamp).inode == inode);
            if !ours {
                return false;
            }
        }
        if fsys::remove_folder(&parent, name).is_err() {
            return false;
        }
        if bucket.kind == BucketKind::Folder
            && let Err(error) = self.sidecar.forget_folder(&bucket.name, folder)
        {
            tracing::warn!(%error, "a removed folder could not be forgotten");
        }
        true
    }

    /// Changes the attributes of an object in place (its tags), and announces it.
    pub(crate) fn change_attributes(
        &self,
        bucket: &Bucket,
        key: &str,
        event: EventName,
        change: impl FnOnce(&mut Attributes),
    ) -> Outcome<()> {
        let _guard = self.lock_key(&bucket.name, key);
        let object = self.stat_object(bucket, key)?;
        if markers::is_folder(key) {
            let Stamp { mtime_ns: modified_ns, inode, .. } = object.stamp;
            let mut attributes = object.attributes;
            change(&mut attributes);
            return Ok(self.sidecar.put_marker(
                &bucket.name,
                key,
                &Marker { inode, modified_ns, attributes },
            )?);
        }
        let mut record = self.sidecar.record(&bucket.name, key, object.stamp)?.unwrap_or_default();
        change(&mut record.attributes);
        self.sidecar.put(&bucket.name, key, object.stamp, &record)?;
        self.announce(bucket, key, event, Some((object.stamp.size, object.etag)));
        Ok(())
    }
}

enum MakeFolders {
    Refused(io::Error),
    Fault(Fault),
}

/// Keeps the watcher from announcing what is announced now.
fn note(bucket: &Bucket, key: &str, state: Option<Stamp>) {
    if bucket.kind == BucketKind::Folder {
        bucket.note_announced(key, state);
    }
}

fn folder_of(bucket: &Bucket, root: OwnedFd, path: Key<'_>) -> io::Result<OwnedFd> {
    bucket.descend(root, &keys::folder_components(path.folder()).unwrap_or_default())
}

/// Notes which of a file and its folder may not be read.
fn note_denied(bucket: &Bucket, path: Key<'_>, folder: &OwnedFd, error: &io::Error) {
    if fsys::is_denied(error) {
        let searched = fsys::check_search(folder).is_ok();
        bucket.note_unreadable(if searched { path.text() } else { path.folder() });
    }
}

fn conflict(path: Key<'_>) -> Fault {
    Fault::invalid(format!(
        "the key {:?} cannot be stored in a folder: a folder, a link or another kind of file is in its way",
        path.text()
    ))
}

/// What the client is told when the system does not take a path.
fn refused(error: io::Error, path: Key<'_>) -> Fault {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return conflict(path);
    }
    match error.kind() {
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::AlreadyExists => conflict(path),
        io::ErrorKind::InvalidFilename => Fault::client(
            S3ErrorCode::KeyTooLongError,
            format!(
                "the key {:?} cannot be stored in a folder: the file system finds it too long",
                path.text()
            ),
        ),
        io::ErrorKind::InvalidInput => Fault::invalid(format!(
            "the key {:?} cannot be stored in a folder: the file system does not take such a name",
            path.text()
        )),
        _ => match Err::<(), _>(error).doing("placing an object") {
            Err(fault) => fault,
            Ok(()) => Fault::internal("placing an object", "unknown"),
        },
    }
}
