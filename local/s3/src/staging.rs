//! Files that are being received: invisible until they are whole.
//!
//! They are written in the state directory and renamed onto their place. Where
//! that is on another file system, they are written inside the bucket's folder
//! under a reserved name, which the database knows before the file exists, so
//! that a crash leaves nothing for good.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::bucket::{Bucket, BucketKind};
use crate::error::{Doing, Fault, Outcome};
use crate::fsys::{self, Status};
use crate::keys;
use crate::sidecar::Sidecar;
use crate::store::Inner;

/// An unfinished file; removed when dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) file: File,
    place: Place,
}

#[derive(Debug)]
struct Place {
    folder: OwnedFd,
    name: String,
    /// The database row that knows of the file, if it lies in a user's folder.
    stray: Option<(i64, Arc<Sidecar>)>,
    moved: bool,
}

/// What a file is given when it is put in place.
#[derive(Debug)]
pub(crate) enum Outfit {
    /// Nothing: it stays this user's alone.
    Private,
    /// The permissions of a new file.
    Mode(u32),
    /// Owner, permissions and attributes of the file that it replaces.
    After(Status),
}

impl Outfit {
    fn put_on(&self, file: &File, folder: impl AsFd, name: &str) {
        let done = match self {
            Self::Private => Ok(()),
            Self::Mode(mode) => fsys::set_mode(file, *mode),
            Self::After(old) => fsys::take_after(file, folder, name, old),
        };
        if let Err(error) = done {
            // FAT has none to set.
            tracing::debug!(%error, "the permissions of a file could not be set");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.moved
            && let Err(error) = fsys::remove_file(&self.folder, &self.name)
            && !fsys::is_missing(&error)
        {
            tracing::warn!(%error, "an unfinished file could not be removed");
            return;
        }
        if let Some((id, sidecar)) = &self.stray
            && let Err(error) = sidecar.remove_stray(*id)
        {
            tracing::warn!(%error, "the note of an unfinished file could not be removed");
        }
    }
}

impl Staged {
    /// Starts a file that will go into a bucket.
    pub(crate) fn new(inner: &Inner, bucket: &Bucket) -> Outcome<Self> {
        if bucket.kind == BucketKind::Created || bucket.identity().0 == inner.incoming_device {
            return Self::in_state(inner);
        }
        Self::beside(&inner.sidecar, bucket, bucket.root()?, "")
    }

    /// Starts a file that stays in the state directory.
    pub(crate) fn in_state(inner: &Inner) -> Outcome<Self> {
        let folder = inner.incoming.try_clone().doing("opening the state directory")?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let file = fsys::create_file(&folder, &name).doing("creating a temporary file")?;
        Ok(Self { file, place: Place { folder, name, stray: None, moved: false } })
    }

    fn beside(sidecar: &Arc<Sidecar>, bucket: &Bucket, folder: OwnedFd, key: &str) -> Outcome<Self> {
        let name = keys::temporary_name();
        let root = bucket
            .path
            .to_str()
            .ok_or_else(|| Fault::internal("noting an unfinished file", "the folder's path is not UTF-8"))?;
        let id = sidecar.add_stray(root, key, &name)?;
        let file = match fsys::create_file(&folder, &name) {
            Ok(file) => file,
            Err(error) => {
                sidecar.remove_stray(id)?;
                return Err(error).doing("creating a file in the bucket's folder");
            }
        };
        Ok(Self { file, place: Place { folder, name, stray: Some((id, Arc::clone(sidecar))), moved: false } })
    }

    /// Moves the file to another folder of the state directory.
    pub(crate) fn keep(mut self, folder: &OwnedFd, name: &str) -> io::Result<()> {
        fsys::rename(&self.place.folder, &self.place.name, folder, name)?;
        self.place.moved = true;
        Ok(())
    }

    /// Moves the file to another folder of the state directory, or copies it
    /// there if it lies in a user's folder.
    pub(crate) fn keep_copy(mut self, inner: &Inner, folder: &OwnedFd, name: &str) -> io::Result<()> {
        if self.place.stray.is_none() {
            return self.keep(folder, name);
        }
        let mut copy = Self::in_state(inner).map_err(|_| io::Error::other("no temporary file"))?;
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, &mut copy.file)?;
        copy.file.sync_all()?;
        copy.keep(folder, name)
    }

    /// Moves the file onto its name. `folder_key` is the key of `folder`.
    pub(crate) fn rename(
        mut self,
        sidecar: &Arc<Sidecar>,
        bucket: &Bucket,
        folder: impl AsFd,
        folder_key: &str,
        name: &str,
        outfit: &Outfit,
    ) -> Result<(), Unmoved> {
        outfit.put_on(&self.file, &folder, name);
        match fsys::rename(&self.place.folder, &self.place.name, &folder, name) {
            Ok(()) => {
                self.place.moved = true;
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
                // Another file system is mounted somewhere below the bucket's folder.
                let near = folder.as_fd().try_clone_to_owned().doing("opening a folder");
                let near = near
                    .and_then(|f| Self::beside(sidecar, bucket, f, folder_key))
                    .map_err(Unmoved::Failed)?;
                let copied = self
                    .file
                    .seek(SeekFrom::Start(0))
                    .and_then(|_| io::copy(&mut self.file, &mut &near.file));
                copied.doing("copying into the bucket's folder").map_err(Unmoved::Failed)?;
                let mut near = near;
                outfit.put_on(&near.file, &folder, name);
                match fsys::rename(&near.place.folder, &near.place.name, &folder, name) {
                    Ok(()) => {
                        near.place.moved = true;
                        Ok(())
                    }
                    Err(error) => Err(Unmoved::Refused(self, error)),
                }
            }
            Err(error) => Err(Unmoved::Refused(self, error)),
        }
    }
}

/// Why a file could not be moved onto its name.
pub(crate) enum Unmoved {
    /// The system said no; the file is still there for another try.
    Refused(Staged, io::Error),
    Failed(Fault),
}
