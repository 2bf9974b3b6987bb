//! A served bucket: its folder, and the care that a folder which vanished is
//! never mistaken for an empty one.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::access::Access;
use crate::error::{Fault, Outcome};
use crate::events::Rule;
use crate::fsys::{self, Stamp};
use crate::unreadable::Tracker;

/// How a bucket came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    /// A folder of the user's, served and watched.
    Folder,
    /// Made by CreateBucket, stored in the state directory.
    Created,
}

/// Directory entries that cannot be objects and were passed over, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Symbolic links; they are never followed.
    pub symlinks: u64,
    /// Sockets, pipes and devices.
    pub special: u64,
    /// Names that are not UTF-8.
    pub not_utf8: u64,
    /// Keys that would be longer than 1,024 bytes.
    pub too_long: u64,
    /// Keys that XML cannot carry; shown to clients that ask for `encoding-type=url`.
    pub not_xml: u64,
    /// Folders that may not be read.
    pub unreadable: u64,
}

impl Skipped {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.symlinks + self.special + self.not_utf8 + self.too_long + self.not_xml + self.unreadable
    }
}

/// Counts what was skipped, from many threads.
#[derive(Debug, Default)]
pub(crate) struct SkipCounters {
    pub(crate) symlinks: AtomicU64,
    pub(crate) special: AtomicU64,
    pub(crate) not_utf8: AtomicU64,
    pub(crate) too_long: AtomicU64,
    pub(crate) not_xml: AtomicU64,
    pub(crate) unreadable: AtomicU64,
}

impl SkipCounters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Skipped {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Skipped {
            symlinks: get(&self.symlinks),
            special: get(&self.special),
            not_utf8: get(&self.not_utf8),
            too_long: get(&self.too_long),
            not_xml: get(&self.not_xml),
            unreadable: get(&self.unreadable),
        }
    }
}

/// A bucket that is being served.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: BucketKind,
    pub(crate) access: Access,
    /// Seconds since 1970.
    pub(crate) created: i64,
    /// Whether inode numbers mean anything on this file system.
    pub(crate) inodes_last: bool,
    pub(crate) skipped: SkipCounters,
    /// What may not be read.
    pub(crate) unreadable: Tracker,
    pub(crate) rules: RwLock<Arc<Vec<Rule>>>,
    /// Device and inode of the folder.
    identity: Mutex<(u64, u64)>,
    vanished: AtomicBool,
    /// What was announced of each key of late: the state of the file, or that
    /// it is gone. Keeps the watcher from announcing it again.
    announced: Mutex<HashMap<String, (Option<Stamp>, Instant)>>,
}

/// For how long an announcement keeps the same one from being made again. The
/// watcher sees our own writes within a second or so.
const REMEMBERED: Duration = Duration::from_secs(30);
/// With more announcements than this, the old ones are dropped now and then.
const MANY_ANNOUNCED: usize = 4096;

impl Bucket {
    pub(crate) fn open(
        name: String,
        path: PathBuf,
        kind: BucketKind,
        access: Access,
        created: i64,
    ) -> std::io::Result<Self> {
        let root = fsys::open_root(&path)?;
        let status = fsys::status_of(&root)?;
        Ok(Self {
            name,
            path,
            kind,
            access,
            created,
            inodes_last: fsys::inodes_last(&root),
            skipped: SkipCounters::default(),
            unreadable: Tracker::default(),
            rules: RwLock::default(),
            identity: Mutex::new((status.device, status.stamp.inode)),
            vanished: AtomicBool::new(false),
            announced: Mutex::default(),
        })
    }

    /// Opens the bucket's folder. An empty folder that is not the one that was
    /// there before is the mount point of a disk that is gone, so it is no
    /// bucket; one with content is the disk back again.
    pub(crate) fn root(&self) -> Outcome<OwnedFd> {
        let opened = self.try_root();
        let gone = opened.is_none();
        if self.vanished.swap(gone, Ordering::Relaxed) != gone {
            if gone {
                tracing::warn!(bucket = %self.name, "the bucket's folder is gone");
            } else {
                tracing::info!(bucket = %self.name, "the bucket's folder is back");
            }
        }
        opened.ok_or_else(Fault::no_such_bucket)
    }

    fn try_root(&self) -> Option<OwnedFd> {
        let root = fsys::open_root(&self.path).ok()?;
        let status = fsys::status_of(&root).ok()?;
        let now = (status.device, status.stamp.inode);
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if *identity != now {
            fsys::entries(&root).ok()?.next()?.ok()?;
            *identity = now;
        }
        Some(root)
    }

    /// Device and inode of the folder that is being served.
    pub(crate) fn identity(&self) -> (u64, u64) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file's state as it is compared and hashed for this bucket.
    pub(crate) fn stamp(&self, mut stamp: Stamp) -> Stamp {
        if !self.inodes_last {
            stamp.inode = 0;
        }
        stamp
    }

    /// Notes what is announced of a key; tells whether it is news. Call it while
    /// the key is locked.
    pub(crate) fn note_announced(&self, key: &str, state: Option<Stamp>) -> bool {
        let now = Instant::now();
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if announced.len() > MANY_ANNOUNCED && announced.len().is_power_of_two() {
            announced.retain(|_, (_, when)| now.duration_since(*when) < REMEMBERED);
        }
        match announced.insert(key.to_owned(), (state, now)) {
            Some((before, when)) => before != state || now.duration_since(when) >= REMEMBERED,
            None => true,
        }
    }

    /// Opens the folder at the end of a chain of names, and notes the one that
    /// may not be read.
    pub(crate) fn descend(&self, root: OwnedFd, components: &[&str]) -> std::io::Result<OwnedFd> {
        let mut folder = root;
        let mut key = String::new();
        for name in components {
            folder = match fsys::open_folder(&folder, name) {
                Ok(inner) => inner,
                Err(error) => {
                    if fsys::is_denied(&error) {
                        if fsys::check_search(&folder).is_ok() {
                            key.push_str(name);
                            key.push('/');
                        }
                        self.note_unreadable(&key);
                    }
                    return Err(error);
                }
            };
            key.push_str(name);
            key.push('/');
        }
        Ok(folder)
    }

    /// Notes that a folder or file may not be read, and counts it.
    pub(crate) fn note_unreadable(&self, key: &str) {
        SkipCounters::add(&self.skipped.unreadable);
        self.unreadable.note(&self.name, key);
    }

    /// Has the next announcement of a key made, whatever was announced before.
    pub(crate) fn forget_announcement(&self, key: &str) {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Forgets what was announced below a folder.
    pub(crate) fn forget_announced(&self, folder: &str) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        announced.retain(|key, _| !key.starts_with(folder));
    }

    pub(crate) fn rules(&self) -> Arc<Vec<Rule>> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_rules(&self, rules: Vec<Rule>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}
