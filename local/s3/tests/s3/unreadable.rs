//! Folders and files that may not be read. Root may read everything, so these
//! tests run themselves again as another user then.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mediadex_s3::{Access, Notice, Watch};

use crate::harness::{Dirs, Served, code, eventually};

/// Set for the process that runs as another user.
const AGAIN: &str = "MEDIADEX_TEST_AS_ANOTHER_USER";

/// Tells whether the rest of a test is to be run by this process.
fn can_be_refused(test: &str) -> bool {
    let probe = tempfile::tempdir().unwrap();
    std::fs::set_permissions(probe.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(probe.path()).is_err() {
        return true;
    }
    assert!(std::env::var_os(AGAIN).is_none(), "the other user may read everything too");
    let run = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(AGAIN, "1")
        .status();
    match run {
        Ok(status) => assert!(status.success(), "{test} failed as another user"),
        Err(error) => {
            eprintln!("skipped: {test}: root may read everything, and setpriv does not run: {error}")
        }
    }
    false
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn what_may_not_be_read_is_skipped_and_taken_up() {
    if !can_be_refused("unreadable::what_may_not_be_read_is_skipped_and_taken_up") {
        return;
    }
    let dirs = Dirs::new();
    let folder = dirs.folder();
    for name in ["open/f", "secret/deep/f", "listed/f"] {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), name).unwrap();
    }
    std::fs::write(folder.join("mine"), "mine").unwrap();
    set_mode(&folder.join("secret"), 0o000);
    // Names may be read there, and nothing else.
    set_mode(&folder.join("listed"), 0o444);
    set_mode(&folder.join("mine"), 0o000);
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", &folder, Access::ReadOnly).unwrap();
    s.subscribe("folder").await;
    assert_eq!(s.store.unreadable("folder").unwrap().keys, ["listed/", "secret/"]);
    assert_eq!(s.keys("folder").await, ["mine", "open/f"]);
    for (key, get, head) in [
        ("open/f", 200, 200),
        // There is nothing of that name, for all that anybody can tell.
        ("secret/deep/f", 403, 403),
        ("secret/none", 403, 403),
        ("listed/f", 403, 403),
        ("mine", 403, 200),
        ("none", 404, 404),
    ] {
        let got = s.client.get_object().bucket("folder").key(key).send().await;
        assert_eq!(got.map_or_else(|e| code::<(), _>(Err(e)).1, |_| 200), get, "GET {key}");
        let got = s.client.head_object().bucket("folder").key(key).send().await;
        assert_eq!(got.map_or_else(|e| code::<(), _>(Err(e)).1, |_| 200), head, "HEAD {key}");
    }
    let seen = s.store.unreadable("folder").unwrap();
    assert_eq!((seen.folders, seen.files), (2, 1));
    assert_eq!(seen.keys, ["listed/", "mine", "secret/"]);

    // The rest is watched all the time.
    std::fs::write(folder.join("open/g"), "g").unwrap();
    s.wait_event("ObjectCreated:Put", "open/g").await;
    std::fs::create_dir_all(folder.join("new/er")).unwrap();
    std::fs::write(folder.join("new/er/h"), "h").unwrap();
    s.wait_event("ObjectCreated:Put", "new/er/h").await;

    // Permissions alone change; size, time and inode stay.
    set_mode(&folder.join("mine"), 0o600);
    s.wait_event("ObjectCreated:Put", "mine").await;
    set_mode(&folder.join("secret"), 0o700);
    s.wait_event("ObjectCreated:Put", "secret/deep/f").await;
    std::fs::write(folder.join("secret/deep/later"), "x").unwrap();
    s.wait_event("ObjectCreated:Put", "secret/deep/later").await;
    set_mode(&folder.join("listed"), 0o700);
    s.wait_event("ObjectCreated:Put", "listed/f").await;
    assert!(s.store.unreadable("folder").unwrap().keys.is_empty());
}

#[tokio::test]
async fn what_becomes_unreadable_is_not_taken_for_gone() {
    if !can_be_refused("unreadable::what_becomes_unreadable_is_not_taken_for_gone") {
        return;
    }
    let dirs = Dirs::new();
    let folder = dirs.folder();
    std::fs::create_dir_all(folder.join("a/b")).unwrap();
    for name in ["a/b/f", "a/g", "k"] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", &folder, Access::ReadOnly).unwrap();
    s.subscribe("folder").await;
    let file = std::fs::File::options().append(true).open(folder.join("a/g")).unwrap();
    set_mode(&folder.join("a"), 0o000);
    set_mode(&folder.join("k"), 0o000);
    // Its folder may not be searched when this is looked at.
    std::io::Write::write_all(&mut &file, b"more").unwrap();
    drop(file);
    let store = s.store.clone();
    eventually("both are noticed", || store.unreadable("folder").unwrap().keys == ["a/", "k"]).await;
    let seen = s.settle().await;
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(code(s.client.get_object().bucket("folder").key("a/b/f").send().await).1, 403);
    set_mode(&folder.join("a"), 0o700);
    let mut keys = Vec::new();
    while keys.len() < 2 {
        let put = s.wait_for("what is in a/", |n| matches!(n, Notice::Object { .. })).await;
        if let Notice::Object { record, .. } = put {
            assert_eq!(record.event_name, "ObjectCreated:Put");
            keys.push(record.s3.object.key);
        }
    }
    keys.sort_unstable();
    assert_eq!(keys, ["a/b/f", "a/g"]);
    set_mode(&folder.join("k"), 0o600);
    s.wait_event("ObjectCreated:Put", "k").await;
    // A folder that goes while it may not be read: nobody saw what was in it.
    set_mode(&folder.join("a"), 0o000);
    eventually("it is noticed", || store.unreadable("folder").unwrap().keys == ["a/"]).await;
    std::fs::rename(folder.join("a"), folder.join("renamed")).unwrap();
    s.wait_for("a/ is gone", |n| matches!(n, Notice::PrefixChanged { prefix, .. } if prefix == "a/")).await;
    set_mode(&folder.join("renamed"), 0o700);
}

#[tokio::test]
async fn polling_takes_it_up_as_well() {
    if !can_be_refused("unreadable::polling_takes_it_up_as_well") {
        return;
    }
    let dirs = Dirs::new();
    let folder = dirs.folder();
    std::fs::create_dir_all(folder.join("secret")).unwrap();
    for name in ["secret/f", "d/k"] {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), name).unwrap();
    }
    set_mode(&folder.join("secret"), 0o000);
    set_mode(&folder.join("d/k"), 0o000);
    let mut s = Served::start(&dirs.state(), Watch::Poll(Duration::from_millis(100))).await;
    s.store.add_bucket("folder", &folder, Access::ReadOnly).unwrap();
    assert_eq!(s.store.unreadable("folder").unwrap().keys, ["secret/"]);
    let changed = |wanted: &'static str| move |n: &Notice| matches!(n, Notice::PrefixChanged { prefix, .. } if prefix == wanted);
    set_mode(&folder.join("d/k"), 0o600);
    s.wait_for("d/", changed("d/")).await;
    set_mode(&folder.join("secret"), 0o700);
    s.wait_for("secret/", changed("secret/")).await;
    let store = s.store.clone();
    eventually("nothing is skipped", || store.unreadable("folder").unwrap().keys.is_empty()).await;
}
