//! Folders and files that may not be read: they are skipped, counted and named,
//! and looked at again until they may be read.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most keys that [`Unreadable`] names.
const NAMED: usize = 1000;
/// The most files that are remembered, so that memory stays bounded; a file
/// beyond is still taken up when the system tells that its permissions changed.
const MOST_FILES: usize = 10_000;
/// Each is logged until there are this many; then only now and then.
const LOGGED: usize = 100;

/// What of a bucket could not be read when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Folders; nothing is known of what is in them.
    pub folders: u64,
    /// Files, 10,000 at most.
    pub files: u64,
    /// The keys of both in order, those of folders with their final slash;
    /// 1,000 at most.
    pub keys: Vec<String>,
}

/// What is known of one bucket. Changes are logged once each.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    folders: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Tracker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a folder (its key ends in a slash) or a file may not be read.
    pub(crate) fn note(&self, bucket: &str, key: &str) {
        let is_folder = key.is_empty() || key.ends_with('/');
        let mut state = self.lock();
        if !is_folder && state.files.len() >= MOST_FILES {
            return;
        }
        let keys = if is_folder { &mut state.folders } else { &mut state.files };
        if !keys.insert(key.to_owned()) {
            return;
        }
        let count = state.folders.len() + state.files.len();
        drop(state);
        if count <= LOGGED || count.is_power_of_two() {
            let what = if is_folder { "folder" } else { "file" };
            tracing::warn!(
                bucket,
                key,
                skipped = count,
                "this {what} may not be read (permission denied); it is skipped, and taken up when it may be read"
            );
        }
    }

    /// Notes that a key may be read, or is gone; tells whether it could not be before.
    pub(crate) fn forget(&self, bucket: &str, key: &str) -> bool {
        let mut state = self.lock();
        let known = state.folders.remove(key) || state.files.remove(key);
        drop(state);
        if known {
            tracing::info!(bucket, key, "no longer skipped");
        }
        known
    }

    /// Forgets everything in a folder, and the folder: it is gone.
    pub(crate) fn forget_below(&self, folder: &str) {
        let mut state = self.lock();
        state.folders.retain(|key| !key.starts_with(folder));
        state.files.retain(|key| !key.starts_with(folder));
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        let state = self.lock();
        state.folders.contains(key) || state.files.contains(key)
    }

    /// Whether a key lies in a folder that may not be read: nobody knows what it is.
    pub(crate) fn hides(&self, key: &str) -> bool {
        let state = self.lock();
        !state.folders.is_empty()
            && std::iter::once("")
                .chain(key.match_indices('/').filter_map(|(at, _)| key.get(..=at)))
                .any(|folder| state.folders.contains(folder))
    }

    /// All keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        let state = self.lock();
        state.folders.iter().chain(&state.files).cloned().collect()
    }

    pub(crate) fn snapshot(&self) -> Unreadable {
        let state = self.lock();
        let mut keys: Vec<String> =
            state.folders.iter().take(NAMED).chain(state.files.iter().take(NAMED)).cloned().collect();
        keys.sort_unstable();
        keys.truncate(NAMED);
        Unreadable { folders: state.folders.len() as u64, files: state.files.len() as u64, keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_named_until_it_may_be_read() {
        let tracker = Tracker::default();
        for key in ["b/", "a.txt", "b/", "c/d/", "c/e"] {
            tracker.note("bucket", key);
        }
        let seen = tracker.snapshot();
        assert_eq!((seen.folders, seen.files), (2, 2));
        assert_eq!(seen.keys, ["a.txt", "b/", "c/d/", "c/e"]);
        assert!(tracker.has("b/") && !tracker.has("b"));
        for (key, is_hidden) in
            [("b/x", true), ("b/x/y", true), ("c/d/x", true), ("c/x", false), ("bx", false)]
        {
            assert_eq!(tracker.hides(key), is_hidden, "{key}");
        }
        assert!(tracker.forget("bucket", "b/") && !tracker.forget("bucket", "b/"));
        tracker.forget_below("c/");
        assert_eq!(tracker.snapshot().keys, ["a.txt"]);
        for number in 0..2 * NAMED {
            tracker.note("bucket", &format!("f{number:05}"));
        }
        let seen = tracker.snapshot();
        assert_eq!((seen.files, seen.keys.len()), (2 * NAMED as u64 + 1, NAMED));
        assert_eq!(seen.keys.first().map(String::as_str), Some("a.txt"));
    }
}
