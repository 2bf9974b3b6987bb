//! The store: its state directory, its buckets, and what all operations share.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::access::Access;
use crate::bucket::{Bucket, BucketKind, Skipped};
use crate::error::{Fault, Outcome, StoreError};
use crate::events::{self, EventName, Happening, Notice, Sequencers, Sink};
use crate::folders::FolderCache;
use crate::fsys;
use crate::keys;
use crate::sidecar::Sidecar;
use crate::unreadable::Unreadable;
use crate::walk::walk;
use crate::{in_place, watch};

/// How folder buckets are watched for changes by other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// By the operating system's notifications, falling back to polling at
    /// [`DEFAULT_POLL`] where they are not to be had.
    Native,
    /// By walking the folder again and again with this pause. Changes arrive as
    /// [`Notice::PrefixChanged`] and [`Notice::BucketChanged`].
    Poll(Duration),
    /// Not at all.
    Off,
}

/// The pause between two walks where the operating system cannot watch.
pub const DEFAULT_POLL: Duration = Duration::from_secs(5);

/// The region of S3 that differs from the others.
pub(crate) const FIRST_REGION: &str = "us-east-1";

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The region in answers and events. Requests may be signed for any.
    pub region: String,
    /// How folders are watched.
    pub watch: Watch,
    /// Where events go.
    pub sink: Sink,
    /// Whether browsers may upload with a form and a signed policy.
    pub post_policy: bool,
    /// The umask (mode bits) for files and folders that are written into folders of
    /// the user's; that of the process when the store is opened, if there is none.
    /// The process's holds for the state directory, created buckets included.
    pub umask: Option<u32>,
    /// How long the answer to CompleteMultipartUpload waits for the object: only
    /// until then can an error have a status of its own. After that the answer
    /// begins, and blanks are sent, so that the client does not give up.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: FIRST_REGION.to_owned(),
            watch: Watch::Native,
            sink: Sink::none(),
            post_policy: false,
            umask: None,
            patience: Duration::from_secs(10),
        }
    }
}

/// A bucket as [`Store::buckets`] tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// How it came to be.
    pub kind: BucketKind,
    /// Its folder.
    pub path: PathBuf,
}

/// What [`Store::count`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// Buckets out of folders. Cheap to clone; the clones are one store. Methods
/// that touch the disk block: call them from blocking code.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// Locks for keys, so that checks, the move of the file, its record and its
/// event are one step for everybody else who works on the same key.
const LOCKS: usize = 256;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) state_dir: PathBuf,
    /// The directory for files that are being received.
    pub(crate) incoming: OwnedFd,
    pub(crate) incoming_device: u64,
    /// The directory for contents that are written over files in place.
    pub(crate) redo: OwnedFd,
    /// Taken away from the permissions of new files in users' folders.
    pub(crate) umask: u32,
    pub(crate) sidecar: Arc<Sidecar>,
    pub(crate) folders: FolderCache,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    sequencers: Sequencers,
    locks: Vec<Mutex<()>>,
    /// Locks for files that have several names: readers share them, who writes
    /// over the file has it alone. Taken after that of the key.
    inode_locks: Vec<RwLock<()>>,
    /// Uploads that are being completed or aborted.
    ending: Mutex<HashSet<String>>,
    /// Told when one of them is done.
    ended: Condvar,
    /// Held for as long as the store lives.
    _lock: File,
    /// Removed with the store, if it is ephemeral. Last, so that all files in it are closed.
    _temporary: Option<tempfile::TempDir>,
}

const INCOMING: &str = "incoming";
const UPLOADS: &str = "uploads";
const BUCKETS: &str = "buckets";
const REDO: &str = "redo";

impl Store {
    /// Opens a store whose state (sidecar database, created buckets, upload
    /// parts, files being received) lives in a directory, which is created if
    /// it is not there. What a crash left behind is removed.
    ///
    /// # Errors
    /// If the directory cannot be used or another process uses it.
    pub fn open(state_dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        Self::open_with(state_dir.as_ref(), options, None)
    }

    /// Opens a store whose state goes away with it.
    ///
    /// # Errors
    /// If no temporary directory can be made.
    pub fn ephemeral(options: Options) -> Result<Self, StoreError> {
        let temporary = tempfile::Builder::new()
            .prefix("mediadex-s3-")
            .tempdir()
            .map_err(|e| StoreError::io("creating a temporary directory", e))?;
        let path = temporary.path().to_owned();
        Self::open_with(&path, options, Some(temporary))
    }

    fn open_with(
        state_dir: &Path,
        options: Options,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Self, StoreError> {
        let at = |what: &str, path: &Path| format!("{what} {}", path.display());
        std::fs::create_dir_all(state_dir).map_err(|e| StoreError::io(at("creating", state_dir), e))?;
        let state_dir = state_dir.canonicalize().map_err(|e| StoreError::io(at("opening", state_dir), e))?;
        let lock_path = state_dir.join("lock");
        let lock = File::create(&lock_path).map_err(|e| StoreError::io(at("creating", &lock_path), e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::Locked(state_dir)),
            Err(std::fs::TryLockError::Error(e)) => return Err(StoreError::io(at("locking", &lock_path), e)),
        }
        let incoming_path = state_dir.join(INCOMING);
        match std::fs::remove_dir_all(&incoming_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io(at("clearing", &incoming_path), e));
            }
            _ => {}
        }
        for name in [INCOMING, UPLOADS, BUCKETS, REDO] {
            let path = state_dir.join(name);
            std::fs::create_dir_all(&path).map_err(|e| StoreError::io(at("creating", &path), e))?;
        }
        let incoming =
            fsys::open_root(&incoming_path).map_err(|e| StoreError::io(at("opening", &incoming_path), e))?;
        let incoming_device =
            fsys::status_of(&incoming).map_err(|e| StoreError::io(at("opening", &incoming_path), e))?.device;
        let umask = match options.umask {
            Some(umask) => umask,
            None => fsys::find_umask(&incoming)
                .map_err(|e| StoreError::io(at("making a folder in", &incoming_path), e))?,
        };
        let sidecar = Arc::new(Sidecar::open(&state_dir.join("sidecar.db"))?);
        let redo_path = state_dir.join(REDO);
        let redo = fsys::open_root(&redo_path).map_err(|e| StoreError::io(at("opening", &redo_path), e))?;
        in_place::clear(&redo_path, &sidecar.redo_files()?)
            .map_err(|e| StoreError::io(at("clearing", &redo_path), e))?;
        let sequencers = Sequencers::new(sidecar.high_water()?);
        let store = Self {
            inner: Arc::new(Inner {
                options,
                state_dir,
                incoming,
                incoming_device,
                redo,
                umask,
                sidecar,
                folders: FolderCache::default(),
                buckets: RwLock::default(),
                sequencers,
                locks: std::iter::repeat_with(Mutex::default).take(LOCKS).collect(),
                inode_locks: std::iter::repeat_with(RwLock::default).take(LOCKS).collect(),
                ending: Mutex::default(),
                ended: Condvar::new(),
                _lock: lock,
                _temporary: temporary,
            }),
        };
        store.inner.clear_dead_uploads()?;
        for root in store.inner.sidecar.stray_roots()? {
            store.inner.clear_strays(&root)?;
        }
        for (name, created) in store.inner.sidecar.buckets()? {
            let path = store.inner.created_path(&name);
            match Bucket::open(name.clone(), path, BucketKind::Created, Access::ReadWrite, created) {
                Ok(bucket) => store.inner.serve_bucket(bucket)?,
                Err(error) => tracing::warn!(bucket = %name, %error, "a created bucket has lost its folder"),
            }
        }
        Ok(store)
    }

    /// Serves a folder of the user's as a bucket and watches it. When this
    /// returns, changes are seen, so a scan that starts now misses nothing.
    /// Clients may write into it only if `access` says so.
    ///
    /// # Errors
    /// If the name is taken or not legal, or the path is not a folder that can be read.
    pub fn add_bucket(&self, name: &str, path: impl AsRef<Path>, access: Access) -> Result<(), StoreError> {
        if !s3s::path::check_bucket_name(name) {
            return Err(StoreError::BucketName(name.to_owned()));
        }
        let path = path.as_ref();
        let path =
            path.canonicalize().map_err(|e| StoreError::io(format!("opening {}", path.display()), e))?;
        if !path.is_dir() {
            return Err(StoreError::NotAFolder(path));
        }
        if path.starts_with(&self.inner.state_dir) || self.inner.state_dir.starts_with(&path) {
            return Err(StoreError::StateInside(path));
        }
        if let Some(root) = path.to_str() {
            self.inner.clear_strays(root)?;
        }
        let created = fsys::now_ns() / 1_000_000_000;
        let bucket = Bucket::open(name.to_owned(), path.clone(), BucketKind::Folder, access, created)
            .map_err(|e| StoreError::io(format!("opening {}", path.display()), e))?;
        let finished = self.inner.finish_writes(&bucket)?;
        self.inner.serve_bucket(bucket)?;
        if let Some(bucket) = self.inner.find(name) {
            watch::start(&self.inner, &bucket);
            for object in finished {
                let _guard = self.inner.lock_key(&bucket.name, &object.key);
                let state = Some((object.stamp.size, object.etag));
                self.inner.announce(&bucket, &object.key, events::EventName::Put, state);
            }
        }
        Ok(())
    }

    /// The buckets, by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<BucketInfo> {
        let info = |b: &Arc<Bucket>| BucketInfo { name: b.name.clone(), kind: b.kind, path: b.path.clone() };
        self.inner.all().iter().map(info).collect()
    }

    /// Counts a bucket's objects and their bytes in a quick walk. `seen` is
    /// told the running count now and then; if it answers `false`, counting stops.
    ///
    /// # Errors
    /// If there is no such bucket, its folder is gone or cannot be read, or counting was stopped.
    pub fn count(&self, bucket: &str, mut seen: impl FnMut(Count) -> bool) -> Result<Count, StoreError> {
        let no_bucket = || StoreError::NoSuchBucket(bucket.to_owned());
        let bucket = self.inner.find(bucket).ok_or_else(no_bucket)?;
        let root = bucket.root().map_err(|_| no_bucket())?;
        let mut count = Count::default();
        let mut stopped = false;
        walk(&bucket, root, "", &mut |found| {
            count.files += 1;
            count.bytes = count.bytes.saturating_add(found.stamp.size);
            if count.files.is_multiple_of(1024) {
                stopped = !seen(count);
            }
            !stopped
        })
        .map_err(|e| StoreError::io(format!("counting bucket {}", bucket.name), e))?;
        bucket.root().map_err(|_| no_bucket())?;
        if stopped { Err(StoreError::Cancelled) } else { Ok(count) }
    }

    /// Directory entries of a bucket that listings passed over since the start.
    /// Each listing counts from zero, so compare, do not add up.
    #[must_use]
    pub fn list_counters(&self, bucket: &str) -> Option<Skipped> {
        self.inner.find(bucket).map(|b| b.skipped.snapshot())
    }

    /// What of a bucket may not be read, as far as listings, requests and the
    /// watcher have seen.
    #[must_use]
    pub fn unreadable(&self, bucket: &str) -> Option<Unreadable> {
        self.inner.find(bucket).map(|b| b.unreadable.snapshot())
    }

    /// Whether a key of a bucket lies in a folder that may not be read, so that its
    /// absence from listings says nothing.
    #[must_use]
    pub fn hides(&self, bucket: &str, key: &str) -> bool {
        self.inner.find(bucket).is_some_and(|b| b.unreadable.hides(key))
    }

    /// The directory that holds the store's state.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.inner.state_dir
    }
}

impl Inner {
    fn serve_bucket(&self, bucket: Bucket) -> Result<(), StoreError> {
        if let Some(configuration) = self.sidecar.notification(&bucket.name)? {
            match events::rules(&configuration) {
                Ok(rules) => bucket.set_rules(rules),
                Err(fault) => {
                    tracing::warn!(bucket = %bucket.name, ?fault, "notification configuration is not understood")
                }
            }
        }
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if buckets.contains_key(&bucket.name) {
            return Err(StoreError::BucketExists(bucket.name));
        }
        buckets.insert(bucket.name.clone(), Arc::new(bucket));
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn bucket(&self, name: &str) -> Outcome<Arc<Bucket>> {
        self.find(name).ok_or_else(Fault::no_such_bucket)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn created_path(&self, name: &str) -> PathBuf {
        self.state_dir.join(BUCKETS).join(name)
    }

    pub(crate) fn upload_path(&self, id: &str) -> PathBuf {
        self.state_dir.join(UPLOADS).join(id)
    }

    pub(crate) fn create_bucket(&self, name: &str, region: Option<&str>) -> Outcome<()> {
        use s3s::S3ErrorCode;
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if buckets.contains_key(name) {
            // S3's first region grants what is there already, and it stays as it is.
            let is_first = |region: &str| region == FIRST_REGION;
            if is_first(&self.options.region) && region.is_none_or(is_first) {
                return Ok(());
            }
            return Err(Fault::client(
                S3ErrorCode::BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        let path = self.created_path(name);
        std::fs::create_dir_all(&path).map_err(|e| Fault::internal("creating a bucket's folder", e))?;
        let created = fsys::now_ns() / 1_000_000_000;
        let bucket = Bucket::open(name.to_owned(), path, BucketKind::Created, Access::ReadWrite, created)
            .map_err(|e| Fault::internal("opening a bucket's folder", e))?;
        self.sidecar.add_bucket(name, created)?;
        buckets.insert(name.to_owned(), Arc::new(bucket));
        Ok(())
    }

    pub(crate) fn delete_bucket(&self, name: &str) -> Outcome<()> {
        use s3s::S3ErrorCode;
        // Nobody can find the bucket while this is held, but writers that found
        // it before may still add objects: removing the folder then fails.
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(name).ok_or_else(Fault::no_such_bucket)?;
        if bucket.kind == BucketKind::Folder {
            return Err(Fault::client(
                S3ErrorCode::MethodNotAllowed,
                "this bucket is a folder that was given to be served; it cannot be deleted through the endpoint",
            ));
        }
        let root = bucket.root()?;
        let mut empty = true;
        walk(bucket, root, "", &mut |_| {
            empty = false;
            false
        })
        .map_err(|e| Fault::internal("looking into a bucket", e))?;
        if !empty || !remove_empty_folders(&bucket.path) {
            return Err(Fault::client(
                S3ErrorCode::BucketNotEmpty,
                "The bucket you tried to delete is not empty",
            ));
        }
        buckets.remove(name);
        for upload in self.sidecar.remove_bucket(name)? {
            self.remove_upload_files(&upload);
        }
        Ok(())
    }

    /// Everything that happens to one key happens under its lock.
    pub(crate) fn lock_key(&self, bucket: &str, key: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        (bucket, key).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "the remainder is smaller than the number of locks")]
        self.locks[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of a file that has several names.
    pub(crate) fn inode_lock(&self, device: u64, inode: u64) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        (device, inode).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "the remainder is smaller than the number of locks")]
        &self.inode_locks[index]
    }

    /// Claims an upload for its end, which only one request may bring about.
    pub(crate) fn claim(&self, upload: &str) -> Outcome<Claim<'_>> {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if !ending.insert(upload.to_owned()) {
            return Err(Fault::client(
                s3s::S3ErrorCode::OperationAborted,
                "A conflicting conditional operation is currently in progress against this resource. Try again.",
            ));
        }
        Ok(Claim { inner: self, upload: upload.to_owned() })
    }

    /// The same, after the request that has claimed it now.
    pub(crate) fn claim_in_turn(&self, upload: &str) -> Claim<'_> {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ending = self
            .ended
            .wait_while(ending, |ending| ending.contains(upload))
            .unwrap_or_else(PoisonError::into_inner);
        ending.insert(upload.to_owned());
        Claim { inner: self, upload: upload.to_owned() }
    }

    /// Tells those who want to know; call it while the key is locked.
    pub(crate) fn announce(
        &self,
        bucket: &Bucket,
        key: &str,
        event: EventName,
        object: Option<(u64, String)>,
    ) {
        let rules = bucket.rules();
        if rules.is_empty() {
            return;
        }
        let happening = Happening {
            region: &self.options.region,
            bucket: &bucket.name,
            key,
            event,
            object,
            sequencer: self.sequencers.next(&self.sidecar),
        };
        for notice in events::notices(&rules, &happening) {
            self.options.sink.send(notice);
        }
    }

    pub(crate) fn tell(&self, notice: Notice) {
        self.options.sink.send(notice);
    }

    /// Removes the files that a crash left in a user's folder.
    fn clear_strays(&self, root: &str) -> Result<(), StoreError> {
        for stray in self.sidecar.strays(root)? {
            // A disk that is not mounted now is cleaned when its folder is added.
            let Ok(folder) = fsys::open_root(Path::new(&stray.root)) else { return Ok(()) };
            let found = keys::folder_components(&stray.folder)
                .ok_or(std::io::ErrorKind::NotFound.into())
                .and_then(|components| fsys::descend(folder, components))
                .and_then(|folder| fsys::remove_file(&folder, &stray.name));
            match found {
                Ok(()) => tracing::info!(root, name = %stray.name, "removed an unfinished file"),
                Err(error) if fsys::is_missing(&error) => {}
                Err(error) => {
                    tracing::warn!(root, name = %stray.name, %error, "an unfinished file could not be removed");
                    continue;
                }
            }
            self.sidecar.remove_stray(stray.id)?;
        }
        Ok(())
    }

    /// Removes the parts of uploads that the database does not know.
    fn clear_dead_uploads(&self) -> Result<(), StoreError> {
        let alive: HashSet<String> = self.sidecar.upload_ids()?.into_iter().collect();
        let path = self.state_dir.join(UPLOADS);
        let entries = std::fs::read_dir(&path).map_err(|e| StoreError::io("reading the uploads", e))?;
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| alive.contains(name))
                && let Err(error) = std::fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%error, "the parts of an ended upload could not be removed");
            }
        }
        Ok(())
    }

    pub(crate) fn remove_upload_files(&self, id: &str) {
        match std::fs::remove_dir_all(self.upload_path(id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the parts of an ended upload could not be removed");
            }
            _ => {}
        }
    }
}

/// A claimed upload; let go when dropped.
pub(crate) struct Claim<'a> {
    inner: &'a Inner,
    upload: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.inner.ending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.upload);
        self.inner.ended.notify_all();
    }
}

/// Removes a tree of nothing but folders; tells whether it is gone.
fn remove_empty_folders(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    for entry in entries.flatten() {
        if !remove_empty_folders(&entry.path()) {
            return false;
        }
    }
    std::fs::remove_dir(path).is_ok()
}
