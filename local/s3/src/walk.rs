//! Walking a folder without sorting it.

use std::os::fd::OwnedFd;

use crate::bucket::Bucket;
use crate::folders::visible;
use crate::fsys::{self, Kind, Stamp};

/// A file that a walk found.
pub(crate) struct Found<'a> {
    pub(crate) key: &'a str,
    pub(crate) stamp: Stamp,
    pub(crate) ctime_ns: i64,
}

/// Walks everything below a folder in no particular order until `found`
/// answers `false`. Folders that may not be read are passed over and noted.
pub(crate) fn walk(
    bucket: &Bucket,
    root: OwnedFd,
    key: &str,
    found: &mut dyn FnMut(Found<'_>) -> bool,
) -> std::io::Result<()> {
    walk_folders(bucket, root, key, &mut |_| {}, Some(found))
}

/// The same, and tells the keys of the folders too. Files are not looked at if
/// nobody wants to know of them.
pub(crate) fn walk_folders(
    bucket: &Bucket,
    root: OwnedFd,
    key: &str,
    entered: &mut dyn FnMut(&str),
    mut found: Option<&mut dyn FnMut(Found<'_>) -> bool>,
) -> std::io::Result<()> {
    // Only the folders of one path are open at a time.
    let mut path: Vec<(OwnedFd, Vec<String>, String)> = Vec::new();
    let mut next = Some((root, key.to_owned()));
    loop {
        if let Some((folder, key)) = next.take()
            && may_enter(bucket, &folder, &key)?
        {
            entered(&key);
            let mut inner = Vec::new();
            for entry in fsys::entries(&folder)? {
                let entry = entry?;
                if !visible(bucket, key.len(), &entry) {
                    continue;
                }
                let Some(name) = entry.name else { continue };
                if entry.kind == Kind::Folder {
                    inner.push(name);
                    continue;
                }
                let Some(found) = found.as_mut() else { continue };
                match fsys::status_at(&folder, &name) {
                    Ok(status) if status.kind == Kind::File => {
                        let key = format!("{key}{name}");
                        let stamp = bucket.stamp(status.stamp);
                        if !found(Found { key: &key, stamp, ctime_ns: status.ctime_ns }) {
                            return Ok(());
                        }
                    }
                    Ok(_) => {}
                    Err(e) if fsys::is_missing(&e) => {}
                    Err(e) if fsys::is_denied(&e) => bucket.note_unreadable(&key),
                    Err(e) => return Err(e),
                }
            }
            path.push((folder, inner, key));
        }
        let Some((folder, inner, key)) = path.last_mut() else { return Ok(()) };
        let Some(name) = inner.pop() else {
            path.pop();
            continue;
        };
        match fsys::open_folder(&*folder, &name) {
            Ok(folder) => next = Some((folder, format!("{key}{name}/"))),
            Err(e) if fsys::is_missing(&e) => {}
            Err(e) if fsys::is_denied(&e) => bucket.note_unreadable(&format!("{key}{name}/")),
            Err(e) => return Err(e),
        }
    }
}

/// Tells whether what is in a folder may be looked at.
fn may_enter(bucket: &Bucket, folder: &OwnedFd, key: &str) -> std::io::Result<bool> {
    match fsys::check_search(folder) {
        Ok(()) => Ok(true),
        Err(e) if fsys::is_denied(&e) => {
            bucket.note_unreadable(key);
            Ok(false)
        }
        Err(e) => Err(e),
    }
}
