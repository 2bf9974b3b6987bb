//! Polling, where the system cannot watch: a fingerprint of each folder's
//! files is kept, so memory grows with folders and not with files, and a
//! folder whose fingerprint changes is announced to be compared.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::events::Notice;
use crate::store::Inner;
use crate::watch::retry::{Look, look};
use crate::watch::walk_all;

/// With more changed folders than this the whole bucket is compared at once.
const MANY: usize = 16;
/// Walking takes at most this share of the time: one part in so many.
const SHARE: u32 = 5;
const TICK: Duration = Duration::from_millis(200);

type Fingerprints = HashMap<String, u64>;

pub(super) struct Poller {
    inner: Weak<Inner>,
    bucket: Arc<Bucket>,
    pause: Duration,
    known: Option<Fingerprints>,
}

impl Poller {
    /// Takes the first fingerprints: every later change is seen.
    pub(super) fn new(inner: Weak<Inner>, bucket: Arc<Bucket>, pause: Duration) -> Self {
        let known = fingerprints(&bucket);
        Self { inner, bucket, pause, known }
    }

    pub(super) fn run(mut self) {
        let mut pause = self.pause;
        loop {
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.inner.strong_count() == 0 {
                    return;
                }
                std::thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
            }
            let began = Instant::now();
            // A folder that is gone or cannot be read has not changed as far as anybody knows.
            let now = fingerprints(&self.bucket);
            let Some(inner) = self.inner.upgrade() else { return };
            if let Some(now) = now {
                for key in self.bucket.unreadable.keys() {
                    if look(&self.bucket, &key) != Look::Unreadable {
                        self.bucket.unreadable.forget(&self.bucket.name, &key);
                    }
                }
                for notice in self.changes(&now) {
                    inner.tell(notice);
                }
                self.known = Some(now);
            }
            pause = self.pause.max(began.elapsed() * SHARE);
        }
    }

    fn changes(&self, now: &Fingerprints) -> Vec<Notice> {
        let bucket = || self.bucket.name.clone();
        let Some(known) = &self.known else { return vec![Notice::BucketChanged { bucket: bucket() }] };
        let mut changed: Vec<&String> =
            now.iter().filter(|(f, print)| known.get(*f) != Some(print)).map(|(f, _)| f).collect();
        changed.extend(known.keys().filter(|folder| !now.contains_key(*folder)));
        changed.sort();
        let mut outermost: Vec<&String> = Vec::new();
        for folder in changed {
            if !outermost.last().is_some_and(|outer| folder.starts_with(outer.as_str())) {
                outermost.push(folder);
            }
        }
        if outermost.len() > MANY || outermost.first().is_some_and(|folder| folder.is_empty()) {
            return vec![Notice::BucketChanged { bucket: bucket() }];
        }
        outermost
            .into_iter()
            .map(|prefix| Notice::PrefixChanged { bucket: bucket(), prefix: prefix.clone() })
            .collect()
    }
}

/// A number for the files directly in each folder that has any; the order in
/// which the system lists them does not matter.
fn fingerprints(bucket: &Bucket) -> Option<Fingerprints> {
    let mut prints = Fingerprints::new();
    let walked = walk_all(bucket, &mut |found| {
        let mut hasher = DefaultHasher::new();
        // The time of the last change shows permissions that were given.
        (found.key, found.stamp.size, found.stamp.mtime_ns, found.stamp.inode, found.ctime_ns)
            .hash(&mut hasher);
        let folder = found.key.rfind('/').and_then(|at| found.key.get(..=at)).unwrap_or("");
        let print = match prints.get_mut(folder) {
            Some(print) => print,
            None => prints.entry(folder.to_owned()).or_default(),
        };
        *print = print.wrapping_add(hasher.finish());
        true
    })?;
    if let Err(error) = walked {
        tracing::warn!(bucket = %bucket.name, %error, "a folder could not be polled");
        return None;
    }
    // A disk that went away half way through would look like deletions.
    bucket.root().ok().map(|_| prints)
}
