//! Looking again at what may not be read, now and then, until it may.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::fsys;
use crate::keys;

/// The first pause before something is looked at again; each is twice the last.
const FIRST: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// What a look at a key found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It may be read.
    Readable,
    /// It may not, or its folder may not.
    Unreadable,
    /// There is nothing.
    Gone,
}

/// Looks whether a folder (its key ends in a slash) or a file may be read.
pub(super) fn look(bucket: &Bucket, key: &str) -> Look {
    // A disk that is away says nothing of what is on it.
    let Ok(root) = bucket.root() else { return Look::Unreadable };
    let (folder, name) = key
        .rsplit_once('/')
        .map_or(("", key), |(_, name)| (key.get(..key.len() - name.len()).unwrap_or_default(), name));
    let Some(components) = keys::folder_components(folder) else { return Look::Gone };
    let opened = fsys::descend(root, components).and_then(|folder| {
        fsys::check_search(&folder)?;
        if name.is_empty() {
            return Ok(true);
        }
        fsys::status_at(&folder, name)?;
        Ok(fsys::may_read(&folder, name))
    });
    match opened {
        Ok(true) => Look::Readable,
        Err(error) if fsys::is_missing(&error) => Look::Gone,
        Ok(false) | Err(_) => Look::Unreadable,
    }
}

/// When each key is looked at next.
#[derive(Debug, Default)]
pub(super) struct Retry {
    keys: BTreeMap<String, (Instant, Duration)>,
    next: Option<Instant>,
}

impl Retry {
    /// The keys that are to be looked at now, out of those that may not be read.
    pub(super) fn due(&mut self, now: Instant, unreadable: impl FnOnce() -> Vec<String>) -> Vec<String> {
        // New keys are found within the first pause.
        if self.next.is_some_and(|next| next > now) {
            return Vec::new();
        }
        let mut known = std::mem::take(&mut self.keys);
        let mut due = Vec::new();
        for key in unreadable() {
            let (mut at, mut pause) = known.remove(&key).unwrap_or((now + FIRST, FIRST));
            if at <= now {
                pause = (pause * 2).min(LONGEST);
                at = now + pause;
                due.push(key.clone());
            }
            self.keys.insert(key, (at, pause));
        }
        self.next = Some(now + FIRST);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        let (mut retry, start) = (Retry::default(), Instant::now());
        let keys = || vec!["a/".to_owned()];
        let mut looks = Vec::new();
        for second in 0..300 {
            if !retry.due(start + Duration::from_secs(second), keys).is_empty() {
                looks.push(second);
            }
        }
        assert_eq!(looks, [2, 6, 14, 30, 62, 122, 182, 242]);
        assert!(retry.due(start + Duration::from_secs(400), Vec::new).is_empty());
        assert!(retry.keys.is_empty());
    }
}
