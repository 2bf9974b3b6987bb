//! Paths that something happened to, waiting to come to rest.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};

/// After a write, for more writes to follow.
const WRITING: Duration = Duration::from_millis(150);
/// After what completes a change: a file was closed, moved or removed.
const COMPLETE: Duration = Duration::from_millis(25);
/// A file that is written all the time is looked at this often nevertheless.
const LONGEST: Duration = Duration::from_secs(5);

/// What happened to a path, taken together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// It was created or moved in.
    pub(super) appeared: bool,
    /// It was removed or moved away.
    pub(super) vanished: bool,
    /// It was moved away, or it is not known how it vanished.
    pub(super) moved: bool,
    /// More than its attributes (permissions, owner, times) changed.
    pub(super) content: bool,
    /// Nothing more is expected to follow.
    complete: bool,
}

impl Touched {
    /// What an event says about its path of that index; nothing if it is none of our business.
    pub(super) fn of(kind: &EventKind, index: usize) -> Option<Self> {
        let attributes = Self { complete: true, ..Self::default() };
        let changed = Self { content: true, ..Self::default() };
        let appeared = Self { appeared: true, ..changed };
        let vanished = Self { vanished: true, complete: true, ..changed };
        Some(match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Self { complete: true, ..changed },
            EventKind::Access(_) => return None,
            EventKind::Create(CreateKind::Folder) => Self { complete: true, ..appeared },
            EventKind::Create(_) => appeared,
            EventKind::Remove(RemoveKind::Folder) if cfg!(target_os = "linux") => vanished,
            EventKind::Remove(_) => Self { moved: true, ..vanished },
            EventKind::Modify(ModifyKind::Name(mode)) => match (mode, index) {
                (RenameMode::From, _) | (RenameMode::Both, 0) => Self { moved: true, ..vanished },
                (RenameMode::To, _) | (RenameMode::Both, _) => Self { complete: true, ..appeared },
                _ => Self { moved: true, appeared: true, vanished: true, ..changed },
            },
            EventKind::Modify(ModifyKind::Metadata(_)) => attributes,
            _ => changed,
        })
    }
}

#[derive(Debug)]
struct Waiting {
    touched: Touched,
    first: Instant,
    due: Instant,
}

/// The paths that are waiting, by key.
#[derive(Debug, Default)]
pub(super) struct Pending {
    keys: BTreeMap<String, Waiting>,
}

impl Pending {
    pub(super) fn touch(&mut self, key: String, touched: Touched) {
        let now = Instant::now();
        let waiting =
            self.keys.entry(key).or_insert(Waiting { touched: Touched::default(), first: now, due: now });
        waiting.touched.appeared |= touched.appeared;
        waiting.touched.vanished |= touched.vanished;
        waiting.touched.moved |= touched.moved;
        waiting.touched.content |= touched.content;
        let pause = if touched.complete { COMPLETE } else { WRITING };
        waiting.due = (now + pause).min(waiting.first + LONGEST);
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.keys.values().map(|waiting| waiting.due).min()
    }

    /// Takes out what has come to rest, in order of key: folders before what is in them.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(String, Touched)> {
        self.keys
            .extract_if(.., |_, waiting| waiting.due <= now)
            .map(|(key, waiting)| (key, waiting.touched))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, MetadataKind};

    use super::*;

    #[test]
    fn a_path_is_taken_once_with_all_that_happened() {
        let mut pending = Pending::default();
        let create = Touched::of(&EventKind::Create(CreateKind::File), 0).unwrap_or_default();
        let remove = Touched::of(&EventKind::Remove(RemoveKind::File), 0).unwrap_or_default();
        pending.touch("b".into(), create);
        pending.touch("a".into(), create);
        pending.touch("a".into(), remove);
        let now = Instant::now();
        assert!(pending.take_due(now - Duration::from_secs(1)).is_empty());
        let soon = pending.take_due(now + COMPLETE + Duration::from_millis(50));
        assert_eq!(soon.len(), 1);
        assert!(soon.iter().all(|(key, t)| key == "a" && t.appeared && t.vanished));
        let later = pending.take_due(now + LONGEST);
        assert_eq!(later.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b"]);
        assert_eq!(pending.next_due(), None);
    }

    #[test]
    fn attributes_are_told_from_content() {
        let chmod = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(Touched::of(&chmod, 0).map(|t| t.content), Some(false));
        assert_eq!(Touched::of(&write, 0).map(|t| t.content), Some(true));
    }

    #[test]
    fn reading_is_nothing() {
        assert_eq!(Touched::of(&EventKind::Access(AccessKind::Open(AccessMode::Any)), 0), None);
    }
}
