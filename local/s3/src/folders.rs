//! Sorted lists of a folder's entries, with a bounded cache for the big ones,
//! so that paging through a flat folder does not read and sort it once a page.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bucket::{Bucket, SkipCounters};
use crate::fsys::{self, Kind};
use crate::keys;

/// Folders with fewer entries are read again each time; that is as cheap as a look-up.
const WORTH_CACHING: usize = 256;
/// All cached names together, in bytes.
const BUDGET: usize = 64 << 20;
/// A folder changed less than this before it was read may change again without
/// its modification time showing it (FAT counts in steps of 2 s).
const SETTLED_NS: i64 = 3_000_000_000;
/// Network file systems show changes late; no list is trusted for longer.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The entries of one folder in key order; names of folders end in a slash,
/// which is what makes the order that of the keys below them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    spans: Vec<(u32, u32)>,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let &(start, end) = self.spans.get(index)?;
        self.text.get(start as usize..end as usize)
    }

    /// How many names come before the first that fails the test.
    pub(crate) fn partition_point(&self, test: impl Fn(&str) -> bool) -> usize {
        self.spans
            .partition_point(|&(start, end)| self.text.get(start as usize..end as usize).is_some_and(&test))
    }

    fn push(&mut self, name: &str, folder: bool) -> bool {
        let start = self.text.len();
        self.text.push_str(name);
        if folder {
            self.text.push('/');
        }
        match (u32::try_from(start), u32::try_from(self.text.len())) {
            (Ok(start), Ok(end)) => {
                self.spans.push((start, end));
                true
            }
            _ => false,
        }
    }

    fn sort(&mut self) {
        let text = &self.text;
        self.spans
            .sort_unstable_by_key(|&(start, end)| text.get(start as usize..end as usize).unwrap_or_default());
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.spans.len() * 8
    }
}

/// Tells whether an entry can be (or hold) an object, and counts those that cannot.
pub(crate) fn visible(bucket: &Bucket, folder_key_len: usize, entry: &fsys::Entry) -> bool {
    let skipped = &bucket.skipped;
    let counter = match (&entry.name, entry.kind) {
        (_, Kind::Symlink) => &skipped.symlinks,
        (_, Kind::Special) => &skipped.special,
        (None, _) => &skipped.not_utf8,
        (Some(name), _) if keys::is_temporary(name) => return false,
        (Some(name), _)
            if folder_key_len + name.len() > keys::MAX_KEY || name.len() > keys::MAX_COMPONENT =>
        {
            &skipped.too_long
        }
        _ => return true,
    };
    SkipCounters::add(counter);
    false
}

/// Reads and sorts a folder.
fn read(bucket: &Bucket, folder_key: &str, folder: &OwnedFd) -> io::Result<Names> {
    let mut names = Names::default();
    for entry in fsys::entries(folder)? {
        let entry = entry?;
        if !visible(bucket, folder_key.len(), &entry) {
            continue;
        }
        if let Some(name) = &entry.name
            && !names.push(name, entry.kind == Kind::Folder)
        {
            return Err(io::Error::other("the names in one folder exceed 4 GiB"));
        }
    }
    names.sort();
    Ok(names)
}

#[derive(Debug)]
struct Cached {
    names: Arc<Names>,
    state: (u64, u64, i64, i64),
    read: Instant,
    used: Instant,
}

/// The cache of sorted lists.
#[derive(Debug, Default)]
pub(crate) struct FolderCache {
    lists: Mutex<HashMap<(String, String), Cached>>,
}

impl FolderCache {
    /// The sorted entries of a folder whose key is given (`""` or ending in a slash).
    pub(crate) fn names(
        &self,
        bucket: &Bucket,
        folder_key: &str,
        folder: &OwnedFd,
    ) -> io::Result<Arc<Names>> {
        // The state is taken before reading: a change in between makes it stale, never falsely fresh.
        let status = fsys::status_of(folder)?;
        let state = (status.device, status.stamp.inode, status.stamp.mtime_ns, status.ctime_ns);
        let cache_key = (bucket.name.clone(), folder_key.to_owned());
        let now = Instant::now();
        {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cached) = lists.get_mut(&cache_key) {
                if cached.state == state && cached.read.elapsed() < MAX_AGE {
                    cached.used = now;
                    return Ok(Arc::clone(&cached.names));
                }
                lists.remove(&cache_key);
            }
        }
        let settled = fsys::now_ns().saturating_sub(SETTLED_NS);
        let names = Arc::new(read(bucket, folder_key, folder)?);
        if names.len() >= WORTH_CACHING
            && names.bytes() <= BUDGET
            && status.stamp.mtime_ns < settled
            && status.ctime_ns < settled
        {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            lists.insert(cache_key, Cached { names: Arc::clone(&names), state, read: now, used: now });
            let mut total: usize = lists.values().map(|cached| cached.names.bytes()).sum();
            while total > BUDGET {
                let Some(oldest) = lists.iter().min_by_key(|(_, c)| c.used).map(|(key, _)| key.clone())
                else {
                    break;
                };
                if let Some(cached) = lists.remove(&oldest) {
                    total -= cached.names.bytes();
                }
            }
        }
        Ok(names)
    }
}
