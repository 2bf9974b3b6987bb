//! Folders as objects. An empty object whose key ends in a slash is how clients
//! make a folder: here it makes one. What its headers said is kept in the
//! database, and as long as the folder is there it is listed, read and copied
//! like any object. It is nothing to be indexed, so no event tells of it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use crate::bucket::Bucket;
use crate::conditions::WriteConditions;
use crate::error::{Doing, Fault, Outcome};
use crate::fsys::{self, Stamp};
use crate::keys::{self, Key};
use crate::objects::{MakeFolders, Object, TRIES, folder_of, refused};
use crate::sidecar::{Attributes, Marker, Sidecar};
use crate::store::Inner;

/// The MD5 of nothing.
pub(crate) const EMPTY: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// Tells whether a key is that of a folder.
pub(crate) fn is_folder(key: &str) -> bool {
    key.ends_with('/')
}

/// Why an object with content cannot have such a key.
pub(crate) fn no_content(key: &str) -> Fault {
    Fault::invalid(format!(
        "the key {key:?} ends in a slash, so it is a folder here: it can be made with an empty object and has no content"
    ))
}

fn object(marker: Marker) -> Object {
    Object {
        stamp: Stamp { size: 0, mtime_ns: marker.modified_ns, inode: marker.inode },
        etag: EMPTY.to_owned(),
        attributes: marker.attributes,
        linked: false,
    }
}

impl Inner {
    /// The marker of a folder, and the folder itself. A folder that another
    /// program removed or replaced since has none.
    pub(crate) fn open_marker(&self, bucket: &Bucket, key: &str) -> Outcome<(File, Object)> {
        let root = bucket.root()?;
        let Ok(path) = Key::parse_folder(key) else { return Err(Fault::no_such_key()) };
        let Some(marker) = self.sidecar.marker(&bucket.name, key)? else { return Err(Fault::no_such_key()) };
        match folder_of(bucket, root, path) {
            Ok(folder) => {
                let status = fsys::status_of(&folder).doing("looking at a folder")?;
                if bucket.stamp(status.stamp).inode != marker.inode {
                    return Err(Fault::no_such_key());
                }
                Ok((File::from(folder), object(marker)))
            }
            Err(e) if fsys::is_missing(&e) => Err(Fault::no_such_key()),
            Err(e) if fsys::is_denied(&e) => Err(Fault::unreadable()),
            Err(e) => Err(e).doing("looking at a folder"),
        }
    }

    /// Makes a folder, and its marker.
    pub(crate) fn put_marker(
        &self,
        bucket: &Bucket,
        key: &str,
        attributes: Attributes,
        conditions: &WriteConditions,
    ) -> Outcome<Object> {
        let path = Key::parse_folder(key).map_err(|refusal| refusal.fault(key))?;
        let _guard = self.lock_key(&bucket.name, key);
        self.check_write(bucket, key, conditions)?;
        let folder = self.make_folder(bucket, path)?;
        let status = fsys::status_of(&folder).doing("making a folder")?;
        let inode = bucket.stamp(status.stamp).inode;
        let marker = Marker { inode, modified_ns: fsys::now_ns(), attributes };
        self.sidecar.put_marker(&bucket.name, key, &marker)?;
        Ok(object(marker))
    }

    fn make_folder(&self, bucket: &Bucket, path: Key<'_>) -> Outcome<OwnedFd> {
        for _ in 0..TRIES {
            match self.make_folders(bucket, path) {
                Ok(folder) => return Ok(folder),
                // Another request removed a folder it had just emptied.
                Err(MakeFolders::Refused(e)) if e.kind() == io::ErrorKind::NotFound => {}
                Err(MakeFolders::Refused(e)) => return Err(refused(e, path)),
                Err(MakeFolders::Fault(fault)) => return Err(fault),
            }
        }
        Err(Fault::internal("making a folder", "it is removed again and again"))
    }

    /// Removes a folder's marker, and the folder if it is empty: a client that
    /// removes it means the folder. Nothing there is fine.
    pub(crate) fn delete_marker(
        &self,
        bucket: &Bucket,
        key: &str,
        conditions: &WriteConditions,
    ) -> Outcome<()> {
        let root = bucket.root()?;
        let Ok(path) = Key::parse_folder(key) else { return conditions.check(None) };
        let _guard = self.lock_key(&bucket.name, key);
        self.check_write(bucket, key, conditions)?;
        self.sidecar.remove_marker(&bucket.name, key)?;
        let Ok(inner) = Key::parse(path.folder().strip_suffix('/').unwrap_or_default()) else {
            return Ok(());
        };
        let removed =
            folder_of(bucket, root, inner).and_then(|outer| fsys::remove_folder(&outer, inner.name()));
        match removed {
            Ok(()) => {
                self.sidecar.forget_folder(&bucket.name, key)?;
                self.prune(bucket, inner.folder());
                Ok(())
            }
            // It stays as long as there is something in it.
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty || fsys::is_missing(&e) => Ok(()),
            Err(e) => Err(e).doing("removing a folder"),
        }
    }

    /// Whether a folder has a marker, so that it stays when it is emptied.
    pub(crate) fn is_marked(&self, bucket: &Bucket, key: &str, inode: u64) -> bool {
        self.sidecar.marker(&bucket.name, key).is_ok_and(|marker| marker.is_some_and(|it| it.inode == inode))
    }
}

/// Looks for a marker of a folder that is still there, below a folder.
pub(crate) fn any_below(sidecar: &Sidecar, bucket: &Bucket, key: &str) -> Outcome<bool> {
    let mut after = String::new();
    while let Some(found) = sidecar.marker_after(&bucket.name, key, &after)? {
        if is_current(sidecar, bucket, &found)? {
            return Ok(true);
        }
        after = found;
    }
    Ok(false)
}

/// Whether a marker is about the folder that is there now.
fn is_current(sidecar: &Sidecar, bucket: &Bucket, key: &str) -> Outcome<bool> {
    let root = bucket.root()?;
    let Some(marker) = sidecar.marker(&bucket.name, key)? else { return Ok(false) };
    let Some(components) = keys::folder_components(key) else { return Ok(false) };
    let status = fsys::descend(root, components).and_then(fsys::status_of);
    Ok(status.is_ok_and(|status| bucket.stamp(status.stamp).inode == marker.inode))
}
