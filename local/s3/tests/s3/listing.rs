//! Both versions of ListObjects on the wire.

use mediadex_s3::{Access, StoreError, Watch};

use crate::harness::{Dirs, Served, code};

#[tokio::test]
async fn pages_follow_each_other() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let mut keys: Vec<String> = (0..2345).map(|n| format!("d{}/f{n:05}", n % 7)).collect();
    for key in &keys {
        let path = dirs.folder().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }
    keys.sort();
    assert_eq!(s.keys("folder").await, keys);

    let mut marker = String::new();
    let mut seen = Vec::new();
    loop {
        let page =
            s.client.list_objects().bucket("folder").marker(&marker).max_keys(100).send().await.unwrap();
        seen.extend(page.contents().iter().filter_map(|o| o.key.clone()));
        if page.is_truncated != Some(true) {
            break;
        }
        marker = seen.last().unwrap().clone();
    }
    assert_eq!(seen, keys);

    let mut marker = String::new();
    let mut prefixes = Vec::new();
    loop {
        let page = s.client.list_objects().bucket("folder").delimiter("/").marker(&marker).max_keys(2).send();
        let page = page.await.unwrap();
        prefixes.extend(page.common_prefixes().iter().filter_map(|p| p.prefix.clone()));
        if page.is_truncated != Some(true) {
            break;
        }
        marker = page.next_marker.unwrap();
    }
    assert_eq!(prefixes, (0..7).map(|n| format!("d{n}/")).collect::<Vec<_>>());

    let list = || s.client.list_objects_v2().bucket("folder");
    let none = list().max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count, none.is_truncated), (Some(0), Some(false)));
    assert_eq!(code(list().continuation_token("?!").send().await).0, "InvalidArgument");
    assert_eq!(code(s.client.list_objects_v2().bucket("nowhere").send().await), ("NoSuchBucket".into(), 404));
    let page = list().prefix("d3/").max_keys(3).send().await.unwrap();
    assert_eq!((page.key_count, page.is_truncated, page.contents().len()), (Some(3), Some(true), 3));
    for prefix in ["../", "//", "nope/", "d3//", "d3/f00003/"] {
        assert_eq!(list().prefix(prefix).send().await.unwrap().key_count, Some(0), "{prefix}");
    }
    let counted = s.store.count("folder", |_| true).unwrap();
    assert_eq!((counted.files, counted.bytes), (2345, 2345));
    assert!(matches!(s.store.count("folder", |_| false), Err(StoreError::Cancelled)));
}

#[tokio::test]
async fn a_folder_that_vanished_is_no_bucket() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "k", b"x").await;
    let away = dirs.folder().with_extension("away");
    std::fs::rename(dirs.folder(), &away).unwrap();
    for empty_mount_point in [false, true] {
        if empty_mount_point {
            std::fs::create_dir(dirs.folder()).unwrap();
        }
        let want = ("NoSuchBucket".to_owned(), 404);
        assert_eq!(code(s.client.list_objects_v2().bucket("folder").send().await), want);
        assert_eq!(code(s.client.get_object().bucket("folder").key("k").send().await), want);
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        assert_eq!(code(s.client.put_object().bucket("folder").key("n").body(body).send().await), want);
        assert_eq!(code(s.client.delete_object().bucket("folder").key("k").send().await), want);
        assert_eq!(code(s.client.head_bucket().bucket("folder").send().await).1, 404);
        assert!(matches!(s.store.count("folder", |_| true), Err(StoreError::NoSuchBucket(_))));
    }
    std::fs::remove_dir(dirs.folder()).unwrap();
    std::fs::rename(&away, dirs.folder()).unwrap();
    assert_eq!(s.keys("folder").await, ["k"]);
    // Another folder with content in its place is the disk back again.
    std::fs::rename(dirs.folder(), &away).unwrap();
    std::fs::create_dir(dirs.folder()).unwrap();
    std::fs::write(dirs.folder().join("other"), b"x").unwrap();
    assert_eq!(s.keys("folder").await, ["other"]);
}
