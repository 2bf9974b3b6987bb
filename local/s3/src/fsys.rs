//! File system primitives, all relative to open directories and none following
//! a symbolic link, so that no key and no race leads out of a bucket's folder.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use s3s::dto::Timestamp;

/// What identifies a state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Modification time in nanoseconds since 1970.
    pub(crate) mtime_ns: i64,
    /// Inode number, 0 where the file system makes them up as it goes.
    pub(crate) inode: u64,
}

impl Stamp {
    /// Modification time in whole seconds, as S3 reports it.
    pub(crate) fn modified(&self) -> i64 {
        self.mtime_ns.div_euclid(1_000_000_000)
    }

    /// The ETag of a file whose content nobody hashed. The device number is
    /// left out on purpose: btrfs, NFS, overlayfs and ZFS allot it at mount
    /// time, and a reboot would make every object look changed. The `-1` keeps
    /// clients from taking it for an MD5.
    pub(crate) fn etag(&self) -> String {
        let mut hash = Md5::new();
        hash.update(self.inode.to_be_bytes());
        hash.update(self.size.to_be_bytes());
        hash.update(self.mtime_ns.to_be_bytes());
        format!("{}-1", hex::encode(hash.finalize()))
    }
}

/// What a directory entry is, as far as this crate cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
    Special,
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Symlink,
            _ => Self::Special,
        }
    }
}

/// A file's kind, state and change time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    pub(crate) ctime_ns: i64,
    pub(crate) device: u64,
    /// Permission bits, with those for setting ids.
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    /// Names that the file has.
    pub(crate) links: u64,
}

/// The integer types of `stat` differ between platforms.
fn int<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

fn status(stat: &rustix::fs::Stat) -> Status {
    Status {
        kind: FileType::from_raw_mode(stat.st_mode).into(),
        stamp: Stamp {
            size: u64::try_from(int(stat.st_size)).unwrap_or(0),
            mtime_ns: nanoseconds(int(stat.st_mtime), int(stat.st_mtime_nsec)),
            inode: stat.st_ino,
        },
        ctime_ns: nanoseconds(int(stat.st_ctime), int(stat.st_ctime_nsec)),
        device: int(stat.st_dev).cast_unsigned(),
        mode: u32::try_from(int(stat.st_mode)).unwrap_or(0) & 0o7777,
        owner: stat.st_uid,
        group: stat.st_gid,
        links: int(stat.st_nlink).cast_unsigned(),
    }
}

const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a bucket's own folder; its path was given by the user and may go over links.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OPEN_FOLDER, Mode::empty())?)
}

/// Opens a folder inside a folder, never over a link.
pub(crate) fn open_folder(parent: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(parent, name, OPEN_FOLDER | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens the folder at the end of a chain of names.
pub(crate) fn descend<'a>(
    root: OwnedFd,
    components: impl IntoIterator<Item = &'a str>,
) -> io::Result<OwnedFd> {
    components.into_iter().try_fold(root, open_folder)
}

/// Opens a regular file for reading; a pipe must not block and a device must not be touched.
pub(crate) fn open_file(folder: impl AsFd, name: &str) -> io::Result<(File, Status)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let status = status_of(&file)?;
    if status.kind != Kind::File {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok((File::from(file), status))
}

/// The state of an open file.
pub(crate) fn status_of(file: impl AsFd) -> io::Result<Status> {
    Ok(status(&rustix::fs::fstat(file)?))
}

/// The state of a name in a folder, links not followed.
pub(crate) fn status_at(folder: impl AsFd, name: &str) -> io::Result<Status> {
    Ok(status(&rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// Creates a folder; tells whether it was not there before.
pub(crate) fn make_folder(parent: impl AsFd, name: &str) -> io::Result<bool> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Opens a regular file for writing over it.
pub(crate) fn open_to_write(folder: impl AsFd, name: &str) -> io::Result<(File, Status)> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let status = status_of(&file)?;
    if status.kind != Kind::File {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok((File::from(file), status))
}

/// Tells whether this process may read a file.
pub(crate) fn may_read(folder: impl AsFd, name: &str) -> bool {
    rustix::fs::accessat(folder, name, rustix::fs::Access::READ_OK, AtFlags::EACCESS).is_ok()
}

/// Fails if what is in an open folder may not be looked at: with permission to
/// read but none to search there are names and nothing else.
pub(crate) fn check_search(folder: impl AsFd) -> io::Result<()> {
    rustix::fs::statat(folder, ".", AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Tells whether an error means that something is there and may not be read.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Sets the permission bits of a file or folder.
pub(crate) fn set_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    // Of another width on macOS; there are 12 bits of it everywhere.
    let mode = Mode::from_raw_mode((mode & 0o7777) as rustix::fs::RawMode);
    Ok(rustix::fs::fchmod(file, mode)?)
}

/// The permissions that this process's umask takes away, found by making a
/// folder: the call that answers it changes it for all threads.
pub(crate) fn find_umask(folder: impl AsFd) -> io::Result<u32> {
    const PROBE: &str = "umask";
    let folder = folder.as_fd();
    make_folder(folder, PROBE)?;
    let status = status_at(folder, PROBE);
    remove_folder(folder, PROBE)?;
    Ok(0o777 & !status?.mode)
}

/// Gives a file the owner, the group, the access list, the user's attributes
/// and the permissions of the file that it replaces, as far as this process may.
pub(crate) fn take_after(new: &File, folder: impl AsFd, name: &str, old: &Status) -> io::Result<()> {
    use rustix::fs::{Gid, Uid};
    let now = status_of(new)?;
    if (now.owner, now.group) != (old.owner, old.group) {
        let (owner, group) = (Uid::from_raw(old.owner), Gid::from_raw(old.group));
        // Only root may give files away; the group may still be one of ours.
        if rustix::fs::fchown(new, Some(owner), Some(group)).is_err()
            && let Err(error) = rustix::fs::fchown(new, None, Some(group))
        {
            tracing::debug!(%error, "a replaced file's group is not kept");
        }
    }
    if let Ok((before, _)) = open_file(folder, name)
        && let Err(error) = copy_attributes(&before, new)
    {
        tracing::debug!(%error, "a replaced file's extended attributes are not all kept");
    }
    // Last: a change of owner clears some of them. Those for setting ids go with
    // the content, as they do when a file is written.
    set_mode(new, old.mode & 0o1777)
}

/// Copies the access list and the user's attributes. Those of security modules
/// and capabilities are about the old content or are set by the system.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    /// More than any file system holds for one file.
    const MOST: usize = 64 * 1024;
    let mut list = vec![0_u8; MOST];
    let length = rustix::fs::flistxattr(from, list.as_mut_slice())?;
    list.truncate(length);
    let mut outcome = Ok(());
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let kept = name.starts_with(b"user.")
            || name == b"system.posix_acl_access"
            || (cfg!(target_os = "macos") && name.starts_with(b"com.apple.metadata"));
        if !kept {
            continue;
        }
        let mut value = vec![0_u8; MOST];
        let copied = rustix::fs::fgetxattr(from, name, value.as_mut_slice()).and_then(|length| {
            value.truncate(length);
            rustix::fs::fsetxattr(to, name, &value, rustix::fs::XattrFlags::empty())
        });
        if let Err(error) = copied {
            outcome = Err(error.into());
        }
    }
    outcome
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn copy_attributes(_from: &File, _to: &File) -> io::Result<()> {
    Ok(())
}

/// Makes sure that a file's time of modification is another than one before:
/// the system's clock for it ticks in steps of milliseconds.
pub(crate) fn touch_after(file: &File, before_ns: i64) -> io::Result<()> {
    if status_of(file)?.stamp.mtime_ns != before_ns {
        return Ok(());
    }
    let next = u64::try_from(before_ns.saturating_add(1)).unwrap_or(0);
    file.set_modified(UNIX_EPOCH.checked_add(Duration::from_nanos(next)).unwrap_or_else(SystemTime::now))
}

/// Creates a new file for writing that only this user may read until it is put
/// in place.
pub(crate) fn create_file(folder: impl AsFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?))
}

/// Moves a file onto another name.
pub(crate) fn rename(from: impl AsFd, from_name: &str, to: impl AsFd, to_name: &str) -> io::Result<()> {
    Ok(rustix::fs::renameat(from, from_name, to, to_name)?)
}

/// Removes a file.
pub(crate) fn remove_file(folder: impl AsFd, name: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?)
}

/// Removes an empty folder.
pub(crate) fn remove_folder(parent: impl AsFd, name: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// One entry of a folder; the kind is known without a `stat` on most file systems.
pub(crate) struct Entry {
    /// Nothing if the name is not UTF-8.
    pub(crate) name: Option<String>,
    pub(crate) kind: Kind,
}

/// Reads a folder in the order the system gives, without `.` and `..`.
pub(crate) fn entries(folder: impl AsFd) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
    let dir = rustix::fs::Dir::read_from(&folder)?;
    // Needed for the file systems that do not tell kinds in a listing.
    let folder = folder.as_fd().try_clone_to_owned()?;
    Ok(dir.filter_map(move |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e.into())),
        };
        let raw = entry.file_name();
        if matches!(raw.to_bytes(), b"." | b"..") {
            return None;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match rustix::fs::statat(&folder, raw, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode).into(),
                Err(rustix::io::Errno::NOENT) => return None,
                Err(e) => return Some(Err(e.into())),
            },
            known => known.into(),
        };
        Some(Ok(Entry { name: raw.to_str().ok().map(str::to_owned), kind }))
    }))
}

/// Tells whether a file keeps its inode number for as long as it exists. FAT,
/// exFAT and most FUSE file systems make numbers up when a file is looked up.
#[cfg(target_os = "linux")]
pub(crate) fn inodes_last(folder: impl AsFd) -> bool {
    const MADE_UP: [i64; 3] = [0x4d44, 0x2011_bab0, 0x6573_5546];
    rustix::fs::fstatfs(folder).is_ok_and(|fs| !MADE_UP.contains(&int(fs.f_type)))
}

/// Tells whether a file keeps its inode number for as long as it exists.
#[cfg(not(target_os = "linux"))]
pub(crate) fn inodes_last(_folder: impl AsFd) -> bool {
    true
}

/// Tells whether an error means that nothing is at a path (or nothing that we serve).
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput
    ) || is_link_or_socket(error)
}

fn is_link_or_socket(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::LOOP, Errno::NXIO, Errno::NODEV, Errno::NAMETOOLONG]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Seconds since 1970 as the wire's time stamp, kept inside what dates can
/// express: a file's time can be any 64-bit number.
pub(crate) fn timestamp(seconds: i64) -> Timestamp {
    const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST);
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH).into()
}

/// Nanoseconds since 1970, now.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn odd_times_stay_expressible() {
        for (seconds, want) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
        ] {
            let mut out = Vec::new();
            timestamp(seconds).format(s3s::dto::TimestampFormat::HttpDate, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        let stamp = Stamp { size: 1, mtime_ns: -1, inode: 2 };
        assert_eq!(stamp.modified(), -1);
        assert_eq!(stamp.etag().len(), 34);
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/f"), b"x").unwrap();
        std::os::unix::fs::symlink("d", dir.path().join("l")).unwrap();
        std::os::unix::fs::symlink("d/f", dir.path().join("lf")).unwrap();
        let root = open_root(dir.path()).unwrap();
        assert!(is_missing(&open_folder(&root, "l").unwrap_err()));
        assert!(is_missing(&open_file(&root, "lf").unwrap_err()));
        assert!(is_missing(&open_file(&root, "d").unwrap_err()));
        let folder = descend(root, ["d"]).unwrap();
        assert_eq!(open_file(&folder, "f").unwrap().1.stamp.size, 1);
    }
}
