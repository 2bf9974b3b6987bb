//! Folders as objects: empty objects whose keys end in a slash.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::MetadataDirective;
use mediadex_s3::{Access, Notice, Watch};

use crate::harness::{Dirs, Served, code, tree};

async fn make(s: &Served, key: &str) {
    s.client.put_object().bucket("folder").key(key).metadata("mode", "16877").send().await.unwrap();
}

async fn is_there(s: &Served, key: &str) -> bool {
    match s.client.head_object().bucket("folder").key(key).send().await {
        Ok(_) => true,
        error => {
            assert_eq!(code(error).1, 404, "{key}");
            false
        }
    }
}

async fn delete(s: &Served, key: &str) {
    let raw = s.client.delete_object().bucket("folder").key(key).send().await;
    raw.unwrap_or_else(|error| panic!("{key}: {error:?}"));
}

/// Keys and common prefixes.
async fn list(s: &Served, prefix: &str, delimiter: &str) -> (Vec<String>, Vec<String>) {
    let page = s
        .client
        .list_objects_v2()
        .bucket("folder")
        .prefix(prefix)
        .set_delimiter((!delimiter.is_empty()).then(|| delimiter.to_owned()))
        .send()
        .await
        .unwrap();
    let keys = page.contents().iter().filter_map(|object| object.key.clone()).collect();
    let prefixes = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix.clone()).collect();
    (keys, prefixes)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn an_empty_object_makes_the_folder() {
    let dirs = Dirs::new();
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.subscribe("folder").await;
    make(&s, "new/").await;
    make(&s, "new/in ner/").await;
    assert_eq!(tree(&dirs.folder()), ["new", "new/in ner"]);
    for key in ["new/", "new/in ner/"] {
        let head = s.client.head_object().bucket("folder").key(key).send().await.unwrap();
        assert_eq!(head.content_length, Some(0));
        assert_eq!(head.e_tag.as_deref(), Some("\"d41d8cd98f00b204e9800998ecf8427e\""));
        assert_eq!(head.metadata.unwrap()["mode"], "16877");
        assert!(s.get("folder", key).await.is_empty());
    }
    assert_eq!(list(&s, "", "").await, (texts(&["new/", "new/in ner/"]), vec![]));
    assert_eq!(list(&s, "", "/").await, (vec![], texts(&["new/"])));
    assert_eq!(list(&s, "new/", "/").await, (texts(&["new/"]), texts(&["new/in ner/"])));
    assert_eq!(list(&s, "new/in", "").await, (texts(&["new/in ner/"]), vec![]));

    // Nothing of it is announced.
    delete(&s, "new/in ner/").await;
    s.put("folder", "new/file", b"x").await;
    let told = s.settle().await;
    let keys = told.iter().filter_map(|notice| match notice {
        Notice::Object { record, .. } => Some(record.s3.object.key.as_str()),
        _ => None,
    });
    assert_eq!(keys.collect::<Vec<_>>(), ["new/file"], "{told:?}");
    s.stop().await;

    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    assert_eq!(list(&s, "", "").await.0, ["new/", "new/file"], "it is remembered");
}

#[tokio::test]
async fn a_folder_goes_when_it_is_empty() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    make(&s, "a/b/").await;
    assert!(is_there(&s, "a/b/").await && !is_there(&s, "a/").await, "only what was put is an object");
    delete(&s, "a/b/").await;
    assert!(tree(&dirs.folder()).is_empty(), "with the folder that was made on the way");
    delete(&s, "a/b/").await;

    // It stays while there is something in it, and goes with the last of that.
    make(&s, "a/").await;
    s.put("folder", "a/file", b"x").await;
    delete(&s, "a/").await;
    assert!(!is_there(&s, "a/").await);
    assert_eq!(tree(&dirs.folder()), ["a", "a/file"]);
    delete(&s, "a/file").await;
    assert!(tree(&dirs.folder()).is_empty());

    // One that was made on purpose stays when it is emptied.
    make(&s, "a/").await;
    s.put("folder", "a/file", b"x").await;
    delete(&s, "a/file").await;
    assert!(is_there(&s, "a/").await);
    delete(&s, "a/").await;

    // A folder of the user's is no object, and is removed when a client asks for it.
    std::fs::create_dir(dirs.folder().join("mine")).unwrap();
    assert!(!is_there(&s, "mine/").await);
    assert_eq!(list(&s, "", "/").await, (vec![], vec![]));
    delete(&s, "mine/").await;
    assert!(tree(&dirs.folder()).is_empty());
}

#[tokio::test]
async fn a_folder_that_another_program_removed_is_no_object() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    make(&s, "a/").await;
    std::fs::rename(dirs.folder().join("a"), dirs.folder().join("elsewhere")).unwrap();
    assert!(!is_there(&s, "a/").await && !is_there(&s, "elsewhere/").await);
    assert_eq!(list(&s, "", "/").await, (vec![], vec![]));
    std::fs::create_dir(dirs.folder().join("a")).unwrap();
    assert!(!is_there(&s, "a/").await, "it is another folder");
    make(&s, "a/").await;
    assert!(is_there(&s, "a/").await);
}

#[tokio::test]
async fn a_folder_is_copied_and_changed_like_an_object() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    make(&s, "old/").await;
    let copy = |from: &str, to: &str| {
        s.client.copy_object().bucket("folder").key(to).copy_source(format!("folder/{from}"))
    };
    copy("old/", "new/").send().await.unwrap();
    copy("new/", "new/")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("mode", "1")
        .send()
        .await
        .unwrap();
    let client = &s.client;
    let mode = |key: &'static str| async move {
        let head = client.head_object().bucket("folder").key(key).send().await.unwrap();
        head.metadata.unwrap()["mode"].clone()
    };
    assert_eq!((mode("old/").await, mode("new/").await), ("16877".to_owned(), "1".to_owned()));
    s.put("folder", "file", b"x").await;
    assert_eq!(code(copy("file", "dir/").send().await).0, "InvalidArgument");
    let only_new = s.client.put_object().bucket("folder").key("new/").if_none_match("*").send().await;
    assert_eq!(code(only_new), ("PreconditionFailed".to_owned(), 412));
    // Content has no place in a folder, and a folder none where a file is.
    for key in ["new/", "other/"] {
        let body = ByteStream::from_static(b"content");
        let error = s.client.put_object().bucket("folder").key(key).body(body).send().await.unwrap_err();
        let text = format!("{:?}", error.into_service_error());
        assert!(text.contains("InvalidArgument") && text.contains("it is a folder here"), "{text}");
    }
    assert_eq!(code(s.client.put_object().bucket("folder").key("file/").send().await).0, "InvalidArgument");
    assert_eq!(tree(&dirs.folder()), ["file", "new", "old"]);
}
