//! Keys that are hard on path names.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, code, tree};

#[tokio::test]
async fn odd_keys_go_all_the_way() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let component = "é".repeat(127) + "x";
    let long = ["a".repeat(255), component, "b".repeat(255), "c".repeat(256 - 1)].join("/");
    let long = format!("{long}d");
    let long: String = long.chars().take(long.chars().count() - 1).collect();
    assert!(long.len() > 1000 && long.len() <= 1024);
    let mut keys = vec![
        "blank in name".to_owned(),
        " leading and trailing ".to_owned(),
        "plus+percent%hash#question?amp&equals=.txt".to_owned(),
        "a%2Fb/%00".to_owned(),
        "中文/图片 (1).jpg".to_owned(),
        "emoji/😀👍🏽.png".to_owned(),
        "quote'\"<>/\\back;semi:colon,comma".to_owned(),
        "..hidden/...".to_owned(),
        "~tilde/!x@y$z^*()[]{}|`".to_owned(),
        "e\u{301}/combining".to_owned(),
        long,
    ];
    for key in &keys {
        s.put("folder", key, key.as_bytes()).await;
        assert_eq!(std::fs::read(dirs.folder().join(key)).unwrap(), key.as_bytes(), "{key}");
    }
    keys.sort();
    assert_eq!(s.keys("folder").await, keys);
    for key in &keys {
        assert_eq!(s.get("folder", key).await, key.as_bytes());
        let page = s.client.list_objects_v2().bucket("folder").prefix(key).send().await.unwrap();
        assert_eq!(page.contents()[0].key.as_deref(), Some(key.as_str()));
        let page = s.client.list_objects_v2().bucket("folder").start_after(key).send().await.unwrap();
        assert!(page.contents().iter().all(|o| o.key.as_ref().unwrap() > key));
    }
    // Control characters break XML; with URL encoding they are shown.
    s.put("folder", "control\u{1}\r\n", b"x").await;
    assert_eq!(s.keys("folder").await, keys);
    assert!(s.store.list_counters("folder").unwrap().not_xml > 0);
    let page = s
        .client
        .list_objects_v2()
        .bucket("folder")
        .prefix("con")
        .encoding_type(EncodingType::Url)
        .send()
        .await;
    assert_eq!(page.unwrap().contents()[0].key.as_deref(), Some("control%01%0D%0A"));
    keys.push("control\u{1}\r\n".to_owned());
    for key in &keys {
        s.client.delete_object().bucket("folder").key(key).send().await.unwrap();
    }
    assert!(tree(&dirs.folder()).is_empty());
}

#[tokio::test]
async fn keys_that_no_folder_can_hold_are_refused() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "file", b"x").await;
    s.put("folder", "dir/file", b"x").await;
    std::os::unix::fs::symlink("/etc", dirs.folder().join("link")).unwrap();
    std::os::unix::fs::symlink("file", dirs.folder().join("link-to-file")).unwrap();
    let long = format!("dir2/{}", "x".repeat(256));
    let too_long = "y/".repeat(512) + "y";
    for (key, want) in [
        ("a//b", "InvalidArgument"),
        ("/a", "InvalidArgument"),
        ("a/", "InvalidArgument"),
        ("./a", "InvalidArgument"),
        ("a/../../b", "InvalidArgument"),
        ("nul\0", "InvalidArgument"),
        (&long, "KeyTooLongError"),
        (&too_long, "KeyTooLongError"),
        ("file/below", "InvalidArgument"),
        ("dir", "InvalidArgument"),
        ("link/x", "InvalidArgument"),
        ("link-to-file", "InvalidArgument"),
    ] {
        let put =
            s.client.put_object().bucket("folder").key(key).body(ByteStream::from_static(b"x")).send().await;
        assert_eq!(code(put), (want.to_owned(), 400), "{key:?}");
        // Where no such object can be there is none.
        if key.len() <= 1024 {
            let get = s.client.get_object().bucket("folder").key(key).send().await;
            assert_eq!(code(get), ("NoSuchKey".into(), 404), "{key:?}");
            assert_eq!(code(s.client.head_object().bucket("folder").key(key).send().await).1, 404, "{key:?}");
            s.client.delete_object().bucket("folder").key(key).send().await.unwrap();
        }
        let upload = s.client.create_multipart_upload().bucket("folder").key(key).send().await;
        assert!(
            upload.is_err() || matches!(key, "file/below" | "dir" | "link/x" | "link-to-file"),
            "{key:?}"
        );
    }
    let put =
        s.client.put_object().bucket("folder").key("a//b").body(ByteStream::from_static(b"x")).send().await;
    let message = format!("{:?}", put.unwrap_err());
    assert!(message.contains("a//b") && message.contains("empty path component"), "{message}");
    assert_eq!(tree(&dirs.folder()), ["dir", "dir/file", "file", "link", "link-to-file"]);
    assert_eq!(s.keys("folder").await, ["dir/file", "file"]);
    assert!(s.store.list_counters("folder").unwrap().symlinks >= 2);
}

#[tokio::test]
async fn what_is_not_an_object_is_passed_over() {
    use std::os::unix::ffi::OsStringExt;
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    let folder = dirs.folder();
    std::fs::create_dir_all(folder.join("sub/empty")).unwrap();
    std::fs::write(folder.join("sub/ok"), b"ok").unwrap();
    std::fs::write(folder.join(std::ffi::OsString::from_vec(b"bad\xff".to_vec())), b"x").unwrap();
    std::os::unix::fs::symlink("sub", folder.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    std::fs::write(folder.join(".mediadex-upload-0123456789abcdef0123456789abcdef"), b"x").unwrap();
    s.store.add_bucket("folder", &folder, Access::ReadWrite).unwrap();
    assert_eq!(s.keys("folder").await, ["sub/ok"]);
    let skipped = s.store.list_counters("folder").unwrap();
    assert_eq!((skipped.symlinks, skipped.special, skipped.not_utf8), (1, 1, 1));
    assert_eq!(code(s.client.get_object().bucket("folder").key("socket").send().await).0, "NoSuchKey");
    let counted = s.store.count("folder", |_| true).unwrap();
    assert_eq!((counted.files, counted.bytes), (1, 2));
}
