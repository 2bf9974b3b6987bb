//! What other programs do to a folder.

use std::collections::BTreeMap;
use std::time::Duration;

use mediadex_s3::{Access, Notice, Watch};

use crate::harness::{Dirs, Served};

async fn watched() -> (Dirs, Served) {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.subscribe("folder").await;
    (dirs, s)
}

/// The last event of each key.
fn last_events(notices: Vec<Notice>) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for notice in notices {
        if let Notice::Object { record, .. } = notice {
            last.insert(record.s3.object.key, record.event_name);
        }
    }
    last
}

#[tokio::test]
async fn files_written_changed_and_removed() {
    let (dirs, mut s) = watched().await;
    let path = dirs.folder().join("a.txt");
    std::fs::write(&path, b"one").unwrap();
    let event = s.wait_event("ObjectCreated:Put", "a.txt").await;
    let head = s.client.head_object().bucket("folder").key("a.txt").send().await.unwrap();
    assert_eq!(event.s3.object.e_tag.as_deref(), Some(head.e_tag.as_deref().unwrap().trim_matches('"')));
    assert_eq!(event.s3.object.size, Some(3));
    std::fs::write(&path, b"longer").unwrap();
    let changed = s.wait_event("ObjectCreated:Put", "a.txt").await;
    assert!(changed.s3.object.sequencer > event.s3.object.sequencer);
    std::fs::rename(&path, dirs.folder().join("b.txt")).unwrap();
    let gone = s.wait_event("ObjectRemoved:Delete", "a.txt").await;
    assert_eq!((gone.s3.object.size, gone.s3.object.e_tag), (None, None));
    s.wait_event("ObjectCreated:Put", "b.txt").await;
    std::fs::remove_file(dirs.folder().join("b.txt")).unwrap();
    s.wait_event("ObjectRemoved:Delete", "b.txt").await;
    // Moved away and, later, back with the same inode and times.
    std::fs::write(&path, b"back").unwrap();
    s.wait_event("ObjectCreated:Put", "a.txt").await;
    let away = dirs.folder().with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    s.wait_event("ObjectRemoved:Delete", "a.txt").await;
    std::fs::rename(&away, &path).unwrap();
    s.wait_event("ObjectCreated:Put", "a.txt").await;
}

#[tokio::test]
async fn quick_changes_end_in_what_is_there() {
    let (dirs, mut s) = watched().await;
    let folder = dirs.folder();
    for n in 0..50 {
        let path = folder.join(format!("f{n:02}"));
        std::fs::write(&path, b"first").unwrap();
        std::fs::remove_file(&path).unwrap();
        if n % 2 == 0 {
            std::fs::write(&path, b"again").unwrap();
        }
    }
    let last = last_events(s.settle().await);
    for n in 0..50 {
        let want = if n % 2 == 0 { "ObjectCreated:Put" } else { "ObjectRemoved:Delete" };
        assert_eq!(last.get(&format!("f{n:02}")).map(String::as_str), Some(want), "f{n:02}");
    }
    // Editors save beside and rename over.
    std::fs::write(folder.join(".f00.swp"), b"saved text").unwrap();
    std::fs::rename(folder.join(".f00.swp"), folder.join("f00")).unwrap();
    assert_eq!(s.wait_event("ObjectCreated:Put", "f00").await.s3.object.size, Some(10));
    // A program that keeps a file open while it writes.
    {
        use std::io::Write;
        let mut file = std::fs::File::create(folder.join("log")).unwrap();
        for _ in 0..10 {
            file.write_all(b"line\n").unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(s.wait_event("ObjectCreated:Put", "log").await.s3.object.size, Some(50));
}

#[tokio::test]
async fn folders_moved_in_and_out() {
    let (dirs, mut s) = watched().await;
    let folder = dirs.folder();
    let outside = folder.with_extension("outside");
    std::fs::create_dir_all(outside.join("x/y")).unwrap();
    for name in ["1", "x/2", "x/y/3"] {
        std::fs::write(outside.join(name), name).unwrap();
    }
    std::fs::rename(&outside, folder.join("in")).unwrap();
    let last = last_events(s.settle().await);
    assert_eq!(last.keys().map(String::as_str).collect::<Vec<_>>(), ["in/1", "in/x/2", "in/x/y/3"]);
    // The watches cover what came in.
    std::fs::write(folder.join("in/x/y/4"), b"4").unwrap();
    s.wait_event("ObjectCreated:Put", "in/x/y/4").await;

    std::fs::rename(folder.join("in/x"), folder.join("other")).unwrap();
    let moved = |prefix: &'static str| move |n: &Notice| matches!(n, Notice::PrefixChanged { prefix: p, bucket } if p == prefix && bucket == "folder");
    s.wait_for("in/x/ moved", moved("in/x/")).await;
    s.wait_event("ObjectCreated:Put", "other/y/3").await;
    std::fs::write(folder.join("other/y/5"), b"5").unwrap();
    s.wait_event("ObjectCreated:Put", "other/y/5").await;
    std::fs::rename(folder.join("other"), &outside).unwrap();
    s.wait_for("other/ moved", moved("other/")).await;

    // A whole tree made and removed at once.
    for n in 0..20 {
        let deep = folder.join(format!("t/{n}/a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("f"), b"x").unwrap();
    }
    let last = last_events(s.settle().await);
    for n in 0..20 {
        assert_eq!(last.get(&format!("t/{n}/a/b/f")).map(String::as_str), Some("ObjectCreated:Put"));
    }
    std::fs::remove_dir_all(folder.join("t")).unwrap();
    let last = last_events(s.settle().await);
    for n in 0..20 {
        assert_eq!(last.get(&format!("t/{n}/a/b/f")).map(String::as_str), Some("ObjectRemoved:Delete"));
    }
}

#[tokio::test]
async fn external_changes_of_our_own_objects_are_seen() {
    let (dirs, mut s) = watched().await;
    s.put("folder", "d/k", b"ours").await;
    s.wait_event("ObjectCreated:Put", "d/k").await;
    std::fs::write(dirs.folder().join("d/k"), b"theirs").unwrap();
    assert_eq!(s.wait_event("ObjectCreated:Put", "d/k").await.s3.object.size, Some(6));
    std::fs::remove_file(dirs.folder().join("d/k")).unwrap();
    s.wait_event("ObjectRemoved:Delete", "d/k").await;
    s.put("folder", "d/k", b"ours").await;
    s.wait_event("ObjectCreated:Put", "d/k").await;
    s.client.delete_object().bucket("folder").key("d/k").send().await.unwrap();
    s.wait_event("ObjectRemoved:Delete", "d/k").await;
    // What a client's key had made is gone; made again by another program it is watched.
    std::fs::create_dir_all(dirs.folder().join("d")).unwrap();
    std::fs::write(dirs.folder().join("d/k"), b"new").unwrap();
    s.wait_event("ObjectCreated:Put", "d/k").await;
}

#[tokio::test]
async fn a_folder_put_in_place_of_the_watched_one() {
    let (dirs, mut s) = watched().await;
    let other = dirs.folder().with_extension("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("x"), b"x").unwrap();
    std::fs::rename(dirs.folder(), dirs.folder().with_extension("away")).unwrap();
    std::fs::rename(&other, dirs.folder()).unwrap();
    s.wait_for("the bucket changed", |n| matches!(n, Notice::BucketChanged { .. })).await;
    std::fs::write(dirs.folder().join("y"), b"y").unwrap();
    s.wait_event("ObjectCreated:Put", "y").await;
}

#[tokio::test]
async fn polling_finds_the_folders_that_changed() {
    let dirs = Dirs::new();
    std::fs::create_dir_all(dirs.folder().join("a/b")).unwrap();
    std::fs::write(dirs.folder().join("a/b/1"), b"x").unwrap();
    std::fs::write(dirs.folder().join("a/2"), b"x").unwrap();
    let mut s = Served::start(&dirs.state(), Watch::Poll(Duration::from_millis(100))).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    std::fs::write(dirs.folder().join("a/b/1"), b"changed").unwrap();
    s.wait_for("a/b/", |n| matches!(n, Notice::PrefixChanged { prefix, .. } if prefix == "a/b/")).await;
    std::fs::remove_file(dirs.folder().join("a/b/1")).unwrap();
    s.wait_for("a/b/", |n| matches!(n, Notice::PrefixChanged { prefix, .. } if prefix == "a/b/")).await;
    std::fs::write(dirs.folder().join("top"), b"x").unwrap();
    s.wait_for("the bucket", |n| matches!(n, Notice::BucketChanged { .. })).await;
}
