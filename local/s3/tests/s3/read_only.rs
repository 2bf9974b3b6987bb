//! Folders that are served read-only.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, Delete, ObjectCannedAcl, ObjectIdentifier, Tag, Tagging};
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, code, tree};

#[tokio::test]
async fn nothing_is_changed_in_a_read_only_folder() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    std::fs::write(dirs.folder().join("k"), b"mine").unwrap();
    s.store.add_bucket("folder", dirs.folder(), Access::ReadOnly).unwrap();
    s.client.create_bucket().bucket("made").send().await.unwrap();
    s.put("made", "from", b"other").await;
    let (c, b) = (&s.client, "folder");
    let tag = Tag::builder().key("a").value("b").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag).build().unwrap();
    let object = ObjectIdentifier::builder().key("k").build().unwrap();
    let delete = Delete::builder().objects(object).build().unwrap();
    let body = || ByteStream::from_static(b"theirs");
    let part = c.upload_part().bucket(b).key("k").upload_id("u").part_number(1).body(body());
    let copied = c.upload_part_copy().bucket(b).key("k").upload_id("u").part_number(1);
    let complete = c.complete_multipart_upload().bucket(b).key("k").upload_id("u");
    let parts = CompletedMultipartUpload::builder().build();
    let refused = [
        ("put", code(c.put_object().bucket(b).key("k").body(body()).send().await)),
        ("put new", code(c.put_object().bucket(b).key("d/n").body(body()).send().await)),
        ("copy", code(c.copy_object().bucket(b).key("k").copy_source("made/from").send().await)),
        ("create upload", code(c.create_multipart_upload().bucket(b).key("k").send().await)),
        ("part", code(part.send().await)),
        ("part copy", code(copied.copy_source("made/from").send().await)),
        ("complete", code(complete.multipart_upload(parts).send().await)),
        ("abort", code(c.abort_multipart_upload().bucket(b).key("k").upload_id("u").send().await)),
        ("delete", code(c.delete_object().bucket(b).key("k").send().await)),
        ("delete many", code(c.delete_objects().bucket(b).delete(delete).send().await)),
        ("tag", code(c.put_object_tagging().bucket(b).key("k").tagging(tagging).send().await)),
        ("untag", code(c.delete_object_tagging().bucket(b).key("k").send().await)),
        ("acl", code(c.put_object_acl().bucket(b).key("k").acl(ObjectCannedAcl::Private).send().await)),
    ];
    for (what, got) in refused {
        assert_eq!(got, ("AccessDenied".to_owned(), 403), "{what}");
    }
    let error = c.delete_object().bucket(b).key("k").send().await.unwrap_err();
    assert!(format!("{error:?}").contains("--writable"), "{error:?}");
    assert_eq!(tree(&dirs.folder()), ["k"]);
    assert_eq!(std::fs::read(dirs.folder().join("k")).unwrap(), b"mine");

    assert_eq!(s.get(b, "k").await, b"mine");
    assert_eq!(s.keys(b).await, ["k"]);
    c.head_object().bucket(b).key("k").send().await.unwrap();
    c.get_object_tagging().bucket(b).key("k").send().await.unwrap();
    c.copy_object().bucket("made").key("copy").copy_source("folder/k").send().await.unwrap();
    assert_eq!(s.get("made", "copy").await, b"mine");
    // Bindings need it.
    s.subscribe(b).await;
}
