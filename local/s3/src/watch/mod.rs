//! Watching folders for what other programs do to them.
//!
//! The operating system's events are only a hint that a path should be looked
//! at: after a pause in which nothing more happens to it, the path's present
//! state decides what is announced. What cannot be told key by key is announced
//! as a prefix or a bucket to be compared with its listing.
//!
//! Where the system watches single folders (inotify), each is watched by
//! itself: a watch of a whole tree fails on the first folder that may not be
//! read. Such a folder is skipped and looked at again until it may be read.

mod mounts;
mod pending;
mod poll;
mod retry;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use notify::{Config, ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::bucket::Bucket;
use crate::events::{EventName, Notice};
use crate::fsys::{self, Kind};
use crate::keys::{self, Key};
use crate::store::{DEFAULT_POLL, Inner, Watch};
use crate::walk::{Found, walk, walk_folders};
use pending::{Pending, Touched};
use retry::{Look, Retry, look};

/// Whether folders are watched one by one; elsewhere the system watches trees.
const ONE_BY_ONE: bool = cfg!(target_os = "linux");

/// How often it is checked that the store still lives.
const TICK: Duration = Duration::from_secs(1);
/// How often it is checked that the watched folder is still the one in place.
const ROOT_CHECK: Duration = Duration::from_secs(2);
/// A new folder is looked through a second time after this: what is put into it
/// while the system's watches are still being set up would go unseen.
const SECOND_LOOK: Duration = Duration::from_millis(1500);
/// Clocks of file systems tick in steps of a few milliseconds.
const CLOCK_STEP_NS: i64 = 100_000_000;

/// Starts to watch a bucket. When this returns, changes are seen.
pub(crate) fn start(inner: &Arc<Inner>, bucket: &Arc<Bucket>) {
    let weak = Arc::downgrade(inner);
    let bucket = Arc::clone(bucket);
    match inner.options.watch {
        Watch::Off => {}
        Watch::Poll(pause) => {
            let poller = poll::Poller::new(weak, bucket, pause);
            spawn(move || poller.run());
        }
        Watch::Native => {
            let (sender, events) = channel();
            let mut watcher = Native {
                inner: weak,
                bucket,
                sender,
                events,
                backend: None,
                pending: Pending::default(),
                folders: BTreeSet::new(),
                second_looks: Vec::new(),
                retry: Retry::default(),
                unwatched: None,
                watched: (0, 0),
                mounts: Vec::new(),
                root_checked: Instant::now(),
            };
            let watching = watcher.connect();
            spawn(move || watcher.run(watching));
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name("s3-watch".to_owned()).spawn(work) {
        tracing::error!(%error, "a folder cannot be watched: no thread");
    }
}

/// A folder that is to be looked through again.
struct SecondLook {
    due: Instant,
    folder: String,
    /// Only files that changed after this, in nanoseconds since 1970.
    since_ns: i64,
}

struct Native {
    inner: Weak<Inner>,
    bucket: Arc<Bucket>,
    sender: Sender<notify::Result<Event>>,
    events: Receiver<notify::Result<Event>>,
    backend: Option<RecommendedWatcher>,
    pending: Pending,
    /// The keys of all folders: a path that is gone does not say what it was.
    folders: BTreeSet<String>,
    second_looks: Vec<SecondLook>,
    retry: Retry,
    /// Why a folder could not be watched: there are too many.
    unwatched: Option<notify::Error>,
    /// Device and inode of the folder that is being watched.
    watched: (u64, u64),
    /// What was mounted inside of it then.
    mounts: Vec<String>,
    root_checked: Instant,
}

impl Native {
    /// Sets up the system's watches.
    fn connect(&mut self) -> notify::Result<()> {
        // The old watches go first: they count against the same limit.
        self.backend = None;
        let config = Config::default().with_follow_symlinks(false);
        let sender = self.sender.clone();
        let mut backend = RecommendedWatcher::new(
            move |event| {
                let _gone = sender.send(event).is_err();
            },
            config,
        )?;
        let root = self.bucket.root().map_err(|_| notify::Error::path_not_found())?;
        self.watched = self.bucket.identity();
        self.mounts = mounts::below(&self.bucket.path);
        if !ONE_BY_ONE {
            backend.watch(&self.bucket.path, RecursiveMode::Recursive)?;
        }
        self.backend = Some(backend);
        self.folders.clear();
        if let Err(error) = self.follow(root, "", None) {
            tracing::warn!(bucket = %self.bucket.name, %error, "not all folders could be read");
        }
        self.unwatched.take().map_or(Ok(()), Err)
    }

    /// Walks a folder: learns and watches it and all folders in it, each before
    /// it is read, so that nothing is put into it unseen.
    fn follow(
        &mut self,
        folder: OwnedFd,
        key: &str,
        found: Option<&mut dyn FnMut(Found<'_>) -> bool>,
    ) -> io::Result<()> {
        let Self { bucket, backend, folders, unwatched, .. } = self;
        let mut entered = |key: &str| {
            folders.insert(key.to_owned());
            if unwatched.is_none()
                && let Some(backend) = backend
            {
                *unwatched = watch_folder(backend, bucket, key).err();
            }
        };
        walk_folders(bucket, folder, key, &mut entered, found)
    }

    fn run(mut self, mut watching: notify::Result<()>) {
        loop {
            if let Err(error) = watching {
                self.fall_back(&error);
                return;
            }
            match self.watch() {
                Some(again) => watching = again,
                None => return,
            }
        }
    }

    /// Watches until the watches must be set up again (their outcome is
    /// answered) or the store is gone.
    fn watch(&mut self) -> Option<notify::Result<()>> {
        loop {
            let now = Instant::now();
            let next = self
                .pending
                .next_due()
                .into_iter()
                .chain(self.second_looks.iter().map(|look| look.due))
                .min();
            let wait = next.map_or(TICK, |due| due.saturating_duration_since(now)).min(TICK);
            let mut reset = false;
            match self.events.recv_timeout(wait) {
                Ok(event) => {
                    reset |= self.take(event)?;
                    while let Ok(event) = self.events.try_recv() {
                        reset |= self.take(event)?;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let inner = self.inner.upgrade()?;
            if self.root_checked.elapsed() > ROOT_CHECK {
                self.root_checked = Instant::now();
                reset |= self.root_was_replaced() || self.mounts_changed();
            }
            if reset {
                self.pending = Pending::default();
                self.second_looks.clear();
                let outcome = self.connect();
                // Only now: the comparison must see everything that the new watches do not.
                inner.tell(Notice::BucketChanged { bucket: self.bucket.name.clone() });
                return Some(outcome);
            }
            self.flush(&inner);
            self.look_again(&inner);
            self.try_unreadable(&inner);
            if let Some(error) = self.unwatched.take() {
                drop(inner);
                self.fall_back(&error);
                return None;
            }
        }
    }

    /// Notes an event. Answers whether the watches must be set up again;
    /// nothing if there is no watching any more.
    fn take(&mut self, event: notify::Result<Event>) -> Option<bool> {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                if matches!(error.kind, ErrorKind::MaxFilesWatch) {
                    self.fall_back(&error);
                    return None;
                }
                tracing::warn!(bucket = %self.bucket.name, %error, "watching a folder failed; starting over");
                return Some(true);
            }
        };
        if event.need_rescan() {
            tracing::warn!(bucket = %self.bucket.name, "changes came faster than they could be read; the whole bucket is compared");
            return Some(true);
        }
        for (index, path) in event.paths.iter().enumerate() {
            let Some(touched) = Touched::of(&event.kind, index) else { continue };
            if let Some(key) = key_of(&self.bucket.path, path) {
                self.pending.touch(key, touched);
            }
        }
        Some(false)
    }

    /// Polls for the rest of the store's life.
    fn fall_back(&mut self, error: &notify::Error) {
        let no_instances = rustix::io::Errno::MFILE.raw_os_error();
        let advice = match &error.kind {
            ErrorKind::MaxFilesWatch => " (on Linux, raise fs.inotify.max_user_watches)",
            ErrorKind::Io(system) if system.raw_os_error() == Some(no_instances) => {
                " (on Linux, raise fs.inotify.max_user_instances)"
            }
            _ => "",
        };
        tracing::warn!(
            bucket = %self.bucket.name,
            %error,
            "the operating system cannot watch this folder{advice}; it is polled instead, so changes are seen later"
        );
        self.backend = None;
        let poller = poll::Poller::new(self.inner.clone(), Arc::clone(&self.bucket), DEFAULT_POLL);
        if let Some(inner) = self.inner.upgrade() {
            inner.tell(Notice::BucketChanged { bucket: self.bucket.name.clone() });
        }
        poller.run();
    }

    fn root_was_replaced(&self) -> bool {
        // While the folder is gone there is nothing to watch.
        self.bucket.root().is_ok() && self.bucket.identity() != self.watched
    }

    /// Whether something was mounted or unmounted inside of the folder.
    fn mounts_changed(&self) -> bool {
        self.bucket.root().is_ok() && mounts::below(&self.bucket.path) != self.mounts
    }

    /// Looks at the paths that have come to rest.
    fn flush(&mut self, inner: &Inner) {
        let mut walked: Vec<String> = Vec::new();
        for (key, touched) in self.pending.take_due(Instant::now()) {
            let folder = format!("{key}/");
            let was_folder = self.folders.contains(&folder);
            let is = match self.at(&key) {
                At::Here(kind) => Some(kind),
                At::Nothing => None,
                // What may not be looked at is neither changed nor gone.
                At::Unknown => continue,
            };
            if is != Some(Kind::Folder) && self.bucket.unreadable.has(&folder) {
                self.lose(inner, &folder);
            }
            if was_folder && (is != Some(Kind::Folder) || touched.vanished) {
                self.forget_folder(inner, &folder, touched.moved);
            }
            match is {
                Some(Kind::File) => self.announce_file(inner, &key, touched.content),
                Some(Kind::Folder) if !touched.content => self.permissions_changed(inner, &folder),
                Some(Kind::Folder) => {
                    if touched.vanished && !was_folder {
                        self.announce_gone(inner, &key);
                    }
                    let covered = walked.iter().any(|outer| folder.starts_with(outer.as_str()));
                    if !covered && (touched.appeared || !was_folder || touched.vanished) {
                        let since_ns = fsys::now_ns().saturating_sub(CLOCK_STEP_NS);
                        self.look_through(inner, &folder, i64::MIN);
                        let due = Instant::now() + SECOND_LOOK;
                        self.second_looks.push(SecondLook { due, folder: folder.clone(), since_ns });
                        walked.push(folder);
                    }
                }
                // What is not an object perhaps replaced one.
                Some(Kind::Symlink | Kind::Special) => {
                    if touched.vanished {
                        self.announce_gone(inner, &key);
                    }
                }
                None if was_folder => {}
                None => self.announce_gone(inner, &key),
            }
        }
    }

    /// A folder's attributes changed, perhaps who may read it.
    fn permissions_changed(&mut self, inner: &Inner, folder: &str) {
        let skipped = self.bucket.unreadable.has(folder);
        match look(&self.bucket, folder) {
            Look::Readable if skipped => self.take_up(inner, folder),
            Look::Unreadable if !skipped => self.bucket.note_unreadable(folder),
            _ => {}
        }
    }

    /// Looks at what may not be read, when it is time to.
    fn try_unreadable(&mut self, inner: &Inner) {
        let bucket = Arc::clone(&self.bucket);
        for key in self.retry.due(Instant::now(), || bucket.unreadable.keys()) {
            match look(&bucket, &key) {
                Look::Readable => self.take_up(inner, &key),
                Look::Gone => self.lose(inner, &key),
                Look::Unreadable => {}
            }
        }
    }

    /// What could not be read is gone; nobody was told of what was in a folder.
    fn lose(&self, inner: &Inner, key: &str) {
        self.bucket.unreadable.forget(&self.bucket.name, key);
        if key.ends_with('/') {
            self.bucket.unreadable.forget_below(key);
            inner.tell(Notice::PrefixChanged { bucket: self.bucket.name.clone(), prefix: key.to_owned() });
        }
    }

    /// Announces what may be read again, whatever was announced of it before:
    /// an attempt to read it meanwhile was refused.
    fn take_up(&mut self, inner: &Inner, key: &str) {
        self.bucket.unreadable.forget(&self.bucket.name, key);
        if key.is_empty() || key.ends_with('/') {
            self.bucket.forget_announced(key);
            self.look_through(inner, key, i64::MIN);
            // What went while nobody could look is in no event.
            inner.tell(Notice::PrefixChanged { bucket: self.bucket.name.clone(), prefix: key.to_owned() });
        } else {
            self.bucket.forget_announcement(key);
            self.announce_file(inner, key, true);
        }
    }

    fn look_again(&mut self, inner: &Inner) {
        let now = Instant::now();
        let due: Vec<SecondLook> = self.second_looks.extract_if(.., |look| look.due <= now).collect();
        for look in due {
            self.look_through(inner, &look.folder, look.since_ns);
        }
    }

    /// Announces the files below a folder that changed since a time.
    fn look_through(&mut self, inner: &Inner, folder: &str, since_ns: i64) {
        let Ok(root) = self.bucket.root() else { return };
        let Some(components) = keys::folder_components(folder) else { return };
        let Ok(opened) = self.bucket.descend(root, &components) else { return };
        let mut keys = Vec::new();
        let mut found = |found: Found<'_>| {
            if found.ctime_ns >= since_ns {
                keys.push(found.key.to_owned());
            }
            true
        };
        let walked = self.follow(opened, folder, Some(&mut found));
        for key in keys {
            self.announce_file(inner, &key, true);
        }
        if let Err(error) = walked {
            tracing::warn!(bucket = %self.bucket.name, %error, "a new folder could not be read");
            inner.tell(Notice::PrefixChanged { bucket: self.bucket.name.clone(), prefix: folder.to_owned() });
        }
    }

    /// A folder is not there any more. If it was deleted, its files were
    /// announced one by one before; if it was moved, nobody knows what was in it.
    fn forget_folder(&mut self, inner: &Inner, folder: &str, moved: bool) {
        // '0' is the byte after '/': everything in between lies below the folder.
        let end = format!("{}0", folder.strip_suffix('/').unwrap_or(folder));
        let below: Vec<String> = self.folders.range(folder.to_owned()..end).cloned().collect();
        for key in below {
            self.folders.remove(&key);
        }
        self.bucket.unreadable.forget_below(folder);
        if !moved {
            return;
        }
        self.bucket.forget_announced(folder);
        if let Err(error) = inner.sidecar.delete_under(&self.bucket.name, folder) {
            tracing::warn!(%error, "the records of a moved folder could not be removed");
        }
        inner.tell(Notice::PrefixChanged { bucket: self.bucket.name.clone(), prefix: folder.to_owned() });
    }

    /// What is at a key now.
    fn at(&self, key: &str) -> At {
        let Ok(path) = Key::parse(key) else { return At::Nothing };
        let Ok(root) = self.bucket.root() else { return At::Unknown };
        let Some(components) = keys::folder_components(path.folder()) else { return At::Nothing };
        let folder = self.bucket.descend(root, &components);
        match folder.and_then(|folder| fsys::status_at(&folder, path.name())) {
            Ok(status) => At::Here(status.kind),
            Err(error) if fsys::is_missing(&error) => At::Nothing,
            Err(_) => At::Unknown,
        }
    }

    /// Announces a file. `content` tells whether more than its attributes changed.
    fn announce_file(&self, inner: &Inner, key: &str, content: bool) {
        let _guard = inner.lock_key(&self.bucket.name, key);
        // Gone again: its own event tells so.
        let Ok(object) = inner.stat_object(&self.bucket, key) else { return };
        if look(&self.bucket, key) == Look::Unreadable {
            self.bucket.note_unreadable(key);
            // What is known of it stays known.
            if !content {
                return;
            }
        } else if self.bucket.unreadable.forget(&self.bucket.name, key) {
            self.bucket.forget_announcement(key);
        }
        if self.bucket.note_announced(key, Some(object.stamp)) {
            inner.announce(&self.bucket, key, EventName::Put, Some((object.stamp.size, object.etag)));
        }
    }

    fn announce_gone(&self, inner: &Inner, key: &str) {
        // A bucket whose disk is gone has not lost its objects.
        if Key::parse(key).is_err() || self.bucket.root().is_err() {
            return;
        }
        let _guard = inner.lock_key(&self.bucket.name, key);
        if matches!(self.at(key), At::Here(Kind::File) | At::Unknown) {
            return;
        }
        self.bucket.unreadable.forget(&self.bucket.name, key);
        if let Err(error) = inner.sidecar.delete(&self.bucket.name, key) {
            tracing::warn!(%error, "the record of a removed file could not be removed");
        }
        if self.bucket.note_announced(key, None) {
            inner.announce(&self.bucket, key, EventName::Delete, None);
        }
    }
}

/// What is at a key.
enum At {
    Here(Kind),
    Nothing,
    /// It may not be looked at, or the disk is away.
    Unknown,
}

/// Watches one folder, where they are watched one by one.
fn watch_folder(backend: &mut RecommendedWatcher, bucket: &Bucket, key: &str) -> notify::Result<()> {
    if !ONE_BY_ONE {
        return Ok(());
    }
    let path = match key.strip_suffix('/') {
        Some(inner) => bucket.path.join(inner),
        None => bucket.path.clone(),
    };
    backend.watch(&path, RecursiveMode::NonRecursive).or_else(|error| match &error.kind {
        // Gone again; that is an event of its own.
        ErrorKind::PathNotFound => Ok(()),
        ErrorKind::Io(system) if fsys::is_missing(system) => Ok(()),
        ErrorKind::Io(system) if fsys::is_denied(system) => {
            bucket.note_unreadable(key);
            Ok(())
        }
        _ => Err(error),
    })
}

/// The key of a path below the bucket's folder, if it can have one.
fn key_of(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    (Key::parse(below).is_ok()).then(|| below.to_owned())
}

/// Walks for [`poll`].
fn walk_all(bucket: &Bucket, found: &mut dyn FnMut(Found<'_>) -> bool) -> Option<std::io::Result<()>> {
    let root = bucket.root().ok()?;
    Some(walk(bucket, root, "", found))
}
