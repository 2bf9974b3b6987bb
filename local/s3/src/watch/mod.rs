//! Watching folders for what other programs do to them.
//!
//! The operating system's events are only a hint that a path should be looked
//! at: after a pause in which nothing more happens to it, the path's present
//! state decides what is announced. What cannot be told key by key is announced
//! as a prefix or a bucket to be compared with its listing.

mod pending;
mod poll;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use notify::{Config, ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::bucket::Bucket;
use crate::events::{EventName, Notice};
use crate::fsys::{self, Kind};
use crate::keys::{self, Key};
use crate::store::{DEFAULT_POLL, Inner, Watch, walk, walk_folders};
use pending::{Pending, Touched};

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
                watched: (0, 0),
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
    /// Device and inode of the folder that is being watched.
    watched: (u64, u64),
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
        self.watched = self.bucket.identity();
        backend.watch(&self.bucket.path, RecursiveMode::Recursive)?;
        self.backend = Some(backend);
        Ok(())
    }

    fn run(mut self, mut watching: notify::Result<()>) {
        loop {
            match watching {
                Ok(()) => self.learn_folders(),
                Err(error) => {
                    self.fall_back(&error);
                    return;
                }
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
                reset |= self.root_was_replaced();
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
        tracing::warn!(
            bucket = %self.bucket.name,
            %error,
            "the operating system cannot watch this folder (on Linux, raise fs.inotify.max_user_watches); it is polled instead, so changes are seen later"
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

    fn learn_folders(&mut self) {
        self.folders.clear();
        let Ok(root) = self.bucket.root() else { return };
        let folders = &mut self.folders;
        let walked = walk_folders(&self.bucket, root, "", &mut |key| folders.extend([key.to_owned()]), None);
        if let Err(error) = walked {
            tracing::warn!(bucket = %self.bucket.name, %error, "not all folders could be read");
        }
    }

    /// Looks at the paths that have come to rest.
    fn flush(&mut self, inner: &Inner) {
        let mut walked: Vec<String> = Vec::new();
        for (key, touched) in self.pending.take_due(Instant::now()) {
            let folder = format!("{key}/");
            let was_folder = self.folders.contains(&folder);
            let is = self.kind(&key);
            if was_folder && (is != Some(Kind::Folder) || touched.vanished) {
                self.forget_folder(inner, &folder, touched.moved);
            }
            match is {
                Some(Kind::File) => self.announce_file(inner, &key),
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
                // What is not an object was perhaps put in the place of one.
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
        let Ok(opened) = fsys::descend(root, components) else { return };
        let mut keys = Vec::new();
        let folders = &mut self.folders;
        let walked = walk_folders(
            &self.bucket,
            opened,
            folder,
            &mut |key| folders.extend([key.to_owned()]),
            Some(&mut |found| {
                if found.ctime_ns >= since_ns {
                    keys.push(found.key.to_owned());
                }
                true
            }),
        );
        for key in keys {
            self.announce_file(inner, &key);
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
        if !moved {
            return;
        }
        self.bucket.forget_announced(folder);
        if let Err(error) = inner.sidecar.delete_under(&self.bucket.name, folder) {
            tracing::warn!(%error, "the records of a moved folder could not be removed");
        }
        inner.tell(Notice::PrefixChanged { bucket: self.bucket.name.clone(), prefix: folder.to_owned() });
    }

    /// What is at a key now; nothing if there is nothing.
    fn kind(&self, key: &str) -> Option<Kind> {
        let path = Key::parse(key).ok()?;
        let folder = fsys::descend(self.bucket.root().ok()?, keys::folder_components(path.folder())?).ok()?;
        fsys::status_at(&folder, path.name()).ok().map(|status| status.kind)
    }

    fn announce_file(&self, inner: &Inner, key: &str) {
        let _guard = inner.lock_key(&self.bucket.name, key);
        // Gone again: its own event tells so.
        let Ok(object) = inner.stat_object(&self.bucket, key) else { return };
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
        if self.kind(key) == Some(Kind::File) {
            return;
        }
        if let Err(error) = inner.sidecar.delete(&self.bucket.name, key) {
            tracing::warn!(%error, "the record of a removed file could not be removed");
        }
        if self.bucket.note_announced(key, None) {
            inner.announce(&self.bucket, key, EventName::Delete, None);
        }
    }
}

/// The key of a path below the bucket's folder, if it can have one.
fn key_of(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    (Key::parse(below).is_ok()).then(|| below.to_owned())
}

/// Walks for [`poll`].
fn walk_all(
    bucket: &Bucket,
    found: &mut dyn FnMut(crate::store::Found<'_>) -> bool,
) -> Option<std::io::Result<()>> {
    let root = bucket.root().ok()?;
    Some(walk(bucket, root, "", found))
}
