//! Files that are written over stay what they were to everybody else:
//! permissions, owner, attributes, hard links.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use mediadex_s3::{Access, Notice, Options, Watch};

use crate::harness::{Dirs, Served};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A folder on another file system than the state, if this machine has one.
fn elsewhere(dirs: &Dirs) -> Option<tempfile::TempDir> {
    let shm = tempfile::tempdir_in("/dev/shm").ok()?;
    let device = |path: &Path| path.metadata().map(|m| m.dev()).ok();
    (device(shm.path()) != device(&dirs.folder())).then_some(shm)
}

#[tokio::test]
async fn permissions_are_kept_and_new_files_follow_the_umask() {
    for umask in [0o022, 0o027, 0o077] {
        let dirs = Dirs::new();
        let other = elsewhere(&dirs);
        let options = Options { umask: Some(umask), watch: Watch::Off, ..Options::default() };
        let s = Served::with(&dirs.state(), options).await;
        let mut folders = vec![("folder", dirs.folder())];
        folders.extend(other.iter().map(|other| ("other", other.path().to_owned())));
        for (bucket, folder) in folders {
            s.store.add_bucket(bucket, &folder, Access::ReadWrite).unwrap();
            s.put(bucket, "d/new", b"new").await;
            assert_eq!(mode(&folder.join("d/new")), 0o666 & !umask, "{bucket}");
            assert_eq!(mode(&folder.join("d")), 0o777 & !umask, "{bucket}");
            for (name, wanted) in [("a", 0o600), ("b", 0o664), ("c", 0o755), ("e", 0o444)] {
                let path = folder.join(name);
                std::fs::write(&path, b"old").unwrap();
                set_mode(&path, wanted);
                s.put(bucket, name, b"put").await;
                assert_eq!((mode(&path), std::fs::read(&path).unwrap()), (wanted, b"put".to_vec()));
            }
            let copied = s.client.copy_object().bucket(bucket).key("a").copy_source(format!("{bucket}/b"));
            copied.send().await.unwrap();
            assert_eq!(mode(&folder.join("a")), 0o600);
        }
    }
}

/// The umask that this process has, as a shell tells it.
#[tokio::test]
async fn without_an_option_the_umask_is_that_of_the_process() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "new", b"new").await;
    std::fs::write(dirs.folder().join("own"), b"own").unwrap();
    assert_eq!(mode(&dirs.folder().join("new")), mode(&dirs.folder().join("own")));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn owner_and_attributes_are_kept_where_they_can_be() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let path = dirs.folder().join("k");
    std::fs::write(&path, b"old").unwrap();
    let owned = std::os::unix::fs::chown(&path, Some(1234), Some(2345)).is_ok();
    let tagged = setxattr(&path, "user.note", b"kept", XattrFlags::empty()).is_ok();
    s.put("folder", "k", b"new").await;
    let meta = path.metadata().unwrap();
    if owned {
        assert_eq!((meta.uid(), meta.gid()), (1234, 2345));
    } else {
        eprintln!("skipped: only root may give files away");
    }
    if tagged {
        let mut value = [0; 16];
        let length = getxattr(&path, "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"kept");
    } else {
        eprintln!("skipped: this file system has no extended attributes");
    }
}

#[tokio::test]
async fn hard_links_stay_and_are_announced_once() {
    let dirs = Dirs::new();
    let other = elsewhere(&dirs);
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    let mut folders = vec![("folder", dirs.folder())];
    folders.extend(other.iter().map(|other| ("other", other.path().to_owned())));
    for (bucket, folder) in folders {
        let (path, link) = (folder.join("k"), folder.join("link"));
        std::fs::write(&path, vec![b'o'; 1_000_000]).unwrap();
        std::fs::hard_link(&path, &link).unwrap();
        set_mode(&path, 0o640);
        s.store.add_bucket(bucket, &folder, Access::ReadWrite).unwrap();
        s.subscribe(bucket).await;
        let inode = path.metadata().unwrap().ino();
        for content in [&b"short"[..], &[b'l'; 2_000_000][..], b""] {
            let e_tag = s.put(bucket, "k", content).await;
            assert!(std::fs::read(&link).unwrap() == content && s.get(bucket, "k").await == content);
            let meta = path.metadata().unwrap();
            assert_eq!((meta.ino(), meta.nlink(), mode(&path)), (inode, 2, 0o640));
            let head = s.client.head_object().bucket(bucket).key("k").send().await.unwrap();
            assert_eq!(head.e_tag, Some(e_tag));
            let seen = s.settle().await;
            assert!(
                matches!(&seen[..], [Notice::Object { record, .. }] if record.s3.object.key == "k"),
                "{seen:?}"
            );
        }
        assert_eq!(std::fs::read_dir(dirs.state().join("redo")).unwrap().count(), 0);
    }
}

/// Readers get one content or the other, or a broken answer, never a mixture.
#[tokio::test(flavor = "multi_thread")]
async fn readers_get_no_mixture() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    for (key, size) in [("small", 100_000), ("large", 4_000_000)] {
        std::fs::write(dirs.folder().join(key), vec![b'a'; size]).unwrap();
        std::fs::hard_link(dirs.folder().join(key), dirs.folder().join(format!("{key}.link"))).unwrap();
        let writer = s.client.clone();
        let writing = tokio::spawn(async move {
            for round in 0..20 {
                let content = vec![if round % 2 == 0 { b'b' } else { b'a' }; size];
                let put = writer.put_object().bucket("folder").key(key).body(ByteStream::from(content));
                put.send().await.unwrap();
            }
        });
        let mut whole = 0;
        while !writing.is_finished() || whole == 0 {
            // Through the other name.
            let got = s.client.get_object().bucket("folder").key(format!("{key}.link")).send().await.unwrap();
            let Ok(body) = got.body.collect().await else { continue };
            let body = body.to_vec();
            assert!(body.len() == size && body.iter().all(|byte| *byte == body[0]), "{key}");
            whole += 1;
        }
        writing.await.unwrap();
    }
}
