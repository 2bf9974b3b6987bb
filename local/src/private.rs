//! Files and directories that are for their owner alone: how they are made,
//! and how permissions that others have are taken away.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Permissions of a private file.
pub(crate) const FILE_MODE: u32 = 0o600;
/// Permissions of a private directory.
pub(crate) const DIRECTORY_MODE: u32 = 0o700;

/// How the names of our entries in a state directory begin.
const STATE_ENTRIES: [&str; 8] =
    ["lock", "folders.json", "sealing.key", "access.key", "starts", "dynamodb.sqlite", "sns.sqlite", "s3"];

/// A private file without a name that others would look for; it is removed
/// unless it is persisted.
pub(crate) fn temporary_file(directory: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(FILE_MODE)).tempfile_in(directory)
}

/// Reads the text of a private file, or creates it with the text of `make`.
/// Tells whether it was created. A new file is there whole or not at all.
///
/// # Errors
/// When the file can neither be read nor created.
pub(crate) fn read_or_create(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<(String, bool)> {
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok((text, false)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    let create = || -> anyhow::Result<String> {
        let text = make();
        let mut file = temporary_file(path.parent().context("it has no directory")?)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        Ok(text)
    };
    Ok((create().with_context(|| format!("{} cannot be written", path.display()))?, true))
}

/// Makes a private directory, with its parents, or takes from others what they
/// may do with the one that is there.
///
/// # Errors
/// When it cannot be made, or belongs to another user.
pub(crate) fn create_directory(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.with_context(|| format!("the directory {} cannot be made", path.display()))?;
    restrict_one(path, &std::fs::metadata(path)?)
        .with_context(|| format!("the permissions of {} cannot be changed", path.display()))
}

/// Makes the state directory, or makes the one that is there private. A
/// directory that others can read and that holds other things than state is
/// refused: its permissions are not ours to change.
///
/// # Errors
/// When it cannot be made, belongs to another user or holds other things.
pub(crate) fn create_state_directory(path: &Path) -> anyhow::Result<()> {
    let is_open = std::fs::metadata(path).is_ok_and(|it| it.is_dir() && it.permissions().mode() & 0o077 != 0);
    if is_open {
        let names: Vec<String> = std::fs::read_dir(path)
            .and_then(|entries| {
                entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            })
            .with_context(|| format!("the state directory {} cannot be read", path.display()))?;
        if !names.is_empty() && !names.iter().any(|name| is_state(name)) {
            bail!(
                "{} holds other files, and state must be in a directory that only its owner can read: \
                 name a new directory with --state",
                path.display()
            );
        }
    }
    create_directory(path)
}

fn is_state(name: &str) -> bool {
    STATE_ENTRIES.iter().any(|ours| name.starts_with(ours))
}

/// Takes from others what they may do with the files of a state directory, for
/// those that an older version or a copy made with wider permissions. Entries
/// that are not state are left as they are.
///
/// # Errors
/// When permissions cannot be read or changed.
pub(crate) fn restrict_state(directory: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if is_state(&entry.file_name().to_string_lossy()) {
            restrict(&entry.path()).with_context(|| {
                format!("the permissions of {} cannot be changed", entry.path().display())
            })?;
        }
    }
    Ok(())
}

/// Restricts a file, or a directory with everything in it.
fn restrict(path: &Path) -> std::io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    restrict_one(path, &metadata)?;
    let mut directories = if metadata.is_dir() { vec![path.to_owned()] } else { Vec::new() };
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            restrict_one(&entry.path(), &metadata)?;
            if metadata.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Links are left alone: their targets are not state.
fn restrict_one(path: &Path, metadata: &Metadata) -> std::io::Result<()> {
    let wanted = match metadata {
        it if it.is_dir() => DIRECTORY_MODE,
        it if it.is_file() => FILE_MODE,
        _ => return Ok(()),
    };
    if metadata.permissions().mode() & 0o777 == wanted {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(wanted))
}

/// Takes the state directory for this process alone.
///
/// # Errors
/// When it cannot be made or another process has it.
pub(crate) fn lock_state(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    create_state_directory(path)?;
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(FILE_MODE);
    let file = options.open(path.join("lock"))?;
    if file.try_lock().is_err() {
        bail!(
            "another mediadex uses the state in {}; stop it, or choose another with --state or --ephemeral",
            path.display()
        );
    }
    restrict_state(path)?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_created_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sealing.key");
        assert_eq!(read_or_create(&path, || "one".into()).unwrap(), ("one".into(), true));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read_or_create(&path, || "two".into()).unwrap(), ("one".into(), false));
        let unreadable = directory.path().join("directory");
        std::fs::create_dir(&unreadable).unwrap();
        let error = read_or_create(&unreadable, || "x".into()).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
        let nowhere = directory.path().join("absent/sealing.key");
        assert!(read_or_create(&nowhere, || "x".into()).is_err());
        // Nothing is left of what failed.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn wider_permissions_of_state_are_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        std::fs::create_dir_all(state.join("s3/buckets/b")).unwrap();
        std::fs::create_dir(state.join("theirs")).unwrap();
        let table = [
            ("dynamodb.sqlite-wal", 0o644, 0o600),
            ("s3/sidecar.db", 0o666, 0o600),
            ("s3/buckets/b/object", 0o755, 0o600),
            ("s3/buckets/b", 0o755, 0o700),
            ("s3/buckets", 0o777, 0o700),
            ("s3", 0o755, 0o700),
            // Not ours.
            ("theirs/file", 0o644, 0o644),
            ("theirs", 0o755, 0o755),
        ];
        for (name, before, _) in table {
            if !state.join(name).exists() {
                std::fs::write(state.join(name), "x").unwrap();
            }
            set(&state.join(name), before);
        }
        std::fs::write(root.path().join("elsewhere"), "x").unwrap();
        set(&root.path().join("elsewhere"), 0o644);
        std::os::unix::fs::symlink(root.path().join("elsewhere"), state.join("s3/buckets/b/link")).unwrap();
        set(&state, 0o755);
        drop(lock_state(&state).unwrap());
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join("lock")), 0o600);
        for (name, _, after) in table {
            assert_eq!(mode(&state.join(name)), after, "{name}");
        }
        assert_eq!(mode(&root.path().join("elsewhere")), 0o644);
    }

    #[test]
    fn a_directory_with_other_files_is_not_taken() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        std::fs::create_dir(&open).unwrap();
        set(&open, 0o755);
        create_state_directory(&open).unwrap();
        assert_eq!(mode(&open), 0o700, "an empty one is made private");
        set(&open, 0o755);
        std::fs::write(open.join("letter.txt"), "x").unwrap();
        let error = create_state_directory(&open).unwrap_err();
        assert!(error.to_string().contains("--state"), "{error}");
        assert_eq!(mode(&open), 0o755);
        let new = root.path().join("a/b");
        create_state_directory(&new).unwrap();
        assert_eq!((mode(&new), mode(&root.path().join("a"))), (0o700, 0o700));
    }
}
