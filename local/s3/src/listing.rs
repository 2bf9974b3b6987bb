//! Listing in key order out of a tree: folders are read lazily, pruned by
//! prefix and starting point, and only the files of the page are looked at.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::bucket::{Bucket, SkipCounters};
use crate::error::{Doing, Outcome};
use crate::folders::{FolderCache, Names, visible};
use crate::fsys::{self, Kind, Stamp};
use crate::keys;
use crate::objects::markers;
use crate::sidecar::{Marker, Sidecar};

/// What to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    /// Empty for none.
    pub(crate) delimiter: &'a str,
    /// Only what is greater than this, keys and common prefixes alike.
    pub(crate) after: &'a str,
    pub(crate) max: usize,
    /// Whether keys that XML cannot carry may be shown.
    pub(crate) any_text: bool,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) stamp: Stamp,
    pub(crate) etag: String,
    pub(crate) storage_class: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    pub(crate) prefixes: Vec<String>,
    /// Whether there is more.
    pub(crate) truncated: bool,
    /// The last key or common prefix on the page, to continue after.
    pub(crate) last: Option<String>,
}

/// A folder being walked.
struct Frame {
    folder: OwnedFd,
    names: Arc<Names>,
    next: usize,
    /// Length of the folder's key.
    key_len: usize,
}

struct Walk<'a> {
    bucket: &'a Bucket,
    cache: &'a FolderCache,
    sidecar: &'a Sidecar,
    /// Whether clients made any folder with an empty object.
    has_markers: bool,
    query: &'a Query<'a>,
    page: Page,
    frames: Vec<Frame>,
    /// The key of the innermost folder.
    key: String,
}

/// Lists one page.
pub(crate) fn page(
    bucket: &Bucket,
    cache: &FolderCache,
    sidecar: &Sidecar,
    query: &Query<'_>,
) -> Outcome<Page> {
    let root = bucket.root()?;
    if query.max == 0 {
        return Ok(Page::default());
    }
    let mut walk = Walk {
        bucket,
        cache,
        sidecar,
        has_markers: sidecar.marker_after(&bucket.name, query.prefix, "")?.is_some(),
        query,
        page: Page::default(),
        frames: Vec::new(),
        key: String::new(),
    };
    walk.run(root)?;
    let mut page = walk.page;
    join(bucket, sidecar, query, &mut page)?;
    // A disk that was unmounted half way leaves empty folders behind; what was
    // read from them is no truth.
    bucket.root()?;
    Ok(page)
}

impl Walk<'_> {
    fn run(&mut self, root: OwnedFd) -> Outcome<()> {
        let base = self.query.prefix.rfind('/').and_then(|at| self.query.prefix.get(..=at)).unwrap_or("");
        let Some(components) = keys::folder_components(base) else { return Ok(()) };
        let folder = match self.bucket.descend(root, &components) {
            Ok(folder) => folder,
            // The folder of them that may not be read is noted already.
            Err(e) if fsys::is_missing(&e) || fsys::is_denied(&e) => return Ok(()),
            Err(e) => return Err(e).doing("listing a folder"),
        };
        self.key.push_str(base);
        if base == self.query.prefix && self.visit_marker(&folder)? {
            self.page.truncated = true;
            return Ok(());
        }
        self.enter(folder)?;
        while let Some(frame) = self.frames.last_mut() {
            let index = frame.next;
            frame.next += 1;
            let names = Arc::clone(&frame.names);
            let key_len = frame.key_len;
            self.key.truncate(key_len);
            let Some(name) = names.get(index) else {
                self.frames.pop();
                continue;
            };
            self.key.push_str(name);
            if !self.key.starts_with(self.query.prefix) {
                // Sorted, and started at the first that has the prefix.
                self.frames.pop();
                continue;
            }
            if self.visit(name)? {
                self.page.truncated = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// A folder that is gone or may not be read is passed over; any other error
    /// fails the page, because a partial page would look like deletions.
    fn passed_over(&self, folder: &str, error: io::Error) -> Outcome<()> {
        if fsys::is_missing(&error) {
            return Ok(());
        }
        if fsys::is_denied(&error) {
            self.bucket.note_unreadable(folder);
            return Ok(());
        }
        Err(error).doing("listing a folder")
    }

    /// The key of the folder that is being looked at.
    fn folder_key(&self) -> &str {
        let length = self.frames.last().map_or(0, |frame| frame.key_len);
        self.key.get(..length).unwrap_or_default()
    }

    /// Starts on a folder whose key is in `self.key`.
    fn enter(&mut self, folder: OwnedFd) -> Outcome<()> {
        let names = match fsys::check_search(&folder)
            .and_then(|()| self.cache.names(self.bucket, &self.key, &folder))
        {
            Ok(names) => names,
            Err(e) => return self.passed_over(&self.key, e),
        };
        let mut next = 0;
        if let Some(rest) = self.query.prefix.strip_prefix(self.key.as_str()) {
            next = names.partition_point(|name| name < rest);
        }
        if let Some(rest) = self.query.after.strip_prefix(self.key.as_str()) {
            let beyond = names.partition_point(|name| name <= rest);
            // The folder that the starting point lies in sorts before it.
            let inside = beyond.checked_sub(1).filter(|&at| {
                names.get(at).is_some_and(|name| name.ends_with('/') && rest.starts_with(name))
            });
            next = next.max(inside.unwrap_or(beyond));
        } else if self.query.after > self.key.as_str() {
            // All keys below start with the folder's key, so they are all smaller.
            next = names.len();
        }
        self.frames.push(Frame { folder, names, next, key_len: self.key.len() });
        Ok(())
    }

    /// Looks at the entry whose key is in `self.key`; answers whether the page
    /// is full and there is more.
    fn visit(&mut self, name: &str) -> Outcome<bool> {
        let Some(frame) = self.frames.last() else { return Ok(false) };
        let is_folder = name.ends_with('/');
        let bare = name.strip_suffix('/').unwrap_or(name);
        if !self.query.any_text && !keys::fits_xml(name) {
            SkipCounters::add(&self.bucket.skipped.not_xml);
            return Ok(false);
        }
        if let Some(common) = self.common_prefix() {
            if common.as_str() <= self.query.after || self.page.prefixes.last() == Some(&common) {
                return Ok(false);
            }
            let there = if is_folder {
                match fsys::open_folder(&frame.folder, bare) {
                    Ok(folder) => {
                        holds_any(self.bucket, self.query.any_text, folder, self.key.len())?
                            || (self.has_markers && markers::any_below(self.sidecar, self.bucket, &self.key)?)
                    }
                    Err(e) => {
                        self.passed_over(&self.key, e)?;
                        false
                    }
                }
            } else {
                matches!(fsys::status_at(&frame.folder, bare), Ok(status) if status.kind == Kind::File)
            };
            if !there {
                return Ok(false);
            }
            if self.full() {
                return Ok(true);
            }
            self.page.last = Some(common.clone());
            self.page.prefixes.push(common);
            return Ok(false);
        }
        if is_folder {
            match fsys::open_folder(&frame.folder, bare) {
                Ok(folder) => {
                    if self.visit_marker(&folder)? {
                        return Ok(true);
                    }
                    self.enter(folder)?;
                }
                Err(e) => self.passed_over(&self.key, e)?,
            }
            return Ok(false);
        }
        if self.key.as_str() <= self.query.after {
            return Ok(false);
        }
        let status = match fsys::status_at(&frame.folder, bare) {
            Ok(status) if status.kind == Kind::File => status,
            Ok(_) => return Ok(false),
            Err(e) => {
                self.passed_over(self.folder_key(), e)?;
                return Ok(false);
            }
        };
        let stamp = self.bucket.stamp(status.stamp);
        Ok(!self.add(stamp, String::new(), None))
    }

    /// Puts the marker of the folder whose key is in `self.key` on the page, if it
    /// has one; answers whether the page is full and there is more.
    fn visit_marker(&mut self, folder: &OwnedFd) -> Outcome<bool> {
        if !self.has_markers || self.key.is_empty() || self.key.as_str() <= self.query.after {
            return Ok(false);
        }
        if !self.query.any_text && !keys::fits_xml(&self.key) {
            return Ok(false);
        }
        let Some(marker) = self.sidecar.marker(&self.bucket.name, &self.key)? else { return Ok(false) };
        let Marker { inode, modified_ns: mtime_ns, attributes } = marker;
        let status = fsys::status_of(folder).doing("listing a folder")?;
        if self.bucket.stamp(status.stamp).inode != inode {
            return Ok(false);
        }
        let stamp = Stamp { size: 0, mtime_ns, inode };
        Ok(!self.add(stamp, markers::EMPTY.to_owned(), attributes.storage_class))
    }

    /// Puts the object whose key is in `self.key` on the page; answers whether there
    /// was room for it.
    fn add(&mut self, stamp: Stamp, etag: String, storage_class: Option<String>) -> bool {
        if self.full() {
            return false;
        }
        let key = self.key.clone();
        self.page.last = Some(key.clone());
        self.page.objects.push(Listed { key, stamp, etag, storage_class });
        true
    }

    fn full(&self) -> bool {
        self.page.objects.len() + self.page.prefixes.len() >= self.query.max
    }

    /// The common prefix that the key in `self.key` falls under.
    fn common_prefix(&self) -> Option<String> {
        if self.query.delimiter.is_empty() {
            return None;
        }
        let rest = self.key.strip_prefix(self.query.prefix)?;
        let end = self.query.prefix.len() + rest.find(self.query.delimiter)? + self.query.delimiter.len();
        self.key.get(..end).map(str::to_owned)
    }
}

/// Tells whether there is any object in a folder, without sorting it.
fn holds_any(bucket: &Bucket, any_text: bool, folder: OwnedFd, key_len: usize) -> Outcome<bool> {
    let Some(inner) = inner_folders(bucket, any_text, &folder, key_len)? else { return Ok(true) };
    // Only the folders of one path are open at a time, however wide the tree is.
    let mut path = vec![(folder, inner, key_len)];
    while let Some((folder, inner, key_len)) = path.last_mut() {
        let Some(name) = inner.pop() else {
            path.pop();
            continue;
        };
        let key_len = *key_len + name.len() + 1;
        match fsys::open_folder(&*folder, &name) {
            Ok(folder) => match inner_folders(bucket, any_text, &folder, key_len)? {
                Some(inner) => path.push((folder, inner, key_len)),
                None => return Ok(true),
            },
            Err(e) if fsys::is_missing(&e) => {}
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                SkipCounters::add(&bucket.skipped.unreadable)
            }
            Err(e) => return Err(e).doing("listing a folder"),
        }
    }
    Ok(false)
}

/// The folders in a folder, or nothing as soon as an object is found in it.
fn inner_folders(
    bucket: &Bucket,
    any_text: bool,
    folder: &OwnedFd,
    key_len: usize,
) -> Outcome<Option<Vec<String>>> {
    let mut inner = Vec::new();
    let entries = match fsys::entries(folder) {
        Ok(entries) => entries,
        Err(e) if fsys::is_missing(&e) => return Ok(Some(inner)),
        Err(e) => return Err(e).doing("listing a folder"),
    };
    for entry in entries {
        let entry = entry.doing("listing a folder")?;
        if !visible(bucket, key_len, &entry) {
            continue;
        }
        let Some(name) = entry.name else { continue };
        if !any_text && !keys::fits_xml(&name) {
            continue;
        }
        if entry.kind == Kind::File {
            return Ok(None);
        }
        inner.push(name);
    }
    Ok(Some(inner))
}

/// Adds what the database knows about the objects of a page.
fn join(bucket: &Bucket, sidecar: &Sidecar, query: &Query<'_>, page: &mut Page) -> Outcome<()> {
    let (Some(first), Some(last)) = (page.objects.first(), page.objects.last()) else { return Ok(()) };
    // With a delimiter the range may span folders that are not on the page.
    let mut range = if query.delimiter.is_empty() {
        Some(sidecar.briefs(&bucket.name, &first.key, &last.key)?)
    } else {
        None
    };
    for object in page.objects.iter_mut().filter(|object| !markers::is_folder(&object.key)) {
        let brief = match &mut range {
            Some(range) => range.remove(&object.key),
            None => sidecar.brief(&bucket.name, &object.key)?,
        };
        let (etag, class) = match brief {
            Some(brief) if brief.stamp == object.stamp => (brief.etag, brief.storage_class),
            _ => (None, None),
        };
        object.etag = etag.unwrap_or_else(|| object.stamp.etag());
        object.storage_class = class;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::access::Access;
    use crate::bucket::BucketKind;

    /// What S3 would answer for a set of keys: items in order, each a key or a common prefix.
    fn model(keys: &BTreeSet<String>, query: &Query<'_>) -> (Vec<String>, bool) {
        let mut items = BTreeSet::new();
        for key in keys.iter().filter(|key| key.starts_with(query.prefix)) {
            let rest = &key[query.prefix.len()..];
            let item = match rest.find(query.delimiter).filter(|_| !query.delimiter.is_empty()) {
                Some(at) => key[..query.prefix.len() + at + query.delimiter.len()].to_owned(),
                None => key.clone(),
            };
            if item.as_str() > query.after {
                items.insert(item);
            }
        }
        let truncated = items.len() > query.max;
        (items.into_iter().take(query.max).collect(), truncated)
    }

    /// Makes the files of those keys that do not stand in each other's way.
    fn plant(root: &Path, keys: &[String]) -> BTreeSet<String> {
        let mut planted = BTreeSet::new();
        for key in keys {
            let path = root.join(key);
            if std::fs::create_dir_all(path.parent().unwrap()).is_ok() && std::fs::write(&path, b"x").is_ok()
            {
                planted.insert(key.clone());
            }
        }
        planted
    }

    /// Components around the slash in the byte order, and beyond ASCII.
    fn component() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "-", ".x", "0", " ", "é", "+"]), 1..3)
            .prop_map(|parts| parts.concat())
    }

    fn key() -> impl Strategy<Value = String> {
        prop::collection::vec(component(), 1..4).prop_map(|parts| parts.join("/"))
    }

    /// Prefixes and starting points: keys, cut anywhere, with or without a slash.
    fn edge() -> impl Strategy<Value = String> {
        (key(), 0..12usize, prop::sample::select(vec!["", "/", "//", "0"])).prop_map(|(key, cut, tail)| {
            let end = (0..=cut.min(key.len())).rev().find(|at| key.is_char_boundary(*at)).unwrap_or(0);
            format!("{}{tail}", &key[..end])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
        #[test]
        fn pages_are_those_of_the_model(
            keys in prop::collection::vec(key(), 0..40),
            empty in prop::collection::vec(key(), 0..4),
            marked in prop::collection::vec(key(), 0..4),
            prefix in prop_oneof![Just(String::new()), edge()],
            after in prop_oneof![Just(String::new()), edge()],
            delimiter in prop::sample::select(vec!["", "/", "a", "/a", "-"]),
            max in 1..12usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("bucket");
            std::fs::create_dir(&root).unwrap();
            let mut planted = plant(&root, &keys);
            for folder in &empty {
                let _in_the_way = std::fs::create_dir_all(root.join(folder));
            }
            let sidecar = Sidecar::open(&dir.path().join("db")).unwrap();
            for folder in &marked {
                use std::os::unix::fs::MetadataExt;
                let path = root.join(folder);
                if std::fs::create_dir_all(&path).is_ok() {
                    let inode = path.metadata().unwrap().ino();
                    let marker = Marker { inode, modified_ns: 0, attributes: Default::default() };
                    sidecar.put_marker("bucket", &format!("{folder}/"), &marker).unwrap();
                    planted.insert(format!("{folder}/"));
                }
            }
            // Of a folder that is not there any more.
            let gone = Marker { inode: 1, modified_ns: 0, attributes: Default::default() };
            sidecar.put_marker("bucket", "-gone/", &gone).unwrap();
            let bucket = Bucket::open("bucket".into(), root, BucketKind::Folder, Access::ReadWrite, 0).unwrap();
            let cache = FolderCache::default();
            let mut start = after;
            for _ in 0..100 {
                let query = Query { prefix: &prefix, delimiter, after: &start, max, any_text: false };
                let page = page(&bucket, &cache, &sidecar, &query).unwrap();
                let mut items: Vec<String> = page.objects.iter().map(|o| o.key.clone()).collect();
                prop_assert!(items.is_sorted() && page.prefixes.is_sorted());
                items.extend(page.prefixes.iter().cloned());
                items.sort();
                prop_assert_eq!((items, page.truncated), model(&planted, &query), "{:?} of {:?}", query, planted);
                if !page.truncated {
                    return Ok(());
                }
                start = page.last.unwrap();
            }
            prop_assert!(false, "the listing does not end");
        }
    }

    #[test]
    fn a_big_flat_folder_is_cached_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("bucket");
        std::fs::create_dir(&root).unwrap();
        for n in 0..600 {
            std::fs::write(root.join(format!("f{n:04}")), b"").unwrap();
        }
        // As if nothing had happened to the folder for a while.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        let times = std::fs::FileTimes::new().set_modified(old);
        std::fs::File::open(&root).unwrap().set_times(times).unwrap();
        let sidecar = Sidecar::open(&dir.path().join("db")).unwrap();
        let bucket =
            Bucket::open("bucket".into(), root.clone(), BucketKind::Folder, Access::ReadWrite, 0).unwrap();
        let cache = FolderCache::default();
        let count = || {
            let query = Query { max: 1000, ..Query::default() };
            page(&bucket, &cache, &sidecar, &query).unwrap().objects.len()
        };
        // The change time is too young to be trusted, so each change is seen at once.
        assert_eq!(count(), 600);
        std::fs::write(root.join("new"), b"").unwrap();
        assert_eq!(count(), 601);
        std::fs::remove_file(root.join("f0000")).unwrap();
        assert_eq!(count(), 600);
    }
}
